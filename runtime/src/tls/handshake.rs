//! The handshake of a connection. It runs on the worker of the connection, and waits for the client like any other reading.

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::certificate_store::CertificateStore;

/// Answer to a client that speaks plain HTTP.
const PLAIN: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 47\r\n\
connection: close\r\n\r\nThis port speaks TLS: use https:// in the URL.\n";

/// Performs the handshake. Returns `None` if it fails; the client then knows why, as far as TLS allows.
pub(crate) async fn accept(
    store: &CertificateStore,
    mut socket: TcpStream,
) -> Option<Box<TlsStream<TcpStream>>> {
    let mut first = [0];
    if socket.peek(&mut first).await.ok()? == 0 {
        return None;
    }
    // A record of TLS begins with a byte that no method of HTTP begins with.
    if first[0].is_ascii_alphabetic() {
        let _ = socket.write_all(PLAIN).await;
        let _ = socket.shutdown().await;
        // The rest of the request is read, because a reset would discard the answer.
        let mut rest = vec![0; 16 * 1024];
        let _ = tokio::io::AsyncReadExt::read(&mut socket, &mut rest).await;
        return None;
    }
    store.acceptor().accept(socket).await.ok().map(Box::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_the_answer_is_right() {
        let text = str::from_utf8(PLAIN).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
    }
}
