//! A database with a password, TLS, roles, a pooler, or without the right or the room to write.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::time::Instant;

use tempfile::TempDir;
use zerver_fleet::{
    FleetBlocks, FleetError, FleetUrl, InitOptions, ShipperEvent, archive, init, nodes, status, upgrade,
};
use zerver_local_server::{PgBouncer, Postgres};
use zerver_recorder::{ReadError, Reader};
use zerver_trace::Query;

use crate::harness::{
    PATIENCE, Shipping, execute, execute_on, new_bucket, new_fleet, reader, recorder, with_key,
};
use crate::sample_traces::{capture, id};

const KEEP_ALL: InitOptions = InitOptions { keep_days: Some(100_000) };

/// Returns a folder that the user of the server can read.
fn shared_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn parsed(url: &str) -> FleetUrl {
    url.parse().unwrap()
}

/// Returns the error of a reader.
fn read_error(url: &FleetUrl) -> FleetError {
    match FleetBlocks::open(url).unwrap_err() {
        ReadError::Fleet { reason, hint, .. } => FleetError { reason, hint, is_passing: false },
        other => panic!("{other:?}"),
    }
}

/// Returns what a shipper reports when it has failed.
fn offline(shipping: &Shipping) -> (String, String) {
    match shipping.events.recv_timeout(PATIENCE).unwrap() {
        ShipperEvent::Offline { reason, hint } => (reason, hint.unwrap_or_default()),
        other => panic!("{other:?}"),
    }
}

fn count(url: &FleetUrl) -> usize {
    reader(url).list(&Query::default()).unwrap().len()
}

#[test]
fn a_wrong_password_is_named_with_where_it_is_written_and_what_was_recorded_arrives_later() {
    let folder = shared_folder();
    let rules = folder.path().join("pg_hba.conf");
    fs::write(&rules, "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n").unwrap();
    let server = Postgres::start_on_tcp(&[&format!("hba_file={}", rules.display())]).unwrap();
    let port = server.tcp_port().unwrap();
    let socket = format!("{}&port={port}", server.url());
    let owner = parsed(&format!("{socket}&ns=shop"));
    init(&owner, KEEP_ALL).unwrap();
    execute_on(
        &socket,
        "create role pod login password 'right' in role zerver_ship; create role ann login password 'right' in \
         role zerver_read",
    );
    let port = server.tcp_port().unwrap();
    let url =
        |user: &str| parsed(&format!("postgres://{user}:wr0ng-needle@127.0.0.1:{port}/postgres?ns=shop"));
    let error = read_error(&url("ann"));
    assert!(error.reason.contains("password authentication failed for user \"ann\""), "{error:?}");
    assert!(error.hint.as_deref().unwrap().contains("passfile="), "{error:?}");
    for error in [status(&url("ann")).unwrap_err(), nodes(&url("ann")).unwrap_err()] {
        assert!(!error.is_passing && !format!("{error:?}").contains("needle"), "{error:?}");
    }
    let dir = tempfile::tempdir().unwrap();
    let service = recorder(dir.path());
    (0..10).for_each(|n| service.sink().accept(Box::new(capture(n))));
    let shipping = Shipping::start(&service, &url("pod"), "pod");
    let (reason, hint) = offline(&shipping);
    assert!(
        reason.contains("password authentication failed") && hint.contains("passfile="),
        "{reason} {hint}"
    );
    // Requests are recorded meanwhile, and ship when the password is right.
    (10..20).for_each(|n| service.sink().accept(Box::new(capture(n))));
    service.flush();
    assert_eq!(Reader::open(dir.path()).unwrap().list(&Query::default()).unwrap().len(), 20);
    execute_on(&socket, "alter role pod password 'wr0ng-needle'");
    assert_eq!(shipping.events.recv_timeout(PATIENCE).unwrap(), ShipperEvent::Online);
    shipping.wait_until_shipped(20);
    assert_eq!(count(&owner), 20);
}

