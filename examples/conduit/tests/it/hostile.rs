//! Unusual text, in every field that stores text, and requests that no flow takes.

use serde_json::json;

use crate::harness::{encoded, password, story};

const TEXTS: [&str; 8] = [
    "<script>alert(\"x\")</script>",
    "'; drop table users; --",
    "100% _under_ \\ back\\slash",
    "Ünïcödé 你好 🦀 \u{202e}rtl\u{202c} e\u{301}",
    "line\r\nbreak\ttab \u{1b}[31m",
    "{\"json\": [1]}",
    "$1 $2 :name ?",
    "null",
];

#[test]
fn text_comes_back_as_it_was_sent() {
    story(|conduit| {
        for (text, number) in TEXTS.into_iter().zip(0..) {
            let user = json!({ "username": text, "email": format!("{text}@x"), "password": password("x") });
            let made = conduit.ask("POST", "/api/users").json(&json!({ "user": user })).send();
            assert_eq!((made.status, made.json["user"]["username"].as_str()), (201, Some(text)), "{made:?}");
            let token = format!("Token {}", made.json["user"]["token"].as_str().unwrap());
            let ask = |method, target: &str| conduit.ask(method, target).header("authorization", &token);

            let bio = ask("PUT", "/api/user").json(&json!({ "user": { "bio": text } })).send();
            assert_eq!(bio.json["user"]["bio"], text);
            let profile = conduit.get(&format!("/api/profiles/{}", encoded(text)));
            assert_eq!(
                (profile.status, profile.json["profile"]["bio"].as_str()),
                (200, Some(text)),
                "{profile:?}"
            );

            let title = format!("{text} {number}");
            let article = json!({ "title": title, "description": text, "body": text, "tagList": [text] });
            let article = ask("POST", "/api/articles").json(&json!({ "article": article })).send();
            assert_eq!(article.status, 201, "{article:?}");
            let article = &article.json["article"];
            for field in ["description", "body"] {
                assert_eq!(article[field], text);
            }
            assert_eq!((&article["title"], &article["tagList"]), (&json!(title), &json!([text])));
            let slug = encoded(article["slug"].as_str().unwrap());
            assert_eq!(conduit.get(&format!("/api/articles/{slug}")).json["article"]["body"], text);
            for filter in ["tag", "author"] {
                let found = conduit.get(&format!("/api/articles?{filter}={}", encoded(text)));
                assert_eq!(found.json["articlesCount"], 1, "{filter} {text}");
            }
            let target = format!("/api/articles/{slug}/comments");
            let comment = ask("POST", &target).json(&json!({ "comment": { "body": text } })).send();
            assert_eq!(comment.json["comment"]["body"], text);
        }
        assert_eq!(conduit.get("/api/articles").json["articlesCount"], TEXTS.len());
        assert_eq!(conduit.get("/api/tags").json["tags"].as_array().unwrap().len(), TEXTS.len());
    });
}

#[test]
fn long_text_is_stored_or_refused_and_never_an_internal_error() {
    story(|conduit| {
        let ann = conduit.person("ann");
        let publish = |article| {
            conduit.ask_as(&ann, "POST", "/api/articles").json(&json!({ "article": article })).send()
        };
        // A larger body is not recorded in full, and its request cannot be replayed.
        let body = "long ".repeat(12_000);
        let long = publish(json!({ "title": "t".repeat(250), "description": "d", "body": body }));
        assert_eq!(long.status, 201);
        assert_eq!(long.json["article"]["body"], body);
        let too_long = publish(json!({ "title": "t".repeat(251), "description": "d", "body": "b" }));
        too_long.assert_error(422, "title", "is too long (maximum is 250 characters)");
        let tags =
            publish(json!({ "title": "t", "description": "d", "body": "b", "tagList": ["x".repeat(61)] }));
        tags.assert_invalid(&["tagList"]);
        let many: Vec<_> = (0..21).map(|number| number.to_string()).collect();
        publish(json!({ "title": "t", "description": "d", "body": "b", "tagList": many }))
            .assert_invalid(&["tagList"]);
        for (field, max) in [("username", 100), ("email", 100), ("password", 200)] {
            let mut user = json!({ "username": "u", "email": "e", "password": password("u") });
            user[field] = json!("ä".repeat(max + 1));
            let answer = conduit.ask("POST", "/api/users").json(&json!({ "user": user })).send();
            answer.assert_invalid(&[field]);
        }
        let user = json!({ "user": { "bio": "a\u{0}b" } });
        conduit.ask_as(&ann, "PUT", "/api/user").json(&user).send().assert_invalid(&["bio"]);
        conduit.get(&format!("/api/profiles/{}", "x".repeat(5000))).assert_error(404, "profile", "not found");
        let path = conduit.get("/api/profiles/a%00b");
        assert_eq!(path.status, 400, "{path:?}");
        assert!(path.json["errors"].is_object());
    });
}

#[test]
fn requests_that_no_flow_takes_get_the_same_form_of_error() {
    story(|conduit| {
        let unknown = conduit.get("/api/unknown");
        assert_eq!(unknown.status, 404);
        assert!(unknown.json["errors"].is_object(), "{unknown:?}");
        let method = conduit.ask("PATCH", "/api/user").send();
        assert_eq!(method.status, 405);
        assert!(method.head.contains("\r\nallow: ") && method.json["errors"].is_object(), "{method:?}");
    });
}
