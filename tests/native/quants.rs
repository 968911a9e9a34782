//! Block formats against ggml's own Python package: `fixtures/quants.gguf`, made by `fixtures/make_quants.py`.

use crate::checkpoint::{Collected, read};
use azulejo::checkpoint::{Array, Format, MetadataValue, TensorType};

const FIXTURE: &[u8] = include_bytes!("../fixtures/quants.gguf");

fn fixture() -> Collected {
    read(Format::Gguf, FIXTURE, Some(FIXTURE.len() as u64), || usize::MAX).unwrap()
}

impl Collected {
    fn tensor(&self, name: &str) -> (TensorType, &[u8]) {
        let at = self.header.tensors.iter().position(|tensor| tensor.name == name);
        let at = at.unwrap_or_else(|| panic!("no tensor {name}"));
        assert_eq!(self.header.tensors[at].shape, [2, 256]);
        (self.header.tensors[at].ty, &self.data[at])
    }

    fn floats(&self, name: &str) -> Vec<f32> {
        let (ty, data) = self.tensor(name);
        assert_eq!(ty, TensorType::F32);
        data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }
}

#[test]
fn every_type_means_what_ggml_says() {
    let fixture = fixture();
    for ty in TensorType::ALL.into_iter().filter(|ty| *ty != TensorType::F32) {
        let (stored, blocks) = fixture.tensor(ty.name());
        assert_eq!(stored, ty);
        let mut out = vec![0.0; 512];
        ty.dequantize(blocks, &mut out);
        for (i, (x, expected)) in out.iter().zip(fixture.floats(&format!("{ty}.f32"))).enumerate() {
            // −0 and 0 are equal: ggml's C and Python differ there.
            assert_eq!(*x, expected, "{ty}, element {i}");
        }
    }
}

#[test]
fn quantizing_gives_the_bytes_that_ggml_gives() {
    let fixture = fixture();
    let values = fixture.floats("values");
    for ty in [TensorType::Q8_0, TensorType::Q4_1] {
        let (_, expected) = fixture.tensor(&format!("{ty}.quantized"));
        let mut out = vec![0; expected.len()];
        ty.quantize(&values, &mut out).unwrap();
        assert_eq!(out, expected, "{ty}");
    }
}

#[test]
fn metadata_that_another_writer_wrote_is_read() {
    let metadata = fixture().header.metadata;
    let get = |key: &str| metadata.get(&format!("test.{key}")).unwrap().clone();
    assert_eq!(get("u8"), MetadataValue::U8(200));
    assert_eq!(get("i8"), MetadataValue::I8(-100));
    assert_eq!(get("u16"), MetadataValue::U16(60000));
    assert_eq!(get("i16"), MetadataValue::I16(-30000));
    assert_eq!(get("u32"), MetadataValue::U32(4_000_000_000));
    assert_eq!(get("i32"), MetadataValue::I32(-2_000_000_000));
    assert_eq!(get("f32"), MetadataValue::F32(0.1));
    assert_eq!(get("bool"), MetadataValue::Bool(true));
    assert_eq!(get("string"), MetadataValue::String("azulejo: ladrilho árabe, 瓷砖".to_owned()));
    assert_eq!(get("u64"), MetadataValue::U64(u64::MAX));
    assert_eq!(get("i64"), MetadataValue::I64(i64::MIN));
    assert_eq!(get("f64"), MetadataValue::F64(0.1));
    assert_eq!(get("i32s"), MetadataValue::Array(Array::I32(vec![1, -2, 3])));
    assert_eq!(get("f32s"), MetadataValue::Array(Array::F32(vec![0.5, 0.25])));
    assert_eq!(get("bools"), MetadataValue::Array(Array::Bool(vec![true, false])));
    assert_eq!(metadata.strings("test.strings").unwrap(), ["a", "", "ção"]);
}
