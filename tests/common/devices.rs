//! The devices that native tests run on.
#![allow(dead_code)] // Each test file takes what it needs.

use azulejo::device::cpu::{Cpu, pool::Pool};
use azulejo::device::gpu::{Gpu, Kernels, Wishes, native};
use std::rc::Rc;

pub fn cpu(threads: usize) -> Cpu {
    Cpu::new(Pool::native(threads))
}

/// The variants in which every kernel has to be right: as the adapter allows, without subgroups and in grids so short that
/// they are folded, and on what WebGPU promises everywhere. The browser's own SwiftShader will do: see scripts/cargo-test.mjs.
pub fn gpus() -> [(&'static str, Rc<Kernels>); 3] {
    [
        ("all features", Wishes::default()),
        (
            "without subgroups, in short grids",
            Wishes { without: vec!["subgroups".into()], most_groups: Some(100), ..Wishes::default() },
        ),
        ("basic limits", Wishes { basic_limits: true, ..Wishes::default() }),
    ]
    .map(|(name, wishes)| (name, open(&wishes)))
}

/// With subgroups whose size is not known: the kernels that sum over lanes have a third variant for that.
pub fn any_subgroups() -> Rc<Kernels> {
    open(&Wishes { without: vec!["subgroup-size".into()], ..Wishes::default() })
}

/// With all features.
pub fn first() -> Rc<Kernels> {
    open(&Wishes::default())
}

/// On what WebGPU promises everywhere.
pub fn basic() -> Rc<Kernels> {
    open(&Wishes { basic_limits: true, ..Wishes::default() })
}

pub fn open(wishes: &Wishes) -> Rc<Kernels> {
    native::open(wishes).expect("a Vulkan driver: VK_ICD_FILENAMES may name one")
}

pub fn gpu(kernels: &Rc<Kernels>) -> Gpu {
    Gpu::new(kernels.clone()).unwrap()
}
