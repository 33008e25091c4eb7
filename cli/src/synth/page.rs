//! The page of docs/ that shows what blocks came to.

use super::{Measured, mhz};

/// The blocks as a table in Markdown.
pub fn table(measured: &[Measured]) -> String {
    let mut out = String::from(
        "| block | LUT | flip-flops | LUT RAM | block RAM | MHz | lowest to highest |\n|---|---|---|---|---|---|---|\n",
    );
    for Measured { name, report } in measured {
        let rates = || report.seeds.iter().filter_map(|seed| seed.fmax);
        let (lowest, highest) = (rates().min_by(f64::total_cmp), rates().max_by(f64::total_cmp));
        let area = &report.area;
        out += &format!(
            "| `{name}` | {} | {} | {} | {} | {} | {} to {} |\n",
            area.lut,
            area.ff,
            area.lutram,
            area.bram,
            mhz(report.fmax_median),
            mhz(lowest),
            mhz(highest)
        );
    }
    out
}
