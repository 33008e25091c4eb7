//! What the manager and the control queue say of the device configuration, until its turn comes.

use super::{
    RegistersIo,
    state::{DeviceRow, OwnAddress},
};
use crate::{config::Config, pcie::configuration::function_bits};
use hdl::*;

/// What was said last, and whether it waits.
pub(super) struct Said {
    pub row: DeviceRow,
    pub row_waits: Bool,
    pub address: OwnAddress,
    pub address_waits: Bool,
    pub announcer: Bits,
    pub announcer_waits: Bool,
}

/// Keeps what is said; `ends`: the task for the row, the address, the announcement is done.
#[hdl]
pub(super) fn said(config: &Config, io: &RegistersIo, ends: [Bool; 3]) -> Said {
    let keep = |comes: Bool, ends: Bool| {
        let waits = reg(flag());
        when(ends, || waits.set(false));
        when(comes, || waits.set(true));
        waits
    };
    let row_waits = keep(io.device.valid, ends[0]);
    let address_waits = keep(io.mac.valid, ends[1]);
    let announcer_waits = keep(io.announced.valid, ends[2]);
    let row = reg_without_reset(DeviceRow::ty(config));
    let address = reg_without_reset(OwnAddress::ty(config));
    let announcer = reg_without_reset(bits(function_bits(config)));
    when(io.device.valid, || row.set(io.device.payload));
    when(io.mac.valid, || address.set(io.mac.payload));
    when(io.announced.valid, || announcer.set(io.announced.payload));
    Said { row, row_waits, address, address_waits, announcer, announcer_waits }
}

impl Said {
    /// The words of the device configuration by the lower bits of their numbers, with the bytes that are theirs; the address is
    /// that of the manager, or the driver's.
    pub(super) fn word(&self, number: Bits, is_row: Bool) -> (Bits, Bits) {
        let mac = cat(Bits::from(is_row.mux(self.row.mac, self.address.mac)).chunks(8));
        let [mac_low, mac_high] = [mac.trunc(32), mac.slice(32, 16).zext(32)];
        let words = [
            (mac_low, 15),
            (mac_high, 3),
            (cat([self.row.allowed_mtu(), lit(0, 16)]), 12),
            (self.row.speed.into(), 15),
            (Bits::from(self.row.duplex).zext(32), 1),
            (lit(0, 32), 0),
            (mac_low, 15),
            (mac_high, 3),
        ];
        let (words, lanes): (Vec<Bits>, Vec<Bits>) =
            words.into_iter().map(|(word, lanes)| (word, lit(lanes, 4))).unzip();
        (select(&words, number), select(&lanes, number))
    }
}
