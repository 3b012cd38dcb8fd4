//! Outages: no server, a server that restarts, lost answers, a failover, a server that hangs.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixStream};
use zerver::prelude::*;
use zerver_local_server as local;
use zerver_redis::{self as redis, Redis};

use crate::harness::{Client, cause, server, start};

#[test]
fn a_service_survives_a_server_that_is_down_and_restarts() {
    let mut server = start();
    server.stop();
    let redis = Redis::from_url(&server.url()).unwrap();
    let client = Client::of(redis.clone());
    let down = || client.run(redis::set("a", 1));
    assert_eq!(down().unwrap_err().status(), 503);
    assert!(cause(down()).starts_with("unreachable: cannot connect to"), "{}", cause(down()));
    assert!(!redis.is_reachable());
    server.resume().unwrap();
    client.run(redis::set("a", 1)).unwrap();
    assert!(redis.is_reachable());
    server.stop();
    server.resume().unwrap();
    // The data were saved. The lost connection is noticed before the call is sent, so that it does not fail.
    let found = client.run(redis::get::<i64>("a").retry(Retry::attempts(3))).unwrap();
    assert_eq!(found, Some(1));
    client.run(redis::incr("a", 1)).unwrap();
}

#[test]
fn calls_in_flight_during_a_restart_are_reported_as_lost() {
    let mut server = start();
    let client = Client::of(Redis::from_url(&server.url()).unwrap());
    client.run(redis::set("a", 1)).unwrap();
    // The server performs nothing else while it sleeps, so the calls after it wait for their answers.
    let url = server.url();
    let blocker = Client::of(Redis::from_url(&url).unwrap());
    blocker.run(redis::cmd("PING").run::<()>()).unwrap();
    let (read, write) = client.block_on(async {
        let pause = blocker.perform(redis::cmd("CLIENT").arg("PAUSE").arg(60_000).arg("ALL").run::<()>());
        pause.await.unwrap();
        let calls = async {
            tokio::join!(client.perform(redis::get::<i64>("a")), client.perform(redis::incr("a", 1)))
        };
        let stopping = tokio::task::spawn_blocking(move || {
            // The calls are on their way within this time, or else have not been sent: both are lost.
            std::thread::sleep(Duration::from_millis(300));
            server.stop();
            server
        });
        let (results, server) = tokio::join!(calls, stopping);
        server.unwrap().resume().unwrap();
        results
    });
    let read = cause(read);
    assert!(read.starts_with("unreachable: the connection was lost"), "{read}");
    let write = cause(write);
    assert!(
        write.starts_with("unknown_outcome: the connection was lost before the answer arrived"),
        "{write}"
    );
}

/// Forwards connections to the shared server. It closes a connection in place of the answer to the first command that
/// contains `text`, after the server has answered.
async fn cut_after(text: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut server = UnixStream::connect(server().socket()).await.unwrap();
                let (mut from_client, mut from_server) = (vec![0; 65536], vec![0; 65536]);
                let mut is_cut = false;
                loop {
                    tokio::select! {
                        read = client.read(&mut from_client) => match read {
                            Ok(0) | Err(_) => return,
                            Ok(len) => {
                                let sent = &from_client[..len];
                                is_cut |= sent.windows(text.len()).any(|part| part == text.as_bytes());
                                server.write_all(sent).await.unwrap();
                            }
                        },
                        read = server.read(&mut from_server) => match read {
                            Ok(0) | Err(_) => return,
                            Ok(_) if is_cut => return,
                            Ok(len) => client.write_all(&from_server[..len]).await.unwrap(),
                        },
                    }
                }
            });
        }
    });
    port
}

#[test]
fn a_write_whose_answer_was_lost_has_an_unknown_outcome() {
    let direct = Client::new();
    let port = direct.block_on(cut_after("lost:write"));
    let client = Client::of(Redis::from_url(&format!("redis://127.0.0.1:{port}")).unwrap());
    let lost = cause(client.run(redis::incr("lost:write", 1).retry(Retry::attempts(3))));
    assert!(lost.starts_with("unknown_outcome: "), "{lost}");
    // It was performed, once.
    assert_eq!(direct.run(redis::get::<i64>("lost:write")).unwrap(), Some(1));
    let lost = cause(client.run(redis::get::<i64>("lost:write")));
    assert!(lost.starts_with("unreachable: "), "{lost}");
    client.run(redis::set("another", 1)).unwrap();
}

