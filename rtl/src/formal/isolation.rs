//! What one function of the endpoint does, or is done to it, is not done by or to another.

mod engines;
mod resets;
mod routing;

use super::Proof;

pub fn proofs() -> Vec<Proof> {
    [routing::proofs(), resets::proofs(), engines::proofs()].into_iter().flatten().collect()
}
