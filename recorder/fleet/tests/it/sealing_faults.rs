//! Keys that are missing, wrong or damaged, and commands that unwrap nothing.

use zerver_fleet::{FleetUrl, InitOptions, archive, init};
use zerver_recorder::{SealError, verify};

use crate::harness::{execute, files, new_bucket, new_fleet, query_text, reader};
use crate::sample_traces::START_NS;
use crate::sealing_keys::{Operator, load, sealed, secret};

/// Ships one request with a secret.
fn sealed_fleet(url: &FleetUrl) -> Operator {
    let operator = Operator::new(url);
    operator.create("private");
    operator.ship(&tempfile::tempdir().unwrap(), 1);
    operator
}

#[test]
fn a_private_key_that_is_lost_or_another_one_is_named() {
    for url in [new_fleet(), new_bucket()] {
        let operator = sealed_fleet(&url);
        let missing = secret(&operator.reader("nowhere"), 1).unwrap_err();
        assert!(missing.contains("cannot use") && missing.contains("nowhere"), "{missing}");
        let other_fleet = new_fleet();
        let other = Operator::new(&other_fleet);
        let id = other.create("other");
        std::fs::copy(other.file("other"), operator.file("other")).unwrap();
        let wrong = secret(&operator.reader("other"), 1).unwrap_err();
        assert!(wrong.contains(&id.to_string()) && wrong.contains("is not here"), "{wrong}");
        std::fs::write(operator.file("empty"), "# nothing\n").unwrap();
        assert!(secret(&operator.reader("empty"), 1).unwrap_err().contains("no private key"));
        // The file of the services opens nothing.
        assert!(secret(&operator.reader("hash"), 1).unwrap_err().contains("no private key"));
    }
}

#[test]
fn a_wrapped_key_that_was_changed_or_removed_in_a_database_is_named() {
    let url = new_fleet();
    let operator = sealed_fleet(&url);
    let ns = url.namespace();
    let is_lost = |n| {
        let fleet = operator.reader("private");
        let trace = load(&fleet, n);
        match fleet.unseal(&trace, sealed(&trace)).unwrap_err() {
            SealError::Wrapped { reason, is_lost } => {
                assert!(is_lost, "{reason}");
                reason
            }
            other => panic!("{other:?}"),
        }
    };
    for at in [0, 3, 12, 20, 60] {
        let change = format!(
            "update {ns}.sealing_key set wrapped = set_byte(wrapped, {at}, get_byte(wrapped, {at}) # 1)"
        );
        execute(&change);
        let fleet = operator.reader("private");
        let reason = secret(&fleet, 1).unwrap_err();
        // The id of the public key is the 12th byte, and then another private key seems to be needed.
        assert!(
            reason.contains("was changed in the fleet") || (at == 12 && reason.contains("is not here")),
            "{at}: {reason}"
        );
        execute(&change);
        assert_eq!(secret(&operator.reader("private"), 1), Ok(()), "{at}");
    }
    execute(&format!("update {ns}.sealing_key set wrapped = '\\x00'"));
    assert!(is_lost(1).contains("it is not one"));
    execute(&format!("delete from {ns}.sealing_key"));
    assert!(is_lost(1).contains("use the store of the node"));
    let found = verify(&reader(&url), &mut |_| {}).unwrap();
    assert_eq!((found.secrets, found.secrets_by_key.len()), (1, 1));
}

#[test]
fn a_wrapped_key_that_was_changed_in_a_bucket_is_named() {
    let url = new_bucket();
    let operator = sealed_fleet(&url);
    let (_, file) = files(&url, "keys/").pop_first().unwrap();
    let whole = std::fs::read(&file).unwrap();
    let mut changed = whole.clone();
    changed[70] ^= 1;
    std::fs::write(&file, changed).unwrap();
    let reason = secret(&operator.reader("private"), 1).unwrap_err();
    assert!(reason.contains("was changed in the fleet"), "{reason}");
    std::fs::write(&file, &whole[..40]).unwrap();
    assert!(secret(&operator.reader("private"), 1).unwrap_err().contains("it is not one"));
    std::fs::write(&file, whole).unwrap();
    assert_eq!(secret(&operator.reader("private"), 1), Ok(()));
    std::fs::remove_file(&file).unwrap();
    assert!(secret(&operator.reader("private"), 1).unwrap_err().contains("use the store of the node"));
}

#[test]
fn a_command_that_fails_or_prints_something_else_opens_nothing() {
    let url = new_fleet();
    let operator = sealed_fleet(&url);
    for (command, reason) in [
        ("echo 'the token is locked' >&2; exit 2", "the token is locked"),
        ("echo garbage", "something other than a key"),
        ("head -c 32 /dev/zero", "something other than a key"),
        ("printf '%064d' 0", "another key than the one"),
        ("yes", "more than a key"),
        ("/nonexistent/unwrap", "it failed"),
    ] {
        let found = secret(&operator.reader_with_command(command), 1).unwrap_err();
        assert!(
            found.contains("ZERVER_FLEET_UNWRAP_COMMAND") && found.contains(reason),
            "{command}: {found}"
        );
    }
}

#[test]
fn an_archive_has_the_keys_of_what_was_moved() {
    let (url, to) = (new_fleet(), new_bucket());
    let operator = sealed_fleet(&url);
    let today =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() / 86_400;
    let age = today - START_NS / 86_400_000_000_000 - 1;
    assert_eq!(archive(&url, &to, u32::try_from(age).unwrap(), &mut |_| {}).unwrap().days, 1);
    assert_eq!(secret(&operator.reader("private"), 1), Ok(()), "through the database");
    let of_archive = Operator::new(&to);
    std::fs::copy(operator.file("private"), of_archive.file("private")).unwrap();
    assert_eq!(secret(&of_archive.reader("private"), 1), Ok(()), "and without it");
    assert!(secret(&reader(&to), 1).is_err());
}

#[test]
fn keys_of_requests_that_are_gone_are_removed_from_a_database() {
    let url = new_fleet();
    let operator = sealed_fleet(&url);
    let dir = tempfile::tempdir().unwrap();
    (2..5).for_each(|n| operator.ship(&dir, n));
    let ns = url.namespace();
    let keys = || query_text(&format!("select count(*)::text from {ns}.sealing_key"));
    let maintain = |keep_days: u32| {
        init(&url, InitOptions { keep_days: Some(keep_days) }).unwrap();
        execute(&format!("select {ns}.maintain()"));
    };
    assert_eq!(keys(), "4");
    // The second node has run for long: its first key has a successor that is older than what is kept, its second has not.
    execute(&format!(
        "with aged as (select key_id, row_number() over (order by born) n from {ns}.sealing_key)
         update {ns}.sealing_key s set born = now() - interval '1 day' * (array[200, 100, 90, 5])[n]
         from aged where aged.key_id = s.key_id"
    ));
    maintain(100_000);
    assert_eq!(keys(), "4", "everything is kept");
    maintain(30);
    assert_eq!(keys(), "3");
    maintain(30);
    assert_eq!(keys(), "3", "the third key sealed until five days ago, and the first node reported today");
    // The first node is gone.
    execute(&format!(
        "update {ns}.node set seen = now() - interval '60 days'
         where node = (select node from {ns}.sealing_key order by born limit 1)"
    ));
    maintain(30);
    assert_eq!(keys(), "2");
}
