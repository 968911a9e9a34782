//! How a model of sentence-transformers makes one vector of a text: `modules.json` and the files it names.

use serde_json::Value;

use crate::checkpoint::Metadata;
use crate::{Error, Result};

/// How one vector is made of the vectors of all tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentencePooling {
    Mean,
    /// The first token's.
    Cls,
}

/// A model of sentence-transformers: a transformer, a pooling, and mostly a norm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sentence {
    /// `None`: the model has no pooling of its own.
    pub pooling: Option<SentencePooling>,
    /// Vectors get unit length.
    pub normalize: bool,
    /// Longer texts are cut.
    pub max_tokens: Option<usize>,
    /// Texts are written in small letters before they are encoded.
    pub lowercase: bool,
}

fn parse(name: &str, json: &str) -> Result<Value> {
    serde_json::from_str(json).map_err(|error| Error::corrupt(format!("{name}: {error}")))
}

impl Sentence {
    /// Reads `modules.json`, the pooling module's `config.json` and `sentence_bert_config.json`.
    /// What is not supported is refused by its name.
    pub fn from_json(modules: &str, pooling: Option<&str>, config: Option<&str>) -> Result<Self> {
        let modules = parse("modules.json", modules)?;
        let modules = modules.as_array().ok_or_else(|| Error::corrupt("modules.json is no list of modules"))?;
        let mut sentence = Self::default();
        for (index, module) in modules.iter().enumerate() {
            let kind = module["type"].as_str().unwrap_or_default();
            // Newer versions keep the classes elsewhere; other people's classes may share a name.
            let ours = kind.starts_with("sentence_transformers.");
            match (index, kind.rsplit('.').next().filter(|_| ours).unwrap_or_default()) {
                (0, "Transformer") => match module["path"].as_str().unwrap_or_default() {
                    "" | "." => {}
                    path => {
                        let message =
                            format!("modules.json: the transformer lies in {path:?}, not beside modules.json");
                        return Err(Error::unsupported(message));
                    }
                },
                (1, "Pooling") => {
                    let missing =
                        || Error::new(crate::Code::MissingFile, "the pooling module's config.json is missing");
                    sentence.pooling =
                        Some(read_pooling(&parse("the pooling's config.json", pooling.ok_or_else(missing)?)?)?);
                }
                (1.., "Normalize") => sentence.normalize = true,
                _ => {
                    return Err(Error::unsupported(format!(
                        "modules.json: module {index}, {kind:?}, is not supported"
                    )));
                }
            }
        }
        if let Some(config) = config {
            let config = parse("sentence_bert_config.json", config)?;
            sentence.max_tokens =
                config["max_seq_length"].as_u64().map(|most| usize::try_from(most).unwrap_or(usize::MAX));
            sentence.lowercase = config["do_lower_case"] == true;
        }
        Ok(sentence)
    }

    /// What a GGUF file's metadata say (`pooling_type`). Error: unsupported-model.
    pub fn from_gguf(metadata: &Metadata) -> Result<Self> {
        let architecture = metadata.str("general.architecture").unwrap_or_default();
        let pooling = match metadata.u32(&format!("{architecture}.pooling_type")) {
            // None, or a classifier's.
            None | Some(0 | 4) => None,
            Some(1) => Some(SentencePooling::Mean),
            Some(2) => Some(SentencePooling::Cls),
            Some(3) => return Err(Error::unsupported("pooling lasttoken")),
            Some(other) => return Err(Error::unsupported(format!("pooling_type {other}"))),
        };
        Ok(Self { pooling, ..Self::default() })
    }
}

