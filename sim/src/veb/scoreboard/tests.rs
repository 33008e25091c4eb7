use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::ethernet::{FrameBuilder, MacAddress};
use DropReason::{BufferFull, Filtered, Runt, Vlan};

const WIRE: usize = 0;
const PF: usize = 1;
const VF0: usize = 2;
const VF1: usize = 3;

fn names() -> Vec<String> {
    ["wire0", "pf", "vf0", "vf1"].map(str::to_owned).to_vec()
}

/// A frame of 60 bytes that no other number has.
fn frame(number: u8) -> Vec<u8> {
    let host = |n| MacAddress::new([0x52, 0x54, 0x00, 0xAB, 0x00, n]);
    FrameBuilder::new(host(2), host(1)).payload([number.wrapping_mul(37); 46]).build()
}

fn to(ports: impl IntoIterator<Item = usize>) -> Decision {
    Decision::Forward(ports.into_iter().collect())
}

fn board(losses: Losses) -> Scoreboard {
    Scoreboard::new(&names(), losses)
}

fn messages(report: &Report) -> Vec<String> {
    report.mismatches.iter().map(ToString::to_string).collect()
}

/// Runs with free outputs: frames 1, 2, .. enter at the wire for `ports` each, then frames leave; gives the messages.
fn wrong(expected: &[&[usize]], left: &[(usize, Vec<u8>)]) -> Vec<String> {
    let mut board = board(Losses::Forbidden);
    for (number, ports) in (1..).zip(expected) {
        board.entered(WIRE, &frame(number), to(ports.iter().copied()));
    }
    for (port, bytes) in left {
        board.left(*port, bytes, false);
    }
    messages(&board.finish(&Counters::new(4)))
}

#[test]
fn a_correct_run_passes_and_is_reported() {
    let mut board = board(Losses::Forbidden);
    board.entered(WIRE, &frame(1), to([PF, VF0]));
    board.entered(WIRE, &frame(2), to([PF]));
    board.entered(VF1, &frame(3), to([PF]));
    board.entered(WIRE, &frame(4), Decision::Drop(Vlan));
    assert_eq!(board.due(), 4);
    board.left(PF, &frame(1), false);
    // Order between sources is free.
    board.left(PF, &frame(3), false);
    board.left(PF, &frame(2), false);
    board.left(VF0, &frame(1), false);
    assert_eq!(board.due(), 0);
    assert!(board.mismatches().is_empty());
    let counters = Counters { frames: [0, 0, 0, 1, 0, 0], ..Counters::new(4) };
    let report = board.finish(&counters);
    assert_eq!(report.mismatch_count(), 0, "{:?}", report.mismatches);
    assert_eq!(report.frames_in, 4);
    let port =
        |name: &str, frames, bytes| PortReport { name: name.into(), frames, bytes, order_unchecked: 0 };
    assert_eq!(
        report.ports,
        [port("wire0", 0, 0), port("pf", 3, 180), port("vf0", 1, 60), port("vf1", 0, 0)]
    );
    let drops: Vec<_> = report.drops.iter().map(|(reason, frames)| (reason.name(), *frames)).collect();
    let expected = [
        ("error", 0),
        ("runt", 0),
        ("oversize", 0),
        ("vlan", 1),
        ("filtered", 0),
        ("buffer_full", 0),
        ("queue_full", 0),
    ];
    assert_eq!(drops, expected);
}

#[test]
fn a_lost_frame() {
    let start = "60 bytes, [52 54 00 ab 00 02 52 54 00 ab 00 01 88 b5 4a 4a 4a 4a ..]";
    assert_eq!(
        wrong(&[&[PF], &[PF, VF0], &[PF]], &[(PF, frame(1)), (PF, frame(3)), (VF0, frame(2))]),
        [format!("frame 2 into wire0 did not leave pf: {start}")]
    );
}

