use std::path::PathBuf;

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::ethernet::{MacAddress, Tag, TagKind, VlanTag};
use crate::traffic::{Content, Listed, Pace, Size, Stream, Traffic};
use crate::veb::PortSet;
use crate::veb::arbitrary::{self, Arrival};
use crate::veb::bench::Behaviour;
use crate::veb::policy::{
    Change, Direction, Limit, Mirror, MirrorOf, Mode, PortPolicy, Rate, VlanPolicy, Wishes, multicast_hash,
};

mod adapter;
mod messages;
mod shipped;

const TRAFFIC: &str = "[[traffic]]\npcap = \"lan.pcap\"\nport = \"wire0\"\n";

fn small() -> Config {
    Config::small()
}

/// Everything that a text says.
fn resolve(text: &str) -> Result<(Policy, Vec<Flow>, Vec<Event>), ScenarioError> {
    let scenario = Scenario::parse("dir/x.toml", text)?;
    Ok((scenario.policy(&small())?, scenario.flows(&small())?, scenario.events(&small())?))
}

/// What tables say that follow some traffic.
fn policy(text: &str) -> Policy {
    resolve(&format!("{TRAFFIC}{text}")).unwrap().0
}

/// The flows of a text without tables.
fn flows(text: &str) -> Vec<Flow> {
    resolve(text).unwrap().1
}

fn events(text: &str) -> Vec<Event> {
    resolve(&format!("{TRAFFIC}{text}")).unwrap().2
}

/// A port takes nothing in this many cycles of a hundred.
fn stall(port: usize, stall: usize) -> Action {
    Action::Behave { port, behaviour: Behaviour { pause: 0, stall } }
}

fn ports<const N: usize>(ports: [usize; N]) -> PortSet {
    PortSet::from_iter(ports)
}

#[test]
fn what_is_left_out_is_as_after_reset() {
    let scenario = Scenario::parse("x.toml", TRAFFIC).unwrap();
    assert_eq!(scenario.config().unwrap(), None);
    assert_eq!(scenario.stop(&small()), None);
    assert_eq!(policy(""), Policy::new(1, 5));
    assert!(events("").is_empty());
    let expected = Flow {
        name: "wire0".into(),
        port: 0,
        content: Content::Capture(PathBuf::from("dir/lan.pcap")),
        pace: Pace::Max,
        start: 0,
        stop: None,
        frames: None,
    };
    assert_eq!(flows(TRAFFIC), [expected]);
}

#[test]
fn presets_and_settings_follow_each_other() {
    let text = "\
        [[port]]\nname = \"all\"\npreset = \"open\"\ncheck_source = true\nwants = [\"vlan\"]\n\
        [[port]]\nname = [\"vf0-vf1\", \"pf\"]\npreset = \"access\"\nvlan = 7\npriority = 5\n\
        [[port]]\nname = \"vf0\"\nlink = \"down\"\negress = true\nmode = \"isolated\"\n\
        [[port]]\nname = \"vf2\"\npreset = \"tunnel\"\nvlan = 9\n\
        [[port]]\nname = \"wires\"\npreset = \"service_trunk\"\ndefault_ports = [\"manager\", \"pf\"]\n";
    let policy = policy(text);
    let access = PortPolicy { priority: 5, ..PortPolicy::access(7) };
    let expected = [
        PortPolicy::service_trunk().with_default_ports([1, 2]),
        PortPolicy { check_source: true, ..PortPolicy::open(1) },
        access.clone(),
        PortPolicy { ingress: false, mode: Mode::Isolated, ..access.clone() },
        access,
        PortPolicy::tunnel(9),
    ];
    assert_eq!(policy.ports, expected);
    // Of the last preset nobody but the manager is left with a wish.
    let wishing = policy.wishes.iter().map(|wishes| wishes.vlan).collect::<Vec<_>>();
    assert_eq!(wishing, [false, true, false, false, false, false]);
    assert_eq!(policy.rates, [Rate { quantum: 1526, ..Rate::default() }; 6]);
}

