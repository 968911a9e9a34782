//! Language models and their sessions on whatever device, behind traits: what is exported to JavaScript cannot be generic.

use super::beams::BeamSearch;
use super::generating::{AnyGeneration, Beginning, Outcome};
use super::task::{Run, Task, Work, holding, pause, taken};
use super::value::{Tensor, bytes_to_js, maps_to_js};
use crate::device::Device;
use crate::error::Result;
use crate::model::{self, Home, Lora, LoraConfig, LoraFile, Scheduler, Scoring, Session, Spec, Step};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::JsValue;

/// A model.
pub trait AnyModel {
    fn vocabulary(&self) -> usize;
    fn has_encoder(&self) -> bool;
    /// An adapter's file that is to be read for it. `scale`, `config`: see [`LoraFile::new`].
    fn lora_file(&self, scale: f32, config: Option<LoraConfig>) -> Result<LoraFile>;
    /// The same model with what that file holds beside its weights.
    fn adapted(&self, file: LoraFile) -> Work<Box<dyn AnyModel>>;
    fn session(&self) -> Box<dyn AnySession>;
    /// Of its weights, and its adapter's.
    fn checksum(&self) -> u64;
    /// A generation that begins with nothing. Between passes only.
    fn generate(&self, beginning: Beginning) -> Result<Box<dyn AnyGeneration>>;
    /// Goes on with all generations together. False: nobody wants anything; `None`: it waits.
    fn pass(&self) -> Option<Result<bool>>;
    /// Logits of texts: [rows, positions, vocabulary]; of encoder-decoders with a source each.
    fn logits(&self, rows: Vec<Vec<u32>>, sources: Vec<Vec<u32>>, last: bool) -> Result<Run>;
    fn maps(&self, tokens: Vec<u32>, layer: Option<usize>) -> Run;
}

/// One sequence of a model.
pub trait AnySession {
    /// Tokens in its cache, as far as is known while it is at work.
    fn length(&self) -> usize;
    /// Between passes only.
    fn generate(&self, beginning: Beginning) -> Result<Box<dyn AnyGeneration>>;
    /// Another session of the same tokens.
    fn copy(&self) -> Result<Box<dyn AnySession>>;
    /// Forgets all but the first tokens: see [`Session::truncate`].
    fn truncate(&self, length: usize) -> Result<usize>;
    /// Its tokens and what is kept of them, as bytes: see [`model::Model::save`].
    fn save(&self, model: u64) -> Result<Run>;
    /// Has the session be one that was saved. Gives its length.
    fn restore(&self, saved: Vec<u8>, model: u64) -> Run;
}

/// A model on a device, and those who share it.
pub struct On<D: Device> {
    shared: Rc<Shared<D>>,
    lora: Option<Rc<Lora<D>>>,
}

/// What a model and its adapters have together.
struct Shared<D: Device> {
    model: Rc<RefCell<model::Model<D>>>,
    scheduler: RefCell<Scheduler<D>>,
    pass: RefCell<Task<bool>>,
    spec: Spec,
    reordered: bool,
    checksum: u64,
}

impl<D: Device> On<D> {
    pub fn new(model: model::Model<D>) -> Self {
        let (spec, reordered, checksum) = (model.spec.clone(), model.reordered, model.checksum);
        let model = Rc::new(RefCell::new(model));
        let (scheduler, pass) = (RefCell::default(), RefCell::default());
        Self { shared: Rc::new(Shared { model, scheduler, pass, spec, reordered, checksum }), lora: None }
    }
}

/// Does `work` on a model, with an adapter or none.
async fn with<D: Device, R>(
    shared: &Shared<D>,
    lora: &Option<Rc<Lora<D>>>,
    work: impl AsyncFnOnce(&mut model::Model<D>) -> Result<R>,
) -> Result<R> {
    holding(&shared.model, async |model| {
        model.lora.clone_from(lora);
        work(model).await
    })
    .await
}

/// Passes until something has happened to one of the generations.
async fn passes<D: Device>(shared: Rc<Shared<D>>) -> Result<bool> {
    loop {
        let Some(pass) = shared.scheduler.borrow_mut().plan() else { return Ok(false) };
        let pass = holding(&shared.model, async |model| Ok(pass.run(model).await)).await?;
        if shared.scheduler.borrow_mut().settle(pass) {
            return Ok(true);
        }
    }
}

impl<D: Device> AnyModel for On<D> {
    fn vocabulary(&self) -> usize {
        self.shared.spec.vocabulary()
    }

    fn has_encoder(&self) -> bool {
        self.shared.spec.looks_across()
    }

    fn lora_file(&self, scale: f32, config: Option<LoraConfig>) -> Result<LoraFile> {
        LoraFile::new(self.shared.spec.clone(), self.shared.reordered, scale, config)
    }

    fn adapted(&self, file: LoraFile) -> Work<Box<dyn AnyModel>> {
        let shared = self.shared.clone();
        Box::pin(async move {
            let lora = holding(&shared.model, async |model| model.adapter(file).await).await?;
            Ok(Box::new(Self { shared, lora: Some(lora) }) as Box<dyn AnyModel>)
        })
    }

    fn session(&self) -> Box<dyn AnySession> {
        OnSession::boxed(&self.shared, &self.lora, Session::default())
    }

