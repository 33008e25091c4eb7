//! Public modules that do what some of our blocks do, measured in 2026 with the same flow: Yosys 0.70 `synth_ecp5`,
//! nextpnr-ecp5 0.11.1, LFE5UM5G-85F, speed grade 8, open ports, 156.25 MHz asked for; one seed unless they say
//! otherwise.

use super::{Measured, mhz};

/// What is compared: some of our blocks, each so many times, with some of theirs.
pub struct Comparison {
    ours: &'static [(&'static str, u64)],
    what: &'static str,
    peer: &'static str,
    /// LUT, flip-flops, block RAM, MHz; of several modules the sums and the lowest rate.
    theirs: [u64; 4],
}

pub const COMPARISONS: [Comparison; 13] = [
    Comparison {
        ours: &[("prim/frame_arbiter(8, RoundRobin", 1)],
        what: "`frame_arbiter`, 8 streams of 70 bit",
        peer: "verilog-axis `axis_arb_mux`, 8 x 64 bit",
        theirs: [651, 771, 0, 231],
    },
    Comparison {
        ours: &[("prim/stream_demux(8", 1)],
        what: "`stream_demux`, 8 streams of 70 bit",
        peer: "verilog-axis `axis_demux`, 8 x 64 bit",
        theirs: [229, 171, 0, 300],
    },
    Comparison {
        ours: &[("prim/fifo(Beat 8, 512", 1)],
        what: "`fifo` of 512 beats",
        peer: "verilog-axis `axis_fifo`, 4096 bytes; it can drop whole frames, ours cannot",
        theirs: [253, 129, 3, 200],
    },
    Comparison {
        ours: &[("veb/mac_table/", 1)],
        what: "`mac_table`, 256 entries of VID and address, a lookup in each cycle",
        peer: "verilog-cam `cam_bram`, 32 entries of 60 bit",
        theirs: [1718, 662, 14, 177],
    },
    Comparison {
        ours: &[("prim/cam(60, 32", 1)],
        what: "`cam`, 32 entries of 60 bit",
        peer: "verilog-cam `cam_bram`, 32 entries of 60 bit",
        theirs: [1718, 662, 14, 177],
    },
    Comparison {
        ours: &[("veb/shaper/", 1), ("veb/gate/", 5)],
        what: "`shaper` with the gates of five functions: maxima, shares and classes",
        peer: "verilog-axis `axis_rate_limit`, five of them: maxima only",
        theirs: [1080, 885, 0, 190],
    },
    Comparison {
        ours: &[("veb/statistics/", 1)],
        what: "`statistics`, 204 counters of frames and bytes, three sources of events",
        peer: "corundum `stats_counter`, 256 of 64 bit, one source",
        theirs: [246, 162, 2, 211],
    },
    Comparison {
        ours: &[("prim/event_counters(20, 32", 1)],
        what: "`event_counters`, twenty of 32 bit that may all count in one cycle",
        peer: "corundum `stats_counter`, 256 of 64 bit, one source",
        theirs: [246, 162, 2, 211],
    },
    Comparison {
        ours: &[("veb/veb/", 1)],
        what: "the whole bridge, six ports: lookup, policy, VLANs, tags, shaping, statistics, registers, replication, 64 KiB buffer",
        peer: "`axis_switch` 8 x 8 and `cam_bram`: no VLANs, no replication, no buffer",
        theirs: [6157 + 1718, 1536 + 662, 14, 174],
    },
    Comparison {
        ours: &[("virtio/registers/", 1)],
        what: "`registers`: virtio registers, features and rings of five functions with 25 queues, doorbells, resets that drain",
        peer: "corundum `queue_manager`, rings of 64 queues",
        theirs: [827, 422, 4, 130],
    },
    Comparison {
        ours: &[("virtio/fetch/", 1)],
        what: "`fetch`: split and packed rings, indirect tables, eight chains at once, everything checked",
        peer: "corundum `desc_fetch`, two ports, descriptors in a plain ring",
        theirs: [1144, 557, 4, 189],
    },
    Comparison {
        ours: &[("virtio/transmit/", 1)],
        what: "`transmit` with `gather`: buffers of any alignment and number, header, checksum, shares of functions",
        peer: "corundum `tx_engine`, a buffer for each frame, no checksum",
        theirs: [1012, 475, 0, 121],
    },
    Comparison {
        ours: &[("virtio/inspect/", 1)],
        what: "`inspect`: Toeplitz hash, TCP and UDP checksums, a store for the frame meanwhile",
        peer: "corundum `rx_hash`, the hash",
        theirs: [2389, 224, 0, 221],
    },
];

impl Comparison {
    /// Our blocks, by the starts of their names.
    pub fn blocks(&self) -> impl Iterator<Item = &'static str> {
        self.ours.iter().map(|(name, _)| *name)
    }
}

/// The comparisons whose blocks were all measured, as a table in Markdown.
pub fn table(measured: &[Measured]) -> String {
    let mut out = String::from(
        "| ours | LUT | flip-flops | block RAM | MHz | the peer | LUT | flip-flops | block RAM | MHz |\n\
         |---|---|---|---|---|---|---|---|---|---|\n",
    );
    for Comparison { ours, what, peer, theirs: [lut, ff, bram, fmax] } in COMPARISONS {
        let find = |&(name, count): &(&str, u64)| {
            Some((measured.iter().find(|measured| measured.name.starts_with(name))?, count))
        };
        let Some(blocks) = ours.iter().map(find).collect::<Option<Vec<_>>>() else { continue };
        let sum = |of: fn(&fpga::Area) -> u64| -> u64 {
            blocks.iter().map(|(block, count)| count * of(&block.report.area)).sum()
        };
        let rates = blocks.iter().filter_map(|(block, _)| block.report.fmax_median);
        out += &format!(
            "| {what} | {} | {} | {} | {} | {peer} | {lut} | {ff} | {bram} | {fmax} |\n",
            sum(|area| area.lut),
            sum(|area| area.ff),
            sum(|area| area.bram),
            mhz(rates.min_by(f64::total_cmp)),
        );
    }
    out
}
