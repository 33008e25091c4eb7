mod behaviour;
mod random;

use super::*;
use crate::{
    ir::*,
    reference::{Reference, evaluate},
};
use random::{Generator, Random, design, empty_module};

/// Runs both evaluations of `design` on the same random inputs and compares all that can be seen.
fn compare(design: &Design, random: &mut Random, cycles: usize, what: &str) {
    let mut native = Native::new(design).expect("a sound design");
    let mut reference = Reference::new(design);
    let interface = native.interface().clone();
    for cycle in 0..cycles {
        for (port, info) in interface.ports.iter().enumerate() {
            if info.direction == Direction::Input && random.chance(70) {
                let value = random.value(info.width);
                native.write(port, value.limbs());
                reference.write(port, value.limbs());
            }
        }
        if cycle % 3 == 2 {
            change_resets(&mut native, &mut reference, random, interface.domains.len());
        }
        for (id, signal) in design.top().signals.iter().enumerate() {
            let expected = reference.peek_signal(SignalId(id as u32));
            let found = native.peek_internal(&signal.name).expect("a known name");
            assert_eq!(found, expected, "{what}, cycle {cycle}: `{}`", signal.name);
        }
        let ticking: Vec<usize> = (0..interface.domains.len()).filter(|_| random.chance(80)).collect();
        let expected = reference.step_domains(&ticking);
        let found = native.step_domains(&ticking);
        assert_eq!(found.is_err(), expected.is_err(), "{what}, cycle {cycle}: {found:?}, {expected:?}");
        if let Err(violation) = found {
            assert_eq!(violation.cycle, cycle as u64);
        }
    }
}

fn change_resets(native: &mut Native, reference: &mut Reference, random: &mut Random, domains: usize) {
    for domain in 0..domains {
        let asserted = random.chance(30);
        native.write_reset(domain, asserted);
        reference.write_reset(domain, asserted);
    }
}

#[test]
fn random_designs_agree_with_the_reference() {
    for seed in 0..150 {
        let random = &mut Random::new(seed);
        let (size, depth, domains) = (8 + random.below(60), random.below(3), 1 + random.below(2));
        let design = design(random, size, depth, domains);
        compare(&design, random, 12, &format!("seed {seed}"));
    }
}

#[test]
fn random_expressions_agree_with_the_reference() {
    for seed in 0..200 {
        let random = &mut Random::new(seed);
        let mut module = empty_module("top", 1);
        let inputs: Vec<SignalId> = (0..6)
            .map(|i| {
                let width = random.width();
                module.add_signal(&format!("in{i}"), width, SignalKind::Input)
            })
            .collect();
        let pool = inputs.iter().map(|&input| module.read(input)).collect();
        let mut generator = Generator { random, module, pool };
        let results: Vec<ExprId> = (0..40).map(|_| generator.grow()).collect();
        let Generator { random, mut module, .. } = generator;
        let outputs = results.into_iter().enumerate().map(|(i, result)| {
            let width = module.expr(result).width;
            let output = module.add_signal(&format!("out{i}"), width, SignalKind::Output);
            module.assign(output, result);
            (output, result)
        });
        let outputs: Vec<(SignalId, ExprId)> = outputs.collect();
        let design = Design { modules: vec![module] };
        let mut native = Native::new(&design).expect("a sound design");
        for _ in 0..5 {
            check_expressions(design.top(), &inputs, &outputs, &mut native, random, seed);
        }
    }
}

/// Compares all results for one set of random inputs.
fn check_expressions(
    module: &Module,
    inputs: &[SignalId],
    outputs: &[(SignalId, ExprId)],
    native: &mut Native,
    random: &mut Random,
    seed: u64,
) {
    let values: Vec<Value> = inputs.iter().map(|&input| random.value(module.signal(input).width)).collect();
    for (&input, value) in inputs.iter().zip(&values) {
        native.write(input.index(), value.limbs());
    }
    let mut known: Vec<Value> = vec![];
    for expr in &module.exprs {
        let operands: Vec<Value> = expr.op.operands().iter().map(|id| known[id.index()].clone()).collect();
        known.push(match &expr.op {
            Op::Signal(signal) => values[signal.index()].clone(),
            op => evaluate(op, expr.width, &operands),
        });
    }
    for &(output, result) in outputs {
        let expr = module.expr(result);
        let mut limbs = vec![0; expr.width.div_ceil(64) as usize];
        native.read(output.index(), &mut limbs);
        let operands: Vec<&Value> = expr.op.operands().iter().map(|id| &known[id.index()]).collect();
        let (op, expected) = (&expr.op, &known[result.index()]);
        assert_eq!(&Value::from_limbs(expr.width, &limbs), expected, "seed {seed}: {op:?} of {operands:?}");
    }
}