#[test]
fn a_doubled_frame() {
    assert_eq!(
        wrong(&[&[PF], &[PF]], &[(PF, frame(1)), (PF, frame(1)), (PF, frame(2))]),
        ["frame 2 out of pf is frame 1 into wire0 once more"]
    );
    assert_eq!(
        wrong(&[&[PF, VF0]], &[(PF, frame(1)), (PF, frame(1)), (VF0, frame(1))]),
        ["frame 2 out of pf is frame 1 into wire0 once more"]
    );
}

#[test]
fn a_frame_that_overtakes() {
    assert_eq!(
        wrong(&[&[PF], &[PF], &[PF]], &[(PF, frame(2)), (PF, frame(1)), (PF, frame(3))]),
        ["frame 2 out of pf is frame 1 into wire0, which a later frame from wire0 has overtaken"]
    );
}

#[test]
fn a_frame_at_the_wrong_port() {
    let messages = wrong(&[&[PF, VF0], &[PF]], &[(PF, frame(1)), (PF, frame(2)), (VF1, frame(1))]);
    assert_eq!(messages[0], "frame 1 out of vf1 is frame 1 into wire0, but it is for pf, vf0 only");
    assert!(messages[1].starts_with("frame 1 into wire0 did not leave vf0"));
    assert_eq!(messages.len(), 2);
    // Also when all its copies have left.
    let left = [(PF, frame(1)), (VF0, frame(2)), (VF1, frame(1))];
    assert_eq!(
        wrong(&[&[PF], &[VF0]], &left),
        ["frame 1 out of vf1 is frame 1 into wire0, but it is for pf only"]
    );
}

#[test]
fn a_frame_that_was_to_be_dropped() {
    let mut board = board(Losses::Counted);
    board.entered(VF0, &frame(1), Decision::Drop(Filtered));
    board.left(PF, &frame(1), false);
    let report = board.finish(&Counters { frames: [0, 0, 0, 0, 1, 0], ..Counters::new(4) });
    assert_eq!(
        messages(&report),
        ["frame 1 out of pf is frame 1 into vf0, but it is to be dropped: filtered"]
    );
}

#[test]
fn a_flipped_bit() {
    for at in [0, 13, 59] {
        let mut flipped = frame(2);
        flipped[at] ^= 0x10;
        let messages = wrong(&[&[PF], &[PF], &[PF]], &[(PF, frame(1)), (PF, flipped), (PF, frame(3))]);
        assert_eq!(messages.len(), 1);
        let start = format!("frame 2 out of pf is like frame 2 into wire0, but differs from byte {at} on: ");
        assert!(messages[0].starts_with(&start), "{}", messages[0]);
    }
    let mut flipped = frame(1);
    flipped[13] = 0xB4;
    assert_eq!(
        wrong(&[&[PF]], &[(PF, flipped)]),
        ["frame 1 out of pf is like frame 1 into wire0, but differs from byte 13 on: \
          [.. ab 00 01 88 b4 25 25 25 25 25 25 25 ..] in place of [.. ab 00 01 88 b5 25 25 25 25 25 25 25 ..]"]
    );
}

#[test]
fn a_truncated_and_a_prolonged_frame() {
    assert_eq!(
        wrong(&[&[PF]], &[(PF, frame(1)[..56].to_vec())]),
        [
            "frame 1 out of pf is like frame 1 into wire0, but has 56 bytes in place of 60 and differs from byte 56 on: \
          [.. 25 25 25 25] in place of [.. 25 25 25 25 25 25 25 25]"
        ]
    );
    let mut long = frame(1);
    long.extend([0; 4]);
    assert_eq!(wrong(&[&[PF]], &[(PF, long)]).len(), 1);
    assert_eq!(wrong(&[&[PF]], &[(PF, frame(1)[..16].to_vec())]).len(), 1);
}

#[test]
fn a_frame_from_nowhere() {
    assert_eq!(
        wrong(&[&[PF]], &[(PF, vec![0xEE; 20]), (PF, frame(1))]),
        ["frame 1 out of pf is like no frame that entered: 20 bytes, \
          [ee ee ee ee ee ee ee ee ee ee ee ee ee ee ee ee ee ee ..]"]
    );
    assert_eq!(wrong(&[], &[(PF, vec![])]), ["frame 1 out of pf is like no frame that entered: 0 bytes, []"]);
}

