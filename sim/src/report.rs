//! What became of flows: losses, rates and latency, as a table, as JSON and as plots.
//!
//! A test bench tells a [`Collector`] which frames it takes from [`Traffic`](crate::traffic::Traffic), when each begins to
//! enter, and what leaves; in the end there are [`Results`]. Nothing here knows the bridge: a frame that leaves is recognised
//! by its [`Stamp`], one of a capture by its bytes, whatever happened to its tags.
//!
//! What is counted:
//!
//! - A frame is *offered* when its flow sends it, *entered* when its port has taken its first beat, *delivered* when its last
//!   beat has left anywhere, a mirror included. It is *lost* if it entered and was not delivered by the end.
//! - Bytes are those of frames without FCS, as they enter or as they leave. A rate *on the line* counts 24 bytes more for
//!   each frame: FCS, preamble and gap.
//! - The rate of a flow is that of its delivered frames. Generated traffic with a stop counts from start to stop; other
//!   flows from their first beat in to their last beat out, or to the stop.
//! - Latency is the time from the first beat in to the last beat out, of each copy. A percentile is the lowest latency that
//!   at least that many of a hundred copies do not exceed.
//!
//! Equal frames of captures are told apart by their order only: if some of them are lost, the latency of the later ones is
//! too high.

mod contents;
mod plots;
mod results;
mod text;

use rtl::config::Config;

use crate::clock::Clock;
use crate::traffic::{Content, Departure, Flow, Stamp};
use contents::Contents;
pub use plots::by_size;
pub use results::{Delivery, FlowResults, Latency, PortResults, Quantity, Results, Tick};

/// Gathers what happens to the frames of some flows.
#[derive(Clone, Debug)]
pub struct Collector {
    clock: Clock,
    flows: Vec<Gathered>,
    ports: Vec<Passed>,
    captured: Contents,
    unknown: u64,
}

/// What is known of a flow.
#[derive(Clone, Debug)]
struct Gathered {
    flow: Flow,
    frames: Vec<Sent>,
    /// The bytes of all `frames`, and of those that entered.
    offered: u64,
    entered: Quantity,
    delivered: Quantity,
    /// Of those, what left before the flow stopped.
    in_time: Quantity,
    first_in: Option<u64>,
    last_out: u64,
    /// At each port.
    at_ports: Vec<Quantity>,
    latencies: Vec<u64>,
}

/// A frame that a flow sent.
#[derive(Clone, Debug)]
struct Sent {
    bytes: u32,
    entered: Option<u64>,
    delivered: bool,
}

/// What passed a port: cycle and bytes of each frame.
#[derive(Clone, Debug, Default)]
struct Passed {
    sent: Vec<(u64, u32)>,
    received: Vec<(u64, u32)>,
}

impl Collector {
    /// For these flows, in the order of their numbers.
    pub fn new(flows: &[Flow], config: &Config) -> Self {
        let gathered = |flow: &Flow| Gathered {
            flow: flow.clone(),
            frames: vec![],
            offered: 0,
            entered: Quantity::default(),
            delivered: Quantity::default(),
            in_time: Quantity::default(),
            first_in: None,
            last_out: 0,
            at_ports: vec![Quantity::default(); config.ports()],
            latencies: vec![],
        };
        Self {
            clock: Clock::of(config),
            flows: flows.iter().map(gathered).collect(),
            ports: vec![Passed::default(); config.ports()],
            captured: Contents::default(),
            unknown: 0,
        }
    }

    /// A flow sends a frame.
    ///
    /// # Panics
    /// If there is no such flow, or its frames do not come in the order of their numbers.
    pub fn offered(&mut self, frame: &Departure) {
        let flow = &mut self.flows[frame.flow];
        assert_eq!(frame.sequence, flow.frames.len() as u64, "a frame of flow {} out of order", frame.flow);
        flow.frames.push(Sent { bytes: frame.bytes.len() as u32, entered: None, delivered: false });
        flow.offered += frame.bytes.len() as u64;
        if !matches!(flow.flow.content, Content::Generated(_)) {
            self.captured.sent(&frame.bytes, (frame.flow, frame.sequence));
        }
    }

    /// The port takes the first beat of a frame in this cycle.
    ///
    /// # Panics
    /// If the frame was not offered.
    pub fn entered(&mut self, flow: usize, sequence: u64, cycle: u64) {
        let flow = &mut self.flows[flow];
        let frame = &mut flow.frames[sequence as usize];
        frame.entered = Some(cycle);
        flow.entered.add(frame.bytes);
        flow.first_in.get_or_insert(cycle);
        self.ports[flow.flow.port].sent.push((cycle, frame.bytes));
    }

    /// The last beat of a frame leaves by a port in this cycle. Says whether it is one of a flow.
    pub fn left(&mut self, port: usize, frame: &[u8], cycle: u64) -> bool {
        let bytes = frame.len() as u32;
        self.ports[port].received.push((cycle, bytes));
        let stamp = Stamp::of_frame(frame).map(|stamp| (stamp.flow as usize, stamp.sequence));
        let known = stamp.or_else(|| self.captured.left(port, frame)).and_then(|(flow, sequence)| {
            let flow = self.flows.get_mut(flow)?;
            let frame = flow.frames.get_mut(sequence as usize)?;
            let latency = cycle.checked_sub(frame.entered?)?;
            flow.at_ports[port].add(bytes);
            flow.latencies.push(latency);
            flow.last_out = flow.last_out.max(cycle);
            if !std::mem::replace(&mut frame.delivered, true) {
                flow.delivered.add(bytes);
                if flow.flow.stop.is_none_or(|stop| cycle < stop) {
                    flow.in_time.add(bytes);
                }
            }
            Some(())
        });
        self.unknown += u64::from(known.is_none());
        known.is_some()
    }

    /// Ends the run after so many cycles. `names` are those of the ports.
    ///
    /// # Panics
    /// If there are fewer names than ports.
    pub fn finish(self, names: &[String], cycles: u64) -> Results {
        results::results(self, names, cycles)
    }
}

#[cfg(test)]
mod tests;
