//! The cells of the packet buffer: which are free, and which follows which.

use super::{
    types::Chain,
    writer::Link,
};
use crate::config::Config;
use hdl::*;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct CellsIo {
    /// Free cells, one after another.
    #[output]
    #[ty(Stream::ty(bits(config.cell_bits())))]
    pub free: Stream<Bits>,
    /// No cell is free, and none is on its way to `free`.
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
/// from the head of the list, one in two cycles. The last cell of the list stays in it, so that head and tail never have to be
/// brought together: one cell is free but cannot be had. A link goes first, then the releases in turn. All outputs
/// are registers but `release.ready` and `successor`, the output of the memory.
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
        let second = io.release[1].valid & (turn | !io.release[0].valid);
        let released = second.mux(io.release[1].payload, io.release[0].payload);
        // A cycle late, so that `release.ready` does not depend on the beat that the writer takes in this cycle.
        let link_valid = delay(io.link.valid);
        let link = delay_without_reset(io.link.payload);
        let may_release = !link_valid;
        io.release[0].ready.set(may_release & !second);
        io.release[1].ready.set(may_release & second);
        let has_cells = released.cells.any();
        let release = may_release & (io.release[0].valid | io.release[1].valid) & has_cells;
        when(release, || turn.set(!second));

        when(link_valid, || links.write(link.cell, link.next))
            .elsewhen(release & listed, || links.write(tail, released.head));
        when(release, || {
            tail.set(released.tail);
            listed.set(true);
        });

        // The next free cell, from the counter while it lasts, then from the list.
        let free_valid = reg(flag());
        let free_cell = reg_without_reset(cell);
        io.free.valid.set(free_valid);
        io.free.payload.set(free_cell);
        let wanted = !free_valid | io.free.ready;

        /// Cells that were never handed out start here; the top bit says that there are none.
        let fresh = reg(bits(config.cell_count_bits()));
        let none_fresh = fresh.bit(config.cell_bits());
        /// The successor of the list's head is being read.
        let popping = reg(flag());
        let can_pop = none_fresh & listed & head.ne(tail);
        let pop = can_pop & wanted & !popping;
        popping.set(pop);
        let next_head = links.read_if(pop, head);
        when(wanted, || free_valid.set(false));
        when(wanted & !none_fresh, || {
            free_valid.set(true);
            free_cell.set(fresh.trunc(config.cell_bits()));
            fresh.set(fresh + 1);
        });
        when(popping, || {
            free_valid.set(true);
            free_cell.set(head);
            head.set(next_head);
        });
        when(release & !listed, || head.set(released.head));

        let exhausted = reg(flag());
        io.exhausted.set(exhausted);
        exhausted.set(none_fresh & !can_pop & !popping & !free_valid);

        let free_count = reg_init(lit(config.cells, config.cell_count_bits()));
        io.free_count.set(free_count);
        let given_back = release.mux(released.cells, lit(0, config.cell_count_bits()));
        let taken = io.free.fire().bits().zext(config.cell_count_bits());
        free_count.set(free_count + given_back - taken);

        io.successor.set(links.read(io.lookup));
        io.free.assert_stable();
    })
}
