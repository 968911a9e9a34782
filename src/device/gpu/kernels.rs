//! The shaders: their texts, put together in variants.

use super::texts::{cache_text, format_text, halves_text, inputs_text, shader};
use crate::checkpoint::TensorType;
use crate::device::CacheType;
use crate::error::{Error, Result};
use std::cell::RefCell;

/// What every kernel has before it.
const PRELUDE: &str = shader!("prelude");

/// The kernels. Each is one file in `shaders/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Shader {
    Embed,
    Patches,
    Norm,
    MatrixVector,
    MatrixMatrix,
    MatrixMatrixQuads,
    Route,
    Experts,
    ExpertsDown,
    ExpertsGroup,
    ExpertsMatrix,
    ExpertsJoin,
    Quantise,
    Halve,
    Heads,
    Attention,
    AttentionOne,
    AttentionStep,
    AttentionJoin,
    AttentionWeights,
    ShortConv,
    Pool,
    SoftCap,
    Activate,
    Resize,
    Penalise,
    Weigh,
    Gather,
    Truncate,
    Draw,
    Choose,
    Probe,
    ProbeHalves,
}

/// Constants of kernels that share rows among lanes, and of those that make tiles.
const LANES: &[&str] = &["LANES", "GATED", "FOLD", "TOKENS", "STAGED", "HOW", "ACTIVATION", "OUTS"];
const TILES: &[&str] = &["GATED", "TILES", "ROWS_EACH", "TOKENS_EACH", "HOW", "ACTIVATION", "OUTS"];

impl Shader {
    /// Text, names of its constants, and what it can use.
    fn parts(self) -> (&'static str, &'static [&'static str], Uses) {
        use Shader::*;
        match self {
            Embed => (shader!("embed"), &[], Uses::Nothing),
            Patches => (shader!("patches"), &[], Uses::Nothing),
            Norm => (shader!("norm"), &["LANES"], Uses::Subgroups),
            MatrixVector => (shader!("matrix_vector"), LANES, Uses::Subgroups),
            MatrixMatrix => (shader!("matrix_matrix"), TILES, Uses::IntegerDot),
            MatrixMatrixQuads => (shader!("matrix_matrix_quads"), &["HOW", "ACTIVATION", "OUTS"], Uses::Subgroups),
            Route => (shader!("route"), &[], Uses::Nothing),
            Experts => (shader!("experts"), LANES, Uses::Subgroups),
            ExpertsDown => (shader!("experts_down"), LANES, Uses::Subgroups),
            ExpertsGroup => (shader!("experts_group"), &[], Uses::Nothing),
            ExpertsMatrix => (shader!("matrix_matrix"), TILES, Uses::IntegerDot),
            ExpertsJoin => (shader!("experts_join"), &[], Uses::Nothing),
            Quantise => (shader!("quantise"), &[], Uses::IntegerDot),
            Halve => (shader!("halve"), &[], Uses::Halves),
            Heads => (shader!("heads"), &["HEAD_DIM", "INTERLEAVED", "NORMED"], Uses::Nothing),
            Attention => (shader!("attention"), &["HEAD_DIM", "BIAS"], Uses::Halves),
            AttentionOne | AttentionStep => (shader!("attention_one"), &["HEAD_DIM", "BIAS", "WAY"], Uses::Nothing),
            AttentionJoin => (shader!("attention_join"), &["HEAD_DIM"], Uses::Nothing),
            AttentionWeights => (shader!("attention_weights"), &["HEAD_DIM", "BIAS"], Uses::Nothing),
            ShortConv => (shader!("short_conv"), &[], Uses::Nothing),
            Pool => (shader!("pool"), &[], Uses::Nothing),
            SoftCap => (shader!("soft_cap"), &[], Uses::Nothing),
            Activate => (shader!("activate"), &[], Uses::Nothing),
            Resize => (shader!("resize"), &["ROWS", "LAST"], Uses::Nothing),
            Penalise => (shader!("penalise"), &[], Uses::Nothing),
            Weigh => (shader!("weigh"), &[], Uses::Nothing),
            Gather => (shader!("gather"), &[], Uses::Nothing),
            Truncate => (shader!("truncate"), &[], Uses::Nothing),
            Draw => (shader!("draw"), &[], Uses::Nothing),
            Choose => (shader!("choose"), &[], Uses::Nothing),
            Probe => (shader!("probe"), &[], Uses::Subgroups),
            ProbeHalves => (shader!("probe_halves"), &[], Uses::Nothing),
        }
    }

    /// What stands before its text, besides what a format or a cache brings.
    fn before(self) -> &'static str {
        match self {
            Shader::MatrixVector => concat!(shader!("lanes"), shader!("activation"), shader!("outputs")),
            Shader::Experts => {
                concat!(shader!("lanes"), shader!("experts_place"), shader!("activation"), shader!("gating"))
            }
            Shader::ExpertsDown => concat!(shader!("lanes"), shader!("experts_place")),
            Shader::ExpertsMatrix => {
                concat!(shader!("experts_place"), shader!("activation"), shader!("gating"), shader!("product_experts"))
            }
            Shader::MatrixMatrix | Shader::MatrixMatrixQuads => {
                concat!(shader!("activation"), shader!("outputs"), shader!("product"))
            }
            Shader::Attention => concat!(shader!("places"), shader!("score")),
            Shader::AttentionOne => {
                concat!(shader!("places"), shader!("score"), shader!("attention_seen"), shader!("attention_tiles"))
            }
            Shader::AttentionStep => {
                concat!(shader!("places"), shader!("score"), shader!("attention_step"), shader!("attention_tiles"))
            }
            Shader::AttentionWeights => shader!("score"),
            Shader::Activate => shader!("activation"),
            Shader::Heads | Shader::AttentionJoin | Shader::ShortConv => shader!("places"),
            Shader::Penalise | Shader::Draw | Shader::Choose => shader!("runs"),
            Shader::Weigh | Shader::Gather | Shader::Truncate => concat!(shader!("runs"), shader!("weights")),
            _ => "",
        }
    }

