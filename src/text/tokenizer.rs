//! The tokenizer: text to ids and back.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use tokenizers::{AddedToken, OffsetReferential, OffsetType, PreTokenizedString, Token};

use super::added::{Added, IsText};
use super::decoder::{Decoder, Joining};
use super::model::TokenModel;
use super::normalizer::{Normalizing, Rule};
use super::offsets::{Located, located};
use super::post_processor::PostProcessor;
use super::pre_tokenizer::SplitStep;
use super::stop::StopStrings;
use super::stream::TextStream;
use super::template::{ChatPrompt, ChatTemplate};
use super::templates::Templates;
use super::work::{Spent, StepBudget};
use crate::{Error, Result};

/// Longest text that is encoded at once, some half a million tokens of English.
const MAX_TEXT: usize = 2 << 20;
/// Longest word whose tokens are kept for the rest of a text.
const MAX_KNOWN: usize = 64;

/// Tokens that end a turn in models that were trained for chat. A vocabulary that has one as a token of
/// its own means it so, whether or not its metadata say it.
const TURN_ENDS: [&str; 13] = [
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|end_of_turn|>",
    "<end_of_turn>",
    "<|return|>",
    "<|EOT|>",
    "<end_of_utterance>",
    "<｜end▁of▁sentence｜>",
    "</s>",
];

/// What a tokenizer is made of, whichever file it came from.
pub(crate) struct Parts {
    pub model: TokenModel,
    pub rules: Vec<Rule>,
    pub steps: Vec<SplitStep>,
    pub added: Vec<(AddedToken, u32)>,
    pub decoder: Decoder,
    pub post_processor: PostProcessor,
    /// Longest text in tokens, where the files say.
    pub max_tokens: Option<usize>,
    pub bos: Option<u32>,
    pub ends: Vec<u32>,
    /// What texts are filled up with.
    pub padding: Option<u32>,
    pub templates: Templates,
    /// What the files leave open and is assumed, in words.
    pub warnings: Vec<String>,
    pub codes: Option<Codes>,
}

/// Marian's way to name a language: `>>fr<<` at a text's start is a token of its own, known or not.
pub(crate) struct Codes {
    pub ids: HashMap<String, u32>,
    pub unknown: u32,
}

impl Codes {
    /// The code that a text begins with, and the rest.
    fn take<'a>(&self, text: &'a str) -> Option<(u32, &'a str)> {
        let end = text.starts_with(">>").then(|| text.find("<<"))?? + 2;
        let id = self.ids.get(&text[..end]).copied().unwrap_or(self.unknown);
        Some((id, &text[end..]))
    }
}

/// A text that is cut into parts, each with its tokens.
struct Cut {
    /// The code it begins with, and the bytes of that; the parts are of the rest.
    code: Option<(u32, usize)>,
    parts: PreTokenizedString,
    /// Those that are no added tokens.
    of_texts: Vec<u32>,
}

/// A checkpoint's tokenizer.
pub struct Tokenizer {
    model: TokenModel,
    rules: Vec<Rule>,
    steps: Vec<SplitStep>,
    added: Added,
    decoder: Arc<Decoder>,
    post_processor: PostProcessor,
    max_tokens: Option<usize>,
    bos: Option<u32>,
    ends: Vec<u32>,
    padding: Option<u32>,
    templates: Templates,
    warnings: Vec<String>,
    codes: Option<Codes>,
}

impl Tokenizer {
    pub(crate) fn new(parts: Parts) -> Result<Self> {
        // One thread in WebAssembly, and none to spawn.
        tokenizers::utils::parallelism::set_parallelism(false);
        let mut ends = parts.ends;
        let has = |text: &str| parts.added.iter().any(|(token, _)| token.content == text);
        // gpt-oss's answers are several messages (thoughts, then what it says), each with its end.
        let in_messages = has("<|return|>") && has("<|call|>");
        let ends_turn = |text: &str| TURN_ENDS.contains(&text) && !(in_messages && text == "<|end|>");
        let turn_ends = parts.added.iter().filter(|(token, _)| ends_turn(&token.content));
        ends.extend(turn_ends.map(|&(_, id)| id));
        ends.sort_unstable();
        ends.dedup();
        let work = StepBudget::of(parts.added.iter().map(|(token, _)| token.content.len()).sum());
        let added = Added::new(&parts.model, parts.added, &Normalizing::new(&parts.rules, &work))?;
        Ok(Self {
            model: parts.model,
            rules: parts.rules,
            steps: parts.steps,
            added,
            decoder: Arc::new(parts.decoder),
            post_processor: parts.post_processor,
            max_tokens: parts.max_tokens,
            bos: parts.bos,
            ends,
            padding: parts.padding,
            templates: parts.templates,
            warnings: parts.warnings,
            codes: parts.codes,
        })
    }

