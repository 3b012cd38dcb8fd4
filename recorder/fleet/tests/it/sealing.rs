//! Secrets that are sealed for the holder of a private key.

use zerver_fleet::{FleetUrl, keys, status, unwrap_line};
use zerver_recorder::{HashKey, Reader, Recorder, RecorderOptions, SpoolReader};
use zerver_trace::{Query, Recorded};

use crate::harness::{PATIENCE, Shipping, execute, files, new_bucket, new_fleet, query_text, reader};
use crate::sealing_keys::{NEEDLE, Operator, load, sealed, secret, secret_capture};

#[test]
fn only_readers_with_the_private_key_open_the_secrets_of_a_database() {
    two_nodes(&new_fleet());
}

#[test]
fn only_readers_with_the_private_key_open_the_secrets_of_a_bucket() {
    two_nodes(&new_bucket());
}

fn two_nodes(url: &FleetUrl) {
    let operator = Operator::new(url);
    let id = operator.create("private");
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    dirs.iter().zip(1..).for_each(|(dir, n)| operator.ship(dir, n));
    let fleet = operator.reader("private");
    assert_eq!((secret(&fleet, 1), secret(&fleet, 2)), (Ok(()), Ok(())));
    // Each node reads what it recorded, without the private key.
    for (dir, n) in dirs.iter().zip(1..) {
        assert_eq!(secret(&Reader::open(dir.path()).unwrap(), n), Ok(()));
    }
    // The keys differ, and equal secrets are recognized all the same, so that requests of both can be compared.
    let (one, two) = (load(&fleet, 1), load(&fleet, 2));
    assert_ne!(one.sealed_by, two.sealed_by);
    assert!(one.redaction.has_same_key(&two.redaction));
    let hash = |recorded: &Recorded| match recorded {
        Recorded::Sealed { hash, .. } => *hash,
        other => panic!("{other:?}"),
    };
    assert_eq!(hash(sealed(&one)), hash(sealed(&two)));
    let reason = secret(&reader(url), 1).unwrap_err();
    assert!(reason.contains(&id.to_string()) && reason.contains("ZERVER_FLEET_KEY"), "{reason}");
    let listed = keys(url).unwrap();
    assert_eq!(
        (listed.len(), listed[0].id, listed[0].data_keys, listed[0].nodes, listed[0].is_current),
        (1, id, 2, 2, true)
    );
    let status = status(url).unwrap();
    assert_eq!((status.keys[0].id, status.foreign), (id, Vec::<String>::new()));
}

#[test]
fn after_a_rotation_old_requests_need_the_old_key_and_new_ones_the_new_key() {
    for url in [new_fleet(), new_bucket()] {
        let operator = Operator::new(&url);
        let old = operator.create("old");
        let dir = tempfile::tempdir().unwrap();
        operator.ship(&dir, 1);
        // A process that began before seals on as before.
        let before = tempfile::tempdir().unwrap();
        let service = operator.recorder(&before);
        service.sink().accept(Box::new(secret_capture(2)));
        let shipping = Shipping::start(&service, &url, "pod-2");
        shipping.wait_until_shipped(1);
        let new = operator.create("new");
        service.sink().accept(Box::new(secret_capture(3)));
        shipping.wait_until_shipped(2);
        operator.ship(&dir, 4);
        let (with_old, with_new) = (operator.reader("old"), operator.reader("new"));
        for n in 1..=4 {
            let is_old = n < 4;
            assert_eq!(
                (secret(&with_old, n).is_ok(), secret(&with_new, n).is_ok()),
                (is_old, !is_old),
                "{n}"
            );
        }
        let reason = secret(&with_new, 1).unwrap_err();
        assert!(reason.contains(&old.to_string()) && reason.contains(&new.to_string()), "{reason}");
        let both = [operator.file("new"), operator.file("old")].map(|file| std::fs::read(file).unwrap());
        std::fs::write(operator.file("both"), both.concat()).unwrap();
        let with_both = operator.reader("both");
        assert!((1..=4).all(|n| secret(&with_both, n).is_ok()));
        let listed: Vec<_> =
            keys(&url).unwrap().into_iter().map(|key| (key.id, key.data_keys, key.is_current)).collect();
        assert_eq!(listed, [(new, 1, true), (old, 2, false)]);
    }
}

