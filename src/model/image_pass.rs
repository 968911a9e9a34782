//! Images of one size on their way into a model: pixels, patches, and what their tokens begin with.

use super::forward::Entering;
use super::pooling::Extent;
use crate::device::{Device, Patching, Span};

/// What as many images of one size need before the first block.
pub struct ImagePass<D: Device> {
    pub patching: Patching,
    pub images: usize,
    /// [images, channels, height, width]
    pub pixels: D::Buffer,
    /// [images, tokens, columns of a patch]
    pub patches: D::Buffer,
    /// What every image's tokens begin with, [tokens, width].
    pub table: D::Buffer,
}

impl<D: Device> ImagePass<D> {
    /// What enters a pass over so many of the images whose pixels are there.
    pub fn enter(&mut self, device: &mut D, images: usize) -> Entering<'_, D> {
        device.patches(&self.pixels, images, &self.patching, &mut self.patches);
        Entering::Patches { patches: &self.patches, table: &self.table }
    }

    /// Each image's rows: a class token and its like stand before the patches.
    pub fn extents(&self, images: usize) -> Vec<Extent<'static>> {
        let (tokens, before) = (self.patching.tokens(), self.patching.before);
        let extent = |image: usize| {
            let row = image * tokens;
            Extent { span: Span::new(row, tokens, 0, image), ids: &[], first: row, content: row + before }
        };
        (0..images).map(extent).collect()
    }
}
