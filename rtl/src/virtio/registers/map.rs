//! The registers of a network function as data: the hardware's decoder, the tests and the printed table ([`table()`]) are made
//! of it.
//!
//! Clauses are those of virtio 1.2.

use crate::{
    config::Config,
    pcie::window::{COMMON, DEVICE, INTERRUPT, NOTIFY, Window},
    virtio::{queues::queues, registers::DEFAULT_MTU, types::Word},
};
use hdl::*;

/// What the driver can do with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    ReadOnly,
    ReadWrite,
    /// Reading clears it.
    ReadClear,
    WriteOnly,
}

/// Where a field's bits are.
#[derive(Clone, Copy, Debug)]
pub enum Home {
    /// They never change.
    Constant(fn(&Config) -> usize),
    /// In the words of the function, from this one on.
    Function(usize),
    /// In that word of the function which `driver_feature_select` chooses.
    Features,
    /// In the words of the selected queue, from this one on.
    Queue(Word),
    /// The hardware makes them of what it does.
    State,
}

/// What the driver sees at one place. Numbers are little-endian.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// As the standard calls it.
    pub name: &'static str,
    pub window: Window,
    /// In bytes, from the start of the window.
    pub offset: usize,
    pub bytes: usize,
    pub access: Access,
    pub home: Home,
    pub doc: &'static str,
}

/// What a queue's ring can have at most, and has after a reset.
pub const LARGEST_RING: usize = 256;

/// "No vector": the event has no interrupt (4.1.5.1.2).
pub const NO_VECTOR: usize = 0xFFFF;

/// Words that are kept of a function: those of the common configuration, of the device configuration, and the address that the
/// driver set.
pub mod word {
    pub const OFFERED_SELECT: usize = 0;
    pub const ACCEPTED_SELECT: usize = 1;
    pub const VECTOR: usize = 2;
    pub const QUEUE_SELECT: usize = 3;
    /// The features that the driver accepts, four words.
    pub const ACCEPTED: usize = 4;
    /// The device configuration, five words.
    pub const DEVICE: usize = 8;
    /// As the first two words of the device configuration, with the address that the driver set; also [`DEVICE`]` | 6`.
    pub const OWN_ADDRESS: usize = 14;
    pub const BITS: usize = 4;
}

const fn field(
    name: &'static str,
    (window, offset, bytes): (Window, usize, usize),
    access: Access,
    home: Home,
    doc: &'static str,
) -> Field {
    Field { name, window, offset, bytes, access, home, doc }
}

