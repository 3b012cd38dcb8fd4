//! Parameters of the path, the query, headers and cookies.

use serde_json::{Value as Json, json};
use zerver_engine::{InputDesc, InputPart, Shape};

use super::schema::schema;

/// Headers that OpenAPI describes elsewhere.
const OTHER_HEADERS: [&str; 3] = ["accept", "content-type", "authorization"];

/// Returns the parameters. `order` are the names of the parameters of the route; `names` are those of the path in its pattern
/// and in the document, in the order of the path.
pub(super) fn parameters(inputs: &[InputDesc], order: &[String], names: (&[String], &[String])) -> Vec<Json> {
    let mut found: Vec<Json> = Vec::new();
    for (name, shown) in names.0.iter().zip(names.1) {
        let shape = inputs.iter().filter(|input| input.part == InputPart::Path);
        let shape = shape.filter_map(|input| path_shape(&(input.shape)(), order, name)).next();
        let schema = shape.map_or_else(|| json!({ "type": "string" }), |shape| schema(&present(shape)));
        found.push(json!({ "name": shown, "in": "path", "required": true, "schema": schema }));
    }
    for input in inputs {
        let place = match input.part {
            InputPart::Query => "query",
            InputPart::Headers => "header",
            InputPart::Cookies => "cookie",
            InputPart::Path | InputPart::Body(_) => continue,
        };
        let Shape::Struct { fields, .. } = (input.shape)() else { continue };
        for field in fields {
            let name = if place == "header" { field.name.replace('_', "-") } else { field.name };
            let is_known = |known: &Json| known["in"] == place && known["name"] == name;
            if found.iter().any(is_known) || place == "header" && OTHER_HEADERS.contains(&&*name) {
                continue;
            }
            let schema = schema(&present(field.shape));
            found.push(json!({ "name": name, "in": place, "required": field.is_required, "schema": schema }));
        }
    }
    found
}

/// Returns the shape of a parameter that has a value.
fn present(shape: Shape) -> Shape {
    match shape {
        Shape::Optional(inner) => present(*inner),
        shape => shape,
    }
}

/// Returns the shape of the parameter with this name within that of all parameters.
fn path_shape(all: &Shape, order: &[String], name: &str) -> Option<Shape> {
    match all {
        Shape::Struct { fields, .. } => {
            fields.iter().find(|field| field.name == name).map(|field| field.shape.clone())
        }
        Shape::Tuple(parts) => {
            let at = order.iter().position(|known| known == name)?;
            parts.get(at).cloned()
        }
        Shape::List(item) => Some((**item).clone()),
        shape if order.len() == 1 => Some(shape.clone()),
        _ => None,
    }
}
