//! `hematite export`.

use super::*;
use rtl::manager::map as manager;
use rtl::register_map::{self, KINDS};
use rtl::veb::rows::Table;

#[test]
fn exports_are_identical_and_complete() {
    let directory = workspace();
    for config in ["small", "x3100", "wide"] {
        let read = |out: &str| {
            let arguments = ["export", "--config", config, "--out", out];
            stdout(hematite(directory.path(), &arguments));
            let folder = directory.path().join(out);
            let read = |name: &String| (name.clone(), fs::read_to_string(folder.join(name)).unwrap());
            listing(&folder).iter().map(read).collect::<Vec<_>>()
        };
        let files = read("once");
        assert!(files == read("again"), "{config}: two exports differ");

        let text = |name: &str| &files.iter().find(|(known, _)| known == name).unwrap().1;
        let list: Vec<&str> = text("filelist.f").lines().collect();
        assert_eq!(list.last(), Some(&format!("nic_{config}.v").as_str()));
        let verilog = files.iter().filter(|(name, _)| name.ends_with(".v"));
        assert_eq!(verilog.clone().count(), list.len());
        for (name, content) in verilog {
            let module = name.strip_suffix(".v").unwrap();
            assert!(list.contains(&name.as_str()), "{name}");
            assert!(content.contains(&format!("\nmodule {module}")), "{name}");
        }
        let ports = text("ports.md");
        assert!(ports.contains("| `wire_rx_0_tvalid` | input | 1 | `clk` |"), "{ports}");
        assert!(ports.contains("`wire_tx_0` | `wire0` |"), "{ports}");
        assert!(files.iter().any(|(name, _)| name == "hematite_veb.h"));
    }
}

#[test]
fn the_bridge_is_exported() {
    let directory = workspace();
    stdout(hematite(directory.path(), &["export", "--part", "bridge", "--config", "small", "--out", "out"]));
    let read = |name: &str| fs::read_to_string(directory.path().join("out").join(name)).unwrap();
    assert_eq!(read("filelist.f").lines().last(), Some("veb_small.v"));
    let ports = read("ports.md");
    assert!(ports.contains("| `ingress_0_valid` | input | 1 | `clk` |"), "{ports}");
    assert!(ports.contains("`egress_0` | `wire0` |"), "{ports}");
}

#[test]
fn the_endpoint_is_exported() {
    let directory = workspace();
    for config in ["small", "x3100"] {
        let arguments = ["export", "--part", "endpoint", "--config", config, "--out", config];
        stdout(hematite(directory.path(), &arguments));
        let read = |name: &str| fs::read_to_string(directory.path().join(config).join(name)).unwrap();
        let list = read("filelist.f");
        let top = if config == "small" { "pcie_endpoint_5x64" } else { "pcie_endpoint_18x128" };
        assert_eq!(list.lines().last(), Some(format!("{top}.v").as_str()));
        assert!(read(&format!("{top}.v")).contains(&format!("\nmodule {top}")));
        assert!(read("ports.md").contains("| `rx_tlp_valid` | input | 1 | `clk` |"));
    }
}

/// A driver in C sees what the hardware is built from.
#[test]
fn the_header_compiles() {
    let directory = workspace();
    stdout(hematite(directory.path(), &["export", "--config", "small", "--out", "out"]));
    let (mode, vid) = (register_map::field(Table::Port, "mode"), register_map::field(Table::Mac, "vid"));
    let values = [
        ("ID_ID_RESET", 0x4845_4d31),
        ("DATA5", register_map::register("DATA5").offset),
        ("STALL_CYCLES_CYCLES_RESET", 4096),
        ("TABLE_TABLE_STATISTICS", Table::Statistics as usize),
        ("COMMAND_COMMAND_LOOKUP", 5),
        ("STATUS_OUTCOME_NOT_FOUND << HEMATITE_VEB_STATUS_OUTCOME_SHIFT", 4),
        ("ROW_PORT_MODE_MASK >> HEMATITE_VEB_ROW_PORT_MODE_SHIFT", (1 << mode.width) - 1),
        ("ROW_PORT_MODE_ISOLATED", 2),
        ("ROW_PORT_PRUNE_MASK", 1 << 31),
        ("ROW_MAC_VID_WORD", vid.word),
        ("ROW_MAC_VID_MASK", 0x0fff_0000),
        ("ROW_VLAN_UNTAGGED_WIDTH", 66),
        ("KIND_QUEUE_FULL", KINDS[KINDS.len() - 1].number),
        ("KINDS_PER_PORT", register_map::KINDS_PER_PORT),
    ];
    check_header(directory.path(), "VEB", &values);
}

/// Likewise of the manager's own registers, together with those of the bridge.
#[test]
fn the_header_of_the_manager_compiles() {
    let directory = workspace();
    stdout(hematite(directory.path(), &["export", "--config", "small", "--part", "manager", "--out", "out"]));
    let list = fs::read_to_string(directory.path().join("out/filelist.f")).unwrap();
    assert_eq!(list.lines().last(), Some("manager_small.v"));
    assert!(directory.path().join("out/hematite_veb.h").exists());
    let values = [
        ("ID_ID_RESET", 0x4845_4d4d),
        ("EVENT_ENABLE", manager::own("EVENT_ENABLE").offset),
        ("EVENTS_SENT_MASK", 8),
        ("RECEIVED_SOURCE_SHIFT", 16),
        ("FUNCTIONS_BASE + 5 * HEMATITE_MANAGER_FUNCTION_STRIDE + HEMATITE_MANAGER_FAULT", 0x2164),
        ("FAULT_CAUSE_HEADER", 7),
        ("STATE_ANNOUNCE_MASK", 2),
        ("RECEIVE_BUFFER", 0x3800),
        ("LONGEST_FRAME", 1536),
    ];
    check_header(directory.path(), "MANAGER", &values);
}

/// Compiles the exported header twice over, and prints these of its constants.
fn check_header(directory: &Path, part: &str, values: &[(&str, usize)]) {
    let prints: String =
        values.iter().map(|(name, _)| format!("    print(HEMATITE_{part}_{name});\n")).collect();
    let header = format!("#include \"out/hematite_{}.h\"\n", part.to_lowercase());
    let source = format!(
        "{header}{header}#include <stdio.h>\n\n\
        static void print(unsigned long value)\n{{\n    printf(\"%lu\\n\", value);\n}}\n\n\
        int main(void)\n{{\n{prints}    return 0;\n}}\n"
    );
    fs::write(directory.join("driver.c"), source).unwrap();
    let mut compiler = Command::new("gcc");
    compiler.args(["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-o", "driver", "driver.c"]);
    compiler.current_dir(directory);
    stdout(compiler);
    let printed = stdout(Command::new(directory.join("driver")));
    let printed: Vec<usize> = printed.lines().map(|line| line.parse().unwrap()).collect();
    assert!(printed.iter().eq(values.iter().map(|(_, value)| value)), "{printed:?}");
}
