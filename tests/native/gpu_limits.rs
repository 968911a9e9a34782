//! Kernels within the limits of every device.

use azulejo::device::gpu::{Extras, Kernel, Shader};
use wgpu::naga;

use crate::alone::source;

/// What every WebGPU device has, in bytes.
const WORKGROUP_MEMORY: u32 = 16_384;

/// Threads of a workgroup, that is.
const THREADS: u32 = 256;

/// Bytes of its variables of a workgroup.
fn workgroup_memory(module: &naga::Module) -> u32 {
    let mut layouter = naga::proc::Layouter::default();
    layouter.update(module.to_ctx()).unwrap();
    let variables = module.global_variables.iter().map(|(_, variable)| variable);
    let shared = variables.filter(|variable| variable.space == naga::AddressSpace::WorkGroup);
    shared.map(|variable| layouter[variable.ty].size.next_multiple_of(16)).sum()
}

pub fn check(kernels: impl IntoIterator<Item = Kernel>) {
    for kernel in kernels {
        for subgroups in [false, true] {
            let extras = Extras { subgroups, integer_dot: true, ..Extras::default() };
            if !kernel.runs_with(extras) {
                continue;
            }
            let module = naga::front::wgsl::parse_str(&source(&kernel, extras));
            let module = module.unwrap_or_else(|error| panic!("{}: {error}", kernel.label()));
            let bytes = workgroup_memory(&module);
            assert!(bytes <= WORKGROUP_MEMORY, "{}: {bytes} bytes", kernel.label());
            let [threads, 1, 1] = module.entry_points[0].workgroup_size else { panic!("{}", kernel.label()) };
            assert!(threads <= THREADS, "{}: {threads} threads", kernel.label());
            // As many as the grid counts on: whole runs of lanes.
            if kernel.shader == Shader::Norm || kernel.shader.has_lanes() {
                let staged = u32::from(kernel.shader.has_lanes() && kernel.constants[4] == 1);
                assert_eq!(threads, kernel.constants[0].max(64 << staged), "{}", kernel.label());
            }
        }
    }
}

#[test]
fn no_kernel_takes_more_of_a_workgroup_than_every_device_has() {
    check(Kernel::all());
}
