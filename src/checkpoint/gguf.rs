//! GGUF headers, versions 2 and 3, little endian.
//!
//!     "GGUF"  version u32  tensors u64  keys u64
//!     keys ×     key string  type u32  value
//!     tensors ×  name string  dimensions u32  innermost first u64 ×  type u32  offset u64 (from the data's start)
//!     padding to general.alignment (32), then the data
//!
//! A string is its length (u64) and UTF-8; an array is its elements' type (u32), its length (u64) and the elements.
//! The parser resumes between items, the smallest things that are worth waiting for: a scalar, a string, some
//! numbers of an array, one tensor's description.

use std::collections::HashSet;

use super::header::{Header, HeaderStep, Limit, TensorInfo};
use super::{Array, Metadata, MetadataValue, TensorType};
use crate::error::{Error, Result, no_memory};

/// More are refused. Real files have under 100 keys, and under 100,000 tensors.
const MAX_KEYS: u64 = 1 << 16;
const MAX_TENSORS: u64 = 1 << 18;
/// Arrays of arrays are in the format, though nothing writes them.
const MAX_DEPTH: usize = 4;
/// ggml's limits.
const MAX_DIMENSIONS: u32 = 4;
const DEFAULT_ALIGNMENT: u64 = 32;
const MAX_ALIGNMENT: u64 = 1 << 20;

/// Fewest bytes that a key with its value, or a tensor's description, takes.
const MIN_KEY: u64 = 8 + 4 + 1;
const MIN_TENSOR: u64 = 8 + 4 + 8 + 4 + 8;

/// Why an item was not read.
enum Unread {
    /// It is longer than what is there: it needs this many bytes.
    Need(usize),
    Failed(Error),
}

impl From<Error> for Unread {
    fn from(error: Error) -> Self {
        Unread::Failed(error)
    }
}

type ItemResult<T> = Result<T, Unread>;

/// Walks over the bytes of one item.
struct ItemCursor<'a> {
    bytes: &'a [u8],
    /// Where in `bytes`.
    at: usize,
    /// Where `bytes` starts in the file.
    start: u64,
    limit: Limit,
}

impl<'a> ItemCursor<'a> {
    fn offset(&self) -> u64 {
        self.start + self.at as u64
    }

    fn take(&mut self, bytes: usize, what: &str) -> ItemResult<&'a [u8]> {
        let end = self.at.saturating_add(bytes);
        match self.bytes.get(self.at..end) {
            Some(taken) => {
                self.at = end;
                Ok(taken)
            }
            None => {
                self.limit.check(self.offset(), bytes as u64, || what.to_owned())?;
                Err(Unread::Need(end))
            }
        }
    }

    fn array<const N: usize>(&mut self, what: &str) -> ItemResult<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N, what)?);
        Ok(array)
    }

    fn u32(&mut self, what: &str) -> ItemResult<u32> {
        self.array(what).map(u32::from_le_bytes)
    }

    fn u64(&mut self, what: &str) -> ItemResult<u64> {
        self.array(what).map(u64::from_le_bytes)
    }

    fn string(&mut self, what: &str) -> ItemResult<String> {
        let at = self.offset();
        let length = self.u64(what)?;
        self.limit.check(self.offset(), length, || format!("{what} of {length} bytes"))?;
        // In range: the limit is far below what usize holds.
        let bytes = self.take(length as usize, what)?;
        let text = std::str::from_utf8(bytes).map_err(|error| Error::corrupt(format!("{what}: {error}")).at(at))?;
        Ok(text.to_owned())
    }
}

/// An array that is being filled.
struct Frame {
    array: Array,
    left: u64,
}

enum GgufStage {
    Preamble,
    Key,
    /// The value of `key`, of this type.
    MetadataValue(u32),
    /// The elements of the innermost array of `arrays`.
    Elements,
    Tensor,
    Done,
}

/// A tensor's description, its offset still counted from the data's start.
struct Described {
    info: TensorInfo,
    /// Where in the file it is described.
    at: u64,
}

pub(super) struct GgufParser {
    limit: Limit,
    stage: GgufStage,
    keys_left: u64,
    tensors_left: u64,
    /// The key whose value is being read.
    key: String,
    arrays: Vec<Frame>,
    metadata: Metadata,
    tensors: Vec<Described>,
    names: HashSet<String>,
}

