//! From a description to hardware, through the calls that an author makes.

use super::{description::*, number::Number};
use hdl::{
    Bits, Bundle, Clock, Data, Design, Enum, Errors, HwEnum, Mem, Value, bits, cat, constant, mem_with, reg,
    reg_init, reg_without_reset, scope, select, set_at, switch, when, wire,
};

#[derive(Bundle, Clone)]
#[ty(none)]
struct Ports {
    i: Vec<Bits>,
    o: Vec<Bits>,
}

#[derive(Clone, Copy, HwEnum)]
enum Dense {
    First,
    Second,
    Third,
}

#[derive(Clone, Copy, HwEnum)]
enum Sparse {
    First = 1,
    Second = 4,
    Third = 6,
    Fourth = 9,
}

/// Elaborates `module` as the top: inputs come first among its ports, then outputs.
///
/// # Errors
/// What the language has against it.
pub fn elaborate(module: &Module) -> Result<Design, Errors> {
    let clocks = vec![Clock::external(); module.domains];
    Ok(hdl::elaborate(|| describe(module, &clocks))?.design)
}

/// Makes the module, or an instance of it; `clocks` are those of the module around.
fn describe(module: &Module, clocks: &[Clock]) -> Ports {
    let ports = Ports {
        i: module.inputs.iter().map(|input| bits(input.width).input()).collect(),
        o: module.outputs.iter().map(|output| bits(output.width).output()).collect(),
    };
    hdl::module(&module.name, ports, |io| {
        let entered = clocks.iter().zip(DOMAINS).skip(1).map(|(clock, name)| clock.enter(name));
        let clocks: Vec<Clock> = [Clock::current()].into_iter().chain(entered).collect();
        let mut builder = Builder {
            module,
            io,
            wires: vec![],
            registers: vec![],
            memories: vec![],
            instances: vec![],
            nodes: vec![],
            clocks,
        };
        builder.declare();
        for id in 0..module.nodes.len() {
            let value = builder.node(id);
            if !module.nodes[id].name.is_empty() {
                value.name(&module.nodes[id].name);
            }
            builder.nodes.push(value);
        }
        builder.block(&module.body);
    })
}

struct Builder<'a> {
    module: &'a Module,
    io: &'a Ports,
    clocks: Vec<Clock>,
    wires: Vec<Bits>,
    registers: Vec<Bits>,
    memories: Vec<Mem<Bits>>,
    instances: Vec<Ports>,
    nodes: Vec<Bits>,
}

fn value(number: &Number) -> Value {
    Value::from_limbs(number.width() as u32, &number.limbs())
}

