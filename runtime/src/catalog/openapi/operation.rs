//! Operations: a method of a path.

use serde_json::{Value as Json, json};
use zerver_engine::{Alias, FlowDef, InputDesc, InputPart};

use super::ApiInfo;
use super::parameters::parameters;
use super::responses::{moved, responses};
use super::schema::schema;

/// Returns the operation of a flow, or of one of its aliases, which comes with its number. `params` are the names of the
/// parameters of the path in its pattern and in the document.
pub(super) fn operation(
    flow: &FlowDef,
    alias: Option<(usize, &Alias)>,
    params: (&[String], &[String]),
    info: &ApiInfo,
) -> Json {
    let inputs: Vec<InputDesc> = flow.steps().flat_map(|step| step.inputs).flatten().copied().collect();
    let id = match alias {
        Some((number, _)) => format!("{}-alias-{number}", flow.name()),
        None => flow.name().to_owned(),
    };
    let mut operation = json!({ "operationId": id, "x-version": flow.number_of_version() });
    if let Some(summary) = flow.summary_text() {
        operation["summary"] = summary.into();
    }
    if let Some(owner) = flow.owner_name() {
        operation["tags"] = json!([owner]);
    }
    if let Some((_, alias)) = alias {
        let (_, route) = flow.route();
        operation["description"] = match alias.sunset() {
            Some(until) => format!("Alias of {route}, until {until}").into(),
            None => format!("Alias of {route}").into(),
        };
        operation["deprecated"] = alias.deprecation().is_some().into();
    }
    // The parameters of an alias are those of the route, whose order the inputs have.
    let order = route_params(flow.route().1);
    let parameters = parameters(&inputs, &order, params);
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(body) = request_body(&inputs) {
        operation["requestBody"] = body;
    }
    operation["responses"] = match alias {
        Some((_, alias)) if alias.is_redirect() => moved(),
        _ => responses(flow, &inputs, info.has_problems && !flow.renders_failures()),
    };
    operation
}

/// Returns the names of the parameters of a pattern, in order.
fn route_params(pattern: &str) -> Vec<String> {
    super::path_template::PathTemplates::default().find(pattern).params
}

/// Returns the description of the body, if a step takes one. Several types are alternatives.
fn request_body(inputs: &[InputDesc]) -> Option<Json> {
    let mut content = json!({});
    for input in inputs {
        if let InputPart::Body(media_type) = input.part {
            content[media_type] = json!({ "schema": schema(&(input.shape)()) });
        }
    }
    (content != json!({})).then(|| json!({ "required": true, "content": content }))
}
