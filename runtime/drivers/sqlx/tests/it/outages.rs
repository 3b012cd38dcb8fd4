//! Outages: a server that restarts, a pool without a free connection, a pool that others use.

use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use zerver::effects::sql::{self, SqlValue};
use zerver::effects::{EffectContext, Interpreter as _, Interpreters};
use zerver::prelude::*;
use zerver_local_server as local;
use zerver_sqlx::Postgres;

use crate::harness::{Client, cause, new_database};
use crate::lost_connections::eventually;

#[test]
fn an_effect_that_finds_no_free_connection_waits_within_its_time() {
    let client = Client::connect(&new_database()).with_pool(1);
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
fn a_service_survives_a_restart_of_its_server() {
    let mut server = local::Postgres::start().unwrap();
    let client = Client::connect(&server.url());
    let postgres = client.block_on(async {
        let options = PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_millis(200));
        Postgres::new(options.connect_lazy(&server.url()).unwrap())
    });
    let mut interpreters = Interpreters::new();
    interpreters.set(postgres.clone());
    let run = |effect| client.block_on(interpreters.perform(effect, &EffectContext::default()));
    run(sql::query("create table t (id int)").execute()).unwrap();
    server.stop();
    let down = || run(sql::query("select 1").execute());
    assert_eq!(down().unwrap_err().status(), 503);
    assert!(cause(down()).starts_with("unreachable: "));
    assert!(!postgres.is_reachable());
    assert_eq!(postgres.problem().as_deref(), Some("the database cannot be reached"));
    server.resume().unwrap();
    // Without another effect.
    eventually(&client, || postgres.is_reachable());
    assert_eq!(run(sql::query("select * from t").execute()).unwrap(), 0);
    assert_eq!(postgres.problem(), None);
}

#[test]
fn the_service_can_use_its_pool_elsewhere() {
    let client = Client::connect(&new_database());
    client.execute("create table t (id int)");
    let pool = client.postgres.pool().clone();
    client.block_on(async {
        let mut transaction = pool.begin().await.unwrap();
        sqlx::query("insert into t values ($1)").bind(7).execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
    });
    assert_eq!(client.cell("select id from t"), SqlValue::Int(7));
    // A connection in the middle of a transaction is not given back as it is.
    let failed = sql::batch([sql::query("insert into t values (8)"), sql::query("select 1 / 0")]);
    assert!(cause(client.run(failed.run())).contains("error 22012"));
    client.block_on(async {
        for _ in 0..8 {
            let count: i64 = sqlx::query_scalar("select count(*) from t").fetch_one(&pool).await.unwrap();
            assert_eq!(count, 1);
        }
    });
    client.block_on(pool.close());
    assert!(cause(client.run(sql::query("select 1").execute())).starts_with("unreachable: "));
}
