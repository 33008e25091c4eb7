//! Every mistake: one line, with its place and what is allowed.

use super::shipped::shipped;
use super::*;

/// The message about a text, from reading it or from resolving its names.
#[track_caller]
fn message(text: &str) -> String {
    let message = resolve(text).expect_err("an error").to_string();
    assert!(!message.contains('\n'), "{message}");
    message.strip_prefix("dir/x.toml:").expect("the file's name").to_owned()
}

/// The message about a text that follows the traffic of lines 1 to 3.
#[track_caller]
fn after_traffic(text: &str) -> String {
    message(&format!("{TRAFFIC}{text}"))
}

/// The message about a setting in line 6.
#[track_caller]
fn port(setting: &str) -> String {
    after_traffic(&format!("[[port]]\nname = \"vf0\"\n{setting}\n"))
}

/// The message about keys from line 5 on of generated traffic that is otherwise in order.
#[track_caller]
fn traffic(keys: &str) -> String {
    message(&format!("stop = \"1 us\"\n[[traffic]]\nport = \"vf0\"\ndestination = \"pf\"\n{keys}\n"))
}

#[test]
fn numbers_and_words_out_of_range() {
    let vid =
        |number: &str| format!("invalid value: integer `{number}`, expected a whole number from 1 to 4094");
    for number in ["0", "4095", "-1", "65537"] {
        let vlan = format!("[[vlan]]\nvid = {number}\nmembers = \"all\"\n");
        assert_eq!(after_traffic(&vlan), format!("5:7: {}", vid(number)));
        assert_eq!(port(&format!("vlan = {number}")), format!("6:8: {}", vid(number)));
        let address = format!("[[address]]\nmac = \"pf\"\nvid = {number}\nports = \"all\"\n");
        assert_eq!(after_traffic(&address), format!("6:7: {}", vid(number)));
    }
    let number = |value: &str, low: u32, high: u32| {
        format!("invalid value: integer `{value}`, expected a whole number from {low} to {high}")
    };
    assert_eq!(port("priority = 8"), format!("6:12: {}", number("8", 0, 7)));
    assert_eq!(port("class = 4"), format!("6:9: {}", number("4", 0, 3)));
    assert_eq!(port("burst = 131072"), format!("6:9: {}", number("131072", 1, 131_071)));
    assert_eq!(port("share = 0"), format!("6:9: {}", number("0", 1, 40)));
    assert_eq!(port("quantum = 65536"), format!("6:11: {}", number("65536", 1, 65_535)));
    assert_eq!(
        port("mode = \"vepb\""),
        "6:8: unknown variant `vepb`, expected one of `veb`, `vepa`, `isolated`"
    );
    assert_eq!(
        port("preset = \"hub\""),
        "6:10: unknown preset `hub`; there are open, access, trunk, tunnel, service_trunk"
    );
    assert_eq!(
        port("may = [\"broadcast\"]"),
        "6:8: unknown variant `broadcast`, expected one of `unicast`, `multicast`, `vlan`"
    );
    assert_eq!(
        port("max_rate = 40001"),
        "6:12: invalid value: integer `40001`, expected whole Mb/s up to 40000, such as 500 or \"2.5 Gb/s\", or 0 for \
         no maximum"
    );
    assert_eq!(
        port("vlan = \"1\""),
        "6:8: invalid type: string \"1\", expected a whole number from 1 to 4094"
    );
}

#[test]
fn values_without_their_units() {
    let time = "expected a time with its unit (ns, us, ms, s or cycles), such as \"10 us\"";
    assert_eq!(traffic("size = 60\nstart = 10"), format!("6:9: invalid value: integer `10`, {time}"));
    assert_eq!(traffic("size = 60\nstop = \"10\""), format!("6:8: invalid value: string \"10\", {time}"));
    assert_eq!(message("stop = \"soon\"\n"), format!("1:8: invalid value: string \"soon\", {time}"));
    assert_eq!(
        traffic("size = 60\nrate = \"fast\""),
        "6:8: invalid value: string \"fast\", expected \"max\", \"line\", \"recorded\", Mb/s, or a rate above 0 in kb/s, \
         Mb/s, Gb/s or frames/s, such as \"1.5 Gb/s\""
    );
    assert_eq!(
        traffic("size = \"60\""),
        "5:8: invalid value: string \"60\", expected a number of bytes, a range such as \"60-1514\", or \"imix\""
    );
}

