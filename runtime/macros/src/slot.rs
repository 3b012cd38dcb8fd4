//! `#[slot]` and `#[derive(Slot)]`.

use proc_macro2::{Group, Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::parse::Parser;
use syn::{Attribute, Data, DeriveInput, Error, Item, Meta, Path, Result};

/// Expands `#[slot]` into the derives of `Slot`, `Serialize` and `Deserialize`, by paths that need no dependency on
/// serde.
pub(crate) fn expand_attribute(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let properties = Properties::parse(arguments)?;
    let item: Item = syn::parse2(item)?;
    let attributes = match &item {
        Item::Struct(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        other => return Err(Error::new_spanned(other, "`#[slot]` belongs on a struct or an enum")),
    };
    if let Some(second) = attributes.iter().find(|attribute| attribute.path().is_ident("slot")) {
        return Err(Error::new_spanned(
            second,
            "a second `#[slot]`: write one, as `#[slot]`, `#[slot(secret)]` or `#[slot(index)]`",
        ));
    }
    let derived = derived(attributes)?;
    if let Some(slot) = derived.iter().find(|path| is_named(path, "Slot")) {
        return Err(Error::new_spanned(
            slot,
            "`#[slot]` derives `Slot` already: remove it from `#[derive(..)]`",
        ));
    }
    let engine = crate::crate_paths::engine();
    let SerdeDerives { derives, path } =
        SerdeDerives::missing(attributes, &derived, &["Serialize", "Deserialize"]);
    let properties = properties.attribute();
    Ok(quote! {
        #[derive(#(#derives,)* #engine::Slot)]
        #properties
        #path
        #item
    })
}

/// Expands `#[input]` into the derive of `Deserialize`, likewise.
pub(crate) fn expand_input(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    if !arguments.is_empty() {
        return Err(Error::new_spanned(arguments, "#[input] takes no arguments"));
    }
    let item: Item = syn::parse2(item)?;
    let attributes = match &item {
        Item::Struct(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        other => return Err(Error::new_spanned(other, "`#[input]` belongs on a struct or an enum")),
    };
    let derived = derived(attributes)?;
    let SerdeDerives { derives, path } = SerdeDerives::missing(attributes, &derived, &["Deserialize"]);
    Ok(quote! {
        #[derive(#(#derives),*)]
        #path
        #item
    })
}

/// Derives of serde that need no dependency on it.
struct SerdeDerives {
    derives: Vec<TokenStream>,
    /// The attribute with the path to serde.
    path: Option<TokenStream>,
}

impl SerdeDerives {
    /// Returns those of these derives that the user has not written. The path, too, is the user's if there is one.
    fn missing(attributes: &[Attribute], derived: &[Path], names: &[&str]) -> Self {
        let engine = crate::crate_paths::engine();
        let serde = quote!(#engine::__private::serde);
        let missing = names.iter().filter(|name| !derived.iter().any(|path| is_named(path, name)));
        let derives = missing.map(|name| {
            let name = Ident::new(name, Span::call_site());
            quote!(#serde::#name)
        });
        let path = (!has_serde_path(attributes)).then(|| {
            let path = serde.to_string().replace(' ', "");
            quote!(#[serde(crate = #path)])
        });
        Self { derives: derives.collect(), path }
    }
}

/// Expands `#[derive(Slot)]`.
pub(crate) fn expand_derive(item: TokenStream) -> Result<TokenStream> {
    let input: DeriveInput = syn::parse2(item)?;
    if let Data::Union(data) = &input.data {
        return Err(Error::new_spanned(data.union_token, "a slot is a struct or an enum"));
    }
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &input.generics,
            "a slot has no generic parameters, because each slot is one type: wrap the generic type in a struct",
        ));
    }
    let mut properties = Properties::default();
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("slot")) {
        if let Meta::List(list) = &attribute.meta {
            properties.add(list.tokens.clone())?;
        }
    }
    let Properties { is_secret, is_indexed } = properties;
    let engine = crate::crate_paths::engine();
    let name = &input.ident;
    let text = name.to_string();
    Ok(quote! {
        impl #engine::Slot for #name {
            const DESC: #engine::SlotDesc = #engine::SlotDesc {
                name: #text,
                path: ::core::concat!(::core::module_path!(), "::", #text),
                is_secret: #is_secret,
                is_indexed: #is_indexed,
                is_builtin: false,
                type_id: ::core::any::TypeId::of::<#name>,
            };
        }
    })
}

/// The arguments of `#[slot(..)]`.
#[derive(Default)]
struct Properties {
    is_secret: bool,
    is_indexed: bool,
}

impl Properties {
    fn parse(arguments: TokenStream) -> Result<Self> {
        let mut properties = Self::default();
        properties.add(arguments)?;
        Ok(properties)
    }

    fn add(&mut self, arguments: TokenStream) -> Result<()> {
        let parser = syn::meta::parser(|meta| {
            let (property, name) = match &meta.path {
                path if path.is_ident("secret") => (&mut self.is_secret, "secret"),
                path if path.is_ident("index") => (&mut self.is_indexed, "index"),
                path => {
                    let argument = path.to_token_stream();
                    return Err(meta.error(format!(
                        "unknown argument `{argument}`: write `#[slot]`, `#[slot(secret)]` or `#[slot(index)]`"
                    )));
                }
            };
            if std::mem::replace(property, true) {
                return Err(meta.error(format!("`{name}` is given twice")));
            }
            if self.is_secret && self.is_indexed {
                return Err(meta.error("a secret slot has no index, because no query finds a secret"));
            }
            Ok(())
        });
        parser.parse2(arguments)
    }

    /// Returns the attribute that the derive reads.
    fn attribute(&self) -> Option<TokenStream> {
        match self {
            Self { is_secret: true, .. } => Some(quote!(#[slot(secret)])),
            Self { is_indexed: true, .. } => Some(quote!(#[slot(index)])),
            _ => None,
        }
    }
}

/// Returns the traits in all `#[derive(..)]` attributes.
fn derived(attributes: &[Attribute]) -> Result<Vec<Path>> {
    let mut derived = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("derive")) {
        attribute.parse_nested_meta(|meta| {
            derived.push(meta.path);
            Ok(())
        })?;
    }
    Ok(derived)
}

/// Returns true if the last segment of a path is `name`.
fn is_named(path: &Path, name: &str) -> bool {
    path.segments.last().is_some_and(|segment| segment.ident == name)
}

/// Returns true if a `#[serde(crate = "..")]` is present.
fn has_serde_path(attributes: &[Attribute]) -> bool {
    let mut is_found = false;
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        // Other arguments are serde's to check.
        let _ = attribute.parse_nested_meta(|meta| {
            is_found |= meta.path.is_ident("crate");
            if meta.input.peek(syn::Token![=]) {
                meta.value()?.parse::<syn::Expr>()?;
            } else if meta.input.peek(syn::token::Paren) {
                meta.input.parse::<Group>()?;
            }
            Ok(())
        });
    }
    is_found
}
