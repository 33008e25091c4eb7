//! The figures of a campaign: for people, for programs, and for docs/src/mutation.md.

use super::{
    MutationError,
    campaign::{Outcome, Verdict},
    data::Survivor,
    hand, read, root, write,
};
use serde::Serialize;
use std::{collections::BTreeMap, fmt::Write};

/// Of faults that are not proven to change nothing, how many of a hundred must be noticed.
const GOAL: f64 = 95.0;

/// Between these the page has the figures.
const MARKERS: [&str; 2] =
    ["<!-- figures: made by `make mutate ARGS=--write` -->\n", "<!-- end of figures -->\n"];

/// All that came out.
#[derive(Debug, Serialize)]
pub struct Report {
    pub seed: u64,
    pub seconds: u64,
    pub netlist: Vec<Outcome>,
    pub hand: Vec<hand::Outcome>,
    #[serde(skip)]
    known: Vec<Survivor>,
}

impl Report {
    /// Nothing yet.
    pub fn new(seed: u64, known: Vec<Survivor>) -> Self {
        Self { seed, seconds: 0, netlist: vec![], hand: vec![], known }
    }

    /// One fault of the netlist, of `count`.
    pub fn line(outcome: &Outcome, count: usize) -> String {
        let number = outcome.fault.number;
        let verdict = match &outcome.verdict {
            Verdict::Killed { check, .. } => format!("noticed by {check}"),
            Verdict::Equivalent => "proven to change nothing".to_owned(),
            Verdict::Survived { reason: Some(_), .. } => "NOT NOTICED, for a known reason".to_owned(),
            Verdict::Survived { visible, .. } => format!("NOT NOTICED; visible at the outputs: {visible}"),
        };
        format!("{number}/{count} {}: {verdict}", outcome.fault)
    }

    fn killed(&self) -> usize {
        self.netlist.iter().filter(|outcome| matches!(outcome.verdict, Verdict::Killed { .. })).count()
    }

    fn equivalent(&self) -> usize {
        self.netlist.iter().filter(|outcome| outcome.verdict == Verdict::Equivalent).count()
    }

    fn survivors(&self) -> impl Iterator<Item = (&Outcome, bool, Option<&str>)> {
        self.netlist.iter().filter_map(|outcome| match &outcome.verdict {
            Verdict::Survived { visible, reason } => Some((outcome, *visible, reason.as_deref())),
            _ => None,
        })
    }

    /// How many of a hundred faults in the netlist are noticed, of those that are not proven to change nothing.
    pub fn cover(&self) -> f64 {
        let counted = self.netlist.len() - self.equivalent();
        if counted == 0 { 100.0 } else { 100.0 * self.killed() as f64 / counted as f64 }
    }

    fn known(&self, outcome: &Outcome) -> Option<&Survivor> {
        let fault = outcome.fault.to_string();
        self.known.iter().find(|known| known.fault == fault)
    }

    /// As [`Report::cover`], without those of which an argument says that nothing can notice them.
    pub fn argued_cover(&self) -> f64 {
        let unobservable = |outcome: &Outcome| self.known(outcome).is_some_and(|known| known.unobservable);
        let argued = self.survivors().filter(|(outcome, ..)| unobservable(outcome)).count();
        let counted = self.netlist.len() - self.equivalent() - argued;
        if counted == 0 { 100.0 } else { 100.0 * self.killed() as f64 / counted as f64 }
    }

    /// The goal is reached, each survivor has its reason, and each fault by hand is noticed.
    pub fn passed(&self) -> bool {
        self.cover() >= GOAL
            && self.survivors().all(|(outcome, ..)| self.known(outcome).is_some())
            && self.hand.iter().all(|outcome| outcome.noticed)
    }

