//! The browser's GPU.
//!
//! wgpu does not know some of what browsers have: it never asks for `subgroups` (gfx-rs/wgpu issue 10146), and its
//! description of an adapter is empty. WGSL reaches the browser as it is written, so a device that was asked for the
//! feature compiles it. So we fetch the adapter ourselves, put what is missing into its `requestDevice`, and hand that
//! adapter to wgpu.

use super::now;
use super::task::{self, Task, or_null};
use super::value::{from_js, to_js};
use crate::device::gpu::{Choices, Context, Counters, Kernels, Runs, Signal, Tuning, Wishes};
use crate::error::{Code, Error, Result};
use js_sys::{Array, Function, Object, Promise, Reflect};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::{Closure, JsValue, wasm_bindgen};
use wasm_bindgen::{JsCast, closure::IntoWasmClosure};
use wasm_bindgen_futures::JsFuture;

thread_local! {
    /// This instance's GPU, once it is open.
    static GPU: RefCell<Option<Rc<Kernels>>> = const { RefCell::new(None) };
}

/// The open GPU.
pub fn gpu() -> Result<Rc<Kernels>> {
    GPU.with_borrow(Clone::clone).ok_or_else(|| Error::new(Code::Internal, "no GPU has been opened"))
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct GpuOptions {
    power_preference: Option<String>,
    without: Option<Vec<String>>,
    basic_limits: Option<bool>,
    integer_dot: Option<bool>,
    profile: Option<bool>,
    lanes: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info<'a> {
    description: &'a str,
    features: Vec<&'static str>,
    limits: ReportedLimits,
    /// An empty queue takes a long time to say that it is: see js/host/instance.ts.
    is_late: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReportedLimits {
    max_buffer_size: f64,
    max_storage_buffer_binding_size: f64,
}

/// What the open GPU has done so far; null where times of it are still to come.
#[wasm_bindgen(js_name = gpuDiagnostics)]
pub fn gpu_diagnostics() -> Result<JsValue> {
    let context = gpu()?.context.clone();
    or_null(Task::default().run(|| async move {
        context.meter.complete().await;
        let kernels = Object::new();
        for (label, Runs { count, ms, work, .. }) in context.meter.kernels() {
            let fields = [("count", count as f64), ("ms", ms), ("bytes", work.bytes), ("operations", work.operations)];
            set(&kernels, &label, &numbers(&fields)?)?;
        }
        let Counters { steps, dispatches, passes, submits, read_bytes } = context.meter.counters();
        let counts = [
            ("steps", steps),
            ("dispatches", dispatches),
            ("passes", passes),
            ("submits", submits),
            ("readBytes", read_bytes),
            ("allocatedBytes", context.allocated()),
        ];
        let all = numbers(&counts.map(|(name, count)| (name, count as f64)))?;
        set(&all, "kernels", &kernels)?;
        Ok(all)
    }))
}

/// An object of numbers: in fewer bytes than serde's way.
fn numbers(fields: &[(&str, f64)]) -> Result<JsValue> {
    let object = Object::new();
    fields.iter().try_for_each(|(name, value)| set(&object, name, &JsValue::from_f64(*value)))?;
    Ok(object.into())
}

/// Whether something has gone wrong on the GPU that should not have: it is to be opened anew.
#[wasm_bindgen(js_name = gpuIsBroken)]
pub fn gpu_is_broken() -> bool {
    GPU.with_borrow(|gpu| gpu.as_ref().is_some_and(|gpu| gpu.context.errors() > 0))
}

/// Leaves the GPU to the models that are on it; without any, its device is destroyed.
#[wasm_bindgen(js_name = closeGpu)]
pub fn close_gpu() {
    GPU.set(None);
}

/// Resolves at the next event of the GPU.
#[wasm_bindgen(js_name = gpuTurn)]
pub fn gpu_turn() -> Promise {
    task::turn()
}

/// Opens the adapter and its device, in place of an earlier one.
#[wasm_bindgen(js_name = openGpu)]
pub async fn open_gpu(options: JsValue, on_lost: Function) -> Result<JsValue> {
    let options: GpuOptions = from_js(options, "GPU options")?;
    let gpu = get(&get(&js_sys::global(), "navigator"), "gpu");
    let wishes = Wishes {
        low_power: options.power_preference.as_deref() == Some("low-power"),
        basic_limits: options.basic_limits.unwrap_or(false),
        without: options.without.unwrap_or_default(),
        integer_dot: options.integer_dot.unwrap_or(false) && has(&gpu, "wgslLanguageFeatures", INTEGER_DOT),
        profile: options.profile.unwrap_or(false),
        lanes: options.lanes,
        most_groups: None,
        poor_halves: false,
        choices: Choices::default(),
        clock: Some(now),
    };
    GPU.set(None);
    if !gpu.is_object() {
        return Err(Error::new(Code::NoWebgpu, "no navigator.gpu"));
    }
    let browser = request_adapter(&gpu, options.power_preference.as_deref()).await?;
    let subgroups = has(&browser, "features", "subgroups").then(|| subgroup_sizes(&browser));
    if subgroups.is_some() && !wishes.basic_limits && !wishes.without.iter().any(|name| name == "subgroups") {
        add_subgroups(&browser)?;
    }
    let adapter = hand_over(&gpu, &browser).await?;
    let lost = on_lost_in_page(on_lost);
    let context = Context::open(&adapter, &wishes, describe(&browser), subgroups, lost).await?;
    let kernels = Kernels::new(context.clone());
    kernels.probe().await?;
    let info = Info {
        description: &context.description,
        features: kernels.features(),
        limits: ReportedLimits {
            max_buffer_size: context.limits.max_buffer_size as f64,
            max_storage_buffer_binding_size: context.limits.max_storage_buffer_binding_size as f64,
        },
        is_late: is_late(&context).await,
    };
    let info = to_js(&info);
    GPU.set(Some(kernels));
    Ok(info)
}

/// Measures the ways of the main kernels on the open GPU, which has no model yet, and chooses the best: see
/// `device/gpu/tune.rs`. Resolves with what [`choose_kernels`] takes.
#[wasm_bindgen(js_name = tuneGpu)]
pub async fn tune_gpu() -> Result<JsValue> {
    Ok(to_js(&gpu()?.tune().await?))
}

/// Chooses what an earlier measurement came to. Error: invalid-argument where it is none.
#[wasm_bindgen(js_name = chooseKernels)]
pub fn choose_kernels(tuning: JsValue) -> Result<()> {
    let tuning: Tuning = from_js(tuning, "a measurement of kernels")?;
    gpu()?.choose(tuning.choices);
    Ok(())
}

/// Gives the GPU nothing to do, whereupon it tells what it has done.
#[wasm_bindgen(js_name = gpuNudge)]
pub fn gpu_nudge() -> Result<()> {
    gpu()?.context.queue.submit([]);
    Ok(())
}

/// Milliseconds that a queue with nothing to do may take to say so.
const LATE_MS: f64 = 50.0;

/// Whether it takes longer each time: once the page may have been busy. Where a queue tells at ticks, the first wait ends at
/// one, however soon.
async fn is_late(context: &Context) -> bool {
    for wait in 0..4 {
        let (done, start) = (Signal::default(), now());
        let given = done.clone();
        context.queue.on_submitted_work_done(move || given.give(true));
        done.await;
        if wait > 0 && now() - start < LATE_MS {
            return false;
        }
    }
    true
}

/// Tells JavaScript of the loss, and wakes whoever waits.
fn on_lost_in_page(on_lost: Function) -> impl Fn(&str) + Send + 'static {
    struct OneThread(Function);
    // SAFETY: this build has no threads; wgpu asks for `Send` on every platform.
    unsafe impl Send for OneThread {}
    let on_lost = OneThread(on_lost);
    move |message| {
        let on_lost = &on_lost;
        // The package's own function: it does not throw.
        let _ = on_lost.0.call1(&JsValue::UNDEFINED, &message.into());
        task::event();
    }
}

fn get(object: &JsValue, name: &str) -> JsValue {
    Reflect::get(object, &name.into()).unwrap_or(JsValue::UNDEFINED)
}

fn method(object: &JsValue, name: &str) -> Result<Function> {
    get(object, name).dyn_into().map_err(|_| Error::new(Code::NoWebgpu, format!("this browser's WebGPU has no {name}")))
}

fn refused(thrown: JsValue) -> Error {
    let message = get(&thrown, "message").as_string().unwrap_or_default();
    Error::new(Code::NoWebgpu, format!("requestAdapter: {message}"))
}

async fn request_adapter(gpu: &JsValue, power_preference: Option<&str>) -> Result<JsValue> {
    let options = Object::new();
    if let Some(preference) = power_preference {
        set(&options, "powerPreference", &preference.into())?;
    }
    let promise = method(gpu, "requestAdapter")?.call1(gpu, &options).map_err(refused)?;
    let adapter = JsFuture::from(promise.unchecked_into::<Promise>()).await.map_err(refused)?;
    match adapter.is_object() {
        true => Ok(adapter),
        false => Err(Error::new(Code::NoWebgpu, "no adapter")),
    }
}

fn set(object: &JsValue, name: &str, value: &JsValue) -> Result<()> {
    let done = Reflect::set(object, &name.into(), value);
    done.map(|_| ()).map_err(|_| Error::new(Code::Internal, format!("{name} cannot be set")))
}

/// A feature of WGSL itself.
const INTEGER_DOT: &str = "packed_4x8_integer_dot_product";

/// Whether one of an object's sets has `name`.
fn has(object: &JsValue, set: &str, name: &str) -> bool {
    let set = get(object, set);
    let has = method(&set, "has").and_then(|has| has.call1(&set, &name.into()).map_err(refused));
    has.is_ok_and(|has| has.is_truthy())
}

/// The sizes of the smallest and the largest subgroup; in browsers that do not say, any that WebGPU allows.
fn subgroup_sizes(adapter: &JsValue) -> [u32; 2] {
    let info = get(adapter, "info");
    [("subgroupMinSize", 4), ("subgroupMaxSize", 128)]
        .map(|(name, otherwise)| get(&info, name).as_f64().map_or(otherwise, |size| size as u32))
}

/// "vendor / architecture", or what else the browser tells of the adapter.
fn describe(adapter: &JsValue) -> String {
    let info = get(adapter, "info");
    let said = |name| get(&info, name).as_string().filter(|text| !text.is_empty());
    let parts: Vec<String> = ["vendor", "architecture"].into_iter().filter_map(said).collect();
    match parts.is_empty() {
        true => said("description").unwrap_or_else(|| "WebGPU".to_owned()),
        false => parts.join(" / "),
    }
}

/// A function of JavaScript's that lives as long as the garbage collector likes.
fn function<F: IntoWasmClosure<dyn Fn(JsValue) -> JsValue> + 'static>(body: F) -> JsValue {
    Closure::<dyn Fn(JsValue) -> JsValue>::new(body).into_js_value()
}

