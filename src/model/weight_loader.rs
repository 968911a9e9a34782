//! Gathers a checkpoint's tensors, of one file or several, as their bytes arrive.

use super::arriving::{ArrivingMatrix, Stored};
use super::checksum::Checksum;
use super::copies::Copies;
use super::families;
use super::loaded::LoadedTensors;
use super::model_config::{ModelConfig, Stack};
use super::role::{Layout, Role, Shape, TensorId};
use super::spec::{Block, Spec};
use super::transpose::Transpose;
use crate::checkpoint::{Header, Sink, TensorInfo, TensorType};
use crate::device::Device;
use crate::error::{Error, Result};
use serde::Serialize;
use std::collections::{HashMap, VecDeque};

pub struct WeightLoader<D: Device> {
    device: D,
    /// Weights are passed over.
    pub header_only: bool,
    /// The type that matrices of floats get, where their rows are whole blocks of it.
    pub quantize: Option<TensorType>,
    /// From config.json; a GGUF file brings its own with the header.
    plan: Option<ModelConfig>,
    expected: HashMap<TensorId, Shape>,
    /// Of all files so far. Metadata: the first file's.
    header: Header,
    from_gguf: bool,
    /// Files that there will be.
    files: usize,
    seen: usize,
    /// Where experts' matrices go that have not begun to come, and how they are kept.
    experts: HashMap<TensorId, (Stored, Builders<D>)>,
    /// What the tensor that arrives brings.
    arriving: Vec<Arriving<D>>,
    /// Which of them its next bytes are of, and how many.
    pieces: VecDeque<(usize, usize)>,
    /// Of a tensor that has its columns as rows.
    transposing: Option<Transpose>,
    copies: Copies,
    /// Of the tensor that arrives.
    checksum: Checksum,
    loaded: LoadedTensors<D>,
}

/// A group of weights of one kind: see [`Role::group`].
#[derive(Clone, Debug, Serialize)]
pub struct PartSize {
    pub name: &'static str,
    pub parameters: u64,
    /// On the device.
    pub bytes: u64,
}

struct Arriving<D: Device> {
    slot: TensorId,
    /// Bytes of it.
    bytes: usize,
    what: What<D>,
}

enum What<D: Device> {
    Matrix(ArrivingMatrix<D>),
    Vector(Vec<u8>),
}

/// Each expert's, until its matrix begins to come.
type Builders<D> = Vec<Option<<D as Device>::MatrixBuilder>>;

impl<D: Device> WeightLoader<D> {
    pub fn new(device: D) -> Self {
        Self {
            device,
            header_only: false,
            quantize: None,
            plan: None,
            expected: HashMap::new(),
            header: Header::default(),
            from_gguf: true,
            files: 1,
            seen: 0,
            experts: HashMap::new(),
            arriving: Vec::new(),
            pieces: VecDeque::new(),
            transposing: None,
            copies: Copies::default(),
            checksum: Checksum::default(),
            loaded: LoadedTensors::default(),
        }
    }

    /// What config.json says; without it the first file must be a GGUF.
    pub fn set_plan(&mut self, plan: ModelConfig) {
        (self.plan, self.from_gguf) = (Some(plan), false);
    }

    /// Adds to it what another file says. Error: missing-file before there is one.
    pub fn change_plan(&mut self, change: impl FnOnce(&mut ModelConfig) -> Result<()>) -> Result<()> {
        let mut plan = self.plan()?.clone();
        change(&mut plan)?;
        self.plan = Some(plan);
        Ok(())
    }

    /// Waits for the device: see [`Device::sync`].
    pub async fn sync(&mut self) -> Result<()> {
        self.device.sync().await.map(|_| ())
    }

    /// The headers of all files so far as one.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Error: missing-file before any header has come.
    pub fn plan(&self) -> Result<&ModelConfig> {
        self.plan
            .as_ref()
            .ok_or_else(|| Error::new(crate::Code::MissingFile, "no configuration").in_file("config.json"))
    }

    /// How many GGUF files belong together.
    pub fn files(&self) -> usize {
        self.files
    }

    /// Bytes that the weights of all files so far take on the device.
    pub fn weight_bytes(&self) -> u64 {
        self.header.tensors.iter().map(|tensor| self.bytes_of(tensor, true)).sum()
    }

