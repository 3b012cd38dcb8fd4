//! The endpoints with axum and sqlx.

use std::net::SocketAddr;

use axum::extract::{Query, State};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use super::articles::{Articles, COUNT, Filters, LIST};
use super::auth::Viewer;
use super::error::ApiError;
use super::{CONNECTIONS, database_url, update, users};
use crate::servers::axum_server;

async fn list(
    State(pool): State<PgPool>,
    viewer: Option<Viewer>,
    Query(mut filters): Query<Filters>,
) -> Result<Json<Articles>, ApiError> {
    let (limit, offset) = filters.checked()?;
    let Filters { tag, author, favorited, .. } = filters;
    let articles = sqlx::query_as(LIST).bind(viewer.map(|viewer| viewer.id)).bind(limit).bind(offset);
    let articles = articles.bind(&tag).bind(&author).bind(&favorited).fetch_all(&pool);
    let count = sqlx::query_scalar(COUNT).bind(&tag).bind(&author).bind(&favorited).fetch_one(&pool);
    let (articles, articles_count) = tokio::try_join!(articles, count)?;
    Ok(Json(Articles { articles, articles_count }))
}

pub(crate) fn serve(ready: impl FnOnce(SocketAddr) + Send + 'static) -> Result<(), String> {
    let url = database_url()?;
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).test_before_acquire(false);
    // The pool is created within the runtime of the server.
    let app = move || {
        let pool = pool.connect_lazy(&url).map_err(|error| error.to_string())?;
        Ok(Router::new()
            .route("/api/users/login", post(users::login))
            .route("/api/articles", get(list))
            .route("/api/articles/{slug}", put(update::update))
            .with_state(pool))
    };
    axum_server::run_with(app, ready)
}
