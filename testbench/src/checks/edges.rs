//! Where rules begin and end.

use super::*;
use sim::{ethernet::VlanTag, veb::policy::Wishes};

/// Each port in turn sends and takes nothing more: nobody else is concerned, and it comes back.
pub fn ports_leave_and_come_back(sim: impl Simulator, config: &Config) {
    let mut bench = bench(sim, config, &open(config), Losses::Forbidden);
    let mut number = 0;
    for port in 0..config.ports() {
        for (ingress, egress) in [(true, false), (false, true), (true, true)] {
            let mut policy = open(config);
            for other in 0..config.ports() {
                policy.ports[other].default_ports = policy.all_ports();
            }
            policy.ports[port].ingress = ingress;
            policy.ports[port].egress = egress;
            bench.set_policy(&policy).unwrap();
            for source in 0..config.ports() {
                number += 1;
                bench.send(source, frame(source, MacAddress::BROADCAST, 64, number), false);
                bench.send(source, frame(source, station(port), 64, number), false);
            }
            bench.run().unwrap();
        }
    }
    assert_agrees(&bench.finish().unwrap());
}

/// VID 0 is no VLAN, whatever its row says, and neither is 0xFFF: not for tagged frames, nor as a port's own.
pub fn reserved_vids_are_no_vlans(sim: impl Simulator, config: &Config) {
    let mut policy = open(config);
    for vid in [0, 0xfff] {
        policy.set_vlan(vid, policy.vlan(1));
    }
    let mut bench = bench(sim, config, &policy, Losses::Forbidden);
    let mut number = 0;
    // And with each number of one bit, which is one.
    for pvid in (0..12).map(|bit| 1 << bit).chain([0, 0xfff, 0x7ff]) {
        if ![0, 0xfff].contains(&pvid) {
            policy.add_members(pvid, PortSet::EMPTY, policy.all_ports());
        }
        policy.ports.iter_mut().for_each(|port| port.pvid = pvid);
        bench.set_policy(&policy).unwrap();
        for source in 0..config.ports() {
            number += 1;
            let to = (source + 1) % config.ports();
            bench.send(source, frame(source, station(to), 64, number), false);
            let tag = VlanTag { vid: pvid, ..Default::default() };
            let builder = FrameBuilder::new(station(to), station(source)).tag(tag);
            bench.send(source, builder.payload(number.to_le_bytes().to_vec()).build_with_length(64), false);
        }
        bench.run().unwrap();
    }
    assert_agrees(&bench.finish().unwrap());
}

/// Wires have no wishes, whatever their inputs say; those of each function count by themselves, if it may have them.
pub fn wishes_count_for_functions_alone(sim: impl Simulator, config: &Config) {
    let mut bench = bench(sim, config, &open(config), Losses::Forbidden);
    let mut number = 0;
    for port in 0..config.ports() {
        for allowed in 0..2 {
            let mut policy = open(config);
            policy.add_members(5, [config.wires, config.wires + 1].into_iter().collect(), PortSet::EMPTY);
            for wishing in 0..config.ports() {
                let one = wishing == port;
                let may = one == (allowed == 1);
                policy.wishes[wishing] =
                    Wishes { unicast: one, multicast: one, vlan: one, filter: one && allowed == 0 };
                let all = policy.all_ports();
                let row = &mut policy.ports[wishing];
                row.default_ports = all;
                (row.may_unicast, row.may_multicast, row.may_vlan) = (may, may, may);
            }
            bench.set_policy(&policy).unwrap();
            for source in 0..config.ports() {
                for vid in [1, 5] {
                    for to in [station(40), MacAddress::from_u64(0x0100_5e00_0001), MacAddress::BROADCAST] {
                        number += 1u64;
                        let builder =
                            FrameBuilder::new(to, station(source)).tag(VlanTag { vid, ..Default::default() });
                        let payload = number.to_le_bytes().to_vec();
                        bench.send(source, builder.payload(payload).build_with_length(64), false);
                    }
                }
            }
            bench.run().unwrap();
        }
    }
    assert_agrees(&bench.finish().unwrap());
}
