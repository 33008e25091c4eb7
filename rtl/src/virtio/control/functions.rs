//! What each function has asked for.

use crate::{config::Config, pcie::configuration::function_bits, prim, veb::policy::Wishes};
use hdl::*;

/// What is kept of a function.
#[derive(HwEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    Promiscuous,
    AllMulticast,
    /// Its list of addresses is longer than there are places.
    Overflows,
    /// It takes frames with a tag of its VLANs only.
    Filters,
    /// Pairs that are in use, less one.
    Pairs,
    /// All is as after reset, and the filters are about to be.
    Nothing,
}

#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub(super) struct Change {
    #[ty(bits(function_bits(config)))]
    pub function: Bits,
    pub setting: Enum<Setting>,
    pub value: U<2>,
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub(super) struct FunctionsIo {
    #[input]
    #[ty(bits(config.functions()))]
    pub driver_ok: Bits,
    #[input]
    #[ty(Valid::ty(Change::ty(config)))]
    pub change: Valid<Change>,
    /// Functions whose driver is gone, and something that it set is not.
    #[output]
    #[ty(bits(config.functions()))]
    pub stale: Bits,
    /// Functions with a driver whose mode is not known yet.
    #[output]
    #[ty(bits(config.functions()))]
    pub fresh: Bits,
    /// Functions whose filters are being cleared.
    #[output]
    #[ty(bits(config.functions()))]
    pub sweeping: Bits,
    #[output]
    #[ty(Stream::ty(bits(function_bits(config))))]
    pub forget: Stream<Bits>,
    #[output]
    #[ty(vec![Wishes::ty(); config.functions()])]
    pub wishes: Vec<Wishes>,
    #[output]
    #[ty(bits(2 * config.functions()))]
    pub pairs: Bits,
}

/// Cycles after which the mode of a function that has got a driver can be looked up.
const TOLD: usize = 64;

/// A few bits for each function. What they say counts while the function has the driver that set them: they are masked from the
/// cycle in which DRIVER_OK falls until they have been cleared.
#[hdl]
pub(super) fn functions(config: &Config) -> FunctionsIo {
    module(format!("virtio_control_functions_{}", config.functions()), FunctionsIo::ty(config), |io| {
        io.forget.assert_stable();
        let functions = config.functions();
        let set = bits(functions);
        let had_driver = delay(io.driver_ok);
        let comes = io.driver_ok & !had_driver;
        let goes = had_driver & !io.driver_ok;
        let chosen = delay(
            prim::decode(io.change.payload.function, functions) & io.change.valid.bits().repeat(functions),
        );
        let Change { setting, value, .. } = delay_without_reset(io.change.payload);
        let all = |condition: Bool| condition.bits().repeat(functions);

        let stale = reg(set);
        let fresh = reg(set);
        let unswept = reg(set);
        let is_cleared = all(setting.is(Setting::Nothing)) & chosen;
        let is_known = all(setting.is(Setting::Filters)) & chosen;
        stale.set((stale & !is_cleared) | goes);
        fresh.set(((fresh & !is_known) | comes) & !goes);
        io.stale.set(stale);
        // Just after DRIVER_OK the mode is not there yet.
        let age = reg(bits(clog2(TOLD)));
        when(comes.any(), || age.set(0)).elsewhen(!age.all(), || age.set(age + 1));
        io.fresh.set(fresh & all(age.all() & !comes.any()));

        // Filters are cleared when nobody sets them any more.
        let sweeps = reg(flag());
        let swept = reg_without_reset(io.forget.payload);
        let done = prim::decode(swept, functions) & all(io.forget.fire());
        unswept.set((unswept & !done) | is_cleared);
        when(!sweeps, || {
            sweeps.set(unswept.any());
            swept.set(prim::encode(prim::first_one(unswept)));
        })
        .elsewhen(io.forget.ready, || sweeps.set(false));
        io.forget.valid.set(sweeps);
        io.forget.payload.set(swept);
        io.sweeping.set(unswept);

        let lives = io.driver_ok & !stale;
        let flag_of = |of: Setting| {
            let flags = reg(set);
            let changes = chosen & all(setting.is(of));
            let value = all(value.bit(0));
            flags.set(((flags & !changes) | (value & changes)) & !is_cleared);
            flags
        };
        let promiscuous = flag_of(Setting::Promiscuous);
        let all_multicast = flag_of(Setting::AllMulticast);
        let overflows = flag_of(Setting::Overflows);
        let filters = flag_of(Setting::Filters);
        let unicast = delay(lives & (promiscuous | overflows));
        let multicast = delay(lives & (promiscuous | all_multicast));
        let vlan = delay(lives & promiscuous);
        let filter = delay(lives & filters & !promiscuous);
        for (function, wishes) in io.wishes.iter().enumerate() {
            wishes.set(Wishes {
                unicast: unicast.bit(function),
                multicast: multicast.bit(function),
                vlan: vlan.bit(function),
                filter: filter.bit(function),
            });
        }
        let pairs = reg(bits(2 * functions));
        for function in 0..functions {
            let changes = chosen.bit(function) & setting.is(Setting::Pairs);
            when(is_cleared.bit(function) | changes, || {
                pairs.slice(2 * function, 2).set(is_cleared.bit(function).mux(lit(0, 2), value.into()));
            });
        }
        let masks = lives.to_bools().into_iter().map(|lives| lives.bits().repeat(2));
        let masks = cat(masks.collect::<Vec<_>>().into_iter().rev());
        io.pairs.set(delay(pairs & masks));
    })
}
