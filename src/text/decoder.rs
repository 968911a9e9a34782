//! From token ids to text: the bytes each token stands for, and how neighbours join.

use crate::{Error, Result};

/// How the pieces become one text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Joining {
    /// One after the other.
    Plain,
    /// One after the other, without up to this many spaces at the very start (SentencePiece).
    StripStart(usize),
    /// One after the other, with spaces for the sign; in the first there are none.
    Metaspace(String),
    /// With spaces between (tokenizers without a decoder).
    Spaced,
    /// With a space before each but the first, or the given prefix cut off instead (BERT).
    WordPiece { prefix: String, cleanup: bool },
    /// In a way that is not supported, by name.
    Unknown(String),
}

/// The vocabulary as decoding needs it: one buffer for all tokens.
#[derive(Debug)]
pub(crate) struct Decoder {
    bytes: Vec<u8>,
    /// Where each token's bytes end.
    ends: Vec<u32>,
    special: Vec<bool>,
    joining: Joining,
}

/// A text that is being decoded.
#[derive(Debug)]
pub(crate) struct Decoding {
    /// The beginning of a character whose other bytes have yet to come.
    unfinished: Vec<u8>,
    /// Nothing has come yet.
    first: bool,
    /// Spaces stripped so far at the start; `None` once that is over.
    stripped: Option<usize>,
}

impl Decoding {
    pub fn new(continues: bool) -> Self {
        Self { unfinished: Vec::new(), first: !continues, stripped: if continues { None } else { Some(0) } }
    }

    /// Appends every whole character. What can be no character becomes U+FFFD, as
    /// `String::from_utf8_lossy` has it.
    fn take(&mut self, bytes: &[u8], out: &mut String) {
        self.unfinished.extend_from_slice(bytes);
        let mut rest = &self.unfinished[..];
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    out.push_str(text);
                    rest = &[];
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    out.push_str(&String::from_utf8_lossy(valid));
                    rest = after;
                    if let Some(length) = error.error_len() {
                        out.push(char::REPLACEMENT_CHARACTER);
                        rest = &rest[length..];
                        continue;
                    }
                }
            }
            break;
        }
        let done = self.unfinished.len() - rest.len();
        self.unfinished.drain(..done);
    }

    /// An unfinished character becomes U+FFFD.
    pub fn finish(&mut self, out: &mut String) {
        if !std::mem::take(&mut self.unfinished).is_empty() {
            out.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

impl Decoder {
    /// An empty vocabulary, to be filled with `add`.
    pub fn new(joining: Joining) -> Self {
        Self { bytes: Vec::new(), ends: Vec::new(), special: Vec::new(), joining }
    }

    /// Adds the token with the next id: the bytes it stands for, which may be part of a character.
    pub fn add(&mut self, bytes: &[u8], special: bool) -> Result<()> {
        self.bytes.extend_from_slice(bytes);
        let end = u32::try_from(self.bytes.len());
        self.ends.push(end.map_err(|_| Error::unsupported("a vocabulary of more than 4 GiB"))?);
        self.special.push(special);
        Ok(())
    }

    pub fn joining(&self) -> &Joining {
        &self.joining
    }

    /// Bytes of all tokens.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_special(&self, id: u32) -> bool {
        self.special.get(id as usize).copied().unwrap_or(false)
    }

    /// The bytes of one token; none where the id is outside the vocabulary.
    fn bytes(&self, id: u32) -> &[u8] {
        let id = id as usize;
        let Some(&end) = self.ends.get(id) else { return &[] };
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        &self.bytes[start as usize..end as usize]
    }

    /// Appends what the token adds to the text.
    pub fn push(&self, state: &mut Decoding, id: u32, skip_special: bool, out: &mut String) {
        if id as usize >= self.len() || (skip_special && self.is_special(id)) {
            return;
        }
        let bytes = self.bytes(id);
        match &self.joining {
            Joining::Plain | Joining::Unknown(_) => state.take(bytes, out),
            Joining::StripStart(count) => {
                let cut = strip(&mut state.stripped, *count, bytes);
                state.take(&bytes[cut..], out);
            }
            Joining::Metaspace(sign) => {
                let space = if state.first { "" } else { " " };
                state.take(String::from_utf8_lossy(bytes).replace(sign, space).as_bytes(), out);
            }
            Joining::Spaced => {
                if !state.first {
                    out.push(' ');
                }
                state.take(bytes, out);
            }
            Joining::WordPiece { prefix, cleanup } => {
                let text = word_piece(&String::from_utf8_lossy(bytes), prefix, *cleanup, state.first);
                out.push_str(&text);
            }
        }
        state.first = false;
    }

    /// What a token in the midst of a text adds to it; nothing where the id is outside the vocabulary. Error:
    /// unsupported-model where that depends on its neighbours.
    pub fn piece(&self, id: u32) -> Result<Vec<u8>> {
        let bytes = self.bytes(id);
        match &self.joining {
            Joining::Plain | Joining::StripStart(_) => Ok(bytes.to_vec()),
            Joining::Metaspace(sign) => Ok(String::from_utf8_lossy(bytes).replace(sign, " ").into_bytes()),
            _ => {
                Err(Error::unsupported("grammars need a tokenizer whose tokens stand one after the other in the text"))
            }
        }
    }

    /// An error where the tokens cannot be joined to the right text.
    pub fn supported(&self) -> Result<()> {
        match &self.joining {
            Joining::Unknown(name) => Err(Error::unsupported(format!("tokenizer: the decoder {name} is not known"))),
            _ => Ok(()),
        }
    }

    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        if let Some(id) = ids.iter().find(|&&id| id as usize >= self.len()) {
            return Err(Error::invalid(format!("token id {id}: the vocabulary has {} tokens", self.len())));
        }
        self.supported()?;
        let mut out = String::new();
        let mut state = Decoding::new(false);
        for &id in ids {
            self.push(&mut state, id, skip_special, &mut out);
        }
        state.finish(&mut out);
        Ok(out)
    }
}