#[test]
fn a_frame_before_its_time() {
    let mut board = board(Losses::Forbidden);
    board.left(PF, &frame(1), false);
    board.entered(WIRE, &frame(1), to([PF]));
    assert_eq!(board.finish(&Counters::new(4)).mismatch_count(), 2);
}

#[test]
fn a_frame_that_leaves_with_an_error() {
    let mut board = board(Losses::Forbidden);
    board.entered(WIRE, &frame(1), to([PF]));
    board.left(PF, &frame(1), true);
    assert_eq!(messages(&board.finish(&Counters::new(4))), ["frame 1 out of pf has the error flag set"]);
}

#[test]
fn counters_that_differ_from_the_rules() {
    let mut board = board(Losses::Forbidden);
    board.entered(WIRE, &frame(1), Decision::Drop(Runt));
    let counters = Counters { frames: [0, 0, 0, 1, 0, 2], queue_full: vec![0, 3, 0, 0] };
    assert_eq!(
        messages(&board.finish(&counters)),
        [
            "0 frames are counted as runt, by the rules there were 1",
            "1 frames are counted as vlan, by the rules there were 0",
            "2 frames are counted as buffer_full, by the rules there were 0",
            "pf counts 3 frames as queue_full, but only 0 did not leave it"
        ]
    );
}

/// Frame 1 is for pf, frame 2 for pf and vf0, frame 3 for pf; `left` leave, in this order; gives the messages.
fn with_losses(left: &[(usize, u8)], counters: &Counters) -> Vec<String> {
    let mut board = board(Losses::Counted);
    for (number, ports) in [(1, vec![PF]), (2, vec![PF, VF0]), (3, vec![PF])] {
        board.entered(WIRE, &frame(number), to(ports));
    }
    board.entered(VF1, &frame(4), Decision::Drop(Vlan));
    for &(port, number) in left {
        board.left(port, &frame(number), false);
    }
    messages(&board.finish(counters))
}

fn counters(vlan: u64, buffer_full: u64, queue_full: [u64; 4]) -> Counters {
    Counters { frames: [0, 0, 0, vlan, 0, buffer_full], queue_full: queue_full.to_vec() }
}

#[test]
fn counted_losses_are_allowed() {
    let none: [String; 0] = [];
    // Each queue lost frames.
    assert_eq!(with_losses(&[(PF, 1)], &counters(1, 0, [0, 2, 1, 0])), none);
    // The buffer lost frame 2 at both ports, or frame 1 and the one for vf1 that no VLAN would have let in.
    assert_eq!(with_losses(&[(PF, 1), (PF, 3)], &counters(1, 1, [0; 4])), none);
    assert_eq!(with_losses(&[(PF, 2), (VF0, 2), (PF, 3)], &counters(0, 2, [0; 4])), none);
    // The buffer lost all.
    assert_eq!(with_losses(&[], &counters(0, 4, [0; 4])), none);
    // The buffer lost frame 2, a queue frame 1.
    assert_eq!(with_losses(&[(PF, 3)], &counters(1, 1, [0, 1, 0, 0])), none);
}

