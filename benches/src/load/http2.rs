//! A closed loop over HTTP/2: connections with several streams, each of which sends the next request as soon as it has the
//! answer.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::{Request, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::closed_loop::Done;
use super::traffic::Requests;

/// Number of connections, and of streams on each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) connections: usize,
    pub(crate) streams: usize,
}

/// Sends requests until `end`.
pub(crate) fn run(addr: SocketAddr, requests: &Requests, shape: Shape, end: Instant) -> io::Result<Done> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (start, mut asking) = (Instant::now(), Vec::new());
        for connection in 0..shape.connections {
            let socket = TcpStream::connect(addr).await?;
            socket.set_nodelay(true)?;
            let (sender, driver) = http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
                .await
                .map_err(io::Error::other)?;
            tokio::spawn(driver);
            for stream in 0..shape.streams {
                let requests = requests.of_client(connection * shape.streams + stream);
                asking.push(tokio::spawn(ask(addr, sender.clone(), requests, end)));
            }
        }
        let mut requests = 0;
        for stream in asking {
            requests += stream.await.map_err(io::Error::other)??;
        }
        Ok(Done { requests, took: start.elapsed() })
    })
}

async fn ask(
    addr: SocketAddr,
    mut sender: SendRequest<Empty<Bytes>>,
    mut asked: Requests,
    end: Instant,
) -> io::Result<u64> {
    let mut requests = 0;
    while Instant::now() < end {
        asked.advance();
        let request = parse(addr, asked.request())?;
        sender.ready().await.map_err(io::Error::other)?;
        let answer = sender.send_request(request).await.map_err(io::Error::other)?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(io::Error::other)?.to_bytes();
        if status != 200 || body != asked.body() {
            return Err(io::Error::other(format!("{status}: {}", String::from_utf8_lossy(&body))));
        }
        requests += 1;
    }
    Ok(requests)
}

/// Converts the text of a request, whose `host` becomes the authority.
fn parse(addr: SocketAddr, text: &[u8]) -> io::Result<Request<Empty<Bytes>>> {
    let invalid = || io::Error::other("not a request");
    let text = str::from_utf8(text).map_err(io::Error::other)?;
    let (line, fields) = text.split_once("\r\n").ok_or_else(invalid)?;
    let path = line.split(' ').nth(1).ok_or_else(invalid)?;
    let uri = Uri::builder().scheme("http").authority(addr.to_string()).path_and_query(path).build();
    let mut request = Request::get(uri.map_err(io::Error::other)?);
    for field in fields.lines().take_while(|line| !line.is_empty()) {
        let (name, value) = field.split_once(": ").ok_or_else(invalid)?;
        if name != "host" {
            request = request.header(name, value);
        }
    }
    request.body(Empty::new()).map_err(io::Error::other)
}
