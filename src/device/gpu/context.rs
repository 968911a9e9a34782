//! The adapter and its device: what they can do, and what has gone wrong.

use super::profile::Meter;
use crate::error::{Code, Error, Result};
use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll, Waker};

/// What a caller may ask of a GPU.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    pub low_power: bool,
    /// Only WebGPU's default limits, and no optional feature: what every adapter has.
    pub basic_limits: bool,
    /// Features to do without: "subgroups", "shader-f16", "timestamp-query". Without "subgroup-size", subgroups are taken
    /// to be of any size.
    pub without: Vec<String>,
    /// Multiplies quantised weights by inputs in bytes, where the device can.
    pub integer_dot: bool,
    /// The time and the work of each kernel: see `profile.rs`.
    pub profile: bool,
}

/// Optional features of a device.
#[derive(Clone, Copy, Debug, Default)]
pub struct Features {
    /// The sizes of the smallest and the largest subgroup there may be.
    pub subgroups: Option<[u32; 2]>,
    /// `shader-f16`
    pub halves: bool,
    pub timestamps: bool,
    /// `packed_4x8_integer_dot_product`, where it was asked for.
    pub integer_dot: bool,
}

/// What has been heard of the device outside of any call.
#[derive(Default)]
struct News {
    lost: Option<String>,
    /// A mistake of ours that validation found.
    error: Option<String>,
}

type PopScope = Pin<Box<dyn Future<Output = Option<wgpu::Error>>>>;

/// An open device. Models share it.
pub struct Context {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub limits: wgpu::Limits,
    pub features: Features,
    pub description: String,
    pub meter: Meter,
    pub profile: bool,
    news: Arc<Mutex<News>>,
    /// Allocations whose success is not known yet, and what they were for; between them, what has been written meanwhile.
    scopes: RefCell<Vec<(PopScope, Option<String>)>>,
    /// Bytes of all buffers alive.
    allocated: Rc<Cell<u64>>,
}

