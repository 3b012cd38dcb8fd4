//! Statements whose effect ends early.

use sqlx::{Connection as _, Executor as _};
use zerver::effects::sql::{self, SqlValue};
use zerver::effects::{EffectContext, Interpreters};
use zerver::prelude::*;
use zerver_sqlx::Postgres;

use crate::harness::{Client, new_database};
use crate::lost_connections::eventually;

const ACTIVE: &str = "select count(*) from pg_stat_activity where state = 'active' and datname = current_database() \
                      and query like 'select pg_sleep(60)%' and pid <> pg_backend_pid()";

/// Performs a statement that takes a minute until it is active on the server, and then drops its effect.
fn start_and_drop(client: &Client, interpreters: &Interpreters, effect: Effect<u64>) {
    client.block_on(async {
        let context = EffectContext::default();
        let mut slow = std::pin::pin!(interpreters.perform(effect, &context));
        loop {
            let active = client.perform(sql::query(ACTIVE).one::<i64>());
            tokio::select! {
                _ = &mut slow => panic!("a minute has not passed"),
                active = active => if active.unwrap() > 0 { return },
            }
        }
    });
}

#[test]
fn the_statement_of_a_dropped_effect_is_canceled_and_no_other() {
    let client = Client::connect(&new_database());
    let mut interpreters = Interpreters::new();
    interpreters.set(client.with_pool(2).postgres.clone());
    // The same statement of another client goes on.
    let batch = sql::batch([sql::query("select 1"), sql::query("select pg_sleep(60) /* batch */")]);
    start_and_drop(&client, &interpreters, sql::query("select pg_sleep(60)").execute());
    eventually(&client, || client.cell(ACTIVE) == SqlValue::Int(0));
    start_and_drop(&client, &interpreters, batch.run().map(|_| 0));
    eventually(&client, || client.cell(ACTIVE) == SqlValue::Int(0));
    // The pool is complete again.
    let both = client.block_on(async {
        let context = EffectContext::default();
        let one = || interpreters.perform(sql::query("select 1").one::<i32>(), &context);
        tokio::join!(one(), one())
    });
    assert_eq!((both.0.unwrap(), both.1.unwrap()), (1, 1));
}

#[test]
fn behind_a_pooler_nothing_is_canceled() {
    let client = Client::connect(&new_database());
    let mut interpreters = Interpreters::new();
    interpreters.set(Postgres::new(client.with_pool(2).postgres.pool().clone()).without_cancel());
    start_and_drop(&client, &interpreters, sql::query("select pg_sleep(60)").execute());
    assert_eq!(client.cell(ACTIVE), SqlValue::Int(1));
    client.block_on(async {
        let mut admin = sqlx::PgConnection::connect(&client.url).await.unwrap();
        let end =
            "select pg_terminate_backend(pid) from pg_stat_activity where query like 'select pg_sleep%' \
                   and datname = current_database()";
        admin.execute(end).await.unwrap();
    });
}
