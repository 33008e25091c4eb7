//! Faults in the source, in a copy of the repository.

use super::{MutationError, data::Hand, read, root, write};
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    fmt, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

/// What became of a fault by hand.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    pub name: String,
    pub file: PathBuf,
    pub test: String,
    /// The test failed.
    pub noticed: bool,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.noticed { "noticed" } else { "NOT NOTICED" };
        write!(f, "{}: {verdict} by {}", self.name, self.test)
    }
}

/// Says which fault is on, by its place in the list.
const VARIABLE: &str = "HEMATITE_FAULT";

/// Runs the test of each fault, in a copy of the repository in `folder`, which stays for the next time; `done` is told of
/// each. The copy has all faults, each behind a question to the environment, so that it is built once.
///
/// # Errors
/// If a fault has no place in the source, does not compile or elaborate, or its test fails or is not there without it.
pub fn run(folder: &Path, faults: &[Hand], done: impl Fn(&Outcome)) -> Result<Vec<Outcome>, MutationError> {
    let tree = folder.join("tree");
    copy(&tree, &sources(faults)?)?;
    let cargo = Cargo { tree: &tree, target: &folder.join("cargo"), log: &folder.join("hand.log") };
    let mut tests: Vec<&str> = faults.iter().map(|fault| fault.test.as_str()).collect();
    tests.sort_unstable();
    tests.dedup();
    for test in tests {
        if !cargo.passes(test, None)? {
            return Err(MutationError::Fault(format!("{test} fails without a fault")));
        }
    }
    let judge = |(number, fault): (usize, &Hand)| {
        let Hand { name, file, test, .. } = fault.clone();
        let noticed = !cargo.passes(&test, Some(number))?;
        Ok(Outcome { name, file, test, noticed }).inspect(|outcome| done(outcome))
    };
    faults.iter().enumerate().map(judge).collect()
}

/// The files that differ from the repository's, with all faults.
fn sources(faults: &[Hand]) -> Result<HashMap<PathBuf, String>, MutationError> {
    let question = format!(
        "\n/// Whether a fault is on.\npub fn fault(number: &str) -> bool {{\n    \
         std::env::var({VARIABLE:?}).is_ok_and(|on| on == number)\n}}\n"
    );
    let root_module = PathBuf::from("rtl/src/lib.rs");
    let mut sources = HashMap::from([(root_module.clone(), read(&root().join(&root_module))? + &question)]);
    for (number, fault) in faults.iter().enumerate() {
        fault.check()?;
        let Hand { file, find, replace, .. } = fault;
        let text = match sources.remove(file) {
            Some(text) => text,
            None => read(&root().join(file))?,
        };
        let choice = format!("(if crate::fault(\"{number}\") {{ {replace} }} else {{ {find} }})");
        sources.insert(file.clone(), text.replacen(find, &choice, 1));
    }
    Ok(sources)
}

/// Copies what git knows or would know into `tree`, with some files as given; files that are equal stay as they are.
fn copy(tree: &Path, changed: &HashMap<PathBuf, String>) -> Result<(), MutationError> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard"]).current_dir(root());
    let failed = |error| MutationError::File { path: "git".into(), error };
    let list = git.output().map_err(failed)?.stdout;
    for file in String::from_utf8_lossy(&list).lines() {
        let (from, to) = (root().join(file), tree.join(file));
        let failed = |error| MutationError::File { path: to.clone(), error };
        // A file that is deleted and not committed is still on git's list.
        let content = match changed.get(Path::new(file)) {
            Some(text) => text.clone().into_bytes(),
            None => match fs::read(&from) {
                Ok(content) => content,
                Err(_) => continue,
            },
        };
        if fs::read(&to).is_ok_and(|old| old == content) {
            continue;
        }
        fs::create_dir_all(to.parent().expect("a file in a folder")).map_err(failed)?;
        fs::write(&to, content).map_err(failed)?;
    }
    Ok(())
}

/// Code that runs for a moment: it is compiled without what makes it fast or inspectable.
const FAST: &[&str] = &["--config", "profile.dev.debug=0", "--config", "profile.dev.package.sim.opt-level=0"];

/// Cargo in the copy, with a target folder of its own.
struct Cargo<'a> {
    tree: &'a Path,
    target: &'a Path,
    log: &'a Path,
}

impl Cargo<'_> {
    /// Whether a test passes with this fault on.
    ///
    /// # Errors
    /// If it does not compile, there is no such test, or the bridge does not elaborate, which would not have judged it.
    fn passes(&self, test: &str, fault: Option<usize>) -> Result<bool, MutationError> {
        let (package, name, elaborates): (&[&str], &str, &str) = match test.strip_prefix("testbench/") {
            Some(name) => (&["--package", "testbench", "--test", "veb"], name, "the_bridge_elaborates"),
            None => (&["--package", "rtl", "--lib"], test, "veb::tests::every_block_elaborates"),
        };
        let built = self.run(&[&["test", "--locked", "--no-run"], package, FAST].concat(), None)?;
        if !built.status.success() {
            let what = format!("the build for {test}");
            return Err(MutationError::Tool { what, log: self.log.to_owned() });
        }
        let ran = self.run(
            &[&["test", "--locked"], package, FAST, &["--", "--exact", elaborates, name]].concat(),
            fault,
        )?;
        let words = String::from_utf8_lossy(&ran.stdout);
        let says = |test: &str, verdict: &str| words.contains(&format!("test {test} ... {verdict}"));
        if !says(elaborates, "ok") {
            return Err(MutationError::Fault(format!("{elaborates} fails, so that {test} says nothing")));
        }
        match (says(name, "ok"), says(name, "FAILED")) {
            (true, _) => Ok(true),
            (_, true) => Ok(false),
            _ => Err(MutationError::Fault(format!("there is no test {test}"))),
        }
    }

    fn run(&self, arguments: &[&str], fault: Option<usize>) -> Result<Output, MutationError> {
        let failed = |error| MutationError::File { path: "cargo".into(), error };
        let mut cargo = Command::new("cargo");
        cargo.args(arguments).current_dir(self.tree).env("CARGO_TARGET_DIR", self.target);
        fault.iter().for_each(|number| {
            cargo.env(VARIABLE, number.to_string());
        });
        let output = cargo.output().map_err(failed)?;
        let words = [output.stdout.as_slice(), &output.stderr].concat();
        write(self.log, &String::from_utf8_lossy(&words))?;
        Ok(output)
    }
}
