//! Sequences that are saved, restored, copied and cut, by the models whose layers keep the most different things.

use azulejo::Code;
use azulejo::device::gpu::native::run;
use azulejo::device::{CacheType, Device, Progress};
use azulejo::model::{Checksum, Model, SavedSession, Session};

use crate::case::{Case, assembled, assert_close, families, folder, plan, pushed, weights};
use crate::devices::{cpu, first, gpu};

const MODEL: u64 = 7;
/// More than a page, and than every window.
const TOKENS: usize = 150;

async fn loaded<D: Device>(family: &str, device: D, cache: CacheType) -> Model<D> {
    let progress = Progress::default();
    Model::new(assembled(family, device), None, cache, &progress).await.unwrap()
}

/// A text of the model's, as long as its context lets it be, and what follows.
fn text<D: Device>(model: &Model<D>, family: &str) -> (Vec<u32>, Vec<u32>) {
    let ids = Case::read(family).ids("prompt");
    let len = TOKENS.min(model.context - 8);
    let all: Vec<u32> = ids.iter().cycle().take(len + 6).enumerate().map(|(at, id)| (id + at as u32) % 64).collect();
    (all[..len].to_vec(), all[len..].to_vec())
}

/// The logits behind the last of some tokens.
async fn after<D: Device>(model: &mut Model<D>, session: &mut Session, tokens: &[u32]) -> Vec<f32> {
    let mut last = 0;
    for tokens in tokens.chunks(model.chunk()) {
        model.extend(session, tokens).await.unwrap();
        last = tokens.len() - 1;
    }
    let mut logits = model.logits_buffer().unwrap();
    model.logits_of(&[last], &mut logits).await.unwrap();
    logits
}

fn bytes(saved: &SavedSession) -> Vec<u8> {
    saved.parts().concat()
}

#[test]
fn a_restored_sequence_goes_on_as_if_nothing_had_been() {
    let kernels = first();
    for family in families("causal") {
        for cache in [CacheType::F32, CacheType::F16, CacheType::Q8] {
            let mut model = run(None, loaded(&family, cpu(1), cache));
            let (text, next) = text(&model, &family);
            let mut session = model.session();
            run(None, after(&mut model, &mut session, &text));
            let saved = bytes(&run(None, model.save(&session, MODEL)).unwrap());
            let expected = run(None, after(&mut model, &mut session, &next));
            // Beside the other, and in a model of its own; what stands behind the end is passed over.
            let mut beside = run(None, model.restore(&[&saved[..], b"  "].concat(), MODEL)).unwrap();
            assert_eq!(run(None, after(&mut model, &mut beside, &next)), expected, "{family}, {cache:?}");
            let mut other = run(None, loaded(&family, cpu(1), cache));
            let mut restored = run(None, other.restore(&saved, MODEL)).unwrap();
            assert_eq!(restored.len(), text.len());
            assert_eq!(bytes(&run(None, other.save(&restored, MODEL)).unwrap()), saved, "{family}, {cache:?}");
            assert_eq!(run(None, after(&mut other, &mut restored, &next)), expected, "{family}, {cache:?}");
            if cache == CacheType::F32 {
                let context = Some(&*kernels.context);
                let mut other = run(context, loaded(&family, gpu(&kernels), cache));
                let mut restored = run(context, other.restore(&saved, MODEL)).unwrap();
                assert_eq!(bytes(&run(context, other.save(&restored, MODEL)).unwrap()), saved, "{family} on the GPU");
                assert_close(&run(context, after(&mut other, &mut restored, &next)), &expected, &family);
            }
        }
    }
}

#[test]
fn copies_go_their_own_ways_and_what_is_cut_is_forgotten() {
    for family in ["llama", "gemma3", "lfm2"] {
        let mut model = run(None, loaded(family, cpu(1), CacheType::F16));
        let (text, next) = text(&model, family);
        let [mut first, mut alone] = [(); 2].map(|()| model.session());
        run(None, after(&mut model, &mut first, &text));
        let mut second = first.copy();
        let [a, b] = [&next[..3], &next[3..]];
        run(None, after(&mut model, &mut alone, &text));
        let expected = run(None, after(&mut model, &mut alone, a));
        run(None, after(&mut model, &mut second, b));
        assert_eq!(run(None, after(&mut model, &mut first, a)), expected, "{family}");
        // A little can always be taken back; where a window has let go what stands before, all is forgotten.
        assert_eq!(first.truncate(1000), text.len() + 3);
        assert_eq!(first.truncate(text.len()), text.len(), "{family}");
        assert_eq!(run(None, after(&mut model, &mut first, a)), expected, "{family}");
        let far = first.truncate(3);
        assert_eq!(far, if family == "llama" { 3 } else { 0 }, "{family}");
        run(None, after(&mut model, &mut first, &text[far..]));
        assert_eq!(run(None, after(&mut model, &mut first, a)), expected, "{family}");
        assert_eq!(second.len(), text.len() + 3);
    }
}

