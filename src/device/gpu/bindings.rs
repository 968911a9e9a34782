//! What dispatches are bound to: a pipeline, and one bind group of a kernel's buffers and what it is told, made once.
//!
//! A step's dispatches are the same from token to token but for a few, so what one is bound to is found by all that it is:
//! kernel, buffers, parameters and place in the batch, as words. To look them up takes neither an allocation nor a strong
//! hash, and what is found needs no offsets: three calls into the browser, or two.
//!
//!   tried: a decoded token of 184 dispatches in Chromium's worker, CPU time          of before
//!   constants searched for in a kernel's text, two groups, dynamic offsets, SipHash     1
//!   constants remembered (`Shader::constant`)                                           0.47
//!   and one bind group, found by words                                                  0.38   <- this
//!
//! Nothing was tried that leaves verbs out: of what remains three fifths are the browser's own, a quarter of all the
//! submit, which wakes its GPU process. Immediates in place of parameters: Chromium 156 has them (`setImmediates`), but 64
//! bytes, where a product has 128 of parameters; and wgpu 30 panics at them on the web.

use super::buffer::{Buffer, Handle, Memory};
use super::context::Context;
use super::dispatch::{BatchWords, Dispatch};
use super::kernels::Kernel;
use super::pipelines::{BATCH_AT, Kernels, PARAMETERS_AT, Pipeline, UNIFORM};
use super::trials::Trials;
use crate::error::Result;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;

/// Distinct parameter sets kept at a time, and bind groups.
const PARAMETERS: usize = 4096;
/// Distinct spans of a batch kept at a time: each row of the longest chunk may be one, and all of them together.
pub const SPANS: usize = 1024;
/// Words of a key before the numbers of the buffers.
const HEADER: usize = 11;

pub struct Bound {
    pub pipeline: Rc<Pipeline>,
    pub group: wgpu::BindGroup,
}

pub struct Bindings {
    context: Rc<Context>,
    kernels: Rc<Kernels>,
    trials: Rc<Trials>,
    parameters: Rc<Handle>,
    batches: Rc<Handle>,
    /// Where parameters lie that have been uploaded.
    slots: HashMap<Vec<u32>, u32>,
    bound: HashMap<Box<[u32]>, Rc<Bound>, BuildHasherDefault<WordHasher>>,
    /// Of the dispatch that was looked for last.
    key: Vec<u32>,
}

impl Bindings {
    pub fn new(kernels: Rc<Kernels>, memory: &mut Memory) -> Result<Self> {
        Ok(Self {
            context: memory.context.clone(),
            kernels,
            trials: memory.trials.clone(),
            parameters: memory.uniform("parameters", UNIFORM * PARAMETERS as u64)?,
            batches: memory.uniform("batches", UNIFORM * SPANS as u64)?,
            slots: HashMap::new(),
            bound: HashMap::default(),
            key: Vec::new(),
        })
    }

    /// What a dispatch is bound to, if one like it was bound before.
    pub fn find(&mut self, dispatch: &Dispatch) -> Option<Rc<Bound>> {
        let Dispatch { kernel, storage, parameters, batch, .. } = dispatch;
        self.key.clear();
        self.key.extend_from_slice(&header(kernel, *batch, storage.len()));
        self.key.extend(storage.iter().map(|buffer| buffer.handle.id));
        self.key.extend_from_slice(parameters);
        self.bound.get(&self.key[..]).cloned()
    }

    /// Whether there is no room: what is recorded must be submitted, and all is to be made anew.
    pub fn are_full(&self) -> bool {
        self.slots.len() == PARAMETERS || self.bound.len() == PARAMETERS
    }

    /// Binds the dispatch that was not found.
    pub fn bind(&mut self, Dispatch { kernel, storage, parameters, batch, .. }: &Dispatch) -> Rc<Bound> {
        let slot = self.parameters_at(parameters);
        let pipeline = self.kernels.get(kernel);
        let uniforms = [(&*self.parameters, slot as usize), (&*self.batches, *batch)];
        let group = self.trials.command(|| group(&self.context, &pipeline, storage, uniforms));
        let bound = Rc::new(Bound { pipeline, group });
        self.bound.insert(self.key.as_slice().into(), bound.clone());
        bound
    }

    /// The slot of a kernel's parameters: uploaded the first time.
    fn parameters_at(&mut self, parameters: &[u32]) -> u32 {
        if let Some(slot) = self.slots.get(parameters) {
            return *slot;
        }
        let slot = self.slots.len() as u32;
        self.slots.insert(parameters.to_vec(), slot);
        let bytes: Vec<u8> = parameters.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.trials.write(&self.parameters.raw, u64::from(slot) * UNIFORM, &bytes);
        slot
    }

    /// Uploads what is told of a batch's spans, from place `first` on.
    pub fn tell(&self, first: usize, told: &[BatchWords]) {
        let mut bytes = vec![0; UNIFORM as usize * told.len()];
        for (slot, words) in bytes.chunks_mut(UNIFORM as usize).zip(told) {
            for (bytes, word) in slot.chunks_mut(4).zip(words) {
                bytes.copy_from_slice(&word.to_le_bytes());
            }
        }
        self.trials.write(&self.batches.raw, UNIFORM * first as u64, &bytes);
    }

    /// Drops what is bound to buffers that are no more.
    pub fn drop_those_of(&mut self, buffers: &[u32]) {
        if !buffers.is_empty() {
            self.bound
                .retain(|key, _| !key[HEADER..][..key[HEADER - 1] as usize].iter().any(|id| buffers.contains(id)));
        }
    }

    pub fn clear(&mut self) {
        self.bound.clear();
        self.slots.clear();
    }
}

/// What a key begins with; how many buffers there are comes last.
fn header(kernel: &Kernel, batch: usize, buffers: usize) -> [u32; HEADER] {
    let Kernel { shader, format, cache, constants } = kernel;
    let format = format.map_or(0, |format| 1 + format as u32);
    let cache = cache.map_or(0, |cache| 1 + cache as u32);
    let mut header = [0; HEADER];
    header[0] = *shader as u32 | format << 8 | cache << 16;
    header[1..HEADER - 2].copy_from_slice(constants);
    header[HEADER - 2..].copy_from_slice(&[batch as u32, buffers as u32]);
    header
}

/// Buffers, and of each uniform the window at a slot.
fn group(
    context: &Context,
    pipeline: &Pipeline,
    storage: &[&Buffer],
    uniforms: [(&Handle, usize); 2],
) -> wgpu::BindGroup {
    let whole = storage.iter().map(|buffer| buffer.handle.raw.as_entire_binding());
    let windows = uniforms.map(|(uniform, slot)| {
        let (buffer, offset, size) = (&uniform.raw, UNIFORM * slot as u64, wgpu::BufferSize::new(UNIFORM));
        wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size })
    });
    let resources = (0..).zip(whole).chain([PARAMETERS_AT, BATCH_AT].into_iter().zip(windows));
    let entries: Vec<_> = resources.map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource }).collect();
    let layout = &pipeline.layout;
    context.device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries })
}

/// Hashes words in a few instructions each (as rustc does): nobody chooses them to do harm.
#[derive(Default)]
struct WordHasher(u64);

impl Hasher for WordHasher {
    fn write(&mut self, bytes: &[u8]) {
        for word in bytes.as_chunks().0 {
            self.0 = (self.0.rotate_left(5) ^ u64::from(u32::from_ne_bytes(*word))).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
    }

    fn finish(&self) -> u64 {
        // Tables take the lowest bits, into which a product carries nothing.
        self.0.rotate_left(26)
    }
}
