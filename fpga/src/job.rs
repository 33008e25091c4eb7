//! What to build: the design, what stands around it, the device and the seeds.

/// One module to be built, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Verilog text with the module and everything below it.
    pub verilog: String,
    /// Name of the module to build.
    pub top: String,
    /// What stands around the module.
    pub boundary: Boundary,
    /// The device it is placed in.
    pub device: Device,
    /// The clock rate that placement works towards, in MHz. Missing it is not an error.
    pub frequency: f64,
    /// Seeds of the placer, one run each; at least one.
    pub seeds: Vec<u32>,
}

impl Job {
    /// A job with open ports on the largest ECP5-5G, aiming at what 10 Gb/s Ethernet needs with 64 bits, five seeds.
    pub fn new(verilog: impl Into<String>, top: impl Into<String>) -> Self {
        Self {
            verilog: verilog.into(),
            top: top.into(),
            boundary: Boundary::Open,
            device: Device::UM5G_85,
            frequency: 156.25,
            seeds: (1..=5).collect(),
        }
    }
}

/// What stands around the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Boundary {
    /// Nothing: ports are left open, and paths through them do not count.
    Open,
    /// A register at every port that is not a clock, so that paths through combinational ports count. A clock is an
    /// input of one bit named `clk`, `clk_*` or `*_clk`. All registers run on the first one, and on a clock of their
    /// own when the module has none. Area is that of the module without these registers.
    Registered,
    /// The pins of the package, as the text of a preference file (LPF) says; pins that it does not place are placed
    /// by the tool. An empty text places all of them freely.
    Pins {
        /// Text of the preference file.
        lpf: String,
    },
}

/// A device as nextpnr names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// Family and size: an option of nextpnr-ecp5, without its dashes.
    pub name: &'static str,
    /// Package, which decides how many pins there are.
    pub package: &'static str,
    /// Speed grade; 8 is the fastest.
    pub speed: u8,
}

impl Device {
    /// LFE5UM5G-85F, 84,000 LUTs: what blocks are measured on.
    pub const UM5G_85: Self = Self { name: "um5g-85k", package: "CABGA756", speed: 8 };
    /// LFE5UM5G-45F, 44,000 LUTs: what the `small` adapter has to fit.
    pub const UM5G_45: Self = Self { name: "um5g-45k", package: "CABGA554", speed: 8 };
}
