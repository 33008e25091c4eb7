//! The Virtual Ethernet Bridge: frames of all ports through one shared data path.
//!
//! ```text
//!  port ─► gate ─┐                                                ┌─► queue ─┐             ┌─► output buffer ─► port
//!  port ─► gate ─┼─ ingress ─► writer ─► classifier ─► dispatch ──┼─► queue ─┼─► scheduler ┼─► output buffer ─► port
//!  port ─► gate ─┘               │         │ policy     │ limits  └─► queue ─┘      │      └─► output buffer ─► port
//!           ▲                 parser       │ tables     │                           ▼                ▲
//!         shaper ◄───────────────┴─────────┴────────────┤                        reader ─► frame memory
//!           ▲                            free cells ◄───┴─ references ◄──────────── done
//!         tables ◄── control ◄── AXI4-Lite              └─► statistics
//! ```
//! A frame is followed through the files in this order: [`ingress`] with [`gate`] and [`shaper`], [`writer`], [`parser`],
//! [`classifier`] with [`policy`], [`mac_table`], [`filters`], [`destinations`] and [`mirror`], [`dispatch`], [`scheduler`], [`reader`],
//! [`frame_memory`]; [`cells`] and [`references`] keep the packet buffer. The manager comes in by [`control`] and
//! [`tables`]; [`statistics`] counts.

pub mod cells;
pub mod classifier;
pub mod control;
pub mod destinations;
pub mod dispatch;
pub mod ethertypes;
pub mod filters;
pub mod frame_memory;
pub mod gate;
pub mod ingress;
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
pub mod shaper;
pub mod statistics;
pub mod tables;
pub mod types;
pub mod writer;

use crate::{
    axi_lite::AxiLite, catalogue::Block, config::Config, frame::Beat, pcie::configuration::function_bits,
    prim, register_map::ADDRESS_BITS,
};
use filters::FilterChange;
use hdl::*;
use policy::Wishes;
use rows::{RowRequest, RowResponse};
use types::{Decision, Forced, Frame, QueueEntry};

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
    /// Ports with a frame that waits elsewhere to be let in, as far as the shaper is concerned.
    #[input]
    #[ty(bits(config.ports()))]
    pub waiting: Bits,
    /// Ports that may start a frame.
    #[output]
    #[ty(bits(config.ports()))]
    pub open: Bits,
    /// Ports whose frames were let in where they waited: their gates stay open.
    #[input]
    #[ty(bits(config.ports()))]
    pub let_in: Bits,
    /// Frames out of the bridge; never with an error.
    #[output]
    #[ty(vec![Stream::ty(Beat::ty(config.bytes)); config.ports()])]
    pub egress: Vec<Stream<Beat>>,
    /// Where the manager's frame on `egress` came in, with each beat.
    #[output]
    #[ty(bits(config.port_bits()))]
    pub manager_source: Bits,
    /// What each function would like to receive; those of wires do not matter.
    #[input]
    #[ty(vec![Wishes::ty(); config.ports()])]
    pub wishes: Vec<Wishes>,
    /// Ports whose wish for all unicast frames counts, as their rows say.
    #[output]
    #[ty(bits(config.ports()))]
    pub may_unicast: Bits,
    /// Likewise of multicast frames.
    #[output]
    #[ty(bits(config.ports()))]
    pub may_multicast: Bits,
    /// Operations for functions, beside those of the manager; with an index in range.
    #[input]
    pub row: Stream<RowRequest>,
    /// One for each.
    #[output]
    pub row_response: Valid<RowResponse>,
    /// Changes of the functions' filters.
    #[input]
    #[ty(Stream::ty(FilterChange::ty(config)))]
    pub filter: Stream<FilterChange>,
    /// Clears the filters of a function; taken when that is done.
    #[input]
    #[ty(Stream::ty(bits(function_bits(config))))]
    pub forget: Stream<Bits>,
    /// The manager's registers: see [`crate::register_map`].
    #[input]
    #[ty(AxiLite::ty(ADDRESS_BITS))]
    pub axi: AxiLite,
}

