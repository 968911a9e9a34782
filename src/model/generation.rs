//! Text generation as a state machine: it says which rows it wants computed, and takes what came of them.
//!
//! It knows neither the model nor the device, and waits for nothing: [`super::Scheduler`] does. A prompt goes in by
//! chunks, then tokens come out one by one. Where the device chooses tokens itself, several steps are wanted at once:
//! each feeds on the one before without the token leaving the device, and what comes back, late, is its id. Steps that
//! were begun when the end came are for nothing, and what they have put into the cache is written over.
//!
//! Where a grammar says what may come, each token has to be known before the next one is chosen; those that can but follow
//! it are told with it, and their rows go through the model together.
//!
//! Where tokens are drafted (`speculation.rs`), a step's row goes through with theirs, and what comes back are the tokens
//! of all of them, as far as the drafts were right.

use super::context_shift::ContextShift;
use super::costs::Costs;
use super::speculation::Speculation;
use crate::device::Choosing;
use crate::error::{Code, Error, Result};
use crate::text::{Alternative, Draft, Sample, Sampler, Sampling, SharedConstraint, TextStream, nothing_left, scale};
use serde::Serialize;

/// Steps under way on a device that chooses tokens itself: enough to hide the way back of an id.
const AHEAD: usize = 3;
/// The same where ids come late, and several at a time: Firefox looks for them every 100 ms.
const MOST_AHEAD: usize = 16;

/// Why a generation is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FinishReason {
    /// The model chose an end token.
    End,
    /// A stop string came.
    Stop,
    /// As many tokens as were asked for, or the context is full.
    Length,
    Aborted,
}

/// One step's token, with the text that may be shown now.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub id: u32,
    pub text: String,
    /// Where log-probabilities were asked for.
    pub logprob: Option<f32>,
    pub alternatives: Vec<Alternative>,
}

/// What one step has done.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// A part of the prompt was read.
    Read,
    Token(Token),
    /// Several at once: the last one had to come, or a search is over.
    Tokens(Vec<Token>),
    /// Nothing: the generation was over.
    Over,
}

/// What a generation goes on from.
pub struct GenerateRequest {
    /// An encoder's text.
    pub source: Option<Vec<u32>>,
    pub prompt: Vec<u32>,
}

/// What a model gives a generation room for.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub vocabulary: usize,
    /// Tokens that may be made.
    pub max_tokens: usize,
    /// Where a sequence has more tokens than that, all of it is computed otherwise: LongRoPE.
    pub turning_point: Option<usize>,
    /// Where the context does not end the text.
    pub shift: Option<ContextShift>,
}

