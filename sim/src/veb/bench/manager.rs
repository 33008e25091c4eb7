//! The manager's part of the bench: the policy, commands on rows and registers, over the bus.

use super::{Bench, BenchError, PATIENCE};
use crate::{
    ethernet::MacAddress,
    veb::{
        policy::{Change, Filter, FilterOf, Policy, Wishes},
        statistics::{Count, Kind, Statistics},
    },
};
use hdl::Simulator;
use rtl::{
    register_map::{self, WORDS},
    veb::{
        filters::FilterKind,
        rows::{self, Outcome},
    },
};

const TABLE: usize = register_map::register("TABLE").offset;
const INDEX: usize = register_map::register("INDEX").offset;
const COMMAND: usize = register_map::register("COMMAND").offset;
const STATUS: usize = register_map::register("STATUS").offset;
const DATA: [usize; WORDS] = {
    let first = register_map::register("DATA0").offset;
    [first, first + 4, first + 8, first + 12, first + 16, first + 20]
};

/// Cycles after which a frame whose last beat has moved in is decided, if nothing holds it up.
const DECIDED: u64 = 100;

impl<S: Simulator> Bench<S> {
    /// Makes every change that leads to `policy`, in the hardware and the model. Frames that come in meanwhile, or are on
    /// their way, may see some of the old and some of the new: let none be there that would tell the difference.
    ///
    /// # Errors
    /// See [`Bench::new`].
    pub fn set_policy(&mut self, policy: &Policy) -> Result<(), BenchError> {
        match self.set_policy_that_fits(policy)?.first() {
            Some(&(vid, address)) => Err(BenchError::NoRoom { vid, address }),
            None => Ok(()),
        }
    }

    /// As [`Bench::set_policy`], without the entries that find no room; they are returned.
    ///
    /// # Errors
    /// A register access that is refused.
    pub fn set_policy_that_fits(&mut self, policy: &Policy) -> Result<Vec<(u16, MacAddress)>, BenchError> {
        let mut left_out = vec![];
        for change in policy.changes_from(&self.policy) {
            if self.change(&change)? == Outcome::NoRoom {
                left_out.push(change.key().expect("only rows with keys find no room"));
            }
        }
        for port in 0..policy.port_count() {
            self.wish(port, policy.wishes[port]);
        }
        let differing: Vec<Filter> =
            policy.filters.symmetric_difference(&self.policy.filters).copied().collect();
        for filter in differing {
            self.filter(filter, policy.filters.contains(&filter))?;
        }
        // A wish takes effect after some cycles.
        (0..4).try_for_each(|_| self.cycle())?;
        Ok(left_out)
    }

    /// Makes every change that leads to `policy` while no frame is undecided: sources begin no frame meanwhile.
    ///
    /// # Errors
    /// See [`Bench::set_policy`].
    pub fn set_policy_between_frames(&mut self, policy: &Policy) -> Result<(), BenchError> {
        self.held = true;
        let deadline = self.cycles() + PATIENCE;
        while !self.is_between_frames() {
            self.cycle()?;
            if self.cycles() > deadline {
                return Err(BenchError::Stuck(PATIENCE));
            }
        }
        (0..DECIDED).try_for_each(|_| self.cycle())?;
        let result = self.set_policy(policy);
        self.held = false;
        result
    }

    /// Makes one change in the hardware and, unless it finds no room, in the model.
    ///
    /// # Errors
    /// A register access that is refused.
    pub fn change(&mut self, change: &Change) -> Result<Outcome, BenchError> {
        let outcome = self.command(change.operation, change.table, change.index, change.data)?;
        if outcome == Outcome::Done {
            self.policy.apply(change);
        }
        Ok(outcome)
    }

    /// The row that a change is about, as the hardware reads it.
    ///
    /// # Errors
    /// See [`Bench::command`].
    pub fn read_row(&mut self, change: &Change) -> Result<[u32; WORDS], BenchError> {
        let operation = match change.table {
            rows::Table::Mac => rows::Operation::Lookup,
            _ => rows::Operation::Read,
        };
        self.command(operation, change.table, change.index, change.data)?;
        self.row()
    }

