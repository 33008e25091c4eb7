//! A rust-hdl 0.46 design with a FIFO of ours beside a register of theirs: in rust-hdl's simulator, and its Verilog in
//! Verilator. And what we say of rust-hdl's printer in `docs/src/rust-hdl.md`.

use hdl::{
    Direction::{Input, Output},
    Interface, Simulator,
    interface::{ClockDomain, Port},
    rust_hdl::ComponentError,
};
use rust_hdl_core::prelude::*;
use rust_hdl_widgets::prelude::*;
use sim::verilator::{Source, Verilated, VerilatorError, VerilatorOptions};

hdl::rust_hdl::component! {
    /// Sixteen bytes.
    pub struct ByteFifo {
        pub clk: Signal<In, Clock>,
        pub rst: Signal<In, Bit>,
        pub enq_valid: Signal<In, Bit>,
        pub enq_ready: Signal<Out, Bit>,
        pub enq_payload: Signal<In, Bits<8>>,
        pub deq_valid: Signal<Out, Bit>,
        pub deq_ready: Signal<In, Bit>,
        pub deq_payload: Signal<Out, Bits<8>>,
        pub occupancy: Signal<Out, Bits<5>>,
    }
}

fn fifo(depth: usize) -> hdl::Design {
    hdl::elaborate(|| rtl::prim::fifo(hdl::bits(8), depth)).unwrap().design
}

/// Counts beats in rust-hdl's register, and sends them through two FIFOs of ours.
#[derive(LogicBlock)]
struct Top {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub take: Signal<In, Bit>,
    pub valid: Signal<Out, Bit>,
    pub value: Signal<Out, Bits<8>>,
    pub count: Signal<Out, Bits<8>>,
    counter: DFF<Bits<8>>,
    first: ByteFifo,
    second: ByteFifo,
}

impl Top {
    fn new() -> Top {
        let fifo = || ByteFifo::new(&fifo(16)).unwrap();
        Top {
            clock: Default::default(),
            reset: Default::default(),
            take: Default::default(),
            valid: Default::default(),
            value: Default::default(),
            count: Default::default(),
            counter: Default::default(),
            first: fifo(),
            second: fifo(),
        }
    }
}

impl Logic for Top {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, counter);
        self.first.clk.next = self.clock.val();
        self.first.rst.next = self.reset.val();
        self.second.clk.next = self.clock.val();
        self.second.rst.next = self.reset.val();
        if self.first.enq_ready.val() & !self.reset.val() {
            self.counter.d.next = self.counter.q.val() + 1;
        }
        self.first.enq_valid.next = !self.reset.val();
        self.first.enq_payload.next = self.counter.q.val();
        self.second.enq_valid.next = self.first.deq_valid.val();
        self.second.enq_payload.next = self.first.deq_payload.val();
        self.first.deq_ready.next = self.second.enq_ready.val();
        self.second.deq_ready.next = self.take.val();
        self.valid.next = self.second.deq_valid.val();
        self.value.next = self.second.deq_payload.val();
        self.count.next = self.counter.q.val();
    }
}

fn top() -> Top {
    let mut top = Top::new();
    top.clock.connect();
    top.reset.connect();
    top.take.connect();
    top.connect_all();
    top
}

/// What a run shows: the values taken from the end, and the counter when nothing had moved for long.
struct Seen {
    taken: Vec<u64>,
    full: u64,
}

/// Fills both FIFOs, then empties them with pauses.
fn run(mut cycle: impl FnMut(bool, bool) -> (bool, u64, u64)) -> Seen {
    for _ in 0..3 {
        cycle(true, false);
    }
    let full = (0..60).map(|_| cycle(false, false).2).last().unwrap();
    let mut taken = vec![];
    for i in 0..300 {
        let take = i % 3 != 0;
        let (valid, value, _) = cycle(false, take);
        if valid && take {
            taken.push(value);
        }
    }
    Seen { taken, full }
}

