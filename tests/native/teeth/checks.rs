//! What a mistake is held against: the tests themselves and their cases, of what it is part of, the quickest first.

use azulejo::checkpoint::TensorType;
use azulejo::device::gpu::native::{edit, run};
use azulejo::device::gpu::{Kernel, Kernels, Shader, Wishes};
use azulejo::device::{AttentionShape, CacheType};
use std::rc::Rc;

use super::{fails, families};
use crate::attention::{Case, numbers, shape};
use crate::devices::{any_subgroups, cpu, first, gpu, open, shared};
use crate::gpu_kernels::WIDTHS;
use crate::{conformance, conformance_images, conformance_texts, edges};
use crate::{
    gpu_attention, gpu_bounds, gpu_choosing, gpu_convs, gpu_experts, gpu_functions, gpu_grids, gpu_halves, gpu_heads,
    gpu_kernels, gpu_limits, gpu_pixels, gpu_runs,
};
use crate::{gpu_spans, gpu_tuning, gpu_turns, gpu_verbs};

/// A family's comparison with the reference implementation, on the CPU.
pub fn conformance(family: &str) {
    let kind = kind_of(family);
    match kind {
        "causal" => run(None, async {
            conformance::gives_the_reference_logits(family, cpu(1)).await;
            conformance::steps_equal_the_full_pass(family, cpu(1)).await;
        }),
        "vision" => run(None, conformance_images::gives_the_reference(family, cpu(1))),
        _ => run(None, conformance_texts::gives_the_reference(kind, family, cpu(1))),
    }
    run(None, edges::gives_the_reference(family, || cpu(1)));
}

fn kind_of(family: &str) -> &'static str {
    let kinds = ["causal", "encoder", "seq2seq", "vision", "dual", "tokens"];
    kinds.into_iter().find(|kind| families(kind).iter().any(|name| name == family)).expect("it has a kind")
}

/// The same on the GPU.
fn conformance_on(kernels: &Rc<Kernels>, family: &str) {
    let context = Some(&*kernels.context);
    let kind = kind_of(family);
    match kind {
        "causal" => run(context, conformance::gives_the_reference_logits(family, gpu(kernels))),
        "vision" => run(context, conformance_images::gives_the_reference(family, gpu(kernels))),
        _ => run(context, conformance_texts::gives_the_reference(kind, family, gpu(kernels))),
    }
}

/// Several rows' lanes in a workgroup, which add up through its memory.
fn sixteen_lanes() -> Rc<Kernels> {
    shared(&Wishes { lanes: Some(16), ..Wishes::default() })
}

/// Several rows' lanes in a subgroup, where it has more.
fn four_lanes() -> Rc<Kernels> {
    shared(&Wishes { lanes: Some(4), ..Wishes::default() })
}

fn short_grids() -> Rc<Kernels> {
    shared(&Wishes { most_groups: Some(5), ..Wishes::default() })
}

type Check = Box<dyn Fn()>;

/// What the mistakes of a file are held against.
pub struct Checks {
    file: String,
    /// And whether it has been seen to hold without a mistake.
    all: Vec<(Check, bool)>,
}

impl Checks {
    pub fn of_file(file: &str) -> Self {
        Self { file: file.to_owned(), all: of_file(file).into_iter().map(|check| (check, false)).collect() }
    }

    /// Whether one fails with the second text in place of the first: the next mistake is held against that one first.
    pub fn catch(&mut self, (right, wrong): (String, String)) -> bool {
        edit(Some((right, wrong)));
        // scripts/teeth.mjs waits for so long for the next word.
        let said = |check: &Check| {
            println!("teeth go on");
            fails(check)
        };
        let caught = self.all.iter().position(|(check, _)| said(check));
        edit(None);
        let Some(at) = caught else { return false };
        let (check, holds) = &mut self.all[at];
        *holds = *holds || !fails(check);
        assert!(*holds, "a check of {} fails without a mistake, too", self.file);
        self.all[..=at].rotate_right(1);
        true
    }
}

