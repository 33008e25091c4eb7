//! From a random case that fails to a small one, as a scenario that `hematite run --part bridge`
//! replays.
//!
//! A case is made smaller in its own terms: fewer frames, changes and rows, fewer fields in a row, no stalls, no payload; as
//! long as it still fails. Each attempt is written as a scenario, read again and played from reset, so that what is found is
//! what the file says.

use crate::traffic::{Case, draw};
use hdl::Simulator;
use proptest::strategy::Strategy;
use rtl::{
    config::Config,
    register_map::{self, MAX_PORTS},
};
use sim::{
    player::{Plan, Player},
    scenario::{Scenario, ScenarioError},
    veb::{
        Mismatch, Policy, Report,
        bench::{Behaviour, Bench, BenchError},
        policy::{Change, Wishes},
    },
};
use std::{
    fs, io, iter,
    path::{Path, PathBuf},
};
use thiserror::Error;

/// Why a scenario could not be played to its end.
#[derive(Debug, Error)]
pub enum ReplayError {
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    #[error(transparent)]
    Bench(#[from] BenchError),
}

/// Plays the text of a scenario without captures; the simulator has the bridge of the configuration that it names.
///
/// # Errors
/// A mistake in the text, or what [`Bench`] says of the hardware.
pub fn replay<S: Simulator>(sim: S, text: &str) -> Result<Report, ReplayError> {
    let scenario = Scenario::parse("replay.toml", text)?;
    let config = scenario.config()?.unwrap_or_else(Config::small);
    let plan = Plan::of(&scenario, &config, |_| Ok::<_, ScenarioError>(vec![]))?;
    let after_reset = Policy::new(config.wires, config.functions());
    let mut bench = Bench::new(sim, &config, &after_reset, plan.losses(), 1)?;
    bench.set_policy(&plan.policy)?;
    let mut player = Player::new(bench, &config, &plan);
    while !player.play(4096)?.0 {}
    Ok(player.finish()?.0)
}

/// In which way the hardware behaves otherwise than the model; `None` if it does not. An entry that finds no room and
/// frames that cannot be told apart are the scenario's mistakes.
pub fn failure<S: Simulator>(sim: S, text: &str) -> Option<String> {
    // The name of the variant: what it carries differs from case to case.
    let name = |failure: String| failure.split(|c: char| !c.is_alphanumeric()).next().map(str::to_owned);
    match replay(sim, text) {
        Ok(report) if report.mismatches.iter().any(|it| matches!(it, Mismatch::Alike { .. })) => None,
        Ok(report) => report.mismatches.first().and_then(|first| name(format!("{first:?}"))),
        Err(ReplayError::Scenario(_) | ReplayError::Bench(BenchError::NoRoom { .. })) => None,
        Err(ReplayError::Bench(error)) => name(format!("{error:?}")),
    }
}

/// The first case of these seeds that fails by itself, made small and saved in `folder`; `None` if none does.
///
/// # Errors
/// The file cannot be written.
pub fn find<S: Simulator>(
    config: &Config,
    cases: &impl Strategy<Value = Case>,
    seeds: impl IntoIterator<Item = u64>,
    folder: &Path,
    mut sim: impl FnMut() -> S,
) -> io::Result<Option<PathBuf>> {
    for seed in seeds {
        let case = draw(cases, seed);
        let Some(way) = failure(sim(), &case.scenario(config, "")) else { continue };
        let small = shrink(config, case, |text| failure(sim(), text).as_ref() == Some(&way));
        fs::create_dir_all(folder)?;
        let path = folder.canonicalize()?.join(format!("{}-{seed}.toml", config.name));
        let comment = format!(
            "Seed {seed} in configuration {}, made small. Replay with\n\
             cargo run --release --bin hematite -- run --trace --scenario {}",
            config.name,
            path.display()
        );
        fs::write(&path, small.scenario(config, &comment))?;
        return Ok(Some(path));
    }
    Ok(None)
}

/// For the message of a failed test: where the small scenario is.
pub fn explain<S: Simulator>(
    config: &Config,
    cases: &impl Strategy<Value = Case>,
    seeds: impl IntoIterator<Item = u64>,
    sim: impl FnMut() -> S,
) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/failures");
    match find(config, cases, seeds, &folder, sim) {
        Ok(Some(path)) => format!("the smallest scenario that fails is {}", path.display()),
        Ok(None) => "no case fails by itself; the seeds repeat the run".to_owned(),
        Err(error) => format!("the smallest scenario that fails cannot be written: {error}"),
    }
}

