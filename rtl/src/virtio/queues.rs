//! Which queue is which.

use crate::{config::Config, pcie::configuration::function_bits};
use hdl::*;

/// Queues of a network function: receiving and transmitting ones in turn, then the control queue (virtio 5.1.2).
pub fn queues(config: &Config) -> usize {
    2 * config.pairs + 1
}

/// Bits of a queue's slot.
pub fn slot_bits(config: &Config) -> usize {
    clog2(queues(config))
}

/// Bits of a queue's number among those of all functions.
pub fn queue_bits(config: &Config) -> usize {
    function_bits(config) + slot_bits(config)
}

/// Numbers of queues, with those that there are not.
pub fn queue_count(config: &Config) -> usize {
    1 << queue_bits(config)
}

/// A queue of a function. Slots are numbered as virtio does where all pairs are in use: the control queue is always the last,
/// whatever number the driver has for it.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct Queue {
    #[ty(bits(slot_bits(config)))]
    pub slot: Bits,
    #[ty(bits(function_bits(config)))]
    pub function: Bits,
}

impl Queue {
    /// Its number: the function above the slot.
    pub fn number(&self) -> Bits {
        cat([self.function, self.slot])
    }

    pub fn is_control(&self) -> Bool {
        self.slot.bit(self.slot.width() - 1)
    }

    /// It is one that the device transmits from.
    pub fn is_transmit(&self) -> Bool {
        self.slot.bit(0)
    }

    pub fn is_receive(&self) -> Bool {
        !self.is_control() & !self.is_transmit()
    }
}