impl GgufParser {
    pub fn new(limit: Limit) -> Self {
        Self {
            limit,
            stage: GgufStage::Preamble,
            keys_left: 0,
            tensors_left: 0,
            key: String::new(),
            arrays: Vec::new(),
            metadata: Metadata::default(),
            tensors: Vec::new(),
            names: HashSet::new(),
        }
    }

    /// Reads one item from the front of `bytes`, which start at `offset` in the file.
    pub fn step(&mut self, offset: u64, bytes: &[u8]) -> Result<HeaderStep> {
        if let GgufStage::Done = self.stage {
            return Ok(HeaderStep::Done);
        }
        let mut cursor = ItemCursor { bytes, at: 0, start: offset, limit: self.limit };
        match self.item(&mut cursor) {
            Ok(()) => Ok(HeaderStep::Took(cursor.at)),
            Err(Unread::Need(bytes)) => Ok(HeaderStep::Need(bytes)),
            Err(Unread::Failed(error)) => Err(error),
        }
    }

    /// Changes nothing unless the whole item is there.
    fn item(&mut self, cursor: &mut ItemCursor) -> ItemResult<()> {
        match self.stage {
            GgufStage::Preamble => self.preamble(cursor),
            GgufStage::Key => self.key(cursor),
            GgufStage::MetadataValue(ty) => self.value(ty, cursor).map_err(|stop| self.in_value(stop)),
            GgufStage::Elements => self.elements(cursor).map_err(|stop| self.in_value(stop)),
            GgufStage::Tensor => self.tensor(cursor),
            GgufStage::Done => Ok(()),
        }
    }

    fn in_value(&self, stop: Unread) -> Unread {
        match stop {
            Unread::Failed(mut error) => {
                error.message = format!("metadata key {:?}: {}", self.key, error.message);
                Unread::Failed(error)
            }
            need => need,
        }
    }

    fn preamble(&mut self, cursor: &mut ItemCursor) -> ItemResult<()> {
        let magic = cursor.take(4, "the magic number")?;
        if magic != b"GGUF" {
            let found = magic.escape_ascii();
            return Err(Error::corrupt(format!("not a GGUF file: it starts with \"{found}\"")).at(0).into());
        }
        let version = cursor.u32("the version")?;
        match version {
            2 | 3 => {}
            _ if version.swap_bytes() <= 3 && version != 0 => {
                return Err(Error::unsupported("big-endian GGUF is not supported; little-endian is").at(4).into());
            }
            _ => {
                let message = format!("GGUF version {version} is not supported; 2 and 3 are");
                return Err(Error::unsupported(message).at(4).into());
            }
        }
        let (tensors, keys) = (cursor.u64("the number of tensors")?, cursor.u64("the number of keys")?);
        if tensors > MAX_TENSORS || keys > MAX_KEYS {
            let message = format!(
                "{tensors} tensors and {keys} metadata keys; more than {MAX_TENSORS} and {MAX_KEYS} are not believed"
            );
            return Err(Error::corrupt(message).at(8).into());
        }
        let least = tensors * MIN_TENSOR + keys * MIN_KEY;
        cursor
            .limit
            .check(cursor.offset(), least, || format!("the description of {tensors} tensors and {keys} keys"))?;
        (self.tensors_left, self.keys_left) = (tensors, keys);
        self.stage = self.next_entry();
        Ok(())
    }

    fn next_entry(&self) -> GgufStage {
        match (self.keys_left, self.tensors_left) {
            (0, 0) => GgufStage::Done,
            (0, _) => GgufStage::Tensor,
            _ => GgufStage::Key,
        }
    }

    fn key(&mut self, cursor: &mut ItemCursor) -> ItemResult<()> {
        let key = cursor.string("a metadata key")?;
        if self.metadata.contains(&key) {
            return Err(Error::corrupt(format!("metadata key {key:?} is there twice")).into());
        }
        let ty = cursor.u32("the type of a metadata value")?;
        (self.key, self.stage) = (key, GgufStage::MetadataValue(ty));
        Ok(())
    }

