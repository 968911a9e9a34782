//! How a model of sentence-transformers makes one vector of a text: `modules.json` and the files beside it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::dense::SentenceDense;
use super::sentence_fields::{expect, flag, object, parse, wrong};
use crate::checkpoint::Metadata;
use crate::{Code, Error, Result};

/// How one vector is made of the vectors of all tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentencePooling {
    Mean,
    /// The first token's.
    Cls,
    LastToken,
    Max,
    /// The sum by the root of its length.
    MeanSqrtLength,
    /// The mean, with each token as often as its place says.
    WeightedMean,
}

/// A model of sentence-transformers: a transformer, a pooling, products behind it in some, and mostly a norm.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sentence {
    /// `None`: the model has no pooling of its own.
    pub pooling: Option<SentencePooling>,
    /// The vector is made of the text's tokens, and not of the prompt's before it.
    pub prompt_left_out: bool,
    /// What the vector goes through then, in this order.
    pub dense: Vec<SentenceDense>,
    /// Vectors get unit length.
    pub normalize: bool,
    /// Longer texts are cut.
    pub max_tokens: Option<usize>,
    /// Texts are written in small letters before they are encoded.
    pub lowercase: bool,
    /// What stands before texts, by its name.
    pub prompts: BTreeMap<String, String>,
    /// Which of them does where nobody says.
    pub default_prompt: Option<String>,
}

/// The contents of a model's files.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct SentenceFiles {
    /// `modules.json`
    pub modules: String,
    /// The pooling module's `config.json`.
    pub pooling: Option<String>,
    /// The norm's.
    pub normalize: Option<String>,
    /// Those of the Dense modules, by their folders.
    pub dense: BTreeMap<String, String>,
    /// `sentence_bert_config.json`
    pub transformer: Option<String>,
    /// `config_sentence_transformers.json`
    pub model: Option<String>,
}

/// What stands before a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prompt<'a> {
    pub text: &'a str,
    /// The caller asked for it.
    pub asked: bool,
}

/// Where sentence-transformers gives a prompt a name, and the checkpoint nothing to it.
const PROMPTS: [&str; 2] = ["query", "document"];

impl Sentence {
    /// What is not supported is refused by its name. Errors: corrupt-file, missing-file, unsupported-model.
    pub fn from_json(files: &SentenceFiles) -> Result<Self> {
        let mut sentence = Self::default();
        sentence.read_modules(files)?;
        sentence.read_transformer(files.transformer.as_deref())?;
        sentence.read_model(files.model.as_deref())?;
        Ok(sentence)
    }

    fn read_modules(&mut self, files: &SentenceFiles) -> Result<()> {
        let modules = parse("modules.json", &files.modules)?;
        let modules = modules.as_array().ok_or_else(|| Error::corrupt("modules.json is no list of modules"))?;
        for (index, module) in modules.iter().enumerate() {
            let kind = module["type"].as_str().unwrap_or_default();
            // Newer versions keep the classes elsewhere; other people's classes may share a name.
            let ours = kind.starts_with("sentence_transformers.");
            match (index, kind.rsplit('.').next().filter(|_| ours).unwrap_or_default()) {
                (0, "Transformer") => check_place(&module["path"])?,
                (1, "Pooling") => self.read_pooling(files.pooling.as_deref())?,
                (2.., "Dense") if self.normalize => {
                    return Err(Error::unsupported(format!(
                        "modules.json: module {index}, a Dense behind a Normalize"
                    )));
                }
                (2.., "Dense") => {
                    let folder = module["path"].as_str().unwrap_or_default().trim_end_matches('/');
                    let config = files.dense.get(folder).map(String::as_str);
                    self.dense.push(SentenceDense::read(folder, config)?);
                }
                (2.., "Normalize") => {
                    let file = "the norm's config.json";
                    let config = object(file, files.normalize.as_deref())?;
                    for name in ["module_input_name", "module_output_name"] {
                        expect(file, &config, name, &["sentence_embedding".into()])?;
                    }
                    self.normalize = true;
                }
                _ => {
                    return Err(Error::unsupported(format!(
                        "modules.json: module {index}, {kind:?}, is not supported"
                    )));
                }
            }
        }
        match self.pooling {
            Some(_) => Ok(()),
            None => Err(Error::unsupported("modules.json: a model without a pooling")),
        }
    }

