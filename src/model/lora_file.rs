//! LoRA adapters as they are published: PEFT's folders (`adapter_config.json` and `adapter_model.safetensors`) and GGUF
//! files of llama.cpp's `convert_lora_to_gguf.py`. Their tensors bear the names of the model's own, with what stands for
//! A and B behind: <https://huggingface.co/docs/peft/developer_guides/checkpoint>.

use super::checksum::Checksum;
use super::families::{self, REORDERED};
use super::lora_config::LoraConfig;
use super::role::{Layout, Names, Role, Shape, TensorId};
use super::spec::{Block, Spec};
use crate::checkpoint::{Header, Metadata, Sink, TensorInfo};
use crate::error::{Error, Result, try_vec};
use std::collections::HashMap;

/// An adapter's file, read for one model: all of it waits here for the device.
pub struct LoraFile {
    spec: Spec,
    /// Whether the model's queries and keys are reordered: see [`REORDERED`].
    reordered: bool,
    /// Multiplies what the adapter's own factor is.
    scale: f32,
    /// None: a GGUF file, which says what it is itself.
    config: Option<LoraConfig>,
    /// Where its tensors belong, and whether its queries and keys are reordered.
    names: Names,
    is_reordered: bool,
    /// A GGUF file's `adapter.lora.alpha`.
    alpha: Option<f32>,
    /// Of the model's matrices.
    shapes: HashMap<TensorId, Shape>,
    /// Of the tensor that arrives.
    bytes: Vec<u8>,
    /// Block by block, of each role in [`ADAPTED`].
    parts: Vec<LoraPart>,
    pub checksum: u64,
}

/// What stands beside one matrix, if anything does.
#[derive(Clone, Default)]
pub struct LoraPart {
    /// 0: nothing; else up to a multiple of four, which kernels read at once.
    pub rank: usize,
    /// Those of A's tensor and of B's.
    ranks: [usize; 2],
    /// [rank, in width]
    pub down: Vec<f32>,
    /// [out width, rank], scaled.
    pub up: Vec<f32>,
}

/// Which of the two a tensor is: A goes down, B comes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Half {
    Down,
    Up,
}

/// A matrix of the model's, [rows, columns].
type Slot = (TensorId, [usize; 2]);

/// What tensors' names end with, behind the name of what they are beside. PEFT's own files leave the adapter's name out.
const ENDINGS: [(&str, Half); 6] = [
    (".lora_A.weight", Half::Down),
    (".lora_B.weight", Half::Up),
    (".lora_A.default.weight", Half::Down),
    (".lora_B.default.weight", Half::Up),
    (".weight.lora_a", Half::Down),
    (".weight.lora_b", Half::Up),
];

/// What else adapters may have, by what its tensors' names have in them.
const OTHERS: [(&str, &str); 5] = [
    ("lora_embedding_", "an adapter of the embedding table"),
    ("token_embd.", "an adapter of the embedding table"),
    ("lora_magnitude_vector", "DoRA's magnitudes"),
    (".lora_B.bias", "an adapter with biases"),
    ("modules_to_save", "whole weights in an adapter"),
];

/// The matrices that an adapter may stand beside.
const ADAPTED: [Role; 9] = [
    Role::Query,
    Role::Key,
    Role::Value,
    Role::Output,
    Role::Gate,
    Role::Up,
    Role::Down,
    Role::ConvInput,
    Role::ConvOutput,
];

impl LoraFile {
    /// `reordered`: see [`REORDERED`]; `scale`: what the caller wants of it. PEFT's has a `config`.
    pub fn new(spec: Spec, reordered: bool, scale: f32, config: Option<LoraConfig>) -> Result<Self> {
        let names = families::names_of(&spec.architecture);
        let names = names.ok_or_else(|| Error::unsupported(format!("an adapter of a {} model", spec.architecture)))?;
        Ok(Self {
            reordered,
            scale,
            config,
            names,
            is_reordered: false,
            alpha: None,
            shapes: spec.wanted()?.slots.into_iter().collect(),
            bytes: Vec::new(),
            parts: vec![LoraPart::default(); ADAPTED.len() * spec.layers()],
            spec,
            checksum: 0,
        })
    }

    /// What stands beside matrices, with their blocks and roles.
    pub fn parts(&self) -> impl Iterator<Item = (usize, Role, &LoraPart)> {
        let parts = self.parts.iter().enumerate().filter(|(_, part)| part.rank > 0);
        parts.map(|(at, part)| (at / ADAPTED.len(), ADAPTED[at % ADAPTED.len()], part))
    }

    /// Where what stands beside a matrix is. Error: unsupported-model.
    fn index(slot: &TensorId) -> Result<usize> {
        let role = ADAPTED.iter().position(|role| *role == slot.role);
        let role =
            role.ok_or_else(|| Error::unsupported(format!("an adapter beside the model's {}", slot.role.group())))?;
        Ok(slot.layer * ADAPTED.len() + role)
    }

