//! `hematite export`.

use super::*;

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
        assert_eq!(list.last(), Some(&format!("veb_{config}.v").as_str()));
        let verilog = files.iter().filter(|(name, _)| name.ends_with(".v"));
        assert_eq!(verilog.clone().count(), list.len());
        for (name, content) in verilog {
            let module = name.strip_suffix(".v").unwrap();
            assert!(list.contains(&name.as_str()), "{name}");
            assert!(content.contains(&format!("\nmodule {module}")), "{name}");
        }
        let ports = text("ports.md");
        assert!(ports.contains("| `ingress_0_valid` | input | 1 | `clk` |"), "{ports}");
        assert!(ports.contains("`egress_0` | `wire0` |"), "{ports}");
    }
}
