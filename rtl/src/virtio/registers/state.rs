//! What is kept of functions and queues, and what is being done.

use super::negotiation::Agreement;
use crate::{
    config::{Config, MAX_FRAME},
    pcie::configuration::function_bits,
};
use hdl::*;

/// The MTU of a function of which the manager has said nothing.
pub const DEFAULT_MTU: usize = 1500;

/// No MTU is less (5.1.4.1).
const LEAST_MTU: usize = 68;

/// Whatever is not longer is forwarded: the bridge's longest frame, without its Ethernet header and two tags.
const LARGEST_MTU: usize = MAX_FRAME - 22;

/// What the manager says of a function.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct DeviceRow {
    #[ty(bits(function_bits(config)))]
    pub function: Bits,
    /// The first byte is the most significant. Counts unless the driver sets another one, until the next reset.
    pub mac: U<48>,
    /// Below 68 counts as 68, above 9600 as 9600 (5.1.4.1). Not to be changed while there is a driver.
    pub mtu: U<16>,
    /// In Mb/s, or all ones.
    pub speed: U<32>,
    /// 1 full, 0 half, 255 unknown.
    pub duplex: U<8>,
    pub link_up: Bool,
    /// The driver is asked to announce itself, if it can (VIRTIO_NET_F_GUEST_ANNOUNCE).
    pub announce: Bool,
}

impl DeviceRow {
    /// The MTU that the driver reads.
    pub fn allowed_mtu(&self) -> Bits {
        let mtu = Bits::from(self.mtu);
        let most = lit(LARGEST_MTU, 16);
        mtu.lt(LEAST_MTU).mux(lit(LEAST_MTU, 16), mtu.gt(LARGEST_MTU).mux(most, mtu))
    }
}

/// The driver set the function's address.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct OwnAddress {
    #[ty(bits(function_bits(config)))]
    pub function: Bits,
    /// The first byte is the most significant.
    pub mac: U<48>,
}

/// What is kept of a function beside its words.
#[derive(Bundle, Clone, Copy)]
pub(super) struct FunctionState {
    pub(super) acknowledge: Bool,
    pub(super) driver: Bool,
    pub(super) driver_ok: Bool,
    pub(super) features_ok: Bool,
    pub(super) needs_reset: Bool,
    pub(super) failed: Bool,
    /// The driver has set an address.
    pub(super) own_address: Bool,
    pub(super) link_up: Bool,
    pub(super) announce: Bool,
    /// The device configuration has changed since it was read.
    pub(super) changed: Bool,
    pub(super) generation: U<8>,
    pub(super) agreed: Agreement,
}

/// What is kept of a queue beside its words.
#[derive(Bundle, Clone, Copy)]
pub(super) struct QueueState {
    pub(super) enabled: Bool,
    pub(super) broken: Bool,
    /// It is to be drained.
    pub(super) drains: Bool,
    /// The driver is resetting it.
    pub(super) resets: Bool,
}

impl QueueState {
    /// Its doorbells count, and its faults.
    pub(super) fn lives(&self) -> Bool {
        self.enabled & !self.broken & !self.drains
    }
}

/// A word that is about to be written to a memory.
#[derive(Bundle, Clone, Copy)]
#[ty(address_bits: usize)]
pub(super) struct Put {
    pub(super) valid: Bool,
    #[ty(bits(address_bits))]
    pub(super) address: Bits,
    pub(super) data: U<32>,
    pub(super) lanes: U<4>,
}

#[derive(HwEnum, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Idle,
    /// What is to be read first is found out.
    Decode,
    /// The words are read.
    Read,
    Wait,
    /// Of an access: the selector has come, and says which words are meant.
    Locate,
    /// They have come.
    Merge,
    /// A word of accepted features has come.
    Check,
    /// What changes is written, and the access is answered.
    Commit,
    /// Each queue of a function that begins to live is told the mode, and rings if it is enabled.
    Ring,
    /// A word of the device configuration has come, and is written if it changes.
    Update,
    /// The vector of an interrupt has come.
    Send,
    /// The words of a queue, or of a function, are cleared, one by one.
    Wipe,
    /// The task ends.
    Mark,
}

#[derive(HwEnum, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    Access,
    Drained,
    Fault,
    Device,
    Address,
    Announced,
    Interrupt,
}

/// In the order of the requests of the arbiter; an access waits for one of them at most.
pub(super) const TASKS: [Task; 6] =
    [Task::Drained, Task::Fault, Task::Device, Task::Address, Task::Announced, Task::Interrupt];
