//! What a run is made of: how the adapter is strapped, the policy of its bridge, its drivers.

use super::frames::{GROUPS, VLANS, group, remote, station};
use rtl::{config::Config, pcie::space::Personality};
use sim::{
    ethernet::FrameView,
    nic::Setup,
    pcie::{Behaviour, LinkSettings, host::Cut},
    random::Random,
    veb::{
        Policy, PortSet,
        policy::{
            Direction, Filter, FilterOf, Limit, Mirror, MirrorOf, Mode, VlanPolicy, Wishes, multicast_hash,
        },
    },
    virtio::{
        features::Features,
        layout::Layout,
        net::{HEADER, NetOptions},
    },
};
use std::collections::BTreeSet;

/// Draws how the adapter is strapped, and how its host behaves.
pub fn setup(random: &mut Random, config: &Config) -> Setup {
    let personality = match random.below(8) {
        0 => Personality::Multifunction(if config.functions() >= 8 { 8 } else { 4 }),
        _ => Personality::SrIov,
    };
    let of_config = Setup::of(config);
    let is_slow = random.chance(30);
    let link =
        if is_slow { of_config.link.clone() } else { LinkSettings { round_trip: 100, ..of_config.link } };
    let behaviour = Behaviour {
        seed: random.word(),
        latency: random.below(if is_slow { 100 } else { 30 }) as u64,
        jitter: random.below(100) as u64,
        cut: *random.pick(&[Cut::Boundary, Cut::Payload, Cut::Random]),
        shuffled: random.chance(70),
        ..Behaviour::default()
    };
    Setup { personality, vfs: config.vfs as u16, alternative_routing: random.chance(60), behaviour, link }
}

/// Draws the policy of a bridge: most ports reach each other, and no port may hold so much that others find no room.
pub fn policy(random: &mut Random, config: &Config, functions: &[(usize, usize)]) -> Policy {
    let mut policy = Policy::open(config.wires, config.functions());
    for (function, port) in functions {
        policy.insert_entry(0, station(*function), PortSet::single(*port));
    }
    for wire in 0..config.wires {
        policy.insert_entry(0, remote(wire), PortSet::single(wire));
    }
    for vid in VLANS {
        let mut subset = |percent| policy.all_ports().iter().filter(|_| random.chance(percent)).collect();
        let (members, untagged) = (subset(70), subset(30));
        policy.set_vlan(vid, VlanPolicy { members, untagged });
    }
    for number in 0..GROUPS {
        let ports = policy.functions().iter().filter(|_| random.chance(20)).collect();
        policy.set_multicast(multicast_hash(group(number)), ports);
    }
    let cells = config.cells as u32;
    for port in 0..policy.port_count() {
        policy.limits[port] = Limit { cells: cells / 2, hold_from: cells / 4 };
        let row = &mut policy.ports[port];
        row.mode = *random.pick(&[Mode::Veb, Mode::Veb, Mode::Veb, Mode::Veb, Mode::Vepa, Mode::Isolated]);
        row.priority = random.below(8) as u8;
        row.prune = random.chance(20);
        row.broadcast = random.chance(90);
        row.may_unicast = random.chance(80);
        row.may_multicast = random.chance(80);
        row.may_vlan = random.chance(80);
        if random.chance(15) {
            row.pvid = *random.pick(&VLANS);
        }
    }
    if random.chance(25) {
        let port = random.below(policy.port_count());
        let of = if random.chance(50) { MirrorOf::Port(port) } else { MirrorOf::Vlan(VLANS[0]) };
        let direction = if random.chance(50) { Direction::Ingress } else { Direction::Egress };
        policy.mirrors[0] = Some(Mirror { direction, of, target: random.below(policy.port_count()) });
    }
    policy
}

/// A driver, and what it has asked the bridge for.
#[derive(Clone, Debug)]
pub struct Guest {
    pub options: NetOptions,
    /// What the manager says of its function.
    pub mtu: u16,
    /// Bytes of the smallest receive buffer.
    pub smallest: usize,
    pub promiscuous: bool,
    pub all_multicast: bool,
    pub groups: BTreeSet<usize>,
    pub vlans: BTreeSet<u16>,
}

