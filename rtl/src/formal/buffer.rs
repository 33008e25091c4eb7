//! The packet buffer loses no cell, hands none out twice and frees none twice.

use super::{Method::*, Proof, steady};
use crate::{
    config::Config,
    prim,
    veb::{
        cells::cells,
        references::{Held, references},
        types::{Chain, FrameCopy},
        writer::Link,
    },
};
use hdl::*;

pub fn proofs() -> Vec<Proof> {
    let config = |cells: usize| Config { cells, ..super::least() };
    let cells = |name: &str, size: &str, count: usize, method| {
        let claim = "no cell is handed out twice, freed twice or lost";
        Proof::new(name, claim, size, method, move || free_list(&config(count)))
    };
    let claim = "a frame's cells are released once, after its last copy";
    vec![
        cells("buffer/two_cells", "2 cells", 2, Reachability),
        cells("buffer/four_cells", "4 cells", 4, Bounded(12)).long(),
        Proof::new("buffer/references", claim, "4 cells, 3 ports", Reachability, move || holders(&config(4))),
    ]
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct CellsIo {
    #[output]
    #[ty(Stream::ty(bits(config.cell_bits())))]
    free: Stream<Bits>,
    #[input]
    #[ty(Valid::ty(Link::ty(config)))]
    link: Valid<Link>,
    #[input]
    #[ty(vec![Stream::ty(Chain::ty(config)); 2])]
    release: Vec<Stream<Chain>>,
    #[input]
    #[ty(bits(config.cell_bits()))]
    lookup: Bits,
}

/// The free list among users that take cells, link them to chains in any order, and give whole chains back:
/// - no cell is handed out that somebody has;
/// - free cells, those in use and those on their way back are all there are;
/// - when the list says that it is exhausted, all cells but one are in use, and it says so after three cycles without a cell;
/// - the successors of linked cells stay;
/// - a release waits for one other at most.
#[hdl]
pub fn free_list(config: &Config) -> CellsIo {
    module("free_list", CellsIo::ty(config), |io| {
        let (count, cells) = (config.cells, cells(config));
        io.free.connect(&cells.free);
        cells.link.set(io.link);
        cells.release.iter().zip(&io.release).for_each(|(sink, release)| sink.connect(release));
        cells.lookup.set(io.lookup);

        // What the users know: whose cells they have, and which follows which.
        let owned = reg(bits(count));
        let linked = reg(bits(count));
        let next = reg(vec![bits(config.cell_bits()); count]);
        let points_to = |cell: Bits| any_of((0..count).map(|from| linked.bit(from) & next[from].eq(cell)));

        // A chain that is given back goes from a cell that none points to along the links to one without.
        let mut offered = vec![];
        for release in &io.release {
            let Chain { head, tail, cells: length } = release.payload;
            let (mut at, mut members, mut whole) = (head, lit(0, count), !points_to(head));
            for step in 1..=count {
                let (inside, last) = (length.ge(step), length.eq(step));
                members = members | inside.mux(prim::decode(at, count), lit(0, count));
                whole = whole & (!inside | last.mux(at.eq(tail) & !linked.at(at), linked.at(at)));
                at = select(&next, at);
            }
            let whole = whole & length.le(count) & !(members & !owned).any();
            assume(!release.valid | length.eq(0) | whole, "whole chains are given back");
            offered.push(members & release.valid.bits().repeat(count));
        }
        assume(!(offered[0] & offered[1]).any(), "a chain is given back once");
        let Link { cell, next: follower } = io.link.payload;
        let both = prim::decode(cell, count) | prim::decode(follower, count);
        let fresh = owned.at(cell) & owned.at(follower) & cell.ne(follower);
        let ends = !linked.at(cell) & !linked.at(follower) & !points_to(follower);
        let kept = !(both & (offered[0] | offered[1])).any();
        assume(!io.link.valid | (fresh & ends & kept), "a new cell is linked to the last of a chain");

        let returned = vector(io.release.iter().map(Stream::fire));
        let back =
            returned.bit(0).mux(offered[0], lit(0, count)) | returned.bit(1).mux(offered[1], lit(0, count));
        let taken = io.free.fire().mux(prim::decode(io.free.payload, count), lit(0, count));
        owned.set((owned | taken) & !back);
        linked.set((linked | io.link.valid.mux(prim::decode(cell, count), lit(0, count))) & !back);
        when(io.link.valid, || set_at(&next, cell, follower));
        assert(!(taken & owned).any(), "no cell is handed out that somebody has");

        // On their way back: in the register before the free list.
        let returning = reg(bits(config.cell_count_bits()));
        let length = returned.bit(1).mux(io.release[1].payload.cells, io.release[0].payload.cells);
        when(returned.any(), || returning.set(length)).elsewhen(!io.link.valid, || returning.set(0));
        let used = prim::popcount(owned).resize(config.cell_count_bits()) + returning;
        assert((cells.free_count + used).eq(count), "free cells and others are all there are");
        let used_before = delay(used);
        assert(!cells.exhausted | used_before.ge(count - 1), "one cell at most is free and cannot be had");
        let idle = reg(bits(3));
        let busy = io.free.valid | io.link.valid | returned.any() | cells.exhausted;
        when(busy, || idle.set(0)).otherwise(|| idle.set(idle + 1));
        assert(idle.le(4), "a free cell is found, or there is none");

        let asked = delay(linked.at(io.lookup) & !back.at(io.lookup));
        let answer = delay(select(&next, io.lookup));
        assert(!asked | cells.successor.eq(answer), "successors stay");
        for (one, other) in [(0, 1), (1, 0)] {
            let waits = io.release[one].valid & !io.release[one].ready;
            super::waits_for(waits, io.release[other].fire(), 1);
        }
        cover(cells.exhausted & returned.any(), "a chain comes back while no cell is free");
    })
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct HoldersIo {
    #[input]
    #[ty(Valid::ty(Held::ty(config)))]
    hold: Valid<Held>,
    #[input]
    #[ty(Stream::ty(FrameCopy::ty(config)))]
    done: Stream<FrameCopy>,
    #[output]
    #[ty(Stream::ty(Chain::ty(config)))]
    release: Stream<Chain>,
    /// First cell of any frame.
    #[input]
    #[ty(bits(config.cell_bits()))]
    head: Bits,
}

/// Any frame that is held for some copies and read as often: its chain is released once, as it was, within two cycles
/// after the last copy, and not before.
#[hdl]
pub fn holders(config: &Config) -> HoldersIo {
    module("holders", HoldersIo::ty(config), |io| {
        let references = references(config);
        references.hold.set(io.hold);
        references.done.connect(&io.done);
        io.release.connect(&references.release);
        steady(io.head);

        let out = reg(flag());
        let left = reg(io.hold.payload.copies);
        let chain = reg(io.hold.payload.chain);
        let Held { chain: held, copies, .. } = io.hold.payload;
        let begins = io.hold.valid & held.head.eq(io.head);
        let is_done = io.done.fire() & io.done.payload.head.eq(io.head);
        let released = io.release.payload;
        let is_offered = io.release.valid & released.head.eq(io.head);
        assume(!begins | (!out & copies.ge(1) & copies.le(config.ports())), "a frame is held once");
        let may = out & left.any();
        assume(!(io.done.valid & io.done.payload.head.eq(io.head)) | may, "each copy is read once");
        when(begins, || {
            out.set(true);
            left.set(copies);
            chain.set(held);
        })
        .elsewhen(is_done, || left.set(left - 1))
        .elsewhen(is_offered & io.release.ready, || out.set(false));
        assert(!is_offered | (out & !left.any()), "a chain is released after its last copy, and once");
        let same = released.tail.eq(chain.tail) & released.cells.eq(chain.cells);
        assert(!is_offered | same, "it is released as it was");
        let late = delay(delay(out & !left.any()));
        assert(!(late & out & !left.any()) | is_offered, "it is released within two cycles");
        cover(is_offered & chain.cells.eq(2), "a chain is released");
    })
}
