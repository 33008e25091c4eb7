//! Scenarios on the whole adapter: what a run compares, of everything that a scenario can do.

use rtl::config::Config;
use sim::{
    nic::bench::{Bench, Outcome},
    player::{Plan, Player},
    scenario::{Scenario, ScenarioError},
    veb::bridge::Reason,
};
use testbench::models;

const OPEN: &str = r#"
    [[port]]
    name = "all"
    preset = "open"
    default_ports = "wire0"
    [[vlan]]
    vid = 1
    members = "all"
    untagged = "all"
    [[address]]
    ports = "functions"
"#;

/// Plays a text that comes before everybody is open to everybody.
fn play(text: &str) -> Outcome {
    let config = Config::small();
    let scenario = Scenario::parse("x.toml", format!("{text}{OPEN}").as_str()).unwrap();
    let plan = Plan::of(&scenario, &config, |_| Ok::<_, ScenarioError>(vec![])).unwrap();
    let adapter = scenario.adapter(&config).unwrap();
    let mut bench = Bench::new(models::nic(&config).unwrap(), &config, &adapter).unwrap();
    bench.set_policy(&plan.policy).unwrap();
    let mut player = Player::new(bench, &config, &plan);
    while !player.play(4096).unwrap().0 {}
    let outcome = player.finish().unwrap().0;
    let report = &outcome.report;
    let says: Vec<String> = report.mismatches.iter().map(ToString::to_string).collect();
    assert_eq!((report.mismatch_count(), says), (0, vec![]));
    outcome
}

/// Everybody sends to everybody, with all kinds of drivers.
#[test]
fn drivers_of_all_kinds() {
    let outcome = play(
        r#"
        [[driver]]
        port = "pf"
        buffers = "scattered"
        features = ["MRG_RXBUF", "INDIRECT_DESC", "EVENT_IDX", "IN_ORDER", "NOTIFICATION_DATA", "CSUM"]
        [[driver]]
        port = "vf0"
        ring = "split"
        pairs = 2
        features = []
        [[driver]]
        port = "vf1"
        pairs = 2
        looks = "1 us"
        buffers = "scattered"
        features = ["MRG_RXBUF", "INDIRECT_DESC"]
        [[driver]]
        port = "vf2"
        ring = "split"
        buffers = "scattered"
        features = ["MRG_RXBUF", "INDIRECT_DESC", "EVENT_IDX", "IN_ORDER"]
        [[traffic]]
        name = "up"
        port = ["pf", "vfs"]
        destination = "wire0"
        size = "60-1514"
        rate = "600 Mb/s"
        frames = 60
        [[traffic]]
        name = "a"
        port = ["wire0", "pf", "vf2"]
        destination = "vf0"
        size = "imix"
        rate = "300 Mb/s"
        frames = 60
        [[traffic]]
        name = "b"
        port = ["wire0", "vf0", "manager"]
        destination = "vf1"
        size = "60-1500"
        rate = "300 Mb/s"
        frames = 40
        [[traffic]]
        name = "c"
        port = ["wire0", "vf1"]
        destination = "ff:ff:ff:ff:ff:ff"
        size = 60
        rate = "100 kframes/s"
        frames = 20
    "#,
    );
    let received: Vec<u64> = outcome.functions.iter().map(|function| function.frames_received).collect();
    assert_eq!(received, [40, 180 + 40, 120 + 20, 40]);
    assert!(outcome.functions.iter().all(|function| function.no_buffer == 0));
}

/// Promiscuous mode, groups and VLANs by the control queue, before and after a change, with rights and without.
#[test]
fn drivers_ask_for_what_their_ports_want() {
    let outcome = play(
        r#"
        [[port]]
        name = "vf0"
        preset = "open"
        wants = ["unicast"]
        [[traffic]]
        name = "unicast"
        port = "wire0"
        destination = "pf"
        size = 60
        rate = "200 kframes/s"
        frames = 40
        [[traffic]]
        name = "group"
        port = "wire0"
        destination = "33:33:00:00:00:07"
        size = 60
        rate = "200 kframes/s"
        frames = 40
        [[traffic]]
        name = "tagged"
        port = "wire0"
        destination = "ff:ff:ff:ff:ff:ff"
        vlan = 7
        size = 64
        rate = "200 kframes/s"
        frames = 40
        [[vlan]]
        vid = 7
        members = "all"
        [[change]]
        at = "100 us"
        [[change.port]]
        name = "vf1"
        groups = ["33:33:00:00:00:07"]
        [[change.port]]
        name = "vf2"
        vlans = [8]
        [[change.port]]
        name = "pf"
        may = []
        wants = ["unicast", "multicast"]
    "#,
    );
    // The preset that comes later takes the first wish away.
    let received: Vec<u64> = outcome.functions.iter().map(|function| function.frames_received).collect();
    assert_eq!((received[0], received[1], received[3]), (40 + 40, 40, 0));
    assert!((41..80).contains(&received[2]), "{received:?}");
}

