//! Where words and signs are in 64 bytes.

use super::{KINDS, has};

/// What is looked at together.
pub(super) const BLOCK: usize = 64;

/// A bit for each byte of a block.
#[derive(Clone, Copy)]
pub(super) struct Spots {
    /// Letters, digits, underscores.
    pub(super) words: u64,
    /// What is neither that, nor a blank or a comma, nor a letter beyond ASCII.
    pub(super) signs: u64,
    /// Blanks, commas, letters beyond ASCII.
    quiet: u64,
}

impl Spots {
    #[inline]
    pub(super) fn of(block: &[u8]) -> Self {
        let (mut words, mut signs) = (0, 0);
        for (half, bytes) in block.chunks(BLOCK / 2).enumerate() {
            // Both masks of 32 bytes in one number.
            let mut spots = 0_u64;
            for byte in bytes.iter().rev() {
                spots = spots << 1 | SPOTS[usize::from(*byte)];
            }
            words |= (spots & u64::from(u32::MAX)) << (32 * half);
            signs |= spots >> 32 << (32 * half);
        }
        let all = u64::MAX >> (BLOCK - block.len());
        Self { words, signs, quiet: all & !(words | signs) }
    }

    /// What stands beside a sign, with a blank between them, or two: bytes after one, where a word may begin, and bytes before
    /// one, where a word may end. More blanks are a sign too. What stands before the block is known; behind it is another
    /// block, which is not, unless a word is cut there.
    #[inline]
    pub(super) fn beside(self, sign: bool, cut: u32) -> Beside {
        let Self { quiet, signs, .. } = self;
        let forward = |bits: u64| bits << 1 | u64::from(sign);
        let signs = signs | quiet & quiet << 1 & quiet >> 1;
        let (after, before) = (signs | quiet & forward(signs), signs | quiet & signs >> 1);
        let (after, before) = (after | quiet & forward(after), before | quiet & before >> 1);
        let edge = if cut == 0 { 0b111 << (BLOCK - 3) } else { 0 };
        Beside { begins: forward(after), ends: before >> 1 | edge, next: after >> (63 - cut) & 1 != 0 }
    }
}

/// Where words stand beside a sign.
pub(super) struct Beside {
    /// One may begin, after a sign.
    pub(super) begins: u64,
    /// One may end, before a sign.
    pub(super) ends: u64,
    /// The next block begins after a sign.
    pub(super) next: bool,
}

/// A byte's bit in `words` (the first) or in `signs` (the 33rd).
static SPOTS: [u64; 256] = spots();

const fn spots() -> [u64; 256] {
    let mut spots = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        spots[byte] = match KINDS[byte] {
            0 => 0,
            has::WORD => 1,
            _ => 1 << 32,
        };
        byte += 1;
    }
    spots
}
