//! The contract of streams, for every block that sends a beat to another.

use super::{Method::*, Proof};
use crate::{
    catalogue::Block,
    pcie,
    prim::{self, Policy},
    veb,
};
use hdl::*;

/// Blocks of the bridge without a stream to keep the contract of, and without claims of their own.
pub const WITHOUT: [&str; 7] =
    ["parser", "policy", "filters", "destinations", "mirror", "liveness", "frame_memory"];

/// Blocks of the endpoint without a proof: some keep the contract only if answers come when they were asked for, which their
/// neighbours see to, and the others are too large.
pub const WITHOUT_ENDPOINT: [&str; 7] = [
    "pcie_completer",
    "pcie_config_requests",
    "pcie_msix",
    "pcie_reporter",
    "pcie_endpoint",
    "pcie_transmitter",
    "dma_read",
];

/// One for each block of the bridge and of the endpoint that has outgoing streams or says something of itself, and for the
/// standard cells that they are made of.
pub fn proofs() -> Vec<Proof> {
    standard_cells().into_iter().chain(bridge()).chain(endpoint()).collect()
}

fn endpoint() -> Vec<Proof> {
    let blocks = pcie::catalogue(&super::least()).into_iter().filter_map(|block| {
        let name = block.name.rsplit_once('/').expect("part/name/configuration").0.replace('/', "_");
        let method = match name.as_str() {
            "pcie_base_addresses" | "pcie_resets" | "pcie_routing" | "pcie_configuration" => Induction(4),
            "pcie_receiver" => Bounded(12),
            // In `isolation`, with more to say of them.
            "dma_write" => return None,
            name => {
                assert!(WITHOUT_ENDPOINT.contains(&name), "{name} has no proof");
                return None;
            }
        };
        let claim = "streams keep their contract";
        let name = format!("contract/{name}");
        let proof = Proof::of(&name, claim, "2 functions", method, block);
        Some(Proof { harness: false, ..proof })
    });
    blocks.collect()
}

fn bridge() -> Vec<Proof> {
    let blocks = veb::catalogue(&super::least()).into_iter().filter_map(|block| {
        let name = block.name.split('/').nth(1).expect("veb/name/configuration").to_owned();
        let method = match name.as_str() {
            "gate" | "dispatch" | "control" => Reachability,
            "statistics" => Bounded(40),
            "ingress" | "writer" | "shaper" | "reader" | "references" | "cells" | "tables" => Induction(4),
            // In `decision` and `output`, with more to say of them.
            "classifier" | "mac_table" | "scheduler" => return None,
            // Its streams are those of the FIFOs and of `control`; as a whole it is too large.
            "veb" => return None,
            name => {
                assert!(WITHOUT.contains(&name), "{name} has no proof");
                return None;
            }
        };
        let claim = "streams keep their contract";
        Some(Proof {
            harness: false,
            ..Proof::of(&format!("contract/{name}"), claim, "3 ports, 16 cells", method, block)
        })
    });
    blocks.collect()
}

fn standard_cells() -> Vec<Proof> {
    let mut proofs = vec![];
    let mut add = |name: &str, size: &str, method, block: Block| {
        let claim = "streams keep their contract";
        let name = format!("contract/{name}");
        // The deepest FIFO is full after 35 cycles.
        proofs.push(Proof { harness: false, cover: 40, ..Proof::of(&name, claim, size, method, block) });
    };
    add("fifo", "4 beats", Induction(3), Block::new("fifo", || prim::fifo(bits(4), 4)));
    let fifo = Block::new("fifo", || prim::fifo(bits(4), 32));
    add("deep_fifo", "32 beats, block RAM", Induction(4), fifo);
    add("skid_buffer", "4 bits", Reachability, Block::new("skid_buffer", || prim::skid_buffer(bits(4))));
    let slice = Block::new("register_slice", || prim::register_slice(bits(4)));
    add("register_slice", "4 bits", Reachability, slice);
    for policy in [Policy::RoundRobin, Policy::Priority] {
        let block = Block::new("stream_arbiter", move || prim::stream_arbiter(bits(4), 3, policy));
        add(&format!("stream_arbiter_{policy:?}").to_lowercase(), "3 streams", Reachability, block);
        let generator = move || prim::frame_arbiter(flag(), 3, policy, |last| *last);
        let block = Block::new("frame_arbiter", generator);
        add(&format!("frame_arbiter_{policy:?}").to_lowercase(), "3 streams", Reachability, block);
    }
    proofs
}
