//! LongRoPE: sequences that grow beyond the context that a model was first trained on are turned by other angles.

use azulejo::device::gpu::native::run;
use azulejo::device::{CacheType, Device, Progress};
use azulejo::model::{GenerateRequest, Model, Scoring, WeightLoader};
use azulejo::text::{GenerateOptions, Sampling};
use serde_json::json;

use crate::case::assembled;
use crate::devices::{cpu, first, gpu};
use crate::generated::finished;
use crate::gguf_llama_cpp::loaded;

/// The likeliest token after a text that is read at once.
async fn likeliest<D: Device>(model: &mut Model<D>, text: Vec<u32>) -> u32 {
    let mut scoring = Scoring::new(model, vec![text], Vec::new(), true).unwrap();
    let mut likeliest = 0;
    let take = |_: usize, _: usize, logits: &[f32]| {
        likeliest = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
    };
    assert!(!scoring.step(model, take).await.unwrap());
    likeliest as u32
}

/// From 10 tokens to 26, where the angles change after the 16th; `logprobs`: tokens are chosen here.
async fn grows<D: Device>(weight_loader: WeightLoader<D>, logprobs: bool) {
    let mut model = Model::new(weight_loader, None, CacheType::F32, &Progress::default()).await.unwrap();
    let options = if logprobs { json!({ "ignoreEnd": true, "logprobs": 1 }) } else { json!({ "ignoreEnd": true }) };
    let mut session = model.session();
    let mut text: Vec<u32> = (0..10).map(|i| 3 + i * 7 % 50).collect();
    // Twice in one session: what is kept of the first text is turned otherwise than the second one's beginning.
    for beginning in [10, 12] {
        text.truncate(beginning);
        let options: GenerateOptions = serde_json::from_value(options.clone()).unwrap();
        let sampling = Sampling { max_tokens: Some(16), ..Sampling::new(&options, model.spec.vocabulary()).unwrap() };
        let asked = GenerateRequest { source: None, prompt: text.clone() };
        let generation = model.generation(asked, sampling, None, &[], 1).unwrap();
        let made = finished(&mut model, &mut session, generation, |_| ()).await.unwrap();
        assert_eq!(made.tokens().len(), 16);
        for token in made.tokens() {
            assert_eq!(*token, likeliest(&mut model, text.clone()).await, "after {} tokens", text.len());
            text.push(*token);
        }
    }
}

#[test]
fn a_text_that_outgrows_the_first_context_goes_on_as_one_that_began_beyond_it() {
    let kernels = first();
    for logprobs in [false, true] {
        // The factors of a folder are in its configuration, and those of a GGUF file are tensors.
        run(None, grows(assembled("phi3_longrope", cpu(2)), logprobs));
        run(None, grows(loaded("phi3_longrope", cpu(2)), logprobs));
        run(Some(&kernels.context), grows(assembled("phi3_longrope", gpu(&kernels)), logprobs));
        run(Some(&kernels.context), grows(loaded("phi3_longrope", gpu(&kernels)), logprobs));
    }
}
