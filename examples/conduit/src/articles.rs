//! Reading articles: lists, the feed, and one article.

use zerver::effects::sql;
use zerver::prelude::*;

use crate::auth::Viewer;
use crate::profiles::Profile;
use crate::validation::query_text;

/// Articles on a page, unless the client asks for another number.
const PAGE: u32 = 20;
const MAX_PAGE: u32 = 100;

/// An article, as the viewer sees it.
#[slot]
#[derive(Debug, Clone, PartialEq, sql::Row)]
#[serde(rename_all = "camelCase")]
pub struct Article {
    pub slug: String,
    pub title: String,
    pub description: String,
    /// Lists leave it out.
    #[row(default)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    pub tag_list: Vec<String>,
    #[serde(serialize_with = "iso_8601")]
    pub created_at: sql::Timestamp,
    #[serde(serialize_with = "iso_8601")]
    pub updated_at: sql::Timestamp,
    pub favorited: bool,
    pub favorites_count: i64,
    #[row(flatten)]
    pub author: Profile,
}

/// A page of articles, as the response contains them.
#[slot]
#[derive(Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Articles {
    articles: Vec<Article>,
    articles_count: i64,
}

/// Articles that a client asks for.
#[slot]
#[derive(Debug, Clone, PartialEq)]
pub struct Filters {
    tag: Option<String>,
    author: Option<String>,
    favorited: Option<String>,
    page: Page,
}

/// Writes a time with milliseconds: `2026-11-29T15:12:44.120Z`.
pub fn iso_8601<S: serde::Serializer>(time: &sql::Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    let text = time.to_string();
    let (seconds, fraction) =
        text.trim_end_matches('Z').split_once('.').unwrap_or((text.trim_end_matches('Z'), ""));
    serializer.collect_str(&format_args!("{seconds}.{fraction:0<3.3}Z"))
}

#[step]
pub fn parse_filters(request: &Request) -> Result<Filters, Failure> {
    Ok(Filters {
        tag: query_text(request, "tag")?,
        author: query_text(request, "author")?,
        favorited: query_text(request, "favorited")?,
        page: request.page(PAGE, MAX_PAGE)?,
    })
}

/// Columns of an article in a list.
macro_rules! listed {
    ($rest:literal) => {
        concat!(
            "select slug, title, description, tag_list, created_at, updated_at, favorited, favorites_count, ",
            "username, bio, image, following from articles_seen_by($1) where ",
            $rest,
            " order by created_at desc, id desc limit $2 offset $3"
        )
    };
}

#[step]
pub fn list(viewer: Option<&Viewer>, filters: &Filters) -> Decision<Articles> {
    let Filters { tag, author, favorited, page } = filters;
    let articles = sql::query(listed!(
        "($4::text is null or tag_list @> array[$4]) and ($5::text is null or username = $5)
        and ($6::text is null or exists (select from favorites join users on users.id = user_id
            where article_id = articles_seen_by.id and users.username = $6))"
    ));
    let count = sql::query(
        "select count(*) from articles_seen_by(null)
        where ($1::text is null or tag_list @> array[$1]) and ($2::text is null or username = $2)
        and ($3::text is null or exists (select from favorites join users on users.id = user_id
            where article_id = articles_seen_by.id and users.username = $3))",
    );
    let articles = articles.bind(viewer.map(|viewer| viewer.id)).bind(page.limit).bind(page.offset);
    let articles = articles.bind(tag.as_deref()).bind(author.as_deref()).bind(favorited.as_deref());
    let count = count.bind(tag.as_deref()).bind(author.as_deref()).bind(favorited.as_deref());
    Need(both(articles.named("articles"), count.named("articles_count")))
}

#[step]
pub fn feed(viewer: &Viewer, request: &Request) -> Result<Decision<Articles>, Failure> {
    let page = request.page(PAGE, MAX_PAGE)?;
    let articles = sql::query(listed!("following")).bind(viewer.id).bind(page.limit).bind(page.offset);
    let count = sql::query("select count(*) from articles_seen_by($1) where following").bind(viewer.id);
    Ok(Need(both(articles.named("feed"), count.named("feed_count"))))
}

/// Reads a page and the number of all articles at the same time.
fn both(articles: sql::Query, count: sql::Query) -> Effect<Articles> {
    all((articles.all(), count.one())).map(|(articles, articles_count)| Articles { articles, articles_count })
}

#[step]
pub fn render_list(articles: &Articles) -> Response {
    Response::json(articles)
}

/// Returns the query for one article.
pub fn seen_by(viewer: Option<&Viewer>, slug: &str) -> sql::Query {
    sql::query(
        "select slug, title, description, body, tag_list, created_at, updated_at, favorited, favorites_count,
            username, bio, image, following
        from articles_seen_by($1) where slug = $2",
    )
    .bind(viewer.map(|viewer| viewer.id))
    .bind(slug)
    .named("article")
}

#[step]
pub fn load(viewer: Option<&Viewer>, request: &Request) -> Decision<Article> {
    let slug = request.param_str("slug").unwrap_or_default();
    Need(seen_by(viewer, slug).optional().or_not_found("article", slug))
}

/// Body of the response with one article.
#[derive(Serialize)]
struct ArticleView<'a> {
    article: &'a Article,
}

#[step]
pub fn render(article: &Article) -> Response {
    Response::json(&ArticleView { article })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_exactly_three_digits_of_a_second() {
        let shown = |micros| iso_8601(&sql::Timestamp(micros), serde_json::value::Serializer).unwrap();
        assert_eq!(shown(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(shown(120_000), "1970-01-01T00:00:00.120Z");
        assert_eq!(shown(999_999), "1970-01-01T00:00:00.999Z");
    }

    #[test]
    fn filters_come_from_the_query() {
        let filters = parse_filters(&Request::get("/?tag=a%20b&author=ann&limit=3")).unwrap();
        let page = Page { limit: 3, offset: 0 };
        let expected = Filters { tag: Some("a b".into()), author: Some("ann".into()), favorited: None, page };
        assert_eq!(filters, expected);
        for target in ["/?limit=x", "/?offset=-1", "/?limit=0", "/?tag=%00"] {
            assert!(parse_filters(&Request::get(target)).is_err(), "{target}");
        }
    }
}