#[test]
fn losses_beyond_the_counters_are_reported() {
    let start = "2 frames did not leave pf (first: frame 1 into wire0), but only 1 are counted as queue_full there and ";
    assert_eq!(
        with_losses(&[(PF, 2), (VF0, 2)], &counters(1, 0, [0, 1, 0, 0])),
        [
            format!("{start}at most 0 can have been dropped for buffer_full"),
            "0 frames are counted as buffer_full, 0 of them in place of another reason; that does not fit the 1 \
             copies that are missing and not counted as queue_full"
                .into()
        ]
    );
    // Frame 2 left pf, so the buffer had it: its copy for vf0 is the queue's to account for.
    assert!(!with_losses(&[(PF, 1), (PF, 2), (PF, 3)], &counters(1, 1, [0; 4])).is_empty());
    // More counted than missing.
    assert_eq!(
        with_losses(&[(PF, 1), (PF, 2), (VF0, 2)], &counters(1, 0, [0, 2, 0, 0])),
        ["pf counts 2 frames as queue_full, but only 1 did not leave it"]
    );
    assert!(!with_losses(&[(PF, 1), (PF, 2), (VF0, 2), (PF, 3)], &counters(1, 1, [0; 4])).is_empty());
    // Frames that the rules drop and nobody counts.
    assert!(!with_losses(&[(PF, 1), (PF, 2), (VF0, 2), (PF, 3)], &counters(0, 0, [0; 4])).is_empty());
    assert!(!with_losses(&[(PF, 1), (PF, 2), (VF0, 2), (PF, 3)], &counters(2, 0, [0; 4])).is_empty());
    // Frame 1 can be the buffer's, but frame 2 left pf.
    assert_eq!(with_losses(&[(PF, 2), (PF, 3)], &counters(1, 2, [0; 4])).len(), 1);
    // The buffer lost one frame, but copies of two are missing.
    assert!(!with_losses(&[(PF, 2), (VF0, 2)], &counters(1, 1, [0; 4])).is_empty());
}

#[test]
fn one_frame_lost_by_the_buffer_does_not_excuse_two() {
    let mut board = board(Losses::Counted);
    board.entered(WIRE, &frame(1), to([PF]));
    board.entered(WIRE, &frame(2), to([VF0]));
    let expected = "1 frames are counted as buffer_full, 0 of them in place of another reason; that does not fit the 2 \
                    copies that are missing and not counted as queue_full";
    assert_eq!(messages(&board.finish(&counters(0, 1, [0; 4]))), [expected]);
}

#[test]
fn equal_frames_that_left_excuse_no_other() {
    let mut board = board(Losses::Counted);
    (0..3).for_each(|_| board.entered(WIRE, &frame(1), to([PF])));
    board.entered(WIRE, &frame(2), to([PF, VF0]));
    (0..2).for_each(|_| board.left(PF, &frame(1), false));
    board.left(VF0, &frame(2), false);
    let messages = messages(&board.finish(&counters(0, 2, [0; 4])));
    assert_eq!(messages.len(), 1);
    assert!(messages[0].ends_with("at most 1 can have been dropped for buffer_full"), "{}", messages[0]);
}

#[test]
fn a_skipped_frame_may_not_come_late() {
    let left = [(PF, 1), (PF, 3), (PF, 2), (VF0, 2)];
    assert_eq!(
        with_losses(&left, &counters(1, 0, [0; 4])),
        ["frame 3 out of pf is frame 2 into wire0, which a later frame from wire0 has overtaken"]
    );
}

#[test]
fn equal_frames_of_several_sources_are_no_mismatch() {
    // wire0: X A, vf0: X B. The X that leaves first may be either.
    for order in [[9, 9, 1, 2], [9, 9, 2, 1], [9, 1, 9, 2], [9, 2, 9, 1]] {
        let mut board = board(Losses::Forbidden);
        for (source, number) in [(WIRE, 9), (VF0, 9), (WIRE, 1), (VF0, 2)] {
            board.entered(source, &frame(number), to([PF]));
        }
        for number in order {
            board.left(PF, &frame(number), false);
        }
        assert_eq!(messages(&board.finish(&Counters::new(4))), [""; 0]);
    }
    // Both A and B before the second X: one of them has overtaken.
    let mut board = board(Losses::Forbidden);
    for (source, number) in [(WIRE, 9), (VF0, 9), (WIRE, 1), (VF0, 2)] {
        board.entered(source, &frame(number), to([PF]));
    }
    for number in [9, 1, 2, 9] {
        board.left(PF, &frame(number), false);
    }
    assert_eq!(board.finish(&Counters::new(4)).mismatch_count(), 1);
}

