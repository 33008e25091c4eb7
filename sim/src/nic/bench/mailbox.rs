//! The manager's frames: its mailbox, worked word by word over the management bus while everything else goes on.

use super::BenchError;
use crate::{axi_lite::AxiMaster, veb::bench::Frame};
use hdl::Simulator;
use rtl::manager::map::{base, own};
use std::collections::VecDeque;

/// An access to a register, and what its end is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Write(usize, u32),
    /// The last write of a frame.
    Send(u32),
    /// Whether a frame can be sent.
    Busy,
    /// Whether one has come.
    Kept,
    /// A word of it.
    Word(usize),
    /// Makes room for the next one.
    Release,
}

/// What has happened.
#[derive(Debug)]
pub(super) enum News {
    /// A frame goes into the bridge.
    Began(Frame),
    /// A frame has come, and the hardware says from which port.
    Came(Vec<u8>, usize),
}

#[derive(Default)]
pub(super) struct Mailbox {
    script: VecDeque<Step>,
    current: Option<Step>,
    sending: Option<Frame>,
    received: Vec<u8>,
    length: usize,
    source: usize,
    /// Sending has its turn.
    sends_next: bool,
}

impl Mailbox {
    /// It is at rest.
    pub fn is_free(&self) -> bool {
        self.current.is_none() && self.script.is_empty() && self.sending.is_none()
    }

    /// It has a frame, or a part of one.
    pub fn has_frame(&self) -> bool {
        self.sending.is_some() || !self.received.is_empty()
    }

    /// It waits for the bridge to take the frame before.
    pub fn waits(&self) -> bool {
        self.current.as_ref().or(self.script.front()) == Some(&Step::Busy)
    }

    /// Begins to send a frame, or to look for one, in turn; says whether it has taken the frame.
    pub fn choose(&mut self, frame: Option<Frame>, may_look: bool) -> bool {
        self.sends_next = !self.sends_next || !may_look;
        if self.sends_next && frame.is_some() {
            self.script.push_back(Step::Busy);
            self.sending = frame;
            return true;
        }
        if may_look {
            self.script.push_back(Step::Kept);
        }
        false
    }

    /// Begins the next access if none is under way.
    pub fn start<S: Simulator>(&mut self, bus: &mut AxiMaster, sim: &mut S) {
        if self.current.is_some() {
            return;
        }
        self.current = self.script.pop_front();
        let Some(step) = self.current else { return };
        match step {
            Step::Write(address, data) => bus.start_write(sim, address, data),
            Step::Send(length) => bus.start_write(sim, own("SEND").offset, length),
            Step::Busy => bus.start_read(sim, own("SEND_STATUS").offset),
            Step::Kept => bus.start_read(sim, own("RECEIVED").offset),
            Step::Word(address) => bus.start_read(sim, address),
            Step::Release => bus.start_write(sim, own("RELEASE").offset, 1),
        }
    }

    /// An access has ended.
    pub fn ended(&mut self, data: u32, refused: bool) -> Result<Option<News>, BenchError> {
        let Some(step) = self.current.take() else { return Ok(None) };
        if refused {
            return Err(BenchError::Refused(own("SEND_STATUS").offset));
        }
        let field = |register: &str, field: &str| own(register).field(field).position.get(&[data]) as usize;
        match step {
            Step::Write(..) => {}
            Step::Busy if field("SEND_STATUS", "busy") == 1 => self.script.push_back(Step::Busy),
            Step::Busy => self.write_frame(),
            Step::Send(_) => return Ok(self.sending.take().map(News::Began)),
            Step::Kept if field("RECEIVED", "kept") == 0 => {}
            Step::Kept => {
                (self.length, self.source) = (field("RECEIVED", "length"), field("RECEIVED", "source"));
                let words = (0..self.length).step_by(4).map(|at| Step::Word(base::RECEIVE_BUFFER + at));
                self.script.extend(words.chain([Step::Release]));
            }
            Step::Word(_) => self.received.extend(data.to_le_bytes()),
            Step::Release => {
                self.received.truncate(self.length);
                return Ok(Some(News::Came(std::mem::take(&mut self.received), self.source)));
            }
        }
        Ok(None)
    }

    /// All the writes that a frame takes.
    fn write_frame(&mut self) {
        let Some(Frame { bytes, forced, .. }) = &self.sending else { return };
        for (word, chunk) in bytes.chunks(4).enumerate() {
            let mut padded = [0; 4];
            padded[..chunk.len()].copy_from_slice(chunk);
            self.script.push_back(Step::Write(base::SEND_BUFFER + 4 * word, u32::from_le_bytes(padded)));
        }
        let ports = forced.unwrap_or_default().bits();
        for (register, low) in [("SEND_PORTS0", 0), ("SEND_PORTS1", 32), ("SEND_PORTS2", 64)] {
            let mut word = [0];
            let position = own(register).field("ports").position;
            position.put(&mut word, ports >> low & ((1 << position.width) - 1));
            if register == "SEND_PORTS2" {
                own(register).field("forced").position.put(&mut word, forced.is_some().into());
            }
            self.script.push_back(Step::Write(own(register).offset, word[0]));
        }
        self.script.push_back(Step::Send(bytes.len() as u32));
    }
}