/// One flag a mode in older files, the mode by its name in newer ones.
fn read_pooling(config: &Value) -> Result<SentencePooling> {
    let mut modes: Vec<&str> = match &config["pooling_mode"] {
        Value::String(mode) => vec![mode],
        Value::Array(modes) => modes.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    for (key, value) in config.as_object().into_iter().flatten() {
        if let Some(mode) = key.strip_prefix("pooling_mode_").filter(|_| *value == true) {
            modes.push(mode);
        }
    }
    match modes[..] {
        ["mean" | "mean_tokens"] => Ok(SentencePooling::Mean),
        ["cls" | "cls_token"] => Ok(SentencePooling::Cls),
        [] => Err(Error::corrupt("the pooling's config.json names no mode")),
        _ => Err(Error::unsupported(format!("pooling {}", modes.join(" and ")))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    /// modules.json with these modules, by class and path.
    fn modules(list: &[(&str, &str)]) -> String {
        let entry =
            |&(kind, path): &(&str, &str)| serde_json::json!({"idx": 0, "name": "0", "path": path, "type": kind});
        Value::Array(list.iter().map(entry).collect()).to_string()
    }

    const TRANSFORMER: (&str, &str) = ("sentence_transformers.models.Transformer", "");
    const POOLING: (&str, &str) = ("sentence_transformers.models.Pooling", "1_Pooling");

    #[test]
    fn a_gguf_file_says_how_it_pools() {
        let read = |pooling: u32| {
            let mut metadata = Metadata::default();
            metadata.insert("general.architecture", crate::checkpoint::Value::String("bert".to_owned()));
            metadata.insert("bert.pooling_type", crate::checkpoint::Value::U32(pooling));
            Sentence::from_gguf(&metadata)
        };
        let found = [0, 1, 2].map(|pooling| read(pooling).unwrap().pooling);
        assert_eq!(found, [None, Some(SentencePooling::Mean), Some(SentencePooling::Cls)]);
        assert_eq!(read(3).unwrap_err().code, Code::UnsupportedModel);
    }

    #[test]
    fn a_sentence_model_says_how_it_pools_and_cuts() {
        let list = modules(&[TRANSFORMER, POOLING, ("sentence_transformers.models.Normalize", "2_Normalize")]);
        let old =
            r#"{"word_embedding_dimension": 384, "pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true}"#;
        let config = r#"{"max_seq_length": 256, "do_lower_case": false}"#;
        let found = Sentence::from_json(&list, Some(old), Some(config)).unwrap();
        let mean = Some(SentencePooling::Mean);
        assert_eq!(found, Sentence { pooling: mean, normalize: true, max_tokens: Some(256), lowercase: false });
        let list = modules(&[
            ("sentence_transformers.base.modules.transformer.Transformer", ""),
            ("sentence_transformers.sentence_transformer.modules.pooling.Pooling", "1_Pooling"),
        ]);
        let new = r#"{"embedding_dimension": 768, "pooling_mode": "cls", "include_prompt": true}"#;
        let found = Sentence::from_json(&list, Some(new), None).unwrap();
        assert_eq!(found, Sentence { pooling: Some(SentencePooling::Cls), ..Sentence::default() });
    }

    #[test]
    fn modules_and_poolings_that_are_not_supported_are_refused_by_name() {
        for kind in ["sentence_transformers.models.Dense", "custom_st.Transformer", "sentence_transformers.models.LSTM"]
        {
            let list = modules(&[TRANSFORMER, (kind, "2")]);
            let error = Sentence::from_json(&list, None, None).unwrap_err();
            assert_eq!(error.code, Code::UnsupportedModel);
            assert!(error.message.contains(kind), "{error}");
        }
        let list = modules(&[TRANSFORMER, POOLING]);
        for (pooling, name) in [
            (r#"{"pooling_mode_max_tokens": true}"#, "max_tokens"),
            (r#"{"pooling_mode": "lasttoken"}"#, "lasttoken"),
            (r#"{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true}"#, "cls_token and mean_tokens"),
        ] {
            let error = Sentence::from_json(&list, Some(pooling), None).unwrap_err();
            assert_eq!(error.code, Code::UnsupportedModel);
            assert!(error.message.contains(name), "{error}");
        }
        let elsewhere = modules(&[("sentence_transformers.models.Transformer", "0_Transformer")]);
        assert_eq!(Sentence::from_json(&elsewhere, None, None).unwrap_err().code, Code::UnsupportedModel);
    }

    #[test]
    fn broken_and_missing_files_are_named() {
        let list = modules(&[TRANSFORMER, POOLING]);
        assert_eq!(Sentence::from_json(&list, None, None).unwrap_err().code, Code::MissingFile);
        for (list, pooling) in [("{}", "{}"), ("[", "{}"), (&list, "{}"), (&list, "[")] {
            assert_eq!(Sentence::from_json(list, Some(pooling), None).unwrap_err().code, Code::CorruptFile);
        }
    }
}
