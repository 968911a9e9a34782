//! A kernel's text by itself, on buffers of the test's own.
#![allow(dead_code)] // Each test file takes what it needs.

use azulejo::device::gpu::native::edit_in_force;
use azulejo::device::gpu::{Context, Extras, Kernel};
use wgpu::util::{BufferInitDescriptor, DeviceExt};

/// A kernel's text, with a mistake where one is tried: see native/teeth.
pub fn source(kernel: &Kernel, extras: Extras) -> String {
    let source = kernel.source(extras, false);
    match edit_in_force() {
        Some((right, wrong)) => source.replacen(&right, &wrong, 1),
        None => source,
    }
}

/// Where a kernel's parameters are bound, and behind them its batch: see `shaders/prelude.wgsl`.
const UNIFORMS_AT: u32 = 8;

/// What a dispatch reads and writes.
pub struct Alone<'a> {
    /// By their bindings.
    pub storage: Vec<(u32, Vec<u32>)>,
    /// A kernel's parameters and its batch, as far as it reads them.
    pub uniforms: &'a [&'a [u32]],
    pub grid: [u32; 3],
}

impl Alone<'_> {
    /// The words of each storage buffer afterwards.
    pub fn run(&self, context: &Context, source: String) -> Vec<Vec<u32>> {
        let pipeline = compiled(context, source);
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let storage: Vec<_> =
            self.storage.iter().map(|(place, words)| (*place, filled(context, words, usage))).collect();
        let uniforms = self.uniforms.iter().zip(UNIFORMS_AT..).map(|(words, place)| {
            let mut words = words.to_vec();
            words.resize(64, 0);
            (place, filled(context, &words, wgpu::BufferUsages::UNIFORM))
        });
        let group = bound(context, &pipeline, storage.iter().cloned().chain(uniforms).collect());
        let mut encoder = context.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[]);
        let [x, y, z] = self.grid;
        pass.dispatch_workgroups(x, y, z);
        drop(pass);
        context.queue.submit([encoder.finish()]);
        storage.iter().map(|(_, buffer)| read(context, buffer)).collect()
    }
}

fn compiled(context: &Context, source: String) -> wgpu::ComputePipeline {
    let source = wgpu::ShaderSource::Wgsl(source.into());
    let module = context.device.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source });
    context.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: Default::default(),
        cache: None,
    })
}

fn filled(context: &Context, words: &[u32], usage: wgpu::BufferUsages) -> wgpu::Buffer {
    let contents: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    context.device.create_buffer_init(&BufferInitDescriptor { label: None, contents: &contents, usage })
}

fn bound(context: &Context, pipeline: &wgpu::ComputePipeline, buffers: Vec<(u32, wgpu::Buffer)>) -> wgpu::BindGroup {
    let entries: Vec<wgpu::BindGroupEntry> = buffers
        .iter()
        .map(|(binding, buffer)| wgpu::BindGroupEntry { binding: *binding, resource: buffer.as_entire_binding() })
        .collect();
    let layout = &pipeline.get_bind_group_layout(0);
    context.device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries })
}

fn read(context: &Context, buffer: &wgpu::Buffer) -> Vec<u32> {
    let usage = wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ;
    let descriptor = wgpu::BufferDescriptor { label: None, size: buffer.size(), usage, mapped_at_creation: false };
    let copy = context.device.create_buffer(&descriptor);
    let mut encoder = context.device.create_command_encoder(&Default::default());
    encoder.copy_buffer_to_buffer(buffer, 0, &copy, 0, buffer.size());
    context.queue.submit([encoder.finish()]);
    copy.slice(..).map_async(wgpu::MapMode::Read, |result| result.unwrap());
    context.device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
    let view = copy.slice(..).get_mapped_range().unwrap();
    view.chunks_exact(4).map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap())).collect()
}
