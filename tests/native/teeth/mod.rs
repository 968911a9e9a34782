//! Teeth: whether the tests catch what they are for. One number of a [`azulejo::model::Spec`], or one place of a kernel's
//! text, is made wrong at a time, without a new build; a check has to fail.
//!
//! `npm run teeth` tries every mistake (scripts/teeth.mjs); `cargo test` tries a share of those in specs, and one in each
//! kind of kernel. What makes no difference is listed with its proof in equivalent.json, and not counted.

mod checks;
mod kernels;
mod specs;

use azulejo::device::gpu::native::run;
use serde::Deserialize;
use std::env::var;
use std::fs::read_to_string;
use std::panic::{AssertUnwindSafe, catch_unwind};

use checks::Checks;

use crate::case::{Case, all_families, families, plan, plan_instead, try_assembled};
use crate::devices::cpu;
use crate::outputs::outputs;
use crate::sample::due;

/// What became of a mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A check failed.
    Caught,
    Survived,
    /// It does not come as far as a check: the weights do not fit the spec, or the compiler refuses the text.
    Refused,
}

/// Mistakes that make no difference, and why.
#[derive(Deserialize)]
struct Equivalents {
    specs: Vec<EquivalentSpec>,
    kernels: Vec<kernels::Equivalent>,
}

#[derive(Deserialize)]
struct EquivalentSpec {
    families: Vec<String>,
    mistakes: Vec<String>,
    proof: String,
}

impl EquivalentSpec {
    fn is(&self, family: &str, mistake: &str) -> bool {
        assert!(!self.proof.is_empty());
        self.families.iter().any(|name| name == family) && self.mistakes.iter().any(|name| name == mistake)
    }
}

fn equivalents() -> Equivalents {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/native/teeth/equivalent.json");
    serde_json::from_str(&read_to_string(path).unwrap()).unwrap()
}

/// Does something that may fail an assertion, without a word of it.
pub fn fails(work: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(work)).is_err()
}

/// Holds the family's models to its cases, with another spec.
fn try_specs(family: &str, specs: Vec<azulejo::model::Spec>) -> Outcome {
    let mut wrong = plan(family);
    wrong.stacks.iter_mut().zip(specs).for_each(|(stack, spec)| stack.spec = spec);
    let Ok(wrong) = wrong.check() else { return Outcome::Refused };
    plan_instead(Some(wrong));
    let case = Case::read(family);
    // A panic here is no refusal: it would be seen as a mistake that is caught.
    let loads = catch_unwind(AssertUnwindSafe(|| {
        let weight_loader = try_assembled(family, cpu(1));
        run(None, async { outputs(&case, weight_loader?).await })
    }));
    let outcome = match loads {
        Ok(Err(_)) => Outcome::Refused,
        _ if fails(|| checks::conformance(family)) => Outcome::Caught,
        _ => Outcome::Survived,
    };
    plan_instead(None);
    outcome
}

/// Every number of every family's spec; in `cargo test` a third of them.
#[test]
fn a_wrong_number_in_a_spec_is_caught() {
    let equivalents = equivalents().specs;
    let (mut tried, mut refused, mut survivors, mut at) = (0, 0, Vec::new(), 0);
    let whole = var("AZULEJO_TEETH").is_ok();
    // The harness has begun a line.
    println!();
    for family in all_families() {
        assert!(!fails(|| checks::conformance(&family)), "{family} fails as it is");
        let specs: Vec<_> = plan(&family).specs().cloned().collect();
        for (name, specs) in specs::mistakes(&specs) {
            at += 1;
            if !(whole || due(at)) || equivalents.iter().any(|equivalent| equivalent.is(&family, &name)) {
                continue;
            }
            match try_specs(&family, specs) {
                Outcome::Caught => tried += 1,
                Outcome::Refused => refused += 1,
                Outcome::Survived => {
                    tried += 1;
                    println!("survives: {family}: {name}");
                    survivors.push(format!("{family}: {name}"));
                }
            }
        }
    }
    println!("specs: {tried} mutations, {} survive, {refused} refused", survivors.len());
    assert!(tried > 100, "{tried} mistakes");
    assert!(survivors.is_empty(), "not caught:\n{}", survivors.join("\n"));
}

/// What a mistake in a kernel comes to.
fn try_kernel(mistake: &kernels::Mistake, checks: &mut Checks) -> Outcome {
    let (right, wrong) = mistake.texts();
    if !kernels::compiles(&right, &wrong) {
        return Outcome::Refused;
    }
    match checks.catch((right, wrong)) {
        true => Outcome::Caught,
        false => Outcome::Survived,
    }
}

/// Mistakes that are caught within a second.
const QUICK: [(&str, &str); 3] = [
    ("soft_cap", "x[i] * parameters.cap"),
    ("norm", "f32(4u * columns) - parameters.epsilon"),
    ("total_shared", "sum -= parts[i]"),
];

/// Some kernels with a wrong line. scripts/teeth.mjs asks for a list of all (`AZULEJO_TEETH=list`), and then for many of
/// one file by their numbers: it reads what becomes of each, since a wrong line may as well hang the driver.
#[test]
fn a_wrong_line_in_a_kernel_is_caught() {
    let all = kernels::mistakes();
    // The harness has begun a line.
    println!();
    match var("AZULEJO_TEETH").as_deref() {
        Ok("list") => list(&all),
        Ok(numbers) => {
            let numbers: Vec<usize> = numbers.split(',').map(|number| number.parse().expect("a number")).collect();
            let mut checks = Checks::of_file(&all[numbers[0]].file);
            for number in numbers {
                println!("teeth {number} begins");
                println!("teeth {number} {:?}", try_kernel(&all[number], &mut checks));
            }
        }
        Err(_) => {
            for (file, wrong) in QUICK {
                let mut of_file = all.iter().filter(|mistake| mistake.file == file);
                let mistake = of_file.find(|mistake| mistake.wrong.contains(wrong)).expect(wrong);
                assert_eq!(try_kernel(mistake, &mut Checks::of_file(file)), Outcome::Caught, "{}", mistake.label());
            }
        }
    }
}

/// Each mistake with its number, and the driver on which its kernel runs.
fn list(all: &[kernels::Mistake]) {
    let equivalents = equivalents().kernels;
    let missing: Vec<String> = equivalents.iter().flat_map(|equivalent| equivalent.missing(all)).collect();
    assert!(missing.is_empty(), "no such mistakes any more:\n{}", missing.join("\n"));
    let counted = |mistake: &kernels::Mistake| !equivalents.iter().any(|equivalent| equivalent.is(mistake));
    for (number, mistake) in all.iter().enumerate().filter(|(_, mistake)| counted(mistake)) {
        println!("teeth {number} {} {}", checks::lanes(&mistake.file), mistake.label());
    }
}
