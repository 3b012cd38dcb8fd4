//! The service of `todos` on hyper alone: no router, no extractors.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;

use super::memory::Memory;
use super::single_thread;

fn show(memory: &Memory, request: &Request<Incoming>) -> Result<Vec<u8>, StatusCode> {
    if request.method() != Method::GET {
        return Err(StatusCode::METHOD_NOT_ALLOWED);
    }
    let id = request.uri().path().strip_prefix("/v1/todos/").ok_or(StatusCode::NOT_FOUND)?;
    let id = id.parse().map_err(|_| StatusCode::BAD_REQUEST)?;
    let todo = memory.show(request.headers(), id)?;
    serde_json::to_vec(&todo).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}

fn answer(memory: &Memory, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    match show(memory, request) {
        Ok(json) => {
            let mut response = Response::new(Full::from(json));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        Err(status) => {
            let mut response = Response::default();
            *response.status_mut() = status;
            response
        }
    }
}

pub(crate) fn serve(ready: impl FnOnce(SocketAddr) + Send + 'static) -> Result<(), String> {
    let memory = Memory::new();
    single_thread::serve(ready, async |listener| {
        loop {
            let (socket, _) = listener.accept().await.map_err(|error| error.to_string())?;
            socket.set_nodelay(true).map_err(|error| error.to_string())?;
            let memory = Arc::clone(&memory);
            let service =
                service_fn(move |request| std::future::ready(Ok::<_, Infallible>(answer(&memory, &request))));
            tokio::spawn(async move {
                // A client that closes its connection does not affect the others.
                let _ = auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(socket), service)
                    .await;
            });
        }
    })
}