    fn value(&mut self, ty: u32, cursor: &mut ItemCursor) -> ItemResult<()> {
        let what = "a metadata value";
        let value = match ty {
            0 => MetadataValue::U8(u8::from_le_bytes(cursor.array(what)?)),
            1 => MetadataValue::I8(i8::from_le_bytes(cursor.array(what)?)),
            2 => MetadataValue::U16(u16::from_le_bytes(cursor.array(what)?)),
            3 => MetadataValue::I16(i16::from_le_bytes(cursor.array(what)?)),
            4 => MetadataValue::U32(cursor.u32(what)?),
            5 => MetadataValue::I32(i32::from_le_bytes(cursor.array(what)?)),
            6 => MetadataValue::F32(f32::from_le_bytes(cursor.array(what)?)),
            7 => MetadataValue::Bool(boolean(cursor.array(what)?)?),
            8 => MetadataValue::String(cursor.string("a string")?),
            9 => return self.open_array(cursor),
            10 => MetadataValue::U64(cursor.u64(what)?),
            11 => MetadataValue::I64(i64::from_le_bytes(cursor.array(what)?)),
            12 => MetadataValue::F64(f64::from_le_bytes(cursor.array(what)?)),
            _ => return Err(bad_type(ty).into()),
        };
        self.set(value);
        Ok(())
    }

    /// The value of `key` is complete.
    fn set(&mut self, value: MetadataValue) {
        self.metadata.insert(std::mem::take(&mut self.key), value);
        self.keys_left -= 1;
        self.stage = self.next_entry();
    }

    fn open_array(&mut self, cursor: &mut ItemCursor) -> ItemResult<()> {
        let at = cursor.offset();
        let ty = cursor.u32("an array's type")?;
        let length = cursor.u64("an array's length")?;
        // The empty array, and the fewest bytes of an element.
        let (array, least) = match ty {
            0 => (Array::U8(Vec::new()), 1),
            1 => (Array::I8(Vec::new()), 1),
            2 => (Array::U16(Vec::new()), 2),
            3 => (Array::I16(Vec::new()), 2),
            4 => (Array::U32(Vec::new()), 4),
            5 => (Array::I32(Vec::new()), 4),
            6 => (Array::F32(Vec::new()), 4),
            7 => (Array::Bool(Vec::new()), 1),
            8 => (Array::String(Vec::new()), 8),
            9 => (Array::Array(Vec::new()), 12),
            10 => (Array::U64(Vec::new()), 8),
            11 => (Array::I64(Vec::new()), 8),
            12 => (Array::F64(Vec::new()), 8),
            _ => return Err(bad_type(ty).into()),
        };
        if self.arrays.len() == MAX_DEPTH {
            return Err(Error::corrupt(format!("arrays nested more than {MAX_DEPTH} deep")).into());
        }
        let what = || format!("an array of {length} elements");
        cursor.limit.check(cursor.offset(), length.saturating_mul(least), what).map_err(|error| error.at(at))?;
        self.arrays.push(Frame { array, left: length });
        self.stage = GgufStage::Elements;
        self.close_arrays();
        Ok(())
    }

    fn elements(&mut self, cursor: &mut ItemCursor) -> ItemResult<()> {
        let Some(mut frame) = self.arrays.pop() else { return Ok(()) };
        if let Array::Array(_) = frame.array {
            self.arrays.push(frame);
            return self.open_array(cursor);
        }
        let filled = fill(&mut frame, cursor);
        self.arrays.push(frame);
        self.close_arrays();
        filled
    }

    /// Puts arrays that are complete into the one around them, the outermost into the metadata.
    fn close_arrays(&mut self) {
        while let Some(frame) = self.arrays.pop_if(|frame| frame.left == 0) {
            match self.arrays.last_mut() {
                Some(Frame { array: Array::Array(around), left }) => {
                    around.push(frame.array);
                    *left -= 1;
                }
                _ => self.set(MetadataValue::Array(frame.array)),
            }
        }
    }

