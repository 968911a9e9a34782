//! The classes of tokenizers in transformers that are known here, and the files that each has.

use serde_json::Value;

/// A class of tokenizers in transformers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Class {
    Gpt2,
    Roberta,
    Clip,
    Bert,
    T5,
    XlmRoberta,
    Camembert,
    Llama,
    Gemma,
    Marian,
}

/// What `tokenizer_config.json` and `config.json` call them.
const CLASSES: [(Class, &[&str], &[&str]); 10] = [
    (Class::Gpt2, &["GPT2Tokenizer"], &["gpt2", "opt", "gptj", "phi"]),
    (Class::Roberta, &["RobertaTokenizer", "BartTokenizer"], &["roberta", "bart"]),
    (Class::Clip, &["CLIPTokenizer"], &["clip"]),
    (Class::Bert, &["BertTokenizer", "DistilBertTokenizer"], &["bert", "distilbert"]),
    (Class::T5, &["T5Tokenizer", "MT5Tokenizer"], &["t5", "mt5"]),
    (Class::XlmRoberta, &["XLMRobertaTokenizer"], &["xlm-roberta"]),
    (Class::Camembert, &["CamembertTokenizer"], &["camembert"]),
    (Class::Llama, &["LlamaTokenizer"], &["llama", "mistral"]),
    (Class::Gemma, &["GemmaTokenizer"], &["gemma", "gemma2", "gemma3_text"]),
    (Class::Marian, &["MarianTokenizer"], &["marian"]),
];

impl Class {
    /// The class that `tokenizer_config.json` names, else the one that models of this type have.
    pub fn of(config: &Value, model_type: &str) -> Option<Self> {
        let name = config["tokenizer_class"].as_str().map(|name| name.strip_suffix("Fast").unwrap_or(name));
        // A name that says nothing of the files.
        let name = name.filter(|&name| name != "PreTrainedTokenizer");
        let is = |(_, names, types): &&(Class, &[&str], &[&str])| match name {
            Some(name) => names.contains(&name),
            None => types.contains(&model_type),
        };
        CLASSES.iter().find(is).map(|&(class, ..)| class)
    }

    pub fn files(self) -> &'static [&'static str] {
        match self {
            Class::Gpt2 | Class::Roberta | Class::Clip => &["vocab.json", "merges.txt"],
            Class::Bert => &["vocab.txt"],
            Class::T5 => &["spiece.model"],
            Class::XlmRoberta | Class::Camembert => &["sentencepiece.bpe.model"],
            Class::Llama | Class::Gemma => &["tokenizer.model"],
            Class::Marian => &["vocab.json", "source.spm"],
        }
    }
}
