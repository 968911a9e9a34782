//! A device's verbs as the loader and the forward pass use them.
#![allow(dead_code)] // Each test file takes what it needs.

use azulejo::checkpoint::TensorType;
use azulejo::device::gpu::Context;
use azulejo::device::gpu::native::run;
use azulejo::device::{Device, Rotations, Span, TokenIds};

pub fn matrix<D: Device>(device: &mut D, ty: TensorType, rows: usize, columns: usize, bytes: &[u8]) -> D::Matrix {
    device.expect_weights(D::matrix_bytes(ty, rows, columns)).unwrap();
    let mut builder = device.matrix(ty, rows, columns).unwrap();
    // In pieces that fall anywhere.
    bytes.chunks(997).for_each(|piece| device.push(&mut builder, piece));
    device.finish(builder)
}

pub fn floats<D: Device>(device: &mut D, rows: usize, columns: usize, values: &[f32]) -> D::Matrix {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    matrix(device, TensorType::F32, rows, columns, &bytes)
}

/// A batch of that many tokens of one sequence, from its beginning.
pub fn begin<D: Device>(device: &mut D, rows: usize) {
    device.begin(&[Span::new(0, rows, 0, 0)], Rotations::default());
}

/// Puts values into a buffer as the forward pass would: by an embedding. That is a batch of its own.
pub fn fill<D: Device>(device: &mut D, buffer: &mut D::Buffer, values: &[f32], columns: usize) {
    let rows = values.len() / columns;
    let table = floats(device, rows, columns, values);
    let tokens: Vec<u32> = (0..rows as u32).collect();
    begin(device, rows);
    device.embed(&table, &TokenIds::Known(&tokens), 1.0, false, buffer);
}

/// A buffer that holds rows of `columns` values.
pub fn filled<D: Device>(device: &mut D, values: &[f32], columns: usize) -> D::Buffer {
    let mut buffer = device.buffer(values.len()).unwrap();
    fill(device, &mut buffer, values, columns);
    buffer
}

/// The first `len` values. `context`: the GPU's, whatever the device.
pub fn read<D: Device>(device: &mut D, context: &Context, buffer: &D::Buffer, len: usize) -> Vec<f32> {
    let mut values = vec![0.0; len];
    let reading = device.send(buffer, len).unwrap();
    run(Some(context), device.receive(reading, &mut values)).unwrap();
    values
}
