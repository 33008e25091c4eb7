//! Which function a memory request is for.

use super::{
    Bar,
    configuration::{Change, Settings, function_bits, within_page},
    space::{self, Kind, PAGE_SIZES, space},
};
use crate::{config::Config, prim};
use hdl::*;

/// Where a memory request ends up.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct Hit {
    /// A function answers to the address.
    pub found: Bool,
    #[ty(bits(function_bits(config)))]
    pub function: Bits,
    /// It is the base address of the MSI-X table, else that of the registers.
    pub msix: Bool,
    /// From the base address, in bytes.
    pub offset: U<16>,
    /// Of the base address, in bytes.
    pub size: U<17>,
    /// The address is behind that, where nothing is: the page of a virtual function is larger.
    pub beyond: Bool,
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct BaseAddressesIo {
    /// The legacy personality.
    #[input]
    pub legacy: Bool,
    /// How many functions it has: 1, 2, 4 or 8.
    #[input]
    pub legacy_functions: U<4>,
    #[input]
    #[ty(Settings::ty(config))]
    pub settings: Settings,
    /// Functions that answer nothing.
    #[input]
    #[ty(bits(config.functions()))]
    pub stopped: Bits,
    /// Of the configuration space: the base addresses are among it.
    #[input]
    #[ty(Valid::ty(Change::ty(config)))]
    pub changed: Valid<Change>,
    /// A search begins; not while another one is under way.
    #[input]
    pub start: Bool,
    /// What is searched for; stays the same until it is found.
    #[input]
    pub address: U<64>,
    /// What was found.
    #[output]
    #[ty(Valid::ty(Hit::ty(config)))]
    pub hit: Valid<Hit>,
}

/// Entries for functions that are not virtual: two for each of up to eight. Two for all virtual functions follow.
const OWN: usize = 16;
const INDEX_BITS: usize = 5;

