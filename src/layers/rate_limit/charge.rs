//! What a request is charged, and what undoes it.

use smallvec::SmallVec;

use super::{
    limit::{Receipt, Standing},
    reservations::Reserved,
};

/// What a charge that was made is to be undone with.
#[derive(Debug)]
pub(super) enum Held {
    Charged(Receipt),
    Reserved(Reserved),
}

/// What a request is to be charged, mostly by one policy.
pub(super) type Charges = SmallVec<[Charge; 1]>;

/// A charge that a request is to bear, and what came of it.
#[derive(Debug)]
pub(super) struct Charge {
    pub(super) policy: usize,
    pub(super) tier: usize,
    pub(super) key: u64,
    /// Whether this is the charge on the network around the address; it follows that on the address.
    pub(super) is_around: bool,
    pub(super) cost: u32,
    pub(super) standing: Standing,
    pub(super) held: Option<Held>,
}

/// The key is missing, and the policy says to refuse then.
#[derive(Debug)]
pub(super) struct KeyIsMissing;
