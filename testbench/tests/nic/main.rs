//! The whole adapter below a host and between its wires.

mod driver;
mod independent;
mod load;
mod mischief;
mod mixed;
mod play;
mod resets;
mod soak;
mod wishes;

use rtl::config::Config;
use sim::{
    nic::{Nic, Setup},
    pcie::{Adapter, Machine},
};
use testbench::models;

/// Functions answer with what they offer.
#[test]
fn every_function_is_there() {
    let config = Config::small();
    let sim = models::nic(&config).unwrap();
    let mut nic = Nic::new(sim, Machine::new(), &config, &Setup::of(&config)).unwrap();
    assert_eq!(nic.places.len(), config.functions());
    for function in [0, 2, 3, 4] {
        let mut word = [0; 4];
        let base = nic.places[function].bars[0];
        nic.bus.write(base, &1u32.to_le_bytes()).unwrap();
        assert!(nic.bus.read(base + 4, &mut word).unwrap());
        assert_eq!(word[0] & 1, 1, "function {function} offers VERSION_1: {word:x?}");
    }
}