/// What a generation wants computed next.
#[derive(Debug, PartialEq)]
pub enum Want<'a> {
    /// An encoder is to read this.
    Source(&'a [u32]),
    /// The prompt's next tokens, as many at a time as suits; the answer is to the last of them.
    Prompt { tokens: &'a [u32], position: usize, answer: Answer },
    /// One row more; without a token the one that the device has chosen last. As many of the drafts behind it as there is
    /// room for; the answer is to each.
    Step { token: Option<u32>, drafts: &'a [u32], position: usize, answer: Answer },
    /// Nothing before an answer that is under way has come.
    Waiting,
    /// Nothing: it is over.
    Nothing,
}

/// What is to come back of the last row that was wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// That it has been computed.
    Computed,
    /// Its logits.
    Logits,
    /// The id of the token that the device chooses from its logits.
    Chosen,
}

/// What has come of rows that were wanted.
pub enum Came<'a> {
    /// They have been computed: the source, a part of the prompt, or all of it where nothing else was asked.
    Computed,
    /// [1 + drafts, vocabulary]; they are changed.
    Logits(&'a mut [f32]),
    /// `starved`: the device had done all its steps before anybody knew.
    Chosen { id: u32, starved: bool },
    /// Those of a step and its drafts, up to one that is none: a logit was no number.
    ChosenEach(Vec<u32>),
}

/// A generation under way.
pub struct Generation {
    /// What an encoder has to read first.
    source: Option<Vec<u32>>,
    prompt: Vec<u32>,
    /// What the context has of the text, once that is read like a prompt: what came of several tokens at once, or anew beyond
    /// the turning point, and where the context is full.
    sequence: Option<Vec<u32>>,
    turning_point: Option<usize>,
    shift: Option<ContextShift>,
    /// Tokens of either that are computed, or begun.
    begun: usize,
    vocabulary: usize,
    /// Of what was asked: the source where there is one.
    prompt_tokens: usize,
    /// Tokens of the prompt that the session's cache already had.
    cached: usize,
    /// What the device would have to know to choose tokens itself; none where they are chosen here in any case.
    choosing: Option<Choosing>,
    /// The device chooses.
    chosen_there: bool,
    sampler: Sampler,
    constraint: Option<SharedConstraint>,
    /// Tokens that have to follow others need no logits.
    follows: bool,
    /// After so many tokens this one comes: the text ends by its length.
    forced: Option<(usize, u32)>,
    /// Answers on their way here.
    under_way: usize,
    /// How many there should be.
    ahead: usize,
    /// The device has the token that it has chosen last: not where drafts have come after it.
    is_token_there: bool,
    speculation: Option<Speculation>,
    /// None where the checkpoint has no tokenizer: tokens then have no text.
    stream: Option<TextStream>,
    max_tokens: usize,
    /// Tokens that end the generation.
    ends: Vec<u32>,
    tokens: Vec<u32>,
    text: String,
    finish: Option<FinishReason>,
}

impl Generation {
    /// The prompt has one token at least. `seed`: where the caller gave none.
    pub fn new(
        GenerateRequest { source, prompt }: GenerateRequest,
        sampling: Sampling,
        limits: Limits,
        stream: Option<TextStream>,
        ends: &[u32],
        seed: u64,
    ) -> Self {
        let Limits { vocabulary, max_tokens, turning_point, shift } = limits;
        // The device knows how much was said, and what, but not in which order.
        let chosen_here = sampling.logprobs.is_some() || sampling.rules.read_text();
        Self {
            prompt_tokens: source.as_ref().map_or(prompt.len(), Vec::len),
            sequence: shift.map(|shift| shift.left(&prompt)),
            turning_point,
            shift,
            vocabulary,
            begun: 0,
            cached: 0,
            choosing: (!chosen_here).then(|| choosing(&sampling, vocabulary, &prompt, seed)),
            chosen_there: false,
            max_tokens,
            ends: if sampling.ignore_end { Vec::new() } else { ends.to_vec() },
            forced: sampling.rules.forced,
            follows: sampling.logprobs.is_none(),
            constraint: None,
            speculation: (sampling.draft != Draft::Off && source.is_none())
                .then(|| Speculation::new(&prompt, sampling.draft == Draft::Prompt)),
            sampler: Sampler::new(sampling, vocabulary, &prompt, seed),
            under_way: 0,
            ahead: AHEAD,
            is_token_there: true,
            stream,
            source,
            prompt,
            tokens: Vec::new(),
            text: String::new(),
            finish: None,
        }
    }

    /// What it may say. Before it starts.
    pub fn constrain(&mut self, constraint: SharedConstraint) {
        // A device that chooses tokens counts only those that it has chosen itself.
        self.choosing = self.choosing.take().filter(|choosing| !choosing.counts());
        // A checkpoint's own last token would stand in the midst of what is not whole.
        self.forced = None;
        self.sampler.free_end();
        self.constraint = Some(constraint);
    }

    /// What the next token is chosen by, where the device chooses it.
    pub fn constraint(&self) -> Option<&SharedConstraint> {
        self.constraint.as_ref()
    }

    /// What a device that chooses tokens has to know; none where they are chosen from logits that come here.
    pub fn choosing(&self) -> Option<&Choosing> {
        self.choosing.as_ref()
    }

    /// Nothing is computed yet but `cached` tokens of what is read. `chosen_there`: the device chooses tokens.
    pub fn start(&mut self, cached: usize, chosen_there: bool) {
        // What was said about another source is worth nothing.
        self.cached = if self.source.is_some() { 0 } else { cached };
        // A device that chooses tokens counts what it drafts, too, and does not know what a grammar allows behind that.
        let counts = self.choosing.as_ref().is_some_and(Choosing::counts);
        if chosen_there && (counts || self.forced.is_some() || self.constraint.is_some()) {
            self.speculation = None;
        }
        (self.begun, self.chosen_there, self.choosing) = (self.cached, chosen_there, None);
    }

    /// What is read before the next token is made.
    pub fn reading(&self) -> &[u32] {
        self.sequence.as_ref().unwrap_or(&self.prompt)
    }

    /// Where the context is read anew: `cached` says how much of it need not be computed again.
    pub fn resume(&mut self, cached: impl FnOnce(&[u32]) -> usize) {
        if self.begun == 0 && !self.tokens.is_empty() && self.finish.is_none() {
            self.begun = cached(self.reading());
        }
    }

    pub fn turning_point(&self) -> Option<usize> {
        self.turning_point
    }

    /// Tokens of prompt and text, with those that are under way.
    fn len(&self) -> usize {
        self.prompt.len() + self.tokens.len() + self.under_way
    }

    /// Those of them that are in the context no longer.
    pub fn gone(&self) -> usize {
        self.gone_of(self.len())
    }

    fn gone_of(&self, len: usize) -> usize {
        self.shift.map_or(0, |shift| shift.gone(len))
    }

    /// Whether the last token has what is computed of the others be read anew: the context slides, or the sequence is longer
    /// than the turning point.
    fn outgrows(&self) -> bool {
        let (len, gone) = (self.len(), self.gone());
        gone > self.gone_of(len - 1) || self.turning_point.is_some_and(|most| len - gone == most + 1)
    }

    /// Whether so many tokens more go behind the others, with nothing read anew.
    fn has_room_for(&self, more: usize) -> bool {
        let (len, gone) = (self.len(), self.gone());
        let turns = |most: usize| (len - gone..len - gone + more).contains(&most);
        self.gone_of(len + more) == gone && !self.turning_point.is_some_and(turns)
    }

    /// What the context has of prompt and text.
    fn left(&self) -> Vec<u32> {
        let all = [&self.prompt[..], &self.tokens].concat();
        if let Some(shift) = &self.shift { shift.left(&all) } else { all }
    }

    /// Whether it has read what it goes on from, and is not over.
    pub(super) fn is_writing(&self) -> bool {
        self.finish.is_none() && self.source.is_none() && self.begun == self.reading().len() && !self.tokens.is_empty()
    }

    /// Decides how many tokens to draft, `room` at most, in a pass that has `others` rows beside its own. Gives how many.
    pub(super) fn draft(&mut self, costs: &Costs, others: usize, room: usize) -> usize {
        let ahead = self.chosen_there && self.constraint.is_none();
        // A step may give one token more than it has drafts, and nothing is read anew before its last one.
        let room = room.min((self.max_tokens - self.tokens.len()).saturating_sub(1));
        let room = (0..=room).rev().find(|drafts| self.has_room_for(*drafts)).unwrap_or(0);
        // Beside others a device that chooses goes on ahead with all.
        let room = if ahead && others > 0 { 0 } else { room };
        let Some(speculation) = self.speculation.as_mut().filter(|speculation| !speculation.is_under_way()) else {
            return 0;
        };
        speculation.decide(costs, others, room, ahead && self.is_token_there)
    }

    /// What its passes took: see [`Speculation::spend`].
    pub(super) fn spend(&mut self, saved: f64, all: f64) {
        if let Some(speculation) = &mut self.speculation {
            speculation.spend(saved, all);
        }
    }

    /// What it wants now.
    pub fn wants(&self) -> Want<'_> {
        if self.finish.is_some() {
            return Want::Nothing;
        }
        if let Some(source) = &self.source {
            return Want::Source(source);
        }
        let made = self.tokens.len() + self.under_way;
        let most = self.forced.map_or(self.max_tokens, |(after, _)| self.max_tokens.min(after));
        let reading = self.reading();
        if self.begun < reading.len() {
            let answer = match self.chosen_there {
                _ if self.max_tokens == 0 => Answer::Computed,
                true if most == 0 => Answer::Computed,
                true => Answer::Chosen,
                false => Answer::Logits,
            };
            return Want::Prompt { tokens: &reading[self.begun..], position: self.begun, answer };
        }
        let position = self.len() - self.gone() - 1;
        let answer = if self.chosen_there { Answer::Chosen } else { Answer::Logits };
        let unseen = self.chosen_there && self.constraint.is_none();
        let drafts = self.speculation.as_ref().map_or(&[][..], Speculation::next);
        // What is drafted goes behind a token that is known.
        let goes_ahead = unseen && self.is_token_there && drafts.is_empty();
        match self.tokens.last() {
            // What is read anew has to be known.
            _ if unseen && self.outgrows() => Want::Waiting,
            _ if goes_ahead && made > 0 && made < most && self.under_way < self.ahead => {
                Want::Step { token: None, drafts, position, answer }
            }
            Some(last) if !goes_ahead && self.under_way == 0 => {
                Want::Step { token: Some(*last), drafts, position, answer }
            }
            _ => Want::Waiting,
        }
    }

    /// What it wants has been begun: so many tokens of a prompt, or of a step and its drafts; all of anything else.
    pub fn begin(&mut self, rows: usize) {
        if self.source.take().is_some() {
            return;
        }
        if self.begun < self.reading().len() {
            self.begun += rows;
            self.under_way += usize::from(self.begun == self.reading().len());
        } else {
            self.under_way += 1;
            // What drafts have chosen lies where the last token does.
            self.is_token_there = rows == 1;
            if let Some(speculation) = &mut self.speculation {
                speculation.begin(rows - 1);
            }
        }
    }

    /// Takes what came. Errors: internal for logits that are no numbers; those of [`Constraint`](crate::text::Constraint).
    pub fn take(&mut self, came: Came) -> Result<Step> {
        if self.finish.is_some() {
            return Ok(Step::Over);
        }
        match came {
            Came::Computed if self.under_way == 0 => Ok(Step::Read),
            Came::Computed => {
                self.under_way -= 1;
                if self.max_tokens == 0 {
                    self.finish = Some(FinishReason::Length);
                }
                Ok(self.take_forced().map_or(Step::Read, Step::Token))
            }
            Came::Logits(logits) => {
                self.under_way -= 1;
                let mut rows = logits.chunks_mut(self.vocabulary);
                self.take_rows(|generation| generation.sample(rows.next().unwrap_or_default()))
            }
            Came::ChosenEach(ids) => {
                self.under_way -= 1;
                let mut ids = ids.into_iter();
                let no_number = || Error::new(Code::Internal, "the model's logits are not all numbers");
                self.take_rows(|_| ids.next().map(bare).ok_or_else(no_number))
            }
            Came::Chosen { id, starved } => {
                if starved && self.under_way == self.ahead {
                    self.ahead = (2 * self.ahead).min(MOST_AHEAD);
                }
                self.under_way -= 1;
                if self.ends.contains(&id) {
                    self.may_end(id)?;
                }
                let token = self.take_sample(bare(id));
                if self.constraint.is_some() {
                    return self.take_following(token).map(Step::Tokens);
                }
                Ok(match self.take_forced() {
                    Some(forced) => Step::Tokens(vec![token, forced]),
                    None => Step::Token(token),
                })
            }
        }
    }

    /// Chooses the next token from its logits.
    fn sample(&mut self, logits: &mut [f32]) -> Result<Sample> {
        let allowed = self.constraint.as_ref().map(|constraint| constraint.borrow_mut().allowed()).transpose()?;
        let sample = self.sampler.sample(logits, allowed.as_deref())?;
        self.sampler.accept(sample.id);
        Ok(sample)
    }

    /// A step's token and those of its drafts' rows, as long as each row's token is the one that was drafted.
    fn take_rows(&mut self, mut choose: impl FnMut(&mut Self) -> Result<Sample>) -> Result<Step> {
        let drafts = self.speculation.as_mut().map_or(Vec::new(), Speculation::end);
        let (mut tokens, mut kept) = (Vec::new(), 0);
        loop {
            let sample = choose(self)?;
            let is_drafted = drafts.get(kept) == Some(&sample.id);
            let token = self.take_sample(sample);
            let following = self.take_following(token)?;
            // What a grammar has follow is read by itself.
            let goes_on = is_drafted && self.finish.is_none() && following.len() == 1;
            kept += usize::from(is_drafted);
            tokens.extend(following);
            if !goes_on {
                break;
            }
        }
        if let Some(speculation) = &mut self.speculation {
            speculation.keep(kept);
        }
        Ok(match tokens.pop() {
            Some(token) if tokens.is_empty() && self.constraint.is_none() => Step::Token(token),
            last => Step::Tokens(tokens.into_iter().chain(last).collect()),
        })
    }

    /// Tokens whose rows are as they should be, where nothing is under way: behind them lie drafts that were not kept.
    pub(super) fn settled(&self) -> usize {
        let made = self.len();
        match self.begun < self.reading().len() {
            true if self.begun > 0 => self.begun,
            // It is read anew: what was there before the last token.
            true => made - 1 - self.gone_of(made - 1),
            false => made - 1 - self.gone_of(made),
        }
    }

    /// A device that has nothing to choose from chooses something. What is no end is refused where it is taken.
    fn may_end(&self, id: u32) -> Result<()> {
        let Some(constraint) = &self.constraint else { return Ok(()) };
        let allowed = constraint.borrow_mut().allowed()?;
        let is_allowed = allowed.get(id as usize / 32).is_some_and(|word| word >> (id % 32) & 1 == 1);
        if is_allowed { Ok(()) } else { Err(nothing_left()) }
    }

    /// The token that has to come now, where the device chooses the others. (The sampler knows of it itself.)
    fn take_forced(&mut self) -> Option<Token> {
        let (after, id) = self.forced.filter(|_| self.chosen_there && self.finish.is_none())?;
        (after == self.tokens.len()).then(|| self.take_sample(bare(id)))
    }

    /// The token, and those that the grammar has follow it.
    fn take_following(&mut self, token: Token) -> Result<Vec<Token>> {
        let Some(constraint) = self.constraint.clone() else { return Ok(vec![token]) };
        if matches!(self.finish, Some(FinishReason::End | FinishReason::Stop)) {
            return Ok(vec![token]);
        }
        let mut constraint = constraint.borrow_mut();
        let following = constraint.take(token.id, self.follows && self.finish.is_none())?;
        let mut tokens = vec![token];
        for id in following {
            if self.finish.is_some() {
                return Ok(tokens);
            }
            self.sampler.accept(id);
            tokens.push(self.take_sample(bare(id)));
        }
        if constraint.is_over() && self.finish != Some(FinishReason::Stop) {
            if self.finish.is_none() {
                let held = self.held_back();
                tokens.last_mut().expect("the first at least").text += &held;
                self.text += &held;
            }
            self.finish = Some(FinishReason::End);
        }
        if tokens.len() > 1 {
            let sequence = self.left();
            // One of them may have made it be read anew.
            self.begun = if self.begun == 0 { 0 } else { sequence.len() - tokens.len() };
            self.sequence = Some(sequence);
        }
        Ok(tokens)
    }

    fn take_sample(&mut self, sample: Sample) -> Token {
        self.tokens.push(sample.id);
        if let Some(speculation) = &mut self.speculation {
            speculation.take(sample.id);
        }
        let mut text = self.stream.as_mut().map_or(String::new(), |stream| stream.push(sample.id));
        if self.stream.as_ref().is_some_and(TextStream::stopped) {
            self.finish = Some(FinishReason::Stop);
        } else if self.ends.contains(&sample.id) && !self.is_forced() {
            self.finish = Some(FinishReason::End);
        } else if self.tokens.len() >= self.max_tokens {
            self.finish = Some(FinishReason::Length);
        }
        if self.finish.is_some_and(|finish| finish != FinishReason::Stop) {
            text += &self.held_back();
        }
        self.text += &text;
        if self.finish.is_none() && self.under_way == 0 && self.outgrows() {
            (self.sequence, self.begun) = (Some(self.left()), 0);
        }
        Token { id: sample.id, text, logprob: sample.logprob, alternatives: sample.alternatives }
    }

    /// Whether the last token was not the model's choice.
    fn is_forced(&self) -> bool {
        self.forced.is_some_and(|(after, _)| after + 1 == self.tokens.len())
    }

    fn held_back(&mut self) -> String {
        self.stream.as_mut().map_or(String::new(), TextStream::finish)
    }

    /// Ends it before its time; what was made stays.
    pub fn abort(&mut self) {
        if self.finish.is_none() {
            self.finish = Some(FinishReason::Aborted);
            let held = self.held_back();
            self.text += &held;
        }
    }

    pub fn prompt_tokens(&self) -> usize {
        self.prompt_tokens
    }

    pub fn cached_tokens(&self) -> usize {
        self.cached
    }

    /// Tokens of prompt and text that the last one was made without; none where they all have to be in the context.
    pub fn dropped_tokens(&self) -> Option<usize> {
        let seen = self.prompt.len() + self.tokens.len().saturating_sub(1);
        self.shift.map(|shift| shift.gone(seen))
    }

    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Tokens that were drafted, and how many of them were kept.
    pub fn drafts(&self) -> [usize; 2] {
        self.speculation.as_ref().map_or([0, 0], Speculation::counts)
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// None while it goes on.
    pub fn finish(&self) -> Option<FinishReason> {
        self.finish
    }
}

/// A token that came without its logits.
fn bare(id: u32) -> Sample {
    Sample { id, logprob: None, alternatives: Vec::new() }
}

/// What a device is told of how tokens are chosen. `seed`: where the caller gave none.
pub fn choosing(sampling: &Sampling, vocabulary: usize, prompt: &[u32], seed: u64) -> Choosing {
    let bias = |made: &usize| {
        let banned = sampling.rules.banned_after(*made).map(|token| (token, f32::NEG_INFINITY));
        (*made, sampling.logit_bias.iter().copied().chain(banned).collect())
    };
    Choosing {
        vocabulary,
        scale: if sampling.temperature > 0.0 { scale(sampling.temperature) } else { 0.0 },
        top_k: sampling.top_k,
        top_p: sampling.top_p,
        min_p: sampling.min_p,
        repetition_penalty: sampling.repetition_penalty,
        presence_penalty: sampling.presence_penalty,
        frequency_penalty: sampling.frequency_penalty,
        biases: sampling.rules.changes().iter().map(bias).collect(),
        seed: sampling.seed.unwrap_or(seed),
        prompt: prompt.to_vec(),
    }
}

#[cfg(test)]
mod tests;
