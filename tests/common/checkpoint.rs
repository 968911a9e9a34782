//! Reading a file in any cuts, and keeping what came out.

use azulejo::Result;
use azulejo::checkpoint::{FileReader, Format, Header, Sink, TensorInfo};

/// What a reader handed on.
#[derive(Debug, Default, PartialEq)]
pub struct Collected {
    pub header: Header,
    /// The data of each tensor that was begun, in order.
    pub data: Vec<Vec<u8>>,
}

impl Sink for Collected {
    fn header(&mut self, header: &Header) -> Result<()> {
        assert_eq!(self.header, Header::default(), "the header comes once");
        self.header = header.clone();
        Ok(())
    }

    fn wants(&mut self, tensor: &TensorInfo) -> bool {
        assert_eq!(tensor, &self.header.tensors[self.data.len()], "tensors come in the header's order");
        self.data.push(Vec::new());
        true
    }

    fn data(&mut self, _: &TensorInfo, bytes: &[u8]) -> Result<()> {
        assert!(!bytes.is_empty());
        self.data.last_mut().expect("data follows wants").extend(bytes);
        Ok(())
    }

    fn end(&mut self, tensor: &TensorInfo) -> Result<()> {
        assert_eq!(self.data.last().map(|data| data.len() as u64), Some(tensor.bytes));
        Ok(())
    }
}

/// Reads `bytes` in pieces whose lengths `cut` gives.
pub fn read(format: Format, mut bytes: &[u8], size: Option<u64>, mut cut: impl FnMut() -> usize) -> Result<Collected> {
    let mut collected = Collected::default();
    let mut reader = FileReader::new(format, "file", size);
    while !bytes.is_empty() {
        let (piece, rest) = bytes.split_at(cut().min(bytes.len()));
        reader.push(piece, &mut collected)?;
        bytes = rest;
    }
    reader.finish()?;
    Ok(collected)
}
