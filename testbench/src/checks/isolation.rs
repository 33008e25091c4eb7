//! A port that is dead must not be felt by the others.

use super::*;
use rtl::register_map;
use sim::veb::bench::{Behaviour, Frame};

/// Frames and the sum of their latencies at each port.
fn delivered(sim: impl Simulator, config: &Config, dead: Option<usize>) -> Vec<(u64, u64)> {
    let policy = open(config);
    let mut bench = bench(sim, config, &policy, Losses::Counted);
    bench.keep_left = true;
    if let Some(port) = dead {
        bench.set_behaviour(port, Behaviour { pause: 0, stall: 100 });
    }
    let (frames, length) = (400, 200);
    let ports: Vec<usize> = (0..config.ports()).collect();
    let start = bench.cycles() + 100;
    // Every port sends to every other in turn, at half of what the data path can take.
    let beats = (length as u64).div_ceil(config.bytes as u64);
    let period = 2 * beats * ports.len() as u64;
    let mut sent = std::collections::HashMap::new();
    for number in 0..frames {
        for &from in &ports {
            let to = ports[(from + 1 + number % (ports.len() - 1)) % ports.len()];
            let at = start + number as u64 * period + from as u64 * 2 * beats;
            let bytes = frame(from, station(to), length, number * ports.len() + from);
            sent.insert(bytes.clone(), at);
            bench.send_frame(from, Frame { bytes, not_before: at, ..Frame::default() });
        }
    }
    bench.run().unwrap();
    let mut result = vec![(0, 0); ports.len()];
    for left in bench.take_left() {
        result[left.port].0 += 1;
        result[left.port].1 += left.cycle - sent[&left.bytes];
    }
    // What waits for the dead port must still be right.
    (0..ports.len()).for_each(|port| bench.set_behaviour(port, Behaviour::default()));
    bench.run().unwrap();
    assert_agrees(&bench.finish().unwrap());
    result
}

/// One function takes nothing: what the others get, and when, changes by less than one in a hundred.
pub fn a_dead_function_is_not_felt<S: Simulator>(make: impl Fn() -> S, config: &Config) {
    let dead = config.ports() - 1;
    let (with, without) = (delivered(make(), config, Some(dead)), delivered(make(), config, None));
    assert_eq!(with[dead].0, 0);
    assert!(without[dead].0 > 300);
    for port in (0..dead).filter(|&port| without[port].0 > 0) {
        let latency = |run: &[(u64, u64)]| run[port].1 as f64 / run[port].0 as f64;
        let (rate, late) = (with[port].0 as f64 / without[port].0 as f64, latency(&with) / latency(&without));
        println!("{} port {port}: rate {rate:.4}, latency {late:.4}", config.name);
        assert!((rate - 1.0).abs() < 0.01, "port {port}: rate {rate}");
        assert!(late < 1.01, "port {port}: latency {late}");
    }
}

/// Ports that take nothing fill the buffer from the wire, and the reserve stays free: functions go on.
pub fn the_dead_do_not_use_up_the_reserve(sim: impl Simulator, config: &Config) {
    let [manager, pf] = [0, 1].map(|function| config.wires + function);
    let mut bench = bench(sim, config, &open(config), Losses::Counted);
    bench.write_register(register_map::register("RESERVE").offset, 300).unwrap();
    for dead in pf + 1..pf + 4 {
        bench.set_behaviour(dead, Behaviour { pause: 0, stall: 100 });
    }
    for number in 0..1500 {
        bench.send(0, frame(0, station(pf + 1 + number % 3), 200, number), false);
    }
    bench.run().unwrap();
    bench.keep_left = true;
    bench.set_behaviour(manager, Behaviour { pause: 60, stall: 0 });
    for number in 0..200 {
        bench.send(manager, frame(manager, station(pf), 200, 2000 + number), false);
    }
    bench.run().unwrap();
    assert_eq!(bench.take_left().iter().filter(|left| left.port == pf).count(), 200);
    (pf + 1..pf + 4).for_each(|port| bench.set_behaviour(port, Behaviour::default()));
    bench.run().unwrap();
    assert_agrees(&bench.finish().unwrap());
}

