//! What a driver must not do (virtio 2.7, 2.8, 5.1.6), one at a time.
//!
//! Whatever the device does then, it reads and writes nothing but what a descriptor says, and no other function is hurt. What is
//! put into the queue is made available at the next [`Net::poll`], which forgets it if it comes back;
//! most devices say DEVICE_NEEDS_RESET.

use super::{
    dma::Place,
    layout::Limits,
    net::{HEADER, Net, Which},
    queue::{Doorbell, Queue},
    ring::{DESCRIPTOR, INDIRECT, NEXT, Raw, WRITE, descriptor},
};
use crate::pcie::{Machine, Permission};

const PAGE: usize = 4096;

/// Something that breaks a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mischief {
    /// A chain that comes back to its beginning; in a packed ring one that has no end, as far as there is room.
    Loop,
    /// The same in an indirect table. Not in a packed ring.
    TableLoop,
    /// A part of no bytes.
    Empty,
    /// A part of 4 GiB, of which a page is there.
    Huge,
    /// The device would have to write what it reads, or the other way round.
    Direction,
    /// A part that is read behind one that is written.
    Order,
    /// A table and a next descriptor in one; in a packed ring, a table behind another part.
    TableInChain,
    /// A table in a table. Not in a packed ring, whose tables do not have the flag.
    TableInTable,
    /// A table of one descriptor and a half.
    TableOdd,
    TableEmpty,
    /// A table longer than any ring, of which a page is there.
    TableHuge,
    /// A table where nothing is mapped.
    TableNowhere,
    /// A part where nothing is mapped.
    Nowhere,
    /// A part of which only the beginning is mapped.
    Edge,
    /// A next descriptor that the ring does not have. Not in a packed ring.
    Next,
    /// A first one that it does not have. Not in a packed ring.
    Head,
    /// More buffers are available than the ring has. Not in a packed ring.
    Jump,
    /// Less than a header; for a control queue, less than class and command.
    Short,
    /// A command without room for the answer. In a control queue.
    Unanswerable,
    /// Notifications that say something else than the ring does.
    Lie,
}

impl Mischief {
    pub const ALL: [Mischief; 20] = [
        Mischief::Loop,
        Mischief::TableLoop,
        Mischief::Empty,
        Mischief::Huge,
        Mischief::Direction,
        Mischief::Order,
        Mischief::TableInChain,
        Mischief::TableInTable,
        Mischief::TableOdd,
        Mischief::TableEmpty,
        Mischief::TableHuge,
        Mischief::TableNowhere,
        Mischief::Nowhere,
        Mischief::Edge,
        Mischief::Next,
        Mischief::Head,
        Mischief::Jump,
        Mischief::Short,
        Mischief::Unanswerable,
        Mischief::Lie,
    ];

    /// Whether the function is led to addresses that are not mapped for it, which the IOMMU then records.
    pub fn leads_astray(self) -> bool {
        matches!(
            self,
            Mischief::Huge
                | Mischief::TableHuge
                | Mischief::TableNowhere
                | Mischief::Nowhere
                | Mischief::Edge
        )
    }

    /// Whether a queue can have it.
    fn is_known(self, which: Which, packed: bool) -> bool {
        match self {
            Mischief::Head | Mischief::Jump | Mischief::Next => !packed,
            Mischief::TableInTable | Mischief::TableLoop => !packed,
            Mischief::Unanswerable => which == Which::Control,
            _ => true,
        }
    }

