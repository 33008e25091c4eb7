//! `hematite synth`: area and clock rate of the blocks on ECP5.

mod page;
mod peers;

use crate::{arguments, error::Error, figures::Figures, output, progress};
use clap::ValueEnum;
use fpga::{Flow, Job, Step, SynthReport};
use rtl::{catalogue::Block, config::Config, manager, nic, pcie, prim, veb, virtio};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What 10 Gb/s Ethernet needs at 64 bit, in MHz.
const FMAX_GOAL: f64 = 156.25;

/// Measure area and clock rate of the blocks on an ECP5-5G, with Yosys and nextpnr
///
/// Each block is built on its own with several seeds; Fmax is their median. The tools come from PyPI (`make setup`); what
/// they said of the same Verilog before is read from a cache.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  hematite synth --config small --block veb/parser\n  \
    hematite synth --block prim/fifo --seeds 1\n  hematite synth --peers\n  \
    hematite synth --write docs/src/blocks.md --part endpoint")]
pub struct Arguments {
    /// The configuration: small, x3100 or wide
    #[arg(long, value_name = "NAME", default_value = "small", value_parser = arguments::config)]
    config: Config,
    /// Blocks whose name starts so, such as veb/parser, prim/fifo or prim; all blocks of the bridge without it
    #[arg(long, value_name = "PATH", default_value = "veb/")]
    block: String,
    /// Runs of placement for each block
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    seeds: u32,
    /// What stands at the ports of a block
    #[arg(long, value_enum, default_value_t = Boundary::Registered)]
    boundary: Boundary,
    /// The device they are placed in
    #[arg(long, value_enum, default_value_t = Device::Um5g85)]
    device: Device,
    /// Measure the blocks that have public counterparts, with open ports, and show both as a table in Markdown
    #[arg(long, conflicts_with_all = ["json", "block", "boundary", "device", "write"])]
    peers: bool,
    /// Measure the blocks of all parts, the adapter, and those that have counterparts, and write the tables into this page
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "block", "boundary", "device"])]
    write: Option<PathBuf>,
    /// Tables to write, instead of all
    #[arg(long, value_enum, value_name = "PART", requires = "write")]
    part: Vec<Part>,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Boundary {
    /// A register at each port: what a neighbour will see
    Registered,
    /// Nothing, so that only paths from register to register count: how public figures are measured
    Open,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Device {
    /// LFE5UM5G-45F
    #[value(name = "um5g-45")]
    Um5g45,
    /// LFE5UM5G-85F
    #[value(name = "um5g-85")]
    Um5g85,
}

/// A table of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The bridge
    Blocks,
    /// The endpoint
    Endpoint,
    /// The network functions, and the manager
    Functions,
    /// All of it, placed as one
    Adapter,
    /// Those that have counterparts
    Peers,
}

impl Part {
    /// The section of the page.
    fn section(self, config: &Config) -> String {
        let part = match self {
            Self::Blocks => "blocks",
            Self::Endpoint => "endpoint",
            Self::Functions => "functions",
            Self::Adapter => "adapter",
            Self::Peers => "peers",
        };
        format!("{part} {}", config.name)
    }

    fn table(self, arguments: &Arguments) -> Result<String, Error> {
        let of = |path: &str| {
            let blocks = chosen(&arguments.config, path)?;
            measure(arguments, &blocks, &fpga::Boundary::Registered, fpga::Device::UM5G_85)
        };
        Ok(match self {
            Self::Blocks => page::table(&of("veb/")?),
            Self::Endpoint => {
                page::table(&[of("pcie/")?, of("dma/")?].into_iter().flatten().collect::<Vec<_>>())
            }
            Self::Functions => {
                page::table(&[of("virtio/")?, of("manager/")?].into_iter().flatten().collect::<Vec<_>>())
            }
            Self::Adapter => page::table(&of("nic/")?),
            Self::Peers => {
                let blocks = compared(&arguments.config)?;
                let boundary = fpga::Boundary::Open;
                peers::table(&measure(arguments, &blocks, &boundary, fpga::Device::UM5G_85)?)
            }
        })
    }
}

/// What a block came to.
struct Measured {
    name: String,
    report: SynthReport,
}

/// A rate, or a dash for a block without a path from register to register.
fn mhz(rate: Option<f64>) -> String {
    rate.map_or("-".to_owned(), |rate| format!("{rate:.0}"))
}

