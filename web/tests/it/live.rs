//! Live updates.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use zerver_testkit::sample;

use crate::client::Site;

#[test]
fn a_page_learns_of_new_requests_that_its_query_selects() {
    let site = Site::start();
    let mut socket = TcpStream::connect(site.addr()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    let request = format!(
        "GET /events?q=flow%3Areport HTTP/1.1\r\nhost: {}\r\ncookie: {}\r\n\r\n",
        site.host(),
        site.cookie
    );
    socket.write_all(request.as_bytes()).unwrap();
    let mut lines = BufReader::new(socket).lines().map(Result::unwrap);
    let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    assert!(
        head[0].contains("200") && head.iter().any(|line| line == "content-type: text/event-stream"),
        "{head:?}"
    );
    // The server follows the store from here on.
    assert!(lines.any(|line| line == ": no news"));
    site.service.record(sample::slow());
    site.service.record(sample::report(5));
    site.service.record(sample::report(6));
    let mut news = lines.filter_map(|line| line.strip_prefix("data: ").map(str::to_owned));
    let mut seen = news.next().unwrap();
    // They may come one by one.
    if seen == "1" {
        seen = news.next().unwrap();
    }
    assert_eq!(seen, "2");
    let page = site.get("/?q=flow%3Areport").body;
    assert!(page.contains("43 requests"), "40, one that waited for a rate limit, and two new ones");
}
