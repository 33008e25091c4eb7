//! What an access is about, what it changes, and what it reads.

use super::{
    map::{self, LARGEST_RING, NATURES, NO_VECTOR, Nature, natures},
    negotiation::Agreement,
    state::{FunctionState, QueueState},
};
use crate::{
    config::Config,
    pcie::{
        VECTORS,
        register_bus::RegisterAccess,
        window::{self, Window},
    },
    virtio::queues::queues,
};
use hdl::*;

/// What an access meets. All but the access are there from the second cycle after their addresses on.
pub(super) struct Found {
    pub access: RegisterAccess,
    /// What is kept of its function,
    pub own: FunctionState,
    pub is_resetting: Bool,
    /// and of the queue.
    pub queue_state: QueueState,
    /// The word of the function.
    pub stored: Bits,
    /// The word of the queue.
    pub part: Bits,
    /// The function's cause of interrupts.
    pub isr: Bits,
}

/// What it is about, and what comes of it.
pub(super) struct Subject {
    /// One cycle after the access.
    pub nature_now: Nature,
    pub nature: Nature,
    pub of_accepted: Bool,
    pub of_device: Bool,
    pub of_interrupt: Bool,
    pub enables: Bits,
    /// While `stored` says which queue is selected: the driver's number for it, whether it exists, and whether it is the control
    /// queue.
    pub selected: Bits,
    pub is_there: Bool,
    pub is_control: Bool,
    /// Registers for that, and for the features that are selected.
    pub number: Bits,
    pub exists: Bool,
    pub in_features: Bool,
    pub device_features: Bits,
    /// The rest holds three cycles after the addresses of `stored` and `part`. Bytes that are written, and what to them.
    pub queue_lanes: Bits,
    pub file_lanes: Bits,
    pub written: Bits,
    pub enables_queue: Bool,
    pub resets_queue: Bool,
    pub rings_queue: Bool,
    /// What a doorbell said beside the number, and whether it did.
    pub index: Bits,
    pub has_index: Bool,
    /// The queue lives.
    pub lives: Bool,
    /// The status is written, with this; it resets the function, or asks for FEATURES_OK.
    pub is_status_write: Bool,
    pub says: Bits,
    pub is_reset: Bool,
    pub asks: Bool,
    /// Registers for what the look at the features comes to.
    pub refused: Bool,
    pub agreement: Agreement,
    /// FEATURES_OK stands then, and DRIVER_OK begins to.
    pub agrees: Bool,
    pub begins: Bool,
    /// What is read.
    pub answer: Bits,
}

/// A bit for each byte, as one for each bit.
pub(super) fn bytes(lanes: U<4>) -> Bits {
    cat(Bits::from(lanes).to_bools().into_iter().rev().map(|lane| lane.bits().repeat(8)))
}

