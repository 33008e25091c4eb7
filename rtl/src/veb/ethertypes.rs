//! The list of types that checked functions may not send.

use hdl::*;

/// Rows of the list.
pub const ROWS: usize = 8;

/// A row of the table ETHERTYPE, under the names of its fields.
#[derive(Bundle, Clone, Copy)]
pub struct EthertypeRow {
    pub enabled: Bool,
    pub ethertype: U<16>,
}

/// A row to write.
#[derive(Bundle, Clone, Copy)]
pub struct EthertypeWrite {
    pub index: U<3>,
    pub row: EthertypeRow,
}

#[derive(Bundle, Clone)]
pub struct EthertypesIo {
    #[input]
    pub ethertype: U<16>,
    /// The type of two cycles ago is in the list, or is that of a tag: what is behind it was not looked at.
    #[output]
    pub refused: Bool,
    #[input]
    pub write: Valid<EthertypeWrite>,
    #[output]
    #[ty(vec![EthertypeRow::ty(); ROWS])]
    pub rows: Vec<EthertypeRow>,
}

/// Compares a type with all rows at once. After reset no row is enabled.
#[hdl]
pub fn ethertypes() -> EthertypesIo {
    module("veb_ethertypes", EthertypesIo::ty(), |io| {
        let rows = reg(vec![EthertypeRow::ty(); ROWS]);
        let write = io.write.payload;
        for (index, row) in rows.iter().enumerate() {
            when(io.write.valid & write.index.eq(index), || row.set(write.row));
        }
        let is_tag = io.ethertype.eq(0x8100) | io.ethertype.eq(0x88a8);
        let listed = rows.iter().map(|row| row.enabled & row.ethertype.eq(io.ethertype));
        let matches = delay_without_reset(vector(listed.chain([is_tag])));
        io.refused.set(delay_without_reset(matches.any()));
        io.rows.set(rows);
    })
}
