use std::time::Duration;

use super::*;
use crate::ethernet::MacAddress;

fn stream(size: Size) -> Stream {
    let (destination, source) = (MacAddress::new([2, 0, 0, 0, 0, 1]), MacAddress::new([2, 0, 0, 0, 0, 2]));
    Stream { destination, source, tags: vec![], ethertype: 0x0800, size, seed: 1 }
}

fn flow(size: Size, pace: Pace) -> Flow {
    let content = Content::Generated(stream(size));
    Flow { name: "f".into(), port: 2, content, pace, start: 0, stop: None, frames: None }
}

fn play(flows: &[Flow]) -> Traffic {
    Traffic::new(flows, &Config::small()).unwrap()
}

fn cycles(flow: Flow, count: usize) -> Vec<u64> {
    play(&[flow]).take_cycles(count)
}

impl Traffic {
    fn take_cycles(&mut self, count: usize) -> Vec<u64> {
        self.by_ref().take(count).map(|frame| frame.cycle).collect()
    }
}

#[test]
fn departures_carry_their_stamps() {
    let flows = [flow(Size::Fixed(60), Pace::Max), flow(Size::Fixed(64), Pace::Max)];
    for frame in play(&flows).take(20) {
        let Departure { cycle, flow, sequence, .. } = frame;
        assert_eq!(Stamp::of_frame(&frame.bytes), Some(Stamp { flow: flow as u32, sequence, cycle }));
        assert_eq!(frame.port, 2);
    }
}

#[test]
fn the_fastest_pace_leaves_no_beat_free() {
    // 60 bytes are 8 beats of 8 bytes.
    assert_eq!(cycles(flow(Size::Fixed(60), Pace::Max), 4), [0, 8, 16, 24]);
    let at_5 = Flow { start: 5, frames: Some(2), ..flow(Size::Fixed(65), Pace::Max) };
    assert_eq!(cycles(at_5, 4), [5, 14]);
}

#[test]
fn a_rate_is_exact_on_average() {
    // 125 bytes at 1 Gb/s: a microsecond each, 156.25 cycles.
    let pace = Pace::Bits { per_second: 1_000_000_000, overhead: 0 };
    assert_eq!(cycles(flow(Size::Fixed(125), pace), 5), [0, 157, 313, 469, 625]);
    for (per_second, overhead) in [(7_000_000_000, 0), (333_333_333, 24), (1_000_000, 20)] {
        let pace = Pace::Bits { per_second, overhead };
        let sent: Vec<_> = play(&[flow(Size::Imix, pace)]).take(5001).collect();
        let bits: u64 = sent[..5000].iter().map(|frame| 8 * (frame.bytes.len() as u64 + overhead)).sum();
        let clock = Clock::of(&Config::small());
        // The cycle of the last frame is the first one by which all before it have taken their time.
        let exact = bits as f64 / per_second as f64;
        let last = sent[5000].cycle;
        assert!(clock.seconds(last) >= exact && clock.seconds(last - 1) < exact, "{per_second}: {last}");
    }
}

#[test]
fn frames_for_each_second_come_evenly() {
    let pace = Pace::Frames { per_second: 1_000_000 };
    assert_eq!(cycles(flow(Size::Imix, pace), 5), [0, 157, 313, 469, 625]);
    let stopped = Flow { stop: Some(313), ..flow(Size::Imix, pace) };
    assert_eq!(cycles(stopped, 5), [0, 157]);
}

#[test]
fn the_wire_pace_is_that_of_ethernet() {
    // The well-known 14.88 million of the shortest frames in a second: 10.5 cycles each.
    assert_eq!(cycles(flow(Size::Fixed(60), Pace::WIRE), 5), [0, 11, 21, 32, 42]);
}

#[test]
fn captures_are_played_at_any_pace() {
    let frame = |microseconds: u64, byte| CapturedFrame {
        timestamp: Duration::from_micros(1_000_000 + microseconds),
        bytes: vec![byte; 60],
    };
    let captured = [frame(0, 1), frame(2, 2), frame(1, 3)];
    let play = |pace| {
        let flow = Flow { content: Content::Capture("x.pcap".into()), start: 10, ..flow(Size::Imix, pace) };
        let read = |path: &Path| {
            assert_eq!(path, Path::new("x.pcap"));
            Ok::<_, PcapError>(captured.to_vec())
        };
        let frames = Traffic::with_captures(&[flow], &Config::small(), read).unwrap();
        frames.map(|frame| (frame.cycle, frame.bytes[0])).collect::<Vec<_>>()
    };
    assert_eq!(play(Pace::Recorded), [(10, 1), (323, 2), (323, 3)]);
    assert_eq!(play(Pace::Max), [(10, 1), (18, 2), (26, 3)]);
    assert!(
        Traffic::new(
            &[Flow { content: Content::Capture("/missing.pcap".into()), ..flow(Size::Imix, Pace::Max) }],
            &Config::small()
        )
        .is_err()
    );
}

#[test]
fn a_busy_port_delays_what_is_paced_and_slows_what_is_not() {
    let paced = Pace::Frames { per_second: 1_000_000 };
    let flows = [flow(Size::Fixed(60), Pace::Max), flow(Size::Fixed(60), paced)];
    let mut traffic = play(&flows);
    assert!(traffic.send(1, 1000).is_none());
    let mut take = |now| traffic.send(2, now).map(|frame| (frame.flow, frame.cycle));
    assert_eq!(take(0), Some((0, 0)));
    assert_eq!(take(0), Some((1, 0)));
    assert_eq!(take(7), None);
    // Both have frames that could have gone before 1000. The one that waits longest goes first.
    assert_eq!(take(1000), Some((0, 1000)));
    assert_eq!(take(1000), Some((1, 157)));
    assert_eq!(take(1000), Some((1, 313)));
    assert_eq!(traffic.next_cycle(2), Some(469));
    assert_eq!(traffic.next_cycle(0), None);
}

#[test]
fn flows_end_on_time() {
    let stopped = |pace| Flow { stop: Some(100), ..flow(Size::Fixed(60), pace) };
    for pace in [Pace::Max, Pace::Frames { per_second: 10_000_000 }] {
        let mut traffic = play(&[stopped(pace)]);
        assert!(traffic.send(2, 50).is_some());
        assert!(!traffic.is_finished(99));
        // Frames that are due before stay unsent if the port had no room for them.
        assert!(traffic.send(2, 100).is_none() && traffic.is_finished(100));
    }
    let mut counted = play(&[Flow { frames: Some(1), ..flow(Size::Fixed(60), Pace::Max) }]);
    assert!(
        !counted.is_finished(1_000_000) && counted.send(2, 1_000_000).is_some() && counted.is_finished(0)
    );
}

#[test]
fn flows_are_merged_by_time() {
    let other = Flow { port: 0, start: 3, ..flow(Size::Imix, Pace::WIRE) };
    let mut traffic =
        play(&[flow(Size::Fixed(200), Pace::WIRE), other, flow(Size::Between(60, 90), Pace::Max)]);
    assert!(traffic.take_cycles(3000).is_sorted());
}
