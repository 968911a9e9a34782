//! Images as tokens: patches, after the class token and its like.

use crate::device::Patching;
use serde::Serialize;

/// An image's patches after the class token and its like, each with a learned position.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Patches {
    pub channels: usize,
    /// Height and width of the images that the positions were learned on, in pixels.
    pub image: [usize; 2],
    /// Height and width of a patch.
    pub patch: [usize; 2],
    pub bias: bool,
    pub class_token: bool,
    /// DeiT's second class token.
    pub distillation_token: bool,
    /// Register tokens, which have no position.
    pub registers: usize,
    /// Positions for smaller images are averaged over more of the learned ones.
    pub antialiased_positions: bool,
}

impl Patches {
    /// Patches alone, without a bias.
    pub fn plain(channels: usize, image: [usize; 2], patch: [usize; 2]) -> Self {
        Self {
            channels,
            image,
            patch,
            bias: false,
            class_token: false,
            distillation_token: false,
            registers: 0,
            antialiased_positions: false,
        }
    }

    /// Tokens before the patches.
    pub fn before(&self) -> usize {
        usize::from(self.class_token) + usize::from(self.distillation_token) + self.registers
    }

    /// How images of some size are cut.
    pub fn patching(&self, height: usize, width: usize) -> Patching {
        let (channels, patch) = (self.channels, self.patch);
        // Kernels take four values at a time.
        let columns = (channels * patch[0] * patch[1]).next_multiple_of(4);
        Patching { channels, height, width, patch, before: self.before(), columns }
    }
}
