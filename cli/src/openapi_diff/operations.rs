//! Compares operations: parameters, bodies, responses.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use zerver_analysis::Breaking;

use super::{Changes, Direction, OpenApiChange, members, resolved, schemas};

/// Methods of a path item.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// An operation, with the parameters of its path.
struct Operation<'d> {
    shown: String,
    value: &'d Json,
    parameters: Vec<&'d Json>,
}

pub(super) fn compare(old: &Json, new: &Json) -> Vec<OpenApiChange> {
    let (old_operations, new_operations) = (operations(old), operations(new));
    let documents = (old, new);
    let mut changes = Changes { list: Vec::new(), operation: String::new(), part: String::new(), documents };
    for (key, operation) in &old_operations {
        changes.operation.clone_from(&operation.shown);
        match new_operations.get(key) {
            Some(found) => compare_operation(operation, found, &mut changes),
            None => {
                let was_announced = operation.value["deprecated"] == true;
                let breaking = if was_announced { Breaking::Maybe } else { Breaking::Yes };
                let text = if was_announced { "deprecated" } else { "served" };
                changes.add("operation", Some(text.to_owned()), None, breaking);
            }
        }
    }
    for (key, operation) in &new_operations {
        if !old_operations.contains_key(key) {
            changes.operation.clone_from(&operation.shown);
            changes.add("operation", None, Some("served".to_owned()), Breaking::No);
        }
    }
    changes.list
}

/// Returns the operations by path and method. Names of path parameters do not distinguish paths.
fn operations(document: &Json) -> BTreeMap<(String, &'static str), Operation<'_>> {
    let mut found = BTreeMap::new();
    for (path, item) in members(&document["paths"]) {
        let item = resolved(document, item);
        for method in METHODS {
            let Some(value) = item.get(method) else { continue };
            let own = value["parameters"].as_array().into_iter().flatten();
            let parameters: Vec<_> = item["parameters"].as_array().into_iter().flatten().chain(own).collect();
            let shown = format!("{} {path}", method.to_ascii_uppercase());
            found.insert((unnamed(path), method), Operation { shown, value, parameters });
        }
    }
    found
}

/// Returns the path with `{}` in place of each parameter.
fn unnamed(path: &str) -> String {
    let mut text = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        text.push_str(before);
        text.push_str("{}");
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    text + rest
}

fn compare_operation(old: &Operation<'_>, new: &Operation<'_>, changes: &mut Changes<'_>) {
    changes.part.clear();
    if old.value["deprecated"] != true && new.value["deprecated"] == true {
        changes.add("operation", Some("served".to_owned()), Some("deprecated".to_owned()), Breaking::No);
    }
    compare_parameters(old, new, changes);
    changes.part.clear();
    compare_request(old.value, new.value, changes);
    changes.part.clear();
    compare_responses(old.value, new.value, changes);
    changes.part.clear();
}

/// Returns the parameters of an operation by place and name; those of the path by their position.
fn parameters<'d>(document: &'d Json, operation: &Operation<'d>) -> BTreeMap<String, &'d Json> {
    let mut found = BTreeMap::new();
    let in_path = |name: &str| operation.shown.find(&format!("{{{name}}}"));
    for parameter in &operation.parameters {
        let parameter = resolved(document, parameter);
        let text = |key: &str| parameter[key].as_str().unwrap_or_default();
        let (place, name) = (text("in"), text("name"));
        let key = match in_path(name).filter(|_| place == "path") {
            Some(at) => format!("path {}", operation.shown[..at].matches('{').count() + 1),
            None if place == "header" => format!("header {}", name.to_ascii_lowercase()),
            None => format!("{place} {name}"),
        };
        found.insert(key, parameter);
    }
    found
}

fn compare_parameters(old: &Operation<'_>, new: &Operation<'_>, changes: &mut Changes<'_>) {
    let (old, new) = (parameters(changes.documents.0, old), parameters(changes.documents.1, new));
    let required = |parameter: &Json| if parameter["required"] == true { "required" } else { "optional" };
    for (key, before) in &old {
        changes.part = format!("parameter {key}");
        let Some(after) = new.get(key) else {
            // Clients that send it are still answered, but not as they expect.
            changes.add("", Some(required(before).to_owned()), None, Breaking::Maybe);
            continue;
        };
        compare_required(required(before), required(after), changes);
        schemas::compare(&before["schema"], &after["schema"], Direction::Request, changes);
    }
    for (key, after) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
        changes.part = format!("parameter {key}");
        let required = required(after);
        let breaking = if required == "required" { Breaking::Yes } else { Breaking::No };
        changes.add("", None, Some(required.to_owned()), breaking);
    }
}

