//! Changing articles: creating, editing and deleting them, and marking them as favorites.

use zerver::effects::sql;
use zerver::prelude::*;

use crate::articles::{self, Article, seen_by};
use crate::auth::Viewer;
use crate::validation::{TAG, TEXT, TITLE, check, optional_text, taken, text};

/// Longest slug, in bytes.
const SLUG_BYTES: usize = 120;

/// Maximum number of tags of an article.
const TAGS: usize = 20;

/// An article that is written.
#[slot]
#[derive(Debug, Clone, PartialEq)]
pub struct NewArticle {
    slug: String,
    title: String,
    description: String,
    body: String,
    tag_list: Vec<String>,
}

/// An article of the user who sent the request.
#[slot]
#[derive(Debug, Clone, PartialEq)]
pub struct Own {
    id: i64,
    slug: String,
}

/// Changes of an article. What is `None` stays as it is.
#[slot]
#[derive(Debug, Clone, PartialEq)]
pub struct ArticleChanges {
    slug: Option<String>,
    title: Option<String>,
    description: Option<String>,
    body: Option<String>,
    tag_list: Option<Vec<String>>,
}

#[step]
pub fn parse_new(request: &Request, random: &Random) -> Result<NewArticle, Failure> {
    let mut article = request.json_object("article")?;
    let title = text(&mut article, "title", TITLE);
    let new = NewArticle {
        slug: slug(&title, *random),
        title,
        description: text(&mut article, "description", TEXT),
        body: text(&mut article, "body", TEXT),
        tag_list: tags(&mut article).unwrap_or_default(),
    };
    article.finish(new)
}

/// Reads the tags, without duplicates.
fn tags(article: &mut JsonObject) -> Option<Vec<String>> {
    let mut tags: Vec<String> = article.optional("tagList")?;
    let mut seen = std::collections::BTreeSet::new();
    tags.retain(|tag| seen.insert(tag.clone()));
    article.check("tagList", tags.len() <= TAGS, format_args!("has too many tags (maximum is {TAGS})"));
    for tag in &tags {
        article.check("tagList", !tag.trim().is_empty(), "can't contain a blank tag");
        check(article, "tagList", tag, TAG);
    }
    Some(tags)
}

/// Returns the part of the article's path: letters and digits of the title in lower case, with hyphens in between. A title
/// without any gets a random one.
fn slug(title: &str, random: Random) -> String {
    let mut slug = String::new();
    let words = title.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    for c in words.flat_map(|word| std::iter::once('-').chain(word.chars())).skip(1) {
        for c in c.to_lowercase() {
            if slug.len() + c.len_utf8() <= SLUG_BYTES {
                slug.push(c);
            }
        }
    }
    if slug.is_empty() { format!("{:016x}", random.u64(0)) } else { slug.trim_end_matches('-').to_owned() }
}

#[step]
pub fn insert(viewer: &Viewer, new: &NewArticle) -> Decision<Article> {
    let insert = sql::query(
        "insert into articles (slug, title, description, body, tag_list, author_id) values ($1, $2, $3, $4, $5, $6)",
    );
    let NewArticle { slug, title, description, body, tag_list } = new;
    let insert = insert.bind(slug).bind(title).bind(description).bind(body).bind(&**tag_list).bind(viewer.id);
    let batch = sql::batch([insert, seen_by(Some(viewer), slug)]).named("article_insert");
    Need(batch.run().try_map(|results| results[1].one()).map_failure(taken))
}

#[step]
pub fn render_created(article: &Article) -> Response {
    articles::render(article).status(StatusCode::CREATED)
}

#[step]
pub fn load_own(viewer: &Viewer, request: &Request) -> Decision<Own> {
    let slug = request.param_str("slug").unwrap_or_default().to_owned();
    let query =
        sql::query("select id, author_id from articles where slug = $1").bind(&slug).named("article_author");
    let viewer = *viewer;
    Need(query.optional::<(i64, i64)>().or_not_found("article", &slug).try_map(move |(id, author)| {
        if author == viewer.id { Ok(Own { id, slug }) } else { Err(Failure::forbidden("article").key(slug)) }
    }))
}

