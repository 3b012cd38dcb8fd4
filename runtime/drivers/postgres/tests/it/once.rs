//! Statements that are performed once under a key: lost answers, concurrent calls, keys that do not fit, the table.

use std::time::Duration;

use futures_util::future::join_all;
use zerver::effects::sql::{self, Isolation, Reply, SqlError, SqlValue};
use zerver::prelude::*;
use zerver_recorder::Reader;

use crate::harness::{Client, DONE_TABLE, cause};
use crate::lost_connections::{cut_after, eventually};
use crate::recordings::{record, replayed};

fn payments() -> Client {
    let client = Client::alone();
    client.execute(
        "create table payments (id int8 generated always as identity, cents int8 check (cents > 0))",
    );
    client
}

fn pay(cents: i64) -> sql::Query {
    sql::query("insert into payments (cents) values ($1) returning id, cents").bind(cents)
}

fn count(client: &Client) -> SqlValue {
    client.cell("select count(*) from payments")
}

/// Returns the URL of the database of a client through a proxy on this port.
fn through(client: &Client, port: u16) -> String {
    let database = client.url.split_once("///").unwrap().1.split_once('?').unwrap().0;
    format!("postgresql://postgres@127.0.0.1:{port}/{database}?sslmode=disable")
}

fn retry() -> Retry {
    Retry::attempts(4).pause(Duration::from_millis(1), Duration::from_millis(20))
}

#[test]
fn a_call_whose_answer_was_lost_is_retried_and_performed_once() {
    let direct = payments();
    direct.execute(DONE_TABLE);
    let port = direct.block_on(cut_after("commit"));
    let client = Client::connect(&through(&direct, port));
    // Without a key, the outcome stays unknown, and nothing is retried.
    let lost = client.run(pay(5).execute().retry(retry()));
    assert_eq!(lost, Ok(1), "a single statement needs no commit");
    let lost = client.run(sql::batch([pay(6)]).run().retry(retry()));
    assert!(cause(lost).starts_with("unknown_outcome: "));
    eventually(&direct, || count(&direct) == SqlValue::Int(2));
    let results = client.run(sql::batch([pay(7)]).once("order-7-paid").run().retry(retry())).unwrap();
    assert_eq!(results[0].one::<(i64, i64)>().unwrap(), (3, 7));
    let (id, cents): (i64, i64) = client.run(pay(8).once("order-8-paid").one().retry(retry())).unwrap();
    assert_eq!((id, cents), (4, 8));
    assert_eq!(count(&direct), SqlValue::Int(4));
    // The connection is lost before the commit: the second attempt performs the statement.
    let port = direct.block_on(cut_after("order-9-paid"));
    let client = Client::connect(&through(&direct, port));
    let cut = client.run(pay(9).once("order-9-paid").execute().retry(retry()));
    assert!(cause(cut).starts_with("unreachable: "), "each attempt is cut");
    assert_eq!(direct.run(pay(9).once("order-9-paid").execute()), Ok(1));
    assert_eq!(count(&direct), SqlValue::Int(5));
}

/// The table does not exist at first.
#[test]
fn concurrent_calls_with_one_key_perform_once() {
    for isolation in [None, Some(Isolation::RepeatableRead), Some(Isolation::Serializable)] {
        let client = payments();
        let clients: Vec<_> = (0..5).map(|_| client.with_pool(4)).collect();
        let call = |at: usize| {
            let mut batch = sql::batch([pay(7), sql::query("select pg_sleep(0.05)")]).once("order-7-paid");
            if let Some(isolation) = isolation {
                batch = batch.isolation(isolation).attempts(50);
            }
            clients[at % 5].perform(batch.send())
        };
        let replies = client.block_on(join_all((0..20).map(call)));
        let replies: Vec<Reply> = replies.into_iter().collect::<Result<_, _>>().unwrap();
        assert_eq!(replies[0].results().unwrap()[0].one::<(i64, i64)>().unwrap(), (1, 7));
        assert!(replies.iter().all(|reply| *reply == replies[0]), "{isolation:?}: {replies:?}");
        assert_eq!(count(&client), SqlValue::Int(1));
    }
}

#[test]
fn concurrent_calls_with_several_keys_create_the_table_once() {
    let client = payments();
    let clients: Vec<_> = (0..5).map(|_| client.with_pool(4)).collect();
    let call = |at: usize| clients[at % 5].perform(pay(7).once(format!("order-{at}")).execute());
    let done = client.block_on(join_all((0..20).map(call)));
    assert!(done.iter().all(|done| *done == Ok(1)), "{done:?}");
    assert_eq!(count(&client), SqlValue::Int(20));
    assert_eq!(client.cell("select count(*) from zerver_done where answer is not null"), SqlValue::Int(20));
}

