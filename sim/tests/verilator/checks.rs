//! Waveforms, assertions, coverage and lint.

use crate::*;
use sim::verilator::lint;
use std::io::ErrorKind;
use std::path::Path;
use wellen::simple;

const TRACE: VerilatorOptions = VerilatorOptions { trace: true, ..NO_OPTIONS };
const ASSERTIONS: VerilatorOptions = VerilatorOptions { assertions: true, ..NO_OPTIONS };

/// Times (in ns) and values at which a signal changes.
fn changes(file: &Path, signal: &str) -> Vec<(u64, String)> {
    let mut waveform = simple::read(file).unwrap();
    let hierarchy = waveform.hierarchy();
    let variables: Vec<_> = hierarchy.all_vars().map(|variable| &hierarchy[variable]).collect();
    let names: Vec<_> = variables.iter().map(|variable| variable.full_name(hierarchy)).collect();
    let position =
        names.iter().position(|name| name == signal).unwrap_or_else(|| panic!("no {signal} in {names:?}"));
    let signal = variables[position].signal_ref();
    waveform.load_signals(&[signal]);
    let times = waveform.time_table();
    let values = waveform.get_signal(signal).unwrap().iter_changes();
    values.map(|(at, value)| (times[at as usize], value.to_bit_string().unwrap())).collect()
}

fn value_at(changes: &[(u64, String)], time: u64) -> u64 {
    let (_, value) = changes.iter().rfind(|(at, _)| *at <= time).expect("a value before this time");
    u64::from_str_radix(value, 2).unwrap()
}

#[test]
fn a_waveform_shows_every_signal_at_its_time() {
    let folder = folder("waveform");
    let verilog = COUNTER.replace("endmodule", "wire [299:0] wide = {292'd5, count};\nendmodule");
    let mut counter = model(&verilog, &counter(), &TRACE);
    set(&mut counter, "by", 1);
    (0..10).for_each(|_| counter.step_domains(&[0]).unwrap());
    let first = folder.join("first.fst");
    counter.trace(&first).unwrap();
    (0..10).for_each(|_| counter.step_domains(&[0]).unwrap());
    let second = folder.join("second.fst");
    counter.trace(&second).unwrap();
    set(&mut counter, "by", 7);
    (0..3).for_each(|_| counter.step_domains(&[0]).unwrap());
    drop(counter);

    let count = changes(&first, "counter.count");
    for cycle in 10..20 {
        assert_eq!(value_at(&count, cycle * 10), cycle, "before the edge of cycle {cycle}");
        assert_eq!(value_at(&count, cycle * 10 + 5), cycle + 1, "after it");
    }
    let clock = changes(&first, "counter.clk");
    assert_eq!((0..20).map(|i| value_at(&clock, 100 + i * 5)).collect::<Vec<_>>(), [0, 1].repeat(10));
    let wide = changes(&first, "counter.wide");
    assert_eq!(wide.last().unwrap().1.trim_start_matches('0'), "10100010100", "5 above 20");

    assert_eq!(value_at(&changes(&second, "counter.by"), 200), 7, "inputs change with the cycle");
    assert_eq!(value_at(&changes(&second, "counter.count"), 230), 41);
    assert_eq!(changes(&first, "counter.by").len(), 1, "the first file has ended");
}

