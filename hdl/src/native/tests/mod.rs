mod random;

use super::*;
use crate::{ir::*, reference::Reference};
use random::{Random, design};

/// Runs both evaluations of `design` on the same random inputs and compares all that can be seen.
fn compare(design: &Design, random: &mut Random, cycles: usize, what: &str) {
    let mut native = Native::new(design).expect("a sound design");
    let mut reference = Reference::new(design);
    let interface = native.interface().clone();
    for cycle in 0..cycles {
        for (port, info) in interface.ports.iter().enumerate() {
            if info.direction == Direction::Input && random.chance(70) {
                let value = random.value(info.width);
                native.write(port, value.limbs());
                reference.write(port, value.limbs());
            }
        }
        if cycle % 3 == 2 {
            continue_with_reset(&mut native, &mut reference, random, interface.domains.len());
        }
        for (id, signal) in design.top().signals.iter().enumerate() {
            let expected = reference.peek_signal(SignalId(id as u32));
            let found = native.peek_internal(&signal.name).expect("a known name");
            assert_eq!(found, expected, "{what}, cycle {cycle}: `{}`", signal.name);
        }
        let ticking: Vec<usize> = (0..interface.domains.len()).filter(|_| random.chance(80)).collect();
        let expected = reference.step_domains(&ticking);
        let found = native.step_domains(&ticking);
        assert_eq!(found.is_err(), expected.is_err(), "{what}, cycle {cycle}: {found:?}, {expected:?}");
        if let Err(violation) = found {
            assert_eq!(violation.cycle, cycle as u64);
        }
    }
}

fn continue_with_reset(native: &mut Native, reference: &mut Reference, random: &mut Random, domains: usize) {
    for domain in 0..domains {
        let asserted = random.chance(30);
        native.write_reset(domain, asserted);
        reference.write_reset(domain, asserted);
    }
}

#[test]
fn random_designs_agree_with_the_reference() {
    for seed in 0..400 {
        let random = &mut Random::new(seed);
        let (size, depth, domains) = (8 + random.below(60), random.below(3), 1 + random.below(2));
        let design = design(random, size, depth, domains);
        compare(&design, random, 12, &format!("seed {seed}"));
    }
}