    /// One flag a mode in older files, the mode by its name in newer ones.
    fn read_pooling(&mut self, json: Option<&str>) -> Result<()> {
        let file = "the pooling's config.json";
        let missing = || Error::new(Code::MissingFile, "the pooling module's config.json is missing");
        let config = object(file, Some(json.ok_or_else(missing)?))?;
        self.prompt_left_out = !flag(file, &config, "include_prompt", true)?;
        let mut modes: Vec<&str> = match &config["pooling_mode"] {
            Value::String(mode) => vec![mode],
            Value::Array(modes) => modes.iter().filter_map(Value::as_str).collect(),
            // The new name comes first, as there.
            _ => {
                let flags = config.as_object().into_iter().flatten().filter(|(_, value)| **value == true);
                flags.filter_map(|(key, _)| key.strip_prefix("pooling_mode_")).collect()
            }
        };
        if modes.is_empty() {
            // What sentence-transformers takes.
            modes.push("mean");
        }
        self.pooling = Some(match modes[..] {
            ["mean" | "mean_tokens"] => SentencePooling::Mean,
            ["cls" | "cls_token"] => SentencePooling::Cls,
            ["lasttoken"] => SentencePooling::LastToken,
            ["max" | "max_tokens"] => SentencePooling::Max,
            ["mean_sqrt_len_tokens"] => SentencePooling::MeanSqrtLength,
            ["weightedmean" | "weightedmean_tokens"] => SentencePooling::WeightedMean,
            _ => return Err(Error::unsupported(format!("pooling {}", modes.join(" and ")))),
        });
        Ok(())
    }

    fn read_transformer(&mut self, json: Option<&str>) -> Result<()> {
        let file = "sentence_bert_config.json";
        let config = object(file, json)?;
        expect(file, &config, "transformer_task", &["feature-extraction".into()])?;
        expect(file, &config, "module_output_name", &["token_embeddings".into()])?;
        for (name, value) in config["modality_config"].as_object().into_iter().flatten() {
            let plain = value["method"] == "forward" && value["method_output_name"] == "last_hidden_state";
            if name == "text" && !plain {
                return Err(Error::unsupported(format!("{file}: \"modality_config\" of text is {value}")));
            }
        }
        for name in ["processing_kwargs", "query_length", "document_length", "query_expansion"] {
            expect(file, &config, name, &[Value::Object(Default::default())])?;
        }
        self.max_tokens = match &config["max_seq_length"] {
            Value::Null => None,
            value => {
                let most =
                    value.as_u64().filter(|most| *most > 0).ok_or_else(|| wrong(file, "max_seq_length", value))?;
                Some(usize::try_from(most).unwrap_or(usize::MAX))
            }
        };
        self.lowercase = flag(file, &config, "do_lower_case", false)?;
        Ok(())
    }

    fn read_model(&mut self, json: Option<&str>) -> Result<()> {
        let file = "config_sentence_transformers.json";
        let config = object(file, json)?;
        expect(file, &config, "model_type", &["SentenceTransformer".into()])?;
        self.prompts = PROMPTS.into_iter().map(|name| (name.to_owned(), String::new())).collect();
        self.prompts.extend(prompts(file, &config)?);
        self.default_prompt = default_prompt(file, &config)?;
        match &self.default_prompt {
            Some(name) if !self.prompts.contains_key(name) => {
                Err(Error::corrupt(format!("{file}: \"default_prompt_name\" is {name:?}, and no prompt is called so")))
            }
            _ => Ok(()),
        }
    }

    /// What stands before texts: what the caller says, or a prompt of the checkpoint's by its name, or the one that the
    /// checkpoint has for where nobody says. Error: invalid-argument.
    pub fn prompt<'a>(&'a self, text: Option<&'a str>, name: Option<&str>) -> Result<Prompt<'a>> {
        if let Some(text) = text {
            return Ok(Prompt { text, asked: true });
        }
        let asked = name.is_some();
        let Some(name) = name.or(self.default_prompt.as_deref()) else { return Ok(Prompt::default()) };
        match self.prompts.get(name) {
            Some(text) => Ok(Prompt { text, asked }),
            None => {
                let names: Vec<&str> = self.prompts.keys().map(String::as_str).collect();
                Err(Error::invalid(format!("promptName {name:?}: the checkpoint has {}", list(&names))))
            }
        }
    }

