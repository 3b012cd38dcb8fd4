//! Tests against real databases, in files and in memory.

mod harness;
#[path = "../../../postgres/tests/it/idempotency.rs"]
mod idempotency;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use zerver::effects::sql::{self, Date, Json, Migrations, SqlError, SqlValue, Timestamp, Uuid};
use zerver::effects::{EffectContext, Explain, Interpreter as _, Interpreters};
use zerver::prelude::*;
use zerver_sqlite::Sqlite;

struct Client {
    database: Sqlite,
    interpreters: Interpreters,
    runtime: Arc<Runtime>,
}

impl Client {
    fn of(database: Sqlite) -> Self {
        let mut interpreters = Interpreters::new();
        interpreters.set(database.clone());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        Self { database, interpreters, runtime: Arc::new(runtime.unwrap()) }
    }

    fn in_memory() -> Self {
        Self::of(Sqlite::in_memory().unwrap())
    }

    fn run<T>(&self, effect: Effect<T>) -> Result<T, Failure> {
        self.runtime.block_on(self.interpreters.perform(effect, &EffectContext::default()))
    }

    fn execute(&self, text: &'static str) -> u64 {
        self.run(sql::query(text).execute()).unwrap()
    }
}

fn cause<T: std::fmt::Debug>(result: Result<T, Failure>) -> String {
    result.unwrap_err().causes().join("; ")
}

#[derive(Debug, PartialEq, sql::Row)]
struct All {
    flag: bool,
    number: i64,
    real: f64,
    name: Option<String>,
    raw: Vec<u8>,
    at: Timestamp,
    day: Date,
    id: Uuid,
    meta: Json<Vec<i32>>,
    price: String,
}