    fn tensor(&mut self, cursor: &mut ItemCursor) -> ItemResult<()> {
        let at = cursor.offset();
        let name = cursor.string("a tensor's name")?;
        let named = |stop| match stop {
            Unread::Failed(error) => Unread::Failed(error.in_tensor(&name)),
            need => need,
        };
        let (ty, shape, offset) = describe(cursor).map_err(named)?;
        let bytes = size(ty, &shape).map_err(|error| error.in_tensor(&name).at(at))?;
        if !self.names.insert(name.clone()) {
            return Err(Error::corrupt("there are two tensors of this name").in_tensor(&name).at(at).into());
        }
        self.tensors.push(Described { info: TensorInfo { name, ty, shape, offset, bytes }, at });
        self.tensors_left -= 1;
        self.stage = self.next_entry();
        Ok(())
    }

    /// What was being read, for a file that ends too early.
    pub fn place(&self) -> String {
        match self.stage {
            GgufStage::Preamble => "the first 24 bytes of the header".to_owned(),
            GgufStage::Key => format!("the metadata: key {} and {} more", self.metadata.len() + 1, self.keys_left - 1),
            GgufStage::MetadataValue(_) | GgufStage::Elements => format!("the metadata: the value of {:?}", self.key),
            GgufStage::Tensor | GgufStage::Done => {
                let (done, all) = (self.tensors.len(), self.tensors.len() as u64 + self.tensors_left);
                format!("the list of tensors: {done} of {all} are there")
            }
        }
    }

    /// The header, which ends at byte `end`, with the tensors' places checked.
    pub fn take_header(&mut self, end: u64, size: Option<u64>) -> Result<Header> {
        let metadata = std::mem::take(&mut self.metadata);
        let alignment = alignment(&metadata)?;
        let data = end.next_multiple_of(alignment);
        let mut tensors = std::mem::take(&mut self.tensors);
        tensors.sort_by_key(|tensor| tensor.info.offset);
        let mut before: Option<&TensorInfo> = None;
        for Described { info, at } in &mut tensors {
            locate(info, data, alignment, size, before).map_err(|error| error.in_tensor(&info.name).at(*at))?;
            before = Some(info);
        }
        let tensors = tensors.into_iter().map(|tensor| tensor.info).collect();
        Ok(Header { metadata, tensors, unread: Vec::new() })
    }
}

fn boolean([byte]: [u8; 1]) -> Result<bool> {
    match byte {
        0 | 1 => Ok(byte == 1),
        _ => Err(Error::corrupt(format!("{byte} as a boolean, expected 0 or 1"))),
    }
}

fn bad_type(ty: u32) -> Error {
    Error::corrupt(format!("value type {ty}; types go from 0 to 12"))
}

/// Reads as many elements as are there, at least one.
fn fill(frame: &mut Frame, cursor: &mut ItemCursor) -> ItemResult<()> {
    let left = &mut frame.left;
    match &mut frame.array {
        Array::U8(x) => numbers(x, left, cursor, u8::from_le_bytes),
        Array::I8(x) => numbers(x, left, cursor, i8::from_le_bytes),
        Array::U16(x) => numbers(x, left, cursor, u16::from_le_bytes),
        Array::I16(x) => numbers(x, left, cursor, i16::from_le_bytes),
        Array::U32(x) => numbers(x, left, cursor, u32::from_le_bytes),
        Array::I32(x) => numbers(x, left, cursor, i32::from_le_bytes),
        Array::F32(x) => numbers(x, left, cursor, f32::from_le_bytes),
        Array::U64(x) => numbers(x, left, cursor, u64::from_le_bytes),
        Array::I64(x) => numbers(x, left, cursor, i64::from_le_bytes),
        Array::F64(x) => numbers(x, left, cursor, f64::from_le_bytes),
        Array::Bool(x) => {
            x.push(boolean(cursor.array("an array's element")?)?);
            *left -= 1;
            Ok(())
        }
        Array::String(x) => {
            x.push(cursor.string("a string")?);
            *left -= 1;
            Ok(())
        }
        Array::Array(_) => Ok(()),
    }
}

