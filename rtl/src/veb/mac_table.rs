//! The exact-match table of (VID, MAC address).

use super::rows::{Operation, Outcome};
use crate::{config::Config, prim};
use hdl::*;

/// Entries that one hash value can have.
pub const WAYS: usize = 4;

/// What is looked up.
#[derive(Bundle, Clone, Copy)]
pub struct Key {
    /// 0 in entries for any VLAN.
    pub vid: U<12>,
    pub mac: U<48>,
}

/// A stored entry.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Entry {
    used: Bool,
    key: Key,
    #[ty(bits(config.ports()))]
    ports: Bits,
}

/// A row of the table MAC, under the names of its fields.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct MacRow {
    pub mac: U<48>,
    pub vid: U<12>,
    #[ty(bits(config.ports()))]
    pub ports: Bits,
}

/// A command for the table.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct Command {
    /// Insert, delete or look up.
    pub operation: Enum<Operation>,
    /// Its ports are for an entry that is inserted.
    #[ty(MacRow::ty(config))]
    pub row: MacRow,
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct MacTableIo {
    /// Lookups move on by one stage in this cycle.
    #[input]
    pub advance: Bool,
    #[input]
    pub key: Key,
    /// The ports of the entry that the key of four advances ago has; 0 without one.
    #[output]
    #[ty(bits(config.ports()))]
    pub ports: Bits,
    /// Each is answered by one `outcome`. While one is under way there is no lookup in the four stages. Not ready while
    /// the table clears itself after reset.
    #[input]
    #[ty(Stream::ty(Command::ty(config)))]
    pub command: Stream<Command>,
    /// With it `ports` are those of the entry that was looked up.
    #[output]
    pub outcome: Valid<Enum<Outcome>>,
    /// The table has cleared itself.
    #[output]
    pub clear: Bool,
}

#[derive(HwEnum, Clone, Copy)]
enum State {
    /// Empties all sets, one in each cycle.
    Clear,
    Idle,
    /// Finds the set of the key.
    Hash,
    /// Reads the entries of the key.
    Read,
    /// Compares them with the key.
    Compare,
    /// Finds the entry of the key, or a free one.
    Match,
    /// Writes it, and answers.
    Write,
}

/// A hashed table of `config.entries` entries, four for each hash value. A lookup takes four advances, one can
/// start in each; commands borrow the lookups' stages when these are empty.
///
/// ```text
///  key ──► hash ──► 4 ways (block RAM) ──► equal, 2 bits at a time ──► all equal ──► ports
///  command ──► key ▲                                                              └──► way to write
/// ```
///
/// After reset the table clears itself in `entries / 4` cycles. A change is one write: a lookup sees all of the old
/// entry or all of the new. A key whose four entries are in use finds no room; nothing is moved to make some.
#[hdl]
pub fn mac_table(config: &Config) -> MacTableIo {
    let sets = config.entries / WAYS;
    let name = format!("veb_mac_table_{}x{}", config.entries, config.ports());
    module(name, MacTableIo::ty(config), |io| {
        let set_bits = clog2(sets);
        let entry = Entry::ty(config);
        let ways: Vec<Mem<Entry>> = (0..WAYS)
            .map(|_| {
                let way = mem(entry, sets, Collision::Undefined);
                way
            })
            .collect();

        let state = reg_enum(State::Clear);
        let clearing = reg(bits(set_bits));
        let command = reg_without_reset(Command::ty(config));
        let command_key = Key { vid: command.row.vid, mac: command.row.mac };
        let commanded = any_of([State::Hash, State::Read, State::Compare, State::Match].map(|s| state.is(s)));
        let advance = io.advance | commanded;

        // Hash.
        let hashed = reg_without_reset(Key::ty());
        let set = reg_without_reset(bits(set_bits));
        when(advance, || {
            let key = commanded.mux(command_key, io.key);
            hashed.set(key);
            set.set(prim::xor_fold(key.pack(), set_bits));
        });

        // Read.
        let wanted = reg_without_reset(Key::ty());
        let found: Vec<Entry> = ways.iter().map(|way| way.read_if(advance, set)).collect();
        when(advance, || wanted.set(hashed));

        // Compare.
        let equal = reg_without_reset(vec![bits(wanted.size() / 2); WAYS]);
        let used = reg_without_reset(vec![flag(); WAYS]);
        let ports = reg_without_reset(vec![bits(config.ports()); WAYS]);
        when(advance, || {
            for way in 0..WAYS {
                let pairs = found[way].key.pack().chunks(2).into_iter().zip(wanted.pack().chunks(2));
                equal[way].set(vector(pairs.map(|(stored, wanted)| stored.eq(wanted))));
                used[way].set(found[way].used);
                ports[way].set(found[way].ports);
            }
        });

        // Match.
        let hits = vector((0..WAYS).map(|way| used[way] & equal[way].all()));
        let matched = reg_without_reset(bits(config.ports()));
        when(advance, || {
            let of_way = |way: usize| ports[way] & hits.bit(way).bits().repeat(config.ports());
            matched.set((1..WAYS).fold(of_way(0), |all, way| all | of_way(way)));
        });
        io.ports.set(matched);

        // Commands.
        let target = reg_without_reset(bits(WAYS));
        let is_lookup = reg_without_reset(flag());
        let possible = reg_without_reset(flag());
        let has_entry = hits.any();
        let free_ways = !vector(used.clone());
        let inserts = command.operation.is(Operation::Insert);
        io.command.ready.set(state.is(State::Idle));
        let clear = state.is(State::Clear);
        io.clear.set(!clear);
        let write = state.is(State::Write) & possible & !is_lookup;
        let changed = Entry { used: inserts, key: command_key, ports: command.row.ports };
        let stored = clear.mux(entry.zero(), changed);
        let address = clear.mux(clearing, set);
        for (way, memory) in ways.iter().enumerate() {
            when(clear | (write & target.bit(way)), || memory.write(address, stored));
        }

        when(possible, || io.outcome.payload.set(Outcome::Done))
            .elsewhen(inserts, || io.outcome.payload.set(Outcome::NoRoom))
            .otherwise(|| io.outcome.payload.set(Outcome::NotFound));
        io.outcome.valid.set(state.is(State::Write));

        state.cases(|s| match s {
            State::Clear => {
                clearing.set(clearing + 1);
                when(clearing.all(), || state.set(State::Idle));
            }
            State::Idle => {
                when(io.command.valid, || {
                    command.set(io.command.payload);
                    state.set(State::Hash);
                });
            }
            State::Hash => state.set(State::Read),
            State::Read => state.set(State::Compare),
            State::Compare => state.set(State::Match),
            State::Match => {
                target.set(has_entry.mux(hits, prim::first_one(free_ways)));
                is_lookup.set(command.operation.is(Operation::Lookup));
                possible.set(has_entry | (free_ways.any() & inserts));
                state.set(State::Write);
            }
            State::Write => state.set(State::Idle),
        });
    })
}
