//! Frames of clients, moved up so that they begin where their address lies within a word.

use crate::{dma::LENGTH_BITS, frame::Beat, prim};
use hdl::*;

/// A frame that is to be taken.
#[derive(Bundle, Clone, Copy)]
#[ty(clients: usize)]
pub(super) struct Job {
    #[ty(bits(clog2(clients)))]
    pub client: Bits,
    /// Bytes to move up by.
    pub offset: U<2>,
    /// In bytes; with 0 there is no frame, and one beat comes out.
    pub length: U<LENGTH_BITS>,
}

/// A beat of whole words. Every beat but the last is full.
#[derive(Bundle, Clone, Copy)]
#[ty(bytes: usize)]
pub(super) struct Aligned {
    #[ty(bits(8 * bytes))]
    pub data: Bits,
    /// The frame is not to be trusted; means something in its last beat.
    pub bad: Bool,
}

#[derive(Bundle, Clone)]
#[ty(bytes: usize, clients: usize)]
pub(super) struct AlignerIo {
    #[input]
    #[ty(Stream::ty(Job::ty(clients)))]
    pub job: Stream<Job>,
    #[input]
    #[ty(vec![Stream::ty(Beat::ty(bytes)); clients])]
    pub data: Vec<Stream<Beat>>,
    #[output]
    #[ty(Stream::ty(Aligned::ty(bytes)))]
    pub aligned: Stream<Aligned>,
}

/// What is to be known of a frame.
#[derive(Bundle, Clone, Copy)]
#[ty(bytes: usize, clients: usize)]
struct Frame {
    /// The client, one-hot.
    #[ty(bits(clients))]
    owner: Bits,
    #[ty(bits(2))]
    offset: Bits,
    /// Beats to come.
    #[ty(bits(LENGTH_BITS + 1 - clog2(bytes)))]
    left: Bits,
    /// Bytes in its last beat, less one.
    #[ty(bits(clog2(bytes)))]
    surplus: Bits,
    /// Bytes are moved out of its last beat.
    spills: Bool,
    /// It has no bytes, and does not come.
    is_empty: Bool,
}

#[derive(HwEnum, Clone, Copy)]
enum State {
    Idle,
    /// Beats of the frame are taken.
    Take,
    /// The bytes that were moved out of its last beat leave.
    Flush,
    /// The frame is too long: the rest of it is thrown away.
    Drain,
}

/// The highest bytes of a beat: as many as may be moved out of it.
const TAIL: usize = 3;

/// Takes the frames of jobs in their order.
///
/// ```text
///  data[client] ─┬──────────► 4:1 for each byte ─► register ─► aligned
///                └─► [tail] ─►
/// ```
///
/// The bytes before the first one are 0. A frame that is too short is filled up with zeros (its last beat is taken as it
/// is), one that is too long is cut; both are `bad`, like one with an error.
///
/// A beat in each cycle, and one for bytes that were moved out of the last one; a frame takes two cycles at least. `data[..].ready`
/// is combinational in `aligned.ready`.
#[hdl]
pub(super) fn aligner(bytes: usize, clients: usize) -> AlignerIo {
    module(format!("dma_aligner_{clients}x{bytes}"), AlignerIo::ty(bytes, clients), |io| {
        io.data.iter().for_each(Stream::assume_stable);
        io.aligned.assert_stable();
        let lane_bits = clog2(bytes);
        let state = reg_enum(State::Idle);
        let frame = reg_without_reset(Frame::ty(bytes, clients));
        let Frame { owner, offset, left, surplus, spills, .. } = frame;
        /// `left` is 1.
        let is_final = reg_without_reset(flag());
        /// Its last beat has been taken.
        let ended = reg_without_reset(flag());
        let bad = reg_without_reset(flag());
        let tail = reg_without_reset(bits(8 * TAIL));

        let room = wire(flag());
        let (takes, flushes, drains) =
            (state.is(State::Take), state.is(State::Flush), state.is(State::Drain));
        let beats: Vec<Beat> = io.data.iter().map(|stream| stream.payload).collect();
        let beat = prim::onehot_select(&beats, owner);
        let offered = (vector(io.data.iter().map(|stream| stream.valid)) & owner).any();
        let pulls = (takes & !ended & room) | drains;
        for (stream, own) in io.data.iter().zip(owner.to_bools()) {
            stream.ready.set(own & pulls);
        }
        let taken = takes & room & (ended | offered);
        let moves = taken | (flushes & room);

        // What leaves.
        let new = (takes & !ended).mux(beat.data, beat.data.zero());
        let lanes: Vec<Bits> = [tail.chunks(8), new.chunks(8)].concat();
        let moved = (0..bytes).map(|lane| {
            let options: Vec<Bits> = (0..4).map(|distance| lanes[TAIL + lane - distance]).collect();
            select(&options, offset)
        });
        let moved: Vec<Bits> = moved.collect();
        let count = (surplus.zext(beat.count.width()) + 1).eq(beat.count);
        let fits = is_final.mux(beat.last & count, !beat.last);
        let is_bad = bad | (takes & (ended | !fits | (beat.last & beat.error)));
        let holding = reg_flag(false);
        let held = reg_without_reset(Aligned::ty(bytes));
        room.set(!holding | io.aligned.ready);
        when(room, || {
            holding.set(moves);
            held.set(Aligned { data: cat(moved.into_iter().rev()), bad: is_bad });
        });
        io.aligned.valid.set(holding);
        io.aligned.payload.set(held);
        assume(!taken | (!ended & fits), "a frame has the length of its command");

        // What comes next.
        let has_ended = ended | (takes & beat.last);
        let finishes = (taken & is_final & !spills & has_ended)
            | (flushes & room & ended)
            | (drains & offered & beat.last);
        when(taken, || {
            left.set(left - 1);
            is_final.set(left.eq(2));
            tail.set(new.slice(8 * (bytes - TAIL), 8 * TAIL));
            ended.set(has_ended);
            bad.set(is_bad);
            when(is_final, || state.set(spills.mux(State::Flush.to_enum(), State::Drain.to_enum())));
        });
        when(flushes & room, || state.set(State::Drain));
        let has_next = reg_flag(false);
        let next = reg_without_reset(frame);
        when(finishes | state.is(State::Idle), || {
            frame.set(next);
            is_final.set(next.left.eq(1));
            ended.set(next.is_empty);
            bad.set(false);
            tail.set(tail.zero());
            state.set(State::Idle);
            has_next.set(false);
            when(has_next, || {
                state.set(next.is_empty.mux(State::Flush.to_enum(), State::Take.to_enum()));
            });
        });
        io.job.ready.set(!has_next);
        when(io.job.fire(), || {
            let Job { client, offset: distance, length } = io.job.payload;
            let (distance, length) = (Bits::from(distance), Bits::from(length));
            let padded = length.wide_add(lit(bytes - 1, LENGTH_BITS));
            let last_lane = padded.trunc(lane_bits);
            has_next.set(true);
            next.set(Frame {
                owner: prim::decode(client, clients),
                offset: distance,
                left: padded.slice(lane_bits, left.width()),
                surplus: last_lane,
                spills: last_lane.wide_add(distance.zext(lane_bits)).bit(lane_bits),
                is_empty: !length.any(),
            });
        });
    })
}
