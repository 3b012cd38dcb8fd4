//! The RealWorld API, "Conduit" (<https://docs.realworld.show>), on PostgreSQL: users, profiles, articles, comments,
//! favorites and tags. The routes are in [`flows`], one file serves each kind of thing.

#![allow(missing_docs, unreachable_pub)]

mod articles;
mod auth;
mod changes;
mod comments;
mod passwords;
mod profiles;
pub mod seed;
mod settings;
mod tags;
mod users;
mod validation;

use zerver::effects::sql::Migrations;
use zerver::prelude::*;
use zerver::{BoxError, Startup};
use zerver_postgres::Postgres;

pub use settings::Settings;
pub use validation::render_failure;

/// Returns the service. It reads its settings when it starts to serve, and not when a recorded request is replayed.
pub fn app(settings: impl FnOnce() -> Result<Settings, BoxError> + Send + 'static) -> App {
    App::new()
        .on_failure(render_failure)
        .effect::<auth::sign_token>()
        .effect::<auth::decode_token>()
        .effect::<passwords::hash_password>()
        .effect::<passwords::is_password>()
        .on_startup_async(async |startup| open(startup, settings()?).await)
        .flows(flows())
}

async fn open(startup: &mut Startup, settings: Settings) -> Result<(), BoxError> {
    let database = Postgres::from_url(&settings.database_url)?;
    database.migrate_all(&migrations()).await?;
    if settings.is_seeded {
        seed::insert(&database).await?;
    }
    startup.resource(auth::Keys::new(&settings.token_key)?);
    startup.interpreter(database);
    Ok(())
}

/// Returns the migrations, which are parts of the program.
pub fn migrations() -> Migrations {
    Migrations::of([
        ("0001_tables.sql", include_str!("../migrations/0001_tables.sql")),
        ("0002_seen_by.sql", include_str!("../migrations/0002_seen_by.sql")),
    ])
}

/// Returns the routes.
pub fn flows() -> Vec<FlowDef> {
    const USER: Chain = auth::REQUIRED;
    const GUEST: Chain = auth::OPTIONAL;
    vec![
        flow!("register", POST "/api/users", steps: [
            users::parse_registration, passwords::hash_new, users::insert, auth::issue_token, users::render_created,
        ]),
        flow!("login", POST "/api/users/login", steps: [
            users::parse_login, users::find_account, users::check_password, auth::issue_token, users::render,
        ]),
        flow!("user", GET "/api/user", before: USER, steps: [users::load, users::render]),
        flow!("user-update", PUT "/api/user", before: USER, steps: [
            users::parse_changes, passwords::hash_changed, users::update, users::render,
        ]),
        flow!("profile", GET "/api/profiles/{username}", before: GUEST, steps: [profiles::load, profiles::render]),
        flow!("follow", POST "/api/profiles/{username}/follow", before: USER, steps: [
            profiles::follow, profiles::render,
        ]),
        flow!("unfollow", DELETE "/api/profiles/{username}/follow", before: USER, steps: [
            profiles::unfollow, profiles::render,
        ]),
        flow!("articles", GET "/api/articles", before: GUEST, steps: [
            articles::parse_filters, articles::list, articles::render_list,
        ]),
        flow!("feed", GET "/api/articles/feed", before: USER, steps: [articles::feed, articles::render_list]),
        flow!("article", GET "/api/articles/{slug}", before: GUEST, steps: [articles::load, articles::render]),
        flow!("article-create", POST "/api/articles", before: USER, steps: [
            changes::parse_new, changes::insert, changes::render_created,
        ]),
        flow!("article-update", PUT "/api/articles/{slug}", before: USER, steps: [
            changes::load_own, changes::parse_changes, changes::update, changes::render,
        ]),
        flow!("article-delete", DELETE "/api/articles/{slug}", before: USER, steps: [
            changes::load_own, changes::delete, changes::render_deleted,
        ]),
        flow!("favorite", POST "/api/articles/{slug}/favorite", before: USER, steps: [
            changes::favorite, articles::render,
        ]),
        flow!("unfavorite", DELETE "/api/articles/{slug}/favorite", before: USER, steps: [
            changes::unfavorite, articles::render,
        ]),
        flow!("comments", GET "/api/articles/{slug}/comments", before: GUEST, steps: [
            comments::find_article, comments::list, comments::render_list,
        ]),
        flow!("comment-create", POST "/api/articles/{slug}/comments", before: USER, steps: [
            comments::find_article, comments::parse, comments::insert, comments::render_created,
        ]),
        flow!("comment-delete", DELETE "/api/articles/{slug}/comments/{id}", before: USER, steps: [
            comments::find_article, comments::load_own, comments::delete, comments::render_deleted,
        ]),
        flow!("tags", GET "/api/tags", steps: [tags::list, tags::render]),
    ]
}
