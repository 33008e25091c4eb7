//! What functions want to receive: groups, by a hash, and VLANs.

use super::classifier::MULTICAST_ROWS;
use crate::{config::Config, pcie::configuration::function_bits, prim};
use hdl::*;

/// Rows of VLANs.
pub const VLAN_ROWS: usize = 4096;

/// What a filter is about.
#[derive(HwEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterKind {
    /// Multicast frames of a hash, as in the table MULTICAST. What that table says of a function is wanted as well.
    Group,
    /// Frames of a VLAN that leave with a tag.
    Vlan,
}

/// A function begins to want something, or no longer does.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct FilterChange {
    /// In the order of the ports: the manager is 0.
    #[ty(bits(function_bits(config)))]
    pub function: Bits,
    pub kind: Enum<FilterKind>,
    /// The hash, or the VID.
    pub index: U<12>,
    pub wanted: Bool,
}

#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct FiltersIo {
    /// The hash of a group.
    #[input]
    #[ty(bits(clog2(MULTICAST_ROWS)))]
    pub hash: Bits,
    /// Functions that want it, two cycles later.
    #[output]
    #[ty(bits(config.functions()))]
    pub group: Bits,
    #[input]
    pub vid: U<12>,
    /// Functions that want frames of that VLAN with its tag, two cycles later.
    #[output]
    #[ty(bits(config.functions()))]
    pub vlan: Bits,
    #[input]
    #[ty(Stream::ty(FilterChange::ty(config)))]
    pub change: Stream<FilterChange>,
    /// Clears all of a function; taken when that is done.
    #[input]
    #[ty(Stream::ty(bits(function_bits(config))))]
    pub forget: Stream<Bits>,
    /// All rows have been zero at some time since reset; nothing is taken before.
    #[output]
    pub clear: Bool,
}

/// A row is read, and in the next cycle written.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
struct Work {
    valid: Bool,
    /// It is part of a sweep: both memories are changed.
    sweeps: Bool,
    #[ty(FilterChange::ty(config))]
    change: FilterChange,
}