#[test]
fn a_lost_buffer_of_equal_frames_is_no_mismatch() {
    // Both are for pf and vf0; which one the buffer lost cannot be told, and the ports need not guess the same.
    let mut board = board(Losses::Counted);
    board.entered(WIRE, &frame(1), to([PF, VF0]));
    board.entered(VF1, &frame(1), to([PF, VF0]));
    board.left(PF, &frame(1), false);
    board.left(VF0, &frame(1), false);
    assert_eq!(messages(&board.finish(&counters(0, 1, [0; 4]))), [""; 0]);
}

#[test]
fn a_flood_of_equal_frames_is_counted_and_its_order_reported_as_unchecked() {
    let ports: Vec<String> = (0..20).map(|port| format!("vf{port}")).collect();
    let mut board = Scoreboard::new(&ports, Losses::Forbidden);
    for _ in 0..50 {
        (1..20).for_each(|source| board.entered(source, &frame(1), to([0])));
    }
    for _ in 0..50 * 19 {
        board.left(0, &frame(1), false);
    }
    // With all of it gone, order is checked again.
    board.entered(1, &frame(2), to([0]));
    board.entered(1, &frame(3), to([0]));
    board.left(0, &frame(3), false);
    board.left(0, &frame(2), false);
    board.left(0, &frame(1), false);
    let report = board.finish(&Counters::new(20));
    assert!(report.ports[0].order_unchecked > 900);
    assert_eq!(report.mismatch_count(), 2, "{:?}", messages(&report));
}

#[test]
fn only_the_first_mismatches_are_kept() {
    let mut board = board(Losses::Forbidden);
    (0..150).for_each(|_| board.left(PF, &[0; 60], false));
    let report = board.finish(&Counters::new(4));
    assert_eq!((report.mismatches.len(), report.further_mismatches, report.mismatch_count()), (100, 50, 150));
}

#[test]
fn a_board_that_was_told_all_forgets_all() {
    let mut board = board(Losses::Forbidden);
    for number in 0..10_000u32 {
        board.entered(WIRE, &number.to_be_bytes(), to([PF, VF0]));
        board.left(PF, &number.to_be_bytes(), false);
        board.left(VF0, &number.to_be_bytes(), false);
        assert!(board.due.is_empty());
    }
    assert_eq!(board.recent.len(), REMEMBERED_FRAMES);
    // Also of equal frames, of which there is always one on its way.
    board.entered(WIRE, &frame(1), to([PF]));
    for _ in 0..1000 {
        board.entered(WIRE, &frame(1), to([PF]));
        board.left(PF, &frame(1), false);
    }
    assert_eq!(board.due[&frame(1)[..]].frames.len(), 1);
}

/// Whether there is an explanation, by trying all: `left` is an interleaving of parts of the sources' frames.
fn has_explanation(sources: &mut [&[u8]], left: &[u8]) -> bool {
    let Some((&first, rest)) = left.split_first() else { return true };
    (0..sources.len()).any(|source| {
        let frames = sources[source];
        let matches: Vec<usize> = (0..frames.len()).filter(|&at| frames[at] == first).collect();
        matches.into_iter().any(|at| {
            sources[source] = &frames[at + 1..];
            let found = has_explanation(sources, rest);
            sources[source] = frames;
            found
        })
    })
}

