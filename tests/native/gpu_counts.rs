//! What a GPU is given to do, counted: workgroups of a prompt's products, and fetches of weights.

use azulejo::checkpoint::TensorType;
use azulejo::device::gpu::native::edit;
use azulejo::device::gpu::{Gpu, Kernels, Wishes};
use azulejo::device::{Activation, Device, Input, Linear, Projection};
use std::fs;
use std::rc::Rc;

use crate::devices::{self, gpu};
use crate::verbs::{begin, filled, matrix, read};

const TYPE: TensorType = TensorType::Q4_1;

/// A matrix of zeros with a bias of none.
fn linear(device: &mut Gpu, shape: [usize; 2]) -> Linear<Gpu> {
    linear_of(device, TYPE, shape)
}

fn linear_of(device: &mut Gpu, ty: TensorType, [rows, columns]: [usize; 2]) -> Linear<Gpu> {
    let bytes = vec![0; rows * ty.row_bytes(columns).unwrap()];
    Linear { weight: matrix(device, ty, rows, columns, &bytes), bias: None }
}

/// The products of one of SmolLM2-135M's blocks, of which a model's places share an arena.
fn block(device: &mut Gpu, tokens: usize) {
    let (width, keys, inner) = (576, 192, 1536);
    let shapes = [[width, width], [keys, width], [keys, width], [width, width], [inner, width], [inner, width]];
    let shapes = shapes.into_iter().chain([[width, inner]]);
    device.expect_weights(shapes.clone().map(|[rows, columns]| Gpu::matrix_bytes(TYPE, rows, columns)).sum()).unwrap();
    let matrices: Vec<_> = shapes.map(|shape| linear(device, shape)).collect();
    let [query, key, value, output, gate, up, down] = &matrices[..] else { unreachable!() };
    let mut outs = [width, keys, keys, width, inner].map(|width| device.buffer(tokens * width).unwrap());
    let [queries, key_rows, values, hidden, activated] = &mut outs;
    let x = device.buffer(tokens * width).unwrap();
    let input = Input { x: &x, rows: tokens, norm: None };
    begin(device, tokens);
    device.project(&input, &mut [query.to(queries), key.to(key_rows), value.to(values)]);
    device.project(&input, &mut [output.to(hidden)]);
    device.project_activated(&input, Some(gate), up, Activation::Silu, activated);
    let [.., hidden, activated] = &mut outs;
    let input = Input { x: activated, rows: tokens, norm: None };
    device.project(&input, &mut [Projection { accumulate: true, ..down.to(hidden) }]);
    device.send(hidden, 1).unwrap();
}

#[test]
fn a_prompt_of_128_tokens_is_64_workgroups_of_256_threads_in_each_of_smollm2_s_products() {
    let without = vec!["subgroups".into(), "timestamp-query".into()];
    let kernels = devices::shared(&Wishes { profile: true, without, ..Wishes::default() });
    let before = kernels.context.meter.kernels().len();
    block(&mut gpu(&kernels), 128);
    let lines = kernels.context.meter.kernels();
    let products: Vec<_> = lines[before..].iter().filter(|(label, _)| label.starts_with("Matrix")).collect();
    // Queries, keys and values are one, and so are gate and up.
    assert_eq!(products.len(), 4, "{products:?}");
    for (label, runs) in products {
        assert!(label.starts_with("MatrixMatrix "), "{label}: of 256 threads");
        assert!(runs.groups >= 64 * runs.count, "{label}: {} workgroups in {} runs", runs.groups, runs.count);
    }
}

/// Files mix types within a layer, and a layer's matrices may lie in several arenas.
#[test]
fn one_token_s_products_are_a_vector_s_whatever_its_matrices_are_made_of() {
    let kernels =
        devices::shared(&Wishes { profile: true, without: vec!["timestamp-query".into()], ..Wishes::default() });
    for [first, second] in [[TYPE, TYPE], [TYPE, TensorType::Q6_K], [TensorType::F32, TensorType::F16]] {
        let mut device = gpu(&kernels);
        let [gate, up] = [first, second].map(|ty| linear_of(&mut device, ty, [512, 256]));
        let [query, key, value] = [first, first, second].map(|ty| linear_of(&mut device, ty, [256, 256]));
        let x = device.buffer(256).unwrap();
        let [mut queries, mut keys, mut values] = [256; 3].map(|width| device.buffer(width).unwrap());
        let mut activated = device.buffer(512).unwrap();
        let before = kernels.context.meter.kernels().len();
        begin(&mut device, 1);
        let input = Input { x: &x, rows: 1, norm: None };
        let outs = &mut [query.to(&mut queries), key.to(&mut keys), value.to(&mut values)];
        device.project(&input, outs);
        device.project_activated(&input, Some(&gate), &up, Activation::Silu, &mut activated);
        device.send(&activated, 1).unwrap();
        let lines = kernels.context.meter.kernels();
        let labels: Vec<_> = lines[before..].iter().map(|(label, _)| label).collect();
        assert!(labels.iter().any(|label| label.starts_with("MatrixVector")), "{labels:?}");
        assert!(!labels.iter().any(|label| label.starts_with("MatrixMatrix")), "{first:?}, {second:?}: {labels:?}");
    }
}

