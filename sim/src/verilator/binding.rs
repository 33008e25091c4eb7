//! The loaded library of a model: the only place where Rust meets the memory and the functions of C++.

use super::error::VerilatorError;
use hdl::interface::Interface;
use libloading::Library;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;

/// The value of a port, clock or reset inside the model, in the type that Verilator chose for its width.
#[derive(Clone, Copy)]
enum Slot {
    Byte(*mut u8, u8),
    Short(*mut u16, u16),
    Word(*mut u32, u32),
    Quad(*mut u64, u64),
    /// Words of 32 bits, their number, and which bits of the last one are used.
    Wide(*mut u32, usize, u32),
    /// The design has no such signal.
    Absent,
}

impl Slot {
    fn new(address: *mut c_void, width: u32) -> Slot {
        let mask = u64::MAX >> (64 - (width - 1) % 64 - 1);
        match width {
            _ if address.is_null() => Slot::Absent,
            ..9 => Slot::Byte(address.cast(), mask as u8),
            9..17 => Slot::Short(address.cast(), mask as u16),
            17..33 => Slot::Word(address.cast(), mask as u32),
            33..65 => Slot::Quad(address.cast(), mask),
            _ => Slot::Wide(address.cast(), width.div_ceil(32) as usize, u32::MAX >> (31 - (width - 1) % 32)),
        }
    }
}

type Instance = *mut c_void;

/// The functions of `shim/model.cpp`.
struct Functions {
    delete: unsafe extern "C" fn(Instance),
    settle: unsafe extern "C" fn(Instance) -> bool,
    step: unsafe extern "C" fn(Instance, *const usize, usize) -> bool,
    text: unsafe extern "C" fn(Instance) -> *const c_char,
    trace: unsafe extern "C" fn(Instance, *const c_char) -> bool,
    coverage: unsafe extern "C" fn(Instance, *const c_char) -> bool,
}

/// One instance of a model, and the library that it needs.
pub(super) struct Model {
    instance: Instance,
    functions: Functions,
    /// Ports of the interface, then clock and reset of each domain.
    slots: Vec<Slot>,
    /// Unloaded after the instance is gone: fields are dropped after `Drop::drop`.
    _library: Library,
}

// SAFETY: an instance has a Verilator context of its own, which the shim makes the calling thread's at every call, and
// the statics of the runtime are behind locks or per thread. Nothing in an instance depends on the thread that made it.
unsafe impl Send for Model {}

impl Model {
    /// Loads the library at `path`, which was built for `interface`, and makes an instance.
    pub(super) fn load(
        path: &Path,
        interface: &Interface,
        seed: Option<u64>,
    ) -> Result<Model, VerilatorError> {
        let failed = |source| VerilatorError::Load { path: path.to_owned(), source };
        // SAFETY: the library comes from the cache under a hash of all that it was built from, so it is a model of ours;
        // the constructors of its runtime have no demands.
        let library = unsafe { Library::new(path) }.map_err(failed)?;
        // SAFETY: the types are those of the functions in `shim/model.cpp`, whose text is part of the hash.
        let (new, port, functions) = unsafe {
            let new: unsafe extern "C" fn(c_int) -> Instance =
                *library.get(b"hematite_new\0").map_err(failed)?;
            let port: unsafe extern "C" fn(Instance, usize) -> *mut c_void =
                *library.get(b"hematite_port\0").map_err(failed)?;
            let functions = Functions {
                delete: *library.get(b"hematite_delete\0").map_err(failed)?,
                settle: *library.get(b"hematite_settle\0").map_err(failed)?,
                step: *library.get(b"hematite_step\0").map_err(failed)?,
                text: *library.get(b"hematite_text\0").map_err(failed)?,
                trace: *library.get(b"hematite_trace\0").map_err(failed)?,
                coverage: *library.get(b"hematite_coverage\0").map_err(failed)?,
            };
            (new, port, functions)
        };
        // SAFETY: `new` takes any seed.
        let instance = unsafe { new(seed.map_or(0, seed_of)) };
        let mut model = Model { instance, functions, slots: Vec::new(), _library: library };
        model
            .settle()
            .map_err(|message| VerilatorError::Start { module: interface.name.clone(), message })?;
        let widths = interface.ports.iter().map(|port| port.width);
        let widths = widths.chain(interface.domains.iter().flat_map(|_| [1, 1]));
        // SAFETY: the instance is alive and whole, for it has settled.
        let slot = |(index, width)| Slot::new(unsafe { port(instance, index) }, width);
        model.slots = widths.enumerate().map(slot).collect();
        Ok(model)
    }

    /// Sets a signal; returns whether that changes it. No effect where the design has no such signal.
    #[inline]
    pub(super) fn write(&mut self, index: usize, value: &[u64]) -> bool {
        // SAFETY: an address is that of a member of the living instance, whose type follows from the width as in
        // `Slot::new`: `ports::check` has compared the widths with the class that was compiled. `&mut self` keeps
        // everybody else away.
        unsafe {
            match self.slots[index] {
                Slot::Byte(at, mask) => at.replace(value[0] as u8 & mask) != *at,
                Slot::Short(at, mask) => at.replace(value[0] as u16 & mask) != *at,
                Slot::Word(at, mask) => at.replace(value[0] as u32 & mask) != *at,
                Slot::Quad(at, mask) => at.replace(value[0] & mask) != *at,
                Slot::Wide(at, words, mask) => {
                    let mut changed = false;
                    for i in 0..words {
                        let word = (value[i / 2] >> (32 * (i % 2))) as u32;
                        let word = if i + 1 == words { word & mask } else { word };
                        changed |= at.add(i).replace(word) != word;
                    }
                    changed
                }
                Slot::Absent => false,
            }
        }
    }

