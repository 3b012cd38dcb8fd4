//! Several databases under their names.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use zerver_engine::{EffectError, EffectErrorKind};

use super::DEFAULT_DATABASE;
use super::sql_kind::Sql;
use crate::effects::interpreter::{EffectContext, EffectResult, Interpreter, Started};

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

impl fmt::Debug for Databases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Databases").field(&self.0.keys()).finish()
    }
}

impl Interpreter<Sql> for Databases {
    fn start(&self, sql: &Sql, context: &EffectContext) -> Started<EffectResult<Sql>> {
        match self.0.get(&*sql.database) {
            Some(database) => database.start(sql, context),
            None => {
                let known: Vec<_> = self.0.keys().map(String::as_str).collect();
                let (wanted, known) = (&sql.database, known.join(", "));
                let message = format!("there is no database {wanted}; there are: {known}");
                Started::Ready(Err(EffectError::new(EffectErrorKind::Invalid, message)))
            }
        }
    }

    fn problem(&self) -> Option<String> {
        let problems =
            self.0.iter().filter_map(|(name, database)| Some(format!("{name}: {}", database.problem()?)));
        Some(problems.collect::<Vec<_>>().join("; ")).filter(|problems| !problems.is_empty())
    }
}