#[test]
fn names_that_do_not_exist() {
    let known = "the ports are wire0, manager, pf, vf0, vf1, vf2";
    let several = "; several are all, wires, functions, vfs, or a range such as vf0-vf2";
    let vlan = "[[vlan]]\nvid = 1\nmembers = [\"pf\", \"vf9\"]\n";
    assert_eq!(after_traffic(vlan), format!("6:18: unknown port `vf9`; {known}{several}"));
    assert_eq!(
        after_traffic("[[port]]\nname = \"vf1-vf0\"\n"),
        format!("5:8: unknown port `vf1-vf0`; {known}{several}")
    );
    assert_eq!(
        message(&TRAFFIC.replace("wire0", "ärger")),
        format!("3:8: unknown port `ärger`; {known}{several}")
    );
    assert_eq!(
        after_traffic("[[mirror]]\ntarget = \"vfs\"\nvlan = 1\n"),
        format!("5:10: unknown port `vfs`; {known}")
    );
    let address = |mac: &str| after_traffic(&format!("[[address]]\nmac = \"{mac}\"\nports = [\"pf\"]\n"));
    assert_eq!(address("vf9"), format!("5:7: unknown port `vf9`; {known} (or give a MAC address)"));
    assert_eq!(
        address("52:54:00:ab:00:0g"),
        "5:7: bad MAC address `52:54:00:ab:00:0g`: `0g` is not two hexadecimal digits"
    );
}

#[test]
fn what_is_said_twice() {
    assert_eq!(after_traffic(TRAFFIC), "6:8: a second traffic called `wire0`; give it another `name`");
    let vlan = "[[vlan]]\nvid = 5\nmembers = \"all\"\n";
    assert_eq!(after_traffic(&vlan.repeat(2)), "8:7: VLAN 5 is listed twice");
    let entry = "[[address]]\nvid = 5\nmac = \"52:54:00:ab:00:01\"\nports = \"all\"\n";
    let again = entry.replace("ab", "AB");
    let twice = "a second entry for 52:54:00:ab:00:01 in VLAN 5";
    assert_eq!(after_traffic(&format!("{entry}{again}")), format!("10:7: {twice}"));
    let stations = "[[address]]\nports = \"vf0\"\n";
    let twice = "a second entry for 52:54:00:00:00:03 in any VLAN";
    assert_eq!(after_traffic(&stations.repeat(2)), format!("7:9: {twice}"));
    let group = "[[multicast]]\nmac = \"33:33:00:00:00:01\"\nports = \"all\"\n";
    assert_eq!(after_traffic(&group.repeat(2)), "8:7: the group 33:33:00:00:00:01 is listed twice");
    let members = |list: &str| after_traffic(&format!("[[vlan]]\nvid = 5\nmembers = {list}\n"));
    assert_eq!(members("[\"pf\", \"pf\"]"), "6:18: port `pf` is named twice");
    assert_eq!(members("[\"vfs\", \"functions\"]"), "6:19: port `vf0` is named twice");
    assert_eq!(port("vlan = 1\nvlan = 2"), "7:1: duplicate key");
}

#[test]
fn keys_that_do_not_go_together() {
    assert_eq!(port("share = 1\nquantum = 5"), "6:9: `share` does not go with `quantum`");
    assert_eq!(port("preset = \"access\""), "6:10: a port with this preset needs `vlan`");
    assert_eq!(port("preset = \"tunnel\""), "6:10: a port with this preset needs `vlan`");
    let mirror = |text: &str| after_traffic(&format!("[[mirror]]\ntarget = \"pf\"\n{text}"));
    assert_eq!(mirror(""), "5:10: a mirror needs `port` or `vlan`");
    assert_eq!(mirror("port = \"vf0\"\nvlan = 1\n"), "6:8: `port` does not go with `vlan` in a mirror");
    let three = "[[mirror]]\ntarget = \"pf\"\nvlan = 1\n".repeat(3);
    assert_eq!(after_traffic(&three), "4:1: 3 mirrors; there is room for 2");
    let types = format!("ethertypes = {:?}\n{TRAFFIC}", [0; 9]);
    assert_eq!(message(&types), "1:14: 9 types; there is room for 8");
    let group = "[[multicast]]\nmac = \"pf\"\nports = \"all\"\n";
    assert_eq!(after_traffic(group), "5:7: 52:54:00:00:00:02 is no group address: its first byte is even");
}

