//! A loaded model, its sessions, and its work in steps.

use super::generating::{AnyGeneration, Beginning};
use super::grammar::{JsConstraint, vocabulary};
use super::running::{AnyModel, AnySession};
use super::task::{Run, or_null};
use super::value::{from_js, rows_from_js, to_js};
use super::words::Words;
use crate::error::{Error, Result, try_vec};
use crate::model::ModelConfig;
use crate::model::{Checksum, FinishReason, GenerateRequest, LoraConfig, LoraFile, Step, Summary, Token};
use crate::text::{Before, GenerateOptions, GenerationConfig, SharedConstraint, StopStrings, Tokenizer};
use js_sys::{Uint8Array, Uint32Array};
use serde::Serialize;
use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

pub use super::running::On;

struct Inner {
    model: Box<dyn AnyModel>,
    of: Rc<Facts>,
}

/// What a model and its adapters have together, besides what computes.
struct Facts {
    summary: Summary,
    words: Words,
    /// Tokens that end a text.
    ends: Vec<u32>,
    generation: GenerationConfig,
}

impl Deref for Inner {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.of
    }
}

impl Inner {
    /// What is to be gone on from: the prompt, or what the decoder begins with after reading it as its source.
    fn asked(&self, prompt: &JsValue) -> Result<GenerateRequest> {
        let tokens = self.words.tokens(prompt, self.model.has_encoder())?;
        if !self.model.has_encoder() {
            return Ok(GenerateRequest { source: None, prompt: tokens });
        }
        let GenerationConfig { start, first, .. } = self.generation;
        let start = start.ok_or_else(|| {
            Error::corrupt("does not say what a text begins with: \"decoder_start_token_id\"").in_file("config.json")
        })?;
        Ok(GenerateRequest { source: Some(tokens), prompt: std::iter::once(start).chain(first).collect() })
    }
}

impl Inner {
    /// What only this model has: its weights, and what is made of them.
    fn identity(&self) -> u64 {
        let spec = js_sys::JSON::stringify(&to_js(&self.summary.spec)).map(String::from).unwrap_or_default();
        Checksum::of(spec.as_bytes()) ^ self.model.checksum()
    }
}

#[wasm_bindgen(js_name = Model)]
#[derive(Clone)]
pub struct ModelHandle(Rc<Inner>);

impl ModelHandle {
    pub fn new(model: Box<dyn AnyModel>, summary: Summary, tokenizer: Option<Tokenizer>, plan: &ModelConfig) -> Self {
        let ends = tokenizer.as_ref().map_or(&*plan.end_tokens, |tokenizer| tokenizer.end_tokens()).to_vec();
        let generation = plan.generation.clone();
        let of = Rc::new(Facts { summary, words: Words(tokenizer), ends, generation });
        Self(Rc::new(Inner { model, of }))
    }

    /// An adapter's file that is to be read for it.
    pub fn lora_file(&self, scale: f32, config: Option<LoraConfig>) -> Result<LoraFile> {
        self.0.model.lora_file(scale, config)
    }

    /// The same model with what that file holds beside its weights.
    pub fn adapted(&self, file: LoraFile) -> impl Future<Output = Result<Self>> + use<> {
        let (adapting, of) = (self.0.model.adapted(file), self.0.of.clone());
        async move { Ok(Self(Rc::new(Inner { model: adapting.await?, of }))) }
    }
}

#[wasm_bindgen(js_class = Model)]
impl ModelHandle {
    pub fn summary(&self) -> JsValue {
        to_js(&self.0.summary)
    }

    /// What generation_config.json suggests.
    pub fn defaults(&self) -> JsValue {
        to_js(&self.0.generation.suggested())
    }

