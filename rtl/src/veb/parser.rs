//! Header extraction.

use super::types::{Header, TagKind};
use crate::config::Config;
use hdl::*;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct ParserIo {
    /// A beat of some port's frame that may hold bytes of the header.
    #[input]
    #[ty(Valid::ty(HeaderBeat::ty(config)))]
    pub beat: Valid<HeaderBeat>,
    /// The port whose header is wanted.
    #[input]
    #[ty(bits(config.port_bits()))]
    pub port: Bits,
    /// Of the last frame of `port`, from its beats up to the last cycle. Bytes beyond the frame's end mean nothing.
    #[output]
    pub header: Header,
}

/// One of the first beats of a frame.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct HeaderBeat {
    #[ty(bits(config.port_bits()))]
    pub port: Bits,
    /// Position in the frame, from 0.
    #[ty(bits(2))]
    pub number: Bits,
    #[ty(bits(8 * config.bytes))]
    pub data: Bits,
}

/// Takes the Ethernet header from beats that the ports interleave: the first beats of each port's frame wait in a small
/// memory until the frame is complete and its header is asked for.
///
/// ```text
///  beat 0 ──► distributed RAM, a word for each port ─┐
///  beat 1 ──► distributed RAM                        ├─ byte lanes ──► header
///  beat 2 ──► distributed RAM                       ─┘
/// ```
///
/// `header` is combinational from `port`. A beat that is written in a cycle is seen from the next cycle on.
#[hdl]
pub fn parser(config: &Config) -> ParserIo {
    module(format!("veb_parser_{}x{}", config.ports(), 8 * config.bytes), ParserIo::ty(config), |io| {
        let depth = config.ports().next_power_of_two();
        let beat = io.beat.payload;
        let mut bytes = vec![];
        for number in 0..config.header_beats() {
            let beats = mem(bits(8 * config.bytes), depth, Collision::Undefined);
            when(io.beat.valid & beat.number.eq(number), || beats.write(beat.port, beat.data));
            let held = beats.peek(io.port);
            bytes.extend(held.chunks(8));
        }
        let field = |at: usize, count: usize| cat(bytes[at..at + count].to_vec());
        let is_customer = |at: usize| field(at, 2).eq(0x8100);
        let is_service = |at: usize| field(at, 2).eq(0x88a8);

        io.header.destination.set(field(0, 6).as_u());
        io.header.source.set(field(6, 6).as_u());
        let customer = is_customer(12);
        let service = is_service(12);
        let tagged = customer | service;
        let second_tag = tagged & (is_customer(16) | is_service(16));
        when(customer, || io.header.tag.set(TagKind::Customer))
            .elsewhen(service, || io.header.tag.set(TagKind::Service))
            .otherwise(|| io.header.tag.set(TagKind::None));
        let tci = field(14, 2);
        io.header.pcp.set(tci.slice(13, 3).as_u());
        io.header.dei.set(tci.bit(12));
        io.header.vid.set(tci.trunc(12).as_u());
        io.header.second_tag.set(second_tag);
        let untagged = tagged.mux(field(16, 2), field(12, 2));
        io.header.ethertype.set(second_tag.mux(field(20, 2), untagged).as_u());
    })
}
