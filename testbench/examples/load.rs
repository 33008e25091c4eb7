use rtl::config::Config;
use sim::{
    nic::{Scene, Setup, load::Load},
    pcie::host::Cut,
    virtio::{features::Features, layout::Layout, net::NetOptions},
};
use std::time::Instant;
use testbench::models;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let config = Config::by_name(&args[1]).unwrap();
    let what = &args[2];
    let bytes: usize = args[3].parse().unwrap();
    let packed = args[4] == "packed";
    let cycles: u64 = args[5].parse().unwrap();
    let sim = models::nic(&config).unwrap();
    let mut setup = Setup::of(&config);
    setup.behaviour.cut = Cut::Boundary;
    let t = Instant::now();
    let mut scene = Scene::new(sim, &config, &setup).unwrap();
    println!("set up {:?} {} cycles", t.elapsed(), scene.nic.bus.now());
    let all: Vec<usize> = (2..config.functions()).collect();
    let has = |c: char| if what.contains(c) { all.clone() } else { vec![] };
    let load = Load { bytes, to_wire: has('t'), from_wire: has('r'), between: has('v'), cycles, period: 256 };
    let t = Instant::now();
    let start = scene.nic.bus.now();
    let got = load.play(&mut scene, |f| {
        let plain = NetOptions::plain(packed, f as u64);
        NetOptions {
            features: plain.features | Features::EVENT_IDX | Features::MRG_RXBUF | Features::IN_ORDER,
            sizes: [256, 256, 16],
            receive: Layout { bytes: 2048..=2048, ..Layout::plain() },
            interrupts: false,
            ..plain
        }
    });
    let got = match got {
        Ok(got) => got,
        Err(e) => {
            println!("{e}\n{:?}", scene.nic.bus.host.platform.iommu.intrusions().first());
            return;
        }
    };
    let n = scene.nic.bus.now() - start;
    println!("{:?} for {n} cycles: {:.0} cycles/s", t.elapsed(), n as f64 / t.elapsed().as_secs_f64());
    let mpps = |f: u64| f as f64 / cycles as f64 * config.clock_khz as f64 / 1000.0;
    println!(
        "{got:?}\nMpps from wire {:.3} to wire {:.3} between {:.3}; up {:.1} down {:.1} bytes/frame",
        mpps(got.from_wire),
        mpps(got.to_wire),
        mpps(got.between),
        got.up as f64 / (got.from_wire + got.to_wire + got.between) as f64,
        got.down as f64 / (got.from_wire + got.to_wire + got.between) as f64
    );
    let w = &scene.nic.bus.device.0[0];
    println!("wire stalled {}", w.stalled);
}
