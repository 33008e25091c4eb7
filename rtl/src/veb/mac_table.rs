//! The exact-match table of (VID, MAC address).

use crate::{config::Config, prim};
use hdl::*;

/// Entries that one hash value can have.
pub const WAYS: usize = 4;

/// What is looked up.
#[derive(Bundle, Clone, Copy)]
pub struct Key {
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

/// A change of the table.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct Change {
    /// Remove the entry of this key; otherwise insert it, or replace its ports.
    pub delete: Bool,
    pub key: Key,
    #[ty(bits(config.ports()))]
    pub ports: Bits,
}

/// How a change ended; the encoding is that of the register COMMAND.
#[derive(HwEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// All entries that the key could have are in use.
    NoRoom,
    /// There is no entry to delete.
    NotFound,
    /// There is no such command.
    BadCommand,
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct MacTableIo {
    /// Lookups move on by one stage in this cycle.
    #[input]
    pub advance: Bool,
    #[input]
    pub key: Key,
    /// The key of four advances ago has an entry.
    #[output]
    pub hit: Bool,
    /// The ports of that entry; 0 without one.
    #[output]
    #[ty(bits(config.ports()))]
    pub ports: Bits,
    /// Changes; each is answered by one `outcome`.
    #[input]
    #[ty(Stream::ty(Change::ty(config)))]
    pub change: Stream<Change>,
    #[output]
    pub outcome: Valid<Enum<Outcome>>,
    /// No lookup may be in the four stages but those that were there when this rose: the table clears itself after
    /// reset, or a change is under way.
    #[output]
    pub busy: Bool,
    /// There is no lookup in the four stages.
    #[input]
    pub quiet: Bool,
}

#[derive(HwEnum, Clone, Copy)]
enum State {
    /// Empties all sets, one in each cycle.
    Clear,
    Idle,
    /// Lets lookups finish.
    Drain,
    /// Finds the set of the key.
    Hash,
    /// Reads the entries of the key.
    Read,
    /// Compares them with the key.
    Compare,
    /// Finds the entry of the key, or a free one.
    Match,
    /// Writes it.
    Write,
}

/// A hashed table of `config.entries` entries, four for each hash value. A lookup takes four advances, one can
/// start in each; changes borrow the lookups' stages when these are empty.
///
/// ```text
///  key ──► hash ──► 4 ways (block RAM) ──► equal, 2 bits at a time ──► all equal ──► hit, ports
///  change ──► key ▲                                                              └──► way to write
/// ```
///
/// After reset the table is busy for `entries / 4` cycles while it clears itself. A change is one write: a lookup sees
/// all of the old entry or all of the new.
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
        let change = reg_without_reset(Change::ty(config));
        let changing = any_of([State::Hash, State::Read, State::Compare, State::Match].map(|s| state.is(s)));
        let advance = io.advance | changing;

        // Hash.
        let hashed = reg_without_reset(Key::ty());
        let set = reg_without_reset(bits(set_bits));
        when(advance, || {
            let key = changing.mux(change.key, io.key);
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
        let hit = reg_without_reset(flag());
        let matched = reg_without_reset(bits(config.ports()));
        when(advance, || {
            hit.set(hits.any());
            let of_way = |way: usize| ports[way] & hits.bit(way).bits().repeat(config.ports());
            matched.set((1..WAYS).fold(of_way(0), |all, way| all | of_way(way)));
        });
        io.hit.set(hit);
        io.ports.set(matched);

        // Changes.
        let target = reg_without_reset(bits(WAYS));
        let can_write = reg_without_reset(flag());
        let has_entry = hits.any();
        let free_ways = !vector(used.clone());
        io.change.ready.set(state.is(State::Idle));
        io.busy.set(!state.is(State::Idle));
        let clear = state.is(State::Clear);
        let write = state.is(State::Write) & can_write;
        let changed = Entry { used: !change.delete, key: change.key, ports: change.ports };
        let stored = clear.mux(entry.zero(), changed);
        let address = clear.mux(clearing, set);
        for (way, memory) in ways.iter().enumerate() {
            when(clear | (write & target.bit(way)), || memory.write(address, stored));
        }

        let outcome = wire(Enum::ty());
        when(can_write, || outcome.set(Outcome::Done))
            .elsewhen(change.delete, || outcome.set(Outcome::NotFound))
            .otherwise(|| outcome.set(Outcome::NoRoom));
        io.outcome.valid.set(state.is(State::Write));
        io.outcome.payload.set(outcome);

        state.cases(|s| match s {
            State::Clear => {
                clearing.set(clearing + 1);
                when(clearing.all(), || state.set(State::Idle));
            }
            State::Idle => {
                when(io.change.valid, || {
                    change.set(io.change.payload);
                    state.set(State::Drain);
                });
            }
            State::Drain => {
                when(io.quiet, || state.set(State::Hash));
            }
            State::Hash => state.set(State::Read),
            State::Read => state.set(State::Compare),
            State::Compare => state.set(State::Match),
            State::Match => {
                target.set(has_entry.mux(hits, prim::first_one(free_ways)));
                can_write.set(has_entry | (free_ways.any() & !change.delete));
                state.set(State::Write);
            }
            State::Write => state.set(State::Idle),
        });
    })
}
