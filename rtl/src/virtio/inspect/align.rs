//! Packets out of their frames.

use super::super::LENGTH;
use crate::frame::Beat;
use hdl::*;

/// A beat of what a frame carries behind its Ethernet header.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(bytes: usize)]
pub struct PacketBeat {
    /// The packet's first byte is in bits 7:0 of its first beat. What comes after the frame's end means nothing.
    #[ty(bits(8 * bytes))]
    pub data: Bits,
    /// Bytes of the packet are here. 0 only in the last beat of a frame that is too short for any.
    pub inside: Bool,
    /// The packet begins.
    pub first: Bool,
    /// The frame has ended.
    pub last: Bool,
    /// The EtherType is that of IPv4.
    pub ipv4: Bool,
    /// The EtherType is that of IPv6.
    pub ipv6: Bool,
    /// Bytes behind the Ethernet header, with padding. Counts in the last beat.
    #[ty(bits(LENGTH))]
    pub room: Bits,
}

#[derive(Bundle, Clone, Copy, Debug)]
#[ty(bytes: usize)]
pub struct AlignIo {
    /// Frames of at least 14 bytes.
    #[input]
    #[ty(Valid::ty(Beat::ty(bytes)))]
    pub input: Valid<Beat>,
    #[output]
    #[ty(Valid::ty(PacketBeat::ty(bytes)))]
    pub output: Valid<PacketBeat>,
}

/// What the two bytes at some place would mean as an EtherType.
#[derive(Bundle, Clone, Copy)]
struct Kind {
    tag: Bool,
    ipv4: Bool,
    ipv6: Bool,
}

/// Takes the Ethernet header, with up to two tags (EtherTypes 8100 and 88A8), off frames.
///
/// ```text
///  input ─► [now] ─► [previous] ─┐
///             └──────────────────┴► the bytes from the packet's place on ─► [output]
/// ```
///
/// The EtherType stands right before the packet, so that it is known when the packet begins. As a beat is left out for the
/// header, the last bytes of a frame take the cycle in which the next frame's first beat may come.
///
/// # Timing
/// A beat in each cycle; the last one leaves three cycles after the frame's.
#[hdl]
pub fn align(bytes: usize) -> AlignIo {
    require(matches!(bytes, 8 | 16 | 32), || format!("packets of beats of {bytes} bytes: 8, 16 or 32"));
    module(format!("virtio_inspect_align_{bytes}"), AlignIo::ty(bytes), |io| {
        /// Where the EtherType stands, without and with tags.
        const TYPES: [usize; 3] = [12, 16, 20];
        let beat = io.input.payload;
        /// The number of the next beat in its frame, up to 3.
        let number = reg(bits(2));
        when(io.input.valid, || {
            number.set(beat.last.mux(number.zero(), number.all().mux(number, number + 1)));
        });

        let comes = delay(io.input.valid);
        let now = delay_without_reset(beat);
        let now_number = delay_without_reset(number);
        let lanes = beat.data.chunks(8);
        let kinds = TYPES.map(|at| {
            let value = cat([lanes[at % bytes], lanes[at % bytes + 1]]);
            let tag = value.eq(0x8100) | value.eq(0x88a8);
            delay_without_reset(Kind { tag, ipv4: value.eq(0x0800), ipv6: value.eq(0x86dd) })
        });

        /// The last beat of a frame was there a cycle ago.
        let ends = delay(comes & now.last);
        let previous = reg_without_reset(bits(8 * bytes));
        let previous_number = reg_without_reset(bits(2));
        /// Bytes of the frame up to the previous beat.
        let length = reg_without_reset(bits(LENGTH));
        let is_tagged = reg_without_reset(flag());
        let has_two_tags = reg_without_reset(flag());
        let ipv4 = reg_without_reset(flag());
        let ipv6 = reg_without_reset(flag());
        let count = now.count.zext(LENGTH);
        let begins = now_number.eq(0);
        when(comes, || {
            previous.set(now.data);
            previous_number.set(now_number);
            length.set(begins.mux(count, length + count));
        });
        let is_beat_of = |at: usize| comes & now_number.eq(at / bytes);
        when(is_beat_of(TYPES[0]), || {
            is_tagged.set(kinds[0].tag);
            has_two_tags.set(false);
            ipv4.set(kinds[0].ipv4);
            ipv6.set(kinds[0].ipv6);
        });
        // With the widest beats, all of them are in the first one.
        let is_tagged_now = if TYPES[1] < bytes { kinds[0].tag } else { is_tagged };
        when(is_beat_of(TYPES[1]) & is_tagged_now, || {
            has_two_tags.set(kinds[1].tag);
            ipv4.set(kinds[1].tag.mux(kinds[2].ipv4, kinds[1].ipv4));
            ipv6.set(kinds[1].tag.mux(kinds[2].ipv6, kinds[1].ipv6));
        });

        // The packet begins behind the EtherType, in the previous beat.
        let by_tags = |f: &dyn Fn(usize) -> Bits| {
            let [none, one, two] = TYPES.map(|at| f(at + 2));
            has_two_tags.mux(two, is_tagged.mux(one, none))
        };
        let begins_in = by_tags(&|header| lit(header / bytes, 2));
        let window = cat([now.data, previous]);
        let header = by_tags(&|header| lit(header, LENGTH));
        let inside = previous_number.ge(begins_in);
        let moves = ends | (comes & !begins);
        io.output.valid.set(delay(moves & (inside | ends)));
        io.output.payload.set(delay_without_reset(PacketBeat {
            data: by_tags(&|header| window.slice(8 * (header % bytes), 8 * bytes)),
            inside,
            first: previous_number.eq(begins_in),
            last: ends,
            ipv4,
            ipv6,
            room: length.ge(header).mux(length - header, length.zero()),
        }));
    })
}
