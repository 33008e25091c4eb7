//! Hardware in which what a proof is about is broken, on purpose.

use super::{FormalError, Outcome, Sby, Source, sby::Task};
use std::{path::Path, time::Duration};

/// A fault in the emitted hardware of a proof.
#[derive(Clone, Copy, Debug)]
pub struct Broken {
    pub proof: &'static str,
    /// What is there,
    pub right: &'static str,
    /// and what takes its place.
    pub wrong: &'static str,
}

impl Broken {
    /// Tries the proof, which is `source`, with the fault. It is refuted if its assertions fail, or a step of its induction.
    ///
    /// # Errors
    /// If a tool is missing or fails.
    ///
    /// # Panics
    /// If the hardware does not have what is to be broken.
    pub fn tried(
        &self,
        sby: &Sby,
        source: &Source,
        folder: &Path,
        limit: Duration,
    ) -> Result<Outcome, FormalError> {
        let broken = source.replace(self.right, self.wrong);
        let broken = broken.unwrap_or_else(|| panic!("{} has no `{}`", self.proof, self.right));
        sby.run(folder, "broken", &broken, Task::Prove(broken.method), limit)
    }
}

const fn broken(proof: &'static str, right: &'static str, wrong: &'static str) -> Broken {
    Broken { proof, right, wrong }
}

/// All of them.
pub const BROKEN: [Broken; 16] = [
    // A gate forgets the frame that it let in.
    broken("contract/gate", "allowed || open", "open"),
    // Entries of other ports do.
    broken("decision/classifier", "known_source_is_group || !owns_source", "known_source_is_group"),
    // Ports send into VLANs that they are no members of.
    broken("decision/classifier", "!vid_exists || !is_member", "!vid_exists"),
    // Frames go to ports of other VLANs.
    broken("decision/forwarding", "policy_egress & (facts_members | policy_all_vlans)", "policy_egress"),
    // A reset of the physical function stops the manager, too.
    broken("isolation/resets", "waiting | absent", "waiting | own_reset"),
    // A stopped function answers.
    broken("isolation/base_addresses", "answers_q && enabled && !is_silent", "answers_q && enabled"),
    // The first virtual function reads in another name than its own.
    broken("isolation/names_of_reads", "(piece_function >= 2'd2)", "(piece_function > 2'd2)"),
    // A window reaches beyond the end of its ring.
    broken("queues/fetch_aim", "room < {13'd0, count}", "room > {13'd0, count}"),
    // The last descriptor is handed out first.
    broken("queues/store_order", "state_tail - state_count[2:0]", "state_tail - 3'd1"),
    // The place behind the last descriptor is read.
    broken("queues/store_content", "state_tail - state_count[2:0]", "state_tail"),
    // What is bad is read.
    broken("queues/transmit", "is_spoilt ? 14'd0 : part_length[13:0]", "part_length[13:0]"),
    // A part gets all that is left of a frame.
    broken("queues/receive", "is_enough ? left : part_length[13:0]", "left"),
    // A part is read beyond its end.
    broken("queues/control", "piece_length <= piece_length - {7'd0, chunk}", "piece_length <= piece_length"),
    // All buffers of a batch lie in one place.
    broken(
        "queues/used_batches",
        "buffers[{{target_function, target_slot}, context_fill}]",
        "buffers[{{target_function, target_slot}, 2'd0}]",
    ),
    // The index tells of more than was written.
    broken(
        "queues/used_split",
        "{next[15] ^ wraps, new_place} : next + 16'd1",
        "{next[15] ^ wraps, new_place} : next + 16'd2",
    ),
    // The lap stays as it is.
    broken("queues/used_packed", "{next[15] ^ wraps, new_place}", "{next[15], new_place}"),
];
