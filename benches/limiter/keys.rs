//! The keys that are checked, and in which order.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "statistics, on numbers far below 2^52"
)]

use std::{
    hash::Hash,
    net::{IpAddr, Ipv4Addr},
};

pub(crate) trait Key: Hash + Eq + Clone + Send + Sync + 'static {
    const NAME: &'static str;
    fn make(number: u64) -> Self;
}

impl Key for u64 {
    const NAME: &'static str = "u64";
    fn make(number: u64) -> Self {
        mix(number)
    }
}

impl Key for IpAddr {
    const NAME: &'static str = "IpAddr";
    fn make(number: u64) -> Self {
        let spread = number.wrapping_mul(0x9e37_79b1) & 0xffff_ffff;
        Self::V4(Ipv4Addr::from_bits(spread as u32))
    }
}

/// 24 bytes each.
impl Key for String {
    const NAME: &'static str = "String";
    fn make(number: u64) -> Self {
        format!("user:{:019}", mix(number) >> 4)
    }
}

/// A fixed pseudo-random permutation of 64-bit numbers.
pub(crate) fn mix(number: u64) -> u64 {
    let x = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// So many of the first `keys` keys, each alike or by Zipf's law with exponent one.
pub(crate) fn draw<K: Key>(keys: u64, zipf: bool, count: usize) -> Vec<K> {
    let number = |i| {
        let random = mix(i ^ 0x5eed);
        if !zipf {
            return random % keys;
        }
        let uniform = (random >> 11) as f64 / (1_u64 << 53) as f64;
        ((((keys + 1) as f64).ln() * uniform).exp() as u64 - 1).min(keys - 1)
    };
    (0..count as u64).map(number).map(K::make).collect()
}
