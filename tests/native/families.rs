//! Families and their checkpoints: every one of the conformance set is read whole, each tensor has a place, and no place
//! stays empty; and so are the older spellings.

use azulejo::checkpoint::{FileReader, Format};
use azulejo::device::cpu::Cpu;
use azulejo::model::rope::RopeScaling;
use azulejo::model::spec::{Block, Head, Pooling};
use azulejo::model::{ModelConfig, WeightLoader, families};
use azulejo::{Code, Result};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::devices::cpu;

/// The checkpoints of a folder; the set's own, or another of the same make.
fn checkpoints() -> Vec<PathBuf> {
    let set = std::env::var("AZULEJO_CONFORMANCE");
    let set = set.unwrap_or(format!("{}/tests/conformance", env!("CARGO_MANIFEST_DIR")));
    let entries = fs::read_dir(set).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.join("config.json").exists()).collect();
    folders.sort();
    folders
}

/// A checkpoint's configuration and weights.
struct Checkpoint {
    config: Value,
    tensors: BTreeMap<String, (Vec<usize>, Vec<u8>)>,
}

impl Checkpoint {
    fn read(folder: &Path) -> Self {
        let bytes = fs::read(folder.join("model.safetensors")).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensor = |(name, view): (String, TensorView)| (name, (view.shape().to_vec(), view.data().to_vec()));
        Self {
            config: serde_json::from_str(&fs::read_to_string(folder.join("config.json")).unwrap()).unwrap(),
            tensors: file.tensors().into_iter().map(tensor).collect(),
        }
    }

    fn of(family: &str) -> Self {
        Self::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance").join(family))
    }

    fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.config[name] = value.into();
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.tensors.retain(|tensor, _| !tensor.contains(name));
        self
    }

    fn renamed(mut self, from: &str, to: &str) -> Self {
        self.tensors = self.tensors.into_iter().map(|(name, tensor)| (name.replace(from, to), tensor)).collect();
        self
    }

    fn doubled(mut self, from: &str, to: &str) -> Self {
        self.tensors.insert(to.to_owned(), self.tensors[from].clone());
        self
    }

    fn plan(&self) -> Result<ModelConfig> {
        families::from_config(&self.config.to_string())
    }

    /// The plan of what it holds, and the bytes of its weights; loaded and brought to the device.
    fn load(&self) -> Result<(ModelConfig, u64)> {
        let views = self
            .tensors
            .iter()
            .map(|(name, (shape, data))| (name, TensorView::new(Dtype::F32, shape.clone(), data).unwrap()));
        let bytes = safetensors::serialize(views, None).unwrap();
        let mut weight_loader: WeightLoader<Cpu> = WeightLoader::new(cpu(1));
        weight_loader.set_plan(self.plan()?);
        let mut reader = FileReader::new(Format::Safetensors, "model.safetensors", Some(bytes.len() as u64));
        bytes.chunks(1009).try_for_each(|chunk| reader.push(chunk, &mut weight_loader))?;
        reader.finish()?;
        let size = weight_loader.weight_bytes();
        let (mut device, plan, loaded) = weight_loader.finish()?;
        loaded.weights(&mut device, plan.specs())?;
        Ok((plan, size))
    }
}

fn fills_its_model(folder: &Path) {
    let (checkpoint, name) = (Checkpoint::read(folder), folder.display());
    let plan = checkpoint.plan().unwrap_or_else(|error| panic!("{name}: {error}"));
    let slots: HashSet<_> = plan.wanted().unwrap().into_iter().map(|(slot, _)| slot).collect();
    // DINOv2's is of pre-training.
    for tensor in checkpoint.tensors.keys().filter(|tensor| !tensor.ends_with("mask_token")) {
        assert!(plan.slots(tensor).iter().any(|slot| slots.contains(&slot.of_all())), "{name}: {tensor} is left over");
    }
    let (found, _) = checkpoint.load().unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(found.wanted().unwrap(), plan.wanted().unwrap(), "{name} lacks a part");
}

#[test]
fn every_checkpoint_of_the_set_fills_its_model() {
    let folders = checkpoints();
    assert!(folders.len() >= 9, "{folders:?}");
    folders.iter().for_each(|folder| fills_its_model(folder));
}

#[test]
fn the_first_berts_names_are_read() {
    let body = || Checkpoint::of("bert").with("architectures", json!(["BertModel"])).without("classifier");
    let (plan, _) = body().renamed("bert.", "").load().unwrap();
    assert!(matches!(plan.spec().head, Head::None { pooler: true }));
    let old = body().renamed("LayerNorm.weight", "LayerNorm.gamma").renamed("LayerNorm.bias", "LayerNorm.beta");
    old.load().unwrap();
    let (plan, _) = body().without("pooler").load().unwrap();
    assert!(matches!(plan.spec().head, Head::None { pooler: false }));
}

#[test]
fn another_head_and_an_unused_pooler_are_passed_over() {
    let (plan, _) = Checkpoint::of("bert").with("architectures", json!(["BertForMaskedLM"])).load().unwrap();
    assert_eq!(plan.spec().task(), "text-embedding");
    let roberta = || Checkpoint::of("roberta").doubled("classifier.dense.weight", "roberta.pooler.dense.weight");
    assert_eq!(roberta().load().unwrap().1, Checkpoint::of("roberta").load().unwrap().1);
    assert_eq!(roberta().without("classifier.dense.weight").load().unwrap_err().code, Code::CorruptFile);
}

