//! Differences between two OpenAPI documents: which operations, parameters, bodies and responses have changed, and what breaks
//! clients.

mod operations;
mod schemas;
#[cfg(test)]
mod tests;

use serde::Serialize;
use serde_json::Value as Json;
use zerver_analysis::Breaking;

/// A difference between two documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct OpenApiChange {
    /// Method and path of the operation.
    pub(crate) operation: String,
    /// Part of the operation: `operation`, `parameter query page`, `request application/json /title`, `response 200`, ..
    pub(crate) part: String,
    /// Earlier value. `None` if it was added.
    pub(crate) old: Option<String>,
    /// Later value. `None` if it was removed.
    pub(crate) new: Option<String>,
    /// Effect on clients.
    pub(crate) breaking: Breaking,
}

/// Direction of a message. Clients break if requests must say more than before, and if responses may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Request,
    Response,
}

/// Returns the changes, in the order of the operations.
pub(crate) fn compare(old: &Json, new: &Json) -> Vec<OpenApiChange> {
    operations::compare(old, new)
}

/// The changes so far, and the operation and the part to which the next one belongs.
struct Changes<'d> {
    list: Vec<OpenApiChange>,
    operation: String,
    part: String,
    documents: (&'d Json, &'d Json),
}

impl Changes<'_> {
    fn add(&mut self, part: &str, old: Option<String>, new: Option<String>, breaking: Breaking) {
        let part = format!("{}{part}", self.part);
        self.list.push(OpenApiChange { operation: self.operation.clone(), part, old, new, breaking });
    }
}

/// Returns the members of an object, or none.
fn members(value: &Json) -> impl Iterator<Item = (&String, &Json)> {
    value.as_object().into_iter().flatten()
}

/// Follows a reference within the document. Others are taken as they are.
fn resolved<'d>(document: &'d Json, value: &'d Json) -> &'d Json {
    let mut value = value;
    // A reference to a reference is rare, and one to itself is a mistake.
    for _ in 0..8 {
        let target = value.get("$ref").and_then(Json::as_str).and_then(|target| target.strip_prefix('#'));
        match target.and_then(|target| document.pointer(target)) {
            Some(found) => value = found,
            None => break,
        }
    }
    value
}
