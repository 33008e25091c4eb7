//! A bridge that keeps the rules passes, and whatever is wrong is found and named.

use super::*;
use crate::{
    ethernet::{FrameBuilder, MacAddress},
    veb::{
        PortSet,
        bridge::{Copies, Form},
        statistics::Count,
    },
};

mod changes;
mod losses;
mod random;

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

/// The frame as it leaves with a tag.
fn tagged(number: u8) -> Vec<u8> {
    let bytes = frame(number);
    [&bytes[..12], &[0x81, 0, 0, 9], &bytes[12..]].concat()
}

/// Frame `number` leaves as it came by `plain`, with a tag by `with_tag`.
fn to(number: u8, plain: &[usize], with_tag: &[usize]) -> Decision {
    let parts = [(Form::Tagged, tagged(number), with_tag), (Form::Untagged, frame(number), plain)];
    let parts = parts.into_iter().filter(|(.., ports)| !ports.is_empty());
    let copies = parts.map(|(form, bytes, ports)| Copies {
        form,
        bytes: bytes.into(),
        ports: ports.iter().copied().collect(),
    });
    Decision::Forward(copies.collect())
}

fn board(losses: Losses) -> Board {
    Board::new(&names(), losses)
}

fn messages(report: &Report) -> Vec<String> {
    report.mismatches.iter().map(ToString::to_string).collect()
}

/// The end of a run of hardware that counts what the scoreboard has seen.
fn finish(board: Board) -> Report {
    let statistics = board.expected.clone();
    board.finish(&statistics)
}

/// Frames 1, 2, .. enter at the wire for pf, then frames leave; gives the messages.
fn wrong(frames: u8, left: &[(usize, Vec<u8>)]) -> Vec<String> {
    let mut board = board(Losses::Forbidden);
    (1..=frames).for_each(|number| board.entered(WIRE, &frame(number), &to(number, &[PF], &[])));
    left.iter().for_each(|(port, bytes)| board.left(*port, bytes, false));
    messages(&finish(board))
}

#[test]
fn a_correct_run_passes_and_is_reported() {
    let mut board = board(Losses::Forbidden);
    board.entered(WIRE, &frame(1), &to(1, &[PF], &[VF0]));
    board.entered(WIRE, &frame(2), &to(2, &[PF], &[]));
    board.entered(VF1, &frame(3), &to(3, &[PF], &[]));
    board.entered(WIRE, &frame(4), &Decision::Drop(Reason::MacSpoof));
    assert_eq!(board.due(), 4);
    board.left(PF, &frame(1), false);
    // Order between sources is free.
    board.left(PF, &frame(3), false);
    board.left(PF, &frame(2), false);
    board.left(VF0, &tagged(1), false);
    assert_eq!(board.due(), 0);
    let report = finish(board);
    assert_eq!((messages(&report), report.mismatch_count()), (vec![], 0));
    let count = |port, kind| report.statistics.get(port, kind);
    assert_eq!(count(WIRE, Kind::InUnicast), Count { frames: 3, bytes: 180 });
    assert_eq!(count(VF0, Kind::OutUnicast), Count { frames: 1, bytes: 64 });
    assert_eq!(count(PF, Kind::OutUnicast), Count { frames: 3, bytes: 180 });
    assert_eq!(report.drops()[5], (Reason::MacSpoof, 1));
    assert_eq!((report.frames_in, report.ports[PF].frames, report.ports[VF0].bytes), (4, 3, 64));
}

#[test]
fn a_frame_in_the_wrong_form() {
    let mut board = board(Losses::Forbidden);
    board.entered(WIRE, &frame(1), &to(1, &[PF], &[VF0]));
    board.left(PF, &tagged(1), false);
    board.left(VF0, &frame(1), false);
    assert_eq!(
        messages(&finish(board)),
        [
            "frame 1 out of pf is frame 1 into wire0, but it is to leave without a tag of its VLAN",
            "frame 1 out of vf0 is frame 1 into wire0, but it is to leave with a tag of its VLAN"
        ]
    );
}

#[test]
fn a_frame_once_more_or_at_the_wrong_port() {
    let once = (PF, frame(1));
    assert_eq!(
        wrong(1, &[once.clone(), once.clone()]),
        ["frame 2 out of pf is frame 1 into wire0 once more"]
    );
    assert_eq!(
        wrong(1, &[once, (VF0, frame(1))]),
        ["frame 1 out of vf0 is frame 1 into wire0, but it is for pf only"]
    );
    let mut board = board(Losses::Forbidden);
    board.entered(WIRE, &frame(1), &Decision::Drop(Reason::Vlan));
    board.entered(WIRE, &frame(2), &to(2, &[PF], &[VF0]));
    board.left(PF, &frame(1), false);
    board.left(VF1, &tagged(2), false);
    board.left(PF, &frame(2), false);
    board.left(VF0, &tagged(2), false);
    assert_eq!(
        messages(&finish(board)),
        [
            "frame 1 out of pf is frame 1 into wire0, but it is to be dropped: vlan",
            "frame 1 out of vf1 is frame 2 into wire0, but it is for pf, vf0 only"
        ]
    );
}