/// Lanes of the subgroups that it takes to run a file's kernels: Mesa's driver has 8, SwiftShader 4.
pub fn lanes(file: &str) -> u32 {
    match file {
        "matrix_matrix_quads" => 4,
        _ => 8,
    }
}

fn without_subgroups() -> Rc<Kernels> {
    shared(&Wishes { without: vec!["subgroups".into()], ..Wishes::default() })
}

fn all<const N: usize>(lists: [Vec<Check>; N]) -> Vec<Check> {
    lists.into_iter().flatten().collect()
}

/// Those of a file of `shaders/`.
fn of_file(file: &str) -> Vec<Check> {
    match file {
        _ if file.starts_with("formats/") => of_formats(file),
        "attention_weights" => maps(),
        "score" => all([attention(), maps()]),
        "attention" | "attention_join" => attention(),
        "attention_one" | "attention_seen" | "attention_step" | "attention_tiles" => all([steps(), attention()]),
        "places" => all([heads(), attention(), convolutions()]),
        "short_conv" => convolutions(),
        "heads" => all([heads(), steps()]),
        "choose" | "draw" | "penalise" | "runs" | "weights" | "weigh" | "gather" | "truncate" => choosing(),
        "matrix_vector" | "lanes" | "lanes_apart" | "lanes_staged" | "fold_whole" | "fold_subgroups"
        | "fold_shared" => vector_products(),
        "route" | "experts" | "experts_down" | "experts_place" | "gating" => experts(),
        "halve" | "reals_halves" => halved(),
        "matrix_matrix" | "tiles_floats" | "reals_floats" => all([
            matrix_products(without_subgroups),
            halved(),
            vec![Box::new(gpu_kernels::products_are_right_in_tiles_of_every_size)],
        ]),
        "product_experts" | "experts_group" | "experts_join" => all([
            vec![
                Box::new(gpu_experts::pairs_are_sorted_by_experts_in_whole_tiles) as Check,
                Box::new(gpu_functions::nobody_has_one_number_wherever_pairs_are_sorted),
                Box::new(gpu_experts::tiles_of_any_number_of_rows_are_right),
                Box::new(gpu_experts::tiles_of_other_arenas_and_behind_the_last_are_left_alone),
                Box::new(gpu_experts::tiles_of_bytes_are_close),
            ],
            experts(),
        ]),
        "matrix_matrix_quads" => matrix_products(first),
        "product" | "outputs" => all([
            matrix_products(without_subgroups),
            vec![Box::new(gpu_kernels::products_are_right_in_tiles_of_every_size)],
            matrix_products(first),
            vector_products(),
            vec![Box::new(gpu_kernels::a_matrix_over_the_binding_limit_is_cut_between_rows)],
        ]),
        "tiles_bytes" | "quantise" => all([
            bytes(&[TensorType::Q4_1, TensorType::Q3_K, TensorType::Q8_0]),
            vec![
                Box::new(gpu_functions::a_row_that_becomes_bytes_writes_its_own_alone),
                Box::new(gpu_grids::rows_beyond_a_grid_are_multiplied_and_become_bytes),
                Box::new(gpu_kernels::products_of_bytes_are_right_in_tiles_of_every_size),
            ],
        ]),
        "activation" => activations(),
        "resize" => vec![
            Box::new(gpu_pixels::every_way_of_resizing_gives_the_bits_of_the_cpu),
            Box::new(gpu_pixels::images_of_a_batch_stand_one_after_the_other),
            Box::new(gpu_grids::a_picture_of_as_many_lines_as_one_likes_is_resampled),
            Box::new(gpu_pixels::large_pictures_go_through_in_strips_and_leave_nothing_behind),
        ],
        "patches" => vec![
            on_the_gpu("vit"),
            Box::new(gpu_verbs::patches_have_their_pixels_line_by_line_and_zeros_behind),
            Box::new(gpu_bounds::rows_behind_those_of_patches_are_left_alone),
            Box::new(gpu_grids::as_many_patches_as_one_likes_are_cut),
            on_the_gpu("dinov2"),
            on_the_gpu("deit"),
            on_the_gpu("clip"),
        ],
        _ if file == "probe_halves" || file.starts_with("halves/") => halves(),
        // A device is asked when it is opened.
        "probe" => vec![Box::new(|| assert!(open(&Wishes::default()).extras().subgroups))],
        "norm" | "total_whole" | "total_shared" => vec![
            Box::new(gpu_verbs::norms_of_every_kind_replace_or_are_added),
            sizes(Shader::Norm),
            Box::new(gpu_bounds::rows_behind_those_of_look_ups_norms_and_gatherings_are_left_alone),
            Box::new(gpu_kernels::norms_of_any_width_and_of_extreme_rows_are_the_cpu_s),
            Box::new(gpu_grids::as_many_rows_as_one_likes_are_looked_up_normed_and_gathered),
        ],
        "activate" => vec![Box::new(gpu_verbs::what_was_added_to_is_activated_as_products_are)],
        "embed" | "pool" | "soft_cap" => vec![
            Box::new(gpu_verbs::caps_hold_the_first_values_and_leave_the_rest),
            Box::new(gpu_verbs::each_look_up_of_a_batch_reads_its_own_ids_and_is_scaled_and_added),
            Box::new(gpu_verbs::as_many_look_ups_and_gatherings_as_one_likes_go_into_a_batch),
            Box::new(gpu_verbs::rows_of_a_quantised_table_are_scaled_and_added),
            Box::new(gpu_verbs::runs_of_rows_become_their_means),
            Box::new(gpu_bounds::rows_behind_those_of_look_ups_norms_and_gatherings_are_left_alone),
            on_the_gpu("siglip"),
            Box::new(gpu_functions::a_part_of_a_table_looks_up_its_own_rows_alone),
            Box::new(gpu_grids::as_many_rows_as_one_likes_are_looked_up_normed_and_gathered),
            Box::new(gpu_kernels::a_matrix_over_the_binding_limit_is_cut_between_rows),
        ],
        _ if file.starts_with("caches/read") => attention(),
        _ if file.starts_with("caches/write") => all([heads(), steps()]),
        "prelude" => all([
            of_formats("formats/q6_k"),
            of_formats("formats/q8_0"),
            of_formats("formats/mxfp4"),
            attention(),
            choosing(),
            vec![Box::new(gpu_pixels::every_way_of_resizing_gives_the_bits_of_the_cpu)],
        ]),
        _ => panic!("shaders/{file}.wgsl has no checks here"),
    }
}

