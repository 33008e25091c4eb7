//! Finding Verilator and a C++ compiler, and running them.

use super::error::VerilatorError;
use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;
use std::{env, fmt};

/// The oldest Verilator whose generated C++ the shim knows: Debian 12's.
pub(super) const OLDEST: Version = Version { major: 5, minor: 6 };

/// How many lines of a tool's messages an error quotes.
const QUOTED_LINES: usize = 8;

/// A Verilator release, such as 5.006.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.major, self.minor)
    }
}

impl Version {
    /// Reads the first line of `verilator --version`.
    fn parse(text: &str) -> Option<Version> {
        let number = text.strip_prefix("Verilator ")?.split_whitespace().next()?;
        let (major, minor) = number.split_once('.')?;
        Some(Version { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }
}

/// A Verilator that can build models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    pub program: PathBuf,
    pub version: Version,
    /// The whole version line: two builds of one release may differ.
    pub(super) banner: String,
    /// Where `verilated.h` and the runtime's sources are.
    pub(super) include: PathBuf,
}

/// The Verilator that the variable `VERILATOR` names, or the one on `PATH`.
pub fn find_verilator() -> Result<Installation, VerilatorError> {
    // The driver is a Perl script: asking it twice takes longer than loading a cached model.
    static FOUND: Mutex<Option<HashMap<PathBuf, Installation>>> = Mutex::new(None);
    let program = env::var_os("VERILATOR").filter(|v| !v.is_empty()).unwrap_or_else(|| "verilator".into());
    let program = PathBuf::from(program);
    let mut found = FOUND.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let found = found.get_or_insert_default();
    if let Some(known) = found.get(&program) {
        return Ok(known.clone());
    }
    let installation = Installation::at(&program)?;
    found.insert(program, installation.clone());
    Ok(installation)
}

impl Installation {
    /// The Verilator at `program`, a path or a name to look up on `PATH`.
    pub fn at(program: &Path) -> Result<Installation, VerilatorError> {
        let name = program.display().to_string();
        let unusable = |reason: String| VerilatorError::Unusable { program: name.clone(), reason };
        let ask = |arguments: &[&str]| {
            let output = run(Command::new(program).args(arguments)).map_err(|error| match error.kind() {
                ErrorKind::NotFound => VerilatorError::Missing { program: name.clone() },
                _ => unusable(error.to_string()),
            })?;
            if output.status.success() {
                Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
            } else {
                Err(unusable(format!(
                    "`{}` ends with {}\n{}",
                    arguments.join(" "),
                    output.status,
                    messages(&output)
                )))
            }
        };
        let banner = ask(&["--version"])?;
        let version = Version::parse(&banner).ok_or_else(|| {
            unusable(format!("`--version` prints no version but {:?}", first_line(&banner)))
        })?;
        if version < OLDEST {
            return Err(VerilatorError::TooOld { program: name.clone(), found: version });
        }
        let include = Path::new(&ask(&["--getenv", "VERILATOR_ROOT"])?).join("include");
        if !include.join("verilated.h").is_file() {
            return Err(unusable(format!("{} has no verilated.h", include.display())));
        }
        Ok(Installation { program: program.to_owned(), version, banner, include })
    }
}

/// A C++ compiler.
pub(super) struct Compiler {
    /// The words before every argument, `ccache` first where there is one.
    words: Vec<OsString>,
    /// What it says about its version.
    pub banner: String,
}

impl Compiler {
    /// `CXX`, or the first of the usual names; if `cached`, behind `OBJCACHE`, or ccache where installed.
    pub(super) fn find(cached: bool) -> Result<Compiler, VerilatorError> {
        let words = |variable: &str| -> Option<Vec<OsString>> {
            let value = env::var(variable).ok()?;
            Some(value.split_whitespace().map(OsString::from).collect())
        };
        let version = |words: &[OsString]| {
            let (program, arguments) = words.split_first()?;
            let output = run(Command::new(program).args(arguments).arg("--version")).ok()?;
            output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
        };
        let candidates = match words("CXX").filter(|words| !words.is_empty()) {
            Some(chosen) => vec![chosen],
            None => ["c++", "g++", "clang++"].map(|name| vec![OsString::from(name)]).to_vec(),
        };
        let found = candidates.iter().find_map(|words| Some((words, version(words)?)));
        let (compiler, banner) = found.ok_or_else(|| {
            let tried = candidates.iter().map(|words| words.join(" ".as_ref()).display().to_string());
            VerilatorError::NoCompiler { tried: tried.collect::<Vec<_>>().join(", ") }
        })?;
        let mut words = words("OBJCACHE").unwrap_or_else(|| vec!["ccache".into()]);
        if !cached || version(&words).is_none() {
            words.clear();
        }
        words.extend(compiler.iter().cloned());
        Ok(Compiler { words, banner })
    }

    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]);
        // What ccache wants before it trusts a precompiled header.
        if env::var_os("CCACHE_SLOPPINESS").is_none() {
            command.env("CCACHE_SLOPPINESS", "pch_defines,time_macros");
        }
        command
    }
}

/// Runs a tool to its end and keeps what it prints.
pub(super) fn run(command: &mut Command) -> io::Result<Output> {
    command.stdin(Stdio::null()).output()
}

/// The lines of a tool's output that say what is wrong, the first few of them.
pub(super) fn messages(output: &Output) -> String {
    let text = [&output.stderr[..], &output.stdout[..]].concat();
    let text = String::from_utf8_lossy(&text);
    let says_why = |line: &&str| {
        (line.contains("%Error")
            || line.contains("error:")
            || line.contains("undefined reference")
            || line.contains("cannot find"))
            && !line.contains("Exiting due to")
    };
    let mut lines: Vec<&str> = text.lines().filter(says_why).collect();
    if lines.is_empty() {
        lines = text.lines().filter(|line| !line.trim().is_empty()).collect();
    }
    let more = lines.len().saturating_sub(QUOTED_LINES);
    lines.truncate(QUOTED_LINES);
    let mut quoted = lines.join("\n");
    if more > 0 {
        quoted += &format!("\n... and {more} more lines");
    }
    quoted
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_ordered() {
        let debian = Version::parse("Verilator 5.006 2023-01-22 rev (Debian 5.006-3)").unwrap();
        let newest = Version::parse("Verilator 5.052 2026-09-05 rev v5.052").unwrap();
        let old = Version::parse("Verilator 4.038 2020-07-11 rev v4.036-114-g0cd4a57ad").unwrap();
        assert!(old < OLDEST && OLDEST == debian && debian < newest);
        assert_eq!(debian.to_string(), "5.006");
        assert_eq!(Version::parse("Icarus Verilog version 11.0"), None);
    }

    #[test]
    fn only_the_first_errors_are_quoted() {
        let noise = (0..100).map(|i| format!("note {i}\nx.v:{i}: error: no {i}\n")).collect::<String>();
        let output = Output { status: Default::default(), stdout: Vec::new(), stderr: noise.into_bytes() };
        let quoted = messages(&output);
        assert_eq!(quoted.lines().count(), QUOTED_LINES + 1);
        assert!(
            quoted.starts_with("x.v:0: error: no 0\nx.v:1:") && quoted.ends_with("and 92 more lines"),
            "{quoted}"
        );
    }
}
