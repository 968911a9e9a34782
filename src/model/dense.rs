//! Products that a text's vector goes through behind the pooling: sentence-transformers' `Dense` modules.

use super::arriving::{ArrivingMatrix, Stored};
use super::loaded::LoadedTensors;
use super::role::{Role, Shape, TensorId};
use crate::checkpoint::{Header, Sink, TensorInfo, TensorType};
use crate::device::{Activation, Device, Input, Linear};
use crate::error::{Error, Result};

/// One product, activation(x · weightᵀ + bias), and its weights as the bytes of its file arrive. They are few: all of them
/// wait here for the device.
pub struct DenseFile {
    /// The file's name, for messages.
    name: String,
    pub inputs: usize,
    pub outputs: usize,
    pub bias: bool,
    pub activation: Option<Activation>,
    /// Its type and bytes.
    weight: (TensorType, Vec<u8>),
    bias_values: Vec<f32>,
    bytes: Vec<u8>,
}

/// One product whose weights lie among the model's tensors, without activation and bias.
#[derive(Clone, Copy, Debug)]
pub struct DenseTensor {
    pub number: usize,
    pub inputs: usize,
    pub outputs: usize,
}

impl DenseTensor {
    pub fn slot(&self) -> TensorId {
        TensorId::weight(Role::SentenceDense, self.number)
    }
}

const WEIGHT: &str = "linear.weight";
const BIAS: &str = "linear.bias";

impl DenseFile {
    pub fn new(name: String, inputs: usize, outputs: usize, bias: bool, activation: Option<Activation>) -> Self {
        let weight = (TensorType::F32, Vec::new());
        Self { name, inputs, outputs, bias, activation, weight, bias_values: Vec::new(), bytes: Vec::new() }
    }

    /// How many numbers its weights are.
    pub fn parameters(&self) -> usize {
        self.outputs * (self.inputs + usize::from(self.bias))
    }

    /// How its matrix is kept: as other matrices are.
    fn stored(&self, quantize: Option<TensorType>) -> Stored {
        let fits = |to: &TensorType| self.inputs.is_multiple_of(to.block_len());
        Stored { ty: quantize.filter(fits).unwrap_or(self.weight.0), columns: self.inputs }
    }

    /// What its weights take on a device.
    pub fn device_bytes<D: Device>(&self, quantize: Option<TensorType>) -> usize {
        let bias = if self.bias { 4 * self.outputs } else { 0 };
        D::matrix_bytes(self.stored(quantize).ty, self.outputs, self.inputs) + bias
    }

    /// Its weights on a device. Errors: corrupt-file where they have not come, out-of-memory, unsupported-model.
    fn linear<D: Device>(&self, device: &mut D, quantize: Option<TensorType>) -> Result<Linear<D>> {
        let missing = |tensor: &str| Err(Error::corrupt("is missing").in_tensor(tensor).in_file(&self.name));
        let stored = self.stored(quantize);
        let (ty, bytes) = &self.weight;
        if bytes.is_empty() {
            return missing(WEIGHT);
        }
        if self.bias && self.bias_values.is_empty() {
            return missing(BIAS);
        }
        device.expect_weights(D::matrix_bytes(stored.ty, self.outputs, self.inputs))?;
        let mut matrix =
            ArrivingMatrix::new(device.matrix(stored.ty, self.outputs, stored.columns)?, *ty, self.inputs, stored)?;
        matrix.push(device, bytes)?;
        let bias = if self.bias { Some(device.upload(&self.bias_values)?) } else { None };
        Ok(Linear { weight: matrix.finish(device), bias })
    }

    fn shape_of(&self, tensor: &str) -> Option<Shape> {
        match tensor {
            WEIGHT => Some(Shape::Matrix(self.outputs, self.inputs)),
            BIAS if self.bias => Some(Shape::Vector(self.outputs)),
            _ => None,
        }
    }
}

impl Sink for DenseFile {
    fn header(&mut self, header: &Header) -> Result<()> {
        for tensor in &header.tensors {
            let Some(shape) = self.shape_of(&tensor.name) else {
                return Err(Error::unsupported("has no place in a Dense module").in_tensor(&tensor.name));
            };
            shape.check(&tensor.shape, String::new).map_err(|error| error.in_tensor(&tensor.name))?;
        }
        Ok(())
    }

    fn wants(&mut self, _: &TensorInfo) -> bool {
        true
    }

    fn data(&mut self, _: &TensorInfo, bytes: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn end(&mut self, tensor: &TensorInfo) -> Result<()> {
        let bytes = std::mem::take(&mut self.bytes);
        if tensor.name == WEIGHT {
            self.weight = (tensor.ty, bytes);
        } else {
            self.bias_values = vec![0.0; self.outputs];
            tensor.ty.dequantize(&bytes, &mut self.bias_values);
        }
        Ok(())
    }
}

/// Products on a device, one behind the other.
pub struct DenseChain<D: Device>(Vec<Product<D>>);

struct Product<D: Device> {
    linear: Linear<D>,
    activation: Option<Activation>,
    outputs: usize,
}

/// No product: vectors stay as they are.
impl<D: Device> Default for DenseChain<D> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<D: Device> DenseChain<D> {
    /// Of tensors that have come with the model's, which are taken. Error: corrupt-file.
    pub fn of_tensors(loaded: &mut LoadedTensors<D>, tensors: &[DenseTensor]) -> Result<Self> {
        let product = |tensor: &DenseTensor| {
            let weight = loaded.matrices.remove(&tensor.slot());
            let weight = weight.ok_or_else(|| Error::corrupt(format!("without Dense module {}", tensor.number)))?;
            Ok(Product { linear: Linear { weight, bias: None }, activation: None, outputs: tensor.outputs })
        };
        Ok(Self(tensors.iter().map(product).collect::<Result<_>>()?))
    }

    /// Adds those of files. Errors: those of loading.
    pub fn extend(&mut self, device: &mut D, files: Vec<DenseFile>, quantize: Option<TensorType>) -> Result<()> {
        let product = |file: DenseFile| {
            let linear = file.linear(device, quantize)?;
            Ok(Product { linear, activation: file.activation, outputs: file.outputs })
        };
        self.0.extend(files.into_iter().map(product).collect::<Result<Vec<_>>>()?);
        Ok(())
    }

    /// Values of a vector behind each of them.
    pub fn widths(&self) -> Vec<usize> {
        self.0.iter().map(|product| product.outputs).collect()
    }

    /// What becomes of vectors, [rows, width of the first]; they themselves where there is no product. `out`: of each
    /// product, [rows, its width].
    pub fn apply<'a>(
        &self,
        device: &mut D,
        vectors: &'a D::Buffer,
        rows: usize,
        out: &'a mut [D::Buffer],
    ) -> &'a D::Buffer {
        let mut x = vectors;
        for (Product { linear, activation, .. }, out) in self.0.iter().zip(out) {
            let input = Input { x, rows, norm: None };
            match activation {
                Some(activation) => device.project_activated(&input, None, linear, *activation, out),
                None => device.project(&input, &mut [linear.to(out)]),
            }
            x = out;
        }
        x
    }
}
