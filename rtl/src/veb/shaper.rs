//! Which functions may start a frame: maximum rates, guaranteed shares, classes, back-pressure.
//!
//! # Purpose
//! A function's frame starts when all of this holds; what has started is never held up:
//! - **Maximum**: its token bucket is not in debt.
//! - **Share**: its credit in the deficit round robin is not in debt.
//! - **Class**: no function of a higher class has something to send to the same bottleneck.
//! - **Back-pressure**: no port that its last frame went to is congested; and `hold_all` is not set.
//!
//! # Schematic
//! ```text
//!  count ─► visit ──┐   S0         S1              S2                S3                S4
//!                   ├─► RATE row ─► × byte cost ─► tokens ± ───────► may it? ────────► open[port]
//!  frame ─► charge ─┘   last ports  group, class   quantum × 4^scale  credit ± ───────► active, rich
//!                                   └────────────► scale of group and class ◄── round ◄───┘
//! ```
//! Nothing looks at all ports at once. A counter *visits* one port in every other cycle; a *sweep* visits all. The cycles
//! between charge the frames that have ended. Both go through the same five stages, and the memories have a word for
//! each port.
//!
//! # Tokens
//! A visit adds `maximum << rate_shift` unless the bucket holds the burst, a frame costs its bytes and RATE_OVERHEAD times
//! `byte_cost`: see [`Units`]. All are integers, so the rate has no error, however long. `small` visits each 16 cycles,
//! adds 8 tokens for each Mb/s, and a byte costs 625; `x3100` and `wide`: 64 cycles, 4 tokens, 125.
//!
//! # Shares
//! A frame is subtracted from its port's credit when it has ended. Ports share by *group* (the bottleneck: the lowest wire
//! among the ports that a port's last frame went to, or else the inside of the bridge) and class. When a sweep finds that
//! none of the active ports of a group and class is *rich* (holds as much as a round would bring), the next sweep is a
//! round: each port of them that is not rich gets its quantum times `4^scale`. Rounds come this early, and not when all
//! are in debt, because finding out takes a sweep. A port that stays active gets the same number of quanta as the others,
//! so shares are exact up to one frame and two rounds; a port that does not send holds two rounds at most.
//!
//! Active is a port whose gate had a beat waiting in each four cycles since its last visit, and that neither its tokens nor
//! congestion elsewhere hold back. So a source that is slow or pauses within its frame keeps no round from the others.
//!
//! `scale` makes quanta weights: whether they are 1, 2, 3 or 1500, 3000, 4500, a round is large enough for the sweeps. It
//! goes up when rounds come less than four sweeps apart, and down after 32 sweeps without one.
//!
//! # Timing
//! `open` is a register, and is 0 until `cleared`, one sweep after reset. A charge closes its port 6 or 7 cycles after
//! `frame`; what the port starts in these cycles goes beyond its burst, and is paid for. Everything else (tokens, classes,
//! congestion) acts at the next visit; a change of who is active one or two sweeps later. `hold_all` acts at once.

mod units;

#[cfg(test)]
mod tests;

use crate::{
    config::Config,
    prim::{self, decode, encode, first_one},
};
use hdl::*;
use units::{BURST_BITS, CLASSES, Units, group_bits, group_class_bits, group_of, scaled, times};

#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct ShaperIo {
    /// Ports whose gate has something to send.
    #[input]
    #[ty(bits(config.ports()))]
    pub pending: Bits,
    /// What became of a complete frame; one for each frame, dropped ones too. At most one in two cycles on the long run:
    /// up to [`CHARGES`] more may come at once.
    #[input]
    #[ty(Valid::ty(Decided::ty(config)))]
    pub frame: Valid<Decided>,
    /// Ports that hold back the functions that send to them.
    #[input]
    #[ty(bits(config.ports()))]
    pub congested: Bits,
    /// No function starts a frame.
    #[input]
    pub hold_all: Bool,
    /// Bytes that each frame costs on top of its own.
    #[input]
    pub rate_overhead: U<5>,
    /// A row of the table RATE is set; not before `cleared`.
    #[input]
    #[ty(Valid::ty(RateRow::ty(config)))]
    pub row: Valid<RateRow>,
    /// Ports that may start a frame; wires always may.
    #[output]
    #[ty(bits(config.ports()))]
    pub open: Bits,
    /// All rows are zero, or were set since: unlimited, class 0, equal shares.
    #[output]
    pub cleared: Bool,
}

