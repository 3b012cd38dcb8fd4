//! `#[effect]`: an async function, or one that blocks its thread, as a kind of effect.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, FnArg, ItemFn, LitStr, Pat, PatIdent, Result, ReturnType, Type};

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let options = Options::parse(arguments)?;
    let function: ItemFn = syn::parse2(item)?;
    reject(&function, &options)?;
    let parameters = function.sig.inputs.iter().map(Parameter::new).collect::<Result<Vec<_>>>()?;
    let output = match &function.sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, output) => output.to_token_stream(),
    };
    let is_result = is_result(&function.sig.output);
    if let (Some(temporary), false) = (&options.temporary, is_result) {
        return Err(Error::new_spanned(temporary, "`temporary` is for functions that return a `Result`"));
    }

    let engine = crate::crate_paths::engine();
    let serde = quote!(#engine::__private::serde);
    let serde_path = serde.to_string().replace(' ', "");
    let (name, visibility) = (&function.sig.ident, &function.vis);
    let kind = options.kind.clone().unwrap_or_else(|| LitStr::new(&name.to_string(), name.span()));
    let docs: Vec<_> = function.attrs.iter().filter(|attribute| is_doc(attribute)).collect();
    let others: Vec<_> = function.attrs.iter().filter(|attribute| !is_doc(attribute)).collect();
    let cfgs: Vec<_> = function.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")).collect();

    let arguments = || parameters.iter().filter(|parameter| parameter.role == Role::Argument);
    let argument_names: Vec<_> = arguments().map(|argument| &argument.name).collect();
    let fields = arguments().map(Parameter::field);
    let constructor_parameters = arguments().map(|Parameter { name, declared, .. }| quote!(#name: #declared));
    let constructor_fields = arguments().map(|Parameter { name, declared, .. }| match declared {
        Type::Reference(_) => quote!(#name: ::std::borrow::ToOwned::to_owned(#name)),
        _ => quote!(#name),
    });

    let kind_output = if is_result {
        quote!(::core::result::Result<<#output as #engine::__private::ResultParts>::Ok, #engine::__private::FunctionError>)
    } else {
        output.clone()
    };
    let effect_output =
        if is_result { quote!(<#output as #engine::__private::ResultParts>::Ok) } else { output.clone() };
    let call = quote!(#name { #(#constructor_fields),* });
    let constructor = if is_result {
        quote! {{
            #[allow(unused_imports)]
            use #engine::__private::{ConvertError as _, KeepError as _, KeepText as _};
            #engine::__private::function_effect(#call, |error| {
                #[allow(unused_mut)]
                let mut probe =
                    #engine::__private::FailureProbe::<<#output as #engine::__private::ResultParts>::Err>::new();
                probe.failure(#kind, error)
            })
        }}
    } else {
        quote!(#engine::effect(#call))
    };

    // `Result` and not the type of the signature, so that a body that never ends in `?` still has a type.
    let finish = if is_result {
        let temporary = options.temporary.as_ref().map(|temporary| quote!((#temporary)(&error)));
        let is_temporary = temporary.unwrap_or_else(|| quote!(false));
        quote! {
            match result {
                ::core::result::Result::Ok(value) => ::core::result::Result::Ok(::core::result::Result::Ok(value)),
                ::core::result::Result::Err(error) => {
                    #[allow(unused_imports)]
                    use #engine::__private::{RecordCauses as _, RecordText as _, RecordValue as _};
                    let is_temporary: bool = #is_temporary;
                    #[allow(unused_mut)]
                    let mut probe = #engine::__private::ErrorProbe(error);
                    let mut error = probe.record()?;
                    error.is_temporary = is_temporary;
                    ::core::result::Result::Ok(::core::result::Result::Err(error))
                }
            }
        }
    } else {
        quote!(::core::result::Result::Ok(result))
    };

    let resources = parameters.iter().filter(|parameter| parameter.role == Role::Resource);
    let bindings = resources.map(|Parameter { name, declared, .. }| {
        let resource = referent(declared);
        quote!(let #name = resources.get::<#resource>(#kind)?;)
    });
    let resource_names: Vec<_> = parameters
        .iter()
        .filter(|parameter| parameter.role == Role::Resource)
        .map(|parameter| &parameter.name)
        .collect();
    let passed = parameters.iter().map(|parameter| {
        let name = &parameter.name;
        match (parameter.role, &parameter.declared) {
            (Role::Resource, _) => quote!(&*#name),
            (Role::Context, _) => quote!(&context),
            (Role::Argument, Type::Reference(_)) => quote!(::std::borrow::Borrow::borrow(&#name)),
            (Role::Argument, _) => quote!(#name),
        }
    });
    let perform_parameters =
        parameters.iter().map(|Parameter { pattern, declared, .. }| quote!(#pattern: #declared));
    let body = &function.block;
    let target = options.target.as_ref().map(|target| {
        quote! {
            fn target(&self) -> ::core::option::Option<::std::borrow::Cow<'_, str>> {
                #[allow(unused_variables)]
                let Self { #(#argument_names),* } = self;
                ::core::option::Option::Some(::std::borrow::Cow::from(#target))
            }
        }
    });
    let summary = options.summary.as_ref().map(|summary| {
        quote! {
            fn summary(&self) -> ::std::string::String {
                #[allow(unused_variables)]
                let Self { #(#argument_names),* } = self;
                ::std::string::String::from(#summary)
            }
        }
    });
    let of_result = is_result.then(|| {
        quote! {
            fn output_summary(output: &Self::Output) -> ::std::string::String {
                #engine::__private::function_summary(output)
            }

            fn is_temporary(output: &Self::Output) -> bool {
                ::core::matches!(output, ::core::result::Result::Err(error) if error.is_temporary)
            }
        }
    });
    let (is_idempotent, is_safe) = (options.is_idempotent || options.is_safe, options.is_safe);
    let zerver = crate::crate_paths::runtime();
    let span = function.sig.fn_token.span();
    let result = match options.is_blocking {
        true => quote!(#zerver::effects::perform_blocking(move || #name::perform(#(#passed),*)).await?),
        false => quote!(#name::perform(#(#passed),*).await),
    };
    let asyncness = &function.sig.asyncness;
    let future = quote_spanned!(span=> ::std::boxed::Box::pin(async move {
        #(let #argument_names = #argument_names;)*
        let result = #result;
        #finish
    }));
    let kind_doc = format!("The kind of effect of [`{name}`]: its arguments, as they are recorded.");
    let perform_doc = format!("Performs the effect that [`{name}`] describes, outside a request.");
    Ok(quote! {
        #(#docs)*
        #(#others)*
        #[allow(clippy::too_many_arguments)]
        #visibility fn #name(#(#constructor_parameters),*) -> #engine::Effect<#effect_output> {
            #constructor
        }

        #(#cfgs)*
        #[doc = #kind_doc]
        #[allow(non_camel_case_types)]
        #[derive(#serde::Serialize, #serde::Deserialize)]
        #[serde(crate = #serde_path)]
        #visibility struct #name { #(#fields),* }

        #(#cfgs)*
        impl #engine::EffectKind for #name {
            const KIND: &'static str = #kind;
            type Output = #kind_output;

            #summary
            #of_result
            #target

            fn is_idempotent(&self) -> bool {
                #is_idempotent
            }

            fn is_safe(&self) -> bool {
                #is_safe
            }
        }

        #(#cfgs)*
        impl #name {
            #[doc = #perform_doc]
            #[allow(dead_code, clippy::too_many_arguments)]
            #visibility #asyncness fn perform(#(#perform_parameters),*) -> #output #body
        }

        #(#cfgs)*
        impl #zerver::effects::EffectFunction for #name {
            fn bind(
                resources: &#zerver::effects::Resources,
            ) -> ::core::result::Result<#zerver::effects::FunctionInterpreter<Self>, #zerver::effects::MissingResource>
            {
                #[allow(unused_variables)]
                let resources = resources;
                #(#bindings)*
                ::core::result::Result::Ok(#zerver::effects::FunctionInterpreter::new(
                    move |arguments: &Self, context: &#zerver::effects::EffectContext| {
                        #[allow(unused_variables)]
                        let context = ::core::clone::Clone::clone(context);
                        #(let #resource_names = ::std::sync::Arc::clone(&#resource_names);)*
                        #(let #argument_names = ::core::clone::Clone::clone(&arguments.#argument_names);)*
                        #future
                    },
                ))
            }
        }
    })
}

/// The arguments of `#[effect(..)]`.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) kind: Option<LitStr>,
    pub(crate) target: Option<Expr>,
    pub(crate) summary: Option<Expr>,
    temporary: Option<Expr>,
    is_idempotent: bool,
    pub(crate) is_safe: bool,
    is_blocking: bool,
}

impl Options {
    /// Returns true if an option is set that only makes sense for effects whose output a step reads.
    pub(crate) const fn is_about_output(&self) -> bool {
        self.temporary.is_some() || self.is_idempotent || self.is_blocking
    }

    pub(crate) fn parse(arguments: TokenStream) -> Result<Self> {
        use syn::parse::Parser as _;
        let mut options = Self::default();
        let parser = syn::meta::parser(|meta| {
            let name = meta.path.get_ident().map(Ident::to_string).unwrap_or_default();
            match name.as_str() {
                "kind" => options.kind = Some(meta.value()?.parse()?),
                "target" => options.target = Some(meta.value()?.parse()?),
                "summary" => options.summary = Some(meta.value()?.parse()?),
                "temporary" => options.temporary = Some(meta.value()?.parse()?),
                "idempotent" => options.is_idempotent = true,
                "safe" => options.is_safe = true,
                "blocking" => options.is_blocking = true,
                _ => {
                    let argument = meta.path.to_token_stream();
                    return Err(meta.error(format!(
                        "unknown argument `{argument}`: `#[effect]` takes `kind`, `target`, `summary`, `temporary`, \
                         `idempotent`, `safe` and `blocking`"
                    )));
                }
            }
            Ok(())
        });
        parser.parse2(arguments)?;
        if let Some(kind) = &options.kind
            && (kind.value().is_empty() || kind.value().chars().any(char::is_whitespace))
        {
            return Err(Error::new_spanned(kind, "the name of a kind is one word, such as `charge`"));
        }
        Ok(options)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Argument,
    Resource,
    Context,
}

pub(crate) struct Parameter<'f> {
    pub(crate) name: Ident,
    pub(crate) pattern: &'f Pat,
    pub(crate) declared: &'f Type,
    pub(crate) role: Role,
}

impl<'f> Parameter<'f> {
    pub(crate) fn new(parameter: &'f FnArg) -> Result<Self> {
        let FnArg::Typed(typed) = parameter else {
            return Err(Error::new_spanned(
                parameter,
                "an effect is a plain function: replace `self` by a parameter `#[resource] name: &Type`",
            ));
        };
        let mut role = Role::Argument;
        for attribute in &typed.attrs {
            role = match attribute.path().get_ident().map(Ident::to_string).as_deref() {
                Some("resource") => Role::Resource,
                Some("context") => Role::Context,
                _ => {
                    return Err(Error::new_spanned(
                        attribute,
                        "a parameter of an effect can be marked `#[resource]` or `#[context]`",
                    ));
                }
            };
        }
        let Pat::Ident(PatIdent { ident, by_ref: None, subpat: None, .. }) = &*typed.pat else {
            return Err(Error::new_spanned(
                &typed.pat,
                "a parameter of an effect is a plain name, because its value is recorded under this name",
            ));
        };
        let reference = match &*typed.ty {
            Type::Reference(reference) => Some(reference),
            _ => None,
        };
        if let Some(mutability) = reference.and_then(|reference| reference.mutability) {
            return Err(Error::new_spanned(
                mutability,
                "an effect cannot take `&mut`: its arguments are recorded values",
            ));
        }
        if role != Role::Argument && reference.is_none() {
            return Err(Error::new_spanned(
                &typed.ty,
                "a resource and a context are taken by reference: `&Type`; all calls share a resource",
            ));
        }
        Ok(Self { name: ident.clone(), pattern: &typed.pat, declared: &typed.ty, role })
    }

    pub(crate) fn field(&self) -> TokenStream {
        let Self { name, declared, .. } = self;
        match declared {
            Type::Reference(reference) => {
                let elem = &reference.elem;
                quote!(#name: <#elem as ::std::borrow::ToOwned>::Owned)
            }
            _ => quote!(#name: #declared),
        }
    }
}

pub(crate) fn referent(declared: &Type) -> TokenStream {
    match declared {
        Type::Reference(reference) => reference.elem.to_token_stream(),
        other => other.to_token_stream(),
    }
}

/// Rejects functions that cannot be effects.
fn reject(function: &ItemFn, options: &Options) -> Result<()> {
    let signature = &function.sig;
    match (signature.asyncness, options.is_blocking) {
        (None, false) => {
            return Err(Error::new_spanned(
                signature.fn_token,
                "an effect performs I/O, so it is an `async fn`, or `#[effect(blocking)]` if it blocks its thread; \
                 code without I/O belongs in a step",
            ));
        }
        (Some(asyncness), true) => {
            return Err(Error::new_spanned(asyncness, "an effect that blocks its thread is not async"));
        }
        _ => {}
    }
    let generics = &signature.generics;
    if !generics.params.is_empty() || generics.where_clause.is_some() {
        return Err(Error::new_spanned(
            generics,
            "an effect cannot be generic: its arguments are recorded, and a replay reads them back",
        ));
    }
    if let ReturnType::Type(_, output) = &signature.output
        && let Type::ImplTrait(_) | Type::Reference(_) = &**output
    {
        return Err(Error::new_spanned(
            output,
            "an effect returns an owned type, because its output is recorded",
        ));
    }
    Ok(())
}

/// Returns true if the last segment of the return type is `Result`.
pub(crate) fn is_result(output: &ReturnType) -> bool {
    let ReturnType::Type(_, output) = output else { return false };
    let Type::Path(path) = &**output else { return false };
    path.path.segments.last().is_some_and(|last| last.ident == "Result")
}

pub(crate) fn is_doc(attribute: &Attribute) -> bool {
    attribute.path().is_ident("doc")
}
