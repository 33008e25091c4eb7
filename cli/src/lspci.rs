//! `hematite lspci`: the simulated adapter as a host finds it.

use crate::{error::Error, output};
use clap::ValueEnum;
use hdl::{Native, elaborate};
use rtl::{
    config::{Config, VfPlaces},
    pcie::{
        endpoint::endpoint,
        space::{Kind, Personality, space},
    },
};
use sim::pcie::{
    Behaviour, Configuration, Function, LinkSettings, Machine, Options, Straps, attach, dump, enumerate,
};
use std::{fs, path::PathBuf, process::ExitCode};

/// Enumerate the simulated adapter as an operating system does, and list what it finds
///
/// The endpoint runs in the native simulator; every access is a configuration request and its completion is checked.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  hematite lspci --vfs 3\n  \
    hematite lspci --config x3100 --vfs 16 --dump adapter.txt && lspci -vvv -F adapter.txt")]
pub struct Arguments {
    /// The configuration: small, x3100 or wide
    #[arg(long, value_name = "NAME", default_value = "small", value_parser = crate::arguments::config)]
    config: Config,
    /// Virtual functions to enable
    #[arg(long, value_name = "N", default_value_t = 0)]
    vfs: u16,
    /// As what the adapter shows itself
    #[arg(long, value_enum, default_value_t = PersonalityName::SrIov)]
    personality: PersonalityName,
    /// The port above the adapter does not forward ARI
    #[arg(long)]
    no_ari: bool,
    /// Each virtual function is a device of its own (First VF Offset 8, VF Stride 8), on a host that reaches all devices
    #[arg(long)]
    slots: bool,
    /// Bytes of a page of the host: a power of two from 4096 up
    #[arg(long, value_name = "BYTES", default_value_t = 4096, value_parser = page)]
    page: u32,
    /// Write the configuration spaces for `lspci -F`. Virtual functions get the vendor and device that software derives
    /// for them
    #[arg(long, value_name = "FILE")]
    dump: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PersonalityName {
    /// A physical function with virtual ones, and the manager
    SrIov,
    /// One ordinary function
    Single,
    /// Two ordinary functions, the manager being the second
    Two,
    /// Four ordinary functions
    Four,
    /// Eight ordinary functions
    Eight,
}

impl From<PersonalityName> for Personality {
    fn from(name: PersonalityName) -> Personality {
        match name {
            PersonalityName::SrIov => Personality::SrIov,
            PersonalityName::Single => Personality::Multifunction(1),
            PersonalityName::Two => Personality::Multifunction(2),
            PersonalityName::Four => Personality::Multifunction(4),
            PersonalityName::Eight => Personality::Multifunction(8),
        }
    }
}

fn page(text: &str) -> Result<u32, String> {
    let size = text.parse::<u32>().ok().filter(|size| size.is_power_of_two() && *size >= 4096);
    size.ok_or_else(|| "not a power of two from 4096 up".to_owned())
}

pub fn lspci(arguments: &Arguments) -> Result<ExitCode, Error> {
    let Arguments { vfs, page, slots, .. } = arguments;
    let vf_places = if *slots { VfPlaces::Slots } else { arguments.config.vf_places };
    let config = &Config { vf_places, ..arguments.config.clone() };
    let personality = arguments.personality.into();
    if let Personality::Multifunction(functions) = personality
        && functions > config.functions()
    {
        return Err(Error::FewFunctions { wanted: functions, there: config.functions() });
    }
    let design = elaborate(|| endpoint(config))?.design;
    let straps = Straps { personality, serial: 0x0200_00FF_FE00_0001 };
    let sim = Native::new(&design)?;
    let mut root = attach(sim, (), Machine::new(), straps, Behaviour::AT_ONCE, LinkSettings::at_once())?;
    root.bridge().slots = *slots;
    let options = Options { vfs: *vfs, alternative_routing: !arguments.no_ari, page: *page, words: 1024 };
    let functions = enumerate(&mut root, &options)?;
    if let Some(path) = &arguments.dump {
        fs::write(path, dump(&functions)).map_err(|source| Error::Write { path: path.clone(), source })?;
    }
    output::print(&list(config, &functions));
    Ok(ExitCode::SUCCESS)
}

/// A paragraph for each function.
fn list(config: &Config, functions: &[Function]) -> String {
    let mut out = String::new();
    for Function { id, is_virtual, words } in functions {
        let (identity, class) = (words[0], words[2]);
        let kind = match (is_virtual, class >> 8) {
            (true, _) => Kind::Virtual,
            (false, 0x08_8000) => Kind::Manager,
            (false, _) => Kind::Physical,
        };
        let what = match kind {
            Kind::Physical => "network function",
            Kind::Manager => "manager",
            Kind::Virtual => "virtual network function",
        };
        out += &format!(
            "{id} {:04x}: {:04x}:{:04x} (rev {:02x}) {what}\n",
            class >> 16,
            identity & 0xFFFF,
            identity >> 16,
            class & 0xFF
        );
        for bar in [4, 6].into_iter().filter(|bar| words[*bar] != 0) {
            let address = u64::from(words[bar + 1]) << 32 | u64::from(words[bar] & !0xF);
            out += &format!("        memory at {address:#x}, 64 bit\n");
        }
        let structures = space(config, kind);
        let names = structures.iter().filter(|structure| is_listed(words, structure.offset));
        let names: Vec<String> = names.map(|it| format!("{} [{:x}]", it.name, it.offset)).collect();
        out += &format!("        capabilities: {}\n", names.join(", "));
    }
    out
}

/// Whether a list of capabilities leads to this offset.
fn is_listed(words: &[u32], wanted: usize) -> bool {
    let mut offset = if wanted < 0x100 { words[0x34 / 4] as usize & 0xFF } else { 0x100 };
    while offset != 0 && offset != wanted {
        offset = if wanted < 0x100 {
            words[offset / 4] as usize >> 8 & 0xFF
        } else {
            words[offset / 4] as usize >> 20
        };
    }
    offset != 0
}
