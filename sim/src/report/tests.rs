use super::*;
use crate::ethernet::{FrameBuilder, FrameView, MacAddress, Tag};
use crate::traffic::{Pace, Size, Stream, Traffic};

fn flow(name: &str, port: usize, stop: u64) -> Flow {
    let (destination, source) = (MacAddress::new([2, 0, 0, 0, 0, 1]), MacAddress::new([2, 0, 0, 0, 0, 2]));
    let stream =
        Stream { destination, source, tags: vec![], ethertype: 0x0800, size: Size::Fixed(100), seed: 0 };
    let (content, pace) = (Content::Generated(stream), Pace::Bits { per_second: 1_000_000_000, overhead: 0 });
    Flow { name: name.into(), port, content, pace, start: 0, stop: Some(stop), frames: None }
}

/// With a tag more, as behind a trunk.
fn tagged(frame: &[u8]) -> Vec<u8> {
    [&frame[..12], &Tag::customer(5).bytes(), &frame[12..]].concat()
}

/// Flow 0 from port 0 to port 1 after 50 cycles, every tenth frame lost, and with a tag to port 2 after 80; flow 1 from
/// port 3, whose port takes half of it, goes nowhere.
fn run() -> Results {
    let config = Config::small();
    let flows = [flow("a", 0, 156_250), flow("b", 3, 156_250)];
    let mut collector = Collector::new(&flows, &config);
    for frame in Traffic::new(&flows, &config).unwrap() {
        collector.offered(&frame);
        if frame.flow == 0 {
            collector.entered(0, frame.sequence, frame.cycle);
            if frame.sequence % 10 != 9 {
                assert!(collector.left(1, &frame.bytes, frame.cycle + 50));
                assert!(collector.left(2, &tagged(&frame.bytes), frame.cycle + 80));
            }
        } else if frame.sequence % 2 == 0 {
            collector.entered(1, frame.sequence, frame.cycle);
        }
    }
    assert!(!collector.left(4, &[7; 60], 100));
    collector.finish(&config.port_names(), 156_250)
}

#[test]
fn flows_are_counted() {
    let results = run();
    // A millisecond of 1 Gb/s in frames of 100 bytes.
    let a = &results.flows[0];
    let quantity = |frames, bytes_each| Quantity { frames, bytes: frames * bytes_each };
    assert_eq!((a.name.as_str(), a.port.as_str()), ("a", "wire0"));
    assert_eq!(a.offered, quantity(1250, 100));
    assert_eq!(a.entered, quantity(1250, 100));
    assert_eq!(a.delivered, quantity(1125, 100));
    assert_eq!(a.lost_frames, 125);
    let left: Vec<_> =
        a.deliveries.iter().map(|left| (left.port.as_str(), left.frames, left.bytes)).collect();
    assert_eq!(left, [("manager", 1125, 112_500), ("pf", 1125, 117_000)]);
    assert!((a.mbps - 900.0).abs() < 1.0, "{}", a.mbps);
    assert!((a.line_mbps - 900.0 * 1.24).abs() < 1.5, "{}", a.line_mbps);
    assert!((a.deliveries[1].mbps - 900.0 * 1.04).abs() < 1.5, "{}", a.deliveries[1].mbps);
    let latency = a.latency.unwrap();
    let cycles =
        [latency.minimum, latency.median, latency.percentile_99_9, latency.maximum].map(|tick| tick.cycles);
    assert_eq!(cycles, [50, 50, 80, 80]);
    assert_eq!(latency.maximum.nanoseconds, 512.0);

    let b = &results.flows[1];
    assert_eq!(
        (b.offered, b.entered, b.delivered),
        (quantity(1250, 100), quantity(625, 100), quantity(0, 0))
    );
    assert_eq!((b.lost_frames, b.mbps, b.latency), (625, 0.0, None));
    assert_eq!(results.unknown_frames, 1);
}

#[test]
fn throughput_is_that_of_each_bin() {
    let results = run();
    assert_eq!(results.bin.nanoseconds, 20_000.0);
    let near = |rates: &[f64], expected: f64, tolerance: f64| {
        assert_eq!(rates.len(), 50);
        assert!(rates.iter().all(|rate| (rate - expected).abs() <= tolerance), "{rates:?}");
    };
    near(&results.ports[0].sent_mbps, 1000.0, 0.1);
    near(&results.ports[1].received_mbps, 900.0, 45.0);
    near(&results.ports[3].sent_mbps, 500.0, 0.1);
    near(&results.ports[5].sent_mbps, 0.0, 0.0);
}

