//! A scenario file as it is written. What the keys mean is said in [`super`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use rtl::veb::rows::Operation;
use serde::Deserialize;
use toml::Spanned;

use super::values::{ConfigChoice, FieldValue, Looks, MaxRate, Number, PortList, Time, Vid};
use crate::ethernet::TagKind;
use crate::traffic::{Pace, SinkRate, Size};
use crate::veb::policy::{Direction, Mode};

pub type Ports = Spanned<PortList>;
pub type Seed = Number<0, { i64::MAX }>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub config: Option<Spanned<ConfigChoice>>,
    pub seed: Option<Seed>,
    pub stop: Option<Time>,
    pub adapter: Option<Adapter>,
    #[serde(default)]
    pub driver: Vec<Driver>,
    #[serde(default)]
    pub traffic: Vec<Traffic>,
    #[serde(default)]
    pub frame: Vec<Frame>,
    #[serde(default)]
    pub sink: Vec<Sink>,
    #[serde(default)]
    pub stall: Vec<Span>,
    #[serde(default)]
    pub pause: Vec<Span>,
    #[serde(default)]
    pub change: Vec<Change>,
    #[serde(default)]
    pub port: Vec<Port>,
    #[serde(default)]
    pub vlan: Vec<Vlan>,
    #[serde(default)]
    pub address: Vec<Address>,
    #[serde(default)]
    pub multicast: Vec<Multicast>,
    #[serde(default)]
    pub row: Vec<Row>,
    pub mirror: Option<Spanned<Vec<Mirror>>>,
    pub ethertypes: Option<Spanned<Vec<Number<0, 0xFFFF>>>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    pub at: Time,
    pub held: Option<Spanned<bool>>,
    #[serde(default)]
    pub port: Vec<Port>,
    #[serde(default)]
    pub vlan: Vec<Vlan>,
    #[serde(default)]
    pub remove: Vec<Remove>,
    #[serde(default)]
    pub address: Vec<Address>,
    #[serde(default)]
    pub multicast: Vec<Multicast>,
    #[serde(default)]
    pub row: Vec<Row>,
    pub mirror: Option<Spanned<Vec<Mirror>>>,
    pub ethertypes: Option<Spanned<Vec<Number<0, 0xFFFF>>>>,
}

/// Rows of the bridge's tables: of the start, or of a change.
#[derive(Clone, Debug)]
pub struct Tables {
    pub port: Vec<Port>,
    pub vlan: Vec<Vlan>,
    pub remove: Vec<Remove>,
    pub address: Vec<Address>,
    pub multicast: Vec<Multicast>,
    pub row: Vec<Row>,
    pub mirror: Option<Spanned<Vec<Mirror>>>,
    pub ethertypes: Option<Spanned<Vec<Number<0, 0xFFFF>>>>,
}

impl File {
    /// Takes the tables out.
    pub fn tables(&mut self) -> Tables {
        Tables {
            port: std::mem::take(&mut self.port),
            vlan: std::mem::take(&mut self.vlan),
            remove: vec![],
            address: std::mem::take(&mut self.address),
            multicast: std::mem::take(&mut self.multicast),
            row: std::mem::take(&mut self.row),
            mirror: self.mirror.take(),
            ethertypes: self.ethertypes.take(),
        }
    }
}

impl Change {
    /// What changes.
    pub fn tables(&self) -> Tables {
        Tables {
            port: self.port.clone(),
            vlan: self.vlan.clone(),
            remove: self.remove.clone(),
            address: self.address.clone(),
            multicast: self.multicast.clone(),
            row: self.row.clone(),
            mirror: self.mirror.clone(),
            ethertypes: self.ethertypes.clone(),
        }
    }
}

/// The host and the link, and what the adapter shows itself as.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adapter {
    pub personality: Option<PersonalityName>,
    pub functions: Option<Spanned<Number<1, 8>>>,
    pub vfs: Option<Spanned<Number<0, 62>>>,
    pub ari: Option<bool>,
    pub generation: Option<Number<1, 4>>,
    pub lanes: Option<Spanned<Number<1, 16>>>,
    pub read_latency: Option<Time>,
}

