//! The registers of the network functions (virtio 4.1.4, 5.1.4), and what follows from them: which queues live, and when
//! they are drained.
//!
//! # Purpose
//! Answers the driver, keeps what it says of functions and queues, and tells the other blocks: doorbells of queues that live,
//! settings of queues on demand, and queues that are to be drained. docs/src/virtio.md has the contract and all fields.
//!
//! # Schematic
//! ```text
//!  access ──────┐                 ┌─► file: 16 words of each function ─────┐
//!  drained ─────┤                 ├─► states of functions, of queues       ├─► answer
//!  fault ───────┼─► one at a time ┼─► settings: 8 words of each queue ─────┘
//!  device, mac ─┤                 │       └─► found ◄─ lookup
//!  announced ───┤                 ├─► doorbells ─► doorbell
//!  interrupt ───┘                 └─► drains ─► drain[4] ─► drained
//! ```
//! An access reads what selects (a queue, a word of features), then the words of the function and of the queue, and what
//! changes is written in one cycle. `FEATURES_OK` looks at all words of features before, `DRIVER_OK` goes over all queues
//! afterwards. A function that is being reset ignores writes.
//!
//! # Timing
//! Registers at all outputs but the `ready`s. An access of an idle block is answered in the tenth cycle after it was taken, one
//! that sets FEATURES_OK in the 26th. It waits for one other task at most, of up to 22 cycles. `found` is there two cycles
//! after `lookup`. A reset takes a round over the queues of all functions, the drains, and 22 cycles for each queue.

pub mod doorbells;
pub mod drains;
pub mod map;
pub mod negotiation;

#[cfg(test)]
mod tests;

use super::{
    queues::{Queue, queue_bits, queue_count, queues, slot_bits},
    types::{Doorbell, Fault, Lookup, Word},
};
use crate::{
    config::Config,
    pcie::{
        VECTORS,
        configuration::function_bits,
        msix::Vector,
        register_bus::{RegisterAccess, RegisterAnswer},
        window::{self, Window},
    },
    prim,
};
use doorbells::doorbells;
use drains::drains;
use hdl::*;
use map::{LARGEST_RING, NATURES, NO_VECTOR, natures, word};
use negotiation::{Agreement, agree, offered, refuses};

/// What the manager says of a function.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct DeviceRow {
    #[ty(bits(function_bits(config)))]
    pub function: Bits,
    /// The first byte is the most significant. Counts unless the driver sets another one, until the next reset.
    pub mac: U<48>,
    /// Below 68 counts as 68 (5.1.4.1). Not to be changed while there is a driver.
    pub mtu: U<16>,
    /// In Mb/s, or all ones.
    pub speed: U<32>,
    /// 1 full, 0 half, 255 unknown.
    pub duplex: U<8>,
    pub link_up: Bool,
    /// The driver is asked to announce itself, if it can (VIRTIO_NET_F_GUEST_ANNOUNCE).
    pub announce: Bool,
}

/// The driver set the function's address.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct OwnAddress {
    #[ty(bits(function_bits(config)))]
    pub function: Bits,
    /// The first byte is the most significant.
    pub mac: U<48>,
}