    /// What a GGUF file's metadata say (`pooling_type`). Error: unsupported-model.
    pub fn from_gguf(metadata: &Metadata) -> Result<Self> {
        let architecture = metadata.str("general.architecture").unwrap_or_default();
        let pooling = match metadata.u32(&format!("{architecture}.pooling_type")) {
            // None, or a classifier's.
            None | Some(0 | 4) => None,
            Some(1) => Some(SentencePooling::Mean),
            Some(2) => Some(SentencePooling::Cls),
            Some(3) => Some(SentencePooling::LastToken),
            Some(other) => return Err(Error::unsupported(format!("pooling_type {other}"))),
        };
        Ok(Self { pooling, ..Self::default() })
    }
}

/// `config_sentence_transformers.json` of a cross-encoder: what becomes of its logits, by the name of PyTorch's class.
/// Errors: corrupt-file; unsupported-model where texts get a prompt.
pub fn cross_encoder_activation(json: &str) -> Result<Option<String>> {
    let file = "config_sentence_transformers.json";
    let config = object(file, Some(json))?;
    if let Some(name) = default_prompt(file, &config)? {
        let prompts = prompts(file, &config)?;
        if prompts.get(&name).is_none_or(|prompt| !prompt.is_empty()) {
            return Err(Error::unsupported(format!("{file}: \"default_prompt_name\" is {name:?}, of a classifier")));
        }
    }
    match &config["activation_fn"] {
        Value::Null => Ok(None),
        Value::String(activation) => Ok(Some(activation.clone())),
        value => Err(wrong(file, "activation_fn", value)),
    }
}

fn prompts(file: &str, config: &Value) -> Result<BTreeMap<String, String>> {
    match &config["prompts"] {
        Value::Null => Ok(BTreeMap::new()),
        Value::Object(prompts) => {
            let prompt = |(name, prompt): (&String, &Value)| match prompt {
                Value::Null => Ok((name.clone(), String::new())),
                Value::String(prompt) => Ok((name.clone(), prompt.clone())),
                value => Err(wrong(file, "prompts", value)),
            };
            prompts.iter().map(prompt).collect()
        }
        value => Err(wrong(file, "prompts", value)),
    }
}

fn default_prompt(file: &str, config: &Value) -> Result<Option<String>> {
    match &config["default_prompt_name"] {
        Value::Null => Ok(None),
        Value::String(name) => Ok(Some(name.clone())),
        value => Err(wrong(file, "default_prompt_name", value)),
    }
}

