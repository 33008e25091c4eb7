//! What the driver and the device agree on (virtio 2.2, 3.1.1).

use crate::virtio::{
    features::{self, FEATURES, REQUIRED},
    types::Mode,
};
use hdl::*;

/// Words of 32 features.
pub const WORDS: usize = 4;

/// What follows from the features that the driver has accepted.
#[derive(Bundle, Clone, Copy, Debug)]
pub struct Agreement {
    pub mode: Mode,
    /// VIRTIO_NET_F_CTRL_VQ.
    pub control: Bool,
    /// VIRTIO_F_RING_RESET.
    pub ring_reset: Bool,
}

/// Features of a word, of 32 bits: those offered to all functions, or those of the physical one beside them.
fn mask(word: usize, physical: bool) -> Bits {
    let of_word = FEATURES.iter().filter(|it| it.physical == physical && it.bit / 32 == word);
    let mask = of_word.fold(0, |mask, it| mask | 1u128 << (it.bit % 32));
    lit(mask, 32)
}

/// The features of a word that are offered; `physical`: to a function that has virtual ones.
pub fn offered(word: Bits, physical: Bool) -> Bits {
    let words: Vec<Bits> =
        (0..WORDS).map(|at| mask(at, false) | (mask(at, true) & physical.bits().repeat(32))).collect();
    select(&words, word)
}

/// Whether a word of accepted features cannot be agreed on: something is not offered, or not with what it needs, or
/// something that is required is missing.
pub fn refuses(word: Bits, accepted: Bits, physical: Bool) -> Bool {
    let is_not_offered = (accepted & !offered(word, physical)).any();
    let needs = FEATURES.iter().flat_map(|it| it.needs.iter().map(move |needed| (it.bit, *needed)));
    let lacks = needs.map(|(bit, needed)| {
        require(bit / 32 == needed / 32, || format!("features {bit} and {needed} are not of one word"));
        word.eq(bit / 32) & accepted.bit(bit % 32) & !accepted.bit(needed % 32)
    });
    let misses = REQUIRED.iter().map(|bit| word.eq(bit / 32) & !accepted.bit(bit % 32));
    is_not_offered | any_of(lacks) | any_of(misses)
}

/// Takes over what a word of accepted features says.
pub fn agree(agreement: &Agreement, word: Bits, accepted: Bits) {
    let Agreement { mode, control, ring_reset } = agreement;
    let flags = [
        (features::RING_PACKED, mode.packed),
        (features::EVENT_IDX, mode.event_index),
        (features::INDIRECT_DESC, mode.indirect),
        (features::IN_ORDER, mode.in_order),
        (features::NOTIFICATION_DATA, mode.notification_data),
        (features::MRG_RXBUF, mode.mergeable),
        (features::CSUM, mode.checksum),
        (features::GUEST_CSUM, mode.guest_checksum),
        (features::CTRL_RX, mode.control_receive),
        (features::CTRL_VLAN, mode.control_vlan),
        (features::CTRL_MAC_ADDR, mode.control_address),
        (features::GUEST_ANNOUNCE, mode.announce),
        (features::MQ, mode.multiqueue),
        (features::MTU, mode.mtu),
        (features::CTRL_VQ, *control),
        (features::RING_RESET, *ring_reset),
    ];
    for (bit, flag) in flags {
        when(word.eq(bit / 32), || flag.set(accepted.bit(bit % 32)));
    }
}