/// A frame that has come in, and where it goes.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct Decided {
    /// Its source.
    #[ty(bits(config.port_bits()))]
    pub port: Bits,
    /// In bytes.
    pub length: U<14>,
    /// A bit for each port; none if it was dropped.
    #[ty(bits(config.ports()))]
    pub destinations: Bits,
}

/// A row of the table RATE.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct RateRow {
    #[ty(bits(config.port_bits()))]
    pub port: Bits,
    pub rate: Rate,
}

/// What a port may send.
#[derive(Bundle, Clone, Copy)]
pub struct Rate {
    /// In Mb/s, 1 to 40000; 0 for no limit.
    pub maximum: U<16>,
    /// 3 comes first.
    pub class: U<2>,
    /// Bytes that may go at once beyond the maximum. With 0 each frame still goes, and its time is kept.
    pub burst: U<17>,
    /// Weight, or bytes of a round; 0 counts as 1.
    pub quantum: U<16>,
}

/// Frames that may wait to be charged.
pub const CHARGES: usize = 16;

/// Bits of what a round brings.
const ROUND_BITS: usize = 17;

/// Bits of a port's credit, in bytes, with its sign.
const CREDIT_BITS: usize = ROUND_BITS + 2;

/// How the rounds of a group and class go.
#[derive(Bundle, Clone, Copy)]
struct Pace {
    /// A round brings the quantum times 4 to the power of this.
    scale: U<3>,
    /// Sweeps since the last round.
    age: U<5>,
}

/// What goes with a port through the stages.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Step {
    #[ty(bits(config.port_bits()))]
    port: Bits,
    /// The bottleneck that is paid for.
    #[ty(bits(group_bits(config)))]
    group: Bits,
    visit: Bool,
    charge: Bool,
    /// All words become zero.
    clear: Bool,
}

/// A frame that waits to be charged.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Charge {
    #[ty(bits(config.port_bits()))]
    port: Bits,
    #[ty(bits(group_bits(config)))]
    group: Bits,
    length: U<14>,
}

/// What a visit has found out beside tokens and credit.
#[derive(Bundle, Clone, Copy)]
struct Findings {
    /// The gate always had something to send.
    backlogged: Bool,
    /// A port that the last frame went to is congested.
    held: Bool,
    /// The same, but for the wire that the visit is about.
    held_elsewhere: Bool,
    /// It owes to another bottleneck as well.
    owes_more: Bool,
}

