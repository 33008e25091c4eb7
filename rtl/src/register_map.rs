//! The manager's registers and tables: the one description that the hardware's decoder, the drivers' constants (Rust
//! here, C by [`c_header()`]) and the printed reference ([`reference()`]) are made of.
//!
//! Registers ([`REGISTERS`]) are what the bus shows; tables ([`TABLES`]) are reached through them, a row at a time:
//! TABLE and INDEX choose a row, DATA0 to DATA5 carry it, COMMAND says what to do with it. Lookups by name are `const`, so
//! that a name that does not exist is an error of the compiler where the result is a constant:
//!
//! ```
//! use rtl::{register_map::{self, Position}, veb::rows::Table};
//!
//! const INDEX: usize = register_map::register("INDEX").offset;
//! const PVID: Position = register_map::field(Table::Port, "pvid");
//! let mut row = [0; register_map::WORDS];
//! PVID.put(&mut row, 42);
//! assert_eq!((INDEX, row[0] & 0xfff), (0x44, 42));
//! ```

mod c_header;
mod kinds;
mod reference;
mod registers;
pub(crate) mod stored;
mod tables;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use c_header::Header;
pub use c_header::c_header;
pub use kinds::{KINDS, KINDS_PER_PORT, Kind, kind};
pub use reference::reference;
pub(crate) use reference::registers as register_tables;
pub use registers::{ADDRESS_BITS, REGISTERS};
pub use tables::{TABLES, WORDS};

use crate::{config::Config, veb::rows};
use hdl::{Bits, Data, HwEnum, Place, cat, lit};

/// The most ports that a bridge can have: two wires and 64 functions.
pub const MAX_PORTS: usize = 66;

/// What the bus can do with a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    ReadOnly,
    ReadWrite,
    /// Writing starts something; it reads 0.
    Command,
    /// A 1 that is written clears its bit, which the hardware has set.
    Acknowledge,
    /// Writing anything clears it.
    Clear,
}

/// A register of 32 bits.
#[derive(Clone, Copy, Debug)]
pub struct Register {
    /// In capitals.
    pub name: &'static str,
    /// In bytes, a multiple of 4.
    pub offset: usize,
    pub access: Access,
    /// It cannot be written while a command runs.
    pub locked: bool,
    /// Bits of no field read 0.
    pub fields: &'static [Field],
    pub doc: &'static str,
}

/// Bits of a register, or of a row.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub name: &'static str,
    pub position: Position,
    pub doc: &'static str,
    /// What it holds after reset, or always if it is read-only. `None` where the hardware's state or configuration says it.
    pub reset: Option<u32>,
    /// The values that have names; none for a plain number.
    pub values: fn() -> Vec<NamedValue>,
}

/// Where a field stands: in a register, whose only word is 0, or in the words of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// DATA0 is word 0.
    pub word: usize,
    /// Lowest bit in that word.
    pub low: usize,
    /// In bits; a field goes on in the next words if it is wide.
    pub width: usize,
}

/// A value of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedValue {
    /// Words joined by `_`, in small letters.
    pub name: String,
    pub number: u128,
    pub doc: &'static str,
}

/// A table of rows.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Its number is what the register TABLE takes.
    pub id: rows::Table,
    /// In capitals.
    pub name: &'static str,
    /// What the register INDEX takes.
    pub index: &'static str,
    /// How many rows; `None` for a table that is found by key.
    pub rows: Option<fn(&Config) -> usize>,
    /// The commands that are defined for it.
    pub operations: &'static [rows::Operation],
    /// Other bits of a row are ignored and read 0.
    pub fields: &'static [Field],
    pub doc: &'static str,
}

impl Register {
    /// A field by its name.
    ///
    /// # Panics
    /// If there is none.
    pub const fn field(&self, name: &str) -> Field {
        find(self.fields, name)
    }
}

impl Table {
    /// What the register TABLE takes.
    pub const fn number(&self) -> usize {
        self.id as usize
    }

    /// A value of the type `ty` from a row: each of its leaves is the field of that name, or the low bits of it where the
    /// field is wider, as a bitmap of ports is.
    ///
    /// # Panics
    /// If there is no field of a leaf's name.
    #[track_caller]
    pub fn unpack<T: Data>(&self, ty: &T, row: impl Into<Bits>) -> T {
        let row = row.into();
        ty.map(&Place::default(), &mut |place, leaf| {
            field(self.id, &place.path).low_of(row, leaf.bits.width())
        })
    }

    /// The row that [`Table::unpack`] makes `value` of; bits of no field are 0.
    ///
    /// # Panics
    /// If there is no field of a leaf's name.
    #[track_caller]
    pub fn pack<T: Data>(&self, value: &T) -> Bits {
        let leaves = value.leaves();
        row(leaves.into_iter().map(|(place, bits)| (field(self.id, &place.path), bits)))
    }
}

impl Position {
    /// Its lowest bit in the whole row, whose bit 0 is that of DATA0.
    pub const fn bit(self) -> usize {
        32 * self.word + self.low
    }

