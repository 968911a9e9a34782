//! Tiny checkpoints that llama.cpp's own converter wrote (see tests/fixtures/llama.cpp/make.py), and what transformers
//! makes of them, by both devices.

use azulejo::Code;
use azulejo::checkpoint::write::{NewTensor, file};
use azulejo::checkpoint::{FileReader, Format, Header, Metadata, MetadataValue, Sink, TensorInfo};
use azulejo::device::gpu::native::run;
use azulejo::device::{CacheType, Device, Progress};
use azulejo::model::spec::Head;
use azulejo::model::{Model, Output, Pooling, Scoring, Sequence, TextModel, WeightLoader};
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

pub fn push(bytes: &[u8], sink: &mut impl Sink) -> azulejo::Result<()> {
    let mut reader = FileReader::new(Format::Gguf, "model.gguf", Some(bytes.len() as u64));
    bytes.chunks(1009).try_for_each(|chunk| reader.push(chunk, sink))?;
    reader.finish()
}

pub fn assembled<D: Device>(files: &[Vec<u8>], device: D) -> WeightLoader<D> {
    let mut weight_loader = WeightLoader::new(device);
    files.iter().for_each(|bytes| push(bytes, &mut weight_loader).unwrap());
    weight_loader
}

pub fn loaded<D: Device>(family: &str, device: D) -> WeightLoader<D> {
    assembled(&[read(family)], device)
}

/// A file's contents.
#[derive(Default)]
pub struct Contents {
    pub metadata: Metadata,
    pub tensors: Vec<(NewTensor, Vec<u8>)>,
}

impl Contents {
    pub fn of(family: &str) -> Self {
        let mut contents = Self::default();
        push(&read(family), &mut contents).unwrap();
        contents
    }
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
    let mut contents = Contents::of(family);
    // The embedding table first, as it is where the vocabulary is not in the metadata.
    contents.tensors.sort_by_key(|(tensor, _)| tensor.name != "token_embd.weight");
    let parts = contents.tensors.chunks(contents.tensors.len().div_ceil(3));
    let shard = |(index, tensors): (usize, &[(NewTensor, Vec<u8>)])| {
        let mut metadata = if index == 0 { contents.metadata.clone() } else { Metadata::default() };
        metadata.insert("split.no", MetadataValue::U16(index as u16));
        metadata.insert("split.count", MetadataValue::U16(3));
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

/// What the reference says, but for ten times the largest error that was measured of these files: 2.5e-5. The CPU rounds
/// what it multiplies quantised weights with to eight bits: of such a file it is some 5e-4.
fn assert_outputs(found: &[f32], expected: &[f32], what: &str) {
    let within = if what.starts_with("gpt_oss_mxfp4") { 2e-2 } else { 2.5e-4 };
    assert_within(found, expected, within, what);
}

async fn a_decoder_writes<D: Device>(family: &str, case: &Case, weight_loader: WeightLoader<D>) {
    let mut model = Model::new(weight_loader, None, CacheType::F32, &Progress::default()).await.unwrap();
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

async fn an_encoder_reads<D: Device>(family: &str, case: &Case, weight_loader: WeightLoader<D>) {
    let mut model = TextModel::new(weight_loader, &Progress::default()).await.unwrap();
    let rows = Rows::of(case);
    let sequences: Vec<Sequence> = rows.ids.iter().cloned().map(Sequence::new).collect();
    let hidden = model.read(&sequences, Output::Hidden).await.unwrap();
    let width = model.width(Output::Hidden);
    assert_outputs(&hidden, &rows.real(&case.floats("hidden"), width), &format!("{family}, hidden"));
    let pooling = match family {
        "qwen3_embedding" => Some(Pooling::Last),
        // Behind two Dense modules.
        "gemma3_embedding_dense" => Some(Pooling::Mean),
        _ => None,
    };
    if let Some(pooling) = pooling {
        let vectors = model.read(&sequences, Output::Vector(pooling)).await.unwrap();
        assert_outputs(&vectors, &case.floats("pooled"), &format!("{family}, vectors"));
    }
    if let Head::Classes(_) = model.encoder.spec.head {
        assert_eq!(model.labels.len(), 5, "{family}");
        let logits = model.read(&sequences, Output::Logits).await.unwrap();
        assert_outputs(&logits, &case.floats("logits"), &format!("{family}, logits"));
    }
}

async fn gives_the_reference<D: Device>(family: &str, weight_loader: WeightLoader<D>) {
    let case = Case::at(&path(&format!("{family}.safetensors")));
    match weight_loader.plan().unwrap().spec().task() {
        "causal-lm" | "seq2seq" => a_decoder_writes(family, &case, weight_loader).await,
        _ => an_encoder_reads(family, &case, weight_loader).await,
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
            family if family.contains("_embedding") => "text-embedding",
            "roberta" | "distilbert" | "modernbert" => "text-classification",
            "t5" => "seq2seq",
            _ => "causal-lm",
        };
        assert_eq!(loaded(&family, cpu(1)).plan().unwrap().spec().task(), expected, "{family}");
    }
}

/// The first files of mixtures had a tensor for each expert.
#[test]
fn experts_in_tensors_of_their_own_are_the_same_model() {
    let contents = Contents::of("mixtral");
    let mut tensors = Vec::new();
    for (tensor, data) in contents.tensors {
        let Some(stem) = tensor.name.strip_suffix("_exps.weight") else {
            tensors.push((tensor, data));
            continue;
        };
        let (count, shape) = (tensor.shape[0], tensor.shape[1..].to_vec());
        for (expert, data) in data.chunks(data.len() / count).enumerate() {
            let name = format!("{stem}.{expert}.weight");
            tensors.push((NewTensor { name, shape: shape.clone(), ..tensor }, data.to_vec()));
        }
    }
    let bytes = file(&contents.metadata, &tensors);
    run(None, gives_the_reference("mixtral", assembled(&[bytes], cpu(1))));
}

#[test]
fn a_missing_file_of_several_is_named_by_its_first_tensor() {
    let weight_loader = assembled(&shards("llama")[..2], cpu(1));
    let model = run(None, Model::new(weight_loader, None, CacheType::F32, &Progress::default()));
    let error = model.err().unwrap();
    assert_eq!(error.code, Code::CorruptFile);
    assert!(error.place.tensor.is_some(), "{error}");
}
