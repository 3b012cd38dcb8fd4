//! `PUT /api/articles/{slug}`.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize};
use sqlx::PgPool;

use super::articles::Article;
use super::auth::Viewer;
use super::error::{ApiError, Invalid};

/// Longest slug, in bytes.
const SLUG_BYTES: usize = 120;

/// Maximum number of tags of an article.
const TAGS: usize = 20;

#[derive(Deserialize)]
pub(super) struct ChangeBody {
    article: Changes,
}

/// Changes of an article. `Some(None)` is null.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Changes {
    #[serde(default, deserialize_with = "present")]
    title: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    description: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    body: Option<Option<String>>,
    #[serde(default, deserialize_with = "present")]
    tag_list: Option<Option<Vec<String>>>,
}

/// Distinguishes null from a missing field.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

#[derive(Serialize)]
pub(super) struct ArticleBody {
    article: Article,
}

impl Changes {
    fn check(&mut self) -> Result<(), ApiError> {
        let mut invalid = Invalid::default();
        for (field, text, max) in [
            ("title", &self.title, 250),
            ("description", &self.description, 200_000),
            ("body", &self.body, 200_000),
        ] {
            if let Some(text) = text {
                invalid.text(field, text.as_deref().unwrap_or_default(), max);
            }
        }
        match &mut self.tag_list {
            Some(Some(tags)) => {
                let mut seen = std::collections::BTreeSet::new();
                tags.retain(|tag| seen.insert(tag.clone()));
                if tags.len() > TAGS {
                    invalid.add("tagList", format!("has too many tags (maximum is {TAGS})"));
                }
                for tag in tags {
                    invalid.text("tagList", tag, 60);
                }
            }
            Some(None) => invalid.add("tagList", "can't be blank"),
            None => {}
        }
        invalid.finish()
    }
}

fn slug(title: &str) -> String {
    let mut slug = String::new();
    let words = title.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    for c in words.flat_map(|word| std::iter::once('-').chain(word.chars())).skip(1) {
        for c in c.to_lowercase() {
            if slug.len() + c.len_utf8() <= SLUG_BYTES {
                slug.push(c);
            }
        }
    }
    if slug.is_empty() {
        let random = std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), title);
        return format!("{random:016x}");
    }
    slug.trim_end_matches('-').to_owned()
}

pub(super) async fn update(
    State(pool): State<PgPool>,
    viewer: Viewer,
    Path(old_slug): Path<String>,
    body: Result<Json<ChangeBody>, JsonRejection>,
) -> Result<Json<ArticleBody>, ApiError> {
    let found = sqlx::query_as("select id, author_id from articles where slug = $1").bind(&old_slug);
    let found: Option<(i64, i64)> = found.fetch_optional(&pool).await?;
    let (id, author) = found.ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, "article", "not found"))?;
    if author != viewer.id {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "article", "forbidden"));
    }
    let Json(ChangeBody { article: mut changes }) = body?;
    changes.check()?;
    let Changes { title, description, body, tag_list } = changes;
    let title = title.flatten();
    let new_slug = title.as_deref().map(slug);
    let mut transaction = pool.begin().await?;
    sqlx::query(
        "update articles set
            slug = coalesce($2, slug),
            title = coalesce($3, title),
            description = coalesce($4, description),
            body = coalesce($5, body),
            tag_list = coalesce($6, tag_list),
            updated_at = now()
        where id = $1",
    )
    .bind(id)
    .bind(&new_slug)
    .bind(title)
    .bind(description.flatten())
    .bind(body.flatten())
    .bind(tag_list.flatten())
    .execute(&mut *transaction)
    .await?;
    let article = sqlx::query_as(
        "select slug, title, description, body, tag_list, created_at, updated_at, favorited, favorites_count,
            username, bio, image, following
        from articles_seen_by($1) where slug = $2",
    )
    .bind(viewer.id)
    .bind(new_slug.as_ref().unwrap_or(&old_slug))
    .fetch_one(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(Json(ArticleBody { article }))
}