/// A model elsewhere would bring a configuration and weights of its own.
fn check_place(path: &Value) -> Result<()> {
    match path.as_str().unwrap_or_default() {
        "" | "." => Ok(()),
        path => {
            Err(Error::unsupported(format!("modules.json: the transformer lies in {path:?}, not beside modules.json")))
        }
    }
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "no prompts".to_owned() } else { names.join(", ") }
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

    fn read(modules: &str, pooling: Option<&str>, transformer: Option<&str>) -> Result<Sentence> {
        let [pooling, transformer] = [pooling, transformer].map(|file| file.map(str::to_owned));
        Sentence::from_json(&SentenceFiles { modules: modules.to_owned(), pooling, transformer, ..Default::default() })
    }

    #[test]
    fn a_gguf_file_says_how_it_pools() {
        let read = |pooling: u32| {
            let mut metadata = Metadata::default();
            metadata.insert("general.architecture", crate::checkpoint::MetadataValue::String("bert".to_owned()));
            metadata.insert("bert.pooling_type", crate::checkpoint::MetadataValue::U32(pooling));
            Sentence::from_gguf(&metadata)
        };
        let found = [0, 1, 2, 3].map(|pooling| read(pooling).unwrap().pooling);
        assert_eq!(
            found,
            [None, Some(SentencePooling::Mean), Some(SentencePooling::Cls), Some(SentencePooling::LastToken)]
        );
        assert_eq!(read(5).unwrap_err().code, Code::UnsupportedModel);
    }

    #[test]
    fn a_sentence_model_says_how_it_pools_and_cuts() {
        let list = modules(&[TRANSFORMER, POOLING, ("sentence_transformers.models.Normalize", "2_Normalize")]);
        let old =
            r#"{"word_embedding_dimension": 384, "pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true}"#;
        let config = r#"{"max_seq_length": 256, "do_lower_case": true}"#;
        let found = read(&list, Some(old), Some(config)).unwrap();
        assert_eq!((found.pooling, found.normalize), (Some(SentencePooling::Mean), true));
        assert_eq!((found.max_tokens, found.lowercase, found.prompt_left_out), (Some(256), true, false));
        let list = modules(&[
            ("sentence_transformers.base.modules.transformer.Transformer", ""),
            ("sentence_transformers.sentence_transformer.modules.pooling.Pooling", "1_Pooling"),
        ]);
        let new = r#"{"embedding_dimension": 768, "pooling_mode": "cls", "include_prompt": false}"#;
        let found = read(&list, Some(new), None).unwrap();
        assert_eq!((found.pooling, found.normalize, found.prompt_left_out), (Some(SentencePooling::Cls), false, true));
        for (mode, vector) in [
            ("lasttoken", SentencePooling::LastToken),
            ("max", SentencePooling::Max),
            ("mean_sqrt_len_tokens", SentencePooling::MeanSqrtLength),
            ("weightedmean", SentencePooling::WeightedMean),
        ] {
            let found = read(&list, Some(&format!(r#"{{"pooling_mode": ["{mode}"]}}"#)), None).unwrap();
            assert_eq!(found.pooling, Some(vector));
        }
    }

    #[test]
    fn dense_modules_stand_between_the_pooling_and_the_norm_in_their_order() {
        let [first, second] = ["2_Dense", "3_Dense"].map(|path| ("sentence_transformers.models.Dense", path));
        let norm = ("sentence_transformers.models.Normalize", "4_Normalize");
        let read = |list: &[(&str, &str)]| {
            let dense = [("2_Dense", 8), ("3_Dense", 4)].map(|(folder, outputs)| {
                (folder.to_owned(), format!(r#"{{"in_features": 4, "out_features": {outputs}}}"#))
            });
            let pooling = Some("{}".to_owned());
            let dense = BTreeMap::from(dense);
            Sentence::from_json(&SentenceFiles { modules: modules(list), pooling, dense, ..Default::default() })
        };
        let outputs = |list: &[(&str, &str)]| -> Vec<usize> {
            read(list).unwrap().dense.iter().map(|module| module.outputs).collect()
        };
        assert_eq!(outputs(&[TRANSFORMER, POOLING, first, second, norm]), [8, 4]);
        assert_eq!(outputs(&[TRANSFORMER, POOLING, second, first]), [4, 8]);
        for list in [&[TRANSFORMER, POOLING, norm, first][..], &[TRANSFORMER, first, POOLING]] {
            assert_eq!(read(list).unwrap_err().code, Code::UnsupportedModel);
        }
        let elsewhere = ("sentence_transformers.models.Dense", "5_Dense");
        assert_eq!(read(&[TRANSFORMER, POOLING, elsewhere]).unwrap_err().code, Code::MissingFile);
    }

    #[test]
    fn a_sentence_model_has_its_prompts_by_name_and_one_by_itself() {
        let read = |model: &str| {
            let modules = modules(&[TRANSFORMER, POOLING]);
            let (pooling, model) = (Some("{}".to_owned()), Some(model.to_owned()));
            Sentence::from_json(&SentenceFiles { modules, pooling, model, ..Default::default() })
        };
        let found = read(r#"{"prompts": {"query": "query: ", "p": "passage: "}, "default_prompt_name": "p"}"#).unwrap();
        let of = |text, name| found.prompt(text, name).map(|prompt| (prompt.text.to_owned(), prompt.asked));
        assert_eq!(of(None, None).unwrap(), ("passage: ".to_owned(), false));
        assert_eq!(of(None, Some("query")).unwrap(), ("query: ".to_owned(), true));
        assert_eq!(of(None, Some("document")).unwrap(), (String::new(), true));
        assert_eq!(of(Some("mine: "), Some("query")).unwrap(), ("mine: ".to_owned(), true));
        let error = of(None, Some("nobody's")).unwrap_err();
        assert!(error.code == Code::InvalidArgument && error.message.contains("document, p, query"), "{error}");
        for (model, code) in [
            (r#"{"default_prompt_name": "none"}"#, Code::CorruptFile),
            (r#"{"prompts": {"query": 5}}"#, Code::CorruptFile),
            (r#"{"prompts": "query: "}"#, Code::CorruptFile),
            (r#"{"model_type": "SparseEncoder"}"#, Code::UnsupportedModel),
        ] {
            assert_eq!(read(model).unwrap_err().code, code, "{model}");
        }
        assert_eq!(Sentence::default().prompt(None, None).unwrap(), Prompt::default());
    }

    #[test]
    fn choices_of_a_sentence_model_that_change_its_vectors_are_refused_by_name() {
        let list = modules(&[TRANSFORMER, POOLING]);
        for (config, code) in [
            (r#"{"transformer_task": "fill-mask"}"#, Code::UnsupportedModel),
            (r#"{"modality_config": {"text": {"method": "get_text_features"}}}"#, Code::UnsupportedModel),
            (r#"{"processing_kwargs": {"text": {"padding": true}}}"#, Code::UnsupportedModel),
            (r#"{"query_length": 32}"#, Code::UnsupportedModel),
            (r#"{"max_seq_length": "256"}"#, Code::CorruptFile),
            (r#"{"max_seq_length": 0}"#, Code::CorruptFile),
            (r#"{"do_lower_case": "yes"}"#, Code::CorruptFile),
            ("[]", Code::CorruptFile),
        ] {
            assert_eq!(read(&list, Some("{}"), Some(config)).unwrap_err().code, code, "{config}");
        }
        let normalize = Some(r#"{"module_input_name": "token_embeddings"}"#.to_owned());
        let modules = modules(&[TRANSFORMER, POOLING, ("sentence_transformers.models.Normalize", "2_Normalize")]);
        let files = SentenceFiles { modules, pooling: Some("{}".to_owned()), normalize, ..Default::default() };
        assert_eq!(Sentence::from_json(&files).unwrap_err().code, Code::UnsupportedModel);
    }

    #[test]
    fn modules_and_poolings_that_are_not_supported_are_refused_by_name() {
        for kind in ["sentence_transformers.models.LayerNorm", "custom_st.Dense", "sentence_transformers.models.LSTM"] {
            let list = modules(&[TRANSFORMER, (kind, "2")]);
            let error = read(&list, None, None).unwrap_err();
            assert_eq!(error.code, Code::UnsupportedModel);
            assert!(error.message.contains(kind), "{error}");
        }
        let list = modules(&[TRANSFORMER, POOLING]);
        for (pooling, name) in [
            (r#"{"pooling_mode": "median"}"#, "median"),
            (r#"{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true}"#, "cls_token and mean_tokens"),
        ] {
            let error = read(&list, Some(pooling), None).unwrap_err();
            assert_eq!(error.code, Code::UnsupportedModel);
            assert!(error.message.contains(name), "{error}");
        }
        let elsewhere = modules(&[("sentence_transformers.models.Transformer", "0_Transformer")]);
        assert_eq!(read(&elsewhere, None, None).unwrap_err().code, Code::UnsupportedModel);
    }

    #[test]
    fn broken_and_missing_files_are_named() {
        let list = modules(&[TRANSFORMER, POOLING]);
        assert_eq!(read(&list, None, None).unwrap_err().code, Code::MissingFile);
        for (list, pooling) in [("{}", "{}"), ("[", "{}"), (&list, "[]"), (&list, "[")] {
            assert_eq!(read(list, Some(pooling), None).unwrap_err().code, Code::CorruptFile);
        }
    }
}
