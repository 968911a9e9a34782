//! `preprocessor_config.json` as transformers' image processors write it, today and before 2023, when sizes were plain
//! numbers. What is missing has the default of the processor's class.

use super::processor::{Normalization, Processor, Resize, check_side};
use super::resample::Filter;
use crate::error::{Error, Result};
use crate::json;
use serde_json::{Map, Value};

/// What a processor's class is when the file is silent.
struct Defaults {
    size: Resize,
    filter: Filter,
    crop: Option<usize>,
    mean: [f64; 3],
    std: [f64; 3],
}

const HALF: [f64; 3] = [0.5; 3];
const CLIP: [[f64; 3]; 2] = [[0.481_454_66, 0.457_827_5, 0.408_210_73], [0.268_629_54, 0.261_302_58, 0.275_777_11]];

/// By the class's name, which may end in what says how it is implemented.
fn defaults(class: &str) -> Result<Defaults> {
    let ends = ["Fast", "Pil", "ImageProcessor", "FeatureExtractor"];
    let name = ends.iter().fold(class, |name, end| name.strip_suffix(end).unwrap_or(name));
    let square = |side| Resize::Exact { height: side, width: side };
    let of = |size, filter, crop, [mean, std]: [[f64; 3]; 2]| Ok(Defaults { size, filter, crop, mean, std });
    match name {
        "ViT" => of(square(224), Filter::Bilinear, None, [HALF; 2]),
        "Siglip" => of(square(224), Filter::Bicubic, None, [HALF; 2]),
        "DeiT" => of(square(256), Filter::Bicubic, Some(224), [HALF; 2]),
        "CLIP" | "Bit" => of(Resize::Shortest(224), Filter::Bicubic, Some(224), CLIP),
        _ => Err(Error::unsupported(format!("image processor {class:?} (supported: ViT, DeiT, CLIP, Bit, Siglip)"))),
    }
}

/// What transformers takes for a family where the file names no class.
fn class_of(family: &str) -> &'static str {
    match family {
        "deit" => "DeiT",
        "clip" => "CLIP",
        "siglip" => "Siglip",
        "dinov2" | "dinov2_with_registers" => "Bit",
        _ => "ViT",
    }
}

impl Processor {
    /// Reads `preprocessor_config.json`, or `processor_config.json`, for a model of that many channels and that family.
    ///
    /// Errors: corrupt-file, unsupported-model with the name of what it asks for.
    pub fn from_json(json: &str, channels: usize, family: &str) -> Result<Self> {
        read(json, channels, family).map_err(|error| error.in_file("preprocessor_config.json"))
    }
}

fn read(json: &str, channels: usize, family: &str) -> Result<Processor> {
    let mut config: Map<String, Value> = json::parse(json).map_err(|error| Error::corrupt(error.to_string()))?;
    // processor_config.json has it inside.
    if let Some(Value::Object(inside)) = config.remove("image_processor") {
        config = inside;
    }
    let fields = ImageFields(config);
    let class = fields.get("image_processor_type").or(fields.get("feature_extractor_type"));
    let named = class.map(|class| class.as_str().ok_or_else(|| wrong("image_processor_type", class))).transpose()?;
    let class = named.unwrap_or(class_of(family));
    let defaults = defaults(class)?;
    fields.refuse_others()?;
    let resize = match fields.flag("do_resize", true)? {
        true => {
            let square = fields.flag("default_to_square", matches!(defaults.size, Resize::Exact { .. }))?;
            Some(fields.get("size").map_or(Ok(defaults.size), |size| resize(size, square))?)
        }
        false => None,
    };
    let crop = match fields.flag("do_center_crop", defaults.crop.is_some())? {
        true => Some(fields.get("crop_size").map_or(Ok([defaults.crop.unwrap_or(224); 2]), crop)?),
        false => None,
    };
    let rescale = match fields.flag("do_rescale", true)? {
        true => fields.numbers("rescale_factor", &[1.0 / 255.0])?[0],
        false => 1.0,
    };
    let (mean, std) = match fields.flag("do_normalize", true)? {
        true => (fields.numbers("image_mean", &defaults.mean)?, fields.numbers("image_std", &defaults.std)?),
        false => (vec![0.0], vec![1.0]),
    };
    Processor::new(channels, resize, fields.filter(defaults.filter)?, crop, &Normalization { rescale, mean, std })
}

struct ImageFields(Map<String, Value>);

impl ImageFields {
    /// What is `null` is as good as missing.
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn flag(&self, name: &str, default: bool) -> Result<bool> {
        self.get(name).map_or(Ok(default), |value| value.as_bool().ok_or_else(|| wrong(name, value)))
    }

