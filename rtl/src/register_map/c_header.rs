//! The constants for drivers in C.

use super::{Field, KINDS, KINDS_PER_PORT, REGISTERS, Register, TABLES, WORDS};

/// A C99 header with offsets, fields, table numbers, commands and kinds of statistics. It is the same for every
/// configuration: what differs between them stands in registers.
///
/// A field has its bits in place as `_MASK` and its lowest bit as `_SHIFT`. A field of a row has the number of its word as
/// `_WORD` beside; one that goes on in the next words has `_WIDTH` and no mask.
pub fn c_header() -> String {
    let mut header = Header::new(
        "HEMATITE_VEB",
        "Registers of the Hematite bridge; generated from rtl/src/register_map.rs.\n \
         * A row travels in DATA0 to DATA5; the words of a ROW_ field are numbered from DATA0.",
    );
    header.registers(REGISTERS);
    header.section("Tables, and the fields of their rows");
    header.define("ROW_WORDS", WORDS.to_string());
    for table in TABLES {
        header.section(&format!("{} (index: {}): {}", table.name, table.index, table.doc));
        for field in table.fields {
            let name = format!("ROW_{}_{}", table.name, field.name);
            header.define(&format!("{name}_WORD"), field.position.word.to_string());
            header.field(&name, field);
        }
    }
    header.section("Statistics: the index of a counter is KINDS_PER_PORT * port + kind");
    header.define("KINDS_PER_PORT", KINDS_PER_PORT.to_string());
    for kind in KINDS {
        header.define(&format!("KIND_{}", kind.name), kind.number.to_string());
    }
    header.finish()
}

/// A header whose names start with one prefix.
pub(crate) struct Header {
    prefix: &'static str,
    text: String,
}

impl Header {
    pub(crate) fn new(prefix: &'static str, about: &str) -> Header {
        let text = format!(
            "/* SPDX-License-Identifier: MIT OR Apache-2.0\n *\n * {about}\n */\n\
             #ifndef {prefix}_H\n#define {prefix}_H\n"
        );
        Header { prefix, text }
    }

    pub(crate) fn finish(self) -> String {
        self.text + "\n#endif\n"
    }

    /// Their offsets, fields, and what they hold after reset.
    pub(crate) fn registers(&mut self, registers: &[Register]) {
        for register in registers {
            self.section(&format!("{}: {}", register.name, register.doc));
            self.define(register.name, format!("0x{:03x}", register.offset));
            for field in register.fields {
                let name = format!("{}_{}", register.name, field.name);
                self.field(&name, field);
                if let Some(reset) = field.reset {
                    self.define(&format!("{name}_RESET"), format!("0x{reset:x}u"));
                }
            }
        }
    }

    pub(crate) fn section(&mut self, text: &str) {
        self.text += &format!("\n/* {text} */\n");
    }

    pub(crate) fn define(&mut self, name: &str, value: String) {
        self.text += &format!("#define {}_{} {value}\n", self.prefix, name.to_uppercase());
    }

    /// Mask and shift of a field, and its named values.
    fn field(&mut self, name: &str, field: &Field) {
        let position = field.position;
        self.define(&format!("{name}_SHIFT"), position.low.to_string());
        match position.last_word() == position.word {
            true => {
                let mask = (1u64 << position.width).wrapping_sub(1) << position.low;
                self.define(&format!("{name}_MASK"), format!("0x{mask:08x}u"));
            }
            false => self.define(&format!("{name}_WIDTH"), position.width.to_string()),
        }
        for value in (field.values)() {
            self.define(&format!("{name}_{}", value.name), value.number.to_string());
        }
    }
}
