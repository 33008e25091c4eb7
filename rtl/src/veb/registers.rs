//! The registers of the bridge, on a simple bus.

use super::{
    mac_table::{Change, Key, Outcome},
    types::Reason,
    vlan_table::Members,
};
use crate::{config::Config, prim};
use hdl::*;

/// Addresses, in bytes. All registers have 32 bits.
pub mod address {
    /// Reads [`super::ID`].
    pub const ID: u16 = 0x0000;
    /// Reads the number of ports.
    pub const PORTS: u16 = 0x0004;
    /// Where unicast frames go whose address has no entry: ports 31:0 and 63:32, a bit each.
    pub const DEFAULT_LO: u16 = 0x0008;
    pub const DEFAULT_HI: u16 = 0x000c;
    /// Operand of commands: bits 31:0 of the MAC address, whose first byte on the wire is its bits 47:40.
    pub const MAC_LO: u16 = 0x0010;
    /// Operand: bits 47:32 of the MAC address in 15:0, VID in 27:16.
    pub const MAC_HI: u16 = 0x0014;
    /// Operand: ports 31:0 and 63:32, a bit each.
    pub const PORTS_LO: u16 = 0x0018;
    pub const PORTS_HI: u16 = 0x001c;
    /// Writing starts one of [`super::command`]; an error while one is under way. Reading tells in bit 0 whether one is,
    /// and in bits 2:1 the [`super::Outcome`] of the last.
    pub const COMMAND: u16 = 0x0020;
    /// VID of untagged frames of a port, 12 bits; 1 after reset.
    pub const fn pvid(port: usize) -> u16 {
        0x0100 + 4 * port as u16
    }
    /// Reads how many copies were dropped because the queue of a port was full.
    pub const fn queue_full(port: usize) -> u16 {
        0x0200 + 4 * port as u16
    }
    /// Reads how many frames were dropped for a reason; its position in [`super::Reason::COUNTED`].
    pub const fn dropped(reason: usize) -> u16 {
        0x0400 + 4 * reason as u16
    }
    /// Reads the number of free cells of the packet buffer.
    pub const FREE_CELLS: u16 = 0x0480;
    /// Reads the number of cells of the packet buffer.
    pub const CELLS: u16 = 0x0484;
}

/// What ID reads: "HEM1".
pub const ID: u32 = 0x4845_4d31;

/// Commands that COMMAND starts.
pub mod command {
    /// Insert the entry (VID, MAC address) with the operand's ports, or replace its ports.
    pub const INSERT: u32 = 1;
    /// Delete the entry (VID, MAC address).
    pub const DELETE: u32 = 2;
    /// Set the members of the VLAN of the operand's VID to the operand's ports.
    pub const MEMBERS: u32 = 3;
}

/// An access.
#[derive(Bundle, Clone, Copy)]
pub struct Request {
    pub write: Bool,
    /// In bytes; bits 1:0 must be 0.
    pub address: U<16>,
    pub data: U<32>,
}

