//! The files in `testbench/data`.

use super::*;
use crate::pcap;
use crate::traffic::Traffic;
use crate::veb::bridge::{Decision, Reason, decide};
use crate::virtio::features::Features;

pub fn shipped(name: &str) -> Scenario {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testbench/data");
    Scenario::load(folder.join(name)).unwrap()
}

/// The numbers are from tshark's count of destination addresses and VIDs in the capture: to hosts 1, 2, 3 and the bridge 94,
/// 256, 19 and 1 untagged, 5 broadcasts and 43 to groups (4 to all nodes, 31 to all routers and reports, 3, 1 and 1 to those
/// of the hosts, 3 to those of others); VLAN 100: 1 and 570 to hosts 1 and 3; VLAN 200: 1 and 201 to hosts 1 and 2.
#[test]
fn lan_spreads_the_shipped_capture() {
    let scenario = shipped("lan.toml");
    let config = small();
    assert_eq!(scenario.config().unwrap().as_ref(), Some(&config));
    let policy = scenario.policy(&config).unwrap();
    let flows = scenario.flows(&config).unwrap();
    let mut left = [0; 6];
    let mut filtered = 0;
    for frame in Traffic::new(&flows, &config).unwrap() {
        match decide(&policy, frame.port, &frame.bytes, false, None) {
            Decision::Drop(reason) => {
                assert_eq!(reason, Reason::Filtered);
                filtered += 1;
            }
            decision => decision.ports().iter().for_each(|port| left[port] += 1),
        }
    }
    assert_eq!(left, [0, 5 + 4 + 31 + 1, 5 + 4 + 3 + 94 + 1, 5 + 4 + 1 + 256, 5 + 4 + 1 + 19 + 570, 201]);
    assert_eq!(filtered, 3 + 1);
    let Content::Capture(path) = &flows[0].content else { panic!("a capture") };
    assert_eq!(pcap::read(path).unwrap().len(), 1191);
}

#[test]
fn guests_talk_while_the_capture_comes() {
    let scenario = shipped("guests.toml");
    let config = small();
    let policy = scenario.policy(&config).unwrap();
    let flows = scenario.flows(&config).unwrap();
    let mut left = [0; 6];
    for frame in Traffic::new(&flows, &config).unwrap() {
        decide(&policy, frame.port, &frame.bytes, false, None)
            .ports()
            .iter()
            .for_each(|port| left[port] += 1);
    }
    // Of the capture as in lan.toml, without what is for the manager there; and the guests' frames.
    let of_guests = [200 + 100, 0, 0, 400, 600 + 200, 0];
    let of_wire = [0, 5 + 1, 5 + 4 + 31 + 3 + 94 + 1, 5 + 4 + 1 + 256, 5 + 4 + 1 + 19 + 570, 201];
    assert_eq!(left, std::array::from_fn(|port| of_guests[port] + of_wire[port]));
    let plan = scenario.adapter(&config).unwrap();
    let packed = plan.drivers.iter().map(|driver| driver.options.features.has(Features::RING_PACKED));
    assert_eq!(packed.collect::<Vec<_>>(), [true, false, true, false]);
}

#[test]
fn shares_sends_everything_to_the_wire() {
    let scenario = shipped("shares.toml");
    let config = Config::x3100();
    assert_eq!(scenario.config().unwrap().as_ref(), Some(&config));
    let policy = scenario.policy(&config).unwrap();
    let quanta: Vec<_> = policy.rates[4..16].iter().map(|rate| rate.quantum / 1526).collect();
    assert_eq!(quanta, [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]);
    assert_eq!(policy.rates[19], Rate { maximum: 500, class: 3, burst: 16384, quantum: 1526 });
    let flows = scenario.flows(&config).unwrap();
    assert_eq!((flows.len(), flows[15].name.as_str()), (16, "mixed.vf15"));
    for frame in Traffic::new(&flows, &config).unwrap().take(2000) {
        let decision = decide(&policy, frame.port, &frame.bytes, false, None);
        assert_eq!(decision.ports(), ports([0]), "{} from {}", frame.sequence, frame.port);
    }
    assert!(scenario.events(&config).unwrap().is_empty());
}

