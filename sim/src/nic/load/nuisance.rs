//! A function that hurts itself, and what the others notice of it.

use super::{
    super::{Place, Scene, Trouble},
    Load,
    run::Run,
};
use crate::{
    pcie::Configuration,
    virtio::{
        error::DriverError,
        mischief::Mischief,
        net::{Net, NetOptions, Which},
        pci::Function,
    },
};
use hdl::Simulator;
use std::collections::BTreeMap;

/// What a function is up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nuisance {
    /// Receives its frames.
    None,
    /// Gives no receive buffers.
    Empty,
    /// Breaks the rules of virtio again and again, one at a time, and is started anew each time.
    Broken,
    /// Is reset in the middle of its traffic again and again.
    Reset,
}

/// Frames of the other functions: received and sent, by function.
pub type Others = BTreeMap<usize, [u64; 2]>;

/// Places of a receive ring that are left for what breaks the rules.
const ROOM: usize = 8;

/// Cycles between two of its acts, before and after it is started anew.
const REST: u64 = 2_000;

/// Bits of Device Control (7.5.3.4) and Command.
const RESETS: u32 = 1 << 15;
const MASTER: u32 = 0b110;

impl Nuisance {
    pub const ALL: [Nuisance; 4] = [Nuisance::None, Nuisance::Empty, Nuisance::Broken, Nuisance::Reset];

    /// Plays a load for the others, of which `victim` gets its part from the wire, as it did in the same load before; the
    /// scene is prepared for all. Returns what the others had, and the cycles in which they had it: those of the load,
    /// and somewhat more.
    ///
    /// # Errors
    /// What the adapter does wrong.
    ///
    /// # Panics
    /// If the function is not there, or nothing broke that should have.
    pub fn play<S: Simulator>(
        self,
        scene: &mut Scene<S>,
        load: &Load,
        victim: usize,
        options: &NetOptions,
    ) -> Result<(Others, u64), Trouble> {
        let reserve = match self {
            Nuisance::None | Nuisance::Reset => options.reserve,
            Nuisance::Empty => usize::from(options.sizes[0]),
            Nuisance::Broken => ROOM,
        };
        let options = &NetOptions { reserve, ..options.clone() };
        let mut run = Run::new(scene, load);
        restart(&mut run, victim, options)?;
        run.offers = true;
        run.pass(load.cycles)?;
        let (start, before) = (run.now(), counts(&run, victim));
        let mut acts = Mischief::ALL.into_iter().cycle();
        let mut acted = 0;
        while run.now() < start + load.cycles {
            run.pass(REST)?;
            match self {
                Nuisance::None | Nuisance::Empty => {}
                Nuisance::Broken => {
                    let act = acts.next().expect("there is always one");
                    let scene = &mut *run.scene;
                    let net = scene.drivers.get_mut(&victim).expect("it has a driver");
                    let machine = &mut scene.nic.bus.host.platform;
                    for which in [Which::Receive(0), Which::Transmit(0)] {
                        acted += u64::from(act.apply(net, machine, which));
                    }
                    run.pass(REST)?;
                    restart(&mut run, victim, options)?;
                }
                Nuisance::Reset => {
                    reset(&mut run, victim)?;
                    restart(&mut run, victim, options)?;
                }
            }
        }
        // Whole periods, in which everybody looked equally often.
        let rest = (run.now() - start).next_multiple_of(load.period) + start - run.now();
        run.pass(rest)?;
        let (cycles, after) = (run.now() - start, counts(&run, victim));
        run.finish()?;
        if self == Nuisance::Broken {
            let broken = run.scene.nic.broken(victim).map_err(DriverError::Bus)?;
            assert!(broken > 0, "none of {acted} faults broke a queue");
        }
        let moved = |function: &usize, at: usize| after[function][at] - before[function][at];
        let others = after.keys().map(|function| (*function, [0, 1].map(|at| moved(function, at))));
        Ok((others.collect(), cycles))
    }
}

/// Frames that the others received and sent so far.
fn counts<S: Simulator>(run: &Run<'_, S>, victim: usize) -> Others {
    let mut others = Others::new();
    for ((from, to), flow) in &run.flows {
        for (at, who) in [to, from].into_iter().enumerate() {
            if let Some(function) = who.filter(|function| *function != victim) {
                others.entry(function).or_default()[at] += flow.arrived;
            }
        }
    }
    others
}

fn restart<S: Simulator>(run: &mut Run<'_, S>, function: usize, options: &NetOptions) -> Result<(), Trouble> {
    run.scene.drivers.remove(&function);
    let Place { id, bars: [registers, table] } = run.scene.nic.places[function];
    let place = Function { id, bars: [registers, 0, table, 0, 0, 0] };
    let net = Net::start(run, place, options.clone()).map_err(|error| match error {
        DriverError::Bus(trouble) => trouble,
        DriverError::Fault(fault) => fault.into(),
    })?;
    run.scene.drivers.insert(function, net);
    Ok(())
}

/// A reset by Device Control, after which the function may send again.
fn reset<S: Simulator>(run: &mut Run<'_, S>, function: usize) -> Result<(), Trouble> {
    run.scene.drivers.remove(&function);
    let place = run.scene.nic.places[function];
    let control = run.scene.nic.device_control(function);
    run.write_configuration(place.id, control, 3, RESETS)?;
    run.pass(FULL_RESET)?;
    run.write_configuration(place.id, 4, 3, MASTER)?;
    Ok(())
}

/// Cycles that a reset takes at most, with all queues in use.
const FULL_RESET: u64 = 10_000;