#[test]
fn what_a_killed_process_had_left_is_readable_when_another_has_shipped_it() {
    let url = new_fleet();
    let operator = Operator::new(&url);
    operator.create("private");
    let dir = tempfile::tempdir().unwrap();
    let service = operator.recorder(&dir);
    service.sink().accept(Box::new(secret_capture(1)));
    service.close();
    operator.ship(&dir, 2);
    let fleet = operator.reader("private");
    assert_eq!((secret(&fleet, 1), secret(&fleet, 2)), (Ok(()), Ok(())));
}

#[test]
fn without_a_key_of_the_fleet_requests_stay_in_the_store_until_there_is_one() {
    for url in [new_fleet(), new_bucket()] {
        let operator = Operator::new(&url);
        let dir = tempfile::tempdir().unwrap();
        let hash = "zerver-hash-key-1 0505050505050505050505050505050505050505050505050505050505050505\n";
        std::fs::write(operator.file("hash"), hash).unwrap();
        let service = operator.recorder(&dir);
        service.sink().accept(Box::new(secret_capture(1)));
        let shipping = Shipping::start(&service, &url, "pod");
        let event = format!("{:?}", shipping.events.recv_timeout(PATIENCE).unwrap());
        assert!(event.contains("has no key") && event.contains("zerver fleet key new"), "{event}");
        assert_eq!(status(&url).unwrap().traces, 0);
        operator.create("private");
        shipping.wait_until_shipped(1);
        assert_eq!(secret(&operator.reader("private"), 1), Ok(()));
    }
}

#[test]
fn a_public_key_that_no_holder_of_the_hash_key_has_made_is_refused() {
    for url in [new_fleet(), new_bucket()] {
        let (operator, attacker) = (Operator::new(&url), Operator::new(&url));
        attacker.create("private");
        let dir = tempfile::tempdir().unwrap();
        let options = RecorderOptions {
            max_age: None,
            hash_key: Some(HashKey::new([7; 32])),
            ..RecorderOptions::new(dir.path())
        };
        let service = Recorder::open(options).unwrap();
        service.sink().accept(Box::new(secret_capture(1)));
        let shipping = Shipping::start(&service, &url, "pod");
        let event = format!("{:?}", shipping.events.recv_timeout(PATIENCE).unwrap());
        assert!(event.contains("was not made with the hash key"), "{event}");
        let found = status(&url).unwrap();
        assert_eq!((found.traces, found.keys[0].data_keys), (0, 0));
        // Nor does an operator with another hash key add to it by mistake.
        std::fs::write(operator.file("hash"), format!("zerver-hash-key-1 {}\n", "07".repeat(32))).unwrap();
        let error = operator.try_create("private", false).unwrap_err();
        assert!(error.reason.contains("of another fleet"), "{error:?}");
        assert!(!operator.file("private").exists());
        let made = operator.try_create("private", true).unwrap();
        assert!(made.is_replaced_hash_key && !made.is_new_hash_key);
        shipping.wait_until_shipped(1);
        assert_eq!(secret(&operator.reader("private"), 1), Ok(()));
    }
}

#[test]
fn files_of_keys_are_never_overwritten_and_the_hash_key_is_made_once() {
    let url = new_fleet();
    let operator = Operator::new(&url);
    let first = operator.try_create("one", false).unwrap();
    assert!(first.is_new_hash_key && !first.is_replaced_hash_key);
    let before = std::fs::read(operator.file("one")).unwrap();
    let error = operator.try_create("one", false).unwrap_err();
    assert!(error.reason.contains("never overwritten"), "{error:?}");
    assert_eq!(std::fs::read(operator.file("one")).unwrap(), before);
    assert_eq!(keys(&url).unwrap().len(), 1, "the fleet has no key without its private half");
    let second = operator.try_create("two", false).unwrap();
    assert!(!second.is_new_hash_key && second.id != first.id);
    // The file of the hash key was lost.
    std::fs::remove_file(operator.file("hash")).unwrap();
    let error = operator.try_create("three", false).unwrap_err();
    assert!(error.hint.unwrap().contains("--new-hash-key") && !operator.file("three").exists());
    assert!(!operator.file("hash").exists());
    let third = operator.try_create("three", true).unwrap();
    assert!(third.is_new_hash_key && third.is_replaced_hash_key);
}