/// With its own checksum, so that what it says is looked at.
fn signed(mut saved: Vec<u8>, change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let end = saved.len() - 8;
    change(&mut saved[..end]);
    let checksum = Checksum::of(&saved[..end]).to_le_bytes();
    saved[end..].copy_from_slice(&checksum);
    saved
}

#[test]
fn what_is_no_session_of_this_model_is_refused_by_name() {
    let mut model = run(None, loaded("gemma3", cpu(1), CacheType::F16));
    let mut session = model.session();
    let (text, next) = text(&model, "gemma3");
    run(None, after(&mut model, &mut session, &text));
    let saved = bytes(&run(None, model.save(&session, MODEL)).unwrap());
    let mut refused = |bytes: &[u8], id: u64, code: Code, why: &str| {
        let error = run(None, model.restore(bytes, id)).err().unwrap_or_else(|| panic!("{why}"));
        assert_eq!((error.code, error.message.contains(why)), (code, true), "{error}");
    };
    refused(&saved, MODEL + 1, Code::InvalidArgument, "another model");
    refused(b"GGUF", MODEL, Code::CorruptFile, "no saved session");
    refused(&[], MODEL, Code::CorruptFile, "no saved session");
    for len in (8..80).chain([saved.len() - 9, saved.len() - 1]) {
        refused(&saved[..len], MODEL, Code::CorruptFile, "it ends too early");
    }
    for at in (16..saved.len()).step_by(97).filter(|at| !(16..44).contains(at)) {
        let mut broken = saved.clone();
        broken[at] ^= 0x10;
        refused(&broken, MODEL, Code::CorruptFile, "checksum");
    }
    let word = |at: usize, word: u32| move |bytes: &mut [u8]| bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
    let first = 8 + 5 * 4 + 2 * 8;
    refused(&signed(saved.clone(), word(8, 2)), MODEL, Code::UnsupportedModel, "version 2");
    refused(&signed(saved.clone(), word(12, 2)), MODEL, Code::InvalidArgument, "kvCacheType");
    for (at, value) in [(16, u32::MAX), (24, u32::MAX), (36, u32::MAX), (40, u32::MAX)] {
        refused(&signed(saved.clone(), word(at, value)), MODEL, Code::CorruptFile, "ends too early");
    }
    // A group less; a token less; pages that are not there; tokens that are none.
    refused(&signed(saved.clone(), word(24, 1)), MODEL, Code::CorruptFile, "");
    for page in [3, 50_000_000, u32::MAX] {
        refused(&signed(saved.clone(), word(first, page)), MODEL, Code::CorruptFile, "pages behind its end");
    }
    refused(&signed(saved.clone(), word(first, 2)), MODEL, Code::CorruptFile, "bytes, expected");
    refused(&signed(saved.clone(), word(first + 4, 2)), MODEL, Code::CorruptFile, "pages are missing");
    refused(&signed(saved.clone(), word(first + 8, 1 << 30)), MODEL, Code::InvalidArgument, "outside the vocabulary");
    // A sequence of nothing is one, too; and the model goes on.
    let empty = bytes(&run(None, model.save(&Session::default(), MODEL)).unwrap());
    assert!(run(None, model.restore(&empty, MODEL)).unwrap().is_empty());
    run(None, after(&mut model, &mut session, &next));
}

#[test]
fn weights_have_a_checksum_however_they_come() {
    let sum = |bytes: &[u8]| pushed(bytes, plan("llama"), cpu(1)).unwrap().finish().unwrap().2.checksum;
    let file = weights(&folder("llama"));
    let whole = sum(&file);
    assert_eq!(sum(&file), whole);
    let mut other = file.clone();
    *other.last_mut().unwrap() ^= 1;
    assert_ne!(sum(&other), whole);
    let mut quantised = azulejo::model::WeightLoader::new(cpu(1));
    quantised.quantize = Some(azulejo::checkpoint::TensorType::Q8_0);
    quantised.set_plan(plan("llama"));
    let mut reader = azulejo::checkpoint::FileReader::new(azulejo::checkpoint::Format::Safetensors, "", None);
    file.chunks(70_001).try_for_each(|piece| reader.push(piece, &mut quantised)).unwrap();
    reader.finish().unwrap();
    assert_ne!(quantised.finish().unwrap().2.checksum, whole);
}