pub fn synth(arguments: &Arguments) -> Result<ExitCode, Error> {
    if let Some(path) = &arguments.write {
        let parts = if arguments.part.is_empty() { Part::value_variants() } else { &arguments.part };
        let sections: Vec<String> = parts.iter().map(|part| part.section(&arguments.config)).collect();
        crate::page::check(path, &sections)?;
        let tables: Vec<String> =
            parts.iter().map(|part| part.table(arguments)).collect::<Result<_, Error>>()?;
        crate::page::write(path, &sections.into_iter().zip(tables).collect::<Vec<_>>())?;
    } else if arguments.peers {
        output::print(&Part::Peers.table(arguments)?);
    } else {
        let boundary = match arguments.boundary {
            Boundary::Registered => fpga::Boundary::Registered,
            Boundary::Open => fpga::Boundary::Open,
        };
        let device = match arguments.device {
            Device::Um5g45 => fpga::Device::UM5G_45,
            Device::Um5g85 => fpga::Device::UM5G_85,
        };
        let mut figures = Figures::default();
        for Measured { name, report } in
            measure(arguments, &chosen(&arguments.config, &arguments.block)?, &boundary, device)?
        {
            add(&mut figures, &name, &report);
        }
        figures.print(arguments.json);
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(
    arguments: &Arguments,
    blocks: &[Block],
    boundary: &fpga::Boundary,
    device: fpga::Device,
) -> Result<Vec<Measured>, Error> {
    let flow = Flow::find(Path::new("."))?;
    let bar = progress::bar("blocks", blocks.len() as u64 * u64::from(arguments.seeds + 1));
    let mut measured = vec![];
    for block in blocks {
        let verilog = (block.build)()?.verilog();
        let mut job = Job::new(verilog.text(), &verilog.top);
        job.seeds = (1..=arguments.seeds).collect();
        job.boundary = boundary.clone();
        job.device = device;
        bar.set_message(block.name.clone());
        let report = flow.run(&job, &|_: Step| bar.inc(1))?;
        measured.push(Measured { name: block.name.clone(), report });
    }
    bar.finish_and_clear();
    Ok(measured)
}

/// The blocks that have public counterparts.
fn compared(config: &Config) -> Result<Vec<Block>, Error> {
    let mut blocks = vec![];
    for name in peers::COMPARISONS.iter().flat_map(peers::Comparison::blocks) {
        blocks.extend(chosen(config, name)?.into_iter().take(1));
    }
    Ok(blocks)
}

/// The blocks whose names start with `path`.
fn chosen(config: &Config, path: &str) -> Result<Vec<Block>, Error> {
    let prims =
        prim::catalogue().into_iter().map(|block| Block { name: format!("prim/{}", block.name), ..block });
    let parts = [
        veb::catalogue(config),
        pcie::catalogue(config),
        virtio::catalogue(config),
        manager::catalogue(config),
        nic::catalogue(config),
    ];
    let all: Vec<Block> = parts.into_iter().flatten().chain(prims).collect();
    let known = all.iter().map(|block| block.name.as_str()).collect::<Vec<_>>().join(", ");
    let blocks: Vec<Block> = all.into_iter().filter(|block| block.name.starts_with(path)).collect();
    match blocks.is_empty() {
        true => Err(Error::UnknownBlock { block: path.to_owned(), known }),
        false => Ok(blocks),
    }
}

fn add(figures: &mut Figures, block: &str, report: &SynthReport) {
    let name = |what: &str| format!("{block}: {what}");
    figures.lower(name("LUTs"), report.area.lut as f64, "LUT4", None);
    figures.lower(name("flip-flops"), report.area.ff as f64, "FF", None);
    figures.lower(name("LUT RAM"), report.area.lutram as f64, "blocks", None);
    figures.lower(name("block RAM"), report.area.bram as f64, "DP16KD", None);
    // A block without a path from register to register has no rate of its own.
    if let Some(fmax) = report.fmax_median {
        figures.higher(name("Fmax"), fmax, "MHz", Some(FMAX_GOAL));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_comparison_finds_its_blocks() {
        let names = peers::COMPARISONS.iter().flat_map(peers::Comparison::blocks);
        let blocks = compared(&Config::small()).unwrap();
        assert!(names.zip(&blocks).all(|(name, block)| block.name.starts_with(name)));
        let report = |block: &Block| SynthReport {
            top: block.name.clone(),
            area: fpga::Area { lut: 10, ff: 1, ..Default::default() },
            seeds: vec![],
            fmax_median: Some(200.4),
            critical_path: None,
            versions: fpga::Versions { yosys: String::new(), nextpnr: String::new() },
        };
        let measured: Vec<Measured> =
            blocks.iter().map(|block| Measured { name: block.name.clone(), report: report(block) }).collect();
        let table = peers::table(&measured);
        assert_eq!(table.lines().count(), 2 + peers::COMPARISONS.len());
        assert!(table.contains("five functions: maxima, shares and classes | 60 | 6 | 0 | 200 |"), "{table}");
    }
}
