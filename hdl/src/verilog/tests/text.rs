//! What holds of any emitted text, and details that the samples do not show.

use super::samples;
use crate::*;

#[test]
fn the_same_design_prints_the_same_text() {
    for ((name, first), (_, second)) in samples::all().into_iter().zip(samples::all()) {
        assert_eq!(first.verilog(), first.verilog(), "{name}");
        assert_eq!(first.verilog(), second.verilog(), "{name}");
    }
}

#[test]
fn lines_are_short_and_clean() {
    for (name, design) in samples::all() {
        for line in design.verilog().text_with_models().lines() {
            assert!(line.chars().count() <= 100, "{name}: {line}");
            assert_eq!(line, line.trim_end(), "{name}");
            assert!(!line.contains('\t') && !line.contains("lint_off"), "{name}: {line}");
        }
    }
}

/// A register of the child would hide the instance.
#[test]
fn no_instance_is_called_like_something_inside() {
    #[derive(Bundle, Clone, Copy)]
    struct Io {
        #[input]
        next: Bool,
        #[output]
        now: Bool,
    }
    #[hdl]
    fn child() -> Io {
        module("child", Io::ty(), |io| {
            let waiting = reg(flag());
            waiting.set(io.next);
            io.now.set(!waiting);
        })
    }
    #[hdl]
    fn parent() -> Io {
        module("parent", Io::ty(), |io| {
            let waiting = child();
            let other = child();
            waiting.next.set(io.next);
            other.next.set(waiting.now);
            io.now.set(other.now);
        })
    }
    let text = elaborate(parent).unwrap().design.verilog().text();
    assert!(text.contains("child waiting_block (") && text.contains("child other ("), "{text}");
}

/// Connections of ports with long names to wires with long names.
#[test]
fn long_connections_are_broken() {
    #[derive(Bundle, Clone, Copy)]
    struct Io {
        #[input]
        brief: Bool,
        #[input]
        what_goes_in_has_a_name_that_is_long: Bool,
        #[output]
        what_comes_out_has_a_name_that_takes_more_than_half_of_a_line: Bool,
    }
    #[hdl]
    fn child() -> Io {
        module("child", Io::ty(), |io| {
            let inner = io.what_goes_in_has_a_name_that_is_long & io.brief;
            io.what_comes_out_has_a_name_that_takes_more_than_half_of_a_line.set(inner);
        })
    }
    #[hdl]
    fn parent() -> Io {
        module("parent", Io::ty(), |io| {
            let inner_part = child();
            inner_part.brief.set(io.brief);
            let long = &inner_part;
            long.what_goes_in_has_a_name_that_is_long.set(io.what_goes_in_has_a_name_that_is_long);
            let out = long.what_comes_out_has_a_name_that_takes_more_than_half_of_a_line;
            io.what_comes_out_has_a_name_that_takes_more_than_half_of_a_line.set(!out);
        })
    }
    let text = elaborate(parent).unwrap().design.verilog().text();
    assert!(text.lines().all(|line| line.len() <= 100), "{text}");
    let name = "what_comes_out_has_a_name_that_takes_more_than_half_of_a_line";
    let broken = format!("        .{name}\n            (inner_part_{name})");
    assert!(text.contains(&broken), "{text}");
}

#[test]
fn equal_modules_are_printed_once() {
    let verilog = samples::design("hierarchy").verilog();
    let names: Vec<&str> = verilog.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["fifo.v", "fifo_1.v", "hierarchy.v"]);
    assert_eq!(verilog.top, "hierarchy");
    let models: Vec<&str> = verilog.models.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(models, ["BUF.v"]);
    assert!(!verilog.text().contains("module BUF") && verilog.text_with_models().contains("module BUF"));
}

#[test]
fn a_module_and_what_is_in_it_have_different_names() {
    #[derive(Bundle, Clone, Copy)]
    struct Io {
        #[input]
        a: Bool,
        #[output]
        q: Bool,
    }
    #[hdl]
    fn body(io: &Io) {
        let dut = io.a & true;
        let unused = reg(flag());
        unused.set(dut ^ unused);
        io.q.set(unused);
    }
    let design = elaborate(|| module("dut", Io::ty(), body)).unwrap().design;
    let text = design.verilog().text();
    assert!(text.contains("module dut ("), "{text}");
    // A port that has the module's name makes the module give way, for ports are what others rely on.
    let design = elaborate(|| module("q", Io::ty(), |io| io.q.set(!io.a))).unwrap().design;
    assert_eq!(design.verilog().top, "q_module");
    assert_eq!(design.interface().name, "q_module");
}

