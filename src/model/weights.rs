//! Weights on their way from the file to the device.

use super::families::{self, Plan};
use super::part::{Part, Shape, Slot};
use super::spec::Spec;
use crate::checkpoint::{Header, Sink, TensorInfo, TensorType};
use crate::device::{Device, Linear};
use crate::error::{Error, Result};
use std::collections::HashMap;

pub struct Layer<D: Device> {
    pub attention_norm: D::Buffer,
    pub query: Linear<D>,
    pub key: Linear<D>,
    pub value: Linear<D>,
    pub output: Linear<D>,
    /// The norms of query and key heads.
    pub head_norms: Option<(D::Buffer, D::Buffer)>,
    pub feed_forward_norm: D::Buffer,
    pub gate: Linear<D>,
    pub up: Linear<D>,
    pub down: Linear<D>,
}

pub struct Weights<D: Device> {
    pub embedding: D::Matrix,
    pub layers: Vec<Layer<D>>,
    pub output_norm: D::Buffer,
    /// None: the embedding table.
    pub head: Option<D::Matrix>,
    /// RoPE's radians a position, [rotary dims / 2].
    pub frequencies: Vec<f32>,
}

/// Gathers a checkpoint's tensors, of one file or several, as their bytes arrive.
pub struct Assembly<D: Device> {
    device: D,
    /// Weights are passed over.
    pub header_only: bool,
    /// From config.json; a GGUF file brings its own with the header.
    plan: Option<Plan>,
    /// Of all files so far. Metadata: the first file's.
    header: Header,
    from_gguf: bool,
    /// Files that there will be.
    files: usize,
    seen: usize,
    arriving: Option<Arriving<D>>,
    matrices: HashMap<Slot, D::Matrix>,
    vectors: HashMap<Slot, Vec<f32>>,
}

enum Arriving<D: Device> {
    Matrix(D::MatrixBuilder),
    Vector(Vec<u8>),
}

impl<D: Device> Assembly<D> {
    pub fn new(device: D) -> Self {
        Self {
            device,
            header_only: false,
            from_gguf: true,
            plan: None,
            header: Header::default(),
            files: 1,
            seen: 0,
            arriving: None,
            matrices: HashMap::new(),
            vectors: HashMap::new(),
        }
    }

    /// What config.json says; without it the first file must be a GGUF.
    pub fn set_plan(&mut self, plan: Plan) {
        (self.plan, self.from_gguf) = (Some(plan), false);
    }

    /// Waits for the device: see [`Device::settle`].
    pub async fn settle(&mut self) -> Result<()> {
        self.device.settle().await
    }

    /// The headers of all files so far as one.
    pub fn header(&self) -> &Header {
        &self.header
    }

    pub fn spec(&self) -> Option<&Spec> {
        self.plan.as_ref().map(|plan| &plan.spec)
    }

    /// Tokens that end a text, as the configuration says.
    pub fn end_tokens(&self) -> &[u32] {
        self.plan.as_ref().map_or(&[], |plan| &plan.end_tokens)
    }

    /// How many GGUF files belong together.
    pub fn files(&self) -> usize {
        self.files
    }

    fn plan(&self) -> Result<&Plan> {
        self.plan
            .as_ref()
            .ok_or_else(|| Error::new(crate::Code::MissingFile, "no configuration").in_file("config.json"))
    }

    /// Checks that a tensor has a place in the model, and its shape.
    fn check(plan: &Plan, expected: &HashMap<Slot, Shape>, tensor: &TensorInfo, complete: bool) -> Result<()> {
        let Some(slot) = plan.names.slot(&tensor.name) else {
            if plan.names.ignores(&tensor.name) {
                return Ok(());
            }
            return Err(no_place(plan));
        };
        match (expected.get(&slot), tensor.shape.as_slice()) {
            (Some(Shape::Matrix(rows, columns)), &[r, c]) if (r, c) == (*rows, *columns) => Ok(()),
            (Some(Shape::Vector(len)), &[l]) if l == *len => Ok(()),
            (Some(shape), found) => {
                let expected = match shape {
                    Shape::Matrix(rows, columns) => format!("[{rows}, {columns}]{}", explain(&plan.spec, slot.part)),
                    Shape::Vector(len) => format!("[{len}]"),
                };
                Err(Error::corrupt(format!("shape {found:?}, expected {expected}")))
            }
            (None, &[pairs]) if slot.part == Part::RopeFactors && pairs == plan.spec.attention.rope.dims / 2 => Ok(()),
            // Some checkpoints save the tied table twice; the head's copy is then not read.
            (None, _) if slot.part == Part::Head && !slot.bias && plan.spec.tied_head => Ok(()),
            // A later file may still bring what tells this model's choices.
            (None, _) if !complete => Ok(()),
            (None, _) => Err(no_place(plan)),
        }
    }