/// The smallest case that is found to fail, beginning with one that does.
pub fn shrink(config: &Config, mut case: Case, mut fails: impl FnMut(&str) -> bool) -> Case {
    let mut fails = |case: &Case| !case.arrivals.is_empty() && fails(&case.scenario(config, ""));
    case.arrivals =
        least(&case.arrivals, |arrivals| fails(&Case { arrivals: arrivals.into(), ..case.clone() }));
    case.changes = least(&case.changes, |changes| fails(&Case { changes: changes.into(), ..case.clone() }));
    let (wishes, filters) = (case.policy.wishes.clone(), case.policy.filters.clone());
    let policy = |rows: &[Change]| {
        let mut policy = Policy::new(config.wires, config.functions());
        rows.iter().for_each(|row| policy.apply(row));
        policy.wishes.clone_from(&wishes);
        policy.filters.clone_from(&filters);
        policy
    };
    let mut rows = least(&case.policy.setup(), |rows| fails(&Case { policy: policy(rows), ..case.clone() }));
    for index in 0..rows.len() {
        for field in register_map::table(rows[index].table).fields {
            // The whole field, then each bit of it: a key or a number makes no sense in parts.
            let bits = if field.position.width == MAX_PORTS { 0..config.ports() } else { 0..0 };
            for kept in iter::once(0).chain(bits.map(|bit| !(1 << bit))) {
                let whole = rows[index];
                let value = field.position.get(&whole.data) & kept;
                field.position.put(&mut rows[index].data, value);
                if rows[index] != whole && !fails(&Case { policy: policy(&rows), ..case.clone() }) {
                    rows[index] = whole;
                }
            }
        }
    }
    case.policy = policy(&rows);
    for port in 0..config.ports() {
        // Where rows change, pauses keep frames from being lost.
        let mut simpler = case.clone();
        simpler.behaviour[port] = Behaviour::default();
        if case.changes.is_empty() && fails(&simpler) {
            case = simpler;
        }
        let mut simpler = case.clone();
        simpler.policy.wishes[port] = Wishes::default();
        simpler.policy.filters.retain(|filter| filter.function != port);
        if fails(&simpler) {
            case = simpler;
        }
    }
    for index in 0..case.arrivals.len() {
        // Where rows change, frames must differ behind their headers.
        let lengths = if case.changes.is_empty() { &[14, 18, 22, 60, 64][..] } else { &[40, 64] };
        for &length in lengths {
            let mut shorter = case.clone();
            shorter.arrivals[index].bytes.truncate(length);
            if shorter.arrivals[index].bytes.len() < case.arrivals[index].bytes.len() && fails(&shorter) {
                case = shorter;
                break;
            }
        }
    }
    case
}

