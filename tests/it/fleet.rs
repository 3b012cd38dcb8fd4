//! Two services that ship to one PostgreSQL or one bucket, and the commands that read it.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use zerver_local_server::{Postgres, S3};

use crate::harness::{Dev, Place, Ran, programs};
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
    let mut web = place.command(&["web", "--json", "--addr", "127.0.0.1:0", "--store", url]);
    let mut web = web.envs(variables.iter().copied()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(web.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let browser = Browser::sign_in(line["url"].as_str().unwrap());
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