#[test]
fn traffic_that_cannot_be() {
    let needs = "traffic needs `pcap`, or `destination` and `size`";
    assert_eq!(traffic(""), format!("3:8: {needs}"));
    assert_eq!(
        message("[[traffic]]\nport = \"vf0\"\ndestination = \"pf\"\nsize = 60\n"),
        "2:8: generated traffic needs an end: `frames` or `stop`, here or of the whole scenario"
    );
    assert_eq!(traffic("size = 41"), "5:8: sizes from 41 to 41; these frames can have 42 to 9622 bytes");
    assert_eq!(
        traffic("size = \"60-9623\"\nservice_vlan = 1\nvlan = 2"),
        "5:8: sizes from 60 to 9623; these frames can have 50 to 9622 bytes"
    );
    assert_eq!(
        traffic("size = 60\nrate = \"recorded\""),
        "6:8: `recorded` does not go with generated frames: it is for captures"
    );
    assert_eq!(
        message(&format!("{TRAFFIC}size = 60\n")),
        "3:8: `size` does not go with `pcap`, which brings whole frames"
    );
    assert_eq!(
        traffic("size = 60\nstart = \"2 us\"\nstop = \"2 us\""),
        "7:8: the end is not after the start"
    );
}

#[test]
fn events_that_cannot_be() {
    let stall = "[[stall]]\nport = \"pf\"\nfrom = \"2 us\"\nto = \"1 us\"\n";
    assert_eq!(after_traffic(stall), "7:6: the end is not after the start");
    let remove = "[[change]]\nat = \"1 us\"\n[[change.remove]]\nmac = \"pf\"\nvid = 3\n";
    assert_eq!(after_traffic(remove), "7:7: there is no entry for 52:54:00:00:00:02 in VLAN 3 then");
    assert_eq!(after_traffic("[[change]]\n"), "4:1: missing field `at`");
    let change = "[[change]]\nat = \"1 us\"\n[[change.port]]\nname = \"vf3\"\n";
    assert!(after_traffic(change).starts_with("7:8: unknown port `vf3`"));
}

#[test]
fn what_is_no_scenario() {
    assert_eq!(
        after_traffic("[[vlan]]\nvid = 1\nmember = \"all\"\n"),
        "6:1: unknown field `member`, expected one of `vid`, `members`, `untagged`"
    );
    assert_eq!(
        after_traffic("[vlans]\n"),
        "4:2: unknown field `vlans`, expected one of `config`, `seed`, `stop`, `adapter`, `driver`, `traffic`, `frame`, `sink`, `stall`, `pause`, \
         `change`, `port`, `vlan`, `address`, `multicast`, `row`, `mirror`, `ethertypes`"
    );
    assert_eq!(after_traffic("[[vlan]]\nvid = 1\n"), "4:1: missing field `members`");
    assert_eq!(message(""), "1:1: a scenario needs `[[traffic]]` or `[[frame]]`");
    assert_eq!(
        after_traffic("[[vlan]]\nvid = 1\nmembers = 5\n"),
        "6:11: invalid type: integer `5`, expected a port's name or a list of them"
    );
    assert!(after_traffic("[[vlan\n").starts_with("4:"));
}

#[test]
fn an_unknown_configuration_is_named_with_its_place() {
    let scenario = Scenario::parse("x.toml", &format!("config = \"huge\"\n{TRAFFIC}")).unwrap();
    let error = scenario.config().unwrap_err();
    assert_eq!(error.to_string(), "x.toml:1:10: unknown configuration `huge`; there are small, x3100, wide");
    let ScenarioError::Invalid { span, text, .. } = error else { panic!("{error}") };
    assert_eq!(&text[span], "\"huge\"");
}