#[test]
fn tenants_meets_what_its_comments_say() {
    let scenario = shipped("tenants.toml");
    let config = small();
    let mut policy = scenario.policy(&config).unwrap();
    let flows = scenario.flows(&config).unwrap();
    let events = scenario.events(&config).unwrap();
    assert_eq!(events.iter().map(|event| event.cycle).collect::<Vec<_>>(), [15_625, 28_125, 39_063, 50_000]);
    let mut events = events.into_iter().peekable();
    // What each flow comes to, before VF 0 moves, after it, and after its link is down.
    let mut seen = vec![vec![]; flows.len()];
    for frame in Traffic::new(&flows, &config).unwrap() {
        while let Some(event) = events.next_if(|event| event.cycle <= frame.cycle) {
            if let Action::Change { rows, policy: after, .. } = event.action {
                rows.iter().for_each(|row| policy.apply(row));
                assert_eq!(policy, *after);
            }
        }
        let decision = decide(&policy, frame.port, &frame.bytes, false, None);
        let outcome = decision.reason().map_or(Ok(decision.ports()), Err);
        if seen[frame.flow].last() != Some(&outcome) {
            seen[frame.flow].push(outcome);
        }
    }
    assert!(events.next().is_none());
    let expected = [
        // While VF 0 is in the other VLAN, its address leads nowhere in this one: to the manager, which is no member.
        vec![Ok(ports([3])), Err(Reason::Filtered)],
        // The mirror.
        vec![Ok(ports([1, 5]))],
        // VF 1 is not in the other VLAN: what is for it goes to the wire, and to the mirror's target.
        vec![Ok(ports([4])), Ok(ports([0, 1])), Err(Reason::Disabled)],
        vec![Err(Reason::MacSpoof)],
        vec![Err(Reason::Admission)],
        vec![Ok(ports([0, 1]))],
    ];
    for (flow, (seen, expected)) in flows.iter().zip(seen.iter().zip(&expected)) {
        assert_eq!(seen, expected, "{}", flow.name);
    }
}

/// The keys that an unknown one is answered with.
fn keys(text: &str) -> Vec<String> {
    let message = Scenario::parse("x.toml", text).unwrap_err().to_string();
    let (_, known) = message.split_once("expected").expect("a list of keys");
    known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_documentation_knows_every_key() {
    let page = include_str!("../../../../docs/src/scenarios.md");
    let tables = [
        "driver",
        "port",
        "vlan",
        "address",
        "multicast",
        "mirror",
        "traffic",
        "sink",
        "frame",
        "row",
        "pause",
        "stall",
        "change",
        "change.remove",
    ];
    let texts = tables.iter().map(|table| {
        let outer = if *table == "change.remove" { "[[change]]\nat = \"1 us\"\n" } else { "" };
        format!("{outer}[[{table}]]\nunknown = 1\n")
    });
    let mut count = 0;
    let single = ["unknown = 1\n", "[adapter]\nunknown = 1\n"].map(str::to_owned);
    for text in texts.chain(single) {
        for key in keys(&text) {
            count += 1;
            let shown =
                [format!("`{key}`"), format!("[{key}]"), format!("[[{key}]]"), format!("[[change.{key}]]")];
            assert!(shown.iter().any(|shown| page.contains(shown)), "`{key}` is missing");
        }
    }
    assert!(count > 85, "{count} keys");
}

#[test]
fn the_example_of_the_documentation_is_a_scenario() {
    let page = include_str!("../../../../docs/src/scenarios.md");
    let example = page.split("```toml").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    resolve(example).unwrap();
}
