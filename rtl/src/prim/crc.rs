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
            let corrected = delay_without_reset(excess.bit(step).mux(shortened, remainder));
            let waiting = delay_without_reset(excess);
            let passed = delay(done);
            (remainder, excess, done) = (corrected, waiting, passed);
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
    vector((0..parameters.width).map(row))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;
    use ::crc::{Algorithm, CRC_3_GSM, CRC_16_IBM_3740, CRC_24_BLE, CRC_32_ISO_HDLC, CRC_64_XZ, Crc};

    fn parameters<W: Copy + Into<u64> + ::crc::Width>(algorithm: &Algorithm<W>) -> CrcParameters {
        CrcParameters {
            name: "test",
            width: algorithm.width.into(),
            polynomial: algorithm.poly.into(),
            init: algorithm.init.into(),
            reflect_in: algorithm.refin,
            reflect_out: algorithm.refout,
            xor_out: algorithm.xorout.into(),
        }
    }

    /// Frames with random gaps, one of them cut off by a reset, against `model`.
    fn check(parameters: CrcParameters, bytes: usize, model: impl Fn(&[u8]) -> u64) {
        let (mut bench, io) = Bench::new(|| crc(parameters, bytes), 1);
        let latency = if bytes == 1 { 2 } else { 2 + clog2(bytes) };
        let mut expected = vec![None; latency];
        let mut feed = |bench: &mut Bench, beat: Option<Word>, result: Option<u64>| {
            bench.sim.poke(io.input.valid, beat.is_some());
            let payload = beat.unwrap_or_else(|| bench.word(io.input.payload.size()));
            bench.sim.poke_wide(&io.input.payload, &payload);
            let due: Option<u64> = expected.pop().flatten();
            assert_eq!(bench.sim.peek(io.output.valid), due.is_some());
            if let Some(due) = due {
                assert_eq!(bench.sim.peek(io.output.payload), due.into());
            }
            bench.sim.step();
            expected.insert(0, result);
        };
        for _ in 0..60 {
            let frame = Frame::random(&mut bench.rng, 1..=3 * bytes + 20);
            let beats = frame.beats(bytes, &mut bench.rng);
            let last = beats.len() - 1;
            for (i, beat) in beats.into_iter().enumerate() {
                while bench.rng.u8(..4) == 0 {
                    feed(&mut bench, None, None);
                }
                feed(&mut bench, Some(beat), (i == last).then(|| model(&frame.data)));
            }
        }
        (0..latency).for_each(|_| feed(&mut bench, None, None));
        let lost = Frame { data: vec![0x5A; 2 * bytes], error: false }.beats(bytes, &mut bench.rng);
        feed(&mut bench, Some(lost[0].clone()), None);
        bench.sim.reset();
        let frame = Frame { data: b"123456789".to_vec(), error: false };
        let beats = frame.beats(bytes, &mut bench.rng);
        let last = beats.len() - 1;
        for (i, beat) in beats.into_iter().enumerate() {
            feed(&mut bench, Some(beat), (i == last).then(|| model(&frame.data)));
        }
        (0..latency).for_each(|_| feed(&mut bench, None, None));
    }

    #[test]
    fn ethernet_agrees_with_the_crate() {
        assert_eq!(CrcParameters { name: "test", ..ETHERNET }, parameters(&CRC_32_ISO_HDLC));
        let model = Crc::<u32>::new(&CRC_32_ISO_HDLC);
        for bytes in [1, 2, 3, 4, 8, 16, 32] {
            check(ETHERNET, bytes, |data| model.checksum(data).into());
        }
    }

    #[test]
    fn other_polynomials_agree_with_the_crate() {
        let model = Crc::<u64>::new(&CRC_64_XZ);
        check(parameters(&CRC_64_XZ), 8, |data| model.checksum(data));
        let model = Crc::<u32>::new(&CRC_24_BLE);
        check(parameters(&CRC_24_BLE), 5, |data| model.checksum(data).into());
        let model = Crc::<u16>::new(&CRC_16_IBM_3740);
        check(parameters(&CRC_16_IBM_3740), 8, |data| model.checksum(data).into());
        let model = Crc::<u8>::new(&CRC_3_GSM);
        check(parameters(&CRC_3_GSM), 4, |data| model.checksum(data).into());
    }

    #[test]
    fn refuses_what_is_no_crc() {
        let even = CrcParameters { polynomial: 0x8004, ..ETHERNET };
        for (parameters, bytes) in [(even, 8), (CrcParameters { width: 31, ..ETHERNET }, 8)] {
            let errors = refusal(|| crc(parameters, bytes));
            assert!(errors.contains("the polynomial of CRC `ethernet` must be odd"), "{errors}");
        }
        let errors = refusal(|| crc(ETHERNET, 65));
        assert!(errors.contains("1 to 64 bytes, not 65"), "{errors}");
    }
}