#[test]
fn every_setting_of_a_port_reaches_its_rows() {
    let flags = [
        "customer_tags",
        "service_tags",
        "admit_untagged",
        "admit_tagged",
        "admit_nested",
        "ingress",
        "egress",
        "check_source",
        "check_ethertype",
        "broadcast",
        "prune",
    ];
    let flags: String = flags.iter().map(|flag| format!("{flag} = true\n")).collect();
    let text = "[[port]]\nname = \"vf0\"\nvlan = 4094\npriority = 7\ninserted_tag = \"service\"\nmode = \"vepa\"\n\
        may = [\"unicast\", \"multicast\", \"vlan\"]\nwants = [\"multicast\", \"unicast\"]\ndefault_ports = \"all\"\n\
        max_rate = \"2.5 Gb/s\"\nburst = 9000\nclass = 2\nquantum = 64\nqueue_cells = 100\nhold_from = 90\n";
    let policy = policy(&format!("{text}{flags}"));
    let expected = PortPolicy {
        pvid: 4094,
        priority: 7,
        inserted_tag: TagKind::Service,
        customer_tags: true,
        service_tags: true,
        admit_untagged: true,
        admit_tagged: true,
        admit_nested: true,
        ingress: true,
        egress: true,
        check_source: true,
        check_ethertype: true,
        mode: Mode::Vepa,
        broadcast: true,
        may_unicast: true,
        may_multicast: true,
        may_vlan: true,
        prune: true,
        default_ports: PortSet::first(6),
    };
    assert_eq!(policy.ports[3], expected);
    assert_eq!(policy.wishes[3], Wishes { unicast: true, multicast: true, ..Wishes::default() });
    assert_eq!(policy.rates[3], Rate { maximum: 2500, class: 2, burst: 9000, quantum: 64 });
    assert_eq!(policy.limits[3], Limit { cells: 100, hold_from: 90 });
    assert_eq!(policy.ports[2], PortPolicy::default());
}

#[test]
fn a_maximum_brings_a_burst_and_a_share_a_quantum() {
    let rates = policy("[[port]]\nname = \"pf\"\nmax_rate = 100\nshare = 40\n").rates;
    assert_eq!(rates[2], Rate { maximum: 100, class: 0, burst: 4096, quantum: 61040 });
    assert_eq!(policy("[[port]]\nname = \"pf\"\nmax_rate = 0\n").rates[2], Rate::default());
}

#[test]
fn the_other_tables_reach_their_rows() {
    let text = r#"
        ethertypes = [0x88CC, 0]
        traffic = [{ pcap = "a.pcap", port = "wire0" }]
        vlan = [{ vid = 7, members = ["vf1", "wire0"] }, { vid = 4094, members = "all", untagged = "vfs" }]
        address = [
            { mac = "52:54:00:ab:00:01", vid = 7, ports = ["vf1"] },
            { mac = "52-54-00-AB-00-01", ports = "all" },
            { mac = "vf0", ports = ["vf0", "pf"] },
            { ports = "functions", vid = 7 },
        ]
        multicast = [
            { mac = "33:33:00:00:00:01", ports = "functions" },
            { mac = "33:33:00:00:02:00", ports = "vf0" },
            { mac = "33:33:00:00:00:02", ports = "vf0" },
            { mac = "33:33:00:00:04:00", ports = "vf1" },
        ]
        mirror = [{ target = "pf", port = "vf0" }, { target = "manager", vlan = 7, direction = "egress" }]
    "#;
    let policy = resolve(text).unwrap().0;
    assert_eq!(
        policy.vlans().collect::<Vec<_>>(),
        [
            (7, VlanPolicy { members: ports([0, 4]), untagged: PortSet::EMPTY }),
            (4094, VlanPolicy { members: PortSet::first(6), untagged: ports([3, 4, 5]) })
        ]
    );
    let host = MacAddress::new([0x52, 0x54, 0, 0xAB, 0, 1]);
    assert_eq!(policy.entry(7, host), Some(ports([4])));
    assert_eq!(policy.entry(0, host), Some(PortSet::first(6)));
    assert_eq!(policy.entry(0, station(3)), Some(ports([2, 3])));
    assert_eq!(
        (1..6).map(|port| policy.entry(7, station(port))).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5].map(|port| Some(ports([port])))
    );
    assert_eq!(policy.entries().count(), 3 + 5);
    let group = |last: u64| multicast_hash(MacAddress::from_u64(0x3333_0000_0000 + last));
    assert_eq!(group(0x0001), group(0x0200));
    assert_eq!(policy.multicast(group(0x0001)), ports([1, 2, 3, 4, 5]));
    // Bits 1 and 10 meet in the hash.
    assert_eq!(group(0x0002), group(0x0400));
    assert_eq!(policy.multicast(group(0x0002)), ports([3, 4]));
    assert_eq!(
        policy.mirrors,
        [
            Some(Mirror { direction: Direction::Ingress, of: MirrorOf::Port(3), target: 2 }),
            Some(Mirror { direction: Direction::Egress, of: MirrorOf::Vlan(7), target: 1 })
        ]
    );
    assert_eq!(policy.ethertypes[..3], [Some(0x88CC), Some(0), None]);
}

