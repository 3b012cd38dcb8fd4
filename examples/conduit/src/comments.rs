//! Comments on articles.

use serde_json::json;
use zerver::effects::sql;
use zerver::prelude::*;

use crate::articles::iso_8601;
use crate::auth::Viewer;
use crate::profiles::Profile;
use crate::validation::{TEXT, text};

/// Id of the article in the path.
#[slot]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArticleId(i64);

/// A comment, as the viewer sees it.
#[slot]
#[derive(Debug, Clone, PartialEq, sql::Row)]
#[serde(rename_all = "camelCase")]
pub struct Comment {
    id: i64,
    #[serde(serialize_with = "iso_8601")]
    created_at: sql::Timestamp,
    #[serde(serialize_with = "iso_8601")]
    updated_at: sql::Timestamp,
    body: String,
    #[row(flatten)]
    author: Profile,
}

/// The comments of an article, oldest first.
#[slot]
#[derive(Debug, Clone, PartialEq)]
pub struct Comments {
    comments: Vec<Comment>,
}

/// Text of a new comment.
#[slot]
#[derive(Debug, Clone, PartialEq)]
pub struct NewComment(String);

/// Id of a comment of the user who sent the request.
#[slot]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OwnComment(i64);

#[step]
pub fn find_article(request: &Request) -> Decision<ArticleId> {
    let slug = request.param_str("slug").unwrap_or_default();
    let query = sql::query("select id from articles where slug = $1").bind(slug).named("article_id");
    Need(query.optional::<i64>().or_not_found("article", slug).map(ArticleId))
}

#[step]
pub fn list(viewer: Option<&Viewer>, article: &ArticleId) -> Decision<Comments> {
    let query = sql::query(
        "select c.id, c.created_at, c.updated_at, c.body, p.username, p.bio, p.image, p.following
        from comments c join profiles_seen_by($1) p on p.id = c.author_id
        where c.article_id = $2 order by c.id",
    );
    let query = query.bind(viewer.map(|viewer| viewer.id)).bind(article.0).named("comments");
    Need(query.all().map(|comments| Comments { comments }))
}

#[step]
pub fn render_list(comments: &Comments) -> Response {
    Response::json(comments)
}

#[step]
pub fn parse(request: &Request) -> Result<NewComment, Failure> {
    let mut comment = request.json_object("comment")?;
    let body = text(&mut comment, "body", TEXT);
    comment.finish(NewComment(body))
}

#[step]
pub fn insert(viewer: &Viewer, article: &ArticleId, new: &NewComment) -> Decision<Comment> {
    let insert = sql::query(
        "with c as (insert into comments (article_id, author_id, body) values ($2, $1, $3) returning *)
        select c.id, c.created_at, c.updated_at, c.body, p.username, p.bio, p.image, p.following
        from c join profiles_seen_by($1) p on p.id = c.author_id",
    );
    Need(insert.bind(viewer.id).bind(article.0).bind(&new.0).named("comment_insert").one())
}

#[step]
pub fn render_created(comment: &Comment) -> Response {
    Response::json(&json!({ "comment": comment })).status(StatusCode::CREATED)
}

#[step]
pub fn load_own(
    viewer: &Viewer,
    article: &ArticleId,
    request: &Request,
) -> Result<Decision<OwnComment>, Failure> {
    let id = request.param::<i64>("id").map_err(|_| Failure::not_found("comment", ""))?;
    let query = sql::query("select author_id from comments where id = $1 and article_id = $2");
    let author = query.bind(id).bind(article.0).named("comment_author").optional::<i64>();
    let viewer = *viewer;
    Ok(Need(author.or_not_found("comment", id).try_map(move |author| {
        if author == viewer.id { Ok(OwnComment(id)) } else { Err(Failure::forbidden("comment").key(id)) }
    })))
}

#[step]
pub fn delete(comment: &OwnComment) -> Decision<()> {
    Need(
        sql::query("delete from comments where id = $1")
            .bind(comment.0)
            .named("comment_delete")
            .execute()
            .map(drop),
    )
}

#[step]
pub fn render_deleted() -> Response {
    Response::no_content()
}
