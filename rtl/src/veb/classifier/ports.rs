//! The ports of the block.

use crate::{
    config::Config,
    pcie::configuration::function_bits,
    veb::{
        filters::FilterChange,
        policy::Wishes,
        rows::{RowRequest, RowResponse},
        types::{Decision, Forced, Frame},
    },
};
use hdl::*;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct ClassifierIo {
    #[input]
    #[ty(Stream::ty(Frame::ty(config)))]
    pub frame: Stream<Frame>,
    /// One for each of the manager's frames, in their order, and there before the frame.
    #[input]
    #[ty(Stream::ty(Forced::ty(config)))]
    pub forced: Stream<Forced>,
    #[output]
    #[ty(Stream::ty(Decision::ty(config)))]
    pub decision: Stream<Decision>,
    #[input]
    #[ty(vec![Wishes::ty(); config.ports()])]
    pub wishes: Vec<Wishes>,
    /// Ports whose wish for all unicast frames counts, as their rows say.
    #[output]
    #[ty(bits(config.ports()))]
    pub may_unicast: Bits,
    /// Likewise of multicast frames.
    #[output]
    #[ty(bits(config.ports()))]
    pub may_multicast: Bits,
    /// Changes of the functions' filters. No frame waits for them: each sees all of a change or nothing.
    #[input]
    #[ty(Stream::ty(FilterChange::ty(config)))]
    pub filter: Stream<FilterChange>,
    /// Clears the filters of a function; taken when that is done.
    #[input]
    #[ty(Stream::ty(bits(function_bits(config))))]
    pub forget: Stream<Bits>,
    /// Commands for the tables PORT, VLAN, MULTICAST, MAC, MIRROR and ETHERTYPE; others must not come here.
    #[input]
    pub row: Stream<RowRequest>,
    /// The answer, one for each.
    #[output]
    pub row_response: Valid<RowResponse>,
    /// Whoever else has something to clear after reset has done it; no frame is taken before.
    #[input]
    pub others_clear: Bool,
    /// All of that and the tables have been cleared.
    #[output]
    pub clear: Bool,
}
