//! A port that is dead must not be felt by the others.

use super::*;
use rtl::register_map;
use sim::veb::bench::Behaviour;

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
            bench.send_at(at, from, bytes, false);
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
