//! `zerver dev` on a service outside of this workspace: it is built, watched, rebuilt and restarted.

use std::fs;
use std::path::Path;

use crate::harness::{Dev, OtherBuilds, Place, cargo, programs, root};

const MAIN: &str = r#"
use zerver::prelude::*;

#[step]
fn say() -> Response {
    Response::text("one")
}

fn app() -> App {
    App::new().flow(flow!("say", GET "/", steps: [say]))
}

zerver::main!(app);
"#;

/// A package outside of this workspace, with the same versions of everything.
fn package(at: &Path) {
    fs::create_dir_all(at.join("src")).unwrap();
    let manifest = format!(
        "[package]\nname = \"say\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\nzerver = {{ path = {:?} }}\n",
        root().join("runtime")
    );
    fs::write(at.join("Cargo.toml"), manifest).unwrap();
    fs::copy(root().join("Cargo.lock"), at.join("Cargo.lock")).unwrap();
    fs::write(at.join("src/main.rs"), MAIN).unwrap();
}

#[test]
fn a_change_is_built_and_served_and_a_broken_one_is_shown_and_not() {
    let place = Place::new();
    let app = place.path().join("say");
    package(&app);
    let mut command = place.command(&["dev", app.to_str().unwrap(), "--addr", "127.0.0.1:0"]);
    let builds = OtherBuilds::begin();
    command.envs(builds.environment());
    // The dependencies may not have been built with these settings yet, which takes too long on a busy machine.
    let mut build = cargo();
    build.arg("build").current_dir(&app).envs(builds.environment());
    let built = build.output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let mut dev = Dev::start(command);
    assert_eq!(dev.get("/").body, "one");

    let write = |main: &str| fs::write(app.join("src/main.rs"), main).unwrap();
    write(&MAIN.replace("\"one\"", "\"two\""));
    dev.wait_for_line("listening on");
    assert_eq!(dev.get("/").body, "two");

    write(&MAIN.replace("\"one\"", "no such thing"));
    dev.wait_for_line("error");
    assert_eq!(dev.get("/").body, "two", "the last good one stays");

    for n in 0..30 {
        write(&MAIN.replace("\"one\"", &format!("\"{n}\"")));
    }
    write(&MAIN.replace("\"one\"", "\"three\""));
    // On a busy machine, an earlier change may have been built as well.
    let mut asked = 3;
    loop {
        dev.wait_for_line("listening on");
        asked += 1;
        if dev.get("/").body == "three" {
            break;
        }
    }
    assert_eq!(place.wait_for(asked).len(), asked);

    write(&MAIN.replace("\"one\"", "\"four\""));
    dev.wait_for_line("Compiling say");
    assert_eq!(dev.get("/").body, "three");
    dev.signal("-INT");
    assert_eq!(dev.wait().code(), Some(0), "also while it builds");
    assert_eq!(place.wait_for(asked + 1).len(), asked + 1);
}

#[test]
fn a_step_that_is_not_the_same_twice_is_named() {
    let place = Place::new();
    let mut dev = place.dev_of(&programs().misbehaving);
    dev.get("/look");
    let line = dev.wait_for_line("gave different results in two runs");
    assert!(line.starts_with("warning: step look of flow look (tests/misbehaving.rs:"), "{line}");
    assert!(line.contains("response.body: "), "{line}");
}