impl Builder<'_> {
    fn declare(&mut self) {
        for declared in &self.module.wires {
            let _name = scope(&declared.name, "");
            self.wires.push(wire(bits(declared.width)));
        }
        for register in &self.module.registers {
            let _name = scope(&register.name, "");
            let ty = bits(register.width);
            let register = self.clocks[register.domain].scope(|| match &register.reset {
                None => reg_without_reset(ty),
                Some(reset) if !reset.0.contains(&true) => reg(ty),
                Some(reset) => reg_init(constant(value(reset))),
            });
            self.registers.push(register);
        }
        for memory in &self.module.memories {
            let _name = scope(&memory.name, "");
            let mut builder = mem_with(bits(memory.width), memory.depth, memory.collision);
            if let Some(words) = &memory.initial {
                builder = builder.initial(words.iter().map(value));
            }
            if memory.crossing {
                builder = builder.crossing();
            }
            self.memories.push(builder.build());
        }
        for instance in &self.module.instances {
            let _name = scope(&instance.name, "");
            let clocks: Vec<Clock> = instance.domains.iter().map(|&domain| self.clocks[domain]).collect();
            self.instances.push(clocks[0].scope(|| describe(&instance.module, &clocks)));
        }
    }

    fn node(&self, id: NodeId) -> Bits {
        let node = &self.module.nodes[id];
        let of = |id: &NodeId| self.nodes[*id];
        match &node.op {
            Op::Literal(number) => constant(value(number)),
            Op::Input(i) => self.io.i[*i],
            Op::Register(i) => self.registers[*i],
            Op::Wire(i) => self.wires[*i],
            Op::Output(i) => self.io.o[*i],
            Op::InstanceOutput(i, port) => self.instances[*i].o[*port],
            Op::Cross(i) => hdl::cross(self.registers[*i]),
            Op::Read { memory, address, conditions, domain } => {
                let mut data = None;
                self.clocks[*domain].scope(|| self.read(*memory, *address, conditions, &mut data));
                data.expect("the bodies of when() run once")
            }
            Op::Peek { memory, address } => self.memories[*memory].peek(of(address)),
            Op::Unary(op, a) => unary(*op, of(a), node.width),
            Op::Binary(op, a, b) => binary(*op, of(a), of(b)),
            Op::Shift(shift, a, distance) => match shift {
                Shift::Left => of(a) << of(distance),
                Shift::Right => of(a) >> of(distance),
                Shift::ArithmeticRight => (of(a).as_signed() >> of(distance)).bits(),
            },
            Op::Mux(c, a, b) => of(c).as_bool().mux(of(a), of(b)),
            Op::Select(index, options) => {
                let options: Vec<Bits> = options.iter().map(of).collect();
                select(&options, of(index))
            }
            Op::At(vector, index) => of(vector).at(of(index)).bits(),
            Op::Slice(a, low) => of(a).slice(*low, node.width),
            Op::Concat(parts) => cat(parts.iter().map(of)),
            Op::Repeat(a, count) => of(a).repeat(*count),
        }
    }

    fn read(&self, memory: usize, address: NodeId, conditions: &[NodeId], data: &mut Option<Bits>) {
        match conditions {
            [] => *data = Some(self.memories[memory].read(self.nodes[address])),
            [condition, rest @ ..] => {
                let condition = self.nodes[*condition].as_bool();
                when(condition, || self.read(memory, address, rest, data));
            }
        }
    }

    fn target(&self, target: Target) -> Bits {
        match target {
            Target::Output(i) => self.io.o[i],
            Target::Wire(i) => self.wires[i],
            Target::Register(i) => self.registers[i],
            Target::InstanceInput(i, port) => self.instances[i].i[port],
        }
    }

    fn block(&self, body: &[Statement]) {
        body.iter().for_each(|statement| self.statement(statement));
    }

    fn statement(&self, statement: &Statement) {
        let of = |id: NodeId| self.nodes[id];
        match statement {
            Statement::Assign { target, part, value } => {
                let target = self.target(*target);
                match *part {
                    Part::Whole => target.set(of(*value)),
                    Part::Slice { low, width } => target.slice(low, width).set(of(*value)),
                    Part::Bit(index) => target.at(of(index)).set(of(*value).as_bool()),
                }
            }
            Statement::SetAt { targets, index, value } => {
                let targets: Vec<Bits> = targets.iter().map(|&target| self.target(target)).collect();
                set_at(&targets, of(*index), of(*value));
            }
            Statement::When { arms, otherwise } => {
                let mut arms = arms.iter();
                let Some((condition, body)) = arms.next() else { return };
                let first = when(of(*condition).as_bool(), || self.block(body));
                let last = arms.fold(first, |when, (condition, body)| {
                    when.elsewhen(of(*condition).as_bool(), || self.block(body))
                });
                if let Some(body) = otherwise {
                    last.otherwise(|| self.block(body));
                }
            }
            Statement::Switch { selector, arms, default } => {
                let all = arms.iter().fold(switch(of(*selector)), |switch, (number, body)| {
                    let value = value(number).to_u128().expect("selectors are narrow");
                    switch.case(value, || self.block(body))
                });
                if let Some(body) = default {
                    all.default(|| self.block(body));
                }
            }
            Statement::Cases { enumeration: Enumeration::Dense, selector, arms } => {
                let selector = Enum::<Dense>::ty().unpack(of(*selector));
                selector.cases(|variant| match variant {
                    Dense::First => self.block(&arms[0]),
                    Dense::Second => self.block(&arms[1]),
                    Dense::Third => self.block(&arms[2]),
                });
            }
            Statement::Cases { enumeration: Enumeration::Sparse, selector, arms } => {
                let selector = Enum::<Sparse>::ty().unpack(of(*selector));
                selector.cases(|variant| match variant {
                    Sparse::First => self.block(&arms[0]),
                    Sparse::Second => self.block(&arms[1]),
                    Sparse::Third => self.block(&arms[2]),
                    Sparse::Fourth => self.block(&arms[3]),
                });
            }
            Statement::Write { memory, address, data, lanes, domain } => {
                let memory = &self.memories[*memory];
                self.clocks[*domain].scope(|| match lanes {
                    Some(lanes) => memory.write_lanes(of(*address), of(*data), of(*lanes)),
                    None => memory.write(of(*address), of(*data)),
                });
            }
        }
    }
}

fn unary(op: Unary, a: Bits, width: usize) -> Bits {
    match op {
        Unary::Not => !a,
        Unary::Any => a.any().bits(),
        Unary::All => a.all().bits(),
        Unary::Parity => a.parity().bits(),
        Unary::Negate => (-a.as_signed()).bits(),
        Unary::Reverse => a.reverse(),
        Unary::ZeroExtend => a.zext(width),
        Unary::SignExtend => a.as_signed().sext(width).bits(),
    }
}

fn binary(op: Binary, a: Bits, b: Bits) -> Bits {
    let (sa, sb) = (a.as_signed(), b.as_signed());
    match op {
        Binary::And => a & b,
        Binary::Or => a | b,
        Binary::Xor => a ^ b,
        Binary::Add => a + b,
        Binary::Subtract => a - b,
        Binary::WideAdd => a.wide_add(b),
        Binary::WideMultiply => a.wide_mul(b),
        Binary::Equal => a.eq(b).bits(),
        Binary::NotEqual => a.ne(b).bits(),
        Binary::Less => a.lt(b).bits(),
        Binary::LessOrEqual => a.le(b).bits(),
        Binary::Greater => a.gt(b).bits(),
        Binary::GreaterOrEqual => a.ge(b).bits(),
        Binary::SignedLess => sa.lt(sb).bits(),
        Binary::SignedLessOrEqual => sa.le(sb).bits(),
        Binary::SignedGreater => sa.gt(sb).bits(),
        Binary::SignedGreaterOrEqual => sa.ge(sb).bits(),
    }
}
