//! Speed of the native simulator: `cargo run --release -p hdl --example native_speed`.
//!
//! A header parser, and a switch of 32 ports with parser, CRC, queue and round-robin output each, which has some
//! 8,000 operations. Both run with all inputs busy, and with most of them idle.

use hdl::*;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Bundle)]
struct Beat {
    data: U<64>,
    /// How many bytes are valid; all but in the last beat.
    count: U<4>,
    last: Bool,
}

#[derive(Clone, Copy, Bundle)]
struct Header {
    destination: U<48>,
    source: U<48>,
    tagged: Bool,
    vid: U<12>,
    ethertype: U<16>,
}

#[derive(Clone, Copy, Debug, PartialEq, HwEnum)]
enum State {
    First,
    Second,
    Third,
    Body,
}

#[derive(Clone, Bundle)]
struct ParserIo {
    input: Valid<Beat>,
    header: Valid<Header>,
    runt: Bool,
}

/// Bytes `at..at + n` of a beat as the network orders them.
fn field(beat: &Beat, at: usize, n: usize) -> Bits {
    cat((at..at + n).map(|i| beat.data.slice(8 * i, 8)))
}

/// Takes the Ethernet header from beats of eight bytes.
#[hdl]
fn parser() -> ParserIo {
    let io = ParserIo {
        input: Valid::ty(Beat::ty()).input(),
        header: Valid::ty(Header::ty()).output(),
        runt: flag().output(),
    };
    module("parser", io, |io| {
        let beat = io.input.payload;
        let state = reg_enum(State::First);
        let done = reg(flag());
        let runt = reg(flag());
        let header = reg_without_reset(Header::ty());
        io.header.valid.set(done);
        io.header.payload.set(header);
        io.runt.set(runt);
        done.set(false);
        runt.set(false);
        let finish = |ethertype: Bits, needs: u128| {
            let enough = !beat.last | beat.count.ge(lit(needs, 4));
            header.ethertype.set(ethertype.as_u::<16>());
            done.set(enough);
            runt.set(!enough);
            state.set(State::Body);
        };
        when(io.input.valid, || {
            state.cases(|s| match s {
                State::First => {
                    header.destination.set(field(&beat, 0, 6).as_u::<48>());
                    header.source.slice(32, 16).set(field(&beat, 6, 2));
                    runt.set(beat.last);
                    state.set(State::Second);
                }
                State::Second => {
                    header.source.slice(0, 32).set(field(&beat, 0, 4));
                    let tpid = field(&beat, 4, 2);
                    let tagged = tpid.eq(lit(0x8100, 16));
                    header.tagged.set(tagged);
                    let vid = field(&beat, 6, 2).trunc(12);
                    header.vid.set(tagged.mux(vid, lit(0, 12)).as_u::<12>());
                    when(tagged, || {
                        runt.set(beat.last);
                        state.set(State::Third);
                    })
                    .otherwise(|| finish(tpid, 6));
                }
                State::Third => finish(field(&beat, 0, 2), 2),
                State::Body => {}
            });
            when(beat.last, || state.set(State::First));
        });
    })
}

#[derive(Clone, Bundle)]
struct CrcIo {
    input: Valid<Beat>,
    crc: U<32>,
}

/// The CRC-32 of a frame of whole beats.
#[hdl]
fn crc() -> CrcIo {
    let io = CrcIo { input: Valid::ty(Beat::ty()).input(), crc: U::ty().output() };
    module("crc32", io, |io| {
        let crc = reg(bits(32));
        io.crc.set(crc.as_u::<32>());
        // Which bits of remainder and data each bit of the next remainder is the parity of.
        let mut rows: Vec<u128> = (0..32).map(|i| 1 << i).collect();
        for i in 0..64 {
            let feedback = rows[0] ^ 1 << (32 + i);
            rows.rotate_left(1);
            rows[31] = 0;
            for (j, row) in rows.iter_mut().enumerate() {
                if 0xedb8_8320u32 >> j & 1 == 1 {
                    *row ^= feedback;
                }
            }
        }
        let all = cat([io.input.payload.data.slice(0, 64), crc]);
        let next = cat(rows.into_iter().rev().map(|row| (all & lit(row, 96)).parity()));
        when(io.input.valid, || crc.set(io.input.payload.last.mux(lit(0, 32), next)));
    })
}

#[derive(Clone, Bundle)]
#[ty(ports: usize)]
struct SwitchIo {
    #[ty(vec![Valid::ty(Beat::ty()).input(); ports])]
    inputs: Vec<Valid<Beat>>,
    output: Valid<Beat>,
    #[ty(bits(clog2(ports)))]
    port: Bits,
    crc: U<32>,
    vid: U<12>,
    frames: U<32>,
}

