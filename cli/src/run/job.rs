//! What is to be played: flows, where they enter, and the policy of the bridge.

use super::{Arguments, Part};
use crate::error::Error;
use rtl::config::Config;
use sim::{
    ethernet::MacAddress,
    nic::{Setup, bench::AdapterPlan},
    pcap::{self, CapturedFrame, Reader},
    player::Plan,
    scenario::Scenario,
    traffic::{Content, Flow, Pace, Traffic},
    veb::Policy,
};
use std::convert::Infallible;
use std::path::Path;

const SHIPPED_CAPTURE: &[u8] = include_bytes!("../../../testbench/data/lan.pcap");
/// The capture through the bridge, and with guests that talk through the adapter.
const SHIPPED_SCENARIO: &str = include_str!("../../../testbench/data/lan.toml");
const SHIPPED_GUESTS: &str = include_str!("../../../testbench/data/guests.toml");
const SHIPPED_NAME: &str = "lan.pcap (shipped with hematite)";

/// Where a capture enters that no scenario speaks of.
const WIRE: usize = 0;

/// Everything a run reads, read and checked.
pub struct Job {
    pub config: Config,
    pub plan: Plan,
    /// Host and drivers, where the whole adapter is played.
    pub adapter: Option<AdapterPlan>,
    /// The policy was made from the capture, so that an entry more or less is no error.
    learned: bool,
}

impl Job {
    /// Reads the files that the user names, or takes the shipped ones.
    ///
    /// # Errors
    /// Anything wrong with a scenario or a capture.
    pub fn load(arguments: &Arguments) -> Result<Job, Error> {
        let (chosen, part) = (arguments.config.as_ref(), arguments.part);
        if let Some(path) = &arguments.pcap {
            return Ok(Job::learn(chosen, part, path, pcap::read(path)?));
        }
        if let Some(path) = &arguments.scenario {
            let scenario = Scenario::load(path)?;
            return Job::follow(chosen, part, path, &scenario, |capture| Ok(pcap::read(capture)?));
        }
        Job::shipped(chosen, part)
    }

    /// The shipped capture, with the shipped scenario of the part where that is for this configuration.
    ///
    /// # Errors
    /// None, as long as the files are what they should be.
    pub fn shipped(chosen: Option<&Config>, part: Part) -> Result<Job, Error> {
        let (path, text) = match part {
            Part::Adapter => (Path::new("guests.toml"), SHIPPED_GUESTS),
            Part::Bridge => (Path::new("lan.toml"), SHIPPED_SCENARIO),
        };
        let scenario = Scenario::parse(path, text)?;
        let made_for = scenario.config()?;
        match chosen.filter(|&config| made_for.as_ref() != Some(config)) {
            Some(_) => Ok(Job::learn(chosen, part, Path::new(SHIPPED_NAME), shipped_capture()?)),
            None => Job::follow(chosen, part, path, &scenario, |_| shipped_capture()),
        }
    }

    /// A capture into the first wire, with a policy that its frames suggest.
    fn learn(chosen: Option<&Config>, part: Part, path: &Path, frames: Vec<CapturedFrame>) -> Job {
        let config = chosen.cloned().unwrap_or_else(Config::small);
        let bytes = frames.iter().map(|frame| frame.bytes.as_slice());
        let policy = Policy::from_capture(config.wires, config.functions(), WIRE, bytes);
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let content = Content::Capture(path.to_owned());
        let flow = Flow { name, port: WIRE, content, pace: Pace::Max, start: 0, stop: None, frames: None };
        let flows = vec![flow];
        let Ok(traffic) = Traffic::with_captures::<Infallible>(&flows, &config, |_| Ok(frames.clone()));
        let plan = Plan { policy, flows, traffic, sinks: vec![], events: vec![], stop: None };
        let ordinary = || AdapterPlan::ordinary(&config, Setup::of(&config), 0);
        let adapter = (part == Part::Adapter).then(ordinary);
        Job { config, plan, adapter, learned: true }
    }

    /// What a scenario says.
    fn follow(
        chosen: Option<&Config>,
        part: Part,
        path: &Path,
        scenario: &Scenario,
        read: impl Fn(&Path) -> Result<Vec<CapturedFrame>, Error>,
    ) -> Result<Job, Error> {
        let config = match (chosen, scenario.config()?) {
            (Some(chosen), Some(wanted)) if *chosen != wanted => {
                let (wanted, chosen) = (wanted.name.into(), chosen.name.into());
                return Err(Error::OtherConfig { path: path.to_owned(), wanted, chosen });
            }
            (Some(config), _) => config.clone(),
            (None, Some(config)) => config,
            (None, None) => Config::small(),
        };
        let adapter = match part {
            Part::Adapter => Some(scenario.adapter(&config)?),
            Part::Bridge => None,
        };
        Ok(Job { plan: Plan::of(scenario, &config, read)?, adapter, learned: false, config })
    }

    /// Sets a bridge up, with `set`, which returns the entries that found no room.
    ///
    /// # Errors
    /// An entry of a scenario that the bridge has no room for; of learned ones a note tells how many there are.
    pub fn set_policy<E>(
        &self,
        set: impl FnOnce(&Policy) -> Result<Vec<(u16, MacAddress)>, E>,
    ) -> Result<(), Error>
    where
        Error: From<E>,
    {
        let left_out = set(&self.plan.policy)?;
        if let (false, Some(&(vid, address))) = (self.learned, left_out.first()) {
            return Err(Error::NoRoom { vid, address });
        }
        if let [(vid, address), ..] = left_out.as_slice() {
            eprintln!(
                "note: {} addresses found no room in the table, the first {address} in VLAN {vid}; their frames go \
                 to the default port.",
                left_out.len()
            );
        }
        Ok(())
    }
}

fn shipped_capture() -> Result<Vec<CapturedFrame>, Error> {
    Ok(Reader::new(SHIPPED_NAME, Box::new(SHIPPED_CAPTURE))?.collect::<Result<_, _>>()?)
}