#[test]
fn calls_follow_a_failover() {
    let mut primary = start();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let port = port.to_string();
    // The replica needs an address at which it can reach the primary.
    drop(primary);
    primary = local::Redis::start_with(&["--port", &port, "--bind", "127.0.0.1"]).unwrap();
    let replica = local::Redis::start_with(&["--replicaof", "127.0.0.1", &port]).unwrap();
    let replica_client = Client::of(Redis::from_url(&replica.url()).unwrap());
    let client = Client::of(Redis::from_urls([&*replica.url(), &*primary.url()]).unwrap());
    client.run(redis::set("kept", 1)).unwrap();
    let copied = client.run(redis::cmd("WAIT").args([1, 10_000]).run::<u64>()).unwrap();
    // WAIT has a connection of its own, which has written nothing; the replica is asked instead.
    assert!(copied <= 1);
    let began = Instant::now();
    while replica_client.run(redis::get::<i64>("kept")).ok().flatten().is_none() {
        assert!(began.elapsed() < 20.seconds(), "the replica did not copy the value");
        std::thread::yield_now();
    }
    // Writes to the replica alone are refused.
    let refused = replica_client.run(redis::set("kept", 2)).unwrap_err();
    assert_eq!(refused.status(), 503);
    primary.stop();
    assert_eq!(client.run(redis::set("kept", 2)).unwrap_err().status(), 503);
    replica_client.run(redis::cmd("REPLICAOF").args(["NO", "ONE"]).run::<()>()).unwrap();
    client.run(redis::set("kept", 3)).unwrap();
    assert_eq!(replica_client.run(redis::get::<i64>("kept")).unwrap(), Some(3));
}

#[test]
fn a_connection_to_a_server_that_hangs_is_not_used_for_ever() {
    let server = start();
    let client = Client::of(Redis::from_url(&server.url()).unwrap());
    let id = || client.run(redis::cmd("CLIENT").arg("ID").run::<i64>());
    let first = id().unwrap();
    let blocker = Client::of(Redis::from_url(&server.url()).unwrap());
    blocker.run(redis::cmd("CLIENT").arg("PAUSE").arg(1500).arg("ALL").run::<()>()).unwrap();
    let given_up = client.run(redis::get::<i64>("a").timeout(1200.millis()));
    assert_eq!(given_up.unwrap_err().status(), 504);
    assert_ne!(id().unwrap(), first);
}

#[test]
fn tls_checks_the_certificate_of_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let files = [&certificate, &key, &certificate].map(|path| path.to_str().unwrap());
    let _server = local::Redis::start_with(&[
        "--tls-port",
        &port,
        "--tls-cert-file",
        files[0],
        "--tls-key-file",
        files[1],
        "--tls-ca-cert-file",
        files[2],
        "--tls-auth-clients",
        "no",
        "--requirepass",
        "hunter2",
    ])
    .unwrap_or_else(|error| panic!("{error}"));
    let redis =
        |host: &str, password: &str| Redis::from_url(&format!("rediss://:{password}@{host}:{port}")).unwrap();
    let trusting =
        |host: &str, password: &str| redis(host, password).root_certificates(&certificate).unwrap();
    Client::of(trusting("localhost", "hunter2")).run(redis::set("a", 1)).unwrap();
    let refused = |redis: Redis| {
        let reason = cause(Client::of(redis).run(redis::set("a", 1)));
        assert!(reason.starts_with("unreachable: "), "{reason}");
        reason
    };
    assert!(refused(redis("localhost", "hunter2")).contains("certificate"));
    assert!(refused(trusting("127.0.0.1", "hunter2")).contains("certificate"));
    let wrong = refused(trusting("localhost", "wr0ng"));
    assert!(!wrong.contains("wr0ng"), "{wrong}");
}
