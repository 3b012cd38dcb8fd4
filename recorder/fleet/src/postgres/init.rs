//! Creates and upgrades the schema of a namespace.

use tokio_postgres::types::Type;

use crate::fleet_error::FleetError;
use crate::fleet_init::{InitOptions, InitOutcome};
use crate::postgres::VERSION;
use crate::postgres::connection::Connection;
use crate::postgres::postgres_url::PostgresUrl;

const SCHEMA: &str = include_str!("init.sql");

/// Creates the schema of a namespace. If it is there already, only its settings are changed.
///
/// # Errors
/// If the database cannot be reached, the user may not create a schema in it, or the schema has another version.
pub(crate) fn init(url: &PostgresUrl, options: InitOptions) -> Result<InitOutcome, FleetError> {
    let mut connection = Connection::new(url.clone())?;
    let found = version(&mut connection)?;
    match found {
        Some(VERSION) | None => apply(&mut connection, options, found.is_none()),
        Some(other) => Err(FleetError::version(url.namespace(), url, other, VERSION)),
    }
}

/// Brings the schema of a namespace to the version of this build, in place. Returns the version that it had.
///
/// # Errors
/// As for [`init`], and if the namespace is not there.
pub(crate) fn upgrade(url: &PostgresUrl) -> Result<i32, FleetError> {
    let mut connection = Connection::new(url.clone())?;
    match version(&mut connection)? {
        None => Err(FleetError::lasting(
            format!("the namespace {} is not there", url.namespace()),
            format!("run `zerver fleet init --store '{url}'` once"),
        )),
        Some(newer) if newer > VERSION => Err(FleetError::version(url.namespace(), url, newer, VERSION)),
        Some(found) => {
            apply(&mut connection, InitOptions::default(), false)?;
            Ok(found)
        }
    }
}

/// Returns the version of the schema, if it is there.
fn version(connection: &mut Connection) -> Result<Option<i32>, FleetError> {
    let there = connection.query("select to_regclass('{ns}.fleet') is not null", &[])?;
    if !there.first().is_some_and(|row| row.get(0)) {
        return Ok(None);
    }
    let rows = connection.query("select version from {ns}.fleet", &[])?;
    Ok(rows.first().map(|row| row.get(0)))
}

fn apply(connection: &mut Connection, options: InitOptions, is_new: bool) -> Result<InitOutcome, FleetError> {
    // Only the first row is inserted; the version changes with the schema.
    let row = format!(
        "insert into {{ns}}.fleet (version, keep_days) values ({VERSION}, 30) on conflict (is_only) do update set \
         version = excluded.version;\nselect {{ns}}.maintain();"
    );
    connection.batch(&format!("{SCHEMA}\n{row}"))?;
    if let Some(days) = options.keep_days {
        let days = i32::try_from(days).unwrap_or(i32::MAX);
        connection.query("update {ns}.fleet set keep_days = $1", &[(&days, Type::INT4)])?;
    }
    let rows = connection.query(
        "select keep_days, (select count(*) = 2 from pg_roles where rolname in ('zerver_ship', 'zerver_read')) \
         from {ns}.fleet",
        &[],
    )?;
    let row = rows.first().ok_or_else(|| FleetError::passing("the namespace was removed meanwhile"))?;
    let keep_days = u32::try_from(row.get::<_, i32>(0)).unwrap_or_default();
    Ok(InitOutcome { is_new, keep_days, has_roles: row.get(1) })
}
