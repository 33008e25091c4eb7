//! An adapter with its drivers in the middle of a run: what is on its way, and what came of each cycle.

use super::{
    Plan, Report,
    disturb::{Down, Upset},
    draw::{self, Guest},
    frames::station,
    ledger::{Ledger, Wrong},
};
use hdl::Simulator;
use rtl::{config::Config, pcie::space::Personality};
use sim::{
    manager::{Device, Manager, Moderation},
    nic::{Scene, Trouble},
    random::Random,
    veb::Policy,
    virtio::{
        error::DriverError,
        features::Features,
        net::{DATA_VALID, Event, Header},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    error::Error,
    fmt::Debug,
};
use thiserror::Error;

/// What goes wrong in a run.
#[derive(Debug, Error)]
pub enum Failure {
    #[error(transparent)]
    Driver(#[from] Trouble),
    #[error("the driver of function {0} does not start: {1}")]
    Start(usize, Trouble),
    #[error(transparent)]
    Wrong(#[from] Wrong),
    #[error("function {0}: {1:?}, which nothing explains")]
    Event(usize, Event),
    #[error("function {function}: the header {header:?} of a frame whose checksum is right: {valid:?}")]
    Header { function: usize, header: Header, valid: Option<bool> },
    #[error("wire {0}: a frame is marked as bad, or its beats are not as they must be")]
    BadFrame(usize),
    #[error("{0}")]
    Intrusion(String),
    #[error("{0}")]
    Missing(String),
    #[error("{what}: {counted} are counted, but {expected} are missing")]
    Count { what: String, counted: u64, expected: u64 },
    #[error("{0}")]
    Command(String),
}

/// See the module.
pub struct Campaign<S> {
    pub scene: Scene<S>,
    pub config: Config,
    pub random: Random,
    pub report: Report,
    story: VecDeque<String>,
    /// What the manager has set, and what drivers have asked for.
    pub policy: Policy,
    pub guests: BTreeMap<usize, Guest>,
    pub ledger: Ledger,
    /// Frames that were sent, by port and pair.
    pub numbers: HashMap<(usize, usize), u32>,
    /// The longest frame that is sent.
    pub longest: usize,
    /// Ports at which frames may be missing until the round ends.
    pub excused: BTreeSet<usize>,
    /// Frames that drivers must not get as they exceed their MTU, by functions, in this round.
    pub refused: BTreeMap<usize, u64>,
    /// When the last one of these was sent.
    pub last_refused: u64,
    /// Functions that are being reset or are not there.
    pub down: Vec<Down>,
    /// What else ends some time.
    pub upsets: Vec<Upset>,
    /// The last cycle in which something arrived or was sent.
    pub last: u64,
}

impl<S: Simulator> Campaign<S> {
    /// Draws a run, and sets everything up.
    pub fn new(sim: S, config: &Config, plan: &Plan) -> Result<Campaign<S>, Box<dyn Error>> {
        let mut random = Random::new(plan.seed);
        let setup = draw::setup(&mut random, config);
        let mut scene = Scene::new(sim, config, &setup)?;
        scene.period = *random.pick(&[4, 16, 16, 32, 64]);
        let longest = *random.pick(&[1518, 1518, 3000, 9014]);
        let functions: Vec<_> = scene.functions().into_iter().map(|it| (it, scene.port(it))).collect();
        let policy = draw::policy(&mut random, config, &functions);
        scene.nic.set_policy(&policy)?;
        let mut campaign = Campaign {
            scene,
            config: config.clone(),
            random,
            report: Report::default(),
            story: VecDeque::new(),
            policy,
            guests: BTreeMap::new(),
            ledger: Ledger::default(),
            numbers: HashMap::new(),
            longest,
            excused: BTreeSet::new(),
            refused: BTreeMap::new(),
            last_refused: 0,
            down: vec![],
            upsets: vec![],
            last: 0,
        };
        let kind = match setup.personality {
            Personality::SrIov if setup.alternative_routing => "runs with virtual functions, ARI",
            Personality::SrIov => "runs with virtual functions, without ARI",
            Personality::Multifunction(_) => "runs without virtual functions",
        };
        campaign.happened(kind);
        for (function, _) in functions {
            let mtu = *campaign.random.pick(&[576, 1500, 9000]);
            campaign.describe(function, mtu)?;
            campaign.start(function, mtu)?;
        }
        Ok(campaign)
    }

    /// The manager says what a function is.
    fn describe(&mut self, function: usize, mtu: u16) -> Result<(), Box<dyn Error>> {
        let base = self.scene.nic.places[1].bars[0];
        let random = &mut self.random;
        let mut moderation =
            || Moderation { frames: random.below(8) as u8, time: *random.pick(&[0, 0, 1, 4]) };
        let (receive, transmit) = (moderation(), moderation());
        let mut manager = Manager::new(&mut self.scene.nic.bus, base);
        let mac = station(function);
        let device = Device { mac, mtu, speed: 10_000, duplex: 1, link_up: true, announce: false };
        manager.set_device(function, &device)?;
        manager.set_moderation(function, receive, transmit)?;
        // The row of the function before this one may have to leave first.
        self.pass(600)?;
        Ok(())
    }

    pub fn happened(&mut self, what: &'static str) {
        self.happened_to(what, &"");
    }

    /// The same, with what a reader of the story wants to know.
    pub fn happened_to(&mut self, what: &'static str, whom: &dyn Debug) {
        *self.report.happened.entry(what).or_default() += 1;
        self.story.push_back(format!("{:>10} {what} {whom:?}\n", self.now()));
        if self.story.len() > 16 {
            self.story.pop_front();
        }
    }

    /// What happened last, with the cycles.
    pub fn story(&self) -> String {
        self.story.iter().map(String::as_str).collect()
    }

    pub fn now(&self) -> u64 {
        self.scene.nic.bus.now()
    }

    /// Starts a new driver on a function.
    pub fn start(&mut self, function: usize, mtu: u16) -> Result<(), Failure> {
        let guest = Guest::draw(&mut self.random, &self.config, self.longest, mtu);
        let packed = guest.has(Features::RING_PACKED);
        self.happened_to(
            if packed { "drivers with packed rings" } else { "drivers with split rings" },
            &function,
        );
        guest.apply(&mut self.policy, self.scene.port(function));
        let options = guest.options.clone();
        self.guests.insert(function, guest);
        let started = self.scene.start(function, options).map(|_| ());
        started.map_err(|error| Failure::Start(function, error))
    }

    /// Lets cycles pass.
    pub fn pass(&mut self, cycles: u64) -> Result<(), Failure> {
        (0..cycles).try_for_each(|_| self.cycle())
    }

    /// Lets a cycle pass, and looks at what arrives.
    pub fn cycle(&mut self) -> Result<(), Failure> {
        for (function, event) in self.scene.step()? {
            self.last = self.scene.nic.bus.now();
            match event {
                Event::Received { pair, header, frame } => self.received(function, pair, header, &frame)?,
                Event::Sent { .. } => {}
                // A driver that breaks down is begun anew when its function is.
                Event::Changed if self.excused.contains(&self.scene.port(function)) => {}
                event => return Err(Failure::Event(function, event)),
            }
        }
        for wire in 0..self.config.wires {
            for arrival in std::mem::take(&mut self.scene.nic.bus.device.0[wire].from_adapter) {
                self.last = self.scene.nic.bus.now();
                if arrival.is_bad {
                    return Err(Failure::BadFrame(wire));
                }
                self.ledger.arrives(wire, 0, &arrival.data)?;
            }
        }
        Ok(())
    }

    fn received(
        &mut self,
        function: usize,
        pair: usize,
        header: Header,
        frame: &[u8],
    ) -> Result<(), Failure> {
        let port = self.scene.port(function);
        let valid = self.ledger.arrives(port, pair, frame)?.valid;
        let asks = self.guests[&function].has(Features::GUEST_CSUM);
        let expected = valid.map(|valid| if valid && asks { DATA_VALID } else { 0 });
        let is_good =
            expected.is_none_or(|expected| header.flags == expected) && header.flags & !DATA_VALID == 0;
        if is_good { Ok(()) } else { Err(Failure::Header { function, header, valid }) }
    }

    /// Nobody reached for memory that it was not given.
    pub fn check_intrusions(&mut self) -> Result<(), Failure> {
        match self.scene.nic.bus.host.platform.iommu.take_intrusions().first() {
            Some(intrusion) => Err(Failure::Intrusion(intrusion.to_string())),
            None => Ok(()),
        }
    }

    /// Stops all drivers: what they had is theirs again.
    pub fn finish(mut self) -> Result<Report, Box<dyn Error>> {
        for function in self.scene.functions() {
            let lost = self.scene.stop(function)?;
            if !lost.is_empty() {
                return Err(format!("function {function} has not sent {} frames", lost.len()).into());
            }
        }
        self.check_intrusions()?;
        self.report.cycles = self.now();
        self.report.delivered = self.ledger.arrived;
        Ok(self.report)
    }
}

/// Of what the bus does.
pub fn on_bus<T>(result: Result<T, sim::pcie::BusError>) -> Result<T, Failure> {
    result.map_err(|error| Failure::Driver(DriverError::Bus(error)))
}