#[test]
fn generated_traffic() {
    let text = "[[traffic]]\nport = \"vf0\"\ndestination = \"wire0\"\nsize = 60\nframes = 1\n";
    let [flow] = &flows(text)[..] else { panic!("one flow") };
    let stream = |flow: &Flow| match &flow.content {
        Content::Generated(stream) => stream.clone(),
        content => panic!("{content:?}"),
    };
    let seed = stream(flow).seed;
    let (source, destination) = (station(3), station(0));
    let plain = Stream { destination, source, tags: vec![], ethertype: 0x88B5, size: Size::Fixed(60), seed };
    assert_eq!(stream(flow), plain);
    assert_eq!((flow.frames, flow.stop, flow.pace), (Some(1), None, Pace::Max));

    let tags = |text: &str| {
        let text =
            format!("stop = \"1 us\"\n[[traffic]]\nport = \"vf0\"\ndestination = \"pf\"\nsize = 90\n{text}");
        stream(&flows(&text)[0]).tags
    };
    let tag = |kind, vid, pcp| Tag { kind, control: VlanTag { pcp, dei: false, vid } };
    assert_eq!(tags("vlan = 4095\n"), [Tag::customer(4095)]);
    assert_eq!(tags("priority = 5\n"), [tag(TagKind::Customer, 0, 5)]);
    assert_eq!(tags("service_vlan = 5\npriority = 1\n"), [tag(TagKind::Service, 5, 1)]);
    let both = [tag(TagKind::Service, 5, 1), tag(TagKind::Customer, 0, 1)];
    assert_eq!(tags("service_vlan = 5\npriority = 1\nvlan = 0\n"), both);
}

#[test]
fn one_part_makes_a_flow_for_each_port() {
    let text = "seed = 3\nstop = \"64 us\"\n[[traffic]]\nname = \"up\"\nport = \"vfs\"\ndestination = \"wire0\"\nsize = \"imix\"\n\
        rate = \"1 Gb/s\"\nstart = \"100 cycles\"\n[[traffic]]\nport = [\"pf\"]\ndestination = \"ff:ff:ff:ff:ff:ff\"\n\
        size = \"64-128\"\nrate = \"line\"\nstop = \"32 us\"\n";
    let flows = flows(text);
    let said =
        flows.iter().map(|flow| (flow.name.as_str(), flow.port, flow.start, flow.stop)).collect::<Vec<_>>();
    let expected = [
        ("up.vf0", 3, 100, Some(10_000)),
        ("up.vf1", 4, 100, Some(10_000)),
        ("up.vf2", 5, 100, Some(10_000)),
        ("pf", 2, 0, Some(5_000)),
    ];
    assert_eq!(said, expected);
    assert_eq!(flows[0].pace, Pace::Bits { per_second: 1_000_000_000, overhead: 0 });
    assert_eq!(flows[3].pace, Pace::WIRE);
    assert_ne!(flows[0].content, flows[1].content);
    assert_eq!(super::Scenario::parse("dir/x.toml", text).unwrap().flows(&small()).unwrap(), flows);
}

#[test]
fn events_come_in_the_order_of_time() {
    let text = r#"
        [[port]]
        name = "vf0"
        preset = "trunk"

        [[address]]
        ports = ["vf0", "vf1"]

        [[stall]]
        port = "vfs"
        from = "64 us"
        to = "128 us"

        [[stall]]
        port = "vf0"
        from = "96 us"

        [[change]]
        at = "64 us"
        port = [{ name = "vf0", priority = 1, wants = ["unicast"] }]
        ethertypes = [1]

        [[change]]
        at = "1 cycles"
        vlan = [{ vid = 5, members = "vf0" }]
        remove = [{ mac = "vf1" }]
    "#;
    let start = policy(&text[..text.find("[[stall]]").unwrap()]);
    let mut first = start.clone();
    first.set_vlan(5, VlanPolicy { members: ports([3]), untagged: PortSet::EMPTY });
    first.remove_entry(0, station(4));
    let mut second = first.clone();
    second.ports[3].priority = 1;
    second.wishes[3].unicast = true;
    second.ethertypes[0] = Some(1);
    let rows = vec![Change::vlan(5, first.vlan(5)), Change::delete(0, station(4))];
    let event = |cycle, action| Event { cycle, action };
    let expected = [
        event(1, Action::Change { rows, policy: Box::new(first.clone()), held: true }),
        event(
            10_000,
            Action::Change { rows: second.changes_from(&first), policy: Box::new(second), held: true },
        ),
        event(10_000, stall(3, 100)),
        event(10_000, stall(4, 100)),
        event(10_000, stall(5, 100)),
        event(20_000, stall(4, 0)),
        event(20_000, stall(5, 0)),
    ];
    assert_eq!(events(text), expected);
}