    /// The value of a signal as of the last evaluation; 0 where the design has no such signal.
    #[inline]
    pub(super) fn read(&self, index: usize, value: &mut [u64]) {
        // SAFETY: as in `write`; nothing writes while `self` is borrowed.
        unsafe {
            match self.slots[index] {
                Slot::Byte(at, _) => value[0] = u64::from(*at),
                Slot::Short(at, _) => value[0] = u64::from(*at),
                Slot::Word(at, _) => value[0] = u64::from(*at),
                Slot::Quad(at, _) => value[0] = *at,
                Slot::Wide(at, words, _) => {
                    for (i, limb) in value[..words.div_ceil(2)].iter_mut().enumerate() {
                        let high = if 2 * i + 1 < words { *at.add(2 * i + 1) } else { 0 };
                        *limb = u64::from(high) << 32 | u64::from(*at.add(2 * i));
                    }
                }
                Slot::Absent => value[0] = 0,
            }
        }
    }

    /// Computes all outputs from the inputs as they are.
    pub(super) fn settle(&mut self) -> Result<(), String> {
        // SAFETY: the instance is alive until `self` is dropped.
        let fine = unsafe { (self.functions.settle)(self.instance) };
        self.result(fine)
    }

    /// Raises the clocks of the domains at one instant, and lowers them.
    #[inline]
    pub(super) fn step(&mut self, domains: &[usize]) -> Result<(), String> {
        // SAFETY: as in `settle`; the shim reads `domains.len()` numbers at the pointer, whatever their values.
        let fine = unsafe { (self.functions.step)(self.instance, domains.as_ptr(), domains.len()) };
        self.result(fine)
    }

    /// Writes a waveform to `file` from here on.
    pub(super) fn trace(&mut self, file: &Path) -> Result<(), String> {
        let file = c_path(file)?;
        // SAFETY: as in `settle`; the path ends with a zero and is copied.
        let fine = unsafe { (self.functions.trace)(self.instance, file.as_ptr()) };
        self.result(fine)
    }

    /// Writes the coverage counters to `file`.
    pub(super) fn coverage(&mut self, file: &Path) -> Result<(), String> {
        let file = c_path(file)?;
        // SAFETY: as in `settle`; the path ends with a zero and is copied.
        let fine = unsafe { (self.functions.coverage)(self.instance, file.as_ptr()) };
        self.result(fine)
    }

    #[inline]
    fn result(&self, fine: bool) -> Result<(), String> {
        if fine { Ok(()) } else { Err(self.objection()) }
    }

    #[cold]
    fn objection(&self) -> String {
        // SAFETY: the text ends with a zero and stays until the next call on the instance.
        let text = unsafe { CStr::from_ptr((self.functions.text)(self.instance)) };
        readable(&text.to_string_lossy())
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: the instance came from `hematite_new`, and nothing uses it after this.
        unsafe { (self.functions.delete)(self.instance) }
    }
}

/// Verilator's seed: neither 0, which would be no seed, nor negative.
fn seed_of(seed: u64) -> c_int {
    let limit = c_int::MAX as u64;
    (seed % limit) as c_int + 1
}

fn c_path(file: &Path) -> Result<CString, String> {
    CString::new(file.as_os_str().as_encoded_bytes()).map_err(|_| "a path cannot contain a zero byte".into())
}

/// Turns `[35] %Error: fifo.v:12: Assertion failed in top.fifo.no_overflow: 'assert' failed.` into
/// `top.fifo.no_overflow: 'assert' failed (fifo.v:12)`, line by line.
fn readable(text: &str) -> String {
    let line = |line: &str| {
        let after_time =
            line.split_once("] ").filter(|_| line.starts_with('[')).map_or(line, |(_, rest)| rest);
        let message = after_time.trim_start_matches("%Error: ").trim_end_matches('.');
        match message.split_once(": Assertion failed in ") {
            Some((place, what)) => format!("{} ({place})", what.trim_start_matches('.')),
            None => message.to_owned(),
        }
    };
    text.lines().filter(|text| !text.is_empty()).map(line).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objections_name_the_assertion_first() {
        assert_eq!(
            readable(
                "[35] %Error: a.v:12: Assertion failed in top.u.full: 'assert' failed.\na.v:3: $finish\n"
            ),
            "top.u.full: 'assert' failed (a.v:12); a.v:3: $finish"
        );
    }

    #[test]
    fn seeds_are_positive_and_differ() {
        assert_eq!([0, 1, u64::MAX].map(seed_of).map(|seed| seed > 0), [true; 3]);
        assert_ne!(seed_of(0), seed_of(1));
    }
}
