//! Single faults in the hardware under proof: a proof that none of them upsets proves nothing.

use super::{Source, contract};

/// Operators, each with the one that a fault puts in its place.
const EXCHANGES: [(&str, &str); 8] = [
    (" & ", " | "),
    (" | ", " & "),
    (" && ", " || "),
    (" || ", " && "),
    (" + ", " - "),
    (" - ", " + "),
    (" == ", " != "),
    (" != ", " == "),
];

/// A proof whose hardware has a fault.
pub struct Faulty {
    pub source: Source,
    /// The line as it is now.
    pub line: String,
}

/// Up to `count` faults, spread evenly over the operators of the blocks inside the harness. What exists for checks only
/// stays as it is.
pub fn faulty(source: &Source, count: usize) -> Vec<Faulty> {
    let places = places(source);
    let count = count.min(places.len());
    // From the middle of each part: the first and the last operators of a design are alike everywhere.
    let chosen = (0..count).map(|i| places[(2 * i + 1) * places.len() / (2 * count)]);
    let faulty = chosen.map(|(at, exchange)| {
        let (old, new) = EXCHANGES[exchange];
        let mut text = source.text.clone();
        text.replace_range(at..at + old.len(), new);
        let line = text[text[..at].rfind('\n').map_or(0, |end| end + 1)..].lines().next().unwrap_or_default();
        Faulty { line: line.trim().to_owned(), source: Source { text: text.clone(), ..source.clone() } }
    });
    faulty.collect()
}

/// Where the operators stand, and which of [`EXCHANGES`] each is.
fn places(source: &Source) -> Vec<(usize, usize)> {
    let (mut at, mut module, mut is_check, mut places) = (0, "", false, vec![]);
    for line in source.text.split_inclusive('\n') {
        match line.split_whitespace().next() {
            Some("module") => module = line["module ".len()..].split([' ', '(']).next().unwrap_or_default(),
            Some("`ifdef") => is_check = true,
            Some("`endif") => is_check = false,
            _ => {}
        }
        let is_outside = module == contract::TOP || (source.harness && module == source.top);
        let code = line.split("//").next().unwrap_or_default();
        if !is_check && !is_outside {
            for (exchange, (operator, _)) in EXCHANGES.iter().enumerate() {
                places.extend(code.match_indices(operator).map(|(column, _)| (at + column, exchange)));
            }
        }
        at += line.len();
    }
    places.sort_unstable();
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formal::source;

    #[test]
    fn faults_are_in_the_hardware_of_the_block() {
        let proofs = rtl::formal::proofs();
        let proof = proofs.iter().find(|proof| proof.name == "arbiter/round_robin").expect("there is one");
        let right = source(proof).unwrap();
        let faults = faulty(&right, 4);
        assert_eq!(faults.len(), 4);
        for Faulty { source: wrong, line } in faults {
            let differ = right.text.lines().zip(wrong.text.lines()).filter(|(a, b)| a != b);
            assert_eq!(differ.map(|(_, wrong)| wrong.trim()).collect::<Vec<_>>(), [line]);
        }
    }
}
