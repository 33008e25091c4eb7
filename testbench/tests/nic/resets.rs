//! Functions that are reset, or go and come back, while others work.

use super::driver::{STATION, address, open, packet};
use rtl::config::Config;
use sim::{
    nic::{Scene, Setup},
    verilator::Verilated,
    virtio::net::{Event, NetOptions},
};
use testbench::models;

/// Cycles after which a reset of a function is over.
const OVER: u64 = 16_000;

fn scene(setup: impl FnOnce(&mut Setup)) -> Scene<Verilated> {
    let config = Config::small();
    let mut of_config = Setup::of(&config);
    setup(&mut of_config);
    let mut scene = Scene::new(models::nic(&config).unwrap(), &config, &of_config).unwrap();
    open(&mut scene);
    scene
}

fn pass(scene: &mut Scene<Verilated>, cycles: u64) -> Vec<(usize, Event)> {
    (0..cycles).flat_map(|_| scene.step().unwrap()).collect()
}

/// A function sends a frame and gets one from the wire.
fn works(scene: &mut Scene<Verilated>, function: usize, says: &str) {
    let sent = packet(address(function), STATION, 300, 1);
    let got = packet(STATION, address(function), 200, 2);
    let machine = &mut scene.nic.bus.host.platform;
    assert!(scene.drivers.get_mut(&function).unwrap().send(machine, 0, &sent));
    scene.nic.bus.device.0[0].send(got.frame.clone());
    let events = pass(scene, 6000);
    let comes = |(of, event): &(usize, Event)| matches!(event, Event::Received { frame, .. } if *of == function && *frame == got.frame);
    assert!(events.iter().any(comes), "{says}: function {function} gets a frame: {events:?}");
    let leaves = scene.nic.bus.device.0[0].from_adapter.drain(..).any(|arrival| arrival.data == sent.frame);
    assert!(leaves, "{says}: the frame of function {function} leaves");
}

/// A function that is reset (PCI Express 6.6.2) with frames on their way is silent when that is over, and begins anew; nobody else
/// notices.
#[test]
fn functions_are_reset_under_load() {
    let mut scene = scene(|_| {});
    for function in scene.functions() {
        scene.start(function, NetOptions::plain(function % 2 == 0, 1)).unwrap();
    }
    for function in [2, 3, 4, 2] {
        for tag in 0..20 {
            let machine = &mut scene.nic.bus.host.platform;
            let frame = packet(address(function), STATION, 1000, 100 + tag);
            scene.drivers.get_mut(&function).unwrap().send(machine, 0, &frame);
            scene.nic.bus.device.0[0].send(packet(STATION, address(function), 500, tag).frame);
        }
        pass(&mut scene, 1500);
        scene.nic.reset_function(function).unwrap();
        let net = scene.drivers.remove(&function).unwrap();
        let others: Vec<usize> = scene.drivers.keys().copied().collect();
        for other in others {
            scene.nic.bus.device.0[0].from_adapter.clear();
            works(&mut scene, other, "beside a reset");
        }
        pass(&mut scene, OVER);
        let id = scene.nic.places[function].id;
        net.abandon(&mut scene.nic.bus.host.platform);
        scene.nic.bus.host.platform.iommu.set_silent(id, true);
        scene.nic.bus.checker.set_silent(id, true);
        pass(&mut scene, 2000);
        scene.nic.bus.host.platform.iommu.set_silent(id, false);
        scene.nic.bus.checker.set_silent(id, false);
        scene.nic.restore_function(function).unwrap();
        scene
            .start(function, NetOptions::plain(true, 2))
            .unwrap_or_else(|error| panic!("{function}: {error}"));
        works(&mut scene, function, "after its reset");
        assert_eq!(scene.nic.bus.host.platform.iommu.take_intrusions(), []);
    }
}
