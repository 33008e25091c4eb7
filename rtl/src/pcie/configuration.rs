//! The configuration space of all functions.

mod map;

#[cfg(test)]
mod tests;

use super::{
    functions::{is_virtual, virtuals},
    identity::places,
    space::{Kind, Live, PAGE_SIZES},
};
use crate::{config::Config, prim};
use hdl::*;
use map::{KINDS, Map};

/// An access to a register of a function that exists.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct Access {
    /// 0 the physical function, 1 the manager, then the virtual ones; in the legacy personality by their numbers.
    #[ty(bits(function_bits(config)))]
    pub function: Bits,
    /// Its offset divided by 4.
    pub register: U<10>,
    pub write: Bool,
    /// Bytes to be written.
    pub enables: U<4>,
    pub data: U<32>,
}

/// What the hardware writes into a register: into bits that software only clears, or only reads.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct Mark {
    #[ty(bits(function_bits(config)))]
    pub function: Bits,
    /// Its offset divided by 4.
    pub register: U<10>,
    pub data: U<32>,
}

/// A register that has been written, by whoever it was.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct Change {
    #[ty(bits(function_bits(config)))]
    pub function: Bits,
    /// Its offset divided by 4.
    pub register: U<10>,
    /// What it stores now; its other bits are 0.
    pub data: U<32>,
}

/// A reset of a function's registers.
#[derive(Bundle, Clone, Copy, Debug)]
#[ty(config: &Config)]
pub struct FunctionReset {
    #[ty(bits(function_bits(config)))]
    pub function: Bits,
    /// Of sticky bits too: a virtual function that is not there has none (9.2.2.3).
    pub sticky: Bool,
}

/// What software has set, for the rest of the endpoint.
#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct Settings {
    /// Functions that may send requests.
    #[ty(bits(config.functions()))]
    pub bus_master: Bits,
    /// Functions whose interrupts are messages.
    #[ty(bits(config.functions()))]
    pub msix_enable: Bits,
    /// Functions whose vectors are all masked.
    #[ty(bits(config.functions()))]
    pub msix_mask: Bits,
    /// Functions in D3hot; virtual ones with their physical one.
    #[ty(bits(config.functions()))]
    pub asleep: Bits,
    /// Functions whose own base addresses are answered.
    #[ty(bits(config.functions()))]
    pub memory_space: Bits,
    /// Most bytes of payload that is sent: 128 shifted left by this, 0 to 2. With ARI capabilities, that is with SR-IOV, as
    /// function 0 has it (7.5.3.4); in the legacy personality the smallest of all functions that may send (2.2.2).
    pub payload: U<3>,
    /// Most bytes of payload that is received: likewise, but the largest of all functions.
    pub received_payload: U<3>,
    /// Most bytes of a read request: 128 shifted left by this, 0 or 1; longer ones are not sent. What every function may that
    /// sends; so are the next two. The physical function counts with its virtual ones.
    pub read_request: U<3>,
    pub extended_tags: Bool,
    pub relaxed_ordering: Bool,
    /// Functions whose requests wait for ever for their completion; virtual ones with their physical one.
    #[ty(bits(config.functions()))]
    pub timeout_disable: Bits,
    /// Virtual functions are there.
    pub vf_enable: Bool,
    /// Their base addresses are answered.
    pub vf_memory_space: Bool,
    /// How many.
    pub vf_number: U<16>,
    /// Functions of this device may have numbers up to 255.
    pub alternative_routing: Bool,
    /// One bit: the page size in units of 4 KiB.
    pub page: U<32>,
}

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct ConfigurationIo {
    /// The legacy personality: there is no SR-IOV.
    #[input]
    pub legacy: Bool,
    /// There is a function 1.
    #[input]
    pub multifunction: Bool,
    /// EUI-64 of the adapter.
    #[input]
    pub serial: U<64>,
    /// Functions that have requests without a completion.
    #[input]
    #[ty(bits(config.functions()))]
    pub pending: Bits,
    #[input]
    #[ty(Stream::ty(Access::ty(config)))]
    pub access: Stream<Access>,
    /// What was read, or 0: one for each access, in their order.
    #[output]
    pub answer: Valid<U<32>>,
    #[input]
    #[ty(Stream::ty(Mark::ty(config)))]
    pub mark: Stream<Mark>,
    /// Resets the registers of a function; taken when it is done.
    #[input]
    #[ty(Stream::ty(FunctionReset::ty(config)))]
    pub reset: Stream<FunctionReset>,
    /// Software asks for a reset of this function.
    #[output]
    #[ty(Valid::ty(bits(function_bits(config))))]
    pub reset_request: Valid<Bits>,
    /// One for each register that is written, by a reset too.
    #[output]
    #[ty(Valid::ty(Change::ty(config)))]
    pub changed: Valid<Change>,
    #[output]
    #[ty(Settings::ty(config))]
    pub settings: Settings,
    /// All functions have been reset since the fundamental reset.
    #[output]
    pub cleared: Bool,
}

