pub mod equivalence;
pub mod ethernet;
pub mod pcap;
pub mod random;
pub mod veb;
pub mod verilator;