    /// What the weights of all files so far are for.
    pub fn parts(&self) -> Vec<PartSize> {
        let mut parts: Vec<PartSize> = Vec::new();
        for tensor in &self.header.tensors {
            for slot in self.slots(tensor) {
                let (parameters, bytes) = match self.shape(&slot) {
                    Some(Shape::Vector(len)) => (len as u64, 4 * len as u64),
                    Some(shape) => (shape.values(), self.slot_bytes(&slot, tensor.ty)),
                    None => continue,
                };
                let name = slot.role.group();
                match parts.iter_mut().find(|part| part.name == name) {
                    Some(part) => (part.parameters, part.bytes) = (part.parameters + parameters, part.bytes + bytes),
                    None => parts.push(PartSize { name, parameters, bytes }),
                }
            }
        }
        parts
    }

    /// Of a tensor, with vectors or without.
    fn bytes_of(&self, tensor: &TensorInfo, vectors: bool) -> u64 {
        let bytes = |slot: &TensorId| match self.shape(slot) {
            Some(Shape::Vector(len)) if vectors => 4 * len as u64,
            _ => self.slot_bytes(slot, tensor.ty),
        };
        self.slots(tensor).iter().map(bytes).sum()
    }

    /// Of matrices whose tensor has that type.
    fn slot_bytes(&self, slot: &TensorId, ty: TensorType) -> u64 {
        let (count, rows, columns) = match self.shape(slot) {
            Some(Shape::Matrix(rows, columns)) => (1, rows, columns),
            Some(Shape::Experts(experts, rows, columns)) => (experts as u64, rows, columns),
            _ => return 0,
        };
        let Stored { ty, columns } = self.stored(slot.role, ty, columns);
        count * D::matrix_bytes(ty, rows, columns) as u64
    }

    /// What a tensor's slot holds: that of one expert, its matrix.
    fn shape(&self, slot: &TensorId) -> Option<Shape> {
        match (*self.expected.get(&slot.of_all())?, slot.expert) {
            (shape, None) => Some(shape),
            (Shape::Experts(experts, rows, columns), Some(expert)) if expert < experts => {
                Some(Shape::Matrix(rows, columns))
            }
            _ => None,
        }
    }

    /// The slots that a tensor fills; none where nobody needs it.
    fn slots(&self, tensor: &TensorInfo) -> Vec<TensorId> {
        let Some(plan) = &self.plan else { return Vec::new() };
        // With several GGUF files it is known only after the last whether the head is tied.
        let tied = is_tied(plan.spec()) && !(self.from_gguf && self.files > 1);
        let mut slots = plan.slots(&tensor.name);
        slots.retain(|slot| !(slot.role == Role::Head && !slot.bias && tied) && self.is_wanted(slot));
        slots.retain(|slot| slot.role != Role::Embedding || self.is_first(plan, slot, tensor));
        slots
    }

    /// Whether a tensor's bytes are to be compared with another one's.
    fn compares(&self, tensor: &TensorInfo) -> bool {
        !self.from_gguf && self.plan.as_ref().is_some_and(|plan| self.copies.compares(plan, tensor))
    }

    /// Whether no tensor before this one is for its slot: a table that two stacks share may be there more than once.
    fn is_first(&self, plan: &ModelConfig, slot: &TensorId, tensor: &TensorInfo) -> bool {
        let mut before = self.header.tensors.iter().take_while(|other| other.name != tensor.name);
        !before.any(|other| plan.slots(&other.name).contains(slot))
    }

    /// Whether the model has that slot, or may turn out to have it.
    fn is_wanted(&self, slot: &TensorId) -> bool {
        let open = self.from_gguf && self.files > 1 || slot.role == Role::RopeFactors;
        open || self.shape(slot).is_some()
    }

    /// Whether a tensor of these slots has its columns as rows.
    fn is_transposed(&self, slots: &[TensorId]) -> bool {
        let Some((plan, slot)) = self.plan.as_ref().zip(slots.first()) else { return false };
        match plan.stacks[usize::from(slot.stack)].names.layout {
            Layout::Transposed => slot.role.is_conv1d() && !slot.bias,
            Layout::ExpertsTransposed => slot.role.is_of_experts() && !slot.bias,
            Layout::Stacked | Layout::ByHeads => false,
        }
    }

