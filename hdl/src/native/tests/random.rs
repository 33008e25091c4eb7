//! Random designs, straight in the intermediate representation.

use super::super::poison::Poison;
use crate::{ir::*, value::Value};
use std::panic::Location;

pub struct Random(Poison);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(Poison::new(seed))
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.0.word() % n as u64) as usize
    }

    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Mostly small, often at the limits of words.
    pub fn width(&mut self) -> u32 {
        match self.below(8) {
            0..=1 => 1,
            2..=3 => 1 + self.below(8) as u32,
            4 => 1 + self.below(64) as u32,
            5 => self.pick(&[31, 32, 33, 63, 64, 65, 127, 128, 129, 192]),
            _ => 1 + self.below(200) as u32,
        }
    }

    /// Random bits, often all equal or nearly so: carries and comparisons need that.
    pub fn value(&mut self, width: u32) -> Value {
        let limbs: Vec<u64> = (0..width.div_ceil(64)).map(|_| self.0.word()).collect();
        match self.below(6) {
            0 => Value::zero(width),
            1 => Value::from_limbs(width, &vec![u64::MAX; limbs.len()]),
            2 => Value::new(width, self.below(4) as u128),
            _ => Value::from_limbs(width, &limbs),
        }
    }
}

pub fn here() -> Loc {
    Location::caller()
}

pub fn signal(name: &str, width: u32, kind: SignalKind) -> Signal {
    let (name, doc) = (name.to_string(), String::new());
    Signal { name, doc, loc: here(), width, kind, flipped: false, enumeration: None, ghost: false }
}

pub fn empty_module(name: &str, domains: usize) -> Module {
    let domain = |i: usize| Domain {
        name: if i == 0 { String::new() } else { format!("d{i}") },
        clocked: true,
        reset: true,
    };
    Module {
        name: name.into(),
        doc: String::new(),
        loc: here(),
        signals: vec![],
        ports: 0,
        exprs: vec![],
        body: vec![],
        memories: vec![],
        instances: vec![],
        domains: (0..domains).map(domain).collect(),
        enums: vec![],
        black_box: None,
    }
}

impl Module {
    pub fn add_signal(&mut self, name: &str, width: u32, kind: SignalKind) -> SignalId {
        if matches!(kind, SignalKind::Input | SignalKind::Output) {
            self.ports += 1;
        }
        self.signals.push(signal(name, width, kind));
        SignalId(self.signals.len() as u32 - 1)
    }

    pub fn add(&mut self, op: Op, width: u32) -> ExprId {
        self.exprs.push(Expr { op, width, loc: here(), name: String::new(), doc: String::new() });
        ExprId(self.exprs.len() as u32 - 1)
    }

    pub fn read(&mut self, id: SignalId) -> ExprId {
        self.add(Op::Signal(id), self.signals[id.index()].width)
    }

    pub fn literal(&mut self, value: Value) -> ExprId {
        let width = value.width();
        self.add(Op::Literal(value), width)
    }

    pub fn assign(&mut self, target: SignalId, value: ExprId) {
        self.body.push(assign(target, Part::Whole, value));
    }
}

pub fn assign(target: SignalId, part: Part, value: ExprId) -> Stmt {
    Stmt::Assign { target, part, value, loc: here() }
}

/// Makes one module; its children go to `modules`.
pub struct Generator<'a> {
    pub random: &'a mut Random,
    pub module: Module,
    /// Values to compute with.
    pub pool: Vec<ExprId>,
}

