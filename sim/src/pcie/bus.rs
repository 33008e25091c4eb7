//! A host, a link, and an endpoint in a simulator: the simulated [`Adapter`].

use super::{
    checker::{Breach, Checker, Direction, Settings},
    credits::Limit,
    host::{Answer, Behaviour, ROOT, RequestError, RootComplex},
    interface::{Adapter, Bridge, Configuration, Platform},
    link::{Link, LinkSettings},
    machine::{Host, Machine},
    packet::{Class, Packet, RoutingId, Status},
    port::{Port, StreamError},
};
use hdl::{Simulator, Violation, interface::PortIndex};
use std::{borrow::BorrowMut, collections::VecDeque};
use thiserror::Error;

/// What an endpoint must not do.
#[derive(Debug, Error)]
pub enum BusError {
    #[error(transparent)]
    Check(#[from] Violation),
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error(transparent)]
    Request(#[from] RequestError),
    #[error("{0}")]
    Breach(Box<Breach>),
    #[error("cycle {cycle}: there are no credits for: {packet}")]
    Credits { cycle: u64, packet: Packet },
}

/// Inputs of an endpoint for what it may send of a class: the limit, and whether it counts; of headers, and of data.
pub type CreditNames<'a> = [[&'a str; 2]; 2];

/// The classes in the order of [`CreditNames`].
const CLASSES: [Class; 3] = [Class::Posted, Class::NonPosted, Class::Completion];

/// What stands behind an endpoint: it drives and watches the other ports in every cycle.
pub trait Device {
    /// Sets inputs.
    fn drive<S: Simulator>(&mut self, sim: &mut S);

    /// Looks at what the cycle came to.
    fn sample<S: Simulator>(&mut self, sim: &mut S);
}

/// Nothing.
impl Device for () {
    fn drive<S: Simulator>(&mut self, _: &mut S) {}

    fn sample<S: Simulator>(&mut self, _: &mut S) {}
}

/// See the module. Its parts may be used between steps.
pub struct Bus<S, P, D = ()> {
    pub sim: S,
    pub device: D,
    pub port: Port,
    pub link: Link,
    pub host: RootComplex<P>,
    pub checker: Checker,
    /// A rule that the endpoint breaks ends the step with an error; otherwise it is in the checker only.
    pub strict: bool,
    bridge: Bridge,
    credits: Vec<(Class, [[PortIndex; 2]; 2])>,
    /// Non-posted requests in the endpoint, with the time at which their credits come back whatever happens.
    held: VecDeque<(u64, Packet)>,
}

impl<S: Simulator, P: Platform, D: Device> Bus<S, P, D> {
    /// Binds the streams `rx_tlp` and `tx_tlp` of an endpoint, whose other inputs are set already.
    ///
    /// # Panics
    /// If it has no such streams.
    pub fn new(
        sim: S,
        device: D,
        platform: P,
        settings: Settings,
        behaviour: Behaviour,
        link: LinkSettings,
    ) -> Bus<S, P, D> {
        Bus {
            port: Port::new(sim.interface(), "rx_tlp", "tx_tlp", behaviour.seed),
            sim,
            device,
            link: Link::new(link),
            checker: Checker::new(settings.clone()),
            host: RootComplex::new(platform, settings, behaviour),
            strict: true,
            bridge: Bridge::default(),
            credits: vec![],
            held: VecDeque::new(),
        }
    }

