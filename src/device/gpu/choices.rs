//! Ways of the main kernels between which no rule decides for every device: `tune.rs` measures them.

use serde::{Deserialize, Serialize};

/// What is chosen of each. Whatever it is, the products are the same but for the order of their sums, or for what halves
/// are rounded by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Choices {
    pub one_row: OneRow,
    pub many_rows: ManyRows,
}

/// How lanes share the products of one row of inputs (`shaders/lanes.wgsl`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OneRow {
    /// The workgroup fetches its inputs together; as many lanes a row as suit the device's subgroups.
    #[default]
    Staged,
    /// Each lane fetches its own, in workgroups of half as many threads.
    Apart,
    /// Twice as many lanes a row, where it is long enough.
    Wide,
    /// Both.
    WideApart,
}

impl OneRow {
    pub const ALL: [Self; 4] = [Self::Staged, Self::Apart, Self::Wide, Self::WideApart];

    pub fn is_apart(self) -> bool {
        matches!(self, Self::Apart | Self::WideApart)
    }

    pub fn is_wide(self) -> bool {
        matches!(self, Self::Wide | Self::WideApart)
    }
}

/// How large the tiles of products of many rows are, and of what (`shaders/matrix_matrix.wgsl`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ManyRows {
    /// As large as leaves 64 workgroups.
    #[default]
    Even,
    /// As leaves 16: for devices of few cores, or to which registers cost little.
    Large,
    /// As leaves 256: for devices of many cores, or to which registers cost much.
    Small,
    /// As leaves 64, of halves where weights can be halves, with sums in floats: where there is `shader-f16`.
    Halves,
}

impl ManyRows {
    pub const ALL: [Self; 4] = [Self::Even, Self::Large, Self::Small, Self::Halves];

    /// Workgroups that tiles should leave.
    pub fn groups(self) -> usize {
        match self {
            Self::Even | Self::Halves => 64,
            Self::Large => 16,
            Self::Small => 256,
        }
    }
}
