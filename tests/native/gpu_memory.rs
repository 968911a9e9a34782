//! Memory on the GPU: attention takes linear memory and is right as far as contexts go, and what does not fit is refused
//! in words with sizes, while what was there goes on.

use azulejo::device::gpu::native::run;
use azulejo::device::gpu::{Gpu, Kernels};
use azulejo::device::{
    AttentionShape, CacheType, CachedAttention, Device, PositionBias, Progress, Qkv, RopePairs, Rotations, Seen, Span,
};
use azulejo::error::Code;
use azulejo::model::rope::{Angles, RopeTable};
use std::io::Write;
use std::rc::Rc;

use crate::attention::{Case, Numbers, attend, numbers, shape};
use crate::devices::{self, gpu};
use crate::kept::Kept;
use crate::random::Random;
use crate::verbs::{filled, read};

/// The browser's driver, which takes half a minute for what another on a processor does in five seconds.
fn slow(kernels: &Kernels) -> bool {
    kernels.context.description.contains("SwiftShader")
}

/// Bytes that a device holds besides cache, inputs and outputs at the end of a context of that length, in SmolLM2's
/// shape: after a prompt's last chunk, and a step of decoding.
fn scratch(positions: usize) -> u64 {
    let kernels = devices::first();
    let mut device = gpu(&kernels);
    let shape = shape(9, 3, 64);
    let own = kernels.context.allocated();
    let mut buffer = |heads| device.buffer(Gpu::CHUNK * heads * 64).unwrap();
    let (mut query, mut key, value, mut out) = (buffer(9), buffer(3), buffer(3), buffer(9));
    let mut kept = Kept::new(1, &shape, CacheType::F16, 1).dense();
    let empty = kernels.context.allocated();
    kept.reserve(&mut device, &kernels.context, 0, 0..positions).unwrap();
    let cache = kernels.context.allocated() - empty;
    assert_eq!(cache, 2 * 2 * (positions * 3 * 64) as u64, "keys and values as halves, nothing more");
    let mut steps = |device: &mut Gpu| {
        for len in [Gpu::CHUNK, 1] {
            let spans = [Span::new(0, len, positions - len, 0)];
            let table = RopeTable { frequencies: vec![0.1; 32], magnitude: 1.0, beyond: None };
            device.begin(&spans, Angles::of(&[table], &spans).rotations());
            let pairs = RopePairs::HalfSplit;
            let mut heads = Qkv { query: &mut query, key: &mut key, value: &value, norms: None, turn: Some(0), pairs };
            let places = kept.places(device, &spans);
            device.rope_and_cache(0, &shape, &mut heads, &places, &mut kept.state);
            let attention = CachedAttention { layer: 0, shape, bias: PositionBias::None, sinks: None };
            device.attend(&attention, &query, &places, Seen::Kept(&kept.state), &mut out);
        }
        Ok(())
    };
    let done = match slow(&kernels) && positions > 2048 {
        // The same buffers are made, and nothing is computed with them.
        true => run(Some(&kernels.context), device.warm_up(&Progress::default(), steps)),
        false => steps(&mut device),
    };
    done.unwrap();
    run(Some(&kernels.context), device.sync()).unwrap();
    kernels.context.allocated() - cache - (empty - own)
}

#[test]
fn a_reading_that_nobody_receives_gives_its_memory_back() {
    let kernels = devices::first();
    let mut device = gpu(&kernels);
    let x = filled(&mut device, &[1.0; 64], 64);
    let before = kernels.context.allocated();
    let readings = [1, 64].map(|len| device.send(&x, len).unwrap());
    assert!(kernels.context.allocated() > before);
    drop(readings);
    assert_eq!(kernels.context.allocated(), before);
    assert_eq!(read(&mut device, &kernels.context, &x, 2), [1.0, 1.0], "the device goes on");
}

#[test]
fn attention_over_16384_tokens_needs_linear_memory() {
    let lengths = [2048, 4096, 8192, 16_384];
    let scratch = lengths.map(|length| scratch(length as usize));
    for (length, bytes) in lengths.iter().zip(scratch) {
        assert!(bytes < 64 << 20, "{bytes} bytes for {length} tokens");
        assert!(bytes * 2048 <= scratch[0] * length, "{bytes} bytes for {length} tokens, {} for 2048", scratch[0]);
    }
}

