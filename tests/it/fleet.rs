//! Two services that ship to one PostgreSQL or one bucket, and the commands that read it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use zerver_local_server::{Postgres, S3};

use crate::harness::{Asking, Dev, Place, Ran, programs, root};
use crate::pty::Terminal;
use crate::web::Browser;

/// Time limit of every wait.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn commands_read_the_requests_of_two_services_from_a_database() {
    let database = Postgres::start().unwrap_or_else(|error| panic!("{error}"));
    ship_and_read(&format!("{}&ns=shop", database.url()), &[]);
}

#[test]
fn commands_read_the_requests_of_two_services_from_a_bucket() {
    let server = S3::start(&["traces"]).unwrap_or_else(|error| panic!("{error}"));
    let url = format!("s3://traces/fleet?ns=shop&endpoint={}", server.url());
    let key = [("AWS_ACCESS_KEY_ID", S3::KEY), ("AWS_SECRET_ACCESS_KEY", S3::SECRET)];
    let first = ship_and_read(&url, &key);
    let fleet = |arguments: &[&str]| run(&first, &[arguments, &["--store", &url]].concat(), &key);
    let without_key = first.zerver(&["ls", "--store", &url]);
    assert_eq!(without_key.code, Some(2), "{without_key:?}");
    assert!(without_key.err.contains("AWS_ACCESS_KEY_ID"), "{}", without_key.err);
    // The present hour is not packed, and nothing changes.
    let compacted = fleet(&["fleet", "compact", "--settle", "0s", "--grace", "0s", "--json"]);
    assert_eq!(compacted.code, Some(0), "{compacted:?}");
    let listed = fleet(&["ls", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&listed.out).unwrap();
    assert_eq!(json["requests"].as_array().unwrap().len(), 6);
    // An object that was removed by hand is found.
    let live = server.bucket_folder("traces").join("fleet/shop/live");
    let hour = std::fs::read_dir(live).unwrap().next().unwrap().unwrap().path();
    let mut segments: Vec<_> = std::fs::read_dir(hour).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.sort();
    std::fs::remove_file(segments.pop().unwrap()).unwrap();
    let doctor = fleet(&["doctor"]);
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    assert!(doctor.out.contains("their object is missing"), "{}", doctor.out);
}

/// Returns the first of three ports in a row that are free now.
fn three_ports() -> u16 {
    let free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    let first = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let found = (first..u16::MAX - 2).find(|&port| (port..port + 3).all(free));
    found.expect("no three ports are free")
}

#[test]
fn three_replicas_of_conduit_are_one_fleet() {
    let database = Postgres::start().unwrap_or_else(|error| panic!("{error}"));
    let place = Place::new();
    let mut command = Command::new(root().join("examples/conduit/fleet/replicas.sh"));
    command.env("DATABASE_URL", database.url()).env("PORT", three_ports().to_string());
    command.env("BIN_DIR", programs().zerver.parent().unwrap()).env("REPLICAS_DIR", place.path());
    let mut script = Script(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(script.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let (mut addrs, mut store) = (Vec::new(), String::new());
    for line in lines.by_ref() {
        if let Some((_, rest)) = line.split_once(": http://") {
            addrs.push(rest.split('/').next().unwrap().to_owned());
        }
        if let Some(url) = line.strip_prefix("export ZERVER_STORE=") {
            store = url.trim_matches('\'').to_owned();
            break;
        }
    }
    assert_eq!(addrs.len(), 3);
    let until = Instant::now() + PATIENCE;
    for addr in &addrs {
        // A replica listens before its database has answered, and says 503 meanwhile.
        let answer = loop {
            assert!(Instant::now() < until, "{addr} is not ready");
            if std::net::TcpStream::connect(addr).is_ok() {
                let answer = Asking::new(addr, "GET", "/api/articles").send();
                if answer.status != 503 {
                    break answer;
                }
            }
            std::thread::yield_now();
        };
        assert_eq!((answer.status, answer.json()["articlesCount"].as_u64()), (200, Some(3)));
    }
    let listed = loop {
        // The flow is unknown until the first replica has shipped its catalog.
        let listed = place.zerver(&["ls", "flow:articles", "status:200", "--json", "--store", &store]);
        let json: serde_json::Value = serde_json::from_str(&listed.out).unwrap_or_default();
        if json["requests"].as_array().is_some_and(|requests| requests.len() == 3) {
            break json;
        }
        assert!(Instant::now() < until, "{listed:?}");
    };
    let nodes: std::collections::BTreeSet<_> = listed["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|request| request["node"].as_str().unwrap())
        .collect();
    assert_eq!(nodes.len(), 3, "{listed}");
    // A token of one replica is valid for the others.
    let user = serde_json::json!({"user": {"email": "ann@example.com", "password": "conduit-demo"}});
    let token =
        Asking::new(&addrs[0], "POST", "/api/users/login").json(user).send().json()["user"]["token"].clone();
    for addr in &addrs {
        let request = Asking::new(addr, "GET", "/api/user");
        let answer = request.header("authorization", &format!("Token {}", token.as_str().unwrap())).send();
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    // The script ends its replicas.
    let id = script.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert!(script.0.wait().unwrap().success());
    for addr in &addrs {
        assert!(std::net::TcpStream::connect(addr).is_err(), "{addr} still listens");
    }
}

/// A script that is killed if the test fails.
struct Script(Child);

impl Drop for Script {
    fn drop(&mut self) {
        let id = self.0.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &id]).stderr(Stdio::null()).status();
        let _ = self.0.wait();
    }
}

fn run(place: &Place, arguments: &[&str], variables: &[(&str, &str)]) -> Ran {
    Ran::of(place.command(arguments).envs(variables.iter().copied()).output().unwrap())
}

/// Both UIs name the nodes of the listed requests, in lists, above a request and above a comparison.
fn nodes_are_shown(place: &Place, url: &str, variables: &[(&str, &str)], [a, b]: &[&serde_json::Value; 2]) {
    let text = |request: &serde_json::Value, key: &str| request[key].as_str().unwrap().to_owned();
    let (node, id, other) = (text(a, "node"), text(a, "id"), text(b, "id"));
    // A narrow list shows the ends of names.
    let end = &node[node.len().saturating_sub(7)..];
    for (columns, rows) in [(80, 24), (200, 50)] {
        let mut command = place.command(&["tui", "--store", url]);
        command.envs(variables.iter().copied());
        let mut terminal = Terminal::start(&command, columns, rows);
        terminal.wait_for(&["age↑  node", "method", end, "/reports"]);
        terminal.press("\r");
        terminal.wait_for(&[", node "]);
        terminal.press("q");
        assert!(terminal.end().success());
    }
    let (browser, mut web) = browse(place, url, &[], variables);
    let list = browser.get("/").body;
    assert!(list.contains("<th scope=\"col\">Node</th>") && list.contains(&node), "{list}");
    let head = format!("node {node}");
    for page in [format!("/requests/{id}"), format!("/diff?a={id}&b={other}")] {
        let body = browser.get(&page).body;
        assert!(body.contains(&head), "{page}: {body}");
    }
    web.kill().unwrap();
    web.wait().unwrap();
}

/// Returns the place from which the commands ran.
fn ship_and_read(url: &str, variables: &[(&str, &str)]) -> Place {
    let (first, second) = (Place::new(), Place::new());
    let fleet = |arguments: &[&str]| run(&first, &[arguments, &["--store", url]].concat(), variables);
    // Before the namespace is there, a command says what to do, and a service starts.
    let missing = fleet(&["ls"]);
    assert_eq!(missing.code, Some(2));
    assert!(missing.err.contains("zerver fleet init --store"), "{}", missing.err);
    let created = fleet(&["fleet", "init", "--json"]);
    assert_eq!(created.code, Some(0), "{created:?}");
    assert!(created.out.contains("\"created\":true"), "{}", created.out);
    let services = [&first, &second].map(|place| {
        let mut command = place.service();
        command.env("ZERVER_FLEET_STORE", url).env("ZERVER_FLEET_EVERY", "50ms");
        command.envs(variables.iter().copied());
        Dev::start(command)
    });
    for (n, service) in services.iter().enumerate() {
        for _ in 0..=n {
            assert_eq!(service.get("/reports/todos").status, 200);
        }
        assert_eq!(service.get("/nowhere").status, 404);
    }
    let listed = |arguments: &[&str]| {
        let ran = fleet(&[&["ls", "--json"], arguments].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let json: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        json["requests"].as_array().unwrap().clone()
    };
    let until = Instant::now() + PATIENCE;
    while listed(&[]).len() < 5 {
        assert!(Instant::now() < until, "{:?}", fleet(&["fleet", "status"]));
        std::thread::yield_now();
    }
    assert_eq!(listed(&["status:404"]).len(), 2);
    let reports = listed(&["flow:report"]);
    assert_eq!(reports.len(), 3);
    let id = |at: usize| reports[at]["id"].as_str().unwrap();
    for arguments in [
        &["trace", "@last"][..],
        &["trace", id(2)],
        &["flows"],
        &["why", "@slowest"],
        &["catalog"],
        &["export", id(0), "-o", "-"],
        &["doctor"],
        &["fleet", "status"],
    ] {
        let ran = fleet(arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:?}");
    }
    let compared = fleet(&["diff", id(0), id(2), "--no-tui"]);
    assert!(matches!(compared.code, Some(0 | 1)), "{compared:?}");
    nodes_are_shown(&first, url, variables, &[&reports[0], &reports[2]]);
    let exe = programs().todos.to_str().unwrap();
    let replayed = fleet(&["replay", id(2), "--exe", exe]);
    assert_eq!(replayed.code, Some(0), "{replayed:?}");
    let many = fleet(&["replay", "--all", "flow:report", "--exe", exe]);
    assert_eq!(many.code, Some(0), "{many:?}");
    let simulated = fleet(&["simulate", "--json"]);
    assert!(matches!(simulated.code, Some(0 | 1)), "{simulated:?}");
    for refused in [&["doctor", "--repair"][..], &["import", "/nowhere.zrv"], &["dev", "--exe", exe]] {
        assert_eq!(fleet(refused).code, Some(2), "{refused:?}");
    }
    let json =
        |arguments: &[&str]| -> serde_json::Value { serde_json::from_str(&fleet(arguments).out).unwrap() };
    let traced = json(&["trace", id(0), "--json"]);
    assert_eq!(traced["node"], reports[0]["node"], "{traced}");
    let compared = json(&["diff", id(0), id(2), "--json"]);
    assert_eq!(compared["nodes"], serde_json::json!([reports[0]["node"], reports[2]["node"]]), "{compared}");
    // Both services run on one machine, so that the start of an id chooses between them.
    let node = reports[0]["node"].as_str().unwrap().to_owned();
    let follow = ["ls", "--follow", "--ndjson", "path:/last", "--store", url];
    let mut following = first.command(&follow);
    following.envs(variables.iter().copied()).stdout(Stdio::piped());
    let mut following = following.spawn().unwrap();
    // What is recorded last is shipped while the service ends.
    assert_eq!(services[0].get("/last").status, 404);
    let [one, two] = services;
    assert!(one.stop().success() && two.stop().success());
    let mut line = String::new();
    BufReader::new(following.stdout.take().unwrap()).read_line(&mut line).unwrap();
    following.kill().unwrap();
    following.wait().unwrap();
    let seen: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(seen["path"], "/last", "{seen}");
    assert!(
        seen["node"].as_str().is_some_and(|seen| seen.split('/').next() == node.split('/').next()),
        "{seen}"
    );
    assert_eq!(listed(&[]).len(), 6);
    let status = fleet(&["fleet", "status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status.out).unwrap();
    for node in status["nodes"].as_array().unwrap() {
        assert_eq!((&node["missing"], &node["waiting"]), (&0.into(), &0.into()), "{node}");
    }
    first
}

/// Serves the web UI of a fleet, and signs in.
fn browse(place: &Place, url: &str, more: &[&str], variables: &[(&str, &str)]) -> (Browser, Child) {
    let web = ["web", "--json", "--addr", "127.0.0.1:0", "--store", url];
    let mut command = place.command(&[&web[..], more].concat());
    let mut web = command.envs(variables.iter().copied()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(web.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    (Browser::sign_in(line["url"].as_str().unwrap()), web)
}

#[test]
fn whoever_has_the_private_key_replays_requests_with_secrets_from_anywhere() {
    let database = Postgres::start().unwrap_or_else(|error| panic!("{error}"));
    let url = format!("{}&ns=sealed", database.url());
    let (operator, node) = (Place::new(), Place::new());
    let with = |arguments: &[&str], variables: &[(&str, &str)]| {
        run(&operator, &[arguments, &["--store", &url]].concat(), variables)
    };
    let fleet = |arguments: &[&str]| with(arguments, &[]);
    let [key, hash] = ["fleet.key", "hash.key"].map(|name| operator.path().join(name).display().to_string());
    assert_eq!(fleet(&["fleet", "init"]).code, Some(0));
    assert!(fleet(&["fleet", "key", "list"]).err.contains("has no key"));
    let made = fleet(&["fleet", "key", "new", &key, "--hash-key", &hash, "--json"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    let made: serde_json::Value = serde_json::from_str(&made.out).unwrap();
    let again = fleet(&["fleet", "key", "new", &key, "--hash-key", &hash]);
    assert!(again.code == Some(2) && again.err.contains("never overwritten"), "{again:?}");
    let mut command = node.service();
    command
        .env("ZERVER_FLEET_STORE", &url)
        .env("ZERVER_FLEET_EVERY", "50ms")
        .env("ZERVER_FLEET_HASH_KEY", &hash);
    let service = Dev::start(command);
    let needle = "needle-hunter2-correct-horse";
    let id = service.ask("GET", "/v1/todos/1").bearer(needle).send().id().to_owned();
    let until = Instant::now() + PATIENCE;
    while fleet(&["trace", &id]).code != Some(0) {
        assert!(Instant::now() < until, "{:?}", fleet(&["fleet", "status"]));
        std::thread::yield_now();
    }
    let exe = programs().todos.to_str().unwrap();
    let replay = ["replay", &id, "--exe", exe];
    let locked = fleet(&replay);
    let key_id = made["id"].as_str().unwrap();
    assert!(locked.err.contains("cannot decrypt its secrets") && locked.err.contains(key_id), "{locked:?}");
    let (browser, mut web) = browse(&node, &url, &["--exe", exe], &[]);
    let page = browser.post(&format!("/requests/{id}/replay")).body;
    assert!(page.contains("its secrets cannot be decrypted") && page.contains(key_id), "{page}");
    web.kill().unwrap();
    web.wait().unwrap();
    let unwrap = format!("'{}' fleet key unwrap '{key}'", programs().zerver.display());
    for open in [("ZERVER_FLEET_KEY", key.as_str()), ("ZERVER_FLEET_UNWRAP_COMMAND", &unwrap)] {
        let replayed = with(&replay, &[open]);
        assert!(replayed.code == Some(0) && !replayed.err.contains("decrypt"), "{replayed:?}");
        let test = with(&["export", &id, "--test", "--with-secrets", "-o", "-"], &[open]);
        assert!(test.out.contains(needle), "{test:?}");
        let shown = with(&["trace", &id, "-v"], &[open]);
        assert!(!shown.out.contains(needle), "{shown:?}");
        let checked = with(&["doctor"], &[open]);
        assert!(
            checked.code == Some(0) && checked.out.contains("readable with the keys that are here"),
            "{checked:?}"
        );
    }
    let resent = fleet(&["resend", &id, "--addr", "127.0.0.1:1", "--yes"]);
    assert!(resent.code == Some(2) && resent.err.contains("cannot decrypt its secrets"), "{resent:?}");
    let listed = fleet(&["fleet", "key", "list"]);
    assert!(listed.out.contains(&format!("key {key_id}, current")), "{listed:?}");
    assert!(listed.out.contains("1 process on 1 node"), "{listed:?}");
    let status = fleet(&["fleet", "status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status.out).unwrap();
    assert_eq!(
        (&status["keys"][0]["id"], &status["keys"][0]["processes"]),
        (&made["id"], &1.into()),
        "{status}"
    );
    assert!(service.stop().success());
    // A service whose hash key is another file does not start.
    let mut command = node.service();
    command.env("ZERVER_FLEET_STORE", &url).env("ZERVER_FLEET_HASH_KEY", &key);
    let refused = command.output().unwrap();
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("ZERVER_FLEET_HASH_KEY") && said.contains("not the hash key of a fleet"), "{said}");
}
