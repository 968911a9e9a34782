//! A kernel's run, as it is recorded.

use super::buffer::Buffer;
use super::kernels::Kernel;
use super::profile::Work;

/// What kernels are told of a batch or one of its spans: see `struct Batch` in `shaders/prelude.wgsl`.
pub type BatchWords = [u32; 4];

/// One run of a kernel.
pub struct Dispatch<'a> {
    pub kernel: Kernel,
    /// Its storage bindings, in order.
    pub storage: &'a [&'a Buffer],
    /// Its `struct Parameters`, in words.
    pub parameters: &'a [u32],
    /// What it is told: of the whole batch (0), of a span (its number and 1), or what `Recorder::told` says.
    pub batch: usize,
    /// Workgroups: any number of them along the dimension that the kernel can fold.
    pub grid: [usize; 3],
    pub work: Work,
}