/// A row's result by the definition, of a lone head.
fn definition(shape: &AttentionShape, numbers: &Numbers, row: usize) -> Vec<f64> {
    let heads = |values: &'_ [f32]| values.chunks(shape.head_dim).map(<[f32]>::to_vec).collect::<Vec<_>>();
    let query = &numbers.query[row * shape.head_dim..][..shape.head_dim];
    let keys = heads(&numbers.key[..(row + 1) * shape.head_dim]);
    let product = |key: &Vec<f32>| query.iter().zip(key).map(|(q, k)| f64::from(*q) * f64::from(*k)).sum::<f64>();
    let weights: Vec<f64> = keys.iter().map(|key| (f64::from(shape.scale) * product(key)).exp()).collect();
    let total: f64 = weights.iter().sum();
    let values = heads(&numbers.value[..(row + 1) * shape.head_dim]);
    let column = |d: usize| weights.iter().zip(&values).map(|(w, value)| w * f64::from(value[d])).sum::<f64>();
    (0..shape.head_dim).map(|d| column(d) / total).collect()
}

fn check_row(found: &[f32], shape: &AttentionShape, numbers: &Numbers, row: usize) {
    for (found, expected) in found.iter().zip(definition(shape, numbers, row)) {
        // Sums of 16,384 terms in f32, of values up to 2.
        assert!((f64::from(*found) - expected).abs() < 1e-5, "row {row}: {found}, expected {expected}");
    }
}

#[test]
fn a_head_of_16_is_right_at_16384_tokens() {
    const TOKENS: usize = 16_384;
    let kernels = devices::first();
    let shape = shape(1, 1, 16);
    // All queries at once; and the very last by itself.
    let whole = Case::new(shape, CacheType::F32, 0, TOKENS);
    let numbers = numbers(&whole, 1);
    let found = attend(&mut gpu(&kernels), &kernels.context, &whole, &numbers).out;
    let rows = [0, 1, 15, 16, 17, 255, 256, 4095, 4096, 9973, 15_391, 15_999, TOKENS - 17, TOKENS - 16, TOKENS - 1];
    for row in rows {
        check_row(&found[16 * row..][..16], &shape, &numbers[0], row);
    }
    let step = Case::new(shape, CacheType::F32, TOKENS - 1, 1);
    let found = attend(&mut gpu(&kernels), &kernels.context, &step, &numbers).out;
    check_row(&found, &shape, &numbers[0], TOKENS - 1);
}

/// A cache with something in it, which attends as it should: what must outlive a refusal.
struct Alive {
    device: Gpu,
    kernels: Rc<Kernels>,
    kept: Kept<Gpu>,
    out: Vec<f32>,
}

impl Alive {
    const WIDTH: usize = 64;

    fn new(kernels: &Rc<Kernels>, layers: usize) -> Self {
        let kept = Kept::new(layers, &Self::shape(), CacheType::F32, 1).dense();
        let mut alive = Self { device: gpu(kernels), kernels: kernels.clone(), kept, out: Vec::new() };
        alive.reserve(40).unwrap();
        let mut random = Random::new(1);
        let mut rows = || filled(&mut alive.device, &random.floats(40 * Self::WIDTH), Self::WIDTH);
        let (mut query, mut key, value) = (rows(), rows(), rows());
        let spans = [Span::new(0, 40, 0, 0)];
        alive.device.begin(&spans, Rotations::default());
        let pairs = RopePairs::HalfSplit;
        let mut heads = Qkv { query: &mut query, key: &mut key, value: &value, norms: None, turn: None, pairs };
        let places = alive.kept.places(&mut alive.device, &spans);
        alive.device.rope_and_cache(0, &Self::shape(), &mut heads, &places, &mut alive.kept.state);
        alive.out = alive.attend();
        assert!(alive.out.iter().any(|value| *value != 0.0));
        alive
    }

    fn shape() -> AttentionShape {
        shape(1, 1, Self::WIDTH)
    }

    fn reserve(&mut self, positions: usize) -> azulejo::Result<()> {
        let stored = if self.out.is_empty() { 0 } else { 40 };
        self.kept.reserve(&mut self.device, &self.kernels.context, 0, stored..positions)
    }

    /// The result of a query against all that is in the cache.
    fn attend(&mut self) -> Vec<f32> {
        let query = filled(&mut self.device, &[0.5; Self::WIDTH], Self::WIDTH);
        let mut out = self.device.buffer(Self::WIDTH).unwrap();
        let spans = [Span::new(0, 1, 39, 0)];
        self.device.begin(&spans, Rotations::default());
        let attention = CachedAttention { layer: 0, shape: Self::shape(), bias: PositionBias::None, sinks: None };
        let places = self.kept.places(&mut self.device, &spans);
        self.device.attend(&attention, &query, &places, Seen::Kept(&self.kept.state), &mut out);
        run(Some(&self.kernels.context), self.device.sync()).unwrap();
        read(&mut self.device, &self.kernels.context, &out, Self::WIDTH)
    }