/// A file of `shaders/` with something else in place of what it says, as one piece of text and another.
fn with(file: &str, changes: &[(&str, &str)]) -> (String, String) {
    let text = fs::read_to_string(format!(concat!(env!("OUT_DIR"), "/shaders/{}.wgsl"), file)).unwrap();
    let changed = changes.iter().fold(text.clone(), |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "{file}: {from}");
        text.replace(from, to)
    });
    (text, changed)
}

/// What becomes of ones and weights of zeros, [tokens, rows].
fn product(kernels: &Rc<Kernels>, [rows, columns]: [usize; 2], tokens: usize) -> Vec<f32> {
    let mut device = gpu(kernels);
    let x = filled(&mut device, &vec![1.0; tokens * columns], columns);
    let weight = linear(&mut device, [rows, columns]);
    let mut out = device.buffer(tokens * rows).unwrap();
    begin(&mut device, tokens);
    device.project(&Input { x: &x, rows: tokens, norm: None }, &mut [weight.to(&mut out)]);
    read(&mut device, &kernels.context, &out, tokens * rows)
}

/// A thread writes, as its first output, how many units it has fetched. That they are the right ones is for other tests;
/// that a unit's words are fetched once is for `planes.rs`.
#[test]
fn a_prompt_fetches_each_unit_of_weights_once_a_tile() {
    let counting = with(
        "matrix_matrix",
        &[
            ("fn fetch_unit(", "var<private> fetched: u32;\nfn fetch_unit("),
            ("var start = weights_start();", "fetched += 1u;\nvar start = weights_start();"),
            ("write_token(t, r, whole(t, sums0));", "write_token(t, r, vec4<f32>(f32(fetched)));"),
        ],
    );
    edit(Some(counting));
    let kernels = devices::shared(&Wishes { without: vec!["subgroups".into()], ..Wishes::default() });
    // Rows, columns and tokens, and the outputs of a thread: 2 × 2, 4 × 2, and 4 × 4.
    for (rows, columns, tokens, [rows_each, tokens_each]) in
        [(576, 576, 128, [2, 2]), (1024, 96, 128, [4, 2]), (2048, 96, 128, [4, 4])]
    {
        let found = product(&kernels, [rows, columns], tokens);
        let (across, down) = (rows / (16 * rows_each), tokens / (16 * tokens_each));
        let firsts = |count: usize, each: usize| (0..count).flat_map(move |n| (0..16).map(move |i| 16 * each * n + i));
        let fetched: f32 = firsts(down, tokens_each)
            .flat_map(|token| firsts(across, rows_each).map(move |row| token * rows + row))
            .map(|at| found[at])
            .sum();
        assert_eq!(fetched, (down * rows * columns / 32) as f32, "{rows} × {columns}, {tokens} tokens");
    }
    edit(None);
}

/// Lanes add up how many units they have fetched of each row.
#[test]
fn up_to_four_rows_share_a_fetch_of_each_unit_of_weights() {
    let whole = "add_token(parts, 0u, first, unit, a, b, c, d);";
    let counting = with("lanes", &[(whole, "(*parts).sums[0] += vec4<f32>(1.0);")]);
    edit(Some(counting));
    for wishes in [Wishes::default(), Wishes { without: vec!["subgroups".into()], ..Wishes::default() }] {
        let kernels = devices::shared(&wishes);
        for tokens in 1..=4 {
            let found = product(&kernels, [130, 576], tokens);
            assert_eq!(found[..130], [18.0; 130], "{tokens} tokens");
            assert!(found[130..].iter().all(|other| *other == 0.0), "{tokens} tokens: weights are zeros");
        }
    }
    edit(None);
}
