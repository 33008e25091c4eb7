//! A function of an adapter as a guest sees it: its configuration space, its registers, and when time passes.

use super::{Lender, hooks::Pages, ram::Ram};
use sim::pcie::{Function, RoutingId};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    ops::Range,
    ptr::NonNull,
    rc::Rc,
};

const FIRST_BAR: u16 = 0x10;
const BARS: Range<u16> = FIRST_BAR..0x28;
const CAPABILITIES: usize = 0x34;

/// Fields of the common configuration (virtio 4.1.4.3).
const QUEUE_SELECT: u64 = 0x16;
const QUEUE_DRIVER: u64 = 0x28;
const QUEUE_DEVICE: u64 = 0x30;

/// Cycles that a device has to use all buffers of a queue: longer than anything that it may wait for.
const PATIENCE: u64 = 200_000;

/// An adapter whatever its errors, which end the test.
trait Wires {
    fn configuration(&mut self, id: RoutingId, offset: u16) -> u32;
    fn configure(&mut self, id: RoutingId, offset: u16, data: u32);
    fn load(&mut self, address: u64, data: &mut [u8]);
    fn store(&mut self, address: u64, data: &[u8]);
    fn pass(&mut self, cycles: u64);
    fn ram(&mut self) -> &mut Ram;
}

impl<A: Lender> Wires for A {
    /// Requests that are not supported read as ones, as root ports make it.
    fn configuration(&mut self, id: RoutingId, offset: u16) -> u32 {
        let word = self.read_configuration(id, offset).unwrap_or_else(|error| panic!("{id}: {error}"));
        word.unwrap_or(u32::MAX)
    }

    fn configure(&mut self, id: RoutingId, offset: u16, data: u32) {
        self.write_configuration(id, offset, 15, data).unwrap_or_else(|error| panic!("{id}: {error}"));
    }

    fn load(&mut self, address: u64, data: &mut [u8]) {
        let is_good = self.read(address, data).unwrap_or_else(|error| panic!("{error}"));
        assert!(is_good, "the read of {} bytes at {address:#x} is refused", data.len());
    }

    fn store(&mut self, address: u64, data: &[u8]) {
        self.write(address, data).unwrap_or_else(|error| panic!("{error}"));
    }

    fn pass(&mut self, cycles: u64) {
        self.wait(cycles).unwrap_or_else(|error| panic!("{error}"));
    }

    fn ram(&mut self) -> &mut Ram {
        Lender::ram(self)
    }
}

/// What a hypervisor shows for registers that a virtual function does not have (9.3.4.1).
struct Stand {
    vendor_device: u32,
    /// What base address registers hold, and which bits of them can be written.
    bars: RefCell<[u32; 6]>,
    masks: [u32; 6],
}

impl Stand {
    /// Of the `index`th virtual function of `physical`.
    fn new(wires: &mut dyn Wires, physical: &Function, function: &Function) -> Stand {
        let capability = extended(&physical.words, 0x0010).expect("who has virtual functions has SR-IOV");
        let places = physical.words[capability / 4 + 5];
        let (offset, stride) = (places & 0xFFFF, places >> 16);
        let index = (u32::from(function.id.0) - u32::from(physical.id.0) - offset) / stride.max(1);
        let at = |offset: usize| (capability + offset) as u16;
        // Addresses are not decoded while their registers are sized.
        let control = wires.configuration(physical.id, at(0x08));
        wires.configure(physical.id, at(0x08), control & !8);
        let values: [u32; 6] =
            std::array::from_fn(|bar| wires.configuration(physical.id, at(0x24 + 4 * bar)));
        let mut masks = [0; 6];
        for (bar, value) in values.into_iter().enumerate() {
            let offset = at(0x24 + 4 * bar);
            wires.configure(physical.id, offset, u32::MAX);
            masks[bar] = wires.configuration(physical.id, offset);
            wires.configure(physical.id, offset, value);
        }
        wires.configure(physical.id, at(0x08), control);
        let mut bars = values;
        for bar in [0, 2, 4] {
            if masks[bar] == 0 {
                continue;
            }
            assert_eq!(values[bar] & 7, 4, "base addresses have 64 bits");
            masks[bar] &= !0xF;
            let wide = |halves: [u32; 6]| u64::from(halves[bar + 1]) << 32 | u64::from(halves[bar] & !0xF);
            let size = wide(masks).wrapping_neg();
            let address = wide(values) + u64::from(index) * size;
            bars[bar] = address as u32 | values[bar] & 0xF;
            bars[bar + 1] = (address >> 32) as u32;
        }
        Stand { vendor_device: function.words[0], bars: RefCell::new(bars), masks }
    }

    fn read(&self, offset: u16) -> Option<u32> {
        match offset {
            0 => Some(self.vendor_device),
            _ if BARS.contains(&offset) => Some(self.bars.borrow()[bar(offset)]),
            _ => None,
        }
    }

    fn write(&self, offset: u16, data: u32) -> bool {
        let is_bar = BARS.contains(&offset);
        if is_bar {
            let (held, mask) = (&mut self.bars.borrow_mut()[bar(offset)], self.masks[bar(offset)]);
            *held = *held & !mask | data & mask;
        }
        is_bar
    }
}

fn bar(offset: u16) -> usize {
    usize::from((offset - FIRST_BAR) / 4)
}

/// Where an extended capability is.
fn extended(words: &[u32], capability: u16) -> Option<usize> {
    let mut offset = 0x100;
    while offset >= 0x100 {
        let head = words[offset / 4];
        if head as u16 == capability {
            return Some(offset);
        }
        offset = (head >> 20) as usize;
    }
    None
}

