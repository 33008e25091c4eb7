//! A link: what it carries in a cycle, how long that takes, and what it could carry at most.
//!
//! A packet waits until those before it are on the lanes, needs its own time on them, and then half a round trip. Both
//! directions keep the order. What happens at the far end, such as the time of a memory, is not part of it.

use super::{
    checker::Direction,
    credits::{Credits, Room, cost},
    packet::{Class, Packet},
};
use std::collections::VecDeque;

/// What a packet needs beside header and payload: framing, sequence number and LCRC, in every generation.
pub const FRAMING: usize = 8;

/// How a link is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkSettings {
    /// 1 to 4.
    pub generation: u32,
    pub lanes: u32,
    /// Of the adapter's clock, which all times are counted in.
    pub clock_khz: u64,
    /// What acknowledgements and credits take of each direction, per mille.
    pub management: u64,
    /// There and back, in nanoseconds.
    pub round_trip: u64,
    /// Bytes that may wait for the lanes before no more are taken.
    pub buffer: usize,
    /// What the host has room for, by [`Class`].
    pub up: [Room; 3],
    /// What the endpoint has room for.
    pub down: [Room; 3],
}

impl Default for LinkSettings {
    /// Eight lanes of generation 3.
    fn default() -> LinkSettings {
        let posted = Room { headers: Some(64), data: Some(1024) };
        let non_posted = Room { headers: Some(64), data: Some(64) };
        LinkSettings {
            generation: 3,
            lanes: 8,
            clock_khz: 156_250,
            management: 80,
            round_trip: 500,
            buffer: 512,
            up: [posted, non_posted, Room::INFINITE],
            down: [
                Room { headers: Some(32), data: Some(128) },
                Room { headers: Some(8), data: Some(8) },
                Room::INFINITE,
            ],
        }
    }
}

impl LinkSettings {
    /// A link on which nothing takes time, for tests that are not about it.
    pub fn at_once() -> LinkSettings {
        LinkSettings { generation: 4, lanes: 16, round_trip: 0, ..LinkSettings::default() }
    }

    /// Bytes of packets that a direction carries in a second, with their framing.
    ///
    /// # Panics
    /// If there is no such generation.
    pub fn bytes_per_second(&self) -> u64 {
        // Of the lanes' bits, 8 of 10 are data, or 128 of 130 (4.2.1, 4.2.2).
        let lane = match self.generation {
            1 => 250_000_000,
            2 => 500_000_000,
            3 => 1_000_000_000 * 128 / 130,
            4 => 2_000_000_000 * 128 / 130,
            other => panic!("generation {other}"),
        };
        lane * u64::from(self.lanes) * (1000 - self.management) / 1000
    }

    /// Bytes of payload that go over a direction in a second if packets with these headers and payloads, in bytes, follow
    /// one another for ever.
    pub fn limit(&self, packets: impl IntoIterator<Item = (usize, usize)>) -> f64 {
        let (mut useful, mut all) = (0, 0);
        for (header, payload) in packets {
            useful += payload;
            all += FRAMING + header + payload;
        }
        self.bytes_per_second() as f64 * useful as f64 / all as f64
    }

    /// That of writes of blocks of `block` bytes above 4 GiB that begin at multiples of `payload`, Max_Payload_Size.
    pub fn write_limit(&self, block: usize, payload: usize) -> f64 {
        self.limit(parts(block, payload).map(|part| (16, part)))
    }

    /// That of reads of such blocks, if requests are for `request` bytes and completions bring `chunk`; the requests go the
    /// other way.
    pub fn read_limit(&self, block: usize, request: usize, chunk: usize) -> f64 {
        let completions = parts(block, request).flat_map(|part| parts(part, chunk)).map(|part| (12, part));
        let requests = parts(block, request).count() * (FRAMING + 16);
        let asked = self.bytes_per_second() as f64 * block as f64 / requests as f64;
        self.limit(completions).min(asked)
    }

    /// Cycles of half a round trip.
    fn flight(&self) -> u64 {
        (self.round_trip * self.clock_khz).div_ceil(2_000_000)
    }
}

/// `block` in parts of `size` and a rest.
fn parts(block: usize, size: usize) -> impl Iterator<Item = usize> {
    (0..block.div_ceil(size)).map(move |index| size.min(block - index * size))
}

/// One direction. Amounts are in bytes times Hertz: a cycle takes `rate` away, a byte brings a second's cycles.
#[derive(Clone, Debug)]
struct Lanes {
    /// What waits for the lanes, at the cycle `at`.
    backlog: u64,
    at: u64,
    /// Bytes that were put on them, with their framing.
    carried: u64,
    in_flight: VecDeque<(u64, Packet)>,
    credits: Credits,
    /// Credits on their way back.
    returns: VecDeque<(u64, Class, [u32; 2])>,
    /// Credits that do not go back for now, by class.
    withheld: [Option<Vec<[u32; 2]>>; 3],
}

