//! `GET /api/articles`: what both servers share.

use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize, Serializer};

use super::error::ApiError;

const PAGE: u32 = 20;
const MAX_PAGE: u32 = 100;

/// The page: viewer, limit, offset, tag, author, user of the favorites.
pub(super) const LIST: &str = "
    select slug, title, description, tag_list, created_at, updated_at, favorited, favorites_count,
        username, bio, image, following
    from articles_seen_by($1)
    where ($4::text is null or tag_list @> array[$4]) and ($5::text is null or username = $5)
    and ($6::text is null or exists (select from favorites join users on users.id = user_id
        where article_id = articles_seen_by.id and users.username = $6))
    order by created_at desc, id desc limit $2 offset $3";

/// The number of all articles: tag, author, user of the favorites.
pub(super) const COUNT: &str = "
    select count(*) from articles_seen_by(null)
    where ($1::text is null or tag_list @> array[$1]) and ($2::text is null or username = $2)
    and ($3::text is null or exists (select from favorites join users on users.id = user_id
        where article_id = articles_seen_by.id and users.username = $3))";

#[derive(Deserialize)]
pub(super) struct Filters {
    pub(super) tag: Option<String>,
    pub(super) author: Option<String>,
    pub(super) favorited: Option<String>,
    limit: Option<String>,
    offset: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Articles {
    pub(super) articles: Vec<Article>,
    pub(super) articles_count: i64,
}

#[derive(Serialize, sqlx::FromRow)]
#[serde(rename_all = "camelCase")]
pub(super) struct Article {
    pub(super) slug: String,
    pub(super) title: String,
    pub(super) description: String,
    #[sqlx(default)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<String>,
    pub(super) tag_list: Vec<String>,
    #[serde(serialize_with = "iso_8601")]
    pub(super) created_at: DateTime<Utc>,
    #[serde(serialize_with = "iso_8601")]
    pub(super) updated_at: DateTime<Utc>,
    pub(super) favorited: bool,
    pub(super) favorites_count: i64,
    #[sqlx(flatten)]
    pub(super) author: Profile,
}

#[derive(Serialize, sqlx::FromRow)]
pub(super) struct Profile {
    pub(super) username: String,
    pub(super) bio: Option<String>,
    pub(super) image: Option<String>,
    pub(super) following: bool,
}

fn iso_8601<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

impl Filters {
    /// Checks the filters, and returns limit and offset.
    pub(super) fn checked(&mut self) -> Result<(i64, i64), ApiError> {
        let invalid = |field| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, field, "is invalid");
        for (field, text) in
            [("tag", &mut self.tag), ("author", &mut self.author), ("favorited", &mut self.favorited)]
        {
            if text.as_deref().is_some_and(|text| text.contains('\0')) {
                return Err(invalid(field));
            }
            *text = text.take().filter(|text| !text.is_empty());
        }
        let number = |field, text: Option<&str>, default: u32| match text {
            Some(text) => text.parse::<u32>().map_err(|_| invalid(field)),
            None => Ok(default),
        };
        let limit = number("limit", self.limit.as_deref(), PAGE)?;
        if limit == 0 {
            return Err(invalid("limit"));
        }
        Ok((limit.min(MAX_PAGE).into(), number("offset", self.offset.as_deref(), 0)?.into()))
    }
}
