//! What the transmitter says has left, has left.

use crate::{
    config::Config,
    formal::{Method::*, Proof},
    pcie::{
        tlp::{TlpBeat, kind},
        transmitter::{TransmitterIo, transmitter},
    },
};
use hdl::*;

pub fn proofs() -> Vec<Proof> {
    let claim = "streams keep their contract, and all that was inside at a mark has left when it has passed";
    let config = super::super::least();
    vec![Proof::new("isolation/transmitter", claim, "64 bit", Bounded(13), move || marks(&config)).long()]
}

/// Packets inside, at most; more than a bounded proof reaches.
const INSIDE: usize = 64;

/// Each class sends packets of its kind. For each, so many as were whole inside at a mark have left when `passed` says so.
#[hdl]
pub fn marks(config: &Config) -> TransmitterIo {
    module("marks", TransmitterIo::ty(config), |io| {
        let block = transmitter(config);
        block.posted_credits.set(io.posted_credits);
        block.completion_credits.set(io.completion_credits);
        block.request_credits.set(io.request_credits);
        block.posted.connect(&io.posted);
        block.completion.connect(&io.completion);
        block.request.connect(&io.request);
        io.tx.connect(&block.tx);
        block.mark.set(io.mark);
        io.passed.set(block.passed);
        let is_asked = reg(flag());
        when(io.mark, || is_asked.set(true)).elsewhen(block.passed, || is_asked.set(false));
        assume(!(io.mark & is_asked), "a mark comes when the one before has passed");

        let kind_of = |beat: &TlpBeat| Bits::from(beat.header).slice(24, 8);
        let last_kind = reg(bits(8));
        let kind_now = io.tx.payload.first.mux(kind_of(&io.tx.payload), last_kind);
        when(io.tx.fire(), || last_kind.set(kind_now));
        let classes = [
            (&io.posted, kind::MEMORY_WRITE),
            (&io.completion, kind::COMPLETION_WITH_DATA),
            (&io.request, kind::MEMORY_READ),
        ];
        for (input, kind) in classes {
            let is_within = reg(flag());
            when(input.fire(), || is_within.set(!input.payload.last));
            let has_payload = kind & 0x40 != 0;
            let count = input.payload.count;
            let is_right = input.payload.first.eq(!is_within)
                & (!input.payload.first | kind_of(&input.payload).eq(kind))
                & count.any().eq(has_payload)
                & !count.trunc(2).any()
                & (input.payload.last | has_payload);
            assume(!input.valid | is_right, "packets are well formed");

            let comes = input.fire() & input.payload.last;
            let leaves = io.tx.fire() & io.tx.payload.last & kind_now.eq(kind);
            let (inside, remaining) = (reg(bits(clog2(INSIDE))), reg(bits(clog2(INSIDE))));
            let stay = inside - leaves.bits().zext(inside.width());
            inside.set(stay + comes.bits().zext(inside.width()));
            assert(!leaves | inside.any(), "what leaves has come");
            when(io.mark, || remaining.set(stay))
                .elsewhen(leaves & remaining.any(), || remaining.set(remaining - 1));
            assert(!block.passed | !remaining.any(), "what was inside at the mark has left");
            cover(delay(remaining.eq(1)) & !remaining.any() & !io.mark, "a packet leaves after a mark");
        }
        cover(block.passed & is_asked, "a mark has passed");
    })
}
