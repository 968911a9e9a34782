//! Several generations on one model at a time: their rows go through it together.
//!
//! A pass reads every weight once, for one row or for many: steps of texts that are being written cost little more
//! together than one alone. So each pass has a step of every text, and the room that is left is shared by the prompts
//! that are being read, as llama.cpp's server and web-rwkv fill their batches. Nobody waits longer than a pass of
//! [`Device::chunk`] rows for the next token.
//!
//! What a text says does not depend on those beside it: a row's sums are its own. On the CPU they are the same to the
//! last bit, but for long texts on several threads, whose attention is split where a text is alone, and for windows,
//! whose tiles begin where a chunk begins. On a GPU more than a few rows take other kernels, whose sums have another order.
//!
//! A pass is of one adapter, or of none: those of different ones take turns. Where there is room, steps have drafts with
//! them (`speculation.rs`): how many pay says what passes have cost.
//!
//! A pass takes with it what it needs: [`Scheduler::plan`] hands it out, [`Pass::run`] waits for the device, and
//! [`Scheduler::settle`] puts back what has come. In between the scheduler is free: who ends a generation then waits for
//! nothing.

use super::decoder::{HEAD_ROWS, Model};
use super::generation::{Generation, Step, Want};
use super::home::Home;
use super::lora::Lora;
use super::meter::{Meter, Took};
use super::pass::{Entry, Held, Pass, PassRequest};
use crate::device::Device;
use crate::error::Result;
use std::collections::VecDeque;
use std::rc::Rc;

/// A generation among others.
struct Slot<D: Device> {
    id: u64,
    generation: Generation,
    /// None while a pass has it, and when it is over.
    held: Option<Held<D>>,
    events: VecDeque<Result<Step>>,
}

/// Whether two add the same to the weights.
fn same<D: Device>(one: &Option<Rc<Lora<D>>>, other: &Option<Rc<Lora<D>>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Rc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    }
}

/// Generations that share a model's passes.
pub struct Scheduler<D: Device> {
    slots: Vec<Slot<D>>,
    last: u64,
    /// Passes so far: each begins with another generation, where there is no room for all.
    passes: u64,
    /// Rows of a pass, at most: [`Model::chunk`].
    chunk: usize,
    /// Of rows whose logits come here, [rows, vocabulary].
    logits: Vec<f32>,
    meter: Meter,
}

impl<D: Device> Default for Scheduler<D> {
    fn default() -> Self {
        Self { slots: Vec::new(), last: 0, passes: 0, chunk: D::CHUNK, logits: Vec::new(), meter: Meter::default() }
    }
}

impl<D: Device> Scheduler<D> {
    /// Takes a generation in: its number. All its passes have the adapter that the model has now. Between passes only. Errors: out-of-memory; internal where the sequence is away.
    pub fn begin(&mut self, model: &mut Model<D>, home: &Home, mut generation: Generation) -> Result<u64> {
        let mut session = home.take()?;
        let chooser = match generation.choosing().map(|choosing| model.device.chooser(choosing)).transpose() {
            Ok(chooser) => chooser.flatten(),
            Err(error) => {
                home.put(session);
                return Err(error);
            }
        };
        let cached = session.rewind_to(generation.reading(), generation.turning_point());
        generation.start(cached, chooser.is_some());
        let lora = model.lora.clone();
        let (home, coming) = (home.clone(), VecDeque::new());
        let held = Held { session, home, chooser, coming, last: None, drafted: None, lora };
        self.last += 1;
        self.slots.push(Slot { id: self.last, generation, held: Some(held), events: VecDeque::new() });
        Ok(self.last)
    }

    /// One of them, until it is ended.
    pub fn generation(&mut self, id: u64) -> Option<&mut Generation> {
        self.slots.iter_mut().find(|slot| slot.id == id).map(|slot| &mut slot.generation)
    }

    /// The next of what has happened to one: `Over` in the end, none where it has to be waited for.
    pub fn event(&mut self, id: u64) -> Option<Result<Step>> {
        let slot = self.slots.iter_mut().find(|slot| slot.id == id)?;
        let over = || slot.generation.finish().map(|_| Ok(Step::Over));
        slot.events.pop_front().or_else(over)
    }

    /// Lets one go, wherever it is: what is on its way for it is for nothing. Its sequence is home at once, or once the
    /// pass that has it has come to its end.
    pub fn end(&mut self, id: u64) -> Option<Generation> {
        let at = self.slots.iter().position(|slot| slot.id == id)?;
        let Slot { generation, held, .. } = self.slots.remove(at);
        if let Some(held) = held {
            held.leave(false);
        }
        Some(generation)
    }

