//! Types of the server, as sqlx describes them.

use sqlx::TypeInfo as _;
use sqlx::postgres::{PgTypeInfo, PgTypeKind};
use zerver_postgres_values::{Kind, Type};

/// Name that sqlx shows for a type that it could not find out about.
const UNKNOWN: &str = "?";

/// Converts the description of a type.
pub(crate) fn server_type(info: &PgTypeInfo) -> Type {
    let oid = info.oid().map(|oid| oid.0);
    if let Some(known) = oid.and_then(Type::from_oid) {
        return known;
    }
    let Some(oid) = oid.filter(|_| info.name() != UNKNOWN) else { return Type::UNKNOWN };
    let kind = match info.kind() {
        PgTypeKind::Domain(inner) => Kind::Domain(server_type(inner)),
        PgTypeKind::Array(inner) => Kind::Array(server_type(inner)),
        PgTypeKind::Enum(labels) => Kind::Enum(labels.to_vec()),
        PgTypeKind::Range(inner) => Kind::Range(server_type(inner)),
        PgTypeKind::Pseudo => Kind::Pseudo,
        PgTypeKind::Composite(_) => Kind::Composite(Vec::new()),
        PgTypeKind::Simple => Kind::Simple,
    };
    let (schema, name) = catalog_name(info.name());
    Type::new(name, oid, kind, schema)
}

/// Returns the name of a type for a cast.
pub(crate) fn cast_target(info: &PgTypeInfo) -> String {
    match info.oid().and_then(|oid| Type::from_oid(oid.0)) {
        // The name alone could mean something else, such as `char`.
        Some(known) => format!("pg_catalog.\"{}\"", known.name()),
        // As the server writes it: with quotes and a schema where they are needed.
        None => info.name().to_owned(),
    }
}

/// Splits a name as the server writes it (`"my schema".mood[]`) into the schema and the name in the catalog (`_mood`). A
/// type in the search path has no schema; it then counts as one of `public`.
fn catalog_name(written: &str) -> (String, String) {
    let (element, is_array) = match written.strip_suffix("[]") {
        Some(element) => (element, true),
        None => (written, false),
    };
    let mut parts = vec![String::new()];
    let mut is_quoted = false;
    let mut chars = element.chars().peekable();
    while let Some(c) = chars.next() {
        let last = parts.len() - 1;
        match c {
            '"' if is_quoted && chars.peek() == Some(&'"') => {
                chars.next();
                parts[last].push('"');
            }
            '"' => is_quoted = !is_quoted,
            '.' if !is_quoted => parts.push(String::new()),
            c => parts[last].push(c),
        }
    }
    let name = parts.pop().unwrap_or_default();
    let schema = parts.pop().unwrap_or_else(|| "public".to_owned());
    (schema, if is_array { format!("_{name}") } else { name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_name_is_split() {
        let check = |written, schema: &str, name: &str| {
            assert_eq!(catalog_name(written), (schema.to_owned(), name.to_owned()));
        };
        check("mood", "public", "mood");
        check("mood[]", "public", "_mood");
        check("app.mood", "app", "mood");
        check("\"my app\".\"a \"\"b.c\"\"\"[]", "my app", "_a \"b.c\"");
    }
}