fn check(seen: Seen) {
    assert_eq!(seen.full, 32, "both FIFOs hold sixteen beats");
    assert!(seen.taken.len() >= 190, "{}", seen.taken.len());
    let expected: Vec<u64> = (0..seen.taken.len() as u64).collect();
    assert_eq!(seen.taken, expected);
}

#[test]
fn in_the_simulator_of_rust_hdl() {
    let mut top = top();
    let settle = |top: &mut Top| assert!(simulate(top, 100), "it settles");
    check(run(|reset, take| {
        top.reset.next = reset;
        top.take.next = take;
        settle(&mut top);
        let seen = (top.valid.val(), top.value.val().to_u64(), top.count.val().to_u64());
        top.clock.next = true.into();
        settle(&mut top);
        top.clock.next = false.into();
        settle(&mut top);
        seen
    }));
}

fn port(name: &str, width: u32, direction: hdl::Direction) -> Port {
    Port { name: name.into(), width, direction, doc: String::new() }
}

/// A model of what rust-hdl printed.
fn verilated(verilog: &str, ports: Vec<Port>, reset: Option<&str>) -> Result<Verilated, VerilatorError> {
    let clock = ClockDomain { clock: Some("clock".into()), reset: reset.map(str::to_string) };
    let interface = Interface { name: "top".into(), ports, domains: vec![clock] };
    Verilated::build(&Source { verilog, interface: &interface }, &VerilatorOptions::default())
}

fn read(model: &mut Verilated, port: usize) -> u64 {
    let mut limbs = [0];
    model.read(port, &mut limbs);
    limbs[0]
}

#[test]
fn in_verilator() {
    let ports = vec![
        port("take", 1, Input),
        port("valid", 1, Output),
        port("value", 8, Output),
        port("count", 8, Output),
    ];
    let mut model = verilated(&generate_verilog(&top()), ports, Some("reset")).unwrap();
    check(run(|reset, take| {
        model.write_reset(0, reset);
        model.write(0, &[take as u64]);
        let seen = (read(&mut model, 1) == 1, read(&mut model, 2), read(&mut model, 3));
        model.step_domains(&[0]).unwrap();
        seen
    }));
}

#[test]
fn designs_of_one_name_do_not_meet() {
    hdl::rust_hdl::component! {
        struct Inverter {
            pub a: Signal<In, Bit>,
            pub q: Signal<Out, Bit>,
        }
    }
    #[derive(Clone, hdl::Bundle)]
    struct Io {
        #[input]
        a: hdl::Bool,
        #[output]
        q: hdl::Bool,
    }
    let design = |invert: bool| {
        let body = |io: &Io| io.q.set(if invert { !io.a } else { io.a });
        hdl::elaborate(|| hdl::module("gate", Io::ty(), body)).unwrap().design
    };
    let name = |invert| match Inverter::new(&design(invert)).unwrap().hdl() {
        Verilog::Wrapper(wrapper) => wrapper.code.split(' ').next().unwrap().to_string(),
        _ => unreachable!("components are wrapped"),
    };
    assert_eq!(name(true), name(true));
    assert_ne!(name(true), name(false));
}

#[test]
fn pins_that_differ() {
    macro_rules! error {
        ($($pin:ident: $ty:ty),*) => {{
            hdl::rust_hdl::component! { struct Wrong { $(pub $pin: $ty),* } }
            Wrong::new(&fifo(2)).map(|_| ()).unwrap_err()
        }};
    }
    let error = error!(clk: Signal<In, Clock>, reset: Signal<In, Bit>);
    assert!(matches!(error, ComponentError::Unknown { .. }));
    assert_eq!(error.to_string(), "module `fifo_8x2` has no port, clock or reset `reset`");
    let error = error!(clk: Signal<In, Bit>);
    let wanted = "`clk` of module `fifo_8x2` is declared as `Signal<In, Bit>`: it is a `Signal<In, Clock>`";
    assert_eq!(error.to_string(), wanted);
    let error = error!(enq_payload: Signal<In, Bits<9>>);
    assert!(error.to_string().ends_with("declared as `Signal<In, Bits<9>>`: it is a `Signal<In, Bits<8>>`"));
    let error = error!(enq_ready: Signal<In, Bit>);
    assert!(error.to_string().ends_with("declared as `Signal<In, Bit>`: it is a `Signal<Out, Bit>`"));
    let error = error!(clk: Signal<In, Clock>);
    let wanted = "port `rst` of module `fifo_8x2` is not declared: it is a `Signal<In, Bit>`";
    assert_eq!(error.to_string(), wanted);
}

