//! Modules, instances, clock domains, and elaboration as a whole.

use crate::{
    check,
    context::{Abort, Context, Frame, with},
    data::Data,
    error::{Error, Errors},
    finish,
    interface::Direction,
    ir::*,
    names,
    types::*,
};
use std::{
    collections::{HashMap, HashSet},
    panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind},
    sync::atomic::{AtomicU64, Ordering},
};

/// Describes module `name` with the ports `io`, and makes an instance of it in the module that is being described, or
/// makes it the top. `body` is given the ports as the module sees them; what comes back is the ports as the parent
/// sees them, or for the top, the handles that drive a simulator.
///
/// Each leaf of `io` must have a direction ([`Data::input`], [`Data::output`]).
///
/// ```
/// # use hdl::*;
/// #[derive(Bundle, Clone)]
/// #[ty(width: usize)]
/// struct Delay {
///     #[input]
///     #[ty(bits(width))]
///     d: Bits,
///     #[output]
///     #[ty(bits(width))]
///     q: Bits,
/// }
///
/// fn stage(width: usize) -> Delay {
///     module("stage", Delay::ty(width), |io| io.q.set(delay(io.d)))
/// }
///
/// let two = || {
///     module("two_stages", Delay::ty(8), |io| {
///         let (first, second) = (stage(8), stage(8));
///         first.d.set(io.d);
///         second.d.set(first.q);
///         io.q.set(second.q);
///     })
/// };
/// assert_eq!(elaborate(two).unwrap().design.top().instances.len(), 2);
/// ```
#[track_caller]
pub fn module<Io: Data>(name: impl Into<String>, io: Io, body: impl FnOnce(&Io)) -> Io {
    build(name.into(), io, None, body, Location::caller())
}

/// A primitive of a device library, with its Verilog parameters. The emitter prints an instance only, and no module.
/// `model` describes how it behaves, for simulation.
///
/// ```
/// # use hdl::*;
/// #[derive(Bundle, Clone)]
/// struct Lut4 {
///     #[input]
///     a: U<4>,
///     #[output]
///     z: Bool,
/// }
///
/// fn all_ones() -> Lut4 {
///     let model = |io: &Lut4| io.z.set(io.a.all());
///     black_box("LUT4", &[("INIT", Parameter::Integer(0x8000))], Lut4::ty(), Some(&model))
/// }
/// # elaborate(|| module("m", Vec::<Bits>::new(), |_| all_ones().a.set(0))).unwrap();
/// ```
#[track_caller]
pub fn black_box<Io: Data>(
    name: impl Into<String>,
    parameters: &[(&str, Parameter)],
    io: Io,
    model: Option<&dyn Fn(&Io)>,
) -> Io {
    let parameters = parameters.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
    let primitive = BlackBox { parameters, modelled: model.is_some() };
    let body = |io: &Io| {
        if let Some(model) = model {
            model(io);
        }
    };
    build(name.into(), io, Some(primitive), body, Location::caller())
}

fn build<Io: Data>(
    name: String,
    io: Io,
    black_box: Option<BlackBox>,
    body: impl FnOnce(&Io),
    loc: Loc,
) -> Io {
    let id = with(|context| {
        if !context.stack.is_empty() {
            context.forbid_in_cases("an instance", loc);
            if context.frame().ghost {
                context.report(loc, "an instance is made inside verification()");
            }
        } else if let Some(Some(first)) = context.modules.first() {
            let message =
                format!("`{name}` is a second top module beside `{}`: a design has one", first.name);
            context.report(loc, message);
        }
        let id = ModuleId(context.modules.len() as u32);
        context.modules.push(None);
        let doc = context.pending_docs.iter_mut().next_back().and_then(Option::take).unwrap_or_default();
        let legal = names::is_legal(&name) && !names::is_reserved(&name);
        let default = Domain { name: String::new(), clocked: false, reset: false };
        let module = Module {
            name,
            doc,
            loc,
            signals: vec![],
            ports: 0,
            exprs: vec![],
            body: vec![],
            memories: vec![],
            instances: vec![],
            domains: vec![default],
            enums: vec![],
            black_box,
        };
        let binding = context.stack.last().map_or(DomainId(0), |parent| parent.domain);
        context.stack.push(Frame {
            home: Home { run: context.run, module: id },
            module,
            blocks: vec![vec![]],
            defaults: vec![],
            unconditional: vec![],
            scopes: vec![],
            taken: HashMap::from([("clk".to_string(), 0), ("rst".to_string(), 0)]),
            known: HashMap::new(),
            parts: HashMap::new(),
            signal_exprs: vec![],
            domain: DomainId(0),
            bindings: vec![binding],
            in_cases: 0,
            ghost: false,
        });
        if !legal {
            let message = format!("`{}` is not a legal name of a module", context.module().name);
            context.report(loc, message);
        }
        id
    });
    let inner = declare_ports(&io, loc);
    with(|context| {
        // In Verilog a name inside that repeats the module's would hide it.
        let frame = context.frame();
        frame.taken.entry(frame.module.name.clone()).or_insert(0);
    });
    body(&inner);
    let nested = with(|context| {
        let frame = context.frame();
        frame.module.body = frame.blocks.pop().expect("the module's own block");
        check::before_split(context);
        let frame = context.frame();
        let own = std::mem::take(&mut frame.module.body);
        let parts = [std::mem::take(&mut frame.defaults), own, std::mem::take(&mut frame.unconditional)];
        frame.module.body = parts.concat();
        finish::split_wires(context.frame());
        let modules = std::mem::take(&mut context.modules);
        finish::mark_domains(&mut context.frame().module, &modules);
        context.modules = modules;
        check::after_split(context);
        context.stack.len() > 1
    });
    let frame = with(|context| context.stack.pop().expect("the frame pushed above"));
    let outer = if nested { instantiate(&inner, &frame, loc) } else { inner };
    with(|context| context.modules[id.index()] = Some(frame.module));
    outer
}