/// Appends the numbers that are there: all of the array's, or as many as have arrived.
fn numbers<T, const N: usize>(
    numbers: &mut Vec<T>,
    left: &mut u64,
    cursor: &mut ItemCursor,
    from: impl Fn([u8; N]) -> T,
) -> ItemResult<()> {
    let there = ((cursor.bytes.len() - cursor.at) / N) as u64;
    let count = there.min(*left).max(1) as usize;
    let bytes = cursor.take(count * N, "an array's element")?;
    let bytes_of_all = (numbers.len() + count) as f64 * size_of::<T>() as f64;
    numbers.try_reserve(count).map_err(|_| no_memory("the file's header", bytes_of_all))?;
    numbers.extend(bytes.as_chunks().0.iter().map(|bytes| from(*bytes)));
    *left -= count as u64;
    Ok(())
}

/// What follows a tensor's name: type, shape (outermost first), offset.
fn describe(cursor: &mut ItemCursor) -> ItemResult<(TensorType, Vec<usize>, u64)> {
    let at = cursor.offset();
    let dimensions = cursor.u32("a tensor's number of dimensions")?;
    if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
        return Err(Error::corrupt(format!("{dimensions} dimensions, expected 1 to {MAX_DIMENSIONS}")).at(at).into());
    }
    let mut shape = Vec::with_capacity(dimensions as usize);
    for _ in 0..dimensions {
        let at = cursor.offset();
        let dimension = cursor.u64("a tensor's shape")?;
        let fits = usize::try_from(dimension).ok().filter(|dimension| *dimension > 0);
        shape.push(fits.ok_or_else(|| Error::corrupt(format!("a dimension of {dimension}")).at(at))?);
    }
    shape.reverse();
    let at = cursor.offset();
    let ty = TensorType::from_ggml(cursor.u32("a tensor's type")?).map_err(|error| error.at(at))?;
    Ok((ty, shape, cursor.u64("a tensor's offset")?))
}

/// The bytes of a tensor whose rows are whole blocks.
fn size(ty: TensorType, shape: &[usize]) -> Result<u64> {
    let columns = shape[shape.len() - 1];
    if !columns.is_multiple_of(ty.block_len()) {
        let message =
            format!("shape {shape:?}: rows of {columns} are not whole blocks of {ty} ({} elements)", ty.block_len());
        return Err(Error::corrupt(message));
    }
    let row = ty.row_bytes(columns).map(|bytes| bytes as u64);
    let all = shape[..shape.len() - 1].iter().try_fold(row, |bytes, rows| Some(bytes?.checked_mul(*rows as u64)));
    all.flatten().ok_or_else(|| Error::corrupt(format!("shape {shape:?}: more bytes than 64 bits can count")))
}

fn alignment(metadata: &Metadata) -> Result<u64> {
    match metadata.get("general.alignment") {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(MetadataValue::U32(x)) if x.is_power_of_two() && u64::from(*x) <= MAX_ALIGNMENT => Ok(u64::from(*x)),
        Some(value) => Err(Error::corrupt(format!(
            "general.alignment is {value}, expected a power of two up to {MAX_ALIGNMENT} in 32 bits without a sign"
        ))),
    }
}

/// Turns a tensor's offset into one from the file's start, and checks that nothing else is there.
fn locate(
    info: &mut TensorInfo,
    data: u64,
    alignment: u64,
    size: Option<u64>,
    before: Option<&TensorInfo>,
) -> Result<()> {
    if !info.offset.is_multiple_of(alignment) {
        return Err(Error::corrupt(format!("offset {} is not a multiple of the alignment, {alignment}", info.offset)));
    }
    let offset = info.offset.checked_add(data);
    let Some((offset, end)) = offset.and_then(|offset| Some((offset, offset.checked_add(info.bytes)?))) else {
        return Err(Error::corrupt(format!("offset {} is beyond what 64 bits can count", info.offset)));
    };
    if let Some(size) = size.filter(|size| end > *size) {
        return Err(Error::corrupt(format!("its data is bytes {offset} to {end}, but the file has {size} bytes")));
    }
    if let Some(before) = before.filter(|before| before.offset + before.bytes > offset) {
        let (name, end) = (&before.name, before.offset + before.bytes);
        return Err(Error::corrupt(format!(
            "its data starts at byte {offset}, inside that of {name:?}, which ends at {end}"
        )));
    }
    info.offset = offset;
    Ok(())
}
