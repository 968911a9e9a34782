//! A beam search as a generation whose tokens come at the end.

use super::generating::{AnyGeneration, Beginning, Outcome};
use super::task::{Task, has_paused, holding, pause, taken};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::model::{Beams, FinishReason, Model, Step, Token};
use crate::text::TextStream;
use std::cell::RefCell;
use std::rc::Rc;

/// A search under way, or what it has found.
pub struct BeamSearch {
    task: Task<(Vec<Token>, Outcome)>,
    outcome: Outcome,
    over: bool,
}

impl BeamSearch {
    /// Errors: invalid-argument, context-full, out-of-memory.
    pub fn new<D: Device>(model: Rc<RefCell<Model<D>>>, beginning: Beginning) -> Result<Self> {
        let Beginning { asked, sampling, stream, ends, .. } = beginning;
        let source = asked.source.ok_or_else(|| Error::invalid("beams are for encoder-decoders"))?;
        let (text, tokens, prompt_tokens) = (String::new(), Vec::new(), source.len());
        let (finish, cached_tokens, dropped_tokens, drafts) = (FinishReason::Aborted, 0, None, [0, 0]);
        let outcome = Outcome { text, tokens, finish, prompt_tokens, cached_tokens, dropped_tokens, drafts };
        let mut beams = Beams::new(&*taken(&model)?, source, asked.prompt, sampling, ends)?;
        let nothing = outcome.clone();
        let task = Task::begun(async move {
            while holding(&model, async |model| beams.step(model).await).await? {
                pause().await;
            }
            Ok(told(beams.best(), stream, nothing))
        });
        Ok(Self { task, outcome, over: false })
    }
}

/// The best text's tokens, as far as its stop strings let it go.
fn told(
    (found, ended): (Vec<u32>, bool),
    mut stream: Option<TextStream>,
    mut outcome: Outcome,
) -> (Vec<Token>, Outcome) {
    let mut told: Vec<Token> = Vec::new();
    outcome.finish = if ended { FinishReason::End } else { FinishReason::Length };
    for id in found {
        let text = stream.as_mut().map_or(String::new(), |stream| stream.push(id));
        told.push(Token { id, text, logprob: None, alternatives: Vec::new() });
        if stream.as_ref().is_some_and(TextStream::stopped) {
            outcome.finish = FinishReason::Stop;
            break;
        }
    }
    if let (Some(stream), Some(last)) = (stream.as_mut().filter(|stream| !stream.stopped()), told.last_mut()) {
        last.text += &stream.finish();
    }
    outcome.text = told.iter().map(|token| &*token.text).collect();
    outcome.tokens = told.iter().map(|token| token.id).collect();
    (told, outcome)
}

impl AnyGeneration for BeamSearch {
    fn shares(&self) -> bool {
        false
    }

    fn step(&mut self) -> Option<Result<Step>> {
        if self.over {
            return Some(Ok(Step::Over));
        }
        match self.task.step() {
            None => has_paused().then_some(Ok(Step::Read)),
            Some(result) => {
                self.over = true;
                Some(result.map(|(tokens, outcome)| {
                    self.outcome = outcome;
                    Step::Tokens(tokens)
                }))
            }
        }
    }

    fn outcome(&mut self, _: bool) -> Outcome {
        self.outcome.clone()
    }
}
