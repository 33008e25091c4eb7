//! Ports, clocks, resets, memories and initial values.

use crate::*;

#[test]
fn a_counter_counts_and_resets() {
    let mut counter = model(COUNTER, &counter(), &NO_OPTIONS);
    counter.write_reset(0, true);
    counter.step_domains(&[0]).unwrap();
    counter.write_reset(0, false);
    set(&mut counter, "by", 3);
    assert_eq!(
        (get(&mut counter, "count"), get(&mut counter, "next")),
        (0, 3),
        "outputs follow inputs at once"
    );
    for step in 1..=200 {
        counter.step_domains(&[0]).unwrap();
        assert_eq!(get(&mut counter, "count"), step * 3 % 256);
        assert_eq!(get(&mut counter, "next"), step * 3 % 256 + 3);
    }
    set(&mut counter, "by", 0x1_02);
    assert_eq!(get(&mut counter, "by"), 2, "bits above the width are ignored");
    counter.step_domains(&[0]).unwrap();
    assert_eq!(get(&mut counter, "count"), 602 % 256);
    counter.write_reset(0, true);
    assert_eq!(get(&mut counter, "count"), 602 % 256, "the reset is synchronous");
    counter.step_domains(&[0]).unwrap();
    assert_eq!(get(&mut counter, "count"), 0);
    assert_eq!(counter.cycles(), 203);
}

#[test]
fn inputs_count_with_or_without_a_read_before_the_edge() {
    let mut peeked = model(COUNTER, &counter(), &NO_OPTIONS);
    let mut unseen = model(COUNTER, &counter(), &NO_OPTIONS);
    let mut expected = 0;
    for by in (0..100).map(|i| i * 37 % 256) {
        for counter in [&mut peeked, &mut unseen] {
            set(counter, "by", by);
        }
        assert_eq!(get(&mut peeked, "next"), expected + by);
        for counter in [&mut peeked, &mut unseen] {
            counter.step_domains(&[0]).unwrap();
        }
        expected = (expected + by) % 256;
        assert_eq!((get(&mut peeked, "count"), get(&mut unseen, "count")), (expected, expected));
    }
}

#[test]
#[should_panic(expected = "port `count` is an output")]
fn outputs_cannot_be_written() {
    set(&mut model(COUNTER, &counter(), &NO_OPTIONS), "count", 1);
}

#[test]
#[should_panic(expected = "no clock domain 1")]
fn an_unknown_domain_cannot_be_stepped() {
    let _ = model(COUNTER, &counter(), &NO_OPTIONS).step_domains(&[1]);
}

/// A value of `width` bits with all bits below the width, and some above, in use.
fn pattern(width: u32, seed: u64) -> Vec<u64> {
    let mixed = |limb: u64| (seed + limb).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17);
    (0..u64::from(width.div_ceil(64))).map(mixed).collect()
}

fn masked(width: u32, mut value: Vec<u64>) -> Vec<u64> {
    if !width.is_multiple_of(64) {
        *value.last_mut().unwrap() &= (1 << (width % 64)) - 1;
    }
    value
}

