//! What a descriptor means.

use super::{
    super::types::Part,
    types::{Context, SIZE_BITS, Thread},
};
use hdl::*;

/// Its flags (virtio 2.7.5, 2.8.10).
mod flag {
    pub const NEXT: usize = 0;
    pub const WRITE: usize = 1;
    pub const INDIRECT: usize = 2;
    pub const AVAIL: usize = 7;
    pub const USED: usize = 15;
}

/// What is found out about a descriptor.
#[derive(Bundle, Clone, Copy)]
pub struct Verdict {
    /// It is of a packed ring, and the driver has not made it available.
    pub missing: Bool,
    /// It refers to a table,
    pub indirect: Bool,
    /// and must not.
    pub bad_indirect: Bool,
    pub empty: Bool,
    /// It is to be read and must be written, or the other way round.
    pub wrong_direction: Bool,
    /// The chain goes on, and has no descriptors left.
    pub endless: Bool,
    pub part: Part,
    /// The place of the next one, if the chain goes on.
    #[ty(bits(16))]
    pub next: Bits,
    /// The place behind it in a packed ring, with the wrap counter in bit 15.
    #[ty(bits(16))]
    pub behind: Bits,
    /// Entries of the table that it refers to.
    #[ty(bits(16))]
    pub entries: Bits,
}

/// Looks at a descriptor of 16 bytes, which is the next one of `context`.
///
/// In a table of a packed ring only the write flag counts, and its last descriptor is the chain's (2.8.7). In a split ring a table
/// may follow other descriptors (2.7.5.3.2); in a packed one it stands alone (2.8.5).
pub fn judge(descriptor: Bits, thread: &Thread, context: &Context) -> Verdict {
    let [address, length] = [descriptor.slice(0, 64), descriptor.slice(64, 32)];
    let [third, fourth] = [descriptor.slice(96, 16), descriptor.slice(112, 16)];
    let packed = thread.packed;
    let in_packed_ring = packed & !context.in_table;
    let in_packed_table = packed & context.in_table;
    let flags = packed.mux(fourth, third);
    let wrap = context.next.bit(15);
    let is_available = flags.bit(flag::AVAIL).eq(wrap) & flags.bit(flag::USED).ne(wrap);
    let behind_table = context.at + 1;
    let goes_on = in_packed_table.mux(behind_table.ne(context.entries), flags.bit(flag::NEXT));
    let indirect = flags.bit(flag::INDIRECT) & !in_packed_table;
    let bad_indirect = !thread.indirect
        | flags.bit(flag::NEXT)
        | context.in_table
        | (packed & context.chain)
        | length.trunc(4).any()
        | length.slice(20, 12).any();
    let writable = flags.bit(flag::WRITE);
    let queue = thread.queue;
    let wrong = (queue.is_receive() & !writable)
        | (queue.is_transmit() & !queue.is_control() & writable)
        | (queue.is_control() & context.writable & !writable);
    let is_last_place = context.at.trunc(SIZE_BITS).eq(thread.size - 1);
    let behind = cat([(wrap ^ is_last_place).bits(), is_last_place.mux(lit(0, 15), behind_table.trunc(15))]);
    // The table's last descriptor names nobody: the chain's name came with the one that refers to it.
    let id = in_packed_ring.mux(third, context.id);
    let places = in_packed_ring.mux(context.places + 1, context.places);
    Verdict {
        missing: in_packed_ring & !is_available,
        indirect,
        bad_indirect: indirect & bad_indirect,
        empty: !length.any(),
        wrong_direction: wrong & !indirect,
        endless: goes_on & context.left.eq(1),
        part: Part {
            address: address.as_u(),
            length: length.slice(16, 16).any().mux(!lit(0, 16), length.trunc(16)).as_u(),
            writable,
            last: !goes_on,
            bad: lit(0, 1).as_bool(),
            id: id.as_u(),
            places: places.zext(16).as_u(),
        },
        next: packed.mux(behind_table, fourth),
        behind,
        entries: length.slice(4, 16),
    }
}