#[derive(Bundle, Clone, Copy)]
struct WordsIo {
    #[input]
    a: U<2>,
    #[input]
    b: U<2>,
    #[output]
    x: U<4>,
    #[output]
    y: U<4>,
}

fn print(body: impl FnOnce(&WordsIo)) -> String {
    elaborate(|| module("dut", WordsIo::ty(), body)).unwrap().design.verilog().text()
}

fn named<T>(name: &str, make: impl FnOnce() -> T) -> T {
    let _scope = scope(name, "");
    make()
}

/// Icarus 11 evaluates `m[a + 2'd2]` in three bits, and reads nothing.
#[test]
fn a_computed_address_has_a_name() {
    let text = print(|io| {
        let words = named("words", || mem(bits(4), 4, Collision::ReadOld));
        io.x.set(words.peek(*io.a + 2).as_u());
        io.y.set(words.read(*io.a - *io.b).as_u());
        words.write(*io.a ^ *io.b, lit(5, 4));
    });
    for line in
        ["wire [1:0] a_plus_2 = a + 2'd2;", "words[a_plus_2]", "words[a_minus_b]", "words[a_xor_b] <= 4'd5;"]
    {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn a_plain_address_has_none() {
    let text = print(|io| {
        let words = named("words", || mem(bits(4), 4, Collision::ReadOld));
        io.x.set(words.peek(*io.a).as_u());
        io.y.set(words.peek(cat([io.a.slice(0, 1), io.b.slice(1, 1)])).as_u());
        words.write(lit(3, 2), lit(5, 4));
    });
    for word in ["words[a]", "words[{a[0], b[1]}]", "words[2'd3] <= 4'd5;"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

/// Of `words[2'd1] << a` Icarus 11 makes a program that it cannot read.
#[test]
fn a_constant_word_is_not_shifted_in_place() {
    let text = print(|io| {
        let words = named("words", || mem(bits(4), 4, Collision::ReadOld));
        words.write(*io.a, lit(5, 4));
        io.x.set((words.peek(lit(1, 2)) << *io.a).as_u());
        io.y.set((lit(9, 4) >> words.peek(lit(2, 2))).as_u());
    });
    assert!(text.contains("words_at_1 << a") && text.contains("4'd9 >> words_at_2"), "{text}");
}

#[test]
fn a_switch_of_nothing_but_a_default_is_that() {
    let text = print(|io| {
        let count = named("count", || reg_without_reset(bits(4)));
        switch(io.a).default(|| {
            io.x.set(count.as_u());
            count.set(count + 1);
        });
        switch(io.b).case(1, || switch(io.a).default(|| io.y.set(1))).default(|| io.y.set(2));
    });
    assert!(text.contains("assign x = count;") && text.contains("        count <= count + 4'd1;"), "{text}");
    assert_eq!(text.matches("case (").count(), 1, "{text}");
}

/// Names that are made up give way to those of the source, wherever these stand, and to reserved words.
#[test]
fn made_up_names_are_unique() {
    let text = print(|io| {
        let sum = *io.a + *io.b;
        io.x.set(cat([sum.slice(1, 1), io.a.slice(0, 1), sum]).as_u());
        let eq = named("eq", || wire(flag()));
        eq.set(io.a.eq(*io.b));
        let differ = !cat([eq; 9]);
        let both = differ.slice(3, 2) ^ *io.a;
        let both = cat([differ.at(cat([*io.a, *io.b])), both.any()]);
        let later = named("a_plus_b", || reg_without_reset(bits(2)));
        later.set(later ^ both);
        io.y.set(cat([later, both]).as_u());
    });
    assert!(
        text.contains("wire [1:0] a_plus_b_1 = a + b;") && text.contains("reg [1:0] a_plus_b;"),
        "{text}"
    );
    assert!(!text.contains(" not_eq ") && !text.contains(" not_eq;"), "{text}");
}

/// Verilator 5.006 takes `{a, |(~{b, 154'd0})}` for 1, whatever `a` is.
#[test]
fn a_row_with_a_constant_is_reduced() {
    let text = print(|io| {
        let row = cat([*io.a, lit(0, 154), *io.b]);
        io.x.set(cat([(!row).any(), row.all(), (!row).all(), row.any()]).as_u());
        io.y.set(cat([(!(!row)).all(), cat([*io.a, lit(1, 2)]).any(), io.a.any(), io.b.all()]).as_u());
    });
    assert!(text.contains("assign x = {2'd2, ") && text.contains("assign y = {2'd1, |a, &b};"), "{text}");
}

/// Verilator 5.006 takes `{a, ~{154'd0, b} != 157'd5}` for 1, whatever `a` is.
#[test]
fn rows_whose_constants_differ_are_not_compared() {
    let text = print(|io| {
        let row = cat([lit(0, 100), *io.b]);
        let low = cat([*io.a, lit(2, 2)]);
        let (never, always) = ((!row).eq(lit(5, 102)), low.ne(cat([*io.b, lit(1, 2)])));
        io.x.set(cat([(!row).ne(lit(5, 102)), never, io.a.eq(*io.b), always]).as_u());
        io.y.set(
            cat([row.eq(cat([lit(0, 98), low])), low.eq(cat([*io.b, lit(2, 2)])), io.a.any(), never]).as_u(),
        );
    });
    assert!(text.contains("assign x = {2'd2, a == b, 1'b1};"), "{text}");
    assert!(text.contains("== {98'd0, {a, 2'd2}}, {a, 2'd2} == {b, 2'd2}, |a, 1'b0};"), "{text}");
}

/// Yosys 0.23 fails on `.a($unsigned($signed(a) >>> b))`.
#[test]
fn a_signed_shift_is_not_connected_in_place() {
    let text = print(|io| {
        let inner = module("inner", WordsIo::ty(), |io| {
            io.x.set(cat([*io.a, *io.b]).as_u());
            io.y.set(0);
        });
        inner.a.set((io.a.as_signed() >> *io.b).bits().as_u());
        inner.b.set(io.b);
        io.x.set(inner.x);
        io.y.set(inner.y);
    });
    assert!(text.contains("(a_shifted),"), "{text}");
}

/// Verilog has no process that waits for nothing.
#[test]
fn a_process_that_reads_nothing_waits_for_a_constant() {
    let text = print(|io| {
        let none = lit(1, 2) >> lit(2, 2);
        io.x.set(select(&[lit(3, 4), lit(5, 4), lit(9, 4)], none).as_u());
        io.y.set(0);
    });
    assert!(!text.contains("@()"), "{text}");
    assert!(text.contains("_constant = 1'b0;") && text.contains("_constant) begin"), "{text}");
}

/// What is called like its module has another name for good: in waveforms as in Verilog.
#[test]
fn nothing_is_called_like_its_module() {
    let design = elaborate(|| {
        module("dut", WordsIo::ty(), |io| {
            let count = named("dut", || reg(bits(4)));
            count.set(count + 1);
            io.x.set(count.as_u());
            io.y.set(0);
        })
    });
    let design = design.unwrap().design;
    assert!(design.top().signals.iter().all(|signal| signal.name != "dut"));
    assert!(design.verilog().text().contains("reg [3:0] dut_q;"), "{}", design.verilog().text());
}

#[test]
fn the_interface_is_the_tops() {
    let interface = samples::design("two_clocks").interface();
    let ports: Vec<&str> = interface.ports.iter().map(|port| port.name.as_str()).collect();
    assert_eq!(ports, ["request", "seen"]);
    assert_eq!(interface.domains[0].clock.as_deref(), Some("clk"));
    assert_eq!(interface.domains[1].reset.as_deref(), Some("wr_rst"));
    assert_eq!(samples::design("operators").interface().domains[0].clock, None);
}

#[test]
fn the_port_reference_tells_the_clock_of_each_port() {
    let verilog = samples::design("two_clocks").verilog();
    let reference = verilog.port_reference();
    for row in [
        "# Ports of `two_clocks`",
        "| `wr_clk` | input | 1 |  | Clock; rising edges count. |",
        "| `wr_rst` | input | 1 | `wr_clk` | Synchronous reset, active high. |",
        "| `request` | input | 1 | `wr_clk` | Toggles in the writer's domain. |",
        "| `seen` | output | 1 | `clk` |  |",
    ] {
        assert!(reference.contains(row), "{reference}");
    }
}

#[test]
fn literals() {
    let print = |width: u32, value: u128| super::super::expr::literal(&Value::new(width, value));
    assert_eq!(print(1, 1), "1'b1");
    assert_eq!(print(4, 15), "4'd15");
    assert_eq!(print(8, 255), "8'hff");
    assert_eq!(print(12, 200), "12'd200");
    assert_eq!(print(16, 0x8100), "16'h8100");
    assert_eq!(print(48, 0x0180_c200_0001), "48'h180_c200_0001");
    assert_eq!(print(64, u64::MAX as u128), "{64{1'b1}}");
    assert_eq!(print(32, u32::MAX as u128), "32'hffffffff");
}
