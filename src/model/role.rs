//! The roles that weights have in a transformer, and their names in checkpoints.

use crate::error::{Error, Result};

/// What a matrix or vector of weights is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    Embedding,
    /// Vectors of positions, [positions, width], of models of tokens.
    PositionTable,
    /// Vectors of kinds of tokens, [types, width].
    TypeTable,
    /// A convolution whose steps are as long as its window.
    PatchEmbedding,
    ClassToken,
    DistillationToken,
    Registers,
    /// Of the patches and the tokens before them.
    Positions,
    InputNorm,
    /// What scores get for buckets of distances, [buckets, heads].
    ScoreBias,
    OutputNorm,
    Head,
    /// The classifier of the distillation token.
    DistillationHead,
    /// Of the body: BERT's product of the first token.
    Pooler,
    /// What stands before a classifier.
    Dense,
    DenseNorm,
    /// sentence-transformers' Dense modules, by their numbers instead of a layer's, where they lie among the model's tensors.
    SentenceDense,
    /// What multiplies and is added to similarities of images and texts: their logarithm, and a bias.
    MatchScale,
    MatchBias,
    /// Divisors of RoPE's frequencies (GGUF's form of Llama 3's scaling).
    RopeFactors,
    /// LongRoPE's divisors where they are tensors: of sequences up to the original context, and of longer ones.
    RopeShortFactors,
    RopeLongFactors,
    AttentionNorm,
    Query,
    Key,
    Value,
    Output,
    /// A short convolution's: the product that makes its gates and input, its weights [width, taps], and its output.
    ConvInput,
    ConvTaps,
    ConvOutput,
    QueryNorm,
    KeyNorm,
    /// After attention, inside its residual.
    AttentionPostNorm,
    CrossNorm,
    CrossQuery,
    CrossKey,
    CrossValue,
    CrossOutput,
    FeedForwardNorm,
    Gate,
    Up,
    Down,
    /// A mixture of experts: what scores them, and their matrices, [experts, …].
    Router,
    ExpertGate,
    ExpertUp,
    ExpertDown,
    /// Each head's score of no key, [heads].
    Sinks,
    /// After the feed-forward network, inside its residual.
    FeedForwardPostNorm,
    /// LayerScale's factors, after attention and after the feed-forward network.
    AttentionScale,
    FeedForwardScale,
    /// Pooling by attention: the learned query, and the parts of a block.
    PoolProbe,
    PoolQuery,
    PoolKey,
    PoolValue,
    PoolOutput,
    PoolNorm,
    PoolUp,
    PoolDown,
}

impl Role {
    /// Whether checkpoints' names for it are whole: without `.weight`.
    fn is_bare(self) -> bool {
        use Role::*;
        matches!(
            self,
            ClassToken
                | DistillationToken
                | Registers
                | Positions
                | AttentionScale
                | Sinks
                | FeedForwardScale
                | PoolProbe
                | MatchScale
                | MatchBias
        )
    }

    /// Whether there is one of each expert of a mixture.
    pub fn is_of_experts(self) -> bool {
        matches!(self, Role::ExpertGate | Role::ExpertUp | Role::ExpertDown)
    }

    /// Whether it is one of the products that GPT-2's code calls `Conv1D`: their matrices are [columns, rows].
    pub fn is_conv1d(self) -> bool {
        use Role::*;
        matches!(self, Query | Key | Value | Output | Gate | Up | Down)
    }

    /// What a reader of a summary calls it.
    pub fn group(self) -> &'static str {
        use Role::*;
        match self {
            Embedding | TypeTable | PatchEmbedding | ClassToken | DistillationToken | Registers => "embedding",
            PositionTable | Positions | ScoreBias | RopeFactors | RopeShortFactors | RopeLongFactors => "positions",
            InputNorm | OutputNorm | AttentionNorm | QueryNorm | KeyNorm | AttentionPostNorm | CrossNorm
            | FeedForwardNorm | FeedForwardPostNorm | AttentionScale | FeedForwardScale | DenseNorm | PoolNorm => {
                "norms"
            }
            Query | Key | Value | Output | Sinks | ConvInput | ConvTaps | ConvOutput => "attention",
            CrossQuery | CrossKey | CrossValue | CrossOutput => "cross-attention",
            Gate | Up | Down | Router | ExpertGate | ExpertUp | ExpertDown => "feed-forward",
            Head | DistillationHead | Pooler | Dense | SentenceDense | MatchScale | MatchBias | PoolProbe
            | PoolQuery | PoolKey | PoolValue | PoolOutput | PoolUp | PoolDown => "head",
        }
    }
}

