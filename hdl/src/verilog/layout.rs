//! Breaks long text into lines of at most [`COLUMNS`], after Wadler's "A prettier printer".

pub(super) const COLUMNS: usize = 100;
const STEP: usize = 4;

#[derive(Clone, Debug)]
pub(super) enum Doc {
    Text(String),
    /// A space, or a new line in a group that is broken.
    Line,
    /// Nothing, or a new line in a group that is broken.
    Soft,
    /// A new line in any case.
    Hard,
    List(Vec<Doc>),
    /// On one line if that fits.
    Group(Box<Doc>),
    /// New lines inside are indented once more.
    Nest(Box<Doc>),
    /// Pieces with a space or a new line between them, as many on a line as fit.
    Fill(Vec<Doc>),
}

pub(super) fn text(text: impl Into<String>) -> Doc {
    Doc::Text(text.into())
}

pub(super) fn group(docs: Vec<Doc>) -> Doc {
    Doc::Group(Box::new(Doc::List(docs)))
}

pub(super) fn nest(docs: Vec<Doc>) -> Doc {
    Doc::Nest(Box::new(Doc::List(docs)))
}

/// `doc` with `suffix` behind it.
pub(super) fn append(doc: Doc, suffix: &str) -> Doc {
    Doc::List(vec![doc, text(suffix)])
}

impl Doc {
    /// Columns it takes on one line.
    pub fn width(&self) -> usize {
        match self {
            Doc::Text(text) => text.chars().count(),
            Doc::Line => 1,
            Doc::Soft => 0,
            Doc::Hard => COLUMNS,
            Doc::List(docs) => docs.iter().map(Doc::width).sum(),
            Doc::Group(doc) | Doc::Nest(doc) => doc.width(),
            Doc::Fill(docs) => docs.iter().map(Doc::width).sum::<usize>() + docs.len().saturating_sub(1),
        }
    }

    /// Columns up to the first place where a line may end, and whether there is one.
    fn head(&self) -> (usize, bool) {
        match self {
            Doc::Text(text) => (text.chars().count(), false),
            Doc::Line | Doc::Soft | Doc::Hard => (0, true),
            Doc::List(docs) => head_of(docs),
            Doc::Group(doc) | Doc::Nest(doc) => doc.head(),
            Doc::Fill(docs) => match docs.as_slice() {
                [] => (0, false),
                [only] => only.head(),
                [first, ..] => (first.head().0, true),
            },
        }
    }

    /// The lines of this text, the first one and all others indented by `indent`.
    pub fn lines(&self, indent: usize) -> Vec<String> {
        let mut printer = Printer { lines: vec![" ".repeat(indent)], column: indent };
        printer.write(self, indent, false, 0);
        printer.lines
    }
}

fn head_of(docs: &[Doc]) -> (usize, bool) {
    let mut sum = 0;
    for doc in docs {
        let (width, ends) = doc.head();
        sum += width;
        if ends {
            return (sum, true);
        }
    }
    (sum, false)
}

struct Printer {
    lines: Vec<String>,
    column: usize,
}

impl Printer {
    fn text(&mut self, text: &str) {
        self.lines.last_mut().expect("there is a line").push_str(text);
        self.column += text.chars().count();
    }

    fn new_line(&mut self, indent: usize) {
        let line = self.lines.last_mut().expect("there is a line");
        line.truncate(line.trim_end().len());
        self.lines.push(" ".repeat(indent));
        self.column = indent;
    }

    /// `tail`: columns of what follows on the same line in any case.
    fn write(&mut self, doc: &Doc, indent: usize, flat: bool, tail: usize) {
        match doc {
            Doc::Text(text) => self.text(text),
            Doc::Line if flat => self.text(" "),
            Doc::Soft if flat => {}
            Doc::Line | Doc::Soft | Doc::Hard => self.new_line(indent),
            Doc::List(docs) => {
                for (i, doc) in docs.iter().enumerate() {
                    let (width, ends) = head_of(&docs[i + 1..]);
                    self.write(doc, indent, flat, if ends { width } else { width + tail });
                }
            }
            Doc::Group(inner) => {
                let fits = self.column + inner.width() + tail <= COLUMNS;
                self.write(inner, indent, flat || fits, tail);
            }
            Doc::Nest(inner) => self.write(inner, indent + STEP, flat, tail),
            Doc::Fill(docs) => {
                for (i, doc) in docs.iter().enumerate() {
                    let tail = if i + 1 == docs.len() { tail } else { 0 };
                    let fits = |column: usize| column + doc.width() + tail <= COLUMNS;
                    if i > 0 {
                        if flat || fits(self.column + 1) { self.text(" ") } else { self.new_line(indent) }
                    }
                    let fits = fits(self.column);
                    self.write(doc, indent, flat || fits, tail);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_the_outer_group_first() {
        let inner = |n: usize| {
            group(vec![
                text("("),
                nest(vec![Doc::Soft, text("x".repeat(n)), Doc::Line, text("y")]),
                text(")"),
            ])
        };
        let doc = |n: usize| group(vec![text("target ="), nest(vec![Doc::Line, inner(n)]), text(";")]);
        assert_eq!(doc(3).lines(0), ["target = (xxx y);"]);
        assert_eq!(doc(86).lines(0).len(), 1);
        assert_eq!(doc(87).lines(0).len(), 2);
        assert_eq!(doc(92).lines(0).len(), 4);
    }

    #[test]
    fn fills_lines() {
        let items: Vec<Doc> = (0..60).map(|i| text(format!("item{i:02},"))).collect();
        let lines = Doc::List(vec![Doc::Fill(items), text("12345")]).lines(8);
        assert_eq!(lines.len(), 6);
        assert!(lines.iter().all(|line| line.len() <= COLUMNS && line.starts_with("        item")));
    }
}