/// Says which ports may start a frame.
#[hdl]
pub fn shaper(config: &Config) -> ShaperIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    let name = format!("veb_shaper_{}_{}_{}", config.wires, config.ports(), config.clock_khz);
    module(name, ShaperIo::ty(config), |io| {
        let (ports, wires) = (config.ports(), config.wires);
        let depth = ports.next_power_of_two();
        let units = Units::of(config);
        let key_bits = group_class_bits(config);

        // The schedule.
        let count = reg(bits(clog2(units.sweep)));
        count.set(count + 1);
        /// The cycles between visits are for charges.
        let between = count.bit(0);
        let index = count.slice(1, count.width() - 1);
        let visited = index.trunc(config.port_bits());
        let visits = !between & index.zext(index.width() + 1).lt(ports);
        let cleared = reg(flag());
        /// The group whose words become zero in this sweep.
        let clearing = reg(bits(group_bits(config)));
        when(count.all() & !cleared, || {
            clearing.set(clearing + 1);
            cleared.set(clearing.all());
        });
        io.cleared.set(cleared);

        // What the gates have to send.
        /// A beat was there since the last look, four cycles ago at most.
        let seen = reg(bits(ports));
        /// There was none between two looks since the port's last visit.
        let gap = reg(bits(ports));
        let look = count.trunc(2).all();
        let none = lit(0, ports);
        let all_wires = lit((1 << wires) - 1, ports);
        let waits = seen | (io.pending & !all_wires);
        seen.set(look.mux(none, waits));
        let visited_now = visits.mux(decode(visited, ports), none);
        gap.set((gap & !visited_now) | look.mux(!waits, none));

        // Frames that wait to be charged.
        let Decided { port, length, destinations } = io.frame.payload;
        let charges = prim::fifo(Charge::ty(config), CHARGES);
        charges.enq.valid.set(io.frame.valid & cleared);
        charges.enq.payload.set(Charge { port, group: group_of(destinations.trunc(wires)), length });
        charges.deq.ready.set(between);
        assert(charges.enq.ready | !charges.enq.valid, "frames are charged as they come");
        let charge = charges.deq.payload;

        // S0: the row of the port, and what it is about: a bottleneck that it owes to, or else the last that it sent to.
        let rates = mem(Rate::ty(), depth, Collision::Undefined);
        let lasts = mem(bits(ports), depth, Collision::Undefined);
        let owed: Vec<_> = (0..=wires).map(|_| mem(flag(), depth, Collision::Undefined)).collect();
        when(!cleared | io.frame.valid, || {
            lasts.write(cleared.mux(port, visited), cleared.mux(destinations, none));
        });
        let RateRow { port, rate } = io.row.payload;
        when(!cleared | io.row.valid, || {
            rates.write(cleared.mux(port, visited), cleared.mux(rate, rate.zero()));
        });
        let last = lasts.peek(visited);
        let owes = vector(owed.iter().map(|group| group.peek(visited)));
        let owes_first = first_one(owes);
        let group = owes.any().mux(encode(owes_first), group_of(last.trunc(wires)));
        let held = last & io.congested;
        let own_wire = decode(group, wires + 1).trunc(wires).zext(ports);
        let s1 = delay(Step {
            port: between.mux(charge.port, visited),
            group: between.mux(charge.group, cleared.mux(group, clearing)),
            visit: visits & cleared,
            charge: between & charges.deq.valid,
            clear: !cleared,
        });
        let rate = delay_without_reset(rates.peek(between.mux(charge.port, visited)));
        let bytes = charge.length.wide_add(Bits::from(io.rate_overhead).zext(14));
        let bytes = delay_without_reset(bytes);
        let found = delay_without_reset(Findings {
            backlogged: !gap.at(visited),
            held: held.any(),
            held_elsewhere: (held & !own_wire).any(),
            owes_more: owes.ne(owes_first),
        });

        // S1: what it costs, or the burst, in tokens. The cycles between visits look after the paces, one by one.
        let s2 = delay(s1);
        let token_bits = units.token_bits();
        let counted = s1.visit.mux(rate.burst.into(), bytes.zext(BURST_BITS));
        let cost = delay_without_reset(times(counted, units.byte_cost, token_bits));
        let quantum = Bits::from(rate.quantum);
        let weight = quantum | quantum.eq(0).bits().zext(quantum.width());
        let weight = delay_without_reset(s1.visit.mux(weight, bytes.zext(weight.width())));
        let added = delay_without_reset(Bits::from(rate.maximum));
        let key = delay_without_reset(between.mux(cat([s1.group, rate.class.into()]), index.trunc(key_bits)));
        let is_key = index.zext(index.width() + 1).lt(1 << key_bits);
        let tends_pace = delay(!between & is_key);
        let found = delay_without_reset(found);
        let limited = added.any();

        // S2: tokens. `less` is what is left, or for a visit tells whether the bucket is below its burst.
        let s3 = delay(s2);
        let tokens = mem(bits(token_bits), depth, Collision::Undefined);
        let held_tokens = tokens.peek(s2.port);
        let less = held_tokens - cost;
        let more = held_tokens + (added.zext(token_bits) << lit(units.rate_shift, 5));
        let after = s2.visit.mux(more, less);
        let earns = s2.visit & sign(less);
        when(s2.clear | (limited & (s2.charge | earns)), || {
            tokens.write(s2.port, s2.clear.mux(after.zero(), after));
        });
        let out_of_tokens = delay_without_reset(limited & sign(after));
        let paces = mem(Pace::ty(), 1 << key_bits, Collision::Undefined);
        let pace = paces.peek(key);
        let scale = s2.visit.mux(pace.scale.into(), lit(0, 3));
        let amount = delay_without_reset(scaled(weight, scale, ROUND_BITS));
        let pace = delay_without_reset(pace);
        let key = delay_without_reset(key);
        let tends_pace = delay(tends_pace);
        let found = delay_without_reset(found);

        // S3: credit.
        /// A round is going on, for each group and class.
        let rounds = reg(bits(1 << key_bits));
        /// A higher class of the group is active.
        let outranked = reg(bits(1 << key_bits));
        let s4 = delay(s3);
        let credits = mem(bits(CREDIT_BITS), depth << group_bits(config), Collision::Undefined);
        let credit = credits.peek(cat([s3.group, s3.port]));
        let amount = amount.zext(CREDIT_BITS);
        let less = credit - amount;
        let round = rounds.at(key);
        let is_rich = !sign(less);
        let gains = s3.visit & round & !is_rich;
        let after = s3.visit.mux(credit + amount, less);
        when(s3.clear | s3.charge | gains, || {
            credits.write(cat([s3.group, s3.port]), s3.clear.mux(after.zero(), after));
        });
        let in_debt = (s3.charge | gains).mux(sign(after), sign(credit));
        for (group, owed) in owed.iter().enumerate() {
            when(s3.clear | ((s3.visit | s3.charge) & s3.group.eq(group)), || {
                owed.write(s3.port, in_debt & !s3.clear);
            });
        }
        let solvent = !out_of_tokens & !in_debt;
        let may_start = delay_without_reset(solvent & !found.owes_more & !found.held & !outranked.at(key));
        let pays = delay_without_reset(solvent);
        let is_active = delay_without_reset(found.backlogged & !out_of_tokens & !found.held_elsewhere);
        let is_rich = delay_without_reset(is_rich | round);
        when(tends_pace, || {
            paces.write(key, s3.clear.mux(pace.zero(), next_pace(pace, round)));
        });

        // S4: the verdict, and what the sweep is about to find.
        let key = delay_without_reset(key);
        let open = reg(bits(ports));
        when(s4.visit, || open.at(s4.port).set(may_start));
        when(s4.charge & !pays, || open.at(s4.port).set(false));
        when(io.hold_all, || open.set(0));
        io.open.set(open | all_wires);

        let active = reg(bits(1 << key_bits));
        let rich = reg(bits(1 << key_bits));
        when(count.all(), || {
            rounds.set(active & !rich);
            let classes = active.chunks(CLASSES);
            let above = |of: &Bits| vector((0..CLASSES).map(|class| (*of >> lit(class + 1, 3)).any()));
            outranked.set(cat(classes.iter().rev().map(above)));
            active.set(0);
            rich.set(0);
        });
        when(s4.visit & is_active, || active.at(key).set(true));
        when(s4.visit & is_active & is_rich, || rich.at(key).set(true));
    })
}

/// The sign of a number in two's complement.
fn sign(x: Bits) -> Bool {
    x.bit(x.width() - 1)
}

/// The pace after one more sweep, which was a round or not.
#[hdl]
fn next_pace(pace: Pace, round: Bool) -> Pace {
    let (scale, age) = (Bits::from(pace.scale), Bits::from(pace.age));
    let hurries = age.lt(4) & !scale.all();
    let tarries = age.all();
    let faster = scale + hurries.bits().zext(3);
    let slower = scale - (tarries & scale.any()).bits().zext(3);
    let older = tarries.mux(lit(8, 5), age + 1);
    Pace { scale: round.mux(faster, slower).as_u(), age: round.mux(lit(0, 5), older).as_u() }
}
