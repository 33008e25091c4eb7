//! The text of a scenario.

use std::fmt::Write;

use rtl::config::Config;
use rtl::register_map::{self, Field};
use rtl::veb::rows::Operation;

use super::rows::{is_address, is_port_set};
use crate::ethernet::MacAddress;
use crate::traffic::Listed;
use crate::veb::PortSet;
use crate::veb::bench::Behaviour;
use crate::veb::policy::{Change, FilterOf, Policy, multicast_hash};

/// What a scenario is to say.
pub struct Recipe<'a> {
    /// Lines above all else.
    pub comment: &'a str,
    pub config: &'a Config,
    pub policy: &'a Policy,
    /// Of each port, until `settled`; from then on all is taken at once.
    pub behaviour: &'a [Behaviour],
    pub settled: u64,
    /// Rows that change under traffic, with the cycles.
    pub changes: &'a [(u64, Change)],
    /// The ports that they enter at, in the order in which each port sends them.
    pub frames: &'a [(usize, Listed)],
}

/// A group of this hash.
fn group_of(hash: usize) -> MacAddress {
    let group = MacAddress::from_u64(1 << 40);
    MacAddress::from_u64(group.to_u64() | (hash ^ multicast_hash(group)) as u64)
}

/// The text of a scenario that says just this, in rows by the names of the register map.
pub fn write(recipe: &Recipe) -> String {
    let mut writer = Writer { text: String::new(), ports: recipe.config.port_names() };
    recipe.comment.lines().for_each(|line| writer.line(&format!("# {line}")));
    writer.line(&format!("config = {}", config(recipe.config)));
    recipe.policy.setup().iter().for_each(|change| writer.row("row", change));
    for (port, wishes) in recipe.policy.wishes.iter().enumerate() {
        let wishes = [("unicast", wishes.unicast), ("multicast", wishes.multicast), ("vlan", wishes.vlan)];
        let wants: Vec<String> =
            wishes.into_iter().filter(|(_, wish)| *wish).map(|(name, _)| format!("\"{name}\"")).collect();
        let mut fields = vec![];
        if !wants.is_empty() {
            fields.push(("wants", format!("[{}]", wants.join(", "))));
        }
        let of_port = recipe.policy.filters.iter().filter(|filter| filter.function == port);
        let (mut groups, mut vlans) = (vec![], vec![]);
        of_port.for_each(|filter| match filter.of {
            FilterOf::Group(hash) => groups.push(format!("\"{}\"", group_of(hash))),
            FilterOf::Vlan(vid) => vlans.push(vid.to_string()),
        });
        if !groups.is_empty() {
            fields.push(("groups", format!("[{}]", groups.join(", "))));
        }
        if recipe.policy.wishes[port].filter {
            fields.push(("vlans", format!("[{}]", vlans.join(", "))));
        }
        if !fields.is_empty() {
            fields.insert(0, ("name", format!("\"{}\"", writer.ports[port])));
            writer.table("port", &fields);
        }
    }
    for (port, behaviour) in recipe.behaviour.iter().enumerate() {
        for (table, percent) in [("pause", behaviour.pause), ("stall", behaviour.stall)] {
            if percent > 0 {
                let name = format!("\"{}\"", writer.ports[port]);
                let to = format!("\"{} cycles\"", recipe.settled);
                writer.table(table, &[("port", name), ("to", to), ("percent", percent.to_string())]);
            }
        }
    }
    for (cycle, change) in recipe.changes {
        writer.table("change", &[("at", format!("\"{cycle} cycles\"")), ("held", "false".to_owned())]);
        writer.row("change.row", change);
    }
    for (port, frame) in recipe.frames {
        let hex: String = frame.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut keys = vec![("port", format!("\"{}\"", writer.ports[*port])), ("hex", format!("\"{hex}\""))];
        if frame.cycle > 0 {
            keys.push(("at", format!("\"{} cycles\"", frame.cycle)));
        }
        if frame.error {
            keys.push(("error", "true".to_owned()));
        }
        if let Some(ports) = frame.forced {
            keys.push(("forced", writer.ports(ports)));
        }
        writer.table("frame", &keys);
    }
    writer.text
}

/// By name, or by what differs from the named one with beats as wide.
fn config(config: &Config) -> String {
    if Config::by_name(config.name).as_ref() == Some(config) {
        return format!("\"{}\"", config.name);
    }
    let all = Config::all();
    let base = all.iter().find(|base| base.bytes == config.bytes).unwrap_or(&all[0]);
    let mut text = format!("{{ like = \"{}\"", base.name);
    for (name, value, usual) in [
        ("wires", config.wires, base.wires),
        ("vfs", config.vfs, base.vfs),
        ("bytes", config.bytes, base.bytes),
        ("entries", config.entries, base.entries),
        ("cells", config.cells, base.cells),
        ("clock_khz", config.clock_khz, base.clock_khz),
    ] {
        if value != usual {
            write!(text, ", {name} = {value}").expect("texts take all");
        }
    }
    text + " }"
}

struct Writer {
    text: String,
    /// Names of the ports.
    ports: Vec<String>,
}

impl Writer {
    fn line(&mut self, line: &str) {
        self.text += line;
        self.text.push('\n');
    }

    fn table(&mut self, name: &str, keys: &[(&str, String)]) {
        self.line(&format!("\n[[{name}]]"));
        keys.iter().for_each(|(key, value)| self.line(&format!("{key} = {value}")));
    }

    /// A row with its fields that are not 0.
    fn row(&mut self, name: &str, change: &Change) {
        let table = register_map::table(change.table);
        let mut keys = vec![("table", format!("\"{}\"", table.name))];
        if change.operation == Operation::Delete {
            keys.push(("operation", "\"delete\"".to_owned()));
        }
        if table.rows.is_some() {
            keys.push(("index", change.index.to_string()));
        }
        let values = table.fields.iter().map(|field| (field, field.position.get(&change.data)));
        let fields: Vec<String> = values
            .filter(|(_, value)| *value != 0)
            .map(|(field, value)| format!("{} = {}", field.name, self.value(field, value)))
            .collect();
        keys.push((
            "fields",
            if fields.is_empty() { "{}".into() } else { format!("{{ {} }}", fields.join(", ")) },
        ));
        self.table(name, &keys);
    }

    fn value(&self, field: &Field, value: u128) -> String {
        if is_port_set(field) {
            return self.ports(PortSet::from_bits(value));
        }
        if is_address(field) {
            return format!("\"{}\"", MacAddress::from_u64(value as u64));
        }
        match (field.values)().into_iter().find(|named| named.number == value) {
            Some(named) => format!("\"{}\"", named.name),
            None if field.position.width == 1 => "true".to_owned(),
            None => value.to_string(),
        }
    }

    fn ports(&self, ports: PortSet) -> String {
        let names: Vec<String> = ports.iter().map(|port| format!("\"{}\"", self.ports[port])).collect();
        format!("[{}]", names.join(", "))
    }
}
