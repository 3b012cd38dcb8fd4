//! The load: connections that are kept open, each asking again as soon as it has its answer.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const REQUEST: &[u8] =
    b"GET /v1/todos/7 HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer ann-token\r\naccept: */*\r\n\r\n";

/// What the load amounted to.
pub(crate) struct Done {
    pub(crate) requests: u64,
    pub(crate) took: Duration,
}

pub(crate) fn run(addr: SocketAddr, connections: usize, time: Duration) -> io::Result<Done> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let start = Instant::now();
        let asking = (0..connections).map(|_| tokio::spawn(ask(addr, start + time))).collect::<Vec<_>>();
        let mut requests = 0;
        for connection in asking {
            requests += connection.await.map_err(io::Error::other)??;
        }
        Ok(Done { requests, took: start.elapsed() })
    })
}

async fn ask(addr: SocketAddr, end: Instant) -> io::Result<u64> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 4096];
    let mut requests = 0;
    while Instant::now() < end {
        stream.write_all(REQUEST).await?;
        let mut filled = 0;
        loop {
            let read = stream.read(&mut buffer[filled..]).await?;
            if read == 0 {
                return Err(io::Error::other("the server hung up"));
            }
            filled += read;
            if is_whole(&buffer[..filled])? {
                break;
            }
        }
        requests += 1;
    }
    Ok(requests)
}

/// Whether this is a whole answer; anything but the todo is an error, so that no server wins by failing.
fn is_whole(answer: &[u8]) -> io::Result<bool> {
    let Some(head) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(false) };
    if !answer.starts_with(b"HTTP/1.1 200") {
        return Err(io::Error::other(String::from_utf8_lossy(answer).into_owned()));
    }
    let head_text = str::from_utf8(&answer[..head]).map_err(io::Error::other)?;
    let length = head_text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let length = length.ok_or_else(|| io::Error::other("an answer without a length"))?;
    if answer.len() < head + 4 + length {
        return Ok(false);
    }
    let body = &answer[head + 4..];
    if body == br#"{"id":7,"title":"Buy milk","completed":false,"order":7}"# {
        Ok(true)
    } else {
        Err(io::Error::other(String::from_utf8_lossy(body).into_owned()))
    }
}
