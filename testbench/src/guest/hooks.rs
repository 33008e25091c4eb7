//! Where the crate's calls enter the simulation: memory by pointers, and accesses to registers. All that is unsafe of it.

use super::slot::Slot;
use safe_mmio::MmioOps;
use sim::pcie::{Permission, RoutingId};
use std::{
    alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error},
    cell::RefCell,
    collections::BTreeMap,
    ptr::{self, NonNull},
    rc::Rc,
    thread,
};
use virtio_drivers::{
    BufferDirection, Hal, PAGE_SIZE, PhysAddr,
    device::net::VirtIONetRaw,
    transport::pci::{
        PciTransport,
        bus::{ConfigurationAccess, DeviceFunction},
    },
};

thread_local! {
    /// The function that the driver is called for.
    static HERE: RefCell<Option<Rc<Slot>>> = const { RefCell::new(None) };
}

/// Puts back what was before.
pub(super) struct Here(Option<Rc<Slot>>);

impl Drop for Here {
    fn drop(&mut self) {
        HERE.set(self.0.take());
    }
}

/// Calls of the crate are about this function, until the result is dropped.
pub(super) fn enter(slot: &Rc<Slot>) -> Here {
    Here(HERE.replace(Some(slot.clone())))
}

fn here() -> Rc<Slot> {
    HERE.with_borrow(Clone::clone).expect("drivers are called within a guest")
}

/// The configuration space of one function; all others read as ones.
pub struct Access(pub(super) Rc<Slot>);

impl Access {
    fn is_here(&self, place: DeviceFunction) -> bool {
        RoutingId::new(place.bus, place.device << 3 | place.function) == self.0.id
    }
}

impl ConfigurationAccess for Access {
    fn read_word(&self, place: DeviceFunction, offset: u8) -> u32 {
        match self.is_here(place) {
            true => self.0.configuration(offset.into()),
            false => u32::MAX,
        }
    }

    fn write_word(&mut self, place: DeviceFunction, offset: u8, data: u32) {
        if self.is_here(place) {
            self.0.configure(offset.into(), data);
        }
    }

    // Unsafe by its declaration only: a copy does nothing that the other could not.
    unsafe fn unsafe_clone(&self) -> Access {
        Access(self.0.clone())
    }
}

/// Whole pages of zeros at a fixed place, which the driver reads and writes by pointers of its own.
pub(super) struct Pages {
    start: NonNull<u8>,
    layout: Layout,
}

impl Pages {
    pub fn new(count: usize) -> Pages {
        assert!(count > 0, "there is something in memory");
        let layout = Layout::from_size_align(count * PAGE_SIZE, PAGE_SIZE).expect("pages fit into memory");
        // SAFETY: the layout has a size above 0.
        let start = NonNull::new(unsafe { alloc_zeroed(layout) });
        Pages { start: start.unwrap_or_else(|| handle_alloc_error(layout)), layout }
    }

    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub fn bytes(&self) -> usize {
        self.layout.size()
    }

    /// # Panics
    /// If it goes beyond the end.
    pub fn read(&self, offset: usize, data: &mut [u8]) {
        assert!(offset + data.len() <= self.bytes(), "reads stay in their pages");
        // SAFETY: in bounds, as was asserted; initialised from the beginning. The driver runs in this thread, and waits for
        // this call; it has no references into the pages, only pointers.
        unsafe { ptr::copy_nonoverlapping(self.start.as_ptr().add(offset), data.as_mut_ptr(), data.len()) }
    }

