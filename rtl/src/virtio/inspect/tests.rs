use super::{
    model::{Expected, Recipe, expected, random_frame},
    toeplitz::tests::{VECTORS, address},
    *,
};
use crate::{config::MAX_FRAME, testing::*};

/// The block with what drives it.
struct Setup {
    config: Config,
    bench: Bench,
    input: Source<Routed<Beat>>,
    verdicts: Sink<Verdict>,
    frames: Sink<Beat>,
    sent: Vec<(usize, Vec<u8>)>,
    /// Frames that have left.
    ended: usize,
}

impl Setup {
    fn new(config: &Config, seed: u64, [input, verdicts, frames]: [f64; 3]) -> Setup {
        let (bench, io) = Bench::new(|| inspect(config), seed);
        Setup {
            config: config.clone(),
            bench,
            input: Source::new(&io.input, input),
            verdicts: Sink::new(&io.verdict, verdicts),
            frames: Sink::new(&io.frame, frames),
            sent: vec![],
            ended: 0,
        }
    }

    fn send(&mut self, data: Vec<u8>) {
        let function = self.bench.rng.usize(..self.config.functions());
        let port = word(function as u64, function_bits(&self.config));
        let beats = Frame { data: data.clone(), error: false }.beats(self.config.bytes, &mut self.bench.rng);
        self.input.send(beats.into_iter().map(|mut beat| {
            beat.extend(&port);
            beat
        }));
        self.sent.push((function, data));
    }

    /// A cycle. No beat of a frame is there before its verdict was taken.
    fn cycle(&mut self) {
        let (known, beats) = (self.verdicts.got.len(), self.frames.got.len());
        self.bench.cycle(&mut [&mut self.input, &mut self.verdicts, &mut self.frames]);
        if self.frames.got.len() > beats {
            assert!(self.ended < known, "a frame before its verdict");
            self.ended += usize::from(self.frames.got[beats][1]);
        }
    }

    /// Runs until all frames have left, and compares. Tells how many cycles it took.
    fn finish(&mut self) -> usize {
        let mut cycles = 0;
        let beats: usize = self.sent.iter().map(|(_, data)| data.len().div_ceil(self.config.bytes)).sum();
        while self.frames.got.len() < beats || self.verdicts.got.len() < self.sent.len() {
            self.cycle();
            cycles += 1;
            assert!(cycles < 40 * beats + 1000, "frames are stuck");
        }
        let frames = frames(&self.frames.got, self.config.bytes);
        assert_eq!(frames.len(), self.sent.len());
        for (number, (function, data)) in self.sent.iter().enumerate() {
            assert!(frames[number].data == *data, "frame {number} is as it was");
            let verdict = &self.verdicts.got[number];
            let hash = field(verdict, 0, 32) as u32;
            let got = Expected {
                body: field(verdict, 34, LENGTH) as usize,
                valid: verdict[33],
                hash: verdict[32].then_some(hash),
            };
            assert_eq!(got, expected(data), "frame {number}: {data:02x?}");
            assert!(got.hash.is_some() || hash == 0);
            assert_eq!(field(verdict, 34 + LENGTH, LENGTH) as usize, data.len(), "length of frame {number}");
            let got = field(verdict, 34 + 2 * LENGTH, function_bits(&self.config)) as usize;
            assert_eq!(got, *function, "function of frame {number}");
        }
        cycles
    }
}

#[test]
fn random_frames_at_any_pace() {
    let mut all = vec![];
    for (seed, config) in Config::all().iter().enumerate() {
        for (round, (pace_in, pace_out)) in PACES.into_iter().enumerate() {
            let verdicts = [1.0, 0.3, 0.1, 1.0, 0.5][round];
            let mut setup = Setup::new(config, (10 * seed + round) as u64, [pace_in, verdicts, pace_out]);
            for _ in 0..250 {
                let frame = random_frame(&mut setup.bench.rng);
                all.push(expected(&frame));
                setup.send(frame);
            }
            setup.send(vec![0xFF; MAX_FRAME]);
            setup.finish();
        }
    }
    let count = |f: &dyn Fn(&Expected) -> bool| all.iter().filter(|expected| f(expected)).count();
    let (valid, hashed) = (count(&|e| e.valid), count(&|e| e.hash.is_some()));
    assert!(valid > all.len() / 5 && valid < hashed && hashed < all.len() - 100, "{valid}, {hashed}");
}

