//! What functions notice of one that hurts itself.

use super::{Meter, options};
use crate::{error::Error, figures::Figures, progress};
use sim::nic::load::{Load, Nuisance};

/// What the others of a nuisance had, beside what they have without.
#[derive(Clone, Copy, Debug)]
pub struct Outcome {
    pub nuisance: Nuisance,
    /// Frames in a second of all others together: received and sent.
    pub rates: [f64; 2],
    /// How much less that is than without, in percent, of all and of the one that suffers most.
    pub change: f64,
    pub worst: f64,
}

/// In percent.
const GOAL: f64 = 1.0;

/// Both ways at once at 64 bytes; the last function is the nuisance.
pub fn measure(meter: &Meter<'_>, figures: &mut Figures) -> Result<Vec<Outcome>, Error> {
    let functions = &meter.functions[..];
    let Some((victim, others)) = functions.split_last().filter(|(_, others)| !others.is_empty()) else {
        return Err(Error::FewFunctions { wanted: 4, there: meter.config.functions() });
    };
    let period = Load::period(64, super::BATCH, functions.len(), meter.config.clock_khz);
    let load = Load {
        bytes: 64,
        to_wire: others.to_vec(),
        from_wire: functions.to_vec(),
        between: vec![],
        batch: None,
        cycles: period * (if meter.quick { 60_000 } else { 240_000 } / period),
        period,
    };
    let mut scene = meter.scene(functions, true)?;
    let mut outcomes: Vec<Outcome> = vec![];
    let mut without = None;
    for nuisance in Nuisance::ALL {
        let spinner = progress::spinner(meter.name("isolation"));
        let (found, cycles) = nuisance.play(&mut scene, &load, *victim, &options(true, *victim))?;
        spinner.finish_and_clear();
        let second = meter.config.clock_khz as f64 * 1e3 / cycles as f64;
        let each: Vec<f64> =
            found.values().map(|[received, sent]| (received + sent) as f64 * second).collect();
        let rates = [0, 1].map(|at| found.values().map(|counts| counts[at] as f64).sum::<f64>() * second);
        let before = without.get_or_insert_with(|| (rates, each.clone()));
        let less = |now: f64, before: f64| 100.0 * (1.0 - now / before);
        let change =
            rates.iter().zip(before.0).map(|(now, before)| less(*now, before).abs()).fold(0.0, f64::max);
        let worst = each.iter().zip(&before.1).map(|(now, before)| less(*now, *before)).fold(0.0, f64::max);
        if nuisance != Nuisance::None {
            let name =
                |what: &str| meter.name(&format!("64 B, beside a function that {}: {what}", act(nuisance)));
            figures.lower(name("change for the others"), change, "%", Some(GOAL));
            figures.lower(name("loss of the one that loses most"), worst, "%", None);
        }
        outcomes.push(Outcome { nuisance, rates, change, worst });
    }
    Ok(outcomes)
}

/// What it does.
pub fn act(nuisance: Nuisance) -> &'static str {
    match nuisance {
        Nuisance::None => "receives",
        Nuisance::Empty => "gives no buffers",
        Nuisance::Broken => "breaks the rules of its rings",
        Nuisance::Reset => "is reset again and again",
    }
}
