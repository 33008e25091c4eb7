use proptest::prelude::*;

use super::*;
use crate::pcap;
use crate::veb::{Counters, Decision, DropReason, Losses, Model, Scoreboard};

fn small() -> Vec<String> {
    ["wire0", "manager", "pf", "vf0", "vf1", "vf2"].map(str::to_owned).to_vec()
}

const TRAFFIC: &str = "[[traffic]]\npcap = \"lan.pcap\"\nport = \"wire0\"\n";

/// The message about a text, from reading it or from resolving its ports.
fn message(text: &str) -> String {
    let scenario = Scenario::parse("dir/x.toml", text);
    let resolved = scenario.and_then(|scenario| {
        scenario.traffic(&small())?;
        scenario.tables(&small())
    });
    resolved.expect_err("an error").to_string()
}

/// The message about a text that follows the traffic of lines 1 to 3.
fn after_traffic(text: &str) -> String {
    message(&format!("{TRAFFIC}{text}"))
}

#[test]
fn all_parts_of_a_scenario_reach_the_tables() {
    let text = r#"
        config = "small"
        default = "all"
        traffic = [{ pcap = "a/b.pcap", port = "wire0" }, { pcap = "/c.pcap", port = "vf0" }]
        pvid = { vf1 = 7 }
        vlan = [{ vid = 7, members = ["vf1", "wire0"] }, { vid = 4094, members = "all" }, { vid = 9, members = [] }]
        entry = [
            { vid = 7, mac = "52:54:00:ab:00:01", ports = ["vf1"] },
            { vid = 4094, mac = "52-54-00-AB-00-01", ports = "all" },
        ]
    "#;
    let scenario = Scenario::parse("dir/x.toml", text).unwrap();
    assert_eq!(scenario.config(), Some("small"));
    assert_eq!(
        scenario.traffic(&small()).unwrap(),
        [Traffic { pcap: "dir/a/b.pcap".into(), port: 0 }, Traffic { pcap: "/c.pcap".into(), port: 3 }]
    );
    let host = "52:54:00:ab:00:01".parse().unwrap();
    let mut expected = Tables::new(6);
    expected.set_default_ports(PortSet::first(6));
    expected.set_pvid(4, 7);
    expected.set_members(7, PortSet::from_iter([0, 4]));
    expected.set_members(4094, PortSet::first(6));
    expected.set_members(9, PortSet::EMPTY);
    expected.insert_entry(7, host, PortSet::single(4));
    expected.insert_entry(4094, host, PortSet::first(6));
    assert_eq!(scenario.tables(&small()).unwrap(), expected);
}

#[test]
fn what_is_left_out_is_as_after_reset() {
    let scenario = Scenario::parse("x.toml", TRAFFIC).unwrap();
    assert_eq!(scenario.config(), None);
    assert_eq!(scenario.tables(&small()).unwrap(), Tables::new(6));
    assert_eq!(scenario.traffic(&small()).unwrap()[0].pcap, Path::new("lan.pcap"));
}

#[test]
fn a_bad_value_is_named_with_its_place() {
    let entry = "[[entry]]\nvid = 1\nmac = \"52:54:00:ab:00:0g\"\nports = [\"pf\"]\n";
    assert_eq!(
        after_traffic(entry),
        "dir/x.toml:6:7: bad MAC address `52:54:00:ab:00:0g`: `0g` is not two hexadecimal digits"
    );
    for vid in ["0", "4095", "-1", "65537"] {
        let text = format!("[[vlan]]\nvid = {vid}\nmembers = \"all\"\n");
        assert_eq!(after_traffic(&text), format!("dir/x.toml:5:7: VID {vid} is not in 1 to 4094"));
        assert_eq!(
            after_traffic(&format!("[pvid]\npf = {vid}\n")),
            format!("dir/x.toml:5:6: VID {vid} is not in 1 to 4094")
        );
        let text = format!("[[entry]]\nmac = \"52:54:00:ab:00:01\"\nvid = {vid}\nports = \"all\"\n");
        assert_eq!(after_traffic(&text), format!("dir/x.toml:6:7: VID {vid} is not in 1 to 4094"));
    }
}

