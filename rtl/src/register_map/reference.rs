//! The printed reference.

use super::{Access, Field, KINDS, NamedValue, Position, REGISTERS, Register, TABLES, Table};
use crate::veb::rows;
use hdl::HwEnum;

/// Registers, tables and kinds of statistics as Markdown.
pub fn reference() -> String {
    let mut out = format!("## Registers\n\n{}", registers(REGISTERS));
    out += "\n## Tables\n\n| number | table | index | commands | |\n|---|---|---|---|---|\n";
    for table in TABLES {
        let Table { name, index, doc, .. } = table;
        let commands: Vec<String> = table.operations.iter().map(|operation| command(*operation)).collect();
        out += &format!("| {} | {name} | {index} | {} | {doc} |\n", table.number(), commands.join(", "));
    }
    for table in TABLES {
        out += &format!(
            "\n### {}\n\n{}\n\n| word | bits | field | |\n|---|---|---|---|\n",
            table.name, table.doc
        );
        for field in table.fields {
            let Position { word, .. } = field.position;
            let words = match field.position.last_word() {
                last if last == word => format!("DATA{word}"),
                last => format!("DATA{word} to DATA{last}"),
            };
            out += &format!("| {words} | {} | `{}` | {} |\n", bits(field.position), field.name, doc(field));
        }
    }
    out += "\n## Statistics\n\n| kind | name | counts | does not count |\n|---|---|---|---|\n";
    for kind in KINDS {
        out += &format!("| {} | `{}` | {} | {} |\n", kind.number, kind.name, kind.counts, kind.excludes);
    }
    out
}

/// Two tables: the registers, and their fields.
pub(crate) fn registers(registers: &[Register]) -> String {
    let mut out = String::from("| offset | register | access | |\n|---|---|---|---|\n");
    for register in registers {
        let Register { name, offset, doc, .. } = register;
        out += &format!("| 0x{offset:03X} | {name} | {} | {doc} |\n", access(register));
    }
    out += "\n| register | bits | field | after reset | |\n|---|---|---|---|---|\n";
    for register in registers {
        for field in register.fields {
            let reset = field.reset.map_or(String::new(), |reset| match reset > 0xffff {
                true => format!("0x{reset:08X}"),
                false => reset.to_string(),
            });
            let (bits, doc) = (bits(field.position), doc(field));
            out += &format!("| {} | {bits} | `{}` | {reset} | {doc} |\n", register.name, field.name);
        }
    }
    out
}

fn access(register: &Register) -> &'static str {
    match (register.access, register.locked) {
        (Access::ReadOnly, _) => "RO",
        (Access::ReadWrite, false) => "RW",
        (Access::ReadWrite, true) => "RW, locked",
        (Access::Command, false) => "command",
        (Access::Command, true) => "command, locked",
        (Access::Acknowledge, _) => "RW1C",
        (Access::Clear, _) => "RO, cleared by a write",
    }
}

/// The bits of a field; those of one that goes on in the next words count on from 32.
fn bits(position: Position) -> String {
    match position.width {
        1 => position.low.to_string(),
        _ => format!("{}:{}", position.high(), position.low),
    }
}

fn doc(field: &Field) -> String {
    let value = |NamedValue { name, number, .. }: &NamedValue| format!("{number} {name}");
    let values: Vec<String> = (field.values)().iter().map(value).collect();
    match values.is_empty() {
        true => field.doc.to_string(),
        false => format!("{} Values: {}.", field.doc, values.join(", ")),
    }
}

/// The name of a command with the number that COMMAND takes.
fn command(operation: rows::Operation) -> String {
    let known = rows::Operation::VARIANTS.iter().find(|variant| variant.1 == operation);
    let (name, _, number, _) = known.expect("VARIANTS lists every variant");
    format!("{number} {}", name.to_lowercase())
}
