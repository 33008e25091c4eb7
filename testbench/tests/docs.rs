//! The generated parts of the documentation are up to date. `BLESS=1 cargo test -p testbench --test docs` renews them.

use hdl::elaborate;
use rtl::config::Config;
use std::{env, fs, path::Path};

/// The part of a page between its markers is this code.
fn check_code(page: &str, marker: &str, language: &str, code: &str) {
    check_part(page, marker, &format!("```{language}\n{}\n```\n", code.trim_end()));
}

/// Compares the part of a page between its markers with what it should be, or renews it.
fn check_part(page: &str, marker: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src").join(page);
    let text = fs::read_to_string(&path).unwrap();
    let (begin, end) = (format!("<!-- begin {marker} -->\n"), format!("<!-- end {marker} -->"));
    let from = text.find(&begin).expect("the page has the marker") + begin.len();
    let to = text.find(&end).expect("the page has the marker");
    if env::var_os("BLESS").is_some() {
        fs::write(&path, format!("{}{wanted}{}", &text[..from], &text[to..])).unwrap();
    } else {
        assert!(
            &text[from..to] == wanted,
            "{page} is out of date: BLESS=1 cargo test -p testbench --test docs"
        );
    }
}

#[test]
fn rust_and_verilog_side_by_side() {
    let source =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../rtl/src/veb/references.rs"));
    let config = Config::small();
    let design = elaborate(|| rtl::veb::references::references(&config)).unwrap().design;
    check_code("side-by-side.md", "rust", "rust,ignore", &source.unwrap());
    check_code("side-by-side.md", "verilog", "verilog", &design.verilog().text());
}

#[test]
fn registers() {
    check_part("register-reference.md", "registers", &format!("\n{}\n", rtl::register_map::reference()));
}

#[test]
fn manager_registers() {
    check_part("manager.md", "manager registers", &format!("\n{}\n", rtl::manager::map::reference()));
}

#[test]
fn configuration_space() {
    check_part("pcie.md", "space", &rtl::pcie::space::reference(&Config::small()));
}

#[test]
fn virtio_registers() {
    check_part("virtio.md", "virtio registers", &rtl::virtio::registers::map::table());
}