/// What a kernel's variants take of a device.
fn sizes(shader: Shader) -> Check {
    Box::new(move || gpu_limits::check(Kernel::all().into_iter().filter(|kernel| kernel.shader == shader)))
}

fn on_the_gpu(family: &'static str) -> Check {
    Box::new(move || conformance_on(&first(), family))
}

fn of_formats(file: &str) -> Vec<Check> {
    use TensorType::*;
    let types = match file.trim_start_matches("formats/") {
        "levels" | "inputs_levels" => vec![Q4_1, Q8_0, Q6_K],
        "bytes" => vec![Q8_0, Q5_1, Q3_K, Q1_0],
        "nibbles" => vec![Q4_1, IQ4_NL],
        "even" => vec![Q4_1],
        "shared" => vec![Q4_0, Q8_0, Q1_0],
        "uneven" => vec![IQ4_NL, MXFP4],
        "iq4" => vec![IQ4_NL, IQ4_XS],
        "ternary" => vec![TQ1_0, TQ2_0],
        "six_bits" => vec![Q4_K, Q5_K],
        "signed_scales" => vec![Q3_K, Q6_K],
        "eights" | "inputs_eights" => vec![F16, BF16],
        "inputs_fours" => vec![F32],
        name => TensorType::ALL.into_iter().filter(|ty| ty.name().eq_ignore_ascii_case(name)).collect(),
    };
    assert!(!types.is_empty(), "{file}: of which format?");
    let widths = || WIDTHS.into_iter();
    let mut checks: Vec<Check> = Vec::new();
    for (ty, columns) in widths().filter(|(ty, _)| types.contains(ty)) {
        checks.push(Box::new(move || gpu_kernels::check_look_up(&first(), ty, columns)));
        checks.push(Box::new(move || gpu_kernels::check_projection(&first(), ty, columns, 1, "")));
        checks.push(Box::new(move || gpu_kernels::check_projection(&first(), ty, columns, 21, "")));
        checks.push(Box::new(move || gpu_kernels::check_projection(&without_subgroups(), ty, columns, 21, "")));
    }
    checks.extend(bytes(&types));
    if types.contains(&MXFP4) {
        checks.push(Box::new(gpu_functions::scales_of_mxfp4_are_the_powers_of_two_that_they_name));
    }
    checks
}