    /// What its files leave open and is assumed, in words: `ModelSummary.warnings` of the JavaScript API.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The ids of a text. Special tokens written out in it are recognised. With `add_special` it gets
    /// what the tokenizer puts around a text. Where that is BOS alone, a text that begins with it (a chat
    /// template's) gets no second one.
    pub fn encode(&self, text: &str, add_special: bool) -> Result<Vec<u32>> {
        let ids = self.encode_plain(text)?;
        let (before, after) = self.post_processor.sides();
        if !add_special || (after.is_empty() && ids.starts_with(&before)) {
            return Ok(ids);
        }
        Ok([before, ids, after].concat())
    }

    /// The ids of a text that a model goes on with: with one BOS, also where it begins with one, and without what would end
    /// the text.
    pub fn encode_prompt(&self, text: &str) -> Result<Vec<u32>> {
        let ids = self.encode_plain(text)?;
        let (mut before, _) = self.post_processor.sides();
        if ids.starts_with(&before) {
            before.clear();
        }
        Ok([before, ids].concat())
    }

    /// The ids of a text or a pair with what the tokenizer puts around them, and for each the type id: of
    /// which text it is, as far as the model tells them apart. Of more than `most` the longer text is cut
    /// first; special tokens stay.
    pub fn encode_pair(&self, text: &str, second: Option<&str>, most: Option<usize>) -> Result<(Vec<u32>, Vec<u32>)> {
        let kept = |text| if most.is_some() { self.kept(text) } else { text };
        let first = self.encode_plain(kept(text))?;
        let second = second.map(|text| self.encode_plain(kept(text))).transpose()?;
        self.post_processor.join(&first, second.as_deref(), most)
    }

