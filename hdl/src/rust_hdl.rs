//! Our modules as components of [rust-hdl](https://docs.rs/rust-hdl/0.46) 0.46 designs (feature `rust-hdl`).
//!
//! [`component!`] declares a rust-hdl block with the ports of one of our modules. rust-hdl prints a wrapper module
//! around the Verilog of ours, which it passes on as it is; rust-hdl's own simulator runs [`crate::Native`] in its place.
//!
//! ```
//! use hdl::{rust_hdl::core::prelude::*, *};
//!
//! #[derive(Bundle, Clone)]
//! struct Io {
//!     #[input]
//!     up: Bool,
//!     #[output]
//!     count: U<4>,
//! }
//!
//! let counter = || {
//!     module("counter", Io::ty(), |io| {
//!         let count = reg(U::<4>::ty());
//!         when(io.up, || count.set(count + 1));
//!         io.count.set(count);
//!     })
//! };
//!
//! hdl::rust_hdl::component! {
//!     /// Our counter as a block of rust-hdl.
//!     pub struct Counter {
//!         pub clk: Signal<In, Clock>,
//!         pub rst: Signal<In, Bit>,
//!         pub up: Signal<In, Bit>,
//!         pub count: Signal<Out, Bits<4>>,
//!     }
//! }
//!
//! let design = elaborate(counter).unwrap().design;
//! let mut top = TopWrap::new(Counter::new(&design).unwrap());
//! top.uut.clk.connect();
//! top.uut.rst.connect();
//! top.uut.up.connect();
//! top.connect_all();
//! assert!(generate_verilog(&top).contains("module counter_"));
//! # mod core { pub use hdl::rust_hdl::core::*; }
//! ```

pub use crate::rust_hdl_component as component;
use crate::{
    interface::{Direction, Interface},
    ir::Design,
    native::{Native, NativeError},
    simulator::Simulator,
};
pub use rust_hdl_core as core;
use rust_hdl_core::prelude::{Bits, Clock, In, Logic, Out, Signal, Synth, Verilog, Wrapper};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Why a block of rust-hdl cannot stand for a design.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// A declared pin that the design does not have.
    #[error("module `{module}` has no port, clock or reset `{pin}`")]
    Unknown { module: String, pin: String },
    /// A port, clock or reset of the design that is not declared.
    #[error("port `{pin}` of module `{module}` is not declared: it is a `{wanted}`")]
    Missing { module: String, pin: String, wanted: String },
    /// A pin of another type or direction.
    #[error("`{pin}` of module `{module}` is declared as `{found}`: it is a `{wanted}`")]
    Differs { module: String, pin: String, found: String, wanted: String },
    /// The native simulator does not take the design.
    #[error(transparent)]
    Native(#[from] NativeError),
}

/// Values that pass between rust-hdl's signals and our ports: `Bit`, `Bits<N>` and `Clock`.
pub trait PinValue: Synth {
    /// As rust-hdl writes the type.
    fn type_name() -> String;
    /// In limbs of 64 bits, the lowest first.
    fn to_limbs(self) -> Vec<u64>;
    /// From limbs of 64 bits, the lowest first, as many as the type needs.
    fn from_limbs(limbs: &[u64]) -> Self;
}

impl PinValue for bool {
    fn type_name() -> String {
        "Bit".into()
    }

    fn to_limbs(self) -> Vec<u64> {
        vec![self as u64]
    }

    fn from_limbs(limbs: &[u64]) -> bool {
        limbs[0] & 1 == 1
    }
}

impl PinValue for Clock {
    fn type_name() -> String {
        "Clock".into()
    }

    fn to_limbs(self) -> Vec<u64> {
        self.clk.to_limbs()
    }

    fn from_limbs(limbs: &[u64]) -> Clock {
        bool::from_limbs(limbs).into()
    }
}

impl<const N: usize> PinValue for Bits<N> {
    fn type_name() -> String {
        format!("Bits<{N}>")
    }

    fn to_limbs(self) -> Vec<u64> {
        let mut limbs = vec![0; N.div_ceil(64)];
        for i in (0..N).filter(|i| self.get_bit(*i)) {
            limbs[i / 64] |= 1 << (i % 64);
        }
        limbs
    }

    fn from_limbs(limbs: &[u64]) -> Bits<N> {
        let ones = (0..N).filter(|i| limbs[i / 64] >> (i % 64) & 1 == 1);
        ones.fold(Bits::default(), |value, i| value.replace_bit(i, true))
    }
}

/// A signal of rust-hdl that stands for a port, a clock or a reset.
pub trait Pin {
    /// As the block sees it.
    fn direction(&self) -> Direction;
    /// Its value's type, as rust-hdl writes it.
    fn type_name(&self) -> String;
    /// Tells rust-hdl that the block drives it, if it is an output.
    fn connect_output(&mut self);
    /// In limbs of 64 bits, the lowest first.
    fn value(&self) -> Vec<u64>;
    /// Whether it has just become 1.
    fn rises(&self) -> bool;
    /// Drives it, if it is an output.
    fn drive(&mut self, limbs: &[u64]);
}

