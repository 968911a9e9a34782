//! Rewrites a GGUF file with its matrices in another format:
//!
//!     cargo run --release --example requantize -- in.gguf out.gguf q8_0
//!
//! Every tensor of two dimensions becomes `q8_0` or `q4_1` (where its rows are whole blocks); everything else stays
//! byte for byte, and so does the metadata but for general.file_type. The file streams through.

use std::fs::File;
use std::io::{BufWriter, Read, Write};

use azulejo::checkpoint::write::{self, NewTensor};
use azulejo::checkpoint::{FileReader, Format, Header, Metadata, MetadataValue, Sink, TensorInfo, TensorType};
use azulejo::{Code, Error, Result};

struct Requantizer {
    out: BufWriter<File>,
    /// What the matrices become.
    ty: TensorType,
    metadata: Metadata,
    /// Bytes of whole input rows that are not complete yet.
    pending: Vec<u8>,
    written: usize,
    changed: usize,
}

impl Requantizer {
    /// The format that a tensor gets.
    fn target(&self, tensor: &TensorInfo) -> TensorType {
        match tensor.shape[..] {
            [_, columns] if self.ty.row_bytes(columns).is_some() => self.ty,
            _ => tensor.ty,
        }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.written += bytes.len();
        self.out.write_all(bytes).map_err(failed)
    }
}

impl Sink for Requantizer {
    fn header(&mut self, header: &Header) -> Result<()> {
        self.metadata = header.metadata.clone();
        // The numbers of ggml's LLAMA_FTYPE_MOSTLY_…
        let file_type = if self.ty == TensorType::Q8_0 { 7 } else { 3 };
        self.metadata.insert("general.file_type", MetadataValue::U32(file_type));
        let new = |tensor: &TensorInfo| NewTensor {
            name: tensor.name.clone(),
            ty: self.target(tensor),
            shape: tensor.shape.clone(),
        };
        let tensors: Vec<NewTensor> = header.tensors.iter().map(new).collect();
        self.put(&write::header(&self.metadata, &tensors))
    }

    fn wants(&mut self, _: &TensorInfo) -> bool {
        self.written = 0;
        true
    }

    fn data(&mut self, tensor: &TensorInfo, bytes: &[u8]) -> Result<()> {
        let ty = self.target(tensor);
        if ty == tensor.ty {
            return self.put(bytes);
        }
        self.pending.extend_from_slice(bytes);
        let columns = tensor.shape[tensor.shape.len() - 1];
        let row = tensor.ty.row_bytes(columns).ok_or_else(|| Error::new(Code::Internal, "rows are whole blocks"))?;
        let pending = std::mem::take(&mut self.pending);
        let rows = pending.chunks_exact(row);
        self.pending = rows.remainder().to_vec();
        let mut floats = vec![0.0; columns];
        let mut out = vec![0; columns / ty.block_len() * ty.block_bytes()];
        for row in rows {
            tensor.ty.dequantize(row, &mut floats);
            ty.quantize(&floats, &mut out)?;
            self.put(&out)?;
        }
        Ok(())
    }

    fn end(&mut self, tensor: &TensorInfo) -> Result<()> {
        self.changed += usize::from(self.target(tensor) != tensor.ty);
        let padding = write::padding(&self.metadata, self.written);
        self.put(&vec![0; padding])
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::invalid(error.to_string())
}

fn requantize(from: &str, to: &str, ty: &str) -> Result<usize> {
    let ty = match ty {
        "q8_0" => TensorType::Q8_0,
        "q4_1" => TensorType::Q4_1,
        other => return Err(Error::invalid(format!("{other:?}: expected q8_0 or q4_1"))),
    };
    let mut file = File::open(from).map_err(|error| failed(error).in_file(from))?;
    let size = file.metadata().map_err(failed)?.len();
    let out = BufWriter::new(File::create_new(to).map_err(|error| failed(error).in_file(to))?);
    let metadata = Metadata::default();
    let mut sink = Requantizer { out, ty, metadata, pending: Vec::new(), written: 0, changed: 0 };
    let mut reader = FileReader::new(Format::Gguf, from, Some(size));
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(|error| failed(error).in_file(from))? {
            0 => break,
            length => reader.push(&buffer[..length], &mut sink)?,
        }
    }
    reader.finish()?;
    sink.out.flush().map_err(failed)?;
    Ok(sink.changed)
}

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to, ty] = &arguments[..] else {
        eprintln!("requantize IN.gguf OUT.gguf q8_0|q4_1");
        return 2.into();
    };
    match requantize(from, to, ty) {
        Ok(changed) => {
            println!("{to}: {changed} tensors are {ty} now");
            0.into()
        }
        Err(error) => {
            eprintln!("{error}");
            1.into()
        }
    }
}