/// A bit for each function in 512 rows for groups and 4096 for VLANs.
///
/// ```text
///  hash, vid ───────────────► rows to look at ─► group, vlan
///                                  ▲
///  change ──┐                      │
///  forget ──┴─► row ─► rows to change ─► a bit of it ─┘
/// ```
///
/// Each memory stands here twice: one is looked at in every cycle, in the other a row is read before it is changed, so that
/// changes take nothing from the frames. A row that is looked at while it changes is as it becomes.
///
/// # Timing
/// A change takes two cycles, a sweep for `forget` two for each of 4096 rows; changes go in between.
#[hdl]
pub fn filters(config: &Config) -> FiltersIo {
    let functions = config.functions();
    require((1..=64).contains(&functions), || format!("vfs: {functions} functions, not 1 to 64"));
    module(format!("veb_filters_{}", config.functions()), FiltersIo::ty(config), |io| {
        io.change.assume_stable();
        io.forget.assume_stable();
        let row = bits(config.functions());
        let (hash_bits, vid_bits) = (clog2(MULTICAST_ROWS), clog2(VLAN_ROWS));
        let groups = mem(row, MULTICAST_ROWS, Collision::ReadNew);
        let groups_to_change = mem(row, MULTICAST_ROWS, Collision::Undefined);
        let vlans = mem(row, VLAN_ROWS, Collision::ReadNew);
        let vlans_to_change = mem(row, VLAN_ROWS, Collision::Undefined);
        io.group.set(delay_without_reset(groups.read(io.hash)));
        io.vlan.set(delay_without_reset(vlans.read(io.vid)));

        /// Counts the rows that are zero; the top bit says that all are.
        let zeroed = reg(bits(vid_bits + 1));
        let clear = zeroed.bit(vid_bits);
        when(!clear, || zeroed.set(zeroed + 1));
        io.clear.set(clear);

        /// The row of `work` has been read.
        let writes = reg(flag());
        let work = reg(Work::ty(config));
        let FilterChange { function, kind, index, wanted } = work.change;
        /// The next row of the sweep; beyond the last one it has been handed over.
        let swept = reg(bits(vid_bits + 1));
        writes.set(clear & !writes);
        let sweeps = io.forget.valid & !swept.bit(vid_bits);
        io.change.ready.set(writes);
        when(writes, || {
            work.valid.set(io.change.valid | sweeps);
            work.sweeps.set(!io.change.valid);
            when(io.change.valid, || work.change.set(io.change.payload)).otherwise(|| {
                work.change.function.set(io.forget.payload);
                work.change.index.set(swept.trunc(vid_bits).as_u());
                work.change.wanted.set(false);
                when(sweeps, || swept.set(swept + 1));
            });
        });
        let is_last = work.valid & work.sweeps & Bits::from(index).all();
        io.forget.ready.set(writes & is_last);
        when(io.forget.fire(), || swept.set(swept.zero()));

        // A row with the function's bit as it is wanted.
        let chosen = prim::decode(function, config.functions());
        let changed = |row: Bits| (row & !chosen) | (chosen & wanted.bits().repeat(config.functions()));
        let address = clear.mux(Bits::from(index), zeroed.trunc(vid_bits));
        let hash = address.trunc(hash_bits);
        let is_hash = !address.slice(hash_bits, vid_bits - hash_bits).any();
        let group = groups_to_change.read(hash);
        let vlan = vlans_to_change.read(address);
        let group = clear.mux(changed(group), row.zero());
        let vlan = clear.mux(changed(vlan), row.zero());
        let puts = writes & work.valid;
        when(!clear | (puts & (work.sweeps | kind.is(FilterKind::Group)) & is_hash), || {
            groups.write(hash, group);
            groups_to_change.write(hash, group);
        });
        when(!clear | (puts & (work.sweeps | kind.is(FilterKind::Vlan))), || {
            vlans.write(address, vlan);
            vlans_to_change.write(address, vlan);
        });
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;
    use std::collections::HashMap;

    /// Rows that the test uses: collisions are likely.
    const ROWS: [u64; 5] = [3, 511, 512, 4095, 700];

    /// Changes and sweeps against a map. What changed lately is not looked at.
    #[test]
    fn filters_are_as_they_were_set() {
        let most = Config { vfs: 62, ..Config::small() };
        for (seed, config) in [Config::small(), Config::x3100(), most].iter().enumerate() {
            let (mut bench, io) = Bench::new(|| filters(config), seed as u64);
            let functions = config.functions() as u64;
            // Of (VLAN, row, function): whether it is wanted, and since when.
            let mut wanted: HashMap<(bool, u64, u64), (bool, u64)> = HashMap::new();
            let mut change = None;
            // A function, and since when it is swept.
            let mut swept: Option<(u64, u64)> = None;
            let (mut sweeps, mut seen, mut looks) = (0, 0, [[0; 2]; 2]);
            for cycle in 0..60_000u64 {
                let rng = &mut bench.rng;
                if change.is_none() && rng.u8(..6) == 0 {
                    let (vlan, function) = (rng.bool(), rng.u64(..functions));
                    let index = ROWS[rng.usize(..5)] & if vlan { 4095 } else { 511 };
                    let is_free = swept.is_none_or(|(swept, _)| swept != function);
                    change = is_free.then(|| ((vlan, index, function), rng.u8(..4) > 0));
                }
                if swept.is_none() && rng.u16(..2000) == 0 {
                    let function = rng.u64(..functions);
                    let is_free = change.is_none_or(|(key, _)| key.2 != function);
                    swept = is_free.then_some((function, cycle));
                }
                let look = [rng.bool(), rng.bool()].map(|_| ROWS[rng.usize(..5)]);
                let sim = &mut bench.sim;
                let keys = [(false, looks[1][0], io.group), (true, looks[1][1], io.vlan)];
                for (vlan, index, port) in keys.into_iter().filter(|_| cycle > 4200) {
                    let row = sim.peek(port);
                    for function in 0..functions {
                        let (want, since) = wanted.get(&(vlan, index, function)).copied().unwrap_or_default();
                        let is_sure = cycle > since + 5 && swept.is_none_or(|(swept, _)| swept != function);
                        let got = row >> function & 1 == 1;
                        assert!(!is_sure || got == want, "{cycle}: {vlan} {index} {function}: {got}");
                        seen += u64::from(is_sure && got);
                    }
                }
                looks = [[look[0] & 511, look[1]], looks[0]];
                sim.poke(io.hash, looks[0][0].into());
                sim.poke(io.vid, looks[0][1].into());
                sim.poke(io.change.valid, change.is_some());
                if let Some(((vlan, index, function), want)) = change {
                    let change = io.change.payload;
                    sim.poke(change.function, function.into());
                    sim.poke(change.kind, if vlan { FilterKind::Vlan } else { FilterKind::Group });
                    sim.poke(change.index, index.into());
                    sim.poke(change.wanted, want);
                }
                sim.poke(io.forget.valid, swept.is_some());
                sim.poke(io.forget.payload, swept.map_or(0, |(function, _)| function.into()));
                if sim.peek(io.change.ready)
                    && let Some((key, want)) = change.take()
                {
                    wanted.insert(key, (want, cycle));
                }
                if sim.peek(io.forget.ready)
                    && let Some((function, since)) = swept.take()
                {
                    let mine = wanted.iter_mut().filter(|(key, _)| key.2 == function);
                    mine.for_each(|(_, wanted)| *wanted = (false, cycle));
                    // Changes go first.
                    assert!(cycle - since < 13_000 || since < 4200, "{} cycles", cycle - since);
                    sweeps += 1;
                }
                sim.step();
            }
            assert!(sweeps > 2 && seen > 1000, "{sweeps} {seen}");
        }
    }
}
