//! Notes with tags: the same service, recorded by a layer. Three lines differ.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};
use tokio::signal::unix::{SignalKind, signal};
use tracing::level_filters::LevelFilter;
use tracing::{info, instrument};
use tracing_subscriber::Layer as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

#[derive(Serialize, Deserialize)]
struct Note {
    #[serde(default)]
    id: i64,
    text: String,
    tags: Vec<String>,
}

type Answer<T> = Result<T, (StatusCode, String)>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let log = tracing_subscriber::fmt::layer().with_filter(LevelFilter::INFO);
    tracing_subscriber::registry().with(log).with(zerver_tower::spans()).init();

    let addr = std::env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = zerver_tower::listener(&addr).await?;
    info!("listening on http://{}", listener.local_addr()?);

    let pool = SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await?;
    for table in ["notes (id INTEGER PRIMARY KEY, text TEXT)", "tags (note INTEGER, name TEXT)"] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("CREATE TABLE {table}"))).execute(&pool).await?;
    }
    let app = Router::new()
        .route("/notes", get(list).post(create))
        .route("/notes/{id}", get(show))
        .layer(zerver_tower::record(".zerver"))
        .with_state(pool);

    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        terminate.recv().await;
    };
    axum::serve(listener, app).with_graceful_shutdown(stop).await?;
    Ok(())
}

async fn create(State(pool): State<SqlitePool>, Json(note): Json<Note>) -> Answer<(StatusCode, Json<Note>)> {
    let added = sqlx::query("INSERT INTO notes (text) VALUES (?)").bind(&note.text).execute(&pool).await;
    let id = added.map_err(failed)?.last_insert_rowid();
    for tag in &note.tags {
        let tagged = sqlx::query("INSERT INTO tags (note, name) VALUES (?, ?)").bind(id).bind(tag);
        tagged.execute(&pool).await.map_err(failed)?;
    }
    info!(id, "created a note");
    Ok((StatusCode::CREATED, Json(Note { id, ..note })))
}

async fn list(State(pool): State<SqlitePool>) -> Answer<Json<Vec<Note>>> {
    let ids: Vec<(i64,)> =
        sqlx::query_as("SELECT id FROM notes ORDER BY id").fetch_all(&pool).await.map_err(failed)?;
    let mut notes = Vec::new();
    for (id,) in ids {
        notes.extend(load(&pool, id).await?);
    }
    Ok(Json(notes))
}

async fn show(State(pool): State<SqlitePool>, Path(id): Path<i64>) -> Answer<Json<Note>> {
    let note = load(&pool, id).await?;
    note.map(Json).ok_or_else(|| (StatusCode::NOT_FOUND, format!("there is no note {id}")))
}

#[instrument(skip(pool))]
async fn load(pool: &SqlitePool, id: i64) -> Answer<Option<Note>> {
    let note = sqlx::query_as("SELECT text FROM notes WHERE id = ?").bind(id).fetch_optional(pool).await;
    let Some((text,)) = note.map_err(failed)? else { return Ok(None) };
    let tags = sqlx::query_scalar("SELECT name FROM tags WHERE note = ?").bind(id).fetch_all(pool).await;
    Ok(Some(Note { id, text, tags: tags.map_err(failed)? }))
}

fn failed(error: sqlx::Error) -> (StatusCode, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}
