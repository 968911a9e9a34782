//! A model that is to be loaded: what it computes, where its weights are, and what else its configuration says.

use super::dense::DenseTensor;
use super::families::config::Config;
use super::families::labels;
use super::role::{Names, Shape, TensorId};
use super::spec::{Head, Scores, Spec, StackInput};
use crate::error::{Error, Result};
use crate::image::Processor;
use crate::text::GenerationConfig;

/// A stack that is to be loaded: what it computes, and where its weights are.
#[derive(Clone, Debug)]
pub struct Stack {
    pub spec: Spec,
    pub names: Names,
}

/// A model that is to be loaded.
#[derive(Clone, Debug)]
pub struct ModelConfig {
    /// The first answers: a decoder before the encoder that it looks at, texts before images.
    pub stacks: Vec<Stack>,
    /// Tokens that end a text, where the configuration says so.
    pub end_tokens: Vec<u32>,
    /// How texts are made.
    pub generation: GenerationConfig,
    /// Of the classes, by their numbers.
    pub labels: Vec<String>,
    /// What texts' vectors go through behind the pooling, where it lies among the model's tensors.
    pub dense: Vec<DenseTensor>,
    /// What pictures become, where the checkpoint itself says so.
    pub processor: Option<Processor>,
    /// The rows of queries and keys are in another order than in Hugging Face's files: see [`families::REORDERED`].
    ///
    /// [`families::REORDERED`]: super::families::REORDERED
    pub reordered: bool,
    /// What the checkpoint leaves open and is assumed, in words.
    pub warnings: Vec<String>,
}

impl ModelConfig {
    pub fn new(stacks: Vec<Stack>) -> Self {
        Self {
            stacks,
            end_tokens: Vec::new(),
            generation: GenerationConfig::default(),
            labels: Vec::new(),
            dense: Vec::new(),
            processor: None,
            reordered: false,
            warnings: Vec::new(),
        }
    }

    /// The stack that answers.
    pub fn spec(&self) -> &Spec {
        &self.stacks[0].spec
    }

    pub fn spec_mut(&mut self) -> &mut Spec {
        &mut self.stacks[0].spec
    }

    pub fn specs(&self) -> impl Iterator<Item = &Spec> + Clone {
        self.stacks.iter().map(|stack| &stack.spec)
    }

    /// What generation_config.json says of texts: instead of config.json, but for what ends a text or begins it. Errors:
    /// corrupt-file, unsupported-model where an encoder-decoder's texts would be others.
    pub fn set_generation(&mut self, json: Option<&str>) -> Result<()> {
        let file = if json.is_some() { "generation_config.json" } else { "config.json" };
        if let Some(json) = json {
            let config = Config::parse(json).map_err(|error| error.in_file(file))?;
            let mut generation = GenerationConfig::read(&config.into_fields(), self.spec().vocabulary());
            generation.start = generation.start.or(self.generation.start);
            self.end_tokens.extend(&generation.ends);
            self.generation = generation;
        }
        if !self.spec().looks_across() {
            return Ok(());
        }
        self.generation.check().map_err(|error| error.in_file(file))
    }

    /// Leaves a decoder's head out: sentence-transformers takes the body of whatever class a configuration names, and that of
    /// Qwen 3's embedding models is the decoder's.
    pub fn leave_head_out(&mut self) {
        if let [Stack { spec, .. }] = &mut self.stacks[..]
            && let Head::Vocabulary(_) = spec.head
        {
            spec.head = Head::None { pooler: false };
        }
    }

    /// What sentence-transformers makes of a cross-encoder's logits. Error: unsupported-model.
    pub fn cross_encoder(&mut self, activation: &str) -> Result<()> {
        let scores = labels::cross_encoder(activation)?;
        if let Head::Classes(head) = &mut self.spec_mut().head
            && (head.classes == 1 || scores != Scores::Identity)
        {
            head.scores = scores;
        }
        Ok(())
    }

    /// Of the images that a model of images takes.
    pub fn channels(&self) -> Option<usize> {
        let images = |spec: &Spec| match &spec.input {
            StackInput::Patches(patches) => Some(patches.channels),
            StackInput::Tokens(_) => None,
        };
        self.specs().find_map(images)
    }

    /// Every slot that the model needs, with its shape. Error: corrupt-file.
    pub fn wanted(&self) -> Result<Vec<(TensorId, Shape)>> {
        let mut all = Vec::new();
        for (stack, spec) in (0..).zip(self.specs()) {
            all.extend(spec.wanted()?.slots.into_iter().map(|(slot, shape)| (TensorId { stack, ..slot }, shape)));
        }
        all.extend(self.dense.iter().map(|dense| (dense.slot(), Shape::Matrix(dense.outputs, dense.inputs))));
        Ok(all)
    }

    /// The slots that a tensor fills.
    pub fn slots(&self, tensor: &str) -> Vec<TensorId> {
        let stacks = (0..).zip(&self.stacks);
        let of_stack = |(number, stack): (u8, &Stack)| {
            stack.names.slots(tensor).into_iter().map(move |slot| TensorId { stack: number, ..slot })
        };
        stacks.flat_map(of_stack).collect()
    }

    /// Whether a tensor is one that nobody needs.
    pub fn ignores(&self, tensor: &str) -> bool {
        self.stacks.iter().any(|stack| stack.names.ignores(tensor))
    }

    /// The name of a slot's tensor, for messages.
    pub fn tensor(&self, slot: TensorId) -> String {
        self.stacks[usize::from(slot.stack)].names.tensor(slot)
    }

    /// Errors: corrupt-file for numbers that cannot be, unsupported-model.
    pub fn check(self) -> Result<Self> {
        self.specs().try_for_each(Spec::check)?;
        let (first, others) = (self.spec(), self.stacks.get(1).map(|stack| &stack.spec));
        if let Some(other) = others.filter(|other| first.looks_across() && other.width != first.width) {
            let message = format!("an encoder of width {} under a decoder of {}", other.width, first.width);
            return Err(Error::unsupported(message));
        }
        // Texts and images have vectors of one width.
        match (&first.head, others.map(|other| &other.head)) {
            (Head::Embedding(text), Some(Head::Embedding(image))) if text.width != image.width => {
                let message = format!("vectors of {} values for texts and {} for images", text.width, image.width);
                Err(Error::unsupported(message))
            }
            _ => Ok(self),
        }
    }
}