#[test]
fn values_are_stored_and_read_as_the_types_of_the_service() {
    let client = Client::in_memory();
    client.execute(
        "create table t (flag boolean, number integer, real real, name text, raw blob, at timestamp, day date, \
         id uuid, meta json, price text)",
    );
    let all = All {
        flag: true,
        number: i64::MIN,
        real: f64::NEG_INFINITY,
        name: None,
        raw: vec![0, 255],
        at: Timestamp(-1),
        day: Date::new(1969, 7, 20).unwrap(),
        id: Uuid([9; 16]),
        meta: Json(vec![1, 2]),
        price: "12.50".to_owned(),
    };
    let insert = sql::query("insert into t values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
        .bind(all.flag)
        .bind(all.number)
        .bind(all.real)
        .bind(all.name.clone())
        .bind(all.raw.clone())
        .bind(all.at)
        .bind(all.day)
        .bind(all.id)
        .bind(Json(vec![1, 2]))
        .bind(SqlValue::Numeric("12.50".to_owned()));
    assert_eq!(client.run(insert.execute()).unwrap(), 1);
    let rows = client.run(sql::query("select * from t").rows()).unwrap();
    let types: Vec<_> = rows.columns().iter().map(|column| column.type_name.as_str()).collect();
    assert_eq!(types[..4], ["boolean", "integer", "real", "text"]);
    assert_eq!(rows.one::<All>().unwrap(), all);
    // Parameters can be used in any order and repeatedly.
    let swapped = sql::query("select $2 || $1 || $2").bind("a").bind("b").one::<String>();
    assert_eq!(client.run(swapped).unwrap(), "bab");
    assert_eq!(client.run(sql::query("select ?2 || ?1").bind("a").bind("b").one::<String>()).unwrap(), "ba");
    assert!(cause(client.run(sql::query("select $1").bind(f64::NAN).rows())).contains("would store NULL"));
    assert!(cause(client.run(sql::query("select $1").bind(vec![1]).rows())).contains("has no arrays"));
    assert!(
        cause(client.run(sql::query("select 1").bind(1).rows()))
            .contains("has 0 parameters, but 1 are bound")
    );
}

#[test]
fn errors_have_an_sqlstate() {
    let client = Client::in_memory();
    client.execute("create table t (id integer primary key, name text not null unique check (name <> ''))");
    client.execute("create table u (t_id integer references t)");
    let error = |text: &'static str| client.run(sql::query(text).send()).unwrap().result.unwrap_err();
    client.execute("insert into t values (1, 'a')");
    let again = error("insert into t values (2, 'a')");
    assert_eq!((again.sqlstate.as_str(), again.constraint.as_deref()), ("23505", Some("t.name")));
    assert_eq!(error("insert into t values (1, 'b')").sqlstate, SqlError::UNIQUE_VIOLATION);
    assert_eq!(error("insert into t values (3, null)").sqlstate, SqlError::NOT_NULL_VIOLATION);
    assert_eq!(error("insert into t values (3, '')").sqlstate, SqlError::CHECK_VIOLATION);
    assert_eq!(error("insert into u values (9)").sqlstate, SqlError::FOREIGN_KEY_VIOLATION);
    assert_eq!(error("selekt").sqlstate, "42000");
    let failure = client.run(sql::query("insert into t values (2, 'a')").execute()).unwrap_err();
    assert_eq!(failure.status(), 409);
}

#[test]
fn a_batch_is_one_transaction() {
    let client = Client::in_memory();
    client.execute("create table orders (id integer primary key, customer text)");
    client.execute("create table lines (order_id integer, item text not null)");
    let place = |item: Option<&str>| {
        sql::batch([
            sql::query("insert into orders (customer) values ($1) returning id").bind("ann"),
            sql::query("insert into lines values ($1, $2)").bind(sql::out(0, "id")).bind(item),
        ])
    };
    let results = client.run(place(Some("tea")).run()).unwrap();
    assert_eq!((results[0].one::<i64>().unwrap(), results[1].affected()), (1, 1));
    let error = client.run(place(None).send()).unwrap().result.unwrap_err();
    assert_eq!((error.sqlstate.as_str(), error.statement), ("23502", 1));
    assert_eq!(client.run(sql::query("select count(*) from orders").one::<i64>()).unwrap(), 1);
    let reads = sql::batch([sql::query("delete from orders")]).read_only().run();
    assert!(cause(client.run(reads)).contains("25006"));
    assert_eq!(client.execute("delete from lines"), 1);
}

#[test]
fn results_are_limited_and_statements_are_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::of(Sqlite::open(folder.path().join("test.db")).unwrap().readers(1));
    let series =
        "with recursive n(n) as (select 1 union all select n + 1 from n where n < $1) select n from n";
    let limited = |n: i64| sql::query(series).bind(n);
    assert_eq!(client.run(limited(1000).all::<i64>()).unwrap().len(), 1000);
    assert!(cause(client.run(limited(i64::MAX).all::<i64>())).contains("too_large: more than 1000 rows"));
    let cut = client.run(limited(i64::MAX).truncated().max_rows(3).rows()).unwrap();
    assert_eq!((cut.len(), cut.is_truncated()), (3, true));
    let started = Instant::now();
    let endless =
        sql::query("with recursive n(n) as (select 1 union all select n + 1 from n) select max(n) from n");
    assert_eq!(client.run(endless.one::<i64>().timeout(50.millis())).unwrap_err().status(), 504);
    // The only connection that reads is free again.
    assert_eq!(client.run(limited(1).one::<i64>()).unwrap(), 1);
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn readers_do_not_wait_for_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::of(Sqlite::open(folder.path().join("test.db")).unwrap());
    client.execute("create table t (n integer)");
    client.execute("insert into t values (1)");
    let slow_write = sql::query(
        "insert into t select max(n) from (with recursive n(n) as \
         (select 1 union all select n + 1 from n where n < 3000000) select n from n)",
    );
    client.runtime.block_on(async {
        let context = EffectContext::default();
        let write = client.interpreters.perform(slow_write.execute(), &context);
        let read = async {
            let count = sql::query("select count(*) from t").one::<i64>();
            client.interpreters.perform(count, &context).await.unwrap()
        };
        let (write, read) = tokio::join!(write, read);
        assert_eq!((write.unwrap(), read), (1, 1));
    });
    let declared = sql::query("insert into t values (2)").read_only().execute();
    assert!(cause(client.run(declared)).contains("25006"), "a connection that reads cannot write");
    assert!(Sqlite::open(folder.path()).unwrap_err().to_string().starts_with("cannot open the database"));
}

#[test]
fn migrations_are_performed_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let (first, second) = (Client::of(Sqlite::open(&path).unwrap()), Sqlite::open(&path).unwrap());
    let migrations = Migrations::of([
        ("1.sql", "create table t (id integer);"),
        ("2.sql", "insert into t values (1); insert into t values (2);"),
    ]);
    let (a, b) = first.runtime.block_on(async {
        tokio::join!(first.database.migrate_all(&migrations), second.migrate_all(&migrations))
    });
    assert_eq!(a.unwrap().len() + b.unwrap().len(), 2);
    assert_eq!(first.run(sql::query("select count(*) from t").one::<i64>()).unwrap(), 2);
    let failing = Migrations::of([
        ("1.sql", "create table t (id integer);"),
        ("2.sql", "insert into t values (1); insert into t values (2);"),
        ("3.sql", "insert into t values (3); nonsense;"),
    ]);
    let migrate = |migrations: &Migrations| first.runtime.block_on(first.database.migrate_all(migrations));
    assert!(migrate(&failing).unwrap_err().to_string().starts_with("migration 3.sql failed"));
    assert_eq!(first.run(sql::query("select count(*) from t").one::<i64>()).unwrap(), 2);
    let changed = Migrations::of([("1.sql", "create table u (id integer);"), ("2.sql", "")]);
    assert!(migrate(&changed).unwrap_err().to_string().contains("1.sql was changed"));
}

