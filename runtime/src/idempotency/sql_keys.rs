//! Keys in the database of the service, which several processes can share.

use zerver_engine::{Effect, Failure};

use super::claim::{Claim, KeyUse};
use super::kept_response::Kept;
use super::policy::Policy;
use super::request_key::HEADER;
use crate::effects::sql::{self, Rows, SqlError};

/// Statements that create the table of keys, for a migration. PostgreSQL and SQLite accept them.
pub const CREATE_TABLE: &str = "\
create table zerver_idempotency (
    owner text not null,
    key text not null,
    fingerprint text not null,
    claim text not null,
    response text,
    expires_ms bigint not null,
    primary key (owner, key)
);
create index zerver_idempotency_expires_ms on zerver_idempotency (expires_ms);
";

const TABLE: &str = "zerver_idempotency";

/// Inserts the key, or takes it over if it has expired. Otherwise it changes nothing.
const CLAIM: &str = "\
insert into zerver_idempotency (owner, key, fingerprint, claim, expires_ms) values ($1, $2, $3, $4, $5) \
on conflict (owner, key) do update set fingerprint = excluded.fingerprint, claim = excluded.claim, \
response = null, expires_ms = excluded.expires_ms where zerver_idempotency.expires_ms <= $6";

const READ: &str =
    "select fingerprint, claim, response from zerver_idempotency where owner = $1 and key = $2";

/// A request that has lost its claim, because it ran for longer than the lease, changes nothing.
const KEEP: &str = "\
update zerver_idempotency set response = $4, expires_ms = $5 where owner = $1 and key = $2 and claim = $3";

const RELEASE: &str = "delete from zerver_idempotency where owner = $1 and key = $2 and claim = $3";

/// Deletes the keys that have expired.
const SWEEP: &str = "delete from zerver_idempotency where expires_ms <= $1";

/// Maximum size of a response as it is stored, in bytes. A body of bytes takes up to four times its length.
const MAX_STORED: u32 = 8 << 20;

/// The table of keys is missing.
#[derive(Debug, thiserror::Error)]
#[error(
    "the database has no table {TABLE}: create it with a migration, from zerver::idempotency::CREATE_TABLE ({0})"
)]
struct MissingTable(SqlError);

/// Claims a key. The same claim can be made again with the same result, so it may be retried.
pub(super) fn claim(policy: &Policy, used: &KeyUse) -> Effect<Claim> {
    let KeyUse { owner, key, fingerprint } = used.clone();
    let claimed = policy.claim.clone();
    let insert = sql::query(CLAIM)
        .bind(owner.clone())
        .bind(key.clone())
        .bind(fingerprint.clone())
        .bind(claimed.clone())
        .bind(policy.lease_ends_ms())
        .bind(policy.now_ms());
    let read = sql::query(READ).bind(owner).bind(key).max_bytes(MAX_STORED);
    let batch = sql::batch([insert, read]).named("zerver_idempotency_claim").idempotent();
    performed(batch).try_map(move |results| {
        let found = results.get(1).map(Rows::one::<(String, String, Option<String>)>);
        let Some((other, claim, response)) = found.transpose()? else {
            return Err(Failure::internal(HEADER).message("the database did not answer"));
        };
        if claim == claimed {
            return Ok(Claim::New);
        }
        let kept = response.map(|json| serde_json::from_str::<Kept>(&json)).transpose();
        let kept = kept.map_err(|error| Failure::internal(HEADER).because(&error))?;
        Ok(Claim::of_other(&fingerprint, &other, kept))
    })
}

pub(super) fn conclude(policy: &Policy, used: &KeyUse, kept: Option<Kept>) -> Effect<()> {
    let KeyUse { owner, key, .. } = used.clone();
    let (claim, name) = (policy.claim.clone(), if kept.is_some() { "keep" } else { "release" });
    let change = match kept.map(|kept| serde_json::to_string(&kept)).transpose() {
        Ok(Some(json)) => {
            let ends_ms = policy.keep_ends_ms();
            sql::query(KEEP).bind(owner).bind(key).bind(claim).bind(json).bind(ends_ms)
        }
        Ok(None) => sql::query(RELEASE).bind(owner).bind(key).bind(claim),
        Err(error) => return Effect::fail(Failure::internal(HEADER).because(&error)),
    };
    // One request of 256, so that few of them meet.
    let is_sweeping = used.fingerprint.ends_with("00");
    let sweep = is_sweeping.then(|| sql::query(SWEEP).bind(policy.now_ms()));
    let statements = std::iter::once(change).chain(sweep);
    performed(sql::batch(statements).named(format!("{TABLE}_{name}")).idempotent()).map(|_| ())
}

fn performed(batch: sql::Batch) -> Effect<Vec<Rows>> {
    batch.run().attempt().try_map(|results| {
        results.map_err(|failure| match failure.error::<SqlError>() {
            Some(error) if error.message.contains(TABLE) => {
                Failure::internal(HEADER).because(&MissingTable(error.clone()))
            }
            _ => failure,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::sql::{Reply, Sql};
    use crate::effects::{EffectContext, Interpreters};
    use crate::idempotency::PolicyReader;
    use crate::idempotency::policy;

    #[tokio::test]
    async fn a_missing_table_is_an_error_that_says_what_to_do() {
        let mut interpreters = Interpreters::new();
        interpreters.set(PolicyReader::default());
        interpreters.set(|_: &Sql| {
            let missing = SqlError::new("42P01", "relation \"zerver_idempotency\" does not exist");
            std::future::ready(Ok(Reply::new(Err(missing))))
        });
        let text = || "x".to_owned();
        let used = KeyUse { owner: text(), key: text(), fingerprint: text() };
        let claimed = policy::read().and_then(move |policy| claim(&policy, &used));
        let failure = interpreters.perform(claimed, &EffectContext::default()).await.unwrap_err();
        assert_eq!(failure.status(), 500);
        let causes = failure.causes().join("; ");
        assert!(
            causes.contains("create it with a migration, from zerver::idempotency::CREATE_TABLE"),
            "{causes}"
        );
    }
}
