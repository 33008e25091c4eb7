//! The named configurations, and what follows from them.

use hdl::clog2;

/// Parameters of an adapter. The three named ones are [`Config::small`], [`Config::x3100`] and [`Config::wide`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub name: &'static str,
    /// Wire ports: 1 or 2.
    pub wires: usize,
    /// Virtual functions; the manager and the physical function come on top. As many as make 64 functions in all.
    pub vfs: usize,
    /// Bytes of a beat: 8, 16 or 32.
    pub bytes: usize,
    /// Entries of the table of MAC addresses: a power of two, 16 to 4096.
    pub entries: usize,
    /// Cells of the packet buffer: a power of two, 16 to 65536.
    pub cells: usize,
    /// The clock in kHz, which rates are counted with: a multiple of 125, 1000 to 1000000.
    pub clock_khz: usize,
    /// Queue pairs of a network function: 1, 2 or 4.
    pub pairs: usize,
    /// Descriptors of a queue that are kept on chip: a power of two, 8 to 64. Half of them are fetched at once.
    pub prefetch: usize,
    pub vf_places: VfPlaces,
}

/// Where virtual functions are among the routing IDs: First VF Offset and VF Stride (9.3.3.9, 9.3.3.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VfPlaces {
    /// One behind the other: behind the manager as long as all have a place on the physical function's device or with ARI on
    /// its bus, else on the next bus. 2 or 256, and 1.
    Compact,
    /// Each is function 0 of a device of its own, from device 1 on; beyond device 31 on the next bus. 8 and 8, with ARI and
    /// without.
    Slots,
}

/// Beats of a cell of the packet buffer.
pub const CELL_BEATS: usize = 8;

/// The longest frame that the bridge forwards, without FCS: an MTU of 9600 bytes, the header and two tags.
pub const MAX_FRAME: usize = 9600 + 14 + 8;

impl Config {
    /// For boards: 64 bit, one wire, manager, PF and three VFs.
    pub fn small() -> Config {
        Config {
            name: "small",
            wires: 1,
            vfs: 3,
            bytes: 8,
            entries: 256,
            cells: 1024,
            clock_khz: 156_250,
            pairs: 2,
            prefetch: 16,
            vf_places: VfPlaces::Compact,
        }
    }

    /// The class of the Neterion X3100: 128 bit, two wires, manager, PF and 16 VFs.
    pub fn x3100() -> Config {
        Config {
            name: "x3100",
            wires: 2,
            vfs: 16,
            bytes: 16,
            entries: 512,
            cells: 4096,
            clock_khz: 250_000,
            pairs: 4,
            prefetch: 32,
            vf_places: VfPlaces::Compact,
        }
    }

    /// As [`Config::x3100`] with 256 bit.
    pub fn wide() -> Config {
        Config { name: "wide", bytes: 32, cells: 2048, ..Config::x3100() }
    }

    pub fn all() -> [Config; 3] {
        [Config::small(), Config::x3100(), Config::wide()]
    }

    pub fn by_name(name: &str) -> Option<Config> {
        Config::all().into_iter().find(|config| config.name == name)
    }

    /// Wire ports and functions.
    pub fn ports(&self) -> usize {
        self.wires + self.functions()
    }

    /// The manager, the physical function and the virtual functions.
    pub fn functions(&self) -> usize {
        2 + self.vfs
    }

    /// The port of the manager; the wires come before it, the other functions behind it.
    pub fn manager(&self) -> usize {
        self.wires
    }

    /// The function whose port of the bridge has this place behind the wires: first the manager, function 1, then the physical
    /// function 0, then the others in their order. Likewise the place of a function.
    pub const fn function_at(&self, place: usize) -> usize {
        match place {
            0 => 1,
            1 => 0,
            other => other,
        }
    }

    /// The ports in their order: wires, manager, physical function, virtual functions.
    pub fn port_names(&self) -> Vec<String> {
        let wires = (0..self.wires).map(|i| format!("wire{i}"));
        let functions = ["manager".to_string(), "pf".to_string()];
        let vfs = (0..self.vfs).map(|i| format!("vf{i}"));
        wires.chain(functions).chain(vfs).collect()
    }

    /// Bits of a port number.
    pub fn port_bits(&self) -> usize {
        clog2(self.ports())
    }

    /// Bits of a cell number.
    pub fn cell_bits(&self) -> usize {
        clog2(self.cells)
    }

    /// Bytes of a cell of the packet buffer.
    pub fn cell_bytes(&self) -> usize {
        CELL_BEATS * self.bytes
    }

    /// Bits of a number of cells, up to all of them.
    pub fn cell_count_bits(&self) -> usize {
        self.cell_bits() + 1
    }

    /// Beats that the header of a frame with two tags (22 bytes) takes.
    pub fn header_beats(&self) -> usize {
        22usize.div_ceil(self.bytes)
    }

    /// Whether the parameters are in their ranges; the message names the one that is not.
    pub fn check(&self) -> Result<(), String> {
        let power = |what: &str, value: usize, low: usize, high: usize| match value.is_power_of_two()
            && (low..=high).contains(&value)
        {
            true => Ok(()),
            false => Err(format!("{what}: {value} is not a power of two from {low} to {high}")),
        };
        if !(1..=2).contains(&self.wires) {
            return Err(format!("wires: {} is not 1 or 2", self.wires));
        }
        if self.functions() > 64 {
            return Err(format!("vfs: {} make {} functions, more than 64", self.vfs, self.functions()));
        }
        if !(1000..=1_000_000).contains(&self.clock_khz) || !self.clock_khz.is_multiple_of(125) {
            return Err(format!(
                "clock_khz: {} is not a multiple of 125 from 1000 to 1000000",
                self.clock_khz
            ));
        }
        power("pairs", self.pairs, 1, 4)?;
        power("prefetch", self.prefetch, 8, 64)?;
        power("bytes", self.bytes, 8, 32)?;
        power("entries", self.entries, 16, 4096)?;
        power("cells", self.cells, 16, 65536)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_configurations() {
        for config in Config::all() {
            assert_eq!(config.check(), Ok(()));
            assert_eq!(config.port_names().len(), config.ports());
            assert_eq!(Config::by_name(config.name), Some(config));
        }
        assert_eq!(Config::by_name("large"), None);
        assert_eq!(Config::small().port_names(), ["wire0", "manager", "pf", "vf0", "vf1", "vf2"]);
        assert_eq!([8, 16, 32].map(|bytes| Config { bytes, ..Config::small() }.header_beats()), [3, 2, 1]);
    }

    #[test]
    fn parameters_out_of_range() {
        let small = Config::small();
        assert!(Config { wires: 3, ..small.clone() }.check().unwrap_err().contains("wires"));
        assert!(Config { bytes: 12, ..small.clone() }.check().unwrap_err().contains("bytes"));
        assert!(Config { vfs: 63, ..small.clone() }.check().unwrap_err().contains("vfs"));
        assert!(Config { cells: 1000, ..small.clone() }.check().unwrap_err().contains("cells"));
        assert!(Config { clock_khz: 156_200, ..small.clone() }.check().unwrap_err().contains("clock_khz"));
        assert!(Config { pairs: 3, ..small.clone() }.check().unwrap_err().contains("pairs"));
        assert!(Config { prefetch: 4, ..small.clone() }.check().unwrap_err().contains("prefetch"));
        assert!(Config { entries: 8, ..small }.check().unwrap_err().contains("entries"));
    }
}