#[derive(Bundle, Clone)]
#[ty(config: &Config, readers: usize)]
pub struct RegistersIo {
    /// The legacy personality: no function has virtual ones, and SR_IOV is not offered.
    #[input]
    pub legacy: Bool,
    /// Accesses to the registers of network functions.
    #[input]
    #[ty(Stream::ty(RegisterAccess::ty(config)))]
    pub access: Stream<RegisterAccess>,
    #[output]
    pub answer: Valid<RegisterAnswer>,
    #[output]
    #[ty(Stream::ty(Doorbell::ty(config)))]
    pub doorbell: Stream<Doorbell>,
    /// Asks for a word of a queue's settings, which `found` tells two cycles later. Those of a queue that does not live mean
    /// nothing.
    #[input]
    #[ty(vec![Valid::ty(Lookup::ty(config)); readers])]
    pub lookup: Vec<Valid<Lookup>>,
    #[output]
    #[ty(vec![U::ty(); readers])]
    pub found: Vec<U<32>>,
    /// To `fetch`, the block that serves the queue, `store` and `used`.
    #[output]
    #[ty(vec![Stream::ty(Queue::ty(config)); drains::STAGES])]
    pub drain: Vec<Stream<Queue>>,
    /// One for each queue counts until it is drained.
    #[input]
    #[ty(Stream::ty(Fault::ty(config)))]
    pub fault: Stream<Fault>,
    /// A fault that counts.
    #[output]
    #[ty(Valid::ty(Fault::ty(config)))]
    pub broke: Valid<Fault>,
    /// The device configuration of a function has changed, or it needs a reset.
    #[output]
    #[ty(Stream::ty(Vector::ty(config)))]
    pub interrupt: Stream<Vector>,
    /// A function notifies its driver of used buffers.
    #[input]
    #[ty(Valid::ty(bits(function_bits(config))))]
    pub queue_interrupt: Valid<Bits>,
    /// Resets a function; taken when it is done.
    #[input]
    #[ty(Stream::ty(bits(function_bits(config))))]
    pub reset: Stream<Bits>,
    /// This one, and the next two, keep one at a time: one that comes within 64 cycles replaces the one before.
    #[input]
    #[ty(Valid::ty(DeviceRow::ty(config)))]
    pub device: Valid<DeviceRow>,
    /// The driver of this function has announced itself: clears ANNOUNCE.
    #[input]
    #[ty(Valid::ty(bits(function_bits(config))))]
    pub announced: Valid<Bits>,
    #[input]
    #[ty(Valid::ty(OwnAddress::ty(config)))]
    pub mac: Valid<OwnAddress>,
    /// Functions with DRIVER_OK.
    #[output]
    #[ty(bits(config.functions()))]
    pub driver_ok: Bits,
    /// All functions have been reset since the fundamental reset; what `device` says waits for it.
    #[output]
    pub cleared: Bool,
}

/// What is kept of a function beside its words.
#[derive(Bundle, Clone, Copy)]
struct FunctionState {
    acknowledge: Bool,
    driver: Bool,
    driver_ok: Bool,
    features_ok: Bool,
    needs_reset: Bool,
    failed: Bool,
    /// The driver has set an address.
    own_address: Bool,
    link_up: Bool,
    announce: Bool,
    /// The device configuration has changed since it was read.
    changed: Bool,
    generation: U<8>,
    agreed: Agreement,
}

/// What is kept of a queue beside its words.
#[derive(Bundle, Clone, Copy)]
struct QueueState {
    enabled: Bool,
    broken: Bool,
    /// It is to be drained.
    drains: Bool,
    /// The driver is resetting it.
    resets: Bool,
}

impl QueueState {
    fn lives(&self) -> Bool {
        self.enabled & !self.broken & !self.drains
    }
}

/// A word that is about to be written to a memory.
#[derive(Bundle, Clone, Copy)]
#[ty(address_bits: usize)]
struct Put {
    valid: Bool,
    #[ty(bits(address_bits))]
    address: Bits,
    data: U<32>,
    lanes: U<4>,
}

#[derive(HwEnum, Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    /// What is to be read first is found out.
    Decode,
    /// The words are read.
    Read,
    Wait,
    /// Of an access: the selector has come, and says which words are meant.
    Locate,
    /// They have come.
    Merge,
    /// A word of accepted features has come.
    Check,
    /// What changes is written, and the access is answered.
    Commit,
    /// Each queue of a function that begins to live is told the mode, and rings if it is enabled.
    Ring,
    /// A word of the device configuration has come, and is written if it changes.
    Update,
    /// The vector of an interrupt has come.
    Send,
    /// The words of a queue, or of a function, are cleared, one by one.
    Wipe,
    /// The task ends.
    Mark,
}

#[derive(HwEnum, Clone, Copy, PartialEq, Eq)]
enum Task {
    Access,
    Drained,
    Fault,
    Device,
    Address,
    Announced,
    Interrupt,
}

/// In the order of the requests of the arbiter; an access waits for one of them at most.
const TASKS: [Task; 6] =
    [Task::Drained, Task::Fault, Task::Device, Task::Address, Task::Announced, Task::Interrupt];

