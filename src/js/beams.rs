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
    /// What the search has found, once it is over: the best text's tokens, of which some have been told.
    found: Option<Vec<u32>>,
    told: usize,
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
        let Beginning { asked, sampling, stream, ends, beams, .. } = beginning;
        let source = asked.source.ok_or_else(|| Error::invalid("beams are for encoder-decoders"))?;
        let (ends, prompt_tokens) = (if sampling.ignore_end { &[] } else { ends }, source.len());
        let search =
            Beams::new(&*taken(&model)?, source, asked.prompt, beams, sampling.max_tokens, ends, sampling.logit_bias)?;
        let beams = Rc::new(RefCell::new(search));
        let (task, finish) = (Task::default(), None);
        Ok(Self { model, beams, task, stream, prompt_tokens, found: None, told: 0, text: String::new(), finish })
    }

    /// The next of the found tokens.
    fn tell(&mut self, tokens: &[u32], ended: bool) -> Step {
        let Some(id) = tokens.get(self.told).copied().filter(|_| self.finish.is_none()) else { return Step::Over };
        self.told += 1;
        let mut text = self.stream.as_mut().map_or(String::new(), |stream| stream.push(id));
        if self.stream.as_ref().is_some_and(TextStream::stopped) {
            self.finish = Some(Finish::Stop);
        } else if self.told == tokens.len() {
            self.finish = Some(if ended { Finish::End } else { Finish::Length });
            text += &self.stream.as_mut().map_or(String::new(), TextStream::finish);
        }
        self.text += &text;
        Step::Token(Token { id, text, logprob: None, alternatives: Vec::new() })
    }
}

impl<D: Device> AnyGeneration for RunBeams<D> {
    fn step(&mut self) -> Option<Result<Step>> {
        if self.found.is_none() {
            let (beams, model) = (self.beams.clone(), self.model.clone());
            match self.task.run(|| step(beams, model))? {
                Ok(true) => return Some(Ok(Step::Read)),
                Ok(false) => {}
                Err(error) => return Some(Err(error)),
            }
        }
        let (tokens, ended) = self.beams.borrow().best();
        if tokens.is_empty() {
            self.finish = Some(Finish::Length);
        }
        let step = self.tell(&tokens, ended);
        self.found = Some(tokens);
        Some(Ok(step))
    }

    fn outcome(&mut self, aborted: bool) -> Outcome {
        self.task.drop_work();
        let finish = self.finish.unwrap_or(Finish::Aborted);
        Outcome {
            text: self.text.clone(),
            tokens: self.found.as_deref().map_or(&[][..], |tokens| &tokens[..self.told]).to_vec(),
            finish: if aborted && self.finish.is_none() { Finish::Aborted } else { finish },
            prompt_tokens: self.prompt_tokens,
            cached_tokens: 0,
        }
    }
}
