//! What full queues and a full buffer may take.

use super::*;

/// Counters of hardware: those of what was seen, but for frames that the buffer took.
struct Hardware(Statistics);

impl Hardware {
    fn of(board: &Scoreboard) -> Self {
        Self(board.expected.clone())
    }

    /// The buffer took frames of 60 bytes from the wire, `instead` of them in place of the reason.
    fn buffer_full(mut self, frames: u64, instead: u64, reason: Reason) -> Self {
        for (kind, less) in [(Kind::InUnicast, frames), (Kind::Dropped(reason), instead)] {
            let less = Count { frames: less, bytes: 60 * less };
            self.0.set(WIRE, kind, self.0.get(WIRE, kind).minus(less).expect("so many entered"));
        }
        self.0.set(WIRE, Kind::Dropped(Reason::BufferFull), Count { frames, bytes: 60 * frames });
        self
    }

    fn queue_full(mut self, port: usize, frames: u64) -> Self {
        self.0.set(port, Kind::Dropped(Reason::QueueFull), Count { frames, bytes: 0 });
        self
    }
}

/// Of the wire, frame 1 is for pf, frame 2 for pf and, with a tag, vf0, frame 3 for pf, frame 4 for nobody; `left` leave.
fn after(left: &[(usize, Vec<u8>)]) -> Scoreboard {
    let mut board = board(Losses::Counted);
    board.entered(WIRE, &frame(1), &to(1, &[PF], &[]));
    board.entered(WIRE, &frame(2), &to(2, &[PF], &[VF0]));
    board.entered(WIRE, &frame(3), &to(3, &[PF], &[]));
    board.entered(WIRE, &frame(4), &Decision::Drop(Reason::Vlan));
    left.iter().for_each(|(port, bytes)| board.left(*port, bytes, false));
    board
}

/// The messages at the end if frames 1 to 3 leave pf where `pf` has them, frame 2 leaves vf0 if `vf0`.
fn with_losses(pf: &[u8], vf0: bool, lose: impl Fn(Hardware) -> Hardware) -> Vec<String> {
    let copies = pf.iter().map(|&number| (PF, frame(number))).chain(vf0.then(|| (VF0, tagged(2))));
    let board = after(&copies.collect::<Vec<_>>());
    let hardware = lose(Hardware::of(&board));
    messages(&board.finish(&hardware.0))
}

#[test]
fn counted_losses_are_allowed() {
    let none: [String; 0] = [];
    let vlan = Reason::Vlan;
    assert_eq!(with_losses(&[1, 2, 3], true, |hardware| hardware), none);
    // Each queue lost frames.
    assert_eq!(with_losses(&[1], false, |hardware| hardware.queue_full(PF, 2).queue_full(VF0, 1)), none);
    // The buffer lost frame 2 with both its copies, or frame 1 and the one that no VLAN would have let in.
    assert_eq!(with_losses(&[1, 3], false, |hardware| hardware.buffer_full(1, 0, vlan)), none);
    assert_eq!(with_losses(&[2, 3], true, |hardware| hardware.buffer_full(2, 1, vlan)), none);
    // All of it.
    assert_eq!(with_losses(&[], false, |hardware| hardware.buffer_full(4, 1, vlan)), none);
    // The buffer lost frame 2, a queue frame 1.
    assert_eq!(with_losses(&[3], false, |hardware| hardware.buffer_full(1, 0, vlan).queue_full(PF, 1)), none);
}

#[test]
fn losses_beyond_the_counters_are_reported() {
    let vlan = Reason::Vlan;
    let start =
        "2 frames did not leave pf (first: frame 1 into wire0), but only 1 are counted as lost there and ";
    assert_eq!(
        with_losses(&[2], true, |hardware| hardware.queue_full(PF, 1))[0],
        format!("{start}at most 0 can have been dropped for buffer_full")
    );
    // Frame 2 left pf, so the buffer had it: its copy for vf0 is the queue's to account for.
    assert!(!with_losses(&[1, 2, 3], false, |hardware| hardware.buffer_full(1, 1, vlan)).is_empty());
    assert!(!with_losses(&[1, 2, 3], false, |hardware| hardware.buffer_full(1, 0, vlan)).is_empty());
    // More counted than missing.
    assert_eq!(
        with_losses(&[1, 2], true, |hardware| hardware.queue_full(PF, 2)),
        ["pf counts 2 frames as lost, but only 1 did not leave it"]
    );
    // The buffer lost one frame, but copies of two are missing.
    assert!(!with_losses(&[2], true, |hardware| hardware.buffer_full(1, 0, vlan)).is_empty());
    // In place of another reason more often than at all.
    assert!(!with_losses(&[1, 2, 3], true, |hardware| hardware.buffer_full(0, 1, vlan)).is_empty());
}

