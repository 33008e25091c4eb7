//! Memories: block RAM and distributed RAM in the form that synthesis tools infer.

use crate::{
    context::with,
    data::{Data, unpack_at},
    ir,
    ir::*,
    signals::*,
    statements::*,
    types::*,
    value::Value,
};
use std::{cell::Cell, panic::Location, rc::Rc};

/// What a synchronous read returns of a word that is written at the same clock edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collision {
    /// The old word. Devices without such a mode pay with a bypass of hundreds of cells.
    ReadOld,
    /// The new word, by a bypass beside the memory. Such a memory has one write and one domain.
    ReadNew,
    /// Anything: the design does not look. Costs nothing.
    Undefined,
}

/// A memory of words of type `T`: see [`mem`].
#[derive(Clone)]
pub struct Mem<T> {
    id: MemoryId,
    home: Home,
    ty: T,
    depth: usize,
    bypass: Option<Rc<Bypass<T>>>,
}

/// The last write of a `ReadNew` memory.
struct Bypass<T> {
    written: Bool,
    address: Bits,
    data: T,
    used: Cell<bool>,
}

/// How a memory is made; see [`mem`].
pub struct MemBuilder<T> {
    ty: T,
    depth: usize,
    collision: Collision,
    initial: Option<Vec<Value>>,
    crossing: bool,
}

/// A memory of `depth` words of type `ty`; `depth` is a power of two of at least 2.
///
/// ```
/// # use hdl::*;
/// # elaborate(|| module("m", Vec::<Bits>::new(), |_| {
/// let address = reg(bits(6));
/// address.set(address + 1);
/// let counts = mem(bits(32), 64, Collision::ReadNew);
/// let count = counts.read(address);
/// let before = delay(address);
/// counts.write(before, count + 1);
/// # })).unwrap();
/// ```
#[track_caller]
pub fn mem<T: Data>(ty: T, depth: usize, collision: Collision) -> Mem<T> {
    mem_with(ty, depth, collision).build()
}

/// As [`mem`], with more to say about it.
///
/// ```
/// # use hdl::*;
/// # elaborate(|| module("m", Vec::<Bits>::new(), |_| {
/// let squares = (0..16).map(|i| Value::new(8, i * i));
/// let rom = mem_with(bits(8), 16, Collision::Undefined).initial(squares).build();
/// let square = rom.peek(lit(5, 4));
/// assert_eq!(square.width(), 8);
/// # })).unwrap();
/// ```
pub fn mem_with<T: Data>(ty: T, depth: usize, collision: Collision) -> MemBuilder<T> {
    MemBuilder { ty, depth, collision, initial: None, crossing: false }
}

impl<T: Data> MemBuilder<T> {
    /// Contents from power-up on (reset does not restore them), one value of `T::size` bits a word.
    pub fn initial(mut self, words: impl IntoIterator<Item = Value>) -> Self {
        self.initial = Some(words.into_iter().collect());
        self
    }

    /// Written in one clock domain and read in another: for the inside of an asynchronous FIFO.
    pub fn crossing(mut self) -> Self {
        self.crossing = true;
        self
    }

