//! Which function a configuration request is for.

use super::{
    configuration::function_bits,
    identity::{places, virtual_at},
};
use crate::config::Config;
use hdl::*;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct RoutingIo {
    /// The legacy personality.
    #[input]
    pub legacy: Bool,
    /// How many functions it has: 1, 2, 4 or 8; no more than there are.
    #[input]
    pub legacy_functions: U<4>,
    /// Virtual functions are there.
    #[input]
    pub vf_enable: Bool,
    /// How many.
    #[input]
    pub vf_number: U<16>,
    /// Functions of this device may have numbers up to 255.
    #[input]
    pub alternative_routing: Bool,
    /// The bus of the last write to this device by a request of type 0.
    #[input]
    pub bus: U<8>,
    /// Bus, device and function of a request.
    #[input]
    pub target: U<16>,
    /// It is of type 1: for another bus than this device's.
    #[input]
    pub is_type_1: Bool,
    /// The number in here of the function, if there is one.
    #[output]
    #[ty(Valid::ty(bits(function_bits(config))))]
    pub found: Valid<Bits>,
}

/// Finds the function, three cycles after its target.
///
/// A request of type 0 reaches this device whatever its bus; device and function are eight bits of a function's number, as
/// device 0 is the only one of a link (7.3.1, 6.13). A request of type 1 can only be for a virtual function, on one of the
/// buses behind this device's (9.2.1.2).
///
/// ```text
///  target ─► number, from function 0 ─► less First VF Offset ─► below NumVFs? ─► found
/// ```
#[hdl]
pub fn routing(config: &Config) -> RoutingIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    module(format!("pcie_routing_{}", config.functions()), RoutingIo::ty(config), |io| {
        let function_bits = function_bits(config);
        let target = Bits::from(io.target);
        let is_type_1 = delay_without_reset(io.is_type_1);
        let buses = target.slice(8, 8) - Bits::from(io.bus);
        let buses = delay_without_reset(io.is_type_1.mux(buses, buses.zero()));
        let number = cat([buses, delay_without_reset(target.trunc(8))]);
        let (first, _) = places(config, io.vf_number.into(), io.alternative_routing);

        let from_first = delay_without_reset(number - delay_without_reset(first));
        let is_behind = delay_without_reset(number.ge(delay_without_reset(first)));
        let count = io.legacy.mux(io.legacy_functions.into(), lit(2, 4));
        let is_known = target.trunc(8).lt(count.zext(8)) & target.trunc(8).lt(config.functions());
        let is_here = delay_without_reset(!is_type_1 & delay_without_reset(is_known));
        let is_elsewhere = delay_without_reset(is_type_1 & !buses.any());
        let number = delay_without_reset(number.trunc(function_bits));

        let (index, is_place) = virtual_at(config, from_first);
        let is_there = is_behind & is_place & index.lt(Bits::from(io.vf_number)) & !is_elsewhere;
        let is_virtual = is_there & io.vf_enable & !io.legacy;
        io.found.valid.set(delay_without_reset(is_here | is_virtual));
        let of_virtual = (index + 2).trunc(function_bits);
        io.found.payload.set(delay_without_reset(is_here.mux(number, of_virtual)));
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::VfPlaces;
    use crate::testing::{Bench, Rng};

    /// Which function it is, by the formulas of 9.2.1.2: routing ID of virtual function k is that of function 0 plus
    /// First VF Offset plus k - 1 times VF Stride.
    fn expected(
        places: VfPlaces,
        legacy: Option<u32>,
        number: Option<u32>,
        ari: bool,
        bus: u32,
        target: u32,
        type_1: bool,
    ) -> Option<u32> {
        let routing_id = if type_1 { target } else { bus << 8 | target & 0xFF };
        if type_1 && target >> 8 == bus {
            return None;
        }
        let own = bus << 8;
        if let Some(count) = legacy {
            return (0..count).find(|function| own + function == routing_id);
        }
        let count = number.unwrap_or(0);
        let (first, stride) = match places {
            VfPlaces::Compact => (if ari || count <= 6 { 2 } else { 256 }, 1),
            VfPlaces::Slots => (8, 8),
        };
        let vfs = (0..count).map(|k| (own + first + k * stride) & 0xFFFF);
        let all: Vec<u32> = [own, own + 1].into_iter().chain(vfs).collect();
        all.iter().position(|id| *id == routing_id).map(|function| function as u32)
    }

    #[test]
    fn every_target_finds_its_function() {
        every_target(VfPlaces::Compact);
        every_target(VfPlaces::Slots);
    }

    fn every_target(vf_places: VfPlaces) {
        let config = Config { vfs: 62, vf_places, ..Config::small() };
        let (mut bench, io) = Bench::new(|| routing(&config), 1);
        let mut random = Rng::with_seed(2);
        let mut found = [0; 2];
        for round in 0..120 {
            let bus = [0, 1, 7, 255][random.usize(0..4)];
            let legacy = (round % 4 == 0).then(|| [1, 2, 4, 8][random.usize(0..4)]);
            let number = [0, 1, 5, 6, 7, 8, 62][random.usize(0..7)];
            let (enabled, ari) = (random.u8(..4) > 0, random.bool());
            bench.sim.poke(io.bus, u128::from(bus));
            bench.sim.poke(io.legacy, legacy.is_some());
            bench.sim.poke(io.legacy_functions, u128::from(legacy.unwrap_or(0)));
            bench.sim.poke(io.vf_enable, enabled);
            bench.sim.poke(io.vf_number, u128::from(number));
            bench.sim.poke(io.alternative_routing, ari);
            for devfn in 0..256 {
                for (type_1, distance) in
                    [(false, 0), (false, 3), (true, 0), (true, 1), (true, 2), (true, 255)]
                {
                    let target = ((bus + distance) & 0xFF) << 8 | devfn;
                    bench.sim.poke(io.target, u128::from(target));
                    bench.sim.poke(io.is_type_1, type_1);
                    (0..3).for_each(|_| bench.cycle(&mut []));
                    let number = enabled.then_some(number);
                    let expected = expected(vf_places, legacy, number, ari, bus, target, type_1);
                    let function = bench.sim.peek(io.found.payload) as u32;
                    let got = bench.sim.peek(io.found.valid).then_some(function);
                    assert_eq!(got, expected, "bus {bus} {target:#06x} {type_1} {legacy:?} {number:?} {ari}");
                    found[usize::from(type_1)] += usize::from(got.is_some_and(|function| function > 1));
                }
            }
        }
        assert!(found.iter().all(|found| *found > 200), "{vf_places:?} {found:?}");
    }
}
