//! `POST /api/users/login`.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use super::auth::sign;
use super::error::{ApiError, Invalid};

#[derive(Deserialize)]
pub(super) struct LoginBody {
    user: Login,
}

#[derive(Deserialize)]
struct Login {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
}

#[derive(sqlx::FromRow)]
struct Account {
    id: i64,
    email: String,
    username: String,
    bio: Option<String>,
    image: Option<String>,
    password_hash: String,
}

#[derive(Serialize)]
pub(super) struct UserBody {
    user: UserView,
}

#[derive(Serialize)]
struct UserView {
    email: String,
    token: String,
    username: String,
    bio: Option<String>,
    image: Option<String>,
}

pub(super) async fn login(
    State(pool): State<PgPool>,
    body: Result<Json<LoginBody>, JsonRejection>,
) -> Result<Json<UserBody>, ApiError> {
    let Json(LoginBody { user: Login { email, password } }) = body?;
    let mut invalid = Invalid::default();
    invalid.text("email", &email, 100);
    invalid.text("password", &password, 200);
    invalid.finish()?;
    let query = "select id, email, username, bio, image, password_hash from users where email = $1";
    let account: Option<Account> = sqlx::query_as(query).bind(&email).fetch_optional(&pool).await?;
    let hash = account.as_ref().map(|account| account.password_hash.clone());
    let is_right = tokio::task::spawn_blocking(move || match hash {
        Some(hash) => PasswordHash::new(&hash)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()),
        // Takes as long as for a known address, so that the time does not tell which addresses are known.
        None => Argon2::default().hash_password(password.as_bytes()).is_err(),
    });
    let is_right = is_right.await.map_err(|_| ApiError::internal())?;
    let Some(Account { id, email, username, bio, image, .. }) = account.filter(|_| is_right) else {
        return Err(ApiError::unauthorized("credentials", "invalid"));
    };
    let user = UserView { email, token: sign(id)?, username, bio, image };
    Ok(Json(UserBody { user }))
}