/// How a function is driven.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Driver {
    pub port: Ports,
    pub ring: Option<RingName>,
    pub pairs: Option<Spanned<Number<1, 4>>>,
    pub entries: Option<Spanned<Number<8, 256>>>,
    pub features: Option<Vec<Spanned<String>>>,
    pub buffers: Option<LayoutName>,
    pub looks: Option<Looks>,
    pub mtu: Option<Number<68, 9600>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PersonalityName {
    Sriov,
    Legacy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RingName {
    Split,
    Packed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LayoutName {
    Plain,
    Scattered,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    pub name: Ports,
    pub preset: Option<Spanned<String>>,
    pub link: Option<Link>,
    pub vlan: Option<Vid>,
    pub priority: Option<Number<0, 7>>,
    pub inserted_tag: Option<TagName>,
    pub customer_tags: Option<bool>,
    pub service_tags: Option<bool>,
    pub admit_untagged: Option<bool>,
    pub admit_tagged: Option<bool>,
    pub admit_nested: Option<bool>,
    pub ingress: Option<bool>,
    pub egress: Option<bool>,
    pub check_source: Option<bool>,
    pub check_ethertype: Option<bool>,
    pub mode: Option<ModeName>,
    pub broadcast: Option<bool>,
    pub may: Option<Vec<Promiscuity>>,
    pub wants: Option<Vec<Promiscuity>>,
    pub groups: Option<Vec<Spanned<String>>>,
    pub vlans: Option<Vec<Vid>>,
    pub prune: Option<bool>,
    pub default_ports: Option<Ports>,
    pub max_rate: Option<MaxRate>,
    pub burst: Option<Number<1, 0x1FFFF>>,
    pub class: Option<Number<0, 3>>,
    pub share: Option<Spanned<Number<1, 40>>>,
    pub quantum: Option<Number<1, 0xFFFF>>,
    pub queue_cells: Option<Number<0, 65536>>,
    pub hold_from: Option<Number<0, 65536>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Link {
    Up,
    Down,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Promiscuity {
    Unicast,
    Multicast,
    Vlan,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vlan {
    pub vid: Spanned<Vid>,
    pub members: Ports,
    pub untagged: Option<Ports>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Address {
    pub mac: Option<Spanned<String>>,
    pub vid: Option<Vid>,
    pub ports: Ports,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remove {
    pub mac: Spanned<String>,
    pub vid: Option<Vid>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Multicast {
    pub mac: Spanned<String>,
    pub ports: Ports,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    pub target: Spanned<String>,
    pub port: Option<Spanned<String>>,
    pub vlan: Option<Vid>,
    #[serde(default)]
    pub direction: DirectionName,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    pub name: Option<Spanned<String>>,
    pub port: Ports,
    pub pcap: Option<PathBuf>,
    pub source: Option<Spanned<String>>,
    pub destination: Option<Spanned<String>>,
    pub vlan: Option<Number<0, 4095>>,
    pub priority: Option<Number<0, 7>>,
    pub service_vlan: Option<Number<0, 4095>>,
    pub ethertype: Option<Number<0, 0xFFFF>>,
    pub size: Option<Spanned<Size>>,
    pub seed: Option<Seed>,
    pub rate: Option<Spanned<Pace>>,
    pub start: Option<Time>,
    pub stop: Option<Spanned<Time>>,
    pub frames: Option<Number<1, { i64::MAX }>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sink {
    pub port: Ports,
    pub rate: SinkRate,
}

/// A time in which ports do not do something.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    pub port: Ports,
    pub from: Option<Time>,
    pub to: Option<Spanned<Time>>,
    pub percent: Option<Number<1, 100>>,
}

/// A row of a table, by the names of the register map.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    pub table: Spanned<String>,
    pub operation: Option<Spanned<OperationName>>,
    pub index: Option<Spanned<Number<0, 0xFFFF>>>,
    #[serde(default)]
    pub fields: BTreeMap<Spanned<String>, Spanned<FieldValue>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frame {
    pub port: Spanned<String>,
    pub hex: Spanned<String>,
    pub at: Option<Time>,
    #[serde(default)]
    pub error: bool,
    pub forced: Option<Ports>,
}

/// [`Operation`] by name.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OperationName {
    Write,
    Insert,
    Delete,
}

/// [`TagKind`] by name.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TagName {
    Customer,
    Service,
}

/// [`Mode`] by name.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModeName {
    Veb,
    Vepa,
    Isolated,
}

/// [`Direction`] by name.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DirectionName {
    #[default]
    Ingress,
    Egress,
}

impl From<OperationName> for Operation {
    fn from(name: OperationName) -> Operation {
        match name {
            OperationName::Write => Operation::Write,
            OperationName::Insert => Operation::Insert,
            OperationName::Delete => Operation::Delete,
        }
    }
}

impl From<TagName> for TagKind {
    fn from(name: TagName) -> TagKind {
        match name {
            TagName::Customer => TagKind::Customer,
            TagName::Service => TagKind::Service,
        }
    }
}

impl From<ModeName> for Mode {
    fn from(name: ModeName) -> Mode {
        match name {
            ModeName::Veb => Mode::Veb,
            ModeName::Vepa => Mode::Vepa,
            ModeName::Isolated => Mode::Isolated,
        }
    }
}

impl From<DirectionName> for Direction {
    fn from(name: DirectionName) -> Direction {
        match name {
            DirectionName::Ingress => Direction::Ingress,
            DirectionName::Egress => Direction::Egress,
        }
    }
}