#[test]
fn a_shared_table_under_several_names_is_read_once() {
    let bart = || Checkpoint::of("bart").doubled("model.shared.weight", "model.encoder.embed_tokens.weight");
    let (_, size) = bart().doubled("model.shared.weight", "lm_head.weight").load().unwrap();
    assert_eq!(size, Checkpoint::of("bart").load().unwrap().1);
    bart().without("model.shared.weight").load().unwrap();
}

#[test]
fn a_head_that_an_encoder_decoder_lacks_is_its_table() {
    let head = |checkpoint: Checkpoint| *checkpoint.load().unwrap().0.spec().vocabulary_head().unwrap();
    let (first, later) = (Checkpoint::of("t5"), || Checkpoint::of("t5").with("tie_word_embeddings", false));
    let first = head(first);
    assert!(first.tied && first.scale == 48f32.sqrt().recip(), "{first:?}");
    // As transformers 5 saves a checkpoint whose configuration had said so.
    let tied = head(later().with("scale_decoder_outputs", false));
    assert!(tied.tied && tied.scale == 1.0, "{tied:?}");
    let own = later().with("scale_decoder_outputs", false).doubled("shared.weight", "lm_head.weight");
    assert!(!head(own).tied);
    assert!(!head(Checkpoint::of("bart").without("final_logits_bias")).bias);
}

#[test]
fn an_encoder_decoder_says_how_its_texts_begin() {
    let marian = Checkpoint::of("marian").with("forced_bos_token_id", 7).with("bad_words_ids", json!([[3], [4, 5]]));
    let generation = marian.plan().unwrap().generation;
    assert_eq!((generation.start, generation.first), (Some(0), Some(7)));
    let outside = Checkpoint::of("marian").with("decoder_start_token_id", 131);
    assert_eq!(outside.plan().unwrap_err().code, Code::CorruptFile);
}

/// What the first releases' files hold: hardly anything, or what counts under another name.
#[test]
fn sparse_configurations_of_two_towers_are_read() {
    let part = json!({"model_type": "siglip_text_model"});
    let siglip = json!({"model_type": "siglip", "architectures": ["SiglipModel"], "text_config": part});
    let plan = families::from_config(&siglip.to_string()).unwrap();
    let (spec, images) = (plan.spec(), &plan.stacks[1].spec);
    assert_eq!((spec.width, spec.vocabulary(), spec.context()), (768, 32000, 64));
    assert_eq!((images.layers(), images.context()), (12, 196));
    let text = json!({"hidden_size": 64, "num_attention_heads": 2, "eos_token_id": 2});
    let clip = json!({"model_type": "clip", "text_config_dict": text, "text_config": {"hidden_size": 32}});
    let plan = families::from_config(&clip.to_string()).unwrap();
    assert_eq!((plan.spec().width, plan.spec().layers()), (64, 12));
    assert!(
        matches!(plan.spec().head, Head::Embedding(head) if head.pooling == Pooling::LargestToken && head.width == 512)
    );
}

#[test]
fn older_spellings_make_the_same_model() {
    let today = Checkpoint::of("modernbert");
    let mut older = Checkpoint::of("modernbert").with("global_rope_theta", 160000.0).with("local_rope_theta", 10000.0);
    let fields = older.config.as_object_mut().unwrap();
    ["layer_types", "rope_parameters"].iter().for_each(|name| assert!(fields.remove(*name).is_some()));
    assert_eq!(format!("{:?}", older.plan().unwrap().spec()), format!("{:?}", today.plan().unwrap().spec()));
}

#[test]
fn an_older_scaling_stretches_all_of_modernbert() {
    let scaling = json!({"rope_type": "linear", "factor": 4.0});
    let plan = Checkpoint::of("modernbert").with("rope_scaling", scaling).plan().unwrap();
    for attention in plan.spec().blocks.iter().flat_map(Block::attention) {
        assert!(matches!(attention.rope.as_ref().unwrap().scaling, RopeScaling::Linear { factor } if factor == 4.0));
    }
}

#[test]
fn what_is_lacking_is_refused_by_name() {
    let cases = [
        ("bert", "position_embedding_type", json!("relative_key")),
        ("bert", "is_decoder", json!(true)),
        ("modernbert", "classifier_pooling", json!("max")),
        ("t5", "feed_forward_proj", json!("gated-prelu")),
        ("t5", "architectures", json!(["T5EncoderModel"])),
        ("bart", "architectures", json!(["BartForSequenceClassification"])),
        ("bart", "normalize_before", json!(true)),
        ("bart", "tie_word_embeddings", json!(false)),
        ("marian", "share_encoder_decoder_embeddings", json!(false)),
        ("marian", "decoder_vocab_size", json!(130)),
        ("marian", "normalize_embedding", json!(true)),
        ("siglip", "vision_config", json!({"vision_use_head": false})),
        ("siglip", "vision_config", json!({"hidden_size": 96})),
    ];
    for (family, name, value) in cases {
        let error = Checkpoint::of(family).with(name, value.clone()).plan().unwrap_err();
        assert_eq!(error.code, Code::UnsupportedModel, "{family}, {name}: {value}: {error}");
    }
}
