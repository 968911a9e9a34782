//! Mixtures of experts on the GPU, against their definition in f64.

use azulejo::checkpoint::TensorType;
use azulejo::device::gpu::{Gpu, Kernel, Kernels, Shader, Wishes};
use azulejo::device::{Activation, Device, Gating, Routing};
use std::rc::Rc;

use crate::alone::{Alone, source};
use crate::devices::{any_subgroups, first, gpu, gpus, open};
use crate::experts_case::{Case, Tolerance, check, check_no_numbers, check_routes, scores_of_many_sizes};
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
    // Rows of one expert each, in a grid that has room for one more of them.
    let routing = Routing { experts: 7, used: 1, renormalise: true };
    check_on(&kernels, &Case { routing, ..Case::new(TensorType::F32, 13) }, "short grids");
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
pub fn routes_are_right_whatever_sizes_scores_have() {
    for (name, kernels) in gpus().into_iter().take(2) {
        for (experts, used) in [(70, 5), (64, 3), (8, 8)] {
            for renormalise in [false, true] {
                let routing = Routing { experts, used, renormalise };
                let scores = scores_of_many_sizes(experts);
                check_routes(&mut gpu(&kernels), &kernels.context, &routing, &scores, name);
            }
        }
    }
}

fn floats(values: impl IntoIterator<Item = f32>) -> Vec<u32> {
    values.into_iter().map(f32::to_bits).collect()
}

/// What lies behind an arena's experts is nobody's, or something else's: here it is one more expert.
#[test]
pub fn experts_of_other_arenas_are_left_alone() {
    let kernels = first();
    // Four pairs, each of another expert: two of the four are there. Experts have 2 rows of 16 columns.
    let [first_expert, experts, rows, columns] = [1, 2, 2, 16];
    let weights = floats((1..4).flat_map(|expert| [expert as f32; 32]));
    let routes = floats((0..4).flat_map(|expert| [expert as f32, 1.0]));
    let biases = floats([0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 0.0, 0.0]);
    let stride = rows * columns;
    let run = |shader, parameters: &[u32]| {
        let alone = Alone {
            storage: vec![
                (0, floats([1.0; 64])),
                (1, weights.clone()),
                (3, biases.clone()),
                (4, routes.clone()),
                (5, floats([7.0; 8])),
            ],
            uniforms: &[parameters, &[0, 4, 0, 0]],
            grid: [1, 1, 4],
        };
        let kernel = Kernel::new(shader).format(TensorType::F32).with([16, 0, 2, 1]);
        let found = alone.run(&kernels.context, source(&kernel, kernels.extras())).remove(4);
        found.into_iter().map(f32::from_bits).collect::<Vec<_>>()
    };
    let found = run(Shader::Experts, &[4, 4, 0, 0, 0, 0, 0, 0, 1, 0, stride, first_expert, experts, rows, 1, 0, 0, 0]);
    assert_eq!(found, [7.0, 7.0, 16.25, 16.5, 32.75, 33.0, 7.0, 7.0]);
    let found = run(Shader::ExpertsDown, &[4, 4, 0, 0, 0, 1, stride, first_expert, experts, rows, 1, 0]);
    assert_eq!(found, [0.0, 0.0, 16.25, 16.5, 32.75, 33.0, 0.0, 0.0]);
    // Without biases, whatever lies among the vectors.
    let found = run(Shader::ExpertsDown, &[4, 4, 0, 0, 0, 0, stride, first_expert, experts, rows, 1, 1]);
    assert_eq!(found, [7.0, 7.0, 23.0, 23.0, 39.0, 39.0, 7.0, 7.0]);
}

