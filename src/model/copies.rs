//! Tables that a checkpoint has more than once. A configuration may say that they are one where the file has others: then
//! the file counts, as in transformers 5, or the checkpoint is refused.

use super::model_config::ModelConfig;
use super::role::{Role, TensorId};
use crate::checkpoint::{Header, TensorInfo};
use crate::error::{Error, Result};
use std::collections::HashMap;

/// What tables are told apart by.
#[derive(Default)]
pub struct Copies {
    /// The configuration says that the head is the embedding's table.
    tied: bool,
    seen: HashMap<String, Digest>,
}

/// Of a tensor's bytes: equal where they are, and hardly otherwise.
#[derive(Default)]
struct Digest {
    state: u64,
    /// The last bytes, fewer than a word's.
    rest: Vec<u8>,
    len: u64,
}

impl Digest {
    fn push(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        let (filling, bytes) = match self.rest.len() {
            0 => (&[][..], bytes),
            some => bytes.split_at(bytes.len().min(8 - some)),
        };
        self.rest.extend_from_slice(filling);
        if self.rest.len() == 8 {
            let word = std::mem::take(&mut self.rest);
            self.words(&word);
        }
        let whole = bytes.len() / 8 * 8;
        self.words(&bytes[..whole]);
        self.rest.extend_from_slice(&bytes[whole..]);
    }

    fn words(&mut self, bytes: &[u8]) {
        for word in bytes.chunks_exact(8) {
            let word = u64::from_le_bytes(word.try_into().unwrap_or_default());
            self.state = (self.state ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
        }
    }

    fn result(&self) -> (u64, u64, &[u8]) {
        (self.len, self.state, &self.rest)
    }
}

fn is_head(slot: &TensorId) -> bool {
    slot.role == Role::Head && !slot.bias && slot.stack == 0
}

impl Copies {
    /// Has the plan take the head that a header names, whatever the configuration says of ties.
    pub fn untie(&mut self, plan: &mut ModelConfig, header: &Header) {
        let named = |tensor: &TensorInfo| plan.slots(&tensor.name).iter().any(is_head);
        let there = header.tensors.iter().any(named);
        if let Some(head) = plan.spec_mut().vocabulary_head_mut().filter(|head| head.tied && there) {
            (head.tied, self.tied) = (false, true);
        }
    }

    /// Whether a tensor is to be compared with others: a table that two stacks share, or a tied head and its table.
    pub fn compares(&self, plan: &ModelConfig, tensor: &TensorInfo) -> bool {
        let table = |slot: &TensorId| slot.role == Role::Embedding || is_head(slot);
        (self.tied || plan.spec().looks_across()) && plan.slots(&tensor.name).iter().any(table)
    }

    pub fn push(&mut self, tensor: &TensorInfo, bytes: &[u8]) {
        self.seen.entry(tensor.name.clone()).or_default().push(bytes);
    }

    /// Whether the head is the embedding's table after all. Error: unsupported-model where a table is there twice, and not
    /// the same.
    pub fn sync(&self, plan: &ModelConfig, header: &Header) -> Result<bool> {
        let of = |wanted: &dyn Fn(&TensorId) -> bool| -> Vec<&TensorInfo> {
            let tensors = header.tensors.iter().filter(|tensor| self.seen.contains_key(&tensor.name));
            tensors.filter(|tensor| plan.slots(&tensor.name).iter().any(wanted)).collect()
        };
        let same =
            |a: &TensorInfo, b: &TensorInfo| a.ty == b.ty && self.seen[&a.name].result() == self.seen[&b.name].result();
        let tables = of(&|slot| slot.role == Role::Embedding);
        if let Some(other) = tables.iter().skip(1).find(|table| !same(table, tables[0])) {
            let message = format!("is another table than {:?}: one for all is supported", tables[0].name);
            return Err(Error::unsupported(message).in_tensor(&other.name));
        }
        let heads = of(&is_head);
        Ok(self.tied && matches!((&heads[..], &tables[..]), ([head], [table, ..]) if same(head, table)))
    }
}
