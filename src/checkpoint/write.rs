//! Writing GGUF files, version 3: for tools that convert checkpoints, and for tests.

use super::{Array, Metadata, MetadataValue, TensorType};

/// A tensor that is to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct NewTensor {
    pub name: String,
    pub ty: TensorType,
    /// Outermost first, whole blocks a row.
    pub shape: Vec<usize>,
}

impl NewTensor {
    /// The bytes of its data.
    ///
    /// Panics where a row is not a whole number of blocks.
    pub fn bytes(&self) -> usize {
        let (columns, rows) = self.shape.split_last().expect("a tensor has a dimension");
        let row = self.ty.row_bytes(*columns);
        row.unwrap_or_else(|| panic!("{}: rows of {columns} as {}", self.name, self.ty))
            * rows.iter().product::<usize>()
    }
}

/// Everything before the first tensor's data, padding included. Each tensor's data follows in this order,
/// each padded with [`padding`] zeros.
pub fn header(metadata: &Metadata, tensors: &[NewTensor]) -> Vec<u8> {
    let mut out = b"GGUF".to_vec();
    out.extend(3u32.to_le_bytes());
    out.extend((tensors.len() as u64).to_le_bytes());
    out.extend((metadata.len() as u64).to_le_bytes());
    for (key, value) in metadata.iter() {
        string(&mut out, key);
        self::value(&mut out, value);
    }
    let mut offset = 0;
    for tensor in tensors {
        string(&mut out, &tensor.name);
        out.extend((tensor.shape.len() as u32).to_le_bytes());
        out.extend(tensor.shape.iter().rev().flat_map(|dimension| (*dimension as u64).to_le_bytes()));
        out.extend(tensor.ty.ggml().to_le_bytes());
        out.extend((offset as u64).to_le_bytes());
        offset += tensor.bytes() + padding(metadata, tensor.bytes());
    }
    out.resize(out.len() + padding(metadata, out.len()), 0);
    out
}

/// How many zeros follow `bytes` bytes of data.
pub fn padding(metadata: &Metadata, bytes: usize) -> usize {
    let alignment = metadata.u32("general.alignment").unwrap_or(32) as usize;
    bytes.next_multiple_of(alignment) - bytes
}

/// A whole file in memory.
pub fn file(metadata: &Metadata, tensors: &[(NewTensor, Vec<u8>)]) -> Vec<u8> {
    let described: Vec<NewTensor> = tensors.iter().map(|(tensor, _)| tensor.clone()).collect();
    let mut out = header(metadata, &described);
    for (tensor, data) in tensors {
        assert_eq!(data.len(), tensor.bytes(), "{}", tensor.name);
        out.extend(data);
        out.resize(out.len() + padding(metadata, data.len()), 0);
    }
    out
}

fn string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn value(out: &mut Vec<u8>, value: &MetadataValue) {
    let mut put = |ty: u32, bytes: &[u8]| {
        out.extend(ty.to_le_bytes());
        out.extend(bytes);
    };
    match value {
        MetadataValue::U8(x) => put(0, &x.to_le_bytes()),
        MetadataValue::I8(x) => put(1, &x.to_le_bytes()),
        MetadataValue::U16(x) => put(2, &x.to_le_bytes()),
        MetadataValue::I16(x) => put(3, &x.to_le_bytes()),
        MetadataValue::U32(x) => put(4, &x.to_le_bytes()),
        MetadataValue::I32(x) => put(5, &x.to_le_bytes()),
        MetadataValue::F32(x) => put(6, &x.to_le_bytes()),
        MetadataValue::Bool(x) => put(7, &[u8::from(*x)]),
        MetadataValue::String(x) => {
            put(8, &[]);
            string(out, x);
        }
        MetadataValue::Array(x) => {
            put(9, &[]);
            array(out, x);
        }
        MetadataValue::U64(x) => put(10, &x.to_le_bytes()),
        MetadataValue::I64(x) => put(11, &x.to_le_bytes()),
        MetadataValue::F64(x) => put(12, &x.to_le_bytes()),
    }
}

fn array(out: &mut Vec<u8>, array: &Array) {
    fn numbers<T: Copy, const N: usize>(out: &mut Vec<u8>, numbers: &[T], bytes: impl Fn(T) -> [u8; N]) {
        out.extend(numbers.iter().flat_map(|number| bytes(*number)));
    }
    let ty: u32 = match array {
        Array::U8(_) => 0,
        Array::I8(_) => 1,
        Array::U16(_) => 2,
        Array::I16(_) => 3,
        Array::U32(_) => 4,
        Array::I32(_) => 5,
        Array::F32(_) => 6,
        Array::Bool(_) => 7,
        Array::String(_) => 8,
        Array::Array(_) => 9,
        Array::U64(_) => 10,
        Array::I64(_) => 11,
        Array::F64(_) => 12,
    };
    out.extend(ty.to_le_bytes());
    out.extend((array.len() as u64).to_le_bytes());
    match array {
        Array::U8(x) => out.extend(x),
        Array::I8(x) => numbers(out, x, i8::to_le_bytes),
        Array::U16(x) => numbers(out, x, u16::to_le_bytes),
        Array::I16(x) => numbers(out, x, i16::to_le_bytes),
        Array::U32(x) => numbers(out, x, u32::to_le_bytes),
        Array::I32(x) => numbers(out, x, i32::to_le_bytes),
        Array::F32(x) => numbers(out, x, f32::to_le_bytes),
        Array::Bool(x) => numbers(out, x, |x| [u8::from(x)]),
        Array::String(x) => x.iter().for_each(|text| string(out, text)),
        Array::Array(x) => x.iter().for_each(|inner| self::array(out, inner)),
        Array::U64(x) => numbers(out, x, u64::to_le_bytes),
        Array::I64(x) => numbers(out, x, i64::to_le_bytes),
        Array::F64(x) => numbers(out, x, f64::to_le_bytes),
    }
}