    /// The dimension along which its grid may be longer than a device's, and the one in which it then goes on:
    /// see [`folded`].
    fn long(self) -> Option<[usize; 2]> {
        use Shader::*;
        match self {
            MatrixVector => Some([0, 1]),
            Experts | ExpertsDown => Some([2, 1]),
            Attention | AttentionWeights => Some([0, 2]),
            Embed | Patches | Norm | MatrixMatrix | MatrixMatrixQuads | Quantise | Halve | Heads | ShortConv | Pool
            | Resize => Some([1, 2]),
            Route | ExpertsMatrix | ExpertsJoin => Some([1, 2]),
            _ => None,
        }
    }

    /// For each storage binding, in order, whether the kernel writes to it. Read from the texts, so that
    /// they cannot differ.
    pub(super) fn writes(self) -> Vec<bool> {
        let lines = self.parts().0.lines().chain(self.before().lines());
        let lines = lines.filter(|line| line.starts_with("@group(0) @binding("));
        lines.map(|line| line.contains("var<storage, read_write>")).collect()
    }

    /// Whether its rows are shared among lanes: see `shaders/lanes.wgsl`.
    pub fn has_lanes(self) -> bool {
        matches!(self, Shader::MatrixVector | Shader::Experts | Shader::ExpertsDown)
    }

    /// The value of a `const NAME = 16u;` in its text.
    pub fn constant(self, name: &'static str) -> u32 {
        // Verbs ask for the same few at every dispatch: to look through the text took half of a step's time.
        let found = |known: &Vec<(Self, &str, u32)>| {
            known.iter().find(|(shader, other, _)| *shader == self && *other == name).map(|(.., value)| *value)
        };
        CONSTANTS.with_borrow(found).unwrap_or_else(|| {
            let value = self.constant_in_text(name);
            CONSTANTS.with_borrow_mut(|known| known.push((self, name, value)));
            value
        })
    }

    fn constant_in_text(self, name: &str) -> u32 {
        let prefix = format!("const {name} = ");
        let mut lines = self.parts().0.lines().chain(self.before().lines());
        let value = lines.find_map(|line| line.strip_prefix(&prefix)?.split('u').next()?.parse().ok());
        value.unwrap_or_else(|| panic!("{self:?} has no constant {name}"))
    }
}