/// Keeps the registers of all network functions. `readers`: blocks that look up settings of queues.
#[hdl]
pub fn registers(config: &Config, readers: usize) -> RegistersIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    require((1..=4).contains(&readers), || format!("{readers} readers: 1 to 4"));
    let name = format!("virtio_registers_{}_{}_{readers}", config.functions(), config.pairs);
    module(name, RegistersIo::ty(config, readers), |io| {
        let (functions, function_bits) = (config.functions(), function_bits(config));
        let file = mem(bits(32), 1 << (function_bits + word::BITS), Collision::Undefined);
        let settings = mem(bits(32), 8 << queue_bits(config), Collision::Undefined);
        let function_states = mem(FunctionState::ty(), 1 << function_bits, Collision::Undefined);
        let queue_states = mem(QueueState::ty(), queue_count(config), Collision::Undefined);
        let state = reg_enum(State::Idle);
        let task = reg_enum(Task::Access);
        let access = reg_without_reset(RegisterAccess::ty(config));
        let function = reg_without_reset(bits(function_bits));
        let slot = reg_without_reset(bits(slot_bits(config)));
        let queue = Queue { function, slot };
        let at_word = reg_without_reset(bits(word::BITS));
        /// The word that an access is about.
        let written_word = reg_without_reset(at_word);

        let resetting = reg_init(lit((1u128 << functions) - 1, functions));
        let driver_ok = reg(bits(functions));
        let cleared = reg(flag());
        let bells = doorbells(config);
        let sequence = drains(config);

        // The memories. A word that is being looked up is not written in that cycle.
        let file_put = reg(Put::ty(function_bits + word::BITS));
        let put = reg(Put::ty(queue_bits(config) + 3));
        let lookups = io.lookup.iter().map(|it| {
            let address = cat([it.payload.queue.number(), it.payload.word.bits()]);
            it.valid & address.eq(put.address)
        });
        let put_waits = put.valid & any_of(lookups);
        file_put.valid.set(false);
        when(file_put.valid, || {
            file.write_lanes(file_put.address, file_put.data.into(), file_put.lanes);
        });
        when(put.valid & !put_waits, || {
            settings.write_lanes(put.address, put.data.into(), put.lanes);
            put.valid.set(false);
        });
        for (lookup, found) in io.lookup.iter().zip(&io.found) {
            let word = settings.read(cat([lookup.payload.queue.number(), lookup.payload.word.bits()]));
            found.set(delay_without_reset(word).as_u());
        }
        let of_function = function_states.peek(function);
        let own = delay_without_reset(of_function);
        let of_queue = queue_states.peek(queue.number());
        let queue_state = delay_without_reset(of_queue);
        let is_resetting = delay_without_reset(resetting.at(function));

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
        let stored = delay_without_reset(file.read(cat([function, at_word])));
        let part = delay_without_reset(settings.read(cat([queue.number(), nature.part.bits()])));
        let number = reg_without_reset(bits(16));
        let exists = reg_without_reset(flag());
        let in_features = reg_without_reset(flag());
        let device_features = reg_without_reset(bits(32));
        let physical = match config.vfs {
            0 => false.to_bool(),
            _ => delay_without_reset(function.eq(0) & !io.legacy),
        };
        let rung = offset.slice(2, 10).zext(16);
        let selected = of_notify.mux(rung, stored.slice(16, 16));
        let Agreement { multiqueue, control, ring_reset, .. } = own.agreed;
        let last = queues(config) - 1;
        let is_control = control & multiqueue.mux(selected.eq(last), selected.eq(2));
        let is_first_pair = !selected.slice(1, 15).any();
        let is_other_pair = multiqueue & selected.lt(last);

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
        let file_lanes = delay_without_reset(
            lanes & Bits::from(nature.of_function) & (!not_chosen & writes).bits().repeat(4),
        );
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
        let bytes = |lanes: U<4>| {
            cat(Bits::from(lanes).to_bools().into_iter().rev().map(|lane| lane.bits().repeat(8)))
        };
        let link = cat([own.announce, own.link_up]).zext(16);
        let queue_isr = reg(bits(functions));
        let config_isr = reg(bits(functions));
        let isr = cat([config_isr.at(function), queue_isr.at(function)]);
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
        let commits = state.is(State::Commit);
        io.answer.valid.set(delay(commits));
        let answer = (live | kept) & (!access.write).bits().repeat(32);
        io.answer.payload.data.set(delay_without_reset(answer).as_u());
        io.answer.payload.aborted.set(false);

        // What the others say waits for its turn.
        let keep = |come: Bool, task_ends: Bool| {
            let waits = reg(flag());
            when(task_ends, || waits.set(false));
            when(come, || waits.set(true));
            waits
        };
        let marks = state.is(State::Mark);
        let [row, address, announcer] = [io.device.valid, io.mac.valid, io.announced.valid];
        let row_waits = keep(row, marks & task.is(Task::Device));
        let address_waits = keep(address, marks & task.is(Task::Address));
        let announcer_waits = keep(announcer, marks & task.is(Task::Announced));
        let row = reg_without_reset(DeviceRow::ty(config));
        let address = reg_without_reset(OwnAddress::ty(config));
        let announcer = reg_without_reset(bits(function_bits));
        when(io.device.valid, || row.set(io.device.payload));
        when(io.mac.valid, || address.set(io.mac.payload));
        when(io.announced.valid, || announcer.set(io.announced.payload));

        // Interrupts that are owed, and the function that is looked at.
        let owed = reg(bits(functions));
        let debtor = reg(bits(function_bits));
        let interrupt = reg_without_reset(Vector::ty(config));
        let interrupts = reg(flag());
        let is_owed = (owed & !resetting).at(debtor);
        when(!is_owed, || debtor.set(debtor.eq(functions - 1).mux(debtor.zero(), debtor + 1)));
        io.interrupt.valid.set(interrupts);
        io.interrupt.payload.set(interrupt);
        io.interrupt.assert_stable();
        when(io.interrupt.fire(), || interrupts.set(false));

        // Whose turn it is.
        let idle = state.is(State::Idle) & !put.valid & bells.cleared;
        let was_access = reg(flag());
        let turns = prim::round_robin(TASKS.len());
        turns.requests.set(vector([
            sequence.drained.valid,
            io.fault.valid,
            row_waits & cleared,
            address_waits & cleared,
            announcer_waits & cleared,
            is_owed & !interrupts,
        ]));
        let may_access = idle & (!was_access | !turns.any);
        let takes_access = may_access & io.access.valid;
        let takes_other = idle & !takes_access;
        turns.accept.set(takes_other);
        io.access.ready.set(may_access);
        // Until the task ends: what is drained is not looked at again before.
        sequence.drained.ready.set(marks & task.is(Task::Drained));
        io.fault.ready.set(takes_other & turns.grant.bit(1));
        let cause = reg_without_reset(io.fault.payload.cause);
        let (drained, fault) = (sequence.drained.payload, io.fault.payload);
        when(state.is(State::Idle), || {
            let of = [
                drained.queue.function,
                fault.queue.function,
                row.function,
                address.function,
                announcer,
                debtor,
            ];
            access.set(io.access.payload);
            cause.set(fault.cause);
            slot.set(turns.grant.bit(0).mux(drained.queue.slot, fault.queue.slot));
            function.set(prim::onehot_select(&of, turns.grant));
            for (bit, it) in TASKS.iter().enumerate() {
                when(turns.grant.bit(bit), || task.set(*it));
            }
            when(takes_access, || {
                function.set(io.access.payload.function);
                task.set(Task::Access);
            });
        });
        when(takes_access, || was_access.set(true)).elsewhen(idle & turns.any, || was_access.set(false));

        // The device configuration changes.
        let mac = task.is(Task::Device).mux(row.mac, address.mac);
        let mac = cat(Bits::from(mac).chunks(8));
        let mtu = Bits::from(row.mtu);
        let mtu = mtu.lt(68).mux(lit(68, 16), mtu);
        let [mac_low, mac_high] = [mac.trunc(32), mac.slice(32, 16).zext(32)];
        let none = lit(0, 32);
        let fresh = [
            (mac_low, 15),
            (mac_high, 3),
            (cat([mtu, lit(0, 16)]), 12),
            (row.speed.into(), 15),
            (Bits::from(row.duplex).zext(32), 1),
            (none, 0),
            (mac_low, 15),
            (mac_high, 3),
        ];
        let (fresh, fresh_lanes): (Vec<Bits>, Vec<Bits>) =
            fresh.into_iter().map(|(word, lanes)| (word, lit(lanes, 4))).unzip();
        let fresh = delay_without_reset(select(&fresh, at_word.trunc(3)));
        let fresh_lanes = delay_without_reset(select(&fresh_lanes, at_word.trunc(3)));
        let differs = reg_without_reset(flag());
        let is_different = ((stored ^ fresh) & bytes(fresh_lanes.as_u())).any();

        // The words of a queue, and of a function, after a reset. The device configuration has them once.
        let whole = drained.whole;
        let wipes_function = whole & drained.last;
        let keeps = !whole & !queue_state.resets;
        let is_end = at_word.trunc(3).all() & (at_word.bit(3) | !wipes_function);
        let setting = at_word.trunc(3).eq(Word::Size as usize);
        let reset_size = lit((NO_VECTOR << 16 | LARGEST_RING) as u128, 32);
        let after_reset = |at: usize| match at {
            word::VECTOR => lit(NO_VECTOR, 32),
            // A locally administered address that ends with the function's number.
            word::DEVICE => lit(0x02, 32),
            9 => cat([function.zext(24), lit(0, 8)]),
            10 => lit(1500 << 16, 32),
            11 => lit(10_000, 32),
            12 => lit(1, 32),
            _ => none,
        };
        let after_reset: Vec<Bits> = (0..16).map(after_reset).collect();
        let after_reset = select(&after_reset, at_word);

        // One step after the other.
        let after = reg_enum(State::Locate);
        state.cases(|s| match s {
            State::Idle => {
                when(idle & (io.access.valid | turns.any), || state.set(State::Decode));
            }
            State::Decode => {
                at_word.set(nature_now.selector.zext(word::BITS));
                after.set(State::Locate);
                differs.set(false);
                refused.set(false);
                state.set(State::Read);
                when(task.is(Task::Device) | task.is(Task::Address), || {
                    at_word.set(
                        task.is(Task::Device)
                            .mux(lit(word::DEVICE, word::BITS), lit(word::OWN_ADDRESS, word::BITS)),
                    );
                    after.set(State::Update);
                });
                when(task.is(Task::Interrupt), || {
                    at_word.set(word::VECTOR);
                    after.set(State::Send);
                });
                when(task.is(Task::Drained), || {
                    at_word.set(0);
                    state.set(State::Wipe);
                });
                when(task.is(Task::Fault) | task.is(Task::Announced), || state.set(State::Mark));
            }
            State::Read => state.set(State::Wait),
            State::Wait => state.set(after),
            State::Locate => {
                number.set(selected);
                exists.set(is_first_pair | is_other_pair | is_control);
                slot.set(is_control.mux(lit(last, slot.width()), selected.trunc(slot.width())));
                in_features.set(!stored.slice(2, 30).any());
                device_features.set(offered(stored.trunc(2), physical));
                let is_address = nature.word.slice(1, 3).eq(word::DEVICE >> 1);
                let own_address = (own.own_address & is_address).bits().repeat(2);
                let chosen = of_accepted.bits().repeat(2) & stored.trunc(2);
                at_word
                    .set(nature.word | cat([lit(0, 2), chosen]) | cat([lit(0, 1), own_address, lit(0, 1)]));
                after.set(State::Merge);
                state.set(State::Read);
            }
            State::Merge => {
                written_word.set(at_word);
                state.set(State::Commit);
                when(asks, || {
                    at_word.set(word::ACCEPTED);
                    after.set(State::Check);
                    state.set(State::Read);
                });
            }
            State::Check => {
                let is_refused = refuses(at_word.trunc(2), stored, physical);
                when(is_refused, || refused.set(true));
                agree(&agreement, at_word.trunc(2), stored);
                at_word.set(at_word + 1);
                state.set(State::Read);
                when(at_word.trunc(2).all(), || state.set(State::Commit));
            }
            State::Commit => {
                state.set(State::Idle);
                when(begins, || {
                    slot.set(0);
                    state.set(State::Ring);
                });
            }
            State::Ring => {
                when(!put_waits, || {
                    slot.set(slot + 1);
                    when(slot.eq(last), || state.set(State::Idle));
                });
            }
            State::Update => {
                when(is_different, || differs.set(true));
                at_word.set(at_word + 1);
                state.set(State::Read);
                when(at_word.eq(12) | at_word.eq(15), || state.set(State::Mark));
            }
            State::Send => {
                owed.at(function).set(false);
                interrupt.function.set(function);
                interrupt.vector.set(stored.trunc(interrupt.vector.width()));
                interrupts.set(!stored.bit(15));
                state.set(State::Idle);
            }
            State::Wipe => {
                when(!put_waits, || at_word.set(at_word + 1));
                when(keeps | (is_end & !put_waits), || state.set(State::Mark));
            }
            State::Mark => state.set(State::Idle),
        });

        // The words change.
        let puts = commits & queue_lanes.any();
        when(puts, || {
            put.set(Put {
                valid: true.to_bool(),
                address: cat([queue.number(), nature.part.bits()]),
                data: written.as_u(),
                lanes: queue_lanes.as_u(),
            });
        });
        let tells = state.is(State::Ring) & !put_waits;
        when(tells, || {
            put.set(Put {
                valid: true.to_bool(),
                address: cat([queue.number(), lit(Word::Mode as usize, 3)]),
                data: of_function.agreed.mode.pack().zext(32).as_u(),
                lanes: lit(15, 4).as_u(),
            });
        });
        let wipes = state.is(State::Wipe) & !keeps & !put_waits;
        let is_mode = at_word.eq(Word::Mode as usize);
        when(wipes & !at_word.bit(3) & (whole | !is_mode), || {
            put.set(Put {
                valid: true.to_bool(),
                address: cat([queue.number(), at_word.trunc(3)]),
                data: setting.mux(reset_size, none).as_u(),
                lanes: lit(15, 4).as_u(),
            });
        });
        let place = cat([function, commits.mux(written_word, at_word)]);
        when(commits & file_lanes.any(), || {
            file_put.valid.set(true);
        });
        file_put.address.set(place);
        file_put.data.set(written.as_u());
        file_put.lanes.set(file_lanes.as_u());
        when(state.is(State::Update), || {
            file_put.valid.set(true);
            file_put.data.set(fresh.as_u());
            file_put.lanes.set(fresh_lanes.as_u());
        });
        when(state.is(State::Wipe), || {
            file_put.valid.set(wipes & wipes_function & !(at_word.bit(3) & cleared));
            file_put.data.set(after_reset.as_u());
            file_put.lanes.set(15);
        });

        // The states change.
        let becomes = wire(FunctionState::ty());
        let changes = wire(flag());
        becomes.set(own);
        changes.set(false);
        let queue_becomes = wire(QueueState::ty());
        let queue_changes = wire(flag());
        queue_becomes.set(queue_state);
        queue_changes.set(false);
        let breaks = marks & task.is(Task::Fault) & lives;
        let finishes = marks & task.is(Task::Drained) & wipes_function;
        let is_changed =
            differs | row.link_up.ne(own.link_up) | (row.announce & own.agreed.announce & own.driver_ok);
        let warns = breaks | (marks & task.is(Task::Device) & is_changed & own.driver_ok);
        when(commits & is_status_write & says.any(), || {
            changes.set(true);
            becomes.acknowledge.set(own.acknowledge | says.bit(0));
            becomes.driver.set(own.driver | says.bit(1));
            becomes.driver_ok.set(own.driver_ok | begins);
            becomes.features_ok.set(agrees);
            becomes.failed.set(own.failed | says.bit(7));
            when(asks & !refused, || becomes.agreed.set(agreement));
        });
        when(commits & of_device & !access.write & own.changed & enables.any(), || {
            changes.set(true);
            becomes.changed.set(false);
            becomes.generation.set(own.generation + 1);
        });
        when(commits & (enables_queue | resets_queue), || {
            queue_changes.set(true);
            queue_becomes.enabled.set(queue_state.enabled | enables_queue);
            queue_becomes.drains.set(queue_state.drains | resets_queue);
            queue_becomes.resets.set(queue_state.resets | resets_queue);
        });
        when(breaks, || {
            changes.set(true);
            becomes.needs_reset.set(true);
            queue_changes.set(true);
            queue_becomes.broken.set(true);
            queue_becomes.drains.set(true);
        });
        when(marks & task.is(Task::Announced), || {
            changes.set(true);
            becomes.announce.set(false);
            becomes.changed.set(true);
        });
        when(marks & task.is(Task::Address), || {
            changes.set(true);
            becomes.own_address.set(true);
            becomes.changed.set(true);
        });
        when(marks & task.is(Task::Device), || {
            changes.set(true);
            becomes.link_up.set(row.link_up);
            becomes.announce.set(own.announce | (row.announce & own.agreed.announce & own.driver_ok));
            becomes.changed.set(own.changed | is_changed);
        });
        when(marks & task.is(Task::Drained), || {
            queue_changes.set(true);
            queue_becomes.drains.set(false);
            when(!keeps, || queue_becomes.set(queue_state.zero()));
        });
        when(finishes, || {
            changes.set(true);
            becomes.set(FunctionState {
                link_up: own.link_up | !cleared,
                changed: cleared,
                generation: cleared.mux(own.generation, own.generation.zero()),
                ..own.zero()
            });
        });
        when(changes, || function_states.write(function, becomes));
        when(queue_changes, || queue_states.write(queue.number(), queue_becomes));

        // Who lives.
        driver_ok.set(driver_ok & !resetting);
        when(commits & begins, || driver_ok.at(function).set(true));
        when(io.reset.valid, || resetting.at(io.reset.payload).set(true));
        when(commits & is_reset, || resetting.at(function).set(true));
        when(finishes, || {
            resetting.at(function).set(false);
            owed.at(function).set(false);
            when(function.eq(functions - 1), || cleared.set(true));
        });
        io.reset.ready.set(finishes & io.reset.payload.eq(function));
        io.driver_ok.set(driver_ok);
        io.cleared.set(cleared);
        when(state.is(State::Merge) & of_interrupt & !access.write & enables.bit(0), || {
            queue_isr.at(function).set(false);
            config_isr.at(function).set(false);
        });
        when(finishes, || {
            queue_isr.at(function).set(false);
            config_isr.at(function).set(false);
        });
        when(io.queue_interrupt.valid, || queue_isr.at(io.queue_interrupt.payload).set(true));
        when(warns, || {
            config_isr.at(function).set(true);
            owed.at(function).set(true);
        });
        io.broke.valid.set(delay(breaks));
        io.broke.payload.queue.set(delay_without_reset(queue));
        io.broke.payload.cause.set(delay_without_reset(cause));

        // Doorbells, and drains.
        let rings = commits & rings_queue;
        bells.ring.valid.set(rings | (commits & enables_queue & own.driver_ok) | (tells & of_queue.enabled));
        bells.ring.payload.queue.set(queue);
        bells.ring.payload.has_index.set(rings & all & own.agreed.mode.notification_data);
        bells.ring.payload.index.set(high_data.as_u());
        let candidate = bells.candidate;
        bells.lives.set(queue_states.peek(candidate.number()).lives() & driver_ok.at(candidate.function));
        io.doorbell.connect(&bells.doorbell);
        let visited = sequence.visited;
        sequence.resetting.set(resetting);
        sequence.wanted.set(queue_states.peek(visited.number()).drains);
        let in_doorbell = bells.offered.valid & bells.offered.payload.same(&visited);
        let in_interrupt = interrupts & interrupt.function.eq(visited.function);
        sequence.held.set(in_doorbell | in_interrupt);
        for (outer, inner) in io.drain.iter().zip(&sequence.drain) {
            outer.connect(inner);
        }
    })
}