    /// Its highest bit in the word that it starts in.
    pub const fn high(self) -> usize {
        self.low + self.width - 1
    }

    /// The last word it has bits in.
    pub const fn last_word(self) -> usize {
        (self.bit() + self.width - 1) / 32
    }

    /// Its bits of a register or row.
    #[track_caller]
    pub fn of(self, row: impl Into<Bits>) -> Bits {
        row.into().slice(self.bit(), self.width)
    }

    /// As [`Position::of`], the low `width` bits: of a bitmap of ports those that exist.
    #[track_caller]
    pub fn low_of(self, row: impl Into<Bits>, width: usize) -> Bits {
        self.of(row).trunc(width)
    }

    /// Stores a value in the words of a row.
    ///
    /// # Panics
    /// If it does not fit.
    pub fn put(self, row: &mut [u32], value: u128) {
        assert!(value >> self.width == 0, "{value:#x} does not fit in {} bits", self.width);
        for i in 0..self.width {
            let bit = self.bit() + i;
            row[bit / 32] = row[bit / 32] & !(1 << (bit % 32)) | ((value >> i & 1) as u32) << (bit % 32);
        }
    }

    /// The value that [`Position::put`] stored.
    pub fn get(self, row: &[u32]) -> u128 {
        let bit = |i| u128::from(row[(self.bit() + i) / 32] >> ((self.bit() + i) % 32) & 1) << i;
        (0..self.width).map(bit).sum()
    }
}

/// A row of these fields, which may be given fewer bits than they have; all other bits are 0.
///
/// # Panics
/// If fields overlap, or bits are more than their field has.
#[track_caller]
pub fn row(fields: impl IntoIterator<Item = (Position, Bits)>) -> Bits {
    let mut fields: Vec<(Position, Bits)> = fields.into_iter().collect();
    fields.sort_by_key(|(position, _)| position.bit());
    let (mut parts, mut end) = (vec![], 0);
    for (position, bits) in fields {
        let gap = position.bit().checked_sub(end).expect("fields do not overlap");
        if gap > 0 {
            parts.push(lit(0, gap));
        }
        assert!(bits.width() <= position.width, "{} bits in a field of {}", bits.width(), position.width);
        parts.push(bits);
        end = position.bit() + bits.width();
    }
    parts.reverse();
    cat(parts).zext(32 * WORDS)
}

/// A register by its name.
///
/// # Panics
/// If there is none.
pub const fn register(name: &str) -> &'static Register {
    register_of(REGISTERS, name)
}

/// One of these registers by its name.
pub(crate) const fn register_of(registers: &'static [Register], name: &str) -> &'static Register {
    let mut i = 0;
    while i < registers.len() {
        if same(registers[i].name, name) {
            return &registers[i];
        }
        i += 1;
    }
    panic!("there is no register of this name")
}

/// The table of this number.
pub const fn table(id: rows::Table) -> &'static Table {
    &TABLES[id as usize]
}

/// Where a field stands in a table's rows, by its name.
///
/// # Panics
/// If there is none.
pub const fn field(id: rows::Table, name: &str) -> Position {
    find(table(id).fields, name).position
}

const fn find(fields: &[Field], name: &str) -> Field {
    let mut i = 0;
    while i < fields.len() {
        if same(fields[i].name, name) {
            return fields[i];
        }
        i += 1;
    }
    panic!("there is no field of this name")
}

/// Whether two names are equal; `==` is not `const`.
const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut i = 0;
    while i < a.len() && i < b.len() && a[i] == b[i] {
        i += 1;
    }
    i == a.len() && i == b.len()
}

/// Bits `high` to `low` of word `word`; `high` may reach into the next words.
pub(crate) const fn bits(
    word: usize,
    high: usize,
    low: usize,
    name: &'static str,
    doc: &'static str,
) -> Field {
    let position = Position { word, low, width: high + 1 - low };
    Field { name, position, doc, reset: None, values: Vec::new }
}

/// One bit.
pub(crate) const fn flag(word: usize, bit: usize, name: &'static str, doc: &'static str) -> Field {
    bits(word, bit, bit, name, doc)
}

impl Field {
    pub(crate) const fn reset(self, reset: u32) -> Field {
        Field { reset: Some(reset), ..self }
    }

    /// Its values are the variants of `T`.
    pub(crate) const fn holds<T: HwEnum>(self) -> Field {
        Field { values: variants::<T>, ..self }
    }
}

/// The variants of an enumeration under their names in registers.
pub(crate) fn variants<T: HwEnum>() -> Vec<NamedValue> {
    let named = |&(name, _, number, doc): &(&str, T, u128, &'static str)| {
        let mut snake = String::new();
        for letter in name.chars() {
            if letter.is_ascii_uppercase() && !snake.is_empty() {
                snake.push('_');
            }
            snake.push(letter.to_ascii_lowercase());
        }
        NamedValue { name: snake, number, doc }
    };
    T::VARIANTS.iter().map(named).collect()
}
