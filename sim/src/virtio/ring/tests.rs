//! Both rings against a device that is nothing but the standard.

pub mod device;

use super::*;
use crate::{
    pcie::{Permission, RoutingId},
    random::Random,
    virtio::dma::Place,
};
use device::{Chain, DeviceSide};
use proptest::prelude::*;

const ID: RoutingId = RoutingId(0x103);

/// A buffer that the driver has given away.
struct Given {
    readable: Vec<Region>,
    writable: Vec<Region>,
    sent: Vec<u8>,
}

struct World {
    machine: Machine,
    dma: Dma,
    ring: Box<dyn Ring>,
    device: DeviceSide,
    random: Random,
    given: HashMap<u64, Given>,
    next_token: u64,
    /// What the device holds.
    held: Vec<Chain>,
    /// What it has used: what it read and what it wrote, in the order of use.
    expected: VecDeque<(Vec<u8>, Vec<u8>)>,
    driver_is_awake: bool,
    device_is_awake: bool,
    returned: usize,
}

impl World {
    fn new(size: u16, options: RingOptions) -> World {
        let mut machine = Machine::new();
        let mut dma = Dma::new(&mut machine, ID, options.seed);
        let mut ring = new_ring(&mut machine, &mut dma, size, options);
        let device = DeviceSide::new(ID, size, options, ring.areas());
        ring.arm(&mut machine, 0);
        World {
            machine,
            dma,
            ring,
            device,
            random: Random::new(options.seed),
            given: HashMap::new(),
            next_token: 0,
            held: vec![],
            expected: VecDeque::new(),
            driver_is_awake: false,
            device_is_awake: true,
            returned: 0,
        }
    }

    fn add(&mut self) {
        let random = &mut self.random;
        let count = random.below(usize::from(self.ring.size()).min(6)) + 1;
        let readable = random.below(count + 1);
        let is_packed = self.device.options.packed;
        let table = random.chance(40).then(|| if is_packed { 0 } else { random.below(count) });
        let mut given = Given { readable: vec![], writable: vec![], sent: vec![] };
        let mut parts = vec![];
        for index in 0..count {
            let writable = index >= readable;
            let bytes = self.random.below(40) + 1;
            let place = Place { alignment: 64, offset: self.random.below(64) as u64 };
            let permission = if writable { Permission::WRITE } else { Permission::READ };
            let region = self.dma.map(&mut self.machine, bytes, place, permission);
            let data: Vec<u8> = (0..bytes).map(|_| self.random.word() as u8).collect();
            region.write(&mut self.machine, 0, &data);
            parts.push(Part { address: region.address, length: bytes as u32, writable });
            if writable {
                given.writable.push(region);
            } else {
                given.readable.push(region);
                given.sent.extend(data);
            }
        }
        let token = self.next_token;
        if self.ring.add(&mut self.machine, &mut self.dma, &parts, table, token) {
            self.given.insert(token, given);
            self.next_token += 1;
        }
    }

    fn publish(&mut self) {
        let position = self.ring.publish(&mut self.machine);
        if let Some(position) = position {
            assert_eq!(position, self.ring.position());
            self.device_is_awake = true;
        }
    }

    /// The device takes buffers if it was woken, and sleeps when there are none.
    fn take(&mut self) {
        if !self.device_is_awake {
            return;
        }
        self.device.disarm(&mut self.machine);
        for _ in 0..self.random.below(4) + 1 {
            match self.device.take(&mut self.machine) {
                Some(chain) => self.held.push(chain),
                None => {
                    self.device_is_awake = !self.device.arm(&mut self.machine);
                    return;
                }
            }
        }
    }

    /// The device uses some of what it has.
    fn give_back(&mut self) {
        let count = self.random.below(self.held.len() + 1);
        let mut used = vec![];
        for index in 0..count {
            let is_ordered = self.device.options.in_order;
            let place = if is_ordered { 0 } else { self.random.below(self.held.len()) };
            let chain = self.held.remove(place);
            let mut read = vec![];
            for part in chain.parts.iter().filter(|part| !part.writable) {
                read.extend(self.device.read(&mut self.machine, part.address, part.length as usize));
            }
            let room: usize = chain.writable().map(|part| part.length as usize).sum();
            let is_full = is_ordered && index + 1 < count;
            let written = if is_full { room } else { self.random.below(room + 1) };
            let data: Vec<u8> = (0..written).map(|_| self.random.word() as u8).collect();
            let mut rest = &data[..];
            for part in chain.writable() {
                let (here, later) = rest.split_at(rest.len().min(part.length as usize));
                self.device.write(&mut self.machine, part.address, here);
                rest = later;
            }
            self.expected.push_back((read, data));
            used.push((chain, written as u32));
        }
        if !used.is_empty() && self.device.give_back(&mut self.machine, &used) {
            self.driver_is_awake = true;
        }
    }

    /// The driver collects if it was interrupted, or if there is nothing to be told.
    fn collect(&mut self) {
        if !self.driver_is_awake {
            return;
        }
        self.ring.disarm(&mut self.machine);
        while let Some(used) = self.ring.collect(&mut self.machine, &mut self.dma).unwrap() {
            let given = self.given.remove(&used.token).expect("a buffer comes back once");
            let (read, written) = self.expected.pop_front().expect("it was used");
            assert_eq!(read, given.sent);
            assert_eq!(used.written as usize, written.len());
            let mut data = vec![];
            for region in &given.writable {
                let mut part = vec![0; region.bytes];
                region.read(&self.machine, 0, &mut part);
                data.extend(part);
            }
            assert_eq!(data[..written.len()], written);
            given.readable.into_iter().chain(given.writable).for_each(|region| {
                self.dma.unmap(&mut self.machine, region);
            });
            self.returned += 1;
        }
        let after = self.random.below(self.ring.outstanding().max(1)) as u16;
        self.driver_is_awake = self.ring.arm(&mut self.machine, after);
    }