#[test]
fn a_configuration_can_differ_from_a_named_one() {
    let config = |text: &str| {
        Scenario::parse("x.toml", &format!("config = {text}\n{TRAFFIC}")).unwrap().config().unwrap().unwrap()
    };
    assert_eq!(config("\"x3100\""), Config::x3100());
    let most = Config { name: "custom", wires: 2, vfs: 62, cells: 64, ..small() };
    assert_eq!(config("{ like = \"small\", wires = 2, vfs = 62, cells = 64 }"), most);
}

#[test]
fn rows_by_the_names_of_the_register_map() {
    let text = r#"
        [[row]]
        table = "PORT"
        index = 3
        fields = { pvid = 4095, mode = "vepa", prune = true, default_ports = ["wire0", "pf"] }
        [[row]]
        table = "MAC"
        fields = { mac = "vf0", vid = 4095, ports = "vf0-vf1" }
        [[row]]
        table = "MAC"
        fields.mac = "vf1"
        [[row]]
        table = "MAC"
        operation = "delete"
        fields.mac = "vf1"
    "#;
    let mut expected = Policy::new(1, 5);
    expected.ports[3] = PortPolicy {
        pvid: 4095,
        mode: Mode::Vepa,
        prune: true,
        default_ports: ports([0, 2]),
        ..PortPolicy::default()
    };
    expected.insert_entry(4095, station(3), ports([3, 4]));
    assert_eq!(policy(text), expected);
}

