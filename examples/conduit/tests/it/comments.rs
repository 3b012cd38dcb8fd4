//! Comments on articles.

use serde_json::{Value as Json, json};

use crate::harness::story;

#[test]
fn comments_are_written_read_and_deleted() {
    story(|conduit| {
        let (ann, bob) = (conduit.person("ann"), conduit.person("bob"));
        let target = format!("/api/articles/{}/comments", conduit.article(&ann, "one", &[]));
        assert_eq!(conduit.get(&target).json, json!({ "comments": [] }));
        let write = |body: &str| {
            let comment = json!({ "comment": { "body": body } });
            let answer = conduit.ask_as(&bob, "POST", &target).json(&comment).send();
            assert_eq!(answer.status, 201, "{answer:?}");
            answer.json["comment"].clone()
        };
        let (first, second) = (write("First"), write("Second"));
        assert_eq!((&first["body"], &first["author"]["username"]), (&json!("First"), &json!("bob")));
        assert_eq!(first.as_object().unwrap().len(), 5);
        assert!(first["createdAt"].as_str().unwrap().ends_with('Z') && first["id"].is_i64());
        assert_eq!(conduit.get(&target).json, json!({ "comments": [first, second] }));
        conduit.ask_as(&ann, "POST", "/api/profiles/bob/follow").send();
        let seen = conduit.ask_as(&ann, "GET", &target).send();
        assert_eq!(seen.json["comments"][0]["author"]["following"], true);

        let id = first["id"].as_i64().unwrap();
        let delete = |person, path: String| conduit.ask_as(person, "DELETE", path).send();
        delete(&ann, format!("{target}/{id}")).assert_error(403, "comment", "forbidden");
        assert_eq!(delete(&bob, format!("{target}/{id}")).status, 204);
        delete(&bob, format!("{target}/{id}")).assert_error(404, "comment", "not found");
        assert_eq!(conduit.get(&target).json["comments"].as_array().unwrap().len(), 1);
        for id in ["x", "0", "-1", "99999999999999999999", "1.0"] {
            delete(&bob, format!("{target}/{id}")).assert_error(404, "comment", "not found");
        }
        // The comment of another article.
        conduit.article(&ann, "two", &[]);
        let elsewhere = format!("/api/articles/two/comments/{}", second["id"]);
        delete(&bob, elsewhere).assert_error(404, "comment", "not found");
    });
}

#[test]
fn a_comment_needs_an_article_and_a_body() {
    story(|conduit| {
        let ann = conduit.person("ann");
        conduit.article(&ann, "one", &[]);
        let write = |slug: &str, body: &Json| {
            let target = format!("/api/articles/{slug}/comments");
            conduit.ask_as(&ann, "POST", target).json(&json!({ "comment": { "body": body } })).send()
        };
        for body in [json!(""), json!("\n"), Json::Null] {
            write("one", &body).assert_error(422, "body", "can't be blank");
        }
        write("one", &json!(5)).assert_invalid(&["body"]);
        conduit
            .ask_as(&ann, "POST", "/api/articles/one/comments")
            .json(&json!({}))
            .send()
            .assert_invalid(&["comment"]);
        write("unknown", &json!("x")).assert_error(404, "article", "not found");
        conduit.get("/api/articles/unknown/comments").assert_error(404, "article", "not found");
        let unknown = conduit.ask_as(&ann, "DELETE", "/api/articles/unknown/comments/1").send();
        unknown.assert_error(404, "article", "not found");
    });
}
