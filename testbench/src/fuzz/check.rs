//! Runs modules in every simulator and compares what comes out with the plain evaluation.

use super::{
    FuzzError,
    description::{DOMAINS, Module},
    elaborate::elaborate,
    icarus::{self, Cycle},
    interpret::Interpreter,
    mutate::Mutation,
    number::Number,
};
use hdl::{Design, Native, Simulator};
use sim::{
    equivalence::{merge, power_up},
    random::Random,
    verilator::{Source, Verilated, VerilatorOptions},
};
use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    Native,
    Verilator,
    Icarus,
}

/// How modules are compared.
#[derive(Clone, Debug)]
pub struct Checker {
    pub engines: Vec<Engine>,
    pub cycles: usize,
    /// Decides clocks and resets; inputs have seeds of their own.
    pub seed: u64,
    /// How many modules of expressions and how many others are built into one model.
    pub batch: (usize, usize),
    /// How many batches are compared at a time.
    pub threads: usize,
    /// Where Verilator's models are kept; `None`: where all of Hematite keeps them.
    pub cache: Option<std::path::PathBuf>,
    /// A fault that one of the simulators is given, to show that it is found.
    pub mutation: Option<Mutation>,
}

/// What a module's run shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Same,
    Different(Difference),
    /// The language, the emitter or a simulator does not take the module.
    Failed {
        engine: Option<Engine>,
        message: String,
    },
}

/// The first output that is not what the plain evaluation says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub engine: Engine,
    pub cycle: usize,
    pub output: usize,
    pub expected: Number,
    /// In binary; Icarus can print `x`.
    pub found: String,
}

impl Verdict {
    /// The simulator that disagrees.
    pub fn engine(&self) -> Option<Engine> {
        match self {
            Verdict::Same => None,
            Verdict::Different(difference) => Some(difference.engine),
            Verdict::Failed { engine, .. } => *engine,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { engine, cycle, output, expected, found } = self;
        let found = match found.chars().all(|digit| digit != 'x' && digit != 'z') {
            true => Number(found.chars().rev().map(|digit| digit == '1').collect()).to_string(),
            false => format!("{}'b{found}", found.len()),
        };
        write!(f, "cycle {cycle}, output o_{output}: {expected} in plain Rust, {found} in {engine:?}")
    }
}

/// When clocks rise and which resets are there.
pub struct Schedule {
    pub steps: Vec<(Vec<bool>, Vec<bool>)>,
}

impl Schedule {
    /// Begins with a cycle of reset in all domains.
    fn new(seed: u64, cycles: usize) -> Schedule {
        let mut random = Random::new(seed);
        let all = DOMAINS.len();
        let step = |cycle: usize| {
            if cycle == 0 || random.chance(30) {
                return (vec![true; all], vec![cycle == 0; all]);
            }
            let clocks = (0..all).map(|_| random.chance(60)).collect();
            (clocks, (0..all).map(|_| random.chance(4)).collect())
        };
        Schedule { steps: (0..cycles).map(step).collect() }
    }
}

/// The value of an input in a cycle: 0 in the first, and now and then what it was before.
pub fn stimulus(seed: u64, width: usize, cycle: usize) -> Number {
    let held = |cycle: usize| Random::fork(!seed, cycle as u64).chance(25);
    let last = (0..=cycle).rev().find(|&cycle| !held(cycle)).unwrap_or(0);
    match last {
        0 => Number::zero(width),
        _ => Number::from_limbs(width, &Random::fork(seed, last as u64).value(width)),
    }
}

/// For each cycle the outputs of a module, in binary.
type Outputs = Vec<Vec<String>>;

/// The outputs of each module by its number, or what was wrong with it.
type Results = Vec<(usize, Result<Outputs, String>)>;

impl Checker {
    pub fn schedule(&self) -> Schedule {
        Schedule::new(self.seed, self.cycles)
    }

