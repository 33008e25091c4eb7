//! The checks that judge a faulty bridge, the cheapest first.

use super::subject;
use crate::checks::{
    assert_agrees, bandwidth, changes, data_path, edges, isolation, keys, lockstep::Lockstep, random,
    registers,
};
use crate::traffic::{case, changing_case, draw, play};
use hdl::{Interface, Native, Simulator, Violation, elaborate, interface::PortIndex};
use rtl::config::Config;
use sim::{
    veb::{Losses, Policy, bench::Bench},
    verilator::{Source, Verilated, VerilatorOptions},
};
use std::path::Path;

/// Cycles after which a run counts as hanging: several times what the longest check takes without a fault.
const MOST_CYCLES: u64 = 2_000_000;

/// A bridge with all faults, of which one is on.
pub struct Mutants<'a> {
    /// As [`super::netlist`] made it.
    pub verilog: &'a str,
    pub interface: &'a Interface,
    /// The input that says which fault is on; 0 is none.
    pub selector: PortIndex,
    pub fault: u64,
}

impl Mutants<'_> {
    fn start(&self, x_random: Option<u64>) -> Bounded {
        let source = Source { verilog: self.verilog, interface: self.interface };
        let options = VerilatorOptions { x_random, ..Default::default() };
        let mut sim = Verilated::build(&source, &options).unwrap();
        sim.write(self.selector, &[self.fault]);
        Bounded { sim, left: MOST_CYCLES }
    }
}

/// A simulator that gives up after some cycles.
pub struct Bounded {
    sim: Verilated,
    left: u64,
}

impl Simulator for Bounded {
    fn interface(&self) -> &Interface {
        self.sim.interface()
    }

    fn write(&mut self, port: PortIndex, value: &[u64]) {
        self.sim.write(port, value);
    }

    fn read(&mut self, port: PortIndex, value: &mut [u64]) {
        self.sim.read(port, value);
    }

    fn write_reset(&mut self, domain: usize, asserted: bool) {
        self.sim.write_reset(domain, asserted);
    }

    fn step_domains(&mut self, domains: &[usize]) -> Result<(), Violation> {
        self.left = self.left.checked_sub(1).expect("hangs");
        self.sim.step_domains(domains)
    }

    fn cycles(&self) -> u64 {
        self.sim.cycles()
    }

    fn trace(&mut self, file: &Path) -> std::io::Result<()> {
        self.sim.trace(file)
    }
}

/// A check of a faulty bridge.
pub struct Check {
    pub name: &'static str,
    run: fn(&dyn Fn() -> Bounded, &Config),
}

