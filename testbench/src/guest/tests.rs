use super::{
    Guest, Host, Net, RECEIVE, TRANSMIT,
    echo::{Echo, ID, MAC},
};
use sim::pcie::{
    Adapter, Options, enumerate,
    interface::{Origin, Platform},
    iommu::Reason,
};
use virtio_drivers::device::net::TxBuffer;

fn host() -> Host<Echo> {
    let mut echo = Echo::new();
    let options = Options { vfs: 0, alternative_routing: false, page: 4096, words: 1024 };
    let functions = enumerate(&mut echo, &options).unwrap();
    assert_eq!(functions.len(), 1);
    Host::new(echo, functions)
}

fn frame(number: usize) -> Vec<u8> {
    (0..60 + number * 37 % 1455).map(|place| (place * 7 + number) as u8).collect()
}

fn send(guest: &mut Guest<Net<8>>, frame: &[u8]) {
    guest.wait_for(TRANSMIT, |net| net.send(TxBuffer::from(frame))).unwrap();
}

/// Rings of 8 wrap many times; the driver waits for each frame that it sends.
#[test]
fn frames_come_back() {
    let host = host();
    let mut guest = host.net::<8>(0);
    assert_eq!(guest.with(|net| net.mac_address()), MAC);
    for number in 0..200 {
        send(&mut guest, &frame(number));
        host.wait(1);
        assert!(guest.with(|net| net.can_recv()), "frame {number}");
        let buffer = guest.with(|net| net.receive()).unwrap();
        assert_eq!(buffer.packet(), frame(number), "frame {number}");
        guest.with(|net| net.recycle_rx_buffer(buffer)).unwrap();
    }
    assert!(!guest.with(|net| net.can_recv()));
    assert_eq!(guest.with(|net| net.ack_interrupt().bits()), 1);
    assert_eq!(guest.with(|net| net.ack_interrupt().bits()), 0);
    assert_eq!(host.take_intrusions(), []);
}

/// Several buffers under way at once, and a call that waits for a frame.
#[test]
fn raw_buffers_come_back() {
    let host = host();
    let mut guest = host.raw_net::<8>(0);
    for round in 0..20 {
        let frames: Vec<Vec<u8>> = (0..5).map(|number| frame(5 * round + number)).collect();
        for frame in &frames {
            guest.with(|raw| raw.begin_send(frame)).unwrap();
        }
        let mut buffer = vec![0; 2048];
        let (header, bytes) = guest.wait_for(RECEIVE, |raw| raw.net.receive_wait(&mut buffer)).unwrap();
        assert_eq!(buffer[header..header + bytes], frames[0]);
        for frame in &frames[1..] {
            guest.with(|raw| raw.offer(1600)).unwrap();
            host.wait(1);
            assert_eq!(guest.with(|raw| raw.take()).unwrap().as_ref(), Some(frame));
        }
        for _ in &frames {
            assert!(guest.with(|raw| raw.end_send()).unwrap());
        }
        assert!(!guest.with(|raw| raw.end_send()).unwrap());
    }
    assert_eq!(host.take_intrusions(), []);
}

/// A byte behind the buffer is not mapped.
#[test]
fn who_writes_too_much_is_caught() {
    let host = host();
    let mut guest = host.net::<8>(0);
    host.adapter.borrow_mut().overruns = true;
    send(&mut guest, &frame(3));
    let intrusions = host.take_intrusions();
    assert_eq!(intrusions.len(), 1);
    assert_eq!((intrusions[0].bytes, intrusions[0].reason), (2049, Reason::Unmapped));
    // Nothing of it was written.
    let buffer = guest.with(|net| net.receive()).unwrap();
    assert!(buffer.packet().iter().all(|byte| *byte == 0xA5));
}

#[test]
fn a_driver_that_is_gone_leaves_nothing() {
    let host = host();
    let mut guest = host.net::<8>(0);
    let mut rings = vec![];
    for queue in 0..2u16 {
        host.adapter.borrow_mut().write(0x16, &queue.to_le_bytes()).unwrap();
        rings.push(host.adapter.borrow().area());
    }
    send(&mut guest, &frame(1));
    let origin = Origin { requester: ID, time: 0 };
    let is_mapped = |ring: &u64| host.adapter.borrow_mut().ram.read(origin, *ring, &mut [0; 16]).is_ok();
    assert!(rings.iter().all(is_mapped));
    drop(guest);
    assert_eq!(host.adapter.borrow().status, 0);
    assert!(!rings.iter().any(is_mapped));
    // The next one finds the device as new.
    let mut guest = host.net::<8>(0);
    send(&mut guest, &frame(2));
    assert!(guest.with(|net| net.can_recv()));
}

/// The crate would look into memory for ever.
#[test]
#[should_panic(expected = "buffers of queue 1 are not used")]
fn a_device_that_sleeps_ends_the_test() {
    let host = host();
    let mut guest = host.net::<8>(0);
    host.adapter.borrow_mut().sleeps = true;
    send(&mut guest, &frame(0));
}