    pub fn encode(&self, text: &str, add_special: bool) -> Result<Vec<u32>> {
        self.0.words.encode(text, add_special)
    }

    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        self.0.words.decode(ids, skip_special)
    }

    /// A control token's text; undefined of any other.
    pub fn special(&self, id: u32) -> Option<String> {
        let tokenizer = self.0.words.tokenizer().ok().filter(|tokenizer| tokenizer.is_special(id))?;
        tokenizer.decode(&[id], false).ok()
    }

    /// The source of the chat template: with tools the one for them, where there are several.
    #[wasm_bindgen(js_name = chatTemplate)]
    pub fn chat_template(&self, with_tools: bool) -> Result<String> {
        self.0.words.tokenizer()?.chat_template_source(with_tools).map(str::to_owned)
    }

    /// What a grammar needs to know: `{ bytes, ends, special, endTokens }`.
    pub fn vocabulary(&self) -> Result<JsValue> {
        let Facts { words, ends, .. } = &*self.0.of;
        vocabulary(words, self.0.model.vocabulary(), ends).map(|vocabulary| to_js(&vocabulary))
    }

    /// The tokens of a text that goes on from another one; undefined where they would write it otherwise.
    #[wasm_bindgen(js_name = encodeAfter)]
    pub fn encode_after(&self, text: &str) -> Option<Vec<u32>> {
        self.0.words.tokenizer().ok()?.encode_after(text)
    }

    /// The text of a conversation, which comes as JSON.
    #[wasm_bindgen(js_name = applyChatTemplate)]
    pub fn apply_chat_template(&self, chat: &str) -> Result<String> {
        self.0.words.chat_text(chat)
    }

    /// The tokens of a conversation, which comes as JSON.
    #[wasm_bindgen(js_name = encodeChat)]
    pub fn encode_chat(&self, chat: &str) -> Result<Vec<u32>> {
        self.0.words.chat_tokens(chat)
    }

    pub fn session(&self) -> SessionHandle {
        SessionHandle { inner: self.0.clone(), session: self.0.model.session() }
    }

    /// Begins a generation from nothing.
    pub fn generate(
        &self,
        prompt: JsValue,
        options: JsValue,
        constraint: Option<JsConstraint>,
    ) -> Result<GenerationHandle> {
        GenerationHandle::new(&self.0, None, prompt, options, constraint)
    }

    /// Goes on with all generations that share the model's passes, until something has happened to one of them: true.
    /// False where nobody wants anything, null where it waits.
    pub fn pass(&self) -> Result<JsValue> {
        or_null(self.0.model.pass())
    }

    /// [rows, positions, vocabulary], rows padded with zeros.
    pub fn logits(&self, rows: Vec<JsValue>, last: bool) -> Result<Run> {
        self.0.model.logits(rows_from_js(rows)?, Vec::new(), last)
    }

    #[wasm_bindgen(js_name = attentionMaps)]
    pub fn attention_maps(&self, prompt: JsValue, layer: Option<usize>) -> Result<Run> {
        let tokens = self.0.words.tokens(&prompt, self.0.model.has_encoder())?;
        Ok(self.0.model.maps(tokens, layer))
    }
}

/// One conversation's cache.
#[wasm_bindgen(js_name = Session)]
pub struct SessionHandle {
    inner: Rc<Inner>,
    session: Box<dyn AnySession>,
}

#[wasm_bindgen(js_class = Session)]
impl SessionHandle {
    /// Tokens in the cache.
    #[wasm_bindgen(getter)]
    pub fn length(&self) -> usize {
        self.session.length()
    }

    /// Begins a generation; what the prompt shares with the cache is not computed again.
    pub fn generate(
        &self,
        prompt: JsValue,
        options: JsValue,
        constraint: Option<JsConstraint>,
    ) -> Result<GenerationHandle> {
        GenerationHandle::new(&self.inner, Some(&*self.session), prompt, options, constraint)
    }

    /// Another one of the same tokens.
    pub fn copy(&self) -> Result<SessionHandle> {
        Ok(Self { inner: self.inner.clone(), session: self.session.copy()? })
    }

    /// Forgets all but the first tokens. Gives how many there are: none where a window has let go what the next one looks at.
    pub fn truncate(&self, length: usize) -> Result<usize> {
        self.session.truncate(length)
    }

    /// Its tokens and what is kept of them: a `Uint8Array`.
    pub fn save(&self) -> Result<Run> {
        self.session.save(self.inner.identity())
    }

    /// Has it be one that was saved. Gives its length.
    pub fn restore(&self, saved: &Uint8Array) -> Result<Run> {
        let mut bytes = try_vec(saved.length() as usize, "a saved session")?;
        saved.copy_to(&mut bytes);
        Ok(self.session.restore(bytes, self.inner.identity()))
    }
}

#[derive(Serialize)]
struct WireToken<'a> {
    id: u32,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprob: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alternatives: Option<Vec<WireAlternative>>,
}

#[derive(Serialize)]
struct WireAlternative {
    id: u32,
    text: String,
    logprob: f32,
}

#[derive(Serialize)]
struct WireStep<'a> {
    tokens: Vec<WireToken<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireResult<'a> {
    text: &'a str,
    #[serde(with = "serde_wasm_bindgen::preserve")]
    tokens: Uint32Array,
    finish_reason: FinishReason,
    stats: WireStats,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireStats {
    prompt_tokens: usize,
    cached_tokens: usize,
    generated_tokens: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    dropped_tokens: Option<usize>,
    drafted_tokens: usize,
    accepted_tokens: usize,
}

/// A generation under way. It goes on with the model's passes, or by its own steps.
#[wasm_bindgen(js_name = Generation)]
pub struct GenerationHandle {
    inner: Rc<Inner>,
    generation: Box<dyn AnyGeneration>,
}