thread_local! {
    /// Those that have been asked for.
    static CONSTANTS: RefCell<Vec<(Shader, &'static str, u32)>> = const { RefCell::new(Vec::new()) };
}

/// What a kernel can use of what not every device has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Uses {
    Nothing,
    Subgroups,
    /// `shader-f16`.
    Halves,
    /// `packed_4x8_integer_dot_product`, a feature of the language.
    IntegerDot,
}

/// What of that there is, and no driver has refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    pub subgroups: bool,
    pub halves: bool,
    /// Also asked for, since it costs accuracy.
    pub integer_dot: bool,
    /// The device's own way with halves is not exact: they are unpacked and packed by their bits.
    pub inexact_halves: bool,
    /// [`super::Wishes::poor_halves`]
    pub poor_halves: bool,
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
    pub constants: [u32; 8],
}

impl Kernel {
    pub const fn new(shader: Shader) -> Self {
        Self { shader, format: None, cache: None, constants: [0; 8] }
    }

    /// The first of its constants; the others are 0.
    pub const fn with<const N: usize>(self, first: [u32; N]) -> Self {
        let (mut constants, mut n) = ([0; 8], 0);
        while n < N {
            constants[n] = first[n];
            n += 1;
        }
        Self { constants, ..self }
    }

    pub const fn format(self, format: TensorType) -> Self {
        Self { format: Some(format), ..self }
    }

    pub const fn cache(self, cache: CacheType) -> Self {
        Self { cache: Some(cache), ..self }
    }

    /// Its workgroups, for a device that takes `most` of them in each dimension.
    ///
    /// Error: unsupported-model, where it cannot have that many.
    pub fn grid(&self, grid: [usize; 3], most: u32) -> Result<[u32; 3]> {
        folded(grid, self.shader.long(), most as usize).ok_or_else(|| {
            let message = format!("kernel {}: {grid:?} workgroups, and this GPU takes {most} in each", self.label());
            Error::unsupported(message)
        })
    }

    /// What of `extras` it uses.
    pub(super) fn uses(&self, extras: Extras) -> Uses {
        match self.shader.parts().2 {
            // A norm's rows are whole subgroups, or the whole workgroup's.
            Uses::Subgroups if self.shader == Shader::Norm && self.constants[2] != WHOLE => Uses::Nothing,
            Uses::Subgroups if self.shader.has_lanes() && self.constants[2] == SHARED => Uses::Nothing,
            Uses::Subgroups if extras.subgroups => Uses::Subgroups,
            Uses::Halves if self.shader == Shader::Halve => Uses::Halves,
            Uses::IntegerDot if self.shader != Shader::Quantise && self.constants[1] == HALVES => Uses::Halves,
            // Only halves that lie in the cache as such: nothing is rounded.
            Uses::Halves if extras.halves && self.cache == Some(CacheType::F16) => Uses::Halves,
            Uses::IntegerDot if self.shader == Shader::Quantise || self.constants[1] == BYTES => Uses::IntegerDot,
            _ => Uses::Nothing,
        }
    }

    /// Whether it is a kernel for devices that have no more than that.
    pub fn runs_with(&self, extras: Extras) -> bool {
        match self.shader {
            Shader::MatrixMatrixQuads | Shader::Probe => extras.subgroups,
            Shader::Norm => extras.subgroups || self.constants[2] != WHOLE,
            Shader::Halve => extras.halves,
            Shader::MatrixMatrix if self.constants[1] == HALVES => extras.halves,
            _ => extras.integer_dot || self.uses(extras) != Uses::IntegerDot,
        }
    }

    /// The kernels that choose a token.
    pub fn of_choosing() -> [Kernel; 6] {
        use Shader::*;
        [Penalise, Weigh, Gather, Truncate, Draw, Choose].map(Kernel::new)
    }

