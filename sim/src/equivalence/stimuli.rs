//! Random inputs that keep to the contracts of the interface.

use super::Options;
use crate::random::Random;
use hdl::{Direction, Interface};

/// How often a producer has a beat, a consumer takes one, or another input changes.
#[derive(Clone, Copy)]
enum Mood {
    Always,
    Sometimes,
    Seldom,
    /// Where an input of no stream stays 0.
    Never,
    /// Runs of random length.
    Bursts {
        active: bool,
        left: usize,
    },
}

impl Mood {
    /// Of inputs that start something when `calm`; then a few things happen one by one that else never would.
    fn new(random: &mut Random, calm: bool) -> Mood {
        if calm {
            return *random.pick(&[Mood::Seldom, Mood::Never]);
        }
        match random.below(8) {
            0..3 => Mood::Always,
            3 => Mood::Sometimes,
            4 => Mood::Seldom,
            5 => Mood::Never,
            _ => Mood::Bursts { active: true, left: 0 },
        }
    }

    fn next(&mut self, random: &mut Random) -> bool {
        match self {
            Mood::Always => true,
            Mood::Sometimes => random.chance(50),
            Mood::Seldom => random.chance(8),
            Mood::Never => false,
            Mood::Bursts { active, left } => {
                if *left == 0 {
                    (*active, *left) = (!*active, 1 + random.below(24));
                }
                *left -= 1;
                *active
            }
        }
    }
}

/// A stream, as its ports are named. `payload` has inputs only.
struct Stream {
    valid: usize,
    ready: usize,
    payload: Vec<usize>,
    /// Whether this side is the producer.
    produced: bool,
    mood: Mood,
}

/// An input of no stream.
struct Free {
    port: usize,
    /// Whether it is the `valid` of something that nobody can hold up: each cycle in which it is 1 counts.
    pulse: bool,
    mood: Mood,
}

/// What happens at the end of a cycle.
pub(super) struct Step {
    /// Domains whose clocks rise.
    pub clocks: Vec<usize>,
    pub resets: Vec<bool>,
    pub beats: u64,
}

pub(super) struct Stimuli {
    random: Random,
    widths: Vec<usize>,
    /// Of each port that is an input.
    values: Vec<Option<Vec<u64>>>,
    streams: Vec<Stream>,
    free: Vec<Free>,
    domains: usize,
    /// Cycles until moods change.
    phase: u64,
    /// Cycles until the next reset.
    quiet: u64,
    /// Cycles that the reset of each domain lasts.
    resets: Vec<usize>,
    /// Only all domains at once are reset.
    together: bool,
}

impl Stimuli {
    /// Begins with all inputs at 0, under reset. The next reset comes late, for what takes long to begin; then they come
    /// often, for what follows upon them.
    pub fn new(interface: &Interface, options: &Options) -> Stimuli {
        let &Options { cycles, rest, seed, undefined } = options;
        let names: Vec<&str> = interface.ports.iter().map(|port| port.name.as_str()).collect();
        let widths: Vec<usize> = interface.ports.iter().map(|port| port.width as usize).collect();
        let is_input = |port: usize| interface.ports[port].direction == Direction::Input;
        let values = (0..names.len()).map(|port| is_input(port).then(|| vec![0; widths[port].div_ceil(64)]));
        let mut streams = vec![];
        for valid in 0..names.len() {
            let Some(prefix) = names[valid].strip_suffix("valid") else { continue };
            let ready = names.iter().position(|name| *name == format!("{prefix}ready"));
            let Some(ready) = ready.filter(|&ready| is_input(ready) != is_input(valid)) else { continue };
            let payload = format!("{prefix}payload");
            let payload =
                (0..names.len()).filter(|&port| names[port].starts_with(&payload) && is_input(port));
            let (payload, mood) = (payload.collect(), Mood::Never);
            streams.push(Stream { valid, ready, payload, produced: is_input(valid), mood });
        }
        let bound = |port: usize| {
            let of = |stream: &Stream| {
                [stream.valid, stream.ready].contains(&port) || stream.payload.contains(&port)
            };
            streams.iter().any(of)
        };
        let free = (0..names.len()).filter(|&port| is_input(port) && !bound(port));
        let free = free
            .map(|port| Free { port, pulse: names[port].ends_with("valid"), mood: Mood::Never })
            .collect();
        let domains = interface.domains.len();
        Stimuli {
            random: Random::new(seed),
            values: values.collect(),
            widths,
            streams,
            free,
            domains,
            phase: rest + 1,
            quiet: rest + cycles / 2 + 1,
            resets: vec![2; domains],
            together: undefined,
        }
    }

    /// The current value of each input.
    pub fn inputs(&self) -> impl Iterator<Item = (usize, &[u64])> {
        self.values.iter().enumerate().filter_map(|(port, value)| Some((port, value.as_deref()?)))
    }

