//! Access: who may see pages, and who may act.

use std::io::Write as _;
use std::net::TcpStream;

use crate::client::Site;

#[test]
fn every_response_has_the_policy_of_the_pages() {
    let site = Site::start();
    for target in ["/", "/style.css", "/app.js", "/none", "/requests/x", "/flows"] {
        let response = site.get(target);
        let [policy] = response.header("content-security-policy")[..] else {
            panic!("{target}: {}", response.head)
        };
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self' data:",
            "connect-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "require-trusted-types-for 'script'",
        ] {
            assert!(policy.split("; ").any(|found| found == part), "{part} in {policy}");
        }
        assert_eq!(response.header("x-content-type-options"), ["nosniff"]);
        assert_eq!(response.header("cache-control"), ["no-store"]);
        assert_eq!(response.header("cross-origin-resource-policy"), ["same-origin"]);
        // Neither styles nor scripts are in the pages, so that the policy can forbid them.
        assert!(!response.body.contains(" style=") && !response.body.contains(" onclick="), "{target}");
    }
}

#[test]
fn a_name_that_points_here_is_not_enough() {
    let site = Site::start();
    for host in ["evil.example", "evil.example:80", "127.0.0.1", "localhost"] {
        let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\ncookie: {}\r\n\r\n", site.cookie);
        let response = site.send(&request);
        assert_eq!(response.status, 421, "{host}");
        assert!(!response.body.contains("data-row"), "{host}");
    }
    let port = site.addr().port();
    let request = format!("GET / HTTP/1.1\r\nhost: localhost:{port}\r\ncookie: {}\r\n\r\n", site.cookie);
    assert_eq!(site.send(&request).status, 200);
}

#[test]
fn pages_need_the_token_or_the_cookie() {
    let site = Site::start();
    let host = site.host();
    for headers in ["", "cookie: zerver-web=1\r\n", "authorization: Bearer x\r\n"] {
        for target in ["/", "/flows", "/events", "/requests/x", "/?token=wrong", "/?token="] {
            let response = site.send(&format!("GET {target} HTTP/1.1\r\nhost: {host}\r\n{headers}\r\n"));
            assert_eq!(response.status, 401, "{target}");
            assert!(!response.body.contains("data-row") && response.header("set-cookie").is_empty());
        }
    }
    // The token disappears from the URL.
    let url = site.server.url();
    let (_, query) = url.split_once('?').unwrap();
    let again = site.get(&format!("/flows?q=a&{query}"));
    assert_eq!((again.status, again.header("location")), (303, vec!["/flows?q=a"]));
}

#[test]
fn only_a_post_from_a_page_of_the_server_acts() {
    let site = Site::start();
    let target = format!("/requests/{}/replay", site.service.id_of("/v1/todos/456"));
    let replays = || site.service.replays.lock().unwrap().len();
    let host = site.host();
    let port = site.addr().port();
    for headers in [
        String::new(),
        "origin: null\r\n".to_owned(),
        "origin: http://evil.example\r\n".to_owned(),
        format!("origin: http://localhost:{port}\r\n"),
        format!("origin: https://{host}\r\n"),
        format!("origin: http://{host}\r\nsec-fetch-site: cross-site\r\n"),
        format!("origin: http://{host}\r\nsec-fetch-site: same-site\r\n"),
    ] {
        assert_eq!(site.post_from(&target, "", &headers).status, 403, "{headers}");
    }
    // Without the cookie, the right origin is not enough.
    let bare = format!(
        "POST {target} HTTP/1.1\r\nhost: {host}\r\norigin: http://{host}\r\ncontent-length: 0\r\n\r\n"
    );
    assert_eq!(site.send(&bare).status, 401);
    for method in ["GET", "HEAD"] {
        let request = format!(
            "{method} {target}?slot:Todo=1 HTTP/1.1\r\nhost: {host}\r\ncookie: {}\r\n\r\n",
            site.cookie
        );
        assert_eq!(site.send(&request).status, 200, "it shows the form");
    }
    assert_eq!(replays(), 0);
    assert_eq!(site.post(&target, "").status, 200);
    assert_eq!(replays(), 1);
    for method in ["PUT", "DELETE", "OPTIONS", "PATCH"] {
        let request =
            format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\ncookie: {}\r\n\r\n", site.cookie);
        assert_eq!(site.send(&request).status, 405, "{method}");
    }
    assert_eq!(site.post("/requests/x/delete", "").status, 404);
    assert_eq!(replays(), 1);
}

#[test]
fn sizes_are_limited() {
    let site = Site::start();
    let target = format!("/requests/{}/replay", site.service.id_of("/v1/todos/456"));
    let large = format!("body:={}", "a".repeat(1 << 20));
    assert_eq!(site.post(&target, &large).status, 413);
    assert_eq!(site.get(&format!("/?q={}", "a".repeat(10_000))).status, 414);
    let head = format!("GET / HTTP/1.1\r\nhost: {}\r\nx: {}\r\n\r\n", site.host(), "a".repeat(100_000));
    assert_eq!(site.send(&head).status, 431);
    assert!(site.service.replays.lock().unwrap().is_empty());
    assert_eq!(site.get("/").status, 200, "and it still serves");
}

#[test]
fn connections_that_break_off_or_make_no_sense_do_no_harm() {
    let site = Site::start();
    for bytes in
        [&b""[..], b"\x16\x03\x01", b"GET", b"GET / HTTP/1.1\r\nhost: a\r\n", b"\r\n\r\n\r\n", &[0xff; 300]]
    {
        let mut socket = TcpStream::connect(site.addr()).unwrap();
        socket.write_all(bytes).unwrap();
    }
    assert_eq!(site.get("/").status, 200);
}

#[test]
fn the_server_listens_on_this_machine_only_and_ends_when_it_is_dropped() {
    let site = Site::start();
    let addr = site.addr();
    assert!(addr.ip().is_loopback());
    drop(site);
    assert!(TcpStream::connect(addr).is_err());
}
