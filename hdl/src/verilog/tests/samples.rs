//! Designs that show every construct in a natural place.

use crate::*;

/// Each sample by name.
pub fn all() -> Vec<(&'static str, Design)> {
    vec![
        ("drr", build(|| drr(4))),
        ("parser", build(parser)),
        ("operators", build(operators)),
        ("hierarchy", build(hierarchy)),
        ("memories", build(memories)),
        ("statements", build(statements)),
        ("two_clocks", build(two_clocks)),
        ("chain", build(chain)),
    ]
}

/// One sample.
pub fn design(name: &str) -> Design {
    all().into_iter().find(|(it, _)| *it == name).expect("a sample of that name").1
}

fn build<Io>(generator: impl FnOnce() -> Io) -> Design {
    elaborate(generator).unwrap_or_else(|errors| panic!("{errors}")).design
}

/// One requester: its head packet, and how much it may send a round.
#[derive(Bundle, Clone, Copy)]
pub struct Requester {
    pub valid: Bool,
    /// Length of the head packet in bytes.
    pub len: U<14>,
    pub quantum: U<14>,
}

#[derive(Bundle, Clone)]
#[ty(n: usize)]
pub struct DrrIo {
    #[input]
    #[ty(vec![Requester::ty(); n])]
    pub req: Vec<Requester>,
    /// The number of the requester whose head packet goes next.
    #[output]
    #[ty(Stream::ty(bits(clog2(n))))]
    pub grant: Stream<Bits>,
}

#[derive(HwEnum, Clone, Copy, Debug, PartialEq)]
enum State {
    /// Move to the next requester that has a packet and credit it its quantum.
    Pick,
    /// Grant its packets while the deficit lasts.
    Serve,
}

/// The next set bit of `mask` after position `at`, in a circle: (any set, position).
#[hdl]
fn next_after(mask: &[Bool], at: Bits) -> (Bool, Bits) {
    let (n, width) = (mask.len(), at.width());
    let after: Vec<Bool> = (0..n).map(|i| mask[i] & at.lt(i)).collect();
    let any_after = any_of(after.iter().copied());
    let from: Vec<Bool> = (0..n).map(|i| any_after.mux(after[i], mask[i])).collect();
    let first = (0..n - 1).rev().fold(lit(n - 1, width), |p, i| from[i].mux(lit(i, width), p));
    (any_of(mask.iter().copied()), first)
}

/// A deficit round robin arbiter over `n` requesters.
///
/// Each requester is credited its quantum when its turn comes, and may send while the length of its head packet is
/// within what it has left.
#[hdl]
fn drr(n: usize) -> DrrIo {
    module(format!("drr_{n}"), DrrIo::ty(n), |io| {
        let state = reg_enum(State::Pick);
        let cur = reg(bits(clog2(n)));
        /// What each requester may still send in this round.
        let deficit = reg(vec![bits(15); n]);

        let valid: Vec<Bool> = io.req.iter().map(|r| r.valid).collect();
        let (any, next) = next_after(&valid, cur);
        let head = select(&io.req, cur);
        let credit = select(&deficit, cur);
        let fits = head.len.zext(15).le(credit);

        io.grant.payload.set(cur);
        io.grant.valid.set(state.is(State::Serve) & head.valid & fits);

        state.cases(|s| match s {
            State::Pick => {
                let credit = select(&deficit, next) + select(&io.req, next).quantum.zext(15);
                when(any, || {
                    cur.set(next);
                    set_at(&deficit, next, credit);
                    state.set(State::Serve);
                });
            }
            State::Serve => {
                when(!head.valid, || {
                    set_at(&deficit, cur, lit(0, 15));
                    state.set(State::Pick);
                })
                .elsewhen(!fits, || state.set(State::Pick))
                .elsewhen(io.grant.ready, || {
                    set_at(&deficit, cur, credit - head.len.zext(15));
                });
            }
        });
        assert(!io.grant.valid | any, "only a requester with a packet is granted");
    })
}

/// A beat of a frame; byte 0 is the first on the wire and bits 7..0.
#[derive(Bundle, Clone, Copy)]
pub struct Beat {
    pub data: U<64>,
    /// How many bytes are valid; all but in the last beat.
    pub count: U<4>,
    pub last: Bool,
}

