//! A short run of the language's fuzzer, and the test that it finds faults.

use testbench::fuzz::{
    FuzzError, Options,
    check::{Checker, Engine, Verdict},
    description::{Binary, Input, Module, Node, Op, Part, Statement, Target, Unary, Wire},
    elaborate::elaborate,
    expressions, module,
    mutate::{Mutation, NativeFault},
    number::Number,
    run,
    yosys::{self, Proof},
};

/// The seed set of `make test`.
const SEED: u64 = 1;

fn checker(engines: &[Engine]) -> Checker {
    Checker {
        engines: engines.to_vec(),
        cycles: 48,
        seed: SEED,
        batch: (40, 20),
        threads: 1,
        cache: None,
        mutation: None,
    }
}

fn agree(options: Options, checker: &Checker) {
    let outcome = run(&options, checker, |_| {}).unwrap();
    let findings: Vec<String> = outcome.findings.iter().map(|finding| finding.to_string()).collect();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
    assert!(outcome.stats.expressions >= options.expressions && outcome.stats.modules >= options.modules);
}

#[test]
fn native_and_plain_rust_agree() {
    agree(Options { expressions: 4000, modules: 150, seed: SEED, done: 0 }, &checker(&[Engine::Native]));
}

#[test]
fn icarus_and_plain_rust_agree() {
    agree(Options { expressions: 640, modules: 0, seed: SEED, done: 0 }, &checker(&[Engine::Icarus]));
    agree(Options { expressions: 0, modules: 20, seed: SEED, done: 0 }, &checker(&[Engine::Icarus]));
}

#[test]
fn verilator_and_plain_rust_agree() {
    agree(Options { expressions: 320, modules: 0, seed: SEED, done: 0 }, &checker(&[Engine::Verilator]));
    agree(Options { expressions: 0, modules: 20, seed: SEED, done: 0 }, &checker(&[Engine::Verilator]));
}

/// What the long run has found: `{b, ~{153'd0, a} != 157'h1000..}`, of which Verilator 5.006 lost `b`. The emitter sees
/// that the rows always differ, but not where one of them has a name.
#[test]
fn rows_whose_constants_differ_are_compared() {
    let row = |name: &str| {
        let node = |op, width, name: &str| Node { op, width, name: name.into() };
        let nodes = vec![
            node(Op::Input(0), 4, ""),
            node(Op::Input(1), 1, ""),
            node(Op::Unary(Unary::ZeroExtend, 0), 157, ""),
            node(Op::Unary(Unary::Not, 2), 157, name),
            node(Op::Literal(Number::from_limbs(157, &[0, 0, 1 << 28])), 157, ""),
            node(Op::Binary(Binary::NotEqual, 3, 4), 1, ""),
            node(Op::Concat(vec![1, 5]), 2, ""),
        ];
        let input = |width, seed| Input { width, domain: 0, seed };
        let assign = Statement::Assign { target: Target::Output(0), part: Part::Whole, value: 6 };
        Module {
            name: format!("row_{name}"),
            domains: 1,
            inputs: vec![input(4, 1), input(1, 2)],
            outputs: vec![Wire { name: "o_0".into(), width: 2, domain: 0 }],
            nodes,
            body: vec![assign],
            ..Module::default()
        }
    };
    let modules = [row("far"), row(""), expressions(SEED, 7900)];
    let checker = checker(&[Engine::Native, Engine::Verilator, Engine::Icarus]);
    assert_eq!(checker.check(&modules).unwrap(), [(); 3].map(|()| Verdict::Same));
}

/// Yosys makes of the emitted text what it says: random expressions, and those random modules of which the proof ends
/// within seconds.
#[test]
fn yosys_proves_what_it_reads_of_random_hardware() {
    let folder = tempfile::tempdir().unwrap();
    let words = (0..20).filter(|index| ![4, 13].contains(index)).map(|index| expressions(SEED, index));
    let others = [4, 5, 6, 7].map(|index| module(SEED, index));
    let words = words.map(|module| (module, Proof::Combinational));
    for (module, proof) in words.chain(others.map(|module| (module, Proof::Induction))) {
        let verilog = elaborate(&module).unwrap().verilog();
        yosys::prove(folder.path(), &verilog.text(), &verilog.top, proof)
            .unwrap_or_else(|error| panic!("{}: {error}", module.name));
    }
}

/// As above, of standard cells.
#[test]
fn yosys_proves_what_it_reads() {
    let folder = tempfile::tempdir().unwrap();
    let kinds = ["skid_buffer", "round_robin", "priority", "counter", "stream_demux", "register_slice"];
    let blocks = rtl::prim::catalogue();
    for kind in kinds {
        let block = blocks.iter().find(|block| block.name.starts_with(&format!("{kind}(")));
        let block = block.unwrap_or_else(|| panic!("there is no {kind}"));
        let verilog = (block.build)().unwrap().verilog();
        yosys::prove(folder.path(), &verilog.text(), &verilog.top, Proof::Induction)
            .unwrap_or_else(|error| panic!("{}: {error}", block.name));
    }
}

/// The proof can fail: two designs that differ in one operator.
#[test]
fn yosys_refuses_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let text =
        |operator| format!("module top(input a, input b, output c); assign c = a {operator} b; endmodule");
    yosys::write(folder.path(), "design.v", &text("&")).unwrap();
    for proof in [Proof::Combinational, Proof::Induction] {
        yosys::write(folder.path(), "again.v", &text("&")).unwrap();
        yosys::prove_equal(folder.path(), "top", proof).unwrap();
        yosys::write(folder.path(), "again.v", &text("|")).unwrap();
        let error = yosys::prove_equal(folder.path(), "top", proof).unwrap_err();
        assert!(matches!(error, FuzzError::Tool { tool: "yosys", .. }), "{error}");
    }
}

/// Whether the short seed set shows a fault.
fn finds(mutation: Mutation, engine: Engine) -> bool {
    let checker = Checker { mutation: Some(mutation), ..checker(&[engine]) };
    let different = |verdicts: Vec<Verdict>| verdicts.iter().any(|verdict| *verdict != Verdict::Same);
    let modules: Vec<_> = (0..60).map(|index| module(SEED, index)).collect();
    let words: Vec<_> = (0..40).map(|index| expressions(SEED, index)).collect();
    different(checker.check(&words).unwrap()) || different(checker.check(&modules).unwrap())
}

#[test]
fn faults_of_the_simulator_are_found() {
    for fault in NativeFault::ALL {
        assert!(finds(Mutation::Native(fault), Engine::Native), "{fault:?}");
    }
}

#[test]
fn faults_of_the_emitter_are_found() {
    for (right, wrong) in [(" >>> ", " >> "), (" - ", " + "), ("$signed(", "("), (" < ", " <= ")] {
        assert!(finds(Mutation::Emitter(right, wrong), Engine::Icarus), "{right} printed as {wrong}");
    }
}

/// A difference comes out small, with the values that show it.
#[test]
fn differences_are_shrunk() {
    let checker =
        Checker { mutation: Some(Mutation::Native(NativeFault::AddSubtracts)), ..checker(&[Engine::Native]) };
    let outcome =
        run(&Options { expressions: 80, modules: 0, seed: SEED, done: 0 }, &checker, |_| {}).unwrap();
    let finding = &outcome.findings[0];
    assert!(finding.module.size() <= 6, "{finding}");
    assert!(finding.text.contains("Add(") && finding.text.contains("in plain Rust"), "{finding}");
}