/// What rust-hdl prints of its own, as `docs/src/rust-hdl.md` tells.
mod printer {
    use super::*;

    #[derive(LogicBlock, Default)]
    struct Compare {
        pub clock: Signal<In, Clock>,
        pub limit: Signal<In, Bits<4>>,
        pub last: Signal<Out, Bit>,
        left: DFF<Bits<4>>,
        right: DFF<Bits<4>>,
    }

    impl Logic for Compare {
        #[hdl_gen]
        fn update(&mut self) {
            dff_setup!(self, clock, left, right);
            self.left.d.next = self.left.q.val() + 1;
            self.right.d.next = self.left.q.val();
            self.last.next = self.left.q.val() + 1 == self.limit.val();
        }
    }

    fn compare() -> Compare {
        let mut block = Compare::default();
        block.clock.connect();
        block.limit.connect();
        block.connect_all();
        block
    }

    /// `15 + 1 == 0` in four bits: true in rust-hdl's simulator, and never in its Verilog, where the literal has 32
    /// bits and the sum as many.
    #[test]
    fn sums_in_comparisons_miscompile() {
        let mut block = compare();
        assert!(simulate(&mut block, 10));
        let mut simulated = 0;
        for _ in 0..32 {
            simulated += block.last.val() as usize;
            for level in [true, false] {
                block.clock.next = level.into();
                assert!(simulate(&mut block, 10));
            }
        }
        assert_eq!(simulated, 2);

        let verilog = generate_verilog(&compare());
        assert!(verilog.contains("last = left$q + 32'h1 == limit;"), "{verilog}");
        let ports = vec![port("limit", 4, Input), port("last", 1, Output)];
        let mut model = verilated(&verilog, ports, None).unwrap();
        let mut printed = 0;
        for _ in 0..32 {
            printed += read(&mut model, 1);
            model.step_domains(&[0]).unwrap();
        }
        assert_eq!(printed, 0, "rust-hdl compares in 4 bits now: correct docs/src/rust-hdl.md");
    }

    #[test]
    fn clocks_resets_and_modules() {
        let verilog = generate_verilog(&compare());
        let lines: Vec<&str> = verilog.lines().map(str::trim).collect();
        let has = |line: &str| assert!(lines.contains(&line), "no `{line}` in:\n{verilog}");
        // Clocks are variables that a combinational process copies.
        has("reg  left$clock;");
        has("always @(*) begin");
        has("left$clock = clock;");
        // A module for each register, though they are alike.
        has("module top$left(d,q,clock);");
        has("module top$right(d,q,clock);");
        // Registers start by `initial` and have no reset.
        has("q = 4'h0;");
        assert!(!verilog.contains("rst") && !verilog.contains("reset"));
    }

    #[derive(LogicBlock, Default)]
    struct Slices {
        pub a: Signal<In, Bits<4>>,
        pub q: Signal<Out, Bits<2>>,
    }

    impl Logic for Slices {
        #[hdl_gen]
        fn update(&mut self) {
            self.q.next = self.a.val().get_bits::<3>(1).get_bits::<2>(1);
        }
    }

    #[test]
    fn slices_of_slices_are_no_verilog() {
        let mut block = Slices::default();
        block.a.connect();
        block.connect_all();
        let verilog = generate_verilog(&block);
        assert!(verilog.contains("q = a[(32'h1)+:(3)][(32'h1)+:(2)];"), "{verilog}");
        let file = tempfile::Builder::new().suffix(".v").tempfile().unwrap();
        std::fs::write(file.path(), &verilog).unwrap();
        let output = std::process::Command::new("iverilog")
            .args(["-g2005", "-o", "/dev/null"])
            .arg(file.path())
            .output()
            .unwrap();
        assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