#[derive(Bundle, Clone, Copy)]
pub struct Header {
    pub dst: U<48>,
    pub src: U<48>,
    pub tagged: Bool,
    pub vid: U<12>,
    pub ethertype: U<16>,
}

#[derive(Bundle, Clone, Copy)]
pub struct ParserIo {
    #[input]
    #[ty(Stream::ty(<Beat>::ty()))]
    pub input: Stream<Beat>,
    #[output]
    #[ty(Stream::ty(<Beat>::ty()))]
    pub output: Stream<Beat>,
    /// Valid for one cycle after the beat that completes the header.
    #[output]
    #[ty(Valid::ty(<Header>::ty()))]
    pub header: Valid<Header>,
    /// High for one cycle after a frame that ended within its header.
    #[output]
    pub runt: Bool,
}

#[derive(HwEnum, Clone, Copy, Debug, PartialEq)]
enum Position {
    Beat0,
    Beat1,
    Beat2,
    Body,
}

/// The bytes of a field in network order, from those of a beat.
fn swap(data: Bits, at: usize, bytes: usize) -> Bits {
    cat((at..at + bytes).map(|i| data.slice(8 * i, 8)))
}

/// Takes an Ethernet header, with an 802.1Q tag or not, from a stream that it passes through.
#[hdl]
fn parser() -> ParserIo {
    let ty = ParserIo {
        input: Stream::ty(Beat::ty()).input(),
        output: Stream::ty(Beat::ty()).output(),
        header: Valid::ty(Header::ty()).output(),
        runt: flag().output(),
    };
    module("parser", ty, |io| {
        io.output.connect(&io.input);
        let beat = io.input.payload;
        let data = *beat.data;

        let position = reg_enum(Position::Beat0);
        let done = reg(flag());
        let runt = reg(flag());
        let header = reg_without_reset(Header::ty());
        io.header.valid.set(done);
        io.header.payload.set(header);
        io.runt.set(runt);
        done.set(false);
        runt.set(false);

        let finish = |ethertype: Bits, needs: usize| {
            let enough = !beat.last | beat.count.ge(needs);
            header.ethertype.set(ethertype.as_u());
            done.set(enough);
            runt.set(!enough);
            position.set(Position::Body);
        };
        when(io.input.fire(), || {
            position.cases(|p| match p {
                Position::Beat0 => {
                    header.dst.set(swap(data, 0, 6).as_u());
                    header.src.slice(32, 16).set(swap(data, 6, 2));
                    runt.set(beat.last);
                    position.set(Position::Beat1);
                }
                Position::Beat1 => {
                    let tpid = swap(data, 4, 2);
                    let tag = swap(data, 6, 2);
                    let tagged = tpid.eq(0x8100);
                    header.src.slice(0, 32).set(swap(data, 0, 4));
                    header.tagged.set(tagged);
                    header.vid.set(tagged.mux(tag.trunc(12), lit(0, 12)).as_u());
                    when(tagged, || {
                        runt.set(beat.last);
                        position.set(Position::Beat2);
                    })
                    .otherwise(|| finish(tpid, 6));
                }
                Position::Beat2 => finish(swap(data, 0, 2), 2),
                Position::Body => {}
            });
            when(beat.last, || position.set(Position::Beat0));
        });
    })
}

#[derive(Bundle, Clone)]
pub struct OperatorsIo {
    #[input]
    pub a: U<16>,
    #[input]
    pub b: U<16>,
    #[input]
    pub n: U<5>,
    #[input]
    pub s: U<2>,
    #[input]
    pub wide: U<100>,
    #[input]
    pub spare: U<3>,
    #[output]
    #[ty(vec![bits(16); 12])]
    pub y: Vec<Bits>,
    #[output]
    #[ty(vec![flag(); 8])]
    pub f: Vec<Bool>,
    #[output]
    pub product: U<32>,
    #[output]
    pub inverse: U<100>,
}

