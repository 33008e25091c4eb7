//! What is known of a frame before its function gets it.

pub mod align;
pub mod packet;
pub mod toeplitz;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

use super::{FRAMES, LENGTH, STORE};
use crate::{config::Config, frame::Beat, pcie::configuration::function_bits, prim, prim::Routed};
use align::align;
use hdl::*;
use packet::{Flow, Sums, packet};

/// What is known of a frame.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct Verdict {
    /// Whose frame it is.
    #[ty(bits(function_bits(config)))]
    pub function: Bits,
    /// Its bytes.
    pub length: U<LENGTH>,
    /// Those behind the Ethernet header and its tags, with padding.
    pub body: U<LENGTH>,
    /// Its checksums are right: VIRTIO_NET_HDR_F_DATA_VALID may be said.
    pub valid: Bool,
    /// It has a hash.
    pub hashed: Bool,
    /// The hash, or 0.
    pub hash: U<32>,
}

#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct InspectIo {
    /// Frames of 14 bytes to [`MAX_FRAME`](crate::config::MAX_FRAME), without errors. Those of different functions do not mix.
    #[input]
    #[ty(Stream::ty(Routed::ty(config.functions(), Beat::ty(config.bytes))))]
    pub input: Stream<Routed<Beat>>,
    /// One for each frame, when it is whole.
    #[output]
    #[ty(Stream::ty(Verdict::ty(config)))]
    pub verdict: Stream<Verdict>,
    /// Frames whose verdicts have been taken.
    #[output]
    #[ty(Stream::ty(Beat::ty(config.bytes)))]
    pub frame: Stream<Beat>,
}

/// What the store knows of a frame.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Stored {
    #[ty(bits(function_bits(config)))]
    function: Bits,
    length: U<LENGTH>,
}

/// Keeps frames until they are whole, and tells whether their checksums are right, and which flow they belong to.
///
/// ```text
///  input ─┬─► align ─► packet ─┬─ hash ─► fifo ─┐
///         │                    └─ sums ─► fifo ─┼─► verdict
///         ├─► function, length ─────────► fifo ─┘      │ taken
///         └─► store ───────────────────────────────────┴─► frame
/// ```
///
/// The Ethernet header has up to two tags, with EtherTypes 8100 and 88A8. IP is what an EtherType and the version say, if the
/// packet's length is that of its header at least and within the frame; Ethernet's padding does not count. No extension header
/// of IPv6 is looked into.
///
/// **`valid`** is for packets that are no fragments of IP and carry TCP or UDP, with a header as long as the shortest one and a
/// checksum over all of the packet that is right; for IPv4, the checksum of its header is right too. A UDP length other than the
/// packet's is not taken for valid, and neither is a UDP checksum of 0, as nothing was checked then (RFC 768), or it is not
/// allowed (RFC 8200, 8.1). Whatever is not valid is for the driver to look at: nothing is said of it in the header
/// (virtio 5.1.6.4.1), and no frame is changed or dropped.
///
/// **`hash`** is the Toeplitz hash over source and destination address, and then source and destination port if the packet is
/// no fragment and carries TCP or UDP with at least the shortest header (VIRTIO_NET_HASH_TYPE_TCPv4, UDPv4, TCPv6, UDPv6; IPv4
/// and IPv6 for all else: virtio 5.1.6.4.3). The key is constant ([`toeplitz::KEY`]). What is not IP has none, and is 0.
///
/// # Timing
/// A beat in each cycle on either side, without a gap between frames. `verdict` comes 12 cycles after the last beat of its frame
/// (13 with more than 8 bytes). It runs ahead of `frame`, which is combinational behind registers: a beat of the store, and whether
/// its frame's verdict was taken. Up to 16 KiB wait, and 32 frames whose verdicts have not been taken.
#[hdl]
pub fn inspect(config: &Config) -> InspectIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    let name = format!("virtio_inspect_{}x{}", config.functions(), 8 * config.bytes);
    module(name, InspectIo::ty(config), |io| {
        let bytes = config.bytes;
        io.input.assume_stable();
        io.verdict.assert_stable();
        io.frame.assert_stable();
        let store = prim::fifo(Beat::ty(bytes), STORE / bytes);
        let stored = prim::fifo(Stored::ty(config), FRAMES);
        let flows = prim::fifo(Flow::ty(), FRAMES);
        let sums = prim::fifo(Sums::ty(), FRAMES);

        // In.
        /// Bytes of the frame that have come.
        let length = reg(bits(LENGTH));
        let Routed { port: function, beat } = io.input.payload;
        io.input.ready.set(store.enq.ready & stored.enq.ready);
        let moves = io.input.fire();
        let sum = length + beat.count.zext(LENGTH);
        when(moves, || length.set(beat.last.mux(length.zero(), sum)));
        store.enq.valid.set(moves);
        store.enq.payload.set(beat);
        stored.enq.valid.set(moves & beat.last);
        stored.enq.payload.set(Stored { function, length: sum.as_u() });

        // Looked at. What is known of a frame is less than what is stored, so that there is room for it.
        let align = align(bytes);
        let packet = packet(bytes);
        align.input.valid.set(moves);
        align.input.payload.set(beat);
        packet.input.connect(&align.output);
        flows.enq.valid.set(packet.flow.valid);
        flows.enq.payload.set(packet.flow.payload);
        sums.enq.valid.set(packet.sums.valid);
        sums.enq.payload.set(packet.sums.payload);
        assert(flows.enq.ready | !flows.enq.valid, "there is room for every hash");
        assert(sums.enq.ready | !sums.enq.valid, "there is room for every sum");

        // Out.
        let slice = prim::register_slice(Verdict::ty(config));
        io.verdict.connect(&slice.output);
        let is_known = stored.deq.valid & flows.deq.valid & sums.deq.valid;
        let leaves = is_known & slice.input.ready;
        for ready in [stored.deq.ready, flows.deq.ready, sums.deq.ready] {
            ready.set(leaves);
        }
        let (Stored { function, length }, flow) = (stored.deq.payload, flows.deq.payload);
        let right = sums.deq.payload;
        slice.input.valid.set(is_known);
        slice.input.payload.set(Verdict {
            function,
            length,
            body: flow.body,
            valid: flow.checked & right.segment & (right.header | !flow.ipv4),
            hashed: flow.hashed,
            hash: flow.hash,
        });

        /// Frames whose verdicts were taken, and that have not left.
        let granted = reg(bits(clog2(prim::fifo_capacity(STORE / bytes) + 1)));
        let is_granted = reg(flag());
        let beat = store.deq.payload;
        io.frame.valid.set(store.deq.valid & is_granted);
        io.frame.payload.set(beat);
        store.deq.ready.set(io.frame.ready & is_granted);
        let (taken, left) = (io.verdict.fire(), io.frame.fire() & beat.last);
        let step = taken.mux(lit(1, granted.width()), !granted.zero());
        when(taken ^ left, || {
            granted.set(granted + step);
            is_granted.set(taken | granted.ne(1));
        });
    })
}
