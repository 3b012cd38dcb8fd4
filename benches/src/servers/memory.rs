//! The data of the hyper and axum servers, in hash maps behind locks, and the parts of their handler. Values are shared
//! instead of copied, as in zerver.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use hyper::header::AUTHORIZATION;
use hyper::{HeaderMap, StatusCode};

use super::todos::{Claims, Todo};

pub(crate) struct Memory {
    users: RwLock<HashMap<String, Arc<Claims>>>,
    todos: RwLock<HashMap<u64, Arc<Todo>>>,
}

impl Memory {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            users: RwLock::new(HashMap::from([("ann-token".to_owned(), Arc::new(Claims::ann()))])),
            todos: RwLock::new(HashMap::from([(7, Arc::new(Todo::milk()))])),
        })
    }

    /// Runs all parts of the handler.
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
