//! Compares schemas: whether a value that was valid still is, or one that was not has become possible.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use zerver_analysis::Breaking;

use super::{Changes, Direction, members, resolved};

/// Depth at which the comparison ends. Schemas may be recursive.
const MAX_DEPTH: usize = 32;

/// Keywords that say nothing about the values.
const NOTES: [&str; 8] =
    ["title", "description", "default", "example", "examples", "deprecated", "$comment", "externalDocs"];

/// Keywords that are compared one by one.
const COMPARED: [&str; 6] = ["type", "properties", "required", "items", "enum", "$ref"];

pub(super) fn compare(old: &Json, new: &Json, direction: Direction, changes: &mut Changes<'_>) {
    compare_at(old, new, "", direction, 0, changes);
}

fn compare_at(
    old: &Json,
    new: &Json,
    at: &str,
    direction: Direction,
    depth: usize,
    changes: &mut Changes<'_>,
) {
    let (old_document, new_document) = changes.documents;
    let (old, new) = (resolved(old_document, old), resolved(new_document, new));
    if old == new && old.get("$ref").is_none() && depth > 0 || depth > MAX_DEPTH {
        return;
    }
    let path = |at: &str| if at.is_empty() { String::new() } else { format!(" {at}") };
    compare_sets(&types(old), &types(new), "type", at, direction, changes);
    if let (Some(before), Some(after)) = (values(old), values(new)) {
        compare_sets(&before, &after, "enum", at, direction, changes);
    }
    let (before, after) = (required(old), required(new));
    for (name, schema) in members(&old["properties"]) {
        let inner = format!("{at}/{}", pointer(name));
        match new["properties"].get(name) {
            Some(found) => {
                compare_at(schema, found, &inner, direction, depth + 1, changes);
                let text = |is_required| if is_required { "required" } else { "optional" }.to_owned();
                let (was, is) = (before.contains(name.as_str()), after.contains(name.as_str()));
                if was != is {
                    // Requests must not have to say more, and responses must not say less.
                    let breaks = if direction == Direction::Request { is } else { was };
                    let breaking = if breaks { Breaking::Yes } else { Breaking::No };
                    changes.add(&path(&inner), Some(text(was)), Some(text(is)), breaking);
                }
            }
            None => {
                let was_required = before.contains(name.as_str());
                let breaking = match direction {
                    Direction::Response if was_required => Breaking::Yes,
                    _ => Breaking::Maybe,
                };
                changes.add(&path(&inner), Some(described(schema)), None, breaking);
            }
        }
    }
    for (name, schema) in
        members(&new["properties"]).filter(|(name, _)| old["properties"].get(name).is_none())
    {
        let is_demanded = direction == Direction::Request && after.contains(name.as_str());
        let breaking = if is_demanded { Breaking::Yes } else { Breaking::No };
        changes.add(&path(&format!("{at}/{}", pointer(name))), None, Some(described(schema)), breaking);
    }
    if old.get("items").is_some() && new.get("items").is_some() {
        compare_at(&old["items"], &new["items"], &format!("{at}/*"), direction, depth + 1, changes);
    }
    compare_others(old, new, &path(at), changes);
}

/// Compares keywords whose effect is not known in detail, such as limits, formats and `anyOf`.
fn compare_others(old: &Json, new: &Json, path: &str, changes: &mut Changes<'_>) {
    let keywords: BTreeSet<&String> = members(old).chain(members(new)).map(|(name, _)| name).collect();
    for keyword in keywords {
        if NOTES.contains(&keyword.as_str()) || COMPARED.contains(&keyword.as_str()) {
            continue;
        }
        let (before, after) = (old.get(keyword), new.get(keyword));
        if before != after {
            let text = |value: Option<&Json>| value.map(ToString::to_string);
            changes.add(&format!("{path} {keyword}"), text(before), text(after), Breaking::Maybe);
        }
    }
}

/// Compares what is possible: a request must still be allowed to be what it was, and a response must not be more.
fn compare_sets(
    old: &BTreeSet<String>,
    new: &BTreeSet<String>,
    keyword: &str,
    at: &str,
    direction: Direction,
    changes: &mut Changes<'_>,
) {
    // Each integer is a number.
    let is_in = |set: &BTreeSet<String>, item: &str| {
        set.is_empty()
            || set.contains(item)
            || keyword == "type" && item == "integer" && set.contains("number")
    };
    // Without a type, any is possible.
    let narrows = match (old.is_empty(), new.is_empty()) {
        (true, false) => true,
        _ => old.iter().any(|item| !is_in(new, item)),
    };
    let widens = match (old.is_empty(), new.is_empty()) {
        (false, true) => true,
        _ => new.iter().any(|item| !is_in(old, item)),
    };
    if old == new || !narrows && !widens {
        return;
    }
    let breaking = match direction {
        Direction::Request if narrows => Breaking::Yes,
        Direction::Response if widens => Breaking::Yes,
        _ => Breaking::No,
    };
    let text = |set: &BTreeSet<String>| match set.is_empty() {
        true => "any".to_owned(),
        false => set.iter().map(String::as_str).collect::<Vec<_>>().join(" | "),
    };
    let space = if at.is_empty() { "" } else { " " };
    changes.add(&format!("{space}{at} {keyword}"), Some(text(old)), Some(text(new)), breaking);
}

fn types(schema: &Json) -> BTreeSet<String> {
    let listed = schema["type"].as_array().into_iter().flatten();
    let all = schema.get("type").filter(|found| found.is_string()).into_iter().chain(listed);
    all.filter_map(Json::as_str).map(str::to_owned).collect()
}

/// Returns the allowed values, if they are listed.
fn values(schema: &Json) -> Option<BTreeSet<String>> {
    let listed = schema.get("enum")?.as_array()?;
    Some(listed.iter().map(ToString::to_string).collect())
}

fn required(schema: &Json) -> BTreeSet<&str> {
    schema["required"].as_array().into_iter().flatten().filter_map(Json::as_str).collect()
}

fn described(schema: &Json) -> String {
    let types = types(schema);
    match types.is_empty() {
        true => "any".to_owned(),
        false => types.into_iter().collect::<Vec<_>>().join(" | "),
    }
}

/// Escapes a name in a JSON pointer (RFC 6901, section 3).
fn pointer(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