    /// The whole text, for a browser (`web`) or for naga.
    pub fn source(&self, extras: Extras, web: bool) -> String {
        let (text, names, _) = self.shader.parts();
        let uses = self.uses(extras);
        let mut source = String::new();
        match uses {
            // naga has subgroups without being asked, and does not know the word.
            Uses::Subgroups if web => source += "enable subgroups;\n",
            Uses::Halves => source += "enable f16;\n",
            _ => {}
        }
        for (name, value) in names.iter().zip(self.constants) {
            source += &format!("const {name} = {value}u;\n");
        }
        source += PRELUDE;
        match self.shader {
            shader if shader.has_lanes() => {
                source += self.fold(uses);
                source += if self.constants[4] == 0 { shader!("lanes_apart") } else { shader!("lanes_staged") };
                source += self.format.map_or("", inputs_text);
            }
            Shader::Norm if uses == Uses::Subgroups => source += shader!("total_whole"),
            Shader::Norm => source += shader!("total_shared"),
            Shader::MatrixMatrix | Shader::ExpertsMatrix => {
                source += match uses {
                    Uses::IntegerDot => shader!("tiles_bytes"),
                    Uses::Halves => concat!(shader!("reals_halves"), shader!("tiles_floats")),
                    _ => concat!(shader!("reals_floats"), shader!("tiles_floats")),
                };
            }
            Shader::Attention if uses == Uses::Halves => source += "alias real = f16;\nconst REAL_BYTES = 2u;\n",
            Shader::Attention => source += "alias real = f32;\nconst REAL_BYTES = 4u;\n",
            _ => {}
        }
        source += self.shader.before();
        let format = self.format.map_or("", format_text);
        let cache = self
            .cache
            .map_or("", |cache| cache_text(cache, matches!(self.shader, Shader::Heads | Shader::AttentionStep)));
        let has_halves = |text: &str| text.contains("halves(") || text.contains("half_word(");
        if self.shader == Shader::ProbeHalves || has_halves(format) || has_halves(cache) {
            source += halves_text(extras.poor_halves, extras.inexact_halves);
        }
        source + format + cache + text
    }

