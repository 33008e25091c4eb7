//! Names and documentation from the Rust source: what the attribute `#[hdl]` calls.

use crate::{
    context::{try_with, with},
    data::Data,
    ir::*,
    names::{self, join},
    types::Owner,
};

/// While it lives, what is made is named after a `let`.
#[must_use]
pub struct Scope(bool);

/// Opens the scope of a `let` with its documentation.
pub fn scope(name: &str, doc: &str) -> Scope {
    with(|context| match context.stack.last_mut() {
        Some(frame) => {
            frame.scopes.push((name.to_string(), doc.to_string()));
            Scope(true)
        }
        None => Scope(false),
    })
}

impl Drop for Scope {
    fn drop(&mut self) {
        if self.0 {
            try_with(|context| {
                if let Some(frame) = context.stack.last_mut() {
                    frame.scopes.pop();
                }
            });
        }
    }
}

/// While it lives, the next module takes its documentation from here.
#[must_use]
pub struct DocGuard(());

/// Holds the documentation of a generator function ready for the module that it makes.
pub fn module_doc(text: &str) -> DocGuard {
    with(|context| context.pending_docs.push(Some(text.to_string())));
    DocGuard(())
}

impl Drop for DocGuard {
    fn drop(&mut self) {
        try_with(|context| {
            context.pending_docs.pop();
        });
    }
}

/// Names `value` if it is made of signals; see [`NotData`] for the rest.
pub struct Tag<'a, T>(pub &'a T);

/// What method resolution finds for values that are not [`Data`]: they need no name.
pub trait NotData {
    fn hdl_name(&self, _name: &str, _doc: &str) {}
}

impl<T> NotData for Tag<'_, T> {}

impl<T: Data> Tag<'_, T> {
    pub fn hdl_name(&self, name: &str, doc: &str) {
        name_value(self.0, name, doc);
    }
}

/// Names the leaves of `value` that are unnamed expressions of the current module.
pub(crate) fn name_value<T: Data>(value: &T, name: &str, doc: &str) {
    for (place, leaf) in value.leaves() {
        with(|context| {
            let Owner::Module(home) = leaf.owner else { return };
            let Some(frame) = context.stack.last_mut().filter(|frame| frame.home == home) else { return };
            let expr = &frame.module.exprs[leaf.id as usize];
            if !expr.name.is_empty() || matches!(expr.op, Op::Literal(_) | Op::Variant(..) | Op::Signal(_)) {
                return;
            }
            let scopes = frame.scopes.iter().map(|scope| scope.0.as_str());
            let path: Vec<&str> = scopes.chain([name, place.path.as_str()]).collect();
            let full = path.into_iter().fold(String::new(), |path, part| join(&path, part));
            let full = names::unique(&mut frame.taken, &full, "");
            let expr = &mut frame.module.exprs[leaf.id as usize];
            expr.name = full;
            expr.doc = if doc.is_empty() { place.doc } else { doc.to_string() };
        });
    }
}