/// Both directions.
#[derive(Clone, Debug)]
pub struct Link {
    settings: LinkSettings,
    rate: u64,
    ways: [Lanes; 2],
}

impl Link {
    pub fn new(settings: LinkSettings) -> Link {
        let lanes = |room: [Room; 3]| Lanes {
            backlog: 0,
            at: 0,
            carried: 0,
            in_flight: VecDeque::new(),
            credits: Credits::new(room),
            returns: VecDeque::new(),
            withheld: [None, None, None],
        };
        let ways = [lanes(settings.up), lanes(settings.down)];
        Link { rate: settings.bytes_per_second(), settings, ways }
    }

    pub fn settings(&self) -> &LinkSettings {
        &self.settings
    }

    /// The lanes take a packet now.
    pub fn may_enter(&mut self, direction: Direction, now: u64) -> bool {
        self.advance(direction, now);
        self.ways[direction as usize].backlog < self.settings.buffer as u64 * self.settings.clock_khz * 1000
    }

    /// The receiver has room for this packet, as far as the sender knows.
    pub fn permits(&mut self, direction: Direction, packet: &Packet, now: u64) -> bool {
        self.credits(direction, now).permits(packet)
    }

    /// What the sender knows of the receiver's room.
    pub fn credits(&mut self, direction: Direction, now: u64) -> &Credits {
        let lanes = &mut self.ways[direction as usize];
        while let Some((_, class, cost)) = lanes.returns.pop_front_if(|(time, ..)| *time <= now) {
            lanes.credits.give_back(class, cost);
        }
        &lanes.credits
    }

    /// Puts a packet on the lanes.
    pub fn enter(&mut self, direction: Direction, packet: Packet, now: u64) {
        self.advance(direction, now);
        let lanes = &mut self.ways[direction as usize];
        lanes.credits.consume(&packet);
        let bytes = FRAMING + packet.header_bytes() + packet.payload.len();
        lanes.carried += bytes as u64;
        lanes.backlog += bytes as u64 * self.settings.clock_khz * 1000;
        let arrival = now + lanes.backlog.div_ceil(self.rate) + self.settings.flight();
        lanes.in_flight.push_back((arrival, packet));
    }

    /// A packet that has arrived by now.
    pub fn leave(&mut self, direction: Direction, now: u64) -> Option<Packet> {
        let in_flight = &mut self.ways[direction as usize].in_flight;
        in_flight.pop_front_if(|(arrival, _)| *arrival <= now).map(|(_, packet)| packet)
    }

    /// The receiver has room again for a packet that it got from `direction`.
    pub fn give_back(&mut self, direction: Direction, packet: &Packet, now: u64) {
        let time = now + self.settings.flight();
        let (class, cost) = (packet.class(), cost(packet));
        let lanes = &mut self.ways[direction as usize];
        match &mut lanes.withheld[class as usize] {
            Some(withheld) => withheld.push(cost),
            None => lanes.returns.push_back((time, class, cost)),
        }
    }

    /// From now on the receiver of what comes from `direction` gives no credits of a class back; or again, and all that it
    /// kept.
    pub fn withhold(&mut self, direction: Direction, class: Class, withholds: bool, now: u64) {
        let time = now + self.settings.flight();
        let lanes = &mut self.ways[direction as usize];
        let kept = &mut lanes.withheld[class as usize];
        if withholds {
            kept.get_or_insert_default();
        } else {
            let kept = kept.take().unwrap_or_default();
            lanes.returns.extend(kept.into_iter().map(|cost| (time, class, cost)));
        }
    }

    /// Bytes that were put on the lanes so far, with their framing.
    pub fn carried(&self, direction: Direction) -> u64 {
        self.ways[direction as usize].carried
    }

    /// Packets between the ends.
    pub fn in_flight(&self, direction: Direction) -> usize {
        self.ways[direction as usize].in_flight.len()
    }

