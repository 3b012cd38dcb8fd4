//! The header with which a proxy announces the client of a connection: the PROXY protocol, versions 1 and 2
//! (<https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>).
//!
//! Not a byte after the header is read, because TLS begins there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// First bytes of version 2.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// First bytes of version 1.
const WORD: &[u8] = b"PROXY ";

/// Maximum length of a header of version 1, with its end of line.
const MAX_TEXT: usize = 107;

/// Length of a header of version 2 before its addresses.
const FIXED: usize = 16;

/// Maximum length of what follows, in bytes. Addresses have 36; a proxy may add others, such as the certificate of the client.
const MAX_REST: usize = 4096;

/// Bytes that are not a header of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// Result of looking at the bytes so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// At least this number of bytes is missing.
    Missing(usize),
    /// The header is complete. `None` if the proxy speaks for itself, as in its health checks.
    Complete(Option<SocketAddr>),
}

/// Reads a header, and returns the address of the client that it names, if it does.
///
/// # Errors
/// If the bytes are no header, or end within it.
pub(super) async fn read(from: &mut (impl AsyncRead + Unpin)) -> Result<Option<SocketAddr>, Malformed> {
    let mut bytes = Vec::new();
    loop {
        match inspect(&bytes)? {
            Progress::Complete(client) => return Ok(client),
            Progress::Missing(count) => {
                let at = bytes.len();
                bytes.resize(at + count, 0);
                from.read_exact(&mut bytes[at..]).await.map_err(|_| Malformed)?;
            }
        }
    }
}

fn inspect(bytes: &[u8]) -> Result<Progress, Malformed> {
    let begins_with = |first: &[u8]| {
        let len = first.len().min(bytes.len());
        bytes[..len] == first[..len]
    };
    match bytes.len() {
        _ if !begins_with(SIGNATURE) && !begins_with(WORD) => Err(Malformed),
        len if len < SIGNATURE.len() => Ok(Progress::Missing(SIGNATURE.len() - len)),
        _ if begins_with(SIGNATURE) => inspect_binary(bytes),
        _ => inspect_text(bytes),
    }
}

/// Inspects version 1: `PROXY TCP4 192.0.2.1 192.0.2.2 4711 443` and an end of line.
fn inspect_text(bytes: &[u8]) -> Result<Progress, Malformed> {
    let Some(line) = bytes.strip_suffix(b"\r\n") else {
        let ends_within = bytes.ends_with(b"\r");
        let inner = &bytes[..bytes.len() - usize::from(ends_within)];
        if bytes.len() >= MAX_TEXT || inner.contains(&b'\r') || inner.contains(&b'\n') {
            return Err(Malformed);
        }
        return Ok(Progress::Missing(if ends_within { 1 } else { 2.min(MAX_TEXT - bytes.len()) }));
    };
    let line = std::str::from_utf8(line).map_err(|_| Malformed)?;
    let mut fields = line.split(' ').skip(1);
    let mut next = || fields.next().ok_or(Malformed);
    let (source, port) = match next()? {
        "UNKNOWN" => return Ok(Progress::Complete(None)),
        "TCP4" => {
            let source: Ipv4Addr = parsed(next()?)?;
            parsed::<Ipv4Addr>(next()?)?;
            (IpAddr::from(source), port(next()?)?)
        }
        "TCP6" => {
            let source: Ipv6Addr = parsed(next()?)?;
            parsed::<Ipv6Addr>(next()?)?;
            (IpAddr::from(source), port(next()?)?)
        }
        _ => return Err(Malformed),
    };
    self::port(next()?)?;
    match fields.next() {
        Some(_) => Err(Malformed),
        None => Ok(Progress::Complete(Some(SocketAddr::new(source, port)))),
    }
}

fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, Malformed> {
    text.parse().map_err(|_| Malformed)
}

/// Parses a port, which has no sign and no zeros before it.
fn port(text: &str) -> Result<u16, Malformed> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if is_plain { parsed(text) } else { Err(Malformed) }
}