    /// What is looked at of a text that will be cut: no model takes as many tokens as are in the rest.
    fn kept<'a>(&self, text: &'a str) -> &'a str {
        match self.post_processor.keep_end {
            true => &text[text.ceil_char_boundary(text.len().saturating_sub(MAX_TEXT))..],
            false => &text[..text.floor_char_boundary(MAX_TEXT)],
        }
    }

    /// The ids of a rendered conversation: control tokens that a message spells out are its text, unless they are
    /// allowed.
    pub fn encode_chat(&self, prompt: &ChatPrompt) -> Result<Vec<u32>> {
        if prompt.allows_special() || prompt.given().is_empty() {
            return self.encode_plain(prompt.text());
        }
        let is_text = |token: &AddedToken, span: Range<usize>| prompt.is_given(&span) && self.is_control(prompt, token);
        let (ids, of_texts) = self.encode_but(prompt.text(), &is_text)?;
        // A vocabulary may have control tokens among its words (SentencePiece), and find them there.
        let is_control = |token: &AddedToken| self.is_control(prompt, token) && prompt.is_spelled(&token.content);
        match of_texts.iter().find(|id| self.added.is(**id, is_control)) {
            Some(id) => Err(Error::invalid(format!(
                "a message spells out the control token {:?}, which this tokenizer cannot keep text; allowSpecial lets it count",
                self.decode(&[*id], false)?,
            ))),
            None => Ok(ids),
        }
    }

    /// Whether a token means more than its text in chats: by the checkpoint's own list, or as the prompt tells.
    fn is_control(&self, prompt: &ChatPrompt, token: &AddedToken) -> bool {
        match &self.templates.controls {
            Some(list) => token.special || list.contains(&token.content),
            None => prompt.is_control(&token.content, token.special),
        }
    }

    /// The text of a rendered conversation, where it is not to be confused with one that a message has forged.
    pub fn chat_text(&self, prompt: ChatPrompt) -> Result<String> {
        let spelled = RefCell::new(None);
        if !prompt.allows_special() && !prompt.given().is_empty() {
            let is_text = |token: &AddedToken, span: Range<usize>| {
                let forged = prompt.is_given(&span) && self.is_control(&prompt, token);
                if forged {
                    spelled.borrow_mut().get_or_insert_with(|| token.content.clone());
                }
                forged
            };
            self.encode_but(prompt.text(), &is_text)?;
        }
        match spelled.into_inner() {
            Some(token) => Err(Error::invalid(format!(
                "a message spells out the control token {token:?}, which as text cannot be told from the template's own: \
                 generate takes the messages themselves and keeps it text; allowSpecial lets it count"
            ))),
            None => Ok(prompt.into_text()),
        }
    }

    fn encode_plain(&self, text: &str) -> Result<Vec<u32>> {
        self.encode_but(text, &|_, _| false).map(|(ids, _)| ids)
    }

    /// The ids of a text, less the added tokens in it that are text; and those ids that are of no added token.
    fn encode_but(&self, text: &str, is_text: &IsText) -> Result<(Vec<u32>, Vec<u32>)> {
        let Cut { code, parts, mut of_texts } = self.cut(text, is_text, false)?;
        let splits = parts.get_splits(OffsetReferential::Normalized, OffsetType::None);
        let ids = splits.iter().flat_map(|(_, _, tokens)| tokens.iter().flatten().map(|token| token.id));
        let ids = code.map(|(id, _)| id).into_iter().chain(ids).collect();
        of_texts.sort_unstable();
        of_texts.dedup();
        Ok((ids, of_texts))
    }

    /// The tokens of a text, without what the tokenizer puts around them, and what each covers of it.
    pub fn locate(&self, text: &str) -> Result<Vec<Located>> {
        let Cut { code, parts, .. } = self.cut(text, &|_, _| false, true)?;
        located(text, code, parts, &self.post_processor.trims)
    }

    /// A text in parts, each with its tokens; `written`: and what those are written as.
    fn cut(&self, text: &str, is_text: &IsText, written: bool) -> Result<Cut> {
        if text.len() > MAX_TEXT {
            let message = format!("a text of {} bytes, this tokenizer takes at most {}", text.len(), MAX_TEXT);
            return Err(Error::invalid(message));
        }
        let whole = text.len();
        let code = self.codes.as_ref().and_then(|codes| codes.take(text));
        let (code, text) = code.map_or((None, text), |(id, rest)| (Some((id, whole - rest.len())), rest));
        let shift = whole - text.len();
        let is_text = |token: &AddedToken, span: Range<usize>| is_text(token, span.start + shift..span.end + shift);
        let (work, of_texts) = (StepBudget::of(text.len()), RefCell::new(Vec::new()));
        let parts = self.tokenize(text, &work, &is_text, &of_texts, written).map_err(|error| match work.spent() {
            true => Spent.into(),
            false => Error::unsupported(format!("tokenizer: {error}")),
        })?;
        Ok(Cut { code, parts, of_texts: of_texts.into_inner() })
    }

    /// `of_texts` gets the tokens that are no added ones.
    fn tokenize(
        &self,
        text: &str,
        work: &StepBudget,
        is_text: &IsText,
        of_texts: &RefCell<Vec<u32>>,
        written: bool,
    ) -> tokenizers::Result<PreTokenizedString> {
        let mut parts = self.added.extract(text, &Normalizing::new(&self.rules, work), work, is_text)?;
        for step in &self.steps {
            work.pay(text.len() as u64)?;
            step.apply(&mut parts, work)?;
        }
        // Most words of a text come again.
        let known = RefCell::new(HashMap::<Box<str>, Vec<Token>>::new());
        parts.tokenize(|part| {
            let word = part.get();
            if let Some(tokens) = known.borrow().get(word) {
                return Ok(tokens.clone());
            }
            // Mostly nobody asks for what they are written as.
            let bare = |token: Token| if written { token } else { Token::new(token.id, String::new(), token.offsets) };
            let tokens: Vec<Token> = self.model.tokenize(word, work)?.into_iter().map(bare).collect();
            of_texts.borrow_mut().extend(tokens.iter().map(|token| token.id));
            if word.len() <= MAX_KNOWN {
                known.borrow_mut().insert(word.into(), tokens.clone());
            }
            Ok(tokens)
        })?;
        Ok(parts)
    }

    /// What stands before and behind each text.
    pub fn sides(&self) -> (Vec<u32>, Vec<u32>) {
        self.post_processor.sides()
    }

    /// The text of ids. What is no character becomes U+FFFD, one for each maximal broken part.
    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        self.decoder.decode(ids, skip_special)
    }

    /// The text of tokens as they come. `continues`: it goes on from a text before it (a prompt), whose
    /// last word a SentencePiece token's leading space then parts from it.
    pub fn stream(&self, stops: StopStrings, skip_special: bool, continues: bool) -> Result<TextStream> {
        self.decoder.supported()?;
        Ok(TextStream::new(self.decoder.clone(), stops, skip_special, continues))
    }

    /// What a token in the midst of a text adds to it; nothing where no text has it. Error: unsupported-model where that
    /// depends on its neighbours.
    pub fn piece(&self, id: u32) -> Result<Vec<u8>> {
        self.decoder.piece(id)
    }

    /// The tokens of a text that goes on from another one, none of them a control token; none where the tokenizer writes it otherwise
    /// than it stands.
    pub fn encode_after(&self, text: &str) -> Option<Vec<u32>> {
        // Where words begin with their space, so does a text, unless it goes on from something.
        let before = if matches!(self.decoder.joining(), Joining::Plain) { "" } else { "\u{2}" };
        let encode = |text: &str| self.encode_but(text, &|token, _| token.special).ok().map(|(ids, _)| ids);
        let ids = encode(&format!("{before}{text}"))?;
        let ids = ids.strip_prefix(&encode(before)?[..])?;
        let written: Vec<u8> = ids.iter().flat_map(|id| self.piece(*id).unwrap_or_default()).collect();
        (written == text.as_bytes()).then(|| ids.to_vec())
    }

    /// Tokens that end a generation, by id.
    pub fn end_tokens(&self) -> &[u32] {
        &self.ends
    }

    /// Adds end tokens that another file names (`generation_config.json`, `config.json`).
    pub fn add_end_tokens(&mut self, ids: &[u32]) {
        self.ends.extend_from_slice(ids);
        self.ends.sort_unstable();
        self.ends.dedup();
    }

    /// How many tokens a text may have: `model_max_length` of `tokenizer_config.json`, else what
    /// `tokenizer.json` truncates to.
    pub fn max_tokens(&self) -> Option<usize> {
        self.max_tokens
    }

    /// Texts are written in small letters before any other rule (`do_lower_case` of sentence-transformers), but for the
    /// tokens that are found in them as they are written. Error: unsupported-model.
    pub fn set_lowercase(&mut self) -> Result<()> {
        if self.rules.iter().any(|rule| matches!(rule, Rule::Lowercase)) {
            return Ok(());
        }
        self.rules.insert(0, Rule::Lowercase);
        let tokens = self.added.tokens().to_vec();
        let work = StepBudget::of(tokens.iter().map(|(token, _)| token.content.len()).sum());
        self.added = Added::new(&self.model, tokens, &Normalizing::new(&self.rules, &work))?;
        Ok(())
    }

    /// One more than the largest id. A model may have more logits than that.
    pub fn vocabulary_size(&self) -> usize {
        self.decoder.len()
    }

    /// The token that begins a text, where there is one.
    pub fn bos(&self) -> Option<u32> {
        self.bos
    }

    /// What texts are filled up with to a length, as tokenizer_config.json says.
    pub fn padding(&self) -> Option<u32> {
        self.padding
    }

    /// Whether `encode` with `add_special` puts BOS before a text.
    pub fn adds_bos(&self) -> bool {
        self.bos.is_some() && self.post_processor.sides().0.first() == self.bos.as_ref()
    }

    pub fn is_special(&self, id: u32) -> bool {
        self.decoder.is_special(id)
    }

    /// Takes other chat templates than the tokenizer's own: `chat_template.jinja`, and the one for conversations with tools
    /// that stands beside it (`additional_chat_templates`).
    pub fn set_chat_templates(&mut self, default: String, with_tools: Option<String>) {
        self.templates.sources = vec![(Templates::DEFAULT.to_owned(), default)];
        self.templates.sources.extend(with_tools.map(|source| (Templates::WITH_TOOLS.to_owned(), source)));
    }

    /// The source of [`Tokenizer::chat_template`].
    pub fn chat_template_source(&self, with_tools: bool) -> Result<&str> {
        self.templates.source(with_tools)
    }

    /// The checkpoint's chat template: with tools the one for them, where there are several.
    pub fn chat_template(&self, with_tools: bool) -> Result<ChatTemplate> {
        ChatTemplate::new(self.templates.source(with_tools)?, &self.templates.tokens)
    }
}
