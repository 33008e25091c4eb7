//! The ports of the block.

use crate::{
    config::Config,
    dma::{Command, Outcome, ReadBeat},
    frame::Beat,
    pcie::configuration::function_bits,
    veb::{
        filters::FilterChange,
        policy::Wishes,
        rows::{RowRequest, RowResponse},
    },
    virtio::{
        queues::{Queue, queue_count},
        registers::OwnAddress,
        types::{Descriptor, Fault, Lookup, Used},
    },
};
use hdl::*;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct ControlIo {
    /// Queues in which a whole buffer waits, or which are full of one; as they are when the last part of a buffer is `popped`.
    #[input]
    #[ty(bits(queue_count(config)))]
    pub chains: Bits,
    #[output]
    #[ty(Stream::ty(Queue::ty(config)))]
    pub pop: Stream<Queue>,
    #[input]
    #[ty(Valid::ty(Descriptor::ty(config)))]
    pub popped: Valid<Descriptor>,
    /// Asks for the mode of a function: what commands its driver may give.
    #[output]
    #[ty(Valid::ty(Lookup::ty(config)))]
    pub lookup: Valid<Lookup>,
    /// Two cycles later.
    #[input]
    pub found: U<32>,
    /// Functions with DRIVER_OK. What a driver has set is gone when the bit falls.
    #[input]
    #[ty(bits(config.functions()))]
    pub driver_ok: Bits,
    #[output]
    #[ty(Stream::ty(Command::ty(config)))]
    pub read: Stream<Command>,
    /// Always taken.
    #[input]
    #[ty(Stream::ty(ReadBeat::ty(config.bytes)))]
    pub read_data: Stream<ReadBeat>,
    #[output]
    #[ty(Stream::ty(Command::ty(config)))]
    pub write: Stream<Command>,
    #[output]
    #[ty(Stream::ty(Beat::ty(config.bytes)))]
    pub write_data: Stream<Beat>,
    #[input]
    pub written: Valid<Enum<Outcome>>,
    #[output]
    #[ty(Stream::ty(Used::ty(config)))]
    pub used: Stream<Used>,
    #[output]
    #[ty(Stream::ty(Fault::ty(config)))]
    pub fault: Stream<Fault>,
    #[input]
    #[ty(Stream::ty(Queue::ty(config)))]
    pub drain: Stream<Queue>,
    /// Functions that may have addresses beside the one that the manager gave.
    #[input]
    #[ty(bits(config.functions()))]
    pub may_address: Bits,
    /// Functions whose wish for all unicast frames counts; of their rows in the bridge.
    #[input]
    #[ty(bits(config.functions()))]
    pub may_unicast: Bits,
    /// Likewise of multicast frames.
    #[input]
    #[ty(bits(config.functions()))]
    pub may_multicast: Bits,
    /// What each function wants of the bridge.
    #[output]
    #[ty(vec![Wishes::ty(); config.functions()])]
    pub wishes: Vec<Wishes>,
    /// Pairs of each function that are in use, less one.
    #[output]
    #[ty(bits(2 * config.functions()))]
    pub pairs: Bits,
    /// The driver of this function has announced itself.
    #[output]
    #[ty(Valid::ty(bits(function_bits(config))))]
    pub announced: Valid<Bits>,
    /// The driver has set its address.
    #[output]
    #[ty(Valid::ty(OwnAddress::ty(config)))]
    pub mac: Valid<OwnAddress>,
    /// Operations on the bridge's table of addresses, and reads of VLAN rows.
    #[output]
    pub row: Stream<RowRequest>,
    #[input]
    pub row_response: Valid<RowResponse>,
    /// To the function's filters in the bridge.
    #[output]
    #[ty(Stream::ty(FilterChange::ty(config)))]
    pub filter: Stream<FilterChange>,
    /// Clears all filters of a function; taken when that is done.
    #[output]
    #[ty(Stream::ty(bits(function_bits(config))))]
    pub forget: Stream<Bits>,
}
