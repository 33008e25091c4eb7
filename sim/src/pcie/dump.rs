//! Configuration spaces as text that `lspci -F` reads.

use super::enumeration::Function;
use std::fmt::Write;

/// The spaces as `lspci -xxxx` prints them.
pub fn dump(functions: &[Function]) -> String {
    let mut out = String::new();
    for Function { id, is_virtual, words } in functions {
        let what = if *is_virtual { "virtual function" } else { "function" };
        writeln!(out, "{id} Hematite: {what}").expect("texts take all");
        for (row, words) in words.chunks(4).enumerate() {
            write!(out, "{:02x}:", 16 * row).expect("texts take all");
            for byte in words.iter().flat_map(|word| word.to_le_bytes()) {
                write!(out, " {byte:02x}").expect("texts take all");
            }
            out.push('\n');
        }
        out.push('\n');
    }
    out
}
