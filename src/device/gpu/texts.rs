//! The shaders' texts, and which of them stand before a kernel for a format, a cache or a device.

use crate::checkpoint::TensorType;
use crate::device::CacheType;

/// A file of `shaders/`, as `build.rs` has left it.
macro_rules! shader {
    ($name:literal) => {
        include_str!(concat!(env!("OUT_DIR"), "/shaders/", $name, ".wgsl"))
    };
}

pub(super) use shader;

/// A quantised format: its levels as words of four, and as floats.
macro_rules! quantised {
    ($($part:literal),+) => {
        concat!($(shader!($part)),+, shader!("formats/levels"))
    };
}

/// How a unit of weights is fetched and unpacked.
pub fn format_text(format: TensorType) -> &'static str {
    use TensorType::*;
    match format {
        F32 => shader!("formats/f32"),
        F16 => concat!(shader!("formats/f16"), shader!("formats/eights")),
        BF16 => concat!(shader!("formats/bf16"), shader!("formats/eights")),
        Q4_0 => quantised!("formats/nibbles", "formats/even", "formats/shared", "formats/q4_0"),
        Q4_1 => quantised!("formats/nibbles", "formats/even", "formats/q4_1"),
        Q5_0 => quantised!("formats/bytes", "formats/shared", "formats/q5_0"),
        Q5_1 => quantised!("formats/bytes", "formats/q5_1"),
        Q8_0 => quantised!("formats/bytes", "formats/shared", "formats/q8_0"),
        Q2_K => quantised!("formats/bytes", "formats/q2_k"),
        Q3_K => quantised!("formats/bytes", "formats/signed_scales", "formats/q3_k"),
        Q4_K => quantised!("formats/nibbles", "formats/even", "formats/six_bits", "formats/q4_k"),
        Q5_K => quantised!("formats/bytes", "formats/six_bits", "formats/q5_k"),
        Q6_K => quantised!("formats/bytes", "formats/signed_scales", "formats/q6_k"),
        IQ4_NL => quantised!("formats/nibbles", "formats/uneven", "formats/shared", "formats/iq4", "formats/iq4_nl"),
        IQ4_XS => quantised!("formats/nibbles", "formats/uneven", "formats/iq4", "formats/iq4_xs"),
        MXFP4 => quantised!("formats/nibbles", "formats/uneven", "formats/mxfp4"),
        Q1_0 => quantised!("formats/bytes", "formats/shared", "formats/q1_0"),
        TQ1_0 | TQ2_0 => quantised!("formats/bytes", "formats/ternary"),
    }
}

/// How a lane multiplies a unit with its inputs.
pub fn inputs_text(format: TensorType) -> &'static str {
    match format {
        TensorType::F32 => shader!("formats/inputs_fours"),
        TensorType::F16 | TensorType::BF16 => shader!("formats/inputs_eights"),
        _ => shader!("formats/inputs_levels"),
    }
}

/// How halves are unpacked and packed. Only native tests know poor devices.
pub fn halves_text(poor: bool, inexact: bool) -> &'static str {
    match (poor && cfg!(not(target_arch = "wasm32")), inexact) {
        (false, false) => concat!(shader!("halves/device"), shader!("halves/trusted")),
        (false, true) => concat!(shader!("halves/device"), shader!("halves/integers")),
        (true, false) => concat!(shader!("halves/poor"), shader!("halves/trusted")),
        (true, true) => concat!(shader!("halves/poor"), shader!("halves/integers")),
    }
}

/// How four values of a key are read, and where `writes`, heads are written too.
pub fn cache_text(cache: CacheType, writes: bool) -> &'static str {
    match (cache, writes) {
        (CacheType::F32, false) => shader!("caches/read_f32"),
        (CacheType::F16, false) => shader!("caches/read_f16"),
        (CacheType::Q8, false) => shader!("caches/read_q8"),
        (CacheType::F32, true) => concat!(shader!("caches/read_f32"), shader!("caches/write_f32")),
        (CacheType::F16, true) => concat!(shader!("caches/read_f16"), shader!("caches/write_f16")),
        (CacheType::Q8, true) => concat!(shader!("caches/read_q8"), shader!("caches/write_q8")),
    }
}