    /// How a matrix of that type in the file is kept.
    fn stored(&self, role: Role, ty: TensorType, columns: usize) -> Stored {
        if role == Role::PatchEmbedding {
            let filled = columns.next_multiple_of(4);
            return Stored { ty: if filled == columns { ty } else { TensorType::F32 }, columns: filled };
        }
        let quantised = self.quantize.filter(|to| !ty.is_quantised() && columns.is_multiple_of(to.block_len()));
        Stored { ty: quantised.unwrap_or(ty), columns }
    }

    /// Checks that a tensor has a place in the model, and its shape.
    fn check(&self, tensor: &TensorInfo, complete: bool) -> Result<()> {
        let plan = self.plan()?;
        let slots = plan.slots(&tensor.name);
        if !slots.is_empty() && usize::try_from(tensor.bytes).is_err() {
            let message = format!("{} bytes in one tensor are more than WebAssembly can count", tensor.bytes);
            return Err(Error::new(crate::Code::OutOfMemory, message));
        }
        let shapes: Vec<Shape> = slots.iter().filter_map(|slot| self.shape(slot)).collect();
        if shapes.windows(2).any(|pair| !pair[0].fits_above(pair[1])) {
            return Err(no_place(plan));
        }
        if let (Some(expected), Some(slot)) = (shapes.into_iter().reduce(Shape::above), slots.first()) {
            let expected = if self.is_transposed(&slots) { expected.transposed() } else { expected };
            return expected.check(&tensor.shape, || explain(&plan.stacks[usize::from(slot.stack)].spec, slot));
        }
        let is = |role: Role| slots.first().is_some_and(|slot| slot.role == role && !slot.bias);
        match tensor.shape.as_slice() {
            _ if plan.ignores(&tensor.name) => Ok(()),
            &[pairs] if is(Role::RopeFactors) && rope_pairs(plan.spec()) == Some(pairs) => Ok(()),
            // Some checkpoints save the tied table twice; the head's copy is then not read.
            _ if is(Role::Head) && is_tied(plan.spec()) => Ok(()),
            // A later file may still bring what tells this model's choices.
            _ if !slots.is_empty() && !complete => Ok(()),
            _ => Err(no_place(plan)),
        }
    }

    /// The device, the model's plan and what has come; every tensor must have.
    pub fn finish(mut self) -> Result<(D, ModelConfig, LoadedTensors<D>)> {
        let mut plan = self.plan()?.clone();
        if self.copies.sync(&plan, &self.header)? {
            self.loaded.matrices.remove(&TensorId::weight(Role::Head, 0));
            if let Some(head) = plan.spec_mut().vocabulary_head_mut() {
                head.tied = true;
            }
        }
        for (slot, shape) in plan.wanted()? {
            let spec = &mut plan.stacks[usize::from(slot.stack)].spec;
            if !self.loaded.has(&slot, &shape) && !spec.spare(&slot) {
                return Err(self.missing(&plan.tensor(slot)));
            }
        }
        if let Some(ty) = self.quantize {
            self.loaded.checksum ^= Checksum::of(ty.name().as_bytes());
        }
        Ok((self.device, plan, self.loaded))
    }

    fn missing(&self, name: &str) -> Error {
        // A packed weight of a quantisation that we lack is stored as integers under a similar name.
        let stem = name.trim_end_matches(".weight");
        match self.header.unread.iter().find(|unread| unread.name.starts_with(stem)) {
            Some(unread) => {
                let message = format!("stored as {} of {}", unread.name, unread.dtype);
                Error::new(crate::Code::UnsupportedQuantization, message).in_tensor(name)
            }
            None => Error::corrupt("missing from the checkpoint").in_tensor(name),
        }
    }

    /// Begins all that a tensor brings.
    fn begin(&mut self, tensor: &TensorInfo) -> Result<()> {
        let slots = self.slots(tensor);
        if self.is_transposed(&slots) {
            self.transposing = Some(Transpose::new(tensor)?);
        }
        // What no file so far asks for, a later one may.
        let unasked = match (tensor.shape.as_slice(), slots.len()) {
            (&[rows, columns], 1) => Some(Shape::Matrix(rows, columns)),
            _ => None,
        };
        let each = match slots.first().and_then(|slot| self.shape(slot)) {
            // Those of one expert stand together.
            Some(Shape::Experts(experts, ..)) => {
                (0..experts).flat_map(|expert| slots.iter().map(move |slot| slot.of_expert(expert))).collect()
            }
            _ => slots.clone(),
        };
        for slot in each {
            self.begin_slot(slot, self.shape(&slot).or(unasked), tensor)?;
        }
        self.pieces = self.pieces(&slots, tensor.ty);
        Ok(())
    }

