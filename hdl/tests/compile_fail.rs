//! What rustc must reject, and how: one file of `compile_fail/` for each idea, with the message beside it.
//!
//! `TRYBUILD=overwrite cargo test -p hdl --test compile_fail` writes the messages anew; read the difference.

use std::process::Command;

/// The compiler whose wording the messages have.
const COMPILER: &str = "rustc 1.95.";

#[test]
fn rustc_rejects() {
    let compiler =
        Command::new("rustc").arg("--version").output().expect("rustc runs: cargo has just used it");
    let version = String::from_utf8_lossy(&compiler.stdout);
    if !version.starts_with(COMPILER) {
        eprintln!("skipped: the messages are those of {COMPILER}x, this is {version}");
        return;
    }
    trybuild::TestCases::new().compile_fail("tests/compile_fail/*.rs");
}
