//! What errors leave in the registers of functions, and which messages they send: figure 6-2 of the PCI Express Base
//! Specification.

use super::answers::{Endpoint, Fault, Model, Wrong};
use sim::pcie::{
    Packet, RoutingId,
    packet::{Kind, Status, message},
};

/// What the registers of a function show of errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The upper half of the word of Command and Status, and of Device Control and Status.
    pub status: u32,
    pub device_status: u32,
    pub uncorrectable: u32,
    pub correctable: u32,
    pub first_error: u32,
    pub log: [u32; 4],
}

/// A message: of whom, and its code.
pub type Said = (RoutingId, u8);

/// What an error comes to in one function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    pub marks: Marks,
    /// It may be logged.
    pub logs: bool,
}

impl Wrong {
    /// What a completion without success comes to.
    pub fn of_status(status: Status) -> Wrong {
        if status == Status::Aborted { Wrong::ReceivedAbort } else { Wrong::ReceivedUnsupported }
    }

    /// Its bit in the uncorrectable status.
    fn bit(self) -> Option<u32> {
        match self {
            Wrong::Poisoned => Some(12),
            Wrong::Aborted => Some(15),
            Wrong::UnexpectedCompletion => Some(16),
            Wrong::Malformed => Some(18),
            Wrong::Unsupported => Some(20),
            Wrong::ReceivedAbort | Wrong::ReceivedUnsupported => None,
        }
    }
}

impl Marks {
    /// Notes an error for good.
    pub fn take(&mut self, effect: &Effect) {
        let is_logged = self.uncorrectable >> self.first_error & 1 == 1;
        if effect.logs && !is_logged {
            (self.first_error, self.log) = (effect.marks.first_error, effect.marks.log);
        }
        self.set(effect);
    }

    /// Notes it, but for the log.
    pub fn set(&mut self, effect: &Effect) {
        let Marks { status, device_status, uncorrectable, correctable, .. } = effect.marks;
        self.status |= status;
        self.device_status |= device_status;
        self.uncorrectable |= uncorrectable;
        self.correctable |= correctable;
    }

    /// Whether all bits are among those of `other`, whatever is logged.
    pub fn is_within(&self, other: &Marks) -> bool {
        let bits =
            |marks: &Marks| [marks.status, marks.device_status, marks.uncorrectable, marks.correctable];
        bits(self).into_iter().zip(bits(other)).all(|(bits, others)| bits & !others == 0)
    }

    pub fn has_bits(&self) -> bool {
        !self.is_within(&Marks::default())
    }
}

/// What an error comes to, in each function that it concerns; and its messages.
pub fn effects(endpoint: &Endpoint, fault: &Fault) -> (Vec<(usize, Effect)>, Vec<Said>) {
    // What no function claims, and what is malformed, is an error of all functions that are not virtual (6.2.4).
    let concerned = match fault.function.filter(|_| fault.wrong != Wrong::Malformed) {
        Some(function) => function..function + 1,
        None => 0..endpoint.own,
    };
    let mut said: Vec<Said> = vec![];
    let mut effects = vec![];
    for function in concerned {
        // Virtual functions are told by their physical one what to report (6.2.9).
        let owner = &endpoint.functions[if function < endpoint.own { function } else { 0 }];
        let mut effect = effect(owner, fault);
        let (code, is_sent) = effect.1;
        if is_sent && said.iter().all(|(_, other)| *other != code) {
            said.push((endpoint.id(function), code));
            let reports = owner.word(4) >> 8 & 1 == 1;
            if code != message::CORRECTABLE_ERROR && reports {
                effect.0.marks.status |= 1 << 30;
            }
        }
        effects.push((function, effect.0));
    }
    (effects, said)
}

/// In a function with the settings of `owner`; and the code of the message, if it is to be sent.
fn effect(owner: &Model, fault: &Fault) -> (Effect, (u8, bool)) {
    let packet = Packet { header: fault.header, payload: vec![] };
    let is_completion = matches!(packet.kind(), Kind::Completion { .. });
    let is_posted = matches!(packet.kind(), Kind::MemoryWrite | Kind::Message { .. });
    let command = owner.word(4);
    let [parity, system_error] = [6, 8].map(|bit| command >> bit & 1 == 1);
    let control = owner.word(owner.offsets.express + 8);
    let enabled = |bit: u32| control >> bit & 1 == 1;
    let mut marks = Marks {
        status: match fault.wrong {
            Wrong::Poisoned if is_completion && parity => 1 << 31 | 1 << 24,
            Wrong::Poisoned => 1 << 31,
            Wrong::Aborted => 1 << 27,
            Wrong::ReceivedAbort => 1 << 28,
            Wrong::ReceivedUnsupported => 1 << 29,
            _ => 0,
        },
        ..Marks::default()
    };
    let Some(bit) = fault.wrong.bit() else { return (Effect { marks, logs: false }, (0, false)) };
    let errors = owner.offsets.errors;
    let is_masked = owner.word(errors + 0x08) >> bit & 1 == 1;
    let is_fatal = owner.word(errors + 0x0C) >> bit & 1 == 1;
    let is_advisory_masked = owner.word(errors + 0x14) >> 13 & 1 == 1;
    // Another one has it to report (6.2.3.2.4): who gets the completion, or who sent the completion.
    let of_another = match fault.wrong {
        Wrong::Unsupported => !is_posted && !packet.is_poisoned(),
        Wrong::Aborted => !is_posted,
        Wrong::UnexpectedCompletion => true,
        Wrong::Poisoned => is_completion,
        _ => false,
    };
    let is_unsupported = fault.wrong == Wrong::Unsupported;
    let may_report = !is_unsupported || enabled(3);
    marks.device_status = if is_unsupported { 1 << 19 } else { 0 };
    let is_noted;
    let message;
    if of_another && !is_fatal {
        marks.device_status |= 1 << 16;
        marks.correctable = 1 << 13;
        is_noted = !is_advisory_masked;
        message = (message::CORRECTABLE_ERROR, is_noted && may_report && enabled(0));
    } else {
        marks.device_status |= if is_fatal { 1 << 18 } else { 1 << 17 };
        is_noted = true;
        let (code, enable) = if is_fatal { (message::FATAL_ERROR, 2) } else { (message::NONFATAL_ERROR, 1) };
        let is_sent = !is_masked && (may_report || system_error) && (enabled(enable) || system_error);
        message = (code, is_sent);
    }
    if is_noted {
        marks.uncorrectable = 1 << bit;
        marks.first_error = bit;
        marks.log = fault.header;
    }
    (Effect { marks, logs: is_noted && !is_masked }, message)
}
