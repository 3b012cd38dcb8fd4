//! Tests against a real server, which they start.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use tokio::runtime::Runtime;
use zerver::effects::{EffectContext, Interpreters};
use zerver::prelude::*;
use zerver_local_server as local;
use zerver_s3::{self as s3, Bucket, Content, S3Error};

fn server() -> local::S3 {
    local::S3::start(&["pages"]).unwrap_or_else(|error| panic!("{error}"))
}

fn bucket(server: &local::S3, name: &str) -> Bucket {
    Bucket::new(&server.url(), "us-east-1", name).unwrap().credentials(local::S3::KEY, local::S3::SECRET)
}

/// A service without HTTP.
struct Client {
    interpreters: Interpreters,
    runtime: Runtime,
}

impl Client {
    fn new(bucket: Bucket) -> Self {
        let mut interpreters = Interpreters::new();
        interpreters.set(bucket);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        Self { interpreters, runtime: runtime.unwrap() }
    }

    fn run<T>(&self, effect: Effect<T>) -> Result<T, Failure> {
        self.runtime.block_on(self.interpreters.perform(effect, &EffectContext::default()))
    }
}

#[test]
fn objects_are_written_read_listed_and_deleted() {
    let server = server();
    let client = Client::new(bucket(&server, "pages"));
    assert_eq!(client.run(s3::get("none")).unwrap(), None);
    assert_eq!(client.run(s3::head("none")).unwrap(), None);
    client.run(s3::put("a/häuser und mehr.html", "text/html", "<p>hi")).unwrap();
    let object = client.run(s3::get("a/häuser und mehr.html")).unwrap().unwrap();
    assert_eq!(object.text().unwrap(), "<p>hi");
    assert_eq!(object.info.media_type.as_deref(), Some("text/html"));
    let info = client.run(s3::head("a/häuser und mehr.html")).unwrap().unwrap();
    assert_eq!((info.size, info.etag), (5, object.info.etag));
    for number in 0..5 {
        client.run(s3::put(format!("list/{number}"), "text/plain", "x".repeat(number))).unwrap();
    }
    let first = client.run(s3::list("list/", None, 3)).unwrap();
    let keys: Vec<_> = first.iter().map(|object| (object.key.as_str(), object.size)).collect();
    assert_eq!(keys, [("list/0", 0), ("list/1", 1), ("list/2", 2)]);
    let rest = client.run(s3::list("list/", Some("list/2".to_owned()), 100)).unwrap();
    assert_eq!(rest.len(), 2);
    client.run(s3::delete("list/0")).unwrap();
    client.run(s3::delete("list/0")).unwrap();
    assert_eq!(client.run(s3::get("list/0")).unwrap(), None);
}

#[test]
fn large_objects_are_read_up_to_a_limit() {
    let server = server();
    let client = Client::new(bucket(&server, "pages"));
    let content: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    client.run(s3::put("large", "application/octet-stream", content.clone())).unwrap();
    let object = client.run(s3::get("large")).unwrap().unwrap();
    assert_eq!(object.content, Content::from(content));
    let failure = client.run(s3::get_up_to(1_000_000, "large")).unwrap_err();
    assert!(failure.causes()[0].contains("more than 1000000 bytes"), "{failure:?}");
}

#[test]
fn refusals_and_outages_are_failures() {
    let mut server = server();
    let client = Client::new(bucket(&server, "absent"));
    let failure = client.run(s3::list("", None, 10)).unwrap_err();
    assert_eq!(failure.error::<S3Error>().unwrap().code, "NoSuchBucket");
    let stranger = Bucket::new(&server.url(), "us-east-1", "pages").unwrap().credentials("someone", "else");
    let failure = Client::new(stranger).run(s3::put("a", "text/plain", "x")).unwrap_err();
    assert_eq!(failure.status(), 500);
    assert_eq!(failure.error::<S3Error>().unwrap().status, 403);
    let client = Client::new(bucket(&server, "pages"));
    client.run(s3::put("a", "text/plain", "x")).unwrap();
    server.stop();
    let down = client.run(s3::get("a")).unwrap_err();
    assert_eq!(down.status(), 503);
    assert!(!down.causes().join("; ").contains("X-Amz"), "{down:?}");
    server.resume().unwrap();
    assert_eq!(client.run(s3::get("a")).unwrap().unwrap().text().unwrap(), "x");
}

#[test]
fn a_presigned_url_lets_anyone_read_an_object() {
    let server = server();
    let client = Client::new(bucket(&server, "pages"));
    client.run(s3::put("public", "text/plain", "for everyone")).unwrap();
    let url = client.run(s3::presigned_get("public", 5.minutes())).unwrap();
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let ask = |path: &str| {
        let mut stream = TcpStream::connect(host).unwrap();
        write!(stream, "GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(ask(path).ends_with("for everyone"), "{}", ask(path));
    let forged = path.replace("public", "private");
    assert!(ask(&forged).starts_with("HTTP/1.1 403"), "{}", ask(&forged));
}
