//! Rows of the bridge's tables, by the names that the register map gives to tables and fields.

use rtl::register_map::{Field, MAX_PORTS, TABLES, WORDS};
use rtl::veb::rows::{self, Operation};
use toml::Spanned;

use super::error::{Problem, ScenarioError};
use super::file::Row;
use super::names::Names;
use super::values::{FieldValue, PortList};
use crate::veb::policy::{Change, MAX_RATE};

/// The change that a row of a file is.
pub fn change(names: &Names, row: &Row) -> Result<Change, ScenarioError> {
    let source = names.source;
    let changed = TABLES.iter().filter(|table| table.id != rows::Table::Statistics);
    let name = row.table.as_ref();
    let Some(table) = changed.clone().find(|table| table.name == name) else {
        let known = changed.map(|table| table.name).collect::<Vec<_>>().join(", ");
        return source.fail(&row.table, Problem::UnknownTable { name: name.clone(), known });
    };
    let (index, usual) = match (table.rows, &row.index) {
        (Some(rows), Some(index)) => {
            let (number, rows) = (index.as_ref().get::<usize>(), rows(names.config));
            source.require(number < rows, index, || Problem::Index { table: table.name, rows })?;
            (number, Operation::Write)
        }
        (None, None) => (0, Operation::Insert),
        (Some(_), None) => {
            return source
                .fail(&row.table, Problem::Missing { what: "a row of this table", keys: "`index`" });
        }
        (None, Some(index)) => {
            let what = "a table that is found by key";
            return source.fail(index, Problem::Conflict { key: "index", what });
        }
    };
    let operation = row.operation.as_ref().map_or(usual, |operation| (*operation.as_ref()).into());
    if let Some(place) = &row.operation {
        let conflict = || Problem::Conflict { key: "operation", what: "this table: it has others" };
        source.require(table.operations.contains(&operation), place, conflict)?;
    }
    let mut data = [0; WORDS];
    for (name, value) in &row.fields {
        let Some(field) = table.fields.iter().find(|field| field.name == name.as_ref()) else {
            let known = table.fields.iter().map(|field| field.name).collect::<Vec<_>>().join(", ");
            let name = name.as_ref().clone();
            return source.fail(value, Problem::UnknownField { table: table.name, name, known });
        };
        field.position.put(&mut data, number(names, field, value)?);
    }
    Ok(Change { table: table.id, operation, index, data })
}

/// Whether a field is a bit for each port.
pub fn is_port_set(field: &Field) -> bool {
    field.position.width == MAX_PORTS
}

/// Whether a field is a MAC address.
pub fn is_address(field: &Field) -> bool {
    field.position.width == 48
}

/// The number that a value of a field stands for.
fn number(names: &Names, field: &Field, value: &Spanned<FieldValue>) -> Result<u128, ScenarioError> {
    let width = field.position.width;
    let at = |list: &PortList| Spanned::new(value.span(), list.clone());
    match value.as_ref() {
        FieldValue::Ports(list) if is_port_set(field) => return Ok(names.set(&at(list))?.bits()),
        FieldValue::Ports(PortList::One(text)) if is_address(field) => {
            return Ok(names.address(&Spanned::new(value.span(), text.clone()))?.to_u64().into());
        }
        FieldValue::Ports(PortList::One(text)) => {
            if let Some(named) = (field.values)().into_iter().find(|named| named.name == *text) {
                return Ok(named.number);
            }
        }
        FieldValue::Flag(flag) if width == 1 => return Ok((*flag).into()),
        FieldValue::Number(number) if !is_port_set(field) && !is_address(field) => {
            if let Some(number) = u128::try_from(*number).ok().filter(|number| *number <= most(field)) {
                return Ok(number);
            }
        }
        FieldValue::Ports(_) | FieldValue::Flag(_) | FieldValue::Number(_) => {}
    }
    names.source.fail(value, Problem::FieldValue { field: field.name, allowed: allowed(field) })
}

/// The highest number that a field takes.
fn most(field: &Field) -> u128 {
    match field.name {
        "maximum" => MAX_RATE.into(),
        _ => (1 << field.position.width) - 1,
    }
}

fn allowed(field: &Field) -> String {
    let named = (field.values)();
    match field.position.width {
        _ if is_port_set(field) => "ports".into(),
        _ if is_address(field) => "an address".into(),
        1 => "true or false".into(),
        _ if named.is_empty() => format!("a number from 0 to {}", most(field)),
        _ => named.into_iter().map(|named| format!("\"{}\"", named.name)).collect::<Vec<_>>().join(" or "),
    }
}