/// Signals for the leaves of `io`, in the module that has just been opened.
fn declare_ports<Io: Data>(io: &Io, loc: Loc) -> Io {
    io.map(&Default::default(), &mut |place, leaf| {
        with(|context| {
            let orientation = match leaf.bits.owner {
                Owner::Type(orientation) => orientation,
                _ => Orientation::default(),
            };
            let kind = match orientation.direction {
                Some(Direction::Input) => SignalKind::Input,
                Some(Direction::Output) => SignalKind::Output,
                None => {
                    let message =
                        format!("port `{}` has no direction: use .input() or .output()", place.path);
                    context.report(loc, message);
                    SignalKind::Input
                }
            };
            let fault = if names::is_reserved(&place.path) {
                Some("is a reserved word of Verilog, SystemVerilog or C++")
            } else if !names::is_legal(&place.path) {
                Some("is not a legal name")
            } else if context.frame().taken.contains_key(&place.path) {
                Some("occurs twice or is the name of a clock or reset")
            } else {
                None
            };
            if let Some(fault) = fault {
                context.report(loc, format!("port `{}` {fault}", place.path));
            }
            context.module().ports += 1;
            let enumeration = leaf.enumeration.map(|ty| context.enumeration(ty()));
            context.signal(Signal {
                name: place.path.clone(),
                doc: place.doc.clone(),
                loc,
                width: leaf.bits.width,
                kind,
                flipped: orientation.flipped,
                enumeration,
                ghost: false,
            })
        })
    })
}

/// An instance of the finished module of `child` in the current module.
fn instantiate<Io: Data>(inner: &Io, child: &Frame, loc: Loc) -> Io {
    let module = &child.module;
    let (name, doc, instance) = with(|context| {
        let (name, doc) = context.hint(&format!("u_{}", module.name));
        let frame = context.frame();
        let name = names::unique(&mut frame.taken, &name, "");
        (name, doc, InstanceId(frame.module.instances.len() as u32))
    });
    let mut port = 0;
    let mut connections = vec![];
    let outer = inner.map(&Default::default(), &mut |place, leaf| {
        let inside = module.signal(SignalId(port));
        let kind = match inside.kind {
            SignalKind::Input => SignalKind::InstanceInput { instance, port: SignalId(port) },
            _ => SignalKind::InstanceOutput { instance, port: SignalId(port) },
        };
        port += 1;
        with(|context| {
            connections.push(SignalId(context.module().signals.len() as u32));
            let enumeration = leaf.enumeration.map(|ty| context.enumeration(ty()));
            context.signal(Signal {
                name: names::join(&name, &place.path),
                doc: String::new(),
                loc,
                width: leaf.bits.width,
                kind,
                flipped: inside.flipped,
                enumeration,
                ghost: false,
            })
        })
    });
    let domains = child.bindings.clone();
    let instance = Instance { name, doc, loc, module: child.home.module, connections, domains };
    with(|context| context.module().instances.push(instance));
    outer
}

