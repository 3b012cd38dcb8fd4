//! The list of articles with axum and deadpool-postgres.

use std::net::SocketAddr;

use axum::extract::{Query, State};
use axum::routing::get;
use axum::{Json, Router};
use deadpool_postgres::{Manager, ManagerConfig, Pool, PoolError, RecyclingMethod};
use tokio_postgres::{NoTls, Row};

use super::articles::{Article, Articles, COUNT, Filters, LIST, Profile};
use super::auth::Viewer;
use super::error::ApiError;
use super::{CONNECTIONS, database_url};
use crate::servers::axum_server;

impl From<tokio_postgres::Error> for ApiError {
    fn from(_: tokio_postgres::Error) -> Self {
        Self::internal()
    }
}

impl From<PoolError> for ApiError {
    fn from(_: PoolError) -> Self {
        Self::internal()
    }
}

fn article(row: &Row) -> Result<Article, tokio_postgres::Error> {
    Ok(Article {
        slug: row.try_get("slug")?,
        title: row.try_get("title")?,
        description: row.try_get("description")?,
        body: None,
        tag_list: row.try_get("tag_list")?,
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        favorited: row.try_get("favorited")?,
        favorites_count: row.try_get("favorites_count")?,
        author: Profile {
            username: row.try_get("username")?,
            bio: row.try_get("bio")?,
            image: row.try_get("image")?,
            following: row.try_get("following")?,
        },
    })
}

async fn list(
    State(pool): State<Pool>,
    viewer: Option<Viewer>,
    Query(mut filters): Query<Filters>,
) -> Result<Json<Articles>, ApiError> {
    let (limit, offset) = filters.checked()?;
    let Filters { tag, author, favorited, .. } = filters;
    let viewer = viewer.map(|viewer| viewer.id);
    let articles = async {
        let client = pool.get().await?;
        let statement = client.prepare_cached(LIST).await?;
        let rows = client.query(&statement, &[&viewer, &limit, &offset, &tag, &author, &favorited]).await?;
        rows.iter().map(|row| article(row).map_err(ApiError::from)).collect::<Result<Vec<_>, _>>()
    };
    let count = async {
        let client = pool.get().await?;
        let statement = client.prepare_cached(COUNT).await?;
        Ok(client.query_one(&statement, &[&tag, &author, &favorited]).await?.try_get(0)?)
    };
    let (articles, articles_count) = tokio::try_join!(articles, count)?;
    Ok(Json(Articles { articles, articles_count }))
}

pub(crate) fn serve(ready: impl FnOnce(SocketAddr) + Send + 'static) -> Result<(), String> {
    let config = database_url()?.parse::<tokio_postgres::Config>().map_err(|error| error.to_string())?;
    let app = move || {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(config, NoTls, recycling);
        let pool = Pool::builder(manager)
            .max_size(CONNECTIONS as usize)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Router::new().route("/api/articles", get(list)).with_state(pool))
    };
    axum_server::run_with(app, ready)
}
