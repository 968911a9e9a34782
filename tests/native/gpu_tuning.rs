//! Ways of kernels that are chosen by measurement: each computes the same, and what is measured is one of them.

use azulejo::checkpoint::TensorType;
use azulejo::device::gpu::native::run;
use azulejo::device::gpu::{Choices, Kernels, ManyRows, OneRow, Wishes};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::devices;
use crate::gpu_kernels::{check_gated, check_projection};

fn with(choices: Choices, without: &[&str]) -> Rc<Kernels> {
    let without = without.iter().map(|name| name.to_string()).collect();
    devices::shared(&Wishes { choices, without, ..Wishes::default() })
}

#[test]
pub fn one_row_is_multiplied_right_in_every_way() {
    // The default way has all other tests.
    for one_row in [OneRow::Apart, OneRow::Wide, OneRow::WideApart] {
        // Subgroups that are a row's lanes, subgroups of any size, and none.
        for without in [&[][..], &["subgroup-size"], &["subgroups"]] {
            let kernels = with(Choices { one_row, ..Choices::default() }, without);
            let name = format!("{one_row:?}, without {without:?}");
            // Long enough for twice as many lanes, and too short.
            for (ty, columns) in [(TensorType::Q4_1, 2112), (TensorType::F32, 36)] {
                check_projection(&kernels, ty, columns, 1, &name);
            }
            check_gated(&kernels, 1, [TensorType::Q4_K; 2], &name);
        }
    }
}

#[test]
pub fn many_rows_are_multiplied_right_in_every_way() {
    for many_rows in ManyRows::ALL {
        let kernels = with(Choices { many_rows, ..Choices::default() }, &["subgroups"]);
        let name = format!("{many_rows:?}");
        for tokens in [9, 130] {
            check_projection(&kernels, TensorType::Q4_1, 576, tokens, &name);
        }
        check_gated(&kernels, 33, [TensorType::Q4_K; 2], &name);
    }
}

#[test]
fn what_is_measured_is_chosen_and_leaves_nothing_behind() {
    let kernels = devices::open(&Wishes::default());
    let tuning = run(Some(&kernels.context), kernels.tune()).unwrap();
    println!("{tuning:?}");
    assert_eq!(kernels.choices(), tuning.choices);
    assert_eq!(kernels.context.allocated(), 0);
    assert_eq!(kernels.context.errors(), 0);
    for (kernel, times) in &tuning.measured {
        let ways = if kernel == "oneRow" { OneRow::ALL.len() } else { ManyRows::ALL.len() };
        assert_eq!(times.len(), ways, "{kernel}: {times:?}");
        let default = if kernel == "oneRow" { "staged" } else { "even" };
        assert_eq!(times[default], 1.0, "{kernel}: {times:?}");
    }
    let text = serde_json::to_string(&tuning).unwrap();
    assert_eq!(serde_json::from_str::<azulejo::device::gpu::Tuning>(&text).unwrap(), tuning);
}

fn still() -> f64 {
    0.0
}

/// Half a minute goes by whenever somebody looks.
fn flying() -> f64 {
    static NOW: AtomicU64 = AtomicU64::new(0);
    NOW.fetch_add(30_000, Ordering::Relaxed) as f64
}

#[test]
fn where_nothing_can_be_measured_or_there_is_no_time_for_it_the_default_ways_stay() {
    for clock in [still, flying] {
        let kernels = devices::open(&Wishes { clock: Some(clock), ..Wishes::default() });
        let tuning = run(Some(&kernels.context), kernels.tune()).unwrap();
        assert_eq!(tuning.choices, Choices::default());
        assert!(tuning.measured.is_empty(), "{tuning:?}");
    }
}
