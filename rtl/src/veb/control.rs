//! The manager's registers on AXI4-Lite, and the engine that runs its commands.

use super::rows::{Operation, Outcome, RowRequest, RowResponse};
use crate::{
    axi_lite::{AxiLite, Resp},
    config::Config,
    prim,
    register_map::{
        self as map, ADDRESS_BITS, Field, MAX_PORTS, REGISTERS, Register, TABLES, WORDS,
        stored::{Stored, word},
    },
};
use hdl::*;

#[cfg(test)]
mod harness;
#[cfg(test)]
mod tests;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct ControlIo {
    /// The manager's bus. The protection attributes do not matter.
    #[input]
    #[ty(AxiLite::ty(ADDRESS_BITS))]
    pub axi: AxiLite,
    /// Operations on rows, one at a time.
    #[output]
    pub row: Stream<RowRequest>,
    /// The answer to each, in any cycle after it was taken.
    #[input]
    pub row_response: Valid<RowResponse>,
    /// The tables have cleared themselves; no command runs before this was 1 once.
    #[input]
    pub tables_clear: Bool,
    #[input]
    #[ty(bits(config.cell_count_bits()))]
    pub free_count: Bits,
    /// Bytes that rates count with each frame on top of its own.
    #[output]
    #[ty(bits(width("RATE_OVERHEAD", "bytes")))]
    pub rate_overhead: Bits,
    /// Cycles without progress after which a port counts as dead.
    #[output]
    #[ty(bits(width("STALL_CYCLES", "cycles")))]
    pub stall_cycles: Bits,
    /// Cells that are kept for frames from wires.
    #[output]
    #[ty(bits(width("RESERVE", "cells")))]
    pub reserve: Bits,
}

fn width(register: &str, field: &str) -> usize {
    map::register(register).field(field).position.width
}

/// Where an access is.
#[derive(HwEnum, Clone, Copy)]
enum Access {
    /// Waits for a read, or for both halves of a write.
    Idle,
    /// Finds the register, what it reads, and what speaks against the access.
    Decode,
    /// Writes, unless something does.
    Perform,
    /// The response waits to be taken.
    Respond,
}

/// Where a command is.
#[derive(HwEnum, Clone, Copy)]
enum Engine {
    Idle,
    /// The request waits to be taken.
    Request,
    /// The tables work on it.
    Await,
}

