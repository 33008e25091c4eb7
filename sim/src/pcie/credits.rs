//! Credits of flow control: cumulative counters on both sides of a link (2.6.1).

use super::packet::{Class, Packet};

/// Bits of the counters of headers, and of data.
const WIDTHS: [u32; 2] = [8, 12];

/// Bytes of a credit for data.
const UNIT: usize = 16;

/// What a receiver has room for in a class. `None`: it takes everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Packets, up to 127.
    pub headers: Option<u32>,
    /// Units of 16 bytes of payload, up to 2047.
    pub data: Option<u32>,
}

impl Room {
    pub const INFINITE: Room = Room { headers: None, data: None };
}

/// A limit as the sender knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// CREDIT_LIMIT, modulo 256 of headers and modulo 4096 of data.
    pub value: u32,
    /// It does not count.
    pub infinite: bool,
}

/// The credits of one direction: by class, of headers and of data.
#[derive(Clone, Debug)]
pub struct Credits {
    limits: [[Limit; 2]; 3],
    consumed: [[u32; 2]; 3],
}

/// What a packet costs: headers, and units of data.
pub fn cost(packet: &Packet) -> [u32; 2] {
    [1, packet.payload.len().div_ceil(UNIT) as u32]
}

impl Credits {
    /// With the room of the receiver for posted and non-posted requests and for completions.
    ///
    /// # Panics
    /// If a room is more than half of its counter.
    pub fn new(room: [Room; 3]) -> Credits {
        let limits = room.map(|Room { headers, data }| {
            let mut widths = WIDTHS.into_iter();
            [headers, data].map(|room| {
                let width = widths.next().expect("one for each");
                assert!(
                    room.unwrap_or(0) < 1 << (width - 1),
                    "{room:?} credits are too many for {width} bits"
                );
                Limit { value: room.unwrap_or(0), infinite: room.is_none() }
            })
        });
        Credits { limits, consumed: [[0; 2]; 3] }
    }

    /// Of headers and of data, as ports of a transmitter take them.
    pub fn limits(&self, class: Class) -> [Limit; 2] {
        self.limits[class as usize]
    }

    /// The receiver has room for the packet (2.6.1.2).
    pub fn permits(&self, packet: &Packet) -> bool {
        let class = packet.class() as usize;
        let cost = cost(packet);
        (0..2).all(|i| {
            let Limit { value, infinite } = self.limits[class][i];
            let size = 1 << WIDTHS[i];
            let left = value.wrapping_sub(self.consumed[class][i] + cost[i]) % size;
            // What needs no data asks for no credit of it.
            infinite || cost[i] == 0 || left <= size / 2
        })
    }

    /// The packet is sent.
    pub fn consume(&mut self, packet: &Packet) {
        let class = packet.class() as usize;
        for (i, cost) in cost(packet).into_iter().enumerate() {
            let counter = &mut self.consumed[class][i];
            *counter = (*counter + cost) % (1 << WIDTHS[i]);
        }
    }

    /// The receiver has room again.
    pub fn give_back(&mut self, class: Class, cost: [u32; 2]) {
        for (i, cost) in cost.into_iter().enumerate() {
            let limit = &mut self.limits[class as usize][i];
            if !limit.infinite {
                limit.value = (limit.value + cost) % (1 << WIDTHS[i]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pcie::packet::RoutingId;

    const ID: RoutingId = RoutingId(0x100);

    #[test]
    fn counters_wrap() {
        let room = Room { headers: Some(3), data: Some(20) };
        let mut credits = Credits::new([room, Room { headers: Some(1), data: Some(1) }, Room::INFINITE]);
        let write = |bytes: usize| Packet::memory_write(ID, 0, 0x1000, &vec![0; bytes]);
        let read = Packet::memory_read(ID, 0, 0, 4);
        assert_eq!(cost(&write(17)), [1, 2]);
        for _ in 0..1000 {
            assert!(credits.permits(&write(320)) && !credits.permits(&write(324)));
            credits.consume(&write(240));
            assert!(credits.permits(&write(80)) && !credits.permits(&write(84)));
            credits.consume(&write(4));
            credits.consume(&write(4));
            assert!(!credits.permits(&write(4)), "three headers");
            assert!(credits.permits(&read));
            credits.consume(&read);
            assert!(!credits.permits(&read), "one header");
            credits.give_back(Class::NonPosted, [1, 0]);
            for packet in [write(240), write(4), write(4)] {
                credits.give_back(Class::Posted, cost(&packet));
            }
        }
        let [headers, data] = credits.limits(Class::Posted);
        assert_eq!((headers.value, data.value), ((3 + 3000) % 256, (20 + 17_000) % 4096));
        let completion =
            Packet::completion_with_data(&Packet::memory_read(ID, 0, 0, 4096), ID, 0, &[0; 4096]);
        (0..1000).for_each(|_| credits.consume(&completion));
        assert!(credits.permits(&completion) && credits.limits(Class::Completion)[0].infinite);
        // Packets without data pass though there is no credit for data.
        let none = Room { headers: None, data: Some(0) };
        let credits = Credits::new([none; 3]);
        assert!(credits.permits(&read) && !credits.permits(&write(4)));
    }

    #[test]
    #[should_panic(expected = "too many for 8 bits")]
    fn refuses_too_much_room() {
        Credits::new([Room { headers: Some(128), data: None }; 3]);
    }
}
