//! Counters of frames and bytes, for each port and kind.

#[cfg(test)]
mod tests;

use super::{
    rows::{Outcome, RowRequest, RowResponse, Table},
    types::{Cast, Counted, Finished, Reason},
};
use crate::{config::Config, prim, register_map as map};
use hdl::*;

/// What is counted, with its number in the table STATISTICS.
#[derive(HwEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Came in, whether they went on or not; so do the next two.
    InUnicast = 0,
    InMulticast = 1,
    InBroadcast = 2,
    /// Left, with the length that they left with; so do the next two.
    OutUnicast = 3,
    OutMulticast = 4,
    OutBroadcast = 5,
    /// Came in with [`Reason::Error`], and count nowhere else; so do the next three.
    Error = 8,
    Runt = 9,
    Oversize = 10,
    BufferFull = 11,
    /// Came in and were dropped for [`Reason::Disabled`]; so do the next five.
    Disabled = 12,
    MacSpoof = 13,
    EthertypeSpoof = 14,
    Admission = 15,
    Vlan = 16,
    Filtered = 17,
    /// Copies that the port's queue had no room for; their bytes stay 0.
    QueueFull = 24,
}

impl Kind {
    /// What a frame that comes in counts as.
    pub fn incoming(cast: Cast) -> Kind {
        match cast {
            Cast::Unicast => Kind::InUnicast,
            Cast::Multicast => Kind::InMulticast,
            Cast::Broadcast => Kind::InBroadcast,
        }
    }

    /// What a frame that leaves counts as.
    pub fn outgoing(cast: Cast) -> Kind {
        match cast {
            Cast::Unicast => Kind::OutUnicast,
            Cast::Multicast => Kind::OutMulticast,
            Cast::Broadcast => Kind::OutBroadcast,
        }
    }

    /// What a frame that is dropped for a reason counts as.
    pub fn dropped(reason: Reason) -> Option<Kind> {
        match reason {
            Reason::None => None,
            Reason::Error => Some(Kind::Error),
            Reason::Runt => Some(Kind::Runt),
            Reason::Oversize => Some(Kind::Oversize),
            Reason::BufferFull => Some(Kind::BufferFull),
            Reason::Disabled => Some(Kind::Disabled),
            Reason::MacSpoof => Some(Kind::MacSpoof),
            Reason::EthertypeSpoof => Some(Kind::EthertypeSpoof),
            Reason::Admission => Some(Kind::Admission),
            Reason::Vlan => Some(Kind::Vlan),
            Reason::Filtered => Some(Kind::Filtered),
        }
    }

    /// A frame that counts as this came in damaged, and does not count as [`Kind::incoming`].
    pub fn is_damage(self) -> bool {
        matches!(self, Kind::Error | Kind::Runt | Kind::Oversize | Kind::BufferFull)
    }

    /// All kinds, in the order of their numbers.
    pub fn all() -> impl Iterator<Item = Kind> {
        Kind::VARIANTS.iter().map(|variant| variant.1)
    }

    /// Its place among all kinds. The first 16 stand in the rows of their port; QUEUE_FULL has rows of its own.
    fn slot(self) -> usize {
        Kind::all().position(|kind| kind == self).expect("VARIANTS lists every variant")
    }
}

/// Kinds with rows beside those of the same port.
const SLOTS: usize = 16;

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct StatisticsIo {
    /// A frame has come in. At most one in four cycles.
    #[input]
    #[ty(Valid::ty(Counted::ty(config)))]
    pub counted: Valid<Counted>,
    /// A frame has left. At most one in three cycles.
    #[input]
    #[ty(Valid::ty(Finished::ty(config)))]
    pub finished: Valid<Finished>,
    /// A copy was dropped; a pulse for each port, in at most one of four cycles.
    #[input]
    #[ty(bits(config.ports()))]
    pub queue_full: Bits,
    /// Reads of the table STATISTICS, index `32 * port + kind`; others must not come here.
    #[input]
    pub row: Stream<RowRequest>,
    /// The answer, one for each: frames in bits 63:0, bytes in 127:64. A number that is no kind reads 0.
    #[output]
    pub row_response: Valid<RowResponse>,
    /// All counters have been zero at some time since reset. Nothing may happen before.
    #[output]
    pub clear: Bool,
}

/// Bits of the two counters of a row, frames and bytes. A counter is kept in two words.
#[derive(Clone, Copy)]
struct Widths {
    /// Of a whole counter.
    total: usize,
    /// The low word has one bit more than this.
    low: [usize; 2],
}

