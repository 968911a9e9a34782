//! Mistakes that a family's file could make: each number and choice of a [`Spec`], another one at a time.

use azulejo::device::{Activation, RopePairs};
use azulejo::model::Spec;
use azulejo::model::spec::{
    Attention, Experts, Head, Norm, Pooling, Positions, QkNorm, Residual, Rope, RopeScaling, ScoreBias, StackInput,
    Tokens,
};

/// A mistake's name, and the stacks that it makes.
pub type Mistake = (String, Vec<Spec>);

/// All of a model's, in each of its stacks.
pub fn mistakes(specs: &[Spec]) -> Vec<Mistake> {
    let mut mistakes = Mistakes { specs, stack: 0, made: Vec::new() };
    for (stack, spec) in specs.iter().enumerate() {
        mistakes.stack = stack;
        mistakes.of_stack(spec);
    }
    mistakes.made
}

struct Mistakes<'a> {
    specs: &'a [Spec],
    /// Which of them is looked at.
    stack: usize,
    made: Vec<Mistake>,
}

const ACTIVATIONS: [Activation; 6] = [
    Activation::Silu,
    Activation::Gelu,
    Activation::GeluTanh,
    Activation::GeluQuick,
    Activation::Relu,
    Activation::Tanh,
];

const POOLINGS: [Pooling; 5] =
    [Pooling::ClassToken, Pooling::ClassTokenAndMean, Pooling::Mean, Pooling::Last, Pooling::LargestToken];

