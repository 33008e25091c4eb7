//! From words to a program: instructions in an order of evaluation, cut into chunks that run only when something they
//! read has changed.

use super::{
    NativeError,
    code::{Instruction, Operation, Slot},
    graph::{Graph, Kind, Node},
    lower::Netlist,
};
use std::{mem::discriminant, ops::Range};

/// Instructions in a chunk, about: smaller chunks skip more and cost more to keep track of.
const CHUNK: usize = 64;

/// Slots that a program can have at most.
pub(super) const SLOT_LIMIT: usize = 1 << 24;

/// What to run, and when.
pub(super) struct Program {
    pub instructions: Vec<Instruction>,
    /// Operands of [`Operation::Table`].
    pub table: Vec<Slot>,
    /// In order of evaluation.
    pub chunks: Vec<Chunk>,
    /// Values that chunks make for others.
    pub results: Vec<Published>,
    /// Sets of chunks, as masks of words of the set of all: see [`Marks`].
    pub marks: Vec<(u32, u64)>,
    /// What no output, register, memory or check depends on: run for those who look into the design.
    pub unused: Vec<Instruction>,
    /// Slot of each node.
    pub slots: Vec<Slot>,
    /// Chunks that read each state.
    pub state_marks: Vec<Marks>,
    /// Chunks that read each memory.
    pub memory_marks: Vec<Marks>,
    /// Slots that hold a constant.
    pub constants: Vec<(Slot, u64)>,
    /// How many slots there are.
    pub size: usize,
    /// The chunk that computes each node.
    pub chunk_of: Vec<Option<usize>>,
}

pub(super) struct Chunk {
    pub instructions: Range<u32>,
    pub results: Range<u32>,
}

/// Positions in [`Program::marks`]: which chunks to run again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    start: u32,
    end: u32,
}

impl Marks {
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A value that other chunks read.
pub(super) struct Published {
    pub slot: Slot,
    pub marks: Marks,
    /// The value that the readers have seen.
    pub seen: u64,
}

impl Program {
    /// Compiles `net`; `roots` are the nodes whose values matter.
    pub fn new(net: &Netlist, roots: &[Node]) -> Result<Program, NativeError> {
        let graph = &net.graph;
        let order = evaluation_order(graph, roots);
        let mut chunk_of = vec![None; graph.nodes.len()];
        for (position, &node) in order.iter().enumerate() {
            chunk_of[node.0 as usize] = Some(position / CHUNK);
        }
        let (slots, size) = assign_slots(graph, net.states.len(), &order);
        if size > SLOT_LIMIT {
            return Err(NativeError::TooLarge { words: size });
        }
        let mut program = Program {
            instructions: vec![],
            table: vec![],
            chunks: vec![],
            results: vec![],
            marks: vec![],
            unused: vec![],
            slots,
            state_marks: vec![],
            memory_marks: vec![],
            constants: vec![],
            size,
            chunk_of,
        };
        for (index, (kind, _)) in graph.nodes.iter().enumerate() {
            if let Kind::Constant(value) = kind {
                program.constants.push((program.slots[index], *value));
            }
        }
        let readers = readers(net, &program.chunk_of);
        let parts = if order.is_empty() { vec![&order[..]] } else { order.chunks(CHUNK).collect() };
        for (index, nodes) in parts.into_iter().enumerate() {
            let start = program.instructions.len() as u32;
            for node in grouped(graph, nodes) {
                let instruction = program.instruction(net, node);
                program.instructions.push(instruction);
            }
            let first_result = program.results.len() as u32;
            for node in nodes {
                let others: Vec<usize> =
                    readers.nodes[node.0 as usize].iter().copied().filter(|&chunk| chunk != index).collect();
                if !others.is_empty() {
                    let marks = program.marks(&others);
                    program.results.push(Published { slot: program.slots[node.0 as usize], marks, seen: 0 });
                }
            }
            program.chunks.push(Chunk {
                instructions: start..program.instructions.len() as u32,
                results: first_result..program.results.len() as u32,
            });
        }
        for chunks in &readers.states {
            let marks = program.marks(chunks);
            program.state_marks.push(marks);
        }
        for chunks in &readers.memories {
            let marks = program.marks(chunks);
            program.memory_marks.push(marks);
        }
        for index in 0..graph.nodes.len() {
            let operation = !matches!(graph.nodes[index].0, Kind::Constant(_) | Kind::State(_));
            if operation && program.chunk_of[index].is_none() {
                let instruction = program.instruction(net, Node(index as u32));
                program.unused.push(instruction);
            }
        }
        Ok(program)
    }