impl<T: PinValue> Pin for Signal<In, T> {
    fn direction(&self) -> Direction {
        Direction::Input
    }

    fn type_name(&self) -> String {
        T::type_name()
    }

    fn connect_output(&mut self) {}

    fn value(&self) -> Vec<u64> {
        self.val().to_limbs()
    }

    fn rises(&self) -> bool {
        self.changed && self.value()[0] & 1 == 1
    }

    fn drive(&mut self, _limbs: &[u64]) {}
}

impl<T: PinValue> Pin for Signal<Out, T> {
    fn direction(&self) -> Direction {
        Direction::Output
    }

    fn type_name(&self) -> String {
        T::type_name()
    }

    fn connect_output(&mut self) {
        self.connect();
    }

    fn value(&self) -> Vec<u64> {
        self.val().to_limbs()
    }

    fn rises(&self) -> bool {
        false
    }

    fn drive(&mut self, limbs: &[u64]) {
        self.next = T::from_limbs(limbs);
    }
}

/// What a pin stands for.
enum Role {
    Port(usize),
    Clock(usize),
    Reset(usize),
}

/// The inside of a block that [`component!`] declares.
pub struct Component {
    /// In the order of the block's fields.
    roles: Vec<Role>,
    native: Native,
    /// Our modules.
    cores: String,
    /// The instance of our top in the module that rust-hdl prints.
    instance: String,
}

impl Component {
    /// A component for `design`, whose pins are declared as these, by name.
    ///
    /// # Errors
    /// If a pin is not what the design has under its name, or is missing.
    pub fn new(design: &Design, pins: &[(&str, &dyn Pin)]) -> Result<Component, ComponentError> {
        let interface = Interface::of(design);
        let wanted = roles(&interface);
        let module = || interface.name.clone();
        let mut found = vec![];
        for (name, pin) in pins {
            let Some(at) = wanted.iter().position(|(known, ..)| known == name) else {
                return Err(ComponentError::Unknown { module: module(), pin: name.to_string() });
            };
            let declared = signal_type(pin.direction(), &pin.type_name());
            if !wanted[at].1.contains(&declared) {
                let (pin, wanted) = (name.to_string(), wanted[at].1[0].clone());
                return Err(ComponentError::Differs { module: module(), pin, found: declared, wanted });
            }
            found.push(at);
        }
        if let Some(at) = (0..wanted.len()).find(|at| !found.contains(at)) {
            let (pin, wanted) = (wanted[at].0.clone(), wanted[at].1[0].clone());
            return Err(ComponentError::Missing { module: module(), pin, wanted });
        }
        let mut wanted: Vec<Option<Role>> = wanted.into_iter().map(|(.., role)| Some(role)).collect();
        let roles = found.iter().filter_map(|at| wanted[*at].take()).collect();
        let (top, cores) = unique_text(design);
        let connections: Vec<String> = pins.iter().map(|(name, _)| format!("    .{name}({name})")).collect();
        let instance = format!("{top} u_{}(\n{}\n);\n", interface.name, connections.join(",\n"));
        Ok(Component { roles, native: Native::new(design)?, cores, instance })
    }

    /// What rust-hdl prints.
    pub fn verilog(&self) -> Verilog {
        Verilog::Wrapper(Wrapper { code: self.instance.clone(), cores: self.cores.clone() })
    }

    /// One step of rust-hdl's simulator.
    ///
    /// # Panics
    /// If an assertion or assumption of the design does not hold.
    pub fn update(&mut self, pins: &mut [&mut dyn Pin]) {
        let mut clocks = vec![];
        for (role, pin) in self.roles.iter().zip(pins.iter()) {
            match role {
                Role::Port(port) if pin.direction() == Direction::Input => {
                    self.native.write(*port, &pin.value());
                }
                Role::Port(_) => {}
                Role::Reset(domain) => self.native.write_reset(*domain, pin.value()[0] == 1),
                Role::Clock(domain) if pin.rises() => clocks.push(*domain),
                Role::Clock(_) => {}
            }
        }
        if !clocks.is_empty()
            && let Err(violation) = self.native.step_domains(&clocks)
        {
            panic!("{violation}");
        }
        for (role, pin) in self.roles.iter().zip(pins) {
            if let Role::Port(port) = role
                && pin.direction() == Direction::Output
            {
                let width = self.native.interface().ports[*port].width;
                let mut limbs = vec![0; width.div_ceil(64) as usize];
                self.native.read(*port, &mut limbs);
                pin.drive(&limbs);
            }
        }
    }
}

