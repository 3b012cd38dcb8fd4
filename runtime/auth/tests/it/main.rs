//! Tests of the steps with requests, tokens and services.

mod access;
mod bearer;
mod jwks;
mod jwt;
mod recordings;
mod service;
mod sessions;
mod tokens;
