//! Completions of a read: wrong ones, and in the end one that counts.

use super::{
    answers::{Answer, Endpoint, Fault, Wrong},
    fuzz::{Difference, Expected, Fuzz},
};
use hdl::Simulator;
use sim::pcie::{
    Ended, Event, Packet,
    host::ROOT,
    packet::{Kind, Status},
};

/// Where functions read.
const REGION: u64 = 0x5_0000_0000;

impl<S: Simulator> Fuzz<S> {
    /// Has a function read, and completes it by hand.
    pub fn complete(&mut self) -> Result<(), Difference> {
        let function = self.random.below(self.present().len());
        if !self.endpoint.is_master(function) {
            return Ok(());
        }
        // One completion may bring them all, wherever they begin.
        let bytes = self.random.below(self.endpoint.most().min(256) - 4) + 1;
        let within = self.random.below(257 - bytes) as u64;
        let id = self.endpoint.id(function);
        self.scene.bus.checker.set_master(id, true);
        self.scene.bus.device.read(0, function, REGION + within, bytes);
        let start = self.scene.now();
        let request = loop {
            self.scene.step()?;
            if let Some(request) = self.scene.bus.host.take_held().pop() {
                break request;
            }
            if self.scene.now() > start + 10_000 {
                return Err(self.wrong(format!("function {function} does not read")));
            }
        };
        // It requests nothing else.
        self.scene.bus.checker.set_master(id, false);
        let is_right = request.kind() == Kind::MemoryRead && request.requester() == id;
        if !is_right || request.requested_bytes() != bytes || request.address() != (REGION + within) & !3 {
            return Err(self.wrong(format!("{request} for {bytes} bytes at {within:#x} by {id}")));
        }
        self.endpoint.tags.insert(request.tag(), (id, function));
        let data: Vec<u8> = (0..4 * request.length()).map(|_| self.random.word() as u8).collect();
        let mut expected = Expected::default();
        for _ in 0..self.random.below(5) {
            let packet = self.unexpected(&request, &data);
            let answer = self.endpoint.answer(&packet);
            self.expect(answer, &mut expected);
            self.scene.bus.host.send_raw(packet);
            self.tally.packets += 1;
        }
        let ended = self.end(&request, &data, function, &mut expected);
        self.settle(&expected)?;
        let first = within as usize % 4;
        // The client takes its time.
        let start = self.scene.now();
        while self.scene.events.is_empty() && self.scene.now() < start + 2000 {
            self.scene.step()?;
        }
        let got = self.scene.events.pop_front();
        let is_whole = |got: &[u8]| got == &data[first..first + bytes];
        match got {
            Some((_, Event::Read { client: 0, ended: how, data: got }))
                if how == ended && (ended != Ended::Success || is_whole(&got)) => {}
            other => return Err(self.wrong(format!("the read is {other:x?}, not {ended:?} with {data:x?}"))),
        }
        self.compare(&expected)
    }

    /// A completion that is not the next one of the request.
    fn unexpected(&mut self, request: &Packet, data: &[u8]) -> Packet {
        let good = Packet::completion_with_data(request, ROOT, 0, data);
        let mut packet = good.clone();
        match self.random.below(8) {
            // Another byte count.
            0 => packet.header[1] ^= 1 << self.random.below(12),
            1 => packet.header[2] ^= 1 << self.random.below(7),
            2 => packet.header[2] ^= 1 << (16 + self.random.below(16)),
            3 => packet = good.with_tag(request.tag() ^ 1 << self.random.below(10)),
            // Of a locked read.
            4 => packet.header[0] |= 1 << 24,
            // Success without data.
            5 => packet = Packet::completion(request, ROOT, Status::Successful),
            6 => packet.payload.extend([0; 4]),
            _ => {
                // More than is wanted.
                packet.payload.extend([0; 4]);
                packet.header[0] += 1;
            }
        }
        if self.random.chance(10) { packet.poisoned() } else { packet }
    }

    /// Ends a request; how it has to end.
    fn end(&mut self, request: &Packet, data: &[u8], function: usize, expected: &mut Expected) -> Ended {
        let good = Packet::completion_with_data(request, ROOT, 0, data);
        let refused = |status| Packet::completion(request, ROOT, status);
        let (packet, ended) = match self.random.below(8) {
            0 => (refused(Status::Unsupported), Ended::Unsupported),
            1 => (refused(Status::Aborted), Ended::Aborted),
            2 => (refused(Status::Retry), Ended::Unsupported),
            3 => {
                // A status that is reserved.
                let mut packet = refused(Status::Successful);
                packet.header[1] |= *self.random.pick(&[3, 5, 6, 7]) << 13;
                (packet, Ended::Unsupported)
            }
            4 => (good.poisoned(), Ended::Poisoned),
            _ => (good, Ended::Success),
        };
        let wrong = match ended {
            Ended::Success => None,
            Ended::Poisoned => Some(Wrong::Poisoned),
            _ => Some(Wrong::of_status(packet.status())),
        };
        let fault = wrong.map(|wrong| Fault { wrong, function: Some(function), header: packet.header });
        self.expect(Answer { fault, ..Answer::default() }, expected);
        self.scene.bus.host.send_raw(packet);
        self.tally.packets += 1;
        ended
    }
}

impl Endpoint {
    /// The function may read.
    fn is_master(&self, function: usize) -> bool {
        let sleeper = if function < self.own { function } else { 0 };
        let power = self.functions[sleeper].offsets.power;
        self.functions[function].word(4) >> 2 & 1 == 1 && self.functions[sleeper].word(power + 4) & 3 == 0
    }
}
