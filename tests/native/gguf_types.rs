//! A GGUF file whose matrices are of a quantised type is the model of what they dequantise to, by both devices: the token
//! table, products of one row and of many, the head.

use azulejo::checkpoint::write::{NewTensor, file};
use azulejo::checkpoint::{FileReader, Format, Metadata, MetadataValue, TensorType};
use azulejo::device::gpu::Context;
use azulejo::device::gpu::native::run;
use azulejo::device::{CacheType, Device, Progress};
use azulejo::model::{Model, WeightLoader};

use crate::blocks::{random_bytes, scales_of};
use crate::devices::{cpu, first, gpu};
use crate::dtypes::apart;
use crate::gpu_kernels::dequantised;
use crate::outputs::score;
use crate::random::Random;
use crate::sample::share;

/// A tensor and its data.
type Tensor = (NewTensor, Vec<u8>);

const WIDTH: usize = 256;
const INNER: usize = 512;
const VOCABULARY: usize = 70;
const HEADS: usize = 4;
const KV_HEADS: usize = 2;

/// Random blocks whose weights have a root mean square of 1/16, or nearly.
fn matrix(random: &mut Random, ty: TensorType, rows: usize, columns: usize) -> Vec<u8> {
    let mut bytes = random_bytes(random, ty, rows, columns);
    let weights = dequantised(ty, &bytes, rows * columns);
    let size = (weights.iter().map(|x| x * x).sum::<f32>() / weights.len() as f32).sqrt();
    for block in bytes.chunks_mut(ty.block_bytes()) {
        for at in scales_of(ty) {
            let scale = half::f16::from_le_bytes([block[*at], block[at + 1]]).to_f32() / (16.0 * size);
            block[*at..at + 2].copy_from_slice(&half::f16::from_f32(scale).to_le_bytes());
        }
    }
    bytes
}

/// A Llama of one layer, all of its matrices of that type.
fn tensors(ty: TensorType) -> Vec<Tensor> {
    let mut random = Random::new(u64::from(ty.ggml()));
    let tensor =
        |name: &str, ty, shape: &[usize]| NewTensor { name: format!("{name}.weight"), ty, shape: shape.to_vec() };
    let mut tensors = Vec::new();
    for name in ["output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"] {
        let data = random.floats(WIDTH).into_iter().flat_map(|x| (1.0 + x / 4.0).to_le_bytes()).collect();
        tensors.push((tensor(name, TensorType::F32, &[WIDTH]), data));
    }
    for (name, rows, columns) in [
        ("token_embd", VOCABULARY, WIDTH),
        ("output", VOCABULARY, WIDTH),
        ("blk.0.attn_q", WIDTH, WIDTH),
        ("blk.0.attn_k", WIDTH * KV_HEADS / HEADS, WIDTH),
        ("blk.0.attn_v", WIDTH * KV_HEADS / HEADS, WIDTH),
        ("blk.0.attn_output", WIDTH, WIDTH),
        ("blk.0.ffn_gate", INNER, WIDTH),
        ("blk.0.ffn_up", INNER, WIDTH),
        ("blk.0.ffn_down", WIDTH, INNER),
    ] {
        tensors.push((tensor(name, ty, &[rows, columns]), matrix(&mut random, ty, rows, columns)));
    }
    tensors
}

/// The same in floats.
fn in_floats(tensors: &[Tensor]) -> Vec<Tensor> {
    let widened = |(tensor, data): &Tensor| {
        let values = dequantised(tensor.ty, data, tensor.shape.iter().product());
        let tensor = NewTensor { ty: TensorType::F32, ..tensor.clone() };
        (tensor, values.into_iter().flat_map(f32::to_le_bytes).collect())
    };
    tensors.iter().map(widened).collect()
}

fn metadata() -> Metadata {
    let mut metadata = Metadata::default();
    metadata.insert("general.architecture", MetadataValue::String("llama".to_owned()));
    for (key, value) in [
        ("block_count", 1),
        ("embedding_length", WIDTH),
        ("feed_forward_length", INNER),
        ("context_length", 64),
        ("attention.head_count", HEADS),
        ("attention.head_count_kv", KV_HEADS),
        ("rope.dimension_count", WIDTH / HEADS),
    ] {
        metadata.insert(format!("llama.{key}"), MetadataValue::U32(value as u32));
    }
    metadata.insert("llama.attention.layer_norm_rms_epsilon", MetadataValue::F32(1e-5));
    metadata
}

/// The logits of a row of nine tokens, and of one.
fn logits<D: Device>(device: D, context: Option<&Context>, tensors: &[Tensor]) -> Vec<f32> {
    let bytes = file(&metadata(), tensors);
    let mut weight_loader = WeightLoader::new(device);
    let mut reader = FileReader::new(Format::Gguf, "model.gguf", Some(bytes.len() as u64));
    bytes.chunks(4099).try_for_each(|chunk| reader.push(chunk, &mut weight_loader)).unwrap();
    reader.finish().unwrap();
    run(context, async {
        let mut model = Model::new(weight_loader, None, CacheType::F32, &Progress::default()).await?;
        let mut all = Vec::new();
        for row in [vec![5, 1, 69, 0, 33, 2, 64, 7, 7], vec![12]] {
            all.extend(score(&mut model, vec![row], Vec::new()).await?);
        }
        Ok::<_, azulejo::Error>(all)
    })
    .unwrap()
}

#[test]
fn a_model_in_any_quantised_type_is_that_of_its_dequantised_matrices() {
    for ty in TensorType::ALL.into_iter().filter(|ty| ty.is_quantised()) {
        let tensors = tensors(ty);
        let expected = logits(cpu(1), None, &in_floats(&tensors));
        assert!(expected.iter().all(|x| x.is_finite()) && expected.iter().any(|x| x.abs() > 0.1), "{ty}");
        // Activations have 15 bits: each product is off by some 3e-5 of its size.
        let apart = apart(&logits(cpu(2), None, &tensors), &expected);
        assert!(apart <= 3e-4, "{ty}: {apart}");
    }
}

#[test]
fn a_gpu_has_the_model_of_the_dequantised_matrices_too() {
    use TensorType::*;
    let kernels = first();
    let others = TensorType::ALL.into_iter().filter(|ty| ty.is_quantised());
    let tried = share(others, 0).chain([IQ4_XS, MXFP4, Q1_0, TQ1_0, TQ2_0]);
    for ty in tried.collect::<std::collections::BTreeSet<_>>() {
        let tensors = tensors(ty);
        let expected = logits(cpu(1), None, &in_floats(&tensors));
        // Of the order of sums alone.
        let apart = apart(&logits(gpu(&kernels), Some(&kernels.context), &tensors), &expected);
        assert!(apart <= 2e-5, "{ty}: {apart}");
    }
}
