//! Frames on AXI4-Stream, as ARM IHI 0051 defines it: for a MAC of the integrator's.

use crate::{frame::Beat, prim};
use hdl::*;

/// A stream under its standard names: a field `rx` of this type becomes the ports `rx_tdata` and so on. Frames have neither
/// preamble nor FCS.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(bytes: usize)]
pub struct AxiStream {
    pub tvalid: Bool,
    #[flip]
    pub tready: Bool,
    /// The first byte in bits 7:0.
    #[ty(bits(8 * bytes))]
    pub tdata: Bits,
    /// Bytes that count: all, but in the last beat those from lane 0 on.
    #[ty(bits(bytes))]
    pub tkeep: Bits,
    pub tlast: Bool,
    /// The frame is bad; counts in the last beat only.
    pub tuser: Bool,
}

#[derive(Bundle, Clone, Copy, Debug)]
#[ty(bytes: usize)]
pub struct FromAxiStreamIo {
    #[input]
    #[ty(AxiStream::ty(bytes))]
    pub input: AxiStream,
    #[output]
    #[ty(Stream::ty(Beat::ty(bytes)))]
    pub output: Stream<Beat>,
}

/// Takes frames from a MAC. One whose `tkeep` has gaps, or is not full before the last beat, or empty, is bad.
///
/// # Timing
/// A beat in each cycle, one cycle later; `tready` is combinational in `output.ready`.
#[hdl]
pub fn from_axi_stream(bytes: usize) -> FromAxiStreamIo {
    require(matches!(bytes, 8 | 16 | 32), || format!("{bytes} bytes are not 8, 16 or 32"));
    module(format!("ethernet_from_axi_stream_{bytes}"), FromAxiStreamIo::ty(bytes), |io| {
        let slice = prim::register_slice(Beat::ty(bytes));
        io.output.connect(&slice.output);
        let input = io.input;
        let count_bits = clog2(bytes + 1);
        /// Some beat of the frame was bad.
        let spoilt = reg(flag());
        // Where ones begin at lane 0 and have no gap, one more carries out of all of them.
        let carried = input.tkeep.zext(bytes + 1) + 1;
        let has_gap = (carried.trunc(bytes) & input.tkeep).any();
        let is_good = input.tkeep.all() | (input.tlast & input.tkeep.any() & !has_gap);
        let count = is_good.mux(prim::encode(carried).resize(count_bits), lit(bytes, count_bits));
        slice.input.valid.set(input.tvalid);
        slice.input.payload.set(Beat {
            data: input.tdata,
            count,
            last: input.tlast,
            error: input.tuser | spoilt | !is_good,
        });
        io.input.tready.set(slice.input.ready);
        when(input.tvalid & slice.input.ready, || spoilt.set(!input.tlast & (spoilt | !is_good)));
    })
}

#[derive(Bundle, Clone, Copy, Debug)]
#[ty(bytes: usize)]
pub struct ToAxiStreamIo {
    #[input]
    #[ty(Stream::ty(Beat::ty(bytes)))]
    pub input: Stream<Beat>,
    #[output]
    #[ty(AxiStream::ty(bytes))]
    pub output: AxiStream,
}

