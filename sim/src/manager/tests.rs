//! The driver on words of memory instead of an adapter.

use super::*;
use crate::{
    pcie::{
        interface::{Bridge, Configuration},
        packet::RoutingId,
    },
    veb::policy::Rate,
};
use std::collections::BTreeMap;

const BASE: u64 = 0x8000_0000;

/// Registers that hold what is written, and a bridge that carries commands out.
struct Words {
    words: BTreeMap<usize, u32>,
    policy: Policy,
    bridge: Bridge,
    /// Reads of a busy register that still say so.
    busy: u32,
    /// Commands until the address table is full.
    room: usize,
}

impl Words {
    fn new() -> Words {
        let (words, policy, bridge) = (BTreeMap::new(), Policy::new(1, 5), Bridge::default());
        Words { words, policy, bridge, busy: 3, room: usize::MAX }
    }

    fn word(&self, offset: usize) -> u32 {
        self.words.get(&offset).copied().unwrap_or(0)
    }
}

#[derive(Debug, Error)]
#[error("none")]
struct Never;

impl Configuration for Words {
    type Error = Never;

    fn bridge(&mut self) -> &mut Bridge {
        &mut self.bridge
    }

    fn read_configuration(&mut self, _: RoutingId, _: u16) -> std::result::Result<Option<u32>, Never> {
        Ok(None)
    }

    fn write_configuration(
        &mut self,
        _: RoutingId,
        _: u16,
        _: u8,
        _: u32,
    ) -> std::result::Result<bool, Never> {
        Ok(false)
    }

    fn wait(&mut self, _: u64) -> std::result::Result<(), Never> {
        Ok(())
    }
}

impl Adapter for Words {
    fn read(&mut self, address: u64, data: &mut [u8]) -> std::result::Result<bool, Never> {
        let offset = (address - BASE) as usize;
        let word = match offset {
            0x4c | 0x1044 if self.busy > 0 => {
                self.busy -= 1;
                1
            }
            _ => self.word(offset),
        };
        data.copy_from_slice(&word.to_le_bytes());
        Ok(offset < 0x3ff0)
    }

    fn write(&mut self, address: u64, data: &[u8]) -> std::result::Result<(), Never> {
        let offset = (address - BASE) as usize;
        let word = u32::from_le_bytes(data.try_into().expect("a word"));
        self.words.insert(offset, word);
        if offset == 0x48 {
            let data = std::array::from_fn(|word| self.word(0x60 + 4 * word));
            let (table, operation) = (variant(self.word(0x40).into()), variant(word.into()));
            let change = Change { table, operation, index: self.word(0x44) as usize, data };
            let full = table == Table::Mac && self.room == 0;
            if !full {
                self.room -= usize::from(table == Table::Mac);
                self.policy.apply(&change);
            }
            self.words.insert(0x4c, u32::from(full) << 1);
            self.busy = 2;
        }
        Ok(())
    }
}

fn policy() -> Policy {
    let mut policy = Policy::new(1, 5);
    policy.insert_entry(0, MacAddress::from_u64(0x0200_0000_0001), PortSet::single(2));
    policy.insert_entry(7, MacAddress::from_u64(0x0200_0000_0002), PortSet::single(3));
    policy.rates[2] = Rate { maximum: 1000, burst: 3000, ..policy.rates[2] };
    policy.ports[3].ingress = true;
    policy
}

#[test]
fn policies_become_rows() {
    let mut adapter = Words::new();
    let wanted = policy();
    Manager::new(&mut adapter, BASE).apply_policy(&wanted).unwrap();
    assert!(adapter.policy == wanted);
    let plain = Policy::new(1, 5);
    Manager::new(&mut adapter, BASE).change_policy(&wanted, &plain).unwrap();
    assert!(adapter.policy == plain);
    adapter.room = 1;
    let result = Manager::new(&mut adapter, BASE).apply_policy(&wanted);
    assert!(matches!(result, Err(ManagerError::NoRoom { vid: 7, .. })), "{result:?}");
}

#[test]
fn what_is_busy_for_ever_is_an_error() {
    let mut adapter = Words { busy: u32::MAX, ..Words::new() };
    let result = Manager::new(&mut adapter, BASE).apply_policy(&policy());
    assert!(matches!(result, Err(ManagerError::Busy("STATUS"))));
    let result = Manager::new(&mut adapter, BASE).send(&[0; 60], None);
    assert!(matches!(result, Err(ManagerError::Busy("SEND_STATUS"))));
    let result = Manager::new(&mut adapter, BASE).read(0x3ffc);
    assert!(matches!(result, Err(ManagerError::Refused(0x3ffc))));
}

#[test]
fn rows_of_functions_by_hand() {
    let mut adapter = Words::new();
    let mut manager = Manager::new(&mut adapter, BASE);
    let mac = MacAddress::from_u64(0x1122_3344_5566);
    let device = Device { mac, mtu: 1500, speed: 10_000, duplex: 1, link_up: true, announce: true };
    manager.set_device(2, &device).unwrap();
    manager.set_may_address(2, true).unwrap();
    let receive = Moderation { frames: 16, time: 30 };
    manager.set_moderation(0, receive, Moderation { frames: 8, time: 0x1234 }).unwrap();
    let row = [0, 4, 8, 12, 16, 20].map(|word| adapter.word(0x2080 + word));
    assert_eq!(row, [0x3344_5566, 0x1122, 1500, 10_000, 0x103, 1]);
    assert_eq!([adapter.word(0x2018), adapter.word(0x201c)], [0x0010_001e, 0x0008_1234]);
    adapter.words.insert(0x20a4, 0x0003_0043);
    let faults = Manager::new(&mut adapter, BASE).faults(2).unwrap();
    assert_eq!(faults, Faults { count: 3, slot: 4, cause: Cause::Loop });
}

#[test]
fn frames_and_sets_of_functions() {
    let mut adapter = Words::new();
    let frame: Vec<u8> = (0..61).collect();
    let ports = PortSet::from_bits(0x2_8000_0000_0000_0001);
    Manager::new(&mut adapter, BASE).send(&frame, Some(ports)).unwrap();
    assert_eq!([0x3000, 0x303c].map(|offset| adapter.word(offset)), [0x0302_0100, 60]);
    let registers = [0x1040, 0x1048, 0x104c, 0x1050].map(|offset| adapter.word(offset));
    assert_eq!(registers, [61, 1, 0x8000_0000, 0x8000_0002]);
    Manager::new(&mut adapter, BASE).send(&frame, None).unwrap();
    assert_eq!(adapter.word(0x1050), 0);

    assert_eq!(Manager::new(&mut adapter, BASE).receive().unwrap(), None);
    adapter.words.insert(0x1058, 1 << 31 | 3 << 16 | 5);
    adapter.words.extend([(0x3800, 0x0403_0201), (0x3804, 0xffff_ff05)]);
    let received = Manager::new(&mut adapter, BASE).receive().unwrap();
    assert_eq!((received, adapter.word(0x105c)), (Some((vec![1, 2, 3, 4, 5], 3)), 1));

    adapter.words.extend([(0x1018, 5), (0x101c, 0x8000_0000)]);
    let mut manager = Manager::new(&mut adapter, BASE);
    assert_eq!(manager.was_reset().unwrap(), 0x8000_0000_0000_0005);
    manager.acknowledge_broken(1 << 33 | 2).unwrap();
    manager.enable_events(event("broke") | event("received")).unwrap();
    assert_eq!([0x1020, 0x1024, 0x102c].map(|offset| adapter.word(offset)), [2, 2, 5]);
}
