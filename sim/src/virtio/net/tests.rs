//! The driver with a device that is no hardware.

mod fake;

use super::*;
use crate::{
    pcie::Configuration,
    virtio::{error::DriverError, layout::Layout, mischief::Mischief},
};
use fake::{FUNCTION, Fake, PAIRS};
use proptest::prelude::*;

const ALL: Features = Features(
    Features::VERSION_1.0
        | Features::ACCESS_PLATFORM.0
        | Features::MAC.0
        | Features::STATUS.0
        | Features::CSUM.0
        | Features::MRG_RXBUF.0
        | Features::CTRL_VQ.0
        | Features::CTRL_RX.0
        | Features::MQ.0
        | Features::INDIRECT_DESC.0
        | Features::EVENT_IDX.0
        | Features::RING_PACKED.0
        | Features::IN_ORDER.0
        | Features::NOTIFICATION_DATA.0
        | Features::RING_RESET.0,
);

fn all(packed: bool, seed: u64) -> NetOptions {
    let features = if packed { ALL } else { ALL - Features::RING_PACKED };
    let options = NetOptions::plain(packed, seed);
    NetOptions { features, pairs: 2, receive: Layout::wild(), transmit: Layout::wild(), ..options }
}

/// Sends frames of drawn sizes on all pairs, and returns when all of them came back; `None` if they do not.
fn traffic(fake: &mut Fake, net: &mut Net, frames: u64, seed: u64) -> Option<()> {
    let mut random = Random::new(seed);
    let pairs = usize::from(net.options().pairs);
    let mut expected = vec![VecDeque::new(); pairs];
    let (mut sent, mut given) = (0, 0);
    for _ in 0..100_000 {
        let pair = random.below(pairs);
        let most = if random.chance(80) { 100 } else { 1500 };
        let bytes = 14 + random.below(most);
        let frame: Vec<u8> = (0..bytes).map(|_| random.word() as u8).collect();
        let packet = Packet { frame, checksum: None, tag: given };
        // The device has as many frames as one queue has room for at most.
        if given < frames && expected[pair].len() < 2 && net.send(&mut fake.machine, pair, &packet) {
            expected[pair].push_back(packet.frame);
            given += 1;
        }
        for event in net.poll(&mut fake.machine).unwrap() {
            match event {
                Event::Received { pair, frame, .. } => assert_eq!(Some(frame), expected[pair].pop_front()),
                Event::Sent { .. } => sent += 1,
                other => panic!("{other:?}"),
            }
        }
        net.ring(fake).unwrap();
        fake.wait(1).unwrap();
        assert_eq!(fake.machine.iommu.intrusions(), []);
        if given == frames && sent == frames && expected.iter().all(VecDeque::is_empty) {
            return Some(());
        }
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever subset of features is negotiated, and however buffers lie.
    #[test]
    fn frames_come_back(
        drop in any::<u64>(),
        packed in any::<bool>(),
        bits in any::<(bool, bool, bool)>(),
        power in 5_u32..8,
        seed in any::<u64>(),
    ) {
        let (interrupts, scattered, wild) = bits;
        // Not MRG_RXBUF with buffers that are too small for a frame in a short ring.
        let optional = Features::INDIRECT_DESC | Features::EVENT_IDX | Features::IN_ORDER
            | Features::NOTIFICATION_DATA | Features::RING_RESET | Features::MRG_RXBUF;
        let mut options = all(packed, seed);
        options.features = options.features - (optional & Features(u128::from(drop)| u128::from(drop) << 20));
        options.sizes = [if packed { 3 << (power - 2) } else { 1 << power }; 3];
        options.interrupts = interrupts;
        options.scattered = scattered;
        options.receive.bytes = 200..=4096;
        if !wild {
            (options.receive, options.transmit) = (Layout::plain(), Layout::plain());
        }
        let mut fake = Fake::new(ALL);
        let mut net = Net::start(&mut fake, FUNCTION, options).unwrap();
        prop_assert_eq!(&fake.commands, &vec![vec![4, 0, 2, 0]]);
        prop_assert!(traffic(&mut fake, &mut net, 200, seed).is_some(), "frames do not come back");
        prop_assert_eq!(net.stop(&mut fake).unwrap(), Vec::<u64>::new());
    }
}

#[test]
fn what_the_device_says_of_itself_is_read() {
    let mut fake = Fake::new(ALL);
    let net = Net::start(&mut fake, FUNCTION, all(true, 1)).unwrap();
    let expected = NetConfiguration {
        mac: [2, 3, 4, 5, 6, 7],
        status: 1,
        max_pairs: PAIRS as u16,
        mtu: 1500,
        speed: 10_000,
        duplex: 1,
    };
    assert_eq!(net.configuration, expected);
}

#[test]
fn interrupts_that_do_not_come_are_missed() {
    for packed in [false, true] {
        let mut fake = Fake::new(ALL);
        let mut net = Net::start(&mut fake, FUNCTION, NetOptions { pairs: 1, ..all(packed, 3) }).unwrap();
        fake.mute = true;
        assert_eq!(traffic(&mut fake, &mut net, 20, 1), None);
    }
}

#[test]
fn queues_begin_anew() {
    for packed in [false, true] {
        let mut fake = Fake::new(ALL);
        let mut net = Net::start(&mut fake, FUNCTION, all(packed, 4)).unwrap();
        for (round, which) in net.queues().into_iter().enumerate() {
            traffic(&mut fake, &mut net, 50, round as u64).unwrap();
            assert_eq!(net.reset_queue(&mut fake, which, 32).unwrap(), Vec::<u64>::new());
            assert_eq!(net.queue(which).ring.size(), 32);
            assert!(net.command(&mut fake, &Command::Promiscuous(true)).unwrap());
        }
        traffic(&mut fake, &mut net, 50, 9).unwrap();
        assert_eq!(fake.commands.last(), Some(&vec![0, 0, 1]));
        fake.refuses = true;
        assert!(!net.command(&mut fake, &Command::AddVlan(7)).unwrap());
        assert_eq!(fake.commands.last(), Some(&vec![2, 0, 7, 0]));
    }
}

#[test]
fn what_is_not_offered_is_not_asked_for() {
    let mut fake = Fake::new(ALL - Features::MQ);
    let error = Net::start(&mut fake, FUNCTION, all(false, 1)).err().unwrap();
    assert!(matches!(error, DriverError::Fault(Fault::NotOffered(Features::MQ))), "{error}");
}

/// Every mischief leaves a queue that can be begun anew, and nothing mapped but what is in use.
#[test]
fn mischief_ends_with_its_queue() {
    for packed in [false, true] {
        for mischief in Mischief::ALL {
            let mut fake = Fake::new(ALL);
            let mut net =
                Net::start(&mut fake, FUNCTION, NetOptions { reserve: 8, ..all(packed, 5) }).unwrap();
            for which in net.queues() {
                // The fake device is not one to be fed with it.
                mischief.apply(&mut net, &mut fake.machine, which);
                net.reset_queue(&mut fake, which, 32).unwrap();
            }
            traffic(&mut fake, &mut net, 20, 1).unwrap();
        }
    }
}