fn bytes(types: &[TensorType]) -> Vec<Check> {
    let widths = WIDTHS.into_iter().filter(|(ty, _)| ty.is_quantised() && types.contains(ty));
    let cases = widths.flat_map(|(ty, columns)| [5, 21, 130].map(|tokens| (ty, columns, tokens)));
    let check = |(ty, columns, tokens)| -> Check {
        Box::new(move || {
            let kernels = shared(&Wishes { integer_dot: true, ..Wishes::default() });
            gpu_kernels::check_bytes(&kernels, ty, columns, tokens);
        })
    };
    cases.map(check).collect()
}

fn halved() -> Vec<Check> {
    vec![
        Box::new(gpu_tuning::tokens_become_halves_by_the_largest_of_each),
        Box::new(gpu_tuning::products_of_halves_are_off_by_what_halves_are_rounded_by),
        Box::new(gpu_tuning::halves_that_hold_their_numbers_lose_nothing_whatever_their_size),
    ]
}

fn vector_products() -> Vec<Check> {
    let mut checks: Vec<Check> = Vec::new();
    for open in [first, any_subgroups, without_subgroups, sixteen_lanes, four_lanes, short_grids] {
        for (ty, columns, tokens) in [(TensorType::Q4_1, 576, 1), (TensorType::BF16, 84, 3)] {
            checks.push(Box::new(move || gpu_kernels::check_projection(&open(), ty, columns, tokens, "")));
        }
        checks.push(Box::new(move || gpu_kernels::check_gated(&open(), 3, [TensorType::Q4_K; 2], "")));
    }
    // Rows that are shared by two and by four; inputs of several tiles.
    for (columns, tokens) in [(36, 2), (36, 4), (2112, 1)] {
        let open = without_subgroups;
        checks.push(Box::new(move || gpu_kernels::check_projection(&open(), TensorType::F32, columns, tokens, "")));
    }
    checks.push(Box::new(gpu_bounds::rows_behind_those_of_products_are_left_alone));
    checks.push(Box::new(gpu_bounds::what_is_no_number_stays_in_its_row_and_in_its_matrix));
    checks.push(sizes(Shader::MatrixVector));
    checks.push(Box::new(gpu_kernels::norms_and_biases_are_found_however_many_vectors_a_model_has));
    checks.push(Box::new(gpu_kernels::norms_of_any_width_and_of_extreme_rows_are_the_cpu_s));
    checks.push(Box::new(gpu_verbs::products_have_as_many_rows_as_their_input_whatever_the_batch_has));
    checks.push(Box::new(gpu_kernels::a_matrix_over_the_binding_limit_is_cut_between_rows));
    checks.push(Box::new(gpu_grids::a_head_of_262144_rows_is_right_whatever_the_lanes_of_a_row));
    checks
}

fn experts() -> Vec<Check> {
    vec![
        Box::new(gpu_experts::gates_are_clamped_or_activated),
        Box::new(gpu_experts::rows_go_to_one_expert_or_to_all_of_many),
        Box::new(gpu_experts::gate_and_up_may_differ_in_format),
        Box::new(gpu_experts::experts_that_are_cut_over_arenas_are_all_found),
        Box::new(gpu_experts::grids_of_experts_are_folded),
        Box::new(gpu_experts::lanes_of_any_number_share_rows_of_experts),
        Box::new(gpu_experts::a_score_that_is_no_number_makes_none_of_its_row),
        Box::new(gpu_experts::routes_are_right_whatever_sizes_scores_have),
        Box::new(gpu_experts::experts_of_other_arenas_are_left_alone),
    ]
}

