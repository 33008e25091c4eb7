//! Every block in the native simulator and in Verilator: equal in every cycle, on random stimuli with stalls and resets.
//!
//! The blocks of a catalogue are built into a few models, because building is what takes time.

use hdl::{Design, Direction, Interface, Native, ir::*};
use rtl::{catalogue::Block, config::Config};
use sim::equivalence::{EquivalenceError, Options, Stats, compare, merge, run, verilate};
use std::collections::HashSet;

/// How large a model may become, in expressions of its designs.
const MODEL: usize = 12_000;

/// Cycles within which every memory of the bridge is clear.
const CLEARING: u64 = 4200;

/// What random stimuli cannot move: they wait for addresses, or for rings that make sense. `tests/control.rs`,
/// `tests/manager.rs` and `tests/veb/equivalence.rs` know those of the bridge and the manager; those of the endpoint and of the
/// network functions have tests in the native simulator only.
const ADDRESSED: [&str; 9] = [
    "veb/control/",
    "veb/veb/",
    "pcie/configuration/",
    "pcie/endpoint/",
    "pcie/msix/",
    "virtio/registers/",
    "virtio/fetch/",
    "virtio/control/",
    "manager/",
];

/// Runs all `blocks` as a few merged designs.
fn check(name: &str, blocks: Vec<Block>, rest: u64) {
    let built = blocks.iter().map(|block| {
        let design = (block.build)().unwrap_or_else(|errors| panic!("{}: {errors}", block.name));
        (block.name.as_str(), design)
    });
    let mut models: Vec<Vec<(&str, Design)>> = vec![];
    let mut filled = MODEL;
    for (name, design) in built {
        let size: usize = design.modules.iter().map(|module| module.exprs.len()).sum();
        if filled + size > MODEL {
            models.push(vec![]);
            filled = 0;
        }
        filled += size;
        models.last_mut().expect("one was pushed").push((name, design));
    }
    for (index, model) in models.iter().enumerate() {
        let named: Vec<(String, &Design)> =
            model.iter().map(|(name, design)| (identifier(name), design)).collect();
        let named: Vec<(&str, &Design)> =
            named.iter().map(|(name, design)| (name.as_str(), *design)).collect();
        let design = merge(&format!("{name}_{index}"), &named);
        let options = Options { rest, ..Options::default() };
        let Stats { cycles, comparisons, beats, resets, changes } =
            run(&design, &options).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(cycles, rest + 10_000);
        let mut changes = &changes[..];
        for (name, design) in model {
            let (own, others) = changes.split_at(outputs(design));
            let addressed = ADDRESSED.iter().any(|prefix| name.starts_with(prefix));
            assert!(addressed || is_active(own), "{name} does too little: {own:?}");
            changes = others;
        }
        let blocks = model.len();
        println!("{name} {index}: {blocks} blocks, {comparisons} values, {beats} beats, {resets} resets");
    }
}

fn outputs(design: &Design) -> usize {
    Interface::of(design).ports.iter().filter(|port| port.direction == Direction::Output).count()
}

/// Whether half of a block's outputs changed. While it clears memories nearly all stand still.
fn is_active(changes: &[(String, u64)]) -> bool {
    changes.iter().filter(|(_, changes)| *changes > 0).count() * 2 >= changes.len()
}

