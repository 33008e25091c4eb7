//! Driving a simulator through the port handles of the design: one way for both simulators.

use crate::{
    data::{Data, Place},
    simulator::{Simulator, Violation},
    types::*,
};
use bitvec::prelude::*;

/// A leaf port and the Rust type of its values.
pub trait Port: Copy {
    /// `u128` for vectors, `bool`, `i128` for signed numbers, the enum itself for enumerations.
    type Value;

    #[doc(hidden)]
    fn handle(self) -> Bits;
    #[doc(hidden)]
    fn encode(self, value: Self::Value) -> u128;
    #[doc(hidden)]
    fn decode(self, bits: u128) -> Self::Value;
}

impl Port for Bits {
    type Value = u128;

    fn handle(self) -> Bits {
        self
    }

    fn encode(self, value: u128) -> u128 {
        assert!(
            self.width >= 128 || value >> self.width == 0,
            "{value:#x} does not fit in {} bits",
            self.width
        );
        value
    }

    fn decode(self, bits: u128) -> u128 {
        bits
    }
}

impl<const N: usize> Port for U<N> {
    type Value = u128;

    fn handle(self) -> Bits {
        self.0
    }

    fn encode(self, value: u128) -> u128 {
        self.0.encode(value)
    }

    fn decode(self, bits: u128) -> u128 {
        bits
    }
}

impl Port for Bool {
    type Value = bool;

    fn handle(self) -> Bits {
        self.0
    }

    fn encode(self, value: bool) -> u128 {
        value as u128
    }

    fn decode(self, bits: u128) -> bool {
        bits == 1
    }
}

impl Port for Signed {
    type Value = i128;

    fn handle(self) -> Bits {
        self.0
    }

    fn encode(self, value: i128) -> u128 {
        let width = self.0.width;
        let bits = if width >= 128 { value as u128 } else { value as u128 & !(u128::MAX << width) };
        assert_eq!(self.decode(bits), value, "{value} does not fit in {width} signed bits");
        bits
    }

    fn decode(self, bits: u128) -> i128 {
        let unused = 128 - self.0.width.min(128);
        (bits << unused) as i128 >> unused
    }
}

impl<T: HwEnum> Port for Enum<T> {
    type Value = T;

    fn handle(self) -> Bits {
        self.bits()
    }

    fn encode(self, value: T) -> u128 {
        let wanted = std::mem::discriminant(&value);
        let known = T::VARIANTS.iter().find(|variant| std::mem::discriminant(&variant.1) == wanted);
        known.expect("VARIANTS lists every variant").2
    }

    /// An encoding that no variant has counts as the last variant, as in [`Enum::cases`].
    fn decode(self, bits: u128) -> T {
        let known = T::VARIANTS.iter().find(|variant| variant.2 == bits).or(T::VARIANTS.last());
        known.expect("an enumeration has variants").1
    }
}

/// The index of a port; handles of the top module number its ports first.
fn index(bits: Bits) -> usize {
    let is_top = matches!(bits.owner, Owner::Module(home) if home.module.index() == 0);
    assert!(is_top, "this handle is no port of a top module");
    bits.id as usize
}

/// The leaves of a bundle, the first most significant.
fn leaves(port: &impl Data) -> Vec<Bits> {
    let mut leaves = vec![];
    port.map(&Place::default(), &mut |_, leaf| {
        leaves.push(leaf.bits);
        leaf.bits
    });
    leaves
}

// What follows is not generic, so that it is compiled here, with optimisation, and not in each crate that has tests.

/// What each leaf has of a value: its port and its bits.
fn parts(leaves: &[Bits], value: &BitSlice<u64, Lsb0>) -> Vec<(usize, Vec<u64>)> {
    let size: usize = leaves.iter().map(|leaf| leaf.width()).sum();
    assert_eq!(value.len(), size, "the width of the value");
    let mut high = value.len();
    let part = |leaf: &Bits| {
        let low = high - leaf.width();
        let limbs = value[low..high].chunks(64).map(|limb| limb.load_le()).collect();
        high = low;
        (index(*leaf), limbs)
    };
    leaves.iter().map(part).collect()
}