#[test]
fn every_width_from_1_to_200_passes_through() {
    let widths = 1..=200u32;
    let names: Vec<[String; 3]> =
        widths.clone().map(|w| ["in", "out", "held"].map(|name| format!("{name}_{w}"))).collect();
    let sized = |index: usize| names.iter().zip(widths.clone()).map(move |(n, w)| (n[index].as_str(), w));
    let outputs: Vec<_> = sized(1).chain(sized(2)).collect();
    let interface = clocked("widths", &sized(0).collect::<Vec<_>>(), &outputs, false);
    let mut verilog = "module widths (input wire clk".to_owned();
    for w in widths.clone() {
        let range = w - 1;
        verilog += &format!(",\n input wire [{range}:0] in_{w}, output wire [{range}:0] out_{w}");
        verilog += &format!(", output reg [{range}:0] held_{w}");
    }
    verilog += ");\n";
    for w in widths.clone() {
        verilog += &format!("assign out_{w} = ~in_{w};\nalways @(posedge clk) held_{w} <= in_{w};\n");
    }
    verilog += "endmodule\n";

    let mut model = model(&verilog, &interface, &NO_OPTIONS);
    let mut held: Vec<_> = widths.clone().map(|w| vec![0; w.div_ceil(64) as usize]).collect();
    for round in 0..5 {
        for w in widths.clone() {
            let port = position(&model, &format!("in_{w}"));
            model.write(port, &pattern(w, round + u64::from(w)));
        }
        for w in widths.clone() {
            let expected = masked(w, pattern(w, round + u64::from(w)));
            let inverted = masked(w, expected.iter().map(|limb| !limb).collect());
            let read = |model: &mut Verilated, name: &str| {
                let port = position(model, &format!("{name}_{w}"));
                // What a read does not overwrite would show.
                let mut value = vec![u64::MAX; w.div_ceil(64) as usize];
                model.read(port, &mut value);
                value
            };
            assert_eq!(read(&mut model, "in"), expected);
            assert_eq!(read(&mut model, "out"), inverted);
            assert_eq!(read(&mut model, "held"), held[w as usize - 1], "not before the edge");
        }
        model.step_domains(&[0]).unwrap();
        for w in widths.clone() {
            let port = position(&model, &format!("held_{w}"));
            let mut value = vec![u64::MAX; w.div_ceil(64) as usize];
            model.read(port, &mut value);
            assert_eq!(value, masked(w, pattern(w, round + u64::from(w))));
            held[w as usize - 1] = value;
        }
    }
}

const DOMAINS: &str = "
module domains (input wire clk, input wire rst, input wire fast, input wire other_rst,
                output reg [7:0] a, output reg [7:0] b, output reg [7:0] a_seen);
    always @(posedge clk) if (rst) a <= 8'd0; else a <= a + 8'd1;
    always @(posedge fast) begin
        if (other_rst) b <= 8'd0; else b <= b + 8'd1;
        a_seen <= a;
    end
endmodule
";

#[test]
fn clock_domains_step_apart_and_together() {
    let outputs = ports(&[], &[("a", 8), ("b", 8), ("a_seen", 8)]);
    let clocks =
        vec![domain(Some("clk"), Some("rst")), domain(Some("fast"), Some("other_rst")), domain(None, None)];
    let interface = Interface { name: "domains".into(), ports: outputs, domains: clocks };
    let mut model = model(DOMAINS, &interface, &NO_OPTIONS);
    let mut expected = [0, 0, 0];
    let schedule: [&[usize]; 8] = [&[0], &[1], &[0, 1], &[1, 0], &[1], &[1], &[0], &[]];
    for domains in schedule.iter().cycle().take(40) {
        model.step_domains(domains).unwrap();
        let a = expected[0];
        expected[0] += u64::from(domains.contains(&0));
        if domains.contains(&1) {
            // Edges at the same instant see the values before it.
            expected = [expected[0], expected[1] + 1, a];
        }
        assert_eq!(["a", "b", "a_seen"].map(|name| get(&mut model, name)), expected, "after {domains:?}");
    }
    model.write_reset(1, true);
    model.write_reset(2, true);
    model.step_domains(&[0, 1, 2]).unwrap();
    assert_eq!(
        ["a", "b"].map(|name| get(&mut model, name)),
        [expected[0] + 1, 0],
        "each reset is its domain's"
    );
}

#[test]
fn falling_edges_and_latches_work_too() {
    let verilog = "
module edges (input wire clk, input wire [3:0] d, output reg [3:0] rose, output reg [3:0] fell, output reg [3:0] open);
    always @(posedge clk) rose <= rose + 4'd1;
    always @(negedge clk) fell <= rose;
    always @(clk or d) if (!clk) open = d;
endmodule";
    let interface = clocked("edges", &[("d", 4)], &[("rose", 4), ("fell", 4), ("open", 4)], false);
    let mut model = model(verilog, &interface, &NO_OPTIONS);
    for round in 1..10 {
        set(&mut model, "d", round);
        model.step_domains(&[0]).unwrap();
        assert_eq!(get(&mut model, "rose"), round);
        set(&mut model, "d", 15 - round);
        assert_eq!((get(&mut model, "fell"), get(&mut model, "open")), (round, 15 - round));
    }
}

