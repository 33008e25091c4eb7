//! The host: takes requests, checks that they are legal, and answers them somehow.

use super::*;

impl World {
    pub(super) fn sample_request(&mut self, takes: bool) {
        let sim = &mut self.bench.sim;
        if !sim.peek(self.io.request.valid) {
            return;
        }
        let beat = &self.io.request.payload;
        let header = sim.peek(beat.header);
        if self.request_seen.is_none() {
            self.request_seen = Some((header, self.ticks));
        }
        assert_eq!(self.request_seen.unwrap().0, header, "a request stays");
        if !takes {
            return;
        }
        let seen = self.request_seen.take().unwrap().1;
        assert!(sim.peek(beat.first) && sim.peek(beat.last));
        assert_eq!(sim.peek(beat.count), 0);
        let word = |i: usize| (header >> (32 * i)) as u32;
        let is_long = match word(0) >> 24 {
            0x00 => false,
            0x20 => true,
            kind => panic!("a request of kind {kind:#x}"),
        };
        let (low, high) = if is_long { (word(3), word(2)) } else { (word(2), 0) };
        assert!(is_long || word(3) == 0);
        assert_eq!(is_long, high != 0, "short addresses below 4 GiB");
        assert_eq!(low & 3, 0);
        let words = (word(0) & 0x3FF) as usize;
        let (first, last) = (word(1) & 0xF, word(1) >> 4 & 0xF);
        let skip = first.trailing_zeros() as usize;
        let beyond = match words {
            1 => first.leading_zeros() as usize - 28,
            _ => last.leading_zeros() as usize - 28,
        };
        let whole = |bytes: u32| {
            bytes != 0 && (bytes >> bytes.trailing_zeros() & ((bytes >> bytes.trailing_zeros()) + 1)) == 0
        };
        assert!(whole(first), "{first:#b}");
        assert!(if words == 1 { last == 0 } else { first & 8 != 0 && last & 1 != 0 && whole(last) });
        let address = (u64::from(high) << 32 | u64::from(low)) + skip as u64;
        let length = 4 * words - skip - beyond;
        assert!(length <= self.most(), "at most Max_Read_Request_Size");
        assert_eq!(address >> 12, (address + length as u64 - 1) >> 12, "within a page");
        assert_eq!(word(0) & 0x00FF_CC00 & !(1 << 13), 0, "nothing else in the first word");
        let tag = u128::from(word(1) >> 8 & 0xFF);
        let limit = if self.plan.extended_tags { self.plan.tags } else { 32 };
        assert!((tag as usize) < limit, "tag {tag}");
        if let Some((number, ticks)) = self.tags[tag as usize]
            && self.requests.iter().any(|request| request.number == number)
        {
            let request = self.requests.iter().position(|request| request.number == number).unwrap();
            let age = seen - ticks;
            assert!(age >= 31, "tag {tag} is used again after {age} ticks: {:?}", self.requests[request]);
            self.requests.remove(request);
        }

        // Whose is it?
        let most = self.most() as u64;
        let number = self.numbers;
        let mut owner = None;
        for state in &mut self.clients {
            let count = state.taken + usize::from(state.offering);
            let past = state.past.iter_mut().map(|order| (order, true));
            let present = state.orders.iter_mut().take(count).map(|order| (order, false));
            for (order, is_past) in past.chain(present) {
                if order.asked == order.length {
                    continue;
                }
                if order.next(most) == (address, length) {
                    order.asked += length;
                    order.results.push((number, None));
                    let relaxed = word(0) >> 13 & 1 == 1;
                    assert_eq!(order.relaxed, relaxed);
                    owner = Some((order.function, order.blocked));
                    break;
                }
                // A later order is not asked for before this one, unless this one was cut short.
                if !order.blocked && !is_past {
                    break;
                }
            }
            if owner.is_some() {
                break;
            }
        }
        let (function, blocked) =
            owner.unwrap_or_else(|| panic!("nobody wants {length} bytes of {address:#x}"));
        assert_eq!(u128::from(word(1) >> 16), routing_id(function), "the requester");
        assert!(!self.was_quiet[function], "a request of a function that was quiet while stopped");

        let rng = &mut self.bench.rng;
        let faulty = self.plan.faults > 0 && rng.u32(..self.plan.faults) == 0;
        let fault = faulty.then(|| match rng.u32(..7) {
            0 => Fault::Status(1),
            1 => Fault::Status(4),
            2 => Fault::Status([2, 3, 5, 6, 7][rng.usize(..5)]),
            3 | 4 => Fault::Poison,
            5 => Fault::Late,
            _ => Fault::Silence,
        });
        let due = match fault {
            _ if self.silent => None,
            _ if self.plan.ideal => Some(self.cycle),
            Some(Fault::Silence) => None,
            Some(Fault::Late) => Some(self.cycle + TICK * rng.usize(18..29)),
            _ => Some(self.cycle + [rng.usize(..20), rng.usize(..500)][rng.usize(..2)]),
        };
        let requester = routing_id(function);
        // It may have been blocked while the request waited to leave.
        let (ticks, dead) = (seen, blocked);
        let request = Request {
            number,
            function,
            requester,
            tag,
            address,
            length,
            done: 0,
            due,
            ticks,
            fault,
            dead,
            gone: false,
        };
        self.requests.push(request);
        self.tags[tag as usize] = Some((number, seen));
        self.numbers += 1;
        self.request_count += 1;
    }

