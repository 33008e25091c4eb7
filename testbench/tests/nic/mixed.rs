//! The driver of `sim::virtio` and crate `virtio-drivers` on one adapter.

use super::independent::{self, Machine, frame, station};
use rtl::config::Config;
use sim::{
    nic::{Place, Setup},
    virtio::{
        features::Features,
        layout::Layout,
        net::{Event, Net, NetOptions, Packet},
        pci::Function,
    },
};

/// Cycles in which a frame gets anywhere.
const PATIENCE: u64 = 100_000;

/// A driver of ours on a function.
fn start(machine: &Machine, place: Place, options: NetOptions) -> Net {
    let Place { id, bars: [registers, table] } = place;
    let function = Function { id, bars: [registers, 0, table, 0, 0, 0] };
    Net::start(&mut *machine.adapter.borrow_mut(), function, options).unwrap()
}

/// Lets cycles pass until something happens to our driver; `None` if nothing does.
fn step(machine: &Machine, net: &mut Net, cycles: u64) -> Option<Event> {
    let mut bus = machine.adapter.borrow_mut();
    let mut events = vec![];
    for _ in 0..cycles {
        events.extend(net.poll(&mut bus.host.platform.machine).unwrap());
        net.ring(&mut *bus).unwrap();
        if !events.is_empty() {
            break;
        }
        bus.step().unwrap();
    }
    assert!(events.len() < 2, "{events:?}");
    events.pop()
}

/// Rings of both kinds with all that they can, in pieces that lie anywhere, against the plain rings of the crate: frames go there
/// and come back as they were.
#[test]
fn two_drivers_talk() {
    let config = Config::small();
    let (machine, places) = independent::machine(&config, &Setup::of(&config));
    for (packed, [of_crate, of_ours]) in [(false, [0, 3]), (true, [2, 4])] {
        let plain = NetOptions::plain(packed, 1);
        let features = plain.features
            | Features::MRG_RXBUF
            | Features::INDIRECT_DESC
            | Features::EVENT_IDX
            | Features::NOTIFICATION_DATA
            | Features::IN_ORDER;
        let receive = Layout { parts: 3, bytes: 600..=3000, ..Layout::wild() };
        let options = NetOptions { features, receive, transmit: Layout::wild(), ..plain };
        let mut ours = start(&machine, places[of_ours], options);
        assert_eq!(ours.configuration.mac, station(of_ours));
        let mut guest = machine.net::<16>(of_crate);
        // Its buffers are offered when it looks for the first time.
        assert_eq!(step(&machine, &mut ours, 5000), None);
        for number in 0..80 {
            let there = frame(of_crate, of_ours, number);
            independent::send(&mut guest, &there);
            let Some(Event::Received { pair: 0, frame: got, .. }) = step(&machine, &mut ours, PATIENCE)
            else {
                panic!("frame {number} of the crate does not come");
            };
            assert!(got == there, "frame {number} of the crate");
            let back = frame(of_ours, of_crate, number);
            let packet = Packet { frame: back.clone(), checksum: None, tag: number as u64 };
            assert!(ours.send(&mut machine.adapter.borrow_mut().host.platform.machine, 0, &packet));
            let sent = step(&machine, &mut ours, PATIENCE);
            assert_eq!(sent, Some(Event::Sent { pair: 0, tag: number as u64 }));
            assert!(independent::receive(&machine, &mut guest) == back, "frame {number} of ours");
        }
        ours.stop(&mut *machine.adapter.borrow_mut()).unwrap();
    }
    assert_eq!(machine.take_intrusions(), []);
}
