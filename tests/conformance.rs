//! The conformance families in native code: the reference implementation's logits, by the CPU device.

use azulejo::checkpoint::{FileReader, Format};
use azulejo::device::CacheType;
use azulejo::device::cpu::{Cpu, pool::Pool};
use azulejo::model::{Assembly, CHUNK, Model, families};
use std::fs;

#[path = "common/case.rs"]
mod case;
use case::{Case, FAMILIES, assert_close, folder};

fn load(family: &str, threads: usize) -> Model<Cpu> {
    let folder = folder(family);
    let plan = families::from_config(&fs::read_to_string(format!("{folder}/config.json")).unwrap()).unwrap();
    let bytes = fs::read(format!("{folder}/model.safetensors")).unwrap();
    let mut assembly = Assembly::new(Cpu::new(Pool::native(threads)));
    assembly.set_plan(plan);
    let mut reader = FileReader::new(Format::Safetensors, "model.safetensors", Some(bytes.len() as u64));
    bytes.chunks(1009).for_each(|chunk| reader.push(chunk, &mut assembly).unwrap());
    reader.finish().unwrap();
    Model::new(assembly, None, CacheType::F32).unwrap()
}

#[test]
fn every_family_gives_the_reference_logits() {
    for family in FAMILIES {
        let case = Case::read(family);
        let mut model = load(family, 2);
        let vocabulary = model.spec.vocabulary;
        let (ids, mask, expected) = (case.ids("input_ids"), case.ids("attention_mask"), case.floats("logits"));
        let positions = ids.len() / 2;
        for row in 0..2 {
            let len = mask[row * positions..][..positions].iter().sum::<u32>() as usize;
            let mut session = model.session();
            model.extend(&mut session, &ids[row * positions..][..len]).unwrap();
            let mut logits = vec![0.0; len * vocabulary];
            model.logits_of(&(0..len).collect::<Vec<_>>(), &mut logits);
            assert_close(&logits, &expected[row * positions * vocabulary..][..len * vocabulary], family);
        }
    }
}

#[test]
fn a_cached_step_equals_the_full_pass() {
    for family in FAMILIES {
        let case = Case::read(family);
        let mut model = load(family, 1);
        let (mut tokens, expected) = (case.ids("prompt"), case.floats("next_logits"));
        let mut session = model.session();
        let mut logits = model.logits_buffer().unwrap();
        for (step, expected) in expected.chunks(model.spec.vocabulary).enumerate() {
            let new = &tokens[session.len()..];
            model.extend(&mut session, new).unwrap();
            model.logits(new.len() - 1, &mut logits);
            assert_close(&logits, expected, &format!("{family}, step {step}"));
            tokens.push(case.ids("generated")[step]);
        }
    }
}

#[test]
fn where_a_prompt_is_cut_into_chunks_makes_no_difference() {
    let mut model = load("mistral", 3);
    let tokens: Vec<u32> = (0..CHUNK as u32).map(|i| i * 7 % 131).collect();
    let last = |model: &mut Model<Cpu>, cuts: &[usize]| {
        let (mut session, mut rest) = (model.session(), &tokens[..]);
        for cut in cuts {
            let (now, later) = rest.split_at(*cut);
            model.extend(&mut session, now).unwrap();
            rest = later;
        }
        let mut logits = model.logits_buffer().unwrap();
        model.logits(cuts.last().unwrap() - 1, &mut logits);
        logits
    };
    let whole = last(&mut model, &[CHUNK]);
    assert_close(&last(&mut model, &[1, 30, 2, CHUNK - 33]), &whole, "cuts");
}

#[test]
fn attention_maps_are_distributions_over_what_came_before() {
    let mut model = load("llama", 1);
    let tokens: Vec<u32> = (5..25).collect();
    let (maps, dims) = model.attention_maps(&tokens, None).unwrap();
    assert_eq!(dims, [3, 4, 20, 20]);
    for (row, weights) in maps.chunks(20).enumerate() {
        let position = row % 20;
        assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        assert!(weights[position + 1..].iter().all(|weight| *weight == 0.0));
    }
    assert_eq!(model.attention_maps(&tokens, Some(1)).unwrap().0, maps[4 * 400..8 * 400]);
}
