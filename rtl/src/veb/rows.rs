//! What the manager asks of the tables, one row at a time.

use hdl::*;

/// The tables of the bridge, with their numbers; [`crate::register_map`] says what their rows hold.
#[derive(HwEnum, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// What each port may do.
    Port = 0,
    /// Members of each VLAN.
    Vlan = 1,
    /// Functions that want groups of a hash value.
    Multicast = 2,
    /// Ports of each address.
    Mac = 3,
    Mirror = 4,
    /// Types that checked functions may not send.
    Ethertype = 5,
    /// Bandwidth of each port.
    Rate = 6,
    /// Buffer space of each port.
    Limit = 7,
    /// Counters.
    Statistics = 8,
}

/// What to do with a row. The encoding is that of the register COMMAND.
#[derive(HwEnum, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// The row at the index becomes the data.
    Write = 1,
    /// The row at the index is asked for.
    Read = 2,
    /// The data is a key and what belongs to it: a new entry, or new content of the entry there is.
    Insert = 3,
    /// The entry of the key in the data goes.
    Delete = 4,
    /// The entry of the key in the data is asked for.
    Lookup = 5,
}

/// How an operation ended.
#[derive(HwEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As asked.
    Done = 0,
    /// No entry was free for the key: nothing has changed.
    NoRoom = 1,
    /// There is no entry of the key: nothing has changed.
    NotFound = 2,
}

/// How a function's frames move: the values of the field `mode` of the table PORT. An encoding that is not listed counts as
/// [`Mode::Veb`].
#[derive(HwEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Between functions within the bridge.
    Veb = 0,
    /// Always by way of the external bridge, which may reflect them.
    Vepa = 1,
    /// As VEPA, but reflected frames of other functions do not arrive.
    Isolated = 2,
}

/// An operation on a row; the command engine sends only those that are defined for the table, with an index in range.
#[derive(Bundle, Clone, Copy, Debug)]
pub struct RowRequest {
    /// What to do.
    pub operation: Enum<Operation>,
    /// In which table.
    pub table: Enum<Table>,
    /// Means nothing for a table that is found by key.
    pub index: U<12>,
    /// DATA0 in bits 31:0, and so on.
    pub data: U<192>,
}

/// The answer to a [`RowRequest`].
#[derive(Bundle, Clone, Copy, Debug)]
pub struct RowResponse {
    /// How it ended.
    pub outcome: Enum<Outcome>,
    /// The row that was asked for; means something for reads and lookups only.
    pub data: U<192>,
}