fn matrix_products(open: fn() -> Rc<Kernels>) -> Vec<Check> {
    let mut checks: Vec<Check> = Vec::new();
    for (ty, columns, tokens) in [
        (TensorType::F32, 36, 21),
        (TensorType::F32, 36, 12),
        (TensorType::Q4_1, 576, 6),
        (TensorType::Q4_1, 576, 40),
        (TensorType::Q4_1, 576, 130),
    ] {
        checks.push(Box::new(move || gpu_kernels::check_projection(&open(), ty, columns, tokens, "")));
    }
    checks.push(Box::new(move || gpu_kernels::check_gated(&open(), 33, [TensorType::Q4_K, TensorType::Q6_K], "")));
    checks.push(Box::new(move || gpu_kernels::check_gated(&open(), 33, [TensorType::Q4_K; 2], "")));
    checks.push(Box::new(gpu_bounds::rows_behind_those_of_products_are_left_alone));
    checks.push(Box::new(gpu_verbs::products_have_as_many_rows_as_their_input_whatever_the_batch_has));
    checks.push(Box::new(gpu_kernels::norms_and_biases_are_found_however_many_vectors_a_model_has));
    checks.push(Box::new(gpu_bounds::what_is_no_number_stays_in_its_row_and_in_its_matrix));
    checks.push(Box::new(gpu_grids::rows_beyond_a_grid_are_multiplied_and_become_bytes));
    // LayerScale.
    checks.push(Box::new(move || conformance_on(&open(), "dinov2")));
    checks
}

fn activations() -> Vec<Check> {
    let mut checks: Vec<Check> = vec![
        Box::new(gpu_verbs::every_activation_is_its_formula),
        Box::new(gpu_kernels::gated_products_are_right_also_where_gate_and_up_differ_in_format),
    ];
    checks.extend(["gpt2", "bert", "clip", "opt"].map(on_the_gpu));
    checks
}

fn heads() -> Vec<Check> {
    vec![
        Box::new(gpu_turns::layers_of_one_batch_turn_by_their_own_table_or_not_at_all),
        Box::new(gpu_heads::values_come_out_of_each_cache_within_its_precision_as_on_the_cpu),
        Box::new(gpu_heads::heads_are_normed_and_turned_as_on_the_cpu),
        Box::new(gpu_heads::heads_that_were_turned_are_cached_so),
        Box::new(gpu_attention::halves_are_clamped_to_what_they_can_hold),
        lengths(CacheType::Q8, 100),
        Box::new(gpu_attention::levels_of_nothing_are_nothing),
        Box::new(gpu_turns::tokens_behind_those_that_are_stored_stay_as_they_are),
        Box::new(gpu_turns::sequences_with_a_common_beginning_share_it_and_go_on_by_themselves),
        Box::new(gpu_grids::as_many_heads_as_one_likes_are_turned_stored_and_attended_to),
    ]
}

fn steps() -> Vec<Check> {
    vec![
        Box::new(gpu_heads::steps_are_right_in_every_cache_with_masks_biases_and_sinks),
        Box::new(gpu_heads::steps_are_normed_turned_kept_and_attended_from_at_once),
        Box::new(gpu_turns::tokens_behind_those_that_are_stored_stay_as_they_are),
        sizes(Shader::AttentionStep),
    ]
}

fn convolutions() -> Vec<Check> {
    vec![
        Box::new(gpu_convs::short_convolutions_go_on_from_what_came_before_in_each_sequence),
        Box::new(gpu_convs::rows_and_channels_behind_the_last_are_left_alone),
    ]
}

