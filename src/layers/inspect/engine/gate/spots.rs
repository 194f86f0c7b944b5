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

    /// Without so many bytes at the end, which may be signs for the word before them.
    #[inline]
    pub(super) fn cut(self, bytes: usize) -> Self {
        let (words, cut) = (self.words & u64::MAX >> bytes, self.words & !(u64::MAX >> bytes));
        Self { words, signs: self.signs | cut, ..self }
    }

    /// Where a word begins after a sign, and where one ends before it, with a blank between them, or two. More blanks are a sign
    /// too, and so is a block's edge.
    #[inline]
    pub(super) fn beside(self) -> (u64, u64) {
        let Self { quiet, signs, .. } = self;
        let signs = signs | quiet & quiet << 1 & quiet >> 1;
        let (after, before) = (quiet & signs << 1, quiet & signs >> 1);
        let (after, before) = (signs | after | quiet & after << 1, signs | before | quiet & before >> 1);
        (after << 1 | 0b111, before >> 1 | 0b111 << (BLOCK - 3))
    }
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