/// As few of the items as still fail, in their order: halves, then quarters, and so on, are left out where that is
/// possible.
fn least<T: Clone>(items: &[T], mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut items = items.to_vec();
    let mut chunk = items.len().div_ceil(2);
    while chunk > 0 {
        let mut start = 0;
        while start < items.len() {
            let mut fewer = items.clone();
            fewer.drain(start..(start + chunk).min(items.len()));
            if fails(&fewer) {
                items = fewer;
            } else {
                start += chunk;
            }
        }
        chunk /= 2;
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::case;
    use hdl::{Interface, Native, Violation, elaborate, interface::PortIndex};

    /// A bridge that changes a bit of what leaves at one port.
    struct Faulty {
        sim: Native,
        data: PortIndex,
    }

    impl Faulty {
        fn new(config: &Config, port: usize) -> Self {
            let sim = Native::new(&elaborate(|| rtl::veb::veb(config)).unwrap().design).unwrap();
            let name = format!("egress_{port}_payload_data");
            let data = sim.interface().ports.iter().position(|port| port.name == name).unwrap();
            Self { sim, data }
        }
    }

    impl Simulator for Faulty {
        fn interface(&self) -> &Interface {
            self.sim.interface()
        }

        fn write(&mut self, port: PortIndex, value: &[u64]) {
            self.sim.write(port, value);
        }

        fn read(&mut self, port: PortIndex, value: &mut [u64]) {
            self.sim.read(port, value);
            value[0] ^= u64::from(port == self.data);
        }

        fn write_reset(&mut self, domain: usize, asserted: bool) {
            self.sim.write_reset(domain, asserted);
        }

        fn step_domains(&mut self, domains: &[usize]) -> Result<(), Violation> {
            self.sim.step_domains(domains)
        }

        fn cycles(&self) -> u64 {
            self.sim.cycles()
        }

        fn trace(&mut self, file: &Path) -> io::Result<()> {
            self.sim.trace(file)
        }
    }

    #[test]
    fn a_failure_becomes_a_small_scenario() {
        let config = Config { entries: 16, cells: 64, ..Config::small() };
        let port = 3;
        let folder = tempfile::tempdir().unwrap();
        let cases = case(&config, 20, 200);
        let path =
            find(&config, &cases, 0..20, folder.path(), || Faulty::new(&config, port)).unwrap().unwrap();
        let text = fs::read_to_string(path).unwrap();
        assert_eq!(text.matches("[[frame]]").count(), 1, "{text}");
        assert!(text.matches("[[row]]").count() <= 4, "{text}");
        let rest = ["[[stall]]", "[[pause]]", "[[change]]"].map(|table| text.matches(table).count());
        assert_eq!(rest, [0; 3], "{text}");
        assert_eq!(failure(Faulty::new(&config, port), &text).as_deref(), Some("Damaged"));
        let healthy = Native::new(&elaborate(|| rtl::veb::veb(&config)).unwrap().design).unwrap();
        let report = replay(healthy, &text).unwrap();
        assert_eq!((report.mismatch_count(), report.ports[port].frames), (0, 1));
        let none = find(&config, &cases, 0..2, folder.path(), || {
            Native::new(&elaborate(|| rtl::veb::veb(&config)).unwrap().design).unwrap()
        });
        assert!(none.unwrap().is_none());
    }

    /// A bridge of the smallest buffers, and what a scenario with these parts comes to on it.
    fn played(parts: &str) -> Result<Report, ReplayError> {
        let config = Config { entries: 16, cells: 64, ..Config::small() };
        let sim = Native::new(&elaborate(|| rtl::veb::veb(&config)).unwrap().design).unwrap();
        let text = format!(
            "config = {{ like = \"small\", entries = 16, cells = 64 }}\n\
             [[port]]\nname = \"all\"\npreset = \"open\"\n\
             [[vlan]]\nvid = 1\nmembers = \"all\"\nuntagged = \"all\"\n\
             [[address]]\nports = \"functions\"\n{parts}"
        );
        replay(sim, &text)
    }

    /// A frame from the wire to VF 0.
    fn frame(length: usize) -> String {
        format!(
            "[[frame]]\nport = \"wire0\"\nhex = \"525400000003525400000100{}\"\n",
            "ab".repeat(length - 12)
        )
    }

    #[test]
    fn runs_end_when_all_is_done_and_not_before() {
        // The stall is longer than the time after which a bench takes a bridge for empty.
        let report = played(&(frame(1514) + "[[stall]]\nport = \"vf0\"\nto = \"100 us\"\n")).unwrap();
        assert_eq!((report.mismatch_count(), report.ports[3].frames), (0, 1));
        // A port that hardly ever sends has time for its frame.
        let late = frame(60).replace("hex", "at = \"200 us\"\nhex");
        let report = played(&(late + "[[pause]]\nport = \"wire0\"\npercent = 95\n")).unwrap();
        assert_eq!((report.mismatch_count(), report.ports[3].frames), (0, 1));
        // A change waits for the frame that has begun, pause or not.
        let parts = "[[pause]]\nport = \"wire0\"\nfrom = \"50 cycles\"\nto = \"40 us\"\n\
            [[change]]\nat = \"60 cycles\"\nethertypes = [1]\n";
        let report = played(&(frame(1514) + &frame(1514) + parts)).unwrap();
        assert_eq!((report.mismatch_count(), report.ports[3].frames), (0, 2));
        // What never moves is not waited for.
        let parts = frame(60) + &frame(60) + &frame(60) + "[[pause]]\nport = \"wire0\"\n";
        assert!(matches!(played(&parts), Err(ReplayError::Bench(BenchError::Stuck(_)))));
    }

    #[test]
    fn frames_that_are_alike_while_rows_change_are_no_panic() {
        let change =
            "[[change]]\nat = \"1 cycles\"\nheld = false\n[[change.port]]\nname = \"vf0\"\negress = false\n";
        let report = played(&(frame(60).repeat(40) + change)).unwrap();
        assert!(report.mismatches.iter().any(|it| matches!(it, Mismatch::Alike { .. })), "{report:?}");
    }

    #[test]
    fn the_least_items_that_fail() {
        let items: Vec<u32> = (0..100).collect();
        let mut attempts = 0;
        let needed = [3, 64, 65];
        let least = least(&items, |items| {
            attempts += 1;
            needed.iter().all(|needed| items.contains(needed))
        });
        assert_eq!(least, needed);
        assert!(attempts < 60, "{attempts} attempts");
    }
}