#[test]
fn what_a_model_was_not_built_for_is_an_error() {
    let folder = folder("unsupported");
    let mut counter = model(COUNTER, &counter(), &NO_OPTIONS);
    let error = counter.trace(&folder.join("t.fst")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(error.to_string(), "the model was built without `VerilatorOptions::trace`");
    assert_eq!(counter.coverage(&folder.join("c.dat")).unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0, "nothing is created");
}

#[test]
fn files_that_cannot_be_written_are_errors() {
    let nowhere = folder("nowhere").join("missing/file");
    let options = VerilatorOptions { trace: true, coverage: true, ..NO_OPTIONS };
    let mut counter = model(COUNTER, &counter(), &options);
    assert_eq!(counter.trace(&nowhere).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(counter.coverage(&nowhere).unwrap_err().kind(), ErrorKind::NotFound);
    counter.step_domains(&[0]).unwrap();
}

/// A counter in a submodule with an assertion, an assumption and a cover point.
const CHECKED: &str = "
module checked (input wire clk, input wire rst, input wire [7:0] by, output wire [7:0] count);
    inner inner (.clk(clk), .rst(rst), .by(by), .count(count));
endmodule
module inner (input wire clk, input wire rst, input wire [7:0] by, output reg [7:0] count);
    always @(posedge clk) begin
        if (rst) count <= 8'd0;
        else count <= count + by;
`ifdef FORMAL
        if (!rst) begin
            below_nine: assert (count != 8'd9);
            small_steps: assume (by < 8'd5);
            seven: cover (count == 8'd7);
        end
`endif
    end
endmodule
";

fn checked() -> Interface {
    clocked("checked", &[("by", 8)], &[("count", 8)], true)
}

#[test]
fn a_failing_assertion_is_an_error_of_its_cycle() {
    let mut model = model(CHECKED, &checked(), &ASSERTIONS);
    set(&mut model, "by", 1);
    for _ in 0..9 {
        model.step_domains(&[0]).unwrap();
    }
    let violation = model.step_domains(&[0]).unwrap_err();
    assert_eq!(violation.cycle, 9);
    assert!(
        violation.message.starts_with("checked.inner.below_nine: 'assert' failed (checked.v:"),
        "{violation}"
    );
    assert_eq!((get(&mut model, "count"), model.cycles()), (10, 10), "the design goes on");
    model.step_domains(&[0]).unwrap();

    set(&mut model, "by", 7);
    let violation = model.step_domains(&[0]).unwrap_err();
    assert_eq!(violation.cycle, 11);
    assert!(violation.message.contains("checked.inner.small_steps"), "{violation}");
    model.write_reset(0, true);
    model.step_domains(&[0]).unwrap();
}

#[test]
fn assertions_cost_nothing_unless_asked_for() {
    let mut model = model(CHECKED, &checked(), &NO_OPTIONS);
    set(&mut model, "by", 9);
    for _ in 0..20 {
        model.step_domains(&[0]).unwrap();
    }
}

#[test]
fn assertions_of_two_threads_stay_apart() {
    let run = |by: u64| {
        move || {
            let mut model = model(CHECKED, &checked(), &ASSERTIONS);
            set(&mut model, "by", by);
            (0..1000).filter(|_| model.step_domains(&[0]).is_err()).count()
        }
    };
    let threads = [1, 4, 2].map(|by| std::thread::spawn(run(by)));
    let counted = threads.map(|thread| thread.join().unwrap());
    // 9 is met once in 256 steps of 1, and never by even numbers.
    assert_eq!(counted, [4, 0, 0]);
}

#[test]
fn finish_stop_and_an_endless_loop_end_no_process() {
    let verilog = |body: &str| {
        format!(
            "module ends (input wire clk, input wire [1:0] how, output reg seen);
             {body} always @(posedge clk) seen <= 1'b1; endmodule"
        )
    };
    let interface = clocked("ends", &[("how", 2)], &[("seen", 1)], false);
    let body = "always @(posedge clk) begin if (how == 2'd1) $finish; if (how == 2'd2) $stop; end";
    let mut ends = model(&verilog(body), &interface, &NO_OPTIONS);
    for (how, word) in [(1, "$finish"), (2, "$stop"), (1, "$finish")] {
        set(&mut ends, "how", how);
        let violation = ends.step_domains(&[0]).unwrap_err();
        assert!(violation.message.starts_with("ends.v:") && violation.message.ends_with(word), "{violation}");
    }
    set(&mut ends, "how", 0);
    ends.step_domains(&[0]).unwrap();
    assert_eq!((ends.cycles(), get(&mut ends, "seen")), (4, 1));

    // An oscillator while `how` is not 0.
    let body = "wire a /*verilator public_flat_rd*/; wire b /*verilator public_flat_rd*/;
        assign a = (how != 2'd0) ? ~b : 1'b0; assign b = a;";
    let mut ends = model(&verilog(body), &interface, &NO_OPTIONS);
    ends.step_domains(&[0]).unwrap();
    set(&mut ends, "how", 1);
    get(&mut ends, "seen");
    for cycle in 1..3 {
        let violation = ends.step_domains(&[0]).unwrap_err();
        assert_eq!(violation.cycle, cycle);
        assert!(violation.message.contains("did not converge"), "{violation}");
    }
}

#[test]
fn coverage_counts_lines_and_cover_points() {
    let folder = folder("coverage");
    let options = VerilatorOptions { coverage: true, ..NO_OPTIONS };
    let mut model = model(CHECKED, &checked(), &options);
    set(&mut model, "by", 1);
    (0..8).for_each(|_| model.step_domains(&[0]).unwrap());
    set(&mut model, "by", 0);
    let file = folder.join("coverage.dat");
    model.coverage(&file).unwrap();
    let seven = || {
        let text = fs::read_to_string(&file).unwrap();
        let line = text.lines().find(|line| line.contains("seven")).expect("the cover point").to_owned();
        line.rsplit(' ').next().unwrap().parse::<u32>().unwrap()
    };
    assert_eq!(seven(), 1);
    model.write_reset(0, true);
    model.step_domains(&[0]).unwrap();
    model.write_reset(0, false);
    set(&mut model, "by", 1);
    (0..8).for_each(|_| model.step_domains(&[0]).unwrap());
    model.coverage(&file).unwrap();
    assert_eq!(seven(), 2, "it counts on");
    let violation = (0..8).find_map(|_| model.step_domains(&[0]).err()).expect("assertions are checked too");
    assert!(violation.message.contains("below_nine"), "{violation}");
}

#[test]
fn lint_takes_a_file_or_a_folder() {
    let folder = folder("lint");
    let (good, bad) = (folder.join("counter.v"), folder.join("bad.v"));
    fs::write(&good, COUNTER).unwrap();
    lint(&good, "counter").unwrap();
    lint(&folder, "counter").unwrap();
    let width_error = "module bad (input wire [3:0] a, output wire [4:0] b); assign b = a; endmodule\n";
    fs::write(&bad, width_error).unwrap();
    let messages = lint(&bad, "bad").unwrap_err();
    assert!(messages.contains("WIDTH") && messages.contains("bad.v:1"), "{messages}");
    assert!(lint(&folder, "bad").is_err());
    let missing = lint(&folder.join("missing"), "bad").unwrap_err();
    assert!(missing.starts_with("cannot read"), "{missing}");
}
