//! Memories of rows that are empty after reset.

use crate::config::Config;
use hdl::*;

/// A row to write.
#[derive(Bundle, Clone, Copy)]
#[ty(rows: usize, width: usize)]
pub struct RowWrite {
    #[ty(bits(clog2(rows)))]
    pub index: Bits,
    #[ty(bits(width))]
    pub row: Bits,
}

#[derive(Bundle, Clone)]
#[ty(rows: usize, width: usize)]
pub struct RowMemoryIo {
    /// The row to read.
    #[input]
    #[ty(bits(clog2(rows)))]
    pub index: Bits,
    /// That row, a cycle later.
    #[output]
    #[ty(bits(width))]
    pub row: Bits,
    /// Ignored until `clear`.
    #[input]
    #[ty(Valid::ty(RowWrite::ty(rows, width)))]
    pub write: Valid<RowWrite>,
    /// All rows have been zero at some time since reset.
    #[output]
    pub clear: Bool,
}

/// `rows` rows of `width` bits in block RAM, a power of two from 2 to 65536 of them. After reset each is set to zero, one
/// in a cycle; what is read before `clear` means nothing, and so does a row that is read while it is written.
///
/// ```text
///  counter ──┐
///            ├─► RAM ──► row
///  write   ──┘    ▲
///  index ─────────┘
/// ```
#[hdl]
pub fn row_memory(rows: usize, width: usize) -> RowMemoryIo {
    require(rows.is_power_of_two() && (2..=65536).contains(&rows), || {
        format!("{rows} rows are not a power of two from 2 to 65536")
    });
    require((1..=1024).contains(&width), || format!("rows of {width} bits are not of 1 to 1024"));
    module(format!("row_memory_{rows}x{width}"), RowMemoryIo::ty(rows, width), |io| {
        let memory = mem(bits(width), rows, Collision::Undefined);
        let index_bits = clog2(rows);
        /// Counts the rows that are zero; the top bit says that all are.
        let zeroed = reg(bits(index_bits + 1));
        let clear = zeroed.bit(index_bits);
        when(!clear, || zeroed.set(zeroed + 1));
        let index = clear.mux(io.write.payload.index, zeroed.trunc(index_bits));
        let row = clear.mux(io.write.payload.row, io.row.zero());
        when(!clear | io.write.valid, || memory.write(index, row));
        io.row.set(memory.read(io.index));
        io.clear.set(clear);
    })
}

/// A row of the table VLAN, under the names of its fields: the members, and the ports that get its frames without a tag.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct VlanRow {
    #[ty(bits(config.ports()))]
    pub untagged: Bits,
    #[ty(bits(config.ports()))]
    pub members: Bits,
}
