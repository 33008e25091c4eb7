//! Instructions on an array of words, and the loop that executes them.

/// Position of a word in the simulator's array.
pub(super) type Slot = u32;

#[derive(Clone, Copy, Debug)]
pub(super) struct Instruction {
    pub target: Slot,
    pub operation: Operation,
}

/// As [`super::graph::Kind`], on slots. `cut` is 64 minus the width of the result where that must be cut.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Operation {
    And(Slot, Slot),
    Or(Slot, Slot),
    Xor(Slot, Slot),
    Add {
        cut: u8,
        a: Slot,
        b: Slot,
    },
    Subtract {
        cut: u8,
        a: Slot,
        b: Slot,
    },
    Multiply(Slot, Slot),
    MultiplyHigh(Slot, Slot),
    Equal(Slot, Slot),
    NotEqual(Slot, Slot),
    Less(Slot, Slot),
    LessOrEqual(Slot, Slot),
    SignedLess {
        unused: u8,
        a: Slot,
        b: Slot,
    },
    ShiftLeft {
        cut: u8,
        a: Slot,
        distance: Slot,
    },
    ShiftRight {
        a: Slot,
        distance: Slot,
    },
    Funnel {
        high: Slot,
        low: Slot,
        distance: Slot,
    },
    Bit {
        a: Slot,
        index: Slot,
    },
    Mux(Slot, Slot, Slot),
    Extract {
        low: u8,
        cut: u8,
        a: Slot,
    },
    Join {
        at: u8,
        high: Slot,
        low: Slot,
    },
    /// `a << at | low`, where `a` is a piece extracted from a word.
    Place {
        from: u8,
        cut: u8,
        at: u8,
        a: Slot,
        low: Slot,
    },
    SignExtend {
        unused: u8,
        cut: u8,
        a: Slot,
    },
    Parity(Slot),
    /// Positions of the options stand in the table from `start` to `last`.
    Table {
        index: Slot,
        start: u32,
        last: u32,
    },
    /// Word `base + address * stride` of the memories.
    Peek {
        address: Slot,
        base: u32,
        stride: u32,
    },
    Copy(Slot),
}

/// Executes `code` in order. `N` is a power of two, so that a masked position needs no check.
#[inline]
pub(super) fn run<const N: usize>(
    code: &[Instruction],
    slots: &mut [u64; N],
    table: &[Slot],
    memory: &[u64],
) {
    for instruction in code {
        let get = |slot: Slot| slots[slot as usize & (N - 1)];
        let mask = |cut: u8| u64::MAX.wrapping_shr(cut as u32);
        let value = match instruction.operation {
            Operation::And(a, b) => get(a) & get(b),
            Operation::Or(a, b) => get(a) | get(b),
            Operation::Xor(a, b) => get(a) ^ get(b),
            Operation::Add { cut, a, b } => get(a).wrapping_add(get(b)) & mask(cut),
            Operation::Subtract { cut, a, b } => get(a).wrapping_sub(get(b)) & mask(cut),
            Operation::Multiply(a, b) => get(a).wrapping_mul(get(b)),
            Operation::MultiplyHigh(a, b) => ((get(a) as u128 * get(b) as u128) >> 64) as u64,
            Operation::Equal(a, b) => (get(a) == get(b)) as u64,
            Operation::NotEqual(a, b) => (get(a) != get(b)) as u64,
            Operation::Less(a, b) => (get(a) < get(b)) as u64,
            Operation::LessOrEqual(a, b) => (get(a) <= get(b)) as u64,
            Operation::SignedLess { unused, a, b } => {
                let extend = |value: u64| value.wrapping_shl(unused as u32) as i64;
                (extend(get(a)) < extend(get(b))) as u64
            }
            Operation::ShiftLeft { cut, a, distance } => {
                let distance = get(distance);
                if distance < 64 { get(a).wrapping_shl(distance as u32) & mask(cut) } else { 0 }
            }
            Operation::ShiftRight { a, distance } => {
                let distance = get(distance);
                if distance < 64 { get(a).wrapping_shr(distance as u32) } else { 0 }
            }
            Operation::Funnel { high, low, distance } => {
                let both = (get(high) as u128) << 64 | get(low) as u128;
                both.wrapping_shr(get(distance) as u32) as u64
            }
            Operation::Bit { a, index } => get(a).wrapping_shr(get(index) as u32) & 1,
            Operation::Mux(condition, a, b) => get(if get(condition) != 0 { a } else { b }),
            Operation::Extract { low, cut, a } => get(a).wrapping_shr(low as u32) & mask(cut),
            Operation::Join { at, high, low } => get(high).wrapping_shl(at as u32) | get(low),
            Operation::Place { from, cut, at, a, low } => {
                (get(a).wrapping_shr(from as u32) & mask(cut)).wrapping_shl(at as u32) | get(low)
            }
            Operation::SignExtend { unused, cut, a } => {
                let extended = (get(a).wrapping_shl(unused as u32) as i64).wrapping_shr(unused as u32);
                extended as u64 & mask(cut)
            }
            Operation::Parity(a) => get(a).count_ones() as u64 & 1,
            Operation::Table { index, start, last } => {
                get(table[start as usize + get(index).min((last - start) as u64) as usize])
            }
            Operation::Peek { address, base, stride } => {
                memory[base as usize + get(address) as usize * stride as usize]
            }
            Operation::Copy(a) => get(a),
        };
        slots[instruction.target as usize & (N - 1)] = value;
    }
}
