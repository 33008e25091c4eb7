//! Public modules that do what one of our blocks does, measured in 2026 with the same flow: Yosys 0.70 `synth_ecp5`,
//! nextpnr-ecp5 0.11.1, LFE5UM5G-85F, speed grade 8, open ports, 156.25 MHz asked for, seed 1.

use rtl::catalogue::Block;

/// A public module and what it came to.
struct Peer {
    module: &'static str,
    parameters: &'static str,
    lut: u32,
    ff: u32,
    lutram: u32,
    bram: u32,
    /// In MHz.
    fmax: u32,
    /// Names of our blocks that it compares with start so.
    ours: &'static str,
}

const fn peer(
    module: &'static str,
    parameters: &'static str,
    [lut, ff, lutram, bram, fmax]: [u32; 5],
    ours: &'static str,
) -> Peer {
    Peer { module, parameters, lut, ff, lutram, bram, fmax, ours }
}

const PEERS: [Peer; 8] = [
    peer(
        "verilog-axis axis_switch",
        "4x4, 64 bit, no lookup, median of 5",
        [1738, 728, 0, 0, 249],
        "veb/veb",
    ),
    peer("verilog-axis axis_switch", "8x8, 64 bit, no lookup", [6157, 1536, 0, 0, 174], "veb/veb"),
    peer("verilog-cam cam_bram", "60 bit x 32 entries", [1718, 662, 30, 14, 177], "veb/mac_table"),
    peer("corundum stats_counter", "256 x 64 bit", [246, 162, 0, 2, 211], "veb/statistics"),
    peer("corundum stats_counter", "256 x 64 bit", [246, 162, 0, 2, 211], "prim/event_counters"),
    peer(
        "verilog-axis axis_fifo",
        "64 bit, 4096 bytes, drops when full",
        [253, 129, 0, 3, 200],
        "prim/fifo(Beat",
    ),
    peer(
        "verilog-axis axis_arb_mux",
        "8 x 64 bit, round robin",
        [651, 771, 0, 0, 231],
        "prim/frame_arbiter(8, RoundRobin",
    ),
    peer("verilog-axis axis_demux", "8 x 64 bit", [229, 171, 0, 0, 300], "prim/stream_demux(8"),
];

/// The peers of these blocks, as text; empty if they have none.
pub fn table(blocks: &[Block]) -> String {
    let mut out = String::new();
    for block in blocks {
        for peer in PEERS.iter().filter(|peer| block.name.starts_with(peer.ours)) {
            out += &format!(
                "{}: {} ({}): {} LUT, {} FF, {} LUT RAM, {} block RAM, {} MHz\n",
                block.name,
                peer.module,
                peer.parameters,
                peer.lut,
                peer.ff,
                peer.lutram,
                peer.bram,
                peer.fmax
            );
        }
    }
    match out.is_empty() {
        true => "\nno public module to compare with\n".to_owned(),
        false => format!("\nComparable public modules, open ports, seed 1:\n{out}"),
    }
}