    /// The device, the model's description and its weights; every tensor must have come.
    pub fn finish(mut self) -> Result<(D, Spec, Weights<D>)> {
        let plan = self.plan()?.clone();
        let spec = plan.spec;
        for (slot, shape) in spec.slots() {
            let found = match shape {
                Shape::Matrix(..) => self.matrices.contains_key(&slot),
                Shape::Vector(_) => self.vectors.contains_key(&slot),
            };
            if !found {
                return Err(self.missing(&plan.names.tensor(slot)));
            }
        }
        let factors = self.vectors.remove(&Slot { part: Part::RopeFactors, layer: 0, bias: false });
        let frequencies = spec.attention.rope.frequencies(factors.as_deref());
        if frequencies.iter().any(|frequency| !frequency.is_finite()) {
            return Err(Error::corrupt("RoPE frequencies that are no numbers"));
        }
        self.device.expect_vectors(&mut self.vectors.values().map(Vec::len))?;
        let layers = (0..spec.layers).map(|layer| self.layer(&spec, layer)).collect::<Result<_>>()?;
        let weights = Weights {
            embedding: self.matrix(Part::Embedding, 0),
            layers,
            output_norm: self.vector(Part::OutputNorm, 0, false)?.expect("checked above"),
            head: if spec.tied_head { None } else { Some(self.matrix(Part::Head, 0)) },
            frequencies,
        };
        Ok((self.device, spec, weights))
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

    fn layer(&mut self, spec: &Spec, layer: usize) -> Result<Layer<D>> {
        let head_norms = match spec.attention.head_norm {
            true => Some((self.norm(Part::QueryNorm, layer)?, self.norm(Part::KeyNorm, layer)?)),
            false => None,
        };
        Ok(Layer {
            attention_norm: self.norm(Part::AttentionNorm, layer)?,
            query: self.linear(Part::Query, layer)?,
            key: self.linear(Part::Key, layer)?,
            value: self.linear(Part::Value, layer)?,
            output: self.linear(Part::Output, layer)?,
            head_norms,
            feed_forward_norm: self.norm(Part::FeedForwardNorm, layer)?,
            gate: self.linear(Part::Gate, layer)?,
            up: self.linear(Part::Up, layer)?,
            down: self.linear(Part::Down, layer)?,
        })
    }

    fn matrix(&mut self, part: Part, layer: usize) -> D::Matrix {
        self.matrices.remove(&Slot { part, layer, bias: false }).expect("finish checks every slot")
    }

    fn vector(&mut self, part: Part, layer: usize, bias: bool) -> Result<Option<D::Buffer>> {
        let values = self.vectors.remove(&Slot { part, layer, bias });
        values.map(|values| self.device.upload(&values)).transpose()
    }

    fn norm(&mut self, part: Part, layer: usize) -> Result<D::Buffer> {
        Ok(self.vector(part, layer, false)?.expect("finish checks every slot"))
    }

    fn linear(&mut self, part: Part, layer: usize) -> Result<Linear<D>> {
        Ok(Linear { weight: self.matrix(part, layer), bias: self.vector(part, layer, true)? })
    }
}

fn no_place(plan: &Plan) -> Error {
    Error::unsupported(format!("has no place in a {} model", plan.spec.architecture))
}

/// Why a part has the shape that was expected.
fn explain(spec: &Spec, part: Part) -> String {
    let attention = &spec.attention;
    match part {
        Part::Query | Part::Output => format!(" ({} heads × {})", attention.heads, attention.head_dim),
        Part::Key | Part::Value => format!(" ({} KV heads × {})", attention.kv_heads, attention.head_dim),
        _ => String::new(),
    }
}

impl<D: Device> Sink for Assembly<D> {
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
        }
        let complete = !self.from_gguf || self.seen >= self.files;
        let plan = self.plan()?;
        let expected = plan.spec.slots().into_iter().collect();
        for tensor in if self.seen >= self.files { &self.header.tensors } else { &header.tensors } {
            Self::check(plan, &expected, tensor, complete).map_err(|error| error.in_tensor(&tensor.name))?;
        }
        let mut bytes = 0;
        for tensor in &header.tensors {
            if let (true, &[rows, columns]) = (self.wants(tensor), tensor.shape.as_slice()) {
                bytes += D::matrix_bytes(tensor.ty, rows, columns);
            }
        }
        self.device.expect_weights(bytes)
    }

    fn wants(&mut self, tensor: &TensorInfo) -> bool {
        let Some(plan) = self.plan.as_ref().filter(|_| !self.header_only) else { return false };
        let tied = plan.spec.tied_head && !(self.from_gguf && self.files > 1);
        plan.names.slot(&tensor.name).is_some_and(|slot| !(slot.part == Part::Head && tied))
    }

    fn data(&mut self, tensor: &TensorInfo, bytes: &[u8]) -> Result<()> {
        if self.arriving.is_none() {
            self.arriving = Some(match *tensor.shape {
                [rows, columns] => Arriving::Matrix(self.device.matrix(tensor.ty, rows, columns)?),
                _ => Arriving::Vector(Vec::new()),
            });
        }
        match self.arriving.as_mut().expect("set above") {
            Arriving::Matrix(builder) => self.device.push(builder, bytes),
            Arriving::Vector(gathered) => gathered.extend_from_slice(bytes),
        }
        Ok(())
    }

    fn end(&mut self, tensor: &TensorInfo) -> Result<()> {
        let slot = self.plan()?.names.slot(&tensor.name).expect("only wanted tensors arrive");
        match self.arriving.take() {
            Some(Arriving::Matrix(builder)) => {
                self.matrices.insert(slot, self.device.finish(builder));
            }
            Some(Arriving::Vector(bytes)) => {
                self.vectors.insert(slot, dequantised(tensor.ty, &bytes)?);
            }
            None => {}
        }
        Ok(())
    }
}

fn dequantised(ty: TensorType, bytes: &[u8]) -> Result<Vec<f32>> {
    let len = bytes.len() / ty.block_bytes() * ty.block_len();
    let mut values = crate::error::try_vec(len, "a vector of weights")?;
    ty.dequantize(bytes, &mut values);
    Ok(values)
}
