//! A description as its author would have typed it, and the report of a difference.

use super::{
    check::{Checker, Verdict, stimulus, verilog_of},
    description::*,
    interpret::Interpreter,
};
use std::fmt::Write;

/// Everything about a difference.
pub fn finding(checker: &Checker, module: &Module, verdict: &Verdict, seed: u64) -> String {
    let mut out = format!("seed {seed}, module {}: ", module.name);
    match verdict {
        Verdict::Same => out += "no difference",
        Verdict::Different(difference) => out += &difference.to_string(),
        Verdict::Failed { engine, message } => out += &format!("{engine:?} failed: {message}"),
    }
    out += "\n\n";
    describe(&mut out, module);
    if let Verdict::Different(difference) = verdict {
        out += "\n";
        values(&mut out, checker, module, difference.cycle);
    }
    out + "\n" + &verilog_of(module)
}

/// Inputs, clocks, resets and plain outputs of the cycles up to `last`.
fn values(out: &mut String, checker: &Checker, module: &Module, last: usize) {
    let mut interpreter = Interpreter::new(module);
    for (cycle, (clocks, resets)) in checker.schedule().steps.iter().enumerate().take(last + 1) {
        let _ = write!(out, "cycle {cycle}:");
        for (index, input) in module.inputs.iter().enumerate() {
            let value = stimulus(input.seed, input.width, cycle);
            let _ = write!(out, " i_{index}={value}");
            interpreter.write(index, value);
        }
        for output in 0..module.outputs.len() {
            let _ = write!(out, " o_{output}={}", interpreter.read(output));
        }
        let domains: Vec<usize> = (0..module.domains).filter(|&domain| clocks[domain]).collect();
        let reset: Vec<usize> = (0..module.domains).filter(|&domain| resets[domain]).collect();
        let _ = writeln!(out, " clocks={domains:?} resets={reset:?}");
        interpreter.step(&domains, resets);
    }
}

/// The module and its instances.
pub fn describe(out: &mut String, module: &Module) {
    for instance in &module.instances {
        describe(out, &instance.module);
    }
    let _ = writeln!(out, "module {} {{", module.name);
    for (i, input) in module.inputs.iter().enumerate() {
        let _ = writeln!(out, "    input i_{i}: bits({}) {}", input.width, DOMAINS[input.domain]);
    }
    for (i, output) in module.outputs.iter().enumerate() {
        let _ = writeln!(out, "    output o_{i}: bits({}) {}", output.width, DOMAINS[output.domain]);
    }
    for (i, wire) in module.wires.iter().enumerate() {
        let Wire { name, width, domain } = wire;
        let _ = writeln!(out, "    let w{i} = wire(bits({width})); {} // {name}", DOMAINS[*domain]);
    }
    for (i, Register { name, width, domain, reset }) in module.registers.iter().enumerate() {
        let ty = match reset {
            Some(reset) => format!("reg_init({reset})"),
            None => format!("reg_without_reset(bits({width}))"),
        };
        let _ = writeln!(out, "    let r{i} = {ty}; {} // {name}", DOMAINS[*domain]);
    }
    for (i, memory) in module.memories.iter().enumerate() {
        let Memory { name, width, depth, domain, collision, initial, crossing } = memory;
        let words: Vec<String> = initial.iter().flatten().map(|word| word.to_string()).collect();
        let (domain, words) = (DOMAINS[*domain], words.join(", "));
        let crossing = if *crossing { ".crossing()" } else { "" };
        let _ = writeln!(
            out,
            "    let m{i} = mem(bits({width}), {depth}, {collision:?}){crossing}; {domain} [{words}] // {name}"
        );
    }
    for (i, instance) in module.instances.iter().enumerate() {
        let Instance { name, module, domains } = instance;
        let _ = writeln!(out, "    let u{i} = {}(domains {domains:?}); // {name}", module.name);
    }
    for (id, node) in module.nodes.iter().enumerate() {
        let Node { op, width, name } = node;
        let _ = writeln!(out, "    let n{id} = {}; // {width} bits {name}", expression(op));
    }
    block(out, &module.body, 1);
    out.push_str("}\n");
}