    /// DATA0 to DATA5: the row that the last command has read.
    ///
    /// # Errors
    /// See [`Bench::read_register`].
    pub fn row(&mut self) -> Result<[u32; WORDS], BenchError> {
        let mut data = [0; WORDS];
        for (word, address) in data.iter_mut().zip(DATA) {
            *word = self.read_register(address)?;
        }
        Ok(data)
    }

    /// As [`Bench::change`], while frames come in: each is decided by the old policy or by the new one as a whole, which
    /// the scoreboard checks. Only for runs without losses, and frames that all differ.
    ///
    /// # Errors
    /// See [`Bench::change`].
    pub fn change_under_traffic(&mut self, change: &Change) -> Result<Outcome, BenchError> {
        let mut changed = self.policy.clone();
        changed.apply(change);
        self.changing = Some(changed);
        // Frames that came in before are decided before the change.
        (0..DECIDED).try_for_each(|_| self.cycle())?;
        let outcome = self.change(change);
        self.changing = None;
        outcome
    }

    /// Sets what a function wishes to receive.
    pub fn wish(&mut self, port: usize, wishes: Wishes) {
        for (index, wish) in
            self.wishes[port].into_iter().zip([wishes.unicast, wishes.multicast, wishes.vlan, wishes.filter])
        {
            self.sim.write(index, &[wish as u64]);
        }
        self.policy.wishes[port] = wishes;
    }

    /// A function begins to want something, or no longer does; the bridge runs until it is told.
    ///
    /// # Errors
    /// [`BenchError::Stuck`] if that is not taken.
    pub fn filter(&mut self, filter: Filter, wanted: bool) -> Result<(), BenchError> {
        let ports = self.filter;
        let (kind, index) = match filter.of {
            FilterOf::Group(hash) => (FilterKind::Group, hash as u64),
            FilterOf::Vlan(vid) => (FilterKind::Vlan, vid.into()),
        };
        let function = filter.function - self.policy.wires().len();
        let values = [(ports.function, function as u64), (ports.kind, kind as u64), (ports.index, index)];
        let values = values.into_iter().chain([(ports.wanted, wanted as u64), (ports.valid, 1)]);
        values.for_each(|(port, value)| self.sim.write(port, &[value]));
        let deadline = self.cycles() + PATIENCE;
        while !self.bit(ports.ready) {
            self.cycle()?;
            if self.cycles() > deadline {
                return Err(BenchError::Stuck(PATIENCE));
            }
        }
        self.cycle()?;
        self.sim.write(ports.valid, &[0]);
        if wanted {
            self.policy.filters.insert(filter);
        } else {
            self.policy.filters.remove(&filter);
        }
        Ok(())
    }

    /// Runs a command on a row and waits for its end; the bridge runs meanwhile.
    ///
    /// # Errors
    /// A register access that is refused; [`BenchError::Stuck`] if the command does not end.
    pub fn command(
        &mut self,
        operation: rows::Operation,
        table: rows::Table,
        index: usize,
        data: [u32; WORDS],
    ) -> Result<Outcome, BenchError> {
        self.start_command(operation, table, index, data)?;
        self.await_tables()
    }

    /// Starts a command on a row.
    ///
    /// # Errors
    /// A register access that is refused, as while another command runs.
    pub fn start_command(
        &mut self,
        operation: rows::Operation,
        table: rows::Table,
        index: usize,
        data: [u32; WORDS],
    ) -> Result<(), BenchError> {
        self.write_register(TABLE, table as u32)?;
        self.write_register(INDEX, index as u32)?;
        for (word, value) in data.into_iter().enumerate() {
            self.write_register(DATA[word], value)?;
        }
        self.write_register(COMMAND, operation as u32)
    }

