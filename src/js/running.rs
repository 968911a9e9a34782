//! Models, sessions and their work on whatever device, behind traits: what is exported to JavaScript cannot be generic.

use super::beams::RunBeams;
use super::task::Task;
use crate::device::Device;
use crate::error::{Code, Error, Result};
use crate::model::{self, Asked, Finish, Generation, Scoring, SessionShape, Step};
use crate::text::{Sampling, TextStream};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

// Work holds what it works on while it waits; `Task` is the only one who goes on with it, and the package's queue
// lets one piece of work at a time come to a model.
#[allow(clippy::await_holding_refcell_ref)]
mod work {
    use super::*;

    pub async fn step<D: Device>(of: Rc<RefCell<Generation<D>>>, on: OnSession<D>) -> Result<Step> {
        let (mut generation, mut session) = (taken(&of)?, taken(&on.session)?);
        generation.step(&mut *taken(&on.model)?, &mut session).await
    }

    pub async fn score<D: Device>(of: Rc<RefCell<Scoring<D>>>, model: Rc<RefCell<model::Model<D>>>) -> Result<Scored> {
        let mut rows = Vec::new();
        let take = |row: usize, position: usize, logits: &[f32]| rows.push((row, position, logits.to_vec()));
        let more = taken(&of)?.step(&mut *taken(&model)?, take).await?;
        Ok(Scored { more, rows })
    }
}

pub fn taken<T>(cell: &RefCell<T>) -> Result<std::cell::RefMut<'_, T>> {
    cell.try_borrow_mut().map_err(|_| Error::new(Code::Internal, "other work on this model is under way"))
}

/// A model.
pub trait AnyModel {
    fn vocabulary(&self) -> usize;
    fn has_encoder(&self) -> bool;
    fn session(&self) -> Box<dyn AnySession>;
    fn scoring(
        &self,
        rows: Vec<Vec<u32>>,
        sources: Vec<Vec<u32>>,
        last: bool,
    ) -> Result<(Box<dyn AnyScoring>, [usize; 3])>;
    fn maps(&self, tokens: Vec<u32>, layer: Option<usize>) -> Task<Maps>;
}

/// What a generation is begun with.
pub struct Beginning<'a> {
    pub asked: Asked,
    pub sampling: Sampling,
    pub stream: Option<TextStream>,
    pub ends: &'a [u32],
    pub seed: u64,
    /// Nothing will go on from its session.
    pub passing: bool,
}

/// One sequence of a model.
pub trait AnySession {
    fn length(&self) -> usize;
    /// Forgets everything.
    fn clear(&self) -> Result<()>;
    fn generate(&self, beginning: Beginning) -> Result<Box<dyn AnyGeneration>>;
}

/// A generation under way.
pub trait AnyGeneration {
    /// `None`: it waits.
    fn step(&mut self) -> Option<Result<Step>>;
    /// What it has made; `aborted`: it ends here.
    fn outcome(&mut self, aborted: bool) -> Outcome;
}

/// What a generation has made.
pub struct Outcome {
    pub text: String,
    pub tokens: Vec<u32>,
    pub finish: Finish,
    pub prompt_tokens: usize,
    pub cached_tokens: usize,
}

/// A chunk's logits: row, position and logits of each.
pub struct Scored {
    pub more: bool,
    pub rows: Vec<(usize, usize, Vec<f32>)>,
}

pub trait AnyScoring {
    fn step(&mut self) -> Option<Result<Scored>>;
}

/// Attention weights and their dims: [layers, heads, positions, positions].
pub type Maps = (Vec<f32>, [usize; 4]);

/// A model on a device.
pub struct On<D: Device> {
    model: Rc<RefCell<model::Model<D>>>,
    shape: SessionShape,
    vocabulary: usize,
    has_encoder: bool,
}

impl<D: Device> On<D> {
    pub fn new(model: model::Model<D>) -> Self {
        let (shape, vocabulary, has_encoder) =
            (model.session_shape(), model.spec.vocabulary(), model.spec.looks_across());
        Self { model: Rc::new(RefCell::new(model)), shape, vocabulary, has_encoder }
    }
}

impl<D: Device> AnyModel for On<D> {
    fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    fn has_encoder(&self) -> bool {
        self.has_encoder
    }

