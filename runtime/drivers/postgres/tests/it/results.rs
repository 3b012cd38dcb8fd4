//! Results: the number of rows, limits, errors of the database, and statements that end early.

use std::time::Duration;

use zerver::effects::sql::{self, SqlError};
use zerver::prelude::*;

use crate::harness::{Client, cause};

#[test]
fn the_number_of_rows_is_checked() {
    let client = Client::new();
    client.execute("create table t (id int primary key, name text)");
    let insert = sql::query("insert into t select n, 'n' || n from generate_series(1, $1) n").bind(3);
    assert_eq!(client.run(insert.execute()).unwrap(), 3);
    let by_id = |id: i32| sql::query("select name from t where id >= $1").bind(id);
    assert_eq!(client.run(by_id(3).one::<String>()).unwrap(), "n3");
    assert_eq!(client.run(by_id(4).optional::<String>()).unwrap(), None);
    let absent = client.run(by_id(4).named("name_by_id").one::<String>()).unwrap_err();
    assert_eq!((absent.status(), absent.to_string()), (404, "not_found row name_by_id".to_owned()));
    assert!(
        cause(client.run(by_id(1).one::<String>())).contains("returned several rows where one was expected")
    );
    assert_eq!(client.run(by_id(1).all::<String>()).unwrap(), ["n1", "n2", "n3"]);
    let deleted = client.run(sql::query("delete from t where id < 3 returning id").rows()).unwrap();
    assert_eq!((deleted.affected(), deleted.to_string()), (2, "2 rows".to_owned()));
    assert_eq!(
        client.run(sql::query("update t set name = ''").send()).unwrap().to_string(),
        "1 row affected"
    );
}

#[test]
fn an_error_of_the_database_is_a_value_with_all_details() {
    let client = Client::new();
    client.execute("create table t (id int constraint only_once primary key)");
    client.execute("insert into t values (1)");
    let again = || sql::query("insert into t values ($1)").bind(1);
    let reply = client.run(again().send()).unwrap();
    let error = reply.result.clone().unwrap_err();
    assert_eq!(error.sqlstate, SqlError::UNIQUE_VIOLATION);
    assert_eq!(error.constraint.as_deref(), Some("only_once"));
    assert_eq!(error.table.as_deref(), Some("t"));
    assert_eq!(error.detail.as_deref(), Some("Key (id)=(1) already exists."));
    let failure = client.run(again().execute()).unwrap_err();
    assert_eq!((failure.status(), failure.which()), (409, "only_once"));
    assert_eq!(failure.error::<SqlError>(), Some(&error));
    let misspelled = client.run(sql::query("selekt 1").send()).unwrap().result.unwrap_err();
    assert_eq!((misspelled.sqlstate.as_str(), misspelled.position), ("42601", Some(1)));
    assert_eq!(client.run(sql::query("selekt 1").execute()).unwrap_err().status(), 500);
    // The connection is used again.
    assert_eq!(client.cell("select 1"), sql::SqlValue::Int(1));
    // So is one whose prepared statement has become stale.
    let pool = client.with_pool(1);
    let all = || sql::query("select * from t").rows();
    assert_eq!(pool.run(all()).unwrap().columns().len(), 1);
    client.execute("alter table t add note text");
    assert_eq!(pool.run(all()).unwrap().columns().len(), 2);
}

#[test]
fn a_result_beyond_a_limit_fails_or_is_cut() {
    let client = Client::new().with_pool(1);
    let series = |n: u32| sql::query("select n from generate_series(1, $1) n").bind(n);
    assert_eq!(client.run(series(1000).all::<i32>()).unwrap().len(), 1000);
    assert_eq!(
        cause(client.run(series(1001).all::<i32>())),
        "too_large: more than 1000 rows: narrow the statement, or raise max_rows"
    );
    assert_eq!(client.run(series(5000).max_rows(5000).all::<i32>()).unwrap().len(), 5000);
    let cut = client.run(series(1_000_000).max_rows(10).truncated().rows()).unwrap();
    assert_eq!((cut.len(), cut.is_truncated()), (10, true));
    let wide = sql::query("select repeat('x', 100000) from generate_series(1, 3)");
    assert!(cause(client.run(wide.clone().all::<String>())).contains("row 3 exceeds 262144 bytes"));
    assert_eq!(client.run(wide.max_bytes(1 << 20).all::<String>()).unwrap().len(), 3);
    client.execute("create table t (id int)");
    let insert = sql::query("insert into t select generate_series(1, 20) returning id").max_rows(10);
    assert!(cause(client.run(insert.all::<i32>())).ends_with("; the statement itself was performed"));
    assert_eq!(client.cell("select count(*) from t"), sql::SqlValue::Int(20));
}

/// Returns the peak of this process's memory, in MiB.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// 1 GB, of which the limit is reached at once.
#[test]
#[cfg(target_os = "linux")]
fn memory_stays_bounded_however_large_a_result_is() {
    let client = Client::new();
    let before = peak_memory();
    let huge = || sql::query("select repeat('x', 1000) from generate_series(1, 1000000)");
    assert!(cause(client.run(huge().all::<String>())).contains("too_large"));
    let cut = client.run(huge().truncated().rows()).unwrap();
    assert!(cut.is_truncated() && cut.len() > 200);
    let grown = peak_memory() - before;
    assert!(grown < 64, "{grown} MiB");
}

#[test]
fn a_statement_that_takes_too_long_is_canceled_on_the_server() {
    let client = Client::new();
    let sleep = sql::query("select pg_sleep(60) /* canceled */").execute().timeout(100.millis());
    assert_eq!(client.run(sleep).unwrap_err().status(), 504);
    let running = "select count(*) from pg_stat_activity where query like '%/* canceled */%' \
                   and state = 'active' and pid <> pg_backend_pid()";
    // The cancellation takes its own connection, so it arrives a little later.
    let is_gone = || client.cell(running) == sql::SqlValue::Int(0);
    let gone = (0..500).any(|_| {
        let gone = is_gone();
        if !gone {
            client.block_on(async { tokio::time::sleep(Duration::from_millis(10)).await });
        }
        gone
    });
    assert!(gone);
    // A limit of the server is an error of the database.
    let limited =
        sql::batch([sql::query("set local statement_timeout = 50"), sql::query("select pg_sleep(60)")]);
    let failure = client.run(limited.run()).unwrap_err();
    assert_eq!(failure.status(), 504);
    assert!(failure.causes()[0].contains("57014"), "{failure:?}");
}