/// Frame 2 left the bridge by pf, and what is behind it lost it.
#[test]
fn losses_behind_the_bridge_are_allowed_as_far_as_they_are_counted() {
    let lost_behind = |frames| {
        let mut board = after(&[(PF, frame(1)), (PF, frame(3)), (VF0, tagged(2))]);
        let mut statistics = Hardware::of(&board).0;
        let bytes = frame(2).len() as u64;
        let left = statistics.get(PF, Kind::OutUnicast).plus(Count { frames: 1, bytes });
        statistics.set(PF, Kind::OutUnicast, left);
        board.lost_behind(PF, frames);
        messages(&board.finish(&statistics))
    };
    assert_eq!(lost_behind(1), [""; 0]);
    assert!(!lost_behind(0).is_empty());
    assert!(!lost_behind(2).is_empty());
}

#[test]
fn counters_must_agree_with_each_other() {
    let report = |change: &dyn Fn(&mut Statistics)| {
        let board = after(&[(PF, frame(1)), (PF, frame(3))]);
        let mut statistics = Hardware::of(&board).buffer_full(1, 0, Reason::Vlan).0;
        change(&mut statistics);
        messages(&board.finish(&statistics))
    };
    let add = |port, kind, frames, bytes| {
        move |statistics: &mut Statistics| {
            statistics.set(port, kind, statistics.get(port, kind).plus(Count { frames, bytes }));
        }
    };
    assert_eq!(report(&|_| {}), [""; 0]);
    assert_eq!(
        report(&add(WIRE, Kind::InUnicast, 1, 60)),
        ["wire0 counts 1 frames and 60 bytes as buffer_full, by the rules there were 0 and 0"]
    );
    assert_eq!(report(&add(WIRE, Kind::Dropped(Reason::BufferFull), 0, 4)).len(), 1);
    assert_eq!(report(&add(WIRE, Kind::Dropped(Reason::Vlan), 1, 60)).len(), 1);
    assert_eq!(report(&add(VF1, Kind::Dropped(Reason::Filtered), 1, 60)).len(), 1);
    assert_eq!(report(&add(PF, Kind::OutUnicast, 0, 4)).len(), 1);
    assert_eq!(report(&add(WIRE, Kind::Dropped(Reason::Runt), 1, 13)).len(), 1);
    assert_eq!(report(&add(PF, Kind::Dropped(Reason::QueueFull), 0, 60)).len(), 1);
}

#[test]
fn one_frame_lost_by_the_buffer_does_not_excuse_two() {
    let mut board = board(Losses::Counted);
    board.entered(WIRE, &frame(1), &to(1, &[PF], &[]));
    board.entered(WIRE, &frame(2), &to(2, &[VF0], &[]));
    let hardware = Hardware::of(&board).buffer_full(1, 0, Reason::Vlan);
    let expected = "1 frames are counted as buffer_full, 0 of them in place of another reason; that does not fit the 2 \
                    copies that are missing and not counted as queue_full";
    assert_eq!(messages(&board.finish(&hardware.0)), [expected]);
}

#[test]
fn the_buffer_takes_all_forms_of_a_frame() {
    // Both copies of frame 1 are missing, but one of the copies like them left vf0: frame 2 looks like that.
    let mut board = board(Losses::Counted);
    board.entered(WIRE, &frame(1), &to(1, &[PF], &[VF0]));
    board.left(VF0, &tagged(1), false);
    let hardware = Hardware::of(&board).buffer_full(1, 0, Reason::Vlan);
    assert_eq!(board.finish(&hardware.0).mismatch_count(), 2);
}