#[test]
fn a_certificate_for_another_name_keeps_readers_and_services_away() {
    let folder = shared_folder();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    // The server refuses a key that others can read.
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let owner = fs::metadata(Postgres::start().unwrap().folder()).unwrap();
    std::os::unix::fs::chown(&key, Some(owner.uid()), Some(owner.gid())).unwrap();
    let settings = [
        "ssl=on".to_owned(),
        format!("ssl_cert_file={}", certificate.display()),
        format!("ssl_key_file={}", key.display()),
    ];
    let server = Postgres::start_on_tcp(&settings.each_ref().map(String::as_str)).unwrap();
    let port = server.tcp_port().unwrap();
    let url = |host: &str, trust: &str| {
        parsed(&format!("postgres://postgres@{host}:{port}/postgres?ns=shop&sslmode=verify-full{trust}"))
    };
    let trust = format!("&sslrootcert={}", certificate.display());
    init(&url("localhost", &trust), KEEP_ALL).unwrap();
    for wrong in [url("127.0.0.1", &trust), url("localhost", "")] {
        let error = read_error(&wrong);
        assert!(error.reason.contains("certificate"), "{error:?}");
        assert!(init(&wrong, KEEP_ALL).unwrap_err().reason.contains("certificate"));
        let dir = tempfile::tempdir().unwrap();
        let service = recorder(dir.path());
        service.sink().accept(Box::new(capture(1)));
        let shipping = Shipping::start(&service, &wrong, "pod");
        assert!(offline(&shipping).0.contains("certificate"));
        assert_eq!(shipping.shipper.status().shipped, 0);
    }
    let dir = tempfile::tempdir().unwrap();
    let service = recorder(dir.path());
    service.sink().accept(Box::new(capture(1)));
    Shipping::start(&service, &url("localhost", &trust), "pod").wait_until_shipped(1);
    assert_eq!(count(&url("localhost", &trust)), 1);
}

#[test]
fn a_database_that_is_read_only_or_full_is_read_and_takes_everything_later() {
    let server = Postgres::start().unwrap();
    let url = parsed(&format!("{}&ns=shop", server.url()));
    init(&url, KEEP_ALL).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let service = recorder(dir.path());
    service.sink().accept(Box::new(capture(0)));
    let shipping = Shipping::start(&service, &url, "pod");
    shipping.wait_until_shipped(1);
    let read_only = |value: &str| {
        execute_on(&server.url(), &format!("alter system set default_transaction_read_only = {value}"));
        execute_on(&server.url(), "select pg_reload_conf()");
    };
    // As a disk without room fails: the server says so of the first write to a new page.
    let full = "create function shop.is_full() returns trigger language plpgsql as $$ begin raise exception 'could \
                not extend file \"base/5/16384\": No space left on device' using errcode = 'disk_full'; end $$; \
                create trigger is_full before insert on shop.block for each row execute function shop.is_full()";
    type Step<'s> = (&'s dyn Fn(), &'s dyn Fn(), &'static str, &'static str);
    let steps: [Step<'_>; 2] = [
        (&|| read_only("on"), &|| read_only("off"), "read-only transaction", "primary"),
        (
            &|| execute_on(&server.url(), full),
            &|| execute_on(&server.url(), "drop function shop.is_full cascade"),
            "No space left on device",
            "zerver fleet archive",
        ),
    ];
    for (round, (begin, end, reason, hint)) in (1..).zip(steps) {
        begin();
        (0..10).for_each(|n| service.sink().accept(Box::new(capture(round * 10 + n))));
        let (found, advice) = offline(&shipping);
        assert!(found.contains(reason) && advice.contains(hint), "{found}: {advice}");
        let until = Instant::now() + PATIENCE;
        let failures = shipping.shipper.status().failures;
        while shipping.shipper.status().failures < failures + 2 {
            assert!(Instant::now() < until);
            std::thread::yield_now();
        }
        assert!(shipping.events.try_recv().is_err(), "it is reported once");
        let before = (round as usize - 1) * 10 + 1;
        assert_eq!(count(&url), before, "commands read meanwhile");
        assert_eq!(status(&url).unwrap().traces, before as u64);
        end();
        assert_eq!(shipping.events.recv_timeout(PATIENCE).unwrap(), ShipperEvent::Online);
        shipping.wait_until_shipped(before as u64 + 10);
        assert_eq!(count(&url), before + 10);
    }
    read_only("on");
    let error = init(&url, KEEP_ALL).unwrap_err();
    assert!(error.reason.contains("read-only") && error.hint.unwrap().contains("primary"));
}

