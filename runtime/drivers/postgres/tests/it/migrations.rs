//! Migrations: order, changes, failures, and several runners.

use std::fs;

use zerver::effects::sql::{Migrations, SqlValue};

use crate::harness::Client;

#[test]
fn each_file_is_performed_once_in_order() {
    let client = Client::new();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let migrate = || client.block_on(client.postgres.migrate(folder.path()));
    assert!(migrate().unwrap_err().to_string().contains("no file in"));
    write("0002_data.sql", "insert into t values (1); insert into t values (2);");
    write("0001_table.sql", "create table t (id int);\n");
    write("notes.txt", "not SQL");
    assert_eq!(migrate().unwrap(), ["0001_table.sql", "0002_data.sql"]);
    assert!(migrate().unwrap().is_empty());
    // A failed migration has no effect, and the next run begins with it.
    write("0003_index.sql", "insert into t values (3);\ncreate indx i on t (id);");
    let failed = migrate().unwrap_err().to_string();
    assert!(failed.starts_with("migration 0003_index.sql failed: line 2: "), "{failed}");
    assert_eq!(client.cell("select count(*) from t"), SqlValue::Int(2));
    write("0003_index.sql", "-- zerver: no transaction\ncreate index concurrently i on t (id);");
    assert_eq!(migrate().unwrap(), ["0003_index.sql"]);
    write("0002_data.sql", "insert into t values (9);");
    assert!(migrate().unwrap_err().to_string().contains("0002_data.sql was changed"));
    fs::remove_file(folder.path().join("0002_data.sql")).unwrap();
    assert!(
        migrate()
            .unwrap_err()
            .to_string()
            .contains("0002_data.sql was performed in this database but is missing")
    );
}

#[test]
fn of_several_runners_one_performs_each_migration() {
    let client = Client::new();
    let migrations = Migrations::of([
        ("1.sql", "create table t (id int); select pg_sleep(0.2);"),
        ("2.sql", "insert into t values (1);"),
    ]);
    let runs = client.block_on(async {
        let run = || client.postgres.migrate_all(&migrations);
        let (a, b, c) = tokio::join!(run(), run(), run());
        [a.unwrap(), b.unwrap(), c.unwrap()]
    });
    assert_eq!(runs.iter().flatten().count(), 2, "{runs:?}");
    assert_eq!(client.cell("select count(*) from t"), SqlValue::Int(1));
}
