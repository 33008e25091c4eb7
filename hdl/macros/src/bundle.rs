//! `#[derive(Bundle)]`.

use crate::docs;
use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{
    Attribute, Data, DeriveInput, Error, Expr, Fields, Generics, Ident, Meta, Result, Token, Type,
    WherePredicate, ext::IdentExt, parse::Parse, parse::ParseStream, parse_quote, punctuated::Punctuated,
    spanned::Spanned,
};

pub fn expand(item: &DeriveInput) -> Result<TokenStream> {
    let name = &item.ident;
    let fields = match &item.data {
        Data::Struct(body) => match &body.fields {
            Fields::Named(fields) => &fields.named,
            _ => {
                return Err(Error::new_spanned(
                    name,
                    "a bundle names its fields: write `struct Name { .. }`",
                ));
            }
        },
        Data::Enum(_) => {
            return Err(Error::new_spanned(
                name,
                "`Bundle` is for structs; an enum without fields derives `HwEnum`",
            ));
        }
        Data::Union(_) => return Err(Error::new_spanned(name, "`Bundle` is for structs with named fields")),
    };
    let constructor = Constructor::of(&item.attrs)?;
    let fields = fields.iter().map(Field::of).collect::<Result<Vec<Field>>>()?;
    let generics = bounded(&item.generics)?;

    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let mapped = fields.iter().map(|field| {
        let Field { ident, ty, name, doc, .. } = field;
        quote_spanned!(ty.span() => #ident: <#ty as ::hdl::Data>::map(&self.#ident, &at.field(#name, #doc), visit))
    });
    let data = quote! {
        #[automatically_derived]
        impl #impl_generics ::hdl::Data for #name #type_generics #where_clause {
            fn map(
                &self,
                at: &::hdl::Place,
                visit: &mut dyn ::core::ops::FnMut(&::hdl::Place, ::hdl::Leaf) -> ::hdl::Bits,
            ) -> Self {
                Self { #(#mapped),* }
            }
        }
    };
    let constructor = match constructor {
        Constructor::None => quote!(),
        Constructor::Of(parameters) => construct(item, generics, &fields, &parameters),
    };
    Ok(quote!(#data #constructor))
}

/// What `#[ty(..)]` on the struct asks for.
enum Constructor {
    None,
    Of(Punctuated<Parameter, Token![,]>),
}

/// A parameter of `ty`.
struct Parameter {
    ident: Ident,
    ty: Type,
}

impl Parse for Constructor {
    fn parse(input: ParseStream) -> Result<Self> {
        let ahead = input.fork();
        if ahead.parse::<Ident>().is_ok_and(|ident| ident == "none") && ahead.is_empty() {
            input.parse::<Ident>()?;
            return Ok(Constructor::None);
        }
        let parameters = Punctuated::parse_terminated(input).map_err(|error| {
            Error::new(
                error.span(),
                "expected parameters (`bytes: usize, payload: T`) or `none` for no constructor",
            )
        })?;
        Ok(Constructor::Of(parameters))
    }
}

impl Parse for Parameter {
    fn parse(input: ParseStream) -> Result<Self> {
        let ident = input.parse()?;
        input.parse::<Token![:]>()?;
        Ok(Parameter { ident, ty: input.parse()? })
    }
}

impl Constructor {
    fn of(attributes: &[Attribute]) -> Result<Self> {
        let mut found = None;
        for attribute in attributes {
            if attribute.path().is_ident("ty") {
                once(&found, attribute)?;
                found = Some(attribute.parse_args()?);
            } else if direction(attribute).is_some() {
                return Err(Error::new_spanned(
                    attribute,
                    "a direction goes on a field, or on a use of the bundle",
                ));
            }
        }
        Ok(found.unwrap_or_else(|| Constructor::Of(Punctuated::new())))
    }
}

/// One field of the bundle.
struct Field<'a> {
    ident: &'a Ident,
    ty: &'a Type,
    name: String,
    doc: String,
    /// `#[ty(..)]`.
    made_by: Option<Expr>,
    /// The method that `#[input]`, `#[output]` or `#[flip]` stands for.
    direction: Option<Ident>,
}

impl<'a> Field<'a> {
    fn of(field: &'a syn::Field) -> Result<Self> {
        let ident = field.ident.as_ref().expect("only named fields come here");
        let (mut made_by, mut turned) = (None, None);
        for attribute in &field.attrs {
            if attribute.path().is_ident("ty") {
                once(&made_by, attribute)?;
                if !matches!(&attribute.meta, Meta::List(list) if !list.tokens.is_empty()) {
                    return Err(Error::new_spanned(
                        attribute,
                        "expected the field's type, as in `#[ty(bits(8))]`",
                    ));
                }
                made_by = Some(attribute.parse_args()?);
            } else if let Some(direction) = direction(attribute) {
                attribute.meta.require_path_only()?;
                if turned.is_some() {
                    return Err(Error::new_spanned(attribute, "a field has one direction"));
                }
                turned = Some(direction.clone());
            }
        }
        let (name, doc) = (ident.unraw().to_string(), docs::sentence(&field.attrs));
        Ok(Field { ident, ty: &field.ty, name, doc, made_by, direction: turned })
    }
}

fn direction(attribute: &Attribute) -> Option<&Ident> {
    attribute.path().get_ident().filter(|ident| *ident == "input" || *ident == "output" || *ident == "flip")
}

fn once<T>(found: &Option<T>, attribute: &Attribute) -> Result<()> {
    match found {
        Some(_) => Err(Error::new_spanned(attribute, "`ty` is given twice")),
        None => Ok(()),
    }
}

/// The struct's generics, with `Data` for each type parameter that the source leaves without a bound.
fn bounded(generics: &Generics) -> Result<Generics> {
    let mut generics = generics.clone();
    if let Some(lifetime) = generics.lifetimes().next() {
        return Err(Error::new_spanned(lifetime, "a bundle borrows nothing: its fields are signals"));
    }
    let bounds = generics.where_clause.clone();
    for parameter in generics.type_params_mut() {
        let ident = &parameter.ident;
        let is_bound = |predicate: &WherePredicate| match predicate {
            WherePredicate::Type(bound) => {
                matches!(&bound.bounded_ty, Type::Path(ty) if ty.path.is_ident(ident))
            }
            _ => false,
        };
        if parameter.bounds.is_empty() && !bounds.iter().flat_map(|bounds| &bounds.predicates).any(is_bound) {
            parameter.bounds.push(parse_quote!(::hdl::Data));
        }
    }
    Ok(generics)
}

/// The function `ty` and, if it has no parameters, `impl Typed`.
fn construct(
    item: &DeriveInput,
    mut generics: Generics,
    fields: &[Field],
    parameters: &Punctuated<Parameter, Token![,]>,
) -> TokenStream {
    let (name, visibility) = (&item.ident, &item.vis);
    let generic: Vec<Ident> = generics.type_params().map(|parameter| parameter.ident.clone()).collect();
    let typed = fields.iter().filter(|field| field.made_by.is_none() && mentions(field.ty, &generic));
    let typed: Vec<&Type> = typed.map(|field| field.ty).collect();
    if !typed.is_empty() {
        let bounds = typed.iter().map(|ty| -> WherePredicate { parse_quote!(#ty: ::hdl::Typed) });
        generics.make_where_clause().predicates.extend(bounds);
    }

    // Each type goes to a variable that the source cannot name, so that a field does not hide a function of its name.
    // Expressions that mention an earlier field get a copy of it under that name; parameters come first.
    let slots: Vec<Ident> =
        (0..fields.len()).map(|i| format_ident!("field_{i}", span = Span::mixed_site())).collect();
    let types = fields.iter().enumerate().map(|(position, field)| {
        let slot = &slots[position];
        let Some(expression) = &field.made_by else {
            let ty = field.ty;
            return quote_spanned!(ty.span() => let #slot = <#ty as ::hdl::Typed>::ty(););
        };
        let earlier = fields[..position].iter().zip(&slots).filter(|(earlier, _)| {
            let hidden = parameters.iter().any(|parameter| parameter.ident == *earlier.ident);
            !hidden && reads(expression.to_token_stream(), earlier.ident)
        });
        let copies = earlier.map(|(earlier, slot)| {
            let mut ident = earlier.ident.clone();
            ident.set_span(Span::call_site());
            quote!(let #ident = ::core::clone::Clone::clone(&#slot);)
        });
        let copies: Vec<TokenStream> = copies.collect();
        let ty = field.ty;
        match copies.is_empty() {
            true => quote!(let #slot: #ty = #expression;),
            false => quote!(let #slot: #ty = { #(#copies)* #expression };),
        }
    });
    let types: Vec<TokenStream> = types.collect();
    let values = fields.iter().zip(&slots).map(|(field, slot)| {
        let ident = field.ident;
        match &field.direction {
            Some(direction) => quote!(#ident: ::hdl::Data::#direction(&#slot)),
            None => quote!(#ident: #slot),
        }
    });

    let (impl_generics, type_generics, where_clause) = generics.split_for_impl();
    let doc =
        format!("[`{}`] as a type: what wires, registers, memories and ports are made of.", name.unraw());
    let declared = parameters.iter().map(|Parameter { ident, ty }| quote!(#ident: #ty));
    let typed = parameters.is_empty().then(|| {
        quote! {
            #[automatically_derived]
            impl #impl_generics ::hdl::Typed for #name #type_generics #where_clause {
                fn ty() -> Self {
                    Self::ty()
                }
            }
        }
    });
    quote! {
        #[automatically_derived]
        impl #impl_generics #name #type_generics #where_clause {
            #[doc = #doc]
            #visibility fn ty(#(#declared),*) -> Self {
                #(#types)*
                Self { #(#values),* }
            }
        }
        #typed
    }
}

fn mentions(ty: &Type, names: &[Ident]) -> bool {
    any(
        ty.to_token_stream(),
        &|tokens, at| matches!(&tokens[at], TokenTree::Ident(ident) if names.contains(ident)),
    )
}

/// Whether an expression reads the variable `name`: not a field or a method of that name, nor a function.
fn reads(expression: TokenStream, name: &Ident) -> bool {
    any(expression, &|tokens, at| {
        let is_name = matches!(&tokens[at], TokenTree::Ident(ident) if ident == name);
        let is_member = at > 0 && matches!(&tokens[at - 1], TokenTree::Punct(dot) if dot.as_char() == '.');
        let is_call = matches!(tokens.get(at + 1),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis);
        is_name && !is_member && !is_call
    })
}

/// Whether `test` holds at some position of `tokens`, or of a group in them.
fn any(tokens: TokenStream, test: &dyn Fn(&[TokenTree], usize) -> bool) -> bool {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    (0..tokens.len()).any(|at| match &tokens[at] {
        TokenTree::Group(group) => any(group.stream(), test),
        _ => test(&tokens, at),
    })
}
