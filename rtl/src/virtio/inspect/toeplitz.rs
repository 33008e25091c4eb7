//! The Toeplitz hash.

use hdl::*;

/// Words of 32 bits that are hashed at most: two addresses of IPv6 and two ports.
pub const WORDS: usize = 9;

/// The secret key: that of the Receive Side Scaling specification, whose vectors hold for it.
pub const KEY: [u8; 40] = [
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0,
    0xca, 0x2b, 0xcb, 0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42,
    0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
];

#[derive(Bundle, Clone, Debug)]
pub struct ToeplitzIo {
    /// The first byte of the first word in its bits 31:24. What is not there is 0.
    #[input]
    #[ty(vec![bits(32); WORDS])]
    pub words: Vec<Bits>,
    /// Two cycles later.
    #[output]
    pub hash: U<32>,
}

/// Adds up, without carry, 32 bits of the key for each bit of the input that is set: those from the bit's own place on.
///
/// ```text
///  words ─► a sum for each word, two levels of XOR ─► [9 × 32] ─► two levels ─► [hash]
/// ```
///
/// The key is constant, so that about half of the input goes into each bit of the hash. A hash in each cycle, two cycles later.
#[hdl]
pub fn toeplitz() -> ToeplitzIo {
    module("toeplitz", ToeplitzIo::ty(), |io| {
        // Bit 31 of a word is its first one, and so is bit 31 of the hash.
        let mask = |word: usize, hash_bit: usize| -> u32 {
            let key_bit = |at: usize| u32::from(KEY[at / 8] >> (7 - at % 8) & 1);
            (0..32).map(|bit| key_bit(32 * word + (31 - bit) + (31 - hash_bit)) << bit).sum()
        };
        let sums = io.words.iter().enumerate().map(|(number, word)| {
            let sum = (0..32).map(|bit| (*word & lit(mask(number, bit), 32)).parity());
            delay_without_reset(vector(sum))
        });
        let sums: Vec<Bits> = sums.collect();
        let sum = sums[1..].iter().fold(sums[0], |sum, more| sum ^ *more);
        io.hash.set(delay_without_reset(sum).as_u());
    })
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::testing::*;

    /// The hash of the Receive Side Scaling specification, bit by bit.
    pub fn reference(input: &[u8]) -> u32 {
        let bit = |bytes: &[u8], at: usize| u32::from(bytes[at / 8] >> (7 - at % 8) & 1);
        let mut result = 0;
        for at in 0..8 * input.len() {
            if bit(input, at) == 1 {
                result ^= (0..32).fold(0, |window, next| window << 1 | bit(&KEY, at + next));
            }
        }
        result
    }

    /// Source and destination, their ports, and the hashes of the addresses alone and of all: the vectors of the Receive Side
    /// Scaling specification ("Verifying the RSS Hash Calculation").
    pub const VECTORS: [(&str, &str, u16, u16, u32, u32); 8] = [
        ("66.9.149.187", "161.142.100.80", 2794, 1766, 0x323e8fc2, 0x51ccc178),
        ("199.92.111.2", "65.69.140.83", 14230, 4739, 0xd718262a, 0xc626b0ea),
        ("24.19.198.95", "12.22.207.184", 12898, 38024, 0xd2d0a5de, 0x5c2b394a),
        ("38.27.205.30", "209.142.163.6", 48228, 2217, 0x82989176, 0xafc7327f),
        ("153.39.163.191", "202.188.127.2", 44251, 1303, 0x5d1809c5, 0x10e828a2),
        ("3ffe:2501:200:1fff::7", "3ffe:2501:200:3::1", 2794, 1766, 0x2cc18cd5, 0x40207d3d),
        ("3ffe:501:8::260:97ff:fe40:efab", "ff02::1", 14230, 4739, 0x0f0c461c, 0xdde51bbf),
        (
            "3ffe:1900:4545:3:200:f8ff:fe21:67cf",
            "fe80::200:f8ff:fe21:67cf",
            44251,
            38024,
            0x4b61e985,
            0x02d1feef,
        ),
    ];

    /// The bytes of an address.
    pub fn address(text: &str) -> Vec<u8> {
        match text.parse().unwrap() {
            std::net::IpAddr::V4(address) => address.octets().to_vec(),
            std::net::IpAddr::V6(address) => address.octets().to_vec(),
        }
    }

    #[test]
    fn vectors_of_the_specification() {
        for (source, destination, source_port, destination_port, of_addresses, of_all) in VECTORS {
            let addresses = [address(source), address(destination)].concat();
            let ports = [source_port.to_be_bytes(), destination_port.to_be_bytes()].concat();
            assert_eq!(reference(&addresses), of_addresses, "{source}");
            assert_eq!(reference(&[addresses, ports].concat()), of_all, "{source}");
        }
    }

    #[test]
    fn a_hash_in_each_cycle() {
        let (mut bench, io) = Bench::new(toeplitz, 1);
        let mut expected = vec![];
        for cycle in 0..2000 {
            let mut input: Vec<u8> = (0..36).map(|_| bench.rng.u8(..)).collect();
            input[bench.rng.usize(..36)..].fill(0);
            for (word, bytes) in io.words.iter().zip(input.chunks(4)) {
                bench.sim.poke(*word, u32::from_be_bytes(bytes.try_into().unwrap()) as u128);
            }
            expected.push(reference(&input));
            if cycle >= 2 {
                assert_eq!(bench.sim.peek(io.hash), expected[cycle - 2] as u128, "cycle {cycle}");
            }
            bench.cycle(&mut []);
        }
    }
}
