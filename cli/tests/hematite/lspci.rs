//! `hematite lspci`.

use super::{bad_input::refuses, *};

#[test]
fn lists_what_an_operating_system_finds() {
    let directory = workspace();
    let text = stdout(hematite(directory.path(), &["lspci", "--vfs", "3", "--dump", "adapter.txt"]));
    let functions: Vec<&str> = text.lines().filter(|line| !line.starts_with(' ')).collect();
    let ids: Vec<&str> = functions.iter().map(|line| &line[..7]).collect();
    assert_eq!(ids, ["01:00.0", "01:00.1", "01:00.2", "01:00.3", "01:00.4"], "{text}");
    assert!(text.contains("virtualization [148]"), "{text}");
    let dump = fs::read_to_string(directory.path().join("adapter.txt")).unwrap();
    assert_eq!(dump.matches("\n00: f4 1a 41 10 ").count(), 4);
    let text = stdout(hematite(directory.path(), &["lspci", "--vfs", "2", "--slots", "--no-ari"]));
    let functions: Vec<&str> = text.lines().filter(|line| !line.starts_with(' ')).collect();
    let ids: Vec<&str> = functions.iter().map(|line| &line[..7]).collect();
    assert_eq!(ids, ["01:00.0", "01:00.1", "01:01.0", "01:02.0"], "{text}");
    let text = stdout(hematite(directory.path(), &["lspci", "--personality", "two"]));
    assert!(!text.contains("virtualization") && text.contains("01:00.1 0880: 1af4:10f0"), "{text}");
}

#[test]
fn what_is_not_possible() {
    let directory = workspace();
    for (arguments, parts) in [
        (&["--vfs", "4"][..], &["01:00.0: 4 virtual functions; there are 3"][..]),
        (&["--personality", "eight"], &["5 functions, fewer than 8"]),
        (&["--page", "5000"], &["5000", "power of two from 4096 up"]),
        (&["--page", "8388608"], &["no pages of 8388608 bytes"]),
        (&["--config", "huge"], &["small, x3100, wide"]),
        (&["--dump", "missing/file"], &["missing/file", "cannot write"]),
    ] {
        let mut command = hematite(directory.path(), &[&["lspci"], arguments].concat());
        refuses(directory.path(), &mut command, parts);
    }
}