    /// Begins what a tensor brings for one slot.
    fn begin_slot(&mut self, slot: TensorId, shape: Option<Shape>, tensor: &TensorInfo) -> Result<()> {
        let ty = tensor.ty;
        let (bytes, what) = match shape {
            Some(Shape::Matrix(rows, columns)) => {
                let stored = self.stored(slot.role, ty, columns);
                let builder = match slot.expert {
                    Some(expert) => self.expert_builder(&slot, expert, rows, stored)?,
                    None => self.device.matrix(stored.ty, rows, stored.columns)?,
                };
                let row = columns / ty.block_len() * ty.block_bytes();
                (rows * row, What::Matrix(ArrivingMatrix::new(builder, ty, columns, stored)?))
            }
            Some(Shape::Vector(len)) => (len / ty.block_len() * ty.block_bytes(), What::Vector(Vec::new())),
            _ => (tensor.bytes as usize, What::Vector(Vec::new())),
        };
        self.arriving.push(Arriving { slot, bytes, what });
        Ok(())
    }

    /// Where one expert's matrix goes. Errors: corrupt-file for one that has come already, unsupported-model for types that
    /// differ, out-of-memory.
    fn expert_builder(
        &mut self,
        slot: &TensorId,
        expert: usize,
        rows: usize,
        stored: Stored,
    ) -> Result<D::MatrixBuilder> {
        let Some(Shape::Experts(experts, ..)) = self.expected.get(&slot.of_all()).copied() else {
            return Err(Error::corrupt("an expert without a mixture"));
        };
        if !self.experts.contains_key(&slot.of_all()) {
            let builders = self.device.expert_matrices(stored.ty, experts, rows, stored.columns)?;
            self.experts.insert(slot.of_all(), (stored, builders.into_iter().map(Some).collect()));
        }
        let (first, builders) = self.experts.get_mut(&slot.of_all()).expect("just put there");
        if *first != stored {
            let message = format!("experts of {} and {}", first.ty.name(), stored.ty.name());
            return Err(Error::unsupported(message));
        }
        builders[expert].take().ok_or_else(|| Error::corrupt(format!("expert {expert} is there twice")))
    }

    /// The order in which the parts of a tensor come.
    fn pieces(&self, slots: &[TensorId], ty: TensorType) -> VecDeque<(usize, usize)> {
        let parts = || self.arriving.iter().map(|part| part.bytes).enumerate();
        let Some((first, plan)) = slots.first().zip(self.plan.as_ref()) else { return parts().collect() };
        let Stack { spec, names } = &plan.stacks[usize::from(first.stack)];
        if first.role.is_of_experts() && slots.len() > 1 && first.expert.is_none() {
            return self.pieces_of_experts(slots, names.layout, ty);
        }
        match (names.layout, spec.blocks.get(first.layer).and_then(Block::attention), self.arriving.len()) {
            (Layout::ByHeads, Some(attention), 3) => {
                let heads = attention.kv_heads;
                (0..heads).flat_map(|_| parts().map(|(part, bytes)| (part, bytes / heads))).collect()
            }
            _ => parts().collect(),
        }
    }

    /// Those of experts' parts that share a tensor: expert by expert, one part after the other or row by row.
    fn pieces_of_experts(&self, slots: &[TensorId], layout: Layout, ty: TensorType) -> VecDeque<(usize, usize)> {
        let weight = TensorId { bias: false, ..slots[0] };
        let Some(Shape::Experts(experts, rows, columns)) = self.expected.get(&weight).copied() else {
            return VecDeque::new();
        };
        let (parts, bias) = (slots.len(), slots[0].bias);
        let row = if bias { 1 } else { columns } / ty.block_len() * ty.block_bytes();
        let (turns, piece) = if layout == Layout::ExpertsTransposed { (rows, row) } else { (1, rows * row) };
        let mut pieces = VecDeque::new();
        for expert in 0..experts {
            let first = if bias { 0 } else { expert * parts };
            pieces.extend((0..turns).flat_map(|_| (0..parts).map(move |part| (first + part, piece))));
        }
        pieces
    }

