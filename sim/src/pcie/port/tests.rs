use super::*;
use crate::pcie::packet::RoutingId;
use hdl::{Native, elaborate};
use rtl::{pcie::tlp::TlpBeat, prim::fifo};

const ID: RoutingId = RoutingId(0x100);

fn bench(bytes: usize, seed: u64) -> (Native, Port) {
    let design = elaborate(|| fifo(TlpBeat::ty(bytes), 8)).unwrap().design;
    let mut sim = Native::new(&design).unwrap();
    sim.write_reset(0, true);
    sim.step_domains(&[0]).unwrap();
    sim.write_reset(0, false);
    let port = Port::new(sim.interface(), "enq", "deq", seed);
    (sim, port)
}

/// Packets go through a FIFO of beats and come out as they went in, at any pace.
#[test]
fn packets_become_beats_and_packets_again() {
    for (bytes, seed) in [(8, 1), (16, 2), (32, 3)] {
        for (rx, tx) in [(100, 100), (50, 50), (100, 20), (20, 100)] {
            let (mut sim, mut port) = bench(bytes, seed);
            port.pace = Pace { rx, tx };
            let mut random = Random::new(seed);
            let packets: Vec<Packet> = (0..100)
                .map(|tag| match random.below(3) {
                    0 => Packet::memory_read(ID, tag, random.word() % (1 << 40), 4),
                    _ => {
                        let data: Vec<u8> = (0..random.below(300) + 1).map(|_| random.word() as u8).collect();
                        Packet::memory_write(ID, tag, random.word() % (1 << 40), &data)
                    }
                })
                .collect();
            packets.iter().for_each(|packet| port.send(packet.clone()));
            let (mut taken, mut sent) = (vec![], vec![]);
            for cycle in 0..40_000 {
                // Now and then the link takes nothing.
                port.drive(&mut sim, cycle % 100 < 90);
                let moved = port.sample(&mut sim).unwrap();
                taken.extend(moved.taken);
                sent.extend(moved.sent);
                sim.step_domains(&[0]).unwrap();
            }
            assert_eq!(taken, packets);
            assert_eq!(sent, packets);
            assert_eq!(port.queued(), 0);
            assert_eq!(port.longest_wait() > 0, (rx, tx) != (20, 100), "{rx} {tx}");
        }
    }
}

/// Beats of a FIFO that something else than a port fills.
fn judge(beats: &[(usize, bool, bool)]) -> Result<Vec<Packet>, String> {
    let (mut sim, mut port) = bench(8, 1);
    let enq = Stream::find(sim.interface(), "enq");
    let mut sent = vec![];
    for cycle in 0..beats.len() + 8 {
        port.drive(&mut sim, true);
        sim.write(enq.valid, &[(cycle < beats.len()).into()]);
        if let Some(&(count, first, last)) = beats.get(cycle) {
            enq.write(&mut sim, &Beat { header: [1, 2, 3, 4], data: vec![7; 8], count, first, last });
        }
        sent.extend(port.sample(&mut sim).map_err(|error| error.what)?.sent);
        sim.step_domains(&[0]).unwrap();
    }
    Ok(sent)
}

#[test]
fn rules_of_the_stream() {
    let packet = Packet { header: [1, 2, 3, 4], payload: vec![7; 12] };
    assert_eq!(judge(&[(8, true, false), (4, false, true)]), Ok(vec![packet]));
    assert_eq!(judge(&[(0, true, true)]).unwrap().len(), 1);
    let wrong = |beats: &[(usize, bool, bool)], what: &str| {
        let error = judge(beats).unwrap_err();
        assert!(error.contains(what), "{error}");
    };
    wrong(&[(8, false, true)], "outside of any packet");
    wrong(&[(8, true, false), (8, true, true)], "begins before the end");
    wrong(&[(4, true, false)], "a beat of 4 bytes, first true, last false");
    wrong(&[(6, true, true)], "a beat of 6 bytes");
    wrong(&[(12, true, true)], "a beat of 12 bytes");
    wrong(&[(8, true, false), (0, false, true)], "a beat of 0 bytes, first false, last true");
}

/// A beat that waits must not change; the inputs of a design stand in for a stream of it.
#[test]
fn beats_wait_unchanged() {
    let (mut sim, mut port) = bench(8, 1);
    port.tx = Stream::find(sim.interface(), "enq");
    let offer = |sim: &mut Native, valid: u64, byte: u8| {
        sim.write(port.tx.valid, &[valid]);
        let beat = Beat { header: [0; 4], data: vec![byte; 8], count: 8, first: true, last: true };
        port.tx.write(sim, &beat);
    };
    offer(&mut sim, 1, 5);
    for (valid, byte) in [(1, 6), (0, 5)] {
        let mut port = port.clone();
        offer(&mut sim, 1, 5);
        assert_eq!(port.sample(&mut sim), Ok(Moved::default()));
        assert_eq!(port.sample(&mut sim), Ok(Moved::default()));
        offer(&mut sim, valid, byte);
        assert!(port.sample(&mut sim).unwrap_err().what.contains("a beat changed while it had to wait"));
    }
}
