//! Several databases under their names.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use zerver_engine::{EffectError, EffectErrorKind};

use super::DEFAULT_DATABASE;
use super::sql_kind::Sql;
use crate::effects::interpreter::{BoxFuture, EffectContext, EffectResult, Interpreter, Started};
use crate::effects::{Explain, ExplainResult};

/// Databases by name, each with the interpreter that performs its statements. They may be of different kinds.
///
/// A service with one database registers its interpreter alone.
#[derive(Clone, Default)]
pub struct Databases(BTreeMap<String, Arc<dyn Interpreter<Sql>>>);

impl Databases {
    /// Creates a set of databases with this one as the default.
    #[must_use]
    pub fn new(default: impl Interpreter<Sql>) -> Self {
        Self(BTreeMap::new()).with(DEFAULT_DATABASE, default)
    }

    /// Adds a database under a name, which [`Query::on`](super::Query::on) selects.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, database: impl Interpreter<Sql>) -> Self {
        self.0.insert(name.into(), Arc::new(database));
        self
    }
}

impl Databases {
    fn unknown(&self, wanted: &str) -> EffectError {
        let known = self.0.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let message = format!("there is no database {wanted}; there are: {known}");
        EffectError::new(EffectErrorKind::Invalid, message)
    }
}

impl fmt::Debug for Databases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Databases").field(&self.0.keys()).finish()
    }
}

impl Interpreter<Sql> for Databases {
    fn start(&self, sql: &Sql, context: &EffectContext) -> Started<EffectResult<Sql>> {
        match self.0.get(&*sql.database) {
            Some(database) => database.start(sql, context),
            None => Started::Ready(Err(self.unknown(&sql.database))),
        }
    }

    fn explain(&self, call: &Explain<'_, Sql>) -> Option<BoxFuture<ExplainResult>> {
        match self.0.get(&*call.args.database) {
            Some(database) => database.explain(call),
            None => {
                let error = self.unknown(&call.args.database);
                Some(Box::pin(async move { Err(error) }))
            }
        }
    }

    fn problem(&self) -> Option<String> {
        let problems =
            self.0.iter().filter_map(|(name, database)| Some(format!("{name}: {}", database.problem()?)));
        Some(problems.collect::<Vec<_>>().join("; ")).filter(|problems| !problems.is_empty())
    }
}
