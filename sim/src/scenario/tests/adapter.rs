//! Hosts and drivers.

use super::*;
use crate::nic::Setup;
use crate::nic::bench::AdapterPlan;
use crate::virtio::features::Features;
use crate::virtio::layout::Layout;
use rtl::pcie::space::Personality;

fn adapter(text: &str) -> Result<AdapterPlan, ScenarioError> {
    Scenario::parse("dir/x.toml", &format!("{TRAFFIC}{text}"))?.adapter(&small())
}

/// The message about a text that follows the traffic of lines 1 to 3.
#[track_caller]
fn message(text: &str) -> String {
    let message = adapter(text).expect_err("an error").to_string();
    assert!(!message.contains('\n'), "{message}");
    message.strip_prefix("dir/x.toml:").expect("the file's name").to_owned()
}

#[test]
fn every_function_has_an_ordinary_driver() {
    let plan = adapter("").unwrap();
    assert_eq!(plan, AdapterPlan::ordinary(&small(), Setup::of(&small()), 0));
    assert_eq!(plan.drivers.iter().map(|driver| driver.function).collect::<Vec<_>>(), [0, 2, 3, 4]);
    assert!(plan.drivers.iter().all(|driver| driver.options.features.has(Features::RING_PACKED)));
    let seeds: std::collections::HashSet<_> = plan.drivers.iter().map(|driver| driver.options.seed).collect();
    assert_eq!(seeds.len(), 4);
}

#[test]
fn drivers_are_as_they_are_told() {
    let text = "\
        [[driver]]\nport = [\"pf\", \"vfs\"]\nring = \"split\"\nentries = 32\nlooks = \"1.28 us\"\n\
        [[driver]]\nport = \"vf1\"\nring = \"packed\"\nentries = 100\nlooks = \"interrupts\"\npairs = 2\nmtu = 3000\n\
        buffers = \"scattered\"\nfeatures = [\"IN_ORDER\"]\n";
    let plan = adapter(text).unwrap();
    let [pf, _, vf1, vf2] = &plan.drivers[..] else { panic!("four drivers") };
    for driver in [pf, vf2] {
        assert!(!driver.options.features.has(Features::RING_PACKED));
        assert_eq!((driver.options.sizes, driver.period, driver.mtu), ([32, 32, 16], 200, 9600));
        assert!(!driver.options.interrupts && driver.options.features.has(Features::MRG_RXBUF));
    }
    let options = &vf1.options;
    let features = Features::RING_PACKED | Features::IN_ORDER | Features::MQ | Features::MTU;
    assert!(options.features.has(features), "{}", options.features);
    let refused = Features::MRG_RXBUF | Features::EVENT_IDX;
    assert_eq!(options.features & refused, Features::NONE);
    assert_eq!((options.pairs, options.sizes, vf1.mtu), (2, [100, 100, 16], 3000));
    assert_eq!((options.interrupts, options.longest), (true, 3022));
    assert_eq!(options.transmit, Layout::wild());
}

#[test]
fn drivers_can_ask_for_what_their_ports_want() {
    let text = "\
        [[port]]\nname = \"vf0\"\nvlans = [7]\n\
        [[change]]\nat = \"1 us\"\n[[change.port]]\nname = \"vf1\"\nwants = [\"unicast\"]\n\
        [[driver]]\nport = \"vfs\"\nfeatures = []\n";
    let plan = adapter(text).unwrap();
    let has = |number: usize, feature| plan.drivers[number].options.features.has(feature);
    assert_eq!([1, 2, 3].map(|number| has(number, Features::CTRL_VLAN)), [true, false, false]);
    assert!(has(2, Features::CTRL_RX));
}

#[test]
fn hosts_are_as_they_are_told() {
    let text = "[adapter]\nvfs = 1\nari = false\ngeneration = 2\nlanes = 4\nread_latency = \"2 us\"\n";
    let plan = adapter(text).unwrap();
    let ordinary = Setup::of(&small());
    assert_eq!((plan.setup.vfs, plan.setup.alternative_routing), (1, false));
    assert_eq!((plan.setup.link.generation, plan.setup.link.lanes), (2, 4));
    // 313 cycles, 79 of them on the link.
    assert_eq!((plan.setup.behaviour.latency, ordinary.behaviour.latency), (234, 78));
    assert_eq!(plan.drivers.len(), 2);
    let legacy = adapter("[adapter]\npersonality = \"legacy\"\nfunctions = 4\n").unwrap();
    assert_eq!((legacy.setup.personality, legacy.setup.vfs), (Personality::Multifunction(4), 0));
    assert_eq!(legacy.drivers.iter().map(|driver| driver.function).collect::<Vec<_>>(), [0, 2, 3]);
}

