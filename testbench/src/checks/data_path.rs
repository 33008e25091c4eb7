//! Rates, lengths and latency.

use super::*;
use sim::ethernet::{FrameView, VlanTag};
use sim::veb::{bench::Frame, policy::PortPolicy};

/// Cycles between the frames in the middle and the last of `count` that go from each of `sources` to the port after it,
/// all functions.
fn cycles_for(
    sim: impl Simulator,
    config: &Config,
    policy: &Policy,
    (length, count): (usize, usize),
    sources: &[usize],
) -> u64 {
    let mut bench = bench(sim, config, policy, Losses::Forbidden);
    bench.keep_left = true;
    for number in 0..count {
        let source = sources[number % sources.len()];
        let destination = if source + 1 < config.ports() { source + 1 } else { config.wires };
        bench.send(source, frame(source, station(destination), length, number), false);
    }
    bench.run().unwrap();
    let left = bench.take_left();
    assert_eq!(left.len(), count);
    assert_agrees(&bench.finish().unwrap());
    left[count - 1].cycle - left[count / 2 - 1].cycle
}

/// With all cells used several times over, and measured from the middle on.
pub fn a_beat_moves_in_every_cycle<S: Simulator>(make: impl Fn() -> S, config: &Config) {
    let functions: Vec<usize> = (config.wires..config.ports()).collect();
    for (length, count) in [(64, 3000), (1518, 240)] {
        for sources in [&functions[..1], &functions[1..3], &functions[..]] {
            let cycles = cycles_for(make(), config, &open(config), (length, count), sources);
            let beats = length.div_ceil(config.bytes) as u64;
            let most = (count / 2) as u64 * beats * 101 / 100 + 2 * beats;
            let name = config.name;
            assert!(
                cycles <= most,
                "{name}, {length} bytes from {sources:?}: {cycles} cycles, {most} at most"
            );
        }
    }
}

/// Tags cost nothing where they cost no beat: frames of 60 bytes that leave with 64.
pub fn tags_cost_no_cycles<S: Simulator>(make: impl Fn() -> S, config: &Config) {
    let mut untagged = open(config);
    untagged.add_members(1, PortSet::EMPTY, untagged.all_ports());
    let mut tagged = untagged.clone();
    tagged.add_members(1, tagged.all_ports(), PortSet::EMPTY);
    let functions: Vec<usize> = (config.wires..config.ports()).collect();
    let plain = cycles_for(make(), config, &untagged, (60, 2000), &functions);
    let inserted = cycles_for(make(), config, &tagged, (60, 2000), &functions);
    assert!(inserted <= plain + 20, "{plain} cycles without tags, {inserted} with");
}

/// Each length that there is, from each kind of port to each other kind, as it came and with a tag more or less.
pub fn every_length_from_every_kind_of_port_to_every_other(
    sim: impl Simulator,
    config: &Config,
    lengths: impl IntoIterator<Item = usize>,
) {
    let mut policy = open(config);
    let wire = 0;
    let [manager, pf, vf] = [0, 1, 2].map(|function| config.wires + function);
    // VLAN 7 is tagged at the wire and the PF, and is the port VLAN of the last VF.
    let access = config.ports() - 1;
    policy.ports[access] = PortPolicy::access(7).with_default_ports([wire]);
    policy.add_members(7, [wire, pf].into_iter().collect(), [access, vf].into_iter().collect());
    let mut bench = bench(sim, config, &policy, Losses::Forbidden);
    let pairs: Vec<(usize, usize)> = [wire, manager, pf, vf, access]
        .into_iter()
        .flat_map(|from| [wire, manager, pf, vf, access].map(|to| (from, to)))
        .filter(|(from, to)| from != to)
        .collect();
    let (mut number, mut count) = (0, 0);
    for length in lengths {
        count += 1;
        for &(from, to) in &pairs {
            number += 1;
            let mut bytes = frame(from, station(to), length, number);
            // Where one side is the access port, the other's frames carry its VLAN.
            if to == access && from != manager {
                let tag = VlanTag { vid: 7, ..Default::default() };
                let builder = FrameBuilder::new(station(to), station(from)).tag(tag);
                bytes = builder.payload(bytes[14..].to_vec()).build_with_length(length);
            }
            bench.send(from, bytes, false);
            // Long frames of all ports together are more than the buffer holds.
            if length > 1600 {
                bench.run_until_empty().unwrap();
            }
        }
        bench.run_until_empty().unwrap();
    }
    let report = bench.finish().unwrap();
    assert_agrees(&report);
    let delivered = |port: usize| report.ports[port].frames as usize;
    let enough = [wire, manager, pf, vf].into_iter().all(|port| delivered(port) > 2 * count);
    assert!(enough, "{count} lengths: {:?}", report.ports);
    let oversize = report.drops().iter().find(|(reason, _)| reason.name() == "oversize").unwrap().1;
    assert_eq!(oversize, pairs.len() as u64, "of 9623 bytes");
}

/// How long a frame takes through an empty bridge, from its last beat in to its first beat out.
pub fn latency(sim: impl Simulator, config: &Config) {
    let most = 45;
    let beats = 64 / config.bytes as u64;
    let mut bench = bench(sim, config, &open(config), Losses::Forbidden);
    bench.keep_left = true;
    let start = bench.cycles() + 10;
    let bytes = frame(0, station(config.wires + 1), 64, 0);
    bench.send_frame(0, Frame { bytes, not_before: start, ..Frame::default() });
    bench.run().unwrap();
    let cycles = bench.take_left()[0].cycle - start;
    let latency = cycles - 2 * (beats - 1);
    println!("{}: {latency} cycles from the last beat in to the first out", config.name);
    assert!(latency <= most, "{}: {latency} cycles", config.name);
}

/// The manager learns where a frame came in, and sends past all rules.
pub fn the_managers_frames(sim: impl Simulator, config: &Config) {
    let mut policy = open(config);
    let manager = config.manager();
    // Nobody's VLAN, and checks that the manager's frames would not pass.
    policy.ports[manager].check_source = true;
    policy.ports[manager].pvid = 99;
    policy.ports[manager].default_ports = PortSet::EMPTY;
    let mut bench = bench(sim, config, &policy, Losses::Forbidden);
    bench.keep_left = true;
    for source in (0..config.ports()).filter(|&port| port != manager) {
        let lldp = MacAddress::new([0x01, 0x80, 0xc2, 0, 0, 0x0e]);
        bench.send(source, frame(source, lldp, 64, source), false);
    }
    for port in 0..config.ports() {
        let (bytes, forced) = (frame(9, station(9), 70, port), Some(PortSet::single(port)));
        bench.send_frame(config.manager(), Frame { bytes, forced, ..Frame::default() });
    }
    bench.run().unwrap();
    let left = bench.take_left();
    let trapped: Vec<_> = left.iter().filter(|left| left.port == manager).collect();
    assert_eq!(trapped.len(), config.ports() - 1);
    for frame in trapped {
        let source = frame.source.unwrap();
        assert_eq!(FrameView(&frame.bytes).source(), Some(station(source)));
    }
    let forced = left.iter().filter(|left| left.port != manager).count();
    assert_eq!(forced, config.ports() - 1, "not back to the manager");
    assert_agrees(&bench.finish().unwrap());
}