/// What waits at the manager's port.
#[derive(Bundle, Clone, Copy)]
#[ty(config: &Config)]
struct ManagerBeat {
    #[ty(bits(config.port_bits()))]
    source: Bits,
    #[ty(Beat::ty(config.bytes))]
    beat: Beat,
}

/// The Virtual Ethernet Bridge.
///
/// Store-and-forward: a frame is looked at when its last beat is stored, and a bad one never leaves. The data path takes
/// a beat in each cycle from any mix of ports, and reads one in each cycle for any mix of ports. A port whose egress
/// stalls loses its own frames, which are counted, and delays nobody. docs/src/veb.md has the rules.
#[hdl]
pub fn veb(config: &Config) -> VebIo {
    require(config.check().is_ok(), || config.check().unwrap_err());
    module(format!("veb_{}", config.name), VebIo::ty(config), |io| {
        let ports = config.ports();

        let ingress = ingress::ingress(config);
        let shaper = shaper::shaper(config);
        let writer = writer::writer(config);
        let classifier = classifier::classifier(config);
        let dispatch = dispatch::dispatch(config);
        let scheduler = scheduler::scheduler(config);
        let reader = reader::reader(config);
        let references = references::references(config);
        let cells = cells::cells(config);
        let liveness = liveness::liveness(config);
        let control = control::control(config);
        let tables = tables::tables(config);
        let statistics = statistics::statistics(config);

        // In: from the ports to a decision.
        ingress.ports.iter().zip(&io.ingress).for_each(|(port, stream)| port.connect(stream));
        ingress.forced.set(io.forced);
        ingress.open.set(shaper.open | io.let_in);
        io.open.set(shaper.open);
        writer.beats.connect(&ingress.beats);
        writer.free.connect(&cells.free);
        writer.exhausted.set(cells.exhausted);
        // Ports that send in step end their frames in step, and a decision takes four cycles.
        let complete = prim::fifo(Frame::ty(config), ports.next_power_of_two().max(4));
        complete.enq.connect(&writer.frame);
        classifier.frame.connect(&complete.deq);
        classifier.forced.connect(&ingress.manager_forced);
        classifier.wishes.iter().zip(&io.wishes).for_each(|(sink, wishes)| sink.set(*wishes));
        // Ends the chain of `ready` that would run from the free list back to the ports.
        let decided = prim::skid_buffer(Decision::ty(config));
        decided.input.connect(&classifier.decision);
        dispatch.decision.connect(&decided.output);
        dispatch.dead.set(liveness.dead);

        io.may_unicast.set(classifier.may_unicast);
        io.may_multicast.set(classifier.may_multicast);
        classifier.filter.connect(&io.filter);
        classifier.forget.connect(&io.forget);

        // Who may send.
        shaper.pending.set(ingress.pending | io.waiting);
        shaper.frame.set(dispatch.settled);
        shaper.congested.set(dispatch.congested);
        let reserve_bits = control.reserve.width().max(config.cell_count_bits());
        let (free, reserve) = (cells.free_count.zext(reserve_bits), control.reserve.zext(reserve_bits));
        let reserve_used = free.lt(reserve);
        shaper.hold_all.set(delay(reserve_used));
        // Stalled ports take their shares of what is beyond the reserve: they must not hold it up for ever.
        let spare = reserve_used.mux(free.zero(), free - reserve);
        dispatch.free_count.set(delay(spare.trunc(config.cell_count_bits())));
        shaper.rate_overhead.set(control.rate_overhead.as_u());
        shaper.row.set(tables.rate);

        // Out: from the queues to the ports.
        let mut offered = vec![];
        let mut left = vec![];
        for port in 0..ports {
            let queue = prim::fifo(QueueEntry::ty(config), config.cells);
            queue.enq.valid.set(dispatch.queues[port].valid);
            queue.enq.payload.set(dispatch.queues[port].payload);
            scheduler.queues[port].connect(&queue.deq);
            assert(queue.enq.ready | !queue.enq.valid, "a queue has room for all frames of the buffer");

            let egress = &io.egress[port];
            let comes = reader.beat.valid & reader.beat.payload.port.eq(port);
            let beat = reader.beat.payload.beat;
            let has_room = if port == config.manager() {
                let output = prim::fifo(ManagerBeat::ty(config), scheduler::OUTPUT_BEATS);
                output.enq.valid.set(comes);
                output.enq.payload.set(ManagerBeat { source: reader.source, beat });
                egress.valid.set(output.deq.valid);
                egress.payload.set(output.deq.payload.beat);
                io.manager_source.set(output.deq.payload.source);
                output.deq.ready.set(egress.ready);
                output.enq.ready
            } else {
                let output = prim::fifo(beat, scheduler::OUTPUT_BEATS);
                output.enq.valid.set(comes);
                output.enq.payload.set(beat);
                egress.connect(&output.deq);
                output.enq.ready
            };
            assert(has_room | !comes, "an output buffer has room for what it was promised");
            offered.push(egress.valid);
            left.push(egress.fire());
        }
        let left = vector(left);
        scheduler.left.set(left);
        scheduler.leaving.set(dispatch.leaving);
        reader.data.set(writer.data);
        reader.turn.set(scheduler.turn);
        scheduler.turn_done.set(reader.turn_done);
        liveness.offered.set(vector(offered));
        liveness.left.set(left);
        liveness.stall_cycles.set(control.stall_cycles.as_u());

        // The packet buffer's cells.
        cells.link.set(writer.link);
        cells.lookup.set(scheduler.lookup);
        scheduler.successor.set(cells.successor);
        references.hold.set(dispatch.hold);
        references.done.connect(&reader.done);
        dispatch.finished.set(references.finished);
        cells.release[0].connect(&dispatch.release);
        cells.release[1].connect(&references.release);

        // Control and counters.
        control.axi.connect(&io.axi);
        control.free_count.set(cells.free_count);
        classifier.others_clear.set(shaper.cleared & tables.clear & statistics.clear);
        control.tables_clear.set(classifier.clear);
        // The manager's commands and the functions' in turn; a response is for the one whose request was taken last.
        let requests = prim::stream_arbiter(RowRequest::ty(), 2, prim::Policy::RoundRobin);
        requests.inputs[0].connect(&control.row);
        requests.inputs[1].connect(&io.row);
        let request = requests.output;
        let of_function = reg_without_reset(flag());
        when(request.fire(), || of_function.set(request.payload.port.bit(0)));
        tables.request.connect(&request.map(|routed| routed.beat));
        for (response, mine) in [(control.row_response, !of_function), (io.row_response, of_function)] {
            response.valid.set(tables.response.valid & mine);
            response.payload.set(tables.response.payload);
        }
        classifier.row.connect(&tables.classifier);
        tables.classifier_response.set(classifier.row_response);
        statistics.row.connect(&tables.statistics);
        tables.statistics_response.set(statistics.row_response);
        dispatch.limit.set(tables.limit);
        statistics.counted.set(dispatch.counted);
        statistics.finished.set(references.finished);
        statistics.queue_full.set(dispatch.queue_full);
    })
}

/// Every block of the bridge for a configuration, the whole last.
pub fn catalogue(config: &Config) -> Vec<Block> {
    let mut blocks = vec![];
    macro_rules! block {
        ($name:literal, $generator:path) => {
            let config = config.clone();
            blocks.push(Block::new(format!("veb/{}/{}", $name, config.name), move || $generator(&config)));
        };
    }
    block!("gate", gate::gate);
    block!("ingress", ingress::ingress);
    block!("shaper", shaper::shaper);
    block!("parser", parser::parser);
    block!("writer", writer::writer);
    block!("mac_table", mac_table::mac_table);
    block!("filters", filters::filters);
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
    block!("control", control::control);
    block!("tables", tables::tables);
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