/// Name, acceptable types and role of each pin of a design.
fn roles(interface: &Interface) -> Vec<(String, Vec<String>, Role)> {
    let mut roles = vec![];
    for (i, domain) in interface.domains.iter().enumerate() {
        if let Some(clock) = &domain.clock {
            roles.push((clock.clone(), vec![signal_type(Direction::Input, "Clock")], Role::Clock(i)));
        }
        if let Some(reset) = &domain.reset {
            roles.push((reset.clone(), vec![signal_type(Direction::Input, "Bit")], Role::Reset(i)));
        }
    }
    for (i, port) in interface.ports.iter().enumerate() {
        let mut types = vec![signal_type(port.direction, &format!("Bits<{}>", port.width))];
        if port.width == 1 {
            types.insert(0, signal_type(port.direction, "Bit"));
        }
        roles.push((port.name.clone(), types, Role::Port(i)));
    }
    roles
}

fn signal_type(direction: Direction, value: &str) -> String {
    let direction = if direction == Direction::Input { "In" } else { "Out" };
    format!("Signal<{direction}, {value}>")
}

/// The name of the top and the Verilog of `design`, with names that no other design has, and so that it counts once:
/// rust-hdl prints the text of a wrapped module once for each instance, and does not rename what is inside.
fn unique_text(design: &Design) -> (String, String) {
    let mut hasher = DefaultHasher::new();
    design.verilog().text().hash(&mut hasher);
    let hash = format!("{:016x}", hasher.finish());
    let mut design = design.clone();
    for module in design.modules.iter_mut().filter(|module| module.black_box.is_none()) {
        module.name = format!("{}_{}", module.name, &hash[..8]);
    }
    let verilog = design.verilog();
    let guard = format!("HDL_{}", verilog.top.to_uppercase());
    (verilog.top.clone(), format!("\n`ifndef {guard}\n`define {guard}\n{}\n`endif\n", verilog.text()))
}

/// Declares a block of rust-hdl that stands for a design: a struct of its ports, clocks (`Signal<In, Clock>`) and resets
/// (`Signal<In, Bit>`), under their names in Verilog. A port of one bit is a `Bit` or a `Bits<1>`, others are `Bits<N>`.
/// The types `Signal`, `In`, `Out` and those of values come from rust-hdl's prelude, which must be in scope.
///
/// `Block::new(&design)` makes one, or tells with a [`ComponentError`](crate::rust_hdl::ComponentError) what differs.
/// See [the module](crate::rust_hdl) for an example.
#[macro_export]
macro_rules! rust_hdl_component {
    ($(#[$meta:meta])* $visibility:vis struct $name:ident {
        $($(#[$pin_meta:meta])* pub $pin:ident: $ty:ty),* $(,)?
    }) => {
        $(#[$meta])*
        $visibility struct $name {
            $($(#[$pin_meta])* pub $pin: $ty,)*
            component: $crate::rust_hdl::Component,
        }

        impl $name {
            /// A block for `design`.
            $visibility fn new(
                design: &$crate::Design,
            ) -> ::core::result::Result<Self, $crate::rust_hdl::ComponentError> {
                $(let $pin = <$ty as ::core::default::Default>::default();)*
                let component = $crate::rust_hdl::Component::new(
                    design,
                    &[$((::core::stringify!($pin), &$pin as &dyn $crate::rust_hdl::Pin)),*],
                )?;
                ::core::result::Result::Ok(Self { $($pin,)* component })
            }
        }

        impl $crate::rust_hdl::core::logic::Logic for $name {
            fn update(&mut self) {
                self.component.update(&mut [$(&mut self.$pin as &mut dyn $crate::rust_hdl::Pin),*]);
            }

            fn connect(&mut self) {
                $($crate::rust_hdl::Pin::connect_output(&mut self.$pin);)*
            }

            fn hdl(&self) -> $crate::rust_hdl::core::ast::Verilog {
                self.component.verilog()
            }
        }

        impl $crate::rust_hdl::core::block::Block for $name {
            fn connect_all(&mut self) {
                $crate::rust_hdl::core::logic::Logic::connect(self);
                $($crate::rust_hdl::core::block::Block::connect_all(&mut self.$pin);)*
            }

            fn update_all(&mut self) {
                $crate::rust_hdl::core::logic::Logic::update(self);
                $($crate::rust_hdl::core::block::Block::update_all(&mut self.$pin);)*
            }

            fn has_changed(&self) -> bool {
                false $(|| $crate::rust_hdl::core::block::Block::has_changed(&self.$pin))*
            }

            fn accept(&self, name: &str, probe: &mut dyn $crate::rust_hdl::core::probe::Probe) {
                probe.visit_start_scope(name, self);
                $($crate::rust_hdl::core::block::Block::accept(&self.$pin, ::core::stringify!($pin), probe);)*
                probe.visit_end_scope(name, self);
            }
        }
    };
}
