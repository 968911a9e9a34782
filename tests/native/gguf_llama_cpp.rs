//! Tiny checkpoints that llama.cpp's own converter wrote (see tests/fixtures/llama.cpp/make.py), and what transformers
//! makes of them, by both devices.

use azulejo::Code;
use azulejo::checkpoint::write::{NewTensor, file};
use azulejo::checkpoint::{Array, FileReader, Format, Header, Metadata, Sink, TensorInfo, Value};
use azulejo::device::gpu::native::run;
use azulejo::device::{CacheType, Device, Progress};
use azulejo::model::spec::Head;
use azulejo::model::{Assembly, Model, Reading, Scoring, Sequence, Spec, TextModel, families};
use std::fs;

use crate::case::{Case, assert_within};
use crate::devices::{cpu, first, gpu};

fn path(name: &str) -> String {
    format!("{}/tests/fixtures/llama.cpp/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The files there, without what their names end with.
fn families() -> Vec<String> {
    let names = fs::read_dir(path("")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut families: Vec<String> = names.filter_map(|name| Some(name.strip_suffix(".gguf")?.to_owned())).collect();
    families.sort();
    families
}

fn read(family: &str) -> Vec<u8> {
    fs::read(path(&format!("{family}.gguf"))).unwrap()
}

fn push(bytes: &[u8], sink: &mut impl Sink) -> azulejo::Result<()> {
    let mut reader = FileReader::new(Format::Gguf, "model.gguf", Some(bytes.len() as u64));
    bytes.chunks(1009).try_for_each(|chunk| reader.push(chunk, sink))?;
    reader.finish()
}

fn assembled<D: Device>(files: &[Vec<u8>], device: D) -> Assembly<D> {
    let mut assembly = Assembly::new(device);
    files.iter().for_each(|bytes| push(bytes, &mut assembly).unwrap());
    assembly
}

fn loaded<D: Device>(family: &str, device: D) -> Assembly<D> {
    assembled(&[read(family)], device)
}

/// A file's contents.
#[derive(Default)]
struct Contents {
    metadata: Metadata,
    tensors: Vec<(NewTensor, Vec<u8>)>,
}

impl Sink for Contents {
    fn header(&mut self, header: &Header) -> azulejo::Result<()> {
        self.metadata = header.metadata.clone();
        Ok(())
    }

    fn wants(&mut self, tensor: &TensorInfo) -> bool {
        let (name, shape) = (tensor.name.clone(), tensor.shape.clone());
        self.tensors.push((NewTensor { name, ty: tensor.ty, shape }, Vec::new()));
        true
    }

    fn data(&mut self, _: &TensorInfo, bytes: &[u8]) -> azulejo::Result<()> {
        self.tensors.last_mut().unwrap().1.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&mut self, _: &TensorInfo) -> azulejo::Result<()> {
        Ok(())
    }
}

/// The same in three files.
fn shards(family: &str) -> Vec<Vec<u8>> {
    let mut contents = Contents::default();
    push(&read(family), &mut contents).unwrap();
    // The embedding table first, as it is where the vocabulary is not in the metadata.
    contents.tensors.sort_by_key(|(tensor, _)| tensor.name != "token_embd.weight");
    let parts = contents.tensors.chunks(contents.tensors.len().div_ceil(3));
    let shard = |(index, tensors): (usize, &[(NewTensor, Vec<u8>)])| {
        let mut metadata = if index == 0 { contents.metadata.clone() } else { Metadata::default() };
        metadata.insert("split.no", Value::U16(index as u16));
        metadata.insert("split.count", Value::U16(3));
        file(&metadata, tensors)
    };
    parts.enumerate().map(shard).collect()
}

/// The rows of a case without their padding, and the values of each row's real tokens in its outputs.
struct Rows {
    ids: Vec<Vec<u32>>,
    positions: usize,
}

impl Rows {
    fn of(case: &Case) -> Self {
        let (ids, mask) = (case.ids("input_ids"), case.ids("attention_mask"));
        let positions = ids.len() / 2;
        let len = |row: usize| mask[row * positions..][..positions].iter().sum::<u32>() as usize;
        Self { ids: (0..2).map(|row| ids[row * positions..][..len(row)].to_vec()).collect(), positions }
    }

    fn real(&self, outputs: &[f32], width: usize) -> Vec<f32> {
        let real = |row: usize| &outputs[row * self.positions * width..][..self.ids[row].len() * width];
        [real(0), real(1)].concat()
    }
}

async fn score<D: Device>(model: &mut Model<D>, rows: Vec<Vec<u32>>, sources: Vec<Vec<u32>>) -> Vec<f32> {
    let mut scoring = Scoring::new(model, rows, sources, false).unwrap();
    let [rows, positions, vocabulary] = scoring.dims(model);
    let mut all = vec![0.0; rows * positions * vocabulary];
    let mut more = true;
    while more {
        let take = |row: usize, position: usize, logits: &[f32]| {
            all[(row * positions + position) * vocabulary..][..vocabulary].copy_from_slice(logits);
        };
        more = scoring.step(model, take).await.unwrap();
    }
    all
}

/// What the reference says, but for ten times the largest error that was measured of these files: 2.5e-5.
fn assert_outputs(found: &[f32], expected: &[f32], what: &str) {
    assert_within(found, expected, 2.5e-4, what);
}

async fn a_decoder_writes<D: Device>(family: &str, case: &Case, assembly: Assembly<D>) {
    let mut model = Model::new(assembly, None, CacheType::F32, &Progress::default()).await.unwrap();
    let (rows, vocabulary, expected) = (Rows::of(case), model.spec.vocabulary(), case.floats("logits"));
    if model.spec.looks_across() {
        let given = case.ids("decoder_input_ids");
        let targets = given.chunks(given.len() / 2).map(<[u32]>::to_vec).collect();
        return assert_outputs(&score(&mut model, targets, rows.ids).await, &expected, family);
    }
    let mut found = Vec::new();
    for row in &rows.ids {
        found.extend(score(&mut model, vec![row.clone()], Vec::new()).await);
    }
    assert_outputs(&found, &rows.real(&expected, vocabulary), family);
}

async fn an_encoder_reads<D: Device>(family: &str, case: &Case, assembly: Assembly<D>) {
    let mut model = TextModel::new(assembly, &Progress::default()).await.unwrap();
    let rows = Rows::of(case);
    let sequences: Vec<Sequence> = rows.ids.iter().cloned().map(Sequence::new).collect();
    let hidden = model.read(&sequences, Reading::Hidden).await.unwrap();
    let width = model.width(Reading::Hidden);
    assert_outputs(&hidden, &rows.real(&case.floats("hidden"), width), &format!("{family}, hidden"));
    if let Head::Classes(_) = model.tower.spec.head {
        assert_eq!(model.labels.len(), 5, "{family}");
        let logits = model.read(&sequences, Reading::Logits).await.unwrap();
        assert_outputs(&logits, &case.floats("logits"), &format!("{family}, logits"));
    }
}

async fn gives_the_reference<D: Device>(family: &str, assembly: Assembly<D>) {
    let case = Case::at(&path(&format!("{family}.safetensors")));
    match assembly.plan().unwrap().spec().task() {
        "causal-lm" | "seq2seq" => a_decoder_writes(family, &case, assembly).await,
        _ => an_encoder_reads(family, &case, assembly).await,
    }
}

#[test]
fn every_family_gives_the_reference_outputs() {
    let kernels = first();
    for family in families() {
        println!("{family}");
        run(None, gives_the_reference(&family, loaded(&family, cpu(2))));
        run(Some(&kernels.context), gives_the_reference(&family, loaded(&family, gpu(&kernels))));
    }
}

#[test]
fn every_family_is_the_same_model_in_several_files() {
    for family in families() {
        println!("{family}");
        run(None, gives_the_reference(&family, assembled(&shards(&family), cpu(1))));
    }
}

/// What each file is for: BERT's converter leaves the pooler out, without which its classifier is of no use.
#[test]
fn every_file_has_its_task() {
    for family in families() {
        let expected = match family.as_str() {
            "bert" | "t5encoder" => "text-embedding",
            "roberta" | "distilbert" | "modernbert" => "text-classification",
            "t5" => "seq2seq",
            _ => "causal-lm",
        };
        assert_eq!(loaded(&family, cpu(1)).plan().unwrap().spec().task(), expected, "{family}");
    }
}

/// A file's header, changed.
fn changed(family: &str, change: impl FnOnce(&mut Header)) -> azulejo::Result<Spec> {
    let mut header = loaded(family, cpu(1)).header().clone();
    change(&mut header);
    families::from_gguf(&header).map(|plan| plan.spec().clone())
}

#[test]
fn what_is_lacking_is_refused_by_its_name() {
    let cases = [
        ("llama", "general.architecture", Value::String("gptj".into()), "architecture \"gptj\""),
        ("llama", "llama.expert_count", Value::U32(8), "llama with mixture of experts"),
        ("phi3", "phi3.rope.scaling.type", Value::String("longrope".into()), "RoPE scaling \"longrope\""),
        ("mpt", "mpt.attention.max_alibi_bias", Value::F32(0.0), "\"alibi\": false"),
        ("mpt", "mpt.attention.clamp_kqv", Value::F32(6.0), "\"clip_qkv\": 6.0"),
        ("olmo2", "olmo2.attention.sliding_window", Value::U32(4096), "OLMo 3"),
        ("gemma3", "gemma3.attention.causal", Value::Bool(false), "gemma3 with \"attention.causal\": false"),
        ("qwen3", "qwen3.attention.value_length", Value::U32(4), "heads with keys of 16 and values of 4 dimensions"),
    ];
    for (family, key, value, named) in cases {
        let error = changed(family, |header| header.metadata.insert(key, value)).err().unwrap();
        assert_eq!(error.code, Code::UnsupportedModel, "{error}");
        assert!(error.to_string().contains(named), "{error}");
    }
    let factors = |header: &mut Header| {
        let mut tensor = header.tensors[0].clone();
        tensor.name = "rope_factors_long.weight".to_owned();
        header.tensors.push(tensor);
    };
    assert!(changed("phi3", factors).err().unwrap().to_string().contains("longrope"));
}

#[test]
fn numbers_that_are_none_are_refused() {
    for key in ["llama.attention.layer_norm_rms_epsilon", "llama.rope.freq_base", "llama.rope.scaling.factor"] {
        for number in [f32::NAN, f32::INFINITY] {
            let error = changed("llama", |header| header.metadata.insert(key, Value::F32(number))).err().unwrap();
            assert_eq!(error.code, Code::CorruptFile, "{error}");
        }
    }
}

#[test]
fn layers_see_what_the_file_says() {
    let windows = |family: &str, pattern: Option<Value>| {
        let prefix = if family == "modernbert" { "modern-bert" } else { family };
        let key = format!("{prefix}.attention.sliding_window_pattern");
        let set = |header: &mut Header| pattern.into_iter().for_each(|pattern| header.metadata.insert(&key, pattern));
        let spec = changed(family, set).unwrap();
        spec.blocks.iter().map(|block| u8::from(block.attention().unwrap().window.is_some())).collect::<Vec<_>>()
    };
    let list = |local: &[bool]| Some(Value::Array(Array::Bool(local.to_vec())));
    assert_eq!(windows("gemma2", None), [1, 0, 1]);
    assert_eq!(windows("gemma2", list(&[false, true, true])), [0, 1, 1]);
    assert_eq!(windows("gemma3", None), [1, 1, 1, 1, 1, 0]);
    assert_eq!(windows("gemma3", Some(Value::U32(3))), [1, 1, 0, 1, 1, 0]);
    assert_eq!(windows("modernbert", Some(Value::U32(2))), [0, 1, 0, 1]);
    // What llama.cpp knows by the number of layers alone: Gemma 2 27B's scores.
    let largest = changed("gemma2", |header| header.metadata.insert("gemma2.block_count", Value::U32(46))).unwrap();
    let usual = changed("gemma2", |_| ()).unwrap();
    assert_eq!([largest, usual].map(|spec| spec.attention().scale), [8f32, 12.0].map(|dims| dims.sqrt().recip()));
    let short = changed("gemma2", |header| {
        let list = Value::Array(Array::Bool(vec![true]));
        header.metadata.insert("gemma2.attention.sliding_window_pattern", list);
    });
    assert_eq!(short.err().unwrap().code, Code::CorruptFile);
}
