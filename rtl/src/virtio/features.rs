//! The features that a network function offers (virtio 5.1.3 and 6).

/// A feature, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    pub bit: usize,
    /// The standard's name, without `VIRTIO_` and `VIRTIO_NET_`.
    pub name: &'static str,
    /// Features that a driver must accept with it (virtio 5.1.3.1).
    pub needs: &'static [usize],
    /// Only the physical function offers it.
    pub physical: bool,
}

const fn feature(bit: usize, name: &'static str, needs: &'static [usize]) -> Feature {
    Feature { bit, name, needs, physical: false }
}

pub const CSUM: usize = 0;
pub const GUEST_CSUM: usize = 1;
pub const MTU: usize = 3;
pub const MAC: usize = 5;
pub const MRG_RXBUF: usize = 15;
pub const STATUS: usize = 16;
pub const CTRL_VQ: usize = 17;
pub const CTRL_RX: usize = 18;
pub const CTRL_VLAN: usize = 19;
pub const GUEST_ANNOUNCE: usize = 21;
pub const MQ: usize = 22;
pub const CTRL_MAC_ADDR: usize = 23;
pub const INDIRECT_DESC: usize = 28;
pub const EVENT_IDX: usize = 29;
pub const VERSION_1: usize = 32;
pub const ACCESS_PLATFORM: usize = 33;
pub const RING_PACKED: usize = 34;
pub const IN_ORDER: usize = 35;
pub const ORDER_PLATFORM: usize = 36;
pub const SR_IOV: usize = 37;
pub const NOTIFICATION_DATA: usize = 38;
pub const RING_RESET: usize = 40;
pub const SPEED_DUPLEX: usize = 63;

/// All that are offered. A driver that does not accept `VERSION_1` is a legacy one, which these functions are not for
/// (6.3): it gets no `FEATURES_OK`, nor does one that wants something without what it needs.
pub const FEATURES: [Feature; 23] = [
    feature(CSUM, "CSUM", &[]),
    feature(GUEST_CSUM, "GUEST_CSUM", &[]),
    feature(MTU, "MTU", &[]),
    feature(MAC, "MAC", &[]),
    feature(MRG_RXBUF, "MRG_RXBUF", &[]),
    feature(STATUS, "STATUS", &[]),
    feature(CTRL_VQ, "CTRL_VQ", &[]),
    feature(CTRL_RX, "CTRL_RX", &[CTRL_VQ]),
    feature(CTRL_VLAN, "CTRL_VLAN", &[CTRL_VQ]),
    feature(GUEST_ANNOUNCE, "GUEST_ANNOUNCE", &[CTRL_VQ]),
    feature(MQ, "MQ", &[CTRL_VQ]),
    feature(CTRL_MAC_ADDR, "CTRL_MAC_ADDR", &[CTRL_VQ]),
    feature(INDIRECT_DESC, "INDIRECT_DESC", &[]),
    feature(EVENT_IDX, "EVENT_IDX", &[]),
    feature(VERSION_1, "VERSION_1", &[]),
    feature(ACCESS_PLATFORM, "ACCESS_PLATFORM", &[]),
    feature(RING_PACKED, "RING_PACKED", &[]),
    feature(IN_ORDER, "IN_ORDER", &[]),
    feature(ORDER_PLATFORM, "ORDER_PLATFORM", &[]),
    Feature { physical: true, ..feature(SR_IOV, "SR_IOV", &[]) },
    feature(NOTIFICATION_DATA, "NOTIFICATION_DATA", &[]),
    feature(RING_RESET, "RING_RESET", &[]),
    feature(SPEED_DUPLEX, "SPEED_DUPLEX", &[]),
];

/// Features that a driver must accept.
pub const REQUIRED: [usize; 1] = [VERSION_1];

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers are used once and in order, and what a feature needs is offered.
    #[test]
    fn features_are_consistent() {
        assert!(FEATURES.is_sorted_by(|a, b| a.bit < b.bit));
        let is_offered =
            |bit: &usize| FEATURES.iter().any(|feature| feature.bit == *bit && !feature.physical);
        assert!(FEATURES.iter().flat_map(|feature| feature.needs).all(is_offered));
        assert!(REQUIRED.iter().all(is_offered));
    }
}
