//! sentence-transformers' Dense modules that lie in a GGUF file: EmbeddingGemma's, without activation and bias.

use super::gguf_keys::Keys;
use crate::checkpoint::Header;
use crate::error::{Error, Result};
use crate::model::check::check_width;
use crate::model::dense::DenseTensor;

/// llama.cpp's, by their folders in the checkpoint that was converted.
const NUMBERS: [usize; 2] = [2, 3];

/// Those of a model whose vectors have `width` values. Shapes are what the keys say, for a tensor may be in a later one of
/// several files. Errors: corrupt-file, unsupported-model where another architecture has any.
pub fn dense_tensors(keys: &Keys, header: &Header, width: usize) -> Result<Vec<DenseTensor>> {
    let mut all = Vec::new();
    let mut inputs_before = width;
    for number in NUMBERS {
        let name = format!("dense_{number}.weight");
        let tensor = header.tensors.iter().find(|tensor| tensor.name == name);
        let features = |end: &str, dimension: usize| {
            let of_tensor = || tensor?.shape.get(dimension).copied();
            keys.some(&format!("dense_{number}_feat_{end}")).or_else(of_tensor)
        };
        let (inputs, outputs) = match (features("in", 1), features("out", 0), tensor) {
            (None, None, None) => continue,
            (inputs, outputs, _) => (inputs.unwrap_or(inputs_before), outputs.unwrap_or(inputs_before)),
        };
        if keys.architecture != "gemma-embedding" {
            let message = format!("a Dense module in a file of {}", keys.architecture);
            return Err(Error::unsupported(message).in_tensor(&name));
        }
        if inputs != inputs_before {
            let message = format!("takes vectors of {inputs} values, and those before it have {inputs_before}");
            return Err(Error::corrupt(message).in_tensor(&name));
        }
        inputs_before = check_width("values behind a Dense module", outputs)?;
        all.push(DenseTensor { number, inputs, outputs });
    }
    Ok(all)
}
