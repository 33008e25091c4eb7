//! The Virtual Ethernet Bridge: frames of all ports through one shared data path.
//!
//! ```text
//!  ingress[0] ─►┐                                              ┌─► queue ─┐             ┌─► output buffer ─► egress[0]
//!  ingress[1] ─►├─ arbiter ─► writer ─► classifier ─► dispatch ┼─► queue ─┼─► scheduler ┼─► output buffer ─► egress[1]
//!  ingress[n] ─►┘    │ parser ▲   │       MAC table      │     └─► queue ─┘      │      └─► output buffer ─► egress[n]
//!                    └────────┘   │       VLAN table     │                       ▼                ▲
//!                                 └──────────────────────┼────────────────► reader (packet buffer)┘
//!                                            free cells ◄┴─ references ◄────── done
//! ```
//! A frame is followed through the files in this order: [`writer`], [`parser`], [`classifier`] with [`mac_table`] and
//! [`vlan_table`], [`dispatch`], [`scheduler`], [`reader`]; [`cells`] and [`references`] keep the packet buffer.

pub mod cells;
pub mod classifier;
pub mod destinations;
pub mod dispatch;
pub mod ethertypes;
pub mod frame_memory;
pub mod liveness;
pub mod mac_table;
pub mod mirror;
pub mod parser;
pub mod policy;
pub mod reader;
pub mod references;
pub mod row_memory;
pub mod rows;
pub mod scheduler;
pub mod statistics;
pub mod types;
pub mod writer;

use crate::{
    catalogue::Block,
    config::Config,
    frame::Beat,
    prim::{self, Policy},
};
use hdl::*;
use liveness::liveness;
use policy::Wishes;
use rows::{RowRequest, RowResponse};
use types::{Decision, Forced, QueueEntry};

#[derive(Bundle, Clone)]
#[ty(config: &Config)]
pub struct VebIo {
    /// Frames into the bridge, a stream for each port.
    #[input]
    #[ty(vec![Stream::ty(Beat::ty(config.bytes)); config.ports()])]
    pub ingress: Vec<Stream<Beat>>,
    /// Where the manager's frame goes past all rules; counts with the last beat of each.
    #[input]
    #[ty(Forced::ty(config))]
    pub forced: Forced,
    /// Frames out of the bridge; never with an error.
    #[output]
    #[ty(vec![Stream::ty(Beat::ty(config.bytes)); config.ports()])]
    pub egress: Vec<Stream<Beat>>,
    #[input]
    #[ty(vec![Wishes::ty(); config.ports()])]
    pub wishes: Vec<Wishes>,
    #[input]
    pub row: Stream<RowRequest>,
    #[output]
    pub row_response: Valid<RowResponse>,
    #[output]
    pub clear: Bool,
}