fn list(ids: &[NodeId]) -> String {
    ids.iter().map(|id| format!("n{id}")).collect::<Vec<_>>().join(", ")
}

fn expression(op: &Op) -> String {
    match op {
        Op::Literal(number) => number.to_string(),
        Op::Input(i) => format!("i_{i}"),
        Op::Register(i) => format!("r{i}"),
        Op::Wire(i) => format!("w{i}"),
        Op::Output(i) => format!("o_{i}"),
        Op::InstanceOutput(i, port) => format!("u{i}.o_{port}"),
        Op::Cross(i) => format!("cross(r{i})"),
        Op::Read { memory, address, conditions, domain } => {
            let whens: String = conditions.iter().map(|id| format!("when n{id}: ")).collect();
            format!("{whens}m{memory}.read(n{address}) {}", DOMAINS[*domain])
        }
        Op::Peek { memory, address } => format!("m{memory}.peek(n{address})"),
        Op::Unary(op, a) => format!("{op:?}(n{a})"),
        Op::Binary(op, a, b) => format!("{op:?}(n{a}, n{b})"),
        Op::Shift(shift, a, b) => format!("Shift{shift:?}(n{a}, n{b})"),
        Op::Mux(c, a, b) => format!("n{c}.mux(n{a}, n{b})"),
        Op::Select(index, options) => format!("select([{}], n{index})", list(options)),
        Op::At(vector, index) => format!("n{vector}.at(n{index})"),
        Op::Slice(a, low) => format!("n{a}.slice({low}, ..)"),
        Op::Concat(parts) => format!("cat([{}])", list(parts)),
        Op::Repeat(a, count) => format!("n{a}.repeat({count})"),
    }
}

fn name(target: Target) -> String {
    match target {
        Target::Output(i) => format!("o_{i}"),
        Target::Wire(i) => format!("w{i}"),
        Target::Register(i) => format!("r{i}"),
        Target::InstanceInput(i, port) => format!("u{i}.i_{port}"),
    }
}

fn block(out: &mut String, body: &[Statement], depth: usize) {
    let indent = "    ".repeat(depth);
    let inner = |out: &mut String, head: String, body: &[Statement]| {
        let _ = writeln!(out, "{indent}{head} {{");
        block(out, body, depth + 1);
        let _ = writeln!(out, "{indent}}}");
    };
    for statement in body {
        match statement {
            Statement::Assign { target, part, value } => {
                let part = match part {
                    Part::Whole => String::new(),
                    Part::Slice { low, width } => format!(".slice({low}, {width})"),
                    Part::Bit(index) => format!(".at(n{index})"),
                };
                let _ = writeln!(out, "{indent}{}{part}.set(n{value});", name(*target));
            }
            Statement::SetAt { targets, index, value } => {
                let targets: Vec<String> = targets.iter().map(|&target| name(target)).collect();
                let _ = writeln!(out, "{indent}set_at([{}], n{index}, n{value});", targets.join(", "));
            }
            Statement::When { arms, otherwise } => {
                for (i, (condition, body)) in arms.iter().enumerate() {
                    let word = if i == 0 { "when" } else { "elsewhen" };
                    inner(out, format!("{word} n{condition}"), body);
                }
                if let Some(body) = otherwise {
                    inner(out, "otherwise".into(), body);
                }
            }
            Statement::Switch { selector, arms, default } => {
                for (value, body) in arms {
                    inner(out, format!("switch n{selector} case {value}"), body);
                }
                if let Some(body) = default {
                    inner(out, format!("switch n{selector} default"), body);
                }
            }
            Statement::Cases { enumeration, selector, arms } => {
                for (value, body) in enumeration.encodings().iter().zip(arms) {
                    inner(out, format!("cases {enumeration:?} n{selector} is {value}"), body);
                }
            }
            Statement::Write { memory, address, data, lanes, .. } => {
                let lanes = lanes.map(|lanes| format!(", lanes n{lanes}")).unwrap_or_default();
                let _ = writeln!(out, "{indent}m{memory}.write(n{address}, n{data}{lanes});");
            }
        }
    }
}