impl Generator<'_> {
    pub fn width(&self, id: ExprId) -> u32 {
        self.module.expr(id).width
    }

    /// Some value, cut or extended to `width`.
    pub fn sized(&mut self, width: u32) -> ExprId {
        if self.random.chance(10) {
            let value = self.random.value(width);
            return self.module.literal(value);
        }
        let mut fitting = self.random.pick(&self.pool);
        for _ in 0..4 {
            if self.width(fitting) == width {
                return fitting;
            }
            fitting = self.random.pick(&self.pool);
        }
        let have = self.width(fitting);
        if have > width {
            let low = self.random.below((have - width + 1) as usize) as u32;
            return self.module.add(Op::Slice(fitting, low), width);
        }
        if have == width {
            return fitting;
        }
        if self.random.chance(50) {
            return self.module.add(Op::SignExtend(fitting), width);
        }
        let value = self.random.value(width - have);
        let other = self.module.literal(value);
        self.module.add(Op::Concat(vec![other, fitting]), width)
    }

    /// A random operation on values of the pool, which it joins.
    pub fn grow(&mut self) -> ExprId {
        let width = self.random.width();
        let (op, width) = match self.random.below(18) {
            0 => (Op::Not(self.sized(width)), width),
            1 => {
                let a = self.sized(width);
                (self.random.pick(&[Op::ReduceOr, Op::ReduceAnd, Op::ReduceXor])(a), 1)
            }
            2..=5 => {
                let all = [Binary::And, Binary::Or, Binary::Xor, Binary::Add, Binary::Subtract];
                let binary = self.random.pick(&all);
                (Op::Binary(binary, self.sized(width), self.sized(width)), width)
            }
            6 => {
                let other = self.random.width();
                (Op::Multiply(self.sized(width), self.sized(other)), width + other)
            }
            7..=8 => {
                let compare = self.random.pick(&[
                    Compare::Equal,
                    Compare::NotEqual,
                    Compare::Less,
                    Compare::LessOrEqual,
                    Compare::SignedLess,
                    Compare::SignedLessOrEqual,
                ]);
                (Op::Compare(compare, self.sized(width), self.sized(width)), 1)
            }
            9..=10 => {
                let shift = self.random.pick(&[Shift::Left, Shift::Right, Shift::ArithmeticRight]);
                let limit = if self.random.chance(80) { clog2(width as usize + 1) } else { 16 };
                (Op::Shift(shift, self.sized(width), self.sized(limit as u32)), width)
            }
            11..=12 => (Op::Mux(self.sized(1), self.sized(width), self.sized(width)), width),
            13 => {
                let a = self.random.pick(&self.pool.clone());
                let have = self.width(a);
                let low = self.random.below(have as usize) as u32;
                let width = 1 + self.random.below((have - low) as usize) as u32;
                (Op::Slice(a, low), width)
            }
            14 => {
                let index = 1 + self.random.below(8) as u32;
                (Op::Index(self.sized(1 << index), self.sized(index)), 1)
            }
            15 => {
                let parts: Vec<ExprId> = (0..2 + self.random.below(4))
                    .map(|_| {
                        let width = self.random.width();
                        self.sized(width)
                    })
                    .collect();
                let width = parts.iter().map(|&part| self.width(part)).sum();
                (Op::Concat(parts), width)
            }
            16 => {
                let index = self.random.pick(&[1, 2, 2, 3, 4, 70]);
                let count = 2 + self.random.below((1 << index.min(4)) - 1);
                let options = (0..count).map(|_| self.sized(width)).collect();
                (Op::Select(self.sized(index), options), width)
            }
            _ => {
                let a = self.sized(width);
                (Op::SignExtend(a), width + self.random.below(100) as u32)
            }
        };
        let id = self.module.add(op, width);
        // What grows without limit is cut, as an author would.
        let id = if width > 300 { self.module.add(Op::Slice(id, width - 100), 100) } else { id };
        self.pool.push(id);
        id
    }

    /// A block that assigns to `target`, completely so if `whole`.
    pub fn block(&mut self, target: SignalId, parts: bool, depth: usize, whole: bool) -> Vec<Stmt> {
        let width = self.module.signal(target).width;
        let mut out = vec![];
        if whole {
            let value = self.sized(width);
            out.push(assign(target, Part::Whole, value));
        }
        for _ in 0..self.random.below(3) {
            let kind = self.random.below(if depth == 0 { 2 } else { 5 });
            out.push(match kind {
                0..=1 if parts && self.random.chance(30) => {
                    let index = self.random.pick(&[1, 3, 6, 8, 70]);
                    let (index, value) = (self.sized(index), self.sized(1));
                    assign(target, Part::Bit(index), value)
                }
                0..=1 if parts && self.random.chance(70) => {
                    let low = self.random.below(width as usize) as u32;
                    let part = 1 + self.random.below((width - low) as usize) as u32;
                    let value = self.sized(part);
                    assign(target, Part::Slice { low, width: part }, value)
                }
                0..=1 => {
                    let value = self.sized(width);
                    assign(target, Part::Whole, value)
                }
                2..=3 => Stmt::If {
                    condition: self.sized(1),
                    then: self.block(target, parts, depth - 1, false),
                    otherwise: self.block(target, parts, depth - 1, false),
                    loc: here(),
                },
                _ => self.case(|this| this.block(target, parts, depth - 1, false)),
            });
        }
        out
    }

    fn case(&mut self, mut body: impl FnMut(&mut Self) -> Vec<Stmt>) -> Stmt {
        if self.random.chance(30) {
            let enumeration = EnumId(self.random.below(self.module.enums.len()) as u32);
            let ty = self.module.enums[enumeration.index()].clone();
            let arms = ty.variants.iter().map(|variant| {
                let value = variant.value.clone();
                Arm { value, body: body(self) }
            });
            let arms = arms.collect();
            let selector = self.sized(ty.width);
            return Stmt::Case(Case {
                selector,
                enumeration: Some(enumeration),
                arms,
                default: None,
                loc: here(),
            });
        }
        let width = self.random.pick(&[1, 2, 3, 4, 12, 80]);
        let mut values: Vec<Value> =
            (0..1 + self.random.below(8)).map(|_| self.random.value(width)).collect();
        values.sort();
        values.dedup();
        let arms = values.into_iter().map(|value| Arm { value, body: body(self) }).collect();
        let default = self.random.chance(50).then(|| body(self));
        Stmt::Case(Case { selector: self.sized(width), enumeration: None, arms, default, loc: here() })
    }

    /// `stmt` under random conditions.
    fn guarded(&mut self, stmt: Stmt) -> Stmt {
        match self.random.below(4) {
            0 => Stmt::If { condition: self.sized(1), then: vec![stmt], otherwise: vec![], loc: here() },
            1 => Stmt::If { condition: self.sized(1), then: vec![], otherwise: vec![stmt], loc: here() },
            2 => {
                let mut stmt = Some(stmt);
                let mut at = self.random.below(4);
                self.case(|_| {
                    at = at.wrapping_sub(1);
                    if at == usize::MAX { stmt.take().into_iter().collect() } else { vec![] }
                })
            }
            _ => stmt,
        }
    }
}

