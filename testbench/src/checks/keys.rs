//! What rows are found by: a difference in any bit is another address, another VLAN, another type.

use super::*;
use sim::{
    ethernet::VlanTag,
    random::Random,
    veb::policy::{Direction, Mirror, MirrorOf, multicast_hash},
};

/// For random keys, frames that have them and frames that miss by one bit: destinations, groups, sources, VLANs in and out,
/// types, and mirrors by VLAN.
pub fn keys_count_by_all_their_bits(sim: impl Simulator, config: &Config) {
    let mut bench = bench(sim, config, &open(config), Losses::Counted);
    let mut random = Random::new(1);
    let [manager, pf, vf] = [0, 1, 2].map(|function| config.wires + function);
    let last = config.ports() - 1;
    let mut number = 0;
    for round in 0..12 {
        let mut policy = open(config);
        let individual = !(1 << 40) & ((1 << 48) - 1);
        let address = MacAddress::from_u64(random.word() & individual);
        let source = MacAddress::from_u64(random.word() & individual);
        let group = MacAddress::from_u64(random.word() & individual | 1 << 40);
        let vid = 1 + random.below(4094) as u16;
        let kind = random.word() as u16;
        let in_vlan = |in_it: bool| if in_it { vid } else { 0 };
        policy.insert_entry(in_vlan(round % 2 == 0), address, PortSet::single(pf));
        policy.insert_entry(in_vlan(round % 4 < 2), source, PortSet::single(vf));
        // A group is nobody's address, whatever the table says.
        policy.insert_entry(0, group, PortSet::single(vf));
        policy.set_multicast(multicast_hash(group), PortSet::single(last));
        policy.ethertypes[round % policy.ethertypes.len()] = Some(kind);
        policy.mirrors[round % 2] =
            Some(Mirror { direction: Direction::Ingress, of: MirrorOf::Vlan(vid), target: last - 1 });
        policy.add_members(vid, policy.all_ports(), PortSet::EMPTY);
        policy.ports[vf].check_source = true;
        policy.ports[last].check_ethertype = true;
        bench.set_policy(&policy).unwrap();

        let mut send = |from: usize, to: MacAddress, source: MacAddress, vid: u16, kind: u16| {
            number += 1u64;
            let tag = VlanTag { vid, pcp: (number % 8) as u8, ..Default::default() };
            let builder = FrameBuilder::new(to, source).tag(tag).ethertype(kind);
            bench.send(from, builder.payload(number.to_be_bytes().to_vec()).build_with_length(64), false);
        };
        let bits = |width: usize| (0..width).map(|bit| 1u64 << bit).chain([0]);
        for bit in bits(48) {
            let other = |address: MacAddress| MacAddress::from_u64(address.to_u64() ^ bit);
            send(manager, other(address), station(manager), vid, 0x0800);
            send(manager, other(group), station(manager), vid, 0x0800);
            send(vf, station(pf), other(source), vid, 0x0800);
        }
        send(vf, address, group, vid, 0x0800);
        for bit in bits(12) {
            send(manager, address, station(manager), vid ^ bit as u16, 0x0800);
            send(vf, address, source, vid ^ bit as u16, 0x0800);
        }
        for bit in bits(16) {
            send(last, address, station(last), vid, kind ^ bit as u16);
        }
        bench.run().unwrap();
    }
    assert_agrees(&bench.finish().unwrap());
}
