//! The page of docs/ that shows what blocks came to.

use super::{Measured, mhz};
use crate::error::Error;
use std::fs;
use std::path::Path;

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

/// Writes each text between its marks in a page: `<!-- begin NAME -->` and `<!-- end NAME -->`, each a line.
///
/// # Errors
/// The file cannot be read or written, or lacks a mark; it is then as it was.
pub fn write(path: &Path, sections: &[(&str, String)]) -> Result<(), Error> {
    let read = |source| Error::Read { path: path.to_owned(), source };
    let mut page = fs::read_to_string(path).map_err(read)?;
    for (name, text) in sections {
        page = replaced(&page, name, text)
            .ok_or_else(|| Error::NoMarks { path: path.to_owned(), name: (*name).to_owned() })?;
    }
    fs::write(path, page).map_err(|source| Error::Write { path: path.to_owned(), source })
}

fn replaced(page: &str, name: &str, text: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- begin {name} -->\n"), format!("<!-- end {name} -->\n"));
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some([before, &begin, "\n", text, "\n", &end, after].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_changes() {
        let page = "a\n<!-- begin x -->\nold\n<!-- end x -->\nb\n";
        let new = replaced(page, "x", "| new |\n").unwrap();
        assert_eq!(new, "a\n<!-- begin x -->\n\n| new |\n\n<!-- end x -->\nb\n");
        assert_eq!(replaced(&new, "x", "| new |\n"), Some(new.clone()));
        assert_eq!(replaced(page, "y", ""), None);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.md");
        fs::write(&path, page).unwrap();
        let sections = [("x", "new\n".to_owned()), ("y", String::new())];
        let error = write(&path, &sections).unwrap_err();
        assert!(error.to_string().ends_with("page.md: has no lines `<!-- begin y -->` and `<!-- end y -->`"));
        assert_eq!(fs::read_to_string(&path).unwrap(), page);
    }
}