/// All fields.
pub const FIELDS: [Field; 30] = {
    use Access::*;
    use Home::*;
    [
        field(
            "device_feature_select",
            (COMMON, 0x00, 4),
            ReadWrite,
            Function(word::OFFERED_SELECT),
            "Which 32 features `device_feature` shows; from 4 on it shows 0.",
        ),
        field("device_feature", (COMMON, 0x04, 4), ReadOnly, State, "Features that are offered."),
        field(
            "driver_feature_select",
            (COMMON, 0x08, 4),
            ReadWrite,
            Function(word::ACCEPTED_SELECT),
            "Likewise, for `driver_feature`.",
        ),
        field(
            "driver_feature",
            (COMMON, 0x0C, 4),
            ReadWrite,
            Features,
            "Features that the driver accepts. Reads what was written; cannot be written after FEATURES_OK.",
        ),
        field(
            "config_msix_vector",
            (COMMON, 0x10, 2),
            ReadWrite,
            Function(word::VECTOR),
            "Vector for changes of the device configuration. One that does not exist becomes FFFF.",
        ),
        field(
            "num_queues",
            (COMMON, 0x12, 2),
            ReadOnly,
            Constant(queues),
            "Two for each pair, and the control queue.",
        ),
        field(
            "device_status",
            (COMMON, 0x14, 1),
            ReadWrite,
            State,
            "Bits can only be set; 0 resets the function, until then DEVICE_NEEDS_RESET is read. FEATURES_OK stays 0 if the \
             features are refused, and DRIVER_OK without FEATURES_OK. SUSPEND stays 0.",
        ),
        field(
            "config_generation",
            (COMMON, 0x15, 1),
            ReadOnly,
            State,
            "Changes when the device configuration is read for the first time after a change.",
        ),
        field(
            "queue_select",
            (COMMON, 0x16, 2),
            ReadWrite,
            Function(word::QUEUE_SELECT),
            "Which queue the following are about. Of a queue that does not exist all read 0, the vector FFFF.",
        ),
        field(
            "queue_size",
            (COMMON, 0x18, 2),
            ReadWrite,
            Queue(Word::Size),
            "Entries of the ring, 1 to 256; of a split ring a power of two. Others are ignored, as all are while the queue is \
             enabled.",
        ),
        field(
            "queue_msix_vector",
            (COMMON, 0x1A, 2),
            ReadWrite,
            Queue(Word::Size),
            "Vector for used buffers, as above.",
        ),
        field("queue_enable", (COMMON, 0x1C, 2), ReadWrite, State, "1 enables the queue; 0 is ignored."),
        field("queue_notify_off", (COMMON, 0x1E, 2), ReadOnly, State, "The number of the queue."),
        field(
            "queue_desc",
            (COMMON, 0x20, 8),
            ReadWrite,
            Queue(Word::Descriptors),
            "Address of the descriptors, in two halves. Not written while the queue is enabled.",
        ),
        field(
            "queue_driver",
            (COMMON, 0x28, 8),
            ReadWrite,
            Queue(Word::Driver),
            "Of the driver's area, likewise.",
        ),
        field(
            "queue_device",
            (COMMON, 0x30, 8),
            ReadWrite,
            Queue(Word::Device),
            "Of the device's area, likewise.",
        ),
        field(
            "queue_notif_config_data",
            (COMMON, 0x38, 2),
            ReadOnly,
            Constant(|_| 0),
            "NOTIF_CONFIG_DATA is not offered.",
        ),
        field(
            "queue_reset",
            (COMMON, 0x3A, 2),
            ReadWrite,
            State,
            "1 resets the queue, and is read until that is done; with RING_RESET only.",
        ),
        field("admin_queue_index", (COMMON, 0x3C, 2), ReadOnly, Constant(|_| 0), "ADMIN_VQ is not offered."),
        field("admin_queue_num", (COMMON, 0x3E, 2), ReadOnly, Constant(|_| 0), "Likewise."),
        field(
            "isr_status",
            (INTERRUPT, 0x00, 1),
            ReadClear,
            State,
            "Bit 0: a buffer was used. Bit 1: the device configuration has changed.",
        ),
        field(
            "mac",
            (DEVICE, 0x00, 6),
            ReadOnly,
            Function(word::DEVICE),
            "The address, first byte first: what the driver set by the control queue since the last reset, else what the \
             manager says.",
        ),
        field("status", (DEVICE, 0x06, 2), ReadOnly, State, "Bit 0: LINK_UP. Bit 1: ANNOUNCE."),
        field(
            "max_virtqueue_pairs",
            (DEVICE, 0x08, 2),
            ReadOnly,
            Constant(|config| config.pairs),
            "Pairs of queues.",
        ),
        field(
            "mtu",
            (DEVICE, 0x0A, 2),
            ReadOnly,
            Function(word::DEVICE + 2),
            "The largest MTU; at least 68, at most 9600.",
        ),
        field(
            "speed",
            (DEVICE, 0x0C, 4),
            ReadOnly,
            Function(word::DEVICE + 3),
            "In Mb/s; FFFFFFFF for unknown.",
        ),
        field(
            "duplex",
            (DEVICE, 0x10, 1),
            ReadOnly,
            Function(word::DEVICE + 4),
            "1 full, 0 half, FF unknown.",
        ),
        field("rss_max_key_size", (DEVICE, 0x11, 1), ReadOnly, Constant(|_| 0), "RSS is not offered."),
        field("rss_max_indirection_table_length", (DEVICE, 0x12, 2), ReadOnly, Constant(|_| 0), "Likewise."),
        field(
            "queue_notify",
            (NOTIFY, 0x00, 4),
            WriteOnly,
            State,
            "For each queue: its number in 16 bits, or with NOTIFICATION_DATA in bits 15:0 of 32, below the index. Ignored if the \
             number is not that of the place, or the queue does not live.",
        ),
    ]
};

/// The field of this name.
///
/// # Panics
/// If there is none.
pub fn find(name: &str) -> Field {
    FIELDS.into_iter().find(|field| field.name == name).unwrap_or_else(|| panic!("no field `{name}`"))
}

/// The clause of a window's registers.
pub fn clause(window: Window) -> &'static str {
    [(COMMON, "4.1.4.3"), (INTERRUPT, "4.1.4.5"), (DEVICE, "5.1.4"), (NOTIFY, "4.1.4.4")]
        .into_iter()
        .find_map(|(of, clause)| (of == window).then_some(clause))
        .expect("every window has one")
}