#[test]
fn no_secret_and_no_key_is_in_the_database_or_the_bucket() {
    for (url, is_bucket) in [(new_fleet(), false), (new_bucket(), true)] {
        let operator = Operator::new(&url);
        operator.create("private");
        let dir = tempfile::tempdir().unwrap();
        operator.ship(&dir, 1);
        let data_key = SpoolReader::open(dir.path()).unwrap().data_keys(|_| false).unwrap().remove(0);
        let store_key = std::fs::read(dir.path().join("key")).unwrap();
        let text = |name: &str| std::fs::read_to_string(operator.file(name)).unwrap();
        let digits = |text: String| text.split_whitespace().last().unwrap().to_owned();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let needles = [
            hex(NEEDLE.as_bytes()),
            hex(data_key.bytes()),
            hex(&store_key),
            digits(text("private")),
            digits(text("hash")),
        ];
        let mut dump = String::new();
        if is_bucket {
            for (key, file) in files(&url, "") {
                dump += &format!("{key} {}\n", hex(&std::fs::read(file).unwrap()));
            }
            assert!(dump.contains("\npublic-keys/") && dump.starts_with("keys/"), "{dump}");
        } else {
            for table in ["fleet", "node", "catalog", "block", "part", "public_key", "sealing_key"] {
                dump += &query_text(&format!(
                    "select string_agg(t::text, ' ') from {}.{table} t",
                    url.namespace()
                ));
            }
        }
        assert!(dump.contains(&hex(b"zvr1")), "the blocks are in it");
        for needle in &needles {
            assert!(needle.len() >= 32 && !dump.contains(needle), "{needle}");
        }
        assert!(!dump.contains(NEEDLE));
        // Blocks are compressed, so that the secret is looked for in what they say, too.
        let shown = format!("{:?}", load(&reader(&url), 1));
        assert!(!shown.contains("needle") && !shown.contains("hunter2"));
    }
}

#[test]
fn a_stolen_role_of_a_service_reads_nothing() {
    let url = new_fleet();
    let operator = Operator::new(&url);
    operator.create("private");
    operator.ship(&tempfile::tempdir().unwrap(), 1);
    let ns = url.namespace();
    execute(&format!("create role thief_{ns} login in role zerver_ship"));
    for statement in [
        "select * from {ns}.block",
        "select * from {ns}.part",
        "select * from {ns}.sealing_key",
        "select * from {ns}.public_key",
        "select * from {ns}.catalog",
        "insert into {ns}.public_key (id, public, proof) values ('\\x0101010101010101', repeat('a', 32)::bytea, repeat('a', 32)::bytea)",
        "update {ns}.sealing_key set wrapped = '\\x00'",
        "delete from {ns}.sealing_key",
    ] {
        // The statement fails with this very error, or the test does.
        execute(&format!(
            "do $body$ begin set local role thief_{ns}; begin {}; raise 'allowed'; exception when insufficient_privilege then \
             null; end; end $body$",
            statement.replace("{ns}", ns).replacen("select *", "perform *", 1)
        ));
    }
}

#[test]
fn a_command_on_another_machine_can_unwrap_keys() {
    let url = new_fleet();
    let operator = Operator::new(&url);
    operator.create("private");
    operator.ship(&tempfile::tempdir().unwrap(), 1);
    // The wrapped key goes to a file, and the answer of the other machine comes from another.
    let (asked, answer) = (operator.file("asked"), operator.file("answer"));
    let first = operator.reader_with_command(&format!("cat > '{}'; exit 1", asked.display()));
    assert!(secret(&first, 1).unwrap_err().contains("it failed (exit status: 1)"));
    let line = std::fs::read_to_string(&asked).unwrap();
    std::fs::write(&answer, unwrap_line(&line, &operator.file("private")).unwrap()).unwrap();
    let calls = operator.file("calls");
    let fleet =
        operator.reader_with_command(&format!("echo >> '{}'; cat '{}'", calls.display(), answer.display()));
    for _ in 0..3 {
        assert_eq!(secret(&fleet, 1), Ok(()));
    }
    assert_eq!(std::fs::read_to_string(&calls).unwrap().lines().count(), 1, "it is asked once for each key");
    for (line, reason) in [
        ("", "no wrapped key"),
        ("00ff", "no wrapped key"),
        (&*line.replacen("01", "02", 1), "no wrapped key"),
    ] {
        assert!(unwrap_line(line, &operator.file("private")).unwrap_err().reason.contains(reason), "{line}");
    }
    assert_eq!(reader(&url).list(&Query::default()).unwrap().len(), 1);
}