    /// # Panics
    /// If it goes beyond the end.
    pub fn write(&self, offset: usize, data: &[u8]) {
        assert!(offset + data.len() <= self.bytes(), "writes stay in their pages");
        // SAFETY: as in `read`.
        unsafe { ptr::copy_nonoverlapping(data.as_ptr(), self.start.as_ptr().add(offset), data.len()) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout in `new`. The driver has given the pages back, or is gone.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

fn permission(direction: BufferDirection) -> Permission {
    match direction {
        BufferDirection::DriverToDevice => Permission::READ,
        BufferDirection::DeviceToDriver => Permission::WRITE,
        BufferDirection::Both => Permission::BOTH,
    }
}

/// Memory of the function that the driver is called for. Rings are where both sides see them at once; buffers are copied
/// when they are given away and when they come back.
pub struct Dma;

// SAFETY: pages and windows are allocations of their own, which live until they are given back or the guest is dropped.
unsafe impl Hal for Dma {
    fn dma_alloc(pages: usize, direction: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let slot = here();
        slot.ram(|ram| ram.lend_pages(slot.id, pages, permission(direction)))
    }

    unsafe fn dma_dealloc(address: PhysAddr, start: NonNull<u8>, pages: usize) -> i32 {
        let slot = here();
        let given = slot.ram(|ram| ram.take_pages(slot.id, address));
        assert_eq!(
            (given.start(), given.bytes()),
            (start, pages * PAGE_SIZE),
            "pages come back as they were"
        );
        0
    }

    unsafe fn mmio_phys_to_virt(address: PhysAddr, size: usize) -> NonNull<u8> {
        here().open_window(address, size)
    }

    unsafe fn share(buffer: NonNull<[u8]>, direction: BufferDirection) -> PhysAddr {
        let slot = here();
        // SAFETY: the caller says that it is valid, and that nobody else has it during this call.
        let data = unsafe { buffer.as_ref() };
        slot.ram(|ram| ram.lend(slot.id, data, permission(direction)))
    }

    unsafe fn unshare(address: PhysAddr, mut buffer: NonNull<[u8]>, direction: BufferDirection) {
        let slot = here();
        let data = slot.ram(|ram| ram.take(slot.id, address));
        assert_eq!(data.len(), buffer.len(), "buffers come back as they were");
        if direction != BufferDirection::DriverToDevice {
            // SAFETY: as in `share`; it is a buffer that the device writes, so the driver has it to write.
            unsafe { buffer.as_mut() }.copy_from_slice(&data);
        }
    }
}

fn load<const BYTES: usize>(address: usize) -> [u8; BYTES] {
    let mut data = [0; BYTES];
    // After a panic the driver still resets its device when it is dropped: that shall not panic again.
    if !thread::panicking() {
        here().load(address, &mut data);
    }
    data
}

fn store(address: usize, data: &[u8]) {
    if !thread::panicking() {
        here().store(address, data);
    }
}

/// Accesses to registers. The pointers are only numbers here.
struct Registers;

impl MmioOps for Registers {
    unsafe fn read_u8(from: *const u8) -> u8 {
        u8::from_le_bytes(load(from.addr()))
    }

    unsafe fn read_u16(from: *const u16) -> u16 {
        u16::from_le_bytes(load(from.addr()))
    }

    unsafe fn read_u32(from: *const u32) -> u32 {
        u32::from_le_bytes(load(from.addr()))
    }

    unsafe fn read_u64(from: *const u64) -> u64 {
        u64::from_le_bytes(load(from.addr()))
    }

    unsafe fn write_u8(to: *mut u8, value: u8) {
        store(to.addr(), &value.to_le_bytes());
    }

    unsafe fn write_u16(to: *mut u16, value: u16) {
        store(to.addr(), &value.to_le_bytes());
    }

    unsafe fn write_u32(to: *mut u32, value: u32) {
        store(to.addr(), &value.to_le_bytes());
    }

    unsafe fn write_u64(to: *mut u64, value: u64) {
        store(to.addr(), &value.to_le_bytes());
    }
}

safe_mmio::set_mmio_ops!(Registers);

/// The crate's network driver without buffers of its own, and the buffers that it has been given: any number are under way.
pub struct RawNet<const SIZE: usize> {
    pub net: VirtIONetRaw<Dma, PciTransport, SIZE>,
    /// By the names that the driver has for them.
    sent: BTreeMap<u16, Vec<u8>>,
    offered: BTreeMap<u16, Vec<u8>>,
}

impl<const SIZE: usize> RawNet<SIZE> {
    /// # Errors
    /// What the crate finds wrong.
    pub fn new(transport: PciTransport) -> virtio_drivers::Result<RawNet<SIZE>> {
        let net = VirtIONetRaw::new(transport)?;
        Ok(RawNet { net, sent: BTreeMap::new(), offered: BTreeMap::new() })
    }

    /// Begins to send a frame.
    ///
    /// # Errors
    /// The ring is full.
    pub fn begin_send(&mut self, frame: &[u8]) -> virtio_drivers::Result {
        let mut buffer = vec![0; 12 + frame.len()];
        let header = self.net.fill_buffer_header(&mut buffer)?;
        buffer.splice(header.., frame.iter().copied());
        // SAFETY: the buffer is kept, and not looked at, until it has come back.
        let token = unsafe { self.net.transmit_begin(&buffer) }?;
        assert!(self.sent.insert(token, buffer).is_none(), "a buffer has a name of its own");
        Ok(())
    }

    /// Takes the next buffer back whose frame has been sent; `false` if there is none.
    ///
    /// # Errors
    /// What the crate finds wrong.
    pub fn end_send(&mut self) -> virtio_drivers::Result<bool> {
        let Some(token) = self.net.poll_transmit() else { return Ok(false) };
        let buffer = self.sent.remove(&token).ok_or(virtio_drivers::Error::WrongToken)?;
        // SAFETY: the buffer that was given with this token.
        unsafe { self.net.transmit_complete(token, &buffer) }?;
        Ok(true)
    }

    /// Offers a buffer of so many bytes for the header and a frame.
    ///
    /// # Errors
    /// The ring is full, or the crate finds the buffer too small.
    pub fn offer(&mut self, bytes: usize) -> virtio_drivers::Result {
        let mut buffer = vec![0; bytes];
        // SAFETY: as in `begin_send`.
        let token = unsafe { self.net.receive_begin(&mut buffer) }?;
        assert!(self.offered.insert(token, buffer).is_none(), "a buffer has a name of its own");
        Ok(())
    }

    /// The next frame that has come.
    ///
    /// # Errors
    /// What the crate finds wrong.
    pub fn take(&mut self) -> virtio_drivers::Result<Option<Vec<u8>>> {
        let Some(token) = self.net.poll_receive() else { return Ok(None) };
        let mut buffer = self.offered.remove(&token).ok_or(virtio_drivers::Error::WrongToken)?;
        // SAFETY: the buffer that was given with this token.
        let (header, bytes) = unsafe { self.net.receive_complete(token, &mut buffer) }?;
        Ok(Some(buffer[header..header + bytes].to_vec()))
    }
}