/// A number of cells for a port, of two bits in each of several rounds all of its bits.
fn some_cells(round: usize, port: usize) -> u32 {
    1 << ((port + round) % 8) | 1 << ((port + 3 * round) % 7)
}

/// The cells that stalled ports hold, when more comes than they may have: frames of one cell for all of them.
fn held_by_stalled<S: Simulator>(
    bench: &mut Bench<S>,
    config: &Config,
    sources: [usize; 2],
    stalled: &[usize],
) -> Vec<usize> {
    bench.keep_left = true;
    stalled.iter().for_each(|&port| bench.set_behaviour(port, Behaviour { pause: 0, stall: 100 }));
    for number in 0..2 * config.cells {
        let source = sources[number % 2];
        bench.send(source, frame(source, MacAddress::BROADCAST, 64, number), false);
    }
    bench.run().unwrap();
    bench.take_left();
    stalled.iter().for_each(|&port| bench.set_behaviour(port, Behaviour::default()));
    bench.run().unwrap();
    let left = bench.take_left();
    stalled.iter().map(|&port| left.iter().filter(|left| left.port == port).count()).collect()
}

/// A stalled port holds as many cells as its limit says, or its share of the buffer: half of it, as all ports hold the same
/// cells here. Two frames more wait in its output buffer, and some pass while cells are counted.
pub fn stalled_ports_hold_their_limit_or_share<S: Simulator>(make: impl Fn() -> S, config: &Config) {
    let mut policy = open(config);
    for port in 0..config.ports() {
        policy.ports[port].default_ports = policy.all_ports();
    }
    let mut bench = bench(make(), config, &policy, Losses::Counted);
    for round in 0..16 {
        let sources = [0, if round < 8 { config.manager() } else { config.ports() - 1 }];
        let all: Vec<usize> = (0..config.ports()).filter(|port| !sources.contains(port)).collect();
        for &port in &all {
            policy.limits[port].cells = some_cells(round, port);
        }
        bench.set_policy(&policy).unwrap();
        for (&port, held) in all.iter().zip(held_by_stalled(&mut bench, config, sources, &all)) {
            let limit = some_cells(round, port) as usize;
            assert!((limit..=limit + 6).contains(&held), "port {port}: {held}, limit {limit}");
        }
    }
    // What a wire gets is not all of what the functions get.
    let functions: Vec<usize> = (config.manager() + 1..config.ports()).collect();
    let share = config.cells / 2;
    for limit in [0, config.cells / 4, config.cells] {
        let expected = if limit == 0 { share } else { limit.min(share) };
        policy.limits.iter_mut().for_each(|row| row.cells = limit as u32);
        bench.set_policy(&policy).unwrap();
        for (&port, held) in
            functions.iter().zip(held_by_stalled(&mut bench, config, [0, config.manager()], &functions))
        {
            assert!((expected - 3..=expected + 8).contains(&held), "port {port}: {held}, limit {limit}");
        }
    }
    assert_agrees(&bench.finish().unwrap());
}

/// Functions send to the next one, which takes nothing: they wait when it holds as much as is set, and nothing is lost.
pub fn congestion_begins_where_it_is_set(sim: impl Simulator, config: &Config) {
    let mut policy = open(config);
    let mut bench = bench(sim, config, &policy, Losses::Forbidden);
    // Whoever is stalled is waited for.
    bench.write_register(register_map::register("STALL_CYCLES").offset, 0).unwrap();
    let functions: Vec<usize> = (config.wires..config.ports()).collect();
    for round in 0..8 {
        let next = |index: usize| match functions.get(index + 1) {
            Some(&next) => next,
            None if round % 2 == 0 => functions[0],
            None => 0,
        };
        for index in 0..functions.len() {
            policy.limits[next(index)].hold_from = some_cells(round, next(index));
            bench.set_behaviour(next(index), Behaviour { pause: 0, stall: 100 });
        }
        bench.set_policy(&policy).unwrap();
        let frames = 210;
        for (index, &source) in functions.iter().enumerate() {
            for number in 0..frames {
                bench.send(source, frame(source, station(next(index)), 64, number), false);
            }
        }
        (0..frames * 8 * functions.len() + 2000).for_each(|_| bench.cycle().unwrap());
        for (index, &source) in functions.iter().enumerate() {
            let (came, from) = (frames - bench.waiting_at(source), some_cells(round, next(index)) as usize);
            // Two are in the output buffer, and some are on their way when the threshold is met.
            let (least, most) = ((from + 1).min(frames), (from + 12).min(frames));
            assert!((least..=most).contains(&came), "from port {source}: {came}, held from {from} on");
        }
        (0..config.ports()).for_each(|port| bench.set_behaviour(port, Behaviour::default()));
        bench.run().unwrap();
    }
    assert_agrees(&bench.finish().unwrap());
}

