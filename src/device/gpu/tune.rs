//! Measures, on the device that there is, the ways of the main kernels (`choices.rs`), and chooses the quickest.
//!
//! By the clock of the page, from the submit of as many dispatches as take some time to the word that they are done:
//! browsers round the GPU's own times to a tenth of a millisecond, and a device that is asked for them is another one than
//! pages get. Ways take turns, the default among them, and one takes its place that was faster by more than a twentieth in
//! every round: clocks of GPUs go up and down, and whatever is not seen clearly stays as arithmetic has it.

use super::Gpu;
use super::buffer::Buffer;
use super::choices::{Choices, ManyRows, OneRow};
use super::matrix::Matrix;
use super::pipelines::Kernels;
use super::recorder::all_of;
use crate::checkpoint::TensorType;
use crate::device::{Device, Input, Projection};
use crate::error::Result;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::rc::Rc;

/// Milliseconds that all of it may take, or hardly more.
const MOST_MS: f64 = 1500.0;
/// Milliseconds of a measurement: the coarsest clock of a browser tells a twentieth of it.
const LONG_MS: f64 = 20.0;
/// Runs of a measurement, at most.
const MOST_RUNS: usize = 256;
const ROUNDS: usize = 3;
/// What a way may take at most of the default's time, to take its place.
const CLEARLY: f64 = 0.95;

/// One row's products are by as many matrices as no cache holds (37 MB), those of many rows by one of them, whose tiles
/// are of another size in every way.
const FORMAT: TensorType = TensorType::Q4_0;
const ONE_ROW: [usize; 3] = [16, 2048, 2048];
const MANY_ROWS: [usize; 3] = [1, 1024, 1024];
const TOKENS: usize = 128;

/// What was measured, and what follows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tuning {
    pub choices: Choices,
    /// Of each kernel the ways that were tried, and the part of the default's time that they took: the middle one of the
    /// rounds. A kernel is not here that there was no time for.
    pub measured: BTreeMap<String, BTreeMap<String, f64>>,
    /// Milliseconds that it took.
    pub ms: f64,
}

impl Kernels {
    /// Measures the ways of the main kernels and chooses from now on what is best. Errors: out-of-memory, device-lost,
    /// internal; what was chosen before stays then.
    pub async fn tune(self: &Rc<Self>) -> Result<Tuning> {
        let (before, clock) = (self.choices(), self.context.clock);
        let start = clock();
        let tuned = self.measure(start + MOST_MS).await;
        match tuned {
            Ok((choices, measured)) => {
                self.choose(choices);
                Ok(Tuning { choices, measured, ms: rounded(clock() - start) })
            }
            Err(error) => {
                self.choose(before);
                Err(error)
            }
        }
    }

    async fn measure(self: &Rc<Self>, end: f64) -> Result<(Choices, BTreeMap<String, BTreeMap<String, f64>>)> {
        let mut measured = BTreeMap::new();
        let mut choices = Choices::default();
        let ways = OneRow::ALL.map(|one_row| Choices { one_row, ..choices });
        if let Some((best, times)) = Trial::new(self.clone(), 1, ONE_ROW)?.compare(&ways, end).await? {
            choices.one_row = OneRow::ALL[best];
            measured.insert("oneRow".to_owned(), named(&OneRow::ALL, &times));
        }
        let many: Vec<ManyRows> =
            ManyRows::ALL.into_iter().filter(|way| self.extras().halves || *way != ManyRows::Halves).collect();
        let ways: Vec<Choices> = many.iter().map(|many_rows| Choices { many_rows: *many_rows, ..choices }).collect();
        if let Some((best, times)) = Trial::new(self.clone(), TOKENS, MANY_ROWS)?.compare(&ways, end).await? {
            choices.many_rows = many[best];
            measured.insert("manyRows".to_owned(), named(&many, &times));
        }
        Ok((choices, measured))
    }
}

/// Ways by the names that they have where they are kept.
fn named<W: Serialize>(ways: &[W], times: &[f64]) -> BTreeMap<String, f64> {
    let name = |way: &W| serde_json::to_value(way).ok().and_then(|name| name.as_str().map(str::to_owned));
    ways.iter().zip(times).map(|(way, time)| (name(way).unwrap_or_default(), rounded(*time))).collect()
}

/// To thousandths: more is not known, and so few digits are the same number again after they were kept as text.
fn rounded(number: f64) -> f64 {
    (number * 1000.0).round() / 1000.0
}

/// Of rounds, each of which has a time of each way, the default's first: the way that is clearly faster than the default
/// in all, the fastest of them if there are several, else the default; and what each took of the default's time.
fn best(rounds: &[Vec<f64>]) -> (usize, Vec<f64>) {
    let parts = |way: usize| {
        let mut parts: Vec<f64> = rounds.iter().map(|times| times[way] / times[0]).collect();
        parts.sort_by(f64::total_cmp);
        parts
    };
    let ways: Vec<Vec<f64>> = (0..rounds[0].len()).map(parts).collect();
    let middle = |way: usize| ways[way][rounds.len() / 2];
    let clear = (1..ways.len()).filter(|way| ways[*way].iter().all(|part| *part < CLEARLY));
    let best = clear.min_by(|a, b| middle(*a).total_cmp(&middle(*b))).unwrap_or(0);
    (best, (0..ways.len()).map(middle).collect())
}

