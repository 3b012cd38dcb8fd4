//! `chain!` and `flow!`. They parse; `zerver-engine` checks the order of the steps.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Error, Expr, Ident, LitStr, Path, Result, Token, bracketed, parenthesized};

pub(crate) fn expand_chain(item: TokenStream) -> Result<TokenStream> {
    let List(steps) = syn::parse2(item)?;
    Ok(chain(steps.iter()))
}

fn chain<'a>(steps: impl Iterator<Item = &'a Path>) -> TokenStream {
    let engine = crate::crate_paths::engine();
    quote!(#engine::Chain::new(&[#(<#steps as #engine::Step>::DESC),*]))
}

pub(crate) fn expand_flow(item: TokenStream) -> Result<TokenStream> {
    let Flow {
        name,
        version,
        method,
        pattern,
        before,
        unwritten,
        steps,
        recover,
        idempotency,
        is_public,
        declarations,
    } = syn::parse2(item)?;
    let engine = crate::crate_paths::engine();
    let steps = chain(steps.iter());
    let idempotency = idempotency.map(|idempotency| idempotency.chain());
    let idempotency = idempotency.iter();
    let recover = recover.map(|step| quote!(.recover(<#step as #engine::Step>::DESC)));
    let public = is_public.then(|| quote!(.public()));
    let method = method.to_string();
    let version = version.map(|version| quote!(.version(#version)));
    Ok(quote! {{
        const FLOW: #engine::FlowDef =
            #engine::FlowDef::new(#name, #method, #pattern, &[#(#before,)* #(#idempotency,)* #steps])
                .unwritten(&[#(<#unwritten as #engine::Slot>::DESC),*])
                #recover
                #version
                #public
                #(#declarations)*;
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

/// Keys whose values only the catalog needs.
const DECLARATIONS: [&str; 5] = ["owner", "summary", "aliases", "slo", "responses"];

struct Flow {
    name: LitStr,
    version: Option<u16>,
    method: Ident,
    pattern: LitStr,
    before: Vec<Expr>,
    unwritten: Vec<Path>,
    steps: Punctuated<Path, Token![,]>,
    recover: Option<Path>,
    idempotency: Option<Idempotency>,
    /// Calls that set what the catalog says about the flow.
    declarations: Vec<TokenStream>,
    is_public: bool,
}

/// `idempotent`, `idempotent: required`, `idempotent: by(SLOT)` or `idempotent: required by(SLOT)`.
struct Idempotency {
    is_required: bool,
    scope: Option<Path>,
}

impl Idempotency {
    fn chain(&self) -> TokenStream {
        let (engine, runtime, is_required) =
            (crate::crate_paths::engine(), crate::crate_paths::runtime(), self.is_required);
        let scope = match &self.scope {
            Some(slot) => quote!(#runtime::idempotency::BySlot<#slot>),
            None => quote!(#runtime::idempotency::Anyone),
        };
        quote!(#engine::Chain::new(&[
            <#runtime::idempotency::ClaimKey<#scope, #is_required> as #engine::Step>::DESC,
            <#runtime::idempotency::AnswerKnownKey as #engine::Step>::DESC,
        ]))
    }
}

impl Parse for Idempotency {
    /// Parses what follows the word `idempotent`.
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut parsed = Self { is_required: false, scope: None };
        if input.parse::<Option<Token![:]>>()?.is_none() {
            return Ok(parsed);
        }
        let mut word: Ident = input.parse()?;
        if word == "required" {
            parsed.is_required = true;
            if !input.peek(Ident) {
                return Ok(parsed);
            }
            word = input.parse()?;
        }
        if word != "by" {
            return Err(Error::new(word.span(), "write `required`, `by(SLOT)` or `required by(SLOT)`"));
        }
        let slot;
        parenthesized!(slot in input);
        parsed.scope = Some(slot.parse()?);
        Ok(parsed)
    }
}

impl Parse for Flow {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let name = input.parse()?;
        let version = if input.peek(Ident) { Some(version(&input.parse()?)?) } else { None };
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
        let (mut before, mut unwritten, mut steps, mut recover) = (Vec::new(), None, None, None);
        let (mut declared, mut declarations) = (Vec::new(), Vec::new());
        let (mut idempotency, mut is_public) = (None, false);
        while input.parse::<Option<Token![,]>>()?.is_some() && !input.is_empty() {
            let key: Ident = input.parse()?;
            if key == "idempotent" && idempotency.is_none() && steps.is_some() {
                idempotency = Some(input.parse()?);
                continue;
            }
            if key == "public" && !is_public {
                is_public = true;
                continue;
            }
            input.parse::<Token![:]>()?;
            if DECLARATIONS.iter().any(|word| key == word) && !declared.contains(&key) {
                declarations.push(declaration(&key, input)?);
                declared.push(key);
                continue;
            }
            match key.to_string().as_str() {
                "before" if before.is_empty() && steps.is_none() => before = chains(input)?,
                "unwritten" if unwritten.is_none() && steps.is_none() => unwritten = Some(paths(input)?),
                "steps" if steps.is_none() => steps = Some(paths(input)?),
                "recover" if recover.is_none() && steps.is_some() => recover = Some(input.parse()?),
                _ => {
                    return Err(Error::new(
                        key.span(),
                        "unexpected key: write `public`, `before: CHAIN` and `unwritten: [SLOT]` if needed, then `steps: [..]`, then `recover: STEP` and `idempotent` if needed; anywhere `owner: \"..\"`, `summary: \"..\"`, `aliases: [..]`, `slo: SLO` and `responses: [..]`; each at most once",
                    ));
                }
            }
        }
        let steps = steps.ok_or_else(|| input.error("a flow needs `steps: [..]`"))?;
        let unwritten = unwritten.into_iter().flatten().collect();
        Ok(Self {
            name,
            version,
            method,
            pattern,
            before,
            unwritten,
            steps,
            recover,
            idempotency,
            is_public,
            declarations,
        })
    }
}

/// Parses a version such as `v2`.
fn version(word: &Ident) -> Result<u16> {
    let text = word.to_string();
    let number = text.strip_prefix('v').and_then(|number| number.parse().ok());
    number
        .filter(|number| *number > 0 && text == format!("v{number}"))
        .ok_or_else(|| Error::new(word.span(), "after the name, write a version such as `v2`, or a comma"))
}

/// Parses the value of a key that only the catalog needs, and returns the call that sets it.
fn declaration(key: &Ident, input: ParseStream<'_>) -> Result<TokenStream> {
    if key != "aliases" && key != "responses" {
        let value: Expr = input.parse()?;
        return Ok(quote!(.#key(#value)));
    }
    let list;
    bracketed!(list in input);
    let items = list.call(Punctuated::<Expr, Token![,]>::parse_terminated)?;
    Ok(quote!(.#key(&[#items])))
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