/// Every operator.
#[hdl]
fn operators() -> OperatorsIo {
    let ty = OperatorsIo {
        a: U::ty().input(),
        b: U::ty().input(),
        n: U::ty().input(),
        s: U::ty().input(),
        wide: U::ty().input(),
        spare: U::ty().input(),
        y: vec![bits(16).output(); 12],
        f: vec![flag().output(); 8],
        product: U::ty().output(),
        inverse: U::ty().output(),
    };
    module("operators", ty, |io| {
        let (a, b, n, s) = (*io.a, *io.b, *io.n, *io.s);
        io.y[0].set((a + b) - (a - b));
        io.y[1].set((a & b) | (a ^ !b));
        io.y[2].set(a << n);
        io.y[3].set((a + b) >> n);
        io.y[4].set((a.as_signed() >> n).bits() ^ b);
        io.y[5].set(a.slice(4, 8).as_signed().sext(16).bits());
        /// One of four.
        let picked = select(&[a, b, a ^ b, lit(0x8100, 16)], s);
        io.y[6].set(picked);
        io.y[7].set(select(&[a, b, a + 1], n.trunc(2)) & cat([s, s, s, s, s, s, s, s]));
        io.y[8].set(a.lt(b).mux(a, b.lt(9).mux(b, a.bit(0).mux(lit(0xffff, 16), lit(255, 16)))));
        io.y[9].set((a ^ b).slice(3, 4).zext(16) + (a + b).trunc(3).zext(16));
        io.y[10].set(cat([a.bit(3).bits().repeat(4), lit(0, 4), b.slice(4, 8)]));
        io.y[11].set(!(a & b) + lit(2, 16));
        io.f[0].set(a.as_signed().lt(b.as_signed()));
        io.f[1].set(a.as_signed().le(Signed::lit(-5, 16)) | n.lt(31));
        io.f[2].set(a.at(n.trunc(4)));
        io.f[3].set(!(a.any() & b.all()) | (a ^ b).parity());
        io.f[4].set(!a.lt(b) & !(a.eq(b)));
        io.f[5].set(lit(0b1001_0110_0110_1001, 16).at(n.trunc(4)));
        io.f[6].set(n.bit(0).eq(true) & s.slice(0, 1).lt(s.slice(1, 1)) | !(n.any()));
        io.f[7].set(io.wide.lt(constant(Value::new(100, 1 << 90))));
        io.product.set(a.wide_mul(b).as_u());
        io.inverse.set((*io.wide ^ constant(Value::new(100, u128::MAX))).as_u());
    })
}

#[derive(Bundle, Clone)]
#[ty(depth: usize)]
pub struct FifoIo {
    /// Elements to store.
    #[input]
    #[ty(Stream::ty(<U<8>>::ty()))]
    pub enq: Stream<U<8>>,
    #[output]
    #[ty(Stream::ty(<U<8>>::ty()))]
    pub deq: Stream<U<8>>,
    /// How many elements are inside, 0 to `depth`.
    #[output]
    #[ty(bits(clog2(depth + 1)))]
    pub level: Bits,
}

/// A FIFO of `depth` bytes.
#[hdl]
fn fifo(depth: usize) -> FifoIo {
    let ty = FifoIo {
        enq: Stream::ty(U::ty()).input(),
        deq: Stream::ty(U::ty()).output(),
        level: bits(clog2(depth + 1)).output(),
    };
    module("fifo", ty, |io| {
        let width = clog2(depth) + 1;
        let write_at = reg(bits(width));
        let read_at = reg(bits(width));
        let ram = mem(U::<8>::ty(), depth, Collision::Undefined);
        let level = write_at - read_at;
        let full = level.eq(depth);
        let empty = level.eq(0);
        io.enq.ready.set(!full);
        io.deq.valid.set(!empty);
        io.deq.payload.set(ram.peek(read_at.trunc(width - 1)));
        io.level.set(level);
        when(io.enq.fire(), || {
            ram.write(write_at.trunc(width - 1), io.enq.payload);
            write_at.set(write_at + 1);
        });
        when(io.deq.fire(), || read_at.set(read_at + 1));
        assert(level.le(depth), "the level stays within the depth");
        cover(full, "it fills up");
        io.enq.assume_stable();
        io.deq.assert_stable();
    })
}

#[derive(Bundle, Clone, Copy)]
pub struct HierarchyIo {
    #[input]
    #[ty(Stream::ty(<U<8>>::ty()))]
    pub enq: Stream<U<8>>,
    #[output]
    #[ty(Stream::ty(<U<8>>::ty()))]
    pub deq: Stream<U<8>>,
    #[output]
    pub busy: Bool,
}

