//! From Verilog to a shared library in the cache.

use super::cache::Cache;
use super::error::{Context, VerilatorError};
use super::tool::{Compiler, Installation, messages, run};
use super::{Source, VerilatorOptions, ports, shim};
use hdl::interface::Interface;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

/// Name of the shared library in its entry of the cache.
pub(super) const LIBRARY: &str = "model.so";

/// For the compiler, all the same for the runtime and the models: both include one precompiled header.
fn cxx_flags(options: &VerilatorOptions) -> Vec<String> {
    let &VerilatorOptions { trace, coverage, short_lived, .. } = options;
    let defines = [("COVERAGE", coverage), ("TRACE", trace), ("TRACE_FST", trace)].into_iter();
    let never = ["SC", "TRACE_VCD", "TRACE_SAIF", "TIMING", "VPI"].map(|name| (name, false));
    let define = |(name, on)| format!("-DVM_{name}={}", u8::from(on));
    let common = [
        "-std=gnu++17",
        if short_lived { "-O0" } else { "-O3" },
        "-fPIC",
        "-fvisibility=hidden",
        "-faligned-new",
        "-w",
        "-DVERILATOR=1",
        "-I.",
    ];
    common.map(str::to_owned).into_iter().chain(defines.chain(never).map(define)).collect()
}

/// For Verilator. Lint is not what a simulation is for; see [`super::lint()`].
fn verilator_flags(options: &VerilatorOptions) -> Vec<&'static str> {
    let mut flags = vec!["--cc", "--prefix", "Vmodel", "--Mdir", "obj", "-O3"];
    // Functions of a limited length compile three times faster, and run faster too: compilers give up on the longest.
    flags.extend(["--output-split", "5000", "--output-split-cfuncs", "2000"]);
    // This step of its optimiser gets parities of rows with constants wrong in 5.006, and has more faults reported.
    flags.push("-fno-const-bit-op-tree");
    // Finds out here that `~{96'd0, a} != 100'd0` holds for good, and then loses in 5.006 what stands before it in a row.
    flags.push("-fno-subst-const");
    flags.extend(["--x-assign", "fast", "--x-initial", "unique", "--no-timing", "--timescale", "1ns/1ns"]);
    flags.extend(["-Wno-lint", "-Wno-style", "-Wno-fatal"]);
    if options.trace {
        // The widths that Verilator leaves out by default are the ones a packet path is made of.
        flags.extend(["--trace-fst", "--trace-max-width", "65536"]);
    }
    if options.coverage {
        flags.push("--coverage");
    }
    // Cover points count as assertions: later releases leave them out with the rest.
    if options.assertions || options.coverage {
        flags.extend(["--assert", "+define+FORMAL"]);
    } else {
        flags.push("--no-assert");
    }
    flags
}

/// Generated C++ up to this size is one translation unit: a second one costs more than it can save. In bytes.
const UNIT_SIZE: usize = 256 * 1024;

/// Identifies a model by all that goes into it.
pub(super) fn key(verilator: &Installation, source: &Source, options: &VerilatorOptions) -> String {
    let Interface { name, ports, domains } = source.interface;
    let mut hash = Fingerprint::new(verilator, options);
    verilator_flags(options).iter().for_each(|flag| hash.add(flag));
    hash.add(name);
    hash.add(source.verilog);
    for port in ports {
        hash.add(&port.name);
        hash.add(&format!("{} {:?}", port.width, port.direction));
    }
    for domain in domains {
        hash.add(&format!("{:?} {:?}", domain.clock, domain.reset));
    }
    hash.finish()
}

/// SHA-256 of texts, each with its length before it.
struct Fingerprint(Sha256);

impl Fingerprint {
    /// Starts with what the runtime depends on too.
    fn new(verilator: &Installation, options: &VerilatorOptions) -> Fingerprint {
        let mut hash = Fingerprint(Sha256::new());
        hash.add(&verilator.banner);
        hash.add(&verilator.include.to_string_lossy());
        // What this harness makes of a design follows from its own source.
        for text in
            [include_str!("compile.rs"), include_str!("shim.rs"), shim::HOOKS, shim::HEADER, shim::MODEL]
        {
            hash.add(text);
        }
        cxx_flags(options).iter().for_each(|flag| hash.add(flag));
        hash
    }

