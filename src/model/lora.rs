//! LoRA (<https://arxiv.org/abs/2106.09685>): what an adapter adds to a model's products, up(down(x)) beside W x. The
//! weights stay as they are, quantised or not, and serve with several adapters, and with none, by turns.

use super::loaded::float_matrix;
use super::lora_file::{LoraFile, LoraPart};
use super::role::Role;
use super::spec::Spec;
use crate::checkpoint::TensorType;
use crate::device::{Device, Input, Projection};
use crate::error::Result;

/// Beside one matrix.
pub struct LowRank<D: Device> {
    /// [rank, in width]
    down: D::Matrix,
    /// [out width, rank], with the adapter's scale in it.
    up: D::Matrix,
}

/// An adapter on a model's device.
pub struct Lora<D: Device> {
    /// Of each block, by what the matrix beside it is for.
    blocks: Vec<Vec<(Role, LowRank<D>)>>,
    /// The highest of its ranks.
    pub rank: usize,
    /// Of its bytes and its scale: what tells it from others.
    pub checksum: u64,
}

impl<D: Device> Lora<D> {
    /// Errors: out-of-memory.
    pub fn new(device: &mut D, spec: &Spec, file: &LoraFile) -> Result<Self> {
        let (rank, checksum) = (file.parts().map(|(.., part)| part.rank).max().unwrap_or(0), file.checksum);
        let mut blocks: Vec<Vec<(Role, LowRank<D>)>> = spec.blocks.iter().map(|_| Vec::new()).collect();
        let bytes = |(_, _, LoraPart { rank, down, up, .. }): (usize, Role, &LoraPart)| {
            let [columns, rows] = [down, up].map(|values| values.len() / rank);
            D::matrix_bytes(TensorType::F32, *rank, columns) + D::matrix_bytes(TensorType::F32, rows, *rank)
        };
        device.expect_weights(file.parts().map(bytes).sum())?;
        for (layer, role, LoraPart { rank, down, up, .. }) in file.parts() {
            // Floats: the products that they are beside take far longer.
            let down = float_matrix(device, *rank, down)?;
            let up = float_matrix(device, up.len() / rank, up)?;
            blocks[layer].push((role, LowRank { down, up }));
        }
        Ok(Self { blocks, rank, checksum })
    }

    /// What it adds to a block's products.
    pub fn block(&self, layer: usize) -> BlockLora<'_, D> {
        BlockLora(&self.blocks[layer])
    }
}

/// What an adapter adds to a block's products; nothing where there is none.
pub struct BlockLora<'a, D: Device>(&'a [(Role, LowRank<D>)]);

impl<D: Device> Default for BlockLora<'_, D> {
    fn default() -> Self {
        Self(&[])
    }
}

impl<D: Device> BlockLora<'_, D> {
    pub fn has(&self, role: Role) -> bool {
        self.of(role).is_some()
    }

    fn of(&self, role: Role) -> Option<&LowRank<D>> {
        self.0.iter().find(|(other, _)| *other == role).map(|(_, low_rank)| low_rank)
    }

    /// out += up(down(norm(x))) · scale, beside the matrix of that role. `low`: [rows, rank].
    #[inline(never)] // In each of its places it would be twenty times as large as the call.
    pub fn add(
        &self,
        role: Role,
        device: &mut D,
        input: &Input<D>,
        low: &mut D::Buffer,
        scale: Option<&D::Buffer>,
        out: &mut D::Buffer,
    ) {
        let Some(LowRank { down, up }) = self.of(role) else { return };
        device.project(input, &mut [Projection { weight: down, bias: None, scale: None, out: low, accumulate: false }]);
        let input = Input { x: low, rows: input.rows, norm: None };
        device.project(&input, &mut [Projection { weight: up, bias: None, scale, out, accumulate: true }]);
    }
}
