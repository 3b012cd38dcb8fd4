//! The tags of all articles.

use zerver::effects::sql;
use zerver::prelude::*;

/// Tags that are in use, the most frequent first.
#[slot]
#[derive(Debug, Clone, PartialEq)]
pub struct Tags {
    tags: Vec<String>,
}

#[step]
pub fn list() -> Decision<Tags> {
    let query = sql::query(
        "select tag from articles, unnest(tag_list) as tag group by tag order by count(*) desc, tag limit 100",
    );
    Need(query.named("tags").all().map(|tags| Tags { tags }))
}

#[step]
pub fn render(tags: &Tags) -> Response {
    Response::json(tags)
}
