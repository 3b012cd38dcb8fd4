//! `chain!` and `flow!`. They parse; `zerver-engine` checks the order of the steps.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, Ident, LitStr, Path, Result, Token, bracketed};

pub(crate) fn expand_chain(item: TokenStream) -> Result<TokenStream> {
    let List(steps) = syn::parse2(item)?;
    Ok(chain(steps.iter()))
}

fn chain<'a>(steps: impl Iterator<Item = &'a Path>) -> TokenStream {
    let engine = crate::crate_paths::engine();
    quote!(#engine::Chain::new(&[#(<#steps as #engine::Step>::DESC),*]))
}

pub(crate) fn expand_flow(item: TokenStream) -> Result<TokenStream> {
    let Flow { name, method, pattern, before, unwritten, steps } = syn::parse2(item)?;
    let engine = crate::crate_paths::engine();
    let steps = chain(steps.iter());
    let method = method.to_string();
    Ok(quote! {{
        const FLOW: #engine::FlowDef =
            #engine::FlowDef::new(#name, #method, #pattern, &[#(#before,)* #steps])
                .unwritten(&[#(<#unwritten as #engine::Slot>::DESC),*]);
        const _: () = FLOW.check_order();
        FLOW
    }})
}

/// Paths separated by commas.
struct List(Punctuated<Path, Token![,]>);

impl Parse for List {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        Punctuated::parse_terminated(input).map(Self)
    }
}

struct Flow {
    name: LitStr,
    method: Ident,
    pattern: LitStr,
    before: Vec<Expr>,
    unwritten: Vec<Path>,
    steps: Punctuated<Path, Token![,]>,
}

impl Parse for Flow {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name = input.parse()?;
        input.parse::<Token![,]>()?;
        let method: Ident = input.parse()?;
        if !["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
            .contains(&method.to_string().as_str())
        {
            return Err(Error::new(
                method.span(),
                "unknown method: write GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS",
            ));
        }
        let pattern = input.parse()?;
        let (mut before, mut unwritten, mut steps) = (Vec::new(), None, None);
        while input.parse::<Option<Token![,]>>()?.is_some() && !input.is_empty() {
            let key: Ident = input.parse()?;
            input.parse::<Token![:]>()?;
            match key.to_string().as_str() {
                "before" if before.is_empty() && steps.is_none() => before = chains(input)?,
                "unwritten" if unwritten.is_none() && steps.is_none() => unwritten = Some(paths(input)?),
                "steps" if steps.is_none() => steps = Some(paths(input)?),
                _ => {
                    return Err(Error::new(
                        key.span(),
                        "unexpected key: write `before: CHAIN` and `unwritten: [SLOT]` if needed, then `steps: [..]`, each at most once",
                    ));
                }
            }
        }
        let steps = steps.ok_or_else(|| input.error("a flow needs `steps: [..]`"))?;
        let unwritten = unwritten.into_iter().flatten().collect();
        Ok(Self { name, method, pattern, before, unwritten, steps })
    }
}

/// Parses paths in brackets.
fn paths(input: ParseStream<'_>) -> Result<Punctuated<Path, Token![,]>> {
    let list;
    bracketed!(list in input);
    list.call(Punctuated::parse_terminated)
}

/// Parses one chain, or several in brackets.
fn chains(input: ParseStream<'_>) -> Result<Vec<Expr>> {
    if !input.peek(syn::token::Bracket) {
        return Ok(vec![input.parse()?]);
    }
    let list;
    bracketed!(list in input);
    Ok(list.call(Punctuated::<Expr, Token![,]>::parse_terminated)?.into_iter().collect())
}
