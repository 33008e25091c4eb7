//! Deliberate faults, for the test that the fuzzer finds faults.

use hdl::{Design, ir::*};

/// A fault of one simulator or of the emitter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// The native simulator takes one operation for another.
    Native(NativeFault),
    /// The emitter prints one text in place of another.
    Emitter(&'static str, &'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NativeFault {
    AddSubtracts,
    SignIsLost,
    ComparesUnsigned,
    SelectTakesFirst,
    ResetIsForgotten,
    LastArmIsLost,
    LanesAreLost,
}

impl NativeFault {
    pub const ALL: [NativeFault; 7] = [
        NativeFault::AddSubtracts,
        NativeFault::SignIsLost,
        NativeFault::ComparesUnsigned,
        NativeFault::SelectTakesFirst,
        NativeFault::ResetIsForgotten,
        NativeFault::LastArmIsLost,
        NativeFault::LanesAreLost,
    ];
}

impl Mutation {
    /// Emitted text with the fault.
    pub fn verilog(&self, text: &str) -> String {
        match self {
            Mutation::Emitter(right, wrong) => text.replace(right, wrong),
            Mutation::Native(_) => text.to_string(),
        }
    }

    /// The design as the faulty native simulator understands it.
    pub fn design(&self, design: &mut Design) {
        let Mutation::Native(fault) = *self else { return };
        for module in &mut design.modules {
            for expr in &mut module.exprs {
                mutate_expression(fault, &mut expr.op);
            }
            for signal in &mut module.signals {
                if let (NativeFault::ResetIsForgotten, SignalKind::Register { reset, .. }) =
                    (fault, &mut signal.kind)
                {
                    *reset = None;
                }
            }
            mutate_block(fault, &mut module.body);
        }
    }
}

fn mutate_expression(fault: NativeFault, op: &mut Op) {
    match (fault, op) {
        (NativeFault::AddSubtracts, Op::Binary(binary @ Binary::Add, ..)) => *binary = Binary::Subtract,
        (NativeFault::SignIsLost, Op::Shift(shift @ Shift::ArithmeticRight, ..)) => *shift = Shift::Right,
        (NativeFault::ComparesUnsigned, Op::Compare(compare @ Compare::SignedLess, ..)) => {
            *compare = Compare::Less;
        }
        (NativeFault::SelectTakesFirst, Op::Select(_, options)) => options.swap(0, 1),
        _ => {}
    }
}

fn mutate_block(fault: NativeFault, body: &mut [Stmt]) {
    for stmt in body {
        match stmt {
            Stmt::If { then, otherwise, .. } => {
                mutate_block(fault, then);
                mutate_block(fault, otherwise);
            }
            Stmt::Case(case) => {
                if fault == NativeFault::LastArmIsLost && case.default.is_none() {
                    case.enumeration = None;
                }
                case.arms.iter_mut().for_each(|arm| mutate_block(fault, &mut arm.body));
                case.default.iter_mut().for_each(|body| mutate_block(fault, body));
            }
            Stmt::MemoryWrite { lanes, .. } if fault == NativeFault::LanesAreLost => *lanes = None,
            _ => {}
        }
    }
}