#[test]
fn mistakes_of_hosts() {
    assert_eq!(message("[adapter]\nvfs = 4\n"), "5:7: 4 virtual functions; there is room for 3");
    let legacy = "[adapter]\npersonality = \"legacy\"\n";
    assert_eq!(
        message(&format!("{legacy}functions = 8\n")),
        "6:13: `functions` takes 1, 2, 4 or 8, and not more than the 5 that there are"
    );
    assert_eq!(
        message(&format!("{legacy}vfs = 1\n")),
        "6:7: `vfs` does not go with the legacy personality: it has no virtual functions"
    );
    assert_eq!(
        message("[adapter]\nfunctions = 2\n"),
        "5:13: `functions` does not go with SR-IOV: it is for the legacy personality"
    );
    assert_eq!(message("[adapter]\nlanes = 3\n"), "5:9: `lanes` takes 1, 2, 4, 8 or 16");
    assert!(message("[adapter]\ngeneration = 5\n").contains("a whole number from 1 to 4"));
}

#[test]
fn mistakes_of_drivers() {
    let driver = |text: &str| message(&format!("[[driver]]\nport = \"vf1\"\n{text}\n"));
    assert_eq!(driver("pairs = 3"), "6:9: 3 pairs of queues; there is room for 2");
    assert_eq!(
        driver("ring = \"split\"\nentries = 100"),
        "7:11: `entries` takes a power of two where the ring is split"
    );
    assert!(driver("ring = \"linked\"").contains("expected `split` or `packed`"));
    assert!(driver("looks = \"often\"").contains("\"interrupts\", or a time with its unit"));
    assert_eq!(
        driver("features = [\"EVENT_IDX\", \"TSO\"]"),
        "6:26: unknown feature `TSO`; there are CSUM, GUEST_CSUM, MRG_RXBUF, INDIRECT_DESC, EVENT_IDX, IN_ORDER, \
         ORDER_PLATFORM, NOTIFICATION_DATA, RING_RESET, SPEED_DUPLEX"
    );
    let none = "has no driver: it is no network function, or not enabled";
    assert_eq!(message("[[driver]]\nport = \"manager\"\n"), format!("5:8: `manager` {none}"));
    assert_eq!(message("[[driver]]\nport = \"all\"\n"), format!("5:8: `wire0` {none}"));
    assert_eq!(message("[[driver]]\nport = \"vf2\"\n[adapter]\nvfs = 2\n"), format!("5:8: `vf2` {none}"));
}

/// What only the bridge on its own can be played with, and what no function is there for.
#[test]
fn what_the_adapter_cannot_play() {
    let flow = |keys: &str| message(&format!("[[traffic]]\ndestination = \"pf\"\nframes = 1\n{keys}\n"));
    let few = "port = \"vfs\"\nsize = 60\n[adapter]\nvfs = 1";
    assert_eq!(flow(few), "7:8: `vf1` is not enabled, so that nothing can be sent there");
    assert_eq!(
        flow("port = \"manager\"\nsize = \"60-1537\""),
        "8:8: the manager's mailbox takes frames of up to 1536 bytes"
    );
    let only = "can be played with `--part bridge` only";
    assert_eq!(
        message("[[sink]]\nport = \"functions\"\nrate = \"line\"\n"),
        format!("5:8: a `[[sink]]` of a function {only}")
    );
    assert_eq!(
        message("[[frame]]\nport = \"vf0\"\nhex = \"00\"\nerror = true\n"),
        format!("6:7: a bad frame of a function {only}")
    );
    assert_eq!(
        message("[[change]]\nat = \"1 us\"\nheld = false\n"),
        format!("6:8: a change that is not `held` {only}")
    );
}
