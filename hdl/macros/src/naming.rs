//! `#[hdl]`: names and documentation from `let`.
//!
//! `let name = init;` becomes
//! ```text
//! let scope = ::hdl::scope("name", "doc");
//! let name = init;
//! ::core::mem::drop(scope);
//! ::hdl::Tag(&name).hdl_name("name", "doc");
//! ```
//! The `let` itself stays as it was, so that coercions, lifetimes of temporaries and control flow are those of the
//! source. All that is added carries the hygiene of the macro: it clashes with nothing, and lints pass over it.

use crate::docs;
use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote_spanned};
use std::mem::take;
use syn::{
    Attribute, Block, Error, Expr, ExprConst, ExprRepeat, Ident, ImplItem, Item, Local, Pat, PatIdent,
    Result, Signature, Stmt, TraitItem, Type, UnOp,
    ext::IdentExt,
    parse_quote, parse_quote_spanned,
    spanned::Spanned,
    visit_mut::{self, VisitMut},
};

pub fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    if !arguments.is_empty() {
        return Err(Error::new_spanned(arguments, "`#[hdl]` takes no arguments"));
    }
    let mut item: Item = syn::parse2(item)?;
    match &mut item {
        Item::Fn(function) => {
            if let Some(constant) = &function.sig.constness {
                return Err(Error::new_spanned(constant, "a `const fn` cannot describe hardware"));
            }
            name_function(&function.attrs, &mut function.block);
        }
        Item::Impl(block) => {
            for item in &mut block.items {
                if let ImplItem::Fn(function) = item
                    && applies(&function.sig, &function.attrs)
                {
                    name_function(&function.attrs, &mut function.block);
                }
            }
        }
        Item::Trait(definition) => {
            for item in &mut definition.items {
                if let TraitItem::Fn(function) = item
                    && let Some(body) = &mut function.default
                    && applies(&function.sig, &function.attrs)
                {
                    name_function(&function.attrs, body);
                }
            }
        }
        other => {
            let message = "`#[hdl]` goes on a function with a body, or on an `impl` or `trait` block";
            return Err(Error::new_spanned(other, message));
        }
    }
    Ok(item.into_token_stream())
}

/// Whether a function of a block is to be treated with it: a `const fn` cannot be, one with its own `#[hdl]` will be.
fn applies(signature: &Signature, attributes: &[Attribute]) -> bool {
    let is_hdl =
        |attribute: &Attribute| attribute.path().segments.last().is_some_and(|last| last.ident == "hdl");
    signature.constness.is_none() && !attributes.iter().any(is_hdl)
}