#[test]
fn frames_written_out() {
    let text = "[[frame]]\nport = \"vf0\"\nhex = \"00ffAb\"\n\
        [[frame]]\nport = \"manager\"\nhex = \"01\"\nat = \"9 cycles\"\nforced = [\"vf0\"]\nerror = true\n\
        [[frame]]\nport = \"vf0\"\nhex = \"02\"\n";
    let flows = flows(text);
    let listed: Vec<_> = Traffic::new(&flows, &small()).unwrap().collect();
    let names: Vec<_> = flows.iter().map(|flow| flow.name.as_str()).collect();
    assert_eq!(names, ["frames.manager", "frames.vf0"]);
    let bytes: Vec<_> = listed.iter().map(|frame| (frame.port, frame.bytes.as_slice())).collect();
    assert_eq!(bytes, [(3, &[0, 0xFF, 0xAB][..]), (3, &[2]), (1, &[1])]);
    assert_eq!((listed[2].cycle, listed[2].error, listed[2].forced), (9, true, Some(ports([3]))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// What is written is what is read, whatever a bridge can be told.
    #[test]
    fn a_recipe_is_read_as_it_was_written(
        (shape, policy, changes, arrivals) in arbitrary::shape().prop_flat_map(|shape| (
            Just(shape),
            arbitrary::policy(shape),
            vec(arbitrary::change(shape), 0..4),
            vec(arbitrary::arrival(shape, 200), 1..9),
        )),
    ) {
        let config = Config { name: "custom", wires: shape.wires, vfs: shape.functions - 2, cells: 64, ..small() };
        let listed = |arrival: &Arrival| {
            let Arrival { source, bytes, error, forced } = arrival.clone();
            (source, Listed { cycle: u64::from(bytes[0]), bytes, error, forced })
        };
        let mut behaviour = vec![Behaviour::default(); config.ports()];
        behaviour[1] = Behaviour { pause: 20, stall: 0 };
        behaviour[2] = Behaviour { pause: 90, stall: 100 };
        let recipe = Recipe {
            comment: "two\nlines",
            config: &config,
            policy: &policy,
            behaviour: &behaviour,
            settled: 77,
            changes: &changes.iter().map(|&change| (5, change)).collect::<Vec<_>>(),
            frames: &arrivals.iter().map(listed).collect::<Vec<_>>(),
        };
        let text = write(&recipe);
        let scenario = Scenario::parse("x.toml", &text).unwrap();
        prop_assert_eq!(scenario.config().unwrap(), Some(config.clone()));
        prop_assert_eq!(scenario.policy(&config).unwrap(), policy.clone());
        let mut last = policy.clone();
        let mut events = scenario.events(&config).unwrap().into_iter();
        let port = |port: usize, behaviour: [usize; 2]| {
            let [pause, stall] = behaviour;
            Action::Behave { port, behaviour: Behaviour { pause, stall } }
        };
        let at = |cycle, action| Some(Event { cycle, action });
        prop_assert_eq!(events.next(), at(0, port(1, [20, 0])));
        prop_assert_eq!(events.next(), at(0, port(2, [90, 100])));
        for change in changes {
            let mut changed = last.clone();
            changed.apply(&change);
            let rows = changed.changes_from(&last);
            let policy = Box::new(changed.clone());
            prop_assert_eq!(events.next(), at(5, Action::Change { rows, policy, held: false }));
            last = changed;
        }
        prop_assert_eq!(events.next(), at(77, port(1, [0, 0])));
        prop_assert_eq!(events.next(), at(77, port(2, [0, 0])));
        let mut frames: Vec<(usize, Listed)> = vec![];
        for flow in scenario.flows(&config).unwrap() {
            let Content::Listed(listed) = flow.content else { panic!("frames") };
            frames.extend(listed.into_iter().map(|frame| (flow.port, frame)));
        }
        let mut expected = recipe.frames.to_vec();
        expected.sort_by_key(|(port, _)| *port);
        prop_assert_eq!(frames, expected);
    }
}

#[test]
fn sinks_have_rates() {
    let text =
        "[[sink]]\nport = \"all\"\nrate = 500\n[[sink]]\nport = [\"wire0\", \"pf\"]\nrate = \"line\"\n";
    let scenario = Scenario::parse("x.toml", &format!("{TRAFFIC}{text}")).unwrap();
    let half = Some(SinkRate { per_second: 500_000_000, overhead: 0 });
    let line = Some(SinkRate { per_second: 10_000_000_000, overhead: 24 });
    assert_eq!(scenario.sinks(&small()).unwrap(), [line, half, line, half, half, half]);
    assert_eq!(Scenario::parse("x.toml", TRAFFIC).unwrap().sinks(&small()).unwrap(), [None; 6]);
}

#[test]
fn stalls_that_meet_are_one() {
    let span =
        |from, to| format!("[[stall]]\nport = \"pf\"\nfrom = \"{from} cycles\"\nto = \"{to} cycles\"\n");
    let events = events(&(span(10, 20) + &span(20, 30) + &span(25, 27)));
    let expected = [(10, stall(2, 100)), (30, stall(2, 0))];
    assert_eq!(events, expected.map(|(cycle, action)| Event { cycle, action }));
}

#[test]
fn of_pauses_and_stalls_that_meet_the_highest_counts() {
    let span = |what: &str, from: u32, to: u32, percent: u32| {
        format!(
            "[[{what}]]\nport = \"pf\"\nfrom = \"{from} cycles\"\nto = \"{to} cycles\"\npercent = {percent}\n"
        )
    };
    let text = span("stall", 0, 20, 30) + &span("stall", 10, 15, 90) + &span("pause", 12, 40, 5);
    let expected = [(0, 0, 30), (10, 0, 90), (12, 5, 90), (15, 5, 30), (20, 5, 0), (40, 0, 0)];
    let behave = |pause, stall| Action::Behave { port: 2, behaviour: Behaviour { pause, stall } };
    let expected = expected.map(|(cycle, pause, stall)| Event { cycle, action: behave(pause, stall) });
    assert_eq!(events(&text), expected);
}

#[test]
fn a_group_that_changes_leaves_its_neighbours_in_the_row() {
    let group = |last: &str, port: &str| format!("{{ mac = \"33:33:00:00:{last}\", ports = \"{port}\" }}");
    let text = format!(
        "multicast = [{}, {}]\n[[traffic]]\npcap = \"lan.pcap\"\nport = \"wire0\"\n[[change]]\nat = \"1 us\"\nmulticast = [{}]\n",
        group("00:02", "vf0"),
        group("04:00", "vf1"),
        group("04:00", "vf2")
    );
    let events = resolve(&text).unwrap().2;
    let Action::Change { rows, .. } = &events[0].action else { panic!("a change") };
    let hash = multicast_hash(MacAddress::new([0x33, 0x33, 0, 0, 0, 2]));
    assert_eq!(*rows, [Change::multicast(hash, ports([3, 5]))]);
}