    /// Does it in a queue; `false` if there is no room, or the queue knows nothing of the kind.
    pub fn apply(self, net: &mut Net, machine: &mut Machine, which: Which) -> bool {
        let Limits { size, packed, .. } = net.queue(which).limits();
        let room = net.queue(which).ring.room();
        if !self.is_known(which, packed) {
            return false;
        }
        let write = if matches!(which, Which::Receive(_)) { WRITE } else { 0 };
        let permission = match (self, which) {
            (Mischief::Order, _) | (_, Which::Control) => Permission::BOTH,
            _ if (self == Mischief::Direction) == (write == 0) => Permission::WRITE,
            _ => Permission::READ,
        };
        let data = net.dma.map(machine, PAGE, Place::aligned(4096), permission);
        let tables = net.dma.map(machine, PAGE, Place::aligned(4096), Permission::READ);
        let nowhere = net.dma.nowhere();
        let part = |flags, next| Raw { address: data.address, length: 64, flags, next };
        let good = part(write, 0);
        let table = |entries: usize| {
            let length = (entries * DESCRIPTOR) as u32;
            Raw { address: tables.address, length, flags: INDIRECT, next: 0 }
        };
        let entry = |flags: u16, next: u16| match packed {
            true => descriptor(data.address, 64, [0, flags]),
            false => descriptor(data.address, 64, [flags, next]),
        };
        let mut entries = vec![entry(write | NEXT, 1), entry(write, 0)];
        let list = match self {
            Mischief::Loop if packed => vec![part(write | NEXT, 0); room],
            Mischief::Loop => vec![part(write | NEXT, 1), part(write | NEXT, 0)],
            Mischief::TableLoop => {
                entries[1] = entry(write | NEXT, 0);
                vec![table(2)]
            }
            Mischief::Empty => vec![part(write | NEXT, 1), Raw { length: 0, ..good }],
            Mischief::Huge => vec![Raw { length: u32::MAX, ..good }],
            Mischief::Direction => vec![part(write ^ WRITE, 0)],
            Mischief::Order => vec![part(WRITE | NEXT, 1), part(0, 0)],
            Mischief::TableInChain if packed => vec![part(write | NEXT, 1), table(1)],
            Mischief::TableInChain => vec![Raw { flags: INDIRECT | NEXT, next: 1, ..table(2) }, good],
            Mischief::TableInTable => {
                entries[1] = entry(INDIRECT, 0);
                vec![table(2)]
            }
            Mischief::TableOdd => vec![Raw { length: 24, ..table(2) }],
            Mischief::TableEmpty => vec![table(0)],
            Mischief::TableHuge => {
                entries = (1..=256).map(|next| entry(write | NEXT, next)).collect();
                vec![table(1 << 16)]
            }
            Mischief::TableNowhere => vec![Raw { address: nowhere, ..table(4) }],
            Mischief::Nowhere => vec![Raw { address: nowhere, length: 2048, ..good }],
            Mischief::Edge => vec![Raw { address: data.address + PAGE as u64 - 8, length: 2048, ..good }],
            Mischief::Next => vec![part(write | NEXT, size.saturating_add(2))],
            Mischief::Short if which == Which::Control => {
                vec![Raw { length: 1, ..part(NEXT, 1) }, Raw { length: 1, ..part(WRITE, 0) }]
            }
            Mischief::Short => vec![Raw { length: HEADER as u32 - 5, ..good }],
            Mischief::Unanswerable => vec![Raw { length: 3, ..part(0, 0) }],
            Mischief::Head => vec![good],
            Mischief::Jump | Mischief::Lie => vec![],
        };
        tables.write(machine, 0, &entries.concat());
        let queue = net.queue(which);
        let is_added = queue.add_raw(machine, &list, vec![data, tables]);
        match self {
            Mischief::Head if is_added => queue.ring.mislead(machine, size),
            Mischief::Jump => queue.ring.jump(size + 1),
            Mischief::Lie => lies(queue).into_iter().for_each(|bell| net.notify(bell)),
            _ => {}
        }
        is_added
    }
}

/// Notifications of indices that are not there, of another queue, and of the width that was not agreed on; then a true one.
fn lies(queue: &Queue) -> Vec<Doorbell> {
    let (position, size) = (queue.ring.position(), queue.ring.size());
    let truth = queue.doorbell_at(position);
    let jumps = [1, size, size.wrapping_add(1), 0x7FFF, 0x8000, 0xFFFF];
    let mut lies: Vec<Doorbell> =
        jumps.into_iter().map(|jump| queue.doorbell_at(position.wrapping_add(jump))).collect();
    lies.extend([
        Doorbell { data: truth.data ^ 0xFFF, ..truth },
        Doorbell { bytes: 6 - truth.bytes, ..truth },
    ]);
    lies.push(truth);
    lies
}
