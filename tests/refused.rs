//! Allocations that are refused, one after the other, while a model is loaded and computes: what is as large as the model,
//! its input or its context is an error with a name, and never the end of the process.

use azulejo::Result;
use azulejo::checkpoint::{FileReader, Format};
use azulejo::device::cpu::Cpu;
use azulejo::device::gpu::native::run;
use azulejo::device::{CacheType, Progress};
use azulejo::model::{
    Asked, Assembly, Generation, ImageModel, Looking, Matcher, Model, Reading, Scoring, Sequence, Source, Step,
    TextModel, families,
};
use azulejo::text::{GenerateOptions, Sampling};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fs;
use std::process::Command;

#[path = "common/case.rs"]
mod case;
#[path = "common/devices.rs"]
mod devices;
#[path = "common/outputs.rs"]
mod outputs;
use case::{Case, folder};
use devices::cpu;
use outputs::{images, rows};

/// Refuses one request of a thread: the so many-th of those that are not small.
struct Refusing;

/// What is smaller has no size of its own in a model's.
const SMALL: usize = 4 << 10;

thread_local! {
    /// Requests until the one that is refused; none is at 0.
    static LEFT: Cell<usize> = const { Cell::new(0) };
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// Whether this request is to be refused.
fn refuses(size: usize) -> bool {
    if size < SMALL {
        return false;
    }
    COUNT.set(COUNT.get() + 1);
    let left = LEFT.get();
    LEFT.set(left.saturating_sub(1));
    if left == 1 && std::env::var_os(TRACE).is_some() {
        eprintln!("{}", std::backtrace::Backtrace::force_capture());
    }
    left == 1
}

// SAFETY: all is handed on to the system's, or refused.
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

/// Set for the process that goes on from that request.
const FROM: &str = "AZULEJO_REFUSED_FROM";
const FAMILY: &str = "AZULEJO_REFUSED_FAMILY";
/// Prints where each refusal is.
const TRACE: &str = "AZULEJO_REFUSED_TRACE";

/// What a family is loaded from and computes, read before anything is refused.
struct Given {
    config: String,
    weights: Vec<u8>,
    rows: Vec<Sequence>,
    prompt: Vec<u32>,
    targets: Vec<u32>,
    images: Option<Source>,
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

    fn assembly(&self) -> Result<Assembly<Cpu>> {
        let mut assembly = Assembly::new(cpu(1));
        assembly.set_plan(families::from_config(&self.config)?);
        let mut reader = FileReader::new(Format::Safetensors, "model.safetensors", Some(self.weights.len() as u64));
        self.weights.chunks(60_000).try_for_each(|piece| reader.push(piece, &mut assembly))?;
        reader.finish()?;
        Ok(assembly)
    }

    /// Loads it and computes what it computes.
    async fn work(&self) -> Result<()> {
        let (assembly, progress) = (self.assembly()?, Progress::default());
        match assembly.plan()?.spec.task() {
            "causal-lm" => self.generate(Model::new(assembly, None, CacheType::F16, &progress).await?).await,
            "seq2seq" => {
                let mut model = Model::new(assembly, None, CacheType::F32, &progress).await?;
                let targets = vec![self.targets[..self.targets.len() / 2].to_vec()];
                let mut scoring = Scoring::new(&mut model, targets, vec![self.rows[0].ids.clone()], false)?;
                while scoring.step(&mut model, |_, _, _| {}).await? {}
                Ok(())
            }
            "image-classification" => {
                let mut model = ImageModel::new(assembly, None, &progress).await?;
                model.look(self.images.as_ref().unwrap(), 0, Looking::Features).await.map(|_| ())
            }
            "image-text-matching" => {
                let mut model = Matcher::new(assembly, None, &progress).await?;
                model.embed_texts(&self.rows).await?;
                model.embed_images(self.images.as_ref().unwrap(), 0).await.map(|_| ())
            }
            _ => {
                let mut model = TextModel::new(assembly, &progress).await?;
                model.read(&self.rows, Reading::Hidden).await.map(|_| ())
            }
        }
    }

    /// Tokens drawn with penalties, with probabilities and without, and the attention of a prompt.
    async fn generate(&self, mut model: Model<Cpu>) -> Result<()> {
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
            let asked = Asked { source: None, prompt: self.prompt.clone() };
            let mut generation = Generation::new(&mut model, &mut session, asked, sampling, None, &[], 1)?;
            while !matches!(generation.step(&mut model, &mut session).await?, Step::Over) {}
        }
        model.attention_maps(&self.prompt, None).await.map(|_| ())
    }
}

/// In a process of its own: refuses one request after the other, and says what came of it.
fn refuse_from(family: &str, first: usize) {
    let given = Given::read(family);
    for at in first.. {
        COUNT.set(0);
        LEFT.set(at);
        let made = run(None, given.work());
        let count = COUNT.get();
        LEFT.set(0);
        let what = match made {
            Ok(()) if count < at => return println!("\n= all"),
            Ok(()) => "went on".to_owned(),
            Err(error) => format!("{} {}", error.code.name(), error.message),
        };
        println!("\n= {what}");
    }
}

/// What came of each refusal of a family's: an error, or the end of the process and its last words.
fn refusals(family: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    loop {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", TEST, "--nocapture"])
            .env(FAMILY, family)
            .env(FROM, (found.len() + 1).to_string())
            .output()
            .unwrap();
        let [said, last] = [child.stdout, child.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        found.extend(said.lines().filter_map(|line| line.strip_prefix("= ")).map(str::to_owned));
        if found.pop_if(|last| last == "all").is_some() {
            return found;
        }
        assert!(!child.status.success() && last.contains("memory allocation of"), "{said}\n{last}");
        found.push(format!("the end: {}", last.trim()));
    }
}

const TEST: &str = "a_refused_allocation_of_a_model_s_size_is_an_error_with_a_name";

#[test]
fn a_refused_allocation_of_a_model_s_size_is_an_error_with_a_name() {
    if let (Ok(family), Ok(from)) = (std::env::var(FAMILY), std::env::var(FROM)) {
        return refuse_from(&family, from.parse().unwrap());
    }
    for family in ["llama", "bert", "t5", "vit", "clip"] {
        for (at, outcome) in refusals(family).iter().enumerate() {
            println!("{family} {}: {outcome}", at + 1);
        }
    }
}