/// Queues what comes in on `n` ports and sends it in turn.
#[hdl]
fn switch(n: usize) -> SwitchIo {
    const DEPTH: usize = 32;
    let io = SwitchIo {
        inputs: vec![Valid::ty(Beat::ty()).input(); n],
        output: Valid::ty(Beat::ty()).output(),
        port: bits(clog2(n)).output(),
        crc: U::ty().output(),
        vid: U::ty().output(),
        frames: U::ty().output(),
    };
    module("packet_switch", io, |io| {
        let turn = reg(bits(clog2(n)));
        let last = turn.eq(lit((n - 1) as u128, clog2(n)));
        turn.set(last.mux(lit(0, clog2(n)), turn + lit(1, clog2(n))));
        let mut heads = vec![];
        let (mut crcs, mut vids, mut counts) = (vec![], vec![], vec![]);
        for (i, input) in io.inputs.iter().enumerate() {
            let parser = parser();
            parser.input.set(*input);
            let crc = crc();
            crc.input.set(*input);
            let queue = mem(Beat::ty(), DEPTH, Collision::ReadOld);
            let write = reg(bits(clog2(DEPTH)));
            let read = reg(bits(clog2(DEPTH)));
            let level = reg(bits(clog2(DEPTH) + 1));
            let frames = reg(bits(32));
            let bytes = reg(bits(48));
            let vid = reg(U::<12>::ty());
            let full = level.eq(lit(DEPTH as u128, clog2(DEPTH) + 1));
            let push = input.valid & !full;
            let pop = turn.eq(lit(i as u128, clog2(n))) & level.any();
            when(push, || {
                queue.write(write, input.payload);
                write.set(write + lit(1, clog2(DEPTH)));
                bytes.set(bytes + input.payload.count.zext(48));
                when(input.payload.last, || frames.set(frames + lit(1, 32)));
            });
            when(pop, || read.set(read + lit(1, clog2(DEPTH))));
            when(push & !pop, || level.set(level + lit(1, clog2(DEPTH) + 1)));
            when(pop & !push, || level.set(level - lit(1, clog2(DEPTH) + 1)));
            when(parser.header.valid, || vid.set(parser.header.payload.vid));
            heads.push(Valid { valid: pop, payload: queue.peek(read) });
            crcs.push(crc.crc);
            vids.push(vid);
            counts.push(frames ^ bytes.trunc(32) ^ Bits::from(parser.runt).zext(32));
        }
        io.output.set(select(&heads, turn));
        io.port.set(turn);
        io.crc.set(select(&crcs, turn));
        io.vid.set(select(&vids, turn));
        io.frames.set(select(&counts, turn).as_u::<32>());
    })
}

/// Time that this thread has had a processor for; where the system does not tell, time that has passed since `start`.
fn busy(start: Instant) -> Duration {
    let scheduled = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = scheduled.and_then(|text| text.split(' ').next()?.parse().ok());
    nanoseconds.map_or_else(|| start.elapsed(), Duration::from_nanos)
}

/// Cycles a second of `cycle`, over half a second or so.
fn measure(mut cycle: impl FnMut(u64)) -> f64 {
    let clock = Instant::now();
    let start = busy(clock);
    let mut cycles = 0;
    loop {
        for _ in 0..1000 {
            cycle(cycles);
            cycles += 1;
        }
        let time = busy(clock) - start;
        if time > Duration::from_millis(500) {
            return cycles as f64 / time.as_secs_f64();
        }
    }
}

fn random(cycle: u64, port: u64) -> u64 {
    let x = (cycle << 8 | port).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (x ^ x >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9)
}

fn report(name: &str, design: &Design, run: impl Fn(&mut Native) -> f64) -> f64 {
    let start = Instant::now();
    let mut simulator = Native::new(design).expect("the design has no primitives");
    let built = start.elapsed();
    let rate = run(&mut simulator);
    println!(
        "{name:16} {:6} operations, built in {built:.1?}: {:>10.0} cycles/s",
        simulator.operations(),
        rate
    );
    rate
}

fn main() {
    let parser = elaborate(parser).expect("a sound design");
    let io = &parser.io;
    report("parser", &parser.design, |simulator| {
        simulator.reset();
        measure(|cycle| {
            simulator.poke(io.input.valid, cycle % 8 != 7);
            simulator.poke(io.input.payload.data, random(cycle, 0) as u128);
            simulator.poke(io.input.payload.count, 8);
            simulator.poke(io.input.payload.last, cycle % 9 == 8);
            simulator.step();
            std::hint::black_box(simulator.peek(io.header.valid));
        })
    });
    let switch = elaborate(|| switch(32)).expect("a sound design");
    let io = &switch.io;
    for (name, busy) in [("switch, busy", 32), ("switch, 2 busy", 2), ("switch, idle", 0)] {
        report(name, &switch.design, |simulator| {
            simulator.reset();
            measure(|cycle| {
                for (i, input) in io.inputs.iter().enumerate().take(busy) {
                    simulator.poke(input.valid, (cycle + i as u64) % 16 != 15);
                    simulator.poke(input.payload.data, random(cycle, i as u64) as u128);
                    simulator.poke(input.payload.count, 8);
                    simulator.poke(input.payload.last, (cycle + i as u64) % 9 == 8);
                }
                simulator.step();
                std::hint::black_box(simulator.peek(io.output.valid));
            })
        });
    }
}