    /// A verdict for each module.
    ///
    /// # Errors
    /// If a tool is missing.
    pub fn check(&self, modules: &[Module]) -> Result<Vec<Verdict>, FuzzError> {
        let mut verdicts = vec![Verdict::Same; modules.len()];
        let mut designs = vec![];
        for (index, module) in modules.iter().enumerate() {
            match attempt(|| elaborate(module).map_err(|errors| errors.to_string())) {
                Ok(design) => designs.push((index, design)),
                Err(message) => verdicts[index] = Verdict::Failed { engine: None, message },
            }
        }
        // The language has seen that there are no loops, which the plain evaluation would run into.
        let mut expected: Vec<Vec<Vec<Number>>> = vec![vec![]; modules.len()];
        for (index, _) in &designs {
            expected[*index] = self.plain(&modules[*index]);
        }
        for &engine in &self.engines {
            let parts: Vec<(usize, &Module, &Design)> = designs
                .iter()
                .filter(|(index, _)| verdicts[*index] == Verdict::Same)
                .map(|(index, design)| (*index, &modules[*index], design))
                .collect();
            for (index, outcome) in self.run(engine, &parts)? {
                verdicts[index] = match outcome {
                    Ok(found) => compare(engine, &expected[index], &found),
                    Err(message) => Verdict::Failed { engine: Some(engine), message },
                };
            }
        }
        Ok(verdicts)
    }

    /// What the plain evaluation says.
    pub fn plain(&self, module: &Module) -> Vec<Vec<Number>> {
        let mut interpreter = Interpreter::new(module);
        let cycle = |(cycle, (clocks, resets)): (usize, &(Vec<bool>, Vec<bool>))| {
            for (index, input) in module.inputs.iter().enumerate() {
                interpreter.write(index, stimulus(input.seed, input.width, cycle));
            }
            let outputs = (0..module.outputs.len()).map(|output| interpreter.read(output)).collect();
            let domains: Vec<usize> = (0..module.domains).filter(|&domain| clocks[domain]).collect();
            interpreter.step(&domains, resets);
            outputs
        };
        self.schedule().steps.iter().enumerate().map(cycle).collect()
    }

    /// The outputs of each module, or what was wrong with it. One that makes the whole build fail is found by halving.
    fn run(&self, engine: Engine, parts: &[(usize, &Module, &Design)]) -> Result<Results, FuzzError> {
        if let (Engine::Verilator | Engine::Icarus, [_, _, ..]) = (engine, parts) {
            return match self.build(engine, parts) {
                Ok(outputs) => Ok(outputs),
                Err(error @ FuzzError::Missing { .. }) => Err(error),
                Err(_) => {
                    let (left, right) = parts.split_at(parts.len() / 2);
                    Ok([self.run(engine, left)?, self.run(engine, right)?].concat())
                }
            };
        }
        let one = |part: &(usize, &Module, &Design)| match self.build(engine, &[*part]) {
            Ok(mut outputs) => Ok(outputs.remove(0)),
            Err(error @ FuzzError::Missing { .. }) => Err(error),
            Err(error) => Ok((part.0, Err(error.to_string()))),
        };
        parts.iter().map(one).collect()
    }

    fn build(&self, engine: Engine, parts: &[(usize, &Module, &Design)]) -> Result<Results, FuzzError> {
        let rejected = |message| FuzzError::Tool { tool: "hdl", message };
        let named: Vec<(&str, &Design)> =
            parts.iter().map(|(_, module, design)| (module.name.as_str(), *design)).collect();
        let mut design = merge("batch", &named);
        let modules: Vec<&Module> = parts.iter().map(|part| part.1).collect();
        let outputs = match engine {
            Engine::Native => {
                if let Some(mutation) = &self.mutation {
                    mutation.design(&mut design);
                }
                let mut native =
                    attempt(|| Native::new(&design).map_err(|error| error.to_string())).map_err(rejected)?;
                attempt(|| Ok(self.drive(&mut native, &modules))).map_err(rejected)?
            }
            Engine::Verilator => {
                let verilog = self.verilog(&design, "").map_err(rejected)?;
                let interface = hdl::Interface::of(&design);
                let source = Source { verilog: &verilog, interface: &interface };
                let mut verilated = self.verilated(&source)?;
                self.drive(&mut verilated, &modules)
            }
            Engine::Icarus => {
                let verilog = self.verilog(&design, "#1;").map_err(rejected)?;
                self.icarus(&verilog, &design, &modules)?
            }
        };
        Ok(parts.iter().map(|part| part.0).zip(outputs.into_iter().map(Ok)).collect())
    }

    /// The emitted text as it is simulated.
    fn verilog(&self, design: &Design, delay: &str) -> Result<String, String> {
        let mut text = attempt(|| Ok(design.verilog().text()))?;
        if let Some(mutation) = &self.mutation {
            text = mutation.verilog(&text);
        }
        Ok(power_up(&text, design, delay))
    }