/// Products whose ways are compared.
struct Trial {
    gpu: Gpu,
    kernels: Rc<Kernels>,
    tokens: usize,
    x: Buffer,
    matrices: Vec<Matrix>,
    out: Buffer,
}

impl Trial {
    /// Of so many tokens with `count` matrices [rows, columns].
    fn new(kernels: Rc<Kernels>, tokens: usize, [count, rows, columns]: [usize; 3]) -> Result<Self> {
        let mut gpu = Gpu::new(kernels.clone())?;
        gpu.expect_weights(count * Gpu::matrix_bytes(FORMAT, rows, columns))?;
        let row: Vec<u8> = (0..FORMAT.row_bytes(columns).unwrap_or(0)).map(|at| (at * 37 % 61) as u8).collect();
        let matrices = (0..count).map(|_| {
            let mut builder = gpu.matrix(FORMAT, rows, columns)?;
            (0..rows).for_each(|_| gpu.push(&mut builder, &row));
            Ok(gpu.finish(builder))
        });
        let matrices = matrices.collect::<Result<_>>()?;
        let (x, out) = (gpu.buffer(tokens * columns)?, gpu.buffer(tokens * rows)?);
        Ok(Self { gpu, kernels, tokens, x, matrices, out })
    }

    /// The best of some ways, the default being the first, and what each took of its time; nothing where there was not
    /// time enough.
    async fn compare(&mut self, ways: &[Choices], end: f64) -> Result<Option<(usize, Vec<f64>)>> {
        let clock = self.kernels.context.clock;
        let start = clock();
        for way in ways {
            self.kernels.choose(*way);
            self.compile().await?;
            self.time(1).await?;
            if clock() > end {
                return Ok(None);
            }
        }
        if clock() <= start {
            // It stands still.
            return Ok(None);
        }
        self.kernels.choose(ways[0]);
        let mut runs = 1;
        while self.time(runs).await? < LONG_MS && runs < MOST_RUNS {
            runs *= 2;
        }
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let mut times = Vec::new();
            for way in ways {
                self.kernels.choose(*way);
                times.push(self.time(runs).await?);
                if clock() > end {
                    return Ok(None);
                }
            }
            rounds.push(times);
        }
        Ok(rounds.iter().all(|times| times[0] > 0.0).then(|| best(&rounds)))
    }

    /// All products once.
    fn record(&mut self) {
        let Self { gpu, tokens, x, matrices, out, .. } = self;
        let input = Input { x, rows: *tokens, norm: None };
        for weight in matrices {
            gpu.project(&input, &mut [Projection { weight, bias: None, scale: None, out, accumulate: false }]);
        }
    }

    async fn compile(&mut self) -> Result<()> {
        self.gpu.recorder.collect();
        self.begin();
        self.record();
        for kernel in self.gpu.recorder.collected() {
            self.kernels.compile(&kernel).await?;
        }
        self.gpu.recorder.failed()
    }

    /// As of one row, whatever there are: what is timed is not cut into submits by the device's pace.
    fn begin(&mut self) {
        self.gpu.recorder.begin(vec![all_of(1)]);
    }

    /// Milliseconds of so many runs, from their submit on.
    async fn time(&mut self, runs: usize) -> Result<f64> {
        let clock = self.kernels.context.clock;
        self.begin();
        (0..runs).for_each(|_| self.record());
        let start = clock();
        let reading = self.gpu.send(&self.out.clone(), 1)?;
        self.gpu.receive(reading, &mut [0.0]).await?;
        Ok(clock() - start)
    }
}

#[cfg(test)]
mod tests {
    use super::best;

    #[test]
    fn a_way_has_to_be_faster_than_the_default_in_every_round() {
        let rounds = [vec![20.0, 15.0, 18.0], vec![20.0, 19.5, 18.5], vec![22.0, 15.0, 19.0]];
        assert_eq!(best(&rounds).0, 2);
        assert_eq!(best(&rounds).1, [1.0, 0.75, 0.9]);
    }

    #[test]
    fn a_twentieth_is_not_enough() {
        assert_eq!(best(&vec![vec![20.0, 19.1]; 3]).0, 0);
        assert_eq!(best(&vec![vec![20.0, 18.9]; 3]).0, 1);
        assert_eq!(best(&vec![vec![20.0, 25.0]; 3]).0, 0);
    }

    #[test]
    fn of_several_the_fastest_is_chosen() {
        assert_eq!(best(&vec![vec![20.0, 15.0, 10.0, 12.0]; 3]).0, 2);
    }
}