fn few_frames() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(1..=3u8, 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// All runs of up to three sources with frames of three contents: the scoreboard passes those, and only those, that
    /// have an explanation.
    #[test]
    fn a_run_passes_if_and_only_if_it_has_an_explanation(
        sources in [few_frames(), few_frames(), few_frames()],
        order in proptest::collection::vec(any::<Index>(), 12),
        cut in prop::bool::weighted(0.3).prop_flat_map(|cut| if cut { 0..12usize } else { 12..13 }),
        swap in prop::option::of((any::<Index>(), any::<Index>())),
    ) {
        let mut board = board(Losses::Counted);
        let mut left = Vec::new();
        let mut remaining: Vec<(usize, &[u8])> = sources.iter().map(Vec::as_slice).enumerate().collect();
        for (source, frames) in &remaining {
            frames.iter().for_each(|&number| board.entered(*source, &frame(number), to([VF1])));
        }
        for index in order {
            remaining.retain(|(_, frames)| !frames.is_empty());
            if remaining.is_empty() {
                break;
            }
            let source = index.index(remaining.len());
            let (first, rest) = remaining[source].1.split_first().unwrap();
            left.push(*first);
            remaining[source].1 = rest;
        }
        left.truncate(cut);
        if let Some((a, b)) = swap.filter(|_| !left.is_empty()) {
            let (a, b) = (a.index(left.len()), b.index(left.len()));
            left.swap(a, b);
        }
        left.iter().for_each(|&number| board.left(VF1, &frame(number), false));
        let missing = sources.iter().map(Vec::len).sum::<usize>() - left.len();
        let report = board.finish(&counters(0, 0, [0, 0, 0, missing as u64]));
        let mut sources = sources.each_ref().map(Vec::as_slice);
        prop_assert_eq!(
            report.mismatch_count() == 0, has_explanation(&mut sources, &left), "{:?}", messages(&report)
        );
    }

    /// A bridge that keeps the rules passes, also if queues and the buffer lose frames and frames are equal.
    #[test]
    fn a_correct_bridge_passes(
        frames in proptest::collection::vec((0..3usize, 1..6u8, 0..16u128, 0..8u8), 0..30),
        order in proptest::collection::vec(any::<Index>(), 120),
    ) {
        let mut board = board(Losses::Counted);
        let mut counters = Counters::new(4);
        let mut queues: Vec<VecDeque<Vec<u8>>> = vec![VecDeque::new(); 4 * 4];
        for (source, number, ports, loss) in frames {
            let ports = PortSet::from_bits(ports) - PortSet::single(source);
            let decision = if ports.is_empty() { Decision::Drop(Filtered) } else { Decision::Forward(ports) };
            board.entered(source, &frame(number), decision);
            match decision {
                _ if loss == 0 => counters.frames[position(BufferFull).unwrap()] += 1,
                Decision::Drop(_) => counters.frames[position(Filtered).unwrap()] += 1,
                Decision::Forward(ports) => {
                    for port in ports.iter() {
                        if usize::from(loss) == port + 1 {
                            counters.queue_full[port] += 1;
                        } else {
                            queues[4 * source + port].push_back(frame(number));
                        }
                    }
                }
            }
        }
        for index in order.iter().cycle() {
            let waiting: Vec<usize> = (0..16).filter(|&queue| !queues[queue].is_empty()).collect();
            if waiting.is_empty() {
                break;
            }
            let queue = waiting[index.index(waiting.len())];
            let bytes = queues[queue].pop_front().unwrap();
            board.left(queue % 4, &bytes, false);
        }
        let report = board.finish(&counters);
        prop_assert_eq!(messages(&report), [""; 0]);
    }

    /// With frames that all differ and nothing lost, any one fault is found.
    #[test]
    fn any_fault_is_found(
        count in 2..20usize, fault in 0..7usize, place in any::<Index>(), byte in any::<Index>(), bit in 0..8u8,
    ) {
        let mut board = board(Losses::Forbidden);
        let mut left: Vec<(usize, Vec<u8>)> = Vec::new();
        for number in 0..count {
            board.entered(WIRE, &frame(number as u8), to([PF]));
            left.push((PF, frame(number as u8)));
        }
        let at = place.index(count - 1);
        match fault {
            0 => { left.remove(at); }
            1 => left.insert(at, left[at].clone()),
            2 => left.swap(at, at + 1),
            3 => left[at].0 = VF0,
            4 => left[at].1[byte.index(60)] ^= 1 << bit,
            5 => left[at].1.truncate(byte.index(60)),
            _ => left.insert(at, (PF, vec![0x77; 60])),
        }
        left.iter().for_each(|(port, bytes)| board.left(*port, bytes, false));
        prop_assert!(board.finish(&Counters::new(4)).mismatch_count() > 0);
    }
}