#[derive(Bundle, Clone, Copy)]
pub struct BufferIo {
    #[input]
    pub i: Bool,
    #[output]
    pub o: Bool,
}

/// Two small FIFOs and a large one in a row, and a buffer of the device.
#[hdl]
fn hierarchy() -> HierarchyIo {
    let stream = Stream::ty(U::<8>::ty());
    let ty = HierarchyIo { enq: stream.input(), deq: stream.output(), busy: flag().output() };
    module("hierarchy", ty, |io| {
        /// Takes bursts.
        let first = fifo(4);
        let second = fifo(16);
        let third = fifo(4);
        first.enq.connect(&io.enq);
        second.enq.connect(&first.deq);
        third.enq.connect(&second.deq);
        io.deq.connect(&third.deq);
        let strength = [("DRIVE", Parameter::Integer(8)), ("MODE", Parameter::Text("FAST".into()))];
        let model = |io: &BufferIo| io.o.set(io.i);
        let ty = BufferIo { i: flag().input(), o: flag().output() };
        let pad = black_box("BUF", &strength, ty, Some(&model));
        pad.i.set(second.level.any() & first.level.bit(1));
        io.busy.set(pad.o);
    })
}

#[derive(Bundle, Clone)]
pub struct MemoriesIo {
    #[input]
    pub enable: Bool,
    #[input]
    pub lanes: U<4>,
    #[input]
    #[ty(Valid::ty(<U<9>>::ty()))]
    pub write: Valid<U<9>>,
    #[input]
    pub data: U<32>,
    #[input]
    pub at: U<9>,
    #[output]
    pub word: U<32>,
    #[output]
    pub old: U<8>,
    #[output]
    pub square: U<8>,
}

/// Memories of all kinds.
#[hdl]
fn memories() -> MemoriesIo {
    let ty = MemoriesIo {
        enable: flag().input(),
        lanes: U::ty().input(),
        write: Valid::ty(U::ty()).input(),
        data: U::ty().input(),
        at: U::ty().input(),
        word: U::ty().output(),
        old: U::ty().output(),
        square: U::ty().output(),
    };
    module("memories", ty, |io| {
        /// Words with a write enable for each byte.
        let words = mem(U::<32>::ty(), 512, Collision::Undefined);
        when(io.write.valid, || words.write_lanes(io.write.payload, io.data, *io.lanes));
        io.word.set(words.read_if(io.enable, io.at));

        let old = mem(U::<8>::ty(), 16, Collision::ReadOld);
        when(io.write.valid, || old.write(io.at.trunc(4), io.data.trunc(8).as_u()));
        io.old.set(old.read(io.at.slice(4, 4)));

        /// Squares of 0 to 15.
        let squares = mem_with(U::<8>::ty(), 16, Collision::Undefined)
            .initial((0..16).map(|i: u128| Value::new(8, i * i)))
            .build();
        let marks = mem_with(bits(1), 64, Collision::Undefined)
            .initial((0..64).map(|i| Value::new(1, (i == 5) as u128)))
            .build();
        let marked = marks.peek(io.at.trunc(6)).as_bool();
        io.square.set(marked.mux(lit(0, 8), *squares.peek(io.at.trunc(4))).as_u());
    })
}

#[derive(Bundle, Clone)]
pub struct StatementsIo {
    #[input]
    pub sel: U<3>,
    #[input]
    pub a: U<8>,
    #[input]
    pub go: Bool,
    #[input]
    pub ready: Bool,
    #[output]
    pub x: U<8>,
    #[output]
    pub y: U<8>,
    #[output]
    pub z: U<8>,
    #[output]
    pub valid: Bool,
    #[output]
    pub taken: Bool,
    #[output]
    pub mask: U<10>,
    #[output]
    pub parts: U<8>,
}