/// Hands frames to a MAC.
///
/// # Timing
/// A beat in each cycle, one cycle later; `tkeep` is combinational in a register, `input.ready` in `tready`.
#[hdl]
pub fn to_axi_stream(bytes: usize) -> ToAxiStreamIo {
    require(matches!(bytes, 8 | 16 | 32), || format!("{bytes} bytes are not 8, 16 or 32"));
    module(format!("ethernet_to_axi_stream_{bytes}"), ToAxiStreamIo::ty(bytes), |io| {
        let slice = prim::register_slice(Beat::ty(bytes));
        slice.input.connect(&io.input);
        let Beat { data, count, last, error } = slice.output.payload;
        io.output.tvalid.set(slice.output.valid);
        io.output.tdata.set(data);
        io.output.tkeep.set(vector((0..bytes).map(|lane| count.gt(lane))));
        io.output.tlast.set(last);
        io.output.tuser.set(error & last);
        slice.output.ready.set(io.output.tready);
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::*;

    /// Frames with and without gaps in `tkeep` go through both: good ones come out as they went in, the others as bad ones.
    #[test]
    fn frames_there_and_back() {
        for bytes in [8, 16, 32] {
            let (mut bench, io) = Bench::new(|| pair(bytes), bytes as u64);
            let mut source = vec![];
            let mut expected = vec![];
            for _ in 0..200 {
                let frame = Frame { error: bench.rng.u8(..4) == 0, ..Frame::random(&mut bench.rng, 1..=100) };
                let spoils = bench.rng.u8(..4) == 0;
                let beats = frame.data.chunks(bytes).count();
                let spoilt = bench.rng.usize(..beats);
                for (at, chunk) in frame.data.chunks(bytes).enumerate() {
                    let last = at + 1 == beats;
                    let full = (1u64 << bytes) - 1;
                    let mut keep = if chunk.len() == bytes { full } else { (1 << chunk.len()) - 1 };
                    if spoils && at == spoilt {
                        let holes = [0, full & !1, 0b101, full & !(1 << (bytes - 2))];
                        keep = holes[bench.rng.usize(..holes.len())];
                    }
                    let mut data = chunk.to_vec();
                    data.resize_with(bytes, || bench.rng.u8(..));
                    source.push((data, keep, last, last && frame.error || !last && bench.rng.bool()));
                }
                expected.push((frame.data.clone(), frame.error || spoils));
            }
            let (mut at, mut got, mut data, mut is_offered) = (0, vec![], vec![], false);
            while got.len() < expected.len() {
                is_offered |= at < source.len() && bench.rng.bool();
                bench.sim.poke(io.input.tvalid, is_offered);
                if is_offered {
                    let (data, keep, last, user) = &source[at];
                    bench.sim.poke_wide(
                        &io.input.tdata,
                        &data.iter().flat_map(|byte| word((*byte).into(), 8)).collect::<Word>(),
                    );
                    bench.sim.poke(io.input.tkeep, u128::from(*keep));
                    bench.sim.poke(io.input.tlast, *last);
                    bench.sim.poke(io.input.tuser, *user);
                }
                let ready = bench.rng.bool();
                bench.sim.poke(io.output.tready, ready);
                if is_offered && bench.sim.peek(io.input.tready) {
                    at += 1;
                    is_offered = false;
                }
                if ready && bench.sim.peek(io.output.tvalid) {
                    let keep = bench.sim.peek(io.output.tkeep) as u64;
                    let beat = bench.sim.peek_wide(&io.output.tdata);
                    let count = keep.count_ones() as usize;
                    assert_eq!(keep, ((1u128 << count) - 1) as u64, "ones from lane 0 on");
                    data.extend((0..count).map(|lane| field(&beat, 8 * lane, 8) as u8));
                    if bench.sim.peek(io.output.tlast) {
                        got.push((std::mem::take(&mut data), bench.sim.peek(io.output.tuser)));
                    }
                }
                bench.cycle(&mut []);
            }
            for ((data, error), (got, is_bad)) in expected.iter().zip(&got) {
                assert_eq!(error, is_bad);
                assert!(*error || data == got, "{bytes} bytes");
            }
        }
    }

    #[derive(Bundle, Clone)]
    #[ty(bytes: usize)]
    struct PairIo {
        #[input]
        #[ty(AxiStream::ty(bytes))]
        input: AxiStream,
        #[output]
        #[ty(AxiStream::ty(bytes))]
        output: AxiStream,
    }

    #[hdl]
    fn pair(bytes: usize) -> PairIo {
        module("pair", PairIo::ty(bytes), |io| {
            let (from, to) = (from_axi_stream(bytes), to_axi_stream(bytes));
            from.input.connect(&io.input);
            to.input.connect(&from.output);
            io.output.connect(&to.output);
        })
    }
}
