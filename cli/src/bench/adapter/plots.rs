//! The measurements as plots.

use super::{Measured, Rate, Way};
use crate::error::Error;
use sim::report::by_size;
use std::{fs, path::Path};

/// Writes `<configuration>-frames.svg` and `<configuration>-bytes.svg`.
///
/// # Errors
/// The directory cannot be written.
pub fn write(directory: &Path, measured: &Measured) -> Result<(), Error> {
    let name = measured.config.name;
    let files =
        [(format!("{name}-frames.svg"), frames(measured)), (format!("{name}-bytes.svg"), bytes(measured))];
    fs::create_dir_all(directory).map_err(|source| Error::Write { path: directory.to_owned(), source })?;
    for (file, svg) in files {
        let path = directory.join(file);
        fs::write(&path, svg).map_err(|source| Error::Write { path, source })?;
    }
    Ok(())
}

/// Rates of all functions with packed rings, with what limits them.
fn frames(measured: &Measured) -> String {
    let most = measured.rates.iter().map(|rate| rate.functions).max().unwrap_or(0);
    let curve = |name: &str, way: Way, value: &dyn Fn(&Rate) -> f64| {
        let own = measured.rates.iter().filter(|it| it.packed && it.functions == most && it.way == way);
        (name.to_owned(), own.map(|rate| (rate.bytes, value(rate) / 1e6)).collect::<Vec<_>>())
    };
    let curves = vec![
        curve("the wire's limit", Way::Both, &|rate| rate.limits[0]),
        curve("wire to functions", Way::Receive, &|rate| rate.rates[0]),
        curve("functions to wire", Way::Transmit, &|rate| rate.rates[1]),
        curve("both at once: received", Way::Both, &|rate| rate.rates[0]),
        curve("both at once: sent", Way::Both, &|rate| rate.rates[1]),
        curve("between functions, limit", Way::Bridge, &|rate| rate.limits[2]),
        curve("between functions", Way::Bridge, &|rate| rate.rates[2]),
    ];
    let title = format!("Frames in a second, configuration {}", measured.config.name);
    by_size(&title, &format!("{most} functions, packed rings"), "million frames/s", curves)
}

/// Bytes on the link for a frame each way.
fn bytes(measured: &Measured) -> String {
    let mut curves = vec![];
    for (packed, ring) in [(true, "packed"), (false, "split")] {
        for (at, way) in ["to the host", "from the host"].into_iter().enumerate() {
            let own = || measured.costs.iter().filter(|cost| cost.packed == packed);
            let points = own().map(|cost| (cost.bytes, cost.measured[at])).collect();
            let model = own().map(|cost| (cost.bytes, cost.model[at])).collect();
            curves.push((format!("{ring}, {way}"), points));
            curves.push((format!("{ring}, {way}: model"), model));
        }
    }
    let title = format!("Bytes on the link, configuration {}", measured.config.name);
    by_size(&title, "a frame from memory and one into it, batches of 16", "bytes", curves)
}
