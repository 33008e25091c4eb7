//! The open FPGA flow: Yosys and nextpnr for Lattice ECP5, both from PyPI.
//!
//! ```no_run
//! use fpga::{Boundary, Flow, Job};
//!
//! let flow = Flow::find(std::path::Path::new("."))?;
//! let mut job = Job::new("module top (...); ... endmodule", "top");
//! job.boundary = Boundary::Registered;
//! let report = flow.run(&job, &|_| ())?;
//! println!("{} LUTs, {:?} MHz", report.area.lut, report.fmax_median);
//! # Ok::<(), fpga::FlowError>(())
//! ```
//!
//! Two numbers say how fast a block is, and they answer different questions. [`Boundary::Open`] leaves its ports
//! unconnected and therefore counts paths from register to register only: this is how public figures of other
//! designs are measured. [`Boundary::Registered`] puts a register on every port, so that a path through a
//! combinational port counts too: this is what a neighbour will see.

mod cache;
mod error;
mod flow;
mod job;
mod report;
mod tools;
mod wrapper;

pub use error::FlowError;
pub use flow::{Flow, Step};
pub use job::{Boundary, Device, Job};
pub use report::{Area, CriticalPath, SeedResult, SynthReport};
pub use tools::Versions;
