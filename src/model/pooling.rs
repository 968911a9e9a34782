//! From the hidden states of a sequence's tokens to what a head reads of them.

use super::spec::Pooling;
use crate::device::Span;
use std::ops::Range;

/// A sequence's rows in a pass, and which of them count.
pub struct Extent<'a> {
    pub span: Span,
    /// Of a text.
    pub ids: &'a [u32],
    /// The first row that counts: a prompt's do not.
    pub first: usize,
    /// The first row of what means are of: an image's patches come after its other tokens.
    pub content: usize,
}

impl Extent<'_> {
    fn end(&self) -> usize {
        self.span.row + self.span.len
    }

    /// The row of some token of a text.
    fn token(&self, pick: impl Fn(&[u32]) -> Option<usize>) -> usize {
        self.span.row + pick(self.ids).unwrap_or(0)
    }
}

impl Pooling {
    /// Whether it reads single rows: the others need not be computed to the end.
    pub fn is_of_single_rows(self) -> bool {
        use Pooling::*;
        matches!(self, ClassToken | BothTokens | Last | Token(_) | LargestToken)
    }

    /// Whether devices have no verb for it: see [`pooled`].
    pub fn is_computed_here(self) -> bool {
        use Pooling::*;
        matches!(self, Max | MeanSqrtLength | WeightedMean)
    }

    /// The rows that are read together: of each sequence; where both tokens are read, all first ones before all second
    /// ones; of the class token and the mean, both of each.
    pub fn runs(self, extents: &[Extent]) -> Vec<Range<usize>> {
        let one = |row: usize| row..row + 1;
        let firsts = |after: usize| extents.iter().map(move |extent| one(extent.first + after));
        let of_each = |row: &dyn Fn(&Extent) -> usize| extents.iter().map(|extent| one(row(extent))).collect();
        match self {
            Pooling::ClassToken => firsts(0).collect(),
            Pooling::BothTokens => firsts(0).chain(firsts(1)).collect(),
            Pooling::ClassTokenAndMean => {
                extents.iter().flat_map(|extent| [one(extent.first), extent.content..extent.end()]).collect()
            }
            Pooling::Last => of_each(&|extent| extent.end() - 1),
            Pooling::Token(end) => of_each(&|extent| extent.token(|ids| ids.iter().position(|id| *id == end))),
            // The first of the largest, as in the reference.
            Pooling::LargestToken => of_each(&|extent| {
                extent.token(|ids| (0..ids.len()).reduce(|best, at| if ids[at] > ids[best] { at } else { best }))
            }),
            Pooling::Mean | Pooling::Max | Pooling::MeanSqrtLength | Pooling::WeightedMean => {
                extents.iter().map(|extent| extent.content..extent.end()).collect()
            }
            Pooling::Each | Pooling::Attention => extents.iter().map(|extent| extent.span.row..extent.end()).collect(),
        }
    }
}

/// One vector of each run of `hidden`, [tokens, width], where devices have no verb for it. Places are counted from where
/// each sequence begins.
pub fn pooled(hidden: &[f32], width: usize, extents: &[Extent], runs: &[Range<usize>], pooling: Pooling) -> Vec<f32> {
    let mut vectors = Vec::with_capacity(runs.len() * width);
    for (extent, run) in extents.iter().zip(runs) {
        let largest = pooling == Pooling::Max;
        let mut values = vec![if largest { f32::NEG_INFINITY } else { 0.0 }; width];
        let mut total = 0.0;
        for row in run.clone() {
            let weight = if pooling == Pooling::WeightedMean { (row - extent.span.row + 1) as f32 } else { 1.0 };
            total += weight;
            for (value, hidden) in values.iter_mut().zip(&hidden[row * width..][..width]) {
                *value = if largest { value.max(*hidden) } else { *value + weight * hidden };
            }
        }
        let divisor = match pooling {
            Pooling::Max => 1.0,
            Pooling::MeanSqrtLength => total.sqrt(),
            _ => total,
        };
        vectors.extend(values.iter().map(|value| value / divisor));
    }
    vectors
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two texts of 4 and 3 tokens; of the second one's the first is a prompt's.
    fn extents() -> [Extent<'static>; 2] {
        [
            Extent { span: Span::new(0, 4, 0, 0), ids: &[5, 9, 7, 9], first: 0, content: 0 },
            Extent { span: Span::new(4, 3, 0, 1), ids: &[6, 7, 8], first: 5, content: 5 },
        ]
    }

    #[test]
    fn each_pooling_reads_its_rows() {
        for (pooling, expected) in [
            (Pooling::ClassToken, vec![0..1, 5..6]),
            (Pooling::BothTokens, vec![0..1, 5..6, 1..2, 6..7]),
            (Pooling::ClassTokenAndMean, vec![0..1, 0..4, 5..6, 5..7]),
            (Pooling::Mean, vec![0..4, 5..7]),
            (Pooling::Last, vec![3..4, 6..7]),
            (Pooling::Token(7), vec![2..3, 5..6]),
            // Of equal ones the first.
            (Pooling::LargestToken, vec![1..2, 6..7]),
            (Pooling::Each, vec![0..4, 4..7]),
        ] {
            let runs = pooling.runs(&extents());
            assert_eq!(runs, expected, "{pooling:?}");
            let single = runs.iter().all(|run| run.len() == 1);
            assert_eq!(pooling.is_of_single_rows(), single, "{pooling:?}");
        }
    }

    #[test]
    fn what_devices_have_no_verb_for_is_computed_of_the_rows_that_count() {
        let hidden = [1.0, -2.0, 3.0, 4.0, 100.0, 6.0, -7.0];
        for (pooling, expected) in [
            (Pooling::Max, [4.0, 6.0]),
            (Pooling::MeanSqrtLength, [6.0 / 2.0, -1.0 / 2f32.sqrt()]),
            // The second text's tokens that count are its second and third.
            (Pooling::WeightedMean, [(1.0 - 4.0 + 9.0 + 16.0) / 10.0, (2.0 * 6.0 - 3.0 * 7.0) / 5.0]),
        ] {
            assert!(pooling.is_computed_here());
            assert_eq!(pooled(&hidden, 1, &extents(), &pooling.runs(&extents()), pooling), expected, "{pooling:?}");
        }
    }
}