    /// Decides what happens at the end of this cycle, in which `bit` tells the value of one-bit ports, and the inputs of
    /// the next.
    pub fn advance(&mut self, bit: impl Fn(usize) -> bool) -> Step {
        self.phase -= 1;
        if self.phase == 0 {
            self.change_moods();
        }
        self.quiet -= 1;
        if self.quiet == 0 {
            self.quiet = self.gap();
            let all = self.together || self.random.chance(70);
            let length = 1 + self.random.below(3);
            for left in &mut self.resets {
                if all || self.random.chance(50) {
                    *left = length;
                }
            }
        }
        let resets: Vec<bool> = self.resets.iter().map(|&left| left > 0).collect();
        let resetting = resets.contains(&true);
        let every = self.domains == 1 || (self.together && resetting) || self.random.chance(60);
        let mut clocks: Vec<usize> = (0..self.domains).filter(|_| every || self.random.chance(50)).collect();
        if clocks.is_empty() {
            clocks.push(self.random.below(self.domains));
        }
        for &domain in &clocks {
            self.resets[domain] = self.resets[domain].saturating_sub(1);
        }
        // Which domain a stream belongs to is not known: a beat counts as moved when all clocks have risen.
        let every = clocks.len() == self.domains;
        let mut beats = 0;
        for index in 0..self.streams.len() {
            let Stream { valid, ready, produced, .. } = self.streams[index];
            let moved = every && bit(valid) && bit(ready);
            beats += moved as u64;
            if !produced {
                let ready_next = self.streams[index].mood.next(&mut self.random);
                self.values[ready] = Some(vec![ready_next as u64]);
            } else if !bit(valid) || moved || resetting {
                let valid_next = self.streams[index].mood.next(&mut self.random) && !resetting;
                self.values[valid] = Some(vec![valid_next as u64]);
                for payload in self.streams[index].payload.clone() {
                    self.values[payload] = Some(self.random.value(self.widths[payload]));
                }
            }
        }
        for Free { port, pulse, mood } in &mut self.free {
            let width = self.widths[*port];
            if *pulse {
                self.values[*port] = Some(vec![mood.next(&mut self.random) as u64]);
            } else if let Mood::Never = mood {
                self.values[*port] = Some(vec![0; width.div_ceil(64)]);
            } else if mood.next(&mut self.random) {
                self.values[*port] = Some(self.random.value(width));
            }
        }
        Step { clocks, resets, beats }
    }

    /// Cycles to the next reset: as often some tens as some hundreds.
    fn gap(&mut self) -> u64 {
        let octave = 1 << self.random.below(11);
        octave + self.random.below(octave as usize) as u64
    }

    fn change_moods(&mut self) {
        self.phase = 30 + self.random.below(200) as u64;
        let calm = self.random.chance(25);
        for Stream { produced, mood, .. } in &mut self.streams {
            *mood = Mood::new(&mut self.random, calm && *produced);
        }
        for Free { mood, .. } in &mut self.free {
            *mood = Mood::new(&mut self.random, calm);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdl::interface::{ClockDomain, Port};

    #[test]
    fn a_beat_stays_until_it_has_moved() {
        use Direction::{Input, Output};
        let port = |(name, width, direction): (&str, u32, Direction)| Port {
            name: name.into(),
            width,
            direction,
            doc: String::new(),
        };
        let ports = [
            ("in_valid", 1, Input),
            ("in_ready", 1, Output),
            ("in_payload_a", 70, Input),
            ("other", 3, Input),
        ];
        let domain = ClockDomain { clock: Some("clk".into()), reset: Some("rst".into()) };
        let interface = Interface { name: "m".into(), ports: ports.map(port).into(), domains: vec![domain] };
        let mut stimuli = Stimuli::new(&interface, &Options { cycles: 4990, rest: 10, ..Options::default() });
        let (mut kept, mut beats, mut random) = (0, 0, Random::new(4));
        for _ in 0..5000 {
            let before: Vec<Vec<u64>> = stimuli.inputs().map(|(_, value)| value.to_vec()).collect();
            let ready = random.chance(50);
            let valid = before[0][0] == 1;
            let step = stimuli.advance(|port| if port == 1 { ready } else { valid });
            let after: Vec<Vec<u64>> = stimuli.inputs().map(|(_, value)| value.to_vec()).collect();
            assert!(after[1][1] < 64, "the payload fits");
            beats += step.beats;
            if valid && !ready && !step.resets[0] {
                assert_eq!(before[..2], after[..2]);
                kept += 1;
            }
        }
        assert!(kept > 500 && beats > 500, "{kept} kept, {beats} moved");
    }
}
