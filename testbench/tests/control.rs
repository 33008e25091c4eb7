//! The manager's registers on their bus: native simulator and Verilator agree in every cycle. The random inputs of the
//! equivalence test seldom meet a register; these do.

use hdl::{Direction, Drive, Elaborated, Native, Simulator, elaborate};
use rtl::{config::Config, register_map::REGISTERS, veb::control};
use sim::{equivalence::verilate, random::Random};

/// An address, mostly of a register, and often of the three that start commands.
fn address(random: &mut Random) -> u128 {
    match random.below(8) {
        0 => random.below(1 << 12) as u128,
        1..5 => *random.pick(&[0x40, 0x44, 0x48]),
        _ => random.pick(REGISTERS).offset as u128,
    }
}

/// A word, mostly small enough for a number of a table, a row or a command.
fn word(random: &mut Random) -> u128 {
    let word = u128::from(random.word() as u32);
    if random.chance(20) { word } else { word & 7 }
}

#[test]
fn accesses_in_both_simulators() {
    let config = Config::x3100();
    let Elaborated { design, io } = elaborate(|| control::control(&config)).unwrap();
    let mut native = Native::new(&design).unwrap();
    let mut verilated = verilate(&design).unwrap();
    let ports = native.interface().ports.clone();
    let mut random = Random::new(1);
    let (mut commands, mut refused) = (0, 0);
    let (mut aw, mut w, mut ar) = (None, None, None);
    for cycle in 0..40_000 {
        if cycle % 4000 == 0 {
            native.reset();
            verilated.reset();
            (aw, w, ar) = (None, None, None);
        }
        let axi = io.axi;
        let mut inputs = vec![
            (axi.bready.into(), random.chance(70).into()),
            (axi.rready.into(), random.chance(70).into()),
            (io.row.ready.into(), random.chance(50).into()),
            (io.row_response.valid.into(), random.chance(50).into()),
            (io.row_response.payload.outcome.bits(), random.below(3) as u128),
            (io.tables_clear.into(), random.chance(1).into()),
            (io.free_count, random.below(config.cells) as u128),
        ];
        let strobe = if random.chance(95) { 15 } else { random.below(16) as u128 };
        for (channel, valid, payload) in [
            (&mut aw, axi.awvalid, vec![(axi.awaddr, address(&mut random))]),
            (&mut w, axi.wvalid, vec![(*axi.wdata, word(&mut random)), (*axi.wstrb, strobe)]),
            (&mut ar, axi.arvalid, vec![(axi.araddr, address(&mut random))]),
        ] {
            if channel.is_none() && random.chance(60) {
                *channel = Some(payload);
            }
            inputs.push((valid.into(), channel.is_some().into()));
            inputs.extend(channel.iter().flatten());
        }
        for (port, value) in inputs {
            native.poke(port, value);
            verilated.poke(port, value);
        }
        let row: Vec<u64> = (0..3).map(|_| random.word()).collect();
        let index = ports.iter().position(|port| port.name == "row_response_payload_data");
        let index = index.expect("the port of that name");
        native.write(index, &row);
        verilated.write(index, &row);

        for (index, port) in ports.iter().enumerate().filter(|(_, port)| port.direction == Direction::Output)
        {
            let limbs = port.width.div_ceil(64) as usize;
            let (mut one, mut other) = (vec![0; limbs], vec![0; limbs]);
            native.read(index, &mut one);
            verilated.read(index, &mut other);
            assert_eq!(one, other, "{} in cycle {cycle}", port.name);
        }
        for (channel, ready) in [(&mut aw, axi.awready), (&mut w, axi.wready), (&mut ar, axi.arready)] {
            if native.peek(ready) {
                *channel = None;
            }
        }
        commands += usize::from(native.peek(io.row.valid) && native.peek(io.row.ready));
        let b = native.peek(axi.bvalid) && native.peek(axi.bready);
        refused += usize::from(b && native.peek(axi.bresp.bits()) == 2);
        native.step();
        verilated.step();
    }
    assert!(commands > 100 && refused > 500, "{commands} commands, {refused} refused");
}
