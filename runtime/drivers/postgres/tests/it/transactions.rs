//! Batches: all or nothing, cells of earlier statements, conflicts.

use zerver::effects::sql::{self, Isolation, SqlValue};

use crate::harness::{Client, cause};

fn orders() -> Client {
    let client = Client::new();
    client.execute("create table orders (id int8 generated always as identity primary key, customer text)");
    client.execute("create table lines (order_id int8 references orders, item text not null)");
    client
}

fn place(item: Option<&str>) -> sql::Batch {
    sql::batch([
        sql::query("insert into orders (customer) values ($1) returning id").bind("ann"),
        sql::query("insert into lines values ($1, $2)").bind(sql::out(0, "id")).bind(item),
        sql::query("select count(*) from lines where order_id = $1").bind(sql::out(0, "id")),
    ])
}

#[test]
fn a_batch_is_one_transaction_and_uses_cells_of_earlier_statements() {
    let client = orders();
    let results = client.run(place(Some("tea")).run()).unwrap();
    assert_eq!(results[1].affected(), 1);
    assert_eq!((results[0].one::<i64>().unwrap(), results[2].one::<i64>().unwrap()), (1, 1));
    // The second statement fails, so the first has no effect.
    let reply = client.run(place(None).send()).unwrap();
    let error = reply.result.unwrap_err();
    assert_eq!((error.sqlstate.as_str(), error.statement, reply.attempts), ("23502", 1, 1));
    assert_eq!(client.cell("select count(*) from orders"), SqlValue::Int(1));
    let absent =
        sql::batch([sql::query("select 1 as a"), sql::query("select $1::int").bind(sql::out(0, "b"))]);
    assert_eq!(
        cause(client.run(absent.run())),
        "invalid: parameter $1 refers to column b of the first row of statement 0, which does not exist"
    );
    let reads = sql::batch([sql::query("insert into orders (customer) values ('bob')")]).read_only();
    assert!(cause(client.run(reads.run())).contains("error 25006"));
    // A result that is too large rolls back.
    let large = sql::batch([
        sql::query("insert into orders (customer) select 'x' from generate_series(1, 5)"),
        sql::query("select * from orders").max_rows(2),
    ]);
    assert!(cause(client.run(large.run())).contains("too_large"));
    assert_eq!(client.cell("select count(*) from orders"), SqlValue::Int(1));
}

/// Two transactions lock two rows in opposite order, so that one of them is aborted, again and again.
#[test]
fn a_deadlock_is_attempted_again() {
    let client = orders();
    client.execute("alter system set deadlock_timeout = '20ms'");
    client.cell("select pg_reload_conf()");
    client.execute("insert into orders (customer) values ('a'), ('b')");
    let update = |id: i64| sql::query("update orders set customer = customer || 'x' where id = $1").bind(id);
    let pause = || sql::query("select pg_sleep(0.1)");
    let transfer = |first, second| sql::batch([update(first), pause(), update(second)]).attempts(10).send();
    let (one, other) = client
        .block_on(async { tokio::join!(client.perform(transfer(1, 2)), client.perform(transfer(2, 1))) });
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(one.result.is_ok() && other.result.is_ok());
    let attempts = one.attempts + other.attempts;
    assert!(attempts >= 3, "{attempts}");
    assert!([&one, &other].iter().any(|reply| reply.to_string().ends_with("attempts)")));
    assert_eq!(client.cell("select customer from orders where id = 1"), SqlValue::Text("axx".to_owned()));
}

#[test]
fn a_serialization_failure_is_attempted_again_and_then_reported() {
    let client = orders();
    client.execute("create table counter (n int)");
    client.execute("insert into counter values (0)");
    let add = |attempts| {
        sql::batch([
            sql::query("select n from counter"),
            sql::query("select pg_sleep(0.05)"),
            sql::query("update counter set n = $1::int + 1").bind(sql::out(0, "n")),
        ])
        .isolation(Isolation::Serializable)
        .attempts(attempts)
        .send()
    };
    let both = |attempts| {
        client.block_on(async { tokio::join!(client.perform(add(attempts)), client.perform(add(attempts))) })
    };
    let (one, other) = both(10);
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(one.result.is_ok() && other.result.is_ok() && one.attempts + other.attempts >= 3);
    assert_eq!(client.cell("select n from counter"), SqlValue::Int(2));
    let (one, other) = both(1);
    let failed = [one.unwrap(), other.unwrap()].into_iter().find_map(|reply| reply.result.err()).unwrap();
    assert_eq!(failed.sqlstate, "40001");
    assert_eq!(failed.to_failure().status(), 503);
}
