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
use std::collections::{BTreeMap, HashMap};

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
    /// By tensors' names.
    places: HashMap<String, Place>,
    /// Of the tensor that arrives.
    bytes: Vec<u8>,
    /// By block and role.
    pub parts: BTreeMap<(usize, Role), LoraPart>,
    pub checksum: u64,
}

/// What stands beside one matrix.
#[derive(Default)]
pub struct LoraPart {
    /// Up to a multiple of four, which kernels read at once.
    pub rank: usize,
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

/// Where a tensor belongs.
struct Place {
    /// The name of what it is beside.
    stem: String,
    half: Half,
    /// The matrices of that name, [rows, columns] each.
    slots: Vec<(TensorId, [usize; 2])>,
}

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
fn is_adapted(role: Role) -> bool {
    use Role::*;
    matches!(role, Query | Key | Value | Output | Gate | Up | Down | ConvInput | ConvOutput)
}

impl LoraFile {
    /// `reordered`: see [`REORDERED`]; `scale`: what the caller wants of it. PEFT's has a `config`.
    pub fn new(spec: Spec, reordered: bool, scale: f32, config: Option<LoraConfig>) -> Result<Self> {
        let names = families::names_of(&spec.architecture);
        let names = names.ok_or_else(|| Error::unsupported(format!("an adapter of a {} model", spec.architecture)))?;
        Ok(Self {
            spec,
            reordered,
            scale,
            config,
            names,
            is_reordered: false,
            alpha: None,
            places: HashMap::new(),
            bytes: Vec::new(),
            parts: BTreeMap::new(),
            checksum: 0,
        })
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
    fn slots(&self, stem: &str, shapes: &HashMap<TensorId, Shape>) -> Result<Vec<(TensorId, [usize; 2])>> {
        let slots = self.names.slots(&format!("{stem}.weight"));
        if slots.is_empty() {
            return Err(self.not_this_model(&format!("it has a {stem:?}")));
        }
        let sized = |slot: TensorId| match shapes.get(&slot.of_all()) {
            _ if !is_adapted(slot.role) => {
                Err(Error::unsupported(format!("an adapter beside the model's {}", slot.role.group())))
            }
            Some(Shape::Matrix(rows, columns)) => Ok((slot, [*rows, *columns])),
            _ => Err(self.not_this_model(&format!("it has a {stem:?}"))),
        };
        slots.into_iter().map(sized).collect()
    }

    /// Where a tensor belongs, if its shape is the model's and its rank that of the other half.
    fn place(&self, tensor: &TensorInfo, shapes: &HashMap<TensorId, Shape>, ranks: &mut Ranks) -> Result<Place> {
        let (stem, half) = self.beside(&tensor.name)?;
        let slots = self.slots(stem, shapes)?;
        let rows: usize = slots.iter().map(|(_, [rows, _])| rows).sum();
        let (rank, found, expected) = match (half, &tensor.shape[..]) {
            (Half::Down, &[rank, found]) => (rank, found, slots[0].1[1]),
            (Half::Up, &[found, rank]) => (rank, found, rows),
            (_, shape) => return Err(Error::corrupt(format!("shape {shape:?}, expected two dimensions"))),
        };
        if found != expected {
            let why = format!("shape {:?} where {expected} was expected", tensor.shape);
            return Err(self.not_this_model(&why));
        }
        let known = ranks.entry(stem.to_owned()).or_default();
        let (own, other) = if half == Half::Down { (0, 1) } else { (1, 0) };
        if rank == 0 || known[own].is_some() || known[other].is_some_and(|other| other != rank) {
            return Err(Error::corrupt(format!(
                "shape {:?}, and LoRA's other half has rank {other:?}",
                tensor.shape,
                other = known[other]
            )));
        }
        known[own] = Some(rank);
        Ok(Place { stem: stem.to_owned(), half, slots })
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
    fn put_down(&mut self, slots: &[(TensorId, [usize; 2])], rank: usize, values: &[f32]) -> Result<()> {
        let padded = rank.next_multiple_of(4);
        for (slot, [_, columns]) in slots {
            let mut down = try_vec(padded * columns, "an adapter")?;
            down[..values.len()].copy_from_slice(values);
            let part = self.parts.entry((slot.layer, slot.role)).or_default();
            (part.rank, part.down) = (padded, down);
        }
        Ok(())
    }

    /// B, [rows of all slots, rank], scaled, each row with zeros behind.
    fn put_up(&mut self, slots: &[(TensorId, [usize; 2])], rank: usize, values: &[f32], factor: f32) -> Result<()> {
        let padded = rank.next_multiple_of(4);
        let attention = self.spec.blocks.get(slots[0].0.layer).and_then(Block::attention);
        // Those that share a tensor lie one below the other, or take turns.
        let turns = match (self.names.layout, attention, slots.len()) {
            (Layout::ByHeads, Some(attention), 3) => attention.kv_heads,
            _ => 1,
        };
        let mut rows = values.chunks_exact(rank);
        let empty = |(_, [rows, _]): &(TensorId, [usize; 2])| try_vec(rows * padded, "an adapter");
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
            self.parts.entry((slot.layer, slot.role)).or_default().up = up;
        }
        Ok(())
    }

    /// Rows of queries or keys in the order of the model's.
    fn in_order(&self, up: Vec<f32>, rank: usize) -> Vec<f32> {
        let head = self.spec.attention().head_dim;
        if self.is_reordered == self.reordered || head % 2 != 0 {
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

/// Of A and of B, by what they are beside.
type Ranks = HashMap<String, [Option<usize>; 2]>;

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
        let shapes: HashMap<TensorId, Shape> = self.spec.wanted()?.slots.into_iter().collect();
        let mut ranks = Ranks::new();
        for tensor in &header.tensors {
            let place = self.place(tensor, &shapes, &mut ranks).map_err(|error| error.in_tensor(&tensor.name))?;
            self.places.insert(tensor.name.clone(), place);
        }
        match ranks.iter().find(|(_, halves)| halves.contains(&None)) {
            Some((stem, halves)) => {
                let missing = if halves[0].is_none() { "A" } else { "B" };
                Err(Error::corrupt(format!("without LoRA's {missing}")).in_tensor(stem))
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
        let place = self.places.remove(&tensor.name);
        let Place { stem, half, slots } = place.ok_or_else(|| Error::corrupt("is there twice"))?;
        match half {
            Half::Down => self.put_down(&slots, tensor.shape[0], &values)?,
            Half::Up => {
                let factor = self.factor(&stem, tensor.shape[1]);
                self.put_up(&slots, tensor.shape[1], &values, factor)?;
            }
        }
        let checksum = Checksum::default().with(tensor.name.as_bytes()).with(&bytes).with(&self.scale.to_le_bytes());
        self.checksum = self.checksum.wrapping_add(checksum.finish());
        Ok(())
    }
}