/// Inspects version 2: the signature, version and command, family and transport, the length of the rest, and the rest.
fn inspect_binary(bytes: &[u8]) -> Result<Progress, Malformed> {
    let Some((fixed, rest)) = bytes.split_first_chunk::<FIXED>() else {
        return Ok(Progress::Missing(FIXED - bytes.len()));
    };
    let [.., command, family, high, low] = *fixed;
    let len = usize::from(u16::from_be_bytes([high, low]));
    if !matches!(command, 0x20 | 0x21) || len > MAX_REST {
        return Err(Malformed);
    }
    if rest.len() < len {
        return Ok(Progress::Missing(len - rest.len()));
    }
    // Addresses of the source and of the destination, and then their ports.
    let client = match (command, family) {
        // `LOCAL`: the proxy itself has opened the connection.
        (0x20, _) => None,
        (_, 0x11) => {
            let (source, ports) = (array::<4>(rest, 0)?, array::<4>(rest, 8)?);
            Some(SocketAddr::new(Ipv4Addr::from(source).into(), u16::from_be_bytes([ports[0], ports[1]])))
        }
        (_, 0x21) => {
            let (source, ports) = (array::<16>(rest, 0)?, array::<4>(rest, 32)?);
            Some(SocketAddr::new(Ipv6Addr::from(source).into(), u16::from_be_bytes([ports[0], ports[1]])))
        }
        // Unspecified, or a socket of the proxy's machine: the address means nothing here.
        (_, 0x00 | 0x31) => None,
        // Datagrams, and families that do not exist.
        _ => return Err(Malformed),
    };
    Ok(Progress::Complete(client))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Malformed> {
    bytes.get(at..at + N).and_then(|bytes| bytes.try_into().ok()).ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a header, and returns what follows it, too.
    fn read_all(bytes: &[u8]) -> (Result<Option<SocketAddr>, Malformed>, &[u8]) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut left = bytes;
        let client = runtime.block_on(read(&mut left));
        (client, left)
    }

    fn binary(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let len = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [SIGNATURE.as_slice(), &[command, family], &len, rest].concat()
    }

    fn addresses(source: SocketAddr) -> (u8, Vec<u8>) {
        let mut bytes = Vec::new();
        let family = match source.ip() {
            IpAddr::V4(ip) => {
                bytes.extend_from_slice(&ip.octets());
                bytes.extend_from_slice(&[10, 0, 0, 1]);
                0x11
            }
            IpAddr::V6(ip) => {
                bytes.extend_from_slice(&ip.octets());
                bytes.extend_from_slice(&Ipv6Addr::LOCALHOST.octets());
                0x21
            }
        };
        bytes.extend_from_slice(&source.port().to_be_bytes());
        bytes.extend_from_slice(&443_u16.to_be_bytes());
        (family, bytes)
    }

    #[test]
    fn lines_of_version_1() {
        for (line, expected) in [
            ("PROXY TCP4 192.0.2.1 192.0.2.2 4711 443", Ok(Some("192.0.2.1:4711"))),
            ("PROXY TCP6 2001:db8::1 ::1 0 443", Ok(Some("[2001:db8::1]:0"))),
            ("PROXY UNKNOWN", Ok(None)),
            ("PROXY UNKNOWN ffff::1 ffff::2 65535 65535", Ok(None)),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 4711", Err(Malformed)),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 4711 443 1", Err(Malformed)),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 +4711 443", Err(Malformed)),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 04711 443", Err(Malformed)),
            ("PROXY TCP4 192.0.2.1 192.0.2.2 65536 443", Err(Malformed)),
            ("PROXY TCP4 192.0.2.256 192.0.2.2 1 443", Err(Malformed)),
            ("PROXY TCP4 ::1 ::1 1 443", Err(Malformed)),
            ("PROXY TCP6 192.0.2.1 192.0.2.2 1 443", Err(Malformed)),
            ("PROXY  TCP4 192.0.2.1 192.0.2.2 1 443", Err(Malformed)),
            ("PROXY UDP4 192.0.2.1 192.0.2.2 1 443", Err(Malformed)),
            ("PROXY TCP4 192.0.2.1\r192.0.2.2 1 443", Err(Malformed)),
            ("GET / HTTP/1.1", Err(Malformed)),
            ("proxy TCP4 192.0.2.1 192.0.2.2 1 443", Err(Malformed)),
        ] {
            let expected = expected.map(|client| client.map(|client: &str| client.parse().unwrap()));
            let bytes = format!("{line}\r\nrest");
            let (client, left) = read_all(bytes.as_bytes());
            assert_eq!(client, expected, "{line}");
            assert!(client.is_err() || left == b"rest", "{line}");
        }
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(MAX_TEXT));
        assert_eq!(read_all(long.as_bytes()).0, Err(Malformed));
        assert_eq!(read_all(b"PROXY TCP4 192.0.2.1").0, Err(Malformed));
    }

    #[test]
    fn headers_of_version_2() {
        let (family, rest) = addresses("192.0.2.1:4711".parse().unwrap());
        let with_more = [&rest[..], &[0x04, 0, 1, 0]].concat();
        let client = Some("192.0.2.1:4711".parse().unwrap());
        for (bytes, expected) in [
            (binary(0x21, family, &rest), Ok(client)),
            (binary(0x21, family, &with_more), Ok(client)),
            // Health checks of the proxy, and clients of which it says nothing.
            (binary(0x20, 0x00, &[]), Ok(None)),
            (binary(0x20, family, &rest), Ok(None)),
            (binary(0x21, 0x00, &[]), Ok(None)),
            (binary(0x21, 0x31, &[0; 216]), Ok(None)),
            (binary(0x21, family, &rest[..11]), Err(Malformed)),
            (binary(0x21, 0x21, &rest), Err(Malformed)),
            (binary(0x21, 0x12, &rest), Err(Malformed)),
            (binary(0x22, family, &rest), Err(Malformed)),
            (binary(0x11, family, &rest), Err(Malformed)),
            (binary(0x21, family, &[0; MAX_REST + 1]), Err(Malformed)),
        ] {
            assert_eq!(read_all(&bytes).0, expected, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_address_is_read_and_nothing_after_it(
            ip in any::<IpAddr>(),
            port in any::<u16>(),
            rest in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            let source = SocketAddr::new(ip, port);
            let (family, addresses) = addresses(source);
            let line = match ip {
                IpAddr::V4(ip) => format!("PROXY TCP4 {ip} 10.0.0.1 {port} 443\r\n"),
                IpAddr::V6(ip) => format!("PROXY TCP6 {ip} ::1 {port} 443\r\n"),
            };
            for header in [binary(0x21, family, &addresses), line.into_bytes()] {
                let bytes = [&header[..], &rest].concat();
                let (client, left) = read_all(&bytes);
                prop_assert_eq!(client, Ok(Some(source)));
                prop_assert_eq!(left, &rest[..]);
                // A part of it is never taken for the whole.
                prop_assert_eq!(read_all(&header[..header.len() - 1]).0, Err(Malformed));
            }
        }

        #[test]
        fn no_bytes_cause_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..60), is_binary in any::<bool>()) {
            let first = if is_binary { &SIGNATURE[..] } else { WORD };
            let _ = read_all(&[first, &bytes].concat());
            let _ = read_all(&bytes);
        }
    }
}