/// A driver that hangs loses frames of its own function only; a long frame finds no buffer without MRG_RXBUF, or by the MTU.
#[test]
fn what_is_lost_is_counted() {
    let outcome = play(
        r#"
        stop = "300 us"
        [[driver]]
        port = "vf0"
        entries = 16
        [[driver]]
        port = "vf1"
        features = []
        [[driver]]
        port = "vf2"
        mtu = 1000
        [[stall]]
        port = "vf0"
        from = "20 us"
        to = "200 us"
        [[pause]]
        port = ["pf", "wire0"]
        percent = 30
        [[traffic]]
        name = "down"
        port = "wire0"
        destination = "vf0"
        size = 200
        rate = "500 Mb/s"
        [[traffic]]
        name = "good"
        port = "pf"
        destination = "wire0"
        size = 200
        rate = "500 Mb/s"
        [[traffic]]
        name = "long"
        port = "pf"
        destination = "vf1"
        size = 4000
        rate = "2 Gb/s"
        frames = 5
        [[traffic]]
        name = "units"
        port = "pf"
        destination = "vf2"
        size = "1010-1017"
        rate = "2 Gb/s"
        frames = 30
    "#,
    );
    let [_, vf0, vf1, vf2] = &outcome.functions[..] else { panic!("four functions") };
    assert!(vf0.no_buffer > 20 && vf0.frames_received > 20, "{vf0:?}");
    assert_eq!((vf1.no_buffer, vf1.frames_received), (5, 0));
    assert!(vf2.no_buffer > 3 && vf2.no_buffer + vf2.frames_received == 30, "{vf2:?}");
}

/// Ordinary functions behind a slow link, without virtual ones.
#[test]
fn the_legacy_personality() {
    let outcome = play(
        r#"
        [adapter]
        personality = "legacy"
        functions = 4
        ari = false
        generation = 1
        lanes = 1
        read_latency = "3 us"
        [[traffic]]
        port = ["wire0", "vf0", "manager"]
        destination = "pf"
        size = "60-1500"
        rate = "50 Mb/s"
        frames = 20
        [[frame]]
        port = "vf1"
        hex = "5254000000"
        [[frame]]
        port = "wire0"
        hex = "52540000000252540000000088b5"
        error = true
    "#,
    );
    assert_eq!(outcome.functions.len(), 3);
    assert_eq!(outcome.functions[0].frames_received, 60);
    let dropped = |reason| outcome.report.drops().iter().find(|(it, _)| *it == reason).unwrap().1;
    assert_eq!((dropped(Reason::Runt), dropped(Reason::Error)), (1, 1));
}

/// A change of nothing but wishes comes while the manager's mailbox is being worked.
#[test]
fn wishes_change_alone() {
    for at in 100..104 {
        let outcome = play(&format!(
            r#"
            [[traffic]]
            port = "wire0"
            destination = "pf"
            size = 60
            rate = "200 kframes/s"
            frames = 40
            [[change]]
            at = "{at} us"
            [[change.port]]
            name = "vf1"
            wants = ["unicast"]
        "#
        ));
        let [pf, _, vf1, _] = &outcome.functions[..] else { panic!("four functions") };
        assert_eq!(pf.frames_received, 40);
        assert!((1..40).contains(&vf1.frames_received), "{vf1:?}");
    }
}

/// A run goes on while anything is inside, however seldom it moves, and what a driver has not looked at belongs to it.
#[test]
fn runs_end_when_nothing_moves() {
    let slow = play(
        r#"
        [[sink]]
        port = "wire0"
        rate = "100 Mb/s"
        [[traffic]]
        port = "vf0"
        destination = "wire0"
        size = 1514
        rate = "line"
        frames = 10
    "#,
    );
    assert_eq!(slow.report.ports[0].frames, 10);
    let far = play(
        r#"
        [adapter]
        generation = 1
        lanes = 1
        read_latency = "60 us"
        [[traffic]]
        port = ["wire0", "vf1"]
        destination = "vf0"
        size = 1514
        rate = "line"
        frames = 5
    "#,
    );
    let lost: u64 = far.report.drops().iter().map(|(_, frames)| frames).sum();
    assert_eq!(far.functions[1].frames_received + far.functions[1].no_buffer + lost, 10);
    assert!(far.functions[1].frames_received > 5);
    let stalled = play(
        r#"
        [[stall]]
        port = "vf0"
        [[traffic]]
        port = "wire0"
        destination = "vf0"
        size = 60
        rate = "200 kframes/s"
        frames = 20
    "#,
    );
    assert_eq!(stalled.functions[1].frames_received, 20);
}