/// A role's weight or bias in one layer (0 for what is outside the layers) of one stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TensorId {
    pub role: Role,
    pub layer: usize,
    pub bias: bool,
    /// Of which of the model's stacks.
    pub stack: u8,
    /// Of which expert of a mixture, where a tensor is only one's.
    pub expert: Option<usize>,
}

impl TensorId {
    pub fn weight(role: Role, layer: usize) -> Self {
        Self { role, layer, bias: false, stack: 0, expert: None }
    }

    pub fn bias(role: Role, layer: usize) -> Self {
        Self { bias: true, ..Self::weight(role, layer) }
    }

    /// That of one expert.
    pub fn of_expert(self, expert: usize) -> Self {
        Self { expert: Some(expert), ..self }
    }

    /// That of all experts.
    pub fn of_all(self) -> Self {
        Self { expert: None, ..self }
    }
}

/// What a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// [rows, columns]; in checkpoints the columns may be several dimensions.
    Matrix(usize, usize),
    /// As many values, in whatever dimensions.
    Vector(usize),
    /// [experts, rows, columns]
    Experts(usize, usize, usize),
}

impl Shape {
    /// How many there are.
    pub fn values(self) -> u64 {
        match self {
            Shape::Matrix(rows, columns) => rows as u64 * columns as u64,
            Shape::Vector(len) => len as u64,
            Shape::Experts(experts, rows, columns) => experts as u64 * rows as u64 * columns as u64,
        }
    }

    /// Whether two parts may be one tensor.
    pub fn fits_above(self, other: Self) -> bool {
        match (self, other) {
            (Shape::Matrix(_, columns), Shape::Matrix(_, below)) => columns == below,
            (Shape::Vector(_), Shape::Vector(_)) => true,
            (Shape::Experts(experts, _, columns), Shape::Experts(others, _, below)) => {
                experts == others && columns == below
            }
            _ => false,
        }
    }

    /// Two parts of one tensor.
    pub fn above(self, other: Self) -> Self {
        match (self, other) {
            (Shape::Matrix(above, columns), Shape::Matrix(below, _)) => Shape::Matrix(above + below, columns),
            (Shape::Vector(above), Shape::Vector(below)) => Shape::Vector(above + below),
            (Shape::Experts(experts, above, columns), Shape::Experts(_, below, _)) => {
                Shape::Experts(experts, above + below, columns)
            }
            (shape, _) => shape,
        }
    }

    /// As the tensor of a matrix is where checkpoints have it on its side.
    pub fn transposed(self) -> Self {
        match self {
            Shape::Matrix(rows, columns) => Shape::Matrix(columns, rows),
            Shape::Experts(experts, rows, columns) => Shape::Experts(experts, columns, rows),
            vector => vector,
        }
    }

    /// Checks a tensor's shape; `why` says where the expected one comes from.
    pub fn check(self, found: &[usize], why: impl Fn() -> String) -> Result<()> {
        let product = |dims: &[usize]| dims.iter().try_fold(1usize, |all, n| all.checked_mul(*n));
        let (fits, expected) = match self {
            Shape::Matrix(rows, columns) => {
                let fits =
                    matches!(found, [r, rest @ ..] if !rest.is_empty() && *r == rows && product(rest) == Some(columns));
                (fits, format!("[{rows}, {columns}]"))
            }
            Shape::Vector(len) => (product(found) == Some(len), format!("[{len}]")),
            Shape::Experts(experts, rows, columns) => {
                (found == [experts, rows, columns], format!("[{experts}, {rows}, {columns}]"))
            }
        };
        match fits {
            true => Ok(()),
            false => Err(Error::corrupt(format!("shape {found:?}, expected {expected}{}", why()))),
        }
    }
}

