//! A GPU without a browser: Vulkan, for tests and tools.

use super::context::{Context, Wishes};
pub use super::edit::{edit, edit_in_force};
use super::pipelines::Kernels;
use crate::error::{Code, Error, Result};
use std::rc::Rc;
use std::sync::LazyLock;
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::{Duration, Instant};

/// How long to wait for the queue before asking again: a token is there when its own step is done, and the steps behind
/// it may go on meanwhile.
const PATIENCE: Duration = Duration::from_micros(50);

/// Opens the first Vulkan adapter. Error: no-webgpu.
pub fn open(wishes: &Wishes) -> Result<Rc<Kernels>> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: wgpu::Backends::VULKAN,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let adapter = run(None, instance.request_adapter(&wgpu::RequestAdapterOptions::default()))
        .map_err(|error| Error::new(Code::NoWebgpu, format!("no Vulkan adapter: {error}")))?;
    let info = adapter.get_info();
    let sizes = [info.subgroup_min_size, info.subgroup_max_size];
    let subgroups = adapter.features().contains(wgpu::Features::SUBGROUP).then_some(sizes);
    let wishes = &Wishes { clock: Some(wishes.clock.unwrap_or(now)), ..wishes.clone() };
    let context = run(None, Context::open(&adapter, wishes, info.name, subgroups, |_| ()))?;
    let kernels = Kernels::new(context.clone());
    run(Some(&context), kernels.probe())?;
    Ok(kernels)
}

fn now() -> f64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_secs_f64() * 1e3
}

/// Runs a future to its end: here nobody else asks the GPU for news.
pub fn run<T>(context: Option<&Context>, future: impl Future<Output = T>) -> T {
    run_waiting(context, future, || wgpu::PollType::Wait { submission_index: None, timeout: Some(PATIENCE) })
}

/// The same where all that was submitted is waited for at a time: news comes late and all at once, as in some browsers.
pub fn run_late<T>(context: &Context, future: impl Future<Output = T>) -> T {
    run_waiting(Some(context), future, wgpu::PollType::wait_indefinitely)
}

fn run_waiting<T>(context: Option<&Context>, future: impl Future<Output = T>, wait: fn() -> wgpu::PollType) -> T {
    let mut future = std::pin::pin!(future);
    let mut task = TaskContext::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut task) {
            return value;
        }
        if let Some(context) = context {
            // A lost device is told of through its callbacks.
            let _ = context.device.poll(wait());
        }
    }
}