    /// Gives the next bytes to the parts that they are of.
    fn take(&mut self, mut bytes: &[u8]) -> Result<()> {
        while let (false, Some((part, left))) = (bytes.is_empty(), self.pieces.front_mut()) {
            let (now, later) = bytes.split_at(bytes.len().min(*left));
            *left -= now.len();
            bytes = later;
            match &mut self.arriving[*part].what {
                What::Matrix(matrix) => matrix.push(&mut self.device, now)?,
                What::Vector(gathered) => gathered.extend_from_slice(now),
            }
            if *left == 0 {
                self.pieces.pop_front();
            }
        }
        Ok(())
    }

    /// The whole tensor has come.
    fn arrived(&mut self, ty: TensorType) -> Result<()> {
        for Arriving { slot, what, .. } in std::mem::take(&mut self.arriving) {
            match what {
                What::Matrix(matrix) => drop(self.loaded.matrices.insert(slot, matrix.finish(&mut self.device))),
                What::Vector(bytes) => drop(self.loaded.vectors.insert(slot, dequantised(ty, &bytes)?)),
            }
        }
        Ok(())
    }
}

fn is_tied(spec: &Spec) -> bool {
    spec.vocabulary_head().is_some_and(|head| head.tied)
}

fn rope_pairs(spec: &Spec) -> Option<usize> {
    spec.blocks.iter().find_map(|block| block.attention()?.rope.as_ref()).map(|rope| rope.dims / 2)
}

fn no_place(plan: &ModelConfig) -> Error {
    Error::unsupported(format!("has no place in a {} model", plan.spec().architecture))
}

/// Why a tensor has the shape that was expected.
fn explain(spec: &Spec, slot: &TensorId) -> String {
    let Some(attention) = spec.blocks.get(slot.layer).and_then(Block::attention) else { return String::new() };
    match slot.role {
        Role::Query | Role::Output => format!(" ({} heads × {})", attention.heads, attention.head_dim),
        Role::Key | Role::Value => format!(" ({} KV heads × {})", attention.kv_heads, attention.head_dim),
        _ => String::new(),
    }
}

impl<D: Device> Sink for WeightLoader<D> {
    fn header(&mut self, header: &Header) -> Result<()> {
        self.seen += 1;
        if self.seen == 1 {
            self.header.metadata = header.metadata.clone();
            self.files = header.metadata.shards()?.map_or(1, |shards| shards.count as usize);
        }
        self.header.tensors.extend_from_slice(&header.tensors);
        self.header.unread.extend_from_slice(&header.unread);
        if self.from_gguf {
            self.plan = Some(families::from_gguf(&self.header)?);
        } else if let Some(plan) = &mut self.plan {
            self.copies.untie(plan, header);
        }
        let complete = !self.from_gguf || self.seen >= self.files;
        self.expected = self.plan()?.wanted()?.into_iter().collect();
        for tensor in if self.seen >= self.files { &self.header.tensors } else { &header.tensors } {
            self.check(tensor, complete).map_err(|error| error.in_tensor(&tensor.name))?;
        }
        if self.header_only {
            return Ok(());
        }
        let matrices: u64 = header.tensors.iter().map(|tensor| self.bytes_of(tensor, false)).sum();
        self.device.expect_weights(usize::try_from(matrices).unwrap_or(usize::MAX))
    }

    fn wants(&mut self, tensor: &TensorInfo) -> bool {
        !self.header_only && (self.compares(tensor) || !self.slots(tensor).is_empty())
    }

    fn data(&mut self, tensor: &TensorInfo, bytes: &[u8]) -> Result<()> {
        if self.compares(tensor) {
            self.copies.push(tensor, bytes);
        }
        if self.arriving.is_empty() {
            self.begin(tensor)?;
        }
        self.checksum.push(bytes);
        match &mut self.transposing {
            Some(transposing) => {
                transposing.push(bytes);
                Ok(())
            }
            None => self.take(bytes),
        }
    }

    fn end(&mut self, tensor: &TensorInfo) -> Result<()> {
        if let Some(transposing) = self.transposing.take() {
            self.take(&transposing.upright)?;
        }
        let checksum = std::mem::take(&mut self.checksum).with(tensor.name.as_bytes()).finish();
        self.loaded.checksum = self.loaded.checksum.wrapping_add(checksum);
        self.arrived(tensor.ty)
    }
}

fn dequantised(ty: TensorType, bytes: &[u8]) -> Result<Vec<f32>> {
    let len = bytes.len() / ty.block_bytes() * ty.block_len();
    let mut values = crate::error::try_vec(len, "a vector of weights")?;
    ty.dequantize(bytes, &mut values);
    Ok(values)
}