fn choosing() -> Vec<Check> {
    let greedy = || {
        let penalties = r#"{"repetitionPenalty": 1.3, "presencePenalty": 0.2, "frequencyPenalty": 0.45}"#;
        let exact = r#"{"repetitionPenalty": 2, "presencePenalty": 0.5, "frequencyPenalty": 0.25}"#;
        gpu_choosing::check_greedy(&first(), penalties, 1025, |random| 10.0 * random.float(), "any");
        gpu_choosing::check_greedy(&first(), exact, 1025, |random| f32::from(random.next() as i8 / 16), "equal ones");
    };
    let draws = || {
        let json = r#"{"temperature": 5, "seed": 7, "topK": 3, "topP": 0.95, "minP": 0.5}"#;
        gpu_choosing::check_draws(&first(), json, &gpu_choosing::SIX, 200);
        let json = r#"{"temperature": 1, "seed": 5, "topK": 12, "topP": 0.8}"#;
        gpu_choosing::check_draws(&first(), json, &gpu_choosing::peaks(1025), 500);
    };
    vec![
        Box::new(gpu_runs::logits_of_a_run_are_penalised_and_the_best_of_them_is_taken),
        Box::new(gpu_runs::logits_of_a_run_are_weighed_in_bins),
        Box::new(gpu_runs::logits_of_a_run_are_put_aside_where_the_best_come_to_what_is_asked_for),
        Box::new(gpu_runs::the_least_logit_that_is_left_is_found_among_those_put_aside),
        Box::new(gpu_runs::small_weights_count_as_large_ones_do),
        Box::new(gpu_runs::a_token_is_drawn_from_its_run_alone),
        Box::new(gpu_runs::the_best_of_all_runs_is_chosen_and_counted),
        Box::new(greedy),
        Box::new(|| gpu_choosing::check_allowed(&first(), "{}", 1025, "allowed")),
        Box::new(draws),
        Box::new(gpu_functions::noise_is_the_sampler_s_to_the_bit),
        Box::new(gpu_choosing::what_is_left_of_a_distribution_is_the_sampler_s),
        Box::new(gpu_choosing::of_many_logits_a_truncation_leaves_what_the_sampler_leaves),
        Box::new(gpu_choosing::of_equal_scores_the_first_token_s_is_drawn),
        Box::new(gpu_choosing::the_best_logit_may_be_any_number),
        Box::new(gpu_choosing::zeros_of_either_sign_are_equal),
        Box::new(gpu_choosing::presence_and_frequency_are_of_what_was_chosen),
        Box::new(gpu_choosing::tokens_at_the_ends_of_runs_are_biased_once),
        Box::new(gpu_choosing::a_logit_that_is_no_number_is_an_error_wherever_it_is),
        Box::new(gpu_choosing::a_bias_forbids_tokens_or_all_of_them),
        Box::new(gpu_choosing::without_temperature_the_gpu_takes_the_sampler_s_token),
        Box::new(gpu_choosing::draws_come_from_the_sampler_s_distribution),
        Box::new(gpu_choosing::a_seed_draws_its_own_tokens_and_the_same_in_every_variant),
    ]
}

fn halves() -> Vec<Check> {
    vec![
        Box::new(gpu_functions::halves_by_their_bits_are_the_nearest),
        Box::new(gpu_halves::a_poor_device_is_found_out),
        Box::new(gpu_halves::scales_that_are_subnormal_halves_are_right_in_every_format),
        Box::new(gpu_halves::what_is_cached_in_halves_is_rounded_to_the_nearest_as_on_the_cpu),
        Box::new(gpu_attention::halves_are_clamped_to_what_they_can_hold),
    ]
}

fn maps() -> Vec<Check> {
    let some = || {
        let kernels = first();
        for (n, rows) in [1, 20, 65, 130].into_iter().enumerate() {
            for bias in gpu_attention::biases(6) {
                let shape = AttentionShape {
                    causal: n % 2 == 0,
                    window: [None, Some(20)][n / 2],
                    soft_cap: (rows > 16).then_some(5.0),
                    ..shape(6, 2, 12)
                };
                let case = Case { bias, ..Case::new(shape, CacheType::F32, 0, rows) };
                gpu_attention::check_map(&kernels, "", &case);
            }
        }
    };
    vec![
        Box::new(some),
        Box::new(gpu_functions::a_line_of_an_attention_map_is_written_alone),
        Box::new(gpu_grids::attention_and_its_maps_go_on_in_another_dimension),
        Box::new(gpu_attention::attention_maps_are_the_cpu_s),
    ]
}

