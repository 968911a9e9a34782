//! A SentencePiece model file: a protobuf message (`sentencepiece_model.proto`), of which few fields matter. A reader of
//! all of protobuf would be larger than this one.

use crate::{Error, Result};

/// Kinds of pieces.
pub(super) const CONTROL: u64 = 3;
pub(super) const USER_DEFINED: u64 = 4;

#[derive(Default)]
pub(super) struct Piece {
    pub text: String,
    pub score: f64,
    pub kind: u64,
}

/// What the file says.
pub(super) struct Model {
    pub pieces: Vec<Piece>,
    /// Of unigrams; else of merges.
    pub unigram: bool,
    pub unknown: usize,
    /// The compiled normalization rules.
    pub charsmap: Vec<u8>,
    pub add_dummy_prefix: bool,
    pub remove_extra_whitespaces: bool,
}

/// One field's content.
enum Content<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Fixed(u32),
}

fn corrupt(what: &str) -> Error {
    Error::corrupt(format!("a SentencePiece model {what}"))
}

/// The fields of a message, one after the other.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn number(&mut self) -> Result<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first().ok_or_else(|| corrupt("is cut off"))?;
            self.0 = rest;
            number |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Ok(number);
            }
        }
        Err(corrupt("has a number that does not end"))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or_else(|| corrupt("is cut off"))?;
        self.0 = rest;
        Ok(bytes)
    }

    fn next(&mut self) -> Result<Option<(u64, Content<'a>)>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.number()?;
        let content = match key & 7 {
            0 => Content::Number(self.number()?),
            1 => Content::Bytes(self.take(8)?),
            2 => {
                let length = usize::try_from(self.number()?).map_err(|_| corrupt("is cut off"))?;
                Content::Bytes(self.take(length)?)
            }
            5 => Content::Fixed(u32::from_le_bytes(*self.take(4)?.first_chunk().expect("four bytes"))),
            _ => return Err(corrupt("has a field of no known kind")),
        };
        Ok(Some((key >> 3, content)))
    }
}

impl Model {
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let mut model = Self {
            pieces: Vec::new(),
            unigram: true,
            unknown: 0,
            charsmap: Vec::new(),
            add_dummy_prefix: true,
            remove_extra_whitespaces: true,
        };
        let mut fields = Fields(bytes);
        while let Some(field) = fields.next()? {
            match field {
                (1, Content::Bytes(piece)) => model.pieces.push(read_piece(piece)?),
                (2, Content::Bytes(trainer)) => model.read_trainer(trainer)?,
                (3, Content::Bytes(normalizer)) => model.read_normalizer(normalizer)?,
                _ => {}
            }
        }
        match model.pieces.len() {
            0 => Err(corrupt("has no pieces")),
            count if model.unknown >= count => Err(corrupt("has no unknown token")),
            _ => Ok(model),
        }
    }

    fn read_trainer(&mut self, bytes: &[u8]) -> Result<()> {
        let mut fields = Fields(bytes);
        while let Some(field) = fields.next()? {
            match field {
                (3, Content::Number(1)) => self.unigram = true,
                (3, Content::Number(2)) => self.unigram = false,
                (3, Content::Number(_)) => {
                    return Err(Error::unsupported("a SentencePiece model of whole words or characters"));
                }
                (24, Content::Number(1)) => {
                    return Err(Error::unsupported("a SentencePiece model with spaces behind words"));
                }
                (40, Content::Number(id)) => self.unknown = usize::try_from(id).unwrap_or(usize::MAX),
                _ => {}
            }
        }
        Ok(())
    }

    fn read_normalizer(&mut self, bytes: &[u8]) -> Result<()> {
        let mut fields = Fields(bytes);
        while let Some(field) = fields.next()? {
            match field {
                (2, Content::Bytes(rules)) => self.charsmap = rules.to_vec(),
                (3, Content::Number(flag)) => self.add_dummy_prefix = flag != 0,
                (4, Content::Number(flag)) => self.remove_extra_whitespaces = flag != 0,
                (5, Content::Number(0)) => {
                    return Err(Error::unsupported("a SentencePiece model that leaves spaces as they are"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn read_piece(bytes: &[u8]) -> Result<Piece> {
    let mut piece = Piece { kind: 1, ..Piece::default() };
    let mut fields = Fields(bytes);
    while let Some(field) = fields.next()? {
        match field {
            (1, Content::Bytes(text)) => {
                let text = std::str::from_utf8(text).map_err(|_| corrupt("has a piece that is no UTF-8"))?;
                piece.text = text.to_owned();
            }
            (2, Content::Fixed(bits)) => piece.score = f64::from(f32::from_bits(bits)),
            (3, Content::Number(kind)) => piece.kind = kind,
            _ => {}
        }
    }
    Ok(piece)
}
