//! Drops what nothing depends on.

use super::super::{description::*, number::Number};
use super::remove_target;

/// The module without what none of its outputs depends on. Outputs that nothing sets go as well.
pub fn compact(mut module: Module) -> Module {
    loop {
        let size = parts(&module);
        let set = |output: &usize| module.body.iter().any(|it| it.assigns(Target::Output(*output)));
        let outputs: Vec<bool> = (0..module.outputs.len()).map(|output| set(&output)).collect();
        sweep(&mut module, &outputs);
        if parts(&module) == size {
            return module;
        }
    }
}

fn parts(module: &Module) -> usize {
    let ports = module.inputs.len() + module.outputs.len();
    let signals = module.wires.len() + module.registers.len() + module.memories.len();
    let children: usize = module.instances.iter().map(|instance| 1 + parts(&instance.module)).sum();
    module.size() + ports + signals + children
}

/// What of each kind is needed.
struct Live {
    nodes: Vec<bool>,
    inputs: Vec<bool>,
    outputs: Vec<bool>,
    wires: Vec<bool>,
    registers: Vec<bool>,
    memories: Vec<bool>,
    /// For each instance its outputs that are read.
    instances: Vec<Vec<bool>>,
}

/// Drops what the chosen outputs do not depend on, other outputs included, and tells which inputs stay.
fn sweep(module: &mut Module, outputs: &[bool]) -> Vec<bool> {
    let live = Live::new(module, outputs);
    drop_statements(module, &live);
    let children = module.instances.iter_mut().zip(&live.instances);
    let inputs: Vec<Vec<bool>> =
        children.map(|(instance, read)| sweep_child(&mut instance.module, read)).collect();
    for (index, used) in inputs.iter().enumerate() {
        for port in (0..used.len()).filter(|&port| !used[port]) {
            remove_target(&mut module.body, Target::InstanceInput(index, port));
        }
    }
    renumber(module, &live, &inputs);
    live.inputs
}

/// As `sweep`, but outputs that are not read stay as ports, driven with 0.
fn sweep_child(child: &mut Module, read: &[bool]) -> Vec<bool> {
    let before = parts(child);
    for output in (0..read.len()).filter(|&output| !read[output]) {
        let target = Target::Output(output);
        if child.nodes.iter().any(|node| node.op == Op::Output(output)) || is_constant(child, target) {
            continue;
        }
        remove_target(&mut child.body, target);
        let width = child.outputs[output].width;
        child.nodes.push(Node { op: Op::Literal(Number::zero(width)), width, name: String::new() });
        let value = child.nodes.len() - 1;
        child.body.push(Statement::Assign { target, part: Part::Whole, value });
    }
    let inputs = sweep(child, &vec![true; read.len()]);
    if parts(child) != before {
        // Another instance may be of the same module.
        child.name.push('y');
    }
    inputs
}

fn is_constant(module: &Module, target: Target) -> bool {
    let constant = |id: NodeId| matches!(module.nodes[id].op, Op::Literal(_));
    module.body.iter().any(|statement| {
        matches!(statement, Statement::Assign { target: set, part: Part::Whole, value } if *set == target && constant(*value))
    })
}

impl Live {
    fn new(module: &Module, outputs: &[bool]) -> Live {
        let mut live = Live {
            nodes: vec![false; module.nodes.len()],
            inputs: vec![false; module.inputs.len()],
            outputs: outputs.to_vec(),
            wires: vec![false; module.wires.len()],
            registers: vec![false; module.registers.len()],
            memories: vec![false; module.memories.len()],
            instances: module.instances.iter().map(|it| vec![false; it.module.outputs.len()]).collect(),
        };
        loop {
            let before = live.count();
            for statement in &module.body {
                live.statement(module, statement);
            }
            if live.count() == before {
                return live;
            }
        }
    }

    fn count(&self) -> usize {
        let lists = [&self.nodes, &self.inputs, &self.outputs, &self.wires, &self.registers, &self.memories];
        lists.into_iter().chain(&self.instances).flatten().filter(|live| **live).count()
    }

    fn target(&self, target: Target) -> bool {
        match target {
            Target::Output(i) => self.outputs[i],
            Target::Wire(i) => self.wires[i],
            Target::Register(i) => self.registers[i],
            Target::InstanceInput(i, _) => self.instances[i].contains(&true),
        }
    }

    /// Whether a statement does something for what is live.
    fn wanted(&self, statement: &Statement) -> bool {
        match statement {
            Statement::Assign { target, .. } => self.target(*target),
            Statement::SetAt { targets, .. } => targets.iter().any(|&target| self.target(target)),
            Statement::Write { memory, .. } => self.memories[*memory],
            _ => statement.blocks().into_iter().flatten().any(|inner| self.wanted(inner)),
        }
    }

