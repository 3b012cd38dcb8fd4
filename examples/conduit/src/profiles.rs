//! Profiles, and following them.

use serde_json::json;
use zerver::effects::sql;
use zerver::prelude::*;

use crate::auth::Viewer;

/// A user, as others see them.
#[slot]
#[derive(Debug, Clone, PartialEq, sql::Row)]
pub struct Profile {
    pub username: String,
    pub bio: Option<String>,
    pub image: Option<String>,
    pub following: bool,
}

fn seen_by(viewer: Option<&Viewer>, username: &str) -> sql::Query {
    sql::query("select username, bio, image, following from profiles_seen_by($1) where username = $2")
        .bind(viewer.map(|viewer| viewer.id))
        .bind(username)
        .named("profile")
}

fn username(request: &Request) -> &str {
    request.param_str("username").unwrap_or_default()
}

#[step]
pub fn load(viewer: Option<&Viewer>, request: &Request) -> Decision<Profile> {
    let username = username(request);
    Need(seen_by(viewer, username).optional().or_not_found("profile", username))
}

#[step]
pub fn follow(viewer: &Viewer, request: &Request) -> Decision<Profile> {
    let insert = "insert into follows select $1, id from users where username = $2 on conflict do nothing";
    Need(changed(viewer, username(request), insert).named("follow").idempotent().run().try_map(found))
}

#[step]
pub fn unfollow(viewer: &Viewer, request: &Request) -> Decision<Profile> {
    let delete =
        "delete from follows using users where follower_id = $1 and followed_id = id and username = $2";
    Need(changed(viewer, username(request), delete).named("unfollow").idempotent().run().try_map(found))
}

/// Changes a profile's followers, and reads the profile.
fn changed(viewer: &Viewer, username: &str, change: &'static str) -> sql::Batch {
    sql::batch([sql::query(change).bind(viewer.id).bind(username), seen_by(Some(viewer), username)])
}

fn found(results: Vec<sql::Rows>) -> Result<Profile, Failure> {
    results[1].optional()?.ok_or_else(|| Failure::not_found("profile", ""))
}

#[step]
pub fn render(profile: &Profile) -> Response {
    Response::json(&json!({ "profile": profile }))
}
