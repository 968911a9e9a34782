//! Changes JSON where it means something: bytes changed at random are mostly no JSON any more.

use serde_json::{Map, Value, json};

/// Makes this the mutator of a target, with the dictionary of that path.
macro_rules! with_dictionary {
    ($path:literal) => {
        fn dictionary() -> &'static mutator::Dictionary {
            static DICTIONARY: std::sync::OnceLock<mutator::Dictionary> = std::sync::OnceLock::new();
            DICTIONARY.get_or_init(|| mutator::Dictionary::read(include_str!($path)))
        }

        libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            mutator::mutate(data, size, max_size, seed, dictionary())
        });
    };
}

/// What a target knows of its files.
pub struct Dictionary {
    /// Whole values.
    pub values: Vec<Value>,
    /// Fields of objects.
    pub names: Vec<String>,
}

impl Dictionary {
    /// Of an object of the two.
    pub fn read(json: &str) -> Self {
        let whole: Value = serde_json::from_str(json).expect("the dictionary");
        let list = |name: &str| whole[name].as_array().cloned().unwrap_or_default();
        let names = list("names").iter().filter_map(Value::as_str).map(str::to_owned).collect();
        Self { values: list("values"), names }
    }
}

struct Random(u64);

impl Random {
    fn new(seed: u32) -> Self {
        Self((u64::from(seed) << 1 | 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % end.max(1)
    }

    fn of<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        list.get(self.below(list.len()))
    }
}

/// The new size of `data`, of which `size` bytes are in use.
pub fn mutate(data: &mut [u8], size: usize, most: usize, seed: u32, dictionary: &Dictionary) -> usize {
    let mut random = Random::new(seed);
    let read = serde_json::from_slice::<Value>(&data[..size]).ok().filter(Value::is_object);
    if let Some(mut value) = read.filter(|_| random.below(32) > 0) {
        for _ in 0..1 + random.below(3) {
            change(&mut value, &mut random, dictionary);
        }
        let text = value.to_string();
        if text.len() <= most {
            data[..text.len()].copy_from_slice(text.as_bytes());
            return text.len();
        }
    }
    libfuzzer_sys::fuzzer_mutate(data, size, most)
}

/// The way to some value inside another: each level is as likely, however many values it has.
fn way(value: &Value, random: &mut Random) -> Vec<usize> {
    let mut way = Vec::new();
    let mut at = value;
    loop {
        let inner = match at {
            Value::Array(list) => list.iter().collect::<Vec<_>>(),
            Value::Object(fields) => fields.values().collect(),
            _ => return way,
        };
        if inner.is_empty() || (!way.is_empty() && random.below(4) == 0) {
            return way;
        }
        way.push(random.below(inner.len()));
        at = inner[way[way.len() - 1]];
    }
}

fn member(value: &mut Value, index: usize) -> Option<&mut Value> {
    match value {
        Value::Array(list) => list.get_mut(index),
        Value::Object(fields) => fields.values_mut().nth(index),
        _ => None,
    }
}

fn at<'a>(value: &'a mut Value, way: &[usize]) -> Option<&'a mut Value> {
    way.iter().try_fold(value, |value, &index| member(value, index))
}

fn remove(value: &mut Value, index: usize) {
    match value {
        Value::Array(list) => {
            list.remove(index);
        }
        Value::Object(fields) => {
            let name = fields.keys().nth(index).cloned();
            name.map(|name| fields.remove(&name));
        }
        _ => {}
    }
}

fn change(value: &mut Value, random: &mut Random, dictionary: &Dictionary) {
    let to = way(value, random);
    let Some((&last, outer)) = to.split_last() else { return };
    let other = way(value, random);
    let copy = at(value, &other).map(|value| value.clone());
    match random.below(12) {
        0 => {
            if let Some(outer) = at(value, outer) {
                remove(outer, last);
            }
        }
        1 => {
            let outer = at(value, outer);
            if let Some(outer) = outer {
                insert(outer, random, copy, dictionary);
            }
        }
        kind => {
            let Some(place) = at(value, &to) else { return };
            match kind {
                2 => *place = copy.unwrap_or(Value::Null),
                3 | 4 => *place = random.of(&dictionary.values).cloned().unwrap_or(Value::Null),
                5 => *place = scalar(random),
                _ => touch(place, random, copy, dictionary),
            }
        }
    }
}

fn insert(value: &mut Value, random: &mut Random, copy: Option<Value>, dictionary: &Dictionary) {
    let known = random.of(&dictionary.values).cloned();
    let new = if random.below(2) == 0 { known.or(copy) } else { copy }.unwrap_or_else(|| scalar(random));
    match value {
        Value::Array(list) => list.insert(random.below(list.len() + 1), new),
        Value::Object(fields) => {
            let name = random.of(&dictionary.names).cloned().unwrap_or_default();
            fields.insert(name, new);
        }
        _ => *value = new,
    }
}

fn scalar(random: &mut Random) -> Value {
    let all = [
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(-1),
        json!(2),
        json!(64),
        json!(1 << 24),
        json!(u32::MAX),
        json!(1u64 << 40),
        json!(u64::MAX),
        json!(0.5),
        json!(-1e308),
        json!(1e-308),
        json!(""),
        json!("a"),
        json!("e\u{301}"),
        json!([]),
        json!({}),
        json!([[]]),
    ];
    random.of(&all).cloned().unwrap_or(Value::Null)
}

/// Changes a value a little.
fn touch(value: &mut Value, random: &mut Random, copy: Option<Value>, dictionary: &Dictionary) {
    match value {
        Value::Null => *value = scalar(random),
        Value::Bool(flag) => *flag = !*flag,
        Value::Number(number) => {
            let number = number.clone();
            *value = match number.as_i64() {
                Some(number) => {
                    let near = [number.wrapping_add(1), number.wrapping_sub(1), number.wrapping_mul(2), number / 2];
                    random.of(&near).copied().unwrap_or_default().into()
                }
                None => json!(number.as_f64().unwrap_or_default() * [0.5, 2.0, -1.0, 1e10][random.below(4)]),
            };
        }
        Value::String(text) => *text = spelled(text, random),
        Value::Array(list) if random.below(2) == 0 && list.len() > 1 => {
            let (one, other) = (random.below(list.len()), random.below(list.len()));
            list.swap(one, other);
        }
        Value::Object(fields) if random.below(3) == 0 => rename(fields, random, dictionary),
        _ => insert(value, random, copy, dictionary),
    }
}

/// The text as libFuzzer changes it: it knows what the code has compared.
fn spelled(text: &str, random: &mut Random) -> String {
    if random.below(16) == 0 {
        return text.repeat(2 + random.below(40));
    }
    let mut bytes = text.as_bytes().to_vec();
    let size = bytes.len();
    bytes.resize(2 * size + 32, 0);
    let most = bytes.len();
    let size = libfuzzer_sys::fuzzer_mutate(&mut bytes, size, most);
    String::from_utf8_lossy(&bytes[..size]).into_owned()
}

fn rename(fields: &mut Map<String, Value>, random: &mut Random, dictionary: &Dictionary) {
    let Some(name) = fields.keys().nth(random.below(fields.len())).cloned() else { return };
    let value = fields.remove(&name).unwrap_or(Value::Null);
    let name = random.of(&dictionary.names).cloned().unwrap_or_else(|| spelled(&name, random));
    fields.insert(name, value);
}
