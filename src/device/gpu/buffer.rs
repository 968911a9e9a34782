//! Memory on the GPU.

use super::context::Context;
use super::trials::Trials;
use crate::error::Result;
use std::cell::RefCell;
use std::rc::Rc;
use wgpu::BufferUsages;

/// One GPU buffer, known by its number. When it is dropped, the recorder gives its memory back after
/// whatever it has recorded with it.
pub struct Handle {
    pub raw: wgpu::Buffer,
    pub id: u32,
    graveyard: Rc<Graveyard>,
}

/// Buffers that nobody holds any more.
pub struct Graveyard {
    context: Rc<Context>,
    buffers: RefCell<Vec<(u32, wgpu::Buffer)>>,
}

impl Graveyard {
    /// Gives their memory back. Returns their numbers.
    pub fn clear(&self) -> Vec<u32> {
        let buffers = std::mem::take(&mut *self.buffers.borrow_mut());
        buffers.iter().for_each(|(_, buffer)| self.context.free(buffer));
        buffers.into_iter().map(|(id, _)| id).collect()
    }
}

impl Drop for Graveyard {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.graveyard.buffers.borrow_mut().push((self.id, self.raw.clone()));
    }
}

/// f32 or u32 values somewhere in a GPU buffer.
#[derive(Clone)]
pub struct Buffer {
    pub handle: Rc<Handle>,
    /// The first value's place, in values.
    pub offset: usize,
    pub len: usize,
}

/// Makes buffers and numbers them.
pub struct Memory {
    pub context: Rc<Context>,
    pub trials: Rc<Trials>,
    pub graveyard: Rc<Graveyard>,
    last: u32,
    /// Small vectors (norms, biases) lie in common buffers, so that a few bindings serve them all.
    vectors: Option<Buffer>,
}

/// Values of a common buffer of small vectors.
const VECTORS: usize = 1 << 16;

/// What kernels and copies need.
const STORAGE: BufferUsages = BufferUsages::STORAGE.union(BufferUsages::COPY_DST).union(BufferUsages::COPY_SRC);

impl Memory {
    pub fn new(context: Rc<Context>) -> Self {
        let graveyard = Rc::new(Graveyard { context: context.clone(), buffers: RefCell::default() });
        let trials = Rc::new(Trials::new(context.clone()));
        Self { context, trials, graveyard, last: 0, vectors: None }
    }

    pub fn handle(&mut self, what: &str, bytes: u64, usage: BufferUsages) -> Result<Rc<Handle>> {
        let raw = self.trials.buffer(what, bytes.next_multiple_of(16).max(16), usage)?;
        self.last = self.last.checked_add(1).expect("nobody makes 4 G buffers");
        Ok(Rc::new(Handle { raw, id: self.last, graveyard: self.graveyard.clone() }))
    }

    /// `len` zeros of 4 bytes.
    pub fn storage(&mut self, what: &str, len: usize) -> Result<Buffer> {
        Ok(Buffer { handle: self.handle(what, 4 * len as u64, STORAGE)?, offset: 0, len })
    }

    pub fn uniform(&mut self, what: &str, bytes: u64) -> Result<Rc<Handle>> {
        self.handle(what, bytes, BufferUsages::UNIFORM | BufferUsages::COPY_DST)
    }

    /// Room for vectors of these lengths in one buffer: a kernel has one binding for all that it reads.
    pub fn expect_vectors(&mut self, lengths: &mut dyn Iterator<Item = usize>) -> Result<()> {
        let len = lengths.map(|len| len.next_multiple_of(4)).sum();
        self.vectors = Some(self.storage("vectors of weights", len)?);
        Ok(())
    }

    /// A vector of weights.
    pub fn vector(&mut self, values: &[f32]) -> Result<Buffer> {
        let room = self.vectors.as_ref().map_or(0, |rest| rest.len);
        if values.len() > room {
            self.vectors = Some(self.storage("vectors of weights", VECTORS.max(values.len()))?);
        }
        let rest = self.vectors.as_mut().expect("made above");
        let vector = Buffer { handle: rest.handle.clone(), offset: rest.offset, len: values.len() };
        // Kernels read them four at a time.
        let taken = values.len().next_multiple_of(4).min(rest.len);
        (rest.offset, rest.len) = (rest.offset + taken, rest.len - taken);
        self.write(&vector, values);
        Ok(vector)
    }

    pub fn write<T: Word>(&self, buffer: &Buffer, values: &[T]) {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.bytes()).collect();
        self.trials.write(&buffer.handle.raw, 4 * buffer.offset as u64, &bytes);
    }
}

/// Words that a batch's dispatches read, each call's after the other's: what is written is seen by all that has not been
/// submitted yet.
pub struct Notes {
    buffer: Buffer,
    taken: usize,
}

impl Notes {
    /// With room for `len` words at first.
    pub fn new(memory: &mut Memory, len: usize) -> Result<Self> {
        Ok(Self { buffer: memory.storage("notes of a batch", len)?, taken: 0 })
    }

    /// The buffer may not be there.
    pub fn forget(&mut self) {
        (self.buffer.len, self.taken) = (0, 0);
    }

    /// All that was put here has been submitted.
    pub fn clear(&mut self) {
        self.taken = 0;
    }

    /// Makes sure that so many words can be put here. Returns where they will lie.
    pub fn reserve(&mut self, memory: &mut Memory, words: usize) -> Result<usize> {
        if self.buffer.len < self.taken + words {
            *self = Self::new(memory, words.max(2 * self.buffer.len))?;
        }
        Ok(self.taken)
    }

    /// Where the words lie that are put here: from an even place on.
    pub fn put(&mut self, memory: &mut Memory, words: &[u32]) -> Result<Buffer> {
        self.reserve(memory, words.len())?;
        let put = Buffer { offset: self.taken, len: words.len(), ..self.buffer.clone() };
        memory.write(&put, words);
        // Few places, whatever the lengths: parameters that name them are kept.
        self.taken += words.len().next_multiple_of(16);
        Ok(put)
    }
}

/// What kernels' words are made of.
pub trait Word: Copy {
    fn bytes(self) -> [u8; 4];
}

impl Word for f32 {
    fn bytes(self) -> [u8; 4] {
        self.to_le_bytes()
    }
}

impl Word for u32 {
    fn bytes(self) -> [u8; 4] {
        self.to_le_bytes()
    }
}
