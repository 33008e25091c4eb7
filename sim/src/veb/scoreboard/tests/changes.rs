//! Frames that come in while the policy changes.

use super::*;

/// Frame 1 is for pf and vf0 by the old policy, for pf (with a tag) and vf1 by the new one.
fn changing() -> Scoreboard {
    let mut board = board(Losses::Forbidden);
    let alternatives = vec![to(1, &[PF, VF0], &[]), to(1, &[VF1], &[PF])];
    board.entered_during_change(WIRE, &frame(1), alternatives);
    board
}

/// Like hardware that counts what entered.
fn finish_with(board: Scoreboard, decision: &Decision) -> Vec<String> {
    let mut statistics = board.expected.clone();
    statistics.entered(WIRE, &frame(1), decision);
    messages(&board.finish(&statistics))
}

#[test]
fn either_policy_may_decide() {
    for left in [[(PF, frame(1)), (VF0, frame(1))], [(PF, tagged(1)), (VF1, frame(1))]] {
        for reverse in [false, true] {
            let mut board = changing();
            assert_eq!(board.due(), 2);
            let mut left = left.clone();
            if reverse {
                left.reverse();
            }
            left.iter().for_each(|(port, bytes)| board.left(*port, bytes, false));
            assert_eq!(board.due(), 0);
            assert_eq!(finish_with(board, &to(1, &[PF], &[])), [""; 0]);
        }
    }
}

#[test]
fn both_policies_may_not() {
    let mut board = changing();
    board.left(PF, &frame(1), false);
    board.left(VF1, &frame(1), false);
    let messages = finish_with(board, &to(1, &[PF], &[]));
    assert_eq!(messages.len(), 2);
    assert_eq!(
        messages[1],
        "frame 1 into wire0 came in while the policy changed, and what left of it is of neither policy: pf"
    );
    // A part of either is neither, and more than all is too much.
    for left in [&[][..], &[(PF, frame(1))], &[(PF, frame(1)), (VF0, frame(1)), (VF0, frame(1))]] {
        let mut board = changing();
        left.iter().for_each(|(port, bytes)| board.left(*port, bytes, false));
        assert_eq!(finish_with(board, &to(1, &[PF], &[])).len(), 1, "{left:?}");
    }
}

#[test]
fn order_holds_across_a_change() {
    let run = |order: [u8; 3]| {
        let mut board = board(Losses::Forbidden);
        board.entered(WIRE, &frame(1), &to(1, &[PF], &[]));
        board.entered_during_change(WIRE, &frame(2), vec![to(2, &[PF], &[]), Decision::Drop(Reason::Vlan)]);
        board.entered(WIRE, &frame(3), &to(3, &[PF], &[]));
        order
            .into_iter()
            .filter(|&number| number > 0)
            .for_each(|number| board.left(PF, &frame(number), false));
        let mut statistics = board.expected.clone();
        let dropped = !order.contains(&2);
        let decision = if dropped { Decision::Drop(Reason::Vlan) } else { to(2, &[PF], &[]) };
        statistics.entered(WIRE, &frame(2), &decision);
        board.finish(&statistics).mismatch_count()
    };
    assert_eq!((run([1, 2, 3]), run([1, 0, 3])), (0, 0));
    assert_eq!((run([2, 1, 3]), run([1, 3, 2]), run([3, 0, 1])), (1, 1, 1));
}

#[test]
fn counters_follow_the_policy_that_decided() {
    let [spoof, vlan] = [Reason::MacSpoof, Reason::Vlan].map(Decision::Drop);
    let finish = |count: &Decision| {
        let mut board = board(Losses::Forbidden);
        board.entered_during_change(WIRE, &frame(1), vec![spoof.clone(), vlan.clone()]);
        assert_eq!(board.due(), 0);
        finish_with(board, count).len()
    };
    // Nobody can see which of the two it was.
    assert_eq!((finish(&spoof), finish(&vlan)), (0, 0));
    // Neither, but in_unicast is right.
    assert_eq!(finish(&Decision::Drop(Reason::Filtered)), 1);
    // A frame that left was not dropped.
    let mut board = board(Losses::Forbidden);
    board.entered_during_change(WIRE, &frame(1), vec![spoof.clone(), to(1, &[PF], &[])]);
    board.left(PF, &frame(1), false);
    assert_eq!(finish_with(board.clone(), &to(1, &[PF], &[])), [""; 0]);
    assert_eq!(finish_with(board, &spoof).len(), 1);
}

#[test]
fn alternatives_that_agree_are_a_decision() {
    let mut board = board(Losses::Counted);
    board.entered_during_change(WIRE, &frame(1), vec![to(1, &[PF], &[]), to(1, &[PF], &[])]);
    board.left(PF, &frame(1), false);
    assert_eq!(messages(&finish(board)), [""; 0]);
}

#[test]
fn frames_during_a_change_must_differ() {
    let mut board = changing();
    let alternatives = vec![to(1, &[PF], &[]), Decision::Drop(Reason::Vlan)];
    board.entered_during_change(VF0, &frame(1), alternatives);
    let message = "frame 1 into vf0 is like another one, and a row changes: frames must differ then";
    assert!(messages(&finish(board)).iter().any(|it| it == message));
}

#[test]
fn a_flood_of_equal_frames_does_not_forget_who_is_undecided() {
    let ports: Vec<String> = (0..20).map(|port| format!("vf{port}")).collect();
    let mut board = Scoreboard::new(&ports, Losses::Forbidden);
    (0..50 * 19).for_each(|n| board.entered(1 + n % 19, &frame(1), &to(1, &[0], &[])));
    board.entered_during_change(1, &frame(2), vec![to(2, &[0], &[]), Decision::Drop(Reason::Vlan)]);
    (0..50 * 19).for_each(|_| board.left(0, &frame(1), false));
    // All that was sure to leave has left; this one may still.
    board.left(0, &frame(2), false);
    let mut statistics = board.expected.clone();
    statistics.entered(1, &frame(2), &to(2, &[0], &[]));
    let report = board.finish(&statistics);
    assert_eq!(messages(&report), [""; 0]);
    assert!(report.ports[0].order_unchecked > 900);
}