    fn step(&mut self, adds: bool) {
        match self.random.below(6) {
            0 | 1 if adds => self.add(),
            0..=2 => self.publish(),
            3 => self.take(),
            4 => self.give_back(),
            _ => self.collect(),
        }
        assert_eq!(self.machine.iommu.intrusions(), []);
    }
}

fn run(size: u16, options: RingOptions) {
    let mut world = World::new(size, options);
    for _ in 0..1500 {
        world.step(true);
    }
    let mut left = 3000;
    while world.ring.outstanding() > 0 && left > 0 {
        world.step(false);
        left -= 1;
    }
    assert_eq!(world.ring.outstanding(), 0, "somebody was not woken");
    world.driver_is_awake = true;
    world.collect();
    assert!(world.given.is_empty() && world.expected.is_empty());
    assert_eq!(world.ring.room(), usize::from(size));
    assert!(world.returned > 20, "{} buffers", world.returned);
}

fn options() -> impl Strategy<Value = RingOptions> {
    let bits = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<u64>());
    bits.prop_map(|(packed, event_index, in_order, scattered, seed)| RingOptions {
        packed,
        event_index,
        in_order,
        scattered,
        seed,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn buffers_come_back_exactly_once(options in options(), small in 1_u16..40, power in 0_u32..6) {
        run(if options.packed { small } else { 1 << power }, options);
    }
}

/// Indices and wrap counters go round.
#[test]
fn for_a_long_time() {
    for (packed, event_index) in [(false, false), (false, true), (true, false), (true, true)] {
        let options = RingOptions { packed, event_index, seed: 5, ..RingOptions::default() };
        let mut world = World::new(if packed { 7 } else { 8 }, options);
        while world.returned < 66_000 {
            world.add();
            world.publish();
            world.take();
            world.give_back();
            world.collect();
        }
    }
}

/// A ring with two buffers, each of a readable part and 10 writable bytes.
fn with_two(packed: bool, in_order: bool) -> (Machine, Dma, Box<dyn Ring>, DeviceSide) {
    let options = RingOptions { packed, in_order, ..RingOptions::default() };
    let mut machine = Machine::new();
    let mut dma = Dma::new(&mut machine, ID, 0);
    let mut ring = new_ring(&mut machine, &mut dma, 8, options);
    let device = DeviceSide::new(ID, 8, options, ring.areas());
    for token in 0..2 {
        let parts = [false, true].map(|writable| Part { address: 0x1000, length: 10, writable });
        assert!(ring.add(&mut machine, &mut dma, &parts, None, token));
    }
    ring.publish(&mut machine);
    (machine, dma, ring, device)
}

#[test]
fn devices_that_break_rules_are_caught() {
    for packed in [false, true] {
        let (mut machine, mut dma, mut ring, mut device) = with_two(packed, false);
        let chain = device.take(&mut machine).unwrap();
        device.give_back(&mut machine, &[(chain.clone(), 11)]);
        let id = chain.id;
        assert_eq!(
            ring.collect(&mut machine, &mut dma),
            Err(RingError::Length { id, written: 11, room: 10 })
        );

        let (mut machine, mut dma, mut ring, mut device) = with_two(packed, false);
        let chain = device.take(&mut machine).unwrap();
        device.give_back(&mut machine, &[(chain.clone(), 0), (chain.clone(), 0)]);
        assert_eq!(ring.collect(&mut machine, &mut dma), Ok(Some(Used { token: 0, written: 0 })));
        assert_eq!(ring.collect(&mut machine, &mut dma), Err(RingError::Unknown { id: chain.id.into() }));
    }
    let (mut machine, mut dma, mut ring, mut device) = with_two(false, false);
    let chain = device.take(&mut machine).unwrap();
    let thrice = [(); 3].map(|()| (chain.clone(), 0));
    device.give_back(&mut machine, &thrice);
    assert_eq!(ring.collect(&mut machine, &mut dma), Err(RingError::Index { moved: 3, outstanding: 2 }));

    // A batch with the last one's name, but an index that says one.
    let (mut machine, mut dma, mut ring, mut device) = with_two(false, true);
    device.take(&mut machine).unwrap();
    let second = device.take(&mut machine).unwrap();
    device.give_back(&mut machine, &[(second.clone(), 0)]);
    let error = RingError::Batch { id: second.id, buffers: 2, moved: 1 };
    assert_eq!(ring.collect(&mut machine, &mut dma), Err(error));
}

#[test]
fn a_closed_ring_is_out_of_reach() {
    for packed in [false, true] {
        let (mut machine, mut dma, mut ring, mut device) = with_two(packed, false);
        device.take(&mut machine).unwrap();
        assert_eq!(ring.close(&mut machine, &mut dma), [0, 1]);
        assert!(machine.iommu.take_intrusions().is_empty());
        device.take(&mut machine);
        assert!(!machine.iommu.take_intrusions().is_empty());
    }
}
