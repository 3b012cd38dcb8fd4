//! A proxy before a server, which loses answers, holds them back, and counts requests.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// Bytes of a request from which on it carries blocks, so that losing its answer is of interest.
const SHIPMENT: u64 = 2_000;

/// A proxy on a port of this machine. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    server: u16,
    /// Number of answers to shipments that are still to be lost.
    to_cut: AtomicU64,
    /// Number of answers that were lost.
    cut: AtomicU64,
    /// Number of requests for an object, and of those for a list.
    gets: AtomicU64,
    lists: AtomicU64,
    is_stalled: watch::Sender<bool>,
}

impl Proxy {
    /// Starts a proxy before a port of this machine.
    pub(crate) fn start(server: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            server,
            to_cut: AtomicU64::new(0),
            cut: AtomicU64::new(0),
            gets: AtomicU64::new(0),
            lists: AtomicU64::new(0),
            is_stalled: watch::Sender::new(false),
        });
        let (stop, mut stopped) = watch::channel(false);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let of_thread = Arc::clone(&shared);
        let thread = thread::Builder::new().name("fleet-proxy".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped.wait_for(|stops| *stops) => {}
                    () = accept(listener, &of_thread) => {}
                }
            });
        })?;
        Ok(Self { port, shared, stop, thread: Some(thread) })
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Loses the answers to the next shipments, with their connections.
    pub(crate) fn cut_answers(&self, count: u64) {
        self.shared.to_cut.fetch_add(count, Ordering::SeqCst);
    }

    /// Holds back every byte, or lets them pass.
    pub(crate) fn stall(&self, is_stalled: bool) {
        self.shared.is_stalled.send_replace(is_stalled);
    }

    /// Returns the number of answers that were lost.
    pub(crate) fn cut(&self) -> u64 {
        self.shared.cut.load(Ordering::SeqCst)
    }

    /// Returns the number of requests of HTTP for objects and for lists so far.
    pub(crate) fn gets_and_lists(&self) -> (u64, u64) {
        (self.shared.gets.load(Ordering::SeqCst), self.shared.lists.load(Ordering::SeqCst))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, shared: &Arc<Shared>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    while let Ok((client, _)) = listener.accept().await {
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            // A server that is down ends the connection, as without a proxy.
            let _ = forward(client, &shared).await;
        });
    }
}

async fn forward(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, shared.server)).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let mut is_stalled = shared.is_stalled.subscribe();
    let (mut up, mut down) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    let mut asked = 0;
    loop {
        let (is_answer, length) = tokio::select! {
            length = client.read(&mut up) => (false, length?),
            length = server.read(&mut down) => (true, length?),
        };
        let _ = is_stalled.wait_for(|stalled| !*stalled).await;
        if length == 0 {
            return Ok(());
        }
        if !is_answer {
            let bytes = &up[..length];
            asked += length as u64;
            count(bytes, shared);
            server.write_all(bytes).await?;
            continue;
        }
        let less = |left: u64| left.checked_sub(1);
        if asked >= SHIPMENT && shared.to_cut.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).is_ok() {
            shared.cut.fetch_add(1, Ordering::SeqCst);
            return Ok(());
        }
        asked = 0;
        client.write_all(&down[..length]).await?;
    }
}

/// Counts what a client of an object store reads. Each of its requests begins with a packet of its own.
fn count(bytes: &[u8], shared: &Shared) {
    if !bytes.starts_with(b"GET /") {
        return;
    }
    let line = bytes.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let is_list = line.windows(10).any(|part| part == b"list-type=");
    if is_list { &shared.lists } else { &shared.gets }.fetch_add(1, Ordering::SeqCst);
}
