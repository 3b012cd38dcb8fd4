//! Performs statements in one transaction, once if they have a key.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::{AssertSqlSafe, Executor as _, PgConnection};
use zerver::effects::sql::{Isolation, Once, Reply, Rows, Sql, Transaction};
use zerver::prelude::*;
use zerver_postgres_values::done_table::CLAIM;

use crate::checkout::Checkout;
use crate::error_mapping::{Stop, after_sending, before_sending, unreachable};
use crate::once::{self, Claim};
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
    let once = sql.once()?;
    let mut has_table = false;
    loop {
        match attempt(checkout, sql, transaction, once.as_ref(), attempts).await {
            Ok(Some(reply)) => return Ok(reply),
            Ok(None) if has_table => {
                return Err(internal("the table zerver_done was created, and is not found").into());
            }
            Ok(None) => {
                has_table = true;
                let created = once::create_table(checkout.client().ok_or_else(gone)?).await;
                if matches!(created, Ok(()) | Err(Stop::Database(_))) {
                    checkout.set_idle();
                }
                created?;
                continue;
            }
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

/// Work of a transaction before its end.
enum Work {
    /// The statements were performed.
    Performed(Reply),
    /// A result was cut off, which leaves the connection in the middle of an answer.
    CutOff(Reply),
    /// The key is known, and nothing was performed.
    Known(Reply),
    /// There is no table of keys.
    NoTable,
}

/// Performs the statements in a transaction. Returns `None` if they have a key, and there is no table of keys.
async fn attempt(
    checkout: &mut Checkout,
    sql: &Sql,
    transaction: &Transaction,
    once: Option<&Once<'_>>,
    attempts: u32,
) -> Result<Option<Reply>, Stop> {
    let begin = begin(sql, transaction);
    let began = command(checkout.client().ok_or_else(gone)?, begin).await;
    began.map_err(|error| before_sending(&error))?;
    match work(checkout, sql, once, attempts).await {
        Ok(Work::Performed(reply)) => {
            let committed = command(checkout.client().ok_or_else(gone)?, "commit".to_owned()).await;
            match committed {
                Ok(()) => {
                    checkout.set_idle();
                    Ok(Some(reply))
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
        // Only a batch that can change nothing is cut off, so nothing is lost with the connection.
        Ok(Work::CutOff(reply)) => Ok(Some(reply)),
        Ok(end @ (Work::Known(_) | Work::NoTable)) => {
            // Nothing was changed, so the answer does not depend on the success of this.
            if command(checkout.client().ok_or_else(gone)?, "rollback".to_owned()).await.is_ok() {
                checkout.set_idle();
            }
            Ok(if let Work::Known(reply) = end { Some(reply) } else { None })
        }
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

/// Performs the statements within the transaction that has begun, and the work for their key.
async fn work(
    checkout: &mut Checkout,
    sql: &Sql,
    once: Option<&Once<'_>>,
    attempts: u32,
) -> Result<Work, Stop> {
    if let Some(once) = once {
        // Waits for another transaction with the same key, and is canceled with the effect.
        let connection = checkout.begin(CLAIM.into()).ok_or_else(gone)?;
        match once::claim(connection, once).await? {
            Claim::New => {}
            Claim::Known(reply) => return Ok(Work::Known(reply)),
            Claim::NoTable => return Ok(Work::NoTable),
        }
    }
    let (results, is_cut_off) = statements(checkout, sql).await?;
    let reply = Reply { attempts, result: Ok(results) };
    if let Some(once) = once {
        once::keep(checkout.client().ok_or_else(gone)?, once, &reply).await?;
    }
    Ok(if is_cut_off { Work::CutOff(reply) } else { Work::Performed(reply) })
}

fn gone() -> Stop {
    unreachable("the connection is gone").into()
}

fn internal(message: &str) -> EffectError {
    EffectError::new(EffectErrorKind::Internal, message)
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
