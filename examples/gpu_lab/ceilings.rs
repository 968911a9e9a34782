//! What the device can do at most: `www/gpu/ceilings.ts` has the same for WebGPU. Bytes read, operations in f32, in f16 and
//! in integer dot products, and what dispatches take that do nothing.

use crate::{Lab, say};
use azulejo::device::gpu::{Context, Signal, native};
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

/// So long a device is kept busy before anything is measured: an idle one has a low clock.
const SPIN: [Duration; 2] = [Duration::from_secs(2), Duration::from_millis(100)];
const READ_BYTES: [u64; 2] = [1 << 30, 1 << 24];
const READ_GROUPS: u32 = 4096;
const COMPUTE_GROUPS: [u32; 2] = [2048, 16];
const ROUNDS: u32 = 1024;
const DISPATCHES: [u32; 2] = [1000, 100];
const ATTEMPTS: usize = 5;
const LONG: f64 = 0.02;

const BINDINGS: &str = "
@group(0) @binding(0) var<storage, read> data: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
";

fn read() -> String {
    let step = 256 * READ_GROUPS;
    format!(
        "{BINDINGS}
@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
  var bits = vec4<u32>();
  for (var i = id.x; i < arrayLength(&data); i += {step}u) {{
    bits |= data[i];
  }}
  // All zeros: but the compiler does not know.
  if (any(bits != vec4<u32>())) {{
    out[0] = 1u;
  }}
}}"
    )
}

/// Each thread has sixteen sums that do not wait for each other. `factor`, `each`: how a sum goes on.
fn compute(enable: &str, scalar: &str, factor: &str, each: fn(&str) -> String) -> String {
    let sums = ["a", "b", "c", "d"];
    let begin = sums.map(|sum| format!("  var {sum} = vec4<{scalar}>({scalar}(id.x & 7u)) + {scalar}(data[2].x);\n"));
    let rounds = sums.map(|sum| format!("    {sum} = {};\n", each(sum)));
    format!(
        "{enable}{BINDINGS}
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
  let factor = {factor};
{}  for (var round = 0u; round < {ROUNDS}u; round++) {{
{}  }}
  let sum = a + b + c + d;
  if (sum.x + sum.y + sum.z + sum.w == {scalar}(12345)) {{
    out[0] = 1u;
  }}
}}",
        begin.concat(),
        rounds.concat()
    )
}

fn dot(sum: &str) -> String {
    let part = |part: &str| format!("{sum}.{part} + dot4I8Packed(bitcast<u32>({sum}.{part}), factor.{part})");
    format!("vec4<i32>({}, {}, {}, {})", part("x"), part("y"), part("z"), part("w"))
}

const EMPTY: &str = "
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  if (data[0].x == 12345u) {
    out[id.x] = 1u;
  }
}";

pub fn measure(lab: &Lab) {
    let bench = Bench::new(lab);
    let groups = lab.size(COMPUTE_GROUPS[0], COMPUTE_GROUPS[1]);
    let fma = |sum: &str| format!("{sum} * factor + factor");
    let f32s = bench.pipeline(&compute("", "f32", "vec4<f32>(data[0])", fma));
    let spin = Instant::now();
    while spin.elapsed() < lab.size(SPIN[0], SPIN[1]) {
        bench.seconds(&f32s, groups, 8);
    }
    let mut found = Map::new();
    let mut keep = |name: &str, value: f64| {
        say(json!({ "ceiling": name, "value": value }));
        found.insert(name.into(), value.into());
    };
    keep("bytesPerSecond", bench.data.size() as f64 / bench.best(&bench.pipeline(&read()), READ_GROUPS));
    let lanes = f64::from(groups) * 64.0 * f64::from(ROUNDS) * 16.0;
    keep("operationsPerSecond", 2.0 * lanes / bench.best(&f32s, groups));
    if bench.context.features.halves {
        let halves = bench.pipeline(&compute("enable f16;\n", "f16", "vec4<f16>(data[0])", fma));
        keep("halfOperationsPerSecond", 2.0 * lanes / bench.best(&halves, groups));
    }
    let dots = bench.pipeline(&compute("", "i32", "data[0] + vec4<u32>(id.x)", dot));
    keep("byteOperationsPerSecond", 8.0 * lanes / bench.best(&dots, groups));
    let empty = bench.pipeline(&format!("{BINDINGS}{EMPTY}"));
    let many = lab.size(DISPATCHES[0], DISPATCHES[1]);
    for (name, dependent) in [("dependentDispatchMs", true), ("independentDispatchMs", false)] {
        let best = |times: u32| {
            let attempts = (0..ATTEMPTS).map(|_| bench.dispatches(&empty, 1, times, dependent));
            attempts.fold(f64::INFINITY, f64::min)
        };
        best(1);
        keep(name, 1e3 * (best(many) - best(0)).max(0.0) / f64::from(many));
    }
    say(json!({ "ceilings": Value::Object(found) }));
}

