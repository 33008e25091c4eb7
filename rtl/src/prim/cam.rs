//! A content-addressable memory.
//!
//! # Purpose
//! Finds the entry that holds a key, among few entries, in constant time: tags in flight, small filters. Tables of
//! hundreds of entries hash into RAM instead.
//!
//! # Schematic
//! ```text
//!  lookup key --+--> = entry 0, in pieces --[D Q]--> all --[D Q]--+
//!               +--> = entry 1            --[D Q]--> all --[D Q]--+--> lowest, encode --[D Q]--> result
//!               +--> = ...                --[D Q]--> all --[D Q]--+
//!  write ------> entries (key, present)
//! ```
//!
//! # Internals
//! Every entry is a register with a comparator, which takes two cycles: 8 bits at a time, then all together. Insert and delete go by index; who owns the indices (a free list, a
//! counter) is up to the user. If several entries hold a key, the lowest index wins.
//!
//! # Timing
//! A lookup and a write every cycle; the result comes 3 cycles after its lookup. A lookup sees the writes of earlier
//! cycles.
//! ```text
//!               _   _   _   _   _   _
//!  clk        _/ \_/ \_/ \_/ \_/ \_/ \_
//!  write      /A>3\____________________
//!  lookup     ____/A  X B  \___________
//!  result     ________________/3  Xmiss\
//! ```
//!
//! # Example
//! ```
//! use hdl::*;
//! assert!(elaborate(|| rtl::prim::cam(bits(60), 32)).is_ok());
//! ```

use super::vectors::{encode, first_one};
use hdl::*;

/// What is written to an entry of a [`cam`].
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(key: T, entries: usize)]
pub struct CamWrite<T> {
    /// Which entry.
    #[ty(bits(clog2(entries)))]
    pub index: Bits,
    /// 1 inserts or replaces, 0 deletes.
    pub present: Bool,
    #[ty(key)]
    pub key: T,
}

/// What a [`cam`] found.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(entries: usize)]
pub struct CamResult {
    /// An entry holds the key.
    pub hit: Bool,
    /// The lowest such entry; 0 if there is none.
    #[ty(bits(clog2(entries)))]
    pub index: Bits,
}

/// Ports of a [`cam`].
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(key: T, entries: usize)]
pub struct CamIo<T> {
    /// An index beyond the last entry writes nothing.
    #[input]
    #[ty(Valid::ty(CamWrite::ty(key.clone(), entries)))]
    pub write: Valid<CamWrite<T>>,
    #[input]
    #[ty(Valid::ty(key))]
    pub lookup: Valid<T>,
    /// One for each lookup, 3 cycles later.
    #[output]
    #[ty(Valid::ty(CamResult::ty(entries)))]
    pub result: Valid<CamResult>,
}

/// A memory of 2 to 64 entries for keys of any type. Reset empties it.
#[hdl]
pub fn cam<T: Data>(key: T, entries: usize) -> CamIo<T> {
    require((2..=64).contains(&entries), || format!("a CAM has 2 to 64 entries, not {entries}"));
    module(format!("cam_{entries}x{}", key.size()), CamIo::ty(key.clone(), entries), |io| {
        let keys = reg_without_reset(vec![key; entries]);
        let present = reg(vec![flag(); entries]);
        let CamWrite { index: target, present: inserts, key } = io.write.payload.clone();
        when(io.write.valid, || {
            set_at(&keys, target, key);
            set_at(&present, target, inserts);
        });

        let wanted = io.lookup.payload.pack();
        /// One bit for each piece of the key that is equal.
        let same = reg_without_reset(vec![bits(pieces(wanted).len()); entries]);
        for ((same, key), present) in same.iter().zip(&keys).zip(&present) {
            let equal =
                pieces(key.pack()).into_iter().zip(pieces(wanted)).map(|(key, wanted)| key.eq(wanted));
            let mut equal: Vec<Bool> = equal.collect();
            equal[0] = equal[0] & *present;
            same.set(vector(equal));
        }
        let equals = delay_without_reset(vector(same.iter().map(|same| same.all())));
        let looked_up = delay(io.lookup.valid);
        let compared = delay(looked_up);
        let found = delay(compared);
        let hit = delay_without_reset(equals.any());
        let lowest = first_one(equals);
        let index = delay_without_reset(encode(lowest));
        io.result.valid.set(found);
        io.result.payload.set(CamResult { hit, index });
    })
}

/// What is compared in one cycle: 8 bits at most, for two levels of LUTs.
fn pieces(key: Bits) -> Vec<Bits> {
    (0..key.width()).step_by(8).map(|low| key.slice(low, 8.min(key.width() - low))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    #[test]
    fn finds_what_was_written() {
        for entries in [2, 11, 32] {
            // Few keys, so that hits and double entries are common.
            let (mut bench, io) = Bench::new(|| cam(bits(60), entries), 1);
            let mut model: Vec<Option<u128>> = vec![None; entries];
            let mut expected = [None; 3];
            for cycle in 0..3000 {
                if cycle == 1500 {
                    bench.sim.reset();
                    model.fill(None);
                    expected = [None; 3];
                }
                let key = |bench: &mut Bench| 1u128 << 59 | bench.rng.u128(..entries as u128);
                let (written, wanted) = (key(&mut bench), key(&mut bench));
                let (writes, looks_up, present) = (bench.rng.bool(), bench.rng.bool(), bench.rng.u8(..3) > 0);
                let index = bench.rng.usize(..1 << clog2(entries));
                bench.sim.poke(io.write.valid, writes);
                bench.sim.poke(io.write.payload.index, index as u128);
                bench.sim.poke(io.write.payload.present, present);
                bench.sim.poke(io.write.payload.key, written);
                bench.sim.poke(io.lookup.valid, looks_up);
                bench.sim.poke(io.lookup.payload, wanted);

                let [.., result] = expected;
                assert_eq!(bench.sim.peek(io.result.valid), result.is_some());
                if let Some(found) = result {
                    assert_eq!(bench.sim.peek(io.result.payload.hit), found != entries);
                    assert_eq!(bench.sim.peek(io.result.payload.index), (found % entries) as u128);
                }
                bench.sim.step();
                let found = model.iter().position(|entry| *entry == Some(wanted)).unwrap_or(entries);
                expected = [looks_up.then_some(found), expected[0], expected[1]];
                if writes && index < entries {
                    model[index] = present.then_some(written);
                }
            }
        }
    }

    #[test]
    fn refuses_other_sizes() {
        for entries in [1, 65] {
            let errors = refusal(|| cam(bits(8), entries));
            assert!(errors.contains("a CAM has 2 to 64 entries"), "{errors}");
        }
    }
}
