use super::*;
use crate::pcie::{
    checker::{Checker, Direction},
    iommu::{Permission, Reason},
    machine::{Interrupt, Machine},
};

const FUNCTION: RoutingId = RoutingId(0x0100);

/// A host with 64 KiB of memory that counts up, mapped for one function from 0x10_0000_0000 on.
fn host(behaviour: Behaviour) -> RootComplex<Machine> {
    let mut machine = Machine::new();
    let data: Vec<u8> = (0..1 << 16).map(byte).collect();
    machine.memory.write(0x8000_0000, &data);
    machine.iommu.map(FUNCTION, BASE..BASE + (1 << 16), 0x8000_0000, Permission::BOTH);
    RootComplex::new(machine, Settings::default(), behaviour)
}

const BASE: u64 = 0x10_0000_0000;

fn byte(index: u64) -> u8 {
    (index ^ index >> 8) as u8
}

fn at(requester: RoutingId, time: u64) -> Origin {
    Origin { requester, time }
}

/// What comes out until `end`, with its times.
fn run(host: &mut RootComplex<Machine>, times: std::ops::Range<u64>) -> Vec<(u64, Packet)> {
    let mut all = vec![];
    for now in times {
        while let Some(packet) = host.send(now, |_| true) {
            all.push((now, packet));
        }
    }
    all
}

#[test]
fn writes_reach_memory_byte_by_byte() {
    let mut host = host(Behaviour::default());
    host.receive(Packet::memory_write(FUNCTION, 0, BASE + 3, &[0xA; 6]), 5);
    let gaps = Packet::memory_write(FUNCTION, 0, BASE + 16, &[0xB; 8]).with_enables(0b1010, 0b0101);
    host.receive(gaps, 6);
    host.receive(Packet::memory_write(FUNCTION, 0, BASE + 32, &[0xC; 4]).poisoned(), 7);
    let memory = host.platform.memory.bytes(0x8000_0000, 36);
    let mut expected: Vec<u8> = (0..36).map(byte).collect();
    expected[3..9].fill(0xA);
    [17, 19, 20, 22].into_iter().for_each(|i| expected[i] = 0xB);
    assert_eq!(memory, expected);
    assert_eq!(host.take_poisoned().len(), 1);
    assert!(host.platform.iommu.intrusions().is_empty());
    host.receive(Packet::memory_write(FUNCTION, 0, BASE + 0xFFFE, &[0; 4]), 8);
    assert_eq!(host.platform.iommu.take_intrusions()[0].reason, Reason::Unmapped);
}

#[test]
fn interrupts_and_messages_are_kept() {
    let mut host = host(Behaviour::default());
    host.receive(Packet::memory_write(FUNCTION, 0, 0xFEE0_1000, &[3, 2, 1, 0]), 9);
    host.receive(Packet::message(FUNCTION, 0, 0x31), 10);
    let interrupt = Interrupt { origin: at(FUNCTION, 9), address: 0xFEE0_1000, data: 0x0001_0203 };
    assert_eq!(host.platform.interrupts, [interrupt]);
    assert_eq!(host.take_messages(), [Message { origin: at(FUNCTION, 10), code: 0x31 }]);
}

/// Random reads, many at once: the checker finds nothing, and the data is that of the memory.
#[test]
fn reads_are_completed_in_any_order() {
    for (seed, cut) in [(1, Cut::Boundary), (2, Cut::Payload), (3, Cut::Random)] {
        let mut random = Random::new(seed);
        let mut host = host(Behaviour { seed, cut, ..Behaviour::default() });
        host.settings.request = 4096;
        let mut checker = Checker::new(host.settings.clone());
        checker.set_master(FUNCTION, true);
        let mut expected = BTreeMap::new();
        let mut sizes = vec![];
        for tag in 0..200 {
            let start = random.below(60_000);
            let bytes = random.below(4096 - start % 4096).min(*random.pick(&[4, 64, 4096]));
            let request = Packet::memory_read(FUNCTION, tag, BASE + start as u64, bytes);
            checker.check(Direction::Up, &request, 0);
            host.receive(request, 0);
            expected.insert(tag, (0..bytes).map(|i| byte((start + i) as u64)).collect::<Vec<u8>>());
        }
        let mut got: BTreeMap<u16, Vec<u8>> = BTreeMap::new();
        let mut order = vec![];
        for (now, packet) in run(&mut host, 0..200) {
            assert!((60..=100).contains(&now));
            checker.check(Direction::Down, &packet, now);
            sizes.push(packet.payload.len());
            order.push(packet.tag());
            let data = got.entry(packet.tag()).or_default();
            let skipped = if data.is_empty() { packet.lower_address() as usize & 3 } else { 0 };
            data.extend(&packet.payload[skipped..]);
        }
        assert_eq!(checker.breaches(), []);
        assert_eq!(checker.waiting(Direction::Up), []);
        for (tag, expected) in expected {
            assert_eq!(got[&tag][..expected.len()], expected);
        }
        let largest = if cut == Cut::Boundary { 64 } else { 256 };
        assert_eq!(sizes.iter().max(), Some(&largest));
        assert!(!order.is_sorted() && host.is_idle());
    }
}

