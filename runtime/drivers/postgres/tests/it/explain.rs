//! Plans of recorded calls: nothing is changed, and no secret is shown.

use zerver::effects::sql::{self, Param, Reply, Rows, Sql, SqlValue, Statement};
use zerver::effects::{Explain, ExplainResult, Interpreter as _};

use crate::harness::Client;

fn statement(text: &'static str, params: Vec<Param>) -> Statement {
    Statement { text: text.into(), params, fetch: sql::Fetch::Rows, limits: sql::Limits::DEFAULT }
}

fn call(statements: Vec<Statement>) -> Sql {
    Sql {
        database: sql::DEFAULT_DATABASE.into(),
        name: None,
        statements,
        transaction: None,
        read_only: false,
        idempotent: false,
        once: None,
    }
}

fn explain(client: &Client, args: &Sql, output: Option<&Reply>, analyze: bool) -> ExplainResult {
    client.block_on(client.postgres.explain(&Explain { args, output, analyze }).unwrap())
}

#[test]
fn a_call_is_explained_with_its_parameters_and_not_performed() {
    let client = Client::new();
    client.execute("create table t (id int8 primary key, name text)");
    client.execute("insert into t select n, 'name ' || n from generate_series(1, 2000) n");
    client.execute("analyze t");
    let by_id = "select name from t where id = $1 -- the only one";
    let read = call(vec![statement(by_id, vec![Param::Value(SqlValue::Int(7))])]);
    let plain = explain(&client, &read, None, false).unwrap();
    assert_eq!((plain.len(), plain[0].subject.as_str()), (1, by_id));
    assert!(plain[0].lines[0].starts_with("Index Scan using t_pkey on t   cost "), "{plain:?}");
    assert!(plain[0].lines[1].contains("Index Cond: (id = '7'::bigint)"), "{plain:?}");
    assert!(plain[0].json.contains("\"Total Cost\"") && !plain[0].json.contains("Actual"), "{plain:?}");
    let analyzed = explain(&client, &read, None, true).unwrap();
    assert!(analyzed[0].lines[0].contains("1 row in "), "{analyzed:?}");
    assert!(analyzed[0].lines.last().unwrap().starts_with("execution "), "{analyzed:?}");
    // A batch, whose second statement has a parameter from the first.
    let out = Param::Out { statement: 0, column: "id".to_owned() };
    let write = call(vec![
        statement("insert into t values (3000, 'x') returning id", vec![]),
        statement("delete from t where id = $1", vec![out]),
    ]);
    let reply = Reply::new(Ok(vec![Rows::of(["id"], [(3000,)]), Rows::affecting(1)]));
    let plans = explain(&client, &write, Some(&reply), false).unwrap();
    assert!(plans[0].lines[0].starts_with("Insert on t"), "{plans:?}");
    assert!(plans[1].lines.concat().contains("(id = '3000'::bigint)"), "{plans:?}");
    assert_eq!(client.cell("select count(*) from t"), SqlValue::Int(2000));
    let refused = explain(&client, &write, Some(&reply), true).unwrap_err();
    assert!(refused.message.contains("statement 0 is not recognized as one that only reads"), "{refused}");
}

#[test]
fn no_secret_is_shown_and_a_function_that_writes_is_refused() {
    let client = Client::new();
    client.execute("create table t (token text)");
    client.execute(
        "create function sneaky() returns int language sql as 'insert into t values (1) returning 1'",
    );
    let by_token = "select 1 from t where token = $1";
    let secret = Param::Secret(SqlValue::Text("hunter2".to_owned()));
    let explained = explain(&client, &call(vec![statement(by_token, vec![secret])]), None, true).unwrap();
    let shown = format!("{explained:?}");
    assert!(shown.contains("Seq Scan on t") && !shown.contains("hunter2"), "{shown}");
    // It reads as far as zerver can see, and the transaction can only read.
    let sneaky = call(vec![statement("select sneaky()", vec![])]);
    let refused = explain(&client, &sneaky, None, true).unwrap_err();
    assert!(refused.to_string().contains("25006"), "{refused}");
    let unknown = call(vec![statement("select * from nothing", vec![])]);
    assert!(explain(&client, &unknown, None, false).unwrap_err().to_string().contains("42P01"));
    assert_eq!(client.cell("select count(*) from t"), SqlValue::Int(0));
    let nowhere = Client::connect("postgresql:///nothing?host=/nowhere");
    let unreachable = explain(&nowhere, &unknown, None, false).unwrap_err();
    assert_eq!(unreachable.kind, zerver::prelude::EffectErrorKind::Unreachable);
    let databases = sql::Databases::new(client.postgres.clone());
    let mut other = call(vec![statement("select 1", vec![])]);
    other.database = "other".into();
    let explained = databases.explain(&Explain { args: &other, output: None, analyze: false }).unwrap();
    assert!(client.block_on(explained).unwrap_err().message.contains("there is no database other"));
}
