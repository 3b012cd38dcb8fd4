//! `zerver explain` on a service with a database.

use std::process::Command;

use serde_json::json;
use zerver_local_server::Postgres;

use crate::harness::{Dev, Place, Ran, programs};

struct Conduit {
    place: Place,
    server: Postgres,
}

impl Conduit {
    /// Starts a database, and the service until it has recorded a few requests.
    fn recorded() -> Self {
        let conduit = Self { place: Place::new(), server: Postgres::start().unwrap() };
        let dev = Dev::start(conduit.command(&["dev", "--no-watch", "--addr", "127.0.0.1:0"]));
        let user = json!({"user": {"username": "ann", "email": "ann@example.com", "password": "hunter2!"}});
        assert_eq!(dev.ask("POST", "/api/users").json(user).send().status, 201);
        assert_eq!(dev.get("/api/articles?tag=x").status, 200);
        assert_eq!(dev.get("/api/tags").status, 200);
        conduit.place.wait_for(3);
        dev.stop();
        conduit
    }

    /// Returns a command of `zerver` for the service, which finds its database in the environment.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.place.command(arguments);
        command.args(["--exe", programs().conduit.to_str().unwrap()]);
        command.env("DATABASE_URL", self.server.url()).env("CONDUIT_KEY", "only for tests");
        command
    }

    fn explain(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(&[&["explain"], arguments].concat()).output().unwrap())
    }
}

#[test]
fn a_recorded_call_is_explained_by_the_database_of_the_service() {
    let mut conduit = Conduit::recorded();
    let tags = conduit.explain(&["@last"]);
    assert_eq!(tags.code, Some(0), "{tags:?}");
    for part in
        ["GET /api/tags", "tags, ", " when it was recorded", "  Sort", "cost ", "Seq Scan on articles"]
    {
        assert!(tags.out.contains(part), "{part}: {tags:?}");
    }
    assert!(!tags.out.contains(" in 0."), "nothing was performed: {tags:?}");
    let analyzed = conduit.explain(&["@last", "TAGS", "--analyze"]);
    assert!(analyzed.code == Some(0) && analyzed.out.contains("execution "), "{analyzed:?}");
    let plan = conduit.explain(&["@last", "0", "--json"]);
    let plan: serde_json::Value = serde_json::from_str(&plan.out).unwrap();
    assert_eq!((&plan["call"], &plan["name"], &plan["analyzed"]), (&json!(0), &json!("tags"), &json!(false)));
    assert!(plan["statements"][0]["plan"][0]["Plan"]["Total Cost"].is_number(), "{plan}");
    let articles = conduit.explain(&["@last:articles"]);
    assert!(articles.code == Some(0) && articles.out.contains("articles"), "{articles:?}");

    // A secret is bound, and not shown.
    let register = conduit.explain(&["@last:register", "user_insert"]);
    assert!(register.code == Some(0) && register.out.contains("Insert on users"), "{register:?}");
    assert!(!register.out.contains("argon2"), "{register:?}");
    let error = |arguments: &[&str], part: &str| {
        let ran = conduit.explain(arguments);
        assert!(ran.code == Some(2) && ran.out.is_empty() && ran.err.contains(part), "{part}: {ran:?}");
    };
    error(&["@last:register", "user_insert", "--analyze"], "is not recognized as one that only reads");
    error(&["@last:register", "0"], "call 0 is not an SQL call but ");
    error(
        &["@last", "comments"],
        "no SQL call has the number or contains the text \"comments\"; there are: 0 tags",
    );
    // An exported request has no key for its secrets.
    let file = conduit.place.path().join("register.zrv");
    let exported = conduit.place.zerver(&["export", "@last:register", "-o", file.to_str().unwrap()]);
    assert_eq!(exported.code, Some(0), "{exported:?}");
    error(
        &[file.to_str().unwrap(), "user_insert"],
        "a parameter is a secret, which is sealed and cannot be bound",
    );

    conduit.server.stop();
    let down = conduit.explain(&["@last"]);
    assert!(down.code == Some(2) && down.err.contains("cannot connect to the database"), "{down:?}");
}