#[test]
fn a_statement_with_a_key_is_performed_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let client = Client::of(Sqlite::open(&path).unwrap());
    client.execute("create table payments (id integer primary key, cents integer check (cents > 0))");
    let count = |table: &str| {
        let text = format!("select count(*) from {table}");
        client.run(sql::query(text).one::<i64>()).unwrap()
    };
    let pay =
        |cents: i64| sql::query("insert into payments (cents) values ($1) returning id, cents").bind(cents);
    // As if of several processes.
    let databases: Vec<_> = (0..5).map(|_| Client::of(Sqlite::open(&path).unwrap())).collect();
    let replies = client.runtime.block_on(async {
        let context = EffectContext::default();
        let calls = (0..20).map(|at: usize| {
            let call = sql::batch([pay(7)]).once("order-7-paid").attempts(100).send();
            databases[at % 5].interpreters.perform(call, &context)
        });
        futures_util::future::join_all(calls).await
    });
    let replies: Vec<sql::Reply> = replies.into_iter().collect::<Result<_, _>>().unwrap();
    assert_eq!(replies[0].results().unwrap()[0].one::<(i64, i64)>().unwrap(), (1, 7));
    assert!(replies.iter().all(|reply| reply.result == replies[0].result), "{replies:?}");
    assert_eq!((count("payments"), count("zerver_done")), (1, 1));
    // An error leaves the key unused, and a key belongs to its statements.
    let error = client.run(pay(-1).once("k").send()).unwrap().result.unwrap_err();
    assert_eq!((error.sqlstate.as_str(), error.statement), (SqlError::CHECK_VIOLATION, 0));
    assert_eq!(count("zerver_done"), 1);
    assert_eq!(client.run(pay(1).once("k").execute()).unwrap(), 1);
    assert_eq!(client.run(pay(1).once("k").execute()).unwrap(), 1);
    let reused = client.run(pay(2).once("k").execute()).unwrap_err();
    assert_eq!(
        (reused.status(), reused.error::<SqlError>().unwrap().sqlstate.as_str()),
        (409, SqlError::KEY_REUSED)
    );
    assert_eq!(count("payments"), 2);
    assert_eq!(client.execute("delete from zerver_done where created_at < datetime('now', '1 day')"), 2);
    assert_eq!(client.run(pay(2).once("k").execute()).unwrap(), 1);
    assert_eq!(count("payments"), 3);
    let memory = Client::in_memory();
    memory.execute("create table payments (id integer primary key, cents integer)");
    memory.execute(zerver_sqlite::DONE_TABLE);
    for _ in 0..2 {
        assert_eq!(memory.run(pay(1).once("k").one::<(i64, i64)>()).unwrap(), (1, 1));
    }
}

#[test]
fn a_call_is_explained_and_not_performed() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::of(Sqlite::open(folder.path().join("test.db")).unwrap());
    client.execute("create table t (id integer primary key, name text)");
    client.execute("create index t_name on t (name)");
    let of = |text: &'static str, value: SqlValue| {
        let args = sql::Sql {
            database: sql::DEFAULT_DATABASE.into(),
            name: None,
            statements: vec![sql::Statement {
                text: text.into(),
                params: vec![sql::Param::Value(value)],
                fetch: sql::Fetch::Rows,
                limits: sql::Limits::DEFAULT,
            }],
            transaction: None,
            read_only: false,
            idempotent: false,
            once: None,
        };
        let explain = |analyze| {
            let call = Explain { args: &args, output: None, analyze };
            client.runtime.block_on(client.database.explain(&call).unwrap())
        };
        (explain(false), explain(true))
    };
    let (plain, analyzed) =
        of("select id from t where name = $1 order by id", SqlValue::Text("a".to_owned()));
    let plain = plain.unwrap();
    assert!(plain[0].lines[0].contains("USING COVERING INDEX t_name (name=?)"), "{plain:?}");
    assert!(plain[0].json.starts_with("[{\"detail\":\"SEARCH t"), "{plain:?}");
    assert!(analyzed.unwrap_err().message.contains("leave out --analyze"));
    let (nested, _) =
        of("select (select max(id) from t where name = a.name) from t a where id = $1", SqlValue::Int(1));
    let lines = nested.unwrap()[0].lines.clone();
    assert!(lines.iter().any(|line| line.starts_with("CORRELATED SCALAR SUBQUERY")), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("  SEARCH t")), "{lines:?}");
    let (write, _) = of("delete from t where id = $1", SqlValue::Int(1));
    assert!(write.is_ok());
    assert!(
        of("select absent from t where id = $1", SqlValue::Int(1))
            .0
            .unwrap_err()
            .to_string()
            .contains("no such column")
    );
}
