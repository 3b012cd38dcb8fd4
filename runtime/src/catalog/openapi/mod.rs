//! OpenAPI 3.1 documents of a service, from its flows: routes and aliases, parameters, bodies, responses and failures.
//!
//! A document says what the types say. What they do not say is left open, never guessed.

mod operation;
mod parameters;
mod path_template;
mod responses;
mod schema;

use serde_json::{Map, Value as Json, json};
use zerver_engine::FlowDef;

use self::operation::operation;
use self::path_template::PathTemplates;

/// Version of OpenAPI.
const OPENAPI: &str = "3.1.1";

/// The part of a document that is about the whole service.
#[derive(Debug, Clone)]
pub(crate) struct ApiInfo {
    pub(crate) title: String,
    pub(crate) version: String,
    /// True if failures are responses of type `application/problem+json`, unless a flow renders them itself.
    pub(crate) has_problems: bool,
}

/// Returns the document of a service with these flows.
pub(crate) fn document(flows: &[FlowDef], info: &ApiInfo) -> Json {
    let (mut templates, mut paths) = (PathTemplates::default(), Map::new());
    let mut add = |pattern: &str, method: &str, build: &dyn Fn(&[String], &[String]) -> Json| {
        let template = templates.find(pattern);
        let item = paths.entry(template.path).or_insert_with(|| json!({}));
        item[method.to_ascii_lowercase()] = build(&template.params, &template.shown);
    };
    for flow in flows {
        let (method, pattern) = flow.route();
        add(pattern, method, &|params, shown| operation(flow, None, (params, shown), info));
        for (at, alias) in flow.alias_list().iter().enumerate() {
            let alias = Some((at + 1, alias));
            let pattern = alias.map_or("", |(_, alias)| alias.pattern());
            add(pattern, method, &|params, shown| operation(flow, alias, (params, shown), info));
        }
    }
    let mut owners: Vec<&str> = flows.iter().filter_map(FlowDef::owner_name).collect();
    owners.sort_unstable();
    owners.dedup();
    let mut document = json!({
        "openapi": OPENAPI,
        "info": { "title": info.title, "version": info.version },
        "paths": paths,
        "components": { "schemas": { "Problem": responses::problem_schema() } },
    });
    if !owners.is_empty() {
        document["tags"] = owners.iter().map(|owner| json!({ "name": owner })).collect();
    }
    document
}
