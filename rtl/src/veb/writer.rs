//! From interleaved beats to frames in the packet buffer.

use super::{
    frame_memory,
    parser::{HeaderBeat, parser},
    types::{Chain, Frame},
};
use crate::{
    config::{CELL_BEATS, Config, MAX_FRAME},
    frame::Beat,
    prim::Routed,
};
use hdl::*;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct WriterIo {
    /// Beats with the ports that they came in at, in any mix.
    #[input]
    #[ty(Stream::ty(Routed::ty(config.ports(), Beat::ty(config.bytes))))]
    pub beats: Stream<Routed<Beat>>,
    /// Cells that are free to take.
    #[input]
    #[ty(Stream::ty(bits(config.cell_bits())))]
    pub free: Stream<Bits>,
    /// In the cycle before, no cell was free and none was on its way from the free list.
    #[input]
    pub exhausted: Bool,
    /// Data for the packet buffer.
    #[output]
    #[ty(Valid::ty(DataWrite::ty(config)))]
    pub data: Valid<DataWrite>,
    /// A frame goes on in another cell.
    #[output]
    #[ty(Valid::ty(Link::ty(config)))]
    pub link: Valid<Link>,
    /// Frames that are complete, good or bad.
    #[output]
    #[ty(Stream::ty(Frame::ty(config)))]
    pub frame: Stream<Frame>,
}

/// A beat for the packet buffer.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct DataWrite {
    /// Cell and beat in the cell.
    #[ty(bits(config.cell_bits() + clog2(CELL_BEATS)))]
    pub address: Bits,
    #[ty(bits(8 * config.bytes))]
    pub data: Bits,
    /// The beat is behind the place of a tag.
    pub body: Bool,
}

/// `next` follows `cell` in a frame.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct Link {
    #[ty(bits(config.cell_bits()))]
    pub cell: Bits,
    #[ty(bits(config.cell_bits()))]
    pub next: Bits,
}

/// What is known of a port's frame while its beats come in.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Progress {
    /// Its cells so far; the tail is being filled.
    #[ty(Chain::ty(config))]
    chain: Chain,
    /// Where the next beat goes in the tail.
    #[ty(bits(clog2(CELL_BEATS)))]
    offset: Bits,
    /// The tail is full, and the next beat is to be stored.
    wants_cell: Bool,
    length: U<14>,
    /// The length is beyond the limit, and the rest is not stored.
    overlong: Bool,
    /// Beats so far, as far as they can hold bytes of the header.
    #[ty(bits(2))]
    number: Bits,
    /// There was no cell for some part: the rest of the frame is not stored.
    broken: Bool,
}

/// A frame whose last beat has come.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Ended {
    #[ty(bits(config.port_bits()))]
    port: Bits,
    error: Bool,
    broken: Bool,
    length: U<14>,
    #[ty(Chain::ty(config))]
    chain: Chain,
}

/// Stores the beats of all ports' frames in cells of the packet buffer, each port's frame in a chain of its own, and
/// hands each frame on, good or bad, with its header, when it is complete.
///
/// ```text
///  beats ──► progress of the port ──► data, link ──► packet buffer
///              (distributed RAM)  └──► ended ──┬──► frame
///  beats ──► parser ───────────────────────────┘
/// ```
///
/// Takes a beat in each cycle. It stalls only while no free cell is on hand but some are listed, while a frame waits for
/// `frame.ready`, and never because the packet buffer is full: a frame that finds no cell is broken off and handed on
/// as `broken`. Latency from the last beat to `frame`: 1 cycle. `beats.ready` and `free.ready` are
/// combinational; `frame` comes from a register through the parser's distributed RAM.
#[hdl]
pub fn writer(config: &Config) -> WriterIo {
    let name = format!("veb_writer_{}x{}_{}", config.ports(), 8 * config.bytes, config.cells);
    module(name, WriterIo::ty(config), |io| {
        let Routed { port, beat } = io.beats.payload;

        let fits = beat.count.ne(0) & beat.count.le(config.bytes);
        let is_full = beat.count.eq(config.bytes);
        assume(!io.beats.valid | (fits & (beat.last | is_full)), "a beat is full unless it is the last");

        // Where the frame of this beat's port stands; all zero before its first beat.
        let progress = mem(Progress::ty(config), config.ports().next_power_of_two(), Collision::Undefined);
        /// A port is within a frame.
        let started = reg(vec![flag(); config.ports()]);
        let within = select(&started, port);
        let held = progress.peek(port);
        let before = within.mux(held, held.zero());

        let store = !before.overlong & !before.broken;
        let needs_cell = !within | held.wants_cell;
        let gets_cell = needs_cell & io.free.valid;
        let cell = needs_cell.mux(io.free.payload, before.chain.tail);

        /// A frame that waits to be taken.
        let ended_valid = reg(flag());
        let ended = reg_without_reset(Ended::ty(config));
        let ended_stays = ended_valid & !io.frame.ready;
        // The waiting frame's header is still in the parser: no beat of its port may overwrite it.
        let in_header = before.number.lt(config.header_beats());
        let overwrites_header = ended_stays & in_header & ended.port.eq(port);
        let waits_for_cell = needs_cell & !io.free.valid & !io.exhausted;
        let ready = !(waits_for_cell | overwrites_header | (beat.last & ended_stays));
        io.beats.ready.set(ready);
        let fire = io.beats.fire();
        io.free.ready.set(needs_cell & io.beats.valid & ready);

        // A cycle later: the way to the packet buffer's RAMs is long.
        io.data.valid.set(delay(fire & store & (!needs_cell | io.free.valid)));
        let address = cat([cell, before.offset]);
        let body = before.number.ge(frame_memory::BODY.div_ceil(config.bytes));
        io.data.payload.set(delay_without_reset(DataWrite { address, data: beat.data, body }));
        io.link.valid.set(delay(fire & gets_cell & within));
        let link = Link { cell: before.chain.tail, next: io.free.payload };
        io.link.payload.set(delay_without_reset(link));

        let cells = before.chain.cells + gets_cell.bits().zext(config.cell_count_bits());
        let broken = before.broken | (needs_cell & !io.free.valid);
        let sum = before.length.wide_add(beat.count.zext(14));
        let length = sum.bit(14).mux(lit((1 << 14) - 1, 14), sum.trunc(14)).as_u();
        // A beat late: what is stored beyond the limit is freed with the rest.
        let overlong = before.overlong | before.length.gt(MAX_FRAME);
        let chain = Chain {
            head: within.mux(held.chain.head, io.free.payload),
            tail: gets_cell.mux(io.free.payload, before.chain.tail),
            cells,
        };
        let number = in_header.mux(before.number + 1, before.number);
        when(fire, || {
            let wants_cell = before.offset.all() & !overlong & !broken;
            let offset = before.offset + 1;
            let after = Progress { chain, offset, wants_cell, length, overlong, number, broken };
            progress.write(port, after);
            set_at(&started, port, !beat.last);
        });

        when(!ended_stays, || {
            ended_valid.set(fire & beat.last);
            ended.set(Ended { port, error: beat.error, broken, length, chain });
        });

        let parser = parser(config);
        parser.beat.valid.set(fire & in_header);
        parser.beat.payload.set(HeaderBeat { port, number: before.number, data: beat.data });
        parser.port.set(ended.port);

        io.frame.valid.set(ended_valid);
        let header = parser.header;
        let Ended { port, error, broken, length, chain } = ended;
        io.frame.payload.set(Frame { port, error, broken, length, chain, header });
        io.frame.assert_stable();
    })
}
