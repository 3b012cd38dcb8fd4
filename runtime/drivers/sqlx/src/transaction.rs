//! Performs the statements of a batch in one transaction.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::{AssertSqlSafe, Executor as _, PgConnection};
use zerver::effects::sql::{Isolation, Reply, Rows, Sql, Transaction};
use zerver::prelude::*;

use crate::checkout::Checkout;
use crate::error_mapping::{Stop, after_sending, before_sending, unreachable};
use crate::statement;

/// Pause before the second attempt. Each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(4);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// Performs a batch, again if it conflicts with another transaction.
pub(crate) async fn perform(
    checkout: &mut Checkout,
    sql: &Sql,
    transaction: &Transaction,
) -> Result<Reply, Stop> {
    let mut attempts = 1;
    loop {
        match attempt(checkout, sql, transaction).await {
            Ok(results) => return Ok(Reply { attempts, result: Ok(results) }),
            Err(Stop::Database(error)) => {
                if !error.is_conflict_of_transactions() || attempts >= transaction.attempts {
                    return Ok(Reply { attempts, result: Err(*error) });
                }
            }
            Err(stop) => return Err(stop),
        }
        tokio::time::sleep(pause(attempts)).await;
        attempts += 1;
    }
}

/// Returns the pause after a failed attempt, between half of the nominal one and all of it, so that two transactions do
/// not meet again.
fn pause(attempts: u32) -> Duration {
    let nominal = FIRST_PAUSE.saturating_mul(1 << attempts.min(10)).min(LONGEST_PAUSE);
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.subsec_nanos());
    let part = f64::from(nanos % 1000) / 1000.0;
    nominal.mul_f64(0.5 + part / 2.0)
}

/// Performs a command without parameters or rows.
async fn command(connection: &mut PgConnection, text: String) -> Result<(), sqlx::Error> {
    connection.execute(sqlx::raw_sql(AssertSqlSafe(text))).await.map(drop)
}

async fn attempt(checkout: &mut Checkout, sql: &Sql, transaction: &Transaction) -> Result<Vec<Rows>, Stop> {
    let gone = || Stop::Effect(unreachable("the connection is gone"));
    let begin = begin(sql, transaction);
    let began = command(checkout.client().ok_or_else(gone)?, begin).await;
    began.map_err(|error| before_sending(&error))?;
    match statements(checkout, sql).await {
        Ok((results, false)) => {
            let committed = command(checkout.client().ok_or_else(gone)?, "commit".to_owned()).await;
            match committed {
                Ok(()) => {
                    checkout.set_idle();
                    Ok(results)
                }
                Err(error) => {
                    let mut stop = after_sending(&error);
                    if let Stop::Database(error) = &mut stop {
                        error.statement = u16::try_from(sql.statements.len()).unwrap_or(u16::MAX);
                        checkout.set_idle();
                    }
                    Err(stop)
                }
            }
        }
        // A result that was cut off leaves the connection in the middle of an answer. Only a batch that can change nothing
        // is cut off, so nothing is lost with it.
        Ok((results, true)) => Ok(results),
        // Nothing was committed, so the outcome is known.
        Err(Stop::Lost(reason)) => {
            checkout.set_lost();
            Err(unreachable(&format!("{reason}; nothing was committed")).into())
        }
        Err(stop) => {
            if command(checkout.client().ok_or_else(gone)?, "rollback".to_owned()).await.is_ok() {
                checkout.set_idle();
            }
            Err(stop)
        }
    }
}

fn begin(sql: &Sql, transaction: &Transaction) -> String {
    let isolation = match transaction.isolation {
        None => "",
        Some(Isolation::ReadCommitted) => " isolation level read committed",
        Some(Isolation::RepeatableRead) => " isolation level repeatable read",
        Some(Isolation::Serializable) => " isolation level serializable",
    };
    format!("begin{isolation}{}", if sql.read_only { " read only" } else { "" })
}

/// Performs the statements in order. Returns their results, and whether the last one was cut off.
async fn statements(checkout: &mut Checkout, sql: &Sql) -> Result<(Vec<Rows>, bool), Stop> {
    let mut results = Vec::with_capacity(sql.statements.len());
    for (number, statement) in sql.statements.iter().enumerate() {
        let values = statement.resolved_params(&results)?;
        // Only the last statement of a batch that changes nothing may be cut off: the others have successors.
        let may_be_cut = sql.is_safe() && number + 1 == sql.statements.len();
        let connection =
            checkout.begin(statement.text.clone()).ok_or_else(|| unreachable("the connection is gone"))?;
        let performed = statement::perform(connection, statement, &values, may_be_cut).await;
        let performed = performed.map_err(|stop| match stop {
            Stop::Database(mut error) => {
                error.statement = u16::try_from(number).unwrap_or(u16::MAX);
                Stop::Database(error)
            }
            stop => stop,
        })?;
        results.push(performed.rows.map_err(not_performed)?);
        if performed.is_unfinished {
            return Ok((results, true));
        }
    }
    Ok((results, false))
}

/// Completes an error with the state of the database: the transaction is rolled back.
fn not_performed(error: EffectError) -> EffectError {
    let message = error.message.replace("; the statement itself was performed", "; nothing was committed");
    EffectError::new(error.kind, message)
}
