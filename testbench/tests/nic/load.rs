//! What the whole adapter carries, how long that takes, and what functions notice of one that hurts itself. `hematite bench`
//! measures the same at length.

use rtl::config::Config;
use sim::{
    clock::Clock,
    nic::{
        Scene, Setup,
        load::{CHECK_SEQUENCE, Load, Nuisance, latencies, prepare},
        model::Model,
    },
    pcie::host::Cut,
    traffic::WIRE_OVERHEAD,
    verilator::Verilated,
    virtio::{features::Features, layout::Layout, net::NetOptions},
};
use testbench::models;

/// The virtual functions of `small`.
const FUNCTIONS: [usize; 3] = [2, 3, 4];

fn options(packed: bool, function: usize) -> NetOptions {
    let plain = NetOptions::plain(packed, function as u64);
    let more = if packed { Features::IN_ORDER | Features::NOTIFICATION_DATA } else { Features::NONE };
    // As a driver does that knows the link: no packet of a short frame is cut.
    let aligned = Layout { alignment: 2048, ..Layout::plain() };
    NetOptions {
        features: plain.features | Features::MRG_RXBUF | more,
        sizes: [256, 256, 16],
        interrupts: false,
        receive: aligned.clone(),
        transmit: aligned,
        ..plain
    }
}

fn scene(functions: &[usize], packed: bool) -> Scene<Verilated> {
    let config = Config::small();
    let mut setup = Setup::of(&config);
    setup.behaviour.cut = Cut::Boundary;
    setup.behaviour.shuffled = false;
    let mut scene = Scene::new(models::nic(&config).unwrap(), &config, &setup).unwrap();
    prepare(&mut scene, functions, |function| options(packed, function)).unwrap();
    scene
}

/// One direction at a time, which is what the data path of `small` carries.
#[test]
fn the_wire_is_full() {
    let config = Config::small();
    let wire = |bytes: usize| 1.25e9 / (bytes as f64 - CHECK_SEQUENCE as f64 + WIRE_OVERHEAD as f64);
    for packed in [false, true] {
        let mut scene = scene(&FUNCTIONS, packed);
        for (to_wire, from_wire) in [(&FUNCTIONS[..], &[][..]), (&[], &FUNCTIONS)] {
            let bytes = 1024;
            let period = Load::period(bytes, 8, FUNCTIONS.len(), config.clock_khz);
            let load = Load {
                bytes,
                to_wire: to_wire.to_vec(),
                from_wire: from_wire.to_vec(),
                between: vec![],
                batch: None,
                cycles: 10 * period,
                period,
            };
            let carried = load.play(&mut scene).unwrap();
            let frames = carried.from_wire + carried.to_wire;
            let rate = carried.rate(frames, config.clock_khz);
            assert!((0.95..1.01).contains(&(rate / wire(bytes))), "{rate}: {carried:?}");
            assert_eq!((carried.lost, carried.lost_from_wire), (0, 0));
            // The link is not used for more than the rings need.
            let model = Model { batch: 8, ..Model::new(packed, packed) };
            let cost = match to_wire {
                [] => model.receive(bytes - CHECK_SEQUENCE),
                _ => model.transmit(bytes - CHECK_SEQUENCE),
            };
            let used = (carried.up + carried.down) as f64 / frames as f64;
            assert!(used < 1.1 * (cost.up + cost.down), "{used} bytes, not {cost:?}");
        }
    }
}

#[test]
fn few_frames_pass_at_once() {
    let clock = Clock::of(&Config::small());
    let mut scene = scene(&FUNCTIONS, true);
    let found = latencies(&mut scene, [2, 3, 3, 4], 64, 50).unwrap();
    for took in [found.wire_to_memory, found.memory_to_wire, found.between] {
        let (least, most) = (clock.nanoseconds(took[0]), clock.nanoseconds(took[49]));
        // The link alone takes 250 ns, a read a microsecond.
        assert!(least > 250.0 && most < 20_000.0, "{least} to {most} ns");
    }
}

/// As much as nearly fills the data path; the others get all of it whatever the last function does.
#[test]
fn others_do_not_notice() {
    let mut scene = scene(&FUNCTIONS, true);
    let (others, bad) = (&FUNCTIONS[..2], FUNCTIONS[2]);
    let load = Load {
        bytes: 256,
        to_wire: others.to_vec(),
        from_wire: FUNCTIONS.to_vec(),
        between: vec![],
        batch: Some(8),
        cycles: 60 * 2048,
        period: 2048,
    };
    let mut without = None;
    for nuisance in Nuisance::ALL {
        let (found, cycles) = nuisance.play(&mut scene, &load, bad, &options(true, bad)).unwrap();
        let frames: u64 = found.values().flatten().sum();
        let rate = frames as f64 / cycles as f64;
        let before = *without.get_or_insert(rate);
        assert!((rate / before - 1.0).abs() < 0.01, "{nuisance:?}: {rate}, not {before}");
        assert_eq!(found.len(), others.len());
    }
}
