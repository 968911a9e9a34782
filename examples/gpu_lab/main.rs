//! One step of the lab, natively on this machine's Vulkan device: see bench/README.md, "The lab".
//!
//!     cargo run --release --example gpu_lab -- STEP [--small] [--seconds N]
//!
//! A line of JSON for each thing that was seen, as soon as it was: who ends a step early keeps what there is. Only verbs of
//! `Device` are used, so that kernels may change beneath.

#[path = "../../tests/common/blocks.rs"]
mod blocks;
#[path = "../../tests/common/kept.rs"]
mod kept;
#[path = "../../tests/common/random.rs"]
mod random;
#[path = "../../tests/common/verbs.rs"]
mod verbs;

mod attention;
mod ceilings;
mod checks;
mod choosing;
mod clock;
mod environment;
mod products;

use azulejo::device::gpu::{Kernels, Wishes, native};
use serde_json::Value;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// How a step is to be done.
pub struct Lab {
    kernels: Rc<Kernels>,
    /// For a device that is software: little of everything.
    small: bool,
    end: Instant,
}

impl Lab {
    /// Whether there is time for more.
    pub fn goes_on(&self) -> bool {
        Instant::now() < self.end
    }

    /// The larger of two sizes where the device is worth it.
    pub fn size<T>(&self, large: T, small: T) -> T {
        if self.small { small } else { large }
    }
}

/// Says what was seen.
pub fn say(seen: Value) {
    println!("{seen}");
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let step = arguments.next().expect("a step");
    let (mut small, mut seconds) = (false, 60.0);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--small" => small = true,
            "--seconds" => seconds = arguments.next().and_then(|text| text.parse().ok()).expect("a number of seconds"),
            other => panic!("{other}: expected --small or --seconds"),
        }
    }
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    let integer_dot = step == "prompts-in-bytes";
    let kernels = native::open(&Wishes { integer_dot, ..Wishes::default() }).expect("a Vulkan driver");
    let lab = Lab { kernels, small, end };
    match step.as_str() {
        "environment" => environment::tell(&lab),
        "ceilings" => ceilings::measure(&lab),
        "checks" => checks::all(&lab),
        "rows" => products::rows(&lab),
        "prompts" | "prompts-in-bytes" => products::prompts(&lab),
        "attention" => attention::measure(&lab),
        "choosing" => choosing::measure(&lab),
        _ => panic!("{step}: no such step"),
    }
}