/// All of them, in their order.
pub const CHECKS: &[Check] = &[
    Check {
        name: "random",
        run: |make, config| random::cases(make(), config, &case(config, 300, 400), 0..3).unwrap(),
    },
    Check {
        name: "rows_read_as_they_were_written",
        run: |make, config| changes::rows_read_as_they_were_written(make(), config),
    },
    Check {
        name: "bad_accesses_are_refused",
        run: |make, config| changes::bad_accesses_are_refused(make(), config),
    },
    Check {
        name: "keys_count_by_all_their_bits",
        run: |make, config| keys::keys_count_by_all_their_bits(make(), config),
    },
    Check {
        name: "ports_leave_and_come_back",
        run: |make, config| edges::ports_leave_and_come_back(make(), config),
    },
    Check {
        name: "reserved_vids_are_no_vlans",
        run: |make, config| edges::reserved_vids_are_no_vlans(make(), config),
    },
    Check {
        name: "wishes_count_for_functions_alone",
        run: |make, config| edges::wishes_count_for_functions_alone(make(), config),
    },
    Check {
        name: "maxima_count_by_all_their_bits",
        run: |make, config| bandwidth::maxima_count_by_all_their_bits(make(), config),
    },
    Check { name: "every_address", run: |make, config| registers::every_address(make(), config) },
    Check { name: "every_command", run: |make, config| registers::every_command(make(), config) },
    Check {
        name: "rows_hold_until_reset",
        run: |make, config| registers::rows_hold_until_reset(make(), config),
    },
    Check {
        name: "stalled_ports_hold_their_limit_or_share",
        run: |make, config| isolation::stalled_ports_hold_their_limit_or_share(make, config),
    },
    Check {
        name: "storms_on_stalled_ports",
        run: |make, config| isolation::storms_on_stalled_ports(make, config),
    },
    Check {
        name: "congestion_begins_where_it_is_set",
        run: |make, config| isolation::congestion_begins_where_it_is_set(make(), config),
    },
    Check { name: "responses_wait", run: |make, config| registers::responses_wait(make(), config) },
    Check {
        name: "congested_ports_are_waited_for_while_they_live",
        run: |make, config| isolation::congested_ports_are_waited_for_while_they_live(make, config),
    },
    Check { name: "the_managers_frames", run: |make, config| data_path::the_managers_frames(make(), config) },
    Check { name: "latency", run: |make, config| data_path::latency(make(), config) },
    Check {
        name: "a_full_bucket_is_an_answer",
        run: |make, config| changes::a_full_bucket_is_an_answer(make(), config),
    },
    Check {
        name: "reset_in_the_middle_of_traffic",
        run: |make, config| random::reset_in_the_middle_of_traffic(make(), config),
    },
    Check {
        name: "random, more",
        run: |make, config| random::cases(make(), config, &case(config, 1000, 1600), 10..16).unwrap(),
    },
    Check { name: "storms", run: |make, config| random::storms(make(), config, 40..44) },
    Check {
        name: "random, long frames",
        run: |make, config| random::cases(make(), config, &case(config, 400, 9700), 20..22).unwrap(),
    },
    Check {
        name: "the_dead_do_not_use_up_the_reserve",
        run: |make, config| isolation::the_dead_do_not_use_up_the_reserve(make(), config),
    },
    Check {
        name: "a_frame_sees_the_old_row_or_the_new",
        run: |make, config| {
            changes::a_frame_sees_the_old_row_or_the_new(
                make,
                config,
                &changing_case(config, 2500, 300),
                201..203,
            )
            .unwrap()
        },
    },
    Check {
        name: "every_length_from_every_kind_of_port_to_every_other",
        run: |make, config| {
            let lengths = (60..=200).chain([1518, 1522, 1526, 9600, 9622, 9623]);
            data_path::every_length_from_every_kind_of_port_to_every_other(make(), config, lengths);
        },
    },
    Check {
        name: "a_beat_moves_in_every_cycle",
        run: |make, config| data_path::a_beat_moves_in_every_cycle(make, config),
    },
    Check { name: "tags_cost_no_cycles", run: |make, config| data_path::tags_cost_no_cycles(make, config) },
    Check {
        name: "a_dead_function_is_not_felt",
        run: |make, config| isolation::a_dead_function_is_not_felt(make, config),
    },
    Check { name: "shares_and_maxima", run: |make, config| bandwidth::few_shares(make(), config) },
];

/// Runs the checks, or only one, on a bridge. `begins` is told each check's name before it runs.
///
/// # Panics
/// Where a check finds something wrong.
pub fn judge(mutants: &Mutants, only: Option<&str>, begins: impl Fn(&str)) {
    let config = subject();
    for check in CHECKS.iter().filter(|check| only.is_none_or(|only| only == check.name)) {
        begins(check.name);
        (check.run)(&|| mutants.start(Some(1)), &config);
    }
}

/// Whether any output differs from the native simulator's in any cycle of a run.
///
/// # Panics
/// If one does.
pub fn compare_cycles(mutants: &Mutants) {
    let config = subject();
    let design = elaborate(|| rtl::veb::veb(&config)).unwrap().design;
    let pair = Lockstep::new(&config, Native::new(&design).unwrap(), mutants.start(None));
    let after_reset = Policy::new(config.wires, config.functions());
    let mut bench = Bench::new(pair, &config, &after_reset, Losses::Counted, 1).unwrap();
    for seed in 0..3 {
        play(&mut bench, &draw(&case(&config, 300, 500), 300 + seed)).unwrap();
    }
    assert_agrees(&bench.finish().unwrap());
}
