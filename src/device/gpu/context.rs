//! The adapter and its device: what they can do, and what has gone wrong.

use super::choices::Choices;
use super::profile::Meter;
use crate::error::{Code, Error, Result};
use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

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
    /// Lanes that share a row of a matrix, a power of two from 4 to 128, in place of what suits the device: they add up
    /// through workgroup memory where its subgroups are of another size.
    pub lanes: Option<u32>,
    /// Fewer workgroups in each dimension of a grid than the device takes, for tests of what is longer.
    pub most_groups: Option<u32>,
    /// As poor with halves as WGSL allows, for tests: see `shaders/halves/poor.wgsl`.
    pub poor_halves: bool,
    /// Ways of kernels, in place of the default ones.
    pub choices: Choices,
    /// Milliseconds since some moment: see `pace.rs`. Without one, the device's pace is not measured.
    pub clock: Option<fn() -> f64>,
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
    /// [`Wishes::lanes`]
    pub lanes: Option<u32>,
    /// [`Wishes::poor_halves`]
    pub poor_halves: bool,
    /// [`Wishes::choices`]
    pub choices: Choices,
}

/// Errors of a device whose words are kept.
const MOST_REMEMBERED: usize = 8;

/// What has been heard of the device outside of any call.
#[derive(Default)]
struct News {
    lost: Option<String>,
    /// How much else went wrong that should not have, and the last few of it.
    errors: u64,
    last: VecDeque<Error>,
    /// Nobody asks any more.
    closed: bool,
}

impl News {
    fn hear(&mut self, error: &wgpu::Error) {
        self.errors += 1;
        let out_of_memory = matches!(error, wgpu::Error::OutOfMemory { .. });
        let code = if out_of_memory { Code::OutOfMemory } else { Code::Internal };
        self.last.push_back(Error::new(code, format!("WebGPU: {error}")));
        if self.last.len() > MOST_REMEMBERED {
            self.last.pop_front();
        }
    }
}

/// An open device. Models share it.
pub struct Context {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub limits: wgpu::Limits,
    pub features: Features,
    pub description: String,
    pub meter: Meter,
    pub profile: bool,
    /// [`Wishes::clock`]
    pub clock: fn() -> f64,
    news: Arc<Mutex<News>>,
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
        if let Some(lanes) = wishes.lanes.filter(|lanes| !(lanes.is_power_of_two() && (4..=128).contains(lanes))) {
            return Err(Error::invalid(format!("gpu: {{ lanes: {lanes} }}, expected a power of two from 4 to 128")));
        }
        let wants = |name: &str| !wishes.basic_limits && wishes.without.iter().all(|other| other != name);
        let (mut required, has) = (wgpu::Features::empty(), adapter.features());
        let features = Features {
            subgroups: subgroups.filter(|_| wants("subgroups")).map(|sizes| match wants("subgroup-size") {
                true => sizes,
                false => [4, 128],
            }),
            integer_dot: wishes.integer_dot,
            lanes: wishes.lanes,
            poor_halves: wishes.poor_halves,
            choices: wishes.choices,
            halves: has.contains(wgpu::Features::SHADER_F16) && wants("shader-f16"),
            timestamps: wishes.profile && has.contains(wgpu::Features::TIMESTAMP_QUERY) && wants("timestamp-query"),
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
        let mut limits = if wishes.basic_limits { wgpu::Limits::default() } else { adapter.limits() };
        if let Some(most) = wishes.most_groups {
            limits.max_compute_workgroups_per_dimension = most;
        }
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
        let news = listen(&device, on_lost);
        let (meter, profile, clock) = (Meter::new(&queue), wishes.profile, wishes.clock.unwrap_or(|| 0.0));
        let allocated = Rc::default();
        Ok(Rc::new(Self { device, queue, limits, features, description, meter, profile, clock, news, allocated }))
    }

    /// The largest buffer that a kernel can see at once.
    pub fn most_bytes(&self) -> u64 {
        self.limits.max_buffer_size.min(self.limits.max_storage_buffer_binding_size)
    }

    /// Bytes of all buffers alive.
    pub fn allocated(&self) -> u64 {
        self.allocated.get()
    }

    /// One more buffer is alive.
    pub fn count(&self, bytes: u64) {
        self.allocated.set(self.allocated.get() + bytes);
    }

    /// Gives a buffer's memory back.
    pub fn free(&self, buffer: &wgpu::Buffer) {
        self.allocated.set(self.allocated.get() - buffer.size());
        buffer.destroy();
    }

    /// Error: device-lost, once it is.
    pub fn lost(&self) -> Result<()> {
        let news = self.news.lock().expect("nothing panics under it");
        news.lost.as_ref().map_or(Ok(()), |lost| Err(Error::new(Code::DeviceLost, lost.clone())))
    }

    /// Something has gone wrong that should not have.
    pub fn hear(&self, error: &wgpu::Error) {
        self.news.lock().expect("nothing panics under it").hear(error);
    }

    /// How much has gone wrong that should not have. The device should not be trusted any longer.
    pub fn errors(&self) -> u64 {
        self.news.lock().expect("nothing panics under it").errors
    }

    /// What went wrong first after so many errors, as far as it is remembered: what follows is often its consequence.
    pub fn error_after(&self, told: u64) -> Error {
        let news = self.news.lock().expect("nothing panics under it");
        let forgotten = news.errors - news.last.len() as u64;
        let error = news.last.get(told.saturating_sub(forgotten) as usize);
        error.cloned().unwrap_or_else(|| Error::new(Code::Internal, "WebGPU: an error without words"))
    }

    /// Compiles `source`, whose entry point is `main`. A refusal is heard of later.
    pub fn pipeline(&self, label: &str, source: String, layout: &wgpu::PipelineLayout) -> wgpu::ComputePipeline {
        #[cfg(not(target_arch = "wasm32"))]
        let source = super::edit::edited(source);
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
        self.lost()?;
        refused.map_or(Ok(made), |error| Err(Error::new(Code::Internal, format!("shader {label}: {error}"))))
    }
}

/// What a device tells outside of any call. `on_lost` is told, too, unless nobody asks any more.
fn listen(device: &wgpu::Device, on_lost: impl Fn(&str) + Send + 'static) -> Arc<Mutex<News>> {
    let news = Arc::<Mutex<News>>::default();
    let heard = news.clone();
    device.set_device_lost_callback(move |reason, message| {
        let message = format!("the GPU device was lost ({reason:?}): {message}");
        if !heard.lock().expect("nothing panics under it").closed {
            on_lost(&message);
        }
        heard.lock().expect("nothing panics under it").lost.get_or_insert(message);
    });
    let heard = news.clone();
    device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
        heard.lock().expect("nothing panics under it").hear(&error);
    }));
    news
}

impl Drop for Context {
    fn drop(&mut self) {
        // In a browser nothing else gives its memory back before a garbage collection.
        self.news.lock().expect("nothing panics under it").closed = true;
        self.device.destroy();
    }
}
