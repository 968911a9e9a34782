//! Classes of texts' tokens, and the spans that they make.

use super::task::Run;
use super::texts::{TextHandle, checked, read_all};
use super::value::to_js;
use crate::error::{Code, Error, Result};
use crate::model::{Output, Sequence};
use crate::text::{Located, Tag, Tags, Window, windows};
use serde::Serialize;
use std::ops::Range;
use wasm_bindgen::prelude::wasm_bindgen;

/// A part of a text with a label, from `start` to `end` in UTF-16 units.
#[derive(Serialize)]
struct TaggedSpan {
    label: String,
    score: f32,
    start: usize,
    end: usize,
}

/// What is known of texts' tokens.
struct TaggedTexts {
    tags: Tags,
    merge: bool,
    classes: usize,
    /// Tokens that stand before a window's own.
    before: usize,
    /// Each row: its text, and which of that one's tokens it has.
    rows: Vec<(usize, Window)>,
    /// What is known of each text's tokens, and what they cover.
    texts: Vec<Vec<(Tag, Range<usize>)>>,
}

#[wasm_bindgen(js_class = TextModel)]
impl TextHandle {
    /// The parts of texts that have a label, `{ label, score, start, end }[][]`; `merge`: neighbours of one thing are one. A
    /// text that is longer than the model reads at once is read in windows.
    #[wasm_bindgen(js_name = classifyTokens)]
    pub fn classify_tokens(&self, texts: Vec<String>, merge: bool) -> Result<Run> {
        let tokenizer = self.words.tokenizer()?;
        let (before, after) = tokenizer.sides();
        let room = self.most.saturating_sub(before.len() + after.len());
        if room == 0 {
            return Err(Error::invalid(format!("a model that takes {} tokens has no room for a text", self.most)));
        }
        let (mut rows, mut sequences, mut known) = (Vec::new(), Vec::new(), Vec::new());
        for (text, written) in texts.iter().enumerate() {
            let tokens = tokenizer.locate(written)?;
            for window in windows(tokens.len(), room) {
                let ids: Vec<u32> = tokens[window.tokens.clone()].iter().map(|token| token.id).collect();
                sequences.push(Sequence::new([&before, &ids, &after].map(|ids| &ids[..]).concat()));
                rows.push((text, window));
            }
            let unknown = |Located { place, .. }: Located| (Tag { class: 0, score: 0.0 }, place);
            known.push(tokens.into_iter().map(unknown).collect());
        }
        let sequences = checked(&*self.texts, sequences, Output::TokenLogits)?;
        let (tags, texts) = (Tags::new(&self.labels), self.texts.clone());
        let mut tagged = TaggedTexts { tags, merge, classes: self.classes, before: before.len(), rows, texts: known };
        Ok(Run::new(async move {
            let mut all_numbers = true;
            let take = |row: usize, logits: &[f32]| all_numbers &= tagged.take(row, logits);
            read_all(texts, sequences, Output::TokenLogits, take).await?;
            match all_numbers {
                true => Ok(to_js(&tagged.spans())),
                false => Err(Error::new(Code::Internal, "a logit is no number")),
            }
        }))
    }
}

impl TaggedTexts {
    /// The logits of one row, [tokens, classes]: whether they are numbers.
    fn take(&mut self, row: usize, logits: &[f32]) -> bool {
        let (text, Window { tokens, answers }) = &self.rows[row];
        for token in answers.clone() {
            let at = self.before + token - tokens.start;
            let Some(tag) = Tags::best(&logits[at * self.classes..][..self.classes]) else { return false };
            self.texts[*text][token].0 = tag;
        }
        true
    }

    fn spans(&self) -> Vec<Vec<TaggedSpan>> {
        let of_text = |tokens: &Vec<(Tag, Range<usize>)>| {
            let tagged = if self.merge { self.tags.merged(tokens) } else { self.tags.singles(tokens) };
            let spans = tagged.into_iter();
            spans.map(|tagged| TaggedSpan {
                label: tagged.label,
                score: tagged.score,
                start: tagged.place.start,
                end: tagged.place.end,
            })
        };
        self.texts.iter().map(|tokens| of_text(tokens).collect()).collect()
    }
}