/// Parts of reads that are ready at once mix, or not.
#[test]
fn completions_mix_if_they_shall() {
    for shuffled in [false, true] {
        let mut host = host(Behaviour { shuffled, jitter: 0, cut: Cut::Boundary, ..Behaviour::default() });
        for tag in 0..8 {
            host.receive(Packet::memory_read(FUNCTION, tag, BASE, 512), 0);
        }
        let tags: Vec<u16> = run(&mut host, 0..100).into_iter().map(|(_, packet)| packet.tag()).collect();
        assert_eq!((tags.len(), tags.is_sorted()), (64, !shuffled));
    }
}

#[test]
fn reads_that_are_refused() {
    let mut host = host(Behaviour::default());
    let other = Packet::memory_read(RoutingId(0x102), 7, BASE, 16);
    host.receive(other.clone(), 0);
    let outside = Packet::memory_read(FUNCTION, 8, BASE + 0xFFFC, 8);
    host.receive(outside.clone(), 0);
    let strange = Packet::configuration_read(false, FUNCTION, 9, ROOT, 0);
    host.receive(strange.clone(), 0);
    let mut got: Vec<Packet> = run(&mut host, 0..200).into_iter().map(|(_, packet)| packet).collect();
    got.sort_by_key(Packet::tag);
    assert_eq!(
        got,
        [other, outside, strange].map(|request| Packet::completion(&request, ROOT, Status::Unsupported))
    );
    let reasons: Vec<Reason> =
        host.platform.iommu.intrusions().iter().map(|intrusion| intrusion.reason).collect();
    assert_eq!(reasons, [Reason::Unknown, Reason::Unmapped]);
}

/// Every fault is seen as what it is, and none happens without a record.
#[test]
fn faults() {
    for fault in Fault::ALL {
        let behaviour = Behaviour { faults: vec![(fault, 500)], lateness: 1000, ..Behaviour::default() };
        let mut host = host(behaviour);
        let mut checker = Checker::new(host.settings.clone());
        checker.set_master(FUNCTION, true);
        for tag in 0..100 {
            let request = Packet::memory_read(FUNCTION, tag, BASE, 300);
            checker.check(Direction::Up, &request, 0);
            host.receive(request, 0);
        }
        let hit: Vec<u16> = host.take_injected().iter().map(|injected| injected.tag).collect();
        assert!((30..70).contains(&hit.len()), "{}", hit.len());
        let all = run(&mut host, 0..2000);
        all.iter().for_each(|(now, packet)| checker.check(Direction::Down, packet, *now));
        for tag in 0..100 {
            let parts: Vec<&(u64, Packet)> = all.iter().filter(|(_, packet)| packet.tag() == tag).collect();
            let is_hit = hit.contains(&tag);
            let has_status = |status| parts.last().is_some_and(|(_, packet)| packet.status() == status);
            let is_seen = match fault {
                Fault::Unsupported => has_status(Status::Unsupported),
                Fault::Aborted => has_status(Status::Aborted),
                Fault::Poisoned => parts.iter().any(|(_, packet)| packet.is_poisoned()),
                Fault::Missing => {
                    checker.waiting(Direction::Up).iter().any(|(request, _)| request.tag() == tag)
                }
                Fault::Late => parts[0].0 >= 1000,
                Fault::Duplicate => checker.breaches().iter().any(|breach| breach.packet.tag() == tag),
            };
            assert_eq!(is_seen, is_hit, "{fault:?} {tag}");
        }
        assert_eq!(checker.breaches().is_empty(), fault != Fault::Duplicate);
    }
}

