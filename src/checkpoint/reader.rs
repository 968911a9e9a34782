//! One weights file, as its bytes arrive: header, then each tensor's data in file order.

use super::header::{Header, HeaderStep, Limit, TensorInfo};
use super::{gguf, safetensors};
use crate::error::{Error, Result, no_memory};

/// What kind of file the bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Gguf,
    Safetensors,
}

/// Where a file's content goes.
pub trait Sink {
    /// The header, once, before any data.
    fn header(&mut self, header: &Header) -> Result<()>;
    /// Asked once for each tensor before its data; the data of what is not wanted is passed over.
    fn wants(&mut self, tensor: &TensorInfo) -> bool;
    /// The next bytes of a tensor, cut anywhere, in order, never empty.
    fn data(&mut self, tensor: &TensorInfo, bytes: &[u8]) -> Result<()>;
    /// The tensor is complete.
    fn end(&mut self, tensor: &TensorInfo) -> Result<()>;
}

/// The largest header that is read. Real ones have up to 20 MB (a vocabulary of 256,000 tokens with merges). Parsed,
/// a hostile header is some ten times its size, which has to fit in wasm memory.
const MAX_GGUF_HEADER: u64 = 64 << 20;
/// As the format's own documentation says.
const MAX_SAFETENSORS_HEADER: u64 = 8 + 100_000_000;

enum Parser {
    Gguf(Box<gguf::GgufParser>),
    Safetensors(safetensors::SafetensorsParser),
}

impl Parser {
    fn step(&mut self, offset: u64, bytes: &[u8]) -> Result<HeaderStep> {
        match self {
            Parser::Gguf(parser) => parser.step(offset, bytes),
            Parser::Safetensors(parser) => parser.step(offset, bytes),
        }
    }

    /// The header, which ends at byte `end`, and the file's size as far as that is known now.
    fn take_header(&mut self, end: u64, size: Option<u64>) -> Result<(Header, Option<u64>)> {
        match self {
            Parser::Gguf(parser) => Ok((parser.take_header(end, size)?, size)),
            Parser::Safetensors(parser) => {
                let (header, size) = parser.take_header(end, size)?;
                Ok((header, Some(size)))
            }
        }
    }

    /// What it was reading, for a file that ends too early.
    fn place(&self) -> String {
        match self {
            Parser::Gguf(parser) => parser.place(),
            Parser::Safetensors(_) => "the header".to_owned(),
        }
    }
}

enum Stage {
    /// `pending` is the front of one item that has not wholly arrived: a number, a string, a tensor's description.
    Header { parser: Parser, pending: Vec<u8>, need: usize },
    /// Tensors before `next` are done; `wanted` is the sink's answer for `next`.
    Data { header: Header, next: usize, wanted: Option<bool> },
}

/// Reads one weights file from its bytes as they arrive.
///
/// Headers are read item by item, so that the work is linear in their size whatever the cuts. After an error
/// the reader stays failed: every later call gives the same error.
pub struct FileReader {
    name: String,
    size: Option<u64>,
    /// How many bytes of the file have been taken (pending ones not counted).
    position: u64,
    stage: Stage,
    failed: Option<Error>,
}

impl FileReader {
    /// `name` is for errors. With `size`, a file whose header promises more than that is refused at once.
    pub fn new(format: Format, name: &str, size: Option<u64>) -> Self {
        let parser = match format {
            Format::Gguf => Parser::Gguf(Box::new(gguf::GgufParser::new(Limit { size, cap: MAX_GGUF_HEADER }))),
            Format::Safetensors => {
                Parser::Safetensors(safetensors::SafetensorsParser::new(Limit { size, cap: MAX_SAFETENSORS_HEADER }))
            }
        };
        let stage = Stage::Header { parser, pending: Vec::new(), need: 0 };
        Self { name: name.to_owned(), size, position: 0, stage, failed: None }
    }

    /// The header, once it has arrived.
    pub fn header(&self) -> Option<&Header> {
        match &self.stage {
            Stage::Header { .. } => None,
            Stage::Data { header, .. } => Some(header),
        }
    }