    fn advance(&mut self, direction: Direction, now: u64) {
        let lanes = &mut self.ways[direction as usize];
        lanes.backlog = lanes.backlog.saturating_sub((now - lanes.at).saturating_mul(self.rate));
        lanes.at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pcie::packet::RoutingId;
    use Direction::{Down, Up};

    const ID: RoutingId = RoutingId(0x100);

    #[track_caller]
    fn near(got: f64, expected: f64, tolerance: f64) {
        assert!((got / expected - 1.0).abs() < tolerance, "{got}, not {expected}");
    }

    fn link(generation: u32, lanes: u32) -> LinkSettings {
        LinkSettings { generation, lanes, ..LinkSettings::default() }
    }

    /// The figures of the project's table of limits, in Gb/s.
    #[test]
    fn limits_are_those_of_the_table() {
        let table = [
            (2, 4, [12.4, 13.4, 14.1]),
            (2, 8, [24.8, 26.9, 28.1]),
            (3, 4, [24.4, 26.5, 27.7]),
            (3, 8, [48.8, 53.0, 55.4]),
        ];
        for (generation, lanes, expected) in table {
            for (payload, expected) in [128, 256, 512].into_iter().zip(expected) {
                near(link(generation, lanes).write_limit(4096, payload) * 8e-9, expected, 0.005);
            }
        }
        for (generation, expected) in [(2, [22.4, 25.5, 27.3]), (3, [44.2, 50.1, 53.8])] {
            for (chunk, expected) in [64, 128, 256].into_iter().zip(expected) {
                near(link(generation, 8).read_limit(4096, 512, chunk) * 8e-9, expected, 0.005);
            }
        }
        near(link(4, 8).bytes_per_second() as f64, 2.0 * 7.246e9, 0.001);
        near(link(1, 1).bytes_per_second() as f64, 230e6, 0.001);
        // Reads of four bytes: the requests are longer than what they bring.
        near(link(3, 8).read_limit(4, 512, 64), 7.247e9 * 4.0 / 24.0, 0.001);
        near(link(3, 8).write_limit(300, 256), 7.247e9 * 300.0 / 348.0, 0.001);
    }

    /// What the lanes carry while there is always more is the limit.
    #[test]
    fn lanes_carry_their_limit() {
        for (generation, lanes, clock_khz) in
            [(1, 1, 156_250), (3, 8, 156_250), (3, 8, 250_000), (4, 16, 250_000)]
        {
            for payload in [4, 64, 256] {
                let settings = LinkSettings { clock_khz, ..link(generation, lanes) };
                let expected = settings.write_limit(payload, payload);
                let mut link = Link::new(settings);
                let packet = Packet::memory_write(ID, 0, 1 << 40, &vec![0; payload]);
                let mut arrived = 0;
                for now in 0..50_000 {
                    while link.may_enter(Up, now) {
                        link.enter(Up, packet.clone(), now);
                    }
                    while let Some(packet) = link.leave(Up, now) {
                        arrived += packet.payload.len();
                    }
                }
                let seconds = 50_000.0 / (clock_khz as f64 * 1e3);
                near(arrived as f64 / seconds, expected, 0.01);
            }
        }
    }

    #[test]
    fn packets_take_their_time_and_keep_their_order() {
        // 230 bytes in a microsecond, of 250 cycles.
        let settings = LinkSettings { clock_khz: 250_000, round_trip: 400, buffer: 100, ..link(1, 1) };
        let mut link = Link::new(settings);
        let read = |tag: u16| Packet::memory_read(ID, tag, 0x1000, 4);
        for tag in 0..5 {
            assert_eq!(link.may_enter(Down, 10), tag < 5);
            link.enter(Down, read(tag), 10);
        }
        assert!(!link.may_enter(Down, 10), "100 bytes wait");
        assert!(link.may_enter(Down, 11));
        assert!(link.may_enter(Up, 10));
        let mut arrivals = vec![];
        for now in 10..300 {
            while let Some(packet) = link.leave(Down, now) {
                arrivals.push((now, packet.tag()));
            }
        }
        // 20 bytes take 21.74 cycles, half a round trip 50.
        assert_eq!(arrivals, [(82, 0), (104, 1), (126, 2), (147, 3), (169, 4)]);
        assert_eq!(link.in_flight(Down), 0);
    }

    #[test]
    fn credits_come_back_half_a_round_trip_later() {
        let settings = LinkSettings { clock_khz: 250_000, round_trip: 400, ..link(3, 8) };
        let mut link = Link::new(settings);
        let read = Packet::memory_read(ID, 0, 0x1000, 4);
        for _ in 0..8 {
            assert!(link.permits(Down, &read, 0));
            link.enter(Down, read.clone(), 0);
        }
        assert!(!link.permits(Down, &read, 99));
        link.give_back(Down, &read, 100);
        assert!(!link.permits(Down, &read, 149));
        assert!(link.permits(Down, &read, 150));
        assert_eq!(link.credits(Down, 150).limits(Class::NonPosted)[0].value, 9);
    }

    #[test]
    fn credits_are_withheld() {
        let mut link = Link::new(LinkSettings { round_trip: 0, ..link(3, 8) });
        let read = Packet::memory_read(ID, 0, 0x1000, 4);
        link.withhold(Down, Class::NonPosted, true, 0);
        for _ in 0..8 {
            link.enter(Down, read.clone(), 0);
            link.give_back(Down, &read, 0);
        }
        assert!(!link.permits(Down, &read, 1000));
        link.withhold(Down, Class::NonPosted, false, 1000);
        assert_eq!(link.credits(Down, 1000).limits(Class::NonPosted)[0].value, 16);
    }
}
