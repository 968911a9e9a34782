//! Allocations that are refused, one after the other, while a model is loaded and computes. What is as large as the model, its
//! input or its context is an error with a name, and nothing goes on with less than it has asked for.

use azulejo::Result;
use azulejo::checkpoint::{FileReader, Format};
use azulejo::device::cpu::Cpu;
use azulejo::device::gpu::native::run;
use azulejo::device::{CacheType, Progress};
use azulejo::model::{
    DualEncoder, GenerateRequest, ImageModel, ImageSource, ImageTask, Model, Output, Scoring, Sequence, TextModel,
    WeightLoader, families,
};
use azulejo::text::{GenerateOptions, Sampling};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::process::Command;

#[path = "common/case.rs"]
mod case;
#[path = "common/devices.rs"]
mod devices;
#[path = "common/generated.rs"]
mod generated;
#[path = "common/outputs.rs"]
mod outputs;
use case::{Case, folder};
use devices::cpu;
use generated::finished;
use outputs::{images, rows};

/// Refuses one request of a thread: the so many-th of those that are not small.
struct Refusing;

/// What is smaller has no size of its own in a model's.
const SMALL: usize = 4 << 10;

thread_local! {
    /// Requests until the one that is refused; none is at 0.
    static LEFT: Cell<usize> = const { Cell::new(0) };
    /// The bytes of the one that was.
    static REFUSED: Cell<usize> = const { Cell::new(0) };
}

/// Whether this request is to be refused.
fn refuses(size: usize) -> bool {
    if size < SMALL {
        return false;
    }
    let left = LEFT.replace(LEFT.get().saturating_sub(1));
    if left == 1 {
        REFUSED.set(size);
    }
    left == 1
}

// SAFETY: all is handed on to the system's, or refused: null says so to whoever asks.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if refuses(layout.size()) {
            return std::ptr::null_mut();
        }
        // SAFETY: as the caller has promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as the caller has promised.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Refusing = Refusing;

/// Set for the process that goes on from that request of that family's.
const FROM: &str = "AZULEJO_REFUSED_FROM";
const FAMILY: &str = "AZULEJO_REFUSED_FAMILY";

/// What a family is loaded from and computes, read before anything is refused.
struct Given {
    config: String,
    weights: Vec<u8>,
    rows: Vec<Sequence>,
    prompt: Vec<u32>,
    targets: Vec<u32>,
    images: Option<ImageSource>,
}

impl Given {
    fn read(family: &str) -> Self {
        let read = |file: &str| fs::read(format!("{}/{file}", folder(family))).unwrap();
        let case = Case::read(family);
        let ids = |name: &str| if case.has(name) { case.ids(name) } else { Vec::new() };
        Self {
            config: String::from_utf8(read("config.json")).unwrap(),
            weights: read("model.safetensors"),
            rows: if case.has("input_ids") { rows(&case) } else { Vec::new() },
            prompt: ids("prompt"),
            targets: ids("decoder_input_ids"),
            images: case.has("pixel_values").then(|| images(&case)),
        }
    }

    fn weight_loader(&self) -> Result<WeightLoader<Cpu>> {
        let mut weight_loader = WeightLoader::new(cpu(1));
        weight_loader.set_plan(families::from_config(&self.config)?);
        let mut reader = FileReader::new(Format::Safetensors, "model.safetensors", Some(self.weights.len() as u64));
        self.weights.chunks(60_000).try_for_each(|piece| reader.push(piece, &mut weight_loader))?;
        reader.finish()?;
        Ok(weight_loader)
    }

    /// Loads it and computes what it computes: that, to be compared.
    async fn work(&self) -> Result<u64> {
        let (weight_loader, progress) = (self.weight_loader()?, Progress::default());
        match weight_loader.plan()?.spec().task() {
            "causal-lm" => self.generate(Model::new(weight_loader, None, CacheType::F16, &progress).await?).await,
            "seq2seq" => {
                let mut model = Model::new(weight_loader, None, CacheType::F32, &progress).await?;
                let targets = vec![self.targets[..self.targets.len() / 2].to_vec()];
                let mut scoring = Scoring::new(&model, targets, vec![self.rows[0].ids.clone()], false)?;
                let mut seen = DefaultHasher::new();
                while scoring.step(&mut model, |_, _, logits| hash(&mut seen, logits)).await? {}
                Ok(seen.finish())
            }
            "image-classification" => {
                let mut model = ImageModel::new(weight_loader, None, &progress).await?;
                model.look(self.images.as_ref().unwrap(), 0, ImageTask::Features).await.map(|seen| digest(&seen.values))
            }
            "image-text-matching" => {
                let mut model = DualEncoder::new(weight_loader, None, &progress).await?;
                let texts = digest(&model.embed_texts(&self.rows).await?);
                let images = model.embed_images(self.images.as_ref().unwrap(), 0).await?;
                Ok(texts ^ digest(&images.values))
            }
            _ => {
                let mut model = TextModel::new(weight_loader, &progress).await?;
                model.read(&self.rows, Output::Hidden).await.map(|hidden| digest(&hidden))
            }
        }
    }

