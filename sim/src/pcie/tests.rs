use super::*;
use hdl::{Native, elaborate};
use rtl::{
    config::{Config, VfPlaces},
    pcie::space::Personality,
};
use std::{collections::HashSet, process::Command};

/// An endpoint with so many virtual functions at most, on a link that takes no time.
fn root(vfs: usize, personality: Personality) -> Bus<Native, Machine> {
    root_of(&Config { vfs, ..Config::small() }, personality)
}

fn root_of(config: &Config, personality: Personality) -> Bus<Native, Machine> {
    let design = elaborate(|| rtl::pcie::endpoint::endpoint(config)).unwrap().design;
    let straps = Straps { personality, serial: 0x0200_5EFF_FE12_3456 };
    attach(
        Native::new(&design).unwrap(),
        (),
        Machine::new(),
        straps,
        Behaviour::AT_ONCE,
        LinkSettings::at_once(),
    )
    .unwrap()
}

const PLAIN: Options = Options { vfs: 0, alternative_routing: false, page: 4096, words: 1024 };

/// What lspci says of functions; `None` if it is not installed.
fn lspci(functions: &[Function]) -> Option<String> {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("dump");
    std::fs::write(&path, dump(functions)).unwrap();
    let output = Command::new("lspci").args(["-nn", "-vvv", "-F"]).arg(&path).output().ok()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn every_number_of_virtual_functions() {
    for alternative_routing in [false, true] {
        for vfs in [0, 1, 6, 7, 9] {
            let mut root = root(9, Personality::SrIov);
            let functions = enumerate(&mut root, &Options { vfs, alternative_routing, ..PLAIN }).unwrap();
            let ids: Vec<String> = functions.iter().map(|function| function.id.to_string()).collect();
            let first = if alternative_routing || vfs <= 6 { 0x102 } else { 0x200 };
            let virtual_ids = (first..first + vfs).map(RoutingId);
            let expected = [RoutingId(0x100), RoutingId(0x101)].into_iter().chain(virtual_ids);
            assert_eq!(ids, expected.map(|id| id.to_string()).collect::<Vec<_>>());
            let names: HashSet<u32> = functions.iter().skip(2).map(|function| function.words[0]).collect();
            assert!(names.iter().all(|name| *name == 0x1041_1AF4));
            // Beyond the last one there is nothing.
            let beyond = RoutingId(functions.last().unwrap().id.0 + 1);
            assert_eq!(root.read_configuration(beyond, 0).unwrap(), None);
        }
    }
}

/// Each virtual function is function 0 of a device of its own, whatever their number, with ARI and without.
#[test]
fn every_number_of_virtual_functions_in_slots() {
    let config = Config { vfs: 33, vf_places: VfPlaces::Slots, ..Config::small() };
    for (alternative_routing, vfs) in [(false, 0), (false, 7), (true, 33)] {
        let mut root = root_of(&config, Personality::SrIov);
        root.bridge().slots = true;
        let functions = enumerate(&mut root, &Options { vfs, alternative_routing, ..PLAIN }).unwrap();
        let ids: Vec<RoutingId> = functions.iter().map(|function| function.id).collect();
        let virtual_ids = (1..=vfs).map(|device| RoutingId(0x100 + 8 * device));
        let expected = [RoutingId(0x100), RoutingId(0x101)].into_iter().chain(virtual_ids);
        assert_eq!(ids, expected.collect::<Vec<_>>());
        // Between them and beyond the last one there is nothing.
        let last = ids.last().unwrap().0 & !7;
        for beyond in [0x102, 0x107, last + 3, last + 7, last + 8] {
            assert_eq!(root.read_configuration(RoutingId(beyond), 0).unwrap(), None, "{beyond:#x}");
        }
    }
    // A port that reaches device 0 only finds none of them.
    let error =
        enumerate(&mut root_of(&config, Personality::SrIov), &Options { vfs: 1, ..PLAIN }).unwrap_err();
    assert_eq!(error.to_string(), "there is no function at 01:01.0");
    let legacy = enumerate(&mut root_of(&config, Personality::Multifunction(4)), &PLAIN).unwrap();
    assert_eq!(legacy.iter().map(|function| function.id.0).collect::<Vec<_>>(), [0x100, 0x101, 0x102, 0x103]);
}

#[test]
fn every_page_size() {
    for page in [4096, 8192, 16384, 65536, 1 << 18, 1 << 20, 1 << 22] {
        let functions = enumerate(&mut root(3, Personality::SrIov), &Options { vfs: 3, page, ..PLAIN });
        let error = functions.map(|functions| functions.len());
        assert_eq!(error.unwrap(), 5, "{page}");
    }
    let error = enumerate(&mut root(3, Personality::SrIov), &Options { page: 1 << 23, ..PLAIN }).unwrap_err();
    assert_eq!(error.to_string(), "01:00.0: no pages of 8388608 bytes");
}

#[test]
fn legacy_personalities() {
    for count in [1, 2, 4, 8] {
        let mut root = root(6, Personality::Multifunction(count));
        let functions = enumerate(&mut root, &Options { alternative_routing: true, ..PLAIN }).unwrap();
        assert_eq!(functions.len(), count);
        for (number, function) in functions.iter().enumerate() {
            let device = if number == 1 { 0x10F0_1AF4 } else { 0x1041_1AF4 };
            assert_eq!((function.id, function.words[0]), (RoutingId::new(1, number as u8), device));
            assert_eq!(function.words[3] >> 23 & 1, u32::from(count > 1));
        }
        let addresses: HashSet<u32> = functions.iter().map(|function| function.words[4]).collect();
        assert_eq!(addresses.len(), count, "base addresses of their own");
    }
}

/// pciutils decodes every capability of every function.
#[test]
fn lspci_understands_every_function() {
    for (vf_places, places) in
        [(VfPlaces::Compact, "VF offset: 2, stride: 1"), (VfPlaces::Slots, "VF offset: 8, stride: 8")]
    {
        let mut root = root_of(&Config { vf_places, ..Config::small() }, Personality::SrIov);
        root.bridge().slots = vf_places == VfPlaces::Slots;
        let functions = enumerate(&mut root, &Options { vfs: 3, ..PLAIN }).unwrap();
        is_understood(&functions, places);
    }
}

fn is_understood(functions: &[Function], places: &str) {
    let Some(text) = lspci(functions) else {
        eprintln!("lspci is not installed: not judged");
        return;
    };
    for complaint in ["!!!", "<chain", "Unknown", "<?>", "Extended Capability ID"] {
        assert!(!text.contains(complaint), "{complaint}:\n{text}");
    }
    let devices: Vec<&str> = text.split("\n\n").filter(|part| !part.is_empty()).collect();
    assert_eq!(devices.len(), 5, "{text}");
    let has = |device: usize, parts: &[&str]| {
        for part in parts {
            assert!(devices[device].contains(part), "{part} in function {device}:\n{}", devices[device]);
        }
    };
    let network =
        ["Ethernet controller [0200]", "[1af4:1041]", "MSI-X: Enable- Count=16 Masked-", "FLReset+"];
    let windows = ["CommonCfg", "Notify", "ISR", "DeviceCfg"].map(|name| format!("VirtIO: {name}"));
    for device in [0, 2, 3, 4] {
        has(device, &network);
        has(device, &windows.each_ref().map(String::as_str));
    }
    has(
        0,
        &[
            "Capabilities: [40] Power Management version 3",
            "Device Serial Number 02-00-5e-ff-fe-12-34-56",
            "Single Root I/O Virtualization (SR-IOV)",
            "Initial VFs: 3, Total VFs: 3, Number of VFs: 3, Function Dependency Link: 00",
            places,
            "Device ID: 1041",
            "Supported Page Size: 00000553, System Page Size: 00000001",
            "Advanced Error Reporting",
            "Alternative Routing-ID Interpretation (ARI)",
            "Access Control Services",
        ],
    );
    has(1, &["System peripheral [0880]", "[1af4:10f0]"]);
    assert!(!devices[1].contains("VirtIO"));
}
