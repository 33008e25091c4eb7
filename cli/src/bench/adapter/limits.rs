//! What the wire, the link and the data path allow.

use super::{BATCH, Way};
use rtl::config::Config;
use sim::{
    nic::{
        load::CHECK_SEQUENCE,
        model::{Cost, Model},
    },
    pcie::LinkSettings,
    traffic::WIRE_OVERHEAD,
};

/// Bits that a wire carries in a second.
const WIRE: f64 = 1e10;

/// Bytes in front of a frame in memory (virtio 5.1.6).
const HEADER: usize = 12;

/// The bridge decides on a frame in four cycles.
const DECISION: usize = 4;

/// See the module.
pub struct Limits {
    link: LinkSettings,
    /// Bytes of a beat, and beats in a second.
    beat: usize,
    beats: f64,
}

impl Limits {
    pub fn new(config: &Config, link: &LinkSettings) -> Limits {
        Limits { link: link.clone(), beat: config.bytes, beats: config.clock_khz as f64 * 1e3 }
    }

    /// Bytes on the link for a frame from memory and one into it, of so many bytes with their check sequence.
    pub fn pair(&self, bytes: usize, packed: bool) -> Cost {
        let model = Self::model(packed);
        model.transmit(bytes - CHECK_SEQUENCE) + model.receive(bytes - CHECK_SEQUENCE)
    }

    fn model(packed: bool) -> Model {
        Model { batch: BATCH, ..Model::new(packed, packed) }
    }

    /// Frames in a second, from the wire, to it, and between functions: as many as the wire carries, or the link by the model,
    /// or the data path, of a beat in each cycle, that all frames enter the bridge by and those of one direction reach the
    /// host by. The wire comes first.
    pub fn of(&self, way: Way, bytes: usize, packed: bool) -> [f64; 3] {
        let frame = bytes - CHECK_SEQUENCE;
        let model = Self::model(packed);
        let (receive, transmit) = (model.receive(frame), model.transmit(frame));
        let wire = WIRE / 8.0 / (frame as f64 + WIRE_OVERHEAD as f64);
        let bridge = self.beats / frame.div_ceil(self.beat).max(DECISION) as f64;
        let host = self.beats / (HEADER + frame).div_ceil(self.beat) as f64;
        let pair = receive + transmit;
        let least = |limits: &[f64]| limits.iter().copied().fold(f64::INFINITY, f64::min);
        let both = least(&[wire, bridge / 2.0, host, pair.rate(&self.link)]);
        match way {
            Way::Receive => [least(&[wire, bridge, host, receive.rate(&self.link)]), 0.0, 0.0],
            Way::Transmit => [0.0, least(&[wire, bridge, host, transmit.rate(&self.link)]), 0.0],
            Way::Both => [both, both, 0.0],
            Way::Bridge => [0.0, 0.0, least(&[bridge, host, pair.rate(&self.link)])],
            Way::Beside => {
                let rest = least(&[bridge - 2.0 * both, host - both, pair.rate(&self.link) - both]);
                [both, both, rest.max(0.0)]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, expected: f64) {
        assert!((got / expected - 1.0).abs() < 0.005, "{got}, not {expected}");
    }

    /// Of the project's table of limits.
    #[test]
    fn known_limits() {
        let link = LinkSettings::default();
        let wide = Limits::new(&Config::wide(), &link);
        near(wide.of(Way::Receive, 64, true)[0], 14.881e6);
        near(wide.of(Way::Both, 1518, true)[1], 0.8127e6);
        near(wide.of(Way::Bridge, 1518, true)[2] * 1514.0 * 8.0, 42.8e9);
        near(wide.of(Way::Beside, 1518, true)[2] * 1514.0 * 8.0, 32.9e9);
        // A beat of eight bytes carries one direction, not two.
        let small = Limits::new(&Config::small(), &link);
        near(small.of(Way::Both, 1518, true)[0], 156.25e6 / 190.0 / 2.0);
    }
}