/// Every way to say what a frame is, one bit at a time: each bit of the headers is turned once.
#[test]
fn each_bit_of_the_headers_counts() {
    for config in Config::all() {
        let mut setup = Setup::new(&config, 3, [1.0; 3]);
        for (tags, protocol, addresses, options) in
            [(0, 6, 8, 0), (1, 17, 8, 4), (2, 6, 8, 40), (0, 17, 32, 0), (1, 6, 32, 0), (2, 17, 32, 0)]
        {
            let recipe = Recipe {
                tags,
                protocol,
                addresses: (0..addresses).map(|_| setup.bench.rng.u8(..)).collect(),
                rest: 17,
                options,
                fragment: 0,
                padding: 3,
            };
            let frame = recipe.frame(&mut setup.bench.rng);
            assert!(expected(&frame).valid && expected(&frame).hash.is_some());
            for bit in 8 * 12..8 * frame.len() {
                let mut frame = frame.clone();
                frame[bit / 8] ^= 1 << (bit % 8);
                setup.send(frame);
            }
            for length in (14..frame.len()).step_by(2) {
                setup.send(frame[..length].to_vec());
            }
        }
        setup.finish();
    }
}

#[test]
fn hashes_of_the_specification() {
    for config in Config::all() {
        let mut setup = Setup::new(&config, 1, [1.0; 3]);
        let mut hashes = vec![];
        for (source, destination, source_port, destination_port, of_addresses, of_all) in VECTORS {
            for (protocol, hash) in [(1, of_addresses), (6, of_all), (17, of_all)] {
                let addresses = [address(source), address(destination)].concat();
                let recipe =
                    Recipe { tags: 1, protocol, addresses, rest: 20, options: 0, fragment: 0, padding: 0 };
                let mut frame = recipe.frame(&mut setup.bench.rng);
                let ports = frame.len() - 24;
                frame[ports..ports + 2].copy_from_slice(&source_port.to_be_bytes());
                frame[ports + 2..ports + 4].copy_from_slice(&destination_port.to_be_bytes());
                setup.send(frame);
                hashes.push(hash);
            }
        }
        setup.finish();
        let got: Vec<u32> = setup.verdicts.got.iter().map(|verdict| field(verdict, 0, 32) as u32).collect();
        assert_eq!(got, hashes);
    }
}

/// Frames follow one another without a gap, the shortest ones too, and the verdict comes when the documentation says.
#[test]
fn a_beat_in_each_cycle() {
    for config in Config::all() {
        for (length, count) in [(14, 300), (60, 200), (61, 200), (1514, 10)] {
            let mut setup = Setup::new(&config, 1, [1.0; 3]);
            setup.send(vec![8; length]);
            let beats = setup.input.queue.len();
            let mut until_verdict = 0;
            while setup.verdicts.got.is_empty() {
                setup.cycle();
                until_verdict += 1;
            }
            assert_eq!(until_verdict - beats, if config.bytes == 8 { 12 } else { 13 }, "latency");
            for _ in 1..count {
                setup.send(vec![8; length]);
            }
            let cycles = setup.finish();
            assert!(cycles <= count * beats + 30, "{cycles} cycles for {count} frames of {length} bytes");
        }
    }
}

/// Verdicts run ahead as far as the store goes, and frames as far as the verdicts do.
#[test]
fn verdicts_run_ahead() {
    for config in Config::all() {
        let mut setup = Setup::new(&config, 1, [1.0, 1.0, 0.0]);
        let frames = STORE / config.bytes;
        for _ in 0..frames + 100 {
            setup.send(vec![8; 14]);
        }
        for _ in 0..2 * frames + 100 {
            setup.cycle();
        }
        let beats = 14usize.div_ceil(config.bytes);
        assert_eq!(setup.verdicts.got.len(), prim::fifo_capacity(frames) / beats);
        setup.frames.pace = 1.0;
        setup.finish();

        let mut setup = Setup::new(&config, 1, [1.0, 0.0, 1.0]);
        for _ in 0..100 {
            setup.send(vec![8; 60]);
        }
        for _ in 0..2000 {
            setup.cycle();
        }
        assert!(setup.frames.got.is_empty());
        assert_eq!(
            setup.input.sent,
            (FRAMES + 1) * 60usize.div_ceil(config.bytes),
            "one more waits at the port"
        );
        setup.verdicts.pace = 1.0;
        setup.finish();
    }
}

#[test]
fn every_configuration_elaborates() {
    let small = Config::small();
    let least = Config { vfs: 0, ..small.clone() };
    let most = Config { vfs: 62, ..small.clone() };
    for config in Config::all().into_iter().chain([least, most]) {
        elaborate(|| inspect(&config)).unwrap_or_else(|errors| panic!("{}: {errors}", config.name));
    }
    assert!(refusal(|| inspect(&Config { bytes: 64, ..small })).contains("bytes"));
    assert!(refusal(|| align(4)).contains("8, 16 or 32"));
    assert!(refusal(|| packet(64)).contains("8, 16 or 32"));
}
