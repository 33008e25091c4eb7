//! The text of the samples, word for word. After a change that is meant, `HDL_BLESS=1 cargo test -p hdl golden` writes
//! the new text, and its difference is there to be read.

use super::samples;
use std::{fs, path::Path};

#[test]
fn samples_print_as_before() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/verilog/tests/golden");
    let bless = std::env::var_os("HDL_BLESS").is_some();
    let mut changed = vec![];
    for (name, design) in samples::all() {
        let path = folder.join(format!("{name}.v"));
        let text = design.verilog().text();
        if bless {
            fs::write(&path, &text).expect("the golden folder can be written");
        }
        let golden = fs::read_to_string(&path).unwrap_or_default();
        let lines = golden.lines().zip(text.lines()).enumerate();
        if let Some((i, (old, new))) = lines.into_iter().find(|(_, (old, new))| old != new) {
            changed.push(format!("{name}.v:{}\n  was  {old}\n  is   {new}", i + 1));
        } else if golden != text {
            changed.push(format!(
                "{name}.v: {} lines became {}",
                golden.lines().count(),
                text.lines().count()
            ));
        }
    }
    assert!(changed.is_empty(), "{}\nHDL_BLESS=1 accepts this", changed.join("\n"));
}
