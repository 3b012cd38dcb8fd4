//! Outages: no server, a server that restarts, a pool without a free connection, TLS.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use zerver::effects::sql::{self, SqlValue};
use zerver::prelude::*;
use zerver_local_server as local;

use crate::harness::{Client, cause, server};
use crate::lost_connections::eventually;

/// Returns the answer of the health endpoint of a service that uses this database.
fn health(client: &Client) -> String {
    let options =
        zerver::StartOptions { addr: Some("127.0.0.1:0".to_owned()), ..zerver::StartOptions::default() };
    let server = App::new().interpreter(client.postgres.clone()).start(options).unwrap();
    let mut stream = std::net::TcpStream::connect(server.addr()).unwrap();
    std::io::Write::write_all(
        &mut stream,
        b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n",
    )
    .unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
    server.stop();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer
}

#[test]
fn a_service_survives_a_restart_of_its_server() {
    let mut server = local::Postgres::start().unwrap();
    let client = Client::connect(&server.url());
    client.execute("create table t (id int)");
    let slow = |text: &'static str| {
        let interpreters = client.with_pool(2);
        std::thread::spawn(move || cause(interpreters.run(sql::query(text).execute())))
    };
    let (read, write) = (
        slow(
            "select id from t, lateral (select pg_sleep(60)) s union all select 1 from (select pg_sleep(60)) s",
        ),
        slow("insert into t select 1 from (select pg_sleep(60)) s"),
    );
    eventually(&client, || {
        client.cell("select count(*) from pg_stat_activity where state = 'active' and query like '%pg_sleep(60)%' and pid <> pg_backend_pid()") == SqlValue::Int(2)
    });
    server.stop();
    // pg_sleep is not known to be harmless, so both are writes as far as zerver knows.
    for cause in [read.join().unwrap(), write.join().unwrap()] {
        assert!(cause.starts_with("unknown_outcome: the connection was lost after"), "{cause}");
    }
    let down = || client.run(sql::query("select 1").execute());
    assert_eq!(down().unwrap_err().status(), 503);
    assert!(cause(down()).starts_with("unreachable: "));
    assert!(!client.postgres.is_reachable());
    let outage = health(&client);
    assert!(outage.contains("\"degraded\"") && outage.contains("cannot be reached"), "{outage}");
    server.resume().unwrap();
    // Without another effect.
    eventually(&client, || client.postgres.is_reachable());
    assert!(health(&client).contains("\"ok\""));
    assert_eq!(client.cell("select count(*) from t"), SqlValue::Int(0));
    assert!(client.postgres.is_reachable());
}

#[test]
fn an_effect_that_finds_no_free_connection_waits_within_its_time() {
    let client = Client::new().with_pool(1);
    client.block_on(async {
        let slow = client.perform(sql::query("select pg_sleep(0.3)").execute());
        let fast = client.perform(sql::query("select 1").one::<i32>().timeout(50.millis()));
        let patient = client.perform(sql::query("select 2").one::<i32>());
        let (slow, fast, patient) = tokio::join!(slow, fast, patient);
        slow.unwrap();
        assert_eq!(fast.unwrap_err().status(), 504);
        assert_eq!(patient.unwrap(), 2);
    });
}

#[test]
fn databases_have_names() {
    let (first, second) = (Client::new(), Client::new());
    second.execute("create table only_here (id int)");
    let databases = sql::Databases::new(first.postgres.clone()).with("second", second.postgres.clone());
    let mut interpreters = zerver::effects::Interpreters::new();
    interpreters.set(databases);
    let run = |query: sql::Query| {
        first.block_on(interpreters.perform(query.rows(), &zerver::effects::EffectContext::default()))
    };
    let query = || sql::query("select * from only_here");
    assert_eq!(run(query().on("second")).unwrap().len(), 0);
    assert!(cause(run(query())).contains("error 42P01"));
    assert!(
        cause(run(query().on("third"))).contains("there is no database third; there are: default, second")
    );
}

#[test]
fn tls_is_used_as_sslmode_demands() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    // The server refuses a key that others can read, unless it belongs to root.
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let postgres_user = fs::metadata(server().folder()).unwrap();
    let (user, group) = {
        use std::os::unix::fs::MetadataExt as _;
        (postgres_user.uid(), postgres_user.gid())
    };
    std::os::unix::fs::chown(&key, Some(user), Some(group)).unwrap();
    let settings = [
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", certificate.display()),
        format!("ssl_key_file={}", key.display()),
    ];
    let server = local::Postgres::start_on_tcp(&settings.each_ref().map(String::as_str)).unwrap();
    let port = server.tcp_port().unwrap();
    let encrypted = |host: &str, settings: &str| {
        let client = Client::connect(&format!("postgresql://postgres@{host}:{port}/postgres?{settings}"));
        let query = sql::query("select ssl from pg_stat_ssl where pid = pg_backend_pid()");
        client.run(query.one::<bool>())
    };
    assert!(!encrypted("127.0.0.1", "sslmode=disable").unwrap());
    assert!(encrypted("127.0.0.1", "sslmode=prefer").unwrap());
    assert!(encrypted("127.0.0.1", "sslmode=require").unwrap());
    assert!(cause(encrypted("localhost", "sslmode=verify-full")).starts_with("unreachable: "));
    let trusted = format!("sslmode=verify-full&sslrootcert={}", certificate.display());
    assert!(encrypted("localhost", &trusted).unwrap());
    assert!(cause(encrypted("127.0.0.1", &trusted)).starts_with("unreachable: "), "the name differs");
}
