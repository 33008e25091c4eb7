//! What the configuration space's data says, in the form that the hardware looks it up in.

use super::REGISTERS;
use crate::{
    config::Config,
    pcie::space::{self, Attribute, Field, Kind, Live, Register, Sticky, Structure, space},
};
use hdl::Value;

/// The kinds by two bits: whether the function is virtual, and whether it is the manager.
pub const KINDS: [Option<Kind>; 4] = [Some(Kind::Physical), Some(Kind::Manager), Some(Kind::Virtual), None];

pub struct Map {
    spaces: Vec<(Kind, Vec<Structure>)>,
    /// The registers, by their numbers, that store something in a function of some kind.
    pub slots: Vec<usize>,
}

/// Bits that the hardware shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveField {
    /// Number of the register.
    pub register: usize,
    /// Lowest bit.
    pub low: usize,
    pub live: Live,
    /// In functions of these kinds.
    pub kinds: Vec<Kind>,
}

impl Map {
    pub fn of(config: &Config) -> Map {
        let spaces: Vec<_> = KINDS.into_iter().flatten().map(|kind| (kind, space(config, kind))).collect();
        let registers =
            || spaces.iter().flat_map(|(_, space)| space).flat_map(|structure| &structure.registers);
        let stores = |register: &&Register| register.fields.iter().any(is_stored);
        let mut slots: Vec<usize> = registers().filter(stores).map(number).collect();
        slots.sort_unstable();
        slots.dedup();
        assert!(registers().all(|register| number(register) < REGISTERS), "all registers are within reach");
        Map { spaces, slots }
    }

    /// A field of the physical function; those that others have too are at the same place there.
    pub fn field(&self, path: &str) -> Option<(usize, Field)> {
        space::field(&self.spaces[0].1, path)
    }

    /// The nature of each register of each of [`KINDS`].
    pub fn natures(&self) -> Vec<Value> {
        let of = |(kind, register): (Option<Kind>, usize)| {
            let space =
                self.spaces.iter().find(|(of, _)| Some(*of) == kind).map_or(&[][..], |(_, space)| space);
            let mut registers = space.iter().flat_map(|structure| &structure.registers);
            let fields =
                registers.find(|it| number(it) == register).map_or(&[][..], |register| &register.fields);
            self.nature(register, fields)
        };
        KINDS
            .into_iter()
            .flat_map(|kind| (0..REGISTERS).map(move |register| (kind, register)))
            .map(of)
            .collect()
    }

    /// The words of a [`super::Nature`], packed.
    fn nature(&self, register: usize, fields: &[Field]) -> Value {
        let [mut value, mut writable, mut clearable, mut logged, mut sticky] = [0u32; 5];
        for field in fields {
            let mask = field.mask();
            match field.attribute {
                Attribute::Constant(bits) => value |= bits << field.low,
                Attribute::ReadWrite { reset, .. } => {
                    value |= reset << field.low;
                    writable |= mask;
                }
                Attribute::ClearedByOne(_) => clearable |= mask,
                Attribute::Logged(_) => logged |= mask,
                Attribute::Live(_) | Attribute::Action => {}
            }
            let (Attribute::ReadWrite { sticky: stays, .. }
            | Attribute::ClearedByOne(stays)
            | Attribute::Logged(stays)) = field.attribute
            else {
                continue;
            };
            sticky |= if stays == Sticky::Yes { mask } else { 0 };
        }
        let slot = self.slots.iter().position(|slot| *slot == register).unwrap_or(0);
        let word = |word: u32| Value::new(32, word.into());
        // The first field is the highest.
        let words = [value, writable, clearable, logged, sticky].map(word);
        words.iter().rev().fold(Value::new(6, slot as u128), |low, high| low.concat(high))
    }

    /// All live bits.
    pub fn live(&self) -> Vec<LiveField> {
        let mut all: Vec<LiveField> = vec![];
        for (kind, space) in &self.spaces {
            for register in space.iter().flat_map(|structure| &structure.registers) {
                for field in &register.fields {
                    let Attribute::Live(live) = field.attribute else { continue };
                    let (register, low) = (number(register), field.low);
                    match all.iter_mut().find(|it| (it.register, it.low) == (register, low)) {
                        Some(known) => known.kinds.push(*kind),
                        None => all.push(LiveField { register, low, live, kinds: vec![*kind] }),
                    }
                }
            }
        }
        all
    }
}

fn number(register: &Register) -> usize {
    register.offset / 4
}

fn is_stored(field: &Field) -> bool {
    matches!(field.attribute, Attribute::ReadWrite { .. } | Attribute::ClearedByOne(_) | Attribute::Logged(_))
}
