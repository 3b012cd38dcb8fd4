//! Profiles, and following them.

use serde_json::{Value as Json, json};

use crate::harness::story;

#[test]
fn anyone_reads_a_profile() {
    story(|conduit| {
        let ann = conduit.person("ann");
        let expected =
            json!({ "profile": { "username": "ann", "bio": null, "image": null, "following": false } });
        let answer = conduit.get("/api/profiles/ann");
        assert_eq!((answer.status, &answer.json), (200, &expected));
        assert_eq!(conduit.ask_as(&ann, "GET", "/api/profiles/ann").send().json, expected);
        conduit.get("/api/profiles/unknown").assert_error(404, "profile", "not found");
    });
}

#[test]
fn following_can_be_repeated() {
    story(|conduit| {
        let (ann, bob) = (conduit.person("ann"), conduit.person("bob"));
        let follow = |method| conduit.ask_as(&bob, method, "/api/profiles/ann/follow").send();
        let following = |target: &str| {
            let seen = conduit.ask_as(&bob, "GET", target).send();
            seen.json["profile"]["following"].clone()
        };
        for _ in 0..2 {
            let answer = follow("POST");
            assert_eq!((answer.status, &answer.json["profile"]["following"]), (200, &json!(true)));
            assert_eq!(answer.json["profile"]["username"], "ann");
        }
        assert_eq!(following("/api/profiles/ann"), true);
        // Others do not follow because bob does.
        assert_eq!(conduit.get("/api/profiles/ann").json["profile"]["following"], false);
        let own = conduit.ask_as(&ann, "GET", "/api/profiles/bob").send();
        assert_eq!(own.json["profile"]["following"], false);
        for _ in 0..2 {
            let answer = follow("DELETE");
            assert_eq!((answer.status, &answer.json["profile"]["following"]), (200, &json!(false)));
        }
        assert_eq!(following("/api/profiles/ann"), false);
        for method in ["POST", "DELETE"] {
            let unknown = conduit.ask_as(&bob, method, "/api/profiles/unknown/follow").send();
            unknown.assert_error(404, "profile", "not found");
        }
        assert_ne!(ann.token, bob.token);
    });
}

#[test]
fn a_changed_profile_is_seen_by_others() {
    story(|conduit| {
        let ann = conduit.person("ann");
        let user = json!({ "user": { "bio": "New", "image": "https://example.com/a.png" } });
        conduit.ask_as(&ann, "PUT", "/api/user").json(&user).send();
        let profile: Json = conduit.get("/api/profiles/ann").json["profile"].clone();
        assert_eq!(
            (&profile["bio"], &profile["image"]),
            (&json!("New"), &json!("https://example.com/a.png"))
        );
    });
}
