//! The blocks of positions that `eventcore.position_blocks` reserves.

/// How many positions one value of `eventcore.position_blocks` reserves: the INCREMENT of the
/// sequence.
pub const BLOCK: i64 = 1024;

/// The last position of the block that was reserved last; 0 if none was.
pub fn end_of_block(block: Option<i64>) -> i64 {
    block.map_or(0, |block| block.saturating_add(BLOCK - 1))
}
