//! The reference model of the complete bridge: what becomes of a frame, from the rules alone.
//!
//! Clauses are those of IEEE 802.1Q-2018. The bridge has static tables: it does not learn and takes no part in spanning
//! tree. What depends on time is not in it: a full buffer and full queues may take frames that it forwards.

mod form;
pub(super) mod rules;

use std::fmt;
use std::sync::Arc;

use super::{PortSet, policy::Policy};
pub use form::Form;

/// Why a frame, or one copy of it, went no further. The order is that in which the reasons are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The sender marked the frame as bad.
    Error,
    /// It ends before the type behind its first two tags.
    Runt,
    /// Longer than 9622 bytes.
    Oversize,
    /// No free cell in the packet buffer. Depends on time; takes the place of the reasons that follow.
    BufferFull,
    /// Nothing may enter at its port.
    Disabled,
    /// Its source address does not belong to its port.
    MacSpoof,
    /// Its type is one that its port must not send.
    EthertypeSpoof,
    /// Its port does not take frames with such tags.
    Admission,
    /// A reserved VLAN, or one that its port is no member of.
    Vlan,
    /// No port is left to send it to.
    Filtered,
    /// No room in the queue of a port it goes to. Depends on time and concerns that copy only.
    QueueFull,
}

impl Reason {
    /// All reasons, in their order.
    pub const ALL: [Self; 11] = [
        Self::Error,
        Self::Runt,
        Self::Oversize,
        Self::BufferFull,
        Self::Disabled,
        Self::MacSpoof,
        Self::EthertypeSpoof,
        Self::Admission,
        Self::Vlan,
        Self::Filtered,
        Self::QueueFull,
    ];

    /// The reason's name in summaries, registers and JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Runt => "runt",
            Self::Oversize => "oversize",
            Self::BufferFull => "buffer_full",
            Self::Disabled => "disabled",
            Self::MacSpoof => "mac_spoof",
            Self::EthertypeSpoof => "ethertype_spoof",
            Self::Admission => "admission",
            Self::Vlan => "vlan",
            Self::Filtered => "filtered",
            Self::QueueFull => "queue_full",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What becomes of a frame while there is room for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It goes no further; the reason is none of those that depend on time.
    Drop(Reason),
    /// It leaves each of these ports once. There is at least one; no port is in two of them, and no two have the same form.
    Forward(Vec<Copies>),
}

/// Equal copies of a frame.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Copies {
    pub form: Form,
    /// What leaves.
    pub bytes: Arc<[u8]>,
    /// The ports that it leaves by: at least one.
    pub ports: PortSet,
}

impl Decision {
    /// The ports that the frame leaves by.
    pub fn ports(&self) -> PortSet {
        self.copies().iter().fold(PortSet::EMPTY, |ports, copies| ports | copies.ports)
    }

    /// The copies, if it is forwarded.
    pub fn copies(&self) -> &[Copies] {
        match self {
            Self::Drop(_) => &[],
            Self::Forward(copies) => copies,
        }
    }

    /// What leaves by a port.
    pub fn at(&self, port: usize) -> Option<&Copies> {
        self.copies().iter().find(|copies| copies.ports.contains(port))
    }

    /// Why the frame is dropped, if it is.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Self::Drop(reason) => Some(*reason),
            Self::Forward(_) => None,
        }
    }
}

/// What becomes of `frame` that came in at port `source` with its `error` flag. `forced` is the set of ports that the
/// manager gave this frame, if it did.
///
/// # Panics
/// If the bridge has no port `source`, or another port than the manager forces a frame.
pub fn decide(
    policy: &Policy,
    source: usize,
    frame: &[u8],
    error: bool,
    forced: Option<PortSet>,
) -> Decision {
    assert!(source < policy.port_count(), "no port {source}");
    assert!(forced.is_none() || source == policy.manager(), "port {source} cannot force");
    match forward(policy, source, frame, error, forced) {
        Ok(copies) if copies.is_empty() => Decision::Drop(Reason::Filtered),
        Ok(copies) => Decision::Forward(copies),
        Err(reason) => Decision::Drop(reason),
    }
}

/// The rules, in their order.
fn forward(
    policy: &Policy,
    source: usize,
    frame: &[u8],
    error: bool,
    forced: Option<PortSet>,
) -> Result<Vec<Copies>, Reason> {
    let header = rules::whole(frame, error)?;
    let vlan = rules::classify(&policy.ports[source], &header);
    rules::enabled(policy, source)?;
    let (ports, raw) = if let Some(ports) = forced {
        (rules::forced(policy, ports), true)
    } else {
        rules::source_address(policy, source, vlan.vid, &header)?;
        rules::ethertype(policy, source, &header)?;
        if rules::is_reserved(header.destination) {
            (rules::reserved(policy, source), true)
        } else {
            rules::admission(&policy.ports[source], &vlan)?;
            rules::membership(policy, source, vlan.vid)?;
            (rules::destinations(policy, source, vlan.vid, &header), false)
        }
    };
    let ports = ports | rules::mirrors(policy, source, vlan.vid, ports);
    Ok(form::copies(policy, source, frame, &vlan, ports, raw))
}

#[cfg(test)]
mod tests;
