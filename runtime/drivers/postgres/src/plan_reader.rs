//! Reads the plans of statements after their calls, on a connection of its own, so that no request waits for it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_postgres::{Client, Config};
use zerver::effects::report_point;
use zerver::effects::sql::{Plan, PlanWatch, Statement};

use crate::error_mapping::{Stop, chain};
use crate::explain::read_plan;
use zerver_postgres_connect::TlsConnector;

/// Maximum number of plans that wait to be read.
const MAX_WAITING: usize = 64;
/// Longest time to read a plan, or to connect.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Reads plans one after another. A clone is another handle.
#[derive(Clone)]
pub(crate) struct PlanReader(Arc<Shared>);

struct Shared {
    watch: PlanWatch,
    queue: Mutex<Queue>,
    config: Config,
    tls: TlsConnector,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Statement>,
    /// True while a task takes statements from the queue.
    is_read: bool,
}

impl PlanReader {
    pub(crate) fn new(config: Config, tls: TlsConnector) -> Self {
        Self(Arc::new(Shared { watch: PlanWatch::new(), queue: Mutex::default(), config, tls }))
    }

    /// Notes the time of a call that has just ended, and reports the plan of its statement if it is known. Must be called
    /// within a runtime.
    pub(crate) fn note(&self, statement: &Statement, took: Duration) {
        let noted = self.0.watch.note(&statement.text, took);
        if let Some(plan) = noted.plan {
            report_point(plan);
        }
        if noted.is_due {
            self.submit(statement.clone());
        }
    }

    fn submit(&self, statement: Statement) {
        let mut queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.waiting.len() >= MAX_WAITING {
            self.0.watch.postpone(&statement.text);
            return;
        }
        queue.waiting.push_back(statement);
        if !std::mem::replace(&mut queue.is_read, true) {
            tokio::spawn(self.clone().read_all());
        }
    }

    /// Reads the plans of all statements that wait, and disconnects.
    async fn read_all(self) {
        let Shared { watch, config, tls, .. } = &*self.0;
        let connected = tokio::time::timeout(TIMEOUT, config.connect(tls.clone())).await;
        let client = match connected {
            Ok(Ok((client, connection))) => {
                tokio::spawn(connection);
                Some(client)
            }
            Ok(Err(error)) => {
                tracing::debug!(target: "zerver", "no connection to read plans: {}", chain(&error));
                None
            }
            Err(_) => None,
        };
        while let Some(statement) = self.next() {
            // Without a connection, the statements are due again in an hour.
            let Some(client) = &client else { continue };
            match tokio::time::timeout(TIMEOUT, plan(client, &statement)).await {
                Ok(Ok(plan)) => watch.set_plan(&statement.text, &plan),
                Ok(Err(Stop::Database(error))) => {
                    // Without the message, which may contain a parameter.
                    tracing::debug!(target: "zerver", "a plan could not be read: error {}", error.sqlstate);
                }
                Ok(Err(Stop::Effect(_) | Stop::Lost(_))) => {}
                // The connection is in an unknown state.
                Err(_) => return self.give_up(),
            }
        }
    }

    /// Returns the next statement. Without one, the task ends, and the next statement starts another.
    fn next(&self) -> Option<Statement> {
        let mut queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let next = queue.waiting.pop_front();
        queue.is_read = next.is_some();
        next
    }

    /// Forgets the statements that wait, which are due again in an hour.
    fn give_up(&self) {
        *self.0.queue.lock().unwrap_or_else(PoisonError::into_inner) = Queue::default();
    }
}

async fn plan(client: &Client, statement: &Statement) -> Result<Plan, Stop> {
    let values = statement.resolved_params(&[])?;
    read_plan(client, statement, &values, false).await
}
