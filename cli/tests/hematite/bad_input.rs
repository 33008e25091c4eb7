//! Every bad input: one message, status 2, and nothing left behind.

use super::*;

/// Runs a command that must fail with a message that has all these parts and leave the directory as it was.
#[track_caller]
pub fn refuses(directory: &Path, command: &mut Command, parts: &[&str]) {
    let before = listing(directory);
    let output = command.output().unwrap();
    let message = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{message}");
    for part in parts {
        assert!(message.contains(part), "no `{part}` in: {message}");
    }
    assert!(!message.contains("panicked") && !message.contains("backtrace"), "{message}");
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(listing(directory), before);
}

#[track_caller]
fn refuses_capture(content: Option<&[u8]>, parts: &[&str]) {
    let directory = workspace();
    if let Some(content) = content {
        fs::write(directory.path().join("in.pcap"), content).unwrap();
    }
    let arguments = ["run", "--simulator", "native", "--pcap", "in.pcap", "--out", "a/b/out"];
    refuses(directory.path(), &mut hematite(directory.path(), &arguments), &[&["in.pcap"], parts].concat());
}

#[track_caller]
fn refuses_scenario(text: &str, config: &str, parts: &[&str]) {
    let directory = workspace();
    fs::write(directory.path().join("in.toml"), text).unwrap();
    fs::write(directory.path().join("in.pcap"), capture(1, &[vec![0xFF; 60]])).unwrap();
    let arguments =
        ["run", "--part", "bridge", "--simulator", "native", "--config", config, "--scenario", "in.toml"];
    refuses(directory.path(), &mut hematite(directory.path(), &arguments), parts);
}

#[test]
fn captures_that_are_none() {
    refuses_capture(None, &["No such file"]);
    refuses_capture(Some(b""), &["the file is empty"]);
    refuses_capture(Some(b"hello, world"), &["not a pcap file"]);
    refuses_capture(Some(&[0x0A, 0x0D, 0x0D, 0x0A, 28, 0, 0, 0]), &["pcapng", "editcap"]);
    refuses_capture(Some(&capture(101, &[vec![0; 60]])), &["link type 101", "Ethernet"]);
}

#[test]
fn captures_that_end_early() {
    let whole = capture(1, &[vec![0; 60], vec![0; 60]]);
    refuses_capture(Some(&whole[..20]), &["ends within the pcap header"]);
    refuses_capture(Some(&whole[..whole.len() - 1]), &["ends within packet 2"]);
    refuses_capture(Some(&whole[..24 + 10]), &["ends within packet 1"]);
}

#[test]
fn frames_of_no_length_that_there_is() {
    refuses_capture(Some(&capture(1, &[vec![0; 60], vec![0; 13]])), &["packet 2", "13 bytes", "at least 14"]);
    refuses_capture(Some(&capture(1, &[vec![0; 60_000]])), &["packet 1", "60000 bytes", "longest"]);
}

#[test]
fn unknown_configurations() {
    let directory = workspace();
    let commands: [&[&str]; 4] = [&["run"], &["export", "--out", "v"], &["bench"], &["synth"]];
    for command in commands {
        let arguments = [command, &["--config", "large"]].concat();
        let known = ["large", "small, x3100, wide"];
        refuses(directory.path(), &mut hematite(directory.path(), &arguments), &known);
    }
}

#[test]
fn unknown_blocks() {
    let directory = workspace();
    let mut command = hematite(directory.path(), &["synth", "--block", "veb/toaster"]);
    refuses(directory.path(), &mut command, &["no block `veb/toaster`", "veb/parser/small", "prim/fifo("]);
}

const TRAFFIC: &str = "[[traffic]]\npcap = \"in.pcap\"\nport = \"wire0\"\n";

#[test]
fn scenarios_with_mistakes() {
    let entry = |mac: &str| format!("{TRAFFIC}\n[[address]]\nvid = 1\nmac = \"{mac}\"\nports = [\"pf\"]\n");
    refuses_scenario(&entry("52:54:00:ab:00"), "small", &["in.toml:7:7", "52:54:00:ab:00"]);
    refuses_scenario(&format!("config = \"x3100\"\n{TRAFFIC}"), "small", &["in.toml", "`x3100`", "`small`"]);
    refuses_scenario(&format!("config = \"big\"\n{TRAFFIC}"), "small", &["in.toml:1:", "small, x3100, wide"]);
    refuses_scenario("[[traffic]\n", "small", &["in.toml:1:"]);
    refuses_scenario(&TRAFFIC.replace("wire0", "vf3"), "small", &["in.toml:3:8", "vf3", "vf2"]);
    refuses_scenario(&TRAFFIC.replace("in.pcap", "none.pcap"), "small", &["none.pcap", "No such file"]);
}

