//! A scenario file as it is written.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use toml::Spanned;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    pub config: Option<Spanned<String>>,
    #[serde(default)]
    pub default: PortList,
    pub traffic: Vec<Traffic>,
    #[serde(default)]
    pub pvid: BTreeMap<Spanned<String>, Spanned<i64>>,
    #[serde(default)]
    pub vlan: Vec<Vlan>,
    #[serde(default)]
    pub entry: Vec<Entry>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    pub pcap: PathBuf,
    pub port: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vlan {
    pub vid: Spanned<i64>,
    pub members: PortList,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    pub vid: Spanned<i64>,
    pub mac: Spanned<String>,
    pub ports: PortList,
}

/// `"all"` or a list of names.
#[derive(Clone, Debug)]
pub enum PortList {
    All,
    Named(Vec<Spanned<String>>),
}

impl Default for PortList {
    fn default() -> Self {
        Self::Named(Vec::new())
    }
}

// By hand, as serde's untagged enums lose the places of the names and give messages that say nothing.
impl<'de> Deserialize<'de> for PortList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PortListVisitor;

        impl<'de> Visitor<'de> for PortListVisitor {
            type Value = PortList;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"all\" or a list of port names")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<PortList, E> {
                match text {
                    "all" => Ok(PortList::All),
                    other => Err(E::invalid_value(serde::de::Unexpected::Str(other), &self)),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<PortList, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element()? {
                    names.push(name);
                }
                Ok(PortList::Named(names))
            }
        }

        deserializer.deserialize_any(PortListVisitor)
    }
}
