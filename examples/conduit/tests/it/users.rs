//! Registration, login, and the current user.

use serde_json::{Value as Json, json};

use crate::harness::{CANARY, Conduit, password, story};

fn register(conduit: &Conduit, user: &Json) -> crate::harness::Answer {
    conduit.ask("POST", "/api/users").json(&json!({ "user": user })).send()
}

#[test]
fn a_user_registers_signs_in_and_reads_themselves() {
    story(|conduit| {
        let answer = register(
            conduit,
            &json!({ "username": "ann", "email": "ann@example.com", "password": password("ann") }),
        );
        assert_eq!(answer.status, 201);
        let user = &answer.json["user"];
        assert_eq!(user.as_object().unwrap().len(), 5);
        assert_eq!((&user["username"], &user["email"]), (&json!("ann"), &json!("ann@example.com")));
        assert_eq!((&user["bio"], &user["image"]), (&Json::Null, &Json::Null));
        assert_eq!(user["token"].as_str().unwrap().split('.').count(), 3);

        let login = json!({ "user": { "email": "ann@example.com", "password": password("ann") } });
        let signed_in = conduit.ask("POST", "/api/users/login").json(&login).send();
        assert_eq!((signed_in.status, &signed_in.json["user"]["username"]), (200, &json!("ann")));
        let token = signed_in.json["user"]["token"].as_str().unwrap();
        let me = conduit.ask("GET", "/api/user").header("authorization", &format!("Token {token}")).send();
        assert_eq!((me.status, &me.json["user"]), (200, &signed_in.json["user"]));
        let any_case =
            conduit.ask("GET", "/api/user").header("Authorization", &format!("token  {token} ")).send();
        assert_eq!(any_case.status, 200);
    });
}

#[test]
fn a_registration_needs_a_name_an_address_and_a_password() {
    story(|conduit| {
        let complete = json!({ "username": "ann", "email": "ann@example.com", "password": password("ann") });
        for field in ["username", "email", "password"] {
            for value in [json!(""), json!("  \t"), Json::Null] {
                let mut user = complete.clone();
                user[field] = value;
                register(conduit, &user).assert_error(422, field, "can't be blank");
            }
            let mut user = complete.clone();
            user.as_object_mut().unwrap().remove(field);
            register(conduit, &user).assert_error(422, field, "can't be blank");
            for value in [json!(7), json!(["x"]), json!({ "a": 1 }), json!(true)] {
                let mut user = complete.clone();
                user[field] = value;
                register(conduit, &user).assert_invalid(&[field]);
            }
        }
        register(conduit, &json!({})).assert_invalid(&["email", "password", "username"]);
        conduit.ask("POST", "/api/users").json(&json!({})).send().assert_invalid(&["user"]);
        conduit.ask("POST", "/api/users").json(&json!({ "user": [] })).send().assert_invalid(&["user"]);
        for body in ["", "{", "[]", "null", "\"user\""] {
            conduit.ask("POST", "/api/users").body(body).send().assert_invalid(&["body"]);
        }
    });
}

#[test]
fn names_and_addresses_are_unique() {
    story(|conduit| {
        conduit.person("ann");
        let new = |name: &str, email: &str| {
            register(conduit, &json!({ "username": name, "email": email, "password": password(name) }))
        };
        new("ann", "other@example.com").assert_error(409, "username", "has already been taken");
        new("other", "ann@example.com").assert_error(409, "email", "has already been taken");
        assert_eq!(new("other", "other@example.com").status, 201);
        let other = json!({ "user": { "email": "other@example.com", "password": password("other") } });
        assert_eq!(conduit.ask("POST", "/api/users/login").json(&other).send().status, 200);
    });
}

#[test]
fn a_login_needs_the_right_password() {
    story(|conduit| {
        conduit.person("ann");
        let login =
            |user: Json| conduit.ask("POST", "/api/users/login").json(&json!({ "user": user })).send();
        let invalid = |email: &str, password: &str| {
            login(json!({ "email": email, "password": password })).assert_error(
                401,
                "credentials",
                "invalid",
            );
        };
        invalid("ann@example.com", &format!("{CANARY}-wrong"));
        invalid("ann@example.com", &format!("{} ", password("ann")));
        invalid("unknown@example.com", &password("ann"));
        invalid("ann@example.com' or '1'='1", &password("ann"));
        login(json!({ "email": "", "password": password("ann") })).assert_error(
            422,
            "email",
            "can't be blank",
        );
        login(json!({ "email": "ann@example.com" })).assert_error(422, "password", "can't be blank");
        login(json!({})).assert_invalid(&["email", "password"]);
    });
}

