//! The shaders: their texts, put together in variants, and their pipelines.

use super::context::Context;
use crate::checkpoint::TensorType;
use crate::device::CacheType;
use crate::error::{Code, Error, Result};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

/// A file of `shaders/`, as `build.rs` has left it.
macro_rules! shader {
    ($name:literal) => {
        include_str!(concat!(env!("OUT_DIR"), "/shaders/", $name, ".wgsl"))
    };
}

/// What every kernel has before it.
const PRELUDE: &str = shader!("prelude");

/// The kernels. Each is one file in `shaders/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shader {
    Embed,
    RmsNorm,
    MatrixVector,
    MatrixMatrix,
    Heads,
    Attention,
    AttentionOne,
    AttentionJoin,
    AttentionWeights,
    Gather,
    Penalise,
    Truncate,
    Draw,
    Choose,
    Probe,
}

impl Shader {
    /// Text, names of its constants, and whether it has a variant that uses subgroups.
    fn parts(self) -> (&'static str, &'static [&'static str], bool) {
        use Shader::*;
        match self {
            Embed => (shader!("embed"), &[], false),
            RmsNorm => (shader!("rms_norm"), &[], false),
            MatrixVector => (shader!("matrix_vector"), &["LANES", "GATED"], true),
            MatrixMatrix => (shader!("matrix_matrix"), &["TOKENS_EACH"], false),
            Heads => (shader!("heads"), &["HEAD_DIM", "INTERLEAVED", "NORMED"], false),
            Attention => (shader!("attention"), &["HEAD_DIM", "BIAS"], false),
            AttentionOne => (shader!("attention_one"), &["HEAD_DIM", "BIAS"], false),
            AttentionJoin => (shader!("attention_join"), &["HEAD_DIM"], false),
            AttentionWeights => (shader!("attention_weights"), &["HEAD_DIM", "BIAS"], false),
            Gather => (shader!("gather"), &[], false),
            Penalise => (shader!("penalise"), &[], false),
            Truncate => (shader!("truncate"), &[], false),
            Draw => (shader!("draw"), &[], false),
            Choose => (shader!("choose"), &[], false),
            Probe => (shader!("probe"), &[], false),
        }
    }

    /// For each storage binding, in order, whether the kernel writes to it. Read from the text, so that
    /// the two cannot differ.
    fn writes(self) -> Vec<bool> {
        let lines = self.parts().0.lines().filter(|line| line.starts_with("@group(0) @binding("));
        lines.map(|line| line.contains("var<storage, read_write>")).collect()
    }

    /// The value of a `const NAME = 16u;` in its text.
    pub fn constant(self, name: &str) -> u32 {
        let prefix = format!("const {name} = ");
        let value = self.parts().0.lines().find_map(|line| line.strip_prefix(&prefix)?.split('u').next()?.parse().ok());
        value.unwrap_or_else(|| panic!("{self:?} has no constant {name}"))
    }
}

/// One variant of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kernel {
    pub shader: Shader,
    /// How the weights that it reads are stored.
    pub format: Option<TensorType>,
    /// How the cache is kept that it reads or writes.
    pub cache: Option<CacheType>,
    /// Values of the shader's constants.
    pub constants: [u32; 3],
}

impl Kernel {
    pub const fn new(shader: Shader) -> Self {
        Self { shader, format: None, cache: None, constants: [0; 3] }
    }

    pub const fn with(self, constants: [u32; 3]) -> Self {
        Self { constants, ..self }
    }

    pub const fn format(self, format: TensorType) -> Self {
        Self { format: Some(format), ..self }
    }

    pub const fn cache(self, cache: CacheType) -> Self {
        Self { cache: Some(cache), ..self }
    }

    /// The whole text.
    pub fn source(&self, subgroups: bool) -> String {
        let (text, names, has_subgroups) = self.shader.parts();
        let mut source = String::new();
        // naga has subgroups without being asked, and does not know the word.
        if cfg!(target_arch = "wasm32") && ((has_subgroups && subgroups) || self.shader == Shader::Probe) {
            source += "enable subgroups;\n";
        }
        for (name, value) in names.iter().zip(self.constants) {
            source += &format!("const {name} = {value}u;\n");
        }
        source += PRELUDE;
        if has_subgroups {
            source += if subgroups { shader!("fold_subgroups") } else { shader!("fold_shared") };
        }
        source += self.format.map_or("", format_text);
        if matches!(self.shader, Shader::Attention | Shader::AttentionOne | Shader::AttentionWeights) {
            source += shader!("score");
        }
        source += self.cache.map_or("", |cache| cache_text(cache, self.shader == Shader::Heads));
        source + text
    }

    /// Every kernel in every format and cache type, with the constants that change its text most: what tests compile.
    pub fn all() -> Vec<Kernel> {
        use Shader::*;
        let mut all: Vec<Kernel> = [RmsNorm, Gather, Penalise, Truncate, Draw, Choose].map(Kernel::new).to_vec();
        for format in TensorType::ALL {
            all.push(Kernel::new(Embed).format(format));
            for constants in [[32, 0, 0], [32, 1, 0], [64, 0, 0], [64, 1, 0]] {
                all.push(Kernel::new(MatrixVector).format(format).with(constants));
            }
            all.extend([1, 2, 4].map(|each| Kernel::new(MatrixMatrix).format(format).with([each, 0, 0])));
        }
        for head_dim in [8, 12, 64, 80, 256] {
            all.push(Kernel::new(AttentionJoin).with([head_dim, 0, 0]));
            all.extend([0, 1, 2].map(|bias| Kernel::new(AttentionWeights).with([head_dim, bias, 0])));
            for cache in [CacheType::F32, CacheType::F16, CacheType::Q8] {
                let of = |shader| Kernel::new(shader).cache(cache);
                for bias in [0, 1, 2] {
                    all.extend([Attention, AttentionOne].map(|shader| of(shader).with([head_dim, bias, 0])));
                }
                all.extend([[0, 0], [0, 1], [1, 0], [1, 1]].map(|[a, b]| of(Heads).with([head_dim, a, b])));
            }
        }
        all
    }