#[test]
fn a_frame_that_is_lost_damaged_unknown_or_bad() {
    let start = "52 54 00 ab 00 02 52 54 00 ab 00 01 88 b5 25 25 25 25 ..";
    assert_eq!(wrong(1, &[]), [format!("frame 1 into wire0 did not leave pf: 60 bytes, [{start}]")]);
    let mut damaged = frame(1);
    damaged[20] ^= 1;
    let expected = "frame 1 out of pf is like frame 1 into wire0, but differs from byte 20 on: ";
    assert!(wrong(1, &[(PF, damaged)])[0].starts_with(expected));
    let unknown = "frame 1 out of pf is like no frame that entered: 20 bytes, ";
    assert!(wrong(0, &[(PF, vec![0xEE; 20])])[0].starts_with(unknown));
    let mut board = board(Losses::Forbidden);
    board.entered(WIRE, &frame(1), &to(1, &[PF], &[]));
    board.left(PF, &frame(1), true);
    assert_eq!(messages(&finish(board)), ["frame 1 out of pf has the error flag set"]);
}

#[test]
fn a_frame_that_was_overtaken() {
    let left = [2, 1, 3].map(|number| (PF, frame(number)));
    let message = "frame 2 out of pf is frame 1 into wire0, which a later frame from wire0 has overtaken";
    assert_eq!(wrong(3, &left), [message]);
    // Also among copies of different form: at each port it is a matter of source and number.
    let mut board = board(Losses::Forbidden);
    board.entered(WIRE, &frame(1), &to(1, &[PF], &[VF0]));
    board.entered(WIRE, &frame(2), &to(2, &[VF0], &[PF]));
    board.left(PF, &tagged(2), false);
    board.left(PF, &frame(1), false);
    board.left(VF0, &tagged(1), false);
    board.left(VF0, &frame(2), false);
    assert_eq!(messages(&finish(board)), [message]);
}

#[test]
fn copies_of_different_frames_that_leave_alike() {
    // Frame 1 comes from the wire without a tag, and from vf1 with the tag that the first gets.
    for order in [[1, 2], [2, 1]] {
        let mut board = board(Losses::Forbidden);
        board.entered(WIRE, &frame(1), &to(1, &[], &[PF]));
        board.entered(VF1, &tagged(1), &to(1, &[], &[PF]));
        board.entered(VF1, &frame(2), &to(2, &[PF], &[]));
        board.left(PF, &tagged(1), false);
        for next in order {
            board.left(PF, &(if next == 1 { tagged(1) } else { frame(2) }), false);
        }
        assert_eq!(messages(&finish(board)), [""; 0]);
    }
}

#[test]
fn counters_that_differ_from_what_happened() {
    let mut board = board(Losses::Forbidden);
    board.entered(WIRE, &frame(1), &to(1, &[PF], &[]));
    board.entered(WIRE, &frame(2), &Decision::Drop(Reason::Runt));
    board.left(PF, &frame(1), false);
    let right = board.expected.clone();
    for kind in Kind::all() {
        for port in [WIRE, PF] {
            for wrong in [Count { frames: 1, bytes: 0 }, Count { frames: 0, bytes: 1 }] {
                let mut statistics = right.clone();
                let count = right.get(port, kind);
                statistics.set(port, kind, count.plus(wrong));
                let report = board.clone().finish(&statistics);
                assert_eq!(report.mismatch_count(), 1, "{}", kind.name());
                if count.frames > 0 {
                    statistics.set(port, kind, count.minus(wrong).unwrap());
                    assert_eq!(board.clone().finish(&statistics).mismatch_count(), 1, "{}", kind.name());
                }
            }
        }
    }
    let mut statistics = right.clone();
    statistics.set(PF, Kind::OutUnicast, Count { frames: 1, bytes: 64 });
    assert_eq!(
        messages(&board.finish(&statistics)),
        ["pf counts 1 frames and 64 bytes as out_unicast, by the rules there were 1 and 60"]
    );
}

#[test]
#[should_panic(expected = "a model cannot know when the bridge is full")]
fn a_decision_that_depends_on_time_is_refused() {
    board(Losses::Counted).entered(WIRE, &frame(1), &Decision::Drop(Reason::BufferFull));
}

#[test]
fn only_the_first_mismatches_are_kept() {
    let mut board = board(Losses::Forbidden);
    (0..150).for_each(|_| board.left(PF, &[0; 60], false));
    let report = finish(board);
    assert_eq!((report.mismatches.len(), report.further_mismatches, report.mismatch_count()), (100, 50, 150));
}

#[test]
fn a_board_that_was_told_all_forgets_all() {
    let mut board = board(Losses::Forbidden);
    for number in 0..2000u32 {
        let bytes = [&frame(0)[..], &number.to_be_bytes()].concat();
        let with_tag = [&tagged(0)[..], &number.to_be_bytes()].concat();
        let copies =
            [(Form::Tagged, &with_tag, VF0), (Form::Untagged, &bytes, PF)].map(|(form, bytes, port)| {
                Copies { form, bytes: bytes[..].into(), ports: PortSet::single(port) }
            });
        board.entered(WIRE, &bytes, &Decision::Forward(copies.to_vec()));
        board.left(PF, &bytes, false);
        board.left(VF0, &with_tag, false);
        assert!(board.due.is_empty());
    }
    assert_eq!(board.recent.len(), REMEMBERED_FRAMES);
}