    /// Binds the inputs that say what the endpoint may send: posted, non-posted, completions.
    ///
    /// # Panics
    /// If the endpoint has no input of one of the names.
    pub fn bind_credits(&mut self, names: [CreditNames<'_>; 3]) {
        let interface = self.sim.interface();
        let find =
            |name: &str| interface.find(name).unwrap_or_else(|| panic!("the endpoint has no port `{name}`"));
        self.credits = CLASSES.into_iter().zip(names.map(|class| class.map(|pair| pair.map(find)))).collect();
    }

    /// Resets the endpoint for some cycles.
    ///
    /// # Errors
    /// A check of the design that does not hold.
    pub fn reset(&mut self, cycles: u64) -> Result<(), BusError> {
        self.port.clear();
        self.port.drive(&mut self.sim, false);
        self.drive_credits();
        self.sim.write_reset(0, true);
        (0..cycles).try_for_each(|_| self.sim.step_domains(&[0]))?;
        self.sim.write_reset(0, false);
        Ok(())
    }

    /// Changes what software has set: sizes, tags, attributes.
    pub fn set(&mut self, change: impl Fn(&mut Settings)) {
        change(&mut self.checker.settings);
        change(&mut self.host.settings);
    }

    pub fn now(&self) -> u64 {
        self.sim.cycles()
    }

    /// Lets a cycle pass.
    ///
    /// # Errors
    /// What the endpoint does wrong in it.
    pub fn step(&mut self) -> Result<(), BusError> {
        let now = self.now();
        while self.link.may_enter(Direction::Down, now)
            && let Some(packet) =
                self.host.send(now, |packet| self.link.permits(Direction::Down, packet, now))
        {
            self.checker.check(Direction::Down, &packet, now);
            self.link.enter(Direction::Down, packet, now);
        }
        while let Some(packet) = self.link.leave(Direction::Down, now) {
            self.port.send(packet);
        }
        let may_take = self.link.may_enter(Direction::Up, now);
        self.port.drive(&mut self.sim, may_take);
        self.device.drive(&mut self.sim);
        self.drive_credits();
        let moved = self.port.sample(&mut self.sim)?;
        self.device.sample(&mut self.sim);
        if let Some(packet) = moved.taken {
            self.taken(packet, now);
        }
        let verdict = moved.sent.map_or(Ok(()), |packet| self.sent(packet, now));
        while self.held.front().is_some_and(|(deadline, _)| *deadline <= now) {
            self.release(0, now);
        }
        while let Some(packet) = self.link.leave(Direction::Up, now) {
            self.link.give_back(Direction::Up, &packet, now);
            self.host.receive(packet, now);
        }
        self.sim.step_domains(&[0])?;
        verdict
    }

    fn drive_credits(&mut self) {
        let now = self.now();
        let limits = self.link.credits(Direction::Up, now);
        for (class, ports) in &self.credits {
            for ([value, infinite], limit) in ports.iter().zip(limits.limits(*class)) {
                let Limit { value: limit, infinite: is_infinite } = limit;
                self.sim.write(*value, &[limit.into()]);
                self.sim.write(*infinite, &[is_infinite.into()]);
            }
        }
    }

    /// The endpoint has taken a packet. It gives credits of a non-posted request back when it has completed it; where it
    /// must not, at once.
    fn taken(&mut self, packet: Packet, now: u64) {
        let is_held =
            packet.class() == Class::NonPosted && self.checker.form(Direction::Down, &packet).is_empty();
        match is_held {
            true => self.held.push_back((now + self.host.behaviour.patience, packet)),
            false => self.link.give_back(Direction::Down, &packet, now),
        }
    }

    fn release(&mut self, index: usize, now: u64) {
        if let Some((_, packet)) = self.held.remove(index) {
            self.link.give_back(Direction::Down, &packet, now);
        }
    }

    /// The endpoint has sent a packet, which goes its way even if it should not be.
    fn sent(&mut self, packet: Packet, now: u64) -> Result<(), BusError> {
        let known = self.checker.breaches().len();
        self.checker.check(Direction::Up, &packet, now);
        let breach = self.checker.breaches().get(known).filter(|_| self.strict).cloned();
        let has_credits = self.link.permits(Direction::Up, &packet, now);
        if packet.class() == Class::Completion {
            let key = (packet.requester(), packet.tag());
            let index = self.held.iter().position(|(_, held)| (held.requester(), held.tag()) == key);
            let brought = packet.payload.len().saturating_sub(usize::from(packet.lower_address() & 3));
            let is_last = packet.payload.is_empty() || brought >= packet.byte_count();
            if let Some(index) = index.filter(|_| is_last) {
                self.release(index, now);
            }
        }
        self.link.enter(Direction::Up, packet.clone(), now);
        match breach {
            Some(breach) => Err(BusError::Breach(Box::new(breach))),
            None if !has_credits => Err(BusError::Credits { cycle: now, packet }),
            None => Ok(()),
        }
    }

    /// Sends a request of up to 64 bytes, and waits for its completion.
    ///
    /// # Errors
    /// A completion that is wrong or missing, or anything else that the endpoint does wrong meanwhile.
    pub fn request(&mut self, request: Packet) -> Result<Answer, BusError> {
        let tag = self.host.ask(request, self.now());
        loop {
            if let Some(answer) = self.host.answer(tag) {
                return Ok(answer?);
            }
            self.step()?;
        }
    }
}

impl<S: Simulator, P: Platform, D: Device> Configuration for Bus<S, P, D> {
    type Error = BusError;

    fn bridge(&mut self) -> &mut Bridge {
        &mut self.bridge
    }

    fn read_configuration(&mut self, id: RoutingId, offset: u16) -> Result<Option<u32>, BusError> {
        let Some(far) = self.bridge.route(id) else { return Ok(None) };
        let answer = self.request(Packet::configuration_read(far, ROOT, 0, id, offset))?;
        let word = answer.data.first_chunk().map(|word| u32::from_le_bytes(*word));
        Ok(word.filter(|_| answer.status == Status::Successful))
    }

    /// The checker learns which functions are bus masters.
    fn write_configuration(
        &mut self,
        id: RoutingId,
        offset: u16,
        enables: u8,
        data: u32,
    ) -> Result<bool, BusError> {
        let Some(far) = self.bridge.route(id) else { return Ok(false) };
        // Bus Master Enable, bit 2 of Command (7.5.1.1.3).
        let is_command = offset == 4 && enables & 1 == 1;
        let is_master = data >> 2 & 1 == 1;
        if is_command && is_master {
            self.checker.set_master(id, true);
        }
        let request = Packet::configuration_write(far, ROOT, 0, id, offset, data).with_enables(enables, 0);
        let is_good = self.request(request)?.status == Status::Successful;
        if is_command && is_master != is_good {
            self.checker.set_master(id, false);
        }
        Ok(is_good)
    }

    fn wait(&mut self, cycles: u64) -> Result<(), BusError> {
        (0..cycles).try_for_each(|_| self.step())
    }
}

impl<S: Simulator, P: Platform, D: Device> Adapter for Bus<S, P, D> {
    fn read(&mut self, address: u64, data: &mut [u8]) -> Result<bool, BusError> {
        let answer = self.request(Packet::memory_read(ROOT, 0, address, data.len()))?;
        let is_good = answer.status == Status::Successful;
        match is_good {
            true => data.copy_from_slice(&answer.data[address as usize % 4..][..data.len()]),
            false => data.fill(0xFF),
        }
        Ok(is_good)
    }

    fn write(&mut self, address: u64, data: &[u8]) -> Result<(), BusError> {
        self.host.send_raw(Packet::memory_write(ROOT, 0, address, data));
        self.step()
    }
}

/// Of a platform that is a machine, or has one.
impl<S: Simulator, P: Platform + BorrowMut<Machine>, D: Device> Host for Bus<S, P, D> {
    fn machine(&mut self) -> &mut Machine {
        self.host.platform.borrow_mut()
    }
}

#[cfg(test)]
mod tests;