    fn verilated(&self, source: &Source) -> Result<Verilated, FuzzError> {
        let options = VerilatorOptions { short_lived: true, ..Default::default() };
        Ok(match &self.cache {
            None => Verilated::build(source, &options)?,
            Some(cache) => {
                let verilator = sim::verilator::find_verilator()?;
                Verilated::build_with(&verilator, cache, source, &options)?
            }
        })
    }

    fn icarus(&self, verilog: &str, design: &Design, modules: &[&Module]) -> Result<Vec<Outputs>, FuzzError> {
        let interface = hdl::Interface::of(design);
        let folder =
            tempfile::tempdir().map_err(|error| FuzzError::File { path: std::env::temp_dir(), error })?;
        let domains = interface.domains.len();
        let cycle = |(cycle, (clocks, resets)): (usize, &(Vec<bool>, Vec<bool>))| Cycle {
            inputs: inputs(modules).map(|(seed, width)| stimulus(seed, width, cycle)).collect(),
            clocks: clocks[..domains].to_vec(),
            resets: resets[..domains].to_vec(),
        };
        let cycles: Vec<Cycle> = self.schedule().steps.iter().enumerate().map(cycle).collect();
        let printed = icarus::simulate(folder.path(), verilog, &interface, &cycles)?;
        let mut first = 0;
        let cut = |module: &&Module| {
            let range = first..first + module.outputs.len();
            first = range.end;
            printed.iter().map(|outputs| outputs[range.clone()].to_vec()).collect()
        };
        Ok(modules.iter().map(cut).collect())
    }

    /// Runs a simulator of merged modules.
    fn drive(&self, simulator: &mut dyn Simulator, modules: &[&Module]) -> Vec<Outputs> {
        let mut outputs = vec![vec![]; modules.len()];
        let domains = simulator.interface().domains.len();
        for (cycle, (clocks, resets)) in self.schedule().steps.iter().enumerate() {
            let mut port = 0;
            for module in modules {
                for input in &module.inputs {
                    simulator.write(port, &stimulus(input.seed, input.width, cycle).limbs());
                    port += 1;
                }
                port += module.outputs.len();
            }
            let mut port = 0;
            for (module, outputs) in modules.iter().zip(&mut outputs) {
                port += module.inputs.len();
                let mut row = vec![];
                for output in &module.outputs {
                    let mut limbs = vec![0; output.width.div_ceil(64)];
                    simulator.read(port, &mut limbs);
                    row.push(binary(&limbs, output.width));
                    port += 1;
                }
                outputs.push(row);
            }
            for (domain, &reset) in resets.iter().enumerate().take(domains) {
                simulator.write_reset(domain, reset);
            }
            let rising: Vec<usize> = (0..domains).filter(|&domain| clocks[domain]).collect();
            if let Err(violation) = simulator.step_domains(&rising) {
                unreachable!("there are no checks: {violation}");
            }
        }
        outputs
    }
}

fn inputs<'a>(modules: &'a [&Module]) -> impl Iterator<Item = (u64, usize)> + 'a {
    modules.iter().flat_map(|module| module.inputs.iter().map(|input| (input.seed, input.width)))
}

fn binary(limbs: &[u64], width: usize) -> String {
    (0..width).rev().map(|i| if limbs[i / 64] >> (i % 64) & 1 == 1 { '1' } else { '0' }).collect()
}

fn compare(engine: Engine, expected: &[Vec<Number>], found: &Outputs) -> Verdict {
    for (cycle, (expected, found)) in expected.iter().zip(found).enumerate() {
        for (output, (expected, found)) in expected.iter().zip(found).enumerate() {
            let digits = found.bytes().rev();
            let same = expected.0.iter().map(|&bit| if bit { b'1' } else { b'0' }).eq(digits);
            if !same {
                let (expected, found) = (expected.clone(), found.clone());
                return Verdict::Different(Difference { engine, cycle, output, expected, found });
            }
        }
    }
    Verdict::Same
}

/// Runs `f`; a panic counts as an error.
fn attempt<T>(f: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|payload| {
        let text = payload.downcast_ref::<String>().cloned();
        let text = text.or_else(|| payload.downcast_ref::<&str>().map(|text| text.to_string()));
        Err(format!("panic: {}", text.unwrap_or_default()))
    })
}

/// The Verilog of a module, for a report.
pub fn verilog_of(module: &Module) -> String {
    attempt(|| Ok(elaborate(module).map_err(|errors| errors.to_string())?.verilog().text()))
        .unwrap_or_else(|message| message)
}
