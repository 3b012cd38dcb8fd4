//! Slots that several flows share.

use zerver::prelude::*;

/// A stored todo.
#[slot]
#[derive(Debug, Clone, PartialEq)]
pub struct Todo {
    pub id: u64,
    pub title: String,
    pub completed: bool,
    pub order: u64,
}

/// Id of the requested todo.
#[slot]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TodoId(pub u64);

/// A todo in a response.
#[derive(Debug, Serialize)]
pub struct TodoView<'a> {
    id: u64,
    title: &'a str,
    completed: bool,
    order: u64,
    url: String,
}

impl Todo {
    /// Returns the todo with an absolute `url` at the host that the client used.
    pub fn view<'a>(&'a self, request: &Request) -> TodoView<'a> {
        TodoView {
            id: self.id,
            title: &self.title,
            completed: self.completed,
            order: self.order,
            url: self.url(request),
        }
    }

    pub fn url(&self, request: &Request) -> String {
        format!("{}/todos/{}", request.origin(), self.id)
    }
}