    /// As before; and it can still grow.
    fn assert_whole(&mut self) {
        assert_eq!(self.attend(), self.out);
        self.reserve(100).unwrap();
        assert_eq!(self.attend(), self.out);
    }
}

fn assert_refused<T: std::fmt::Debug>(result: azulejo::Result<T>, words: &[&str]) {
    let error = result.unwrap_err();
    assert_eq!(error.code, Code::OutOfMemory, "{error}");
    words.iter().for_each(|word| assert!(error.message.contains(word), "{error}: expected {word}"));
}

#[test]
fn what_is_over_the_limits_is_refused_with_sizes_and_leaves_the_rest_whole() {
    // Of WebGPU's defaults: 256 MiB a buffer, of which kernels see 128 at once.
    let kernels = devices::basic();
    assert_eq!((kernels.context.limits.max_buffer_size, kernels.context.most_bytes()), (256 << 20, 128 << 20));
    let mut alive = Alive::new(&kernels, 1);
    let buffer = |mib: usize| gpu(&kernels).buffer(mib << 18).map(|_| ());
    assert_refused(buffer(300), &["activations of 300 MiB", "128 MiB at most"]);
    assert_refused(buffer(129), &["activations of 129 MiB", "128 MiB at most"]);
    buffer(128).unwrap();
    alive.assert_whole();
    // Positions of 256 bytes.
    assert_refused(alive.reserve(130 << 12), &["keys' cache of 130 MiB", "128 MiB at most"]);
    alive.assert_whole();
}

/// Set for the process that may not have more memory than this many KiB.
const LIMITED: &str = "AZULEJO_LIMITED_MEMORY";
const KIB: usize = 2 << 20;

/// Where drivers compute on the CPU, a limit of the process is one of the GPU.
#[cfg(target_os = "linux")]
#[test]
fn memory_that_is_not_there_is_refused_with_sizes_and_leaves_the_rest_whole() {
    if std::env::var_os(LIMITED).is_some() {
        return refuses_what_is_not_there();
    }
    let kernels = devices::first();
    let driver = &kernels.context.description;
    if !["SwiftShader", "llvmpipe"].iter().any(|software| driver.contains(software)) {
        // Past what the test runner keeps to itself of tests that pass.
        let said = writeln!(std::io::stderr(), "SKIPPED: memory that is not there: {driver} has memory of its own");
        return said.unwrap();
    }
    let test = "gpu_memory::memory_that_is_not_there_is_refused_with_sizes_and_leaves_the_rest_whole";
    let limited = std::process::Command::new("sh")
        .args(["-c", &format!(r#"ulimit -v {KIB} && exec "$0" --exact {test} --nocapture"#)])
        .arg(std::env::current_exe().unwrap())
        .env(LIMITED, "1")
        .output()
        .unwrap();
    let said = [limited.stdout, limited.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    assert!(limited.status.success() && said.contains("1 passed"), "{said}");
}

fn refuses_what_is_not_there() {
    let kernels = devices::first();
    let context = &kernels.context;
    let mut alive = Alive::new(&kernels, 20);
    let held = context.allocated();
    // Twenty times keys and values of 100 MiB.
    assert_refused(alive.reserve(100 << 12), &["no GPU memory for the", "cache (100.0 MiB, besides", "MiB in use)"]);
    alive.assert_whole();
    // Another model's weights; and buffers that are used before anybody has asked whether they are there.
    let mut other = gpu(&kernels);
    other.expect_weights(4 << 30).unwrap();
    assert_refused(run(Some(context), other.sync()), &["no GPU memory for weights (", "MiB, besides", "MiB in use)"]);
    drop(other);
    let mut other = gpu(&kernels);
    let x = filled(&mut other, &[1.0; 64], 64);
    let mut buffers: Vec<_> = (0..40).map(|_| other.buffer(100 << 18).unwrap()).collect();
    buffers.iter_mut().for_each(|buffer| other.gather_mean(&x, 64, std::slice::from_ref(&(0..1)), buffer));
    assert_refused(run(Some(context), other.sync()), &["no GPU memory for activations (100.0 MiB, besides"]);
    drop((x, buffers, other));
    alive.assert_whole();
    let now = context.allocated();
    assert!(now < held + (1 << 20), "{now} bytes are counted, {held} before");
    // What does fit is there.
    let mut third = gpu(&kernels);
    let x = filled(&mut third, &[1.0, 2.0, 3.0, 4.0], 4);
    assert_eq!(read(&mut third, context, &x, 4), [1.0, 2.0, 3.0, 4.0]);
}