    /// What a GGUF file says of itself. Errors: corrupt-file, unsupported-model, invalid-argument for another model's.
    fn read_metadata(&mut self, metadata: &Metadata) -> Result<()> {
        let text = |key: &str| metadata.str(key);
        if text("general.type") != Some("adapter") {
            return Err(Error::invalid("this GGUF file is a model, not an adapter"));
        }
        match text("adapter.type") {
            Some("lora") => {}
            other => return Err(Error::unsupported(format!("an adapter of type {other:?}"))),
        }
        if metadata.contains("adapter.alora.invocation_tokens") {
            return Err(Error::unsupported("an adapter that begins with certain tokens: aLoRA"));
        }
        let architecture = text("general.architecture").unwrap_or_default();
        let (own, names) = families::gguf_names_of(architecture)
            .ok_or_else(|| Error::unsupported(format!("an adapter of a model of architecture {architecture:?}")))?;
        // llama.cpp has one word for what is Llama's but for a window, or a mixture of it.
        let is_llama = own == "llama" && ["mistral", "mixtral"].contains(&&*self.spec.architecture);
        if own != self.spec.architecture && !is_llama {
            return Err(self.not_this_model(&format!("of a {own} model")));
        }
        (self.names, self.is_reordered) = (names, REORDERED.contains(&architecture));
        let alpha = metadata.f32("adapter.lora.alpha");
        let alpha = alpha.ok_or_else(|| Error::corrupt("without \"adapter.lora.alpha\""))?;
        if !alpha.is_finite() {
            return Err(Error::corrupt(format!("\"adapter.lora.alpha\" is {alpha}, expected a finite number")));
        }
        self.alpha = Some(alpha);
        Ok(())
    }

    fn not_this_model(&self, why: &str) -> Error {
        Error::invalid(format!("this adapter is of another model: {why}, and this one is a {}", self.spec.architecture))
    }

    /// What a tensor is beside, and which half of it: its name without what is PEFT's.
    fn beside<'n>(&self, tensor: &'n str) -> Result<(&'n str, Half)> {
        if let Some((_, what)) = OTHERS.iter().find(|(part, _)| tensor.contains(part)) {
            return Err(Error::unsupported(*what));
        }
        let halves = ENDINGS.iter().find_map(|(ending, half)| Some((tensor.strip_suffix(ending)?, *half)));
        let (stem, half) = halves.ok_or_else(|| Error::unsupported("has no place in a LoRA adapter"))?;
        Ok((stem.strip_prefix("base_model.model.").unwrap_or(stem), half))
    }

    /// The matrices that a tensor is beside: they lie in one of the model's. Errors: unsupported-model, invalid-argument.
    fn slots(&self, stem: &str) -> Result<Vec<Slot>> {
        let slots = self.names.slots(&format!("{stem}.weight"));
        if slots.is_empty() {
            return Err(self.not_this_model(&format!("it has a {stem:?}")));
        }
        let sized = |slot: TensorId| {
            Self::index(&slot)?;
            match self.shapes.get(&slot.of_all()) {
                Some(Shape::Matrix(rows, columns)) => Ok((slot, [*rows, *columns])),
                _ => Err(self.not_this_model(&format!("it has a {stem:?}"))),
            }
        };
        slots.into_iter().map(sized).collect()
    }

    /// Notes a tensor's rank, if its shape is the model's and nothing else is for its place.
    fn check(&mut self, tensor: &TensorInfo) -> Result<()> {
        let (stem, half) = self.beside(&tensor.name)?;
        let slots = self.slots(stem)?;
        let rows: usize = slots.iter().map(|(_, [rows, _])| rows).sum();
        let (rank, found, expected) = match (half, &tensor.shape[..]) {
            (Half::Down, &[rank, found]) => (rank, found, slots[0].1[1]),
            (Half::Up, &[found, rank]) => (rank, found, rows),
            _ => return Err(Error::corrupt("expected two dimensions")),
        };
        if found != expected {
            return Err(self.not_this_model(&format!("{found} values where {expected} were expected")));
        }
        for (slot, _) in &slots {
            let known = &mut self.parts[Self::index(slot)?].ranks[usize::from(half == Half::Up)];
            if rank == 0 || *known != 0 {
                return Err(Error::corrupt("is there twice, or has nothing in it"));
            }
            *known = rank;
        }
        Ok(())
    }

    /// alpha / rank, as the adapter has it, times what the caller wants.
    fn factor(&self, stem: &str, rank: usize) -> f32 {
        let own = match (&self.config, self.alpha) {
            (Some(config), _) => config.factor(stem, rank),
            // Without an alpha what it adds is not scaled: so llama.cpp.
            (None, Some(alpha)) if alpha != 0.0 => alpha / rank as f32,
            _ => 1.0,
        };
        own * self.scale
    }

    /// A, [rank, columns], with rows of nothing behind.
    fn put_down(&mut self, slots: &[Slot], rank: usize, values: &[f32]) -> Result<()> {
        let padded = rank.next_multiple_of(4);
        for (slot, [_, columns]) in slots {
            let mut down = try_vec(padded * columns, "an adapter")?;
            down[..values.len()].copy_from_slice(values);
            let part = &mut self.parts[Self::index(slot)?];
            (part.rank, part.down) = (padded, down);
        }
        Ok(())
    }

    /// B, [rows of all slots, rank], scaled, each row with zeros behind.
    fn put_up(&mut self, slots: &[Slot], rank: usize, values: &[f32], factor: f32) -> Result<()> {
        let padded = rank.next_multiple_of(4);
        let attention = self.spec.blocks.get(slots[0].0.layer).and_then(Block::attention);
        // Those that share a tensor lie one below the other, or take turns.
        let turns = match (self.names.layout, attention, slots.len()) {
            (Layout::ByHeads, Some(attention), 3) => attention.kv_heads,
            _ => 1,
        };
        let mut rows = values.chunks_exact(rank);
        let empty = |(_, [rows, _]): &Slot| try_vec(rows * padded, "an adapter");
        let mut ups: Vec<Vec<f32>> = slots.iter().map(empty).collect::<Result<_>>()?;
        for turn in 0..turns {
            for ((_, [count, _]), up) in slots.iter().zip(&mut ups) {
                let each = count / turns;
                for (row, values) in (turn * each..).zip(rows.by_ref().take(each)) {
                    let up = &mut up[row * padded..][..rank];
                    up.iter_mut().zip(values).for_each(|(up, value)| *up = value * factor);
                }
            }
        }
        for ((slot, _), up) in slots.iter().zip(ups) {
            let up = if matches!(slot.role, Role::Query | Role::Key) { self.in_order(up, padded) } else { up };
            self.parts[Self::index(slot)?].up = up;
        }
        Ok(())
    }

    /// Rows of queries or keys in the order of the model's.
    fn in_order(&self, up: Vec<f32>, rank: usize) -> Vec<f32> {
        let head = self.spec.attention().head_dim;
        if self.is_reordered == self.reordered || !head.is_multiple_of(2) {
            return up;
        }
        let mut ordered = vec![0.0; up.len()];
        for (row, values) in up.chunks_exact(rank).enumerate() {
            let (first, within) = (row / head * head, row % head);
            // The halves of a head, or its neighbours.
            let to = match self.reordered {
                true => within % (head / 2) * 2 + within / (head / 2),
                false => within % 2 * (head / 2) + within / 2,
            };
            ordered[(first + to) * rank..][..rank].copy_from_slice(values);
        }
        ordered
    }
}

