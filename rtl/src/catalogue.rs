//! What can be built: a list of blocks at the points of their parameter grids. Tools and tests that treat all
//! hardware alike (equivalence of the simulators, lint, synthesis, benchmarks) go through it.

use hdl::{Data, Design, Errors, elaborate};
use std::fmt;

/// A block with all its parameters fixed.
pub struct Block {
    /// Unique in its catalogue; the parameters are part of it.
    pub name: String,
    /// Elaborates the block as a top.
    pub build: Box<dyn Fn() -> Result<Design, Errors>>,
}

impl Block {
    /// A block that `generator` describes.
    pub fn new<Io: Data>(name: impl Into<String>, generator: impl Fn() -> Io + 'static) -> Block {
        Block { name: name.into(), build: Box::new(move || Ok(elaborate(&generator)?.design)) }
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Block").field(&self.name).finish()
    }
}
