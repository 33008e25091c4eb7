//! What a driver does.

use super::world::World;

impl World {
    /// Reads `bytes` at an offset: 1, 2, 4 or 8.
    pub fn get(&mut self, function: usize, offset: usize, bytes: usize) -> u64 {
        if bytes == 8 {
            return self.get(function, offset, 4) | self.get(function, offset + 4, 4) << 32;
        }
        let (word, byte) = (offset & !3, offset & 3);
        let got = self.access(function, word, ((1 << bytes) - 1) << byte, None);
        u64::from(got) >> (8 * byte) & ((1 << (8 * bytes)) - 1)
    }

    pub fn put(&mut self, function: usize, offset: usize, bytes: usize, value: u64) {
        if bytes == 8 {
            self.put(function, offset, 4, value & 0xFFFF_FFFF);
            return self.put(function, offset + 4, 4, value >> 32);
        }
        let (word, byte) = (offset & !3, offset & 3);
        let data = (value << (8 * byte)) as u32;
        self.access(function, word, ((1 << bytes) - 1) << byte, Some(data));
    }

    /// Writes 0 to the status, and waits until it reads so.
    pub fn reset(&mut self, function: usize) {
        self.put(function, 0x14, 1, 0);
        self.await_reset(function);
    }

    pub fn await_reset(&mut self, function: usize) {
        for _ in 0..10_000 {
            if self.get(function, 0x14, 1) == 0 {
                return;
            }
            self.steps(5);
        }
        panic!("function {function} is never reset");
    }

    /// Steps 2 to 6 of 3.1.1.
    pub fn negotiate(&mut self, function: usize, features: u128) {
        self.put(function, 0x14, 1, 1);
        self.put(function, 0x14, 1, 3);
        for word in 0..4 {
            self.put(function, 0x08, 4, word);
            self.put(function, 0x0C, 4, (features >> (32 * word)) as u32 as u64);
        }
        self.put(function, 0x14, 1, 11);
    }

    pub fn enable(&mut self, function: usize, number: usize, size: u64, vector: u64) {
        self.put(function, 0x16, 2, number as u64);
        self.put(function, 0x18, 2, size);
        self.put(function, 0x1A, 2, vector);
        for area in 0..3 {
            let address = self.rng().u64(..);
            self.put(function, 0x20 + 8 * area, 8, address);
        }
        self.put(function, 0x1C, 2, 1);
    }
}