impl Mistakes<'_> {
    /// A copy of the spec with a change in the stack that is looked at.
    fn add(&mut self, name: impl Into<String>, change: impl FnOnce(&mut Spec)) {
        let mut specs = self.specs.to_vec();
        let name = name.into();
        change(&mut specs[self.stack]);
        if format!("{specs:?}") != format!("{:?}", self.specs) {
            self.made.push((if self.stack > 0 { format!("second stack: {name}") } else { name }, specs));
        }
    }

    /// The same in every block's attention.
    fn add_to_attention(&mut self, name: impl Into<String>, change: impl Fn(&mut Attention)) {
        self.add(name, |spec| spec.attentions().for_each(&change));
    }

    fn of_stack(&mut self, spec: &Spec) {
        self.of_norms(spec);
        self.of_attention(spec);
        self.of_ropes(spec);
        self.of_windows(spec);
        self.of_biases(spec);
        self.of_input(spec);
        self.of_head(spec);
        for activation in ACTIVATIONS {
            self.add(format!("activation {activation:?}"), |spec| {
                spec.feed_forwards().for_each(|feed_forward| feed_forward.activation = activation);
            });
        }
        self.add("gate", |spec| spec.feed_forwards().for_each(|feed_forward| feed_forward.gated ^= true));
        self.add("feed-forward bias", |spec| spec.feed_forwards().for_each(|feed_forward| feed_forward.bias ^= true));
        self.of_experts();
        self.add("cross-attention", |spec| match spec.looks_across() {
            true => spec.blocks.iter_mut().for_each(|block| block.cross = None),
            false => *spec = spec.clone().looking_across(),
        });
        self.add("LayerScale", |spec| spec.blocks.iter_mut().for_each(|block| block.layer_scale ^= true));
    }

    /// The same in every mixture of experts.
    fn add_to_experts(&mut self, name: impl Into<String>, change: impl Fn(&mut Experts)) {
        self.add(name, |spec| {
            spec.feed_forwards().filter_map(|feed_forward| feed_forward.experts.as_mut()).for_each(&change);
        });
    }

    fn of_experts(&mut self) {
        self.add_to_experts("an expert less for a token", |experts| {
            experts.used = experts.used.saturating_sub(1).max(1)
        });
        self.add_to_experts("an expert more for a token", |experts| experts.used = experts.count.min(experts.used + 1));
        self.add_to_experts("shares divided by their sum", |experts| experts.renormalise ^= true);
        self.add_to_experts("bias of experts' scores", |experts| experts.bias ^= true);
        self.add_to_experts("clamped gates", |experts| {
            experts.limit = if experts.limit.is_some() { None } else { Some(1.0) };
        });
        self.add_to_experts("gates' limit × 1.1", |experts| experts.limit = experts.limit.map(|limit| limit * 1.1));
    }

    fn of_norms(&mut self, spec: &Spec) {
        // Sinusoids are so large that a norm hardly sees an epsilon beside them.
        let sinusoids = |tokens: &Tokens| tokens.positions == Positions::Sinusoidal;
        let large = matches!(&spec.input, StackInput::Tokens(tokens) if sinusoids(tokens));
        let by = if large { 1e4 } else { 10.0 };
        self.add(format!("epsilon × {by}"), |spec| match &mut spec.norm {
            Norm::Rms { epsilon, .. } | Norm::Layer { epsilon, .. } => *epsilon *= by,
        });
        self.add("norm's 1 + weight", |spec| match &mut spec.norm {
            Norm::Rms { plus_one, .. } => *plus_one ^= true,
            Norm::Layer { bias, .. } => *bias ^= true,
        });
        self.add("LayerNorm for RMSNorm, or the other way", |spec| {
            spec.norm = match spec.norm {
                Norm::Rms { epsilon, .. } => Norm::Layer { epsilon, bias: false },
                Norm::Layer { epsilon, .. } => Norm::Rms { epsilon, plus_one: false },
            }
        });
        self.add("input norm", |spec| spec.input_norm ^= true);
        self.add("output norm", |spec| spec.output_norm ^= true);
        let residuals = [
            Residual::PreNorm { bare: false },
            Residual::PostNorm,
            Residual::Sandwich,
            Residual::InnerNorm,
            Residual::Parallel { shared_norm: false },
            Residual::Parallel { shared_norm: true },
        ];
        for residual in residuals {
            self.add(format!("residual {residual:?}"), |spec| spec.set_residual(residual));
        }
        self.add("the first block's attention has no norm, or has one after all", |spec| {
            if let Residual::PreNorm { bare } = &mut spec.blocks[0].residual {
                *bare ^= true;
            }
        });
    }

    fn of_attention(&mut self, spec: &Spec) {
        for by in [1.01, 0.99, 2.0] {
            self.add_to_attention(format!("attention's scale × {by}"), |attention| attention.scale *= by);
        }
        self.add_to_attention("causal", |attention| attention.causal ^= true);
        match spec.attention().soft_cap {
            Some(_) => {
                self.add_to_attention("no soft cap", |attention| attention.soft_cap = None);
                self.add_to_attention("soft cap × 1.1", |attention| {
                    attention.soft_cap = attention.soft_cap.map(|cap| cap * 1.1);
                });
            }
            None => self.add_to_attention("a soft cap of 1", |attention| attention.soft_cap = Some(1.0)),
        }
        for norm in [QkNorm::None, QkNorm::PerHead, QkNorm::All] {
            self.add_to_attention(format!("head norm {norm:?}"), |attention| attention.qk_norm = norm);
        }
        self.add_to_attention("bias of queries, keys and values", |attention| attention.qkv_bias ^= true);
        self.add_to_attention("sinks", |attention| attention.sinks ^= true);
        self.add_to_attention("bias of attention's output", |attention| attention.output_bias ^= true);
        // The same weights as heads of another size.
        self.add_to_attention("twice the heads, of half the size", |attention| {
            attention.heads *= 2;
            attention.kv_heads *= 2;
            attention.head_dim /= 2;
        });
    }

    /// The ropes that blocks turn by, each once: mistakes are made in all blocks of one.
    fn of_ropes(&mut self, spec: &Spec) {
        let mut ropes: Vec<Rope> = Vec::new();
        for rope in spec.blocks.iter().filter_map(|block| block.attention()?.rope.as_ref()) {
            if !ropes.contains(rope) {
                ropes.push(rope.clone());
            }
        }
        for (n, rope) in ropes.iter().enumerate() {
            for by in [1.01, 0.99] {
                self.add_to_rope(format!("rope {n}: base × {by}"), rope, |rope| rope.theta *= by);
            }
            self.add_to_rope(format!("rope {n}: pairs"), rope, |rope| {
                rope.pairs = match rope.pairs {
                    RopePairs::HalfSplit => RopePairs::Interleaved,
                    RopePairs::Interleaved => RopePairs::HalfSplit,
                };
            });
            self.add_to_rope(format!("rope {n}: two dimensions fewer"), rope, |rope| rope.dims -= 2);
            if rope.dims + 2 <= spec.attention().head_dim {
                self.add_to_rope(format!("rope {n}: two dimensions more"), rope, |rope| rope.dims += 2);
            }
            self.of_scaling(n, rope);
        }
        let attentions = spec.blocks.iter().map(|block| block.attention()).enumerate();
        for (layer, attention) in attentions.filter_map(|(layer, attention)| Some((layer, attention?))) {
            let others = ropes.iter().map(Some).chain([None]).filter(|other| *other != attention.rope.as_ref());
            for other in others {
                let number = other.and_then(|other| ropes.iter().position(|rope| rope == other));
                let name = format!("layer {layer} turns by {number:?}");
                self.add(name, |spec| attention_of(spec, layer).rope = other.cloned());
            }
        }
    }

    fn add_to_rope(&mut self, name: String, of: &Rope, change: impl Fn(&mut Rope)) {
        self.add_to_attention(name, |attention| attention.rope.iter_mut().filter(|rope| *rope == of).for_each(&change));
    }

    fn of_scaling(&mut self, n: usize, rope: &Rope) {
        let scaling = &rope.scaling;
        let numbers = match scaling {
            RopeScaling::None => {
                return self.add_to_rope(format!("rope {n}: positions halved"), rope, |rope| {
                    rope.scaling = RopeScaling::Linear { factor: 2.0 };
                });
            }
            RopeScaling::Linear { .. } => 1,
            RopeScaling::Llama3 { .. } => 4,
            RopeScaling::Yarn { .. } => 5,
            RopeScaling::LongRope { .. } => 1,
        };
        self.add_to_rope(format!("rope {n}: no scaling"), rope, |rope| rope.scaling = RopeScaling::None);
        for number in 0..numbers {
            // YaRN rounds what it makes of its context and betas to whole pairs.
            let rounded = matches!(scaling, RopeScaling::Yarn { .. }) && (1..4).contains(&number);
            for by in if rounded { [1.0 / 32.0, 1.0] } else { [1.1, 0.9] } {
                self.add_to_rope(format!("rope {n}: scaling's number {number} × {by:.2}"), rope, |rope| {
                    *numbers_of(&mut rope.scaling)[number] *= by;
                });
            }
        }
        self.add_to_rope(format!("rope {n}: factors of short sequences for long ones"), rope, |rope| {
            if let RopeScaling::LongRope { short, long, .. } = &mut rope.scaling {
                std::mem::swap(short, long);
            }
        });
        self.add_to_rope(format!("rope {n}: truncation"), rope, |rope| {
            if let RopeScaling::Yarn { truncate, .. } = &mut rope.scaling {
                *truncate ^= true;
            }
        });
    }

    fn of_windows(&mut self, spec: &Spec) {
        let attentions = spec.blocks.iter().map(|block| block.attention()).enumerate();
        for (layer, attention) in attentions.filter_map(|(layer, attention)| Some((layer, attention?))) {
            let others = match attention.window {
                Some(window) => vec![Some(window - 1), Some(window + 1), None],
                None => vec![Some(6)],
            };
            for other in others.into_iter().filter(|other| *other != Some(0)) {
                let name = format!("layer {layer} has a window of {other:?}");
                self.add(name, |spec| attention_of(spec, layer).window = other);
            }
        }
    }

    fn of_biases(&mut self, spec: &Spec) {
        match spec.score_bias.clone() {
            ScoreBias::None => {
                let slopes = vec![0.01; spec.attention().heads];
                self.add("slopes of 0.01", |spec| spec.score_bias = ScoreBias::Linear { slopes });
            }
            ScoreBias::Linear { slopes } => {
                let mut other = |name: &str, change: fn(&mut Vec<f32>)| {
                    let mut slopes = slopes.clone();
                    change(&mut slopes);
                    self.add(name, |spec| spec.score_bias = ScoreBias::Linear { slopes });
                };
                other("slopes in the other order", |slopes| slopes.reverse());
                other("the first two heads' slopes exchanged", |slopes| slopes.swap(0, 1));
                other("slopes × 1.01", |slopes| slopes.iter_mut().for_each(|slope| *slope *= 1.01));
                other("slopes of the other sign", |slopes| slopes.iter_mut().for_each(|slope| *slope *= -1.0));
                self.add("no slopes", |spec| spec.score_bias = ScoreBias::None);
            }
            ScoreBias::Buckets { .. } => {
                self.add("no buckets", |spec| spec.score_bias = ScoreBias::None);
            }
        }
    }

    fn of_input(&mut self, spec: &Spec) {
        match &spec.input {
            StackInput::Tokens(_) => {
                for by in [1.01, 0.99] {
                    self.add(format!("embedding × {by}"), |spec| tokens(spec).scale *= by);
                }
                self.add("no types", |spec| tokens(spec).types = 0);
                self.of_positions(spec);
            }
            StackInput::Patches(patches) => {
                let [height, width] = patches.image;
                self.add("antialiased positions", |spec| patches_of(spec).antialiased_positions ^= true);
                self.add("bias of patches", |spec| patches_of(spec).bias ^= true);
                self.add("class token", |spec| patches_of(spec).class_token ^= true);
                self.add("distillation token", |spec| patches_of(spec).distillation_token ^= true);
                self.add("a register more", |spec| patches_of(spec).registers += 1);
                self.add("a larger image", |spec| {
                    let patches = patches_of(spec);
                    patches.image = [height + patches.patch[0], width];
                });
            }
        }
    }

    fn of_positions(&mut self, spec: &Spec) {
        let StackInput::Tokens(tokens_of) = &spec.input else { return };
        let others = match tokens_of.positions {
            Positions::None => vec![Positions::Sinusoidal],
            Positions::Sinusoidal => vec![Positions::None],
            Positions::Learned { offset } => {
                let near = [offset.checked_sub(1), Some(offset + 1)].into_iter().flatten();
                near.map(|offset| Positions::Learned { offset })
                    .chain([Positions::None, Positions::Sinusoidal])
                    .collect()
            }
        };
        for other in others {
            self.add(format!("positions {other:?}"), |spec| tokens(spec).positions = other);
        }
    }

    fn of_head(&mut self, spec: &Spec) {
        match &spec.head {
            Head::Vocabulary(head) => {
                self.add("logits × 1.01", |spec| vocabulary(spec).scale *= 1.01);
                self.add("tied", |spec| vocabulary(spec).tied ^= true);
                self.add("head's bias", |spec| vocabulary(spec).bias ^= true);
                match head.soft_cap {
                    Some(cap) => {
                        self.add("logits without a cap", |spec| vocabulary(spec).soft_cap = None);
                        self.add("logits' cap × 1.1", |spec| vocabulary(spec).soft_cap = Some(cap * 1.1));
                    }
                    None => self.add("logits' cap of 1", |spec| vocabulary(spec).soft_cap = Some(1.0)),
                }
            }
            Head::Classes(head) => {
                for activation in ACTIVATIONS {
                    self.add(format!("head's activation {activation:?}"), |spec| {
                        if let Head::Classes(head) = &mut spec.head {
                            head.dense.iter_mut().for_each(|dense| dense.activation = activation);
                        }
                    });
                }
                self.of_pooling(head.pooling);
            }
            Head::Embedding(head) => self.of_pooling(head.pooling),
            Head::None { pooler: true } => self.add("no pooler", |spec| spec.head = Head::None { pooler: false }),
            Head::None { pooler: false } => {}
        }
        self.add("bias of likeness", |spec| {
            if let Head::Embedding(head) = &mut spec.head {
                head.matching.iter_mut().for_each(|matching| matching.bias ^= true);
            }
        });
    }

    fn of_pooling(&mut self, now: Pooling) {
        if let Pooling::Token(end) = now {
            // In the cases it is the last and the largest, too.
            return self.add("pooling of another token", |spec| {
                if let Head::Embedding(head) = &mut spec.head {
                    head.pooling = Pooling::Token(end - 1);
                }
            });
        }
        for other in POOLINGS.into_iter().filter(|other| *other != now) {
            self.add(format!("pooling {other:?}"), |spec| match &mut spec.head {
                Head::Classes(head) => head.pooling = other,
                Head::Embedding(head) => head.pooling = other,
                Head::Vocabulary(_) | Head::None { .. } => {}
            });
        }
    }
}