    /// The memory.
    #[track_caller]
    pub fn build(self) -> Mem<T> {
        let loc = Location::caller();
        let MemBuilder { ty, depth, collision, initial, crossing } = self;
        require(depth.is_power_of_two() && depth >= 2, || {
            format!("a memory of {depth} words: the depth must be a power of two of at least 2")
        });
        let width = ty.size() as u32;
        if let Some(words) = &initial {
            require(words.len() == depth && words.iter().all(|word| word.width() == width), || {
                format!("initial contents: {depth} words of {width} bits are needed")
            });
        }
        let (id, home) = with(|context| {
            context.forbid_in_cases("a memory", loc);
            if context.frame().ghost {
                context.report(loc, "a memory is made inside verification()");
            }
            let (name, doc) = context.hint("memory");
            let frame = context.frame();
            let name = crate::names::unique(&mut frame.taken, &name, "");
            let collision = match collision {
                Collision::ReadOld => ir::Collision::ReadOld,
                Collision::ReadNew | Collision::Undefined => ir::Collision::Undefined,
            };
            frame.module.memories.push(Memory { name, doc, loc, width, depth, initial, collision, crossing });
            (MemoryId(frame.module.memories.len() as u32 - 1), frame.home)
        });
        let bypass = (collision == Collision::ReadNew).then(|| {
            let named = |name: &str| crate::naming::scope(name, "");
            let written = {
                let _scope = named("written");
                wire(flag())
            };
            let address = {
                let _scope = named("write_address");
                wire(bits(clog2(depth)))
            };
            let data = {
                let _scope = named("write_data");
                wire(ty.clone())
            };
            let leaves = data.leaves().into_iter().map(|(_, leaf)| leaf);
            for target in [written.0, address].into_iter().chain(leaves) {
                set_default(target, loc);
            }
            Rc::new(Bypass { written, address, data, used: Cell::new(false) })
        });
        Mem { id, home, ty, depth, bypass }
    }
}

impl<T: Data> Mem<T> {
    /// Number of words.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Whether this memory belongs to the module that is being described.
    fn is_here(&self, loc: Loc) -> bool {
        with(|context| {
            let here = context.frame().home == self.home;
            if !here {
                context.report(loc, "a memory is used outside of the module that made it");
            }
            here
        })
    }

    /// Whether `address` can address this memory.
    fn check(&self, address: Bits, loc: Loc) -> bool {
        with(|context| {
            if !context.usable(address, loc) {
                return false;
            }
            if address.width() != clog2(self.depth) {
                let message = format!(
                    "an address of this memory must have {} bits: {} has not",
                    clog2(self.depth),
                    context.describe(address)
                );
                context.report(loc, message);
                return false;
            }
            true
        })
    }

    /// Writes a word at the end of this cycle, under the conditions around this call.
    #[track_caller]
    pub fn write(&self, address: impl Into<Bits>, value: T) {
        self.write_at(address.into(), value, None, Location::caller());
    }

    /// Writes those lanes of a word whose bit in `lanes` is 1. The word is cut in as many lanes of equal width as
    /// `lanes` has bits, bit 0 for the lowest.
    #[track_caller]
    pub fn write_lanes(&self, address: impl Into<Bits>, value: T, lanes: impl Into<Bits>) {
        self.write_at(address.into(), value, Some(lanes.into()), Location::caller());
    }

    fn write_at(&self, address: Bits, value: T, lanes: Option<Bits>, loc: Loc) {
        if !self.is_here(loc) {
            return;
        }
        let data = value.pack();
        let good_address = self.check(address, loc);
        with(|context| {
            if context.frame().ghost {
                context.report(loc, "a memory is written inside verification()");
            }
            let size = self.ty.size();
            let mut good_data = context.usable(data, loc);
            if good_data && data.width() != size {
                let message =
                    format!("a word of this memory has {size} bits: {} has not", context.describe(data));
                context.report(loc, message);
                good_data = false;
            }
            let mut good_lanes = lanes.filter(|lanes| context.usable(*lanes, loc));
            if let Some(lanes) = good_lanes
                && !size.is_multiple_of(lanes.width())
            {
                let message = format!("{size} bits are not {} lanes of equal width", lanes.width);
                context.report(loc, message);
                good_lanes = None;
            }
            // What is faulty becomes 0, so that the memory counts as written.
            let mut zero = |width: usize| context.literal(Value::zero(width as u32), loc);
            let address = if good_address { address } else { zero(clog2(self.depth)) }.expr_id();
            let data = if good_data { data } else { zero(size) }.expr_id();
            let (memory, domain) = (self.id, context.frame().domain);
            let lanes = good_lanes.map(Bits::expr_id);
            context.push(Stmt::MemoryWrite { memory, domain, address, data, lanes, loc });
        });
        let Some(bypass) = &self.bypass else { return };
        if bypass.used.replace(true) || lanes.is_some() {
            let message = "a memory that reads the new word has one write, of whole words";
            return with(|context| context.report(loc, message));
        }
        assign("write", bypass.written.0, true.to_bool().0, loc);
        let stmts = block(|| {
            assign("write", bypass.address, address, loc);
            assign_all("write", &bypass.data, &value, loc);
        });
        with(|context| {
            let frame = context.frame();
            let always = if frame.blocks.len() == 1 { frame.blocks[0].last() } else { None };
            let set: Vec<_> = stmts.iter().chain(always).filter_map(target_of).collect();
            frame.defaults.retain(|stmt| target_of(stmt).is_none_or(|target| !set.contains(&target)));
            frame.unconditional.extend(stmts);
        });
    }

