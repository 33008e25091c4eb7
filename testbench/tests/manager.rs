//! The manager with accesses that meet registers: native simulator and Verilator agree in every cycle. The random inputs of the
//! equivalence test seldom meet one.

use hdl::{Bits, Direction, Drive, Elaborated, Native, Simulator, elaborate};
use rtl::{
    config::Config,
    manager::{
        manager,
        map::{FUNCTION_REGISTERS, REGISTERS, base},
    },
};
use sim::{equivalence::verilate, random::Random};
use std::collections::HashMap;

/// An address, mostly of a register or of a buffer.
fn address(random: &mut Random, config: &Config) -> u128 {
    let offset = match random.below(8) {
        0 => 4 * random.below(1 << 12),
        1..4 => random.pick(REGISTERS).offset,
        4..7 => {
            let function = random.below(config.functions());
            base::FUNCTIONS + base::FUNCTION_STRIDE * function + random.pick(FUNCTION_REGISTERS).offset
        }
        _ => base::SEND_BUFFER + 4 * random.below(1 << 10),
    };
    offset as u128
}

/// A word, mostly small enough for the length of a frame.
fn word(random: &mut Random) -> u128 {
    let word = u128::from(random.word() as u32);
    if random.chance(30) { word } else { word & 127 }
}

/// Offers something on a channel until it is taken.
struct Channel {
    valid: Bits,
    ready: Bits,
    offer: Option<Vec<(Bits, u128)>>,
}

#[test]
fn accesses_in_both_simulators() {
    for config in [Config::small(), Config::x3100()] {
        let Elaborated { design, io } = elaborate(|| manager(&config)).unwrap();
        let mut native = Native::new(&design).unwrap();
        let mut verilated = verilate(&design).unwrap();
        let ports = native.interface().ports.clone();
        let mut random = Random::new(1);
        let mut changes: HashMap<&str, (Vec<u64>, usize)> = HashMap::new();
        let channel = |valid: hdl::Bool, ready: hdl::Bool| Channel {
            valid: valid.into(),
            ready: ready.into(),
            offer: None,
        };
        let (axi, access) = (io.axi, io.access.payload);
        let mut channels = [
            channel(io.access.valid, io.access.ready),
            channel(axi.awvalid, axi.awready),
            channel(axi.wvalid, axi.wready),
            channel(axi.arvalid, axi.arready),
        ];
        for cycle in 0..40_000 {
            if cycle % 10_000 == 0 {
                native.reset();
                verilated.reset();
                channels.iter_mut().for_each(|channel| channel.offer = None);
            }
            // Everything at random,
            let mut values: Vec<Vec<u64>> = vec![];
            for port in &ports {
                values.push((0..port.width.div_ceil(64)).map(|_| random.word()).collect());
            }
            for (index, port) in
                ports.iter().enumerate().filter(|(_, port)| port.direction == Direction::Input)
            {
                let last = values[index].len() - 1;
                if !port.width.is_multiple_of(64) {
                    values[index][last] &= (1 << (port.width % 64)) - 1;
                }
                native.write(index, &values[index]);
                verilated.write(index, &values[index]);
            }
            // and then what has to be of use, or to stay.
            let write = u128::from(random.chance(60));
            let enables = if random.chance(95) { 15 } else { random.below(16) as u128 };
            let offers = [
                vec![
                    (access.offset.into(), address(&mut random, &config)),
                    (access.write.into(), write),
                    (access.enables.into(), enables),
                    (access.data.into(), word(&mut random)),
                    (access.function, 1),
                    (access.msix.into(), 0),
                ],
                vec![(axi.awaddr, address(&mut random, &config))],
                vec![(axi.wdata.into(), word(&mut random)), (axi.wstrb.into(), enables)],
                vec![(axi.araddr, address(&mut random, &config))],
            ];
            let function = random.below(config.functions()) as u128;
            let mut inputs: Vec<(Bits, u128)> = vec![
                (io.cleared.into(), 1),
                (io.dropped.payload, function),
                (io.broke.payload.queue.function, function),
                (io.broke.payload.cause.bits(), random.below(8) as u128),
                (io.receive.payload.count, config.bytes as u128),
                (io.bridge.bresp.bits(), 2 * random.below(2) as u128),
                (io.bridge.rresp.bits(), 2 * random.below(2) as u128),
            ];
            for (channel, offer) in channels.iter_mut().zip(offers) {
                if channel.offer.is_none() && random.chance(60) {
                    channel.offer = Some(offer);
                }
                inputs.push((channel.valid, channel.offer.is_some().into()));
                inputs.extend(channel.offer.iter().flatten());
            }
            for (port, value) in inputs {
                native.poke(port, value);
                verilated.poke(port, value);
            }
            for (index, port) in
                ports.iter().enumerate().filter(|(_, port)| port.direction == Direction::Output)
            {
                let limbs = port.width.div_ceil(64) as usize;
                let (mut one, mut other) = (vec![0; limbs], vec![0; limbs]);
                native.read(index, &mut one);
                verilated.read(index, &mut other);
                assert_eq!(one, other, "{} in cycle {cycle}", port.name);
                let entry = changes.entry(port.name.as_str()).or_default();
                entry.1 += usize::from(entry.0 != one);
                entry.0 = one;
            }
            for channel in &mut channels {
                if native.peek(channel.ready) == 1 {
                    channel.offer = None;
                }
            }
            native.step();
            verilated.step();
        }
        // What never changes.
        let constant = ["prot", "strb", "vector_payload", "receive_ready", "error"];
        for (name, (_, count)) in changes {
            assert!(count > 3 || constant.iter().any(|it| name.contains(it)), "{name} changes {count} times");
        }
    }
}
