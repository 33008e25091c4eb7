//! Built files, kept by content: an entry is a folder that appears complete or not at all.

use super::error::{Context, VerilatorError};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, process};

/// Between the key of an entry and the name of a folder in which it is built.
const BUILDING: &str = ".building-";

/// A folder of entries that any number of threads and processes share.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    root: PathBuf,
}

impl Cache {
    pub(super) fn at(root: impl Into<PathBuf>) -> Cache {
        Cache { root: root.into() }
    }

    /// `HEMATITE_CACHE`; else `verilator` in Cargo's target folder, which is `CARGO_TARGET_DIR`, the one this program
    /// was built into, or the one of the workspace around the current folder; else the user's cache folder.
    pub(super) fn locate() -> Cache {
        let variable = |name: &str| env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        if let Some(root) = variable("HEMATITE_CACHE") {
            return Cache::at(absolute(root));
        }
        // A relative one is relative to where Cargo was started, which a test cannot know.
        let chosen = variable("CARGO_TARGET_DIR").filter(|folder| folder.is_absolute());
        let built_into = || env::current_exe().ok()?.ancestors().find(|f| is_target(f)).map(Path::to_owned);
        let around = || {
            let folder = env::current_dir().ok()?;
            folder.ancestors().map(|f| f.join("target")).find(|f| is_target(f))
        };
        if let Some(target) = chosen.or_else(built_into).or_else(around) {
            return Cache::at(target.join("verilator"));
        }
        let user = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
        Cache::at(absolute(user.unwrap_or_else(env::temp_dir).join("hematite/verilator")))
    }

    /// The folder of the entry `key`; where there is none, `build` fills a scratch folder that then becomes it.
    ///
    /// Whoever else wants the same entry meanwhile, in any process, waits for it. A build that fails or dies leaves
    /// nothing that a later call could take for an entry.
    pub(super) fn entry(
        &self,
        key: &str,
        build: impl FnOnce(&Path) -> Result<(), VerilatorError>,
    ) -> Result<PathBuf, VerilatorError> {
        let entry = self.root.join(key);
        if entry.is_dir() {
            return Ok(entry);
        }
        fs::create_dir_all(&self.root).context("create", &self.root)?;
        let _lock = self.lock(key)?;
        if entry.is_dir() {
            return Ok(entry);
        }
        self.sweep(key);
        // Never the folder of a killed build: compilers that it started may still be writing there.
        static ATTEMPTS: AtomicUsize = AtomicUsize::new(0);
        let attempt = ATTEMPTS.fetch_add(1, Ordering::Relaxed);
        let scratch = self.root.join(format!("{key}{BUILDING}{}-{attempt}", process::id()));
        fs::create_dir(&scratch).context("create", &scratch)?;
        let built = build(&scratch).and_then(|()| fs::rename(&scratch, &entry).context("publish", &entry));
        if built.is_err() {
            // Best effort: the next build of this key sweeps again.
            let _ = fs::remove_dir_all(&scratch);
        }
        built.map(|()| entry)
    }

    /// Removes an entry that turned out to be unusable.
    pub(super) fn discard(&self, key: &str) -> Result<(), VerilatorError> {
        let _lock = self.lock(key)?;
        let entry = self.root.join(key);
        if entry.is_dir() { fs::remove_dir_all(&entry).context("remove", &entry) } else { Ok(()) }
    }

    /// Held until the file is dropped; the system releases the lock of a process that dies.
    fn lock(&self, key: &str) -> Result<File, VerilatorError> {
        let path = self.root.join(format!("{key}.lock"));
        let file = File::options().create(true).append(true).open(&path).context("create", &path)?;
        file.lock().context("lock", &path)?;
        Ok(file)
    }

    /// Removes what killed builds of `key` left behind. Only with the lock held, so that none of them is alive.
    fn sweep(&self, key: &str) {
        let prefix = format!("{key}{BUILDING}");
        let leftovers = fs::read_dir(&self.root).into_iter().flatten().flatten();
        for leftover in leftovers.filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix)) {
            let _ = fs::remove_dir_all(leftover.path());
        }
    }
}

/// Cargo puts this file into every target folder.
fn is_target(folder: &Path) -> bool {
    folder.join("CACHEDIR.TAG").is_file()
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}