/// How many bytes to leave out at the start of a piece, where `stripped` spaces have gone before.
fn strip(stripped: &mut Option<usize>, count: usize, bytes: &[u8]) -> usize {
    let Some(before) = *stripped else { return 0 };
    let spaces = bytes.iter().take(count - before).take_while(|&&byte| byte == b' ').count();
    let over = before + spaces == count || spaces < bytes.len();
    *stripped = if over { None } else { Some(before + spaces) };
    spaces
}

/// One WordPiece token as the `tokenizers` crate joins it.
fn word_piece(token: &str, prefix: &str, cleanup: bool, first: bool) -> String {
    let mut text = match token.strip_prefix(prefix) {
        _ if first => token.to_owned(),
        Some(rest) => rest.to_owned(),
        None => format!(" {token}"),
    };
    if cleanup {
        for mark in [" .", " ?", " !", " ,", " n't", " 'm", " 's", " 've", " 're"] {
            text = text.replace(mark, &mark[1..]);
        }
        text = text.replace(" ' ", "'").replace(" do not", " don't");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoder(joining: Joining, pieces: &[&[u8]]) -> Decoder {
        let mut decoder = Decoder::new(joining);
        for piece in pieces {
            decoder.add(piece, piece.starts_with(b"<")).unwrap();
        }
        decoder
    }

    /// Every piece as it comes, then the rest.
    fn stream(decoder: &Decoder, ids: &[u32]) -> Vec<String> {
        let mut state = Decoding::new(false);
        let mut pieces: Vec<String> = Vec::new();
        for &id in ids {
            let mut text = String::new();
            decoder.push(&mut state, id, false, &mut text);
            pieces.push(text);
        }
        let mut text = String::new();
        state.finish(&mut text);
        pieces.push(text);
        pieces
    }

    #[test]
    fn a_character_over_four_tokens_comes_whole() {
        let decoder = decoder(Joining::Plain, &[b"\xf0", b"\x9f", b"\x99", b"\x82", b"a"]);
        assert_eq!(stream(&decoder, &[4, 0, 1, 2, 3, 4]), ["a", "", "", "", "🙂", "a", ""]);
        assert_eq!(stream(&decoder, &[0, 1, 2]), ["", "", "", "\u{fffd}"]);
        assert_eq!(stream(&decoder, &[0, 1, 4, 1]), ["", "", "\u{fffd}a", "\u{fffd}", ""]);
    }

    #[test]
    fn pieces_together_are_the_lossy_text_whatever_the_bytes() {
        let all: Vec<[u8; 1]> = (0..=255).map(|byte| [byte]).collect();
        let decoder = decoder(Joining::Plain, &all.iter().map(|b| &b[..]).collect::<Vec<_>>());
        let mut random = crate::text::random::Random::new(7);
        for _ in 0..2000 {
            let ids: Vec<u32> = (0..12)
                .map(|_| [0xf0, 0x9f, 0x99, 0x82, 0xe2, 0x41, 0xc3, 0xff][(random.uniform() * 8.0) as usize])
                .collect();
            let bytes: Vec<u8> = ids.iter().map(|&id| id as u8).collect();
            assert_eq!(stream(&decoder, &ids).concat(), String::from_utf8_lossy(&bytes));
            assert_eq!(decoder.decode(&ids, false).unwrap(), String::from_utf8_lossy(&bytes));
        }
    }

    #[test]
    fn only_the_first_space_is_stripped() {
        let decoder = decoder(Joining::StripStart(1), &[b" a", b" ", b"<s>"]);
        assert_eq!(decoder.decode(&[0, 0], false).unwrap(), "a a");
        assert_eq!(decoder.decode(&[1, 0], false).unwrap(), " a");
        assert_eq!(decoder.decode(&[2, 0], false).unwrap(), "<s> a");
        assert_eq!(decoder.decode(&[2, 0], true).unwrap(), "a");
        let mut text = String::new();
        decoder.push(&mut Decoding::new(true), 0, false, &mut text);
        assert_eq!(text, " a", "a text that goes on keeps its space");
    }

    #[test]
    fn the_first_piece_has_none_of_its_signs() {
        let decoder = decoder(Joining::Metaspace("▁".into()), &["▁▁a".as_bytes(), "b▁".as_bytes(), b" ", b"<s>"]);
        assert_eq!(decoder.decode(&[0, 0], false).unwrap(), "a  a");
        assert_eq!(decoder.decode(&[1, 1], false).unwrap(), "bb ");
        assert_eq!(decoder.decode(&[2, 0], false).unwrap(), "   a");
        assert_eq!(decoder.decode(&[3, 0], false).unwrap(), "<s>  a");
        assert_eq!(decoder.decode(&[3, 0], true).unwrap(), "a");
    }

    #[test]
    fn word_pieces_join_as_bert_s_do() {
        let joining = Joining::WordPiece { prefix: "##".into(), cleanup: true };
        let decoder = decoder(joining, &[b"token", b"##izer", b".", b"don", b"'", b"t"]);
        assert_eq!(decoder.decode(&[0, 1, 0, 2], false).unwrap(), "tokenizer token.");
    }

    #[test]
    fn ids_outside_the_vocabulary_are_refused() {
        let error = decoder(Joining::Plain, &[b"a"]).decode(&[0, 1], false).unwrap_err();
        assert_eq!(error.code, crate::Code::InvalidArgument);
        assert!(error.message.contains('1'), "{error}");
    }
}
