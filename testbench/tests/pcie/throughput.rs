//! How near to the link's limit the engines come: `wide`, 250 MHz, eight lanes of generation 3.

use rtl::{config::Config, pcie::space::Personality};
use sim::pcie::{
    Behaviour, Clients, Configuration, LinkSettings, Machine, RoutingId, Straps, attach, host::Cut,
    interface::Bridge, iommu::Permission,
};
use testbench::models;

/// Bytes of a second that writes, or reads, of `block` bytes carry, as a part of what the link could. A read takes 1.5
/// microseconds there and back.
fn part_of_limit(is_write: bool, block: usize) -> f64 {
    const CLOCK: u64 = 250_000;
    let config = Config::wide();
    let sim = models::endpoint(&config).unwrap();
    let clients = Clients::new(hdl::Simulator::interface(&sim), 1);
    let straps = Straps { personality: Personality::SrIov, serial: 1 };
    let behaviour = Behaviour { latency: 125, jitter: 0, cut: Cut::Payload, ..Behaviour::default() };
    let link = LinkSettings { clock_khz: CLOCK, round_trip: 250, ..LinkSettings::default() };
    let limit = match is_write {
        true => link.write_limit(block, 256),
        false => link.read_limit(block, 256, 256),
    };
    let mut bus = attach(sim, clients, Machine::new(), straps, behaviour, link).unwrap();
    bus.device.pace = 100;
    *bus.bridge() = Bridge::default();
    let id = RoutingId::new(1, 0);
    // Above 4 GiB, as the limit has it.
    const BASE: u64 = 1 << 32;
    bus.host.platform.iommu.map(id, BASE..BASE + (1 << 20), 0, Permission::BOTH);
    let offset = |path: &str| {
        let space = rtl::pcie::space::space(&config, rtl::pcie::space::Kind::Physical);
        rtl::pcie::space::field(&space, path).unwrap().0 as u16
    };
    let control = 1 << 5 | 1 << 8 | 2 << 12;
    assert!(bus.write_configuration(id, offset("express.device_control.payload"), 3, control).unwrap());
    assert!(bus.write_configuration(id, offset("header.command_status.bus_master"), 3, 4).unwrap());
    let (mut done, mut issued) = (0u64, 0u64);
    let mut began = 0;
    const WARM: u64 = 6_000;
    const END: u64 = 60_000;
    let start = bus.now();
    while bus.now() < start + END {
        while bus.device.queued() < 6 {
            let address = BASE + issued * block as u64 % (1 << 20);
            match is_write {
                true => bus.device.write(issued as usize % 2, 0, address, vec![issued as u8; block]),
                false => bus.device.read(issued as usize % 3, 0, address, block),
            }
            issued += 1;
        }
        bus.step().unwrap();
        done += bus.device.events.drain(..).count() as u64;
        if bus.now() == start + WARM {
            began = done;
        }
    }
    let seconds = (END - WARM) as f64 / (CLOCK as f64 * 1000.0);
    let rate = (done - began) as f64 * block as f64 / seconds;
    println!(
        "{} of {block} bytes: {:.2} Gb/s of {:.2}",
        if is_write { "writes" } else { "reads" },
        rate * 8e-9,
        limit * 8e-9
    );
    rate / limit
}

#[test]
fn engines_use_the_link() {
    for (is_write, block) in [(true, 4096), (false, 4096), (true, 256), (false, 256)] {
        let part = part_of_limit(is_write, block);
        assert!((0.97..1.001).contains(&part), "{is_write} {block}: {part:.3}");
    }
}
