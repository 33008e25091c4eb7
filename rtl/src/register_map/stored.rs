//! Registers as the hardware holds them.

use super::{Field, Register};
use hdl::*;

/// A register that the bus can write, as the hardware holds it: a value for each field.
pub(crate) struct Stored {
    pub(crate) register: &'static Register,
    pub(crate) fields: Vec<(Field, Bits)>,
}

impl Stored {
    /// Called outside of a `let`, so that the names are those of the registers.
    pub(crate) fn new(register: &'static Register) -> Stored {
        let state = |field: &Field| {
            let name = register.name.to_lowercase();
            let name = if register.fields.len() == 1 { name } else { format!("{name}_{}", field.name) };
            let _scope = scope(&name, field.doc);
            (*field, reg_init(lit(field.reset.unwrap_or(0), field.position.width)))
        };
        Stored { register, fields: register.fields.iter().map(state).collect() }
    }

    pub(crate) fn set(&self, data: Bits) {
        self.fields.iter().for_each(|(field, value)| value.set(field.position.of(data)));
    }
}

/// The word of a register that holds these values, 0 in bits of no field.
pub(crate) fn word(fields: &[(Field, Bits)]) -> Bits {
    let mut parts: Vec<Bits> = vec![];
    let mut end = 0;
    for (Field { position, .. }, value) in fields {
        if position.low > end {
            parts.push(lit(0, position.low - end));
        }
        parts.push(*value);
        end = position.low + position.width;
    }
    cat(parts.into_iter().rev()).zext(32)
}