#[test]
fn a_token_is_needed_and_must_be_valid() {
    story(|conduit| {
        let ann = conduit.person("ann");
        let guarded = [
            ("GET", "/api/user"),
            ("PUT", "/api/user"),
            ("POST", "/api/profiles/ann/follow"),
            ("DELETE", "/api/profiles/ann/follow"),
            ("GET", "/api/articles/feed"),
            ("POST", "/api/articles"),
            ("PUT", "/api/articles/x"),
            ("DELETE", "/api/articles/x"),
            ("POST", "/api/articles/x/favorite"),
            ("DELETE", "/api/articles/x/favorite"),
            ("POST", "/api/articles/x/comments"),
            ("DELETE", "/api/articles/x/comments/1"),
        ];
        for (method, target) in guarded {
            let answer = conduit.ask(method, target).send();
            answer.assert_error(401, "token", "is missing");
            assert!(answer.head.contains("\r\nwww-authenticate: token"), "{answer:?}");
        }
        let (rest, signature) = ann.token.rsplit_once('.').unwrap();
        let reversed: String = signature.chars().rev().collect();
        // {"alg":"none"}
        let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", rest.split('.').nth(1).unwrap());
        for token in ["x", "a.b.c", &format!("{rest}.{reversed}"), &unsigned] {
            let with =
                |target| conduit.ask("GET", target).header("authorization", &format!("Token {token}")).send();
            with("/api/user").assert_error(401, "token", "is invalid");
            with("/api/articles").assert_error(401, "token", "is invalid");
        }
        let bearer =
            conduit.ask("GET", "/api/user").header("authorization", &format!("Bearer {}", ann.token));
        bearer.send().assert_error(401, "token", "is missing");
    });
}

#[test]
fn a_user_changes_themselves() {
    story(|conduit| {
        let ann = conduit.person("ann");
        conduit.person("bob");
        let put = |user: Json| conduit.ask_as(&ann, "PUT", "/api/user").json(&json!({ "user": user })).send();

        let changed = put(json!({ "bio": "Writes", "image": "https://example.com/a.png" }));
        assert_eq!(changed.status, 200);
        let user = &changed.json["user"];
        assert_eq!((&user["bio"], &user["image"]), (&json!("Writes"), &json!("https://example.com/a.png")));
        assert_eq!((&user["username"], &user["email"]), (&json!("ann"), &json!("ann@example.com")));
        // What is missing stays; null and the empty text remove bio and image.
        assert_eq!(put(json!({})).json, changed.json);
        assert_eq!(put(json!({ "bio": "" })).json["user"]["bio"], Json::Null);
        assert_eq!(put(json!({ "image": null })).json["user"]["image"], Json::Null);
        let renamed = put(json!({ "username": "anna", "email": "anna@example.com" }));
        assert_eq!((renamed.status, &renamed.json["user"]["username"]), (200, &json!("anna")));
        let me = conduit.ask_as(&ann, "GET", "/api/user").send();
        assert_eq!(me.json["user"]["email"], "anna@example.com");

        for field in ["username", "email", "password"] {
            put(json!({ field: "" })).assert_error(422, field, "can't be blank");
            put(json!({ field: null })).assert_error(422, field, "can't be blank");
            put(json!({ field: 5 })).assert_invalid(&[field]);
        }
        put(json!({ "bio": 5 })).assert_error(422, "bio", "is not a string");
        put(json!({ "username": "bob" })).assert_error(409, "username", "has already been taken");
        put(json!({ "email": "bob@example.com" })).assert_error(409, "email", "has already been taken");

        assert_eq!(put(json!({ "password": format!("{CANARY}-new") })).status, 200);
        let login = |password: &str| {
            let user = json!({ "email": "anna@example.com", "password": password });
            conduit.ask("POST", "/api/users/login").json(&json!({ "user": user })).send().status
        };
        assert_eq!((login(&password("ann")), login(&format!("{CANARY}-new"))), (401, 200));
    });
}
