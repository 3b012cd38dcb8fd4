//! Migrations: statements that create and change tables, each performed once, in order.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_128;

/// First line of a migration that runs outside of a transaction.
const NO_TRANSACTION: &str = "-- zerver: no transaction";

/// A migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Name, which determines the order.
    pub name: String,
    /// Statements.
    pub text: String,
    /// Hash of the text.
    pub hash: String,
}

/// Migrations in the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Migrations(Vec<Migration>);

/// A migration that a database has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedMigration {
    /// Name.
    pub name: String,
    /// Hash of the text when it was performed.
    pub hash: String,
}

/// Reason why migrations do not fit a database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MigrationsError {
    /// A file or the folder cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// File or folder.
        path: PathBuf,
        /// Reason.
        source: io::Error,
    },
    /// There is no migration.
    #[error("no file in {} ends in .sql", .0.display())]
    Empty(PathBuf),
    /// A migration was changed after it had been performed.
    #[error(
        "migration {0} was changed after it had been performed: restore it, and put the change into a new one"
    )]
    Changed(String),
    /// A migration that the database has is missing.
    #[error("migration {0} was performed in this database but is missing: restore it")]
    Missing(String),
    /// A new migration comes before one that was performed.
    #[error("migration {name} comes before {last}, which was performed already: give it a later name")]
    OutOfOrder {
        /// The new migration.
        name: String,
        /// The last one that was performed.
        last: String,
    },
}

impl Migration {
    fn new(name: String, text: String) -> Self {
        // The end of a line depends on the system that checked the file out.
        let hash = format!("{:032x}", xxh3_128(text.replace("\r\n", "\n").as_bytes()));
        Self { name, text, hash }
    }

    /// Returns false if the first line is `-- zerver: no transaction`, which a statement such as `create index
    /// concurrently` needs.
    pub fn needs_transaction(&self) -> bool {
        self.text.lines().next().is_none_or(|line| line.trim_end() != NO_TRANSACTION)
    }
}

impl Migrations {
    /// Creates migrations from names and texts, such as those of `include_str!`.
    pub fn of<'m>(migrations: impl IntoIterator<Item = (&'m str, &'m str)>) -> Self {
        let all = migrations.into_iter().map(|(name, text)| Migration::new(name.to_owned(), text.to_owned()));
        Self::sorted(all.collect())
    }

    /// Reads the files of a folder whose names end in `.sql`.
    ///
    /// # Errors
    /// If a file cannot be read, or there is none.
    pub fn read(folder: impl AsRef<Path>) -> Result<Self, MigrationsError> {
        let folder = folder.as_ref();
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| MigrationsError::Read { path, source }
        };
        let mut all = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed(folder))? {
            let path = entry.map_err(failed(folder))?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if path.extension().is_some_and(|extension| extension == "sql") {
                all.push(Migration::new(name, fs::read_to_string(&path).map_err(failed(&path))?));
            }
        }
        if all.is_empty() {
            return Err(MigrationsError::Empty(folder.to_owned()));
        }
        Ok(Self::sorted(all))
    }

    fn sorted(mut all: Vec<Migration>) -> Self {
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Self(all)
    }

    /// Returns the migrations that a database does not have, in order.
    ///
    /// # Errors
    /// If a migration that it has was changed or is missing, or a new one comes before one that it has.
    pub fn pending(&self, applied: &[AppliedMigration]) -> Result<Vec<&Migration>, MigrationsError> {
        for old in applied {
            match self.0.iter().find(|migration| migration.name == old.name) {
                None => return Err(MigrationsError::Missing(old.name.clone())),
                Some(migration) if migration.hash != old.hash => {
                    return Err(MigrationsError::Changed(old.name.clone()));
                }
                Some(_) => {}
            }
        }
        let last = applied.iter().map(|old| &old.name).max();
        let is_applied = |name: &String| applied.iter().any(|old| old.name == *name);
        let pending: Vec<_> = self.0.iter().filter(|migration| !is_applied(&migration.name)).collect();
        match (pending.first(), last) {
            (Some(first), Some(last)) if first.name < *last => {
                Err(MigrationsError::OutOfOrder { name: first.name.clone(), last: last.clone() })
            }
            _ => Ok(pending),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_a_database_is_an_error() {
        let all = Migrations::of([("2.sql", "b"), ("1.sql", "a\r\n")]);
        let names = |migrations: Vec<&Migration>| {
            migrations.into_iter().map(|migration| migration.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(all.pending(&[]).unwrap()), ["1.sql", "2.sql"]);
        let applied = |name: &str, text: &str| {
            let Migration { name, hash, .. } = Migration::new(name.to_owned(), text.to_owned());
            AppliedMigration { name, hash }
        };
        assert_eq!(names(all.pending(&[applied("1.sql", "a\n")]).unwrap()), ["2.sql"]);
        let error = |applied: &[AppliedMigration]| all.pending(applied).unwrap_err().to_string();
        assert!(error(&[applied("1.sql", "c")]).contains("1.sql was changed"));
        assert!(
            error(&[applied("0.sql", "c")]).contains("0.sql was performed in this database but is missing")
        );
        assert!(error(&[applied("2.sql", "b")]).contains("1.sql comes before 2.sql"));
    }
}
