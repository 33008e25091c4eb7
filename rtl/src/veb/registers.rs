//! The registers of the bridge, on a simple bus.

use super::{
    mac_table::{Change, Key, Outcome},
    types::Reason,
    vlan_table::Members,
};
use crate::config::Config;
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
    /// and in bits 3:1 the [`super::Outcome`] of the last.
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
    #[input]
    #[ty(vec![bits(32); Reason::COUNTED.len()])]
    pub dropped_count: Vec<Bits>,
    #[input]
    #[ty(vec![bits(32); config.ports()])]
    pub queue_full_count: Vec<Bits>,
    #[input]
    #[ty(bits(config.cell_count_bits()))]
    pub free_count: Bits,
}

#[derive(HwEnum, Clone, Copy)]
enum State {
    Idle,
    /// The MAC table is asked for a change.
    ChangeMac,
    /// The MAC table works on it.
    AwaitMac,
    /// The VLAN table is asked for a change.
    ChangeVlan,
}

/// Decodes accesses, holds the operands, and hands commands to the tables.
///
/// An access takes two cycles: one to decode, one to answer. While a response waits, no request is taken. Commands run
/// on their own; COMMAND tells when they are done. It reads busy after reset until both tables are clear.
#[hdl]
pub fn registers(config: &Config) -> RegistersIo {
    let name = format!("veb_registers_{}_{}", config.ports(), config.cells);
    module(name, RegistersIo::ty(config), |io| {
        let ports = config.ports();
        let low = ports.min(32);

        let state = reg_enum(State::Idle);
        let outcome = reg_enum(Outcome::Done);
        /// Both tables have cleared themselves.
        let tables_clear = reg(flag());
        let default_ports = reg(bits(ports));
        let mac = reg(U::<48>::ty());
        let vid = reg(U::<12>::ty());
        let operand_ports = reg(bits(ports));
        let pvids = reg_init(vec![lit(1, 12).as_u::<12>(); ports]);
        let delete = reg(flag());
        let busy = !state.is(State::Idle) | !tables_clear;

        let key = Key { vid, mac };
        io.mac_change.valid.set(state.is(State::ChangeMac));
        io.mac_change.payload.set(Change { delete, key, ports: operand_ports });
        io.vlan_change.valid.set(state.is(State::ChangeVlan));
        io.vlan_change.payload.set(Members { vid, ports: operand_ports });
        when(io.mac_change.ready & io.vlan_change.ready, || tables_clear.set(true));
        state.cases(|s| match s {
            State::Idle => {}
            State::ChangeMac => {
                when(io.mac_change.ready, || state.set(State::AwaitMac));
            }
            State::AwaitMac => {
                when(io.mac_outcome.valid, || {
                    outcome.set(io.mac_outcome.payload);
                    state.set(State::Idle);
                });
            }
            State::ChangeVlan => {
                when(io.vlan_change.ready, || {
                    outcome.set(Outcome::Done);
                    state.set(State::Idle);
                });
            }
        });

        let answered = reg(flag());
        let response = reg_without_reset(Response::ty());
        io.request.ready.set(!answered | io.response.ready);
        when(io.response.ready, || answered.set(false));
        let access = io.request.fire();
        let Request { write, address: at, data } = io.request.payload;

        // Each register: what it reads, and what a write does. One that cannot be written is read-only.
        let zext = |value: Bits| value.zext(32);
        let vector = |value: Bits| {
            let high = if ports > 32 { zext(value.slice(32, ports - 32)) } else { lit(0, 32) };
            (zext(value.trunc(low)), high)
        };
        let write_low = |target: Bits| target.slice(0, low).set(data.trunc(low));
        let write_high = |target: Bits| {
            if ports > 32 {
                target.slice(32, ports - 32).set(data.trunc(ports - 32));
            }
        };
        let (default_low, default_high) = vector(default_ports);
        let (operand_low, operand_high) = vector(operand_ports);
        let status = cat([outcome.bits(), busy.bits()]);

        let value = wire(bits(32));
        let known = wire(flag());
        let refused = wire(flag());
        value.set(0);
        known.set(true);
        refused.set(false);
        let read_only = |what: Bits| {
            value.set(what);
            refused.set(write);
        };
        let writable = |what: Bits, on_write: &dyn Fn()| {
            value.set(what);
            when(access & write, on_write);
        };
        let mac_high = zext(cat([vid.trunc(12), mac.slice(32, 16)]));
        let set_mac_high = || {
            mac.slice(32, 16).set(data.trunc(16));
            vid.set(data.slice(16, 12).as_u());
        };
        let command = || {
            value.set(zext(status));
            refused.set(write & busy);
            when(access & write & !busy, || {
                switch(*data)
                    .case(command::INSERT as u128, || {
                        delete.set(false);
                        state.set(State::ChangeMac);
                    })
                    .case(command::DELETE as u128, || {
                        delete.set(true);
                        state.set(State::ChangeMac);
                    })
                    .case(command::MEMBERS as u128, || state.set(State::ChangeVlan))
                    .default(|| outcome.set(Outcome::BadCommand));
            });
        };
        let mut table: Vec<(u16, Box<dyn Fn()>)> = vec![
            (address::ID, Box::new(|| read_only(lit(ID, 32)))),
            (address::PORTS, Box::new(|| read_only(lit(ports, 32)))),
            (address::DEFAULT_LO, Box::new(|| writable(default_low, &|| write_low(default_ports)))),
            (address::DEFAULT_HI, Box::new(|| writable(default_high, &|| write_high(default_ports)))),
            (address::MAC_LO, Box::new(|| writable(mac.trunc(32), &|| mac.slice(0, 32).set(data)))),
            (address::MAC_HI, Box::new(|| writable(mac_high, &set_mac_high))),
            (address::PORTS_LO, Box::new(|| writable(operand_low, &|| write_low(operand_ports)))),
            (address::PORTS_HI, Box::new(|| writable(operand_high, &|| write_high(operand_ports)))),
            (address::COMMAND, Box::new(command)),
            (address::FREE_CELLS, Box::new(|| read_only(zext(io.free_count)))),
            (address::CELLS, Box::new(|| read_only(lit(config.cells, 32)))),
        ];
        for (i, &pvid) in pvids.iter().enumerate() {
            let body = move || writable(zext(*pvid), &|| pvid.set(data.trunc(12).as_u()));
            table.push((address::pvid(i), Box::new(body)));
        }
        for (i, &count) in io.queue_full_count.iter().enumerate() {
            table.push((address::queue_full(i), Box::new(move || read_only(count))));
        }
        for (i, &count) in io.dropped_count.iter().enumerate() {
            table.push((address::dropped(i), Box::new(move || read_only(count))));
        }
        let decode = table.iter().fold(switch(*at), |decode, (at, body)| decode.case(*at as u128, body));
        decode.default(|| known.set(false));

        let error = !known | refused;
        when(access, || {
            answered.set(true);
            response.error.set(error);
            let data = (write | error).mux(lit(0, 32), value);
            response.data.set(data.as_u());
        });
        io.response.valid.set(answered);
        io.response.payload.set(response);
        io.pvids.iter().zip(&pvids).for_each(|(port, pvid)| port.set(*pvid));
        io.default_ports.set(default_ports);
        io.response.assert_stable();
        io.mac_change.assert_stable();
        io.vlan_change.assert_stable();
    })
}