    /// How the sums of a row's lanes come together.
    fn fold(&self, uses: Uses) -> &'static str {
        match (uses, self.constants[2]) {
            (Uses::Subgroups, WHOLE) => shader!("fold_whole"),
            (Uses::Subgroups, _) => shader!("fold_subgroups"),
            _ => shader!("fold_shared"),
        }
    }

    /// Every kernel in every format and cache type, with the constants that change its text most: what tests compile.
    pub fn all() -> Vec<Kernel> {
        use Shader::*;
        let mut all: Vec<Kernel> = [
            Patches,
            Quantise,
            Halve,
            Route,
            ExpertsGroup,
            ExpertsJoin,
            ShortConv,
            Pool,
            SoftCap,
            Activate,
            Penalise,
            Weigh,
            Gather,
            Truncate,
            Draw,
            Choose,
            Probe,
            ProbeHalves,
        ]
        .map(Kernel::new)
        .to_vec();
        all.extend(
            [[64, 0, 0], [4, 0, WHOLE], [32, 0, WHOLE], [128, 0, WHOLE]]
                .map(|constants| Kernel::new(Norm).with(constants)),
        );
        all.extend([[0, 0], [0, 1], [1, 0], [1, 1]].map(|[rows, last]| Kernel::new(Resize).with([rows, last, 0])));
        for format in TensorType::ALL {
            all.push(Kernel::new(Embed).format(format));
            for [lanes, gated, fold] in [[32, 0, 0], [32, 1, 0], [4, 1, WHOLE], [32, 0, WHOLE], [128, 1, WHOLE]] {
                let of = |shader, staged| {
                    Kernel::new(shader).format(format).with([lanes, gated, fold, 1, staged, 0, 2, 3 - 2 * gated])
                };
                all.extend([of(MatrixVector, 0), of(MatrixVector, 1), of(Experts, 0)]);
                all.push(Kernel::new(MatrixVector).format(format).with([lanes, gated, fold, 4, 0, 1 - gated, 2, 1]));
            }
            let down = |ways: [u32; 4]| Kernel::new(ExpertsDown).format(format).with(ways);
            all.extend([[32, 0, 0, 1], [4, 0, WHOLE, 1]].map(down));
            for shader in [MatrixMatrix, ExpertsMatrix] {
                let of = |constants: [u32; 7]| Kernel::new(shader).format(format).with(constants);
                let floats =
                    [[0, 0, 1, 1, 0, 0, 3], [0, 0, 4, 4, 1, 0, 1], [1, 0, 2, 2, 0, 3, 1], [1, 0, 4, 4, 0, 2, 1]];
                all.extend(floats.map(of));
                let bytes = [[0, BYTES, 1, 1, 3, 5, 1], [0, BYTES, 4, 4, 0, 0, 3], [1, BYTES, 4, 2, 0, 1, 1]].map(of);
                all.extend(bytes.into_iter().filter(|_| format.is_quantised()));
                let halves =
                    [[0, HALVES, 1, 1, 1, 0, 3], [0, HALVES, 4, 4, 0, 0, 1], [1, HALVES, 4, 2, 0, 3, 1]].map(of);
                all.extend(halves.into_iter().filter(|_| shader == MatrixMatrix && has_halves(format)));
            }
            let quads = |ways: [u32; 3]| Kernel::new(MatrixMatrixQuads).format(format).with(ways);
            all.extend([[0, 0, 3], [1, 0, 1], [2, 1, 1], [3, 2, 1]].map(quads));
        }
        // Every size of subgroups, in one format: how sums come together has nothing to do with that.
        for lanes in [4, 8, 16, 32, 64] {
            all.push(Kernel::new(Norm).with([lanes, 0, WHOLE]));
            for [gated, fold, tokens, staged] in [[0, WHOLE, 1, 1], [1, WHOLE, 2, 0], [0, 0, 2, 0], [1, 0, 1, 1]] {
                let constants = [lanes, gated, fold, tokens, staged, 0, 1, 1];
                all.push(Kernel::new(MatrixVector).format(TensorType::Q4_1).with(constants));
            }
        }
        for (n, head_dim) in [8, 12, 64, 80, 256].into_iter().enumerate() {
            all.push(Kernel::new(AttentionJoin).with([head_dim, 0, 0]));
            all.extend([0, 1, 2].map(|bias| Kernel::new(AttentionWeights).with([head_dim, bias, 0])));
            for (m, cache) in [CacheType::F32, CacheType::F16, CacheType::Q8].into_iter().enumerate() {
                let of = |shader| Kernel::new(shader).cache(cache);
                // Each bias with some of the sizes: the text holds them all.
                let constants = [head_dim, (n + m) as u32 % 3, 0];
                all.push(of(Attention).with(constants));
                // One, two and four query heads; a thread a key.
                for way in [1, 2, 4, 9, 10, 12].into_iter().filter(|way| head_dim <= 128 || way % 8 <= 2) {
                    let constants = [head_dim, constants[1], way];
                    all.extend([AttentionOne, AttentionStep].map(|shader| of(shader).with(constants)));
                }
                all.extend([[0, 0], [0, 1], [1, 0], [1, 1]].map(|[a, b]| of(Heads).with([head_dim, a, b])));
            }
        }
        all.sort();
        all.dedup();
        all
    }

    /// What to call it.
    pub fn label(&self) -> String {
        let Self { shader, format, cache, constants } = self;
        let format = format.map_or(String::new(), |format| format!(" {format}"));
        let cache = cache.map_or(String::new(), |cache| format!(" {cache:?}"));
        let (_, names, _) = shader.parts();
        let constants = &constants[..names.len()];
        format!("{shader:?}{format}{cache} {constants:?}")
    }
}

/// A grid that is longer along one dimension than a device allows goes on in another: a kernel finds its place by both,
/// and what lies beyond the end does nothing. `None`: it is too long all the same.
fn folded(mut grid: [usize; 3], long: Option<[usize; 2]>, most: usize) -> Option<[u32; 3]> {
    if let Some([from, to]) = long
        && grid[from] > most
        && grid[to] == 1
    {
        grid[to] = grid[from].div_ceil(most);
        grid[from] = grid[from].div_ceil(grid[to]);
    }
    grid.iter().all(|groups| *groups <= most).then(|| grid.map(|groups| groups as u32))
}

/// Third of the constants of shaders that [`Shader::has_lanes`]: every subgroup has as many lanes as a row.
pub const WHOLE: u32 = 1;

/// Likewise: a row's lanes are fewer than a subgroup's, so that they add up through workgroup memory.
pub const SHARED: u32 = 2;

/// Second of the constants of [`Shader::MatrixMatrix`] and [`Shader::ExpertsMatrix`]: their tiles are of bytes.
pub const BYTES: u32 = 1;

/// Of [`Shader::MatrixMatrix`] likewise: of halves.
pub const HALVES: u32 = 2;

/// Whether weights of a format are no larger than halves can be, and no more exact than matters.
pub(super) fn has_halves(format: TensorType) -> bool {
    format.is_quantised() || format == TensorType::F16
}