/// How the matrices of blocks lie in a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// [out, in]; parts that share a tensor lie one below the other.
    Stacked,
    /// Queries, keys and values of one tensor take turns: each KV head's queries, its key, its value.
    ByHeads,
    /// [in, out], parts that share a tensor side by side.
    Transposed,
    /// Experts' matrices as [experts, in, out]; the rows of those that share a tensor take turns.
    ExpertsTransposed,
}

/// Tensor names, without `.weight` and `.bias`; `{}` is the layer, and a second one the expert.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// What may stand before all of them.
    pub prefix: &'static str,
    /// Has the names of other parts.
    pub base: Option<&'static Names>,
    /// Parts of one name lie in one tensor.
    pub parts: &'static [(Role, &'static str)],
    /// Tensors that checkpoints carry and nobody needs.
    pub ignored: &'static [&'static str],
    pub layout: Layout,
}

/// What weights' names and biases' end with: PyTorch's modules, its attention's own, and the norms of the oldest files.
const SUFFIXES: [(&str, bool); 6] =
    [(".weight", false), (".bias", true), ("_weight", false), ("_bias", true), (".gamma", false), (".beta", true)];

impl Names {
    /// No names yet, and each role in a tensor of its own, or below another.
    pub const PLAIN: Names = Names { prefix: "", base: None, parts: &[], ignored: &[], layout: Layout::Stacked };

