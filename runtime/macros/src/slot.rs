//! `#[derive(Slot)]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Error, Result};

pub(crate) fn expand(item: TokenStream) -> Result<TokenStream> {
    let input: DeriveInput = syn::parse2(item)?;
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &input.generics,
            "a slot is one type with one meaning, so it has no parameters; wrap the generic type in a struct",
        ));
    }
    let mut secret = false;
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("slot")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("secret") {
                secret = true;
                Ok(())
            } else {
                Err(meta.error("there is only `#[slot(secret)]`"))
            }
        })?;
    }
    let engine = crate::engine();
    let name = &input.ident;
    let text = name.to_string();
    Ok(quote! {
        impl #engine::Slot for #name {
            const DESC: #engine::SlotDesc = #engine::SlotDesc {
                name: #text,
                path: ::core::concat!(::core::module_path!(), "::", #text),
                secret: #secret,
                given: false,
                type_id: ::core::any::TypeId::of::<#name>,
            };
        }
    })
}
