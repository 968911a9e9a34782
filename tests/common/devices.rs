//! The devices that native tests run on.
#![allow(dead_code)] // Each test file takes what it needs.

use azulejo::device::cpu::{Cpu, pool::Pool};
use azulejo::device::gpu::{Gpu, Kernels, Wishes, native};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

pub fn cpu(threads: usize) -> Cpu {
    Cpu::new(Pool::native(threads))
}

/// The variants in which every kernel has to be right: as the adapter allows, without subgroups and in grids so short that
/// they are folded, and on what WebGPU promises everywhere. A driver for processors will do: see scripts/cargo-test.mjs.
pub fn gpus() -> [(&'static str, Rc<Kernels>); 3] {
    [
        ("all features", Wishes::default()),
        (
            "without subgroups, in short grids",
            Wishes { without: vec!["subgroups".into()], most_groups: Some(150), ..Wishes::default() },
        ),
        ("basic limits", Wishes { basic_limits: true, ..Wishes::default() }),
    ]
    .map(|(name, wishes)| (name, shared(&wishes)))
}

/// With subgroups whose size is not known: the kernels that sum over lanes have a third variant for that.
pub fn any_subgroups() -> Rc<Kernels> {
    shared(&Wishes { without: vec!["subgroup-size".into()], ..Wishes::default() })
}

/// With all features.
pub fn first() -> Rc<Kernels> {
    shared(&Wishes::default())
}

/// On what WebGPU promises everywhere.
pub fn basic() -> Rc<Kernels> {
    shared(&Wishes { basic_limits: true, ..Wishes::default() })
}

/// A piece of the kernels' texts that is another: see native/teeth.
type Edit = Option<(String, String)>;

/// A device with its kernels, which test after test has to itself: compiling them takes longer than most tests do.
struct Shared {
    wishes: String,
    features: Vec<&'static str>,
    kernels: Rc<Kernels>,
    /// What its kernels were compiled with.
    edit: Edit,
    /// Whose thread has it: that one's [`ENDED`].
    owner: Arc<AtomicBool>,
}

// SAFETY: whatever counts references to the kernels or their context is changed by the owner's thread alone. Another looks
// at them after that thread has said, by a flag set with Release and read with Acquire, that it does nothing more.
unsafe impl Send for Shared {}

static SHARED: Mutex<Vec<Shared>> = Mutex::new(Vec::new());

struct Ended(Arc<AtomicBool>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

thread_local! {
    /// Set when this thread ends, as it does with its test.
    static ENDED: Ended = Ended(Arc::default());
}

impl Shared {
    fn is_held(&self) -> bool {
        (Rc::strong_count(&self.kernels), Rc::strong_count(&self.kernels.context)) != (1, 1)
    }

    /// Whether it is as good as new: nobody holds anything of it, and nothing has happened to it.
    fn is_free(&self) -> bool {
        let context = &self.kernels.context;
        !self.is_held()
            && context.allocated() == 0
            && self.kernels.features() == self.features
            && context.errors() == 0
            && context.lost().is_ok()
    }

    /// Forgets the kernels that have what was changed, or what changes now.
    fn compile_anew(&mut self, edit: Edit) {
        if self.edit != edit {
            let pieces = [self.edit.take(), edit.clone()];
            pieces.into_iter().flatten().for_each(|(right, _)| self.kernels.forget(&right));
            self.edit = edit;
        }
    }
}

/// A device that another test has left behind, or a new one.
pub fn shared(wishes: &Wishes) -> Rc<Kernels> {
    let me = ENDED.with(|ended| ended.0.clone());
    let (wishes_text, edit) = (format!("{wishes:?}"), native::edit_in_force());
    let mut all = SHARED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let mine = |one: &Shared| Arc::ptr_eq(&one.owner, &me) || one.owner.load(Ordering::Acquire);
    // What a test has broken is nobody's any more.
    all.retain(|one| !mine(one) || one.is_held() || one.is_free());
    let found = all.iter_mut().find(|one| one.wishes == wishes_text && mine(one) && one.is_free());
    if let Some(one) = found {
        one.owner = me;
        one.compile_anew(edit);
        return one.kernels.clone();
    }
    drop(all);
    let kernels = open(wishes);
    let one = Shared { wishes: wishes_text, features: kernels.features(), kernels: kernels.clone(), edit, owner: me };
    SHARED.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).push(one);
    kernels
}

/// A device of the test's own.
pub fn open(wishes: &Wishes) -> Rc<Kernels> {
    native::open(wishes).expect("a Vulkan driver: VK_ICD_FILENAMES may name one")
}

pub fn gpu(kernels: &Rc<Kernels>) -> Gpu {
    Gpu::new(kernels.clone()).unwrap()
}