/// Every statement.
#[hdl]
fn statements() -> StatementsIo {
    let ty = StatementsIo {
        sel: U::ty().input(),
        a: U::ty().input(),
        go: flag().input(),
        ready: flag().input(),
        x: U::ty().output(),
        y: U::ty().output(),
        z: U::ty().output(),
        valid: flag().output(),
        taken: flag().output(),
        mask: U::ty().output(),
        parts: U::ty().output(),
    };
    module("statements", ty, |io| {
        /// One bit for each selection seen.
        let mask = reg_without_reset(bits(10));
        let count = reg_init(lit(0x7f, 8));
        let parts = wire(bits(8));
        io.x.set(0);
        io.y.set(io.a);
        io.z.set(count.as_u());
        switch(io.sel)
            .case(0, || io.x.set(io.a))
            .case(1, || {
                io.x.set((*io.a + 1).as_u());
                io.y.set(0);
            })
            .case(2, || {
                io.x.set((*io.a + 1).as_u());
                io.y.set(0);
            })
            .default(|| {
                when(io.go, || io.y.set(3)).elsewhen(count.eq(0), || {
                    io.y.set(4);
                    io.x.set(1);
                });
            });
        io.valid.set(false);
        io.taken.set(false);
        when(io.go, || {
            io.valid.set(io.a.any());
            when(io.ready, || io.taken.set(true));
        });
        when(io.go, || {
            mask.at(cat([lit(0, 1), *io.sel])).set(true);
            mask.slice(8, 2).set(io.a.trunc(2));
            count.set(count - 1);
        })
        .otherwise(|| {
            when(count.lt(100), || count.set(0));
        });
        parts.slice(0, 4).set(io.a.slice(4, 4));
        parts.slice(4, 4).set(0);
        when(io.go, || parts.slice(4, 4).set(parts.slice(0, 4)));
        io.parts.set(parts.as_u());
        io.mask.set(mask.as_u());
    })
}

#[derive(Bundle, Clone, Copy)]
pub struct TwoClocksIo {
    /// Toggles in the writer's domain.
    #[input]
    pub request: Bool,
    #[output]
    pub seen: Bool,
}

/// A synchronizer of two flip-flops.
#[hdl]
fn two_clocks() -> TwoClocksIo {
    let ty = TwoClocksIo { request: flag().input(), seen: flag().output() };
    module("two_clocks", ty, |io| {
        let wr = Clock::external().enter("wr");
        let request = wr.scope(|| delay(io.request));
        let meta = reg(flag());
        let stable = reg(flag());
        meta.set(cross(request));
        stable.set(meta);
        io.seen.set(stable);
    })
}

#[derive(Bundle, Clone, Copy)]
pub struct StageIo {
    #[input]
    pub mode: U<2>,
    #[input]
    #[ty(Stream::ty(U::<8>::ty()))]
    pub input: Stream<U<8>>,
    #[output]
    #[ty(Stream::ty(U::<8>::ty()))]
    pub output: Stream<U<8>>,
}

/// Lets beats pass, swallows them, or holds them.
///
/// `output_valid` and `input_ready` have conditions in common. A process that drove both would look like a loop to a
/// simulator where the consumer is ready only when there is a beat.
#[hdl]
fn stage() -> StageIo {
    module("stage", StageIo::ty(), |io| {
        io.output.payload.set(io.input.payload);
        switch(io.mode)
            .case(0, || {
                io.output.valid.set(io.input.valid);
                io.input.ready.set(io.output.ready);
            })
            .case(1, || {
                io.output.valid.set(false);
                io.input.ready.set(true);
            })
            .default(|| {
                io.output.valid.set(false);
                io.input.ready.set(false);
            });
    })
}

#[derive(Bundle, Clone, Copy)]
pub struct ChainIo {
    #[input]
    pub mode: U<2>,
    #[input]
    pub go: Bool,
    #[input]
    #[ty(Stream::ty(U::<8>::ty()))]
    pub input: Stream<U<8>>,
    #[output]
    pub taken: Bool,
    #[output]
    pub last: U<8>,
}

/// Stages in front of a consumer that is ready when there is a beat.
#[hdl]
fn chain() -> ChainIo {
    module("chain", ChainIo::ty(), |io| {
        let first = stage();
        let second = stage();
        first.mode.set(io.mode);
        second.mode.set(io.mode);
        first.input.connect(&io.input);
        second.input.connect(&first.output);
        second.output.ready.set(second.output.valid & io.go);
        /// The beat that was taken last.
        let last = reg(U::<8>::ty());
        when(second.output.fire(), || last.set(second.output.payload));
        io.taken.set(second.output.fire());
        io.last.set(last);
    })
}
