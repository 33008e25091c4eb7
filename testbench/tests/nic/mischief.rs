//! Drivers that do what they must not, on the whole adapter: their function is led nowhere, and others notice nothing.

use super::driver::{STATION, address, open, packet};
use rtl::config::Config;
use sim::{
    nic::{Scene, Setup},
    pcie::{Behaviour, LinkSettings},
    verilator::Verilated,
    virtio::{
        device::NEEDS_RESET,
        features::Features,
        mischief::Mischief,
        net::{Event, NetOptions, Which},
    },
};
use testbench::models;

/// Who does it, and who must not notice.
const BAD: usize = 3;
const GOOD: usize = 0;

/// Cycles in which everything has come to its end.
const SETTLED: u64 = 4000;

/// What a device cannot but notice in any ring and any queue: it cannot know what to do then.
const PLAIN: [Mischief; 6] = [
    Mischief::Empty,
    Mischief::Direction,
    Mischief::TableInChain,
    Mischief::TableOdd,
    Mischief::TableEmpty,
    Mischief::TableNowhere,
];

fn bad_options(packed: bool, seed: u64) -> NetOptions {
    let plain = NetOptions::plain(packed, seed);
    let features = plain.features | Features::INDIRECT_DESC | Features::MRG_RXBUF;
    // The device fetches all of the receive queue: what is bad comes behind eight good buffers.
    NetOptions { features, sizes: [16, 16, 16], reserve: 8, ..plain }
}

/// Frames to and from the wire at the good function, and some to the bad one; all of the good ones must pass.
fn pass_frames(scene: &mut Scene<Verilated>, tag: u64, says: &str) {
    let wire = scene.nic.bus.device.0[0].from_adapter.len();
    let (to_good, from_good) =
        (packet(STATION, address(GOOD), 100, tag), packet(address(GOOD), STATION, 90, tag + 1));
    for extra in 0..10 {
        let frame = packet(STATION, address(BAD), 200, tag + 2 + extra).frame;
        scene.nic.bus.device.0[0].send(frame);
    }
    scene.nic.bus.device.0[0].send(to_good.frame.clone());
    let machine = &mut scene.nic.bus.host.platform;
    assert!(scene.drivers.get_mut(&GOOD).unwrap().send(machine, 0, &from_good));
    let (mut sent, mut received) = (false, false);
    let start = scene.nic.bus.now();
    while scene.nic.bus.now() < start + SETTLED {
        for (function, event) in scene.step().unwrap_or_else(|error| panic!("{says}: {error}")) {
            match event {
                _ if function == BAD => {}
                Event::Sent { tag, .. } => sent |= tag == from_good.tag,
                Event::Received { frame, .. } => {
                    assert_eq!(frame, to_good.frame, "{says}");
                    received = true;
                }
                other => panic!("{says}: {other:?} at the good function"),
            }
        }
    }
    assert!(sent && received, "{says}: sent {sent}, received {received}");
    let left = scene.nic.bus.device.0[0].from_adapter[wire..].iter().any(|it| it.data == from_good.frame);
    assert!(left, "{says}: the good function's frame leaves");
}

/// Does everything once in one kind of ring; returns how often the device asked for a reset.
fn all_of(packed: bool) -> usize {
    let config = Config::small();
    let mut setup = Setup::of(&config);
    // Registers are read in no time.
    (setup.behaviour, setup.link) = (Behaviour::AT_ONCE, LinkSettings::at_once());
    let mut scene = Scene::new(models::nic(&config).unwrap(), &config, &setup).unwrap();
    open(&mut scene);
    scene.start(GOOD, NetOptions::plain(!packed, 1)).unwrap();
    let (mut tag, mut resets) = (0, 0);
    for mischief in Mischief::ALL {
        for which in [Which::Receive(0), Which::Transmit(0)] {
            let says = format!("{mischief:?} in {which:?}, packed {packed}");
            scene.start(BAD, bad_options(packed, tag)).unwrap_or_else(|error| panic!("{says}: {error}"));
            let bad = scene.drivers.get_mut(&BAD).unwrap();
            let is_done = mischief.apply(bad, &mut scene.nic.bus.host.platform, which);
            tag += 20;
            pass_frames(&mut scene, tag, &says);
            let bad = scene.nic.places[BAD].id;
            for intrusion in scene.nic.bus.host.platform.iommu.take_intrusions() {
                assert_eq!(intrusion.origin.requester, bad, "{says}: {intrusion}");
                assert!(mischief.leads_astray(), "{says}: {intrusion}");
            }
            let (net, host) = scene.driver(BAD);
            let status = net.device.status(host).unwrap();
            let is_broken = status & NEEDS_RESET != 0;
            resets += usize::from(is_broken);
            assert!(is_broken || !is_done || !PLAIN.contains(&mischief), "{says}: the status is {status}");
            assert!(is_done || !is_broken, "{says}: nothing was done");
            scene.stop(BAD).unwrap_or_else(|error| panic!("{says}: {error}"));
        }
    }
    // After all of that the function works.
    scene.start(BAD, bad_options(packed, 1)).unwrap();
    pass_frames(&mut scene, tag + 20, "at the end");
    let machine = &mut scene.nic.bus.host.platform;
    assert!(scene.drivers.get_mut(&BAD).unwrap().send(machine, 0, &packet(address(BAD), STATION, 70, 1)));
    let mut sent = false;
    for _ in 0..SETTLED {
        sent |= scene.step().unwrap().contains(&(BAD, Event::Sent { pair: 0, tag: 1 }));
    }
    assert!(sent);
    resets
}

#[test]
fn mischief_in_split_rings_hurts_nobody_else() {
    let resets = all_of(false);
    assert!(resets >= 24, "{resets} resets are asked for");
}

#[test]
fn mischief_in_packed_rings_hurts_nobody_else() {
    let resets = all_of(true);
    assert!(resets >= 18, "{resets} resets are asked for");
}
