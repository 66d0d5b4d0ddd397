//! The blocks of positions that `eventcore.position_blocks` reserves.

/// How many positions a value of `eventcore.position_blocks` stands for: its INCREMENT.
pub const BLOCK: i64 = 1024;

/// The last position of the block that was reserved last; 0 if there is none.
pub fn end_of_block(block: Option<i64>) -> i64 {
    block.map_or(0, |block| block.saturating_add(BLOCK - 1))
}
