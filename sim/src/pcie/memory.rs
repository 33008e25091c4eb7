//! Memory of the host: 64 bits of addresses, of which pages exist once they are written.

use std::collections::HashMap;

const PAGE: u64 = 4096;

/// Bytes that are 0 until they are written.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    pages: HashMap<u64, Box<[u8; PAGE as usize]>>,
}

/// Calls `piece` for each part of a run of bytes that lies in one page, with its place in the run.
fn pieces(address: u64, bytes: usize, mut piece: impl FnMut(u64, usize, std::ops::Range<usize>)) {
    let mut done = 0;
    while done < bytes {
        let at = address.wrapping_add(done as u64);
        let offset = (at % PAGE) as usize;
        let length = (PAGE as usize - offset).min(bytes - done);
        piece(at / PAGE, offset, done..done + length);
        done += length;
    }
}

impl Memory {
    pub fn new() -> Memory {
        Memory::default()
    }

    pub fn read(&self, address: u64, data: &mut [u8]) {
        pieces(address, data.len(), |page, offset, part| {
            let length = part.len();
            match self.pages.get(&page) {
                Some(page) => data[part].copy_from_slice(&page[offset..offset + length]),
                None => data[part].fill(0),
            }
        });
    }

    /// As [`Memory::read`], into a vector.
    pub fn bytes(&self, address: u64, count: usize) -> Vec<u8> {
        let mut data = vec![0; count];
        self.read(address, &mut data);
        data
    }

    pub fn write(&mut self, address: u64, data: &[u8]) {
        pieces(address, data.len(), |page, offset, part| {
            let page = self.pages.entry(page).or_insert_with(|| Box::new([0; PAGE as usize]));
            page[offset..offset + part.len()].copy_from_slice(&data[part]);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_cross_pages_and_touch_nothing_else() {
        let mut memory = Memory::new();
        let data: Vec<u8> = (0..9000).map(|i| (i % 251 + 1) as u8).collect();
        let address = 0xFFFF_1234_5678_9FFE;
        memory.write(address, &data);
        assert_eq!(memory.bytes(address, 9000), data);
        assert_eq!(memory.bytes(address - 2, 3), [0, 0, 1]);
        assert_eq!(memory.bytes(address + 8999, 2), [data[8999], 0]);
        memory.write(address + 1, &[0xAA]);
        assert_eq!(memory.bytes(address, 3), [1, 0xAA, 3]);
        assert_eq!(memory.pages.len(), 4);
    }
}
