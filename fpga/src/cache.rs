//! Results kept by the content that they were made from.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::FlowError;

/// A folder of files that depend on nothing but the key of the folder.
#[derive(Debug)]
pub(crate) struct Entry {
    folder: PathBuf,
}

impl Entry {
    /// The entry below `root` for content made of `parts`.
    pub(crate) fn open(root: &Path, parts: &[&str]) -> Result<Self, FlowError> {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        let key: String = hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let folder = root.join(key);
        fs::create_dir_all(&folder).map_err(|source| FlowError::Io { path: folder.clone(), source })?;
        // Tools run in folders of their own, so that this path must not depend on where the program runs.
        let folder = folder.canonicalize().map_err(|source| FlowError::Io { path: folder, source })?;
        Ok(Self { folder })
    }

    /// Where a file of this entry is or will be.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The content of `name`; `make` produces it the first time, in a new folder that it gets. A file appears whole or
    /// not at all, so that a killed run leaves nothing behind that a later one would take for a result.
    pub(crate) fn get(
        &self,
        name: &str,
        make: impl FnOnce(&Path) -> Result<(), FlowError>,
    ) -> Result<String, FlowError> {
        let path = self.path(name);
        let io = |source| FlowError::Io { path: path.clone(), source };
        if !path.exists() {
            let work = tempfile::tempdir_in(&self.folder).map_err(io)?;
            make(work.path())?;
            fs::rename(work.path().join(name), &path).map_err(io)?;
        }
        fs::read_to_string(&path).map_err(io)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_made_once_and_never_half() {
        let root = tempfile::tempdir().unwrap();
        let entry = Entry::open(root.path(), &["a", "b"]).unwrap();
        let broken = entry.get("file", |folder| {
            fs::write(folder.join("file"), "half").unwrap();
            Err(FlowError::MissingTool { tool: "x" })
        });
        assert!(broken.is_err());
        let make = |folder: &Path| {
            fs::write(folder.join("file"), "whole").unwrap();
            Ok(())
        };
        assert_eq!(entry.get("file", make).unwrap(), "whole");
        assert_eq!(entry.get("file", |_| panic!("made twice")).unwrap(), "whole");
    }

    #[test]
    fn the_key_depends_on_where_parts_end() {
        let root = tempfile::tempdir().unwrap();
        let path = |parts: &[&str]| Entry::open(root.path(), parts).unwrap().path("");
        assert_ne!(path(&["ab", "c"]), path(&["a", "bc"]));
        assert_eq!(path(&["ab", "c"]), path(&["ab", "c"]));
    }

    #[test]
    fn a_root_that_cannot_be_written_is_named() {
        let error = Entry::open(Path::new("/proc/none"), &["a"]).unwrap_err().to_string();
        assert!(error.starts_with("cannot use /proc/none/"), "{error}");
    }
}
