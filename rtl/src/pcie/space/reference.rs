//! The printed reference.

use super::{Attribute, Field, Kind, Live, Sticky, Structure, space};
use crate::config::Config;
use std::collections::BTreeMap;

/// All registers as Markdown: a row for each field, a column for each kind.
pub fn reference(config: &Config) -> String {
    let kinds = [Kind::Physical, Kind::Manager, Kind::Virtual];
    let spaces = kinds.map(|kind| space(config, kind));
    let mut names: Vec<&str> = vec![];
    for structure in spaces.iter().flatten() {
        if !names.contains(&structure.name) {
            names.push(structure.name);
        }
    }
    names.sort_by_key(|name| spaces.iter().flatten().find(|it| it.name == *name).map(|it| it.offset));
    names.into_iter().map(|name| section(&spaces, name)).collect()
}

fn section(spaces: &[Vec<Structure>; 3], name: &str) -> String {
    let of_kinds = spaces.each_ref().map(|space| space.iter().find(|it| it.name == name));
    let some = of_kinds.into_iter().flatten().next().expect("some kind has it");
    let mut out = format!(
        "\n### `{name}` ({})\n\n| offset | register | bits | field | physical | manager | virtual | |\n|---|---|---|---|---|---|---|---|\n",
        some.clause
    );
    let mut rows: BTreeMap<(usize, usize), (&str, &Field, [String; 3])> = BTreeMap::new();
    for (kind, structure) in of_kinds.iter().enumerate() {
        for register in structure.iter().flat_map(|it| &it.registers) {
            for field in &register.fields {
                let offset = register.offset - structure.expect("it has registers").offset;
                let row =
                    rows.entry((offset, field.low)).or_insert((register.name, field, Default::default()));
                row.2[kind] = attribute(field.attribute);
            }
        }
    }
    for ((offset, _), (register, field, [physical, manager, virtual_function])) in rows {
        let Field { name, doc, .. } = field;
        let bits = match field.width {
            1 => field.low.to_string(),
            width => format!("{}:{}", field.low + width - 1, field.low),
        };
        out += &format!(
            "| +{offset:02X} | {register} | {bits} | `{name}` | {physical} | {manager} | {virtual_function} | {doc} |\n"
        );
    }
    out
}

fn attribute(attribute: Attribute) -> String {
    let s = |sticky| if sticky == Sticky::Yes { "S" } else { "" };
    match attribute {
        Attribute::Constant(value) => format!("{value:X}"),
        Attribute::Live(live) => format!("RO, {}", live_name(live)),
        Attribute::ReadWrite { reset: 0, sticky } => format!("RW{}", s(sticky)),
        Attribute::ReadWrite { reset, sticky } => format!("RW{}, {reset:X}", s(sticky)),
        Attribute::ClearedByOne(sticky) => format!("RW1C{}", s(sticky)),
        Attribute::Logged(sticky) => format!("RO{}", s(sticky)),
        Attribute::Action => "action".to_owned(),
    }
}

fn live_name(live: Live) -> &'static str {
    match live {
        Live::Multifunction | Live::SrIovList => "by personality",
        Live::TransactionsPending => "state",
        Live::FirstVfOffset | Live::VfStride => "by number and routing",
        Live::SerialLow | Live::SerialHigh => "an input",
        Live::WindowData => "access",
    }
}
