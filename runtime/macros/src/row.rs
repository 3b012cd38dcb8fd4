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
        reads.push(match FieldSource::of(field)? {
            FieldSource::Column(column) => quote!(#name: row.get::<#ty>(#column)?),
            FieldSource::OptionalColumn(column) => {
                quote!(#name: row.find::<#ty>(#column)?.unwrap_or_default())
            }
            FieldSource::Row => quote!(#name: <#ty as #sql::Row>::from_row(row)?),
        });
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

/// Part of the row that a field is read from.
enum FieldSource {
    /// The column of this name.
    Column(String),
    /// The column of this name, if there is one.
    OptionalColumn(String),
    /// The row, as another type.
    Row,
}

impl FieldSource {
    fn of(field: &Field) -> Result<Self> {
        let (mut renamed, mut is_optional, mut is_row) = (None, false, false);
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("row")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("rename") {
                    renamed = Some(meta.value()?.parse::<LitStr>()?.value());
                } else if meta.path.is_ident("default") {
                    is_optional = true;
                } else if meta.path.is_ident("flatten") {
                    is_row = true;
                } else {
                    return Err(
                        meta.error("unknown argument: write `rename = \"column\"`, `default` or `flatten`")
                    );
                }
                Ok(())
            })?;
        }
        if is_row && (is_optional || renamed.is_some()) {
            return Err(Error::new_spanned(field, "`flatten` reads the whole row, so it stands alone"));
        }
        let name = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
        let column = renamed.unwrap_or_else(|| name.trim_start_matches("r#").to_owned());
        Ok(match (is_row, is_optional) {
            (true, _) => Self::Row,
            (false, true) => Self::OptionalColumn(column),
            (false, false) => Self::Column(column),
        })
    }
}