/// What the kernels read, and to what they write.
struct Bench {
    context: std::rc::Rc<Context>,
    data: wgpu::Buffer,
    /// Those that run one after the other write to different ones, or each would wait for the one before.
    outs: Vec<wgpu::Buffer>,
}

impl Bench {
    fn new(lab: &Lab) -> Self {
        let context = lab.kernels.context.clone();
        let most = lab.size(READ_BYTES[0], READ_BYTES[1]).min(context.most_bytes());
        let buffer = |size| {
            let usage = wgpu::BufferUsages::STORAGE;
            context.device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size,
                usage,
                mapped_at_creation: false,
            })
        };
        let (data, outs) = (buffer(most / 16 * 16), (0..64).map(|_| buffer(256)).collect());
        Self { context, data, outs }
    }

    fn pipeline(&self, text: &str) -> wgpu::ComputePipeline {
        let device = &self.context.device;
        let source = wgpu::ShaderSource::Wgsl(text.into());
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: None,
        });
        assert_eq!(self.context.errors(), 0, "{}", self.context.error_after(0));
        pipeline
    }

    /// Seconds of so many dispatches in one pass, with the way to the GPU and back. Dependent ones write to the same buffer.
    fn dispatches(&self, pipeline: &wgpu::ComputePipeline, groups: u32, times: u32, dependent: bool) -> f64 {
        let Self { context, data, outs } = self;
        let layout = &pipeline.get_bind_group_layout(0);
        let bind = |out: &wgpu::Buffer| {
            let entries = [(0, data), (1, out)]
                .map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() });
            context.device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries })
        };
        let bindings: Vec<_> = outs.iter().map(bind).collect();
        let mut encoder = context.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(pipeline);
        for n in 0..times as usize {
            pass.set_bind_group(0, &bindings[if dependent { 0 } else { n % bindings.len() }], &[]);
            pass.dispatch_workgroups(groups, 1, 1);
        }
        drop(pass);
        let (done, start) = (Signal::default(), Instant::now());
        context.queue.submit([encoder.finish()]);
        let given = done.clone();
        context.queue.on_submitted_work_done(move || given.give(true));
        native::run(Some(context), done);
        start.elapsed().as_secs_f64()
    }

    fn seconds(&self, pipeline: &wgpu::ComputePipeline, groups: u32, times: u32) -> f64 {
        self.dispatches(pipeline, groups, times, false)
    }

    /// Seconds of one run, the best of a few attempts.
    fn best(&self, pipeline: &wgpu::ComputePipeline, groups: u32) -> f64 {
        // The first time is compiled, and the buffer is filled.
        self.seconds(pipeline, groups, 1);
        let empty = (0..ATTEMPTS).map(|_| self.seconds(pipeline, groups, 0)).fold(f64::INFINITY, f64::min);
        let once = |times: u32| ((self.seconds(pipeline, groups, times) - empty) / f64::from(times)).max(1e-9);
        let mut times = 1;
        let mut best = once(times);
        while best * f64::from(times) < LONG && times < 64 {
            times *= 2;
            best = once(times);
        }
        (1..ATTEMPTS).fold(best, |best, _| best.min(once(times)))
    }
}