#[test]
fn a_key_belongs_to_its_statements_and_an_error_leaves_it_unused() {
    let client = payments();
    let error = client.run(pay(-1).once("k").send()).unwrap().result.unwrap_err();
    assert_eq!((error.sqlstate.as_str(), error.statement), (SqlError::CHECK_VIOLATION, 0));
    assert_eq!(client.cell("select count(*) from zerver_done"), SqlValue::Int(0));
    assert_eq!(client.run(pay(1).once("k").execute()), Ok(1));
    assert_eq!(client.run(pay(1).once("k").execute()), Ok(1));
    let reused = client.run(pay(2).once("k").execute()).unwrap_err();
    assert_eq!(reused.status(), 409);
    assert_eq!(reused.error::<SqlError>().unwrap().sqlstate, SqlError::KEY_REUSED);
    assert_eq!(count(&client), SqlValue::Int(1));
    assert!(
        cause(client.run(pay(1).once("").execute())).starts_with("invalid: the key of `once` has 0 bytes")
    );
    let large = sql::query(
        "insert into payments (cents) select n from generate_series(1, 3) n returning repeat('x', 100000)",
    );
    let cause = cause(client.run(large.once("large").max_bytes(1_000_000).rows()));
    assert!(
        cause.contains("too_large: the answer cannot be kept") && cause.contains("nothing was committed"),
        "{cause}"
    );
    assert_eq!(count(&client), SqlValue::Int(1));
    // The row is gone, so the statement is performed again.
    client.execute("delete from zerver_done where created_at <= now() - interval '0 days'");
    assert_eq!(client.run(pay(2).once("k").execute()), Ok(1));
    assert_eq!(count(&client), SqlValue::Int(2));
}

#[test]
fn a_user_who_may_not_create_the_table_is_told_how_it_is_created() {
    let client = payments();
    client.execute("create role clerk login");
    let url = client.url.replace("user=postgres", "user=clerk");
    assert_ne!(url, client.url);
    client.execute("grant insert, select on payments to clerk");
    let clerk = Client::connect(&url);
    let error = clerk.run(pay(1).once("k").send()).unwrap().result.unwrap_err();
    assert_eq!(error.sqlstate, "42501");
    assert!(error.to_string().contains("zerver_done does not exist and cannot be created"), "{error}");
    assert!(error.to_string().contains("::DONE_TABLE as a migration"), "{error}");
    client.execute(DONE_TABLE);
    client.execute("grant insert, select, update on zerver_done to clerk");
    assert_eq!(clerk.run(pay(1).once("k").execute()), Ok(1));
    assert_eq!(clerk.run(pay(1).once("k").execute()), Ok(1));
    assert_eq!(count(&client), SqlValue::Int(1));
}

#[slot]
#[derive(Debug, Clone)]
struct Visits(i64);

#[step]
fn visit_once(request: &Request) -> Decision<Visits> {
    let name = request.param_str("name").unwrap_or_default();
    let visit = sql::query("insert into visits (user_id) values (7) returning (select count(*) from visits)");
    Need(visit.once(format!("visit-{name}")).one().retry(Retry::attempts(3)).map(Visits))
}

#[step]
fn render_visits(visits: &Visits) -> Response {
    Response::json(&visits.0)
}

#[test]
fn a_call_that_was_already_done_is_recorded_and_replayed() {
    let direct = Client::alone();
    direct.execute("create table visits (user_id int8)");
    direct.execute(DONE_TABLE);
    // The answers to commits are lost.
    let port = direct.block_on(cut_after("commit"));
    let client = Client::connect(&through(&direct, port));
    let dir = tempfile::tempdir().unwrap();
    let flow = || flow!("visit-once", GET "/users/{name}", steps: [visit_once, render_visits]);
    record(&client, flow(), dir.path(), &[("ann", "\r\n\r\n0"), ("ann", "\r\n\r\n0"), ("bob", "\r\n\r\n1")]);
    assert_eq!(direct.cell("select count(*) from visits"), SqlValue::Int(2));
    drop(client);
    let traces = replayed(&Reader::open(dir.path()).unwrap(), &flow());
    let count =
        |text: &str| traces.iter().map(|trace| format!("{trace:?}").matches(text).count()).sum::<usize>();
    assert_eq!((count("\"already done\""), count("UnknownOutcome")), (3, 2));
}
