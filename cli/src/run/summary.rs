//! What a run came to.

use super::Played;
use rtl::config::Config;
use serde::Serialize;
use sim::{
    nic::bench::{FunctionFigures, Outcome},
    report::Results,
    veb::{Mismatch, Report},
};

/// The figures, in the shape that other programs rely on.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    pub frames_in: u64,
    /// Against the reference model.
    pub mismatches: u64,
    pub ports: Vec<Port>,
    pub drops: Vec<Drops>,
    /// Of the adapter: what the functions and their drivers did.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<FunctionFigures>,
    /// Simulated, set-up of the tables included.
    pub cycles: u64,
    /// Frames in, per second of wall-clock time.
    pub frames_per_second: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Port {
    pub name: String,
    pub frames_out: u64,
    pub bytes_out: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Drops {
    pub reason: String,
    pub frames: u64,
}

/// The figures, and what was wrong.
pub struct Summary {
    pub figures: Figures,
    seconds: f64,
    mismatches: Vec<Mismatch>,
    /// What became of each flow, as a table.
    flows: String,
}

/// Mismatches that the table spells out.
const SHOWN: usize = 10;

impl Summary {
    pub fn of_bridge(played: Played<Report>) -> Summary {
        let Played { outcome, results, cycles, seconds } = played;
        Summary::new(outcome, cycles, seconds, &results)
    }

    pub fn of_adapter(played: Played<Outcome>) -> Summary {
        let Played { outcome, results, cycles, seconds } = played;
        let mut summary = Summary::new(outcome.report, cycles, seconds, &results);
        let behind = [("no_buffer", outcome.no_buffer), ("mailbox_full", outcome.manager_lost)];
        let behind = behind.map(|(reason, frames)| Drops { reason: reason.to_owned(), frames });
        summary.figures.drops.extend(behind);
        summary.figures.functions = outcome.functions;
        summary
    }

    /// `seconds` is the wall-clock time that the simulation took.
    fn new(report: Report, cycles: u64, seconds: f64, results: &Results) -> Summary {
        let ports = report.ports.iter().map(|port| Port {
            name: port.name.clone(),
            frames_out: port.frames,
            bytes_out: port.bytes,
        });
        let drops =
            report.drops().into_iter().map(|(reason, frames)| Drops { reason: reason.to_string(), frames });
        let figures = Figures {
            frames_in: report.frames_in,
            mismatches: report.mismatch_count(),
            ports: ports.collect(),
            drops: drops.collect(),
            functions: vec![],
            cycles,
            frames_per_second: (report.frames_in as f64 / seconds).round(),
        };
        Summary { figures, seconds, mismatches: report.mismatches, flows: results.text() }
    }

    /// For people.
    pub fn table(&self, config: &Config) -> String {
        let Figures { frames_in, mismatches, cycles, .. } = self.figures;
        let mut out = format!("configuration {}: {frames_in} frames in\n\n", config.name);
        out += &format!("{:12} {:>12} {:>14}\n", "port", "frames out", "bytes out");
        for port in &self.figures.ports {
            out += &format!("{:12} {:>12} {:>14}\n", port.name, port.frames_out, port.bytes_out);
        }
        out += &format!("\n{:12} {:>12}\n", "dropped", "frames");
        for drops in self.figures.drops.iter().filter(|drops| drops.frames > 0) {
            out += &format!("{:12} {:>12}\n", drops.reason, drops.frames);
        }
        out += &functions_table(&self.figures.functions);
        out += &format!("\n{}", self.flows);
        out += &format!(
            "\n{cycles} cycles in {:.2} s: {:.0} cycles/s, {:.0} frames/s\n",
            self.seconds,
            cycles as f64 / self.seconds,
            self.figures.frames_per_second
        );
        out += &match mismatches {
            0 => "every frame as the reference model says\n".to_owned(),
            count => format!("{count} MISMATCHES against the reference model\n"),
        };
        for mismatch in self.mismatches.iter().take(SHOWN) {
            out += &format!("  {mismatch}\n");
        }
        out
    }
}

/// A line for each function with a driver; nothing without any.
fn functions_table(functions: &[FunctionFigures]) -> String {
    if functions.is_empty() {
        return String::new();
    }
    let mut out = format!(
        "\n{:12} {:8} {:>10} {:>10} {:>10} {:>11} {:>10} {:>12} {:>12}\n",
        "driver", "ring", "sent", "received", "no buffer", "interrupts", "doorbells", "PCIe up", "PCIe down"
    );
    for of in functions {
        let ring = if of.pairs > 1 { format!("{} x{}", of.ring, of.pairs) } else { of.ring.to_owned() };
        out += &format!(
            "{:12} {ring:8} {:>10} {:>10} {:>10} {:>11} {:>10} {:>12} {:>12}\n",
            of.name,
            of.frames_sent,
            of.frames_received,
            of.no_buffer,
            of.interrupts,
            of.doorbells,
            of.pcie_up,
            of.pcie_down
        );
    }
    out
}
