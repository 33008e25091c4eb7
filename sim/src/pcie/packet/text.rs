//! Packets as people read them.

use super::{Kind, Packet};
use std::fmt;

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        let request = |f: &mut fmt::Formatter<'_>, name: &str| {
            write!(f, "{name} from {} tag {:#x}", self.requester(), self.tag())
        };
        let place = |f: &mut fmt::Formatter<'_>| {
            let [first, last] = [self.first_enables(), self.last_enables()];
            write!(f, " at {:#x}, {} words, enables {first:04b} {last:04b}", self.address(), self.length())
        };
        match kind {
            Kind::ConfigurationRead { far } | Kind::ConfigurationWrite { far } => {
                let name = if self.has_data() { "CfgWr" } else { "CfgRd" };
                request(f, &format!("{name}{}", u8::from(far)))?;
                write!(
                    f,
                    " to {} register {:#05x} enables {:04b}",
                    self.target(),
                    self.register(),
                    self.first_enables()
                )?;
            }
            Kind::Message { routing, .. } => {
                request(f, "Msg")?;
                write!(f, " code {:#04x} routing {routing}", self.message_code())?;
            }
            Kind::Completion { has_data, locked } => {
                let name = if has_data { "CplD" } else { "Cpl" };
                write!(f, "{name}{} from {} ", if locked { "Lk" } else { "" }, self.completer())?;
                write!(f, "to {} tag {:#x} {:?}", self.requester(), self.tag(), self.status())?;
                write!(f, ", {} bytes left, lower address {:#04x}", self.byte_count(), self.lower_address())?;
            }
            Kind::Prefix | Kind::Undefined => {
                let [a, b, c, d] = self.header;
                write!(f, "{kind:?} {a:08x} {b:08x} {c:08x} {d:08x}")?;
            }
            _ => {
                let name = match kind {
                    Kind::MemoryRead => "MRd",
                    Kind::LockedRead => "MRdLk",
                    Kind::MemoryWrite => "MWr",
                    Kind::DeferrableWrite => "DMWr",
                    Kind::IoRead => "IORd",
                    Kind::IoWrite => "IOWr",
                    Kind::FetchAdd => "FetchAdd",
                    Kind::Swap => "Swap",
                    _ => "CAS",
                };
                request(f, name)?;
                place(f)?;
            }
        }
        if self.is_poisoned() {
            write!(f, ", poisoned")?;
        }
        match self.payload.len() {
            0 => Ok(()),
            bytes => write!(f, ", {bytes} bytes"),
        }
    }
}