    /// As JSON.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report is plain data")
    }

    /// For people: the tables of the page.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |line: &str| writeln!(text, "{line}").expect("a string takes all");
        if !self.netlist.is_empty() {
            let (killed, equivalent) = (self.killed(), self.equivalent());
            line(&format!(
                "Seed {}: {} faults in the netlist, {killed} noticed, {equivalent} proven to change nothing, {} neither. \
                 **{:.1} %** of those not proven are noticed, and {:.1} % without those of which only an argument says that nothing \
                 can notice them.",
                self.seed,
                self.netlist.len(),
                self.survivors().count(),
                self.cover(),
                self.argued_cover()
            ));
            line("\n| check, in the order that they run | notices first |\n|---|---|");
            for (check, count) in self.checks() {
                line(&format!("| {check} | {count} |"));
            }
            line("\n| module | faults | noticed | nothing to notice | neither |\n|---|---|---|---|---|");
            for (module, [faults, killed, equivalent]) in self.modules() {
                let rest = faults - killed - equivalent;
                line(&format!("| `{module}` | {faults} | {killed} | {equivalent} | {rest} |"));
            }
            if self.survivors().count() > 0 {
                line(
                    "\n| fault that nothing noticed | differs in some cycle | could be noticed | why |\n|---|---|---|---|",
                );
            }
            for (outcome, visible, reason) in self.survivors() {
                let visible = if visible { "yes" } else { "no" };
                let known = self.known(outcome);
                let could = if known.is_some_and(|known| known.unobservable) { "hardly" } else { "yes" };
                let why = known.map(|known| known.reason.as_str()).or(reason).unwrap_or("**not known**");
                line(&format!("| `{}` | {visible} | {could} | {why} |", outcome.fault));
            }
        }
        if !self.hand.is_empty() {
            let noticed = self.hand.iter().filter(|outcome| outcome.noticed).count();
            line(&format!("\n{noticed} of {} faults by hand are noticed.", self.hand.len()));
            line("\n| fault by hand | in | test | notices |\n|---|---|---|---|");
            for hand::Outcome { name, file, test, noticed } in &self.hand {
                let noticed = if *noticed { "yes" } else { "**no**" };
                line(&format!("| {name} | `{}` | `{test}` | {noticed} |", file.display()));
            }
        }
        text
    }

    /// How many faults each check noticed, in the order of the first.
    fn checks(&self) -> Vec<(&str, usize)> {
        let mut checks: Vec<(&str, usize)> =
            super::judge::CHECKS.iter().map(|check| (check.name, 0)).collect();
        for outcome in &self.netlist {
            if let Verdict::Killed { check, .. } = &outcome.verdict {
                match checks.iter_mut().find(|(name, _)| name == check) {
                    Some((_, count)) => *count += 1,
                    None => checks.push((check, 1)),
                }
            }
        }
        checks
    }

    /// Faults, noticed ones and those that change nothing, by module.
    fn modules(&self) -> BTreeMap<&str, [usize; 3]> {
        let mut modules = BTreeMap::new();
        for outcome in &self.netlist {
            let counts: &mut [usize; 3] = modules.entry(outcome.fault.module.as_str()).or_default();
            counts[0] += 1;
            counts[1] += usize::from(matches!(outcome.verdict, Verdict::Killed { .. }));
            counts[2] += usize::from(outcome.verdict == Verdict::Equivalent);
        }
        modules
    }

    /// Puts the figures into the page.
    ///
    /// # Errors
    /// If the page is not there, or has no place for them.
    pub fn write(&self) -> Result<(), MutationError> {
        let path = root().join("docs/src/mutation.md");
        let page = read(&path)?;
        let missing = || MutationError::Fault(format!("{} has no place for the figures", path.display()));
        let (before, rest) = page.split_once(MARKERS[0]).ok_or_else(missing)?;
        let (_, after) = rest.split_once(MARKERS[1]).ok_or_else(missing)?;
        write(&path, &format!("{before}{}\n{}\n{}{after}", MARKERS[0], self.text(), MARKERS[1]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page has the figures of a whole run, and they reach the goal.
    #[test]
    fn the_page_reaches_the_goal() {
        let page = read(&root().join("docs/src/mutation.md")).unwrap();
        let figures = page.split_once(MARKERS[0]).unwrap().1.split_once(MARKERS[1]).unwrap().0;
        let words: Vec<&str> = figures.split_whitespace().collect();
        let before = |word: &str| {
            let at = words.iter().position(|it| it.trim_end_matches([',', '.']) == word).unwrap();
            words[at - 1].trim_matches('*').parse::<f64>().unwrap()
        };
        let (faults, noticed, proven, neither) =
            (before("faults"), before("noticed"), before("proven"), before("neither"));
        assert!(faults >= 200.0, "{faults} faults");
        assert_eq!(noticed + proven + neither, faults);
        assert!(100.0 * noticed / (faults - proven) >= GOAL, "{noticed} noticed, {proven} proven");
        assert!(!figures.contains("**not known**") && !figures.contains("| **no** |"), "each has its reason");
    }
}
