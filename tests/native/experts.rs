//! Mixtures of experts on the CPU, against their definition in f64.

use azulejo::checkpoint::TensorType;
use azulejo::device::{Activation, Gating, Routing};

use crate::devices::{cpu, first};
use crate::experts_case::{Case, Tolerance, check, check_no_numbers, check_routes, scores_of_many_sizes};

/// Sums in f32; inputs of quantised weights have 15 bits for the largest of 32, which may be many times as large as the others.
fn tolerance(case: &Case) -> Tolerance {
    Tolerance(if case.types.iter().any(|ty| ty.is_quantised()) { 5e-4 } else { 3e-6 })
}

fn check_on_the_cpu(case: &Case) {
    for threads in [1, 3] {
        check(&mut cpu(threads), &first().context, case, &tolerance(case), &format!("{threads} threads"));
    }
}

#[test]
fn every_format_and_number_of_rows_gives_the_definition() {
    use TensorType::*;
    for ty in [F32, F16, Q8_0, Q4_K, MXFP4, TQ2_0, Q1_0] {
        for rows in [1, 3, 5, 70] {
            check_on_the_cpu(&Case { biases: rows % 2 == 1, normed: rows % 3 == 0, ..Case::new(ty, rows) });
        }
    }
    // As quantised files mix them.
    check_on_the_cpu(&Case { types: [Q4_K, Q6_K, F16], ..Case::new(Q4_K, 6) });
    check_on_the_cpu(&Case { types: [F32, Q8_0, Q8_0], ..Case::new(Q8_0, 6) });
}

#[test]
fn rows_go_to_one_expert_or_to_all_of_many() {
    for (experts, used) in [(1, 1), (4, 4), (130, 8), (130, 130)] {
        for renormalise in [false, true] {
            let routing = Routing { experts, used, renormalise };
            for rows in [1, 9] {
                check_on_the_cpu(&Case { routing, width: 16, inner: 12, ..Case::new(TensorType::F32, rows) });
            }
        }
    }
}

#[test]
fn gates_are_clamped_or_activated() {
    for gating in [Gating::Clamped { limit: 0.4 }, Gating::Clamped { limit: 7.0 }, Gating::Plain(Activation::Relu)] {
        for rows in [1, 6] {
            check_on_the_cpu(&Case { gating, biases: true, ..Case::new(TensorType::F32, rows) });
        }
    }
}

#[test]
fn a_score_that_is_no_number_makes_none_of_its_row() {
    for bad in [f32::NAN, -f32::NAN, f32::INFINITY] {
        for (rows, at) in [(3, 0), (3, 69), (120, 33)] {
            check_no_numbers(&mut cpu(2), &first().context, rows, (bad, at));
        }
    }
}

#[test]
fn routes_are_right_whatever_sizes_scores_have() {
    for (experts, used, renormalise) in [(70, 5, false), (70, 5, true), (8, 8, false)] {
        let routing = Routing { experts, used, renormalise };
        check_routes(&mut cpu(1), &first().context, &routing, &scores_of_many_sizes(experts), "CPU");
    }
}