    /// The same names, but of these parts.
    pub const fn with(&'static self, parts: &'static [(Role, &'static str)]) -> Names {
        Names { base: Some(self), parts, ..*self }
    }

    /// The slots that a tensor fills.
    pub fn slots(&self, tensor: &str) -> Vec<TensorId> {
        self.slots_of(tensor.strip_prefix(self.prefix).unwrap_or(tensor))
    }

    fn slots_of(&self, tensor: &str) -> Vec<TensorId> {
        let suffixed = SUFFIXES.iter().find_map(|(suffix, bias)| Some((tensor.strip_suffix(suffix)?, *bias)));
        let slot = |(role, pattern): &(Role, &str)| {
            let (stem, bias) = match suffixed {
                Some(suffixed) if !role.is_bare() => suffixed,
                // Experts' matrices that are one tensor are no module's.
                None if !(role.is_bare() || role.is_of_experts()) => return None,
                _ => (tensor, false),
            };
            let (layer, expert) = numbers_of(pattern, stem)?;
            Some(TensorId { bias, expert, ..TensorId::weight(*role, layer) })
        };
        let mut slots: Vec<TensorId> = self.parts.iter().filter_map(slot).collect();
        if let Some(base) = self.base {
            slots.extend(base.slots_of(tensor).into_iter().filter(|slot| !self.has(slot.role)));
        }
        slots
    }

    /// Whether it has names of its own for a role.
    fn has(&self, role: Role) -> bool {
        self.parts.iter().any(|(own, _)| *own == role)
    }

    /// The pattern of a role's name.
    fn pattern(&self, role: Role) -> Option<&'static str> {
        let own = self.parts.iter().find(|(other, _)| *other == role).map(|(_, pattern)| *pattern);
        own.or_else(|| self.base?.pattern(role))
    }

    pub fn ignores(&self, tensor: &str) -> bool {
        let tensor = tensor.strip_prefix(self.prefix).unwrap_or(tensor);
        let stem = tensor.strip_suffix(".weight").unwrap_or(tensor);
        let ignored = |pattern: &&str| match pattern.strip_suffix('*') {
            Some(beginning) => tensor.starts_with(beginning),
            None => numbers_of(pattern, stem).is_some(),
        };
        self.ignored.iter().any(ignored)
    }

    /// The name of a slot's tensor, for messages.
    pub fn tensor(&self, slot: TensorId) -> String {
        let pattern = self.pattern(slot.role).unwrap_or("?");
        let suffix = match slot {
            TensorId { bias: true, .. } => ".bias",
            TensorId { role, .. } if role.is_bare() => "",
            _ => ".weight",
        };
        let name = pattern.replacen("{}", &slot.layer.to_string(), 1);
        format!("{}{suffix}", name.replace("{}", &slot.expert.map_or("*".to_owned(), |expert| expert.to_string())))
    }
}

/// The layer, and the expert if the pattern has one, for which it gives this name; layer 0 where it has none.
fn numbers_of(pattern: &str, name: &str) -> Option<(usize, Option<usize>)> {
    let number = |digits: &str| digits.parse().ok().filter(|number: &usize| number.to_string() == digits);
    let mut parts = pattern.split("{}");
    let (first, second, third) = (parts.next()?, parts.next(), parts.next());
    let rest = name.strip_prefix(first)?;
    match (second, third) {
        (None, _) => rest.is_empty().then_some((0, None)),
        (Some(after), None) => Some((number(rest.strip_suffix(after)?)?, None)),
        (Some(between), Some(after)) => {
            let (layer, expert) = rest.strip_suffix(after)?.split_once(between)?;
            Some((number(layer)?, Some(number(expert)?)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Names = Names {
        prefix: "model.",
        parts: &[
            (Role::Head, "output"),
            (Role::Gate, "blk.{}.ffn_gate_up"),
            (Role::Up, "blk.{}.ffn_gate_up"),
            (Role::Up, "blk.{}.ffn_up"),
            (Role::ClassToken, "class_embd"),
        ],
        ignored: &["blk.{}.rot", "cls.*"],
        ..Names::PLAIN
    };

    #[test]
    fn names_lead_to_slots_and_back() {
        let slots = NAMES.slots("model.blk.12.ffn_up.bias");
        assert_eq!(slots, [TensorId::bias(Role::Up, 12)]);
        assert_eq!(NAMES.slots("blk.12.ffn_up.bias"), slots);
        assert_eq!(NAMES.slots("output.weight"), [TensorId::weight(Role::Head, 0)]);
        assert!(NAMES.ignores("blk.3.rot") && !NAMES.ignores("blk.x.rot"));
        assert!(NAMES.ignores("model.cls.predictions.bias") && !NAMES.ignores("clsx"));
    }

    #[test]
    fn parts_may_share_a_tensor() {
        let parts: Vec<Role> = NAMES.slots("blk.2.ffn_gate_up.weight").iter().map(|slot| slot.role).collect();
        assert_eq!(parts, [Role::Gate, Role::Up]);
    }

    #[test]
    fn a_table_says_what_differs_from_another_one() {
        const OTHERS: Names = NAMES.with(&[(Role::Up, "blk.{}.up"), (Role::Head, "head")]);
        assert_eq!(OTHERS.slots("model.blk.1.up.bias"), [TensorId::bias(Role::Up, 1)]);
        assert_eq!(OTHERS.slots("blk.2.ffn_gate_up.weight"), [TensorId::weight(Role::Gate, 2)]);
        for name in ["output.weight", "blk.1.ffn_up.weight", "model.model.head.weight"] {
            assert_eq!(OTHERS.slots(name), [], "{name}");
        }
        let [head, class_token] = [Role::Head, Role::ClassToken].map(|role| OTHERS.tensor(TensorId::weight(role, 0)));
        assert_eq!([&*head, &*class_token], ["head.weight", "class_embd"]);
    }

    #[test]
    fn some_names_are_whole() {
        let slots = NAMES.slots("class_embd");
        assert_eq!(slots, [TensorId::weight(Role::ClassToken, 0)]);
        assert_eq!(NAMES.tensor(slots[0]), "class_embd");
        assert_eq!(NAMES.slots("class_embd.weight"), []);
    }

    #[test]
    fn a_layer_has_one_spelling() {
        for name in ["blk.01.ffn_up.weight", "blk.+1.ffn_up.weight", "blk..ffn_up.weight", "blk.1.ffn_up"] {
            assert_eq!(NAMES.slots(name), [], "{name}");
        }
    }
}