    fn checksum(&self) -> u64 {
        self.shared.checksum ^ self.lora.as_ref().map_or(0, |lora| lora.checksum)
    }

    fn generate(&self, beginning: Beginning) -> Result<Box<dyn AnyGeneration>> {
        if beginning.sampling.beams > 1 {
            return Ok(Box::new(BeamSearch::new(self.shared.model.clone(), beginning)?));
        }
        begin(&self.shared, &self.lora, &Home::new(Session::default()), beginning)
    }

    fn pass(&self) -> Option<Result<bool>> {
        self.shared.pass.borrow_mut().run(|| passes(self.shared.clone()))
    }

    fn logits(&self, rows: Vec<Vec<u32>>, sources: Vec<Vec<u32>>, last: bool) -> Result<Run> {
        let (shared, lora) = (self.shared.clone(), self.lora.clone());
        let mut scoring = Scoring::new(&*taken(&shared.model)?, rows, sources, last)?;
        let dims = scoring.dims(&*taken(&shared.model)?);
        let (tensor, [_, positions, vocabulary]) = (Tensor::new(&dims)?, dims);
        let put = move |tensor: &Tensor, row: usize, position: usize, logits: &[f32]| {
            tensor.put((row * positions + position) * vocabulary, logits);
        };
        Ok(Run::new(async move {
            let take = |row: usize, position: usize, logits: &[f32]| put(&tensor, row, position, logits);
            while with(&shared, &lora, async |model| scoring.step(model, take).await).await? {
                pause().await;
            }
            Ok(tensor.to_js())
        }))
    }

    fn maps(&self, tokens: Vec<u32>, layer: Option<usize>) -> Run {
        let (shared, lora) = (self.shared.clone(), self.lora.clone());
        let maps = async move { with(&shared, &lora, async |model| model.attention_maps(&tokens, layer).await).await };
        Run::new(maps_to_js(maps, layer))
    }
}

struct OnSession<D: Device> {
    shared: Rc<Shared<D>>,
    lora: Option<Rc<Lora<D>>>,
    home: Home,
}

impl<D: Device> OnSession<D> {
    fn boxed(shared: &Rc<Shared<D>>, lora: &Option<Rc<Lora<D>>>, session: Session) -> Box<dyn AnySession> {
        Box::new(Self { shared: shared.clone(), lora: lora.clone(), home: Home::new(session) })
    }
}

impl<D: Device> AnySession for OnSession<D> {
    fn length(&self) -> usize {
        self.home.len()
    }

    fn generate(&self, beginning: Beginning) -> Result<Box<dyn AnyGeneration>> {
        begin(&self.shared, &self.lora, &self.home, beginning)
    }

    fn copy(&self) -> Result<Box<dyn AnySession>> {
        Ok(Self::boxed(&self.shared, &self.lora, self.home.copy()?))
    }

    fn truncate(&self, length: usize) -> Result<usize> {
        let mut session = self.home.take()?;
        let length = session.truncate(length);
        self.home.put(session);
        Ok(length)
    }

    fn save(&self, model: u64) -> Result<Run> {
        // Whatever comes of the session meanwhile, this one stays as it is.
        let (session, shared) = (self.home.copy()?, self.shared.clone());
        Ok(Run::new(async move {
            let saved = holding(&shared.model, async |on| on.save(&session, model).await).await?;
            bytes_to_js(&saved.parts())
        }))
    }

    fn restore(&self, saved: Vec<u8>, model: u64) -> Run {
        let (home, shared) = (self.home.clone(), self.shared.clone());
        Run::new(async move {
            let session = holding(&shared.model, async |on| on.restore(&saved, model).await).await?;
            home.put(session);
            Ok(JsValue::from_f64(home.len() as f64))
        })
    }
}

/// Begins a generation among the others.
fn begin<D: Device>(
    shared: &Rc<Shared<D>>,
    lora: &Option<Rc<Lora<D>>>,
    home: &Home,
    beginning: Beginning,
) -> Result<Box<dyn AnyGeneration>> {
    let Beginning { asked, sampling, stream, constraint, ends, seed } = beginning;
    let mut model = taken(&shared.model)?;
    model.lora.clone_from(lora);
    let mut generation = model.generation(asked, sampling, stream, ends, seed)?;
    if let Some(constraint) = constraint {
        generation.constrain(constraint);
    }
    let id = shared.scheduler.borrow_mut().begin(&mut model, home, generation)?;
    Ok(Box::new(Member { shared: shared.clone(), id }))
}

/// A generation among others.
struct Member<D: Device> {
    shared: Rc<Shared<D>>,
    id: u64,
}

impl<D: Device> AnyGeneration for Member<D> {
    fn shares(&self) -> bool {
        true
    }

    fn step(&mut self) -> Option<Result<Step>> {
        self.shared.scheduler.borrow_mut().event(self.id)
    }

    fn outcome(&mut self, aborted: bool) -> Outcome {
        let mut scheduler = self.shared.scheduler.borrow_mut();
        let generation = scheduler.generation(self.id).expect("it is there until it is dropped");
        if aborted {
            generation.abort();
        }
        Outcome::of(generation)
    }
}

impl<D: Device> Drop for Member<D> {
    fn drop(&mut self) {
        self.shared.scheduler.borrow_mut().end(self.id);
    }
}
