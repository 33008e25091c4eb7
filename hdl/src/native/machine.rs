//! The running program: words, memories, and what has changed.

use super::{
    NativeError,
    code::{self, Instruction, Slot},
    compile::{Marks, Program, SLOT_LIMIT},
    graph::{Kind, Node, mask},
    lower::Netlist,
    words::{word_count, word_width},
};
use std::ops::Range;

// Sizes of the array of words. Pages of it that no slot uses are never touched.
const SMALL: usize = 1 << 12;
const MIDDLE: usize = 1 << 16;
const LARGE: usize = 1 << 20;

pub(super) struct Machine {
    program: Program,
    words: Box<[u64]>,
    memory: Vec<u64>,
    /// A bit for each chunk: something it reads has changed since it ran.
    stale: Vec<u64>,
    /// The bits of all chunks.
    all: Vec<u64>,
    /// For each domain a bit for each chunk: it ran since the domain's last edge.
    computed: Vec<Vec<u64>>,
    /// Whether a chunk is stale.
    unsettled: bool,
    domains: Vec<Clocked>,
    writes: Vec<Write>,
    undefined_memory: Vec<UndefinedMemory>,
}

/// What one domain's clock moves.
#[derive(Default)]
struct Clocked {
    /// In the order of the chunks that compute the next values.
    updates: Vec<Update>,
    /// Where those of each chunk start, and the end.
    starts: Vec<u32>,
    resets: Vec<Reset>,
}

struct Update {
    state: Slot,
    next: Slot,
    marks: Marks,
    has_reset: bool,
}

struct Reset {
    state: Slot,
    value: u64,
}

/// A memory without initial contents.
struct UndefinedMemory {
    words: Range<usize>,
    /// Of an element.
    width: u32,
}

struct Write {
    domain: usize,
    enable: Slot,
    address: Slot,
    data: Vec<Slot>,
    lanes: Option<Lanes>,
    base: usize,
    marks: Marks,
}

/// Lane enables, and for each lane the bits of the words that it covers.
pub(super) struct Lanes {
    enables: Vec<Slot>,
    pieces: Vec<(u32, usize, u64)>,
}

impl Lanes {
    pub fn new(enables: Vec<Slot>, lanes: u32, width: u32) -> Lanes {
        let size = width / lanes;
        let mut pieces: Vec<(u32, usize, u64)> = vec![];
        for bit in 0..width {
            let (lane, word) = (bit / size, (bit / 64) as usize);
            match pieces.last_mut() {
                Some((last, at, bits)) if (*last, *at) == (lane, word) => *bits |= 1 << (bit % 64),
                _ => pieces.push((lane, word, 1 << (bit % 64))),
            }
        }
        Lanes { enables, pieces }
    }

    /// The bits of each word that are written.
    pub fn masks(&self, get: impl Fn(Slot) -> u64, words: usize) -> Vec<u64> {
        let mut masks = vec![0; words];
        for &(lane, word, bits) in &self.pieces {
            if get(self.enables[(lane / 64) as usize]) >> (lane % 64) & 1 == 1 {
                masks[word] |= bits;
            }
        }
        masks
    }
}

impl Machine {
    /// Compiles `net`; `extra` are nodes that are read from outside.
    pub fn new(net: &mut Netlist, extra: Vec<Node>, domains: usize) -> Result<Machine, NativeError> {
        detach_registers(net);
        let mut roots = vec![];
        for register in &net.registers {
            roots.extend(&register.next);
        }
        for write in &net.writes {
            roots.extend([write.enable, write.address]);
            roots.extend(&write.data);
            roots.extend(write.lanes.iter().flat_map(|lanes| &lanes.0));
        }
        for read in &net.fragile_reads {
            roots.extend([read.enable, read.address]);
        }
        roots.extend(net.checks.iter().map(|check| check.event));
        roots.extend(extra);
        let program = Program::new(net, &roots)?;
        let sizes = [SMALL, MIDDLE, LARGE, SLOT_LIMIT];
        let size =
            sizes.into_iter().find(|&size| program.size <= size).expect("the program has been accepted");
        let mut words = vec![0; size].into_boxed_slice();
        for &(slot, value) in &program.constants {
            words[slot as usize] = value;
        }
        for register in &net.registers {
            for (i, &limb) in register.reset.iter().flat_map(|reset| reset.limbs()).enumerate() {
                words[register.state + i] = limb;
            }
        }
        let mut memory = vec![];
        let mut undefined_memory = vec![];
        for layout in &net.memories {
            let end = layout.base + layout.stride * layout.depth;
            memory.resize(end, 0);
            match &layout.initial {
                Some(initial) => {
                    for (chunk, value) in memory[layout.base..].chunks_mut(layout.stride).zip(initial) {
                        chunk.copy_from_slice(value.limbs());
                    }
                }
                None => {
                    undefined_memory.push(UndefinedMemory { words: layout.base..end, width: layout.width })
                }
            }
        }
        let chunks = program.chunks.len();
        let clocked = (0..domains).map(|domain| clocked(net, &program, domain)).collect();
        let writes = net.writes.iter().map(|write| memory_write(net, &program, write)).collect();
        let all: Vec<u64> =
            (0..chunks.div_ceil(64)).map(|group| mask((chunks - 64 * group).min(64) as u8)).collect();
        Ok(Machine {
            words,
            memory,
            stale: all.clone(),
            computed: vec![all.clone(); domains],
            all,
            unsettled: true,
            domains: clocked,
            writes,
            undefined_memory,
            program,
        })
    }

