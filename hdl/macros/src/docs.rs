//! The text of `///` comments.

use syn::{Attribute, Expr, ExprLit, Lit, Meta};

pub fn is_doc(attribute: &Attribute) -> bool {
    attribute.path().is_ident("doc")
}

/// In one line.
pub fn sentence(attributes: &[Attribute]) -> String {
    let lines = lines(attributes);
    let words: Vec<&str> = lines.iter().map(|line| line.trim()).filter(|line| !line.is_empty()).collect();
    words.join(" ")
}

/// With its line breaks and paragraphs.
pub fn text(attributes: &[Attribute]) -> String {
    let lines = lines(attributes);
    let lines: Vec<&str> =
        lines.iter().map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end()).collect();
    lines.join("\n").trim_matches('\n').to_string()
}

fn lines(attributes: &[Attribute]) -> Vec<String> {
    let mut out = vec![];
    for attribute in attributes.iter().filter(|attribute| is_doc(attribute)) {
        if let Meta::NameValue(doc) = &attribute.meta
            && let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &doc.value
        {
            out.extend(text.value().split('\n').map(str::to_string));
        }
    }
    out
}
