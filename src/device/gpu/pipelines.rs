//! The kernels that a device has compiled.
//!
//!   tried: first load of a tiny model (16 pipelines), Chromium on SwiftShader, two busy cores    ms
//!   one after the other                                                            4598 to 5461   <- this
//!   all begun at once, then awaited                                                4485, 4883
//!   all by createComputePipelineAsync, beside wgpu                                 5166 to 12547
//!
//! The last is in branch `plan-ahead`: a device's own `createComputePipeline` takes wgpu's descriptor, asks the browser's
//! other function, and gives the pipeline when wgpu asks again with the same module. The browser's threads for that give
//! way to all others; a real GPU, whose compilers have cores to themselves, may be another matter.

use super::choices::Choices;
use super::context::{Context, Features};
use super::kernels::{Extras, Kernel, Uses};
use crate::error::{Code, Result};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

pub struct Pipeline {
    pub raw: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
}

/// The pipelines of a device: each is compiled once, whatever model wants it.
pub struct Kernels {
    pub context: Rc<Context>,
    pipelines: RefCell<HashMap<Kernel, Rc<Pipeline>>>,
    /// Each is off once a driver has refused a kernel that uses it.
    extras: Cell<Extras>,
    choices: Cell<Choices>,
}

/// Bytes of a kernel's parameters, and of what it is told of a batch: the least that uniforms are apart.
pub const UNIFORM: u64 = 256;

/// Bindings of the two, as `shaders/prelude.wgsl` has them: behind as many storage buffers as a kernel may have.
pub const PARAMETERS_AT: u32 = 8;
pub const BATCH_AT: u32 = 9;

impl Kernels {
    pub fn new(context: Rc<Context>) -> Rc<Self> {
        let Features { subgroups, halves, integer_dot, .. } = context.features;
        let (subgroups, poor_halves) = (subgroups.is_some(), context.features.poor_halves);
        let extras = Cell::new(Extras { subgroups, halves, integer_dot, inexact_halves: false, poor_halves });
        let choices = Cell::new(context.features.choices);
        Rc::new(Self { context, pipelines: RefCell::default(), extras, choices })
    }

    /// The ways of kernels that are chosen.
    pub fn choices(&self) -> Choices {
        self.choices.get()
    }

    /// Kernels have these ways from now on: for a device on which no model has been made ready yet.
    pub fn choose(&self, choices: Choices) {
        self.choices.set(choices);
    }

    /// What is used of what not every device has.
    pub fn extras(&self) -> Extras {
        self.extras.get()
    }

    /// Unpacks and packs halves by their bits from now on.
    pub(super) fn distrust_halves(&self) {
        self.extras.set(Extras { inexact_halves: true, halves: false, ..self.extras() });
    }

    /// Does without an extra from now on.
    pub(super) fn forgo(&self, extra: Uses) {
        let mut extras = self.extras();
        match extra {
            Uses::Nothing => {}
            Uses::Subgroups => extras.subgroups = false,
            Uses::Halves => extras.halves = false,
            Uses::IntegerDot => extras.integer_dot = false,
        }
        self.extras.set(extras);
    }

    /// The features in use, by their WebGPU names.
    pub fn features(&self) -> Vec<&'static str> {
        let Extras { subgroups, halves, integer_dot, .. } = self.extras();
        let all = [
            (subgroups, "subgroups"),
            (halves, "shader-f16"),
            (self.context.features.timestamps, "timestamp-query"),
            (integer_dot, "packed_4x8_integer_dot_product"),
        ];
        all.into_iter().filter_map(|(used, name)| used.then_some(name)).collect()
    }

    /// A kernel's pipeline; compiled now where nobody has seen to it before.
    pub fn get(&self, kernel: &Kernel) -> Rc<Pipeline> {
        if let Some(pipeline) = self.pipelines.borrow().get(kernel) {
            return pipeline.clone();
        }
        let pipeline = Rc::new(self.pipeline(kernel));
        self.pipelines.borrow_mut().insert(*kernel, pipeline.clone());
        pipeline
    }

    /// Compiles the kernels anew that have this piece of text: see [`super::native::edit`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn forget(&self, piece: &str) {
        let extras = self.extras();
        self.pipelines.borrow_mut().retain(|kernel, _| !kernel.source(extras, false).contains(piece));
    }

    /// Compiles a kernel. Where the driver refuses one that uses an extra, that is forgone from now on, and another
    /// variant, or another kernel, takes its place: the caller asks again for what it needs.
    pub async fn compile(&self, kernel: &Kernel) -> Result<()> {
        if self.pipelines.borrow().contains_key(kernel) {
            return Ok(());
        }
        let uses = kernel.uses(self.extras());
        match self.context.watched(&kernel.label(), || self.pipeline(kernel)).await {
            Ok(pipeline) => {
                self.pipelines.borrow_mut().insert(*kernel, Rc::new(pipeline));
            }
            Err(error) if uses != Uses::Nothing && error.code == Code::Internal => self.forgo(uses),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn pipeline(&self, kernel: &Kernel) -> Pipeline {
        let storage = |write: bool| wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Storage { read_only: !write },
            has_dynamic_offset: false,
            min_binding_size: None,
        };
        let uniform = wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Uniform,
            has_dynamic_offset: false,
            min_binding_size: wgpu::BufferSize::new(UNIFORM),
        };
        let writes = kernel.shader.writes();
        let mut entries: Vec<_> = (0..).zip(&writes).map(|(n, write)| entry(n, storage(*write))).collect();
        entries.extend([PARAMETERS_AT, BATCH_AT].map(|binding| entry(binding, uniform)));
        let device = &self.context.device;
        let layout =
            device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries });
        let whole = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let raw =
            self.context.pipeline(&kernel.label(), kernel.source(self.extras(), cfg!(target_arch = "wasm32")), &whole);
        Pipeline { raw, layout }
    }
}

fn entry(binding: u32, ty: wgpu::BindingType) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry { binding, visibility: wgpu::ShaderStages::COMPUTE, ty, count: None }
}