/// Decodes an access by the map.
#[hdl]
pub(super) fn subject(config: &Config, found: Found) -> Subject {
    let Found { access, own, is_resetting, queue_state, stored, part, isr } = found;
    // What an access is about.
    let offset = Bits::from(access.offset);
    let in_window = |it: Window| offset.slice(12, 2).eq(it.offset >> 12);
    let in_map = !offset.slice(6, 6).any();
    let is_device = in_window(window::DEVICE);
    let has_nature = in_map & (is_device | in_window(window::COMMON));
    let index = cat([is_device.bits(), offset.slice(2, clog2(NATURES))]);
    let nature_now = select(&natures(config), index);
    let nature_now = has_nature.mux(nature_now, nature_now.zero());
    let nature = delay_without_reset(nature_now);
    let at = |name: &str| {
        let field = map::find(name);
        let is_word = offset.slice(2, clog2(NATURES)).eq(field.offset / 4);
        delay_without_reset(in_map & in_window(field.window) & is_word)
    };
    let enables = Bits::from(access.enables);
    let [low, high] = [0, 2].map(|byte| enables.slice(byte, 2).all());
    let all = low & high;
    let data = Bits::from(access.data);
    let [low_data, high_data] = [data.slice(0, 16), data.slice(16, 16)];
    let of_device = delay_without_reset(is_device);
    let of_notify = delay_without_reset(in_window(window::NOTIFY));
    let of_interrupt = at("isr_status");
    let of_accepted = at("driver_feature");
    let of_vector = at("queue_msix_vector");
    let of_status = at("device_status") & enables.bit(0);

    // Where it is.
    let number = reg_without_reset(bits(16));
    let exists = reg_without_reset(flag());
    let in_features = reg_without_reset(flag());
    let device_features = reg_without_reset(bits(32));
    let rung = offset.slice(2, 10).zext(16);
    let selected = of_notify.mux(rung, stored.slice(16, 16));
    let Agreement { mode, control, ring_reset } = own.agreed;
    let last = queues(config) - 1;
    let is_control = control & mode.multiqueue.mux(selected.eq(last), selected.eq(2));
    let is_first_pair = !selected.slice(1, 15).any();
    let is_other_pair = mode.multiqueue & selected.lt(last);
    let is_there = is_first_pair | is_other_pair | is_control;

    // What it changes.
    let is_status_write = of_status & access.write & !is_resetting;
    let writes = access.write & !is_resetting;
    let lanes = nature.wide.mux(all.bits().repeat(4), cat([high.bits().repeat(2), low.bits().repeat(2)]));
    let lanes = delay_without_reset(lanes & Bits::from(nature.writable));
    let not_chosen = of_accepted & (!in_features | own.features_ok);
    let is_power = !(low_data & (low_data - 1)).any();
    let is_legal = delay_without_reset(low_data.any() & low_data.le(LARGEST_RING))
        & (own.agreed.mode.packed | delay_without_reset(is_power));
    let is_settled = !queue_state.enabled & !queue_state.drains;
    let allowed = is_settled & (!at("queue_size") | is_legal);
    let queue_lanes = cat([(allowed | of_vector).bits().repeat(2), allowed.bits().repeat(2)]);
    let queue_lanes = delay_without_reset(
        lanes & Bits::from(nature.of_queue) & queue_lanes & (exists & writes).bits().repeat(4),
    );
    let file_lanes =
        delay_without_reset(lanes & Bits::from(nature.of_function) & (!not_chosen & writes).bits().repeat(4));
    let vector_of = |vector: Bits, is_one: Bool| {
        vector | (is_one & delay_without_reset(vector.ge(VECTORS))).bits().repeat(16)
    };
    let written = delay_without_reset(cat([
        vector_of(high_data, of_vector),
        vector_of(low_data, at("config_msix_vector")),
    ]));
    let is_one = |value: Bits| delay_without_reset(value.eq(1));
    let lives = own.driver_ok & queue_state.lives() & !is_resetting;
    let enables_queue =
        delay_without_reset(at("queue_enable") & low & is_one(low_data) & exists & is_settled & writes);
    let resets_queue = delay_without_reset(
        at("queue_reset") & high & is_one(high_data) & exists & ring_reset & !queue_state.resets & writes,
    );
    let rings_queue =
        delay_without_reset(of_notify & low & exists & lives & access.write & low_data.eq(number));

    // What the driver says of its progress.
    let says = data.trunc(8);
    let is_reset = is_status_write & !says.any();
    let asks = is_status_write & says.bit(3) & !own.features_ok;
    let refused = reg_without_reset(flag());
    let agreement = reg_without_reset(Agreement::ty());
    let agrees = own.features_ok | (says.bit(3) & !refused);
    let begins = is_status_write & says.bit(2) & agrees & !own.driver_ok;

    // The answer.
    let status = [
        own.acknowledge,
        own.driver,
        own.driver_ok,
        own.features_ok,
        false.to_bool(),
        false.to_bool(),
        own.needs_reset,
        own.failed,
    ];
    let status = is_resetting.mux(lit(0x40, 8), vector(status));
    let link = cat([own.announce, own.link_up]).zext(16);
    let in_word = |it: Bits, low: usize| match low {
        0 => it.zext(32),
        _ => cat([it.zext(32 - low), lit(0, low)]),
    };
    let here = |name: &str| at(name) & (exists | !name.starts_with("queue_").to_bool());
    let shown = [
        (of_interrupt, isr.zext(32)),
        (at("device_feature") & in_features, device_features),
        (at("device_status"), in_word(cat([Bits::from(own.generation), status]), 0)),
        (here("queue_enable"), cat([number, queue_state.enabled.bits().zext(16)])),
        (here("queue_reset"), in_word(queue_state.resets.bits(), 16)),
        (of_vector & !exists, in_word(lit(NO_VECTOR, 16), 16)),
        (at("status"), in_word(link, 16)),
    ];
    let shown = shown.into_iter().map(|(is_it, word)| word & is_it.bits().repeat(32));
    let live = delay_without_reset(shown.reduce(|a, b| a | b).expect("some"));
    let kept = (stored & bytes(nature.of_function) & (!of_accepted | in_features).bits().repeat(32))
        | (part & bytes(nature.of_queue) & exists.bits().repeat(32))
        | Bits::from(nature.constant);
    let kept = delay_without_reset(kept);
    let answer = (live | kept) & (!access.write).bits().repeat(32);
    Subject {
        nature_now,
        nature,
        of_accepted,
        of_device,
        of_interrupt,
        enables,
        selected,
        is_there,
        is_control,
        number,
        exists,
        in_features,
        device_features,
        queue_lanes,
        file_lanes,
        written,
        enables_queue,
        resets_queue,
        rings_queue,
        index: high_data,
        has_index: all & own.agreed.mode.notification_data,
        lives,
        is_status_write,
        says,
        is_reset,
        asks,
        refused,
        agreement,
        agrees,
        begins,
        answer,
    }
}
