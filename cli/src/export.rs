//! `hematite export`: the Verilog of a configuration.

use crate::{arguments, error::Error, output::OutputDirectory};
use clap::ValueEnum;
use hdl::elaborate;
use rtl::config::Config;
use std::path::PathBuf;
use std::process::ExitCode;

/// Write the Verilog of a configuration, a file list, a reference of its ports and C headers of its registers
///
/// The directory holds a file `NAME.v` for each module, `filelist.f` with their names, children before parents, `ports.md`,
/// and for drivers `hematite_veb.h` with the bridge, also `hematite_manager.h` with the manager; the adapter has both. The same
/// configuration gives the same files every time.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  hematite export --config small --out verilog/\n  \
    cd verilog && verilator --lint-only -Wall -f filelist.f\n  \
    hematite export --config small --part bridge --out bridge/")]
pub struct Arguments {
    /// The configuration: small, x3100 or wide
    #[arg(long, value_name = "NAME", value_parser = arguments::config)]
    config: Config,
    /// What of the adapter
    #[arg(long, value_enum, default_value_t = Part::Adapter)]
    part: Part,
    /// Where to write; made where it is missing, and an earlier export in it is replaced
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// All of it
    Adapter,
    /// The Virtual Ethernet Bridge
    Bridge,
    /// The PCI Express endpoint
    Endpoint,
    /// The manager's registers
    Manager,
}

pub fn export(arguments: &Arguments) -> Result<ExitCode, Error> {
    let config = &arguments.config;
    let out = OutputDirectory::create(&arguments.out)?;
    let design = match arguments.part {
        Part::Adapter => elaborate(|| rtl::nic::nic(config))?.design,
        Part::Bridge => elaborate(|| rtl::veb::veb(config))?.design,
        Part::Endpoint => elaborate(|| rtl::pcie::endpoint::endpoint(config))?.design,
        Part::Manager => elaborate(|| rtl::manager::manager(config))?.design,
    };
    let verilog = design.verilog();
    for file in &verilog.files {
        out.write(&file.name, &file.text)?;
    }
    let names = verilog.files.iter().map(|file| format!("{}\n", file.name));
    out.write("filelist.f", &names.collect::<String>())?;
    let parameters = match arguments.part {
        Part::Adapter => adapter_parameters(config),
        Part::Bridge => bridge_parameters(config),
        Part::Endpoint => endpoint_parameters(config),
        Part::Manager => manager_parameters(config),
    };
    out.write("ports.md", &(verilog.port_reference().to_owned() + &parameters))?;
    if arguments.part != Part::Endpoint {
        out.write("hematite_veb.h", &rtl::register_map::c_header())?;
    }
    if matches!(arguments.part, Part::Adapter | Part::Manager) {
        out.write("hematite_manager.h", &rtl::manager::map::c_header())?;
    }
    out.publish()?;
    let modules = verilog.files.len();
    eprintln!("{modules} modules of `{}` in {}", verilog.top, arguments.out.display());
    Ok(ExitCode::SUCCESS)
}

/// What is fixed in the exported design, and which stream belongs to which wire.
fn adapter_parameters(config: &Config) -> String {
    let wires =
        (0..config.wires).map(|wire| format!("| `wire_rx_{wire}`, `wire_tx_{wire}` | `wire{wire}` |\n"));
    format!(
        "{}| entries of the table of MAC addresses | {} |\n| cells of the packet buffer | {} of {} bytes |\n\
        | MSI-X vectors of a function | {} |\n\n| streams | wire |\n|---|---|\n{}",
        manager_parameters(config),
        config.entries,
        config.cells,
        config.cell_bytes(),
        rtl::pcie::VECTORS,
        wires.collect::<String>()
    )
}

/// What is fixed in the exported design, and which stream belongs to which port of the adapter.
fn bridge_parameters(config: &Config) -> String {
    let mut out = format!(
        "\n## Configuration `{}`\n\n| parameter | value |\n|---|---|\n| data width | {} bits |\n\
        | entries of the table of MAC addresses | {} |\n| cells of the packet buffer | {} of {} bytes |\n\n\
        | streams | port of the adapter |\n|---|---|\n",
        config.name,
        8 * config.bytes,
        config.entries,
        config.cells,
        config.cell_bytes()
    );
    for (number, name) in config.port_names().iter().enumerate() {
        out += &format!("| `ingress_{number}`, `egress_{number}` | `{name}` |\n");
    }
    out
}

/// What is fixed in the exported design.
fn endpoint_parameters(config: &Config) -> String {
    format!(
        "\n## Configuration `{}`\n\n| parameter | value |\n|---|---|\n| data width | {} bits |\n\
        | functions, with the physical one and the manager | {} |\n| MSI-X vectors of a function | {} |\n",
        config.name,
        8 * config.bytes,
        config.functions(),
        rtl::pcie::VECTORS
    )
}

/// What is fixed in the exported design.
fn manager_parameters(config: &Config) -> String {
    format!(
        "\n## Configuration `{}`\n\n| parameter | value |\n|---|---|\n| data width | {} bits |\n\
        | functions, with the physical one and the manager | {} |\n| pairs of queues of a function | {} |\n\
        | wires | {} |\n",
        config.name,
        8 * config.bytes,
        config.functions(),
        config.pairs,
        config.wires
    )
}