/// Of four tiles, each of another expert, two are of experts that are here; behind the last the grid goes on.
#[test]
pub fn tiles_of_other_arenas_and_behind_the_last_are_left_alone() {
    let kernels = first();
    let [first_expert, experts, rows, columns, tiles, tokens] = [1, 2, 2, 16, 4, 16];
    // Experts 1, 2 and 3; the first pair of all is of expert 0, and named like an expert that is here.
    let weights = floats((1..4).flat_map(|expert| [expert as f32; 32]));
    let tile = |pair: u32| (0..tokens).map(move |at| if at == 0 { pair } else { u32::MAX });
    let table: Vec<u32> = (0..tiles).chain([1, 0, 2, 3].into_iter().flat_map(tile)).chain(tile(3)).collect();
    let parameters =
        [0, 0, 0, 0, rows * columns, first_expert, experts, rows, 0, 0, columns / 4, columns / 4, 1, 0, 0, 0, tiles];
    let alone = Alone {
        storage: vec![(0, floats([1.0; 64])), (1, weights), (3, floats([0.0; 8])), (4, floats([7.0; 8])), (5, table)],
        uniforms: &[&parameters],
        grid: [1, 3, 2],
    };
    let kernel = Kernel::new(Shader::ExpertsMatrix).format(TensorType::F32).with([0, 0, 1, 1, 0, 0, 1]);
    let found = alone.run(&kernels.context, source(&kernel, kernels.extras())).remove(3);
    let found: Vec<f32> = found.into_iter().map(f32::from_bits).collect();
    assert_eq!(found, [16.0, 16.0, 7.0, 7.0, 32.0, 32.0, 7.0, 7.0]);
}

/// The table that pairs of these experts make. A route behind the last may be of any expert.
fn check_sorted(experts: u32, tokens: u32, of_pairs: &[u32], behind: u32) {
    const NOBODY: u32 = u32::MAX;
    const ALONE: u32 = 7;
    let kernels = first();
    let pairs = of_pairs.len() as u32;
    let tiles = pairs / tokens + experts.min(pairs);
    let (mut owners, mut owned) = (Vec::new(), Vec::new());
    for expert in 0..experts {
        let mine: Vec<u32> = (0..pairs).filter(|pair| of_pairs[*pair as usize] == expert).collect();
        for tile in mine.chunks(tokens as usize) {
            owners.push(expert);
            owned.extend(tile);
            owned.resize(owners.len() * tokens as usize, NOBODY);
        }
    }
    owners.resize(tiles as usize, NOBODY);
    owned.resize((tiles * tokens) as usize, NOBODY);
    let alone = Alone {
        storage: vec![
            (0, floats(of_pairs.iter().chain([&behind]).flat_map(|expert| [*expert as f32, 0.5]))),
            (1, vec![ALONE; owners.len() + owned.len() + 5]),
        ],
        uniforms: &[&[pairs, experts, tokens, tiles]],
        grid: [1, 1, 1],
    };
    let found = alone.run(&kernels.context, source(&Kernel::new(Shader::ExpertsGroup), kernels.extras())).remove(1);
    assert_eq!(found, [owners, owned, vec![ALONE; 5]].concat(), "{experts} experts, {tokens} tokens");
}

#[test]
pub fn pairs_are_sorted_by_experts_in_whole_tiles() {
    // The first pair's expert has no other; some have whole tiles, one has a pair more, one nothing.
    let few = [vec![4], vec![2; 5], vec![1; 8], vec![2; 4], vec![0], vec![5; 16]].concat();
    check_sorted(6, 8, &few, 1);
    // In several rounds of threads, whose last experts have pairs, and a tile more with the one behind them.
    let many = [vec![299, 0, 255, 300, 599, 512, 511, 256], vec![255; 8], vec![7; 3], vec![256; 7]].concat();
    check_sorted(600, 8, &many, 256);
    check_sorted(256, 16, &[255, 3, 255, 0], 9);
}

#[test]
pub fn an_expert_that_no_buffer_holds_is_refused() {
    let kernels = crate::devices::basic();
    let error = gpu(&kernels).expert_matrices(TensorType::F32, 2, 40 << 10, 1 << 10).map(|_| ()).unwrap_err();
    assert!(error.message.contains("an expert's matrix of 160 MiB"), "{error}");
    let error = gpu(&kernels).expert_matrices(TensorType::F32, 2, 8, 6).map(|_| ()).unwrap_err();
    assert!(error.message.contains("a width of 6"), "{error}");
}