/// Bits of a function's number.
pub fn function_bits(config: &Config) -> usize {
    clog2(config.functions())
}

/// Registers that are not always 0 lie below 2 to the power of this.
const REGISTER_BITS: usize = 7;
const REGISTERS: usize = 1 << REGISTER_BITS;

/// What is known of a register from the start.
#[derive(Bundle, Clone, Copy, Debug)]
struct Nature {
    /// Of bits that are stored: after a reset. Of others: always.
    value: U<32>,
    /// Software writes it.
    writable: U<32>,
    /// Software clears it by writing 1, the hardware sets it.
    clearable: U<32>,
    /// The hardware writes it.
    logged: U<32>,
    /// Stays in a reset of the function.
    sticky: U<32>,
    /// Where it is stored.
    slot: U<6>,
}

/// What is under way.
#[derive(HwEnum, Clone, Copy)]
enum State {
    Idle,
    /// The nature of the register is read.
    Nature,
    /// It has come.
    Place,
    /// The stored bits are read.
    Fetch,
    /// They have come.
    Hold,
    /// What they become, and the answer, are made.
    Work,
    /// They change.
    Commit,
}

/// Why.
#[derive(HwEnum, Clone, Copy)]
enum Task {
    Access,
    Mark,
    Reset,
}

/// Keeps the configuration space of all functions, one access at a time: each takes seven cycles.
///
/// ```text
///  access ─┐                ┌─► constant and live bits ──────┐
///  mark ───┼─► nature (ROM) ┤                                ├─► answer
///  reset ──┘   by kind      └─► stored bits of the function ─┘
///                                      ▲  └── changed ──► settings
///                                      └──────────┘
/// ```
/// What a register is stands in a ROM that is made of [`super::space`]; the bits that it stores, in a memory with a word for each
/// function and register that stores any. Settings that the rest of the endpoint needs at once are kept beside it.
///
/// A reset walks over all registers of a function: 896 cycles, and as long again if others are accessed all the time. After the
/// fundamental reset all functions are reset so, sticky bits included.
///
/// Software cannot write what makes no sense: more virtual functions than there are, or a number or a page size while they
/// are enabled, a page size that is not supported, a power state other than D0 and D3hot.
#[hdl]
pub fn configuration(config: &Config) -> ConfigurationIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    module(format!("pcie_configuration_{}", config.functions()), ConfigurationIo::ty(config), |io| {
        let (functions, function_bits) = (config.functions(), function_bits(config));
        let map = Map::of(config);
        let natures = mem_with(Nature::ty(), KINDS.len() * REGISTERS, Collision::Undefined)
            .initial(map.natures())
            .build();
        let stored =
            mem(bits(32), map.slots.len().next_power_of_two() << function_bits, Collision::Undefined);
        let state = reg_enum(State::Idle);
        let task = reg_enum(Task::Access);
        let access = reg_without_reset(Access::ty(config));
        let cleared = reg(flag());
        io.cleared.set(cleared);

        // Whose turn it is: resets come first, marks before accesses, but for a mark behind another one. Between two registers of a
        // reset there is room for an access to another function.
        /// The register that a reset is at; after the fundamental reset also the function.
        let walk = reg(bits(function_bits + REGISTER_BITS));
        let walk_register = walk.trunc(REGISTER_BITS);
        let walk_function = cleared.mux(io.reset.payload.function, walk.slice(REGISTER_BITS, function_bits));
        let resetting = !cleared | io.reset.valid;
        let is_other = cleared & io.access.payload.function.ne(walk_function);
        let lets_pass = task.is(Task::Reset) & is_other;
        let walks = resetting & !(lets_pass & io.access.valid);
        let idle = state.is(State::Idle);
        let marked = task.is(Task::Mark);
        let takes_mark = io.mark.valid & !resetting & !(io.access.valid & marked);
        io.mark.ready.set(idle & !resetting & !(io.access.valid & marked));
        io.access.ready.set(idle & !takes_mark & (!resetting | lets_pass));
        when(idle, || {
            access.set(io.access.payload);
            task.set(Task::Access);
            when(walks, || {
                access.function.set(walk_function);
                access.register.set(walk_register.zext(10).as_u());
                task.set(Task::Reset);
            })
            .elsewhen(takes_mark, || {
                access.function.set(io.mark.payload.function);
                access.register.set(io.mark.payload.register);
                access.data.set(io.mark.payload.data);
                task.set(Task::Mark);
            });
        });
        state.cases(|s| match s {
            State::Idle => {
                when(walks | io.mark.valid | io.access.valid, || state.set(State::Nature));
            }
            State::Nature => state.set(State::Place),
            State::Place => state.set(State::Fetch),
            State::Fetch => state.set(State::Hold),
            State::Hold => state.set(State::Work),
            State::Work => state.set(State::Commit),
            State::Commit => state.set(State::Idle),
        });
        let commits = state.is(State::Commit);
        let resets = commits & task.is(Task::Reset);
        let is_last = walk_register.all() & (cleared | walk_function.eq(functions - 1));
        when(resets, || walk.set(is_last.mux(walk.zero(), walk + 1)));
        when(resets & is_last, || cleared.set(true));
        io.reset.ready.set(resets & is_last & cleared);

        // What the register is, and what it stores.
        let never = lit(0, 1).as_bool();
        let (function, register) = (access.function, Bits::from(access.register));
        let is_manager = function.eq(1);
        let is_virtual = is_virtual(config, function, io.legacy);
        let kind = cat([is_virtual, is_manager]);
        let nature = delay_without_reset(natures.read(cat([kind, register.trunc(REGISTER_BITS)])));
        // What is not in the list of the legacy personality is not there.
        let (sr_iov_list, _) = map.field("routing.head.id").expect("every function has it");
        let is_hidden = delay_without_reset(io.legacy & register.ge(sr_iov_list / 4));
        let nature = (register.lt(REGISTERS) & !is_hidden).mux(nature, nature.zero());
        let [value, writable, clearable, logged, sticky] =
            [nature.value, nature.writable, nature.clearable, nature.logged, nature.sticky].map(Bits::from);
        let place = cat([function, Bits::from(nature.slot).trunc(clog2(map.slots.len()))]);
        let old = delay_without_reset(stored.read(place));
        let is_stored = delay_without_reset(writable | clearable | logged);

        // What it becomes.
        let at = |path: &str| {
            map.field(path).map_or(never, |(offset, _)| delay_without_reset(register.eq(offset / 4)))
        };
        let data = Bits::from(access.data);
        let lanes = cat((0..4).rev().map(|byte| access.enables.bit(byte).bits().repeat(8)));
        let (written, erased) =
            (delay_without_reset(lanes & writable), delay_without_reset(lanes & clearable));
        let by_software = ((old & !written) | (data & written)) & !(data & erased);
        let by_hardware = (old & !logged) | (data & (logged | clearable));
        let stays = sticky & (cleared & !io.reset.payload.sticky).bits().repeat(32);
        let by_reset = (value & !stays) | (old & stays);
        let becomes = task.is(Task::Reset).mux(by_reset, task.is(Task::Mark).mux(by_hardware, by_software));
        let new = delay_without_reset(becomes & is_stored);
        let vf_enable = if config.vfs > 0 { reg(flag()) } else { never };
        let number_is_wrong = vf_enable | new.trunc(16).gt(config.vfs);
        let page_is_wrong = vf_enable | !prim::is_onehot(new) | (new & !lit(PAGE_SIZES as u128, 32)).any();
        let state_is_wrong = new.bit(0) ^ new.bit(1);
        let is_refused = (at("power.control.power_state") & state_is_wrong)
            | (at("virtualization.number.number") & number_is_wrong)
            | (at("virtualization.system_page.size") & page_is_wrong);
        let is_write = task.is(Task::Access) & access.write;
        let changes = commits & (!task.is(Task::Access) | (access.write & !is_refused));
        let writes = changes & is_stored.any();
        when(writes, || stored.write(place, new));
        io.changed.valid.set(delay(writes));
        io.changed.payload.function.set(delay_without_reset(function));
        io.changed.payload.register.set(delay_without_reset(access.register));
        io.changed.payload.data.set(delay_without_reset(new).as_u());

        let of_physical = delay_without_reset(function.eq(0));

        // What software has set. The walk after the fundamental reset gives all of it its first value.
        let each = |path: &str| {
            let (_, field) = map.field(path).expect("every kind has it, or reads 0");
            let kept = reg(bits(functions));
            let bits = new.slice(field.low, field.width);
            when(changes & at(path), || kept.at(function).set(bits.all()));
            kept
        };
        let first = |path: &str, width: usize| {
            let Some((_, field)) = map.field(path) else { return lit(0, width) };
            let kept = reg(bits(width));
            when(changes & at(path) & of_physical, || kept.set(new.slice(field.low, field.width)));
            kept
        };
        // A virtual function is in the power state of its physical one (9.6.1), and other settings are as well.
        let with_virtuals =
            |own: Bits| own | (own.bit(0).bits().repeat(functions) & virtuals(config, io.legacy));
        let settings = &io.settings;
        let bus_master = each("header.command_status.bus_master");
        settings.bus_master.set(bus_master);
        settings.memory_space.set(each("header.command_status.memory_space"));
        settings.msix_enable.set(each("msix.head.enable"));
        settings.msix_mask.set(each("msix.head.function_mask"));
        settings.asleep.set(with_virtuals(each("power.control.power_state")));
        settings.timeout_disable.set(with_virtuals(each("express.device_control_2.timeout_disable")));

        // Those of functions that are not virtual, of which there are eight at most.
        let own = functions.min(8);
        let at_least = |path: &str, least: usize| {
            let (_, field) = map.field(path).expect("every kind has it, or reads 0");
            let kept = reg(bits(own));
            let is_own = !function.zext(7).slice(3, 4).any();
            let value = new.slice(field.low, field.width);
            when(changes & at(path) & is_own, || kept.at(function.trunc(clog2(own))).set(value.ge(least)));
            kept
        };
        let is_ordinary = !virtuals(config, io.legacy).trunc(own);
        let sends = delay((bus_master.trunc(own) & is_ordinary) | vf_enable.bits().zext(own));
        let for_all = |flags: Bits, whose: Bits| !(whose & !flags).any();
        let payloads = [1, 2].map(|least| at_least("express.device_control.payload", least));
        let first_only = lit(1, own);
        let [sent, received] =
            [(sends, for_all as fn(Bits, Bits) -> Bool), (is_ordinary, |flags, whose| (whose & flags).any())]
                .map(|(whose, decides)| {
                    let whose = io.legacy.mux(whose, first_only);
                    let [middle, large] = payloads.map(|flags| decides(flags, whose));
                    delay(vector([middle & !large, large]).zext(3)).as_u()
                });
        settings.payload.set(sent);
        settings.received_payload.set(received);
        let all_may = |path: &str| delay(for_all(at_least(path, 1), sends));
        settings.read_request.set(all_may("express.device_control.read_request").bits().zext(3).as_u());
        settings.extended_tags.set(all_may("express.device_control.extended_tags_enable"));
        settings.relaxed_ordering.set(all_may("express.device_control.relaxed_ordering"));
        settings.vf_memory_space.set(first("virtualization.control.memory_space", 1).as_bool());
        let number = first("virtualization.number.number", 16);
        let routing = first("virtualization.control.alternative_routing", 1).as_bool();
        settings.vf_number.set(number.as_u());
        settings.alternative_routing.set(routing);
        let page = first("virtualization.system_page.size", 32);
        settings.page.set(page.as_u());
        if let Some((_, field)) = map.field("virtualization.control.enable") {
            when(changes & at("virtualization.control.enable") & of_physical, || {
                vf_enable.set(new.bit(field.low) & !io.legacy);
            });
        }
        settings.vf_enable.set(vf_enable);

        // What it reads.
        let (first_vf, stride) = places(config, number, routing);
        let shown = |live: Live| match live {
            Live::Multifunction => io.multifunction.bits(),
            Live::SrIovList => io.legacy.mux(lit(0, 12), lit(sr_iov_list, 12)),
            Live::TransactionsPending => io.pending.at(function).bits(),
            Live::FirstVfOffset => io.legacy.mux(lit(0, 16), first_vf),
            Live::VfStride => io.legacy.mux(lit(0, 16), stride),
            Live::SerialLow => Bits::from(io.serial).slice(0, 32),
            Live::SerialHigh => Bits::from(io.serial).slice(32, 32),
            Live::WindowData => lit(0, 32),
        };
        let live = map.live().into_iter().fold(lit(0, 32), |all, field| {
            let of_kinds = field.kinds.iter().map(|kind| match kind {
                Kind::Physical => !is_manager & !is_virtual,
                Kind::Manager => is_manager,
                Kind::Virtual => is_virtual,
            });
            let holds = delay_without_reset(any_of(of_kinds) & register.eq(field.register));
            let bits = shown(field.live).zext(32) << lit(field.low as u128, 5);
            all | (bits & holds.bits().repeat(32))
        });
        // Base addresses of virtual functions are those of whole pages.
        let of_vf = at("virtualization.bar0.address") | at("virtualization.bar2.address");
        let hidden = delay_without_reset(within_page(page) & of_vf.bits().repeat(32));
        let read = (value & !is_stored) | (old & is_stored & !hidden) | live;
        io.answer.valid.set(delay(commits & task.is(Task::Access)));
        io.answer.payload.set(delay_without_reset(access.write.mux(read.zero(), read)).as_u());

        // What software asks for.
        let (_, reset) = map.field("express.device_control.function_reset").expect("every function has it");
        let asks = at("express.device_control.function_reset")
            & data.bit(reset.low)
            & access.enables.bit(reset.low / 8);
        io.reset_request.valid.set(delay(commits & is_write & asks));
        io.reset_request.payload.set(delay_without_reset(function));
    })
}

/// The address bits within a page, from bit 12 on; the size is one of those from 4 KiB to 4 MiB.
pub(super) fn within_page(page: Bits) -> Bits {
    let is_above = |bit: usize| page.slice(bit - 11, 22 - bit + 1).any();
    let bits = (12..22).map(is_above);
    cat([lit(0, 10), vector(bits), lit(0, 12)])
}