    /// Keeps a set of chunks, sorted and without duplicates.
    fn marks(&mut self, chunks: &[usize]) -> Marks {
        let start = self.marks.len();
        for &chunk in chunks {
            let (word, bit) = ((chunk / 64) as u32, 1 << (chunk % 64));
            match self.marks[start..].last_mut() {
                Some((last, mask)) if *last == word => *mask |= bit,
                _ => self.marks.push((word, bit)),
            }
        }
        Marks { start: start as u32, end: self.marks.len() as u32 }
    }

    fn instruction(&mut self, net: &Netlist, node: Node) -> Instruction {
        let slot = |node: Node| self.slots[node.0 as usize];
        let cut = 64 - net.graph.width(node);
        let operation = match *net.graph.kind(node) {
            Kind::Constant(_) | Kind::State(_) => unreachable!("not an operation"),
            Kind::And(a, b) => Operation::And(slot(a), slot(b)),
            Kind::Or(a, b) => Operation::Or(slot(a), slot(b)),
            Kind::Xor(a, b) => Operation::Xor(slot(a), slot(b)),
            Kind::Add(a, b) => Operation::Add { cut, a: slot(a), b: slot(b) },
            Kind::Subtract(a, b) => Operation::Subtract { cut, a: slot(a), b: slot(b) },
            Kind::Multiply(a, b) => Operation::Multiply(slot(a), slot(b)),
            Kind::MultiplyHigh(a, b) => Operation::MultiplyHigh(slot(a), slot(b)),
            Kind::Equal(a, b) => Operation::Equal(slot(a), slot(b)),
            Kind::NotEqual(a, b) => Operation::NotEqual(slot(a), slot(b)),
            Kind::Less(a, b) => Operation::Less(slot(a), slot(b)),
            Kind::LessOrEqual(a, b) => Operation::LessOrEqual(slot(a), slot(b)),
            Kind::SignedLess(a, b, width) => {
                Operation::SignedLess { unused: 64 - width, a: slot(a), b: slot(b) }
            }
            Kind::ShiftLeft(a, distance) => {
                Operation::ShiftLeft { cut, a: slot(a), distance: slot(distance) }
            }
            Kind::ShiftRight(a, distance) => Operation::ShiftRight { a: slot(a), distance: slot(distance) },
            Kind::Funnel { high, low, distance } => {
                Operation::Funnel { high: slot(high), low: slot(low), distance: slot(distance) }
            }
            Kind::Bit(a, index) => Operation::Bit { a: slot(a), index: slot(index) },
            Kind::Mux(c, a, b) => Operation::Mux(slot(c), slot(a), slot(b)),
            Kind::Extract(a, low) => Operation::Extract { low, cut, a: slot(a) },
            Kind::Join { high, low, at } => Operation::Join { at, high: slot(high), low: slot(low) },
            Kind::Place { word, from, low, at } => {
                Operation::Place { from, cut: cut + at, at, a: slot(word), low: slot(low) }
            }
            Kind::SignExtend(a, from) => Operation::SignExtend { unused: 64 - from, cut, a: slot(a) },
            Kind::Parity(a) => Operation::Parity(slot(a)),
            Kind::Table(index, ref options) => {
                let start = self.table.len();
                let index = slot(index);
                let options: Vec<Slot> = options.iter().map(|&option| slot(option)).collect();
                self.table.extend(options);
                Operation::Table { index, start: start as u32, last: self.table.len() as u32 - 1 }
            }
            Kind::Peek { memory, limb, address } => {
                let layout = &net.memories[memory as usize];
                let (base, stride) = (layout.base as u32 + limb, layout.stride as u32);
                Operation::Peek { address: slot(address), base, stride }
            }
            Kind::Copy(a) => Operation::Copy(slot(a)),
        };
        Instruction { target: slot(node), operation }
    }
}

/// The operations that `roots` depend on, operands first and otherwise close to where they are used.
fn evaluation_order(graph: &Graph, roots: &[Node]) -> Vec<Node> {
    let mut seen = vec![false; graph.nodes.len()];
    let mut order = vec![];
    // Whether the operands are done already.
    let mut stack: Vec<(Node, bool)> = vec![];
    for &root in roots {
        stack.push((root, false));
        while let Some((node, ready)) = stack.pop() {
            if ready {
                order.push(node);
            } else if !std::mem::replace(&mut seen[node.0 as usize], true)
                && !matches!(graph.kind(node), Kind::Constant(_) | Kind::State(_))
            {
                stack.push((node, true));
                stack.extend(graph.kind(node).operands().into_iter().rev().map(|operand| (operand, false)));
            }
        }
    }
    order
}

/// States first, then what is computed in the order of its computation, then the rest.
fn assign_slots(graph: &Graph, states: usize, order: &[Node]) -> (Vec<Slot>, usize) {
    const NONE: Slot = Slot::MAX;
    let mut slots = vec![NONE; graph.nodes.len()];
    let mut next = states as Slot;
    for node in order {
        slots[node.0 as usize] = next;
        next += 1;
    }
    for (slot, (kind, _)) in slots.iter_mut().zip(&graph.nodes) {
        match kind {
            Kind::State(index) => *slot = *index,
            _ if *slot == NONE => {
                *slot = next;
                next += 1;
            }
            _ => {}
        }
    }
    (slots, next as usize)
}

/// For each node, state and memory the chunks that read it, in order.
struct Readers {
    nodes: Vec<Vec<usize>>,
    states: Vec<Vec<usize>>,
    memories: Vec<Vec<usize>>,
}

fn readers(net: &Netlist, chunk_of: &[Option<usize>]) -> Readers {
    let graph = &net.graph;
    let mut nodes = vec![vec![]; graph.nodes.len()];
    let mut states = vec![vec![]; net.states.len()];
    let mut memories = vec![vec![]; net.memories.len()];
    for (index, (kind, _)) in graph.nodes.iter().enumerate() {
        let Some(chunk) = chunk_of[index] else { continue };
        for operand in kind.operands() {
            nodes[operand.0 as usize].push(chunk);
            if let Kind::State(state) = graph.kind(operand) {
                states[*state as usize].push(chunk);
            }
        }
        if let Kind::Peek { memory, .. } = kind {
            memories[*memory as usize].push(chunk);
        }
    }
    for chunks in nodes.iter_mut().chain(&mut states).chain(&mut memories) {
        chunks.sort_unstable();
        chunks.dedup();
    }
    Readers { nodes, states, memories }
}

/// The nodes of a chunk, reordered so that operations of one kind follow each other where they can: the processor then
/// foresees which comes next.
fn grouped(graph: &Graph, nodes: &[Node]) -> Vec<Node> {
    let mut waiting = nodes.to_vec();
    let mut out: Vec<Node> = vec![];
    let ready = |node: &Node, waiting: &[Node]| {
        graph.kind(*node).operands().iter().all(|operand| !waiting.contains(operand))
    };
    while !waiting.is_empty() {
        let candidates: Vec<Node> = waiting.iter().copied().filter(|node| ready(node, &waiting)).collect();
        let kind = |node: Node| discriminant(graph.kind(node));
        let count = |of| candidates.iter().filter(|&&node| kind(node) == of).count();
        let last = out.last().map(|&node| kind(node)).filter(|&last| count(last) > 0);
        let best = || candidates.iter().map(|&node| kind(node)).max_by_key(|&kind| count(kind));
        let chosen = last.or_else(best).expect("something is ready");
        for node in candidates.into_iter().filter(|&node| kind(node) == chosen) {
            waiting.retain(|&other| other != node);
            out.push(node);
        }
    }
    out
}