    /// Tokens drawn with penalties, with probabilities and without, and the attention of a prompt.
    async fn generate(&self, mut model: Model<Cpu>) -> Result<u64> {
        let mut said = DefaultHasher::new();
        for logprobs in [None, Some(3.0)] {
            let asked = GenerateOptions {
                max_tokens: Some(8.0),
                ignore_end: Some(true),
                temperature: Some(1.0),
                repetition_penalty: Some(1.1),
                top_k: Some(7.0),
                logprobs,
                ..GenerateOptions::default()
            };
            let sampling = Sampling::new(&asked, model.spec.vocabulary())?;
            let mut session = model.session();
            let asked = GenerateRequest { source: None, prompt: self.prompt.clone() };
            let generation = model.generation(asked, sampling, None, &[], 1)?;
            finished(&mut model, &mut session, generation, |_| {}).await?.tokens().hash(&mut said);
        }
        hash(&mut said, &model.attention_maps(&self.prompt, None).await?.0);
        Ok(said.finish())
    }
}

/// Adds the bits of numbers.
fn hash(seen: &mut DefaultHasher, values: &[f32]) {
    values.iter().for_each(|value| value.to_bits().hash(seen));
}

fn digest(values: &[f32]) -> u64 {
    let mut seen = DefaultHasher::new();
    hash(&mut seen, values);
    seen.finish()
}

/// In a process of its own: refuses one request after the other, and says what came of it.
fn refuse_from(family: &str, first: usize) {
    let given = Given::read(family);
    let right = run(None, given.work()).unwrap();
    for at in first.. {
        REFUSED.set(0);
        LEFT.set(at);
        let made = run(None, given.work());
        LEFT.set(0);
        let what = match made {
            Ok(made) if made != right => "wrong".to_owned(),
            Ok(_) if REFUSED.get() == 0 => return println!("\n= all"),
            Ok(_) => "right".to_owned(),
            Err(error) => format!("{} of {} bytes: {}", error.code.name(), REFUSED.get(), error.message),
        };
        println!("\n= {what}");
    }
}

/// What came of each refusal of a family's: an answer, an error, or the end of the process and its last words.
fn refusals(family: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    loop {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", TEST, "--nocapture"])
            .env(FAMILY, family)
            .env(FROM, (found.len() + 1).to_string())
            .env("RUST_BACKTRACE", "0")
            .output()
            .unwrap();
        let [said, last] = [child.stdout, child.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        found.extend(said.lines().filter_map(|line| line.strip_prefix("= ")).map(str::to_owned));
        if found.pop_if(|last| last == "all").is_some() {
            return found;
        }
        let words = last.lines().find(|line| line.starts_with("memory allocation of "));
        assert!(!child.status.success(), "{family}: {said}");
        found.push(words.unwrap_or_else(|| panic!("{family}, {} refusals: {last}", found.len())).to_owned());
    }
}

/// An error says how much was refused, as far as its last digit goes.
fn names_size(error: &str) -> bool {
    let (asked, words) = error.strip_prefix("out-of-memory of ").and_then(|rest| rest.split_once(" bytes: ")).unwrap();
    let asked: f64 = asked.parse().unwrap();
    words.contains(&format!("({asked} bytes)")) || words.contains(&format!("({:.1} MiB)", asked / f64::from(1 << 20)))
}

const TEST: &str = "a_refused_allocation_is_an_error_that_names_its_size_or_the_end_never_something_wrong";

/// Lists of tensors' names and places, a few for each model, and what a verb sets aside for itself: of no more than those a
/// refusal may be the end, which in WebAssembly is a trap that becomes out-of-memory with its size (`src/js/notes.rs`).
const MOST_ENDS: f64 = 0.2;

#[test]
fn a_refused_allocation_is_an_error_that_names_its_size_or_the_end_never_something_wrong() {
    if let (Ok(family), Ok(from)) = (std::env::var(FAMILY), std::env::var(FROM)) {
        return refuse_from(&family, from.parse().unwrap());
    }
    for family in ["llama", "bert", "t5", "vit", "clip"] {
        let found = refusals(family);
        let (ends, others): (Vec<_>, Vec<_>) =
            found.iter().partition(|outcome| outcome.starts_with("memory allocation of "));
        for outcome in others {
            assert!(outcome == "right" || names_size(outcome), "{family}: {outcome}");
        }
        let most = MOST_ENDS * found.len() as f64;
        assert!(found.len() > 30 && ends.len() as f64 <= most, "{family}: of {} refusals {ends:#?}", found.len());
    }
}
