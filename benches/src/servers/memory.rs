//! The data of the hyper and axum servers, in hash maps behind locks, and the parts of their handler. Values are shared
//! instead of copied, as in zerver.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use hyper::header::AUTHORIZATION;
use hyper::{HeaderMap, StatusCode};

use super::todos::{Claims, Todo};

/// Number of users besides ann.
pub(crate) const USERS: u64 = 1_000;
/// Number of todos besides the seventh.
pub(crate) const TODOS: u64 = 10_000;
/// Their first id, so that all have five digits.
pub(crate) const FIRST_TODO: u64 = 10_000;
/// Number of pages of todos.
pub(crate) const PAGES: u64 = 90;
/// The first id of a page, so that all have two digits.
pub(crate) const FIRST_PAGE: u64 = 10;
/// Number of todos on a page, which make about 7 KB.
const PAGE_LEN: u64 = 105;

pub(crate) use super::todos::Page;

pub(crate) struct Memory {
    users: RwLock<HashMap<String, Arc<Claims>>>,
    todos: RwLock<HashMap<u64, Arc<Todo>>>,
    pages: RwLock<HashMap<u64, Arc<Page>>>,
}

impl Memory {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            users: RwLock::new(users().map(|(token, claims)| (token, Arc::new(claims))).collect()),
            todos: RwLock::new(todos().map(|todo| (todo.id, Arc::new(todo))).collect()),
            pages: RwLock::new(pages().map(|(id, page)| (id, Arc::new(page))).collect()),
        })
    }

    /// Runs all parts of the handler of pages.
    pub(crate) fn show_page(&self, headers: &HeaderMap, id: u64) -> Result<Arc<Page>, StatusCode> {
        verify_roles(&*self.lookup_user(parse_auth(headers)?)?)?;
        let pages = self.pages.read().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        pages.get(&id).cloned().ok_or(StatusCode::NOT_FOUND)
    }

    /// Runs all parts of the handler of todos.
    pub(crate) fn show(&self, headers: &HeaderMap, id: u64) -> Result<Arc<Todo>, StatusCode> {
        verify_roles(&*self.lookup_user(parse_auth(headers)?)?)?;
        self.load_todo(id)
    }

    pub(crate) fn lookup_user(&self, token: &str) -> Result<Arc<Claims>, StatusCode> {
        let users = self.users.read().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        users.get(token).cloned().ok_or(StatusCode::UNAUTHORIZED)
    }

    pub(crate) fn load_todo(&self, id: u64) -> Result<Arc<Todo>, StatusCode> {
        let todos = self.todos.read().map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        todos.get(&id).cloned().ok_or(StatusCode::NOT_FOUND)
    }
}

/// Returns the users by their tokens.
pub(crate) fn users() -> impl Iterator<Item = (String, Claims)> {
    let others = (0..USERS).map(|n| (format!("token-{n:04}"), Claims::admin(format!("user-{n:04}"))));
    others.chain([("ann-token".to_owned(), Claims::admin("ann".to_owned()))])
}

/// Returns all todos.
pub(crate) fn todos() -> impl Iterator<Item = Todo> {
    (FIRST_TODO..FIRST_TODO + TODOS).map(Todo::numbered).chain([Todo::milk()])
}

/// Returns the pages with their ids.
pub(crate) fn pages() -> impl Iterator<Item = (u64, Page)> {
    (0..PAGES).map(|n| (FIRST_PAGE + n, Page::new(n)))
}

impl Page {
    /// Creates page `n`, counted from zero.
    pub(crate) fn new(n: u64) -> Self {
        let first = FIRST_TODO + n * PAGE_LEN;
        Self { page: n, todos: (first..first + PAGE_LEN).map(Todo::numbered).collect() }
    }
}

pub(crate) fn parse_auth(headers: &HeaderMap) -> Result<&str, StatusCode> {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    header.and_then(|text| text.strip_prefix("Bearer ")).ok_or(StatusCode::UNAUTHORIZED)
}

pub(crate) fn verify_roles(claims: &Claims) -> Result<(), StatusCode> {
    match claims.roles.iter().any(|role| role == "admin") {
        true => Ok(()),
        false => Err(StatusCode::FORBIDDEN),
    }
}
