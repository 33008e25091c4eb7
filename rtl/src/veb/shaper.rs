//! Which functions may start a frame: maximum rates, guaranteed shares, classes, back-pressure.
//!
//! # Purpose
//! A function's frame starts when all of this holds; what has started is never held up:
//! - **Maximum**: its token bucket is not in debt.
//! - **Share**: its credit in the deficit round robin is in debt to no bottleneck.
//! - **Class**: no function of a higher class has something to send to the same bottleneck.
//! - **Back-pressure**: no port that its last frame went to is congested; and `hold_all` is not set.
//!
//! # Schematic
//! ```text
//!  count ─► visit ──┐    S0         S1            S2                 S3           S4
//!                   ├─► RATE row ─► × byte cost ─► tokens ± ────────► may it? ───► open[port]
//!  frame ─► charge ─┘   last ports                quantum × 4^scale ► credit ± ──► active, rich, poor
//!                                                   pace ▲                           │ end of a sweep
//!                                                        └────────── rounds ◄────────┘
//! ```
//! Nothing looks at all ports at once. A counter *visits* a port in every other cycle; a *sweep* visits all. The cycles
//! between charge frames. Both go through the same stages, and the memories have a word for each port.
//!
//! # Tokens
//! A visit adds `maximum << rate_shift` unless the bucket holds the burst; a frame costs its bytes and RATE_OVERHEAD, times
//! `byte_cost`: see `units.rs`. All are integers, so the rate has no error, however long. In `small` a sweep takes 32
//! cycles, adds 16 tokens for each Mb/s, and a byte costs 625; in `x3100` and `wide` it takes 64 and adds 4, and a byte
//! costs 125. A frame is charged when it has been decided, so the bucket goes below zero by what was under way.
//!
//! # Shares
//! A *group* is what sends to one bottleneck: a wire (the lowest in a frame's destinations), or else the inside of the
//! bridge. A port has a credit in each group, from which its frames to it are subtracted with their overhead. Each sweep
//! looks at one group. A port is *active* in it if it sends to it or owes to it, its gate had a beat waiting in each four
//! cycles since its last visit, and no congestion elsewhere holds it back: a source that is slow or pauses in mid-frame
//! keeps nothing from the others. It is *rich* if its credit is what a round would bring, else *poor*. If a class has a
//! poor port, and no rich one that may send, the next sweep is a *round* of the same group: each poor port of the class
//! gets its quantum times `4^scale`.
//!
//! Rounds come while there is credit left, because finding out takes a sweep. Ports that stay active get the same number of
//! quanta, whenever a round comes, so shares are exact up to one frame and two rounds. A port that does not send keeps at
//! most two rounds' credit.
//!
//! `scale` makes quanta weights: 1, 2, 3 work as well as 1500, 3000, 4500. It goes up when rounds come less than
//! three looks apart, and down when 15 looks found none necessary.
//!
//! # Timing
//! `open` is a register, 0 for functions until `cleared`, which takes a sweep for each group. A charge closes its port 6 or
//! 7 cycles after `frame`. Tokens, back-pressure and rows act at the port's next visit, rounds and classes when their
//! group has had its look: two or three sweeps later, or up to six in rounds. `hold_all` closes in the next cycle.

mod units;

#[cfg(test)]
mod tests;

use super::types::Settled;
use crate::{
    config::Config,
    prim::{self, decode},
};
use hdl::*;
use units::{BURST_BITS, CLASSES, Units, group_bits, group_of, scaled, times};

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
    #[ty(Valid::ty(Settled::ty(config)))]
    pub frame: Valid<Settled>,
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

/// A row of the table RATE.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
pub struct RateRow {
    #[ty(bits(config.port_bits()))]
    pub port: Bits,
    pub rate: Rate,
}

/// What a port may send: a row of the table RATE, under the names of its fields.
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

/// Rounds that are fewer looks apart are too small.
const HURRY: usize = 3;

/// Bits of what a round brings.
const ROUND_BITS: usize = 17;

/// Bits of a port's credit, in bytes, with its sign.
const CREDIT_BITS: usize = ROUND_BITS + 2;

/// How the rounds of a group and class go.
#[derive(Bundle, Clone, Copy)]
struct Pace {
    /// A round brings the quantum times 4 to the power of this.
    scale: U<3>,
    /// Looks at the group since the last round.
    age: U<4>,
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

/// What goes through the stages.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Step {
    #[ty(bits(config.port_bits()))]
    port: Bits,
    /// Whose credit it is about.
    #[ty(bits(group_bits(config)))]
    group: Bits,
    visit: Bool,
    charge: Bool,
    /// All words become zero.
    clear: Bool,
}

/// What a visit finds out beside tokens and credit.
#[derive(Bundle, Clone, Copy)]
struct Findings {
    /// Has frames for the group's bottleneck, and no other congestion holds them back.
    active: Bool,
    /// A port that the last frame went to is congested.
    held: Bool,
    /// Its credit in other groups is in debt.
    owes_others: Bool,
}