fn attention_of(spec: &mut Spec, layer: usize) -> &mut Attention {
    spec.blocks[layer].attention_mut().expect("it is looked at")
}

fn numbers_of(scaling: &mut RopeScaling) -> Vec<&mut f64> {
    match scaling {
        RopeScaling::None => vec![],
        RopeScaling::Linear { factor } => vec![factor],
        RopeScaling::Llama3 { factor, low_frequency_factor, high_frequency_factor, original_context } => {
            vec![factor, low_frequency_factor, high_frequency_factor, original_context]
        }
        RopeScaling::Yarn { factor, original_context, beta_fast, beta_slow, magnitude, .. } => {
            vec![factor, original_context, beta_fast, beta_slow, magnitude]
        }
        RopeScaling::LongRope { magnitude, .. } => vec![magnitude],
    }
}

fn tokens(spec: &mut Spec) -> &mut Tokens {
    match &mut spec.input {
        StackInput::Tokens(tokens) => tokens,
        StackInput::Patches(_) => unreachable!("it was asked"),
    }
}

fn patches_of(spec: &mut Spec) -> &mut azulejo::model::spec::Patches {
    match &mut spec.input {
        StackInput::Patches(patches) => patches,
        StackInput::Tokens(_) => unreachable!("it was asked"),
    }
}

fn vocabulary(spec: &mut Spec) -> &mut azulejo::model::spec::VocabularyHead {
    match &mut spec.head {
        Head::Vocabulary(head) => head,
        _ => unreachable!("it was asked"),
    }
}