/// A random design of about `size` operations a module, `depth` levels and `domains` clock domains.
pub fn design(random: &mut Random, size: usize, depth: usize, domains: usize) -> Design {
    let mut modules = vec![empty_module("top", domains)];
    fill(random, &mut modules, 0, size, depth);
    Design { modules }
}

fn fill(random: &mut Random, modules: &mut Vec<Module>, at: usize, size: usize, depth: usize) {
    let mut module = modules[at].clone();
    let domains = module.domains.len();
    for i in 0..3 {
        let width = random.width();
        module.add_signal(&format!("in{i}"), width, SignalKind::Input);
    }
    for i in 0..4 {
        let width = random.width();
        module.add_signal(&format!("out{i}"), width, SignalKind::Output);
    }
    for (width, codes) in [(2, vec![0, 1, 2]), (3, vec![1, 2, 4])] {
        let variant = |code: &u128| Variant {
            name: format!("V{code}"),
            value: Value::new(width, *code),
            doc: String::new(),
        };
        let (name, variants) = (format!("E{width}"), codes.iter().map(variant).collect());
        module.enums.push(EnumType { name, width, variants });
    }
    let mut registers = vec![];
    for i in 0..3 + random.below(4) {
        let (width, domain) = (random.width(), DomainId(random.below(domains) as u32));
        let reset = random.chance(70).then(|| random.value(width));
        registers.push(module.add_signal(&format!("r{i}"), width, SignalKind::Register { domain, reset }));
    }
    let mut reads = vec![];
    for i in 0..1 + random.below(2) {
        let (width, depth) = (random.pick(&[4, 8, 36, 64, 144]), 1 << (1 + random.below(4)));
        let initial = random.chance(50).then(|| (0..depth).map(|_| random.value(width)).collect());
        let collision = random.pick(&[Collision::ReadOld, Collision::Undefined]);
        let (name, doc, loc) = (format!("mem{i}"), String::new(), here());
        module.memories.push(Memory { name, doc, loc, width, depth, initial, collision, crossing: true });
        let memory = MemoryId(i as u32);
        let domain = DomainId(random.below(domains) as u32);
        let target = module.add_signal(&format!("read{i}"), width, SignalKind::MemoryRead { memory, domain });
        reads.push((memory, target));
    }
    let mut pool = vec![];
    for (i, signal) in module.signals.clone().iter().enumerate() {
        if !matches!(signal.kind, SignalKind::Output) {
            pool.push(module.read(SignalId(i as u32)));
        }
    }
    pool.push(module.add(Op::Variant(EnumId(1), 2), 3));
    let mut generator = Generator { random, module, pool };
    let instances = if depth == 0 { 0 } else { 1 + generator.random.below(2) };
    let steps = size / 8;
    for step in 0..steps {
        for _ in 0..8 {
            generator.grow();
        }
        let this = &mut generator;
        if this.random.chance(60) {
            let width = this.random.width();
            let wire = this.module.add_signal(&format!("w{step}"), width, SignalKind::Wire);
            let body = this.block(wire, false, 3, true);
            this.module.body.extend(body);
            let value = this.module.read(wire);
            this.pool.push(value);
        }
        if this.random.chance(30) {
            let memory = MemoryId(this.random.below(this.module.memories.len()) as u32);
            let Memory { width, depth, .. } = this.module.memories[memory.index()];
            let address = this.sized(clog2(depth) as u32);
            let word = this.module.add(Op::MemoryPeek(memory, address), width);
            this.pool.push(word);
        }
        if step < instances {
            instance(this, modules, step, size / 2, depth - 1);
        }
    }
    let this = &mut generator;
    for target in registers {
        let body = this.block(target, true, 3, false);
        this.module.body.extend(body);
    }
    for (memory, target) in reads {
        let address_width = clog2(this.module.memories[memory.index()].depth) as u32;
        for _ in 0..1 + this.random.below(2) {
            let address = this.sized(address_width);
            let stmt = this.guarded(Stmt::MemoryRead { memory, address, target, loc: here() });
            this.module.body.push(stmt);
        }
        for _ in 0..1 + this.random.below(2) {
            let width = this.module.memories[memory.index()].width;
            let (address, data) = (this.sized(address_width), this.sized(width));
            let lanes = this.random.chance(50).then(|| {
                let lanes = this.random.pick(&[2, 4]);
                this.sized(lanes)
            });
            let domain = DomainId(this.random.below(domains) as u32);
            let write = Stmt::MemoryWrite { memory, domain, address, data, lanes, loc: here() };
            let stmt = this.guarded(write);
            this.module.body.push(stmt);
        }
    }
    for i in 0..2 {
        let kind = this.random.pick(&[CheckKind::Assert, CheckKind::Assume, CheckKind::Cover]);
        let domain = DomainId(this.random.below(domains) as u32);
        let condition = this.sized(1);
        let (name, message) = (format!("check{i}"), "holds".to_string());
        let check = Stmt::Check { kind, name, message, condition, domain, loc: here() };
        let stmt = this.guarded(check);
        this.module.body.push(stmt);
    }
    for output in 3..7 {
        let body = this.block(SignalId(output), false, 2, true);
        this.module.body.extend(body);
    }
    modules[at] = generator.module;
}