/// Short frames for all, as fast as the bridge decides, while every other function takes none: each copy that is dropped
/// counts, and those that leave in every third cycle count too.
pub fn storms_on_stalled_ports<S: Simulator>(make: impl Fn() -> S, config: &Config) {
    for parity in 0..2 {
        let stalled: Vec<usize> = (config.wires..config.ports()).filter(|port| port % 2 == parity).collect();
        let mut policy = open(config);
        for &port in &stalled {
            policy.limits[port].cells = 3;
        }
        let mut bench = bench(make(), config, &policy, Losses::Counted);
        stalled.iter().for_each(|&port| bench.set_behaviour(port, Behaviour { pause: 0, stall: 100 }));
        for number in 0..2000 {
            let source = number % config.ports();
            bench.send(source, frame(source, MacAddress::BROADCAST, 22, number), false);
        }
        bench.run().unwrap();
        stalled.iter().for_each(|&port| bench.set_behaviour(port, Behaviour::default()));
        bench.run().unwrap();
        let report = bench.finish().unwrap();
        assert_agrees(&report);
        let dropped = report.drops().iter().find(|(reason, _)| reason.name() == "queue_full").unwrap().1;
        assert!(dropped > 1500 * stalled.len() as u64, "{dropped} copies dropped");
    }
}

/// A function whose frames go to a congested port waits, so that none is lost, until that port counts as dead: STALL_CYCLES
/// to twice that after it took its last beat. Then others get what the function sends them.
pub fn congested_ports_are_waited_for_while_they_live<S: Simulator>(make: impl Fn() -> S, config: &Config) {
    let functions: Vec<usize> = (config.wires..config.ports()).collect();
    let cases = functions.iter().enumerate().flat_map(|case| [[1, 2], [3, 4]].map(|steps| (case, steps)));
    for ((number, &congested), steps) in cases {
        let [sender, other] = steps.map(|step| functions[(number + step) % functions.len()]);
        let mut policy = open(config);
        policy.limits[congested].hold_from = 20;
        let mut bench = bench(make(), config, &policy, Losses::Forbidden);
        let patience = [3000, 700, 5008, 9100, 17_000][number % 5];
        bench.write_register(register_map::register("STALL_CYCLES").offset, patience).unwrap();
        bench.keep_left = true;
        // Nor does it matter that all the rest are dead.
        for dead in (0..config.ports()).filter(|port| ![congested, sender, other].contains(port)) {
            bench.set_behaviour(dead, Behaviour { pause: 0, stall: 100 });
            (0..4).for_each(|number| bench.send(other, frame(other, station(dead), 64, 100 + number), false));
        }
        (0..2000).for_each(|_| bench.cycle().unwrap());
        bench.set_behaviour(congested, Behaviour { pause: 0, stall: 100 });
        let start = bench.cycles();
        for number in 0..60 {
            bench.send(sender, frame(sender, station(congested), 64, number), false);
        }
        bench.send(sender, frame(sender, station(other), 64, 60), false);
        (0..2 * patience + 2000).for_each(|_| bench.cycle().unwrap());
        let left = bench.take_left();
        assert_eq!(left.len(), 1, "port {congested} takes nothing");
        let waited = left[0].cycle - start;
        let patience = u64::from(patience);
        assert!((patience..2 * patience + 1500).contains(&waited), "port {congested}: {waited} cycles");
        (0..config.ports()).for_each(|port| bench.set_behaviour(port, Behaviour::default()));
        bench.run().unwrap();
        assert_eq!(bench.take_left().iter().filter(|left| left.port == congested).count(), 60);
        assert_agrees(&bench.finish().unwrap());
    }
}
