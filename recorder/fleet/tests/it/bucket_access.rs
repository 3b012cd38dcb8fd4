//! Keys that a container or a virtual machine is given, and a server with a certificate of a private authority.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;
use zerver_fleet::{FleetError, FleetUrl, InitOptions, init, status};
use zerver_local_server::S3;

use crate::harness::unused_bucket;

/// A request as the service of a machine or a container got it.
struct Asked {
    line: String,
    headers: BTreeMap<String, String>,
}

/// A service that gives keys, over HTTP. It ends with the process.
struct KeyService {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl KeyService {
    fn start(mut answer: impl FnMut(&Asked) -> (u16, String) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().map(Result::unwrap) {
                let request = read(&stream);
                let (status, body) = answer(&request);
                seen.lock().unwrap().push(request.line);
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                // A client whose time is over has left.
                let _ = (&stream).write_all((head + &body).as_bytes());
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn read(stream: &TcpStream) -> Asked {
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    let line = lines.next().unwrap();
    let headers = lines.take_while(|line| !line.is_empty()).map(|line| {
        let (name, value) = line.split_once(':').unwrap();
        (name.to_lowercase(), value.trim().to_owned())
    });
    Asked { line: line.trim_end_matches(" HTTP/1.1").to_owned(), headers: headers.collect() }
}

/// Returns a key as both kinds of services write it.
fn document(key: &str, valid_for: jiff::SignedDuration) -> String {
    let end = jiff::Timestamp::now() + valid_for;
    format!(
        r#"{{"Code": "Success", "AccessKeyId": "{key}", "SecretAccessKey": "{}", "Expiration": "{end}"}}"#,
        S3::SECRET
    )
}

/// Answers as IMDSv2 does: with a token, with the name of a role, and with its key.
fn machine(asked: &Asked, key: impl FnOnce() -> String) -> (u16, String) {
    let has_token = asked.headers.get("x-aws-ec2-metadata-token").is_some_and(|token| token == "t0ken");
    match asked.line.as_str() {
        "PUT /latest/api/token" if asked.headers.contains_key("x-aws-ec2-metadata-token-ttl-seconds") => {
            (200, "t0ken".to_owned())
        }
        _ if !has_token => (401, String::new()),
        "GET /latest/meta-data/iam/security-credentials/" => (200, "pods".to_owned()),
        "GET /latest/meta-data/iam/security-credentials/pods" => (200, key()),
        _ => (404, String::new()),
    }
}

/// Parses a URL of a bucket whose key comes from a service.
fn with_variables(url: &FleetUrl, pairs: &[(&str, &str)]) -> FleetUrl {
    let variable =
        |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    FleetUrl::parse_with(&url.to_string(), &variable).unwrap()
}

fn of_machine(service: &KeyService) -> FleetUrl {
    with_variables(&unused_bucket(), &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &service.url)])
}

const HOUR: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

#[test]
fn a_virtual_machine_gives_a_key_which_is_kept_until_shortly_before_its_end() {
    let service = KeyService::start(|asked| machine(asked, || document(S3::KEY, HOUR)));
    let url = of_machine(&service);
    assert!(init(&url, InitOptions::default()).unwrap().is_new);
    let role = "GET /latest/meta-data/iam/security-credentials/";
    assert_eq!(service.asked(), ["PUT /latest/api/token", role, &format!("{role}pods")]);
    for _ in 0..3 {
        assert_eq!(status(&url).unwrap().keep_days, 30);
    }
    assert_eq!(service.asked().len(), 3, "once for all connections");
}

#[test]
fn a_key_is_replaced_before_its_end_and_used_on_while_no_other_is_given() {
    let mut given = 0;
    let service = KeyService::start(move |asked| {
        // One that the server does not know, one that ends soon, and none from then on.
        machine(asked, || {
            given += 1;
            match given {
                1 => document("another", jiff::SignedDuration::from_mins(2)),
                2 => document(S3::KEY, jiff::SignedDuration::from_mins(2)),
                _ => "out of order".to_owned(),
            }
        })
    });
    let url = of_machine(&service);
    let refused = init(&url, InitOptions::default()).unwrap_err();
    assert!(!refused.is_passing, "{refused:?}");
    assert!(init(&url, InitOptions::default()).unwrap().is_new);
    assert_eq!(status(&url).unwrap().keep_days, 30);
    assert!(service.asked().len() > 6, "{:?}", service.asked());
}

#[test]
fn a_container_is_asked_with_the_token_in_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, "first\n").unwrap();
    let service = KeyService::start(|asked| {
        let end =
            if asked.headers["authorization"] == "first" { jiff::SignedDuration::from_mins(1) } else { HOUR };
        (200, document(S3::KEY, end))
    });
    let uri = format!("{}/v1/credentials", service.url);
    let url = with_variables(
        &unused_bucket(),
        &[
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &uri),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.to_str().unwrap()),
        ],
    );
    assert!(init(&url, InitOptions::default()).unwrap().is_new);
    let before = service.asked().len();
    assert!(before >= 2 && service.asked().iter().all(|line| line == "GET /v1/credentials"));
    std::fs::write(&file, "second").unwrap();
    for _ in 0..3 {
        status(&url).unwrap();
    }
    assert_eq!(service.asked().len(), before + 1);
}

