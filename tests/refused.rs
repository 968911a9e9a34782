//! Allocations that are refused, one after the other, while a model is loaded and computes: what is as large as the model,
//! its input or its context is an error with a name, and never the end of the process.

use azulejo::checkpoint::{FileReader, Format};
use azulejo::device::CacheType;
use azulejo::device::cpu::Cpu;
use azulejo::device::gpu::native::run;
use azulejo::model::{Asked, Step};
use azulejo::model::{Assembly, Generation, Model, families};
use azulejo::text::{GenerateOptions, Sampling};
use azulejo::{Code, Error, Result};
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
use outputs::outputs;

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

/// Loads the family's case and computes all that it has, and tokens where it writes some.
fn work(family: &str, weights: &[u8]) -> Result<()> {
    let config = fs::read_to_string(format!("{}/config.json", folder(family))).unwrap();
    let case = Case::read(family);
    let assemble = || -> Result<_> {
        let mut assembly = Assembly::new(cpu(1));
        assembly.set_plan(families::from_config(&config)?);
        let mut reader = FileReader::new(Format::Safetensors, "model.safetensors", Some(weights.len() as u64));
        weights.chunks(60_000).try_for_each(|piece| reader.push(piece, &mut assembly))?;
        reader.finish()?;
        Ok(assembly)
    };
    run(None, outputs(&case, assemble()?))?;
    if case.has("generated") {
        run(None, generate(assemble()?, case.ids("prompt")))?;
    }
    Ok(())
}

/// With penalties and probabilities, in a cache that grows.
async fn generate(assembly: Assembly<Cpu>, prompt: Vec<u32>) -> Result<()> {
    let mut model = Model::new(assembly, None, CacheType::F16, &Default::default()).await?;
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
        let asked = Asked { source: None, prompt: prompt.clone() };
        let mut generation = Generation::new(&mut model, &mut session, asked, sampling, None, &[], 1)?;
        while !matches!(generation.step(&mut model, &mut session).await?, Step::Over) {}
    }
    Ok(())
}

/// In a process of its own: refuses one request after the other, and says what came of it.
fn refuse_from(family: &str, first: usize) {
    let weights = fs::read(format!("{}/model.safetensors", folder(family))).unwrap();
    for at in first.. {
        println!("{at}");
        COUNT.set(0);
        LEFT.set(at);
        let made = work(family, &weights);
        LEFT.set(0);
        match made {
            // Fewer than that are asked for.
            Ok(()) if COUNT.get() < at => return println!("all"),
            Ok(()) => println!("went on"),
            Err(Error { code: Code::OutOfMemory, message, .. }) => println!("error {message}"),
            Err(other) => println!("{}: {other}", other.code.name()),
        }
    }
}

/// What came of each refusal of a family's: an error, or the end of the process and its last words.
fn refusals(test: &str, family: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    loop {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(FAMILY, family)
            .env(FROM, (found.len() + 1).to_string())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout).into_owned();
        let lines = said.lines().filter(|line| !line.is_empty());
        let outcomes: Vec<&str> =
            lines.filter(|line| line.starts_with("error ") || *line == "went on" || line.contains(": ")).collect();
        found.extend(outcomes.into_iter().map(str::to_owned));
        if said.contains("\nall\n") {
            return found;
        }
        let last = String::from_utf8_lossy(&child.stderr).into_owned();
        assert!(!child.status.success() && last.contains("memory allocation of"), "{said}\n{last}");
        found.push(format!("the end: {}", last.trim()));
    }
}

#[test]
fn a_refused_allocation_is_an_error_with_a_name_while_models_are_loaded_and_compute() {
    if let (Ok(family), Ok(from)) = (std::env::var(FAMILY), std::env::var(FROM)) {
        return refuse_from(&family, from.parse().unwrap());
    }
    let test = "a_refused_allocation_is_an_error_with_a_name_while_models_are_loaded_and_compute";
    for family in ["llama", "bert", "t5", "vit", "clip"] {
        let found = refusals(test, family);
        for (at, outcome) in found.iter().enumerate() {
            println!("{family} {}: {outcome}", at + 1);
        }
    }
}