/// A clock with its synchronous reset. Registers, memories and instances belong to the domain in whose
/// [`Clock::scope`] they are made; without one, to the module's default domain, `clk` and `rst`.
///
/// ```
/// # use hdl::*;
/// # elaborate(|| module("m", Vec::<Bits>::new(), |_| {
/// let eth = Clock::external().enter("eth");
/// let ticks = eth.scope(|| reg(bits(8)));
/// ticks.set(ticks + 1);
/// # })).unwrap();
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// `None` for a clock from outside of the design.
    owner: Option<(Home, DomainId)>,
}

impl Clock {
    /// A clock that comes from outside of the top: only the top can enter it.
    pub fn external() -> Clock {
        Clock { owner: None }
    }

    /// The domain in whose scope this call stands.
    #[track_caller]
    pub fn current() -> Clock {
        with(|context| Clock { owner: Some((context.frame().home, context.frame().domain)) })
    }

    /// Takes a clock of the module around into the one that is being described, where it is called `name` and has
    /// the ports `{name}_clk` and `{name}_rst`.
    #[track_caller]
    pub fn enter(self, name: &str) -> Clock {
        let loc = Location::caller();
        with(|context| {
            let parent = context.stack.iter().nth_back(1).map(|frame| frame.home);
            let binding = match self.owner {
                Some((owner, domain)) if Some(owner) == parent => domain,
                None if parent.is_none() => DomainId(0),
                _ => {
                    let message = format!(
                        "the clock `{name}` does not belong to the module around: enter it step by step"
                    );
                    context.report(loc, message);
                    DomainId(0)
                }
            };
            let domain = Domain { name: name.to_string(), clocked: false, reset: false };
            for port in [domain.clock_port(), domain.reset_port()] {
                if !names::is_legal(&port) || context.frame().taken.insert(port.clone(), 0).is_some() {
                    context.report(loc, format!("the name `{port}` of a clock or reset is illegal or taken"));
                }
            }
            let frame = context.frame();
            frame.module.domains.push(domain);
            frame.bindings.push(binding);
            Clock { owner: Some((frame.home, DomainId(frame.module.domains.len() as u32 - 1))) }
        })
    }

    /// What `body` makes is clocked by this clock.
    #[track_caller]
    pub fn scope<R>(self, body: impl FnOnce() -> R) -> R {
        let loc = Location::caller();
        let outer = with(|context| {
            let current = context.frame().domain;
            match self.owner {
                Some((owner, domain)) if owner == context.frame().home => context.frame().domain = domain,
                _ => context.report(loc, "the clock belongs to another module: enter() it here"),
            }
            current
        });
        let result = body();
        with(|context| context.frame().domain = outer);
        result
    }
}

/// An elaborated design and the handles of its top's ports.
#[derive(Clone, Debug)]
pub struct Elaborated<Io> {
    /// What is printed and simulated.
    pub design: Design,
    /// Drive either simulator through these.
    pub io: Io,
}

/// Runs a generator and checks what it described.
///
/// # Errors
/// All that is wrong with the design, each fault with its place and the instances that lead to it.
///
/// ```
/// # use hdl::*;
/// # #[derive(Bundle, Clone)]
/// # struct Io { #[input] a: U<8>, #[output] q: U<4> }
/// let errors = elaborate(|| module("bad", Io::ty(), |io| (*io.q).set(*io.a))).map(|_| ()).unwrap_err();
/// assert!(errors.to_string().starts_with("error: set: widths differ: `q` of 4 bits"));
/// ```
#[track_caller]
pub fn elaborate<Io>(generator: impl FnOnce() -> Io) -> Result<Elaborated<Io>, Errors> {
    static RUNS: AtomicU64 = AtomicU64::new(1);
    let loc = Location::caller();
    let run = RUNS.fetch_add(1, Ordering::Relaxed);
    let outer = with(|context| std::mem::replace(context, Context { run, ..Default::default() }));
    let result = catch_unwind(AssertUnwindSafe(generator));
    let context = with(|context| std::mem::replace(context, outer));
    let io = match result {
        Ok(io) => Some(io),
        Err(payload) if payload.is::<Abort>() => None,
        Err(payload) => resume_unwind(payload),
    };
    let mut errors = context.errors;
    // Faults of one line that a loop reports again and again are one.
    let mut seen = HashSet::new();
    errors.retain(|error| seen.insert((error.message.clone(), error.loc)));
    let modules: Vec<Module> = context.modules.into_iter().flatten().collect();
    if io.is_some() && modules.is_empty() {
        errors.push(Error { message: "the generator makes no module".into(), loc, notes: vec![] });
    }
    let (Some(io), true) = (io, errors.is_empty()) else { return Err(Errors(errors)) };
    let design = Design { modules };
    errors.extend(check::design(&design));
    if errors.is_empty() { Ok(Elaborated { design, io }) } else { Err(Errors(errors)) }
}