    fn session(&self) -> Box<dyn AnySession> {
        let session = Rc::new(RefCell::new(self.shape.session()));
        Box::new(OnSession { model: self.model.clone(), session, shape: self.shape, length: Rc::default() })
    }

    fn scoring(
        &self,
        rows: Vec<Vec<u32>>,
        sources: Vec<Vec<u32>>,
        last: bool,
    ) -> Result<(Box<dyn AnyScoring>, [usize; 3])> {
        let model = taken(&self.model)?;
        let scoring = Scoring::new(&model, rows, sources, last)?;
        let dims = scoring.dims(&model);
        let (scoring, model) = (Rc::new(RefCell::new(scoring)), self.model.clone());
        Ok((Box::new(RunScoring { model, scoring, task: Task::default() }), dims))
    }

    #[allow(clippy::await_holding_refcell_ref)] // As in `work`.
    fn maps(&self, tokens: Vec<u32>, layer: Option<usize>) -> Task<Maps> {
        let model = self.model.clone();
        Task::begun(async move { taken(&model)?.attention_maps(&tokens, layer).await })
    }
}

struct OnSession<D: Device> {
    model: Rc<RefCell<model::Model<D>>>,
    session: Rc<RefCell<model::Session<D>>>,
    shape: SessionShape,
    /// What it was before the work that is under way.
    length: Rc<Cell<usize>>,
}

impl<D: Device> Clone for OnSession<D> {
    fn clone(&self) -> Self {
        Self {
            model: self.model.clone(),
            session: self.session.clone(),
            shape: self.shape,
            length: self.length.clone(),
        }
    }
}

impl<D: Device> AnySession for OnSession<D> {
    fn length(&self) -> usize {
        if let Ok(session) = self.session.try_borrow() {
            self.length.set(session.len());
        }
        self.length.get()
    }

    fn clear(&self) -> Result<()> {
        taken(&self.session)?.clear();
        Ok(())
    }

    fn generate(&self, beginning: Beginning) -> Result<Box<dyn AnyGeneration>> {
        if beginning.sampling.beams > 1 {
            return Ok(Box::new(RunBeams::new(self.model.clone(), beginning)?));
        }
        let Beginning { asked, sampling, stream, ends, seed, passing } = beginning;
        let (mut model, mut session) = (taken(&self.model)?, taken(&self.session)?);
        let generation = Generation::new(&mut model, &mut session, asked, sampling, stream, ends, seed)?;
        let generation = Rc::new(RefCell::new(generation));
        Ok(Box::new(RunGeneration { on: self.clone(), generation, task: Task::default(), passing }))
    }
}

struct RunGeneration<D: Device> {
    on: OnSession<D>,
    generation: Rc<RefCell<Generation<D>>>,
    task: Task<Step>,
    passing: bool,
}

impl<D: Device> Drop for RunGeneration<D> {
    fn drop(&mut self) {
        self.task.drop_work();
        if let (true, Ok(mut session)) = (self.passing, self.on.session.try_borrow_mut()) {
            session.release(&self.on.shape);
        }
    }
}

impl<D: Device> AnyGeneration for RunGeneration<D> {
    fn step(&mut self) -> Option<Result<Step>> {
        let Self { on, generation, task, .. } = self;
        task.run(|| work::step(generation.clone(), on.clone()))
    }

    fn outcome(&mut self, aborted: bool) -> Outcome {
        // A step that waits is left: its tokens are for nothing.
        self.task.drop_work();
        let mut generation = self.generation.borrow_mut();
        if aborted {
            generation.abort();
        }
        Outcome {
            text: generation.text().to_owned(),
            tokens: generation.tokens().to_vec(),
            finish: generation.finish().unwrap_or(Finish::Aborted),
            prompt_tokens: generation.prompt_tokens(),
            cached_tokens: generation.cached_tokens(),
        }
    }
}

struct RunScoring<D: Device> {
    model: Rc<RefCell<model::Model<D>>>,
    scoring: Rc<RefCell<Scoring<D>>>,
    task: Task<Scored>,
}

impl<D: Device> AnyScoring for RunScoring<D> {
    fn step(&mut self) -> Option<Result<Scored>> {
        let Self { model, scoring, task } = self;
        task.run(|| work::score(scoring.clone(), model.clone()))
    }
}
