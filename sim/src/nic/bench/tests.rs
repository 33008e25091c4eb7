//! The bench on the smallest adapter, in the native simulator: what is wrong is noticed.

use super::*;
use crate::{
    nic::Setup,
    player::Stage,
    veb::{Mismatch, PortSet, policy::Change},
};
use hdl::{Native, elaborate};

/// The ports of the adapter.
const WIRE: usize = 0;
const PHYSICAL: usize = 2;
const VIRTUAL: usize = 3;

fn config() -> Config {
    Config { vfs: 1, entries: 16, cells: 64, ..Config::small() }
}

fn policy() -> Policy {
    let mut policy = Policy::open(1, 3);
    for port in [PHYSICAL, VIRTUAL] {
        policy.insert_entry(0, station(port), PortSet::single(port));
    }
    policy
}

fn bench() -> Bench<Native> {
    let config = config();
    let design = elaborate(|| rtl::nic::nic(&config)).unwrap().design;
    let plan = AdapterPlan::ordinary(&config, Setup::of(&config), 1);
    let mut bench = Bench::new(Native::new(&design).unwrap(), &config, &plan).unwrap();
    bench.set_policy(&policy()).unwrap();
    bench.begin();
    bench
}

/// A frame from each of these ports to the virtual function, or the other way round.
fn send(bench: &mut Bench<Native>, ways: &[[usize; 2]]) {
    for [from, to] in ways {
        let bytes =
            [&station(*to).bytes()[..], &station(*from).bytes(), &[0x88, 0xB5], &[*from as u8; 60]].concat();
        bench.send_frame(*from, Frame { bytes, ..Frame::default() });
    }
    while !bench.is_done() {
        Stage::cycle_with_patience(bench).unwrap();
    }
}

/// What did not agree, and how many frames each port got.
fn finish(bench: Bench<Native>) -> (Vec<Mismatch>, Vec<u64>) {
    let report = bench.finish().unwrap().report;
    (report.mismatches, report.ports.iter().map(|port| port.frames).collect())
}

#[test]
fn frames_come_where_they_are_for() {
    let mut bench = bench();
    send(&mut bench, &[[WIRE, VIRTUAL], [VIRTUAL, WIRE], [PHYSICAL, VIRTUAL], [VIRTUAL, PHYSICAL]]);
    assert_eq!(bench.take_left().len(), 4);
    assert_eq!(finish(bench), (vec![], vec![1, 0, 1, 2]));
}

/// A row that the model does not know of, and a driver that loses a frame.
#[test]
fn a_frame_that_is_not_where_it_should_be_is_noticed() {
    let mut bench = bench();
    // Behind the model's back its frames go to the other function.
    let row = Change::insert(0, station(VIRTUAL), PortSet::single(PHYSICAL));
    bench.change_behind(&row);
    send(&mut bench, &[[WIRE, VIRTUAL]]);
    let (mismatches, frames) = finish(bench);
    assert_eq!(frames, [0, 0, 1, 0]);
    assert!(matches!(mismatches[0], Mismatch::WrongPort { .. }), "{mismatches:?}");
    assert!(mismatches.iter().any(|it| matches!(it, Mismatch::Uncounted { .. })), "{mismatches:?}");
}

/// Memory that a driver takes away while the device has it.
#[test]
fn accesses_to_memory_of_others_are_mismatches() {
    let mut bench = bench();
    let id = bench.scene.nic.places[2].id;
    bench.scene.nic.bus.host.platform.iommu.unmap(id, 0..u64::MAX);
    send(&mut bench, &[[WIRE, VIRTUAL]]);
    let (mismatches, _) = finish(bench);
    let says = |what: &str| mismatches.iter().any(|it| it.to_string().contains(what));
    assert!(says("memory of others") && says("queues of vf0 broke"), "{mismatches:?}");
}