impl Sink for LoraFile {
    fn header(&mut self, header: &Header) -> Result<()> {
        if self.config.is_none() {
            self.read_metadata(&header.metadata)?;
        }
        if let Some(unread) = header.unread.first() {
            return Err(Error::unsupported(format!("stored as {}", unread.dtype)).in_tensor(&unread.name));
        }
        if header.tensors.is_empty() {
            return Err(Error::corrupt("an adapter without tensors"));
        }
        for tensor in &header.tensors {
            self.check(tensor).map_err(|error| error.in_tensor(&tensor.name))?;
        }
        match self.parts.iter().find(|part| part.ranks[0] != part.ranks[1]) {
            Some(LoraPart { ranks: [down, up], .. }) => {
                Err(Error::corrupt(format!("LoRA's A has rank {down} where its B has rank {up}")))
            }
            None => Ok(()),
        }
    }

    fn wants(&mut self, _: &TensorInfo) -> bool {
        true
    }

    fn data(&mut self, tensor: &TensorInfo, bytes: &[u8]) -> Result<()> {
        let short = |_| crate::error::no_memory("an adapter's tensor", tensor.bytes as f64);
        self.bytes.try_reserve(bytes.len()).map_err(short)?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&mut self, tensor: &TensorInfo) -> Result<()> {
        let bytes = std::mem::take(&mut self.bytes);
        let mut values = try_vec(tensor.shape.iter().product(), "an adapter's tensor")?;
        tensor.ty.dequantize(&bytes, &mut values);
        let (stem, half) = self.beside(&tensor.name)?;
        let slots = self.slots(stem)?;
        match half {
            Half::Down => self.put_down(&slots, tensor.shape[0], &values)?,
            Half::Up => {
                let factor = self.factor(stem, tensor.shape[1]);
                self.put_up(&slots, tensor.shape[1], &values, factor)?;
            }
        }
        let checksum = Checksum::default().with(tensor.name.as_bytes()).with(&bytes).with(&self.scale.to_le_bytes());
        self.checksum = self.checksum.wrapping_add(checksum.finish());
        Ok(())
    }
}
