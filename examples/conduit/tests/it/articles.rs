//! Writing, reading, changing and deleting articles, and favorites.

use serde_json::{Value as Json, json};

use crate::harness::{Answer, Conduit, Person, story};

fn publish(conduit: &Conduit, author: &Person, article: &Json) -> Answer {
    conduit.ask_as(author, "POST", "/api/articles").json(&json!({ "article": article })).send()
}

fn change(conduit: &Conduit, author: &Person, slug: &str, article: &Json) -> Answer {
    let target = format!("/api/articles/{slug}");
    conduit.ask_as(author, "PUT", target).json(&json!({ "article": article })).send()
}

/// Returns true for a time such as `2026-11-29T15:12:44.120Z`.
fn is_iso_8601(value: &Json) -> bool {
    let pattern = "0000-00-00T00:00:00.000Z";
    let text = value.as_str().unwrap_or_default();
    let fits = |(c, p): (char, char)| if p == '0' { c.is_ascii_digit() } else { c == p };
    text.len() == pattern.len() && text.chars().zip(pattern.chars()).all(fits)
}

#[test]
fn an_article_is_published_and_read() {
    story(|conduit| {
        let ann = conduit.person("ann");
        let new = json!({ "title": "How to train your dragon", "description": "Ever wonder how?",
            "body": "You have to believe", "tagList": ["reactjs", "angularjs", "dragons", "dragons"] });
        let created = publish(conduit, &ann, &new);
        assert_eq!(created.status, 201, "{created:?}");
        let article = &created.json["article"];
        assert_eq!(article["slug"], "how-to-train-your-dragon");
        for field in ["title", "description", "body"] {
            assert_eq!(article[field], new[field]);
        }
        assert_eq!(article["tagList"], json!(["reactjs", "angularjs", "dragons"]));
        assert_eq!((&article["favorited"], &article["favoritesCount"]), (&json!(false), &json!(0)));
        assert!(is_iso_8601(&article["createdAt"]) && is_iso_8601(&article["updatedAt"]), "{article}");
        let author = json!({ "username": "ann", "bio": null, "image": null, "following": false });
        assert_eq!(article["author"], author);
        assert_eq!(article.as_object().unwrap().len(), 10);

        let read = conduit.get("/api/articles/how-to-train-your-dragon");
        assert_eq!((read.status, &read.json), (200, &created.json));
        conduit.get("/api/articles/unknown").assert_error(404, "article", "not found");

        let bob = conduit.person("bob");
        conduit.ask_as(&bob, "POST", "/api/profiles/ann/follow").send();
        let seen = conduit.ask_as(&bob, "GET", "/api/articles/how-to-train-your-dragon").send();
        assert_eq!(seen.json["article"]["author"]["following"], true);
    });
}

#[test]
fn an_article_needs_a_title_a_description_and_a_body() {
    story(|conduit| {
        let ann = conduit.person("ann");
        let complete = json!({ "title": "One", "description": "d", "body": "b" });
        for field in ["title", "description", "body"] {
            for value in [json!(""), json!(" "), Json::Null] {
                let mut article = complete.clone();
                article[field] = value;
                publish(conduit, &ann, &article).assert_error(422, field, "can't be blank");
            }
            let mut article = complete.clone();
            article[field] = json!(["x"]);
            publish(conduit, &ann, &article).assert_invalid(&[field]);
        }
        publish(conduit, &ann, &json!({})).assert_invalid(&["body", "description", "title"]);
        for tags in [json!("x"), json!([1]), json!([""]), json!({}), Json::Null] {
            let mut article = complete.clone();
            article["tagList"] = tags;
            publish(conduit, &ann, &article).assert_invalid(&["tagList"]);
        }
        let created = publish(conduit, &ann, &complete);
        assert_eq!((created.status, &created.json["article"]["tagList"]), (201, &json!([])));
    });
}

#[test]
fn slugs_are_unique() {
    story(|conduit| {
        let (ann, bob) = (conduit.person("ann"), conduit.person("bob"));
        conduit.article(&ann, "One title", &[]);
        let again = json!({ "title": "One  Title!", "description": "d", "body": "b" });
        publish(conduit, &bob, &again).assert_error(409, "title", "has already been taken");
        let other = conduit.article(&bob, "Another title", &[]);
        let taken = change(conduit, &bob, &other, &json!({ "title": "One title" }));
        taken.assert_error(409, "title", "has already been taken");
        // Nothing of it was stored.
        assert_eq!(conduit.get("/api/articles").json["articlesCount"], 2);
        let same = change(conduit, &bob, &other, &json!({ "title": "Another title" }));
        assert_eq!((same.status, &same.json["article"]["slug"]), (200, &json!(other)));
    });
}