    /// Waits until no command is under way, and tells how the last one ended.
    ///
    /// # Errors
    /// See [`Bench::read_register`]; [`BenchError::Stuck`] if a command does not end.
    pub fn await_tables(&mut self) -> Result<Outcome, BenchError> {
        let deadline = self.cycles() + PATIENCE;
        while self.cycles() < deadline {
            let status = self.read_register(STATUS)?;
            if status & 1 == 0 {
                let outcomes = [Outcome::Done, Outcome::NoRoom, Outcome::NotFound];
                return Ok(outcomes[(status >> 1) as usize]);
            }
        }
        Err(BenchError::Stuck(PATIENCE))
    }

    /// Frames and bytes that the hardware has counted at a port.
    ///
    /// # Errors
    /// See [`Bench::command`].
    pub fn count(&mut self, port: usize, kind: Kind) -> Result<Count, BenchError> {
        self.write_register(TABLE, rows::Table::Statistics as u32)?;
        self.write_register(INDEX, kind.index(port) as u32)?;
        self.write_register(COMMAND, rows::Operation::Read as u32)?;
        self.await_tables()?;
        let mut word = |word: usize| self.read_register(DATA[word]).map(u64::from);
        let frames = word(0)? | word(1)? << 32;
        Ok(Count { frames, bytes: word(2)? | word(3)? << 32 })
    }

    /// All that the hardware has counted.
    ///
    /// # Errors
    /// See [`Bench::command`].
    pub fn statistics(&mut self) -> Result<Statistics, BenchError> {
        let mut statistics = Statistics::new(self.ingress.len());
        for port in 0..self.ingress.len() {
            for kind in Kind::all() {
                statistics.set(port, kind, self.count(port, kind)?);
            }
        }
        Ok(statistics)
    }

    /// Free cells of the packet buffer.
    ///
    /// # Errors
    /// See [`Bench::read_register`].
    pub fn free_cells(&mut self) -> Result<u32, BenchError> {
        self.read_register(register_map::register("FREE_CELLS").offset)
    }

    /// Cells of the packet buffer.
    ///
    /// # Errors
    /// See [`Bench::read_register`].
    pub fn cells(&mut self) -> Result<u32, BenchError> {
        self.read_register(register_map::register("CELLS").offset)
    }

    /// Checks that all cells are free, as they are when no frame is inside.
    ///
    /// # Errors
    /// [`BenchError::Leak`] if not.
    pub fn check_cells(&mut self) -> Result<(), BenchError> {
        let (free, cells) = (self.free_cells()?, self.cells()?);
        if free == cells { Ok(()) } else { Err(BenchError::Leak { free, cells }) }
    }

    /// Reads a register; the bridge runs meanwhile.
    ///
    /// # Errors
    /// [`BenchError::Refused`] if the answer is an error.
    pub fn read_register(&mut self, address: usize) -> Result<u32, BenchError> {
        self.bus.start_read(&mut self.sim, address);
        let (data, refused) = self.finish_access()?;
        if refused { Err(BenchError::Refused { access: "a read", address }) } else { Ok(data) }
    }

    /// Writes a register; the bridge runs meanwhile.
    ///
    /// # Errors
    /// [`BenchError::Refused`] if the answer is an error.
    pub fn write_register(&mut self, address: usize, data: u32) -> Result<(), BenchError> {
        self.bus.start_write(&mut self.sim, address, data);
        let (_, refused) = self.finish_access()?;
        if refused { Err(BenchError::Refused { access: "a write", address }) } else { Ok(()) }
    }

    fn finish_access(&mut self) -> Result<(u32, bool), BenchError> {
        let deadline = self.cycles() + PATIENCE;
        while self.cycles() < deadline {
            let answer = self.bus.advance(&mut self.sim);
            self.cycle()?;
            self.bus.settle(&mut self.sim);
            if let Some(answer) = answer {
                return Ok(answer);
            }
        }
        Err(BenchError::Stuck(PATIENCE))
    }
}
