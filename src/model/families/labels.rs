//! A classifier's classes: their names, and what becomes of their logits.

use super::config::{Config, wrong};
use crate::error::{Error, Result};
use crate::model::spec::{ClassesHead, Dense, Head, Pooling, Scores};

/// More would be a mistake, or an attempt to fill the memory.
const MOST_CLASSES: usize = 1 << 16;

impl Config {
    /// The names of classes, by their numbers. Without any there are as many as it says, or transformers' two.
    pub fn labels(&self) -> Result<Vec<String>> {
        let said = self.optional_count("num_labels")?;
        let Some((name, named)) = self.get("id2label") else {
            return Ok((0..said.unwrap_or(2).min(MOST_CLASSES)).map(|class| format!("LABEL_{class}")).collect());
        };
        let labels = named.as_object().ok_or_else(|| wrong(name, named, "an object"))?;
        if let Some(said) = said.filter(|said| *said != labels.len()) {
            let message = format!("\"num_labels\" is {said}, and \"id2label\" has {} entries", labels.len());
            return Err(Error::corrupt(message));
        }
        let label = |class: usize| match labels.get(&class.to_string()) {
            Some(serde_json::Value::String(label)) => Ok(label.clone()),
            Some(other) => Err(wrong(name, other, "names")),
            None => Err(Error::corrupt(format!("\"id2label\" has {} entries, but none for {class}", labels.len()))),
        };
        (0..labels.len()).map(label).collect()
    }

    /// A classifier. Of a token's classes one is right, whatever else the configuration says.
    pub fn classes(&self, pooling: Pooling, dense: Option<Dense>) -> Result<Head> {
        let classes = self.labels()?.len();
        let scores = if pooling == Pooling::Each { Scores::Softmax } else { self.scores(classes)? };
        Ok(Head::Classes(ClassesHead { classes, pooling, dense, scores }))
    }

    /// What becomes of the logits of so many classes: as transformers' pipelines have it, but that a cross-encoder of
    /// sentence-transformers says so itself.
    fn scores(&self, classes: usize) -> Result<Scores> {
        let problem = match self.text("problem_type")? {
            None => None,
            Some("regression") => Some(Scores::Identity),
            Some("multi_label_classification") => Some(Scores::Sigmoid),
            // As transformers refuses it.
            Some("single_label_classification") if classes == 1 => {
                return Err(Error::corrupt("\"problem_type\" is \"single_label_classification\" of one class"));
            }
            Some("single_label_classification") => Some(Scores::Softmax),
            Some(other) => return Err(Error::unsupported(format!("\"problem_type\": {other:?}"))),
        };
        let today = self.part("sentence_transformers")?;
        let said = match today.text("activation_fn")? {
            Some(activation) => Some(activation),
            None => self.text("sbert_ce_default_activation_function")?,
        };
        let usual = if classes == 1 { Scores::Sigmoid } else { Scores::Softmax };
        match said.map(cross_encoder).transpose()? {
            // What sentence-transformers writes for several classes whatever they are.
            Some(Scores::Identity) if classes > 1 => Ok(problem.unwrap_or(usual)),
            Some(scores) => Ok(scores),
            None => Ok(problem.unwrap_or(usual)),
        }
    }
}

/// A cross-encoder's activation, by the name of PyTorch's class.
pub fn cross_encoder(activation: &str) -> Result<Scores> {
    match activation.strip_prefix("torch.nn.modules.") {
        Some("linear.Identity") => Ok(Scores::Identity),
        Some("activation.Sigmoid") => Ok(Scores::Sigmoid),
        Some("activation.Softmax") => Ok(Scores::Softmax),
        _ => Err(Error::unsupported(format!("activation_fn {activation:?} (supported: Identity, Sigmoid, Softmax)"))),
    }
}
