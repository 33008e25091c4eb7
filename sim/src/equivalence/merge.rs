//! Several designs as one, so that Verilator is run and its C++ compiled once for all of them.

use hdl::ir::*;
use std::panic::Location;

/// A top of the given name with an instance of each design. A port of the design called `fifo` becomes the top's port
/// `fifo_..`; clock domains of one name are one. The ports of the designs follow each other in order.
///
/// # Panics
/// If there is no design.
pub fn merge(name: &str, designs: &[(&str, &Design)]) -> Design {
    assert!(!designs.is_empty(), "nothing to merge");
    let mut top = Module {
        name: name.to_string(),
        doc: String::new(),
        loc: Location::caller(),
        signals: vec![],
        ports: 0,
        exprs: vec![],
        body: vec![],
        memories: vec![],
        instances: vec![],
        domains: vec![],
        enums: vec![],
        black_box: None,
    };
    for (name, design) in designs {
        let inner = design.top();
        top.signals.extend(inner.signals[..inner.ports].iter().map(|port| Signal {
            name: format!("{name}_{}", port.name),
            enumeration: None,
            ..port.clone()
        }));
    }
    top.ports = top.signals.len();
    let mut modules = vec![];
    let mut port = 0;
    for (name, design) in designs {
        let first = modules.len() as u32 + 1;
        modules.extend(design.modules.iter().cloned().map(|mut module| {
            module.instances.iter_mut().for_each(|instance| instance.module.0 += first);
            module
        }));
        add_instance(&mut top, name, design.top(), ModuleId(first), port);
        port += design.top().ports;
    }
    modules.insert(0, top);
    Design { modules }
}

/// An instance of `inner` whose ports are those of the top from `first_port` on.
fn add_instance(top: &mut Module, name: &str, inner: &Module, module: ModuleId, first_port: usize) {
    let (instance, loc) = (InstanceId(top.instances.len() as u32), top.loc);
    let mut connections = vec![];
    for (i, port) in inner.signals[..inner.ports].iter().enumerate() {
        let (outer, connection) = (SignalId((first_port + i) as u32), SignalId(top.signals.len() as u32));
        let (kind, target, source) = match port.kind {
            SignalKind::Input => {
                (SignalKind::InstanceInput { instance, port: SignalId(i as u32) }, connection, outer)
            }
            _ => (SignalKind::InstanceOutput { instance, port: SignalId(i as u32) }, outer, connection),
        };
        let name = format!("u_{name}_{}", port.name);
        top.signals.push(Signal { name, kind, enumeration: None, ..port.clone() });
        connections.push(connection);
        let value = ExprId(top.exprs.len() as u32);
        let (op, width) = (Op::Signal(source), port.width);
        top.exprs.push(Expr { op, width, loc, name: String::new(), doc: String::new() });
        top.body.push(Stmt::Assign { target, part: Part::Whole, value, loc });
    }
    let domains = inner.domains.iter().map(|domain| {
        let known = top.domains.iter().position(|known| known.name == domain.name);
        let index = known.unwrap_or(top.domains.len());
        if known.is_none() {
            top.domains.push(domain.clone());
        }
        let shared = &mut top.domains[index];
        shared.clocked |= domain.clocked;
        shared.reset |= domain.reset;
        DomainId(index as u32)
    });
    let (domains, name) = (domains.collect(), format!("u_{name}"));
    top.instances.push(Instance { name, doc: String::new(), loc, module, connections, domains });
}
