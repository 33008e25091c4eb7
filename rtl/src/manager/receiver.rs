//! The frame that the manager received.

use super::{
    FRAME,
    map::BUFFER,
    own::LENGTH_BITS,
    types::{Reply, Request},
};
use crate::{config::Config, frame::Beat};
use hdl::*;

/// What there is.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct Received {
    /// A frame is kept.
    pub kept: Bool,
    /// Of the frame, in bytes.
    pub length: U<LENGTH_BITS>,
    /// Where it came in.
    #[ty(bits(config.port_bits()))]
    pub source: Bits,
    /// Frames that were lost; wraps.
    pub lost: U<32>,
    /// A frame has come and is kept.
    pub comes: Bool,
    /// One was lost.
    pub loses: Bool,
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct ReceiverIo {
    /// An access to the buffer: only reads, and only while a frame is kept. What is behind its end means nothing.
    #[input]
    pub ask: Bool,
    #[input]
    pub request: Request,
    #[output]
    pub reply: Valid<Reply>,
    /// Always taken.
    #[input]
    #[ty(Stream::ty(Beat::ty(config.bytes)))]
    pub receive: Stream<Beat>,
    /// Of the frame, with each beat.
    #[input]
    #[ty(bits(config.port_bits()))]
    pub source: Bits,
    /// The frame is not wanted any more.
    #[input]
    pub releases: Bool,
    #[output]
    #[ty(Received::ty(config))]
    pub received: Received,
}

/// Keeps a frame until it is released. Frames that begin meanwhile are lost, and so are those that are too long or have an error.
///
/// ```text
///  receive ─► buffer ─► reply
///     └─────► received
/// ```
///
/// The bridge never waits. A read is answered three cycles later.
#[hdl]
pub fn receiver(config: &Config) -> ReceiverIo {
    let name = format!("manager_receiver_{}_{}", config.bytes, config.port_bits());
    module(name, ReceiverIo::ty(config), |io| {
        let bytes = config.bytes;
        let (words, beats) = (bytes / 4, BUFFER / bytes);
        let buffer = mem(bits(8 * bytes), beats, Collision::Undefined);
        io.receive.ready.set(true);
        let valid = delay(io.receive.valid);
        let beat = delay_without_reset(io.receive.payload);
        let source = delay_without_reset(io.source);

        /// A frame has begun,
        let inside = reg(flag());
        /// and is lost already.
        let losing = reg(flag());
        let kept = reg(flag());
        let index = reg(bits(clog2(beats)));
        /// Bytes so far.
        let length = reg(bits(LENGTH_BITS));
        let received = reg(Received::ty(config));
        let begins_lost = inside.mux(losing, kept);
        let total = length + beat.count.zext(LENGTH_BITS);
        let is_long = total.gt(FRAME);
        when(io.releases, || kept.set(false));
        let ends = valid & beat.last;
        let lost = begins_lost | is_long | beat.error;
        when(valid, || {
            inside.set(!beat.last);
            losing.set(begins_lost | is_long);
            index.set(beat.last.mux(index.zero(), index + 1));
            length.set(beat.last.mux(length.zero(), total));
            when(begins_lost, || {
                index.set(0);
                length.set(0);
            })
            .otherwise(|| buffer.write(index, beat.data));
        });
        received.comes.set(ends & !lost);
        received.loses.set(ends & lost);
        when(ends & !lost, || {
            kept.set(true);
            received.length.set(total.as_u());
            received.source.set(source);
        });
        when(received.loses, || received.lost.set(received.lost + 1));
        received.kept.set(kept);
        io.received.set(received);

        // The bus.
        let offset = Bits::from(io.request.offset);
        let row = buffer.read(offset.slice(clog2(bytes), clog2(beats)));
        let shown = delay_without_reset(row);
        io.reply.valid.set(delay(delay(delay(io.ask))));
        io.reply.payload.refused.set(delay_without_reset(io.request.write | !kept));
        let word = select(&shown.chunks(32), offset.slice(2, clog2(words)));
        io.reply.payload.data.set(delay_without_reset(word).as_u());
    })
}
