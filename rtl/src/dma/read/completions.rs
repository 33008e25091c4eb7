//! Received completions: checked, and into the completion buffer.

use super::{
    super::Outcome,
    types::{COUNT_BITS, Issue, Piece, SLOT_BITS, SlotWrite, Verdict, lanes, row_bits},
    watch::IN_USE,
};
use crate::{
    config::Config,
    pcie::{
        configuration::function_bits,
        errors::{ErrorEvent, ErrorKind},
        tlp::{CompletionHeader, Status, TlpBeat, kind},
    },
};
use hdl::*;

/// Bits of a number of words of a piece.
const WORD_COUNT_BITS: usize = COUNT_BITS - 2;

/// Words between which completions may be cut: a Read Completion Boundary of 64 bytes.
const BOUNDARY_BITS: usize = clog2(64 / 4);

#[derive(Bundle, Clone)]
#[ty(config: &Config, clients: usize, tags: usize)]
pub struct CompletionsIo {
    /// Always taken.
    #[input]
    #[ty(Valid::ty(TlpBeat::ty(config.bytes)))]
    pub beat: Valid<TlpBeat>,
    /// With the last beat: the completion is to be ignored.
    #[input]
    pub malformed: Bool,
    /// Not while `busy`.
    #[input]
    #[ty(Valid::ty(Issue::ty(config, clients, tags)))]
    pub issue: Valid<Issue>,
    #[input]
    #[ty(bits(tags))]
    pub waiting: Bits,
    #[input]
    #[ty(bits(tags))]
    pub ended: Bits,
    #[output]
    pub busy: Bool,
    #[output]
    #[ty(Valid::ty(SlotWrite::ty(config, tags)))]
    pub write: Valid<SlotWrite>,
    /// A completion was taken, and so its piece stands.
    #[output]
    #[ty(Valid::ty(Verdict::ty(tags)))]
    pub verdict: Valid<Verdict>,
    /// No more will come for it.
    #[output]
    pub whole: Bool,
    /// For a cycle.
    #[output]
    #[ty(Valid::ty(ErrorEvent::ty(config)))]
    pub error: Valid<ErrorEvent>,
    /// Tags of completions under way, for the next cycle.
    #[output]
    #[ty(vec![Valid::ty(bits(clog2(tags))); IN_USE - 1])]
    pub in_use: Vec<Valid<Bits>>,
}

/// A beat with its completion's header, in the stages of the pipeline.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Beat {
    header: CompletionHeader,
    #[ty(bits(8 * config.bytes))]
    data: Bits,
    /// Words of it that count, by the header.
    #[ty(bits(lanes(config)))]
    enables: Bits,
    first: Bool,
    last: Bool,
    malformed: Bool,
}

/// What is kept of a request.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct Request {
    #[ty(bits(function_bits(config)))]
    function: Bits,
    requester: U<16>,
    last_byte: U<SLOT_BITS>,
}

/// What changes as completions come.
#[derive(Bundle, Clone, Copy)]
struct Progress {
    /// Bytes that are still missing.
    missing: U<COUNT_BITS>,
    /// How the piece ends, as far as is known.
    outcome: Enum<Outcome>,
}