fn name_function(attributes: &[Attribute], body: &mut Block) {
    let mut names = Names { tags: false };
    names.visit_block_mut(body);
    let mut first: Vec<Stmt> = vec![];
    if names.tags {
        first.push(parse_quote!(
            use ::hdl::NotData as _;
        ));
    }
    let doc = docs::text(attributes);
    if !doc.is_empty() {
        let guard = Ident::new("module_doc", Span::mixed_site());
        first.push(parse_quote!(let #guard = ::hdl::module_doc(#doc);));
    }
    body.stmts.splice(0..0, first);
}

/// Adds the naming to each block it visits.
struct Names {
    /// Whether anything was tagged.
    tags: bool,
}

impl VisitMut for Names {
    fn visit_block_mut(&mut self, block: &mut Block) {
        visit_mut::visit_block_mut(self, block);
        for stmt in take(&mut block.stmts) {
            match stmt {
                Stmt::Local(local) => self.name_local(local, &mut block.stmts),
                other => block.stmts.push(other),
            }
        }
    }

    // Items have an attribute of their own; what follows is evaluated by the compiler.
    fn visit_item_mut(&mut self, _: &mut Item) {}
    fn visit_type_mut(&mut self, _: &mut Type) {}
    fn visit_generic_argument_mut(&mut self, _: &mut syn::GenericArgument) {}
    fn visit_expr_const_mut(&mut self, _: &mut ExprConst) {}
    fn visit_expr_repeat_mut(&mut self, repeat: &mut ExprRepeat) {
        self.visit_expr_mut(&mut repeat.expr);
    }
}

impl Names {
    fn name_local(&mut self, mut local: Local, out: &mut Vec<Stmt>) {
        let doc = docs::sentence(&local.attrs);
        local.attrs.retain(|attribute| !docs::is_doc(attribute));
        let Some(init) = &mut local.init else {
            out.push(Stmt::Local(local));
            return;
        };

        // What stands or falls with the `let`.
        let cfg: Vec<Attribute> = local.attrs.iter().filter(|a| a.path().is_ident("cfg")).cloned().collect();
        let scope = whole(&local.pat).filter(|_| !is_inert(&init.expr)).and_then(name_of);
        let mut bound = vec![];
        if !names_nothing(&init.expr) {
            bindings(&local.pat, &mut bound);
        }
        scope_elements(&local.pat, &mut init.expr, &doc);

        let guard = Ident::new("scope", Span::mixed_site());
        if let Some(name) = &scope {
            out.push(parse_quote!(#(#cfg)* let #guard = ::hdl::scope(#name, #doc);));
        }
        out.push(Stmt::Local(local));
        if scope.is_some() {
            out.push(parse_quote!(#(#cfg)* ::core::mem::drop(#guard);));
        }
        for ident in bound {
            let name = trimmed(&ident);
            let span = Span::mixed_site().located_at(ident.span());
            let tag = quote_spanned!(span => ::hdl::Tag(&#ident).hdl_name(#name, #doc););
            out.push(parse_quote!(#(#cfg)* #tag));
            self.tags = true;
        }
    }
}

/// Gives each element of a tuple or an array that goes to one identifier a scope of its own.
fn scope_elements(pattern: &Pat, init: &mut Expr, doc: &str) {
    match (pattern, init) {
        (Pat::Type(typed), init) => scope_elements(&typed.pat, init, doc),
        (Pat::Paren(inner), init) => scope_elements(&inner.pat, init, doc),
        (pattern, Expr::Paren(inner)) => scope_elements(pattern, &mut inner.expr, doc),
        (Pat::Tuple(patterns), Expr::Tuple(inits)) => scope_each(&patterns.elems, &mut inits.elems, doc),
        (Pat::Slice(patterns), Expr::Array(inits)) => scope_each(&patterns.elems, &mut inits.elems, doc),
        _ => {}
    }
}

type List<T> = syn::punctuated::Punctuated<T, syn::Token![,]>;

fn scope_each(patterns: &List<Pat>, inits: &mut List<Expr>, doc: &str) {
    if patterns.len() != inits.len() {
        return;
    }
    for (pattern, init) in patterns.iter().zip(inits) {
        match whole(pattern).filter(|_| !is_inert(init)).and_then(name_of) {
            None => scope_elements(pattern, init, doc),
            Some(name) => {
                let guard = Ident::new("scope", Span::mixed_site());
                *init =
                    parse_quote_spanned!(init.span() => { let #guard = ::hdl::scope(#name, #doc); #init });
            }
        }
    }
}

/// The identifier that takes the whole value.
fn whole(pattern: &Pat) -> Option<&PatIdent> {
    match pattern {
        Pat::Ident(ident) if is_binding(ident) => Some(ident),
        Pat::Type(typed) => whole(&typed.pat),
        Pat::Paren(inner) => whole(&inner.pat),
        _ => None,
    }
}

/// All identifiers that name a value for good.
fn bindings(pattern: &Pat, out: &mut Vec<Ident>) {
    match pattern {
        Pat::Ident(ident) => {
            if is_binding(ident) && ident.mutability.is_none() && name_of(ident).is_some() {
                out.push(ident.ident.clone());
            }
            if let Some((_, inner)) = &ident.subpat {
                bindings(inner, out);
            }
        }
        Pat::Type(typed) => bindings(&typed.pat, out),
        Pat::Paren(inner) => bindings(&inner.pat, out),
        Pat::Reference(inner) => bindings(&inner.pat, out),
        Pat::Tuple(tuple) => tuple.elems.iter().for_each(|inner| bindings(inner, out)),
        Pat::TupleStruct(tuple) => tuple.elems.iter().for_each(|inner| bindings(inner, out)),
        Pat::Slice(slice) => slice.elems.iter().for_each(|inner| bindings(inner, out)),
        Pat::Struct(fields) => fields.fields.iter().for_each(|field| bindings(&field.pat, out)),
        _ => {}
    }
}

/// `None` in a pattern is a constant, though it looks like a binding.
fn is_binding(ident: &PatIdent) -> bool {
    let is_constant = ident.ident.to_string().starts_with(char::is_uppercase);
    ident.by_ref.is_none() && (!is_constant || ident.subpat.is_some())
}

fn name_of(ident: &PatIdent) -> Option<String> {
    Some(trimmed(&ident.ident)).filter(|name| !name.is_empty())
}

fn trimmed(ident: &Ident) -> String {
    ident.unraw().to_string().trim_start_matches('_').to_string()
}

/// Whether evaluating the expression cannot create hardware.
fn is_inert(expr: &Expr) -> bool {
    match expr {
        Expr::Lit(_) | Expr::Closure(_) | Expr::Path(_) => true,
        Expr::Field(field) => is_inert(&field.base),
        Expr::Paren(inner) => is_inert(&inner.expr),
        Expr::Reference(inner) => is_inert(&inner.expr),
        Expr::Unary(unary) => matches!(unary.op, UnOp::Deref(_)) && is_inert(&unary.expr),
        Expr::Range(range) => {
            let is_inert = |end: &Option<Box<Expr>>| end.as_ref().is_none_or(|end| is_inert(end));
            is_inert(&range.start) && is_inert(&range.end)
        }
        _ => false,
    }
}

/// Whether the value of the expression is no signal, as far as can be seen; or of a type that may still be open, as
/// what `parse` returns: a tag would decide it.
fn names_nothing(expr: &Expr) -> bool {
    match expr {
        Expr::Lit(_) | Expr::Closure(_) | Expr::Range(_) | Expr::Reference(_) => true,
        Expr::Paren(inner) => names_nothing(&inner.expr),
        Expr::Try(inner) => names_nothing(&inner.expr),
        Expr::MethodCall(call) => {
            let method = call.method.to_string();
            match method.as_str() {
                "parse" | "sum" | "product" => true,
                "unwrap" | "expect" => names_nothing(&call.receiver),
                _ => false,
            }
        }
        _ => false,
    }
}
