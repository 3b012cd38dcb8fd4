//! Servers that `zerver dev` starts for a service: their data survive a new program, and nothing is left of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use serde_json::json;

use crate::harness::{Dev, PATIENCE, Place, programs, root};

/// A folder for the servers. They run as another user if this one is root.
fn temporary() -> tempfile::TempDir {
    let folder = tempfile::Builder::new().prefix("s").tempdir_in("/tmp").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

/// Returns what is left in a folder for servers. `zerver dev` itself has a folder for sockets there, until it is killed.
fn servers_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    // The data of a server, not a socket of `zerver dev`.
    entries.filter(|path| path.join("data").exists()).collect()
}

fn dev(place: &Place, exe: &Path, temporary: &Path) -> Command {
    let app = root().join("examples/conduit");
    let (exe, app) = (exe.to_str().unwrap(), app.to_str().unwrap());
    let mut command = place.command(&["dev", app, "--exe", exe, "--addr", "127.0.0.1:0"]);
    command.env("TMPDIR", temporary).env_remove("DATABASE_URL");
    command
}

/// Puts a copy of the program in the place of another one, as Cargo does.
fn install(exe: &Path) {
    let new = exe.with_extension("new");
    fs::copy(&programs().conduit, &new).unwrap();
    fs::rename(&new, exe).unwrap();
}

fn log_in(dev: &Dev) -> u16 {
    let user = json!({ "user": { "email": "zoe@example.com", "password": "long enough" } });
    dev.ask("POST", "/api/users/login").json(user).send().status
}

#[test]
fn data_survive_a_new_program_and_end_with_dev() {
    let (place, temporary) = (Place::new(), temporary());
    let exe = place.path().join("conduit");
    install(&exe);
    let mut dev = Dev::start(dev(&place, &exe, temporary.path()));
    assert_eq!(dev.get("/api/articles").json()["articlesCount"], 3, "the example data");
    let user =
        json!({ "user": { "username": "zoe", "email": "zoe@example.com", "password": "long enough" } });
    assert_eq!(dev.ask("POST", "/api/users").json(user).send().status, 201);
    install(&exe);
    dev.wait_for_line("listening on http://");
    assert_eq!(log_in(&dev), 200, "the database is the same");
    assert_eq!(servers_in(temporary.path()).len(), 1);
    assert!(dev.stop().success());
    assert!(servers_in(temporary.path()).is_empty());
}

#[test]
fn a_killed_dev_leaves_no_server_behind() {
    let (place, temporary) = (Place::new(), temporary());
    let dev = Dev::start(dev(&place, &programs().conduit, temporary.path()));
    assert_eq!(log_in(&dev), 401, "there is no such user");
    assert_eq!(servers_in(temporary.path()).len(), 1);
    // SIGKILL.
    drop(dev);
    let start = Instant::now();
    while !servers_in(temporary.path()).is_empty() {
        assert!(start.elapsed() < PATIENCE, "the server is still there");
        std::thread::yield_now();
    }
}

#[test]
fn a_variable_that_is_set_is_left_alone_and_an_unknown_server_is_reported() {
    let (place, temporary) = (Place::new(), temporary());
    let settings = place.path().join("zerver.toml");
    let todos = programs().todos.to_str().unwrap();
    let args = ["dev", ".", "--exe", todos, "--no-watch", "--addr", "127.0.0.1:0"];
    fs::write(&settings, "[dev]\nservers = { CACHE_URL = \"mysql\" }\n").unwrap();
    let unknown = place.zerver(&args);
    let expected =
        "zerver.toml:2: invalid dev.servers: must be a server, postgres or redis, for each variable";
    assert!(unknown.err.contains(expected), "{unknown:?}");
    fs::write(&settings, "[dev]\nservers = { CACHE_URL = \"redis\" }\n").unwrap();
    let start = |url: Option<&str>| {
        let mut command = place.command(&args);
        command
            .env("TMPDIR", temporary.path())
            .env_remove("CACHE_URL")
            .envs(url.map(|url| ("CACHE_URL", url)));
        Dev::start(command)
    };
    let has_server = || {
        let mut entries = fs::read_dir(temporary.path()).unwrap();
        entries.any(|entry| entry.unwrap().path().join("redis.sock").exists())
    };
    let dev = start(Some("redis://127.0.0.1"));
    assert!(!has_server());
    assert!(dev.stop().success());
    let dev = start(None);
    assert!(has_server());
    assert!(dev.stop().success());
    assert!(!has_server());
}
