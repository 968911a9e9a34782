//! sentence-transformers' `Dense` modules: what a text's vector goes through behind the pooling.

use serde_json::Value;

use super::sentence_fields::{expect, flag, object, wrong};
use crate::{Code, Error, Result};

/// One of them: activation(x · weightᵀ + bias). Its weights lie in a file of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentenceDense {
    /// Its folder in the model's.
    pub folder: String,
    pub inputs: usize,
    pub outputs: usize,
    pub bias: bool,
    pub activation: SentenceActivation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentenceActivation {
    Identity,
    Tanh,
    Relu,
    Gelu,
    Silu,
}

impl SentenceDense {
    /// From its `config.json`. Errors: corrupt-file, missing-file, unsupported-model with the name of what we lack.
    pub(super) fn read(folder: &str, json: Option<&str>) -> Result<Self> {
        let file = &*format!("{folder}/config.json");
        let missing = || Error::new(Code::MissingFile, format!("{file} is missing"));
        let config = object(file, Some(json.ok_or_else(missing)?))?;
        for name in ["module_input_name", "module_output_name"] {
            expect(file, &config, name, &["sentence_embedding".into()])?;
        }
        expect(file, &config, "use_residual", &[false.into()])?;
        let count = |name: &str| match config[name].as_u64().and_then(|count| u32::try_from(count).ok()) {
            Some(count @ 1..) => Ok(count as usize),
            _ => Err(wrong(file, name, &config[name])),
        };
        let activation = match &config["activation_function"] {
            // What sentence-transformers takes.
            Value::Null => SentenceActivation::Tanh,
            Value::String(name) => match name.strip_prefix("torch.nn.modules.") {
                Some("linear.Identity") => SentenceActivation::Identity,
                Some("activation.Tanh") => SentenceActivation::Tanh,
                Some("activation.ReLU") => SentenceActivation::Relu,
                Some("activation.GELU") => SentenceActivation::Gelu,
                Some("activation.SiLU") => SentenceActivation::Silu,
                _ => {
                    let supported = "supported: Identity, Tanh, ReLU, GELU, SiLU of torch.nn.modules";
                    return Err(Error::unsupported(format!(
                        "{file}: \"activation_function\" is {name:?} ({supported})"
                    )));
                }
            },
            value => return Err(wrong(file, "activation_function", value)),
        };
        Ok(Self {
            folder: folder.to_owned(),
            inputs: count("in_features")?,
            outputs: count("out_features")?,
            bias: flag(file, &config, "bias", true)?,
            activation,
        })
    }

    /// Checks that modules fit behind a vector of `width` values and one another, and gives the last one's values.
    /// Error: corrupt-file.
    pub fn chain(modules: &[Self], width: usize) -> Result<usize> {
        modules.iter().try_fold(width, |width, module| {
            let Self { folder, inputs, outputs, .. } = module;
            match *inputs == width {
                true => Ok(*outputs),
                false => Err(Error::corrupt(format!(
                    "{folder}/config.json: \"in_features\" is {inputs}, but the vector has {width} values there"
                ))),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dense_module_says_what_it_multiplies() {
        let read = |json: &str| SentenceDense::read("2_Dense", Some(json));
        let plain = read(r#"{"in_features": 4, "out_features": 6}"#).unwrap();
        assert_eq!((plain.inputs, plain.outputs, plain.bias), (4, 6, true));
        assert_eq!(plain.activation, SentenceActivation::Tanh);
        let name = "torch.nn.modules.linear.Identity";
        let json =
            format!(r#"{{"in_features": 6, "out_features": 2, "bias": false, "activation_function": "{name}"}}"#);
        let other = read(&json).unwrap();
        assert_eq!((other.bias, other.activation), (false, SentenceActivation::Identity));
        let modules = [plain, other];
        assert_eq!(SentenceDense::chain(&modules, 4).unwrap(), 2);
        assert_eq!(SentenceDense::chain(&[], 4).unwrap(), 4);
        let error = SentenceDense::chain(&modules, 5).unwrap_err();
        assert!(error.code == Code::CorruptFile && error.message.contains("4, but the vector has 5"), "{error}");
    }

    #[test]
    fn what_a_dense_module_does_otherwise_is_refused_by_name() {
        for (json, code, name) in [
            (r#"{"out_features": 6}"#, Code::CorruptFile, "in_features"),
            (r#"{"in_features": 0, "out_features": 6}"#, Code::CorruptFile, "in_features"),
            (r#"{"in_features": 4, "out_features": 6, "bias": 1}"#, Code::CorruptFile, "bias"),
            (r#"{"in_features": 4, "out_features": 4, "use_residual": true}"#, Code::UnsupportedModel, "use_residual"),
            (
                r#"{"in_features": 4, "out_features": 4, "module_input_name": "token_embeddings"}"#,
                Code::UnsupportedModel,
                "module_input_name",
            ),
            (
                r#"{"in_features": 4, "out_features": 4, "activation_function": "torch.nn.modules.activation.Mish"}"#,
                Code::UnsupportedModel,
                "Mish",
            ),
        ] {
            let error = SentenceDense::read("2_Dense", Some(json)).unwrap_err();
            assert!(error.code == code && error.message.contains(name), "{error}");
        }
        assert_eq!(SentenceDense::read("2_Dense", None).unwrap_err().code, Code::MissingFile);
    }
}