    /// A number, or some.
    fn numbers(&self, name: &str, default: &[f64]) -> Result<Vec<f64>> {
        let Some(value) = self.get(name) else { return Ok(default.to_vec()) };
        let numbers: Option<Vec<f64>> = match value {
            Value::Array(values) => values.iter().map(Value::as_f64).collect(),
            value => value.as_f64().map(|number| vec![number]),
        };
        numbers.filter(|numbers| !numbers.is_empty()).ok_or_else(|| wrong(name, value))
    }

    fn filter(&self, default: Filter) -> Result<Filter> {
        let Some(value) = self.get("resample") else { return Ok(default) };
        match value.as_u64() {
            Some(0) => Ok(Filter::Nearest),
            Some(1) => Ok(Filter::Lanczos),
            Some(2) => Ok(Filter::Bilinear),
            Some(3) => Ok(Filter::Bicubic),
            Some(4) => Ok(Filter::Box),
            Some(5) => Ok(Filter::Hamming),
            _ => Err(Error::unsupported(format!("\"resample\": {value} (supported: 0 to 5)"))),
        }
    }

    /// Refuses whatever else would change pixels.
    fn refuse_others(&self) -> Result<()> {
        let known = ["do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb"];
        let changes = |name: &str| name.starts_with("do_") || name == "crop_pct" || name == "use_square_size";
        let idle = |value: &Value| value.is_null() || *value == Value::Bool(false);
        for (name, value) in &self.0 {
            if changes(name) && !known.contains(&name.as_str()) && !idle(value) {
                return Err(Error::unsupported(format!("{name:?}: {value} of an image processor")));
            }
        }
        Ok(())
    }
}

fn wrong(name: &str, value: &Value) -> Error {
    Error::corrupt(format!("{name:?}: {value} is not what it should be"))
}

/// A side, in pixels.
fn side(name: &str, value: &Value) -> Result<usize> {
    let side = value.as_u64().ok_or_else(|| wrong(name, value))?;
    let side = usize::try_from(side).unwrap_or(usize::MAX);
    check_side(&format!("{name:?}"), side)?;
    Ok(side)
}

/// The sides that an object names, if it names these and no others.
fn sides(name: &str, value: &Value, names: &[&str]) -> Result<Option<[usize; 2]>> {
    let Some(object) = value.as_object() else { return Ok(None) };
    if object.iter().any(|(part, value)| !value.is_null() && !names.contains(&part.as_str())) {
        return Ok(None);
    }
    let mut found = [0; 2];
    for (found, part) in found.iter_mut().zip(names) {
        match &value[part] {
            Value::Null => return Ok(None),
            value => *found = side(name, value)?,
        }
    }
    Ok(Some(found))
}

/// `square`: what a plain number means.
fn resize(size: &Value, square: bool) -> Result<Resize> {
    let name = "size";
    if size.is_number() {
        let side = side(name, size)?;
        return Ok(if square { Resize::Exact { height: side, width: side } } else { Resize::Shortest(side) });
    }
    if let Some([height, width]) = pair(name, size)? {
        return Ok(Resize::Exact { height, width });
    }
    if let Some([height, width]) = sides(name, size, &["height", "width"])? {
        return Ok(Resize::Exact { height, width });
    }
    if let Some([shortest, _]) = sides(name, size, &["shortest_edge"])? {
        return Ok(Resize::Shortest(shortest));
    }
    if let Some([shortest, longest]) = sides(name, size, &["shortest_edge", "longest_edge"])? {
        return Ok(Resize::Within { shortest, longest });
    }
    Err(Error::unsupported(format!(
        "{name:?}: {size} (supported: height and width, shortest_edge, longest_edge with it)"
    )))
}

/// Height and width as a list.
fn pair(name: &str, value: &Value) -> Result<Option<[usize; 2]>> {
    match value.as_array().map(Vec::as_slice) {
        Some([height, width]) => Ok(Some([side(name, height)?, side(name, width)?])),
        _ => Ok(None),
    }
}

fn crop(size: &Value) -> Result<[usize; 2]> {
    if size.is_number() {
        return side("crop_size", size).map(|side| [side; 2]);
    }
    if let Some(sides) = pair("crop_size", size)? {
        return Ok(sides);
    }
    let unsupported = || Error::unsupported(format!("\"crop_size\": {size} (supported: height and width)"));
    sides("crop_size", size, &["height", "width"])?.ok_or_else(unsupported)
}
