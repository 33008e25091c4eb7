//! The numbers behind the token bucket: how often a port is visited, and what a byte costs.

use crate::{
    config::Config,
    prim::{encode, first_one},
};
use hdl::*;

/// Priority classes.
pub const CLASSES: usize = 4;

/// Bits of a burst, and of what is charged for a frame.
pub const BURST_BITS: usize = 17;

/// The arithmetic of a configuration.
///
/// A port is visited once in `sweep` cycles and gets `maximum << rate_shift` tokens, the maximum in Mb/s; a byte costs
/// `byte_cost` tokens. In a second there are `1000 * clock_khz / sweep` visits, and at its maximum a port sends
/// `maximum * 10^6 / 8` bytes, so that
///
/// ```text
///  byte_cost = 2^rate_shift * clock_khz / (125 * sweep)
/// ```
///
/// which `rate_shift` makes an integer: no rate is ever rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Units {
    pub sweep: usize,
    pub rate_shift: usize,
    pub byte_cost: usize,
}

impl Units {
    pub fn of(config: &Config) -> Units {
        // A visit and a charge take turns; in a sweep there is one of each for all ports, and for each class.
        let sweep = 2 * (config.ports() + CLASSES).next_power_of_two();
        let shift = |shift: &usize| (config.clock_khz << shift).is_multiple_of(125 * sweep);
        let rate_shift = (0..=clog2(sweep)).find(shift).expect("the clock is a multiple of 125 kHz");
        Units { sweep, rate_shift, byte_cost: (config.clock_khz << rate_shift) / (125 * sweep) }
    }

    /// Bits of a port's tokens with their sign: more than the largest burst and a visit hold.
    pub fn token_bits(&self) -> usize {
        clog2((self.byte_cost << BURST_BITS) + (1 << (16 + self.rate_shift))) + 1
    }
}

/// Bits of the number of a bottleneck: a wire, or else the inside of the bridge.
pub fn group_bits(config: &Config) -> usize {
    clog2(config.wires + 1)
}

/// The group of frames to these wires: the lowest, or the number of wires for none.
#[track_caller]
pub fn group_of(wires: Bits) -> Bits {
    encode(first_one(cat([lit(1, 1), wires])))
}

/// `x` times a constant in `width` bits, as a sum and difference of shifts of `x`.
#[track_caller]
pub fn times(x: Bits, factor: usize, width: usize) -> Bits {
    let x = x.zext(width);
    let mut product = lit(0, width);
    let (mut rest, mut place) = (factor, 0);
    while rest != 0 {
        let term = x << lit(place, 5);
        // The digits 1, 0, -1 of `factor`: a run of ones is one addition and one subtraction.
        match rest % 4 {
            1 => (product, rest) = (product + term, rest - 1),
            3 => (product, rest) = (product - term, rest + 1),
            _ => (),
        }
        (rest, place) = (rest / 2, place + 1);
    }
    product
}

/// `x` times 4 to the power of `scale`, at most all ones in `width` bits.
#[track_caller]
pub fn scaled(x: Bits, scale: Bits, width: usize) -> Bits {
    let mut value = x.zext(width);
    let mut overflow = false.to_bool();
    for bit in (0..scale.width()).rev() {
        let distance = 2 << bit;
        let shifted = value << lit(distance, 5);
        overflow = overflow | scale.bit(bit) & value.slice(width - distance, distance).any();
        value = scale.bit(bit).mux(shifted, value);
    }
    value | overflow.bits().repeat(width)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// The tokens of a second buy exactly the bytes of a second.
    #[test]
    fn rates_are_exact() {
        let small = Config::small();
        let grid = Config::all().into_iter().chain([
            Config { vfs: 0, ..small.clone() },
            Config { wires: 2, vfs: 0, clock_khz: 1000, ..small.clone() },
            Config { wires: 2, vfs: 60, clock_khz: 312_500, ..small.clone() },
            Config { wires: 2, vfs: 60, clock_khz: 999_875, ..small },
        ]);
        for config in grid {
            let Units { sweep, rate_shift, byte_cost } = Units::of(&config);
            assert!(sweep >= 2 * config.ports() && sweep.is_power_of_two());
            // Of one Mb/s in 125 * 8 ms, both sides in units without fractions.
            let tokens = (config.clock_khz << rate_shift) * 1000;
            assert_eq!(tokens, 125_000 * sweep * byte_cost, "{config:?}");
        }
        assert_eq!(Units::of(&Config::small()), Units { sweep: 32, rate_shift: 4, byte_cost: 625 });
        assert_eq!(Units::of(&Config::x3100()), Units { sweep: 64, rate_shift: 2, byte_cost: 125 });
    }

    #[derive(Bundle, Clone, Copy)]
    struct Io {
        #[input]
        x: U<16>,
        #[input]
        scale: U<3>,
        #[output]
        product: U<30>,
        #[output]
        scaled: U<17>,
    }

    #[test]
    fn products_and_scales() {
        for factor in [1, 2, 3, 10, 125, 625, 1249, 7999] {
            let (mut bench, io) = Bench::new(
                || {
                    module("products", Io::ty(), |io| {
                        io.product.set(times(io.x.into(), factor, 30).as_u());
                        io.scaled.set(scaled(io.x.into(), io.scale.into(), 17).as_u());
                    })
                },
                1,
            );
            for _ in 0..500 {
                let (bits, scale) = (bench.rng.u32(0..=16), bench.rng.u32(0..8));
                let x = u128::from(bench.rng.u64(..) & ((1 << bits) - 1));
                bench.sim.poke(io.x, x);
                bench.sim.poke(io.scale, u128::from(scale));
                assert_eq!(bench.sim.peek(io.product), x * factor as u128);
                assert_eq!(bench.sim.peek(io.scaled), (x << (2 * scale)).min(0x1FFFF));
            }
        }
    }
}