#[test]
fn an_author_changes_an_article() {
    story(|conduit| {
        let ann = conduit.person("ann");
        let slug = conduit.article(&ann, "First", &["a", "b"]);
        let before = conduit.get("/api/articles/first").json["article"].clone();

        let body = change(conduit, &ann, &slug, &json!({ "body": "Better" }));
        assert_eq!(body.status, 200);
        let after = &body.json["article"];
        assert_eq!((&after["body"], &after["title"]), (&json!("Better"), &before["title"]));
        assert_eq!((&after["slug"], &after["tagList"]), (&before["slug"], &json!(["a", "b"])));
        assert_eq!(after["createdAt"], before["createdAt"]);
        assert!(after["updatedAt"].as_str() >= before["updatedAt"].as_str());
        assert_eq!(change(conduit, &ann, &slug, &json!({})).status, 200);

        assert_eq!(
            change(conduit, &ann, &slug, &json!({ "tagList": ["c"] })).json["article"]["tagList"],
            json!(["c"])
        );
        assert_eq!(
            change(conduit, &ann, &slug, &json!({ "tagList": [] })).json["article"]["tagList"],
            json!([])
        );
        change(conduit, &ann, &slug, &json!({ "tagList": null })).assert_error(
            422,
            "tagList",
            "can't be blank",
        );
        for field in ["title", "description", "body"] {
            change(conduit, &ann, &slug, &json!({ field: "" })).assert_error(422, field, "can't be blank");
            change(conduit, &ann, &slug, &json!({ field: null })).assert_error(422, field, "can't be blank");
            change(conduit, &ann, &slug, &json!({ field: 1 })).assert_invalid(&[field]);
        }

        // The slug follows the title.
        let renamed = change(conduit, &ann, &slug, &json!({ "title": "Second" }));
        assert_eq!(renamed.json["article"]["slug"], "second");
        conduit.get("/api/articles/first").assert_error(404, "article", "not found");
        assert_eq!(conduit.get("/api/articles/second").json["article"]["body"], "Better");
    });
}

#[test]
fn only_the_author_changes_or_deletes_an_article() {
    story(|conduit| {
        let (ann, bob) = (conduit.person("ann"), conduit.person("bob"));
        let slug = conduit.article(&ann, "Mine", &["tag"]);
        change(conduit, &bob, &slug, &json!({ "body": "x" })).assert_error(403, "article", "forbidden");
        let target = format!("/api/articles/{slug}");
        conduit.ask_as(&bob, "DELETE", &target).send().assert_error(403, "article", "forbidden");
        for method in ["PUT", "DELETE"] {
            let unknown = conduit.ask_as(&bob, method, "/api/articles/unknown");
            unknown.json(&json!({ "article": {} })).send().assert_error(404, "article", "not found");
        }
        conduit.ask_as(&ann, "POST", format!("{target}/favorite")).send();
        let comment = json!({ "comment": { "body": "c" } });
        conduit.ask_as(&bob, "POST", format!("{target}/comments")).json(&comment).send();
        let deleted = conduit.ask_as(&ann, "DELETE", &target).send();
        assert_eq!((deleted.status, &deleted.json), (204, &Json::Null));
        conduit.get(&target).assert_error(404, "article", "not found");
        conduit.ask_as(&ann, "DELETE", &target).send().assert_error(404, "article", "not found");
        assert_eq!(conduit.get("/api/tags").json, json!({ "tags": [] }));
        assert_eq!(conduit.article(&bob, "Mine", &[]), "mine", "the slug is free again");
    });
}

#[test]
fn favorites_can_be_repeated() {
    story(|conduit| {
        let (ann, bob) = (conduit.person("ann"), conduit.person("bob"));
        let target = format!("/api/articles/{}", conduit.article(&ann, "Liked", &[]));
        let mark = |person: &Person, method| {
            let answer = conduit.ask_as(person, method, format!("{target}/favorite")).send();
            assert_eq!(answer.status, 200, "{answer:?}");
            let article = &answer.json["article"];
            assert_eq!(article["slug"], "liked");
            (article["favorited"].as_bool().unwrap(), article["favoritesCount"].as_i64().unwrap())
        };
        assert_eq!(mark(&bob, "POST"), (true, 1));
        assert_eq!(mark(&bob, "POST"), (true, 1));
        assert_eq!(mark(&ann, "POST"), (true, 2));
        let seen = conduit.get(&target).json["article"].clone();
        assert_eq!((&seen["favorited"], &seen["favoritesCount"]), (&json!(false), &json!(2)));
        assert_eq!(mark(&bob, "DELETE"), (false, 1));
        assert_eq!(mark(&bob, "DELETE"), (false, 1));
        for method in ["POST", "DELETE"] {
            let unknown = conduit.ask_as(&bob, method, "/api/articles/unknown/favorite").send();
            unknown.assert_error(404, "article", "not found");
        }
    });
}