/// The standard's features that a driver may leave out, with what they are refused without.
const OPTIONAL: [(Features, Features); 18] = [
    (Features::CSUM, Features::NONE),
    (Features::GUEST_CSUM, Features::NONE),
    (Features::MTU, Features::NONE),
    (Features::MRG_RXBUF, Features::NONE),
    (Features::CTRL_VQ, Features::NONE),
    (Features::CTRL_RX, Features::CTRL_VQ),
    (Features::CTRL_VLAN, Features::CTRL_VQ),
    (Features::GUEST_ANNOUNCE, Features::CTRL_VQ),
    (Features::MQ, Features::CTRL_VQ),
    (Features::CTRL_MAC_ADDR, Features::CTRL_VQ),
    (Features::INDIRECT_DESC, Features::NONE),
    (Features::EVENT_IDX, Features::NONE),
    (Features::RING_PACKED, Features::NONE),
    (Features::IN_ORDER, Features::NONE),
    (Features::ORDER_PLATFORM, Features::NONE),
    (Features::NOTIFICATION_DATA, Features::NONE),
    (Features::RING_RESET, Features::NONE),
    (Features::SPEED_DUPLEX, Features::NONE),
];

impl Guest {
    /// Draws a driver for frames of up to `longest` bytes.
    pub fn draw(random: &mut Random, config: &Config, longest: usize, mtu: u16) -> Guest {
        let plain = NetOptions::plain(false, random.word());
        let mut features = plain.features - Features::CTRL_VQ;
        for (feature, needs) in OPTIONAL {
            let percent =
                if feature == Features::CTRL_VQ || feature == Features::RING_RESET { 85 } else { 50 };
            if features.has(needs) && random.chance(percent) {
                features = features | feature;
            }
        }
        let packed = features.has(Features::RING_PACKED);
        let mut size = |low: u32, high: u32| match packed {
            true => (1 << low) + random.below((1 << high) - (1 << low) + 1) as u16,
            false => 1 << (low + random.below((high - low + 1) as usize) as u32),
        };
        let sizes = [size(if longest > 2000 { 6 } else { 5 }, 8), size(3, 8), size(2, 5)];
        let parts = 1 + random.below(3);
        // What a frame takes must fit into what the adapter keeps of a queue.
        let (smallest, spread) = match features.has(Features::MRG_RXBUF) {
            true => ((longest + HEADER + 8).div_ceil(config.prefetch * 9 / 16 / parts), 1 + random.below(3)),
            false => (HEADER + longest + 8, 1),
        };
        let receive = match parts {
            1 => Layout { bytes: smallest..=smallest * spread, ..Layout::plain() },
            _ => Layout { parts, bytes: smallest..=smallest * spread, ..Layout::wild() },
        };
        let transmit = if random.chance(70) { Layout::wild() } else { Layout::plain() };
        let pairs = if features.has(Features::MQ) { 1 + random.below(config.pairs) as u16 } else { 1 };
        let options = NetOptions {
            features,
            pairs,
            sizes,
            interrupts: random.chance(75),
            scattered: !features.has(Features::IN_ORDER) && random.chance(50),
            receive,
            transmit,
            longest: longest + 8,
            ..plain
        };
        Guest {
            options,
            mtu,
            smallest,
            promiscuous: false,
            all_multicast: false,
            groups: BTreeSet::new(),
            vlans: BTreeSet::new(),
        }
    }

    pub fn has(&self, feature: Features) -> bool {
        self.options.features.has(feature)
    }

    /// Receive buffers that a frame takes at most.
    pub fn buffers(&self, bytes: usize) -> usize {
        if self.has(Features::MRG_RXBUF) { (HEADER + bytes).div_ceil(self.smallest) } else { 1 }
    }

    /// Whether it gets frames of this length at all (5.1.4.1).
    pub fn admits(&self, frame: &[u8]) -> bool {
        let tags = FrameView(frame).tags().take(2).count();
        !self.has(Features::MTU) || frame.len() - 14 - 4 * tags <= self.mtu.into()
    }

    /// Has the model of the bridge know what the driver asked for.
    pub fn apply(&self, policy: &mut Policy, port: usize) {
        policy.wishes[port] = Wishes {
            unicast: self.promiscuous,
            multicast: self.promiscuous || self.all_multicast,
            vlan: self.promiscuous,
            filter: self.has(Features::CTRL_VLAN) && !self.promiscuous,
        };
        policy.filters.retain(|filter| filter.function != port);
        let groups = self.groups.iter().map(|number| FilterOf::Group(multicast_hash(group(*number))));
        let vlans = self.vlans.iter().map(|vid| FilterOf::Vlan(*vid));
        policy.filters.extend(groups.chain(vlans).map(|of| Filter { function: port, of }));
    }
}
