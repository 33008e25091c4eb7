//! `#[derive(HwEnum)]`.

use crate::docs;
use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Data, DeriveInput, Error, Expr, ExprUnary, Result, UnOp, ext::IdentExt, spanned::Spanned};

pub fn expand(item: &DeriveInput) -> Result<TokenStream> {
    let name = &item.ident;
    let Data::Enum(body) = &item.data else {
        return Err(Error::new_spanned(name, "`HwEnum` is for enums; a struct of signals derives `Bundle`"));
    };
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(&item.generics, "an enum of hardware cannot be generic"));
    }
    if body.variants.is_empty() {
        return Err(Error::new_spanned(name, "an enum of hardware needs at least one variant"));
    }

    let mut errors: Option<Error> = None;
    let mut refuse = |error: Error| match &mut errors {
        Some(errors) => errors.combine(error),
        None => errors = Some(error),
    };
    let mut variants = vec![];
    let mut checks = vec![];
    for variant in &body.variants {
        if !variant.fields.is_empty() {
            refuse(Error::new_spanned(
                &variant.fields,
                "a variant of hardware carries no fields: put them beside the enum, in a bundle",
            ));
        }
        let ident = &variant.ident;
        match &variant.discriminant {
            None | Some((_, Expr::Lit(_))) => {}
            Some((_, encoding @ Expr::Unary(ExprUnary { op: UnOp::Neg(_), .. }))) => {
                refuse(Error::new_spanned(encoding, "an encoding cannot be negative"));
            }
            Some((_, encoding)) => checks.push(quote_spanned! { encoding.span() =>
                const _: () = assert!(#name::#ident as i128 >= 0, "an encoding cannot be negative");
            }),
        }
        let (text, doc) = (ident.unraw().to_string(), docs::sentence(&variant.attrs));
        variants.push(quote!((#text, Self::#ident, Self::#ident as u128, #doc)));
    }
    if let Some(errors) = errors {
        return Err(errors);
    }

    let text = name.unraw().to_string();
    Ok(quote! {
        #[automatically_derived]
        impl ::hdl::HwEnum for #name {
            const NAME: &'static str = #text;
            const VARIANTS: &'static [(&'static str, Self, u128, &'static str)] = &[#(#variants),*];
        }
        #(#checks)*
    })
}