/// The Virtual Ethernet Bridge.
#[hdl]
pub fn veb(config: &Config) -> VebIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    module(format!("veb_{}", config.name), VebIo::ty(config), |io| {
        let beat = Beat::ty(config.bytes);
        let ports = config.ports();

        let ingress = prim::stream_arbiter(beat, ports, Policy::RoundRobin);
        let writer = writer::writer(config);
        let classifier = classifier::classifier(config);
        let dispatch = dispatch::dispatch(config);
        let scheduler = scheduler::scheduler(config);
        let reader = reader::reader(config);
        let references = references::references(config);
        let cells = cells::cells(config);
        let liveness = liveness(config);

        // In: from the ports to a decision.
        let forced = prim::fifo(Forced::ty(config), FORCED);
        for (port, (input, ingress)) in ingress.inputs.iter().zip(&io.ingress).enumerate() {
            if port != config.manager() {
                input.connect(ingress);
                continue;
            }
            let last = ingress.payload.last;
            input.payload.set(ingress.payload);
            input.valid.set(ingress.valid & (!last | forced.enq.ready));
            ingress.ready.set(input.ready & (!last | forced.enq.ready));
            forced.enq.valid.set(ingress.valid & last & input.ready);
            forced.enq.payload.set(io.forced);
        }
        writer.beats.connect(&ingress.output);
        writer.free.connect(&cells.free);
        writer.exhausted.set(cells.exhausted);
        classifier.frame.connect(&writer.frame);
        classifier.forced.connect(&forced.deq);
        classifier.wishes.iter().zip(&io.wishes).for_each(|(sink, wishes)| sink.set(*wishes));
        // Ends the chain of `ready` that would run from the free list back to the ports.
        let decided = prim::skid_buffer(Decision::ty(config));
        decided.input.connect(&classifier.decision);
        dispatch.decision.connect(&decided.output);
        dispatch.free_count.set(cells.free_count);
        dispatch.dead.set(liveness.dead);

        // Out: from the queues to the ports.
        let mut offered = vec![];
        let mut left = vec![];
        for port in 0..ports {
            let queue = prim::fifo(QueueEntry::ty(config), config.cells);
            queue.enq.valid.set(dispatch.queues[port].valid);
            queue.enq.payload.set(dispatch.queues[port].payload);
            scheduler.queues[port].connect(&queue.deq);

            let output = prim::fifo(beat, scheduler::OUTPUT_BEATS);
            output.enq.valid.set(reader.beat.valid & reader.beat.payload.port.eq(port));
            output.enq.payload.set(reader.beat.payload.beat);
            io.egress[port].connect(&output.deq);
            offered.push(output.deq.valid);
            left.push(output.deq.fire());
            assert(queue.enq.ready | !queue.enq.valid, "a queue has room for all frames of the buffer");
            assert(
                output.enq.ready | !output.enq.valid,
                "an output buffer has room for what it was promised",
            );
        }
        let left = vector(left);
        scheduler.left.set(left);
        scheduler.tag.set(dispatch.tag);
        reader.data.set(writer.data);
        reader.turn.set(scheduler.turn);
        scheduler.turn_done.set(reader.turn_done);
        liveness.offered.set(vector(offered));
        liveness.left.set(left);

        // The packet buffer's cells.
        cells.link.set(writer.link);
        cells.lookup.set(scheduler.lookup);
        scheduler.successor.set(cells.successor);
        references.hold.set(dispatch.hold);
        references.done.connect(&reader.done);
        dispatch.finished.set(references.finished);
        cells.release[0].connect(&dispatch.release);
        cells.release[1].connect(&references.release);

        // Control.
        classifier.row.connect(&io.row);
        io.row_response.set(classifier.row_response);
        io.clear.set(classifier.clear);
        dispatch.limit.valid.set(false);
        dispatch.limit.payload.set(dispatch.limit.payload.zero());
        liveness.stall_cycles.set(4096);
    })
}

/// Frames of the manager between its port and the classifier, at most.
const FORCED: usize = 8;

/// Every block of the bridge for a configuration, the whole last.
pub fn catalogue(config: &Config) -> Vec<Block> {
    let mut blocks = vec![];
    macro_rules! block {
        ($name:literal, $generator:path) => {
            let config = config.clone();
            blocks.push(Block::new(format!("veb/{}/{}", $name, config.name), move || $generator(&config)));
        };
    }
    block!("parser", parser::parser);
    block!("writer", writer::writer);
    block!("mac_table", mac_table::mac_table);
    block!("policy", policy::policy);
    block!("destinations", destinations::destinations);
    block!("mirror", mirror::mirror);
    block!("classifier", classifier::classifier);
    block!("liveness", liveness::liveness);
    block!("frame_memory", frame_memory::frame_memory);
    block!("dispatch", dispatch::dispatch);
    block!("scheduler", scheduler::scheduler);
    block!("reader", reader::reader);
    block!("references", references::references);
    block!("cells", cells::cells);
    block!("statistics", statistics::statistics);
    block!("veb", veb);
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The named configurations, and the ends of the ranges.
    fn grid() -> Vec<Config> {
        let small = Config::small();
        let least = Config { vfs: 0, entries: 16, cells: 16, ..small.clone() };
        let most = Config { wires: 2, vfs: 62, entries: 4096, cells: 65536, bytes: 32, ..small };
        Config::all().into_iter().chain([least, most]).collect()
    }

    #[test]
    fn every_block_elaborates() {
        for config in grid() {
            for block in catalogue(&config) {
                (block.build)().unwrap_or_else(|errors| panic!("{}: {errors}", block.name));
            }
        }
    }
}