    /// What to call it.
    pub fn label(&self) -> String {
        let Self { shader, format, cache, constants } = self;
        let format = format.map_or(String::new(), |format| format!(" {format}"));
        let cache = cache.map_or(String::new(), |cache| format!(" {cache:?}"));
        format!("{shader:?}{format}{cache} {constants:?}")
    }
}

/// How sixteen weights are unpacked.
fn format_text(format: TensorType) -> &'static str {
    use TensorType::*;
    match format {
        F32 => shader!("formats/f32"),
        F16 => shader!("formats/f16"),
        BF16 => shader!("formats/bf16"),
        Q4_0 => shader!("formats/q4_0"),
        Q4_1 => shader!("formats/q4_1"),
        Q5_0 => shader!("formats/q5_0"),
        Q5_1 => shader!("formats/q5_1"),
        Q8_0 => shader!("formats/q8_0"),
        Q2_K => shader!("formats/q2_k"),
        Q3_K => shader!("formats/q3_k"),
        Q4_K => concat!(shader!("formats/six_bits"), shader!("formats/q4_k")),
        Q5_K => concat!(shader!("formats/six_bits"), shader!("formats/q5_k")),
        Q6_K => shader!("formats/q6_k"),
        IQ4_NL => shader!("formats/iq4_nl"),
    }
}

/// How four values of a key are read, or a head is written.
fn cache_text(cache: CacheType, writes: bool) -> &'static str {
    match (cache, writes) {
        (CacheType::F32, false) => shader!("caches/read_f32"),
        (CacheType::F16, false) => shader!("caches/read_f16"),
        (CacheType::Q8, false) => shader!("caches/read_q8"),
        (CacheType::F32, true) => shader!("caches/write_f32"),
        (CacheType::F16, true) => shader!("caches/write_f16"),
        (CacheType::Q8, true) => shader!("caches/write_q8"),
    }
}

pub struct Pipeline {
    pub raw: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
}

/// The pipelines of a device: each is compiled once, whatever model wants it.
pub struct Kernels {
    pub context: Rc<Context>,
    pipelines: RefCell<HashMap<Kernel, Rc<Pipeline>>>,
    /// Off once a driver has refused a kernel that uses them.
    subgroups: Cell<bool>,
    /// The uniforms, which all kernels see alike.
    pub uniforms: wgpu::BindGroupLayout,
}

/// Bytes of a kernel's parameters, and of what it is told of a batch: the least that uniforms are apart.
pub const UNIFORM: u64 = 256;

impl Kernels {
    pub fn new(context: Rc<Context>) -> Rc<Self> {
        let ty = wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Uniform,
            has_dynamic_offset: true,
            min_binding_size: wgpu::BufferSize::new(UNIFORM),
        };
        let entries = [0, 1].map(|binding| entry(binding, ty));
        let descriptor = wgpu::BindGroupLayoutDescriptor { label: Some("uniforms"), entries: &entries };
        let uniforms = context.device.create_bind_group_layout(&descriptor);
        let subgroups = Cell::new(context.features.subgroups.is_some());
        Rc::new(Self { context, pipelines: RefCell::default(), subgroups, uniforms })
    }

    /// Subgroups are there, and no driver has refused them.
    pub fn uses_subgroups(&self) -> bool {
        self.subgroups.get()
    }

    pub fn forgo_subgroups(&self) {
        self.subgroups.set(false);
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

    /// Compiles a kernel, or where the driver refuses it, the variant without subgroups.
    pub async fn compile(&self, kernel: &Kernel) -> Result<()> {
        if self.pipelines.borrow().contains_key(kernel) {
            return Ok(());
        }
        let label = kernel.label();
        let mut pipeline = self.context.watched(&label, || self.pipeline(kernel)).await;
        if let Err(Error { code: Code::Internal, .. }) = pipeline
            && self.subgroups.get()
        {
            self.forgo_subgroups();
            pipeline = self.context.watched(&label, || self.pipeline(kernel)).await;
        }
        let pipeline = pipeline?;
        self.pipelines.borrow_mut().insert(*kernel, Rc::new(pipeline));
        Ok(())
    }

    fn pipeline(&self, kernel: &Kernel) -> Pipeline {
        let storage = |write: bool| wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Storage { read_only: !write },
            has_dynamic_offset: false,
            min_binding_size: None,
        };
        let writes = kernel.shader.writes();
        let entries: Vec<_> = writes.iter().enumerate().map(|(n, write)| entry(n as u32, storage(*write))).collect();
        let device = &self.context.device;
        let layout =
            device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries });
        let whole = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: None,
            bind_group_layouts: &[Some(&layout), Some(&self.uniforms)],
            immediate_size: 0,
        });
        let raw = self.context.pipeline(&kernel.label(), kernel.source(self.subgroups.get()), &whole);
        Pipeline { raw, layout }
    }
}

fn entry(binding: u32, ty: wgpu::BindingType) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry { binding, visibility: wgpu::ShaderStages::COMPUTE, ty, count: None }
}
