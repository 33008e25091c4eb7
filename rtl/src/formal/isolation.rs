//! What one function of the endpoint does, or is done to it, is not done by or to another.

mod addressing;
mod engines;
mod resets;
mod routing;

use super::Proof;

pub fn proofs() -> Vec<Proof> {
    let groups = [routing::proofs(), resets::proofs(), engines::proofs(), addressing::proofs()];
    groups.into_iter().flatten().collect()
}