    /// The next pass; none where nobody wants anything, or another pass has all who do.
    pub fn plan(&mut self) -> Option<Pass<D>> {
        self.passes += 1;
        let number = self.passes;
        for Slot { generation, held, .. } in &mut self.slots {
            let turning_point = generation.turning_point();
            if let Some(Held { session, .. }) = held {
                generation.resume(|sequence| session.rewind_to(sequence, turning_point));
            }
        }
        self.draft();
        let rows = self.share(number as usize);
        let mut logits = std::mem::take(&mut self.logits);
        let mut entries = Vec::new();
        for (slot, rows) in self.slots.iter_mut().zip(rows) {
            let waits = slot.held.as_ref().is_some_and(|held| !held.coming.is_empty());
            if rows.is_none() && !waits {
                continue;
            }
            if let Some(held) = slot.held.take() {
                let wanted = rows.map(|rows| PassRequest::of(&mut slot.generation, rows));
                entries.push(Entry { id: slot.id, held, wanted, came: Vec::new(), failure: None });
            }
        }
        if entries.is_empty() {
            std::mem::swap(&mut self.logits, &mut logits);
            return None;
        }
        Some(Pass { number, entries, logits, chunk: self.chunk, times: 0.0..0.0 })
    }

    /// Has those who write decide what to draft, as far as there is room: not while others read, who take all there is.
    fn draft(&mut self) {
        let mut writing: Vec<&mut Slot<D>> = self.slots.iter_mut().filter(|slot| slot.held.is_some()).collect();
        let is_alone = writing.iter().all(|slot| slot.generation.is_writing());
        let mut rows = writing.len();
        for slot in &mut writing {
            let room = if is_alone { HEAD_ROWS.saturating_sub(rows) } else { 0 };
            rows += slot.generation.draft(self.meter.costs(), rows - 1, room);
        }
    }

    /// How many rows each may have in the next pass: a step of everyone, and a fair part of what is left for each prompt.
    fn share(&self, first: usize) -> Vec<Option<usize>> {
        let count = self.slots.len();
        let mut shares = vec![None; count];
        let (mut steps, mut prompts) = (Vec::new(), Vec::new());
        let mut lora = None;
        for at in (0..count).map(|at| (first + at) % count) {
            let Slot { generation, held: Some(held), .. } = &self.slots[at] else { continue };
            let wants = generation.wants();
            if matches!(wants, Want::Waiting | Want::Nothing) || !same(lora.get_or_insert(&held.lora), &held.lora) {
                continue;
            }
            match wants {
                // An encoder reads one text at a time, by itself.
                Want::Source(_) => {
                    shares.fill(None);
                    shares[at] = Some(0);
                    return shares;
                }
                Want::Step { drafts, .. } => steps.push((at, 1 + drafts.len())),
                Want::Prompt { tokens, .. } => prompts.push((at, tokens.len())),
                Want::Waiting | Want::Nothing => {}
            }
        }
        // Each has an answer at most, and prompts do not wait for ever.
        steps.truncate(if prompts.is_empty() { HEAD_ROWS } else { HEAD_ROWS / 2 });
        prompts.truncate(HEAD_ROWS - steps.len());
        let mut spare = HEAD_ROWS - steps.len() - prompts.len();
        for (at, rows) in &steps {
            let rows = (*rows).min(1 + spare);
            (shares[*at], spare) = (Some(rows), spare + 1 - rows);
        }
        let mut left = self.chunk - shares.iter().flatten().sum::<usize>();
        for (index, (at, tokens)) in prompts.iter().enumerate() {
            let rows = left.div_ceil(prompts.len() - index).min(*tokens);
            (shares[*at], left) = (Some(rows), left - rows);
        }
        shares
    }

    /// Takes a pass back. Returns whether something has happened to one of the generations.
    pub fn settle(&mut self, pass: Pass<D>) -> bool {
        let took = self.meter.pass(&pass);
        let Pass { entries, mut logits, chunk, .. } = pass;
        self.chunk = chunk;
        let mut made = 0;
        let mut happened = false;
        for Entry { id, mut held, came, failure, .. } in entries {
            let Some(slot) = self.slots.iter_mut().find(|slot| slot.id == id) else {
                held.leave(failure.is_some());
                continue;
            };
            let before = slot.generation.tokens().len();
            let mut failed = false;
            for step in came.into_iter().map(|came| slot.generation.take(came.of(&mut logits))).chain(failure.map(Err))
            {
                (failed, happened) = (step.is_err(), true);
                slot.events.push_back(step);
                if failed {
                    break;
                }
            }
            if !failed {
                held.forget_drafts(&slot.generation);
            }
            made += slot.generation.tokens().len() - before;
            if failed || slot.generation.finish().is_some() {
                held.leave(failed);
            } else {
                slot.held = Some(held);
            }
        }
        self.logits = logits;
        if let Some(Took { ms, plain }) = took {
            // Together they have saved it, and each goes by that.
            let saved = plain.map_or(0.0, |plain| made as f64 * plain - ms);
            self.slots.iter_mut().for_each(|slot| slot.generation.spend(saved, ms));
        }
        happened
    }

    /// Goes on until something has happened to one of them; false where nothing can. For who does nothing else meanwhile.
    pub async fn step(&mut self, model: &mut Model<D>) -> bool {
        while let Some(pass) = self.plan() {
            let pass = pass.run(model).await;
            if self.settle(pass) {
                return true;
            }
        }
        false
    }
}
