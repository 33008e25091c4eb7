//! The frame that the manager sends.

use super::{
    map::BUFFER,
    own::LENGTH_BITS,
    types::{Reply, Request},
};
use crate::{config::Config, frame::Beat, prim};
use hdl::*;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct SenderIo {
    /// An access to the buffer: only writes, and none while a frame is sent.
    #[input]
    pub ask: Bool,
    #[input]
    pub request: Request,
    #[output]
    pub reply: Valid<Reply>,
    /// The frame is to be sent: 1 byte at least, as long as the buffer at most. Not while one is sent.
    #[input]
    pub start: Valid<U<LENGTH_BITS>>,
    #[output]
    #[ty(Stream::ty(Beat::ty(config.bytes)))]
    pub send: Stream<Beat>,
    /// It has left.
    #[output]
    pub sent: Bool,
}

#[derive(HwEnum, Clone, Copy)]
enum State {
    Idle,
    /// The beat is read,
    Read,
    /// put down,
    Load,
    /// and waits to be taken.
    Offer,
}

/// Keeps a frame that is written word by word, and sends it, a beat in three cycles.
///
/// ```text
///  ask, request ─► buffer ─► beat ─► send
/// ```
#[hdl]
pub fn sender(config: &Config) -> SenderIo {
    module(format!("manager_sender_{}", config.bytes), SenderIo::ty(config), |io| {
        let bytes = config.bytes;
        let (words, beats) = (bytes / 4, BUFFER / bytes);
        let buffer = mem(bits(8 * bytes), beats, Collision::Undefined);
        let state = reg_enum(State::Idle);
        let idle = state.is(State::Idle);

        let offset = Bits::from(io.request.offset);
        let stores = io.ask & io.request.write & idle;
        let data = Bits::from(io.request.data).repeat(words);
        let lanes = prim::decode(offset.slice(2, clog2(words)), words);
        when(stores, || buffer.write_lanes(offset.slice(clog2(bytes), clog2(beats)), data, lanes));
        io.reply.valid.set(delay(io.ask));
        io.reply.payload.refused.set(delay_without_reset(!stores));
        io.reply.payload.data.set(0);

        let index = reg_without_reset(bits(clog2(beats)));
        /// Bytes that have not left.
        let left = reg_without_reset(bits(LENGTH_BITS));
        let beat = reg_without_reset(Beat::ty(bytes));
        let row = buffer.read(index);
        let is_last = left.le(bytes);
        let sent = reg(flag());
        sent.set(false);
        state.cases(|s| match s {
            State::Idle => {
                index.set(0);
                left.set(io.start.payload);
                when(io.start.valid, || state.set(State::Read));
            }
            State::Read => state.set(State::Load),
            State::Load => {
                let count = beat.count.width();
                beat.data.set(row);
                beat.count.set(is_last.mux(left.trunc(count), lit(bytes, count)));
                beat.last.set(is_last);
                beat.error.set(false);
                state.set(State::Offer);
            }
            State::Offer => {
                when(io.send.ready, || {
                    index.set(index + 1);
                    left.set(left - bytes);
                    sent.set(beat.last);
                    state.set(beat.last.mux(State::Idle.to_enum(), State::Read.to_enum()));
                });
            }
        });
        io.send.valid.set(state.is(State::Offer));
        io.send.payload.set(beat);
        io.send.assert_stable();
        io.sent.set(sent);
    })
}