impl Context {
    /// Opens the adapter's device. `description` names the adapter where wgpu does not know, as on the web;
    /// `subgroups` says there how small and how large they may be.
    ///
    /// Error: no-webgpu.
    pub async fn open(
        adapter: &wgpu::Adapter,
        wishes: &Wishes,
        description: String,
        subgroups: Option<[u32; 2]>,
        on_lost: impl Fn(&str) + Send + 'static,
    ) -> Result<Rc<Self>> {
        let wants = |name: &str| !wishes.basic_limits && wishes.without.iter().all(|other| other != name);
        let (mut required, has) = (wgpu::Features::empty(), adapter.features());
        let features = Features {
            subgroups: subgroups.filter(|_| wants("subgroups")).map(|sizes| match wants("subgroup-size") {
                true => sizes,
                false => [4, 128],
            }),
            integer_dot: wishes.integer_dot,
            halves: has.contains(wgpu::Features::SHADER_F16) && wants("shader-f16"),
            timestamps: has.contains(wgpu::Features::TIMESTAMP_QUERY) && wants("timestamp-query"),
        };
        if features.subgroups.is_some() {
            // Not known on the web: who opens the adapter there adds it to the request.
            required |= wgpu::Features::SUBGROUP & has;
        }
        if features.halves {
            required |= wgpu::Features::SHADER_F16;
        }
        if features.timestamps {
            required |= wgpu::Features::TIMESTAMP_QUERY;
        }
        let limits = if wishes.basic_limits { wgpu::Limits::default() } else { adapter.limits() };
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("azulejo"),
            required_features: required,
            required_limits: limits.clone(),
            ..Default::default()
        };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|error| Error::new(Code::NoWebgpu, format!("the adapter gives no device: {error}")))?;
        let news = Arc::<Mutex<News>>::default();
        let heard = news.clone();
        device.set_device_lost_callback(move |reason, message| {
            let message = format!("the GPU device was lost ({reason:?}): {message}");
            on_lost(&message);
            heard.lock().expect("nothing panics under it").lost.get_or_insert(message);
        });
        let heard = news.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            heard.lock().expect("nothing panics under it").error.get_or_insert(error.to_string());
        }));
        let (meter, profile) = (Meter::new(&queue), wishes.profile);
        let (scopes, allocated) = (RefCell::default(), Rc::default());
        Ok(Rc::new(Self { device, queue, limits, features, description, meter, profile, news, scopes, allocated }))
    }

    /// The largest buffer that a kernel can see at once.
    pub fn most_bytes(&self) -> u64 {
        self.limits.max_buffer_size.min(self.limits.max_storage_buffer_binding_size)
    }

    /// Bytes of all buffers alive.
    pub fn allocated(&self) -> u64 {
        self.allocated.get()
    }

    /// A buffer of zeros. A failure is heard of in [`Context::check`]; `what` names it then.
    pub fn buffer(self: &Rc<Self>, what: &str, bytes: u64, usage: wgpu::BufferUsages) -> Result<wgpu::Buffer> {
        self.heard()?;
        let mib = bytes as f64 / (1 << 20) as f64;
        let kernels_see_it = usage.contains(wgpu::BufferUsages::STORAGE);
        let most = if kernels_see_it { self.most_bytes() } else { self.limits.max_buffer_size };
        if bytes > most {
            let most = most >> 20;
            let message = format!("{what} of {mib:.0} MiB: this GPU's buffers have {most} MiB at most");
            return Err(Error::new(Code::OutOfMemory, message));
        }
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let descriptor = wgpu::BufferDescriptor { label: Some(what), size: bytes, usage, mapped_at_creation: false };
        let buffer = self.device.create_buffer(&descriptor);
        let held = self.allocated.get() as f64 / (1 << 20) as f64;
        let words = format!("no GPU memory for {what} ({mib:.1} MiB, besides {held:.1} MiB in use)");
        self.scopes.borrow_mut().push((Box::pin(scope.pop()), Some(words)));
        self.allocated.set(self.allocated.get() + bytes);
        Ok(buffer)
    }

    /// Gives a buffer's memory back.
    pub fn free(&self, buffer: &wgpu::Buffer) {
        self.allocated.set(self.allocated.get() - buffer.size());
        buffer.destroy();
    }

    /// An error that has been heard of.
    pub fn heard(&self) -> Result<()> {
        let news = self.news.lock().expect("nothing panics under it");
        if let Some(lost) = &news.lost {
            return Err(Error::new(Code::DeviceLost, lost.clone()));
        }
        news.error.as_ref().map_or(Ok(()), |error| Err(Error::new(Code::Internal, format!("WebGPU: {error}"))))
    }

    /// Whether all buffers made so far are there.
    ///
    /// Errors: out-of-memory, device-lost.
    pub async fn check(&self) -> Result<()> {
        let scopes = std::mem::take(&mut *self.scopes.borrow_mut());
        let (mut failure, mut mistake) = (None, None);
        for (scope, words) in scopes {
            match (scope.await, words) {
                (Some(_), Some(words)) => _ = failure.get_or_insert(words),
                (Some(error), None) => _ = mistake.get_or_insert(error.to_string()),
                (None, _) => {}
            }
        }
        let mut news = self.news.lock().expect("nothing panics under it");
        // Whoever used meanwhile what was not there has made no other mistake.
        news.error = if failure.is_some() { None } else { news.error.take().or(mistake) };
        drop(news);
        self.heard()?;
        failure.map_or(Ok(()), |words| Err(Error::new(Code::OutOfMemory, words)))
    }

    /// Writes to a buffer. As long as it is not known whether all are there, a failure waits for [`Context::check`]: in a
    /// browser nobody can say when it would be heard of otherwise.
    pub fn write(&self, buffer: &wgpu::Buffer, offset: u64, bytes: &[u8]) {
        let mut scopes = self.scopes.borrow_mut();
        let scope = (!scopes.is_empty()).then(|| self.device.push_error_scope(wgpu::ErrorFilter::Validation));
        self.queue.write_buffer(buffer, offset, bytes);
        scopes.extend(scope.map(|scope| (Box::pin(scope.pop()) as PopScope, None)));
    }

    /// Compiles `source`, whose entry point is `main`. A refusal is heard of later.
    pub fn pipeline(&self, label: &str, source: String, layout: &wgpu::PipelineLayout) -> wgpu::ComputePipeline {
        #[cfg(not(target_arch = "wasm32"))]
        let source = super::native::edited(source);
        let source = wgpu::ShaderSource::Wgsl(source.into());
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor { label: Some(label), source });
        self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(label),
            layout: Some(layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: None,
        })
    }

    /// Does `make`, and says why where the driver refuses what it makes.
    pub async fn watched<T>(&self, label: &str, make: impl FnOnce() -> T) -> Result<T> {
        let validation = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let internal = self.device.push_error_scope(wgpu::ErrorFilter::Internal);
        let made = make();
        let (internal, validation) = (internal.pop(), validation.pop());
        let refused = match internal.await {
            Some(error) => Some(error),
            None => validation.await,
        };
        self.heard()?;
        refused.map_or(Ok(made), |error| Err(Error::new(Code::Internal, format!("shader {label}: {error}"))))
    }
}

/// Something that the GPU will say once: a mapping is there, or work is done.
#[derive(Clone, Default)]
pub struct Signal(Arc<Mutex<(Option<bool>, Option<Waker>)>>);

impl Signal {
    /// `good`: as it should be.
    pub fn give(&self, good: bool) {
        let mut state = self.0.lock().expect("nothing panics under it");
        state.0 = Some(good);
        if let Some(waker) = state.1.take() {
            waker.wake();
        }
    }

    /// What was said, if it was.
    pub fn given(&self) -> Option<bool> {
        self.0.lock().expect("nothing panics under it").0
    }
}

impl Future for Signal {
    type Output = bool;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<bool> {
        let mut state = self.0.lock().expect("nothing panics under it");
        state.1 = Some(task.waker().clone());
        state.0.map_or(Poll::Pending, Poll::Ready)
    }
}
