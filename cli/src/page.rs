//! Pages of docs/ with parts that commands write.

use crate::error::Error;
use std::fs;
use std::path::Path;

/// Whether a page has room for these sections: each between `<!-- begin NAME -->` and `<!-- end NAME -->`, each a line.
///
/// # Errors
/// The file cannot be read, or lacks a mark.
pub fn check(path: &Path, names: &[String]) -> Result<(), Error> {
    let page = read(path)?;
    names.iter().try_for_each(|name| replaced(path, &page, name, "").map(|_| ()))
}

/// Writes each text into its section.
///
/// # Errors
/// The file cannot be read or written, or lacks a mark; it is then as it was.
pub fn write(path: &Path, sections: &[(String, String)]) -> Result<(), Error> {
    let mut page = read(path)?;
    for (name, text) in sections {
        page = replaced(path, &page, name, text)?;
    }
    fs::write(path, page).map_err(|source| Error::Write { path: path.to_owned(), source })
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })
}

fn replaced(path: &Path, page: &str, name: &str, text: &str) -> Result<String, Error> {
    let (begin, end) = (format!("<!-- begin {name} -->\n"), format!("<!-- end {name} -->\n"));
    let parts = page.split_once(&begin).and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let (before, after) =
        parts.ok_or_else(|| Error::NoMarks { path: path.to_owned(), name: name.to_owned() })?;
    Ok([before, &begin, "\n", text, "\n", &end, after].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_changes() {
        let page = "a\n<!-- begin x -->\nold\n<!-- end x -->\nb\n";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.md");
        fs::write(&path, page).unwrap();
        let section = |name: &str| (name.to_owned(), "| new |\n".to_owned());
        let error = write(&path, &[section("x"), section("y")]).unwrap_err().to_string();
        assert!(error.ends_with("page.md: has no lines `<!-- begin y -->` and `<!-- end y -->`"), "{error}");
        assert_eq!(check(&path, &["y".to_owned()]).unwrap_err().to_string(), error);
        assert_eq!(fs::read_to_string(&path).unwrap(), page);
        for _ in 0..2 {
            write(&path, &[section("x")]).unwrap();
            let expected = "a\n<!-- begin x -->\n\n| new |\n\n<!-- end x -->\nb\n";
            assert_eq!(fs::read_to_string(&path).unwrap(), expected);
        }
    }
}
