//! What happens to functions and to the link under load: resets, virtual functions that vanish, sleep, silence, droughts.

use super::{
    Plan,
    load::{Run, message},
};
use hdl::Simulator;
use sim::pcie::{BusError, packet::Class};

/// What a function is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Works,
    /// A reset of it is under way; since when its own state has been clear.
    Resetting {
        cleared: Option<u64>,
    },
    /// A virtual function that is off; likewise.
    Absent {
        cleared: Option<u64>,
    },
    /// In D3hot, or no bus master, since then, until then. It is silent now, or has something on its way.
    Silent {
        is_asleep: bool,
        since: u64,
        until: u64,
        is_silent: bool,
    },
}

/// Cycles from the clearing of a function's state to the end of its reset, at most.
const CLEARED: u64 = 40;

/// Cycles after which a reset that nobody is sure of must have been over.
const OVER: u64 = 20_000;

/// Cycles in which what a function has sent before it was forbidden reaches the link, if there are credits.
const LEAVES: u64 = 1500;

const CLASSES: [Class; 3] = [Class::Posted, Class::NonPosted, Class::Completion];

impl<S: Simulator> Run<S> {
    /// Does something that is no ordinary load, or not.
    pub fn disturb(&mut self, plan: &Plan, function: usize) -> Result<bool, BusError> {
        let mut drawn = self.random.below(1000);
        let mut hits = |share: usize| {
            let hit = drawn < share;
            drawn = drawn.wrapping_sub(share);
            hit
        };
        if hits(plan.resets) {
            self.reset(function)?;
        } else if hits(plan.nonsense) {
            self.nonsense(function)?;
        } else if hits(plan.vanishings) {
            match self.random.chance(30) {
                true => self.reset_physical()?,
                false => self.disable()?,
            }
        } else if hits(plan.silences) {
            self.silence(function)?;
        } else if hits(plan.droughts) {
            self.withhold();
        } else if self.random.chance(2) {
            return self.enable_again().map(|()| false);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn is_awake(&self, function: usize) -> bool {
        matches!(self.functions[function].state, State::Works | State::Silent { is_asleep: false, .. })
    }

    /// Its commands may be stopped from now on.
    fn leave(&mut self, function: usize, state: State) {
        self.functions[function].state = state;
        self.functions[function].age += 1;
    }

    fn reset(&mut self, function: usize) -> Result<(), BusError> {
        // That of the physical function ends the virtual ones.
        let is_physical = function == 0 && self.functions.len() > self.scene.setting.own_functions();
        if is_physical || !self.is_awake(function) {
            return Ok(());
        }
        self.leave(function, State::Resetting { cleared: None });
        self.functions[function].asked = self.scene.now();
        self.functions[function].vanished = false;
        self.scene.reset(function)
    }

    fn virtual_functions(&self) -> std::ops::Range<usize> {
        self.scene.setting.own_functions()..self.functions.len()
    }

    /// They are off from now on.
    fn vanish(&mut self) {
        let now = self.scene.now();
        // Those that were off already may still have their resets before them.
        let mut virtuals = self.virtual_functions();
        self.is_ambiguous &=
            virtuals.any(|function| matches!(self.functions[function].state, State::Absent { .. }));
        for function in self.virtual_functions() {
            match self.functions[function].state {
                State::Absent { .. } => continue,
                State::Resetting { .. } => self.is_ambiguous = true,
                _ => {}
            }
            self.leave(function, State::Absent { cleared: None });
            self.functions[function].asked = now;
            self.functions[function].vanished = true;
        }
    }

    fn reset_physical(&mut self) -> Result<(), BusError> {
        if !self.is_awake(0) {
            return Ok(());
        }
        self.vanish();
        self.leave(0, State::Resetting { cleared: None });
        self.functions[0].asked = self.scene.now();
        self.report.physical_resets += 1;
        self.scene.reset(0)
    }

    fn disable(&mut self) -> Result<(), BusError> {
        if self.virtual_functions().is_empty() || !self.is_awake(0) {
            return Ok(());
        }
        self.vanish();
        self.scene.disable()
    }

    /// Has virtual functions come back: as many as before while their reset is still under way, or another number.
    fn enable_again(&mut self) -> Result<(), BusError> {
        let now = self.scene.now();
        let mut is_off = !self.virtual_functions().is_empty() && self.is_awake(0);
        let (mut is_over, mut before) = (true, 0);
        for (index, function) in self.virtual_functions().enumerate() {
            match self.functions[function].state {
                State::Absent { cleared } => {
                    is_over &= cleared.is_some_and(|cleared| now > cleared + OVER);
                    if self.functions[function].vanished {
                        before = index + 1;
                    }
                }
                _ => is_off = false,
            }
        }
        let may = is_over || (!self.is_ambiguous && before > 0 && self.random.chance(30));
        if !is_off || !may {
            return Ok(());
        }
        let number = if is_over { self.random.below(self.virtual_functions().len()) + 1 } else { before };
        self.enable(number)
    }

    /// Has so many virtual functions appear.
    pub fn enable(&mut self, number: usize) -> Result<(), BusError> {
        let moved = self.scene.enable(number)?;
        moved.into_iter().for_each(|function| self.map(function));
        for (index, function) in self.virtual_functions().enumerate() {
            if let State::Absent { cleared } = self.functions[function].state
                && index < number
            {
                self.functions[function].state = State::Resetting { cleared };
            } else {
                self.functions[function].vanished = false;
            }
        }
        self.report.enables += 1;
        Ok(())
    }

    /// The function's own state is to be cleared.
    pub fn cleared(&mut self, function: usize, time: u64) {
        let of = &mut self.functions[function];
        match &mut of.state {
            State::Resetting { cleared: cleared @ None } | State::Absent { cleared } => *cleared = Some(time),
            _ => panic!("nobody has reset function {function}"),
        }
        let times = if of.vanished { &mut self.report.vanished } else { &mut self.report.resets };
        times.push(time - of.asked);
        // From here on it requests nothing; what left before is on its way still.
        self.scene.bus.checker.set_master(self.scene.places[function].id, false);
        self.registers.retain(|(owner, _), _| *owner != function);
        self.scene.bus.device.registers.retain(|(owner, _), _| *owner != function);
    }

    fn silence(&mut self, function: usize) -> Result<(), BusError> {
        if self.functions[function].state != State::Works {
            return Ok(());
        }
        let is_own = function < self.scene.setting.own_functions();
        let followers = if function == 0 { self.virtual_functions() } else { 0..0 };
        let may_follow = followers
            .clone()
            .all(|follower| matches!(self.functions[follower].state, State::Works | State::Absent { .. }));
        let is_asleep = is_own && may_follow && self.random.chance(50);
        let since = self.scene.now();
        let until = since + 2000 + self.random.below(4000) as u64;
        self.leave(function, State::Silent { is_asleep, since, until, is_silent: false });
        if !is_asleep {
            self.report.masters += 1;
            return self.scene.set_command(function, false);
        }
        self.report.sleeps += 1;
        for follower in followers {
            if self.functions[follower].state == State::Works {
                let until = u64::MAX;
                self.leave(follower, State::Silent { is_asleep, since, until, is_silent: false });
            }
        }
        self.scene.set_asleep(function, true)
    }

    fn wake(&mut self, function: usize, is_asleep: bool) -> Result<(), BusError> {
        let followers = if function == 0 && is_asleep { self.virtual_functions() } else { 0..0 };
        let woken: Vec<usize> = std::iter::once(function)
            .chain(followers)
            .filter(|&it| matches!(self.functions[it].state, State::Silent { until, .. } if it == function || until == u64::MAX))
            .collect();
        for &function in &woken {
            self.scene.bus.checker.set_master(self.scene.places[function].id, true);
        }
        match is_asleep {
            true => self.scene.set_asleep(function, false)?,
            false => self.scene.set_command(function, true)?,
        }
        for function in woken {
            self.leave(function, State::Works);
        }
        Ok(())
    }

    fn withhold(&mut self) {
        let (class, cycles) = (*self.random.pick(&CLASSES), 1000 + self.random.below(4000) as u64);
        if self.scene.withhold(class, cycles) {
            self.report.droughts[class as usize] += 1;
        }
    }

    /// Ends what has lasted long enough: silence, resets.
    pub fn recover(&mut self) -> Result<(), BusError> {
        let now = self.scene.now();
        for function in 0..self.functions.len() {
            match self.functions[function].state {
                State::Resetting { cleared: Some(cleared) } if now > cleared + CLEARED => {
                    if function < self.scene.setting.own_functions() {
                        self.scene.configure(function)?;
                    }
                    self.scene.open(function, message(function))?;
                    self.renew(function);
                }
                State::Silent { is_asleep, until, .. } if now >= until => self.wake(function, is_asleep)?,
                State::Silent { is_asleep, since, until, is_silent: false }
                    if now > since.max(self.scene.dry) + LEAVES =>
                {
                    let is_silent = true;
                    self.functions[function].state = State::Silent { is_asleep, since, until, is_silent };
                    self.scene.bus.checker.set_master(self.scene.places[function].id, false);
                }
                _ => {}
            }
        }
        Ok(())
    }
}