#[test]
fn captured_frames_are_known_by_their_bytes() {
    let config = Config::small();
    let source = MacAddress::new([2, 0, 0, 0, 0, 2]);
    let bytes = FrameBuilder::new(MacAddress::BROADCAST, source).payload([1; 46]).build();
    let flows = [Flow { content: Content::Capture("x.pcap".into()), pace: Pace::Max, ..flow("c", 0, 1000) }];
    let mut collector = Collector::new(&flows, &config);
    for sequence in 0..3 {
        let cycle = 100 * sequence;
        collector.offered(&Departure {
            cycle,
            port: 0,
            flow: 0,
            sequence,
            bytes: bytes.clone(),
            error: false,
            forced: None,
        });
        collector.entered(0, sequence, cycle);
    }
    assert!(collector.left(1, &bytes, 220));
    assert!(collector.left(1, &tagged(&bytes), 340));
    assert_eq!(FrameView(&tagged(&bytes)).tags().count(), 1);
    let results = collector.finish(&config.port_names(), 1000);
    let latency = results.flows[0].latency.unwrap();
    assert_eq!((latency.minimum.cycles, latency.maximum.cycles), (220, 240));
    assert_eq!(results.flows[0].lost_frames, 1);
}

#[test]
fn nothing_at_all_is_a_result() {
    let config = Config::small();
    let results = Collector::new(&[], &config).finish(&config.port_names(), 0);
    assert!(results.text().contains("0.0 us simulated"));
    assert!(results.sent_svg().contains("no frames") && results.latency_svg().contains("no frames"));
}

#[test]
fn the_table_by_hand() {
    let expected = "\
1000.0 us simulated (156250 cycles); frames; latency in ns from the first beat in to the last beat out

flow  from   to       offered  delivered  lost  Mb/s  on the line  min  median  99.9 %  max
a     wire0  2 ports     1250       1125   125   900         1116  320     320     512  512
             manager                1125         900
             pf                     1125         936
b     vf0    -           1250          0   625  0.00         0.00    -       -       -    -

1 frames left that are of no flow
";
    assert_eq!(run().text(), expected);
}

#[test]
fn the_json_has_its_shape() {
    let json: serde_json::Value = serde_json::from_str(&run().json()).unwrap();
    let keys =
        |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(keys(&json), "bin flows format ports time unknown_frames");
    assert_eq!(json["format"], 1);
    let flow = &json["flows"][0];
    assert_eq!(
        keys(flow),
        "delivered deliveries entered latency line_mbps lost_frames mbps name offered port"
    );
    assert_eq!(flow["offered"], serde_json::json!({"frames": 1250, "bytes": 125_000}));
    assert_eq!(keys(&flow["deliveries"][0]), "bytes frames mbps port");
    assert_eq!(flow["latency"]["minimum"], serde_json::json!({"cycles": 50, "nanoseconds": 320.0}));
    assert_eq!(keys(&flow["latency"]), "maximum median minimum percentile_99_9");
    assert!(json["flows"][1]["latency"].is_null());
    assert_eq!(keys(&json["ports"][0]), "name received_mbps sent_mbps");
}

#[test]
fn files_have_the_content_of_their_names() {
    for (name, content) in run().files() {
        let start = match name.rsplit_once('.').unwrap().1 {
            "txt" => "1000.0 us simulated",
            "json" => "{",
            _ => "<svg",
        };
        assert!(content.starts_with(start) && content.len() > 400, "{name}: {content}");
    }
}

#[test]
fn plots_name_what_they_show() {
    let results = run();
    let (sent, received, latency) = (results.sent_svg(), results.received_svg(), results.latency_svg());
    for (svg, parts) in [
        (&sent, ["Sent into the bridge", "Gb/s", "time in µs", "wire0", "vf0"]),
        (&received, ["Received from the bridge", "Gb/s", "mean over 20 µs", "manager", "pf"]),
        (&latency, ["Latency, by flow", "99.9 %", "300 ns", "500 ns", ">\na\n"]),
    ] {
        for part in parts {
            assert!(svg.contains(part), "no {part} in {svg}");
        }
    }
    assert!(!received.contains("vf0") && !latency.contains(">\nb\n"));
}
