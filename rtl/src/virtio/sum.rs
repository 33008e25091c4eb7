//! The sum behind the Internet checksum.

use hdl::*;

/// Bytes that are to be added up.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(bytes: usize)]
pub struct SumBeat {
    /// The first byte in bits 7:0. Lanes 0, 2, 4 and so on are the upper halves of words.
    #[ty(bits(8 * bytes))]
    pub data: Bits,
    /// The first lane that counts; 0 to the number of lanes.
    #[ty(bits(clog2(bytes + 1)))]
    pub from: Bits,
    /// The first lane after those that count; 0 to the number of lanes.
    #[ty(bits(clog2(bytes + 1)))]
    pub to: Bits,
    /// The sum is complete; the next beat begins another one.
    pub last: Bool,
}

#[derive(Bundle, Clone, Copy, Debug)]
#[ty(bytes: usize)]
pub struct SumIo {
    #[input]
    #[ty(Valid::ty(SumBeat::ty(bytes)))]
    pub input: Valid<SumBeat>,
    /// One for each sum.
    #[output]
    pub output: Valid<U<16>>,
}

/// Adds words of 16 bits in ones' complement (RFC 1071), up to 65536 of them, in beats of 8, 16 or 32 bytes.
///
/// ```text
///  input ─► [lanes that count] ─► adders, two levels a stage ─► [total] ─► [carries folded] ─► [again] ─► output
/// ```
///
/// A beat in each cycle; the sum comes five cycles after its last beat (six for more than 8 bytes), from a register.
#[hdl]
pub fn sum(bytes: usize) -> SumIo {
    require(matches!(bytes, 8 | 16 | 32), || format!("a sum of beats of {bytes} bytes: 8, 16 or 32"));
    module(format!("internet_sum_{bytes}"), SumIo::ty(bytes), |io| {
        let SumBeat { data, from, to, last } = io.input.payload;
        let lanes = data.chunks(8).into_iter().enumerate().map(|(lane, byte)| {
            let counts = from.le(lane) & to.gt(lane);
            counts.mux(byte, byte.zero())
        });
        let lanes: Vec<Bits> = delay_without_reset(lanes.collect::<Vec<Bits>>());
        let mut words: Vec<Bits> = lanes.chunks(2).map(|pair| cat([pair[0], pair[1]])).collect();
        let mut step = delay(Valid { valid: io.input.valid, payload: last });
        while words.len() > 1 {
            for _ in 0..2 {
                words = words
                    .chunks(2)
                    .map(|pair| match pair {
                        [a, b] => a.wide_add(*b),
                        _ => pair[0],
                    })
                    .collect();
            }
            words = delay_without_reset(words);
            step = delay(step);
        }
        let total = reg_without_reset(bits(32));
        /// The next beat is the first of a sum.
        let is_first = reg_flag(true);
        when(step.valid, || {
            total.set(is_first.mux(total.zero(), total) + words[0].zext(32));
            is_first.set(step.payload);
        });
        let is_complete = delay(step.valid & step.payload);
        let folded = delay_without_reset(total.slice(16, 16).wide_add(total.trunc(16)));
        let is_folded = delay(is_complete);
        io.output.valid.set(delay(is_folded));
        io.output.payload.set(delay_without_reset(folded.trunc(16) + folded.bit(16).bits().zext(16)).as_u());
    })
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::testing::*;

    /// RFC 1071, section 4.1, over all bytes, with those that do not count as zeros.
    pub fn reference(bytes: &[u8]) -> u16 {
        let mut sum: u64 =
            bytes.chunks(2).map(|pair| u64::from(pair[0]) << 8 | u64::from(*pair.get(1).unwrap_or(&0))).sum();
        while sum >> 16 > 0 {
            sum = (sum & 0xFFFF) + (sum >> 16);
        }
        sum as u16
    }

    #[test]
    fn sums_of_random_beats() {
        for bytes in [8, 16, 32] {
            let (mut bench, io) = Bench::new(|| sum(bytes), bytes as u64);
            let (mut expected, mut got) = (vec![], vec![]);
            let mut so_far = vec![];
            for cycle in 0..20_000 {
                let valid = cycle < 19_900 && bench.rng.u8(..4) > 0;
                let data: Vec<u8> = match bench.rng.u8(..3) {
                    0 => vec![0xFF; bytes],
                    _ => (0..bytes).map(|_| bench.rng.u8(..)).collect(),
                };
                let (from, to) = (bench.rng.usize(0..=bytes), bench.rng.usize(0..=bytes));
                let (from, to) = if bench.rng.bool() { (0, bytes) } else { (from, to) };
                let last = bench.rng.u8(..20) == 0;
                let payload = io.input.payload;
                bench.sim.poke(io.input.valid, valid);
                let lanes: Word = data.iter().flat_map(|byte| word((*byte).into(), 8)).collect();
                bench.sim.poke_wide(&payload.data, &lanes);
                bench.sim.poke(payload.from, from as u128);
                bench.sim.poke(payload.to, to as u128);
                bench.sim.poke(payload.last, last);
                if valid {
                    let counts = |lane: usize| (from..to).contains(&lane);
                    so_far.extend(
                        data.iter().enumerate().map(|(lane, byte)| if counts(lane) { *byte } else { 0 }),
                    );
                    if last {
                        expected.push(reference(&std::mem::take(&mut so_far)));
                    }
                }
                if bench.sim.peek(io.output.valid) {
                    got.push(bench.sim.peek(io.output.payload) as u16);
                }
                bench.cycle(&mut []);
            }
            assert!(expected.len() > 500);
            assert_eq!(got, expected);
        }
    }
}