#[step]
pub fn parse_changes(request: &Request, random: &Random) -> Result<ArticleChanges, Failure> {
    let mut article = request.json_object("article")?;
    let title = optional_text(&mut article, "title", TITLE);
    let changes = ArticleChanges {
        slug: title.as_deref().map(|title| slug(title, *random)),
        title,
        description: optional_text(&mut article, "description", TEXT),
        body: optional_text(&mut article, "body", TEXT),
        tag_list: tags(&mut article),
    };
    article.finish(changes)
}

#[step]
pub fn update(viewer: &Viewer, own: &Own, changes: &ArticleChanges) -> Decision<Article> {
    let update = sql::query(
        "update articles set
            slug = coalesce($2, slug),
            title = coalesce($3, title),
            description = coalesce($4, description),
            body = coalesce($5, body),
            tag_list = coalesce($6, tag_list),
            updated_at = now()
        where id = $1",
    );
    let ArticleChanges { slug, title, description, body, tag_list } = changes.clone();
    let now = slug.clone().unwrap_or_else(|| own.slug.clone());
    let update = update.bind(own.id).bind(slug).bind(title).bind(description).bind(body).bind(tag_list);
    let batch = sql::batch([update, seen_by(Some(viewer), &now)]).named("article_update");
    Need(batch.run().try_map(|results| results[1].one()).map_failure(taken))
}

#[step]
pub fn render(article: &Article) -> Response {
    articles::render(article)
}

#[step]
pub fn delete(own: &Own) -> Decision<()> {
    Need(
        sql::query("delete from articles where id = $1")
            .bind(own.id)
            .named("article_delete")
            .execute()
            .map(drop),
    )
}

#[step]
pub fn render_deleted() -> Response {
    Response::no_content()
}

#[step]
pub fn favorite(viewer: &Viewer, request: &Request) -> Decision<Article> {
    let insert = "insert into favorites select $1, id from articles where slug = $2 on conflict do nothing";
    Need(marked(viewer, request, insert, "favorite"))
}

#[step]
pub fn unfavorite(viewer: &Viewer, request: &Request) -> Decision<Article> {
    let delete = "delete from favorites using articles where user_id = $1 and article_id = id and slug = $2";
    Need(marked(viewer, request, delete, "unfavorite"))
}

/// Changes the favorites of the viewer, and reads the article.
fn marked(viewer: &Viewer, request: &Request, change: &'static str, name: &'static str) -> Effect<Article> {
    let slug = request.param_str("slug").unwrap_or_default();
    let change = sql::query(change).bind(viewer.id).bind(slug);
    let batch = sql::batch([change, seen_by(Some(viewer), slug)]).named(name).idempotent();
    batch.run().try_map(|results| results[1].optional()).or_not_found("article", slug)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_consists_of_the_words_of_the_title() {
        let random = Random { seed: 1 };
        assert_eq!(slug("How to train your dragon!", random), "how-to-train-your-dragon");
        assert_eq!(slug(" Über  <b>Größe</b> ", random), "über-b-größe-b");
        assert_eq!(slug("你好，世界", random), "你好-世界");
        assert_eq!(slug("!?", random).len(), 16);
        assert!(slug(&"ab ".repeat(100), random).len() <= SLUG_BYTES);
    }

    #[test]
    fn tags_can_be_removed_but_not_null() {
        let parse = |body| parse_changes(&Request::get("/").with_body(body), &Random { seed: 1 });
        assert_eq!(parse(r#"{"article": {"tagList": []}}"#).unwrap().tag_list, Some(vec![]));
        assert_eq!(
            parse(r#"{"article": {"tagList": ["a", "b", "a"]}}"#).unwrap().tag_list.unwrap(),
            ["a", "b"]
        );
        assert_eq!(parse(r#"{"article": {"body": "b"}}"#).unwrap().tag_list, None);
        for invalid in ["null", "\"a\"", "[1]", "[\" \"]"] {
            let body = format!(r#"{{"article": {{"tagList": {invalid}}}}}"#);
            let failure = parse_changes(&Request::get("/").with_body(body), &Random { seed: 1 }).unwrap_err();
            assert_eq!(failure.fields()[0].field, "tagList", "{invalid}");
        }
    }
}
