//! The documents of a running service about its flows: the catalog for people who operate it, and OpenAPI for its clients.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::json;
use zerver_engine::{Failure, FlowDef, Response};
use zerver_trace::FlowInfo;

use super::declaration::catalog_flows;
use super::openapi::{self, ApiInfo};

/// The documents, which are made when they are first asked for.
#[derive(Debug)]
pub(crate) struct ServedDocuments {
    flows: Vec<FlowDef>,
    infos: Vec<Arc<FlowInfo>>,
    api: ApiInfo,
    catalog: OnceLock<Bytes>,
    openapi: OnceLock<Bytes>,
}

impl ServedDocuments {
    /// Creates the documents of these flows.
    pub(crate) fn new(flows: Vec<FlowDef>, infos: Vec<Arc<FlowInfo>>, api: ApiInfo) -> Self {
        Self { flows, infos, api, catalog: OnceLock::new(), openapi: OnceLock::new() }
    }

    /// Returns the catalog, as `zerver catalog --json` prints it.
    pub(crate) fn catalog(&self) -> Response {
        let make = || encoded(&json!({ "flows": catalog_flows(&self.flows, &self.infos) }));
        json_response(self.catalog.get_or_init(make))
    }

    /// Returns the OpenAPI document.
    pub(crate) fn openapi(&self) -> Response {
        json_response(self.openapi.get_or_init(|| encoded(&openapi::document(&self.flows, &self.api))))
    }
}

/// Returns the JSON of a document; an empty one if it cannot be encoded.
fn encoded(document: &impl Serialize) -> Bytes {
    serde_json::to_vec(document).unwrap_or_default().into()
}

fn json_response(document: &Bytes) -> Response {
    if document.is_empty() {
        return Failure::internal("document").to_response();
    }
    let mut response = Response::new(StatusCode::OK);
    response.body = document.clone();
    response.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
