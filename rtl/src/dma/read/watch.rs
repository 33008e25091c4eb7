//! Looks after requests that wait: their time, and whether their function may still have any.

use super::types::Issue;
use crate::{config::Config, pcie::configuration::function_bits, prim::decode};
use hdl::*;

/// Bits of a request's age in ticks.
const AGE_BITS: usize = 6;

/// The bit of an age that says that its time is over: after 16 ticks.
const TIMED_OUT: usize = 4;

/// What is kept of a request that has ended.
#[derive(Bundle, Clone, Copy, Debug)]
struct GivenUp {
    /// When.
    time: U<AGE_BITS>,
    /// Its function may not send, but has not been reset: the request counts as pending.
    pending: Bool,
}

/// A request that ends before its completion has come.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config, tags: usize)]
pub struct End {
    #[ty(bits(clog2(tags)))]
    pub tag: Bits,
    #[ty(bits(function_bits(config)))]
    pub function: Bits,
    /// It has timed out, and its function was not stopped.
    pub timed_out: Bool,
}

#[derive(Bundle, Clone)]
#[ty(config: &Config, clients: usize, tags: usize)]
pub struct WatchIo {
    #[input]
    #[ty(Valid::ty(Issue::ty(config, clients, tags)))]
    pub issue: Valid<Issue>,
    /// Time goes on.
    #[input]
    pub tick: Bool,
    /// Tags whose completion has not come whole.
    #[input]
    #[ty(bits(tags))]
    pub waiting: Bits,
    /// A tag that is `waiting` for the last time.
    #[input]
    #[ty(Valid::ty(bits(clog2(tags))))]
    pub whole: Valid<Bits>,
    /// Those of them that nobody waits for any more.
    #[input]
    #[ty(bits(tags))]
    pub ended: Bits,
    #[input]
    #[ty(bits(config.functions()))]
    pub blocked: Bits,
    /// Those of the blocked functions that are being reset.
    #[input]
    #[ty(bits(config.functions()))]
    pub stopped: Bits,
    /// Functions whose requests do not time out.
    #[input]
    #[ty(bits(config.functions()))]
    pub timeout_disable: Bits,
    /// Tags that are not to be released in the next cycle.
    #[input]
    #[ty(vec![Valid::ty(bits(clog2(tags))); IN_USE])]
    pub in_use: Vec<Valid<Bits>>,
    /// A timeout can be reported.
    #[input]
    pub may_report: Bool,
    #[output]
    #[ty(Valid::ty(End::ty(config, tags)))]
    pub end: Valid<End>,
    /// A tag that does not wait any more.
    #[output]
    #[ty(Valid::ty(bits(clog2(tags))))]
    pub release: Valid<Bits>,
    /// Functions with requests that wait and have not ended.
    #[output]
    #[ty(bits(config.functions()))]
    pub live: Bits,
    /// With requests that wait, or ended only because the function may not send, and are not too old.
    #[output]
    #[ty(bits(config.functions()))]
    pub pending: Bits,
}

/// How many tags may be in use where a release would hurt.
pub const IN_USE: usize = 6;

/// Visits a tag in each cycle.
///
/// ```text
///  issue ─► function, time (RAM)                  ┌─► given up (RAM)
///  tag + 1 ─► read ─► age, blocked ─► end, release, live, pending
/// ```
///
/// A request whose function is blocked ends; so does one that is 16 ticks old, which is between 15 and 16 periods of
/// `tick`, unless timeouts are disabled. What has ended is released 32 ticks after it was issued and 16 after it ended, if its
/// completion has not come until then; one that was issued longer ago, without timeouts, 16 to 48 after it ended. `live` and
/// `pending` are set at once and fall within two rounds.
#[hdl]
pub fn watch(config: &Config, clients: usize, tags: usize) -> WatchIo {
    let name = format!("dma_read_watch_{}_{tags}", config.functions());
    module(name, WatchIo::ty(config, clients, tags), |io| {
        let functions_count = config.functions();
        let tag_bits = clog2(tags);
        let functions = mem(bits(function_bits(config)), tags, Collision::Undefined);
        let times = mem(bits(AGE_BITS), tags, Collision::Undefined);
        let given_up = mem(GivenUp::ty(), tags, Collision::Undefined);
        let now = reg(bits(AGE_BITS));
        when(io.tick, || now.set(now + 1));
        let Issue { tag, piece } = io.issue.payload;
        when(io.issue.valid, || {
            functions.write(tag, piece.function);
            times.write(tag, now);
        });

        // Read.
        let next = reg(bits(tag_bits));
        next.set(next + 1);
        let read_tag = delay(next);
        let read_function = delay_without_reset(functions.peek(next));
        let read_time = delay_without_reset(times.peek(next));
        // Its completion may come between here and the end.
        let comes = |tag: Bits| io.whole.valid & io.whole.payload.eq(tag);
        let read_waiting = delay(io.waiting.at(next) & !comes(next));
        let read_given_up = delay_without_reset(given_up.peek(next));
        let read_ended = delay_without_reset(io.ended.at(next));

        // Judge.
        let visited = delay(read_tag);
        let function = delay_without_reset(read_function);
        let age = delay_without_reset(now - read_time);
        let end_time = delay_without_reset(read_given_up.time);
        let end_age = delay_without_reset(now - Bits::from(read_given_up.time));
        let counts = delay_without_reset(read_given_up.pending);
        let is_stopped = delay_without_reset(io.stopped.at(read_function));
        let times_out = delay_without_reset(!io.timeout_disable.at(read_function));
        let still_waits = read_waiting & !comes(read_tag);
        let live = delay(still_waits & !read_ended);
        let quarantined = delay(still_waits & read_ended);
        let is_blocked = delay_without_reset(io.blocked.at(read_function));
        let in_use = delay(any_of(io.in_use.iter().map(|used| used.valid & used.payload.eq(read_tag))));

        // Act.
        let reaches_timeout = |age: Bits| age.bit(TIMED_OUT) | age.bit(TIMED_OUT + 1);
        let is_old = reaches_timeout(age) & times_out;
        let ends = live & (is_blocked | is_old & io.may_report);
        io.end.valid.set(ends);
        io.end.payload.set(End { tag: visited, function, timed_out: !is_blocked });
        io.release.valid.set(quarantined & age.bit(TIMED_OUT + 1) & reaches_timeout(end_age) & !in_use);
        io.release.payload.set(visited);
        when(ends | (quarantined & is_stopped), || {
            let time = ends.mux(now, end_time.into()).as_u();
            given_up.write(visited, GivenUp { time, pending: ends & !is_stopped & !is_old });
        });
        let owes = live & !ends | (live | quarantined & counts) & !is_stopped & !is_old;

        // A tag that is issued in the cycle in which it is read is not seen as waiting: it counts two cycles later.
        let of = |valid: Bool, function: Bits| {
            valid.bits().repeat(functions_count) & decode(function, functions_count)
        };
        let issued = of(io.issue.valid & piece.is_sent(), piece.function);
        let issued_before = delay(issued);
        let issued_two_before = delay(issued_before);
        let recent = issued | issued_before;
        for (output, found) in [(io.live, live & !ends), (io.pending, owes)] {
            let all = reg(bits(functions_count));
            /// As far as this round has come.
            let seen = reg(bits(functions_count));
            let seen_now = seen | issued_two_before | of(found, function);
            when(visited.all(), || {
                all.set(seen_now | recent);
                seen.set(issued_two_before);
            })
            .otherwise(|| {
                all.set(all | recent);
                seen.set(seen_now);
            });
            output.set(all);
        }
    })
}
