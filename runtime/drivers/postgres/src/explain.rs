//! Plans of statements. Nothing is changed: statements are explained in transactions that can only read.

use std::error::Error;

use tokio_postgres::Client;
use tokio_postgres::types::{FromSql, ToSql, Type};
use zerver::effects::ExplainResult;
use zerver::effects::sql::{Plan, SqlValue, Statement};
use zerver::prelude::*;

use crate::checkout::Checkout;
use crate::error_mapping::{Stop, before_sending, unreachable};
use crate::plan_json;
use zerver_postgres_values::parameters;

/// Explains statements one after another, and performs them for that if `analyze` is true.
pub(crate) async fn explain(
    mut checkout: Checkout,
    statements: Vec<(Statement, Vec<SqlValue>)>,
    analyze: bool,
) -> ExplainResult {
    let mut explanations = Vec::with_capacity(statements.len());
    for (statement, values) in statements {
        let Some(client) = checkout.client() else { return Err(unreachable("the connection is gone")) };
        // If this ends early, the connection is closed, and the statement canceled.
        let plan = read_plan(client, &statement, &values, analyze).await.map_err(error)?;
        checkout.set_idle();
        explanations.push(plan.into_explanation(&statement));
    }
    Ok(explanations)
}

/// Returns the plan of a statement. If a parameter is a secret, the plan has no expressions, because they would show it.
pub(crate) async fn read_plan(
    client: &Client,
    statement: &Statement,
    values: &[SqlValue],
    analyze: bool,
) -> Result<Plan, Stop> {
    client.batch_execute("begin read only").await.map_err(|error| before_sending(&error))?;
    let json = plan_text(client, statement, values, analyze).await;
    client.batch_execute("rollback").await.map_err(|error| before_sending(&error))?;
    plan_json::parse(&json?, statement.has_secret()).map_err(|reason| {
        let message = format!("the plan is not readable: {reason}");
        EffectError::new(EffectErrorKind::Malformed, message).into()
    })
}

async fn plan_text(
    client: &Client,
    statement: &Statement,
    values: &[SqlValue],
    analyze: bool,
) -> Result<String, Stop> {
    let options = if analyze { "analyze, format json" } else { "format json" };
    let text = format!("explain ({options}) {}", statement.text);
    // Not cached, because it is rarely explained twice.
    let prepared = client.prepare(&text).await.map_err(|error| before_sending(&error))?;
    let parameters = parameters(values, prepared.params())?;
    let parameters = parameters.iter().map(|parameter| parameter as &(dyn ToSql + Sync));
    let parameters: Vec<_> = parameters.collect();
    let row = client.query_one(&prepared, &parameters).await.map_err(|error| before_sending(&error))?;
    row.try_get::<_, JsonText>(0).map(|json| json.0).map_err(|error| before_sending(&error))
}

/// JSON as text.
struct JsonText(String);

impl<'a> FromSql<'a> for JsonText {
    fn from_sql(_type: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(str::from_utf8(raw)?.to_owned()))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSON
    }
}

fn error(stop: Stop) -> EffectError {
    match stop {
        Stop::Database(error) => EffectError::new(EffectErrorKind::Failed, error.to_string()),
        Stop::Effect(error) => error,
        Stop::Lost(reason) => unreachable(&reason),
    }
}
