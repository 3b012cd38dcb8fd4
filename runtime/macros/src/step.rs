//! `#[step]`. It describes the function and leaves it as it is; `zerver-engine` checks the slots.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{
    Error, Expr, ExprLit, FnArg, GenericArgument, Ident, ItemFn, Lit, Meta, PathArguments, Result,
    ReturnType, Type,
};

pub(crate) fn expand(attributes: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let protects = match syn::parse2::<Option<Ident>>(attributes.clone()) {
        Ok(None) => false,
        Ok(Some(word)) if word == "protects" => true,
        _ => return Err(Error::new_spanned(attributes, "#[step] takes no arguments, or `protects`")),
    };
    let function: ItemFn = syn::parse2(item)?;
    reject(&function)?;
    let engine = crate::crate_paths::engine();
    let mut reads = Vec::new();
    let mut arguments = Vec::new();
    let mut inputs = Vec::new();
    for parameter in &function.sig.inputs {
        let FnArg::Typed(parameter) = parameter else {
            return Err(Error::new_spanned(parameter, "a step is a plain function: remove `self`"));
        };
        let at = reads.len();
        match Parameter::from_type(&parameter.ty)? {
            Parameter::Slot(slot) => {
                reads.push(
                    quote!(#engine::ReadDesc { slot: <#slot as #engine::Slot>::DESC, is_optional: false }),
                );
                arguments.push(quote!(input.read::<#slot>(#at)));
            }
            Parameter::Optional(slot) => {
                reads.push(
                    quote!(#engine::ReadDesc { slot: <#slot as #engine::Slot>::DESC, is_optional: true }),
                );
                arguments.push(quote!(input.read_optional::<#slot>(#at)));
            }
            Parameter::Progress(progress) => arguments.push(quote!(input.progress::<#progress>())),
            Parameter::Derived(derived) => {
                inputs.push(quote!(<#derived as #engine::FromRequest>::DESC));
                reads.push(quote!(#engine::ReadDesc {
                    slot: <#engine::Request as #engine::Slot>::DESC,
                    is_optional: false,
                }));
                arguments.push(quote!(
                    match <#derived as #engine::FromRequest>::from_request(input.read::<#engine::Request>(#at)) {
                        ::core::result::Result::Ok(value) => value,
                        ::core::result::Result::Err(failure) => return #engine::ErasedDecision::Fail(failure),
                    }
                ));
            }
        }
    }
    let name = &function.sig.ident;
    let visibility = &function.vis;
    let text = name.to_string();
    let doc = doc(&function);
    let output = match &function.sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, output) => output.to_token_stream(),
    };
    let cfgs = function.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    let cfgs: Vec<_> = cfgs.collect();
    // `line!()` with the span of the function, so that it is right inside macros too.
    let line = quote::quote_spanned!(function.sig.fn_token.span()=> ::core::line!());
    let file = quote::quote_spanned!(function.sig.fn_token.span()=> ::core::file!());
    Ok(quote! {
        #function

        #(#cfgs)*
        #[doc(hidden)]
        #[allow(non_camel_case_types, dead_code, missing_docs, missing_debug_implementations)]
        #visibility struct #name {}

        #(#cfgs)*
        impl #engine::Step for #name {
            const DESC: #engine::StepDesc = #engine::StepDesc {
                name: #text,
                doc: #doc,
                file: #file,
                line: #line,
                reads: &[#(#reads),*],
                writes: <#output as #engine::IntoDecision>::WRITES,
                inputs: &[#(#inputs),*],
                is_final: <#output as #engine::IntoDecision>::IS_FINAL,
                protects: #protects,
                run: |input| #engine::IntoDecision::into_decision(#name(#(#arguments),*)),
            };
        }
    })
}

/// Rejects functions that cannot be steps.
fn reject(function: &ItemFn) -> Result<()> {
    let signature = &function.sig;
    if let Some(token) = &signature.asyncness {
        return Err(Error::new(
            token.span(),
            "a step performs no I/O, so it cannot be async: return `Need(effect)` instead",
        ));
    }
    if !signature.generics.params.is_empty() || signature.generics.where_clause.is_some() {
        return Err(Error::new_spanned(
            &signature.generics,
            "a step cannot be generic: each of its parameters is one slot type",
        ));
    }
    Ok(())
}

enum Parameter<'a> {
    Slot(&'a Type),
    Optional(&'a Type),
    Progress(&'a Type),
    /// Derived from the request.
    Derived(&'a Type),
}

impl<'a> Parameter<'a> {
    fn from_type(parameter: &'a Type) -> Result<Self> {
        match parameter {
            Type::Reference(reference) if reference.mutability.is_some() => Err(Error::new_spanned(
                parameter,
                "a step cannot modify a slot: return a new value, of another slot type",
            )),
            Type::Reference(reference) => Ok(Self::Slot(&reference.elem)),
            _ => match option_of(parameter) {
                Some(Type::Reference(reference)) if reference.mutability.is_none() => {
                    Ok(Self::Optional(&reference.elem))
                }
                Some(progress) if !matches!(progress, Type::Reference(_)) => Ok(Self::Progress(progress)),
                None if matches!(parameter, Type::Path(_)) => Ok(Self::Derived(parameter)),
                _ => Err(Error::new_spanned(
                    parameter,
                    "a step takes `&Slot`, `Option<&Slot>`, its own progress as `Option<Progress>`, or a part of the \
                     request such as `Json<T>`",
                )),
            },
        }
    }
}

/// Returns the `T` of `Option<T>`.
fn option_of(of: &Type) -> Option<&Type> {
    let Type::Path(path) = of else { return None };
    let last = path.path.segments.last().filter(|segment| segment.ident == "Option")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(inner) => Some(inner),
        _ => None,
    }
}

/// Returns the lines of the documentation comment.
fn doc(function: &ItemFn) -> String {
    let lines = function.attrs.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value()),
            _ => None,
        },
        _ => None,
    });
    lines.map(|line| line.trim().to_owned()).collect::<Vec<_>>().join("\n")
}