/// What only the bridge can play, before anything is simulated.
#[test]
fn scenarios_that_are_not_for_the_adapter() {
    let directory = workspace();
    fs::write(directory.path().join("in.pcap"), capture(1, &[vec![0xFF; 60]])).unwrap();
    let too_long = format!("[[frame]]\nport = \"manager\"\nhex = \"{}\"\n", "00".repeat(1537));
    for (text, parts) in [
        ("[[sink]]\nport = \"vf0\"\nrate = \"line\"\n", ["in.toml:6:8", "`--part bridge` only"]),
        ("[[driver]]\nport = \"wire0\"\n", ["in.toml:6:8", "`wire0` has no driver"]),
        ("[adapter]\nvfs = 9\n", ["in.toml:6:7", "there is room for 3"]),
        (too_long.as_str(), ["in.toml:7:7", "takes frames of up to 1536 bytes"]),
    ] {
        fs::write(directory.path().join("in.toml"), format!("{TRAFFIC}\n{text}")).unwrap();
        refuses(directory.path(), &mut hematite(directory.path(), &["run", "--scenario", "in.toml"]), &parts);
    }
}

#[test]
fn more_entries_than_the_table_holds() {
    let entries = (0..600u32).map(|number| {
        let mac = format!("52:54:00:00:{:02x}:{:02x}", number >> 8, number & 255);
        format!("[[address]]\nvid = 1\nmac = \"{mac}\"\nports = [\"pf\"]\n")
    });
    let vlan = "[[vlan]]\nvid = 1\nmembers = \"all\"\n";
    let text = TRAFFIC.to_owned() + vlan + &entries.collect::<String>();
    refuses_scenario(&text, "small", &["no room for 52:54:00:00:", "in VLAN 1"]);
}

#[test]
fn figures_that_nobody_measures_cannot_be_shown() {
    let directory = workspace();
    for arguments in [&["--part", "blocks"][..], &["--part", "rates", "--simulator", "native"]] {
        let mut command = hematite(directory.path(), &[&["bench", "--plots", "plots"], arguments].concat());
        refuses(directory.path(), &mut command, &["--write and --plots show figures of the adapter"]);
    }
}

#[test]
fn a_capture_and_a_scenario_at_once() {
    let directory = workspace();
    let mut command = hematite(directory.path(), &["run", "--pcap", "a", "--scenario", "b"]);
    refuses(directory.path(), &mut command, &["cannot be used with"]);
}

#[test]
fn directories_that_cannot_be_written() {
    let directory = workspace();
    fs::write(directory.path().join("file"), "mine").unwrap();
    for command in [&["run", "--simulator", "native"][..], &["export", "--config", "small"]] {
        let mut inside = hematite(directory.path(), &[command, &["--out", "file/out"]].concat());
        refuses(directory.path(), &mut inside, &["file/out", "cannot write"]);
        let mut instead = hematite(directory.path(), &[command, &["--out", "file"]].concat());
        refuses(directory.path(), &mut instead, &["is a file, not a directory"]);
        let mut nowhere = hematite(directory.path(), &[command, &["--out", "/proc/hematite"]].concat());
        refuses(directory.path(), &mut nowhere, &["/proc/hematite", "cannot write"]);
    }
    assert_eq!(fs::read_to_string(directory.path().join("file")).unwrap(), "mine");
}

#[test]
fn directories_with_files_of_others() {
    let directory = workspace();
    let out = directory.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("thesis.txt"), "ten years").unwrap();
    for command in [&["run", "--simulator", "native"][..], &["export", "--config", "small", "--out", "out"]] {
        let mut command = hematite(directory.path(), command);
        refuses(directory.path(), &mut command, &["thesis.txt", "did not write"]);
        assert_eq!(listing(&out), ["thesis.txt"]);
    }
    assert_eq!(fs::read_to_string(out.join("thesis.txt")).unwrap(), "ten years");
}

#[test]
fn a_verilator_that_is_not_there() {
    let directory = workspace();
    for command in ["run", "bench"] {
        let mut command = hematite(directory.path(), &[command, "--simulator", "verilator"]);
        let command = command.env("VERILATOR", "/nowhere/verilator");
        refuses(directory.path(), command, &["Verilator is missing", "apt-get install verilator"]);
    }
}
