//! Commands of the control queue (virtio 5.1.6.5).

/// What a driver asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Promiscuous(bool),
    AllMulticast(bool),
    /// Unicast and multicast addresses.
    Addresses(Vec<[u8; 6]>, Vec<[u8; 6]>),
    SetAddress([u8; 6]),
    AddVlan(u16),
    RemoveVlan(u16),
    Announced,
    /// Pairs of queues that are used.
    Pairs(u16),
    /// A class, a command, and data, whatever they are.
    Raw(u8, u8, Vec<u8>),
}

/// What the device answers if it has done it.
pub const OK: u8 = 0;

impl Command {
    /// What the device reads: class, command, data.
    pub fn bytes(&self) -> Vec<u8> {
        let (class, command, data) = match self {
            Command::Promiscuous(on) => (0, 0, vec![u8::from(*on)]),
            Command::AllMulticast(on) => (0, 1, vec![u8::from(*on)]),
            Command::Addresses(unicast, multicast) => {
                let list = |addresses: &Vec<[u8; 6]>| {
                    let mut bytes = (addresses.len() as u32).to_le_bytes().to_vec();
                    bytes.extend(addresses.iter().flatten());
                    bytes
                };
                (1, 0, [list(unicast), list(multicast)].concat())
            }
            Command::SetAddress(address) => (1, 1, address.to_vec()),
            Command::AddVlan(vid) => (2, 0, vid.to_le_bytes().to_vec()),
            Command::RemoveVlan(vid) => (2, 1, vid.to_le_bytes().to_vec()),
            Command::Announced => (3, 0, vec![]),
            Command::Pairs(pairs) => (4, 0, pairs.to_le_bytes().to_vec()),
            Command::Raw(class, command, data) => (*class, *command, data.clone()),
        };
        [vec![class, command], data].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_bytes() {
        let address = [1, 2, 3, 4, 5, 6];
        let table = Command::Addresses(vec![], vec![address]);
        assert_eq!(table.bytes(), [1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(Command::Pairs(0x102).bytes(), [4, 0, 2, 1]);
        assert_eq!(Command::Announced.bytes(), [3, 0]);
    }
}