/// The fields as Markdown.
pub fn table() -> String {
    let mut out = String::from("| clause | offset | bytes | field | access | |\n|---|---|---|---|---|---|\n");
    for Field { name, window, offset, bytes, access, doc, .. } in FIELDS {
        let access = match access {
            Access::ReadOnly => "RO",
            Access::ReadWrite => "RW",
            Access::ReadClear => "RO, cleared",
            Access::WriteOnly => "WO",
        };
        let offset = window.offset + offset;
        out += &format!("| {} | {offset:04X} | {bytes} | `{name}` | {access} | {doc} |\n", clause(window));
    }
    out
}

/// A word of a function after a reset. Those of the device configuration have it after the fundamental reset only: a locally
/// administered address that ends with the function's number, and an Ethernet of 10 Gb/s.
pub fn word_after_reset(number: Bits, function: Bits) -> Bits {
    let after_reset = |number: usize| match number {
        word::VECTOR => lit(NO_VECTOR, 32),
        word::DEVICE => lit(0x02, 32),
        9 => cat([function.zext(24), lit(0, 8)]),
        10 => lit(DEFAULT_MTU << 16, 32),
        11 => lit(10_000, 32),
        12 => lit(1, 32),
        _ => lit(0, 32),
    };
    let words: Vec<Bits> = (0..1 << word::BITS).map(after_reset).collect();
    select(&words, number)
}

/// A word of a queue after a reset.
pub fn setting_after_reset(number: Bits) -> Bits {
    let size = lit(NO_VECTOR << 16 | LARGEST_RING, 32);
    number.eq(Word::Size as usize).mux(size, size.zero())
}

/// What a word of the common or of the device configuration is.
#[derive(Bundle, Clone, Copy, Debug)]
pub struct Nature {
    /// The word of the function that has it.
    #[ty(bits(word::BITS))]
    pub word: Bits,
    /// The word of the function that says which one it is.
    #[ty(bits(2))]
    pub selector: Bits,
    /// The word of the queue that has it.
    pub part: Enum<Word>,
    /// Bytes that are of the function,
    pub of_function: U<4>,
    /// of a queue,
    pub of_queue: U<4>,
    /// and that the driver writes.
    pub writable: U<4>,
    /// Its only field has 32 bits; else fields have at most 16.
    pub wide: Bool,
    /// What is always 1.
    pub constant: U<32>,
}

/// Words of a window that have a nature.
pub const NATURES: usize = 16;

/// The natures of the words of the common and then of the device configuration.
pub fn natures(config: &Config) -> Vec<Nature> {
    let places =
        [COMMON, DEVICE].into_iter().flat_map(|window| (0..NATURES).map(move |word| (window, 4 * word)));
    places.map(|(window, offset)| nature(config, window, offset)).collect()
}

fn nature(config: &Config, window: Window, offset: usize) -> Nature {
    let [mut word, mut selector, mut part, mut wide, mut constant] = [0; 5];
    let [mut of_function, mut of_queue, mut writable] = [0; 3];
    let covers = |field: &Field| {
        field.window == window && field.offset < offset + 4 && field.offset + field.bytes > offset
    };
    for field in FIELDS.iter().filter(|field| covers(field)) {
        let bytes =
            (0..4).filter(|byte| (field.offset..field.offset + field.bytes).contains(&(offset + byte)));
        let lanes: usize = bytes.map(|byte| 1 << byte).sum();
        // Words from its first one.
        let index = offset / 4 - field.offset / 4;
        match field.home {
            Home::Constant(value) => constant |= value(config) << (8 * (field.offset - offset)),
            Home::Function(first) => {
                word = first + index;
                of_function |= lanes;
            }
            Home::Features => {
                word = word::ACCEPTED;
                selector = word::ACCEPTED_SELECT;
                of_function |= lanes;
            }
            Home::Queue(first) => {
                part = first as usize + index;
                of_queue |= lanes;
            }
            Home::State => {}
        }
        if field.name.starts_with("queue_") && field.name != "queue_select" {
            selector = word::QUEUE_SELECT;
        }
        let is_stored = !matches!(field.home, Home::State);
        writable |= if is_stored && field.access == Access::ReadWrite { lanes } else { 0 };
        wide |= usize::from(lanes == 0xF && field.offset % 4 == 0 && field.bytes != 6);
    }
    let parts = Word::VARIANTS.iter().map(|variant| variant.1);
    Nature {
        word: lit(word, word::BITS),
        selector: lit(selector, 2),
        part: parts.clone().nth(part).expect("it is one of a queue's").to_enum(),
        of_function: lit(of_function, 4).as_u(),
        of_queue: lit(of_queue, 4).as_u(),
        writable: lit(writable, 4).as_u(),
        wide: (wide == 1).to_bool(),
        constant: lit(constant, 32).as_u(),
    }
}