fn compare_required(old: &str, new: &str, changes: &mut Changes<'_>) {
    if old != new {
        let breaking = if new == "required" { Breaking::Yes } else { Breaking::No };
        changes.add("", Some(old.to_owned()), Some(new.to_owned()), breaking);
    }
}

fn compare_request(old: &Json, new: &Json, changes: &mut Changes<'_>) {
    let body = |document, operation: &Json| resolved(document, &operation["requestBody"]).clone();
    let (old, new) = (body(changes.documents.0, old), body(changes.documents.1, new));
    changes.part = "request".to_owned();
    let required = |body: &Json| match body["required"] == true {
        true => "required",
        false => "optional",
    };
    match (old.is_object(), new.is_object()) {
        (false, false) => {}
        (true, false) => changes.add("", Some(required(&old).to_owned()), None, Breaking::Maybe),
        (false, true) => {
            let breaking = if required(&new) == "required" { Breaking::Yes } else { Breaking::No };
            changes.add("", None, Some(required(&new).to_owned()), breaking);
        }
        (true, true) => {
            compare_required(required(&old), required(&new), changes);
            compare_content(&old, &new, Direction::Request, changes);
        }
    }
}

fn compare_responses(old: &Json, new: &Json, changes: &mut Changes<'_>) {
    let (old, new) = (&old["responses"], &new["responses"]);
    let text = |response: &Json| response["description"].as_str().unwrap_or("described").to_owned();
    for (status, before) in members(old) {
        changes.part = format!("response {status}");
        let before = resolved(changes.documents.0, before);
        let Some(after) = new.get(status) else {
            let breaking = if status.starts_with('2') { Breaking::Yes } else { Breaking::Maybe };
            changes.add("", Some(text(before)), None, breaking);
            continue;
        };
        let after = resolved(changes.documents.1, after);
        compare_content(before, after, Direction::Response, changes);
    }
    for (status, after) in members(new).filter(|(status, _)| old.get(*status).is_none()) {
        changes.part = format!("response {status}");
        // A client must expect errors, but may not expect another success.
        let breaking = if status.starts_with('2') { Breaking::Maybe } else { Breaking::No };
        changes.add("", None, Some(text(resolved(changes.documents.1, after))), breaking);
    }
}

/// Compares the media types of a body.
fn compare_content(old: &Json, new: &Json, direction: Direction, changes: &mut Changes<'_>) {
    let part = changes.part.clone();
    let (old, new) = (&old["content"], &new["content"]);
    for (media_type, before) in members(old) {
        changes.part = format!("{part} {media_type}");
        match new.get(media_type) {
            Some(after) => schemas::compare(&before["schema"], &after["schema"], direction, changes),
            None => changes.add("", Some("offered".to_owned()), None, Breaking::Yes),
        }
    }
    for (media_type, _) in members(new).filter(|(media_type, _)| old.get(*media_type).is_none()) {
        changes.part = format!("{part} {media_type}");
        let breaking = match direction {
            Direction::Request => Breaking::No,
            // Where there was no content before, or another one.
            Direction::Response => Breaking::Maybe,
        };
        changes.add("", None, Some("offered".to_owned()), breaking);
    }
    changes.part = part;
}