    fn add(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text);
    }

    /// Half of the hash in hexadecimal: enough to tell models apart, short enough for a path.
    fn finish(self) -> String {
        self.0.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// One build of one model, in a scratch folder of the cache.
pub(super) struct Build<'a> {
    pub verilator: &'a Installation,
    pub cache: &'a Cache,
    pub source: &'a Source<'a>,
    pub options: &'a VerilatorOptions,
}

impl Build<'_> {
    /// Leaves [`LIBRARY`] and the Verilog in `folder`.
    pub(super) fn run(&self, folder: &Path) -> Result<(), VerilatorError> {
        let compiler = Compiler::find(!self.options.short_lived)?;
        self.verilate(folder)?;
        let objects = folder.join("obj");
        let sources = sources(&objects)?;
        self.write_shim(&objects, &sources)?;
        let runtime = self.runtime(&compiler, &objects)?;

        let names: Vec<(&str, usize)> =
            sources.iter().map(|(name, text)| (name.as_str(), text.len())).collect();
        let mut commands = Vec::new();
        let mut object_names = Vec::new();
        for (index, mut unit) in units(&names).into_iter().enumerate() {
            if index == 0 {
                unit.insert(0, "shim.cpp");
            }
            let name = format!("unit{index}");
            let includes: String = unit.iter().map(|name| format!("#include \"{name}\"\n")).collect();
            let path = objects.join(format!("{name}.cc"));
            fs::write(&path, includes).context("write", &path)?;
            let mut command = self.compile(&compiler, &objects);
            command.arg("-I").arg(&runtime).args(["-include", "model.h", "-c"]);
            command.args([format!("{name}.cc"), "-o".into(), format!("{name}.o")]);
            commands.push(command);
            object_names.push(format!("{name}.o"));
        }
        self.run_all(commands)?;
        self.link(&compiler, &objects, &runtime, &object_names)?;
        fs::remove_dir_all(&objects).context("remove", &objects)
    }

    fn verilate(&self, folder: &Path) -> Result<(), VerilatorError> {
        let module = &self.source.interface.name;
        let file = format!("{module}.v");
        let path = folder.join(&file);
        fs::write(&path, self.source.verilog).context("write", &path)?;
        let mut command = Command::new(&self.verilator.program);
        command.current_dir(folder).args(verilator_flags(self.options)).args(["--top-module", module]);
        let output = run(command.arg(file)).context("run", &self.verilator.program)?;
        if output.status.success() {
            return Ok(());
        }
        Err(VerilatorError::Rejected { module: module.clone(), lines: messages(&output) })
    }

    /// Checks the ports before any C++ is compiled, so that a mismatch is told in terms of the design.
    fn write_shim(&self, objects: &Path, sources: &[(String, String)]) -> Result<(), VerilatorError> {
        let Source { verilog, interface } = self.source;
        ports::check(&read(&objects.join("Vmodel.h"))?, interface)?;
        let root = read(&objects.join("Vmodel___024root.h"))?;
        let code: String = sources.iter().map(|(_, text)| text.as_str()).collect();
        let generated = shim::Generated { root: &root, code: &code };
        // Coverage counts what the clocks do between two rises too.
        let generated = Some(generated).filter(|_| !self.options.coverage);
        let ports = shim::model_ports(interface, verilog, generated.as_ref());
        for (name, text) in [("shim.cpp", shim::MODEL), ("model_ports.h", &ports)] {
            let path = objects.join(name);
            fs::write(&path, text).context("write", &path)?;
        }
        Ok(())
    }

    /// The folder with the objects of Verilator's runtime and the precompiled header, shared by all models with the
    /// same options.
    fn runtime(&self, compiler: &Compiler, objects: &Path) -> Result<PathBuf, VerilatorError> {
        let classes = read(&objects.join("Vmodel_classes.mk"))?;
        let is_source = |word: &&str| word.starts_with("verilated");
        let sources: Vec<&str> = classes.split_whitespace().filter(is_source).collect();
        let mut hash = Fingerprint::new(self.verilator, self.options);
        hash.add(&compiler.banner);
        sources.iter().for_each(|source| hash.add(source));
        self.cache.entry(&format!("runtime-{}", hash.finish()), |folder| {
            for (name, text) in [("hooks.h", shim::HOOKS), ("model.h", shim::HEADER)] {
                let path = folder.join(name);
                fs::write(&path, text).context("write", &path)?;
            }
            let mut header = self.compile(compiler, folder);
            header.args(["-x", "c++-header", "model.h", "-o", "model.h.gch"]);
            let objects = sources.iter().map(|source| {
                let mut command = self.compile(compiler, folder);
                command.args(["-include", "hooks.h", "-c"]);
                command.arg(self.verilator.include.join(format!("{source}.cpp")));
                command.args(["-o", &format!("{source}.o")]);
                command
            });
            self.run_all(objects.chain([header]).collect())
        })
    }

    fn compile(&self, compiler: &Compiler, folder: &Path) -> Command {
        let mut command = compiler.command();
        command.current_dir(folder).args(cxx_flags(self.options));
        for folder in [self.verilator.include.clone(), self.verilator.include.join("vltstd")] {
            command.arg("-I").arg(folder);
        }
        command
    }

    fn link(
        &self,
        compiler: &Compiler,
        objects: &Path,
        runtime: &Path,
        names: &[String],
    ) -> Result<(), VerilatorError> {
        let mut command = compiler.command();
        command.current_dir(objects).args(["-shared", "-o", &format!("../{LIBRARY}")]).args(names);
        let files = fs::read_dir(runtime).context("read", runtime)?.flatten().map(|file| file.path());
        let mut files: Vec<_> = files.filter(|file| file.extension().is_some_and(|e| e == "o")).collect();
        files.sort();
        command.args(files).arg("-pthread");
        if cfg!(target_os = "linux") {
            command.arg("-s");
        }
        if self.options.trace {
            command.arg("-lz");
            // Later releases compress waveforms with the system's LZ4 instead of a copy.
            if self.verilator.include.join("fstcpp").is_dir() {
                command.arg("-llz4");
            }
        }
        self.run_all(vec![command])
    }

    /// Runs compilers side by side, at most one per processor.
    fn run_all(&self, commands: Vec<Command>) -> Result<(), VerilatorError> {
        let workers = thread::available_parallelism().map_or(1, usize::from).min(commands.len());
        let queue = Mutex::new(commands.into_iter());
        let work = || {
            while let Some(mut command) = queue.lock().ok().and_then(|mut queue| queue.next()) {
                self.run_compiler(&mut command)?;
            }
            Ok(())
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
            workers.into_iter().try_for_each(|worker| worker.join().expect("a worker does not panic"))
        })
    }

    fn run_compiler(&self, command: &mut Command) -> Result<(), VerilatorError> {
        let output = run(command).context("run", Path::new(command.get_program()))?;
        if output.status.success() {
            return Ok(());
        }
        let lines = messages(&output);
        for (header, library) in [("zlib.h", "-lz:"), ("lz4.h", "-llz4")] {
            if lines.contains(header) || lines.contains(library) {
                return Err(VerilatorError::NoLibrary { header });
            }
        }
        Err(VerilatorError::Compile { module: self.source.interface.name.clone(), lines })
    }
}