/// Its answer.
#[derive(Bundle, Clone, Copy)]
pub struct Response {
    /// What was read; 0 for a write.
    pub data: U<32>,
    /// There is no such register, it cannot be written, or a command is under way; nothing has happened.
    pub error: Bool,
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct RegistersIo {
    #[input]
    pub request: Stream<Request>,
    /// One for each request, in order.
    #[output]
    pub response: Stream<Response>,
    #[output]
    #[ty(vec![U::ty(); config.ports()])]
    pub pvids: Vec<U<12>>,
    #[output]
    #[ty(bits(config.ports()))]
    pub default_ports: Bits,
    #[output]
    #[ty(Stream::ty(Change::ty(config)))]
    pub mac_change: Stream<Change>,
    #[input]
    pub mac_outcome: Valid<Enum<Outcome>>,
    #[output]
    #[ty(Stream::ty(Members::ty(config)))]
    pub vlan_change: Stream<Members>,
    /// A frame was dropped as a whole; a pulse for each of [`Reason::COUNTED`].
    #[input]
    #[ty(bits(Reason::COUNTED.len()))]
    pub dropped: Bits,
    /// A copy was dropped at a port; a pulse for each port.
    #[input]
    #[ty(bits(config.ports()))]
    pub queue_full: Bits,
    #[input]
    #[ty(bits(config.cell_count_bits()))]
    pub free_count: Bits,
}

/// Where an access is.
#[derive(HwEnum, Clone, Copy)]
enum Access {
    Idle,
    /// The register is chosen, and written.
    Decode,
    /// The counters are read.
    Read,
    /// The response waits to be taken.
    Respond,
}

/// Where a command is.
#[derive(HwEnum, Clone, Copy)]
enum Command {
    Idle,
    /// The MAC table is asked for a change.
    ChangeMac,
    /// The MAC table works on it.
    AwaitMac,
    /// The VLAN table is asked for a change.
    ChangeVlan,
}

/// Decodes accesses, holds the operands, counts drops, and hands commands to the tables.
///
/// An access takes four cycles: to take it, to decode and write, to read the counters, to respond. Commands run on
/// their own; COMMAND tells when they are done. It reads busy after reset until both tables are clear. A drop shows in
/// its counter within two cycles more than there are counters; a counter stops at its largest value.
#[hdl]
pub fn registers(config: &Config) -> RegistersIo {
    let name = format!("veb_registers_{}_{}", config.ports(), config.cells);
    module(name, RegistersIo::ty(config), |io| {
        let ports = config.ports();
        let low = ports.min(32);

        let access = reg_enum(Access::Idle);
        let command = reg_enum(Command::Idle);
        let outcome = reg_enum(Outcome::Done);
        /// Both tables have cleared themselves.
        let tables_clear = reg(flag());
        let default_ports = reg(bits(ports));
        let mac = reg(U::<48>::ty());
        let vid = reg(U::<12>::ty());
        let operand_ports = reg(bits(ports));
        let pvids = reg_init(vec![lit(1, 12).as_u::<12>(); ports]);
        let delete = reg(flag());
        let busy = !command.is(Command::Idle) | !tables_clear;

        let key = Key { vid, mac };
        io.mac_change.valid.set(command.is(Command::ChangeMac));
        io.mac_change.payload.set(Change { delete, key, ports: operand_ports });
        io.vlan_change.valid.set(command.is(Command::ChangeVlan));
        io.vlan_change.payload.set(Members { vid, ports: operand_ports });
        when(io.mac_change.ready & io.vlan_change.ready, || tables_clear.set(true));
        command.cases(|c| match c {
            Command::Idle => {}
            Command::ChangeMac => {
                when(io.mac_change.ready, || command.set(Command::AwaitMac));
            }
            Command::AwaitMac => {
                when(io.mac_outcome.valid, || {
                    outcome.set(io.mac_outcome.payload);
                    command.set(Command::Idle);
                });
            }
            Command::ChangeVlan => {
                when(io.vlan_change.ready, || {
                    outcome.set(Outcome::Done);
                    command.set(Command::Idle);
                });
            }
        });

        let request = reg_without_reset(Request::ty());
        let response = reg_without_reset(Response::ty());
        let Request { write, address: at, data } = request;
        let decoding = access.is(Access::Decode);

        // The counters of the ports come first, then those of the reasons.
        let counters = prim::event_counters(ports + Reason::COUNTED.len(), 32);
        counters.events.set(cat([delay(io.dropped), delay(io.queue_full)]));
        counters.clear.set(false);
        let index_bits = counters.read_index.width();
        let of_reason = at.slice(2, index_bits) + ports;
        let is_of_reason = at.bit(10);
        counters.read_index.set(is_of_reason.mux(of_reason, at.slice(2, index_bits)));

        // Each register: what it reads, and what a write does.
        let zext = |value: Bits| value.zext(32);
        let halves = |value: Bits| {
            let high = if ports > 32 { zext(value.slice(32, ports - 32)) } else { lit(0, 32) };
            (zext(value.trunc(low)), high)
        };
        let set_low = |target: Bits| target.slice(0, low).set(data.trunc(low));
        let set_high = |target: Bits| {
            if ports > 32 {
                target.slice(32, ports - 32).set(data.trunc(ports - 32));
            }
        };
        let (default_low, default_high) = halves(default_ports);
        let (operand_low, operand_high) = halves(operand_ports);
        let mac_high = zext(cat([vid.trunc(12), mac.slice(32, 16)]));
        let set_mac_high = || {
            mac.slice(32, 16).set(data.trunc(16));
            vid.set(data.slice(16, 12).as_u());
        };
        let status = zext(cat([outcome.bits(), busy.bits()]));

        let value = wire(bits(32));
        let known = wire(flag());
        let refused = wire(flag());
        let is_counter = wire(flag());
        value.set(0);
        known.set(true);
        refused.set(false);
        is_counter.set(false);
        let read_only = |what: Bits| {
            value.set(what);
            refused.set(write);
        };
        let counter = || {
            is_counter.set(true);
            refused.set(write);
        };
        let writable = |what: Bits, on_write: &dyn Fn()| {
            value.set(what);
            when(decoding & write, on_write);
        };
        let start = || {
            value.set(status);
            refused.set(write & busy);
            when(decoding & write & !busy, || {
                switch(*data)
                    .case(command::INSERT as u128, || {
                        delete.set(false);
                        command.set(Command::ChangeMac);
                    })
                    .case(command::DELETE as u128, || {
                        delete.set(true);
                        command.set(Command::ChangeMac);
                    })
                    .case(command::MEMBERS as u128, || command.set(Command::ChangeVlan))
                    .default(|| outcome.set(Outcome::BadCommand));
            });
        };
        let mut table: Vec<(u16, Box<dyn Fn()>)> = vec![
            (address::ID, Box::new(|| read_only(lit(ID, 32)))),
            (address::PORTS, Box::new(|| read_only(lit(ports, 32)))),
            (address::DEFAULT_LO, Box::new(|| writable(default_low, &|| set_low(default_ports)))),
            (address::DEFAULT_HI, Box::new(|| writable(default_high, &|| set_high(default_ports)))),
            (address::MAC_LO, Box::new(|| writable(mac.trunc(32), &|| mac.slice(0, 32).set(data)))),
            (address::MAC_HI, Box::new(|| writable(mac_high, &set_mac_high))),
            (address::PORTS_LO, Box::new(|| writable(operand_low, &|| set_low(operand_ports)))),
            (address::PORTS_HI, Box::new(|| writable(operand_high, &|| set_high(operand_ports)))),
            (address::COMMAND, Box::new(start)),
            (address::FREE_CELLS, Box::new(|| read_only(zext(io.free_count)))),
            (address::CELLS, Box::new(|| read_only(lit(config.cells, 32)))),
        ];
        for (port, &pvid) in pvids.iter().enumerate() {
            let body = move || writable(zext(*pvid), &|| pvid.set(data.trunc(12).as_u()));
            table.push((address::pvid(port), Box::new(body)));
            table.push((address::queue_full(port), Box::new(counter)));
        }
        for reason in 0..Reason::COUNTED.len() {
            table.push((address::dropped(reason), Box::new(counter)));
        }
        let decode = table.iter().fold(switch(*at), |decode, (at, body)| decode.case(*at as u128, body));
        decode.default(|| known.set(false));

        let from_counter = reg_without_reset(flag());
        access.cases(|a| match a {
            Access::Idle => {
                when(io.request.valid, || {
                    request.set(io.request.payload);
                    access.set(Access::Decode);
                });
            }
            Access::Decode => {
                let error = !known | refused;
                response.error.set(error);
                response.data.set((write | error).mux(lit(0, 32), value).as_u());
                from_counter.set(is_counter & !error);
                access.set(Access::Read);
            }
            Access::Read => {
                when(from_counter, || response.data.set(counters.value.as_u()));
                access.set(Access::Respond);
            }
            Access::Respond => {
                when(io.response.ready, || access.set(Access::Idle));
            }
        });
        io.request.ready.set(access.is(Access::Idle));
        io.response.valid.set(access.is(Access::Respond));
        io.response.payload.set(response);
        io.pvids.iter().zip(&pvids).for_each(|(port, pvid)| port.set(*pvid));
        io.default_ports.set(default_ports);
        io.response.assert_stable();
        io.mac_change.assert_stable();
        io.vlan_change.assert_stable();
    })
}