#[test]
fn each_command_names_the_role_that_it_lacks() {
    let url = new_fleet();
    let ns = url.namespace();
    execute(&format!(
        "create role {ns}_ship login in role zerver_ship; create role {ns}_read login in role zerver_read; create \
         role {ns}_none login"
    ));
    let to = new_bucket();
    let as_user =
        |user: &str| with_key(&url.to_string().replace("user=postgres", &format!("user={ns}_{user}")));
    type Operation<'o> =
        (&'static str, &'static [&'static str], &'o dyn Fn(&FleetUrl) -> Result<(), FleetError>);
    let operations: [Operation<'_>; 6] = [
        ("init", &[], &|url| init(url, KEEP_ALL).map(|_| ())),
        ("upgrade", &[], &|url| upgrade(url).map(|_| ())),
        ("archive", &[], &|url| archive(url, &to, 0, &mut |_| {}).map(|_| ())),
        ("status", &["read"], &|url| status(url).map(|_| ())),
        ("nodes", &["read"], &|url| nodes(url).map(|_| ())),
        ("read", &["read"], &|url| {
            FleetBlocks::open(url).map(|_| ()).map_err(|error| match error {
                ReadError::Fleet { reason, hint, .. } => FleetError { reason, hint, is_passing: false },
                other => panic!("{other:?}"),
            })
        }),
    ];
    for user in ["ship", "read", "none"] {
        for (name, allowed, operation) in &operations {
            match operation(&as_user(user)) {
                Ok(()) => assert!(allowed.contains(&user), "{name} as {user}"),
                Err(error) => {
                    assert!(!allowed.contains(&user), "{name} as {user}: {error:?}");
                    assert!(!error.is_passing, "{name} as {user}: {error:?}");
                    let hint = error.hint.unwrap_or_default();
                    assert!(
                        hint.contains("owner") && hint.contains(&format!("{ns}_{user}")),
                        "{name}: {hint}"
                    );
                }
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let service = recorder(dir.path());
        service.sink().accept(Box::new(capture(1)));
        let shipping = Shipping::start(&service, &as_user(user), "pod");
        if user == "ship" {
            shipping.wait_until_shipped(1);
        } else {
            assert!(offline(&shipping).1.contains("zerver_ship"), "{user}");
        }
    }
}

#[test]
fn a_pooler_of_transactions_may_lie_between() {
    let mut server = Postgres::start().unwrap();
    // One connection for all, which each of them gets for one transaction.
    let pooler = PgBouncer::start(&server, 1).unwrap_or_else(|error| panic!("{error}"));
    let url = parsed(&format!("{}&ns=shop", pooler.url()));
    init(&url, KEEP_ALL).unwrap();
    assert_eq!(upgrade(&url).unwrap(), 5);
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let services = dirs.each_ref().map(|dir| recorder(dir.path()));
    let shippers = [0, 1].map(|n| Shipping::start(&services[n], &url, ["pod-1", "pod-2"][n]));
    let readers = [reader(&url), reader(&url)];
    let mut cursor = Reader::start();
    let mut seen = 0;
    for n in 0..60 {
        services[n as usize % 2].sink().accept(Box::new(capture(n)));
        if n % 20 == 19 {
            shippers.iter().for_each(|shipping| shipping.wait_until_shipped(n.div_ceil(2)));
            for reader in &readers {
                assert_eq!(reader.list(&Query::default()).unwrap().len() as u64, n + 1);
                assert_eq!(reader.load(id(n)).unwrap().unwrap().id, id(n));
            }
            let (news, reached) = readers[1].list_since(cursor).unwrap();
            (seen, cursor) = (seen + news.len() as u64, reached);
            assert_eq!(seen, n + 1);
        }
    }
    // The server behind it starts again.
    server.stop();
    server.resume().unwrap();
    services[0].sink().accept(Box::new(capture(60)));
    shippers[0].wait_until_shipped(31);
    assert_eq!(count(&url), 61);
    let found = status(&url).unwrap();
    assert_eq!((found.traces, found.nodes.len()), (61, 2));
}