/// Takes a beat in each cycle.
///
/// ```text
///  stage 0      1               2               3                  4              5
///  beat ─► header, words ─► request (RAM) ─► place, fit ─► missing bytes (RAM) ─► verdict, write
///                                                                  ▲    │
///                                                                  └────┘
/// ```
///
/// A completion's place follows from its byte count and from where its piece ends. So only one thing depends on the
/// completion before it: that the byte count is that of the bytes that are missing. That is compared in one stage; what
/// is on its way into the RAM is forwarded.
///
/// The data of a completion goes into the buffer beat by beat, and counts when the last beat has come and was not
/// malformed.
#[hdl]
pub fn completions(config: &Config, clients: usize, tags: usize) -> CompletionsIo {
    let name = format!("dma_read_completions_{}_{tags}x{}", config.functions(), 8 * config.bytes);
    module(name, CompletionsIo::ty(config, clients, tags), |io| {
        let (tag_bits, lanes, row_bits) = (clog2(tags), lanes(config), row_bits(config));
        let lane_bits = clog2(lanes);
        let requests = mem(Request::ty(config), tags, Collision::Undefined);
        let Issue { tag, piece } = io.issue.payload;
        when(io.issue.valid, || {
            let Piece { function, requester, last_byte, .. } = piece;
            requests.write(tag, Request { function, requester, last_byte });
        });
        let tag_of = |beat: &Beat| Bits::from(beat.header.tag).trunc(tag_bits);

        // Stage 1: the header stays for all beats of its completion.
        let beat = io.beat.payload;
        let valid_1 = delay(io.beat.valid);
        let one = reg_without_reset(Beat::ty(config));
        /// A completion has begun and not ended.
        let within = reg(flag());
        /// Words that the next beat may have.
        let words_left = reg_without_reset(bits(WORD_COUNT_BITS));
        when(io.beat.valid, || {
            let header = one.header.unpack(beat.header);
            let words = beat.first.mux(Bits::from(header.first.length).trunc(WORD_COUNT_BITS), words_left);
            when(beat.first, || one.header.set(header));
            one.data.set(beat.data);
            one.enables.set(vector((0..lanes).map(|lane| words.gt(lane))));
            one.first.set(beat.first);
            one.last.set(beat.last);
            one.malformed.set(io.malformed);
            within.set(!beat.last);
            words_left.set(words.gt(lanes).mux(words - lanes, words.zero()));
        });

        // Stage 2: what was asked for, and what the header alone tells.
        let valid_2 = delay(valid_1);
        let two = delay_without_reset(one);
        let header = one.header;
        let tag_1 = tag_of(&one);
        let request_2 = delay_without_reset(requests.peek(tag_1));
        let waits_2 = delay_without_reset(io.waiting.at(tag_1));
        let ended_2 = delay_without_reset(io.ended.at(tag_1));
        let count = Bits::from(header.byte_count);
        let offset = Bits::from(header.lower_address).trunc(2);
        /// Bytes that are missing, counted from the beginning of the first word.
        let reach_2 = delay_without_reset(count.trunc(COUNT_BITS) + offset.zext(COUNT_BITS));
        let extent = count.trunc(COUNT_BITS).wide_add(offset.zext(COUNT_BITS)) + 3;
        /// Words that are missing.
        let words_2 = delay_without_reset(extent.slice(2, COUNT_BITS - 1));
        let length = Bits::from(header.first.length);
        let end_word = Bits::from(header.lower_address).slice(2, BOUNDARY_BITS) + length.trunc(BOUNDARY_BITS);
        let at_boundary_2 = delay_without_reset(!end_word.any());
        let first = header.first;
        let successful = Bits::from(header.status).eq(Status::Successful as u128);
        let has_data = Bits::from(first.kind).eq(kind::COMPLETION_WITH_DATA);
        let carries_2 = delay_without_reset(successful & has_data);
        let fails_2 =
            delay_without_reset(!successful & (has_data | Bits::from(first.kind).eq(kind::COMPLETION)));
        let small = !count.slice(COUNT_BITS, 12 - COUNT_BITS).any();
        let tag_exists = match tag_bits {
            8 => true.to_bool(),
            _ => !Bits::from(header.tag).slice(tag_bits, 8 - tag_bits).any(),
        };
        let possible_2 = delay_without_reset(small & length.any());
        let known_tag = tag_exists & !first.tag_8 & !first.tag_9;
        let known_tag_2 = delay_without_reset(known_tag);

        // Stage 3: whether it belongs to the request, and where it goes.
        let valid_3 = delay(valid_2);
        let three = delay_without_reset(two);
        let header = two.header;
        let length = Bits::from(header.first.length);
        let is_requester = Bits::from(request_2.requester).eq(header.requester);
        let belongs_3 = delay_without_reset(known_tag_2 & waits_2 & is_requester);
        let function_3 = delay_without_reset(request_2.function);
        let is_function_3 = delay_without_reset(known_tag_2 & is_requester);
        let silent_3 = delay_without_reset(ended_2);
        let count = Bits::from(header.byte_count).trunc(SLOT_BITS);
        /// The place of its first byte.
        let place_3 = delay_without_reset(Bits::from(request_2.last_byte) - count + 1);
        let completes = length.eq(words_2.zext(10));
        let goes_on = length.lt(words_2.zext(10)) & at_boundary_2;
        let data_fits_3 = delay_without_reset(carries_2 & possible_2 & (completes | goes_on));
        let fails_3 = delay_without_reset(fails_2);
        let rest = reach_2 - cat([length.trunc(COUNT_BITS - 2), lit(0, 2)]);
        let rest_3 = delay_without_reset(completes.mux(rest.zero(), rest));

        // Stage 4: what is missing.
        let valid_4 = delay(valid_3);
        let four = delay_without_reset(three);
        let tag_3 = tag_of(&three);
        let progress = mem(Progress::ty(), tags, Collision::Undefined);
        let update_4 = wire(flag());
        let new_4 = wire(Progress::ty());
        let update_5 = delay(update_4);
        let new_5 = delay_without_reset(new_4);
        let tag_5 = delay_without_reset(tag_of(&four));
        let same_as_4 = delay_without_reset(tag_of(&two).eq(tag_3));
        let same_as_5 = delay_without_reset(tag_of(&two).eq(tag_of(&four)));
        let stored = (update_5 & same_as_5).mux(new_5, progress.peek(tag_3));
        let progress_4 = delay_without_reset((update_4 & same_as_4).mux(new_4, stored));
        let lower = Bits::from(three.header.lower_address);
        let data_fits_4 = delay_without_reset(belongs_3 & data_fits_3 & place_3.trunc(7).eq(lower));
        let failure_fits_4 = delay_without_reset(belongs_3 & fails_3);
        let rest_4 = delay_without_reset(rest_3);
        let place_4 = delay_without_reset(place_3);
        let function_4 = delay_without_reset(function_3);
        let is_function_4 = delay_without_reset(is_function_3);
        let silent_4 = delay_without_reset(silent_3);

        // Stage 5: the verdict.
        let header = four.header;
        let missing = Bits::from(progress_4.missing);
        let is_next = missing.eq(Bits::from(header.byte_count).trunc(COUNT_BITS)) & missing.any();
        /// As of the first beat.
        let held = reg_without_reset(vec![flag(); 2]);
        let takes_data = four.first.mux(data_fits_4 & is_next, held[0]);
        let takes_failure = four.first.mux(failure_fits_4 & missing.any(), held[1]);
        when(valid_4, || {
            held[0].set(takes_data);
            held[1].set(takes_failure);
        });
        let counts = valid_4 & four.last & !four.malformed;
        let aborted = Bits::from(header.status).eq(Status::CompleterAbort as u128);
        let poisoned = header.first.poisoned;
        update_4.set(counts & (takes_data | takes_failure));
        new_4.missing.set(takes_data.mux(rest_4, rest_4.zero()).as_u());
        new_4.outcome.set(progress_4.outcome);
        when(takes_data & poisoned, || new_4.outcome.set(Outcome::Poisoned));
        when(takes_failure, || {
            when(aborted, || new_4.outcome.set(Outcome::Aborted))
                .otherwise(|| new_4.outcome.set(Outcome::Unsupported));
        });
        let whole_5 = delay_without_reset(!takes_data | !rest_4.any());
        io.busy.set(update_5);
        io.verdict.valid.set(update_5);
        io.verdict.payload.set(Verdict { tag: tag_5, outcome: new_5.outcome });
        io.whole.set(update_5 & whole_5);
        when(update_5, || progress.write(tag_5, new_5)).elsewhen(io.issue.valid, || {
            progress.write(tag, Progress { missing: piece.bytes, outcome: piece.outcome() });
        });

        // The data: each word goes to its place in a row, or in the next.
        let lane = place_4.slice(2, lane_bits);
        let row = reg_without_reset(bits(row_bits));
        when(valid_4, || {
            row.set(four.first.mux(place_4.slice(SLOT_BITS - row_bits, row_bits), row + 1));
        });
        io.write.valid.set(delay(valid_4 & takes_data));
        io.write.payload.tag.set(tag_5);
        io.write.payload.row.set(row);
        let is_next_row = vector((0..lanes).map(|bank| lane.gt(bank)));
        io.write.payload.next.set(delay_without_reset(is_next_row));
        io.write.payload.enables.set(delay_without_reset(rotate_up(four.enables, lane, 1)));
        io.write.payload.data.set(delay_without_reset(rotate_up(four.data, lane, 32)));

        // What is wrong.
        let kind = wire(Enum::ty());
        when(!takes_data & !takes_failure, || kind.set(ErrorKind::UnexpectedCompletion))
            .elsewhen(takes_data, || kind.set(ErrorKind::Poisoned))
            .elsewhen(aborted, || kind.set(ErrorKind::ReceivedAbort))
            .otherwise(|| kind.set(ErrorKind::ReceivedUnsupported));
        let reported = !takes_data & !takes_failure | !silent_4 & (takes_failure | poisoned);
        io.error.valid.set(delay(counts & reported));
        io.error.payload.kind.set(delay_without_reset(kind));
        io.error.payload.function.valid.set(delay_without_reset(is_function_4));
        io.error.payload.function.payload.set(delay_without_reset(function_4));
        io.error.payload.header.set(delay_without_reset(header.pack().as_u::<128>()));

        let under_way = [
            (valid_1 | within, tag_1),
            (valid_2, tag_of(&two)),
            (valid_3, tag_3),
            (valid_4, tag_of(&four)),
            (update_5, tag_5),
        ];
        for (used, (valid, tag)) in io.in_use.iter().zip(under_way) {
            used.valid.set(valid);
            used.payload.set(tag);
        }
    })
}

/// `x`, whose words of `width` bits move up by `distance`, the last ones to the beginning.
fn rotate_up(x: Bits, distance: Bits, width: usize) -> Bits {
    let words = x.chunks(width);
    let count = words.len();
    let turned: Vec<Bits> = (0..count)
        .map(|distance| cat((0..count).rev().map(|to| words[(to + count - distance) % count])))
        .collect();
    select(&turned, distance)
}
