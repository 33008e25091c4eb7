pub mod equivalence;
pub mod ethernet;
pub mod pcap;
pub mod random;
pub mod scenario;
pub mod veb;
pub mod verilator;