#[test]
fn an_unknown_port_is_named_with_its_place() {
    let known = "the ports are wire0, manager, pf, vf0, vf1, vf2";
    let vlan = "[[vlan]]\nvid = 1\nmembers = [\"pf\", \"vf9\"]\n";
    assert_eq!(after_traffic(vlan), format!("dir/x.toml:6:18: unknown port `vf9`; {known}"));
    assert_eq!(
        after_traffic("[pvid]\nwire1 = 1\n"),
        format!("dir/x.toml:5:1: unknown port `wire1`; {known}")
    );
    let default = format!("default = [\"\"]\n{TRAFFIC}");
    assert_eq!(message(&default), format!("dir/x.toml:1:12: unknown port ``; {known}"));
    let traffic = TRAFFIC.replace("wire0", "ärger");
    assert_eq!(message(&traffic), format!("dir/x.toml:3:8: unknown port `ärger`; {known}"));
}

#[test]
fn what_is_said_twice_is_named_with_its_place() {
    assert_eq!(after_traffic(TRAFFIC), "dir/x.toml:6:8: a second capture for port `wire0`");
    let vlan = "[[vlan]]\nvid = 5\nmembers = \"all\"\n";
    assert_eq!(after_traffic(&vlan.repeat(2)), "dir/x.toml:8:7: VLAN 5 is listed twice");
    let entry = "[[entry]]\nvid = 5\nmac = \"52:54:00:ab:00:01\"\nports = \"all\"\n";
    let again = entry.replace("ab", "AB");
    assert_eq!(
        after_traffic(&format!("{entry}{again}")),
        "dir/x.toml:10:7: a second entry for 52:54:00:ab:00:01 in VLAN 5"
    );
    let twice = "[[vlan]]\nvid = 5\nmembers = [\"pf\", \"pf\"]\n";
    assert_eq!(after_traffic(twice), "dir/x.toml:6:18: port `pf` is named twice");
    assert_eq!(after_traffic("[pvid]\npf = 1\npf = 2\n"), "dir/x.toml:6:1: duplicate key");
}

#[test]
fn what_is_no_scenario_is_named_with_its_place() {
    assert_eq!(
        after_traffic("[[vlan]]\nvid = 1\nmember = \"all\"\n"),
        "dir/x.toml:6:1: unknown field `member`, expected `vid` or `members`"
    );
    assert_eq!(
        after_traffic("[vlans]\n"),
        "dir/x.toml:4:2: unknown field `vlans`, expected one of `config`, `default`, `traffic`, `pvid`, `vlan`, `entry`"
    );
    assert_eq!(after_traffic("[[vlan]]\nvid = 1\n"), "dir/x.toml:4:1: missing field `members`");
    assert_eq!(message(""), "dir/x.toml:1:1: missing field `traffic`");
    let list = "\"all\" or a list of port names";
    assert_eq!(
        message(&format!("default = \"each\"\n{TRAFFIC}")),
        format!("dir/x.toml:1:11: invalid value: string \"each\", expected {list}")
    );
    assert_eq!(
        message(&format!("default = 5\n{TRAFFIC}")),
        format!("dir/x.toml:1:11: invalid type: integer `5`, expected {list}")
    );
    assert_eq!(
        after_traffic("[[vlan]]\nvid = \"1\"\nmembers = \"all\"\n"),
        "dir/x.toml:5:7: invalid type: string \"1\", expected i64"
    );
    let broken = after_traffic("[[vlan\n");
    assert!(broken.starts_with("dir/x.toml:4:"), "{broken}");
    assert!(!broken.contains('\n'));
}

#[test]
fn an_unknown_configuration_is_named_with_its_place() {
    let scenario = Scenario::parse("x.toml", &format!("config = \"huge\"\n{TRAFFIC}")).unwrap();
    let error = scenario.unknown_config(&["small", "x3100"]);
    assert_eq!(error.to_string(), "x.toml:1:10: unknown configuration `huge`; there are small, x3100");
    let ScenarioError::Invalid { span, text, .. } = error else { panic!("{error}") };
    assert_eq!(&text[span], "\"huge\"");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let error = Scenario::load("/missing/x.toml").unwrap_err().to_string();
    assert!(error.starts_with("/missing/x.toml: cannot read: No such file"), "{error}");
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("x.toml");
    fs::write(&path, [0xFF, 0xFE]).unwrap();
    assert!(matches!(Scenario::load(&path), Err(ScenarioError::Read { .. })));
}

