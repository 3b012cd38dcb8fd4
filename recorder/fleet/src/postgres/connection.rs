//! A connection for code that is not asynchronous. It is opened when it is needed, and again after it was lost.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use crate::fault_point;
use crate::fleet_error::FleetError;
use crate::postgres::postgres_url::PostgresUrl;

/// Time limit of a statement, in addition to the time that PostgreSQL may set itself.
const STATEMENT_LIMIT: Duration = Duration::from_secs(60);

/// A parameter of a statement, and its type.
pub(crate) type Parameter<'p> = (&'p (dyn ToSql + Sync), Type);

/// A connection to the database of a fleet. Statements are neither prepared nor do they depend on a session.
pub(crate) struct Connection {
    pub(crate) url: PostgresUrl,
    runtime: Runtime,
    client: Option<Client>,
}

impl Connection {
    pub(crate) fn new(url: PostgresUrl) -> Result<Self, FleetError> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| FleetError::passing(format!("cannot use the network: {error}")))?;
        Ok(Self { url, runtime, client: None })
    }

    /// Runs a statement, in which `{ns}` stands for the namespace. A connection that was lost since the last one is
    /// replaced, so a statement may run twice.
    pub(crate) fn query(&mut self, text: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, FleetError> {
        let is_reused = self.client.is_some();
        match self.query_once(text, parameters) {
            Err(error) if is_reused && self.client.is_none() => {
                drop(error);
                self.query_once(text, parameters)
            }
            result => result,
        }
    }

    /// Like [`Connection::query`], but the statement runs at most once.
    pub(crate) fn query_once(
        &mut self,
        text: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, FleetError> {
        let text = self.url.sql(text);
        self.with_client(async |client| client.query_typed(&text, parameters).await)
    }

    /// Runs several statements in one transaction.
    pub(crate) fn batch(&mut self, text: &str) -> Result<(), FleetError> {
        let text = self.url.sql(text);
        self.with_client(async |client| client.batch_execute(&text).await)
    }

    fn with_client<T>(
        &mut self,
        run: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, FleetError> {
        let Self { url, runtime, client } = self;
        fault_point::reached("a statement is ready");
        runtime.block_on(async {
            let open = match client.take().filter(|client| !client.is_closed()) {
                Some(open) => open,
                None => connect(url).await?,
            };
            fault_point::reached("the database is connected");
            let ran = tokio::time::timeout(STATEMENT_LIMIT, run(&open)).await;
            fault_point::reached("a statement was answered");
            match ran {
                Ok(result) => {
                    if !open.is_closed() && !matches!(&result, Err(error) if error.as_db_error().is_none()) {
                        *client = Some(open);
                    }
                    result.map_err(|error| FleetError::of_database(url, &error))
                }
                Err(_) => Err(FleetError::passing("the database did not answer within 60 s")),
            }
        })
    }
}

async fn connect(url: &PostgresUrl) -> Result<Client, FleetError> {
    let limit = url.config.get_connect_timeout().copied().unwrap_or(Duration::from_secs(5)) * 2;
    let opened = tokio::time::timeout(limit, url.config.connect(url.tls.clone())).await;
    let opened = opened.map_err(|_| FleetError::passing("the database did not answer"))?;
    let (client, connection) = opened.map_err(|error| FleetError::of_database(url, &error))?;
    // It ends with the client, and an error reaches the statement that waits for it.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(client)
}
