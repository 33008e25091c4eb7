//! Documentation and source locations as comments.

use super::layout::COLUMNS;
use crate::ir::Loc;

/// Words that tools take for an instruction at the start of a comment.
const INSTRUCTIONS: [&str; 8] =
    ["verilator", "synopsys", "synthesis", "verilog_lint", "pragma", "cadence", "ambit", "translate_off"];

/// The lines of `doc` as comments, indented by `indent`. Paragraphs are filled anew; lists, tables and drawings stay as
/// they are.
pub(super) fn comment(doc: &str, indent: usize) -> Vec<String> {
    let margin = " ".repeat(indent);
    let columns = COLUMNS - indent - 3;
    let mut lines: Vec<String> = vec![];
    let mut paragraph = String::new();
    let mut drawing = false;
    for line in doc.trim_end().lines() {
        let line = plain(line.trim_end().trim_end_matches('\\'));
        let line = line.as_str();
        let fence = line.trim_start().starts_with("```");
        if !drawing && !fence && is_prose(line) {
            for word in line.split_whitespace() {
                let longer = paragraph.chars().count() + 1 + word.chars().count();
                if !paragraph.is_empty() && longer > columns {
                    lines.push(std::mem::take(&mut paragraph));
                }
                if !paragraph.is_empty() {
                    paragraph.push(' ');
                }
                paragraph.push_str(word);
            }
            continue;
        }
        if !paragraph.is_empty() {
            lines.push(std::mem::take(&mut paragraph));
        }
        if fence {
            drawing = !drawing;
        } else {
            lines.push(line.to_string());
        }
    }
    if !paragraph.is_empty() {
        lines.push(paragraph);
    }
    let finish = |line: String| {
        let first = line.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        let instruction = INSTRUCTIONS.contains(&first.to_lowercase().as_str());
        let mark = if instruction { "// - " } else { "// " };
        format!("{margin}{mark}{line}").trim_end().to_string()
    };
    lines.into_iter().map(finish).collect()
}

/// A line without the brackets of rustdoc's links.
fn plain(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(start) = rest.find("[`") {
        let Some(end) = rest[start..].find("`]") else { break };
        out.push_str(&rest[..start]);
        out.push_str(&rest[start + 1..start + end + 1]);
        rest = &rest[start + end + 2..];
        if let (true, Some(close)) = (rest.starts_with('('), rest.find(')')) {
            rest = &rest[close + 1..];
        }
    }
    out + rest
}

/// Whether a line belongs to a paragraph that may be filled anew.
fn is_prose(line: &str) -> bool {
    let item = |line: &str| line.split_once(". ").is_some_and(|(n, _)| n.chars().all(|c| c.is_ascii_digit()));
    !line.is_empty() && !line.starts_with([' ', '\t', '-', '*', '|', '#', '+', '>']) && !item(line)
}

/// `fifo.rs:24`
pub(super) fn short(loc: Loc) -> String {
    let file = loc.file().rsplit(['/', '\\']).next().unwrap_or_default();
    format!("{file}:{}", loc.line())
}

/// `rtl/src/prim/fifo.rs:31`
pub(super) fn long(loc: Loc) -> String {
    format!("{}:{}", loc.file().replace('\\', "/"), loc.line())
}

/// Puts `note` behind the last of `lines`, or as a line before them where it does not fit.
pub(super) fn annotate(lines: &mut Vec<String>, note: &str) {
    let Some(last) = lines.last_mut() else { return };
    if last.chars().count() + note.chars().count() + 5 <= COLUMNS {
        last.push_str(&format!("  // {note}"));
    } else {
        let margin: String = last.chars().take_while(|c| *c == ' ').collect();
        let first = lines[0].chars().take_while(|c| *c == ' ').count().min(margin.len());
        lines.insert(0, format!("{}// {note}", &margin[..first]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_prose_and_keeps_the_rest() {
        let doc = "One [`two`](a::b)\nthree.\n\n- a\n- b\n\n```text\n a ─► b\n```\nVerilator wants\\\n";
        let lines =
            ["// One `two` three.", "//", "// - a", "// - b", "//", "//  a ─► b", "// - Verilator wants"];
        assert_eq!(comment(doc, 0), lines);
        assert!(comment(&"word ".repeat(60), 4).iter().all(|line| line.len() <= COLUMNS));
        assert!(comment("", 4).is_empty());
    }

    #[test]
    fn notes_stay_within_the_columns() {
        let mut lines = vec![format!("    {}", "x".repeat(80))];
        annotate(&mut lines, "a.rs:1");
        assert_eq!(lines.len(), 1);
        annotate(&mut lines, "a.rs:1");
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0], "    // a.rs:1");
    }
}