    /// A completion's header.
    fn header(request: &Request, words: usize, status: u128, poisoned: bool) -> u128 {
        let left = request.length - request.done;
        let lower = (request.address + request.done as u64) as u128 & 0x7F;
        let kind = if words > 0 { 0x4A } else { 0x0A };
        let first = kind << 24 | u128::from(poisoned) << 14 | words as u128;
        let second = 0xBEEF << 16 | status << 13 | left as u128;
        let third = request.requester << 16 | request.tag << 8 | lower;
        first | second << 32 | third << 64
    }

    /// The next completion of a request; without `real` something that looks like it.
    fn answer(&mut self, at: usize, real: bool) -> Packet {
        let rng = &mut self.bench.rng;
        let request = &mut self.requests[at];
        if let Some(Fault::Status(status)) = request.fault
            && (request.done > 0 || request.length < 65 || rng.bool())
        {
            let header = Self::header(request, 0, status, false);
            let outcome = if status == 4 { Outcome::Aborted } else { Outcome::Unsupported };
            let result = Some((request.number, Some(outcome), true));
            return Packet { header, data: vec![], malformed: false, sent: 0, result };
        }
        let from = request.address + request.done as u64;
        let left = request.length - request.done;
        let boundary = if rng.bool() { 64 } else { 128 };
        let mut length = left;
        if !self.plan.ideal && rng.u32(..3) > 0 {
            let chunks = rng.u64(1..4);
            length = left.min((boundary * chunks - from % boundary) as usize);
        }
        let poisoned = request.fault == Some(Fault::Poison) && (length == left || rng.bool());
        let skip = from as usize % 4;
        let words = (skip + length).div_ceil(4);
        let mut data: Vec<u8> = (0..4 * words).map(|i| byte_at(from - skip as u64 + i as u64)).collect();
        // Bytes that were not asked for may be anything.
        data[..skip].iter_mut().for_each(|byte| *byte = rng.u8(..));
        data[skip + length..].iter_mut().for_each(|byte| *byte = rng.u8(..));
        let header = Self::header(request, words, 0, poisoned);
        let result = real.then(|| {
            request.done += length;
            let outcome = poisoned.then_some(Outcome::Poisoned);
            (request.number, outcome, request.done == request.length)
        });
        Packet { header, data, malformed: false, sent: 0, result }
    }

    /// A completion that nobody waits for, or that is malformed.
    fn nonsense(&mut self) -> Option<Packet> {
        let at = self.bench.rng.usize(..self.requests.len().max(1));
        if at >= self.requests.len() {
            return None;
        }
        if let Some(Fault::Status(_)) = self.requests[at].fault {
            return None;
        }
        let mut packet = self.answer(at, false);
        let rng = &mut self.bench.rng;
        let kind = rng.u32(..8);
        packet.header ^= match kind {
            // The byte count, the lower address, the requester, a high bit of the tag, the length.
            0 => 1 << (32 + rng.u32(..12)),
            1 => 1 << (64 + rng.u32(..7)),
            2 => 1 << (80 + rng.u32(..16)),
            3 => 1 << if rng.bool() { 19 } else { 23 },
            4 => {
                let words = packet.data.len() / 4;
                // More than are missing.
                let wrong = 65 + rng.usize(1..20);
                packet.data.resize(4 * wrong, 0);
                (words ^ wrong) as u128
            }
            // A successful completion without data; a completion of a locked read.
            5 => {
                packet.data.clear();
                1 << 30
            }
            6 => 1 << 24,
            _ => {
                let length = 4 * rng.usize(1..80);
                packet.data.resize(length, 0x55);
                packet.malformed = true;
                0
            }
        };
        let requester = packet.header >> 80 & 0xFFFF;
        if kind == 5 && packet.header >> 24 & 0xFF != 0x0A || requester == 0 {
            return None;
        }
        if !packet.malformed {
            self.expected.push((ErrorKind::UnexpectedCompletion, packet.header, None, true));
            self.unexpected += 1;
        }
        Some(packet)
    }

