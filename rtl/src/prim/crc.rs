//! Cyclic redundancy checks, many bytes at a time.
//!
//! # Purpose
//! The CRC of each frame of a beat stream, for any polynomial up to 64 bits; [`ETHERNET`] is the frame check sequence.
//!
//! # Schematic
//! ```text
//!  data --> mask bytes beyond count --> x^w mod P --[ term ]--(+)--[ state ]--+--> last: [ remainder ]
//!                                                              ^              |
//!                                                              +- x^(8n) mod P+
//!  remainder --> x^-8 mod P --[D Q]--> x^-16 --[D Q]--> x^-32 --[D Q]--> reflect, final XOR --> output
//!                  (each taken where that bit of the number of missing bytes is 1)
//! ```
//!
//! # Internals
//! A partial last beat is filled with zeros and handled like all others; multiplying by `x^-8` for each byte too many
//! takes them out again. So there is one XOR matrix over the data and none for each possible count, and the loop over
//! the state is one XOR of its own bits and the prepared term: that loop sets the speed.
//!
//! # Timing
//! A beat every cycle, in any pattern. The CRC comes `2 + ceil(log2(bytes))` cycles after the beat with `last`.
//! ```text
//!               _   _   _   _   _   _   _
//!  clk        _/ \_/ \_/ \_/ \_/ \_/ \_/ \_
//!  input      /A0 X A1*\___________________     * last
//!  output     ____________________/CRC\____     (4 bytes: 4 cycles)
//! ```
//!
//! # Example
//! ```
//! use hdl::*;
//! use rtl::prim::{ETHERNET, crc};
//! assert!(elaborate(|| crc(ETHERNET, 8)).is_ok());
//! ```

use crate::frame::Beat;
use hdl::*;

/// A CRC in the usual notation of catalogues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrcParameters {
    /// Part of the module's name.
    pub name: &'static str,
    /// 3 to 64.
    pub width: usize,
    /// Without the highest term; odd.
    pub polynomial: u64,
    pub init: u64,
    /// The least significant bit of each byte comes first.
    pub reflect_in: bool,
    /// The result is reflected.
    pub reflect_out: bool,
    pub xor_out: u64,
}

/// CRC-32 of IEEE 802.3; also the LCRC of PCI Express.
pub const ETHERNET: CrcParameters = CrcParameters {
    name: "ethernet",
    width: 32,
    polynomial: 0x04C1_1DB7,
    init: 0xFFFF_FFFF,
    reflect_in: true,
    reflect_out: true,
    xor_out: 0xFFFF_FFFF,
};

/// Ports of a [`crc`].
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(width: usize, bytes: usize)]
pub struct CrcIo {
    /// The frames; `error` is not looked at.
    #[input]
    #[ty(Valid::ty(Beat::ty(bytes)))]
    pub input: Valid<Beat>,
    /// The CRC of a frame.
    #[output]
    #[ty(Valid::ty(bits(width)))]
    pub output: Valid<Bits>,
}

/// The CRC over beats of 1 to 64 bytes.
#[hdl]
pub fn crc(parameters: CrcParameters, bytes: usize) -> CrcIo {
    let CrcParameters { name, width, .. } = parameters;
    let fits = |value: u64| width >= 64 || value >> width == 0;
    require((3..=64).contains(&width), || format!("a CRC has 3 to 64 bits, not {width}"));
    require((1..=64).contains(&bytes), || format!("a CRC takes beats of 1 to 64 bytes, not {bytes}"));
    require(
        parameters.polynomial & 1 == 1
            && [parameters.polynomial, parameters.init, parameters.xor_out].into_iter().all(fits),
        || format!("the polynomial of CRC `{name}` must be odd, and all its constants fit in {width} bits"),
    );
    let multiply = |x, exponents: &dyn Fn(i64) -> i64| multiply(&parameters, x, exponents);
    module(format!("crc_{name}_{bytes}"), CrcIo::ty(width, bytes), |io| {
        let Beat { data, count, last, .. } = io.input.payload;
        // The first byte is always valid.
        let masked = |(i, byte)| if i == 0 { byte } else { count.gt(i).mux(byte, lit(0, 8)) };
        let in_line_order = |byte: Bits| if parameters.reflect_in { byte } else { byte.reverse() };
        let lanes = data.chunks(8).into_iter().enumerate().map(masked).map(in_line_order);
        let lanes: Vec<Bits> = lanes.collect();
        /// The first bit on the line is bit 0.
        let message = cat(lanes.into_iter().rev());

        let beat = delay(io.input.valid);
        let ends = delay_without_reset(last);
        let (w, k) = (width as i64, 8 * bytes as i64);
        /// What the message adds to the state: bit i stands for x^(w + k - 1 - i).
        let term = delay_without_reset(multiply(message, &|i| w + k - 1 - i));
        let missing = delay_without_reset((lit(bytes, count.width()) - count).resize(clog2(bytes)));

        let init = constant(Value::new(width as u32, parameters.init.into()));
        let state = reg_init(init);
        let next = multiply(state, &|i| i + k) ^ term;
        when(beat, || state.set(ends.mux(init, next)));

        let mut done = delay(beat & ends);
        let mut excess = delay_without_reset(missing);
        let mut remainder = delay_without_reset(next);
        for step in 0..if bytes > 1 { clog2(bytes) } else { 0 } {
            let shortened = multiply(remainder, &|i| i - (8 << step));
            remainder = delay_without_reset(excess.bit(step).mux(shortened, remainder));
            excess = delay_without_reset(excess);
            done = delay(done);
        }
        let reflected = if parameters.reflect_out { remainder.reverse() } else { remainder };
        let xor_out = constant(Value::new(width as u32, parameters.xor_out.into()));
        io.output.valid.set(done);
        io.output.payload.set(reflected ^ xor_out);
    })
}

/// The sum of those `x^exponents(i) mod P` whose bit `i` of `x` is 1.
fn multiply(parameters: &CrcParameters, x: Bits, exponents: &dyn Fn(i64) -> i64) -> Bits {
    let columns: Vec<u64> = (0..x.width()).map(|i| parameters.power(exponents(i as i64))).collect();
    let row = |k: usize| {
        let taken = columns.iter().enumerate().filter(|(_, column)| **column >> k & 1 == 1);
        let mut mask = vec![0; columns.len().div_ceil(64)];
        taken.for_each(|(i, _)| mask[i / 64] |= 1 << (i % 64));
        (x & constant(Value::from_limbs(x.width() as u32, &mask))).parity()
    };
    cat((0..parameters.width).rev().map(row))
}

impl CrcParameters {
    /// `x^exponent mod P`, which exists for negative exponents as well because P is odd.
    fn power(&self, exponent: i64) -> u64 {
        let top = 1 << (self.width - 1);
        let ones = top | (top - 1);
        let times_x = |s: u64| (s << 1 & ones) ^ if s & top == 0 { 0 } else { self.polynomial };
        let divided_by_x = |s: u64| if s & 1 == 0 { s >> 1 } else { (s ^ self.polynomial) >> 1 | top };
        (0..exponent.abs()).fold(1, |s, _| if exponent > 0 { times_x(s) } else { divided_by_x(s) })
    }
}