/// Compares an address with all base addresses, one in each cycle.
///
/// ```text
///  changed ─► base addresses ─► address - base ─► number, offset ─► hit
///                  ▲
///              one by one
/// ```
///
/// A search takes the same time wherever the address is: 12 cycles with SR-IOV, and 6 and two for each function in the
/// legacy personality. All bits of the address count (2.2.4.1). Virtual functions lie one behind the other from their common
/// base address, which is a multiple of a page, but not of all of them together (9.3.3.14).
#[hdl]
pub fn base_addresses(config: &Config) -> BaseAddressesIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    let name = format!("pcie_base_addresses_{}", config.functions());
    module(name, BaseAddressesIo::ty(config), |io| {
        let function_bits = function_bits(config);
        let settings = &io.settings;

        // The base addresses, as they are written.
        let Change { function, register, data } = io.changed.payload;
        let function = function.zext(7);
        let physical = space(config, Kind::Physical);
        let is_at = |path: String| match space::field(&physical, &path) {
            Some((offset, _)) => Bits::from(register).eq(offset / 4),
            None => lit(0, 1).as_bool(),
        };
        let low = mem(bits(32), 1 << INDEX_BITS, Collision::Undefined);
        let high = mem(bits(32), 1 << INDEX_BITS, Collision::Undefined);
        for (half, memory) in [&low, &high].into_iter().enumerate() {
            let names = [0, 2].map(|bar| format!("bar{}.address", bar + half));
            let own = names.clone().map(|name| is_at(format!("header.{name}")));
            let common = names.map(|name| is_at(format!("virtualization.{name}")) & function.eq(0));
            let is_own = any_of(own) & function.lt(OWN / 2);
            let place = cat([function.trunc(3), own[1].bits()]).zext(INDEX_BITS);
            let place_of_virtual = cat([lit(OWN as u128 >> 1, INDEX_BITS - 1), common[1].bits()]);
            when(io.changed.valid & (is_own | any_of(common)), || {
                memory.write(is_own.mux(place, place_of_virtual), data.into());
            });
        }

        // One by one.
        let searches = reg(flag());
        let index = reg(bits(INDEX_BITS));
        let count = Bits::from(io.legacy_functions).zext(INDEX_BITS);
        let last_of_legacy = (count << lit(1, 1)) - 1;
        let is_last = io.legacy.mux(index.eq(last_of_legacy), index.eq(OWN + 1));
        when(io.start, || {
            searches.set(true);
            index.set(0);
        })
        .elsewhen(searches, || {
            searches.set(!is_last);
            index.set((!io.legacy & index.eq(3)).mux(lit(OWN as u128, INDEX_BITS), index + 1));
        });
        let is_virtual = index.bit(INDEX_BITS - 1);
        let hidden = within_page(settings.page.into()) & is_virtual.bits().repeat(32);
        let base_low = delay_without_reset(low.peek(index) & !hidden);
        let base_high = delay_without_reset(high.peek(index));
        let ends = delay(searches & is_last);
        let tried = delay(searches);
        let entry = delay_without_reset(index);

        // How far the address is above the base.
        let address = Bits::from(io.address);
        let difference = address.trunc(32).zext(33) - base_low.zext(33);
        let distance = delay_without_reset(difference.trunc(32));
        let borrows = delay_without_reset(difference.bit(32));
        let high_distance = delay_without_reset(address.slice(32, 32) - base_high);
        let (ends, tried, entry) = (delay(ends), delay(tried), delay_without_reset(entry));

        // How much of it is for a function: the size of its base address, or the page if that is more.
        let is_virtual = entry.bit(INDEX_BITS - 1);
        let is_msix = entry.bit(0);
        let is_manager = entry.slice(1, INDEX_BITS - 1).eq(1);
        let sizes = |kind: Kind| Bar::of(kind).map(|bar| bar.address_bits);
        let kinds = [Kind::Physical, Kind::Manager, Kind::Virtual];
        let of_kind = [!is_virtual & !is_manager, is_manager, is_virtual];
        let pages = (0..32).filter(|bit| PAGE_SIZES >> bit & 1 == 1);
        let mut spans: Vec<usize> =
            pages.clone().map(|bit| 12 + bit).chain(kinds.into_iter().flat_map(sizes)).collect();
        spans.sort_unstable();
        spans.dedup();
        let page = Bits::from(settings.page);
        let never = lit(0, 1).as_bool();
        let has_span = |span: usize| {
            let of = |(kind, is_kind): (Kind, Bool)| {
                let of_bar = |(bar, size): (usize, usize)| {
                    let is_bar = if bar == 0 { !is_msix } else { is_msix };
                    let larger = any_of(
                        pages.clone().filter(|bit| (12 + bit).max(size) == span).map(|bit| page.bit(bit)),
                    );
                    let own = if size == span { !never } else { never };
                    is_bar & is_kind & if kind == Kind::Virtual { larger } else { own }
                };
                any_of(sizes(kind).into_iter().enumerate().map(of_bar))
            };
            any_of(kinds.into_iter().zip(of_kind).map(of))
        };
        let chosen = delay_without_reset(vector(spans.iter().map(|span| has_span(*span))));
        let is_near =
            delay_without_reset(high_distance.eq(borrows.bits().zext(32)) & !distance.slice(28, 4).any());
        let distance = delay_without_reset(distance);
        let size_of = |bar: usize| {
            let size = |kind: Kind| lit(1 << sizes(kind)[bar], 17);
            is_manager.mux(size(Kind::Manager), size(Kind::Physical))
        };
        let size = delay_without_reset(is_msix.mux(size_of(1), size_of(0)));
        let (ends, tried, entry) = (delay(ends), delay(tried), delay_without_reset(entry));

        // Which function it is.
        const NUMBER_BITS: usize = 6;
        let number_at = |span: &usize| distance.slice(*span, NUMBER_BITS);
        let number = prim::onehot_select(&spans.iter().map(number_at).collect::<Vec<_>>(), chosen);
        let is_above = |(at, span): (usize, &usize)| {
            let above = span + NUMBER_BITS;
            chosen.bit(at) & if above < 28 { distance.slice(above, 28 - above).any() } else { never }
        };
        let is_far = any_of(spans.iter().enumerate().map(is_above));
        let page_mask =
            |(at, span): (usize, &usize)| lit((1 << span) - 1, 28) & chosen.bit(at).bits().repeat(28);
        let mask = spans.iter().enumerate().map(page_mask).reduce(|a, b| a | b).expect("there are some");
        let offset = delay_without_reset(distance.trunc(28) & mask);
        let is_virtual = entry.bit(INDEX_BITS - 1);
        let below_number = number.zext(7).lt(Bits::from(settings.vf_number).trunc(7));
        let own_number = entry.slice(1, INDEX_BITS - 2).zext(7);
        let answers = is_near & !is_far & is_virtual.mux(below_number, !number.any());
        let answers = delay_without_reset(answers);
        let function = is_virtual.mux(number.zext(7) + 2, own_number).trunc(function_bits);
        let function = delay_without_reset(function);
        let size = delay_without_reset(size);
        let (ends, tried, entry) = (delay(ends), delay(tried), delay_without_reset(entry));

        // Whether it answers.
        let is_virtual = entry.bit(INDEX_BITS - 1);
        let own_enabled = settings.memory_space.at(function);
        let enabled = is_virtual.mux(settings.vf_enable & settings.vf_memory_space, own_enabled);
        let is_silent = (settings.asleep | io.stopped).at(function);
        let hits = delay(tried & answers & enabled & !is_silent);
        let beyond = delay_without_reset(offset.ge(size.zext(28)));
        let (ends, entry) = (delay(ends), delay_without_reset(entry));
        let (function, size, offset) =
            (delay_without_reset(function), delay_without_reset(size), delay_without_reset(offset.trunc(16)));
        let hit = reg_without_reset(Hit::ty(config));
        when(io.start, || hit.found.set(false)).elsewhen(hits, || {
            hit.found.set(true);
            hit.function.set(function);
            hit.msix.set(entry.bit(0));
            hit.offset.set(offset.as_u());
            hit.size.set(size.as_u());
            hit.beyond.set(beyond);
        });
        let finds = delay(ends);
        io.hit.valid.set(finds);
        io.hit.payload.set(hit);
        verification(|| {
            let busy = reg(flag());
            when(io.start, || busy.set(true)).elsewhen(finds, || busy.set(false));
            assume(!io.start | !busy | finds, "one search at a time");
        });
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// Function, MSI-X, offset, size, and whether it is beyond that.
    type Found = (usize, bool, u64, u64, bool);

    /// A base address as the rules have it.
    struct Window {
        base: u64,
        /// Of each function that is there.
        span: u64,
        size: u64,
        functions: Vec<usize>,
        msix: bool,
    }

    struct Host {
        bench: Bench,
        io: BaseAddressesIo,
        windows: Vec<Window>,
    }

    impl Host {
        fn write(&mut self, function: usize, offset: usize, data: u32) {
            let (sim, changed) = (&mut self.bench.sim, &self.io.changed);
            sim.poke(changed.valid, true);
            sim.poke(changed.payload.function, function as u128);
            sim.poke(changed.payload.register, offset as u128 / 4);
            sim.poke(changed.payload.data, u128::from(data));
            self.bench.cycle(&mut []);
            self.bench.sim.poke(self.io.changed.valid, false);
        }

        fn assign(&mut self, function: usize, offset: usize, window: Window) {
            self.write(function, offset, window.base as u32);
            self.write(function, offset + 4, (window.base >> 32) as u32);
            self.windows.push(window);
        }

        /// Searches, and counts the cycles.
        fn search(&mut self, address: u64) -> (Option<Found>, usize) {
            let (sim, io) = (&mut self.bench.sim, &self.io);
            sim.poke(io.address, u128::from(address));
            sim.poke(io.start, true);
            self.bench.cycle(&mut []);
            self.bench.sim.poke(self.io.start, false);
            let mut cycles = 1;
            while !self.bench.sim.peek(self.io.hit.valid) {
                self.bench.cycle(&mut []);
                cycles += 1;
                assert!(cycles < 100, "no answer");
            }
            let (sim, hit) = (&mut self.bench.sim, &self.io.hit.payload);
            let found = sim.peek(hit.found).then(|| {
                let [function, offset, size] =
                    [sim.peek(hit.function), sim.peek(hit.offset), sim.peek(hit.size)].map(|it| it as u64);
                (function as usize, sim.peek(hit.msix), offset, size, sim.peek(hit.beyond))
            });
            (found, cycles)
        }

        fn expected(&self, address: u64) -> Option<Found> {
            self.windows.iter().find_map(|window| {
                let distance = address.checked_sub(window.base)?;
                let function = *window.functions.get((distance / window.span) as usize)?;
                let offset = distance % window.span;
                Some((function, window.msix, offset & 0xFFFF, window.size, offset >= window.size))
            })
        }
    }

    /// All functions of both personalities, every page size, functions that are off in every way; addresses at and around
    /// the ends of each window, and with single bits wrong.
    #[test]
    fn every_address_finds_its_function() {
        let config = Config { vfs: 62, ..Config::small() };
        let mut found = [0; 3];
        for round in 0..90u64 {
            let legacy = [None, Some(1), Some(2), Some(4), Some(8)]
                [if round % 3 == 0 { 0 } else { round as usize % 5 }];
            let page = [1u64, 2, 0x10, 0x40, 0x100, 0x400][round as usize % 6];
            let (bench, io) = Bench::new(|| base_addresses(&config), round);
            let mut host = Host { bench, io, windows: vec![] };
            let mut random = Rng::with_seed(round);
            let vfs = if legacy.is_some() { 0 } else { random.usize(0..=62) };
            let (vf_enable, vf_memory) = (random.u8(..4) > 0, random.u8(..4) > 0);
            let [memory_space, asleep, stopped] = [!0, 0, 0].map(|most: u64| {
                let off = random.u64(..) & random.u64(..) & random.u64(..);
                most ^ if random.bool() { off } else { 0 }
            });
            let (sim, io) = (&mut host.bench.sim, &host.io);
            sim.poke(io.start, false);
            sim.poke(io.changed.valid, false);
            sim.poke(io.legacy, legacy.is_some());
            sim.poke(io.legacy_functions, legacy.unwrap_or(0));
            sim.poke(io.settings.page, u128::from(page));
            sim.poke(io.settings.memory_space, u128::from(memory_space));
            sim.poke(io.settings.asleep, u128::from(asleep));
            sim.poke(io.stopped, u128::from(stopped));
            sim.poke(io.settings.vf_enable, vf_enable);
            sim.poke(io.settings.vf_memory_space, vf_memory);
            sim.poke(io.settings.vf_number, vfs as u128);
            // Windows of 256 MiB each, at random, of which a part is used.
            let mut places: Vec<u64> = (0..40).map(|_| random.u64(..)).collect();
            places.sort_unstable();
            places.dedup_by_key(|place| *place >> 28);
            random.shuffle(&mut places);
            let mut place =
                |align: u64| (places.pop().unwrap() >> 28 << 28) | (random.u64(0..1 << 24) / align * align);
            // As 9.3.3.14 and the tables of the pages have them.
            let own = legacy.unwrap_or(2) as usize;
            for function in 0..own {
                let size = if function == 1 { 1 << 16 } else { 1 << 14 };
                let is_on =
                    memory_space >> function & !(asleep >> function) & !(stopped >> function) & 1 == 1;
                let functions = if is_on { vec![function] } else { vec![] };
                let window =
                    Window { base: place(size), span: size, size, functions: functions.clone(), msix: false };
                host.assign(function, 0x10, window);
                let window =
                    Window { base: place(0x2000), span: 0x2000, size: 0x2000, functions, msix: true };
                host.assign(function, 0x18, window);
            }
            let (offset, _) =
                space::field(&space(&config, Kind::Physical), "virtualization.bar0.address").unwrap();
            for (at, size, msix) in [(offset, 1 << 14, false), (offset + 8, 0x2000, true)] {
                let span = (page << 12).max(size);
                let is_on = vf_enable && vf_memory && legacy.is_none();
                let functions = (2..2 + if is_on { vfs } else { 0 }).collect();
                host.assign(0, at, Window { base: place(span), span, size, functions, msix });
            }
            let mut addresses = vec![0, u64::MAX];
            for window in &host.windows {
                let end = window.base + window.span * window.functions.len() as u64;
                addresses.extend([window.base, window.base.wrapping_sub(4), end, end.wrapping_sub(4)]);
                for _ in 0..20 {
                    let within = window.base + random.u64(0..window.span * 62);
                    addresses.extend([within & !3, (window.base + random.u64(0..window.span)) & !3]);
                    addresses.push((window.base | random.u64(0..window.size) & !3) ^ 1 << random.u32(2..64));
                }
            }
            let cycles = 6 + legacy.map_or(6, |count| 2 * count as usize);
            for address in addresses {
                // A function that is stopped or asleep does not answer.
                let silent = stopped | asleep;
                let expected = host.expected(address).filter(|(function, ..)| silent >> function & 1 == 0);
                let (got, took) = host.search(address);
                assert_eq!(got, expected, "{address:#x} {legacy:?} {page:#x}");
                assert_eq!(took, cycles);
                let kind = got.map_or(2, |(function, ..)| usize::from(function >= own));
                found[kind] += 1;
            }
        }
        assert!(found.iter().all(|found| *found > 500), "{found:?}");
    }
}
