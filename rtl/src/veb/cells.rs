//! The cells of the packet buffer: which are free, and which follows which.

use super::{types::Chain, writer::Link};
use crate::{config::Config, prim};
use hdl::*;

/// Free cells that wait to be taken, at most.
const ON_HAND: usize = 32;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct CellsIo {
    /// Free cells, one after another.
    #[output]
    #[ty(Stream::ty(bits(config.cell_bits())))]
    pub free: Stream<Bits>,
    /// In the cycle before, no cell was free and none was on its way to `free`.
    #[output]
    pub exhausted: Bool,
    /// How many cells are free.
    #[output]
    #[ty(bits(config.cell_count_bits()))]
    pub free_count: Bits,
    /// Two cells of a frame to join.
    #[input]
    #[ty(Valid::ty(Link::ty(config)))]
    pub link: Valid<Link>,
    /// Chains to free. A chain of no cells is taken and forgotten.
    #[input]
    #[ty(vec![Stream::ty(Chain::ty(config)); 2])]
    pub release: Vec<Stream<Chain>>,
    /// The cell whose successor is wanted.
    #[input]
    #[ty(bits(config.cell_bits()))]
    pub lookup: Bits,
    /// The successor of the cell that `lookup` named in the cycle before.
    #[output]
    #[ty(bits(config.cell_bits()))]
    pub successor: Bits,
}

/// Keeps the links between cells in one memory: those of frames and those of the free list. A whole chain is freed in
/// one write, by linking the tail of the free list to its head.
///
/// ```text
///  link ──────►┐                        ┌──► successor
///  release 0 ─►├─ write ─► links (RAM) ─┤
///  release 1 ─►┘                        └──► head of the free list ──► free
/// ```
///
/// After reset a counter hands out all cells once, so that nothing has to be written first. From then on cells come
/// from the head of the list, one in two cycles, and wait in a FIFO. The last cell of the list stays in it, so that head
/// and tail never have to be brought together: one cell is free but cannot be had. A link goes first, then the releases
/// in turn. All outputs are registered but `release.ready`, and `free` and `successor`, the outputs of memories.
#[hdl]
pub fn cells(config: &Config) -> CellsIo {
    module(format!("veb_cells_{}", config.cells), CellsIo::ty(config), |io| {
        let cell = bits(config.cell_bits());
        let links = mem(cell, config.cells, Collision::Undefined);

        // The free list and its two ends. Before the first release there is none.
        let listed = reg(flag());
        let head = reg_without_reset(cell);
        let tail = reg_without_reset(cell);

        /// Which release goes first if both are there.
        let turn = reg(flag());
        /// A chain that waits to be linked.
        let release = reg(flag());
        let released = reg_without_reset(Chain::ty(config));
        let second = io.release[1].valid & (turn | !io.release[0].valid);
        let may_release = !release | !io.link.valid;
        io.release[0].ready.set(may_release & !second);
        io.release[1].ready.set(may_release & second);
        let chain = second.mux(io.release[1].payload, io.release[0].payload);
        when(io.release[0].fire() | io.release[1].fire(), || turn.set(!second));
        when(may_release, || {
            release.set((io.release[0].valid | io.release[1].valid) & chain.cells.any());
            released.set(chain);
        });

        let linked = release & !io.link.valid;
        when(io.link.valid, || links.write(io.link.payload.cell, io.link.payload.next))
            .elsewhen(release & listed, || links.write(tail, released.head));
        when(linked, || {
            tail.set(released.tail);
            listed.set(true);
        });

        // Cells on hand, from the counter while it lasts, then from the list. Ports that run in step ask for one each in
        // consecutive cycles.
        let on_hand = prim::fifo(cell, ON_HAND.min(config.cells));
        let room = on_hand.enq.ready;
        /// Cells that were never handed out start here; the top bit says that there are none.
        let fresh = reg(bits(config.cell_count_bits()));
        let none_fresh = fresh.bit(config.cell_bits());
        /// The successor of the list's head is being read.
        let popping = reg(flag());
        let can_pop = none_fresh & listed & head.ne(tail);
        let pop = can_pop & room & !popping;
        popping.set(pop);
        let next_head = links.read_if(pop, head);
        on_hand.enq.valid.set(!none_fresh | popping);
        on_hand.enq.payload.set(none_fresh.mux(head, fresh.trunc(config.cell_bits())));
        when(!none_fresh & room, || fresh.set(fresh + 1));
        when(popping, || head.set(next_head));
        when(linked & !listed, || head.set(released.head));
        io.free.connect(&on_hand.deq);

        let exhausted = reg(flag());
        io.exhausted.set(exhausted);
        exhausted.set(none_fresh & !can_pop & !popping & !on_hand.deq.valid);

        let free_count = reg_init(lit(config.cells, config.cell_count_bits()));
        io.free_count.set(free_count);
        let given_back = linked.mux(released.cells, lit(0, config.cell_count_bits()));
        let taken = io.free.fire().bits().zext(config.cell_count_bits());
        free_count.set(free_count + given_back - taken);

        io.successor.set(links.read(io.lookup));
        io.free.assert_stable();
    })
}