/// The adapter's devices will have subgroups, though wgpu does not ask for them.
fn add_subgroups(adapter: &JsValue) -> Result<()> {
    let (request, this) = (method(adapter, "requestDevice")?, adapter.clone());
    let body = move |descriptor: JsValue| {
        let features = get(&descriptor, "requiredFeatures");
        let features = if features.is_object() { Array::from(&features) } else { Array::new() };
        features.push(&"subgroups".into());
        let _ = set(&descriptor, "requiredFeatures", &features);
        request.call1(&this, &descriptor).unwrap_or_else(|thrown| Promise::reject(&thrown).into())
    };
    set(adapter, "requestDevice", &function(body))
}

/// wgpu's own view of that adapter.
async fn hand_over(gpu: &JsValue, browser: &JsValue) -> Result<wgpu::Adapter> {
    let given = browser.clone();
    set(gpu, "requestAdapter", &function(move |_| Promise::resolve(&given).into()))?;
    let instance = instance()?;
    let adapter = instance.request_adapter(&wgpu::RequestAdapterOptions::default()).await;
    // What is the object's own hides the browser's method no longer.
    let _ = Reflect::delete_property(gpu.unchecked_ref::<Object>(), &"requestAdapter".into());
    adapter.map_err(|error| Error::new(Code::NoWebgpu, error.to_string()))
}

/// wgpu panics where the global scope is neither a window's nor a worker's. Node's is neither, but what is asked of it
/// is only `navigator.gpu`.
fn instance() -> Result<wgpu::Instance> {
    let descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    let descriptor = wgpu::InstanceDescriptor { backends: wgpu::Backends::BROWSER_WEBGPU, ..descriptor };
    let (global, worker) = (js_sys::global(), "WorkerGlobalScope");
    if ["Window", worker].iter().any(|name| !get(&global, name).is_undefined()) {
        return Ok(wgpu::Instance::new(descriptor));
    }
    set(&global, worker, &JsValue::TRUE)?;
    let instance = wgpu::Instance::new(descriptor);
    let _ = Reflect::delete_property(&global, &worker.into());
    Ok(instance)
}