#[test]
fn posted_requests_pass_and_are_not_passed() {
    let read = |address| Packet::memory_read(ROOT, 0, address, 4);
    let write = |address| Packet::memory_write(ROOT, 0, address, &[0; 4]);
    let mut host = host(Behaviour::default());
    host.send_raw(read(0x1000));
    host.send_raw(write(0x2000));
    host.send_raw(read(0x3000));
    // While reads are held back, writes go.
    let no_reads = |packet: &Packet| packet.has_data();
    assert_eq!(host.send(0, no_reads), Some(write(0x2000)));
    assert_eq!(host.send(0, no_reads), None);
    assert_eq!(host.send(0, |_| true), Some(read(0x1000)));
    assert_eq!(host.send(0, |_| true), Some(read(0x3000)));
    // While writes are held back, reads behind them wait.
    host.send_raw(write(0x2000));
    host.send_raw(read(0x3000));
    assert_eq!(host.send(0, |packet| !packet.has_data()), None);
}

#[test]
fn answers_are_checked() {
    let mut host = host(Behaviour { patience: 100, ..Behaviour::default() });
    let mut ask = |request: &Packet, now: u64, answer: &dyn Fn(&Packet) -> Packet| {
        let tag = host.ask(request.clone(), now);
        let sent = host.send(now, |_| true).unwrap();
        assert_eq!(sent, request.clone().with_tag(tag));
        host.receive(answer(&sent), now + 10);
        host.answer(tag).expect("it is completed")
    };
    let write = Packet::configuration_write(false, ROOT, 0, FUNCTION, 4, 6);
    let good = |completer: RoutingId| {
        move |request: &Packet| Packet::completion(request, completer, Status::Successful)
    };
    let early = Packet::configuration_read(false, ROOT, 0, FUNCTION, 0);
    let data = |completer: RoutingId| {
        move |request: &Packet| Packet::completion_with_data(request, completer, 0, &[1, 2, 3, 4])
    };
    assert!(ask(&early, 0, &data(RoutingId(0))).is_ok());
    assert!(matches!(ask(&early, 0, &data(FUNCTION)), Err(RequestError::Wrong { .. })));
    assert!(ask(&write, 0, &good(FUNCTION)).is_ok());
    let answer = Answer { status: Status::Successful, completer: FUNCTION, data: vec![1, 2, 3, 4], time: 15 };
    assert_eq!(ask(&early, 5, &data(FUNCTION)), Ok(answer));
    let absent = Packet::configuration_read(false, ROOT, 0, RoutingId(0x107), 0);
    let refuse = |request: &Packet| Packet::completion(request, FUNCTION, Status::Unsupported);
    assert_eq!(ask(&absent, 0, &refuse).unwrap().status, Status::Unsupported);
    let read = Packet::memory_read(ROOT, 0, 0x10_0000_0002, 5);
    let two = |request: &Packet| Packet::completion_with_data(request, FUNCTION, 0, &[0; 8]);
    assert_eq!(ask(&read, 0, &two).unwrap().data, [0; 8]);
    let ordered = read.clone().with_attributes(6);
    assert!(ask(&ordered, 0, &two).is_ok());
    assert!(ask(&ordered, 0, &|request| two(request).with_attributes(2)).is_ok());
    assert!(ask(&ordered, 0, &|request| two(request).with_attributes(4)).is_err());
    let wrong = ask(&read, 0, &|request| {
        let mut packet = two(request);
        packet.header[2] ^= 1;
        packet
    });
    assert!(wrong.unwrap_err().to_string().contains("was completed by"));
    assert!(matches!(ask(&read, 0, &data(FUNCTION)), Err(RequestError::Wrong { .. })));
    assert!(matches!(ask(&read, 0, &|request| two(request).poisoned()), Err(RequestError::Poisoned { .. })));
    // What comes too late, or for nobody, is kept.
    let tag = host.ask(read.clone(), 100);
    let sent = host.send(100, |_| true).unwrap();
    assert_eq!(host.answer(tag), None);
    assert_eq!(host.send(200, |_| true), None);
    assert_eq!(host.answer(tag), Some(Err(RequestError::Missing { request: sent.clone(), cycles: 100 })));
    host.receive(two(&sent), 201);
    assert_eq!(host.take_unclaimed(), [two(&sent)]);
}