    /// Reads synchronously, under the conditions around this call: the word is there in the next cycle, and stays
    /// until the next read.
    #[track_caller]
    pub fn read(&self, address: impl Into<Bits>) -> T {
        let (loc, address) = (Location::caller(), address.into());
        if !(self.is_here(loc) && self.check(address, loc)) {
            return self.ty.map(&Default::default(), &mut |_, leaf| Bits::poison(leaf.bits.width));
        }
        let word = with(|context| {
            context.forbid_in_cases("a read port", loc);
            let (memory, domain) = (self.id, context.frame().domain);
            let stored = &context.module().memories[memory.index()];
            let (name, width) = (format!("{}_data", stored.name), stored.width);
            let ghost = context.frame().ghost;
            let kind = SignalKind::MemoryRead { memory, domain };
            let doc = String::new();
            let signal = Signal { name, doc, loc, width, kind, flipped: false, enumeration: None, ghost };
            let word = context.signal(signal);
            let target = SignalId(context.module().signals.len() as u32 - 1);
            context.push(Stmt::MemoryRead { memory, address: address.expr_id(), target, loc });
            word
        });
        let word = unpack_at(&self.ty, word, loc);
        let Some(bypass) = &self.bypass else { return word };
        let forward = {
            let _scope = crate::naming::scope("forward", "");
            // As the word it chooses between: a reset after the read must not bring the old one back.
            reg_without_reset(flag())
        };
        let forwarded = {
            let _scope = crate::naming::scope("forwarded", "");
            reg_without_reset(self.ty.clone())
        };
        forward.set(bypass.written & bypass.address.eq(address));
        forwarded.set(bypass.data.clone());
        forward.mux(forwarded, word)
    }

    /// As [`Mem::read`], where `enable` is true.
    #[track_caller]
    pub fn read_if(&self, enable: Bool, address: impl Into<Bits>) -> T {
        let loc = Location::caller();
        let condition = with(|context| context.readable(enable.0, loc));
        open_block();
        let word = self.read(address);
        let then = close_block();
        with(|context| context.push(Stmt::If { condition, then, otherwise: vec![], loc }));
        word
    }

    /// The word at `address` in this very cycle: distributed RAM.
    #[track_caller]
    pub fn peek(&self, address: impl Into<Bits>) -> T {
        let (loc, address) = (Location::caller(), address.into());
        if !(self.is_here(loc) && self.check(address, loc)) {
            return self.ty.map(&Default::default(), &mut |_, leaf| Bits::poison(leaf.bits.width));
        }
        let width = self.ty.size() as u32;
        let word = with(|context| context.expr(Op::MemoryPeek(self.id, address.expr_id()), width, loc));
        unpack_at(&self.ty, word, loc)
    }
}

/// Sets `target` to 0 where nothing else sets it.
fn set_default(target: Bits, loc: Loc) {
    open_block();
    let zero = with(|context| context.literal(Value::zero(target.width), loc));
    assign("mem", target, zero, loc);
    let stmts = close_block();
    with(|context| context.frame().defaults.extend(stmts));
}

fn target_of(stmt: &Stmt) -> Option<SignalId> {
    match stmt {
        Stmt::Assign { target, .. } => Some(*target),
        _ => None,
    }
}
