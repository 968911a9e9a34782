//! A SentencePiece model file: a protobuf message (`sentencepiece_model.proto`), of which few fields matter. A reader of
//! all of protobuf would be larger than this one.

use crate::{Error, Result};

/// Kinds of pieces.
pub(super) const CONTROL: u64 = 3;
pub(super) const USER_DEFINED: u64 = 4;

#[derive(Default)]
pub(super) struct SentencePiece {
    pub text: String,
    pub score: f64,
    pub kind: u64,
}

/// What the file says.
pub(super) struct SentencePieceModel {
    pub pieces: Vec<SentencePiece>,
    /// Of unigrams; else of merges.
    pub unigram: bool,
    pub unknown: usize,
    /// The compiled normalization rules.
    pub charsmap: Vec<u8>,
    pub add_dummy_prefix: bool,
    pub remove_extra_whitespaces: bool,
}

/// One field's content.
enum Payload<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Fixed(u32),
}

fn corrupt(what: &str) -> Error {
    Error::corrupt(format!("a SentencePiece model {what}"))
}

/// The fields of a message, one after the other.
struct MessageFields<'a>(&'a [u8]);

impl<'a> MessageFields<'a> {
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

    fn next(&mut self) -> Result<Option<(u64, Payload<'a>)>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let key = self.number()?;
        let content = match key & 7 {
            0 => Payload::Number(self.number()?),
            1 => Payload::Bytes(self.take(8)?),
            2 => {
                let length = usize::try_from(self.number()?).map_err(|_| corrupt("is cut off"))?;
                Payload::Bytes(self.take(length)?)
            }
            5 => Payload::Fixed(u32::from_le_bytes(*self.take(4)?.first_chunk().expect("four bytes"))),
            _ => return Err(corrupt("has a field of no known kind")),
        };
        Ok(Some((key >> 3, content)))
    }
}

impl SentencePieceModel {
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let mut model = Self {
            pieces: Vec::new(),
            unigram: true,
            unknown: 0,
            charsmap: Vec::new(),
            add_dummy_prefix: true,
            remove_extra_whitespaces: true,
        };
        let mut fields = MessageFields(bytes);
        while let Some(field) = fields.next()? {
            match field {
                (1, Payload::Bytes(piece)) => model.pieces.push(read_piece(piece)?),
                (2, Payload::Bytes(trainer)) => model.read_trainer(trainer)?,
                (3, Payload::Bytes(normalizer)) => model.read_normalizer(normalizer)?,
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
        let mut fields = MessageFields(bytes);
        while let Some(field) = fields.next()? {
            match field {
                (3, Payload::Number(1)) => self.unigram = true,
                (3, Payload::Number(2)) => self.unigram = false,
                (3, Payload::Number(_)) => {
                    return Err(Error::unsupported("a SentencePiece model of whole words or characters"));
                }
                (24, Payload::Number(1)) => {
                    return Err(Error::unsupported("a SentencePiece model with spaces behind words"));
                }
                (40, Payload::Number(id)) => self.unknown = usize::try_from(id).unwrap_or(usize::MAX),
                _ => {}
            }
        }
        Ok(())
    }

    fn read_normalizer(&mut self, bytes: &[u8]) -> Result<()> {
        let mut fields = MessageFields(bytes);
        while let Some(field) = fields.next()? {
            match field {
                (2, Payload::Bytes(rules)) => self.charsmap = rules.to_vec(),
                (3, Payload::Number(flag)) => self.add_dummy_prefix = flag != 0,
                (4, Payload::Number(flag)) => self.remove_extra_whitespaces = flag != 0,
                (5, Payload::Number(0)) => {
                    return Err(Error::unsupported("a SentencePiece model that leaves spaces as they are"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn read_piece(bytes: &[u8]) -> Result<SentencePiece> {
    let mut piece = SentencePiece { kind: 1, ..SentencePiece::default() };
    let mut fields = MessageFields(bytes);
    while let Some(field) = fields.next()? {
        match field {
            (1, Payload::Bytes(text)) => {
                let text = std::str::from_utf8(text).map_err(|_| corrupt("has a piece that is no UTF-8"))?;
                piece.text = text.to_owned();
            }
            (2, Payload::Fixed(bits)) => piece.score = f64::from(f32::from_bits(bits)),
            (3, Payload::Number(kind)) => piece.kind = kind,
            _ => {}
        }
    }
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    fn number(field: u8, number: u8) -> Vec<u8> {
        // Keys of 16 and more have two bytes.
        let key = u32::from(field) << 3;
        let key = if key < 128 { vec![key as u8] } else { vec![key as u8 | 128, (key >> 7) as u8] };
        [key, vec![number]].concat()
    }

    fn message(field: u8, parts: &[Vec<u8>]) -> Vec<u8> {
        let content = parts.concat();
        [vec![field << 3 | 2, content.len() as u8], content].concat()
    }

    fn piece(text: &str, more: Vec<u8>) -> Vec<u8> {
        message(1, &[message(1, &[text.as_bytes().to_vec()]), more])
    }

    /// With what its trainer and its normalizer say.
    fn model(trainer: Vec<u8>, normalizer: Vec<u8>) -> Vec<u8> {
        let score = [&[2 << 3 | 5], &(-1.5f32).to_le_bytes()[..]].concat();
        let pieces = [piece("<unk>", number(3, 2)), piece("▁a", score), piece("<s>", number(3, 3))];
        [pieces.concat(), message(2, &[trainer]), message(3, &[normalizer])].concat()
    }

    #[test]
    fn a_model_says_its_pieces_its_kind_and_what_becomes_of_spaces() {
        let read = SentencePieceModel::read(&model(number(3, 2), [number(3, 0), number(4, 0)].concat())).unwrap();
        let pieces: Vec<_> = read.pieces.iter().map(|piece| (&*piece.text, piece.score, piece.kind)).collect();
        assert_eq!(pieces, [("<unk>", 0.0, 2), ("▁a", -1.5, 1), ("<s>", 0.0, CONTROL)]);
        assert!(!read.unigram && !read.add_dummy_prefix && !read.remove_extra_whitespaces);
        let read = SentencePieceModel::read(&model(number(40, 1), Vec::new())).unwrap();
        assert!(read.unigram && read.add_dummy_prefix && read.remove_extra_whitespaces && read.unknown == 1);
    }

    #[test]
    fn models_that_cut_texts_in_other_ways_are_refused() {
        let code =
            |trainer, normalizer| SentencePieceModel::read(&model(trainer, normalizer)).err().map(|error| error.code);
        assert_eq!(code(Vec::new(), Vec::new()), None);
        // Words, characters, spaces behind words, spaces as they are; an unknown token that is none.
        for trainer in [number(3, 3), number(3, 4), number(24, 1)] {
            assert_eq!(code(trainer, Vec::new()), Some(Code::UnsupportedModel));
        }
        assert_eq!(code(Vec::new(), number(5, 0)), Some(Code::UnsupportedModel));
        assert_eq!(code(number(40, 3), Vec::new()), Some(Code::CorruptFile));
        assert_eq!(SentencePieceModel::read(&[]).err().unwrap().code, Code::CorruptFile);
    }
}