/// Where a structure of virtio is (4.1.4): the base address register, and the bytes behind it.
fn structure(words: &[u32], kind: u32) -> (u16, Range<u64>) {
    let mut offset = words[CAPABILITIES / 4] as usize & 0xFC;
    while offset != 0 {
        let [head, place, start, length] = [0, 1, 2, 3].map(|word| words[offset / 4 + word]);
        if head & 0xFF == 9 && head >> 24 == kind {
            return (place as u16 & 0xFF, u64::from(start)..u64::from(start) + u64::from(length));
        }
        offset = (head >> 8) as usize & 0xFC;
    }
    panic!("no structure of virtio of kind {kind}")
}

/// See the module.
pub(super) struct Slot {
    adapter: Rc<RefCell<dyn Wires>>,
    pub id: RoutingId,
    stand: Option<Stand>,
    /// What the driver takes for registers, and the addresses that they stand for. Only the places of the pages count.
    windows: RefCell<Vec<(Pages, u64)>>,
    common: Range<u64>,
    notify: Range<u64>,
    selected: Cell<u16>,
    /// Where each queue has what the driver writes, and what the device writes.
    areas: RefCell<BTreeMap<u16, [u64; 2]>>,
    /// The queue that a call of the driver waits for.
    pub awaited: Cell<Option<u16>>,
}

impl Slot {
    pub fn new<A: Lender + 'static>(adapter: Rc<RefCell<A>>, functions: &[Function], index: usize) -> Slot {
        let function = &functions[index];
        let stand = function.is_virtual.then(|| {
            let mut others = functions.iter();
            let physical = others.find(|other| !other.is_virtual && extended(&other.words, 0x0010).is_some());
            Stand::new(&mut *adapter.borrow_mut(), physical.expect("somebody enabled it"), function)
        });
        let mut slot = Slot {
            adapter,
            id: function.id,
            stand,
            windows: RefCell::default(),
            common: 0..0,
            notify: 0..0,
            selected: Cell::new(0),
            areas: RefCell::default(),
            awaited: Cell::new(None),
        };
        slot.common = slot.place(structure(&function.words, 1));
        slot.notify = slot.place(structure(&function.words, 2));
        slot.ram(|ram| ram.machine.iommu.attach(function.id));
        slot
    }

    /// Uses the memory of the host.
    pub fn ram<R>(&self, act: impl FnOnce(&mut Ram) -> R) -> R {
        act(self.adapter.borrow_mut().ram())
    }

    fn place(&self, (bar, bytes): (u16, Range<u64>)) -> Range<u64> {
        let low = self.configuration(FIRST_BAR + 4 * bar) & !0xF;
        let base = u64::from(self.configuration(FIRST_BAR + 4 * bar + 4)) << 32 | u64::from(low);
        base + bytes.start..base + bytes.end
    }

    pub fn configuration(&self, offset: u16) -> u32 {
        let shown = self.stand.as_ref().and_then(|stand| stand.read(offset));
        shown.unwrap_or_else(|| self.adapter.borrow_mut().configuration(self.id, offset))
    }

    pub fn configure(&self, offset: u16, data: u32) {
        if !self.stand.as_ref().is_some_and(|stand| stand.write(offset, data)) {
            self.adapter.borrow_mut().configure(self.id, offset, data);
        }
    }

    /// A place for registers.
    pub fn open_window(&self, address: u64, bytes: usize) -> NonNull<u8> {
        let offset = (address % 4096) as usize;
        let pages = Pages::new((offset + bytes).div_ceil(4096));
        let start = pages.start().map_addr(|start| start.saturating_add(offset));
        self.windows.borrow_mut().push((pages, address - offset as u64));
        start
    }

    /// The address of a register.
    fn register(&self, pointer: usize) -> u64 {
        let windows = self.windows.borrow();
        let mut found = windows.iter().filter_map(|(pages, address)| {
            let offset = pointer.checked_sub(pages.start().addr().get())?;
            (offset < pages.bytes()).then_some(address + offset as u64)
        });
        found.next().unwrap_or_else(|| panic!("there are no registers at {pointer:#x}"))
    }

    pub fn load(&self, pointer: usize, data: &mut [u8]) {
        self.adapter.borrow_mut().load(self.register(pointer), data);
    }

    pub fn store(&self, pointer: usize, data: &[u8]) {
        let address = self.register(pointer);
        self.adapter.borrow_mut().store(address, data);
        let mut wide = [0; 8];
        wide[..data.len()].copy_from_slice(data);
        let value = u64::from_le_bytes(wide);
        if self.common.contains(&address) {
            let queue = self.selected.get();
            let mut areas = self.areas.borrow_mut();
            match address - self.common.start {
                QUEUE_SELECT => self.selected.set(value as u16),
                QUEUE_DRIVER => areas.entry(queue).or_default()[0] = value,
                QUEUE_DEVICE => areas.entry(queue).or_default()[1] = value,
                _ => {}
            }
        } else if self.notify.contains(&address) && self.awaited.get() == Some(value as u16) {
            self.await_used(value as u16);
        }
    }

    /// Lets time pass until all buffers of a split ring are used: until both indices are equal (2.7.6, 2.7.8).
    fn await_used(&self, queue: u16) {
        let [driver, device] = self.areas.borrow()[&queue];
        for _ in 0..PATIENCE / 16 {
            if self.ram(|ram| ram.word(self.id, driver + 2) == ram.word(self.id, device + 2)) {
                return;
            }
            self.adapter.borrow_mut().pass(16);
        }
        panic!("{}: buffers of queue {queue} are not used within {PATIENCE} cycles", self.id);
    }

    /// The driver is gone.
    pub fn leave(&self) {
        self.ram(|ram| ram.take_all(self.id));
    }
}
