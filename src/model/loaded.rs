//! A checkpoint's tensors that have come, by their slots, and their way to a device.

use super::role::{Shape, TensorId};
use super::spec::Spec;
use super::stack::{Wanted, Weights};
use super::tensors::TensorSource;
use crate::checkpoint::TensorType;
use crate::device::Device;
use crate::error::{Error, Result};
use std::collections::HashMap;

/// What has come.
pub struct LoadedTensors<D: Device> {
    /// In the device's layout already; of a mixture one of each expert.
    pub matrices: HashMap<TensorId, D::Matrix>,
    pub vectors: HashMap<TensorId, Vec<f32>>,
    /// Of all their bytes as they came, and what they were made: in whatever order.
    pub checksum: u64,
}

impl<D: Device> Default for LoadedTensors<D> {
    fn default() -> Self {
        Self { matrices: HashMap::new(), vectors: HashMap::new(), checksum: 0 }
    }
}

impl<D: Device> LoadedTensors<D> {
    pub fn has(&self, slot: &TensorId, shape: &Shape) -> bool {
        match shape {
            Shape::Matrix(..) => self.matrices.contains_key(slot),
            Shape::Experts(experts, ..) => {
                (0..*experts).all(|expert| self.matrices.contains_key(&slot.of_expert(expert)))
            }
            // One that came before it was known what it is of has another length.
            Shape::Vector(len) => self.vectors.get(slot).is_some_and(|vector| vector.len() == *len),
        }
    }

    /// The weights of each stack of a model whose every slot is here. Errors: out-of-memory, corrupt-file.
    pub fn weights<'a>(
        mut self,
        device: &mut D,
        stacks: impl Iterator<Item = &'a Spec> + Clone,
    ) -> Result<Vec<Weights<D>>> {
        let wanted = stacks.clone().map(Spec::wanted).collect::<Result<Vec<Wanted>>>()?;
        device.expect_vectors(&mut wanted.iter().flat_map(|wanted| &wanted.vectors).copied())?;
        let weights =
            |(stack, spec): (u8, &Spec)| Weights::of(spec, &mut OnDevice { loaded: &mut self, device, stack });
        (0..).zip(stacks).map(weights).collect()
    }
}

/// One stack's way to its device.
struct OnDevice<'a, D: Device> {
    loaded: &'a mut LoadedTensors<D>,
    device: &'a mut D,
    stack: u8,
}

/// A slot that [`LoadedTensors::weights`] was promised, and that did not come.
fn missing(slot: TensorId) -> Error {
    Error::corrupt(format!("without {:?} of layer {}", slot.role, slot.layer))
}

impl<D: Device> OnDevice<'_, D> {
    fn take(&mut self, slot: TensorId) -> Option<Vec<f32>> {
        self.loaded.vectors.remove(&TensorId { stack: self.stack, ..slot })
    }
}

impl<D: Device> TensorSource<D> for OnDevice<'_, D> {
    fn matrix(&mut self, slot: TensorId, _rows: usize, _columns: usize) -> Result<D::Matrix> {
        self.loaded.matrices.remove(&TensorId { stack: self.stack, ..slot }).ok_or_else(|| missing(slot))
    }

    fn experts(&mut self, slot: TensorId, experts: usize, rows: usize, columns: usize) -> Result<D::Experts> {
        let matrices = (0..experts).map(|expert| self.matrix(slot.of_expert(expert), rows, columns));
        let matrices = matrices.collect::<Result<_>>()?;
        Ok(self.device.join_experts(matrices))
    }

    fn vector(&mut self, slot: TensorId, _len: usize, change: &dyn Fn(&mut f32)) -> Result<D::Buffer> {
        let mut values = self.take(slot).ok_or_else(|| missing(slot))?;
        values.iter_mut().for_each(change);
        self.device.upload(&values)
    }

    fn host(&mut self, slot: TensorId, _len: usize) -> Result<Vec<f32>> {
        self.take(slot).ok_or_else(|| missing(slot))
    }

    fn optional(&mut self, slot: TensorId) -> Vec<f32> {
        self.take(slot).unwrap_or_default()
    }

    fn computed(&mut self, values: &mut dyn FnMut() -> Result<Vec<f32>>) -> Result<D::Buffer> {
        let values = values()?;
        let mut buffer = self.device.buffer(values.len())?;
        self.device.write(&values, 0, &mut buffer);
        Ok(buffer)
    }

    fn computed_matrix(&mut self, columns: usize, values: &mut dyn FnMut() -> Result<Vec<f32>>) -> Result<D::Matrix> {
        let values = values()?;
        let (ty, rows) = (TensorType::F32, values.len() / columns);
        self.device.expect_weights(D::matrix_bytes(ty, rows, columns))?;
        float_matrix(self.device, rows, &values)
    }
}

/// A matrix [rows, …] of floats, whose bytes were expected. Errors: those of [`Device::matrix`].
#[inline(never)]
pub fn float_matrix<D: Device>(device: &mut D, rows: usize, values: &[f32]) -> Result<D::Matrix> {
    let columns = values.len() / rows;
    let mut builder = device.matrix(TensorType::F32, rows, columns)?;
    for row in values.chunks(columns) {
        let bytes: Vec<u8> = row.iter().flat_map(|value| value.to_le_bytes()).collect();
        device.push(&mut builder, &bytes);
    }
    Ok(device.finish(builder))
}
