//! Everything at once at the endpoint: reads, writes and interrupts of all functions, accesses of the host, resets of functions,
//! functions that vanish, sleep and fall silent, credits that stay away, and packets that make no sense; against a scoreboard of
//! memory, the checker of packets, and the IOMMU.

pub mod answers;
mod disturbance;
mod draw;
pub mod fuzz;
mod late;
mod load;
pub mod marks;
mod nonsense;
pub mod scene;
mod software;
mod times;

pub use fuzz::fuzz;
pub use load::run;
pub use times::Times;

use scene::Setting;
use sim::pcie::host::Fault;
use std::fmt;

/// What a run is made of.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub setting: Setting,
    /// It ends when so many packets have gone by, in both directions together.
    pub packets: u64,
    /// How many of a thousand reads have each fault.
    pub faults: Vec<(Fault, u32)>,
    /// How many of a thousand steps reset a function.
    pub resets: usize,
    /// And how many send a packet that makes no sense.
    pub nonsense: usize,
    /// And how many have all virtual functions vanish, or reset the physical one.
    pub vanishings: usize,
    /// And how many put a function into D3hot, or take Bus Master Enable from it.
    pub silences: usize,
    /// And how many keep credits of a class away for a while.
    pub droughts: usize,
}

impl Plan {
    /// Nothing but good traffic.
    pub fn of(seed: u64, setting: Setting, packets: u64) -> Plan {
        Plan {
            seed,
            setting,
            packets,
            faults: vec![],
            resets: 0,
            nonsense: 0,
            vanishings: 0,
            silences: 0,
            droughts: 0,
        }
    }
}

/// What came of it. Times are in cycles.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub cycles: u64,
    pub packets: u64,
    pub reads: u64,
    pub writes: u64,
    /// Commands that ended otherwise than well.
    pub failures: u64,
    pub interrupts: u64,
    /// Messages of errors.
    pub messages: u64,
    pub accesses: u64,
    /// Requests to functions that are not there or asleep, which were refused.
    pub refusals: u64,
    pub nonsense: u64,
    /// From the request for a reset of a function to the clearing of its own state.
    pub resets: Times,
    /// Those of function 0 among them.
    pub physical_resets: u64,
    /// The same of virtual functions that vanished.
    pub vanished: Times,
    /// How often virtual functions appeared.
    pub enables: u64,
    /// How often functions were put into D3hot, and how often Bus Master Enable was taken from them.
    pub sleeps: u64,
    pub masters: u64,
    /// How often credits stayed away: of posted requests, of other requests, of completions.
    pub droughts: [u64; 3],
    /// The longest time that a command took whose function nothing happened to, and a request of the host.
    pub longest_command: u64,
    pub longest_answer: u64,
}

impl Report {
    /// Both together.
    pub fn add(&mut self, other: Report) {
        self.cycles += other.cycles;
        self.packets += other.packets;
        self.reads += other.reads;
        self.writes += other.writes;
        self.failures += other.failures;
        self.interrupts += other.interrupts;
        self.messages += other.messages;
        self.accesses += other.accesses;
        self.refusals += other.refusals;
        self.nonsense += other.nonsense;
        self.resets.extend(other.resets);
        self.physical_resets += other.physical_resets;
        self.vanished.extend(other.vanished);
        self.enables += other.enables;
        self.sleeps += other.sleeps;
        self.masters += other.masters;
        for (droughts, others) in self.droughts.iter_mut().zip(other.droughts) {
            *droughts += others;
        }
        self.longest_command = self.longest_command.max(other.longest_command);
        self.longest_answer = self.longest_answer.max(other.longest_answer);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { cycles, packets, reads, writes, failures, interrupts, messages, accesses, .. } = self;
        let Report { refusals, nonsense, physical_resets, enables, sleeps, masters, .. } = self;
        let Report { droughts: [posted, requests, completions], longest_command, longest_answer, .. } = self;
        writeln!(f, "{packets} packets in {cycles} cycles, 0 violations")?;
        writeln!(f, "{reads} reads, {writes} writes, {failures} of them stopped or failed")?;
        writeln!(f, "{interrupts} interrupts, {messages} messages of errors")?;
        writeln!(f, "{accesses} accesses, {refusals} refused; {nonsense} packets without sense")?;
        writeln!(f, "functions in D3hot {sleeps} times, without Bus Master Enable {masters} times")?;
        writeln!(f, "virtual functions enabled {enables} times, function 0 reset {physical_resets} times")?;
        writeln!(f, "droughts: {posted} posted, {requests} non-posted, {completions} completions")?;
        writeln!(f, "longest: command {longest_command} cycles, request of the host {longest_answer}")?;
        writeln!(f, "functions that vanished: {}", self.vanished)?;
        write!(f, "resets of functions: {}", self.resets)
    }
}
