//! `#[derive(Row)]`. It reads each field from a column; `zerver` converts the cells.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Error, Field, Fields, LitStr, Result};

pub(crate) fn expand(item: TokenStream) -> Result<TokenStream> {
    let input: DeriveInput = syn::parse2(item)?;
    let fields = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => &fields.named,
            _ => {
                return Err(Error::new_spanned(
                    &input.ident,
                    "a row needs named fields: tuples are rows already",
                ));
            }
        },
        _ => return Err(Error::new_spanned(&input.ident, "a row is a struct with a field for each column")),
    };
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &input.generics,
            "a row has no generic parameters: it owns its values",
        ));
    }
    let sql = quote!(::zerver::effects::sql);
    let mut reads = Vec::new();
    for field in fields {
        let (Some(name), ty) = (&field.ident, &field.ty) else { continue };
        let column = column(field)?;
        reads.push(quote!(#name: row.get::<#ty>(#column)?));
    }
    let name = &input.ident;
    Ok(quote! {
        impl #sql::Row for #name {
            fn from_row(row: #sql::RowRef<'_>) -> ::core::result::Result<Self, #sql::RowError> {
                ::core::result::Result::Ok(Self { #(#reads),* })
            }
        }
    })
}

/// Returns the name of the column of a field.
fn column(field: &Field) -> Result<String> {
    let mut renamed = None;
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("row")) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("rename") {
                return Err(meta.error("unknown argument: write `#[row(rename = \"column\")]`"));
            }
            renamed = Some(meta.value()?.parse::<LitStr>()?.value());
            Ok(())
        })?;
    }
    let name = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
    Ok(renamed.unwrap_or_else(|| name.trim_start_matches("r#").to_owned()))
}