impl Widths {
    /// Both words of a row take 72 bits: two block RAMs side by side.
    const REAL: Widths = Widths { total: 64, low: [32, 38] };

    /// Bits of the wider of the two words.
    fn word(&self) -> [usize; 2] {
        self.low.map(|low| (low + 1).max(self.total - low))
    }
}

/// Counts frames and bytes in rows of two 64-bit counters, which start again at 0 after 2^64 - 1.
///
/// ```text
///  counted ────► register, 1 or 2 rows ─┐         ┌─────────────────── write ───────────────────┐
///  finished ───► register, 1 row ───────┼─► RAM ──┴─► old ─► (+) ─► sum ────────────────────────┘
///  queue_full ─► pending[port] ─► flush ┤              │      ▲       │
///  row, scrub ─► visit ─────────────────┘              └► low ┴ carry └► high ─► row_response
/// ```
///
/// **Two words.** The low word of a counter has its bits `k` to 0 and is all that an event touches: no adder is longer
/// than 39 bits, and two block RAMs hold rows of 72 bits. The high word has bits 63 to `k`. Both have bit `k`; where
/// they differ, the low word has passed on since, and the high word is one behind. A *visit* looks at the low word of a
/// row, then at the high word, and brings that up to date. It answers a request too: the low word of one instant, and the
/// high word that belongs to it, so frames and bytes are of one instant. Between requests, or in turn with them, visits go
/// round all rows: each is visited long before its low word can pass `2^k` again.
///
/// **Slots.** Each cycle has a slot for one word: read in it, held in the next cycle, added to and written in the one after.
/// A frame that left goes first, then the rows of a frame that came in, then one step of the round: the flush of one
/// port's pending `queue_full`, or, once in a round, one word of the visit. Three things follow from the spacing of the
/// events, and are asserted.
///
/// * *No event waits for longer than its register is free.* `finished` never waits. `counted` in cycle `t` has
///   the slots `t + 1` to `t + 3` but the one at most in which a frame left, so both its rows are done before `t + 5`.
/// * *Slots for one row lie three apart*, so that the word is written before it is read again. Those of frames that
///   leave do. The first row of a frame takes slot `t + 1` or `t + 2`, the next frame's `t + 5` or later; the second
///   row `t + 3` or earlier, then `t + 6` or later; no row is first for one frame and second for another. A round has
///   four steps or more, as there are three ports.
/// * *No pulse is lost.* In `12 m` cycles frames that came in take `2 ceil((12 m + 2) / 4) = 6 m + 2` slots at most, those
///   that left `4 m`: `2 m - 2` are free. So a round of `ports + 1` steps takes `6 (ports + 4)` cycles at most, in which a
///   port has `ceil(1.5 (ports + 4))` pulses at most: 105 for 66 ports, 7 bits.
///
/// **Visits do not disturb.** They write high words only, which nobody else does. A visit watches its row for a cycle
/// before it takes a slot of its own for the low word, and if an event reads that row, takes what the event reads: so
/// its own read never meets a write, and a busy row cannot keep it waiting.
///
/// A request is answered 7 cycles later at best, and within five rounds, as a visit may be under way and each word may
/// just have missed its step. The rows clear themselves after reset, 6 cycles each. All outputs are registers
/// but `row.ready`, one step of logic behind some.
#[hdl]
pub fn statistics(config: &Config) -> StatisticsIo {
    counters(config, Widths::REAL)
}

/// How a visit gets on.
#[derive(HwEnum, Clone, Copy)]
enum Visit {
    /// The row is chosen.
    Choose,
    /// The low word is taken if an event reads it.
    Watch,
    /// So it is, or read in a slot of its own.
    Low,
    /// The high word is read.
    High,
}

/// Rows, one of them always 0: that of all ones.
fn rows(config: &Config) -> usize {
    ((SLOTS + 1) * config.ports() + 1).next_power_of_two()
}

/// Cycles that a round takes at most.
fn round(config: &Config) -> usize {
    6 * (config.ports() + 4)
}

/// `value`, and 1 more if `by`. Written out because tools give each short sum a carry chain, which is larger.
fn increment(value: Bits, by: Bool) -> Bits {
    let mut carry = by;
    let sums = value.to_bools().into_iter().map(|bit| {
        let sum = bit ^ carry;
        carry = carry & bit;
        sum
    });
    vector(sums)
}