    /// Takes the next bytes of the file, cut anywhere, and hands on what they complete.
    pub fn push(&mut self, bytes: &[u8], sink: &mut dyn Sink) -> Result<()> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let result = self.take(bytes, sink).map_err(|error| error.at(self.position).in_file(&self.name));
        self.failed = result.as_ref().err().cloned();
        result
    }

    fn take(&mut self, mut bytes: &[u8], sink: &mut dyn Sink) -> Result<()> {
        if matches!(self.stage, Stage::Header { .. }) {
            let Some(header) = self.take_header(&mut bytes)? else { return Ok(()) };
            sink.header(&header)?;
            self.stage = Stage::Data { header, next: 0, wanted: None };
        }
        self.take_data(bytes, sink)
    }

    /// Feeds the header's parser, straight from `bytes` where it can, and leaves in `bytes` what follows the header.
    fn take_header(&mut self, bytes: &mut &[u8]) -> Result<Option<Header>> {
        let Stage::Header { parser, pending, need } = &mut self.stage else { return Ok(None) };
        loop {
            if pending.len() < *need {
                let more = (*need - pending.len()).min(bytes.len());
                // From the sender's bytes if they hold the whole item, so that only what is cut is copied.
                if !pending.is_empty() || more < *need {
                    pending.try_reserve(more).map_err(|_| no_memory("the file's header", more as f64))?;
                    pending.extend_from_slice(&bytes[..more]);
                    *bytes = &bytes[more..];
                    if pending.len() < *need {
                        return Ok(None);
                    }
                }
            }
            let shown = if pending.is_empty() { *bytes } else { &pending[..] };
            match parser.step(self.position, shown)? {
                HeaderStep::Need(more) => *need = more,
                HeaderStep::Took(taken) => {
                    self.position += taken as u64;
                    if pending.is_empty() {
                        *bytes = &bytes[taken..];
                    } else {
                        debug_assert_eq!(taken, pending.len(), "a parser takes what it asked for");
                        pending.clear();
                    }
                    *need = 0;
                }
                HeaderStep::Done => {
                    let (header, size) = parser.take_header(self.position, self.size)?;
                    self.size = size;
                    return Ok(Some(header));
                }
            }
        }
    }

    fn take_data(&mut self, mut bytes: &[u8], sink: &mut dyn Sink) -> Result<()> {
        let Stage::Data { header, next, wanted } = &mut self.stage else { return Ok(()) };
        while let Some(tensor) = header.tensors.get(*next) {
            let gap = tensor.offset.saturating_sub(self.position).min(bytes.len() as u64);
            self.position += gap;
            bytes = &bytes[gap as usize..];
            if self.position < tensor.offset || bytes.is_empty() && tensor.bytes > 0 {
                return Ok(());
            }
            let wanted_now = *wanted.get_or_insert_with(|| sink.wants(tensor));
            let end = tensor.offset + tensor.bytes;
            let (data, rest) = bytes.split_at((end - self.position).min(bytes.len() as u64) as usize);
            let in_tensor = |error: Error| error.in_tensor(&tensor.name).at(self.position);
            if wanted_now && !data.is_empty() {
                sink.data(tensor, data).map_err(in_tensor)?;
            }
            if self.position + data.len() as u64 == end {
                if wanted_now {
                    sink.end(tensor).map_err(in_tensor)?;
                }
                (*next, *wanted) = (*next + 1, None);
            }
            self.position += data.len() as u64;
            bytes = rest;
        }
        self.take_rest(bytes.len() as u64)
    }

    /// What follows the last tensor: padding, or tensors that are passed over.
    fn take_rest(&mut self, bytes: u64) -> Result<()> {
        let end = self.size.unwrap_or(u64::MAX);
        if bytes > end.saturating_sub(self.position) {
            return Err(Error::corrupt(format!("bytes follow the file's end at byte {end}")).at(end));
        }
        self.position += bytes;
        Ok(())
    }

    /// The file is over. Says what is missing, if anything is.
    pub fn finish(self) -> Result<()> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let (offset, missing) = match &self.stage {
            Stage::Header { parser, pending, .. } => {
                (self.position + pending.len() as u64, Error::corrupt(format!("cut off in {}", parser.place())))
            }
            Stage::Data { header, next, .. } => match header.tensors.get(*next) {
                Some(tensor) => (self.position, cut_off(header, *next, tensor, self.position)),
                None => match self.size.filter(|size| self.position < *size) {
                    Some(size) => (self.position, Error::corrupt(format!("cut off: the file has {size} bytes"))),
                    None => return Ok(()),
                },
            },
        };
        Err(missing.at(offset).in_file(&self.name))
    }
}

fn cut_off(header: &Header, next: usize, tensor: &TensorInfo, position: u64) -> Error {
    let there = position.saturating_sub(tensor.offset);
    let others = match header.tensors.len() - next - 1 {
        0 => String::new(),
        1 => ", and one tensor after it is missing".to_owned(),
        others => format!(", and {others} tensors after it are missing"),
    };
    Error::corrupt(format!("cut off: {there} of {} bytes are there{others}", tensor.bytes)).in_tensor(&tensor.name)
}
