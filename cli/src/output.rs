//! Results: text on stdout, and a directory that appears complete or not at all.

use crate::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Lists the files of a directory that hematite wrote: these, and only these, the next run replaces.
const MANIFEST: &str = ".hematite";

/// Prints to stdout. A reader that has seen enough, such as `head`, is no error.
pub fn print(text: &str) {
    // Nothing sensible is left to do where stdout does not work.
    let _ = io::stdout().lock().write_all(text.as_bytes());
}

/// A value as JSON on stdout.
pub fn print_json(value: &impl serde::Serialize) {
    print(&json(value));
}

/// A value as indented JSON, with an end of line.
pub fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).expect("all keys are strings") + "\n"
}

/// A result directory in the making. Files go into a scratch directory, which [`OutputDirectory::publish`] turns into
/// the result; without it nothing remains and nothing of an earlier result is touched.
pub struct OutputDirectory {
    target: PathBuf,
    scratch: TempDir,
}

impl OutputDirectory {
    /// Starts a result that is to be called `target`.
    ///
    /// # Errors
    /// A target that is a file, holds anything that hematite did not write, or cannot be written.
    pub fn create(target: &Path) -> Result<OutputDirectory, Error> {
        let target = std::path::absolute(target).map_err(|source| write_error(target, source))?;
        match fs::metadata(&target) {
            Ok(found) if found.is_dir() => check_content(&target)?,
            Ok(_) => return Err(Error::OutputIsFile { path: target }),
            // Parents that are missing are made in the end; a parent that is a file shows below.
            Err(_) => {}
        }
        // On the file system of the target, so that files can be renamed into it.
        let near = target.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("."));
        let scratch = tempfile::Builder::new().prefix(".hematite-").tempdir_in(near);
        // An error of `tempfile` repeats the path.
        let scratch = scratch.map_err(|error| write_error(&target, error.kind().into()))?;
        Ok(OutputDirectory { target, scratch })
    }

    /// Where to write a file of the result.
    pub fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    /// Writes a file of the result.
    ///
    /// # Errors
    /// What the system says, for example when the disk is full.
    pub fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        fs::write(self.path(name), text).map_err(|source| write_error(&self.target.join(name), source))
    }

    /// Puts the files in place of those of an earlier result.
    ///
    /// # Errors
    /// What the system says.
    pub fn publish(self) -> Result<(), Error> {
        self.move_files().map_err(|source| write_error(&self.target, source))
    }

    fn move_files(&self) -> io::Result<()> {
        let mut names = vec![];
        for file in fs::read_dir(self.scratch.path())? {
            names.push(file?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        fs::write(self.path(MANIFEST), names.iter().map(|name| format!("{name}\n")).collect::<String>())?;
        fs::create_dir_all(&self.target)?;
        for old in manifest(&self.target).iter().filter(|old| !names.contains(old)) {
            match fs::remove_file(self.target.join(old)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        for name in names.iter().map(String::as_str).chain([MANIFEST]) {
            fs::rename(self.path(name), self.target.join(name))?;
        }
        Ok(())
    }
}

fn write_error(path: &Path, source: io::Error) -> Error {
    Error::Write { path: path.to_owned(), source }
}

/// The files that an earlier result consists of.
fn manifest(directory: &Path) -> Vec<String> {
    let text = fs::read_to_string(directory.join(MANIFEST)).unwrap_or_default();
    // A plain name each: nothing that somebody wrote into the list reaches out of the directory.
    let plain = |name: &&str| Path::new(name).file_name() == Some(name.as_ref());
    text.lines().filter(plain).map(str::to_owned).collect()
}

/// Nothing but an earlier result may be in the directory.
fn check_content(directory: &Path) -> Result<(), Error> {
    let known = manifest(directory);
    for entry in fs::read_dir(directory).map_err(|source| write_error(directory, source))? {
        let entry = entry.map_err(|source| write_error(directory, source))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // Scratch directories of a run beside this one, or of one that was killed, harm nobody.
        if name != MANIFEST && !name.starts_with(".hematite-") && !known.contains(&name) {
            return Err(Error::ForeignContent { path: directory.to_owned(), name });
        }
    }
    Ok(())
}