    fn statement(&mut self, module: &Module, statement: &Statement) {
        if !self.wanted(statement) {
            return;
        }
        if let Statement::SetAt { targets, .. } = statement {
            targets.iter().for_each(|&target| self.need(target));
        }
        let mut read = vec![];
        statement.clone().operands_mut(&mut |id| read.push(*id));
        read.into_iter().for_each(|id| self.node(module, id));
        statement.blocks().into_iter().flatten().for_each(|inner| self.statement(module, inner));
    }

    /// All targets of a `set_at` stay if one does: its index chooses among them.
    fn need(&mut self, target: Target) {
        match target {
            Target::Output(i) => self.outputs[i] = true,
            Target::Wire(i) => self.wires[i] = true,
            Target::Register(i) => self.registers[i] = true,
            Target::InstanceInput(i, _) => self.instances[i][0] = true,
        }
    }

    fn node(&mut self, module: &Module, id: NodeId) {
        if std::mem::replace(&mut self.nodes[id], true) {
            return;
        }
        match &module.nodes[id].op {
            Op::Input(i) => self.inputs[*i] = true,
            Op::Register(i) | Op::Cross(i) => self.registers[*i] = true,
            Op::Wire(i) => self.wires[*i] = true,
            Op::Output(i) => self.outputs[*i] = true,
            Op::InstanceOutput(i, port) => self.instances[*i][*port] = true,
            Op::Read { memory, .. } | Op::Peek { memory, .. } => self.memories[*memory] = true,
            _ => {}
        }
        module.nodes[id].op.operands().into_iter().for_each(|id| self.node(module, id));
    }
}

fn drop_statements(module: &mut Module, live: &Live) {
    fn clean(body: &mut Vec<Statement>, live: &Live) {
        body.retain(|statement| live.wanted(statement));
        for statement in body {
            statement.blocks_mut().into_iter().for_each(|block| clean(block, live));
        }
    }
    clean(&mut module.body, live);
}

fn keep<T>(list: &mut Vec<T>, live: &[bool]) {
    let mut index = 0;
    list.retain(|_| {
        index += 1;
        live[index - 1]
    });
}

/// The new position of each thing that stays.
fn positions(live: &[bool]) -> Vec<Option<usize>> {
    let mut next = 0;
    let position = |live: &bool| {
        next += *live as usize;
        live.then(|| next - 1)
    };
    live.iter().map(position).collect()
}

/// Drops what is not live and gives everything its new position. `inputs` tells which inputs of the instances stay.
fn renumber(module: &mut Module, live: &Live, inputs: &[Vec<bool>]) {
    let used: Vec<bool> = live.instances.iter().map(|outputs| outputs.contains(&true)).collect();
    let (nodes, ports) = (positions(&live.nodes), positions(&live.inputs));
    let (outputs, wires) = (positions(&live.outputs), positions(&live.wires));
    let (registers, memories) = (positions(&live.registers), positions(&live.memories));
    let instances = positions(&used);
    keep(&mut module.nodes, &live.nodes);
    keep(&mut module.inputs, &live.inputs);
    keep(&mut module.outputs, &live.outputs);
    keep(&mut module.wires, &live.wires);
    keep(&mut module.registers, &live.registers);
    keep(&mut module.memories, &live.memories);
    keep(&mut module.instances, &used);
    let moved = |index: &mut usize, to: &[Option<usize>]| *index = to[*index].expect("what is read is live");
    for node in &mut module.nodes {
        match &mut node.op {
            Op::Input(i) => moved(i, &ports),
            Op::Register(i) | Op::Cross(i) => moved(i, &registers),
            Op::Wire(i) => moved(i, &wires),
            Op::Output(i) => moved(i, &outputs),
            Op::InstanceOutput(i, _) => moved(i, &instances),
            Op::Read { memory, .. } | Op::Peek { memory, .. } => moved(memory, &memories),
            _ => {}
        }
        node.op.operands_mut(&mut |id| moved(id, &nodes));
    }
    let inputs: Vec<Vec<Option<usize>>> = inputs.iter().map(|used| positions(used)).collect();
    walk_mut(&mut module.body, &mut |statement| {
        statement.operands_mut(&mut |id| moved(id, &nodes));
        if let Statement::Write { memory, .. } = statement {
            moved(memory, &memories);
        }
        for target in statement.targets_mut() {
            match target {
                Target::Output(i) => moved(i, &outputs),
                Target::Wire(i) => moved(i, &wires),
                Target::Register(i) => moved(i, &registers),
                Target::InstanceInput(i, port) => {
                    moved(port, &inputs[*i]);
                    moved(i, &instances);
                }
            }
        }
    });
}