/// The value that leaves make up.
fn whole(leaves: &[Bits], read: &mut dyn FnMut(usize, &mut [u64])) -> BitVec<u64, Lsb0> {
    let mut value = BitVec::new();
    for leaf in leaves.iter().rev() {
        let mut limbs = vec![0; leaf.width().div_ceil(64)];
        read(index(*leaf), &mut limbs);
        value.extend_from_bitslice(&limbs.view_bits::<Lsb0>()[..leaf.width()]);
    }
    value
}

/// Typed access to a [`Simulator`]; every simulator has it.
///
/// ```
/// use hdl::*;
///
/// #[derive(Bundle, Clone)]
/// struct Sum {
///     #[input]
///     a: U<8>,
///     #[input]
///     b: U<8>,
///     #[output]
///     sum: U<8>,
/// }
///
/// let adder = || module("adder", Sum::ty(), |io| io.sum.set(delay(io.a + io.b)));
/// let Elaborated { design, io } = elaborate(adder).unwrap();
/// let mut simulator = Native::new(&design).unwrap();
/// simulator.reset();
/// simulator.poke(io.a, 200);
/// simulator.poke(io.b, 100);
/// assert_eq!(simulator.peek(io.sum), 0);
/// simulator.step();
/// assert_eq!(simulator.peek(io.sum), 44);
/// ```
pub trait Drive: Simulator {
    /// Sets an input.
    ///
    /// # Panics
    /// If the value does not fit, the port is wider than 128 bits, or is an output.
    fn poke<P: Port>(&mut self, port: P, value: P::Value) {
        let (handle, bits) = (port.handle(), port.encode(value));
        assert!(handle.width <= 128, "a port of {} bits: use poke_wide", handle.width);
        let limbs = [bits as u64, (bits >> 64) as u64];
        self.write(index(handle), &limbs[..handle.width.div_ceil(64) as usize]);
    }

    /// The settled value of a port.
    ///
    /// # Panics
    /// If the port is wider than 128 bits.
    fn peek<P: Port>(&mut self, port: P) -> P::Value {
        let handle = port.handle();
        assert!(handle.width <= 128, "a port of {} bits: use peek_wide", handle.width);
        let mut limbs = [0; 2];
        self.read(index(handle), &mut limbs[..handle.width.div_ceil(64) as usize]);
        port.decode(limbs[0] as u128 | (limbs[1] as u128) << 64)
    }

    /// Sets a port of any width, or all inputs of a bundle as [`Data::pack`] orders them. Bit 0 is the lowest.
    ///
    /// # Panics
    /// If `value` has another number of bits.
    fn poke_wide<T: Data>(&mut self, port: &T, value: &BitSlice<u64, Lsb0>) {
        for (port, limbs) in parts(&leaves(port), value) {
            self.write(port, &limbs);
        }
    }

    /// The settled value of a port of any width, or of a bundle.
    fn peek_wide<T: Data>(&mut self, port: &T) -> BitVec<u64, Lsb0> {
        whole(&leaves(port), &mut |port, limbs| self.read(port, limbs))
    }

    /// One cycle of the default clock.
    ///
    /// # Panics
    /// If an assertion or assumption of the design does not hold.
    fn step(&mut self) {
        if let Err(violation) = self.step_domains(&[0]) {
            panic!("{violation}");
        }
    }

    /// One cycle of all clocks under reset.
    fn reset(&mut self) {
        let all: Vec<usize> = (0..self.interface().domains.len()).collect();
        for &domain in &all {
            self.write_reset(domain, true);
        }
        let result = self.step_domains(&all);
        assert!(result.is_ok(), "checks do not count under reset");
        for &domain in &all {
            self.write_reset(domain, false);
        }
    }
}

impl<S: Simulator + ?Sized> Drive for S {}

impl<S: Simulator + ?Sized> Simulator for Box<S> {
    fn interface(&self) -> &crate::Interface {
        (**self).interface()
    }

    fn write(&mut self, port: usize, value: &[u64]) {
        (**self).write(port, value);
    }

    fn read(&mut self, port: usize, value: &mut [u64]) {
        (**self).read(port, value);
    }

    fn write_reset(&mut self, domain: usize, asserted: bool) {
        (**self).write_reset(domain, asserted);
    }

    fn step_domains(&mut self, domains: &[usize]) -> Result<(), Violation> {
        (**self).step_domains(domains)
    }

    fn cycles(&self) -> u64 {
        (**self).cycles()
    }

    fn trace(&mut self, file: &std::path::Path) -> std::io::Result<()> {
        (**self).trace(file)
    }
}
