//! Classes of texts' tokens, and the spans that they make.

use super::texts::{Batches, TextModel};
use super::value::to_js;
use crate::error::{Code, Error, Result};
use crate::model::{Reading, Sequence};
use crate::text::{Located, Tag, Tags, Window, windows};
use serde::Serialize;
use std::ops::Range;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

/// A part of a text with a label, from `start` to `end` in UTF-16 units.
#[derive(Serialize)]
struct Span {
    label: String,
    score: f32,
    start: usize,
    end: usize,
}

/// Texts whose tokens' classes are under way.
#[wasm_bindgen]
pub struct TagRun {
    batches: Batches,
    tags: Tags,
    merge: bool,
    classes: usize,
    /// What stands before and behind a window's own tokens.
    around: [usize; 2],
    /// Each row: its text, and which of that one's tokens it has.
    rows: Vec<(usize, Window)>,
    /// What is known of each text's tokens, and what they cover.
    texts: Vec<Vec<(Tag, Range<usize>)>>,
}

#[wasm_bindgen]
impl TextModel {
    /// The parts of texts that have a label; `merge`: neighbours of one thing are one. A text that is longer than the model
    /// reads at once is read in windows.
    #[wasm_bindgen(js_name = classifyTokens)]
    pub fn classify_tokens(&self, texts: Vec<String>, merge: bool) -> Result<TagRun> {
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
        let batches = Batches::new(self.texts.clone(), sequences, Reading::TokenLogits)?;
        let around = [before.len(), after.len()];
        Ok(TagRun { batches, tags: Tags::new(&self.labels), merge, classes: self.classes, around, rows, texts: known })
    }
}

impl TagRun {
    /// The logits of one row, [tokens, classes].
    fn take(&mut self, row: usize, logits: &[f32]) -> Result<()> {
        let (text, Window { tokens, answers }) = &self.rows[row];
        for token in answers.clone() {
            let at = self.around[0] + token - tokens.start;
            let tag = Tags::best(&logits[at * self.classes..][..self.classes]);
            self.texts[*text][token].0 = tag.ok_or_else(|| Error::new(Code::Internal, "a logit is no number"))?;
        }
        Ok(())
    }

    fn spans(&self) -> Vec<Vec<Span>> {
        let of_text = |tokens: &Vec<(Tag, Range<usize>)>| {
            let tagged = if self.merge { self.tags.merged(tokens) } else { self.tags.singles(tokens) };
            let spans = tagged.into_iter();
            spans.map(|tagged| Span {
                label: tagged.label,
                score: tagged.score,
                start: tagged.place.start,
                end: tagged.place.end,
            })
        };
        self.texts.iter().map(|tokens| of_text(tokens).collect()).collect()
    }
}

#[wasm_bindgen]
impl TagRun {
    /// `{ label, score, start, end }[][]` in the end; true where there is more to do, null where it waits.
    pub fn step(&mut self) -> Result<JsValue> {
        let Some(result) = self.batches.step() else { return Ok(JsValue::NULL) };
        let (rows, values) = result?;
        let mut rest = &values[..];
        for row in rows {
            let tokens = self.around[0] + self.rows[row].1.tokens.len() + self.around[1];
            let (now, later) = rest.split_at(tokens * self.classes);
            self.take(row, now)?;
            rest = later;
        }
        Ok(if self.batches.is_over() { to_js(&self.spans()) } else { true.into() })
    }
}