#[test]
fn a_service_that_gives_no_key_is_named_and_nothing_is_sent_unsigned() {
    type Answer = fn(&Asked) -> (u16, String);
    let answers: [(Answer, &str); 5] = [
        (|_| (403, String::new()), "it answered 403"),
        (|asked| machine(asked, || "hunter2".to_owned()), "its answer is no key"),
        (
            |asked| machine(asked, || r#"{"Code": "Failed", "SecretAccessKey": "hunter2"}"#.to_owned()),
            "is no key",
        ),
        (
            |asked| {
                if asked.line.starts_with("PUT") { (200, "t".to_owned()) } else { (200, "\n".to_owned()) }
            },
            "has no role",
        ),
        (|_| (200, "x".repeat(100_000)), "more than"),
    ];
    for (answer, reason) in answers {
        let error = init(&of_machine(&KeyService::start(answer)), InitOptions::default()).unwrap_err();
        assert!(error.reason.contains(reason) && !error.reason.contains("hunter2"), "{reason}: {error:?}");
        assert!(error.is_passing && error.reason.contains("virtual machine"), "{error:?}");
    }
    // One that takes connections and answers nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let url = with_variables(&unused_bucket(), &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &address)]);
    let error = init(&url, InitOptions::default()).unwrap_err();
    assert!(error.reason.contains("did not answer within 2 s"), "{error:?}");
}

/// Starts a server with TLS before the object store, and returns its port. It ends with the process.
fn tls_before(address: String, certificate: rcgen::CertifiedKey<rcgen::KeyPair>) -> u16 {
    let (sender, port) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(certificate.signing_key.serialize_der()));
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let config =
                rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
            let config = config.unwrap().with_no_client_auth();
            let config = config.with_single_cert(vec![certificate.cert.der().clone()], key).unwrap();
            let acceptor = TlsAcceptor::from(Arc::new(config));
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap().port()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, address) = (acceptor.clone(), address.clone());
                tokio::spawn(async move {
                    // A client that trusts another authority leaves.
                    let Ok(mut client) = acceptor.accept(stream).await else { return };
                    let mut server = tokio::net::TcpStream::connect(address).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
    });
    port.recv().unwrap()
}

#[test]
fn a_server_with_a_certificate_of_a_private_authority_is_trusted_if_its_file_is_named() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    std::fs::write(&file, made.cert.pem()).unwrap();
    let file = file.to_str().unwrap();
    let plain = unused_bucket().to_string();
    let address = plain.rsplit_once("http://").unwrap().1.to_owned();
    let port = tls_before(address.clone(), made);
    let secure = |host: &str| plain.replace(&format!("http://{address}"), &format!("https://{host}:{port}"));
    let key = [("AWS_ACCESS_KEY_ID", S3::KEY), ("AWS_SECRET_ACCESS_KEY", S3::SECRET)];
    let try_init = |text: &str, more: &[(&str, &str)]| -> Result<bool, FleetError> {
        let pairs = [&key[..], more].concat();
        let variable =
            |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        init(&FleetUrl::parse_with(text, &variable).unwrap(), InitOptions::default())
            .map(|outcome| outcome.is_new)
    };
    for untrusted in [secure("localhost"), secure("127.0.0.1") + &format!("&ca={file}")] {
        let error = try_init(&untrusted, &[]).unwrap_err();
        assert!(error.reason.contains("certificate"), "{error:?}");
    }
    assert_eq!(try_init(&(secure("localhost") + &format!("&ca={file}")), &[]), Ok(true));
    assert_eq!(try_init(&secure("localhost"), &[("AWS_CA_BUNDLE", file)]), Ok(false), "it was there already");
}
