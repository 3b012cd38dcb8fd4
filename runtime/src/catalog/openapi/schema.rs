//! Shapes as JSON Schema (draft 2020-12, which OpenAPI 3.1 uses).

use serde_json::{Value as Json, json};
use zerver_engine::{Shape, ShapeField, ShapeFormat};

/// Returns the schema of a shape.
pub(super) fn schema(shape: &Shape) -> Json {
    match shape {
        Shape::Any => json!({}),
        Shape::Null => json!({ "type": "null" }),
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Integer { bits, is_signed } => integer(*bits, *is_signed),
        Shape::Number => json!({ "type": "number" }),
        Shape::Text(ShapeFormat::Plain) => json!({ "type": "string" }),
        Shape::Text(format) => json!({ "type": "string", "format": format.as_str() }),
        Shape::Bytes => json!({ "type": "array", "items": integer(8, false) }),
        Shape::Optional(inner) => nullable(schema(inner)),
        Shape::List(item) => json!({ "type": "array", "items": schema(item) }),
        Shape::Tuple(parts) => json!({
            "type": "array",
            "prefixItems": parts.iter().map(schema).collect::<Vec<_>>(),
            "items": false,
            "minItems": parts.len(),
        }),
        Shape::Map(value) => json!({ "type": "object", "additionalProperties": schema(value) }),
        Shape::Object => json!({ "type": "object" }),
        Shape::Struct { name, fields } => object(name, fields),
        Shape::Choice { name, variants } => choice(name, variants),
        Shape::Recursive(name) => json!({ "description": format!("Again of the type {name}") }),
    }
}

fn integer(bits: u8, is_signed: bool) -> Json {
    let mut schema = json!({ "type": "integer" });
    match (bits, is_signed) {
        (32, true) => schema["format"] = "int32".into(),
        (64, true) => schema["format"] = "int64".into(),
        (8 | 16, true) => {
            schema["minimum"] = (-(1i32 << (bits - 1))).into();
            schema["maximum"] = ((1i32 << (bits - 1)) - 1).into();
        }
        (_, true) => {}
        (8 | 16 | 32, false) => {
            schema["minimum"] = 0.into();
            schema["maximum"] = ((1u64 << bits) - 1).into();
        }
        (_, false) => schema["minimum"] = 0.into(),
    }
    schema
}

/// Returns a schema that accepts `null`, too.
fn nullable(mut schema: Json) -> Json {
    match schema.get("type") {
        Some(Json::String(name)) if schema.get("enum").is_none() => {
            schema["type"] = json!([name, "null"]);
            schema
        }
        // Anything, which includes null.
        None if schema == json!({}) => schema,
        _ => json!({ "anyOf": [schema, { "type": "null" }] }),
    }
}

fn object(name: &str, fields: &[ShapeField]) -> Json {
    let mut properties = json!({});
    for field in fields {
        properties[&field.name] = schema(&field.shape);
    }
    let required: Vec<_> =
        fields.iter().filter(|field| field.is_required).map(|field| &*field.name).collect();
    let mut object = json!({ "type": "object", "title": name, "properties": properties });
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

fn choice(name: &str, variants: &[(String, Shape)]) -> Json {
    if variants.iter().all(|(_, shape)| *shape == Shape::Null) {
        let names: Vec<_> = variants.iter().map(|(name, _)| name).collect();
        return json!({ "type": "string", "title": name, "enum": names });
    }
    let variant = |(name, shape): &(String, Shape)| match shape {
        Shape::Null => json!({ "const": name }),
        shape => json!({
            "type": "object",
            "properties": { name: schema(shape) },
            "required": [name],
            "additionalProperties": false,
        }),
    };
    json!({ "title": name, "oneOf": variants.iter().map(variant).collect::<Vec<_>>() })
}
