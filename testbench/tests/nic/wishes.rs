//! What drivers ask for by their control queues, as the bridge carries it out: for every function at its own port.

use super::driver::{STATION, address, open, packet};
use rtl::config::Config;
use sim::{
    ethernet::{FrameBuilder, MacAddress, VlanTag},
    nic::{Scene, Setup},
    veb::{Policy, policy::VlanPolicy},
    virtio::{
        features::Features,
        net::{Command, Event, NetOptions},
    },
};
use testbench::models;

/// Every function, the physical one as well, gets the groups and VLANs that its own driver asks for (5.1.6.5.1.2, 5.1.6.5.3.2).
#[test]
fn functions_get_what_their_drivers_ask_for() {
    let config = Config::small();
    let mut scene = Scene::new(models::nic(&config).unwrap(), &config, &Setup::of(&config)).unwrap();
    open(&mut scene);
    let functions = scene.functions();
    let vid = |function: usize| 10 + function as u16;
    let group = |function: usize| MacAddress::new([0x33, 0x33, 0, 0, 0, function as u8]);
    let mut policy = Policy::new(config.wires, config.functions());
    for function in &functions {
        let port = scene.port(*function);
        // The other functions are no members: their drivers must not ask for it.
        let members = [0, port].into_iter().collect();
        policy.set_vlan(vid(*function), VlanPolicy { members, ..VlanPolicy::default() });
    }
    scene.nic.set_policy(&policy_with_ports(policy, &scene.nic.config)).unwrap();
    for function in &functions {
        let plain = NetOptions::plain(true, *function as u64);
        let features = plain.features | Features::CTRL_RX | Features::CTRL_VLAN;
        scene.start(*function, NetOptions { features, ..plain }).unwrap();
        for other in &functions {
            let (net, host) = scene.driver(*function);
            let is_done = net.command(host, &Command::AddVlan(vid(*other))).unwrap();
            assert_eq!(is_done, other == function, "function {function}, VLAN of function {other}");
        }
        let (net, host) = scene.driver(*function);
        let groups = Command::Addresses(vec![], vec![group(*function).bytes()]);
        assert!(net.command(host, &groups).unwrap());
    }
    (0..3000).for_each(|_| assert_eq!(scene.step().unwrap(), []));
    for function in functions {
        let to_group = packet(STATION, group(function), 100, function as u64).frame;
        let tag = VlanTag::new(vid(function));
        let tagged =
            FrameBuilder::new(address(function), STATION).tag(tag).payload(vec![function as u8; 80]).build();
        for frame in [to_group, tagged] {
            scene.nic.bus.device.0[0].send(frame.clone());
            let mut got = vec![];
            for _ in 0..4000 {
                for (of, event) in scene.step().unwrap() {
                    let Event::Received { frame, .. } = event else { panic!("{event:?}") };
                    got.push((of, frame));
                }
            }
            assert!(got == [(function, frame)], "function {function}: {got:x?}");
        }
    }
}

/// The same where everybody may send and receive, in VLAN 1 without tags.
fn policy_with_ports(policy: Policy, config: &Config) -> Policy {
    let mut all = Policy::open(config.wires, config.functions());
    policy.vlans().for_each(|(vid, vlan)| all.set_vlan(vid, vlan));
    for function in [0, 2, 3, 4] {
        let port = config.wires + config.function_at(function);
        all.insert_entry(0, address(function), [port].into_iter().collect());
    }
    all
}
