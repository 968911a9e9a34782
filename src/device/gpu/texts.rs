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

/// A quantised format: its levels as bytes, and as floats.
macro_rules! quantised {
    ($($part:literal),+) => {
        concat!(shader!("formats/packed"), $(shader!($part)),+, shader!("formats/levels"))
    };
}

/// How sixteen weights are unpacked.
pub fn format_text(format: TensorType) -> &'static str {
    use TensorType::*;
    match format {
        F32 => shader!("formats/f32"),
        F16 => shader!("formats/f16"),
        BF16 => shader!("formats/bf16"),
        Q4_0 => quantised!("formats/q4_0"),
        Q4_1 => quantised!("formats/q4_1"),
        Q5_0 => quantised!("formats/fifths", "formats/q5_0"),
        Q5_1 => quantised!("formats/fifths", "formats/q5_1"),
        Q8_0 => quantised!("formats/q8_0"),
        Q2_K => quantised!("formats/q2_k"),
        Q3_K => quantised!("formats/q3_k"),
        Q4_K => quantised!("formats/six_bits", "formats/q4_k"),
        Q5_K => quantised!("formats/six_bits", "formats/q5_k"),
        Q6_K => quantised!("formats/q6_k"),
        IQ4_NL => quantised!("formats/uneven", "formats/iq4_nl"),
        MXFP4 => quantised!("formats/uneven", "formats/mxfp4"),
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
