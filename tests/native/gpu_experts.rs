//! Mixtures of experts on the GPU, against their definition in f64.

use azulejo::checkpoint::TensorType;
use azulejo::device::gpu::{Gpu, Kernels, Wishes};
use azulejo::device::{Activation, Device, Gating, Routing};
use std::rc::Rc;

use crate::devices::{any_subgroups, first, gpu, gpus, open};
use crate::experts_case::{Case, Tolerance, check, check_no_numbers};
use crate::gpu_kernels::WIDTHS;
use crate::sample::share;

/// Sums in f32, in any order.
const TOLERANCE: Tolerance = Tolerance(3e-6);

pub fn check_on(kernels: &Rc<Kernels>, case: &Case, name: &str) {
    check(&mut gpu(kernels), &kernels.context, case, &TOLERANCE, name);
}

#[test]
pub fn every_format_and_number_of_rows_gives_the_definition() {
    for (variant, (name, kernels)) in gpus().into_iter().enumerate() {
        for (ty, _) in share(WIDTHS, variant) {
            for rows in [1, 3, 5, 70] {
                let case = Case { biases: rows % 2 == 1, normed: rows % 3 == 0, ..Case::new(ty, rows) };
                check_on(&kernels, &case, name);
            }
        }
    }
}

#[test]
pub fn tiles_of_any_number_of_rows_are_right() {
    for (name, kernels) in gpus() {
        for ty in [TensorType::F32, TensorType::Q8_0] {
            for rows in [6, 20, 21, 40, 41, 200] {
                let case = Case { biases: true, inner: 96, width: 160, ..Case::new(ty, rows) };
                check_on(&kernels, &case, name);
            }
        }
    }
    // More experts than sort in one go.
    let routing = Routing { experts: 300, used: 4, renormalise: true };
    check_on(&first(), &Case { routing, width: 16, inner: 12, ..Case::new(TensorType::F32, 160) }, "");
}

/// Inputs in bytes are off by half a level of a sixteen's largest at most.
#[test]
pub fn tiles_of_bytes_are_close() {
    let kernels = open(&Wishes { integer_dot: true, ..Wishes::default() });
    for ty in [TensorType::Q4_K, TensorType::Q8_0, TensorType::MXFP4] {
        for rows in [6, 70] {
            // Clamped: no input of the second product is many times as large as the others.
            let gating = Gating::Clamped { limit: 0.5 };
            let case = Case { gating, biases: true, normed: true, ..Case::new(ty, rows) };
            check(&mut gpu(&kernels), &kernels.context, &case, &Tolerance(2e-2), "bytes");
        }
    }
}

/// Gate and up take a dispatch each.
#[test]
pub fn gate_and_up_may_differ_in_format() {
    use TensorType::*;
    for (name, kernels) in gpus() {
        for rows in [2, 40] {
            check_on(&kernels, &Case { types: [Q4_K, Q6_K, F16], biases: true, ..Case::new(Q4_K, rows) }, name);
        }
    }
}

#[test]
pub fn rows_go_to_one_expert_or_to_all_of_many() {
    for (name, kernels) in gpus().into_iter().take(2) {
        for (experts, used) in [(1, 1), (4, 4), (130, 8), (130, 130)] {
            for renormalise in [false, true] {
                let routing = Routing { experts, used, renormalise };
                for rows in [1, 9] {
                    let case = Case { routing, width: 16, inner: 12, ..Case::new(TensorType::F32, rows) };
                    check_on(&kernels, &case, name);
                }
            }
        }
    }
}

#[test]
pub fn gates_are_clamped_or_activated() {
    let kernels = first();
    for gating in [Gating::Clamped { limit: 0.4 }, Gating::Clamped { limit: 7.0 }, Gating::Plain(Activation::Relu)] {
        for rows in [1, 40] {
            for types in [[TensorType::F32; 3], [TensorType::F32, TensorType::F16, TensorType::F32]] {
                let case = Case { gating, types, biases: true, ..Case::new(TensorType::F32, rows) };
                check_on(&kernels, &case, "");
            }
        }
    }
}

/// In arenas that hold two and a half experts: of gate and up some lie side by side, and some do not.
#[test]
pub fn experts_that_are_cut_over_arenas_are_all_found() {
    for (name, kernels) in gpus().into_iter().take(2) {
        for rows in [1, 4, 40] {
            let routing = Routing { experts: 9, used: 3, renormalise: true };
            let case = Case { routing, biases: true, ..Case::new(TensorType::F16, rows) };
            let expert = Gpu::matrix_bytes(TensorType::F16, case.inner, case.width);
            for arenas in [expert, 5 * expert / 2, 11 * expert] {
                check_on(&kernels, &Case { arenas: Some(arenas), ..case.clone() }, name);
            }
        }
    }
}

#[test]
pub fn lanes_of_any_number_share_rows_of_experts() {
    check_on(&any_subgroups(), &Case { normed: true, ..Case::new(TensorType::Q8_0, 3) }, "subgroups of any size");
    for lanes in [4, 16, 128] {
        for without in [vec![], vec!["subgroups".to_owned()]] {
            let kernels = open(&Wishes { lanes: Some(lanes), without, ..Wishes::default() });
            check_on(&kernels, &Case { normed: true, ..Case::new(TensorType::Q8_0, 3) }, &format!("{lanes} lanes"));
        }
    }
}

/// Workgroups of many rows of weights, of many rows that are routed, and of many tiles, in grids of three.
#[test]
pub fn grids_of_experts_are_folded() {
    let kernels = open(&Wishes { most_groups: Some(12), ..Wishes::default() });
    for rows in [1, 3, 70] {
        check_on(&kernels, &Case { inner: 140, ..Case::new(TensorType::F32, rows) }, "short grids");
    }
}

#[test]
pub fn a_score_that_is_no_number_makes_none_of_its_row() {
    for (_, kernels) in gpus().into_iter().take(2) {
        for bad in [f32::NAN, -f32::NAN, f32::INFINITY] {
            for (rows, at) in [(3, 0), (3, 69), (120, 33)] {
                check_no_numbers(&mut gpu(&kernels), &kernels.context, rows, (bad, at));
            }
        }
    }
}

#[test]
pub fn an_expert_that_no_buffer_holds_is_refused() {
    let kernels = crate::devices::basic();
    let error = gpu(&kernels).expert_matrices(TensorType::F32, 2, 40 << 10, 1 << 10).map(|_| ()).unwrap_err();
    assert!(error.message.contains("an expert's matrix of 160 MiB"), "{error}");
    let error = gpu(&kernels).expert_matrices(TensorType::F32, 2, 8, 6).map(|_| ()).unwrap_err();
    assert!(error.message.contains("a width of 6"), "{error}");
}
