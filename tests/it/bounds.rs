//! Memory that clients can make a service use: no more than its limits allow.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;

use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

use crate::harness::{Dev, PATIENCE, Place};

/// Returns the peak memory of a process, in bytes.
fn peak(of: &Dev) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", of.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

/// Sends a head, and as much of a body as the service accepts. Returns the first line of the response.
fn pour(addr: &str, head: &str, piece: &[u8], times: usize) -> String {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "POST /todos HTTP/1.1\r\nhost: {addr}\r\ncontent-type: application/json\r\n{head}\r\n\r\n"
    )
    .unwrap();
    for _ in 0..times {
        if stream.write_all(piece).is_err() {
            break;
        }
    }
    let mut answer = [0; 1024];
    let read = stream.read(&mut answer).unwrap_or(0);
    String::from_utf8_lossy(&answer[..read]).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn bodies_that_are_too_large_are_not_kept() {
    let place = Place::new();
    let service = Dev::start(place.service());
    let chunk = [b"100000\r\n".as_slice(), &[b'x'; 0x10_0000], b"\r\n"].concat();
    let warm = || pour(&service.addr, "transfer-encoding: chunked", &chunk, 2);
    assert_eq!(warm(), "HTTP/1.1 413 Payload Too Large");
    let before = peak(&service);
    // Half a gigabyte, if it were accepted.
    for _ in 0..64 {
        let answer = pour(&service.addr, "transfer-encoding: chunked", &chunk, 8);
        // A client that keeps sending can be disconnected before it has read the response.
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 413"), "{answer}");
    }
    assert_eq!(pour(&service.addr, "content-length: 536870912", b"", 0), "HTTP/1.1 413 Payload Too Large");
    let grown = peak(&service).saturating_sub(before);
    assert!(grown < 16 << 20, "{grown} bytes more");
    assert_eq!(service.get("/todos").status, 200);
    assert_eq!(service.stop().code(), Some(0));
}

/// Clients send more than fits into memory. The service ends, because no part of it can be trusted to continue without
/// memory, and what it had recorded is kept.
#[test]
fn without_memory_a_service_ends_and_its_store_is_whole() {
    let place = Place::new();
    let mut service = Dev::start(place.service());
    for _ in 0..30 {
        assert_eq!(service.get("/todos").status, 200);
    }
    let before = place.wait_for(30);
    let statm = std::fs::read_to_string(format!("/proc/{}/statm", service.id())).unwrap();
    let pages: u64 = statm.split(' ').next().unwrap().parse().unwrap();
    let limit = Some(pages * rustix::param::page_size() as u64);
    let pid = Pid::from_raw(service.id() as i32);
    prlimit(pid, Resource::As, Rlimit { current: limit, maximum: limit }).unwrap();
    let body = vec![b' '; 900_000];
    let mut clients = Vec::new();
    while let Ok(mut client) = TcpStream::connect(&service.addr) {
        // No client finishes its body, so the service has to keep all of them.
        let head = "POST /todos HTTP/1.1\r\nhost: x\r\ncontent-length: 900001\r\n\r\n";
        if client.write_all(head.as_bytes()).and_then(|()| client.write_all(&body)).is_err() {
            break;
        }
        clients.push(client);
        assert!(clients.len() < 2_000, "it does not run out of memory");
    }
    service.wait_for_line("memory allocation of ");
    assert_eq!(service.wait().signal(), Some(Signal::ABORT.as_raw()));
    assert_eq!(place.wait_for(30), before);
    assert_eq!(place.json(&["doctor", "--json"])["healthy"], true);
    let again = Dev::start(place.service());
    assert_eq!(again.get("/todos").status, 200);
    assert_eq!(again.stop().code(), Some(0));
    assert_eq!(place.wait_for(31)[1..], before);
}

/// Bodies that would exceed every limit if they were decompressed: 64 MiB of zeros each.
#[test]
fn a_compressed_body_is_not_decompressed() {
    let place = Place::new();
    let service = Dev::start(place.service());
    let before = peak(&service);
    for (coding, bomb) in [("gzip", gzip_bomb()), ("zstd", zstd_bomb())] {
        let head = format!("content-encoding: {coding}\r\ncontent-length: {}", bomb.len());
        // The step receives the compressed body, which is not JSON.
        let answer = pour(&service.addr, &head, &bomb, 1);
        assert_eq!(answer, "HTTP/1.1 400 Bad Request", "{coding}");
    }
    let grown = peak(&service).saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes more");
    assert_eq!(service.stop().code(), Some(0));
}

/// A block with fixed codes (RFC 1951, section 3.2.6): a zero, and then repeatedly "the last byte 258 times".
fn gzip_bomb() -> Vec<u8> {
    let copies = (64 << 20) / 258;
    let codes = ["110", "00110000"]
        .into_iter()
        .chain(std::iter::repeat_n("1100010100000", copies))
        .chain(["0000000"]);
    let mut bomb = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut filled = 8;
    for bit in codes.flat_map(str::bytes) {
        if filled == 8 {
            bomb.push(0);
            filled = 0;
        }
        *bomb.last_mut().unwrap() |= (bit - b'0') << filled;
        filled += 1;
    }
    // The checksum, which only a decompressor would read, is missing.
    bomb
}

/// Blocks that repeat one byte (RFC 8878, section 3.1.1.2).
fn zstd_bomb() -> Vec<u8> {
    let block = |is_last: u32| {
        let head = (128 << 10) << 3 | 1 << 1 | is_last;
        [&head.to_le_bytes()[..3], &[0]].concat()
    };
    let head = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x70];
    [head, block(0).repeat(511), block(1)].concat()
}