#[hdl]
fn counters(config: &Config, widths: Widths) -> StatisticsIo {
    let ports = config.ports();
    let round = round(config);
    let Widths { total, low: low_bits } = widths;
    // A visit takes three rounds at most, and every other may be for a request.
    let lap = rows(config) * 6 * round;
    let fits = (lap / 3) < 1 << low_bits[0] && (lap / 3) << 14 <= 1 << low_bits[1];
    require(fits && low_bits[1] < total && total <= 64, || {
        format!("a visit every {lap} cycles is too late for low words of {low_bits:?} bits")
    });
    let name = format!("veb_statistics_{ports}x{total}");
    module(name, StatisticsIo::ty(config), |io| {
        let row_bits = clog2(rows(config));
        let row_type = bits(row_bits);
        let word = widths.word().map(bits).to_vec();
        let memory = mem(word.clone(), 2 * rows(config), Collision::Undefined);
        let row_of = |port: Bits, slot: Bits| cat([port, slot]).zext(row_bits);

        // A frame that came in.
        let arrival = reg(flag());
        /// Another row follows.
        let again = reg(flag());
        let arrival_port = reg_without_reset(bits(config.port_bits()));
        let arrival_slot = reg_without_reset(bits(clog2(SLOTS)));
        let again_slot = reg_without_reset(bits(clog2(SLOTS)));
        let arrival_length = reg_without_reset(U::<14>::ty());
        let incoming = wire(bits(clog2(SLOTS)));
        let outgoing = wire(bits(clog2(SLOTS)));
        let dropped = wire(bits(clog2(SLOTS)));
        let damaged = wire(flag());
        let Counted { port, reason, cast, length } = io.counted.payload;
        cast.cases(|cast| incoming.set(Kind::incoming(cast).slot()));
        io.finished.payload.cast.cases(|cast| outgoing.set(Kind::outgoing(cast).slot()));
        reason.cases(|reason| {
            let kind = Kind::dropped(reason);
            // Without a reason any slot does.
            dropped.set(kind.unwrap_or(Kind::Filtered).slot());
            damaged.set(kind.is_some_and(Kind::is_damage));
        });

        // A frame that left: always the first.
        let departure = delay(io.finished.valid);
        let departure_row = delay_without_reset(row_of(io.finished.payload.port, outgoing));
        let departure_length = delay_without_reset(io.finished.payload.length);
        when(!departure, || {
            arrival.set(again);
            again.set(false);
            arrival_slot.set(again_slot);
        });
        when(io.counted.valid, || {
            arrival.set(true);
            again.set(!damaged & !reason.is(Reason::None));
            arrival_port.set(port);
            arrival_slot.set(damaged.mux(dropped, incoming));
            again_slot.set(dropped);
            arrival_length.set(length);
        });
        let event = arrival | departure;

        // The steps of the round, each prepared a step ahead. The rows are visited alone until all are clear.
        let clear = reg(flag());
        let free = !event;
        /// The port of the next step, a bit for each; behind the last, the visit.
        let turn = reg_init(lit(1u128 << ports, ports + 1));
        let is_visit = turn.bit(ports);
        /// This step is the flush of a port.
        let flush = reg(flag());
        let flush_row = reg_without_reset(row_type);
        let pending_bits = clog2((3 * (ports + 4)).div_ceil(2) + 1);
        let flush_count = reg(bits(pending_bits));
        /// Copies dropped at each port since its last step.
        let pending = reg(vec![bits(pending_bits); ports]);
        when(free, || {
            when(clear, || turn.set(cat([turn.trunc(ports), is_visit.bits()])));
            flush.set(!is_visit);
            when(is_visit, || flush_row.set(SLOTS * ports - 1)).otherwise(|| flush_row.set(flush_row + 1));
            flush_count.set(prim::onehot_select(&pending, turn.trunc(ports)));
        });
        for (port, pending) in pending.iter().enumerate() {
            let pulse = io.queue_full.bit(port);
            let flushed = free & turn.bit(port);
            let kept = flushed.mux(pending.zero(), *pending);
            pending.set(increment(kept, pulse));
            assert(!pulse | flushed | !pending.all(), "a flush comes before too many copies are pending");
        }

        // The visit of a row, for a request in turn with one of all rows.
        let visit = reg_enum(Visit::Choose);
        let visited = reg_without_reset(row_type);
        let answers = reg_without_reset(flag());
        let prefers_request = reg(flag());
        let next_visited = reg(row_type);
        let index = io.row.payload.index;
        let asked_port = index.slice(5, 7).trunc(config.port_bits());
        let asked = wire(row_type);
        let asks = Kind::all().fold(switch(index.trunc(5)), |asks, kind| {
            asks.case(kind as u128, || match kind {
                Kind::QueueFull => asked.set(asked_port.zext(row_bits) + SLOTS * ports),
                _ => asked.set(row_of(asked_port, lit(kind.slot(), clog2(SLOTS)))),
            })
        });
        asks.default(|| asked.set(!row_type.zero()));
        io.row.ready.set(visit.is(Visit::Choose) & prefers_request & clear);
        let serves = io.row.fire();
        let step = free & !flush;
        let reads_low = step & visit.is(Visit::Low);
        let reads_high = step & visit.is(Visit::High);

        // The slot: its word is read,
        let arrival_row = row_of(arrival_port, arrival_slot);
        let row = departure.mux(departure_row, arrival.mux(arrival_row, flush.mux(flush_row, visited)));
        let frames = event.mux(lit(1, pending_bits), flush_count);
        let arrived = arrival.mux(*arrival_length, lit(0, 14));
        let bytes = departure.mux(*departure_length, arrived);
        let counts = event | flush;
        let data = memory.read(cat([row, reads_high.bits()]));

        // held, taken by the visit or not,
        let held_row = delay_without_reset(row);
        let held_high = delay(reads_high);
        let held_more = delay_without_reset(vec![frames, bytes]);
        let held_writes = delay(counts | reads_high | (reads_low & !clear));
        let held_is_low = delay(counts | reads_low);
        let held_answers = delay(reads_high & answers);
        let watches = visit.is(Visit::Watch) | visit.is(Visit::Low);
        let taken = watches & held_is_low & held_row.eq(visited);
        let old = reg_without_reset(word);
        old.set(delay(clear).mux(data, old.zero()));

        // added to, and written.
        let writes = delay(held_writes);
        let is_high = delay(held_high);
        let takes = delay(taken);
        let more = delay_without_reset(held_more);
        let written_row = delay_without_reset(held_row);
        let mut sums = vec![];
        let mut totals = vec![];
        for (i, (old, more)) in old.iter().zip(&more).enumerate() {
            let low = reg_without_reset(bits(low_bits[i] + 1));
            let high = reg_without_reset(bits(total - low_bits[i] - 1));
            let behind = is_high & (old.bit(0) ^ low.bit(low_bits[i]));
            let more = cat([more.slice(1, more.width() - 1), (more.bit(0) | behind).bits()]);
            let sum = *old + more.zext(old.width());
            when(takes, || low.set(old.trunc(low.width())));
            when(is_high, || high.set(sum.slice(1, high.width())));
            sums.push(sum);
            totals.push(cat([high, low]).zext(64));
        }
        when(writes, || memory.write(cat([written_row, is_high.bits()]), sums));
        io.row_response.valid.set(delay(delay(held_answers)));
        io.row_response.payload.outcome.set(Outcome::Done);
        let fields = ["frames", "bytes"].map(|name| map::field(Table::Statistics, name));
        io.row_response.payload.data.set(map::row(fields.into_iter().zip(totals)).as_u());

        visit.cases(|v| match v {
            Visit::Choose => {
                visited.set(serves.mux(asked, next_visited));
                answers.set(serves);
                prefers_request.set(!serves);
                when(!serves, || next_visited.set(next_visited + 1));
                visit.set(Visit::Watch);
            }
            Visit::Watch => {
                when(taken, || visit.set(Visit::High)).otherwise(|| visit.set(Visit::Low));
            }
            Visit::Low => {
                when(taken, || visit.set(Visit::High));
            }
            Visit::High => {
                when(reads_high, || {
                    visit.set(Visit::Choose);
                    when(visited.all(), || clear.set(true));
                });
            }
        });
        io.clear.set(clear);

        io.row.assume_stable();
        let happens = io.counted.valid | io.finished.valid | io.queue_full.any();
        assume(clear | !happens, "nothing happens before all is clear");
        let before = |event: Bool, cycles: usize| {
            let mut past = vec![];
            for _ in 0..cycles {
                past.push(delay(past.last().copied().unwrap_or(event)));
            }
            any_of(past)
        };
        let early = |event: Bool, spacing: usize| event & verification(|| before(event, spacing - 1));
        assume(!early(io.counted.valid, 4), "frames come in four cycles apart");
        assume(!early(io.finished.valid, 3), "frames leave three cycles apart");
        assume(!early(io.queue_full.any(), 4), "copies are dropped four cycles apart");
        assert(!io.counted.valid | !arrival | !(again | departure), "a frame is counted before the next");
        let held_there = held_writes & !held_high & held_row.eq(row);
        let written_there = writes & !is_high & written_row.eq(row);
        assert(!counts | !(held_there | written_there), "a word is written before an event reads it");
        assert(!reads_low | !written_there, "a visit reads no word that is being written");
    })
}