/// A pace to bring up to date.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Tend {
    /// Group and class.
    #[ty(bits(group_bits(config) + clog2(CLASSES)))]
    key: Bits,
    is_round: Bool,
    /// The sweep is no round for any class.
    is_look: Bool,
}

/// Says which ports may start a frame.
#[hdl]
pub fn shaper(config: &Config) -> ShaperIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    let name = format!("veb_shaper_{}_{}_{}", config.wires, config.ports(), config.clock_khz);
    module(name, ShaperIo::ty(config), |io| {
        let (ports, wires) = (config.ports(), config.wires);
        let (depth, group_bits) = (ports.next_power_of_two(), group_bits(config));
        let class_bits = clog2(CLASSES);
        let units = Units::of(config);
        let none = lit(0, ports);
        let all_wires = lit((1 << wires) - 1, ports);

        // The schedule.
        let count = reg(bits(clog2(units.sweep)));
        count.set(count + 1);
        let sweep_ends = count.all();
        /// The cycles between visits are for charges.
        let between = count.bit(0);
        let index = count.slice(1, count.width() - 1);
        let visited = index.trunc(config.port_bits());
        let visits = !between & index.lt(ports);
        /// The bottleneck that this sweep is about.
        let group = reg(bits(group_bits));
        /// The classes for which this sweep is a round.
        let rounds = reg(bits(CLASSES));
        let is_last_group = group.eq(wires);
        let cleared = reg(flag());
        when(sweep_ends & is_last_group, || cleared.set(true));
        io.cleared.set(cleared);

        // What the gates have to send.
        /// A beat was there since the last look, four cycles ago at most.
        let seen = reg(bits(ports));
        /// There was none between two looks since the port's last visit.
        let gap = reg(bits(ports));
        let look = count.trunc(2).all();
        let waits = seen | (io.pending & !all_wires);
        seen.set(look.mux(none, waits));
        let visited_now = visits.mux(decode(visited, ports), none);
        gap.set((gap & !visited_now) | look.mux(!waits, none));

        // Frames that wait to be charged.
        let Settled { port, length, destinations } = io.frame.payload;
        let charges = prim::fifo(Charge::ty(config), CHARGES);
        charges.enq.valid.set(io.frame.valid & cleared);
        charges.enq.payload.set(Charge { port, group: group_of(destinations.trunc(wires)), length });
        charges.deq.ready.set(between);
        assume(charges.enq.ready | !charges.enq.valid, "no more frames come at once than may wait");
        let charge = charges.deq.payload;

        // S0: the row of the port, where it sends, and to which groups it owes.
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
        let port = between.mux(charge.port, visited);
        let last = lasts.peek(visited);
        let owes = vector(owed.iter().map(|group| group.peek(visited)));
        let home = group_of(last.trunc(wires));
        let this_group = decode(group, wires + 1);
        let this_wire = this_group.trunc(wires).zext(ports);
        let held = last & io.congested;
        let concerned = home.eq(group) | (owes & this_group).any();
        let s1 = delay(Step {
            port,
            group: between.mux(charge.group, group),
            visit: visits & cleared,
            charge: between & charges.deq.valid,
            clear: !cleared,
        });
        let found = delay_without_reset(Findings {
            active: !gap.at(visited) & concerned & !(held & !this_wire).any(),
            held: held.any(),
            owes_others: (owes & !this_group).any(),
        });
        let rate = delay_without_reset(rates.peek(port));
        let bytes = delay_without_reset(charge.length.wide_add(Bits::from(io.rate_overhead).zext(14)));
        let home = delay_without_reset(home);
        // No port has the last four numbers of a sweep: these visits look after the paces of the classes.
        let class = index.trunc(class_bits);
        let tend = delay_without_reset(Tend {
            key: cat([group, class]),
            is_round: rounds.at(class),
            is_look: !rounds.any(),
        });
        let is_tend = delay(!between & index.slice(class_bits, index.width() - class_bits).all());

        // S1: what it costs, or the burst, in tokens.
        let s2 = delay(s1);
        let token_bits = units.token_bits();
        let counted = s1.visit.mux(rate.burst.into(), bytes.zext(BURST_BITS));
        let cost = delay_without_reset(times(counted, units.byte_cost, token_bits));
        let quantum = Bits::from(rate.quantum);
        let weight = quantum | quantum.eq(0).bits().zext(quantum.width());
        let weight = delay_without_reset(s1.visit.mux(weight, bytes.zext(weight.width())));
        let earned = delay_without_reset(Bits::from(rate.maximum));
        let class = Bits::from(rate.class);
        let key = delay_without_reset(is_tend.mux(tend.key, cat([s1.group, class])));
        let is_round = delay_without_reset(is_tend.mux(tend.is_round, rounds.at(class)));
        let tends = delay(is_tend & (tend.is_round | tend.is_look));
        let rank = delay_without_reset(cat([home, class]));
        let found = delay_without_reset(found);

        // S2: tokens. `less` is what is left, or for a visit tells whether the bucket is below its burst.
        let s3 = delay(s2);
        let tokens = mem(bits(token_bits), depth, Collision::Undefined);
        let limited = earned.any();
        let before = tokens.peek(s2.port);
        let less = before - cost;
        let more = before + (earned.zext(token_bits) << lit(units.rate_shift, 5));
        let after = s2.visit.mux(more, less);
        let earns = s2.visit & sign(less);
        when(s2.clear | (limited & (s2.charge | earns)), || {
            tokens.write(s2.port, s2.clear.mux(after.zero(), after));
        });
        let out_of_tokens = delay_without_reset(limited & sign(after));
        let paces = mem(Pace::ty(), CLASSES << group_bits, Collision::Undefined);
        let pace = paces.peek(key);
        let scale = s2.visit.mux(pace.scale.into(), lit(0, 3));
        let amount = delay_without_reset(scaled(weight, scale, ROUND_BITS));
        let pace = delay_without_reset(pace);
        let key = delay_without_reset(key);
        let is_round = delay_without_reset(is_round);
        let tends = delay(tends);
        let rank = delay_without_reset(rank);
        let found = delay_without_reset(found);

        // S3: credit.
        let s4 = delay(s3);
        let credits = mem(bits(CREDIT_BITS), depth << group_bits, Collision::Undefined);
        let before = credits.peek(cat([s3.group, s3.port]));
        let amount = amount.zext(CREDIT_BITS);
        let less = before - amount;
        let is_rich = !sign(less);
        let gains = s3.visit & is_round & !is_rich;
        let after = s3.visit.mux(before + amount, less);
        when(s3.clear | s3.charge | gains, || {
            credits.write(cat([s3.group, s3.port]), s3.clear.mux(after.zero(), after));
        });
        let in_debt = (s3.charge | gains).mux(sign(after), sign(before));
        when(s3.clear | tends, || {
            paces.write(key, s3.clear.mux(pace.zero(), next_pace(pace, is_round)));
        });
        /// A higher class of the group is active, for each group and class.
        let outranked = reg(bits(CLASSES << group_bits));
        let solvent = !out_of_tokens & !in_debt;
        let held_up = found.owes_others | found.held | outranked.at(rank);
        let may_start = delay_without_reset(solvent & !held_up);
        let is_solvent = delay_without_reset(solvent);
        let is_active = delay_without_reset(found.active);
        let is_able = delay_without_reset(!out_of_tokens & !found.owes_others);
        let is_rich = delay_without_reset(is_rich);
        let class = delay_without_reset(key.trunc(class_bits));

        // S4: the verdict.
        let owes = delay_without_reset(in_debt);
        for (group, owed) in owed.iter().enumerate() {
            when(s4.clear | ((s4.visit | s4.charge) & s4.group.eq(group)), || {
                owed.write(s4.port, owes & !s4.clear);
            });
        }
        let open = reg(bits(ports));
        when(s4.visit, || open.at(s4.port).set(may_start));
        when(s4.charge & !is_solvent, || open.at(s4.port).set(false));
        when(io.hold_all, || open.set(0));
        io.open.set(open | all_wires);

        // What the sweep finds, and what the next is about.
        /// A port of the class is active, has tokens, and owes to no other group.
        let active = reg(bits(CLASSES));
        /// Such a port is rich.
        let rich = reg(bits(CLASSES));
        /// An active port is not rich, able to start or not.
        let poor = reg(bits(CLASSES));
        let wanting = poor & !rich;
        let starts_round = wanting.any() & !rounds.any();
        when(sweep_ends, || {
            active.set(0);
            rich.set(0);
            poor.set(0);
            rounds.set(starts_round.mux(wanting, wanting.zero()));
            when(!starts_round, || group.set(is_last_group.mux(group.zero(), group + 1)));
            let above = vector((1..=CLASSES).map(|class| (active >> lit(class, 3)).any()));
            for (number, outranked) in outranked.chunks(CLASSES).into_iter().enumerate() {
                when(group.eq(number), || outranked.set(above));
            }
        });
        let finds = s4.visit & is_active;
        when(finds & is_able, || active.at(class).set(true));
        when(finds & is_able & is_rich, || rich.at(class).set(true));
        when(finds & !is_rich, || poor.at(class).set(true));
    })
}

/// The sign of a number in two's complement.
fn sign(x: Bits) -> Bool {
    x.bit(x.width() - 1)
}

/// The pace after another look at the group, or after a round. A round after a change of scale comes at another time than it
/// would have, so it says nothing.
#[hdl]
fn next_pace(pace: Pace, is_round: Bool) -> Pace {
    let (scale, age) = (Bits::from(pace.scale), Bits::from(pace.age));
    let hurries = age.lt(HURRY) & !scale.all();
    let tarries = age.all() & scale.any();
    let step = cat([tarries, tarries, tarries | hurries]);
    let older = age + (!age.all()).bits().zext(4);
    Pace {
        scale: is_round.mux(scale + step, scale).as_u(),
        age: is_round.mux(hurries.mux(lit(HURRY, 4), lit(0, 4)), older).as_u(),
    }
}
