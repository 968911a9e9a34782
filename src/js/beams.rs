//! A beam search as a generation whose tokens come at the end.

use super::running::{AnyGeneration, Beginning, Outcome, taken};
use super::task::Task;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::model::{self, Beams, Finish, Step, Token};
use crate::text::TextStream;
use std::cell::RefCell;
use std::rc::Rc;

type Shared<T> = Rc<RefCell<T>>;

pub struct RunBeams<D: Device> {
    model: Shared<model::Model<D>>,
    beams: Shared<Beams<D>>,
    task: Task<bool>,
    stream: Option<TextStream>,
    prompt_tokens: usize,
    /// Of the best text, as far as its stop strings let it go.
    tokens: Vec<u32>,
    text: String,
    finish: Option<Finish>,
}

#[allow(clippy::await_holding_refcell_ref)] // As in `running::work`.
async fn step<D: Device>(beams: Shared<Beams<D>>, model: Shared<model::Model<D>>) -> Result<bool> {
    taken(&beams)?.step(&mut *taken(&model)?).await
}

impl<D: Device> RunBeams<D> {
    /// Errors: invalid-argument, context-full, out-of-memory.
    pub fn new(model: Shared<model::Model<D>>, beginning: Beginning) -> Result<Self> {
        let Beginning { asked, sampling, stream, ends, .. } = beginning;
        let source = asked.source.ok_or_else(|| Error::invalid("beams are for encoder-decoders"))?;
        let prompt_tokens = source.len();
        let search = Beams::new(&*taken(&model)?, source, asked.prompt, sampling, ends)?;
        let beams = Rc::new(RefCell::new(search));
        let (task, finish) = (Task::default(), None);
        let tokens = Vec::new();
        Ok(Self { model, beams, task, stream, prompt_tokens, tokens, text: String::new(), finish })
    }

    /// The next of the best text's tokens.
    fn tell(&mut self, id: u32) -> Token {
        self.tokens.push(id);
        let text = self.stream.as_mut().map_or(String::new(), |stream| stream.push(id));
        self.text += &text;
        Token { id, text, logprob: None, alternatives: Vec::new() }
    }

    /// The search is over: what it has found.
    fn tell_all(&mut self) -> Step {
        let (found, ended) = self.beams.borrow().best();
        let mut told = Vec::new();
        for id in found {
            told.push(self.tell(id));
            if self.stream.as_ref().is_some_and(TextStream::stopped) {
                self.finish = Some(Finish::Stop);
                return Step::Tokens(told);
            }
        }
        self.finish = Some(if ended { Finish::End } else { Finish::Length });
        let held_back = self.stream.as_mut().map_or(String::new(), TextStream::finish);
        self.text += &held_back;
        if let Some(last) = told.last_mut() {
            last.text += &held_back;
        }
        Step::Tokens(told)
    }
}

impl<D: Device> AnyGeneration for RunBeams<D> {
    fn step(&mut self) -> Option<Result<Step>> {
        if self.finish.is_some() {
            return Some(Ok(Step::Over));
        }
        let (beams, model) = (self.beams.clone(), self.model.clone());
        let more = self.task.run(|| step(beams, model))?;
        Some(more.map(|more| if more { Step::Read } else { self.tell_all() }))
    }

    fn outcome(&mut self, _: bool) -> Outcome {
        self.task.drop_work();
        Outcome {
            text: self.text.clone(),
            tokens: self.tokens.clone(),
            finish: self.finish.unwrap_or(Finish::Aborted),
            prompt_tokens: self.prompt_tokens,
            cached_tokens: 0,
        }
    }
}
