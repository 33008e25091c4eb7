//! Which clock domains a design's ports belong to.

use super::live::Drivers;
use crate::ir::*;
use std::collections::{BTreeSet, HashMap};

/// For each port of a module the domains of the registers and memories that it feeds or comes from.
type PortDomains = Vec<BTreeSet<usize>>;

/// For each port of the top its domains. A port that only passes through has none.
pub(super) fn port_domains(design: &Design) -> PortDomains {
    module_domains(design, ModuleId(0), &mut HashMap::new())
}

fn module_domains(design: &Design, id: ModuleId, known: &mut HashMap<ModuleId, PortDomains>) -> PortDomains {
    if let Some(domains) = known.get(&id) {
        return domains.clone();
    }
    let module = design.module(id);
    let children: Vec<PortDomains> =
        module.instances.iter().map(|instance| module_domains(design, instance.module, known)).collect();
    let drivers = Drivers::new(module);
    // Domains that a signal comes from, and those it goes to.
    let count = module.signals.len();
    let mut from = vec![BTreeSet::new(); count];
    let mut to = vec![BTreeSet::new(); count];
    let reads: Vec<BTreeSet<usize>> =
        drivers.signals.iter().map(|roots| read_signals(module, roots)).collect();
    for (i, signal) in module.signals.iter().enumerate() {
        match &signal.kind {
            SignalKind::Register { domain, .. } | SignalKind::MemoryRead { domain, .. } => {
                from[i].insert(domain.index());
                reads[i].iter().for_each(|read| {
                    to[*read].insert(domain.index());
                });
            }
            SignalKind::InstanceInput { instance, port } | SignalKind::InstanceOutput { instance, port } => {
                let bindings = &module.instances[instance.index()].domains;
                let own = children[instance.index()][port.index()].iter();
                let own = own.map(|domain| bindings[*domain].index());
                let input = matches!(signal.kind, SignalKind::InstanceInput { .. });
                if input { to[i].extend(own) } else { from[i].extend(own) }
            }
            _ => {}
        }
    }
    walk(&module.body, &mut |stmt| {
        if let Stmt::MemoryWrite { domain, .. } = stmt {
            for read in read_signals(module, &stmt.operands()) {
                to[read].insert(domain.index());
            }
        }
    });
    let combinational = |i: usize| {
        matches!(
            module.signals[i].kind,
            SignalKind::Wire | SignalKind::Output | SignalKind::InstanceInput { .. }
        )
    };
    loop {
        let mut changed = false;
        for i in (0..count).filter(|i| combinational(*i)) {
            for &read in &reads[i] {
                let (before, sources) = (from[i].len() + to[read].len(), from[read].clone());
                from[i].extend(sources);
                let sinks = to[i].clone();
                to[read].extend(sinks);
                changed |= from[i].len() + to[read].len() > before;
            }
        }
        if !changed {
            break;
        }
    }
    let domains: PortDomains = (0..module.ports)
        .map(|i| if module.signals[i].kind == SignalKind::Input { to[i].clone() } else { from[i].clone() })
        .collect();
    known.insert(id, domains.clone());
    domains
}

/// The signals that the expressions below `roots` read.
fn read_signals(module: &Module, roots: &[ExprId]) -> BTreeSet<usize> {
    let (mut todo, mut seen, mut out) = (roots.to_vec(), BTreeSet::new(), BTreeSet::new());
    while let Some(id) = todo.pop() {
        if seen.insert(id) {
            let op = &module.expr(id).op;
            if let Op::Signal(signal) = op {
                out.insert(signal.index());
            }
            todo.extend(op.operands());
        }
    }
    out
}
