//! By what numbers functions are known on the link.

use super::functions::is_virtual;
use crate::config::{Config, VfPlaces};
use hdl::*;

/// First VF Offset where each virtual function is a device of its own, and VF Stride.
const SLOT: usize = 8;

/// What the routing IDs of all functions follow from. The place of virtual functions changes only while there are none, or
/// when a reset of the physical function ends them.
#[derive(Bundle, Clone, Copy, Debug)]
pub struct Identity {
    /// The bus of this device.
    pub bus: U<8>,
    /// The routing ID of the first virtual function, less that of function 0; 2 in the legacy personality.
    pub first_vf: U<16>,
}

impl Identity {
    /// The routing ID of a function: 0 the physical function, 1 the manager, then the virtual ones (9.2.1.2).
    pub fn routing_id(&self, config: &Config, function: Bits) -> U<16> {
        let number = function.zext(16);
        let own = cat([Bits::from(self.bus), lit(0, 8)]);
        let first = Bits::from(self.first_vf);
        // In the legacy personality the formula of virtual functions gives the same.
        let is_virtual = is_virtual(config, function, false.to_bool());
        let number = match config.vf_places {
            VfPlaces::Compact => number + is_virtual.mux(first - 2, lit(0, 16)),
            // Only the legacy personality has another offset than `SLOT`: 2.
            VfPlaces::Slots => {
                let slot = cat([(function - 1).zext(13), lit(0, clog2(SLOT))]);
                (is_virtual & first.bit(clog2(SLOT))).mux(slot, number)
            }
        };
        (own + number).as_u()
    }
}

/// First VF Offset and VF Stride (9.3.3.9, 9.3.3.10) of so many virtual functions. [`VfPlaces::Compact`]: behind the manager as
/// long as all have a place on the physical function's own device, else on the next bus.
pub fn places(config: &Config, number: Bits, alternative_routing: Bool) -> (Bits, Bits) {
    match config.vf_places {
        VfPlaces::Compact => {
            let fit = alternative_routing | number.le(6);
            (fit.mux(lit(2, 16), lit(256, 16)), lit(1, 16))
        }
        VfPlaces::Slots => (lit(SLOT as u128, 16), lit(SLOT as u128, 16)),
    }
}

/// Which virtual function it is, counted from 0, by the distance of its routing ID from the first one's; and whether there is one
/// at that distance.
pub fn virtual_at(config: &Config, distance: Bits) -> (Bits, Bool) {
    match config.vf_places {
        VfPlaces::Compact => (distance, true.to_bool()),
        VfPlaces::Slots => {
            let bits = clog2(SLOT);
            (distance.slice(bits, 16 - bits).zext(16), !distance.trunc(bits).any())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;

    #[derive(Bundle, Clone)]
    #[ty(config: &Config)]
    struct Io {
        #[input]
        identity: Identity,
        #[input]
        #[ty(bits(clog2(config.functions())))]
        number: Bits,
        #[output]
        id: U<16>,
    }

    /// 9.2.1.2, and in the legacy personality numbers one behind the other.
    #[test]
    fn every_function_has_its_routing_id() {
        for (vf_places, offsets) in
            [(VfPlaces::Compact, &[(2, 1), (256, 1)][..]), (VfPlaces::Slots, &[(8, 8), (2, 1)])]
        {
            for vfs in [0, 3, 62] {
                let config = Config { vfs, vf_places, ..Config::small() };
                let build = || {
                    module("identity", Io::ty(&config), |io| {
                        io.id.set(io.identity.routing_id(&config, io.number));
                    })
                };
                let (mut bench, io) = Bench::new(build, 1);
                for (bus, (first, stride)) in [0, 7, 255].into_iter().zip(offsets.iter().cycle()) {
                    bench.sim.poke(io.identity.bus, bus as u128);
                    bench.sim.poke(io.identity.first_vf, *first as u128);
                    for function in 0..config.functions() {
                        bench.sim.poke(io.number, function as u128);
                        let number = if function < 2 { function } else { first + stride * (function - 2) };
                        let expected = ((bus << 8) + number) & 0xFFFF;
                        assert_eq!(bench.sim.peek(io.id), expected as u128, "{vf_places:?} {function}");
                    }
                }
            }
        }
    }
}