#[test]
fn a_configuration_that_cannot_be_built() {
    let config = |text: &str| {
        let scenario = Scenario::parse("x.toml", &format!("config = {text}\n{TRAFFIC}"));
        scenario.and_then(|scenario| scenario.config()).unwrap_err().to_string()
    };
    assert_eq!(
        config("{ like = \"small\", cells = 100 }"),
        "x.toml:1:10: cells: 100 is not a power of two from 16 to 65536"
    );
    assert_eq!(config("{ cells = 64 }"), "x.toml:1:10: missing field `like`");
    assert!(config("{ like = \"small\", ports = 3 }").contains("unknown field `ports`"));
    assert!(config("3").contains("expected the name of a configuration, or a table with `like`"));
}

#[test]
fn rows_that_the_hardware_does_not_have() {
    let row = |text: &str| after_traffic(&format!("[[row]]\n{text}"));
    let tables = "PORT, VLAN, MULTICAST, MAC, MIRROR, ETHERTYPE, RATE, LIMIT";
    assert_eq!(row("table = \"STATISTICS\""), format!("5:9: unknown table `STATISTICS`; there are {tables}"));
    assert_eq!(row("table = \"VLAN\""), "5:9: a row of this table needs `index`");
    assert_eq!(row("table = \"VLAN\"\nindex = 4096"), "6:9: VLAN has 4096 rows: 0 to 4095");
    assert_eq!(
        row("table = \"MAC\"\nindex = 1"),
        "6:9: `index` does not go with a table that is found by key"
    );
    assert_eq!(
        row("table = \"VLAN\"\nindex = 1\noperation = \"delete\""),
        "7:13: `operation` does not go with this table: it has others"
    );
    let field = |table: &str, field: &str| row(&format!("table = \"{table}\"\nindex = 0\nfields.{field}"));
    assert_eq!(field("VLAN", "ports = 1"), "7:16: VLAN has no field `ports`; there are members, untagged");
    assert_eq!(field("VLAN", "members = 1"), "7:18: `members` takes ports");
    assert!(field("VLAN", "members = [\"vf9\"]").contains("unknown port `vf9`"));
    assert_eq!(field("PORT", "pvid = 4096"), "7:15: `pvid` takes a number from 0 to 4095");
    assert_eq!(field("RATE", "maximum = 50000"), "7:18: `maximum` takes a number from 0 to 40000");
    assert_eq!(field("PORT", "pvid = -1"), "7:15: `pvid` takes a number from 0 to 4095");
    assert_eq!(field("PORT", "prune = 2"), "7:16: `prune` takes true or false");
    assert_eq!(field("PORT", "mode = \"hub\""), "7:15: `mode` takes \"veb\" or \"vepa\" or \"isolated\"");
    assert_eq!(row("table = \"MAC\"\nfields.mac = 7"), "6:14: `mac` takes an address");
}

#[test]
fn frames_that_are_none() {
    let frame = |text: &str| message(&format!("[[frame]]\nport = \"vf0\"\n{text}"));
    let hex = "3:7: a frame is written as two hexadecimal digits for each byte, 1 to 65535 bytes";
    for text in ["", "0", "0g", "00 11", &"00".repeat(65536)] {
        assert_eq!(frame(&format!("hex = \"{text}\"")), hex);
    }
    assert_eq!(
        frame("hex = \"00\"\nforced = \"pf\""),
        "4:10: `forced` does not go with a frame that is not the manager's"
    );
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

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in ".*") {
        let _ = Scenario::parse("x.toml", &text);
    }

    #[test]
    fn no_damage_to_a_scenario_makes_the_parser_panic(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<char>()), 1..6)
    ) {
        let mut text: Vec<char> = shipped("tenants.toml").source.text.chars().collect();
        for (place, letter) in damage {
            let place = place.index(text.len());
            text[place] = letter;
        }
        let text: String = text.into_iter().collect();
        if let Err(error) = resolve(&text) {
            let message = error.to_string();
            prop_assert!(message.starts_with("dir/x.toml:"), "{}", message);
        }
    }

    #[test]
    fn any_vid_is_accepted_or_refused(vid: i64) {
        let text = format!("{TRAFFIC}[[vlan]]\nvid = {vid}\nmembers = \"all\"\n");
        let accepted = Scenario::parse("x.toml", &text).is_ok();
        prop_assert_eq!(accepted, (1..=4094).contains(&vid));
    }
}