    pub(super) fn drive_completion(&mut self) {
        let pace = self.moves() || self.plan.ideal;
        if self.packet.is_none() && pace {
            let cycle = self.cycle;
            if self.plan.faults > 0 && self.bench.rng.u32(..self.plan.faults) == 0 {
                self.packet = self.nonsense();
            }
            if self.packet.is_none() {
                let due: Vec<usize> = (0..self.requests.len())
                    .filter(|&at| self.requests[at].due.is_some_and(|due| due <= cycle))
                    .filter(|&at| self.requests[at].done < self.requests[at].length)
                    .collect();
                if !due.is_empty() {
                    let old = |at: &&usize| self.requests[**at].ticks + 4 < self.ticks;
                    let at = match due.iter().find(old) {
                        Some(at) => *at,
                        None if self.plan.ideal => due[0],
                        None => due[self.bench.rng.usize(..due.len())],
                    };
                    self.packet = Some(self.answer(at, true));
                }
            }
        }
        let valid = self.packet.is_some() && pace;
        let bytes = self.plan.config.bytes;
        let sim = &mut self.bench.sim;
        let stream = &self.io.completion;
        sim.poke(stream.valid, valid);
        let Some(packet) = self.packet.as_mut().filter(|_| valid) else { return };
        let count = (packet.data.len() - packet.sent).min(bytes);
        let last = packet.sent + count == packet.data.len();
        sim.poke(stream.payload.first, packet.sent == 0);
        sim.poke(stream.payload.last, last);
        sim.poke(stream.payload.count, count as u128);
        let garbage = self.bench.rng.u128(..);
        sim.poke(stream.payload.header, if packet.sent == 0 { packet.header } else { garbage });
        let mut data = Word::new();
        for i in 0..bytes {
            let byte = packet.data.get(packet.sent + i).copied().unwrap_or(0xEE);
            data.extend(word(byte.into(), 8));
        }
        sim.poke_wide(&stream.payload.data, &data);
        let malformed = if last { packet.malformed } else { self.bench.rng.bool() };
        sim.poke(self.io.malformed, malformed);
        packet.sent += count;
        if last {
            let packet = self.packet.take().unwrap();
            self.finish(packet);
        }
    }

    /// What a completion comes to.
    fn finish(&mut self, packet: Packet) {
        let Some((number, failure, whole)) = packet.result else { return };
        let at = self.requests.iter().position(|request| request.number == number).expect("it waits");
        let request = &mut self.requests[at];
        let age = self.ticks - request.ticks;
        assert!(request.fault == Some(Fault::Late) || age < 14, "the host is too slow");
        let function = Some(request.function);
        let late = request.fault == Some(Fault::Late);
        match failure {
            Some(Outcome::Poisoned) => {
                self.expected.push((ErrorKind::Poisoned, packet.header, function, !request.dead))
            }
            Some(Outcome::Aborted) => {
                self.expected.push((ErrorKind::ReceivedAbort, packet.header, function, !request.dead))
            }
            Some(_) => {
                self.expected.push((ErrorKind::ReceivedUnsupported, packet.header, function, !request.dead))
            }
            None => {}
        }
        if failure.is_some() && request.fault == Some(Fault::Poison) {
            // Once bad, always bad.
            self.set_result(number, Outcome::Poisoned);
        }
        if whole {
            self.requests.remove(at);
            match failure {
                _ if late => {}
                Some(failure) => self.set_result(number, failure),
                None if self.result(number).is_none() => self.set_result(number, Outcome::Success),
                None => {}
            }
        }
    }
}
