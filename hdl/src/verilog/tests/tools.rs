//! Runs Verilog tools over emitted designs.

use crate::ir::Design;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
};

/// How many folders have been made.
static FOLDERS: AtomicUsize = AtomicUsize::new(0);

/// An emitted design in a folder of its own, which goes with it.
pub struct Emitted {
    pub folder: PathBuf,
    pub top: String,
    pub files: Vec<String>,
}

impl Emitted {
    /// Writes the modules of `design` and the models of its primitives.
    pub fn new(design: &Design) -> Emitted {
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("hdl-{}-{number}", std::process::id()));
        fs::create_dir_all(&folder).expect("a temporary folder");
        let verilog = design.verilog();
        let all: Vec<_> = verilog.models.iter().chain(&verilog.files).collect();
        for file in &all {
            fs::write(folder.join(&file.name), &file.text).expect("a temporary file");
        }
        let files = all.into_iter().map(|file| file.name.clone()).collect();
        Emitted { folder, top: verilog.top, files }
    }

    /// What a tool prints when it is run in the folder; `None` if it is not installed.
    pub fn run(&self, tool: &Path, arguments: &[&str]) -> Option<String> {
        let output = Command::new(tool).args(arguments).current_dir(&self.folder).output().ok()?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).trim().to_string();
        let failed = !output.status.success() && text.is_empty();
        Some(if failed { format!("ends with {}", output.status) } else { text })
    }
}

impl Drop for Emitted {
    fn drop(&mut self) {
        // A folder that stays behind does no harm.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A tool of the Python environment that `make setup` makes.
pub fn from_environment(tool: &str) -> PathBuf {
    repository().join(".venv/bin").join(tool)
}

pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