    pub fn slot(&self, node: Node) -> Slot {
        self.program.slots[node.0 as usize]
    }

    pub fn operations(&self) -> usize {
        self.program.instructions.len()
    }

    pub fn get(&self, slot: Slot) -> u64 {
        self.words[slot as usize]
    }

    /// Sets a word of an input or register.
    #[inline]
    pub fn set_state(&mut self, slot: Slot, value: u64) {
        let word = &mut self.words[slot as usize];
        if *word != value {
            *word = value;
            self.mark(self.program.state_marks[slot as usize]);
        }
    }

    #[inline]
    fn mark(&mut self, marks: Marks) {
        for &(word, chunks) in &self.program.marks[marks.range()] {
            self.stale[word as usize] |= chunks;
            self.unsettled = true;
        }
    }

    /// Brings everything that matters up to date.
    #[inline]
    pub fn settle(&mut self) {
        if std::mem::take(&mut self.unsettled) {
            match self.words.len() {
                SMALL => self.settle_sized::<SMALL>(),
                MIDDLE => self.settle_sized::<MIDDLE>(),
                LARGE => self.settle_sized::<LARGE>(),
                _ => self.settle_sized::<SLOT_LIMIT>(),
            }
        }
    }

    fn settle_sized<const N: usize>(&mut self) {
        let words: &mut [u64; N] = (&mut *self.words).try_into().expect("the size was just looked at");
        let program = &mut self.program;
        for group in 0..self.stale.len() {
            // Chunks mark only those after them.
            while self.stale[group] != 0 {
                let bit = self.stale[group].trailing_zeros();
                self.stale[group] &= self.stale[group] - 1;
                for computed in &mut self.computed {
                    computed[group] |= 1 << bit;
                }
                let chunk = &program.chunks[group * 64 + bit as usize];
                let instructions =
                    &program.instructions[chunk.instructions.start as usize..chunk.instructions.end as usize];
                code::run(instructions, words, &program.table, &self.memory);
                for result in &mut program.results[chunk.results.start as usize..chunk.results.end as usize] {
                    let value = words[result.slot as usize & (N - 1)];
                    if result.seen != value {
                        result.seen = value;
                        for &(word, chunks) in &program.marks[result.marks.range()] {
                            self.stale[word as usize] |= chunks;
                        }
                    }
                }
            }
        }
    }

    /// Computes the values that nothing but a look into the design needs, after [`Machine::settle`].
    pub fn settle_unused(&mut self) {
        fn run<const N: usize>(words: &mut [u64], unused: &[Instruction], table: &[Slot], memory: &[u64]) {
            code::run::<N>(unused, words.try_into().expect("the size was just looked at"), table, memory);
        }
        let (words, unused, table) = (&mut *self.words, &self.program.unused, &self.program.table);
        match words.len() {
            SMALL => run::<SMALL>(words, unused, table, &self.memory),
            MIDDLE => run::<MIDDLE>(words, unused, table, &self.memory),
            LARGE => run::<LARGE>(words, unused, table, &self.memory),
            _ => run::<SLOT_LIMIT>(words, unused, table, &self.memory),
        }
    }

    /// A clock edge of these domains, all at the same instant, on a settled machine.
    pub fn edge(&mut self, domains: &[usize], resets: &[bool]) {
        // What memories and registers take is computed: the order of the updates does not matter.
        for index in 0..self.writes.len() {
            let write = &self.writes[index];
            if self.words[write.enable as usize] != 0 && domains.contains(&write.domain) {
                self.write_memory(index);
            }
        }
        for &domain in domains {
            if resets[domain] {
                self.reset_domain(domain);
            } else {
                self.update_domain(domain);
            }
        }
    }

