//! `#[stream]`: an async function that makes the body of a response while it is sent. `#[websocket]`: one that exchanges messages
//! with the client.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{Error, FnArg, GenericArgument, ItemFn, LitStr, Pat, PathArguments, Result, ReturnType, Type};

use crate::effect::{Options, Parameter, Role, is_doc, is_result, referent};

/// The attribute that is expanded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attribute {
    Stream,
    WebSocket,
}

impl Attribute {
    /// Returns the name, what a function with it is, and what its last parameter must be.
    const fn texts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Stream => (
                "#[stream]",
                "a stream",
                "the last parameter of a stream is its sender, such as `to: StreamSender<ServerEvent>`",
            ),
            Self::WebSocket => (
                "#[websocket]",
                "a session",
                "the last parameter of a session is its socket, such as `mut socket: WebSocket`",
            ),
        }
    }
}

pub(crate) fn expand(attribute: Attribute, arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let options = Options::parse(arguments.clone())?;
    if options.is_about_output() {
        let (name, ..) = attribute.texts();
        let message = format!(
            "`{name}` takes `kind`, `target`, `summary` and `safe`: what the client has received cannot be repeated"
        );
        return Err(Error::new_spanned(arguments, message));
    }
    let function: ItemFn = syn::parse2(item)?;
    reject(attribute, &function)?;
    let mut inputs: Vec<_> = function.sig.inputs.iter().collect();
    let Sender { pattern: sender, declared: sender_type, item: stream_item } =
        Sender::new(attribute, inputs.pop(), &function)?;
    let parameters = inputs.into_iter().map(Parameter::new).collect::<Result<Vec<_>>>()?;
    let is_result = is_result(&function.sig.output);

    let (engine, zerver) = (crate::crate_paths::engine(), crate::crate_paths::runtime());
    let serde = quote!(#engine::__private::serde);
    let serde_path = serde.to_string().replace(' ', "");
    let (name, visibility) = (&function.sig.ident, &function.vis);
    let kind = options.kind.clone().unwrap_or_else(|| LitStr::new(&name.to_string(), name.span()));
    let docs = function.attrs.iter().filter(|attribute| is_doc(attribute));
    let others = function.attrs.iter().filter(|attribute| !is_doc(attribute));
    let cfgs: Vec<_> = function.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")).collect();

    let arguments = || parameters.iter().filter(|parameter| parameter.role == Role::Argument);
    let argument_names: Vec<_> = arguments().map(|argument| &argument.name).collect();
    let fields = arguments().map(Parameter::field);
    let constructor_parameters = arguments().map(|Parameter { name, declared, .. }| quote!(#name: #declared));
    let constructor_fields = arguments().map(|Parameter { name, declared, .. }| match declared {
        Type::Reference(_) => quote!(#name: ::std::borrow::ToOwned::to_owned(#name)),
        _ => quote!(#name),
    });
    let resources = || parameters.iter().filter(|parameter| parameter.role == Role::Resource);
    let bindings = resources().map(|Parameter { name, declared, .. }| {
        let resource = referent(declared);
        quote!(let #name = resources.get::<#resource>(#kind)?;)
    });
    let resource_names: Vec<_> = resources().map(|parameter| &parameter.name).collect();
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
    let fields_of_self = quote! {
        #[allow(unused_variables)]
        let Self { #(#argument_names),* } = self;
    };
    let target = options.target.as_ref().map(|target| {
        quote! {
            fn target(&self) -> ::core::option::Option<::std::borrow::Cow<'_, str>> {
                #fields_of_self
                ::core::option::Option::Some(::std::borrow::Cow::from(#target))
            }
        }
    });
    let summary = options.summary.as_ref().map(|summary| {
        quote! {
            fn summary(&self) -> ::std::string::String {
                #fields_of_self
                ::std::string::String::from(#summary)
            }
        }
    });
    let is_safe = options.is_safe;
    let (output, body) = (&function.sig.output, &function.block);
    let finish = match is_result {
        true => quote! {
            match result {
                ::core::result::Result::Ok(_) => ::core::result::Result::Ok(()),
                ::core::result::Result::Err(error) => {
                    #[allow(unused_imports)]
                    use #engine::__private::{RecordCauses as _, RecordText as _, RecordValue as _};
                    #[allow(unused_mut)]
                    let mut probe = #engine::__private::ErrorProbe(error);
                    ::core::result::Result::Err(#engine::__private::stream_error(probe.record()?))
                }
            }
        },
        false => quote! {
            let () = result;
            ::core::result::Result::Ok(())
        },
    };
    let Expansion { returned, created, output: end, kind_impl, perform, docs: (kind_doc, perform_doc) } =
        Expansion::new(attribute, name, stream_item, &engine, &zerver);
    Ok(quote! {
        #(#docs)*
        #(#others)*
        #[allow(clippy::too_many_arguments)]
        #visibility fn #name(#(#constructor_parameters),*) -> #returned {
            #created(#name { #(#constructor_fields),* })
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
            type Output = #end;

            #summary
            #target

            fn output_summary(output: &Self::Output) -> ::std::string::String {
                output.summary()
            }

            fn is_safe(&self) -> bool {
                #is_safe
            }
        }

        #(#cfgs)*
        #kind_impl

        #(#cfgs)*
        impl #name {
            #[doc = #perform_doc]
            #[allow(dead_code, clippy::too_many_arguments)]
            #visibility async fn perform(#(#perform_parameters,)* #sender: #sender_type) #output #body
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
                        #(let #resource_names = ::std::sync::Arc::clone(&#resource_names);)*
                        #(let #argument_names = ::core::clone::Clone::clone(&arguments.#argument_names);)*
                        #perform(context, |__sender: #sender_type| {
                            #[allow(unused_variables)]
                            let context = ::core::clone::Clone::clone(context);
                            async move {
                                #(let #argument_names = #argument_names;)*
                                let result = #name::perform(#(#passed,)* __sender).await;
                                #finish
                            }
                        })
                    },
                ))
            }
        }
    })
}

/// The parts in which both attributes differ.
struct Expansion {
    /// Type that the function of the description returns, and the function that creates it.
    returned: TokenStream,
    created: TokenStream,
    output: TokenStream,
    kind_impl: TokenStream,
    /// Function that performs it.
    perform: TokenStream,
    /// Documentation of the kind, and of the function itself.
    docs: (String, String),
}

impl Expansion {
    fn new(
        attribute: Attribute,
        name: &Ident,
        item: Option<&Type>,
        engine: &TokenStream,
        zerver: &TokenStream,
    ) -> Self {
        match attribute {
            Attribute::Stream => Self {
                returned: quote!(#engine::ResponseStream),
                created: quote!(#engine::ResponseStream::new),
                output: quote!(#engine::StreamEnd),
                kind_impl: quote!(impl #engine::StreamKind for #name { type Item = #item; }),
                perform: quote!(#zerver::effects::stream::perform_stream),
                docs: (
                    format!("The kind of the stream of [`{name}`]: its arguments, as they are recorded."),
                    format!("Makes the items of [`{name}`]."),
                ),
            },
            Attribute::WebSocket => Self {
                returned: quote!(#engine::WebSocketSession),
                created: quote!(#engine::WebSocketSession::new),
                output: quote!(#engine::WebSocketEnd),
                kind_impl: quote!(impl #engine::WebSocketKind for #name {}),
                perform: quote!(#zerver::effects::websocket::perform_websocket),
                docs: (
                    format!("The kind of the session of [`{name}`]: its arguments, as they are recorded."),
                    format!("Exchanges the messages of [`{name}`]."),
                ),
            },
        }
    }
}

/// The last parameter.
struct Sender<'f> {
    pattern: &'f Pat,
    declared: &'f Type,
    /// Type of the items of a stream.
    item: Option<&'f Type>,
}

impl<'f> Sender<'f> {
    fn new(attribute: Attribute, parameter: Option<&'f FnArg>, function: &'f ItemFn) -> Result<Self> {
        let (.., expected) = attribute.texts();
        let error = |tokens: &dyn ToTokens| Error::new_spanned(tokens, expected);
        let typed = match parameter {
            Some(FnArg::Typed(typed)) => typed,
            Some(other) => return Err(error(other)),
            None => return Err(error(&function.sig.ident)),
        };
        let Type::Path(path) = &*typed.ty else { return Err(error(typed)) };
        let last = path.path.segments.last();
        let item = match (attribute, last.map(|last| (last.ident.to_string(), &last.arguments))) {
            (Attribute::WebSocket, Some((name, _))) if name == "WebSocket" => None,
            (Attribute::Stream, Some((name, PathArguments::AngleBracketed(arguments))))
                if name == "StreamSender" =>
            {
                match arguments.args.first() {
                    Some(GenericArgument::Type(item)) => Some(item),
                    _ => return Err(error(typed)),
                }
            }
            _ => return Err(error(typed)),
        };
        Ok(Self { pattern: &typed.pat, declared: &typed.ty, item })
    }
}

/// Rejects functions that cannot be streams.
fn reject(attribute: Attribute, function: &ItemFn) -> Result<()> {
    let (_, what, _) = attribute.texts();
    let signature = &function.sig;
    if signature.asyncness.is_none() {
        let message = format!(
            "{what} is an `async fn`, so that it can wait for the client; use tokio::task::spawn_blocking for code that \
             blocks its thread"
        );
        return Err(Error::new_spanned(signature.fn_token, message));
    }
    let generics = &signature.generics;
    if !generics.params.is_empty() || generics.where_clause.is_some() {
        let message =
            format!("{what} cannot be generic: its arguments are recorded, and a replay reads them back");
        return Err(Error::new_spanned(generics, message));
    }
    if let ReturnType::Type(_, output) = &signature.output
        && !is_result(&signature.output)
        && !matches!(&**output, Type::Tuple(tuple) if tuple.elems.is_empty())
    {
        let last = match attribute {
            Attribute::Stream => "its items go to the sender",
            Attribute::WebSocket => "its messages go to the socket",
        };
        return Err(Error::new_spanned(output, format!("{what} returns nothing, or a `Result`: {last}")));
    }
    Ok(())
}