/// A legal name for an instance.
fn identifier(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

#[test]
fn standard_cells() {
    check("prim", rtl::prim::catalogue(), 0);
}

/// Every block of the bridge on its own, and the whole.
#[test]
fn bridge() {
    let least = Config { vfs: 0, entries: 16, cells: 16, ..Config::small() };
    for config in Config::all().into_iter().chain([least]) {
        check(&format!("{}_{}", config.name, config.ports()), rtl::veb::catalogue(&config), CLEARING);
    }
}

/// Every block of the endpoint.
#[test]
fn endpoint() {
    for config in [Config::small(), Config { name: "nine", vfs: 9, ..Config::small() }] {
        let clearing = 7 * 128 * config.functions() as u64 + 100;
        check(&format!("pcie_{}", config.functions()), rtl::pcie::catalogue(&config), clearing);
    }
}

/// Every block of the network functions.
#[test]
fn network_functions() {
    for config in [Config::small(), Config { name: "nine", vfs: 7, pairs: 4, ..Config::small() }] {
        check(&format!("virtio_{}", config.functions()), rtl::virtio::catalogue(&config), CLEARING);
    }
}

/// The manager with its registers.
#[test]
fn manager() {
    let most = Config { name: "most", vfs: 62, wires: 2, pairs: 4, ..Config::small() };
    for config in Config::all().into_iter().chain([most]) {
        let clearing = 2 * 8 * 64 + 10;
        check(&format!("manager_{}", config.functions()), rtl::manager::catalogue(&config), clearing);
    }
}

/// The test of the activity: blocks that still clear their memories are seen.
#[test]
fn idleness_is_seen() {
    let blocks = rtl::veb::catalogue(&Config::small());
    for kind in ["classifier", "statistics"] {
        let block = blocks.iter().find(|block| block.name.contains(kind)).expect("it is part of the bridge");
        let design = (block.build)().unwrap();
        let active = |rest| {
            let [mut one, mut other] = [(); 2].map(|()| Native::new(&design).unwrap());
            let options = Options { cycles: 1000, rest, ..Options::default() };
            is_active(&compare(&mut one, &mut other, &options).unwrap().changes)
        };
        assert!(active(CLEARING) && !active(0), "{kind}");
    }
}

/// The test of the test: a fault in any block's logic is seen.
#[test]
fn a_mutated_design_is_caught() {
    let blocks = rtl::prim::catalogue();
    let fifo = blocks.iter().find(|block| block.name.contains("fifo")).expect("there are FIFOs");
    let design = (fifo.build)().unwrap();
    let faults: Vec<Design> = (0..).map_while(|index| mutant(&design, index)).collect();
    assert!(faults.len() > 3, "{} faults", faults.len());
    let seen = |faulty: &&Design| {
        let (mut right, mut wrong) = (Native::new(&design).unwrap(), Native::new(faulty).unwrap());
        let result = compare(&mut right, &mut wrong, &Options::default());
        result.is_err_and(|difference| difference.cycle < 5000 && !difference.history.is_empty())
    };
    // Some exchanged operators change nothing: a sum of bits that are never both set, for example.
    let caught = faults.iter().filter(seen).count();
    assert!(caught * 4 >= faults.len() * 3, "{caught} of {} faults are seen", faults.len());
}

/// The same through Verilator: the error names the port and shows the history.
#[test]
fn a_mutated_model_is_caught() {
    let blocks = rtl::prim::catalogue();
    let block = blocks.iter().find(|block| block.name.contains("skid")).expect("there is a skid buffer");
    let design = (block.build)().unwrap();
    let mut verilated = verilate(&design).unwrap();
    let mut native = Native::new(&mutant(&design, 0).expect("a fault")).unwrap();
    let difference = compare(&mut native, &mut verilated, &Options::default()).unwrap_err();
    let text = EquivalenceError::Difference(difference).to_string();
    assert!(text.contains("in the first simulator") && text.contains("cycle"), "{text}");
}

/// The design with one operator of its hardware exchanged; `None` when there is no `index`-th.
fn mutant(design: &Design, index: usize) -> Option<Design> {
    let mut mutant = design.clone();
    let exprs = mutant.modules.iter_mut().flat_map(|module| {
        let live = hardware(module);
        module.exprs.iter_mut().enumerate().filter(move |(i, _)| live.contains(&ExprId(*i as u32)))
    });
    let exchanged = exprs.filter_map(|(_, expr)| match &mut expr.op {
        Op::Binary(binary, ..) => {
            let other = match *binary {
                Binary::And => Binary::Or,
                Binary::Or => Binary::Xor,
                Binary::Xor => Binary::And,
                Binary::Add => Binary::Subtract,
                Binary::Subtract => Binary::Add,
            };
            Some((binary, other))
        }
        _ => None,
    });
    let (binary, other) = exchanged.into_iter().nth(index)?;
    *binary = other;
    Some(mutant)
}

/// The expressions that more than checks depend on.
fn hardware(module: &Module) -> HashSet<ExprId> {
    let drives = |stmt: &Stmt| match stmt {
        Stmt::Assign { target, .. } | Stmt::MemoryRead { target, .. } => !module.signal(*target).ghost,
        stmt => matches!(stmt, Stmt::MemoryWrite { .. }),
    };
    let (mut todo, mut live) = (vec![], HashSet::new());
    let body = project(&module.body, &drives);
    walk(&body, &mut |stmt| todo.extend(stmt.operands()));
    while let Some(expr) = todo.pop() {
        if live.insert(expr) {
            todo.extend(module.expr(expr).op.operands());
        }
    }
    live
}