fn instance(this: &mut Generator, modules: &mut Vec<Module>, number: usize, size: usize, depth: usize) {
    let at = modules.len();
    let domains = 1 + this.random.below(2);
    modules.push(empty_module(&format!("child{at}"), domains));
    fill(this.random, modules, at, size, depth);
    let instance = InstanceId(this.module.instances.len() as u32);
    let mut connections = vec![];
    for (i, port) in modules[at].signals[..modules[at].ports].iter().enumerate() {
        let id = SignalId(i as u32);
        let name = format!("u{number}_{}", port.name);
        connections.push(match port.kind {
            SignalKind::Input => {
                let kind = SignalKind::InstanceInput { instance, port: id };
                let input = this.module.add_signal(&name, port.width, kind);
                let body = this.block(input, false, 1, true);
                this.module.body.extend(body);
                input
            }
            _ => {
                let kind = SignalKind::InstanceOutput { instance, port: id };
                let output = this.module.add_signal(&name, port.width, kind);
                let value = this.module.read(output);
                this.pool.push(value);
                output
            }
        });
    }
    let outer = this.module.domains.len();
    let domains = (0..domains).map(|_| DomainId(this.random.below(outer) as u32)).collect();
    this.module.instances.push(Instance {
        name: format!("u{number}"),
        doc: String::new(),
        loc: here(),
        module: ModuleId(at as u32),
        connections,
        domains,
    });
}