fn shipped() -> Scenario {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testbench/data/lan.toml");
    Scenario::load(path).unwrap()
}

/// The numbers are from tshark's count of destination addresses and VIDs in the capture: to hosts 1, 2, 3 and the bridge 94,
/// 256, 19 and 1 untagged, 48 to groups (one of them to 33:33:ff:ab:00:02); VLAN 100: 1 and 570 to hosts 1 and 3;
/// VLAN 200: 1 and 201 to hosts 1 and 2.
#[test]
fn the_shipped_scenario_spreads_the_shipped_capture() {
    let scenario = shipped();
    let ports = small();
    assert_eq!(scenario.config(), Some("small"));
    let model = Model::new(scenario.tables(&ports).unwrap());
    let [traffic] = &scenario.traffic(&ports).unwrap()[..] else { panic!("one capture") };
    let mut board = Scoreboard::new(&ports, Losses::Forbidden);
    let mut counters = Counters::new(6);
    for frame in pcap::read(&traffic.pcap).unwrap() {
        let decision = model.decide(traffic.port, &frame.bytes, false);
        board.entered(traffic.port, &frame.bytes, decision);
        match decision {
            Decision::Forward(ports) => ports.iter().for_each(|port| board.left(port, &frame.bytes, false)),
            Decision::Drop(reason) => {
                assert_eq!(reason, DropReason::Filtered);
                counters.frames[4] += 1;
            }
        }
    }
    let report = board.finish(&counters);
    assert_eq!(report.mismatch_count(), 0);
    assert_eq!(report.frames_in, 1191);
    let left: Vec<_> = report.ports.iter().map(|port| (port.name.as_str(), port.frames)).collect();
    let expected = [
        ("wire0", 0),
        ("manager", 47 + 1),
        ("pf", 47 + 94 + 1),
        ("vf0", 47 + 1 + 256),
        ("vf1", 47 + 19 + 570),
        ("vf2", 201),
    ];
    assert_eq!(left, expected);
    assert_eq!(counters.frames, [0, 0, 0, 0, 1, 0]);
}

#[test]
fn without_a_scenario_every_frame_of_the_shipped_capture_reaches_a_function() {
    let path = &shipped().traffic(&small()).unwrap()[0].pcap;
    let frames = pcap::read(path).unwrap();
    let tables = Tables::from_capture(&small(), 0, frames.iter().map(|frame| frame.bytes.as_slice()));
    // Hosts 1, 2 and 3 and the bridge, untagged; hosts 1 and 3 in VLAN 100, hosts 1 and 2 in VLAN 200.
    assert_eq!(tables.entries().count(), 4 + 2 + 2);
    let model = Model::new(tables);
    for frame in &frames {
        let decision = model.decide(0, &frame.bytes, false);
        let Decision::Forward(ports) = decision else { panic!("{decision:?}") };
        assert!(ports.iter().any(|port| port >= 2));
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in ".*") {
        let _ = Scenario::parse("x.toml", &text);
    }

    #[test]
    fn no_damage_to_a_scenario_makes_the_parser_panic(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<char>()), 1..6)
    ) {
        let shipped = shipped();
        let mut text: Vec<char> = shipped.source.text.chars().collect();
        for (place, letter) in damage {
            let place = place.index(text.len());
            text[place] = letter;
        }
        let text: String = text.into_iter().collect();
        let scenario = Scenario::parse("x.toml", &text);
        let resolved = scenario.and_then(|scenario| Ok((scenario.traffic(&small())?, scenario.tables(&small())?)));
        if let Err(error) = resolved {
            let message = error.to_string();
            prop_assert!(message.starts_with("x.toml:"), "{}", message);
        }
    }

    #[test]
    fn any_vid_is_accepted_or_refused(vid: i64) {
        let text = format!("{TRAFFIC}[[vlan]]\nvid = {vid}\nmembers = \"all\"\n");
        let accepted = Scenario::parse("x.toml", &text).is_ok();
        prop_assert_eq!(accepted, (1..=4094).contains(&vid));
    }
}
