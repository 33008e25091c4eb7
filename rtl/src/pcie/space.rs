//! The configuration space as data: every register of every kind of function, bit by bit. The hardware's tables, the tests
//! and the printed reference ([`reference()`]) are made of it.
//!
//! Numbers of clauses are those of the PCI Express Base Specification 5.0; "virtio" is the OASIS standard 1.2.

mod capabilities;
mod extended;
mod header;
mod reference;

pub use extended::PAGE_SIZES;
pub use reference::reference;

use crate::config::Config;

/// What a function is, which decides its registers. The same registers stand behind both personalities ([`Personality`]):
/// the legacy one only hides the capabilities that belong to virtual functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// The physical function, number 0: a network device, the owner of the virtual functions. In the legacy personality
    /// each function but the manager.
    Physical,
    /// The manager, number 1: the registers of the bridge.
    Manager,
    /// A virtual function (9.3.4).
    Virtual,
}

/// As what the adapter shows itself; a strap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Personality {
    /// A physical function with virtual ones, and the manager.
    SrIov,
    /// So many ordinary functions: 1, or with the manager as number 1 also 2, 4 or 8.
    Multifunction(usize),
}

/// How bits behave (7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// They always read so.
    Constant(u32),
    /// The hardware says what they read.
    Live(Live),
    /// Software writes them.
    ReadWrite { reset: u32, sticky: Sticky },
    /// The hardware sets them, software clears them by writing 1.
    ClearedByOne(Sticky),
    /// The hardware writes them.
    Logged(Sticky),
    /// Writing 1 does something; they read 0.
    Action,
}

/// What a reset of the function leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sticky {
    /// Nothing.
    No,
    /// What was there (7.4, the attributes that end in S, and what else 6.6.2 names); only a fundamental reset clears it.
    Yes,
}

/// What the hardware shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Live {
    /// There is a function 1.
    Multifunction,
    /// Where the capabilities of SR-IOV are; 0 in the legacy personality.
    SrIovList,
    /// The function has requests without a completion.
    TransactionsPending,
    /// Where the first virtual function is; depends on how many there are and on ARI.
    FirstVfOffset,
    /// How far apart they are.
    VfStride,
    /// Halves of the adapter's EUI-64.
    SerialLow,
    SerialHigh,
    /// What the register at the virtio window reads.
    WindowData,
}

/// Neighbouring bits of one meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    /// Lowest bit in the register of 32 bits.
    pub low: usize,
    pub width: usize,
    pub attribute: Attribute,
    pub doc: &'static str,
}

/// A register of 32 bits. Bits of no field read 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Register {
    pub name: &'static str,
    /// In bytes, from the start of its structure, then of the space; a multiple of 4.
    pub offset: usize,
    pub fields: Vec<Field>,
}

/// The header, or a capability.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Structure {
    pub name: &'static str,
    /// Where it starts.
    pub offset: usize,
    /// The clause that defines it.
    pub clause: &'static str,
    pub registers: Vec<Register>,
}

/// All structures of a function, by rising offsets; the lists of capabilities are linked.
pub fn space(config: &Config, kind: Kind) -> Vec<Structure> {
    let capabilities = capabilities::capabilities(kind);
    let mut all = vec![header::header(kind, capabilities[0].offset)];
    all.extend(capabilities);
    all.extend(extended::capabilities(config, kind));
    all
}

/// A field of a function's space with the offset of its register, by the names `structure.register.field`; `None` if the
/// function does not have the structure.
///
/// # Panics
/// If the structure has no such field.
pub fn field(space: &[Structure], path: &str) -> Option<(usize, Field)> {
    let mut parts = path.split('.');
    let mut next = || parts.next().expect("a path has three parts");
    let (structure, register, field) = (next(), next(), next());
    let structure = space.iter().find(|it| it.name == structure)?;
    let register = structure.registers.iter().find(|it| it.name == register);
    let found = register.and_then(|register| {
        Some((register.offset, register.fields.iter().find(|it| it.name == field)?.clone()))
    });
    Some(found.unwrap_or_else(|| panic!("no field `{path}`")))
}

impl Attribute {
    const RW: Attribute = Attribute::ReadWrite { reset: 0, sticky: Sticky::No };
    const RW1C: Attribute = Attribute::ClearedByOne(Sticky::No);
    const RW1CS: Attribute = Attribute::ClearedByOne(Sticky::Yes);

    /// Software-writable, with this value after any reset.
    const fn rw(reset: u32) -> Attribute {
        Attribute::ReadWrite { reset, sticky: Sticky::No }
    }

    /// Software-writable, with this value after a fundamental reset.
    const fn rws(reset: u32) -> Attribute {
        Attribute::ReadWrite { reset, sticky: Sticky::Yes }
    }
}

impl Field {
    /// The bits of the register that it has.
    pub fn mask(&self) -> u32 {
        (((1u64 << self.width) - 1) as u32) << self.low
    }
}

/// Bits `high` to `low`.
fn bits(high: usize, low: usize, name: &'static str, attribute: Attribute, doc: &'static str) -> Field {
    Field { name, low, width: high + 1 - low, attribute, doc }
}

/// Bits that always read `value`.
fn constant(high: usize, low: usize, name: &'static str, value: usize, doc: &'static str) -> Field {
    let width = high + 1 - low;
    assert!(width >= 32 || value >> width == 0, "{name}: {value:#x} has more than {width} bits");
    bits(high, low, name, Attribute::Constant(value as u32), doc)
}

/// One bit.
fn flag(bit: usize, name: &'static str, attribute: Attribute, doc: &'static str) -> Field {
    bits(bit, bit, name, attribute, doc)
}

fn register(name: &'static str, offset: usize, fields: Vec<Field>) -> Register {
    Register { name, offset, fields }
}

/// A list of capabilities, one behind the other from `offset` on, without those that the function does not have: each has
/// the same place in every function.
fn link(mut offset: usize, all: Vec<(bool, Structure)>) -> Vec<Structure> {
    let mut linked: Vec<Structure> = vec![];
    for (is_there, structure) in all {
        let structure = structure.at(offset);
        offset += structure.size();
        if is_there {
            if let Some(last) = linked.last_mut() {
                *last.next_mut() = Attribute::Constant(structure.offset as u32);
            }
            linked.push(structure);
        }
    }
    linked
}

impl Structure {
    /// Moves it to `offset`.
    fn at(mut self, offset: usize) -> Structure {
        self.registers.iter_mut().for_each(|register| register.offset += offset);
        Structure { offset, ..self }
    }

    /// The pointer to the next capability.
    fn next_mut(&mut self) -> &mut Attribute {
        let field = self.registers[0].fields.iter_mut().find(|field| field.name == "next");
        &mut field.expect("a capability has a pointer").attribute
    }

    /// Bytes that it has.
    fn size(&self) -> usize {
        self.registers.last().map_or(0, |last| last.offset + 4 - self.offset)
    }
}

#[cfg(test)]
mod tests;