/// The registers of [`crate::register_map`] on an AXI4-Lite bus, and the engine that runs commands on rows of the tables.
///
/// ```text
///  aw, w, ar ─► held ─► decode ─► value, refused ─► perform ─► b, r
///                         ▲                           │
///                       state ◄───────────────────────┤ TABLE, INDEX, DATA0..5
///                         ▲                           ▼ COMMAND
///                         └── row_response ◄── .. ◄── row
/// ```
///
/// One access at a time: address and data of a write come in any order, and reads and writes take turns when both wait.
/// From the last of what an access needs to its response it takes four cycles. `SLVERR`, and no effect, for an address
/// without a register (any that is no multiple of 4 among them), a write with a strobe of which not all bits are 1, a write
/// to a read-only register, a write to TABLE, INDEX, DATA or COMMAND while a command runs, a write to TABLE or INDEX of a
/// number that does not fit its field, and a command that does not exist, is not defined for the table, has an index
/// beyond the table's rows, or comes before the tables are clear. A refused read gives 0. Other bits that belong to no
/// field are ignored.
///
/// All outputs of the bus are registers. TABLE, INDEX and DATA are the payload of `row`; they cannot change while a command
/// runs. After a read or lookup DATA holds the row of the response, whatever the outcome.
#[hdl]
pub fn control(config: &Config) -> ControlIo {
    require(config.ports() <= MAX_PORTS, || {
        format!("{} ports, the row of a table holds {MAX_PORTS}", config.ports())
    });
    module(format!("veb_control_{}", config.name), ControlIo::ty(config), |io| {
        let axi = io.axi;

        // Each channel towards us has one place; it is free while its `ready` is 1.
        let awready = reg_flag(true);
        let awaddr = reg_without_reset(axi.awaddr);
        let wready = reg_flag(true);
        let wdata = reg_without_reset(bits(32));
        /// All bytes of the word are to be written.
        let whole = reg_without_reset(flag());
        let arready = reg_flag(true);
        let araddr = reg_without_reset(axi.araddr);
        when(axi.awvalid & awready, || {
            awready.set(false);
            awaddr.set(axi.awaddr);
        });
        when(axi.wvalid & wready, || {
            wready.set(false);
            wdata.set(axi.wdata);
            whole.set(axi.wstrb.all());
        });
        when(axi.arvalid & arready, || {
            arready.set(false);
            araddr.set(axi.araddr);
        });

        let access = reg_enum(Access::Idle);
        let write = reg(flag());
        let address = reg_without_reset(bits(ADDRESS_BITS));
        let value = reg(bits(32));
        let refused = reg(flag());
        let bvalid = reg(flag());
        let rvalid = reg(flag());

        let writable = REGISTERS.iter().filter(|register| register.access == map::Access::ReadWrite);
        let mut stored = vec![];
        stored.extend(writable.map(Stored::new));
        let field = |register: &str, field: &str| {
            let register = stored.iter().find(|stored| stored.register.name == register);
            let fields = &register.expect("a register that can be written").fields;
            fields.iter().find(|(known, _)| known.name == field).expect("a field of it").1
        };
        let data: Vec<Bits> = (0..WORDS).map(|word| field(&format!("DATA{word}"), "data")).collect();
        let (table, index) = (field("TABLE", "table"), field("INDEX", "index"));

        let engine = reg_enum(Engine::Idle);
        let operation = reg_init(Operation::Write.to_enum());
        let outcome = reg_enum(Outcome::Done);
        /// The tables were clear once.
        let usable = reg(flag());
        when(io.tables_clear, || usable.set(true));
        let running = !engine.is(Engine::Idle);
        let busy = running | !usable;

        // What COMMAND may say for TABLE and INDEX as they are, a cycle late: an access that changes them takes longer.
        let code = width("COMMAND", "command");
        let allowed = reg_without_reset(bits(1 << code));
        allowed.set(0);
        for entry in TABLES {
            let in_range = match entry.rows.map(|rows| rows(config)) {
                Some(rows) if rows < 1 << index.width() => index.lt(rows),
                _ => true.to_bool(),
            };
            let known = entry.operations.iter().map(|operation| 1u128 << *operation as u8).sum::<u128>();
            when(table.eq(entry.number()) & in_range, || allowed.set(known));
        }

        // What the registers read that cannot be written.
        let read_only = |register: &str, field: &Field| {
            let value = match (register, field.name) {
                ("ID" | "VERSION", _) => lit(field.reset.unwrap_or(0), field.position.width),
                ("PORTS", "ports") => lit(config.ports(), field.position.width),
                ("PORTS", "wires") => lit(config.wires, field.position.width),
                ("ENTRIES", _) => lit(config.entries, field.position.width),
                ("CELLS", _) => lit(config.cells, field.position.width),
                ("CELL_BYTES", _) => lit(config.cell_bytes(), field.position.width),
                ("FREE_CELLS", _) => io.free_count,
                ("STATUS", "busy") => busy.bits(),
                ("STATUS", "outcome") => outcome.bits(),
                ("COMMAND", _) => lit(0, field.position.width),
                (register, field) => unreachable!("nothing gives {register}.{field}"),
            };
            (*field, value.zext(field.position.width))
        };
        let reads = |register: &Register| match stored.iter().find(|s| s.register.name == register.name) {
            Some(stored) => word(&stored.fields),
            None => word(&register.fields.iter().map(|f| read_only(register.name, f)).collect::<Vec<_>>()),
        };

        // What the access in Decode comes to. A bit for each register, at most one of them 1, is smaller than a `case`; the
        // words of the row stand where three bits of the address number them.
        let chosen = vector(REGISTERS.iter().map(|register| address.eq(register.offset)));
        let is_data = |register: &Register| register.name.starts_with("DATA");
        let first = REGISTERS.iter().take_while(|register| !is_data(register)).count();
        let others = REGISTERS.iter().map(|register| match is_data(register) {
            true => lit(0, 32),
            false => reads(register),
        });
        let other = prim::onehot_select(&others.collect::<Vec<_>>(), chosen);
        let data_chosen = chosen.slice(first, WORDS).any();
        let found = other | data_chosen.mux(select(&data, address.slice(2, clog2(WORDS))), lit(0, 32));
        let command_fits = !wdata.slice(code, 32 - code).any() & allowed.at(wdata.trunc(code));
        let fits = |register: &Register| {
            let used = register.fields[0].position.width;
            !wdata.slice(used, 32 - used).any()
        };
        let takes = |register: &Register| match (register.name, register.access) {
            (_, map::Access::ReadOnly) => false.to_bool(),
            ("COMMAND", _) => !busy & command_fits,
            ("TABLE" | "INDEX", _) => !running & fits(register),
            _ if register.locked => !running,
            _ => true.to_bool(),
        };
        let takes_data = vector(REGISTERS.iter().map(takes));
        let accepted = write.mux((chosen & takes_data).any() & whole, chosen.any());

        // The command engine; a command starts only while it is idle.
        engine.cases(|e| match e {
            Engine::Idle => {}
            Engine::Request => {
                when(io.row.ready, || engine.set(Engine::Await));
            }
            Engine::Await => {
                when(io.row_response.valid, || {
                    outcome.set(io.row_response.payload.outcome);
                    engine.set(Engine::Idle);
                });
            }
        });
        let brings_row = operation.is(Operation::Read) | operation.is(Operation::Lookup);
        let row_comes = engine.is(Engine::Await) & io.row_response.valid & brings_row;

        // Accesses.
        let write_waits = !awready & !wready;
        let read_waits = !arready;
        access.cases(|a| match a {
            Access::Idle => {
                // `write` still tells what the last access was: the other kind has its turn.
                let takes_write = write_waits & !(read_waits & write);
                when(write_waits | read_waits, || {
                    write.set(takes_write);
                    address.set(takes_write.mux(awaddr, araddr));
                    access.set(Access::Decode);
                });
            }
            Access::Decode => {
                value.set(found);
                refused.set(!accepted);
                access.set(Access::Perform);
            }
            Access::Perform => {
                when(write, || {
                    awready.set(true);
                    wready.set(true);
                    bvalid.set(true);
                })
                .otherwise(|| {
                    arready.set(true);
                    rvalid.set(true);
                });
                access.set(Access::Respond);
            }
            Access::Respond => {
                when(write.mux(axi.bready, axi.rready), || {
                    bvalid.set(false);
                    rvalid.set(false);
                    access.set(Access::Idle);
                });
            }
        });
        let writes = chosen & (access.is(Access::Perform) & write & !refused).bits().repeat(REGISTERS.len());
        for (position, register) in REGISTERS.iter().enumerate() {
            let writes = writes.bit(position);
            match stored.iter().find(|stored| stored.register.name == register.name) {
                Some(stored) if !is_data(register) => {
                    when(writes, || stored.set(wdata));
                }
                _ if register.access == map::Access::Command => {
                    when(writes, || {
                        operation.set(operation.unpack(wdata.trunc(code)));
                        engine.set(Engine::Request);
                    });
                }
                _ => {}
            }
        }
        let row = io.row_response.payload.data.chunks(32);
        for ((word, new), writes) in data.iter().zip(row).zip(writes.slice(first, WORDS).to_bools()) {
            when(writes | row_comes, || word.set(row_comes.mux(new, wdata)));
        }

        axi.awready.set(awready);
        axi.wready.set(wready);
        axi.arready.set(arready);
        let resp = refused.mux(Resp::SlvErr.to_enum(), Resp::Okay.to_enum());
        axi.bvalid.set(bvalid);
        axi.bresp.set(resp);
        axi.rvalid.set(rvalid);
        axi.rdata.set(value.as_u());
        axi.rresp.set(resp);
        Stream { valid: bvalid, ready: axi.bready, payload: resp }.assert_stable();
        Stream { valid: rvalid, ready: axi.rready, payload: [resp.bits(), value] }.assert_stable();

        io.row.valid.set(engine.is(Engine::Request));
        let row = cat(data.iter().rev().copied());
        let table = io.row.payload.table.unpack(table);
        io.row.payload.set(RowRequest { operation, table, index: index.as_u(), data: row.as_u() });
        io.row.assert_stable();
        io.rate_overhead.set(field("RATE_OVERHEAD", "bytes"));
        io.stall_cycles.set(field("STALL_CYCLES", "cycles"));
        io.reserve.set(field("RESERVE", "cells"));
    })
}