    fn write_memory(&mut self, index: usize) {
        let write = &self.writes[index];
        let words = write.data.len();
        let first = write.base + self.words[write.address as usize] as usize * words;
        let masks = write.lanes.as_ref().map(|lanes| lanes.masks(|slot| self.words[slot as usize], words));
        let mut changed = false;
        for (i, &slot) in write.data.iter().enumerate() {
            let mask = masks.as_ref().map_or(u64::MAX, |masks| masks[i]);
            let stored = &mut self.memory[first + i];
            let value = *stored & !mask | self.words[slot as usize] & mask;
            changed |= *stored != value;
            *stored = value;
        }
        if changed {
            self.mark(write.marks);
        }
    }

    fn update_domain(&mut self, domain: usize) {
        let clocked = &self.domains[domain];
        for (group, chunks) in self.computed[domain].iter_mut().enumerate() {
            let mut chunks = std::mem::take(chunks);
            while chunks != 0 {
                let chunk = group * 64 + chunks.trailing_zeros() as usize;
                chunks &= chunks - 1;
                let (start, end) = (clocked.starts[chunk], clocked.starts[chunk + 1]);
                for update in &clocked.updates[start as usize..end as usize] {
                    let next = self.words[update.next as usize];
                    if self.words[update.state as usize] != next {
                        self.words[update.state as usize] = next;
                        for &(word, chunks) in &self.program.marks[update.marks.range()] {
                            self.stale[word as usize] |= chunks;
                        }
                        self.unsettled = true;
                    }
                }
            }
        }
    }

    fn reset_domain(&mut self, domain: usize) {
        let clocked = std::mem::take(&mut self.domains[domain]);
        for update in clocked.updates.iter().filter(|update| !update.has_reset) {
            self.set_state(update.state, self.words[update.next as usize]);
        }
        for reset in &clocked.resets {
            self.set_state(reset.state, reset.value);
        }
        self.domains[domain] = clocked;
        self.take_all(domain);
    }

    /// Lets the next edge look at all registers: they may differ from values computed long ago.
    fn take_all(&mut self, domain: usize) {
        self.computed[domain].copy_from_slice(&self.all);
    }

    /// Puts `value` in place of the bits `mask` of a word of a register, after an edge.
    pub fn disturb(&mut self, slot: Slot, mask: u64, value: u64) {
        self.set_state(slot, self.get(slot) & !mask | value & mask);
        for domain in 0..self.computed.len() {
            self.take_all(domain);
        }
    }

    /// Fills memories without initial contents.
    pub fn fill_memories(&mut self, mut random: impl FnMut() -> u64) {
        for undefined in &self.undefined_memory {
            let stride = word_count(undefined.width);
            for (i, word) in self.memory[undefined.words.clone()].iter_mut().enumerate() {
                *word = random() & mask(word_width(undefined.width, i % stride));
            }
        }
        self.stale.copy_from_slice(&self.all);
        self.unsettled = true;
    }
}

/// Puts a copy between registers that take another state as it is: all next values are apart from all states.
fn detach_registers(net: &mut Netlist) {
    for register in &mut net.registers {
        for (i, next) in register.next.iter_mut().enumerate() {
            if let Kind::State(state) = *net.graph.kind(*next)
                && state as usize != register.state + i
            {
                *next = net.graph.copy(*next);
            }
        }
    }
}

fn clocked(net: &Netlist, program: &Program, domain: usize) -> Clocked {
    let mut updates = vec![];
    let mut resets = vec![];
    for register in net.registers.iter().filter(|register| register.domain == domain) {
        for (i, &next) in register.next.iter().enumerate() {
            let state = (register.state + i) as Slot;
            let marks = program.state_marks[state as usize];
            let next_slot = program.slots[next.0 as usize];
            if next_slot != state {
                let has_reset = register.reset.is_some();
                // A constant is taken with the first chunk.
                let chunk = program.chunk_of[next.0 as usize].unwrap_or(0);
                updates.push((chunk, Update { state, next: next_slot, marks, has_reset }));
            }
            if let Some(reset) = &register.reset {
                resets.push(Reset { state, value: reset.limbs()[i] });
            }
        }
    }
    updates.sort_by_key(|(chunk, _)| *chunk);
    let starts =
        (0..=program.chunks.len()).map(|chunk| updates.partition_point(|(other, _)| *other < chunk) as u32);
    Clocked {
        starts: starts.collect(),
        updates: updates.into_iter().map(|(_, update)| update).collect(),
        resets,
    }
}

fn memory_write(net: &Netlist, program: &Program, write: &super::lower::Write) -> Write {
    let slot = |node: &Node| program.slots[node.0 as usize];
    let layout = &net.memories[write.memory];
    let lanes = write.lanes.as_ref();
    Write {
        domain: write.domain,
        enable: slot(&write.enable),
        address: slot(&write.address),
        data: write.data.iter().map(slot).collect(),
        lanes: lanes
            .map(|(enables, lanes)| Lanes::new(enables.iter().map(slot).collect(), *lanes, layout.width)),
        base: layout.base,
        marks: program.memory_marks[write.memory],
    }
}