const MEMORY: &str = "
module memory (input wire clk, input wire write, input wire [9:0] at, input wire [71:0] data, output reg [71:0] q);
    reg [71:0] words [0:1023];
    always @(posedge clk) begin
        if (write) words[at] <= data;
        q <= words[at];
    end
endmodule
";

fn memory() -> Interface {
    clocked("memory", &[("write", 1), ("at", 10), ("data", 72)], &[("q", 72)], false)
}

#[test]
fn a_memory_reads_what_was_written() {
    let mut memory = model(MEMORY, &memory(), &NO_OPTIONS);
    let word = |address: u64| [address.wrapping_mul(0x0123_4567_89ab_cdef), address & 0xff];
    set(&mut memory, "write", 1);
    for address in 0..1024 {
        set(&mut memory, "at", address);
        memory.write(2, &word(address));
        memory.step_domains(&[0]).unwrap();
        let mut before = [1, 1];
        memory.read(3, &mut before);
        assert_eq!(before, [0, 0], "the old word, at first 0");
    }
    set(&mut memory, "write", 0);
    for address in (0..1024).rev() {
        set(&mut memory, "at", address);
        memory.step_domains(&[0]).unwrap();
        let mut value = [0, 0];
        memory.read(3, &mut value);
        assert_eq!(value, word(address));
    }
}

#[test]
fn seeds_choose_the_initial_values() {
    let initial = |x_random| {
        let mut memory = model(MEMORY, &memory(), &VerilatorOptions { x_random, ..NO_OPTIONS });
        let mut words = Vec::new();
        for address in 0..16 {
            set(&mut memory, "at", address);
            memory.step_domains(&[0]).unwrap();
            words.push(get(&mut memory, "at") << 48 ^ read_low(&mut memory));
        }
        words
    };
    fn read_low(memory: &mut Verilated) -> u64 {
        let mut value = [0, 0];
        memory.read(3, &mut value);
        assert!(value[1] < 256);
        value[0]
    }
    assert_eq!(initial(Some(7)), initial(Some(7)), "the same seed repeats");
    assert_ne!(initial(Some(7)), initial(Some(8)));
    assert_ne!(initial(Some(0)), initial(None));
    assert_eq!(initial(None), (0..16).map(|address| address << 48).collect::<Vec<_>>());
}

#[test]
fn a_design_without_a_clock_settles() {
    let verilog = "module sum (input wire [63:0] a__b, input wire [63:0] b, output wire [64:0] s);
        assign s = a__b + b; endmodule";
    let ports = ports(&[("a__b", 64), ("b", 64)], &[("s", 65)]);
    let interface = Interface { name: "sum".into(), ports, domains: vec![domain(None, None)] };
    let mut model = model(verilog, &interface, &NO_OPTIONS);
    set(&mut model, "a__b", u64::MAX);
    set(&mut model, "b", 2);
    let mut sum = [0, 0];
    model.read(2, &mut sum);
    assert_eq!(sum, [1, 1]);
    model.write_reset(0, true);
    model.step_domains(&[0]).unwrap();
    assert_eq!(model.cycles(), 1);
}

#[test]
fn instances_are_independent_and_move_between_threads() {
    let mut counters: Vec<_> = (0..4).map(|_| model(COUNTER, &counter(), &NO_OPTIONS)).collect();
    for (by, counter) in counters.iter_mut().enumerate() {
        set(counter, "by", by as u64);
    }
    let moved = counters.into_iter().map(|mut counter| {
        std::thread::spawn(move || {
            (0..50).for_each(|_| counter.step_domains(&[0]).unwrap());
            counter
        })
    });
    for (by, moved) in moved.collect::<Vec<_>>().into_iter().enumerate() {
        let mut counter = moved.join().unwrap();
        counter.step_domains(&[0]).unwrap();
        assert_eq!(get(&mut counter, "count"), by as u64 * 51);
    }
}
