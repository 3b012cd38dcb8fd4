//! The code in the documentation is compiled and run from here; end-to-end tests are in `it/`. The tutorial is the
//! documentation of the crate `zerver`, which tests it.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

#[cfg(doctest)]
#[doc = include_str!("../docs/reference/steps-and-flows.md")]
mod steps_and_flows {}

#[cfg(doctest)]
#[doc = include_str!("../docs/reference/effects.md")]
mod effects {}

#[cfg(doctest)]
#[doc = include_str!("../docs/how-to/databases.md")]
mod databases {}

#[cfg(doctest)]
#[doc = include_str!("../docs/how-to/redis.md")]
mod redis {}

#[cfg(doctest)]
#[doc = include_str!("../docs/how-to/cache.md")]
mod cache {}

#[cfg(doctest)]
#[doc = include_str!("../docs/how-to/rate-limits.md")]
mod rate_limits {}

#[cfg(doctest)]
#[doc = include_str!("../docs/how-to/object-storage.md")]
mod object_storage {}

#[cfg(doctest)]
#[doc = include_str!("../docs/how-to/mail.md")]
mod mail {}

#[cfg(doctest)]
#[doc = include_str!("../docs/how-to/idempotency.md")]
mod idempotency {}

#[cfg(doctest)]
#[doc = include_str!("../docs/how-to/versions-and-owners.md")]
mod versions_and_owners {}

#[cfg(doctest)]
#[doc = include_str!("../docs/how-to/openapi.md")]
mod openapi {}

#[cfg(doctest)]
#[doc = include_str!("../docs/how-to/error-budgets.md")]
mod error_budgets {}

#[cfg(doctest)]
#[doc = include_str!("../docs/how-to/drills.md")]
mod drills {}

#[cfg(doctest)]
#[doc = include_str!("../docs/how-to/outbox.md")]
mod outbox {}

#[cfg(doctest)]
#[doc = include_str!("../docs/how-to/pagination.md")]
mod pagination {}

#[cfg(doctest)]
#[doc = include_str!("../docs/how-to/optional-authentication.md")]
mod optional_authentication {}

#[cfg(doctest)]
#[doc = include_str!("../docs/how-to/authentication.md")]
mod authentication {}

#[cfg(doctest)]
#[doc = include_str!("../docs/how-to/sessions.md")]
mod sessions {}

#[cfg(doctest)]
#[doc = include_str!("../docs/how-to/file-upload.md")]
mod file_upload {}

#[cfg(doctest)]
#[doc = include_str!("../docs/how-to/stream-responses.md")]
mod stream_responses {}

#[cfg(doctest)]
#[doc = include_str!("../docs/how-to/web-sockets.md")]
mod web_sockets {}

#[cfg(doctest)]
#[doc = include_str!("../docs/how-to/settings-and-keys.md")]
mod settings_and_keys {}
