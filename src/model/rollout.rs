//! Where a model of images looked: the class token's attention over the patches.

use crate::error::{Error, Result};

/// Which attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rollout {
    /// None: rollout over all layers (<https://arxiv.org/abs/2005.00928>). Each layer passes on half of what it sees
    /// by its residual connection, so that is mixed in, and the layers are multiplied.
    pub layer: Option<usize>,
    /// None: the mean of all heads.
    pub head: Option<usize>,
}

impl Rollout {
    /// Error: invalid-argument for a layer or a head that the model does not have.
    pub fn check(&self, layers: usize, heads: usize) -> Result<()> {
        for (what, index, count) in [("layer", self.layer, layers), ("head", self.head, heads)] {
            if let Some(index) = index.filter(|index| *index >= count) {
                return Err(Error::invalid(format!("{what} {index}, expected 0 to {}", count - 1)));
            }
        }
        Ok(())
    }

    /// One head, or the mean, of a layer's weights [heads, tokens, tokens].
    pub fn of_heads(&self, map: &[f32], heads: usize) -> Vec<f32> {
        let len = map.len() / heads;
        if let Some(head) = self.head {
            return map[head * len..][..len].to_vec();
        }
        let mut mean = vec![0.0; len];
        for map in map.chunks_exact(len) {
            mean.iter_mut().zip(map).for_each(|(mean, weight)| *mean += weight / heads as f32);
        }
        mean
    }

    /// What the class token sees of the patches, which stand after `before` other tokens. `maps`: of the one layer, or
    /// of all in order, [tokens, tokens] each.
    pub fn over_patches(&self, maps: &[Vec<f32>], tokens: usize, before: usize) -> Vec<f32> {
        let mut seen = vec![0.0; tokens];
        seen[0] = 1.0;
        for map in maps.iter().rev() {
            let mut below = vec![0.0; tokens];
            for (weight, row) in seen.iter().zip(map.chunks_exact(tokens)) {
                below.iter_mut().zip(row).for_each(|(below, attention)| *below += weight * attention);
            }
            if self.layer.is_none() {
                below.iter_mut().zip(&seen).for_each(|(below, seen)| *below = (*below + seen) / 2.0);
            }
            seen = below;
        }
        seen.split_off(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two layers of a class token and two patches.
    fn maps() -> Vec<Vec<f32>> {
        vec![vec![0.2, 0.5, 0.3, 0.1, 0.8, 0.1, 0.0, 0.4, 0.6], vec![0.6, 0.1, 0.3, 0.2, 0.2, 0.6, 0.5, 0.5, 0.0]]
    }

    #[test]
    fn one_layer_is_the_class_tokens_row() {
        let rollout = Rollout { layer: Some(1), head: None };
        assert_eq!(rollout.over_patches(&maps()[1..], 3, 1), [0.1, 0.3]);
    }

    #[test]
    fn rollout_is_the_product_of_layers_with_their_residuals() {
        // (second + 1) / 2 · (first + 1) / 2, the first row: [0.8, 0.05, 0.15] · …
        let expected = [0.8 * 0.25 + 0.05 * 0.9 + 0.15 * 0.2, 0.8 * 0.15 + 0.05 * 0.05 + 0.15 * 0.8];
        let found = Rollout { layer: None, head: None }.over_patches(&maps(), 3, 1);
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found}, expected {expected}");
        }
    }

    #[test]
    fn a_head_is_taken_or_all_are_averaged() {
        let map = [1.0, 2.0, 3.0, 4.0, 3.0, 2.0, 1.0, 0.0];
        assert_eq!(Rollout { layer: None, head: Some(1) }.of_heads(&map, 2), [3.0, 2.0, 1.0, 0.0]);
        assert_eq!(Rollout { layer: None, head: None }.of_heads(&map, 2), [2.0; 4]);
    }
}
