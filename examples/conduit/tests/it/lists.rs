//! Lists of articles, the feed, and tags.

use serde_json::{Value as Json, json};

use crate::harness::{Answer, encoded, story};

fn slugs(answer: &Answer) -> Vec<&str> {
    let articles = answer.json["articles"].as_array().unwrap();
    articles.iter().map(|article| article["slug"].as_str().unwrap()).collect()
}

#[test]
fn the_newest_articles_come_first_and_without_bodies() {
    story(|conduit| {
        let empty = conduit.get("/api/articles");
        assert_eq!((empty.status, &empty.json), (200, &json!({ "articles": [], "articlesCount": 0 })));
        let ann = conduit.person("ann");
        for title in ["one", "two", "three"] {
            conduit.article(&ann, title, &[]);
        }
        let list = conduit.get("/api/articles");
        assert_eq!(slugs(&list), ["three", "two", "one"]);
        assert_eq!(list.json["articlesCount"], 3);
        let article = list.json["articles"][0].as_object().unwrap();
        assert!(!article.contains_key("body") && article.len() == 9, "{article:?}");
        assert_eq!(article["author"]["username"], "ann");
        // A change does not move an article.
        let change = json!({ "article": { "body": "new" } });
        conduit.ask_as(&ann, "PUT", "/api/articles/one").json(&change).send();
        assert_eq!(slugs(&conduit.get("/api/articles")), ["three", "two", "one"]);
    });
}

#[test]
fn lists_have_pages() {
    story(|conduit| {
        let ann = conduit.person("ann");
        for number in 0..23 {
            conduit.article(&ann, &format!("number {number}"), &[]);
        }
        let page = |query: &str| {
            let answer = conduit.get(&format!("/api/articles{query}"));
            assert_eq!(answer.json["articlesCount"], 23, "{answer:?}");
            answer.json["articles"].as_array().unwrap().len()
        };
        assert_eq!(
            (page(""), page("?offset=20"), page("?offset=23"), page("?offset=4294967295")),
            (20, 3, 0, 0)
        );
        assert_eq!((page("?limit=1"), page("?limit=100"), page("?limit=1000000")), (1, 23, 23));
        assert_eq!(slugs(&conduit.get("/api/articles?limit=2&offset=1")), ["number-21", "number-20"]);
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=-1", "limit"),
            ("limit=x", "limit"),
            ("limit=", "limit"),
            ("limit=1e3", "limit"),
            ("offset=-1", "offset"),
            ("offset=x", "offset"),
            ("offset=99999999999999999999", "offset"),
        ] {
            conduit.get(&format!("/api/articles?{query}")).assert_error(422, field, "is invalid");
            conduit
                .ask_as(&ann, "GET", format!("/api/articles/feed?{query}"))
                .send()
                .assert_invalid(&[field]);
        }
    });
}

#[test]
fn lists_are_filtered() {
    story(|conduit| {
        let (ann, bob) = (conduit.person("ann"), conduit.person("bob"));
        conduit.article(&ann, "one", &["rust", "a b"]);
        conduit.article(&bob, "two", &["rust"]);
        conduit.article(&ann, "three", &[]);
        conduit.ask_as(&bob, "POST", "/api/articles/one/favorite").send();
        let list = |query: &str| {
            let answer = conduit.get(&format!("/api/articles?{query}"));
            let found: Vec<_> = slugs(&answer).into_iter().map(str::to_owned).collect();
            assert_eq!(answer.json["articlesCount"], found.len(), "{answer:?}");
            found
        };
        assert_eq!(list("tag=rust"), ["two", "one"]);
        assert_eq!(list("tag=a%20b"), ["one"]);
        assert_eq!(list("tag=a+b"), ["one"]);
        assert_eq!(list("author=ann"), ["three", "one"]);
        assert_eq!(list("favorited=bob"), ["one"]);
        assert_eq!(list("tag=rust&author=ann&favorited=bob"), ["one"]);
        assert_eq!(list("tag=rust&favorited=ann"), [""; 0]);
        // An empty filter is none.
        assert_eq!(list("tag=&author=").len(), 3);
        for nothing in [
            "tag=Rust",
            "tag=rus",
            "tag=%25",
            "tag=r%25",
            "tag=_ust",
            "author=an_",
            "author=%27",
            "tag=%7B%7D",
        ] {
            assert_eq!(list(nothing), [""; 0], "{nothing}");
        }
        for injection in ["' or '1'='1", "\"; drop table articles; --", "\\", "{rust,x}", "$1"] {
            for filter in ["tag", "author", "favorited"] {
                assert_eq!(list(&format!("{filter}={}", encoded(injection))), [""; 0], "{injection}");
            }
        }
        conduit.get("/api/articles?tag=%00").assert_error(422, "tag", "is invalid");
        assert_eq!(list("unknown=1").len(), 3);

        let seen = conduit.ask_as(&bob, "GET", "/api/articles?favorited=bob").send();
        assert_eq!(seen.json["articles"][0]["favorited"], true);
        assert_eq!(conduit.get("/api/articles?favorited=bob").json["articles"][0]["favorited"], false);
    });
}

#[test]
fn the_feed_has_articles_of_followed_authors() {
    story(|conduit| {
        let (ann, bob, eve) = (conduit.person("ann"), conduit.person("bob"), conduit.person("eve"));
        conduit.article(&ann, "one", &[]);
        conduit.article(&bob, "two", &[]);
        conduit.article(&ann, "three", &[]);
        conduit.article(&eve, "four", &[]);
        let feed = |query: &str| conduit.ask_as(&eve, "GET", format!("/api/articles/feed{query}")).send();
        assert_eq!(feed("").json, json!({ "articles": [], "articlesCount": 0 }));
        conduit.ask_as(&eve, "POST", "/api/profiles/ann/follow").send();
        let followed = feed("");
        assert_eq!(slugs(&followed), ["three", "one"]);
        assert_eq!(followed.json["articlesCount"], 2);
        assert_eq!(followed.json["articles"][0]["author"]["following"], true);
        assert_eq!(followed.json["articles"][0]["body"], Json::Null);
        assert_eq!(
            (slugs(&feed("?limit=1")), slugs(&feed("?limit=1&offset=1"))),
            (vec!["three"], vec!["one"])
        );
        assert_eq!(feed("?offset=5").json["articlesCount"], 2);
        conduit.ask_as(&eve, "DELETE", "/api/profiles/ann/follow").send();
        assert_eq!(feed("").json["articlesCount"], 0);
    });
}

#[test]
fn tags_are_those_of_articles() {
    story(|conduit| {
        assert_eq!(conduit.get("/api/tags").json, json!({ "tags": [] }));
        let ann = conduit.person("ann");
        conduit.article(&ann, "one", &["rare", "common"]);
        conduit.article(&ann, "two", &["common", "ünï ✓"]);
        assert_eq!(conduit.get("/api/tags").json, json!({ "tags": ["common", "rare", "ünï ✓"] }));
    });
}
