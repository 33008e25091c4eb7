//! The standard cells: small blocks that everything else is made of.
//!
//! All streams obey one contract (see [`hdl::Stream`]): `valid` never waits for `ready`, and a beat stays until it has
//! moved. Outputs come from registers unless a block's page says that they are combinational. Widths, depths and
//! numbers of ports are Rust arguments; a value out of the documented range is an error of the elaboration.

mod arbiter;
mod async_fifo;
mod cam;
mod counter;
mod crc;
mod event_counters;
mod fifo;
mod grid;
mod packetiser;
mod register_slice;
mod skid_buffer;
mod stream_arbiter;
mod stream_demux;
mod synchronizer;
mod vectors;
mod width_converter;

pub use arbiter::{PriorityIo, RoundRobinIo, priority, round_robin};
pub use async_fifo::{AsyncFifoIo, async_fifo};
pub use cam::{CamIo, CamResult, CamWrite, cam};
pub use counter::{CounterIo, Overflow, counter};
pub use crc::{CrcIo, CrcParameters, ETHERNET, crc};
pub use event_counters::{EventCountersIo, event_counters};
pub use fifo::{DISTRIBUTED, FifoIo, fifo, fifo_capacity};
pub use grid::catalogue;
pub use packetiser::{DepacketiserIo, Packet, PacketiserIo, depacketiser, packetiser};
pub use register_slice::register_slice;
pub use skid_buffer::skid_buffer;
pub use stream_arbiter::{ArbiterIo, Policy, frame_arbiter, stream_arbiter};
pub use stream_demux::{DemuxIo, stream_demux};
pub use synchronizer::{ResetSynchronizerIo, SynchronizerIo, reset_synchronizer, synchronizer};
pub use vectors::{
    below, decode, encode, first_one, is_onehot, leading_one, onehot_select, popcount, xor_fold,
};
pub use width_converter::{WidthConverterIo, width_converter};

use hdl::*;

/// Ports of a stage in a stream.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(payload: T)]
pub struct PipeIo<T> {
    #[input]
    #[ty(Stream::ty(payload.clone()))]
    pub input: Stream<T>,
    #[output]
    #[ty(Stream::ty(payload))]
    pub output: Stream<T>,
}

/// A beat of any type with the number of a port: what an arbiter tells about where a beat came from, and a demultiplexer is
/// told about where it goes.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(ports: usize, beat: T)]
pub struct Routed<T> {
    /// 0 to the number of ports - 1.
    #[ty(bits(clog2(ports)))]
    pub port: Bits,
    #[ty(beat)]
    pub beat: T,
}