impl GenerationHandle {
    /// In a session, or from nothing.
    fn new(
        inner: &Rc<Inner>,
        session: Option<&dyn AnySession>,
        prompt: JsValue,
        options: JsValue,
        constraint: Option<JsConstraint>,
    ) -> Result<Self> {
        let options: GenerateOptions = from_js(options, "options")?;
        let asked = inner.asked(&prompt)?;
        let before = Before { prompt: &asked.prompt, source: asked.source.as_deref(), ends: &inner.ends };
        let sampling = inner.generation.sampling(&options, inner.model.vocabulary(), &before)?;
        let stops = StopStrings::new(&inner.generation.stops(&options))?;
        // A text of its own does not go on from the source.
        let continues = asked.source.is_none();
        let tokenizer = inner.words.0.as_ref();
        let stream = tokenizer.map(|tokenizer| tokenizer.stream(stops, true, continues)).transpose()?;
        // Any number will do: it only has to be another one each time.
        let seed = (js_sys::Math::random() * 2f64.powi(53)) as u64;
        let constraint = constraint.map(|constraint| Rc::new(RefCell::new(constraint)) as SharedConstraint);
        let beginning = Beginning { asked, sampling, stream, constraint, ends: &inner.ends, seed };
        let generation = match session {
            Some(session) => session.generate(beginning)?,
            None => inner.model.generate(beginning)?,
        };
        Ok(Self { inner: inner.clone(), generation })
    }

    fn wire<'a>(&self, token: &'a Token) -> WireToken<'a> {
        let text = |id: u32| self.inner.words.decode(&[id], false).unwrap_or_default();
        let alternatives = token.logprob.map(|_| {
            let alternatives = token.alternatives.iter();
            alternatives
                .map(|other| WireAlternative { id: other.id, text: text(other.id), logprob: other.logprob })
                .collect()
        });
        WireToken { id: token.id, text: &token.text, logprob: token.logprob, alternatives }
    }
}

#[wasm_bindgen(js_class = Generation)]
impl GenerationHandle {
    /// Whether it goes on with the model's passes, and its steps only tell of them.
    #[wasm_bindgen(getter)]
    pub fn shares(&self) -> bool {
        self.generation.shares()
    }

    /// `{ tokens }`, empty while the prompt is read; undefined when it is over, null where it waits.
    pub fn step(&mut self) -> Result<JsValue> {
        let Some(step) = self.generation.step() else { return Ok(JsValue::NULL) };
        Ok(match &step? {
            Step::Over => JsValue::UNDEFINED,
            Step::Read => to_js(&WireStep { tokens: Vec::new() }),
            Step::Token(token) => to_js(&WireStep { tokens: vec![self.wire(token)] }),
            Step::Tokens(tokens) => to_js(&WireStep { tokens: tokens.iter().map(|token| self.wire(token)).collect() }),
        })
    }

    /// What has been made; `aborted`: the caller ends it here.
    pub fn result(&mut self, aborted: bool) -> JsValue {
        let outcome = self.generation.outcome(aborted);
        to_js(&WireResult {
            text: &outcome.text,
            tokens: Uint32Array::from(&outcome.tokens[..]),
            finish_reason: outcome.finish,
            stats: WireStats {
                prompt_tokens: outcome.prompt_tokens,
                cached_tokens: outcome.cached_tokens,
                generated_tokens: outcome.tokens.len(),
                dropped_tokens: outcome.dropped_tokens,
                drafted_tokens: outcome.drafts[0],
                accepted_tokens: outcome.drafts[1],
            },
        })
    }
}

/// An encoder-decoder: like a model, but it reads a source first.
#[wasm_bindgen(js_name = Seq2SeqModel)]
pub struct Seq2SeqHandle(ModelHandle);

impl Seq2SeqHandle {
    pub fn new(model: ModelHandle) -> Self {
        Self(model)
    }
}

#[wasm_bindgen(js_class = Seq2SeqModel)]
impl Seq2SeqHandle {
    pub fn summary(&self) -> JsValue {
        self.0.summary()
    }

    pub fn encode(&self, text: &str, add_special: bool) -> Result<Vec<u32>> {
        self.0.encode(text, add_special)
    }

    pub fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String> {
        self.0.decode(ids, skip_special)
    }

    /// Begins a generation. With several beams all tokens come at the end.
    pub fn generate(&self, prompt: JsValue, options: JsValue) -> Result<GenerationHandle> {
        self.0.generate(prompt, options, None)
    }

    /// As a [`Model`]'s.
    pub fn pass(&self) -> Result<JsValue> {
        self.0.pass()
    }

    /// [rows, decoder positions, vocabulary], rows padded with zeros.
    pub fn logits(&self, rows: Vec<JsValue>, decoder_rows: Vec<JsValue>) -> Result<Run> {
        let (rows, sources) = (rows_from_js(decoder_rows)?, rows_from_js(rows)?);
        self.0.0.model.logits(rows, sources, false)
    }
}