/// Around the edges of tiles and splits.
fn lengths(cache: CacheType, head_dim: usize) -> Check {
    Box::new(move || {
        let kernels = first();
        for (before, len) in [(3, 18), (33, 1), (260, 1), (0, 47), (254, 1), (511, 1), (0, 65), (1100, 1)] {
            let case = Case::new(shape(6, 2, head_dim), cache, before, len);
            gpu_attention::check_numbers(&kernels, "", &case, &numbers(&case, 1), gpu_attention::TOLERANCE);
        }
    })
}

/// Lengths in each cache; then everything that has a test.
fn attention() -> Vec<Check> {
    let masks = || {
        let shape = shape(3, 1, 8);
        let shapes = [
            AttentionShape { window: Some(17), ..shape },
            AttentionShape { causal: false, window: Some(5), soft_cap: Some(0.7), ..shape },
            AttentionShape { soft_cap: Some(30.0), ..shape },
        ];
        for (bias, shape) in gpu_attention::biases(3).iter().flat_map(|bias| shapes.map(|shape| (bias, shape))) {
            for (before, len) in [(0, 47), (50, 1)] {
                let case = Case { bias: bias.clone(), ..Case::new(shape, CacheType::F32, before, len) };
                gpu_attention::check_numbers(&first(), "", &case, &numbers(&case, 1), gpu_attention::TOLERANCE);
            }
        }
    };
    let extremes = || {
        for (before, len) in [(2, 35), (260, 1), (500, 1), (511, 1)] {
            let case = Case::new(AttentionShape { scale: 2048.0, ..shape(2, 1, 32) }, CacheType::F32, before, len);
            gpu_attention::check_numbers(&first(), "", &case, &numbers(&case, 3), gpu_attention::TOLERANCE);
        }
    };
    vec![
        lengths(CacheType::F32, 8),
        Box::new(masks),
        Box::new(extremes),
        sizes(Shader::Attention),
        sizes(Shader::AttentionOne),
        lengths(CacheType::F16, 20),
        lengths(CacheType::Q8, 100),
        lengths(CacheType::F32, 256),
        Box::new(gpu_bounds::rows_behind_those_that_attend_are_left_alone),
        Box::new(gpu_bounds::keys_behind_those_that_are_there_may_be_no_numbers),
        Box::new(gpu_attention::masks_windows_caps_and_biases_are_right_together),
        Box::new(gpu_attention::sequences_of_one_length_do_not_see_each_other),
        Box::new(gpu_spans::windows_reach_to_both_sides_in_sequences_of_any_length),
        Box::new(gpu_spans::a_query_that_sees_no_key_gets_nothing),
        Box::new(gpu_attention::query_heads_find_their_key_head_in_groups_of_any_size),
        Box::new(gpu_attention::one_head_s_splits_are_joined_too),
        Box::new(gpu_attention::splits_have_several_tiles_where_there_are_many),
        Box::new(gpu_functions::splits_have_as_few_tiles_as_leave_no_more_workgroups_than_are_wanted),
        Box::new(gpu_attention::sinks_take_their_share_once_however_the_keys_are_split),
        Box::new(gpu_attention::each_of_the_heads_that_share_keys_has_its_own_bias_and_sink),
        Box::new(gpu_attention::a_sink_may_lie_far_from_the_scores_of_any_split),
        Box::new(gpu_attention::a_head_s_sink_may_lie_far_from_the_scores_and_from_the_sinks_of_the_others),
        Box::new(gpu_attention::the_largest_heads_are_right_where_a_thread_has_a_key),
        Box::new(gpu_attention::sequences_of_one_batch_do_not_see_each_other),
        Box::new(gpu_attention::lengths_around_the_edges_of_tiles_and_splits_are_right),
        Box::new(gpu_attention::scores_of_tens_of_thousands_leave_the_softmax_whole),
        Box::new(gpu_attention::equal_scores_give_the_mean_however_large_they_are),
        Box::new(gpu_attention::huge_and_tiny_values_come_through_floats),
        Box::new(gpu_attention::heads_of_every_size_are_right_in_every_cache),
        Box::new(gpu_grids::attention_and_its_maps_go_on_in_another_dimension),
    ]
}