/// Name and text of every generated source, in a fixed order.
fn sources(objects: &Path) -> Result<Vec<(String, String)>, VerilatorError> {
    let files = fs::read_dir(objects).context("read", objects)?.flatten().map(|file| file.path());
    let mut files: Vec<_> = files.filter(|file| file.extension().is_some_and(|e| e == "cpp")).collect();
    files.sort();
    let named = |path: PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok((name, read(&path)?))
    };
    files.into_iter().map(named).collect()
}

/// Distributes sources of the given sizes over translation units of about [`UNIT_SIZE`].
fn units<'a>(sources: &[(&'a str, usize)]) -> Vec<Vec<&'a str>> {
    let total: usize = sources.iter().map(|(_, size)| size).sum();
    let mut units = vec![(0, Vec::new()); total.div_ceil(UNIT_SIZE).max(1)];
    let mut largest_first = sources.to_vec();
    largest_first.sort_by_key(|&(_, size)| std::cmp::Reverse(size));
    for (name, size) in largest_first {
        let smallest =
            units.iter_mut().min_by_key(|(filled, _)| *filled).expect("there is at least one unit");
        smallest.0 += size;
        smallest.1.push(name);
    }
    units.into_iter().map(|(_, names)| names).filter(|names| !names.is_empty()).collect()
}

fn read(path: &Path) -> Result<String, VerilatorError> {
    fs::read_to_string(path).context("read", path)
}
