//! Questions about many requests, asked of the demo store, whose contents are known.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use serde_json::Value as Json;

use crate::demo_store::DemoStore;
use crate::harness::{Place, Ran};

#[test]
fn requests_are_counted_by_what_they_were_and_did() {
    let demo = DemoStore::unpack();
    let reports = demo.count(&["flow=report"]);
    assert!(reports > 50);
    for (query, wanted) in [
        (&["status:5xx"][..], 1),
        (&["flow=report", "status:502"], 1),
        (&["flow=report", "not status:502"], reports - 1),
        (&["flow=report", "(status:502 or status!=502)"], reports),
        (&["query.latency_ms=900"], 2),
        (&["query.latency_ms>400", "took>800ms"], 2),
        (&["body~\"Call the dentist\"", "flow=todos-create"], 1),
        // The shell has removed the quotes.
        (&["body~Call the dentist", "flow=todos-create"], 1),
        (&["header.idempotency-key=k1"], 2),
        (&["slot.Claims.sub=nobody"], 0),
        (&["step:no_such_step"], 0),
        (&["since:\"2000-01-01\"", "until:2000-01-02"], 0),
    ] {
        assert_eq!(demo.count(query), wanted, "{query:?}");
    }
    let (with, without) = (demo.count(&["effect:kv"]), demo.count(&["not effect:kv"]));
    assert!(with > 0 && without > 0 && with + without == demo.count(&[]));
    // A secret is not found, whatever is asked.
    assert_eq!(demo.count(&["header.authorization~ann"]), 0);
    assert_eq!(demo.count(&["slot.AuthHeader~ann"]), 0);
}

#[test]
fn two_sets_are_compared() {
    let demo = DemoStore::unpack();
    let compare = |arguments: &[&str], code: i32| -> Json {
        let ran = demo.zerver(&[arguments, &["--json"]].concat());
        assert_eq!(ran.code, Some(code), "{ran:?}");
        serde_json::from_str(&ran.out).unwrap()
    };
    let slow = "flow=report query.latency_ms>=100";
    let found = compare(&["diff", "--a", "flow=report query.latency_ms<100", "--b", slow], 1);
    assert_eq!(found["verdict"], "changed");
    let report = &found["flows"][0];
    assert_eq!((&report["flow"], &report["took"]["changed"]), (&"report".into(), &true.into()));
    assert!(report["took"]["difference"].as_f64().unwrap() > 5e7, "{report}");
    let rows = report["rows"].as_array().unwrap();
    let upstream = rows.iter().find(|row| row["measure"] == "wait" && row["step"] == "gather").unwrap();
    assert_eq!(upstream["changed"], true, "{upstream}");
    // The examples can be compared in turn.
    let id = |set: &str| report["examples"][set].as_str().unwrap().to_owned();
    let examples = compare(&["diff", &id("a"), &id("b")], 1);
    assert_eq!(examples["verdict"], "different");

    // The rest of the flow is the other set of a query alone.
    let rest = compare(&["why", slow], 1);
    let requests = &rest["flows"][0]["requests"];
    let count = |set: &str| requests[set].as_u64().unwrap();
    assert_eq!((count("b"), count("a") + count("b")), (demo.count(&[slow]), demo.count(&["flow=report"])));
    let text = demo.zerver(&["diff", "--a", "flow=report query.latency_ms<100", "--b", slow]).out;
    assert!(text.starts_with("report: median ") && text.contains(" more (95 % interval "), "{text}");

    let shared = compare(&["diff", "--a", "flow=todos-item", "--b", "flow=todos-item status:4xx"], 1);
    assert_eq!((&shared["shared"], &shared["b"]["requests"]), (&3.into(), &3.into()));
    for (arguments, message) in [
        (&["diff", "--a", "flow:nothing", "--b", slow][..], "no request matches flow:nothing"),
        (&["diff", "--a", slow, "--b", slow], "no two sets to compare"),
        (&["why", "flow=report"], "selects all requests of their flows"),
        (&["why", "statsu:404"], "did you mean status?"),
        (&["why", "report"], "name a request, or give a query"),
    ] {
        let ran = demo.zerver(arguments);
        assert!(ran.code == Some(2) && ran.err.contains(message), "{ran:?}");
    }
}

#[test]
fn requests_are_sorted_and_grouped() {
    let demo = DemoStore::unpack();
    let slowest = demo.json(&["ls", "--sort", "took", "-n", "20"]);
    let durations: Vec<_> = slowest["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|request| request["duration_ns"].as_u64().unwrap())
        .collect();
    assert!(durations.len() == 20 && durations.is_sorted_by(|a, b| a >= b), "{durations:?}");
    let groups = demo.json(&["ls", "--group-by", "flow", "--count", "-n", "all"]);
    let groups = groups["groups"].as_array().unwrap();
    let count = |flow: &str| {
        groups.iter().find(|group| group["key"]["flow"] == flow).unwrap()["count"].as_u64().unwrap()
    };
    assert_eq!(count("report"), demo.count(&["flow=report"]));
    let all: u64 = groups.iter().map(|group| group["count"].as_u64().unwrap()).sum();
    assert_eq!(all, demo.count(&[]));
    let shown = demo.zerver(&["ls", "status:5xx", "--group-by", "flow,status"]);
    let lines: Vec<Vec<_>> = shown.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["flow", "status", "requests", "p50", "p99"]);
    assert_eq!(lines[1][..3], ["report", "502", "1"]);
}

#[test]
fn requests_are_shown_by_duration_in_columns_and_as_lines_of_json() {
    let demo = DemoStore::unpack();
    let histogram = demo.json(&["ls", "flow=report", "--histogram"]);
    let buckets = histogram["histogram"].as_array().unwrap();
    let counted: u64 = buckets.iter().map(|bucket| bucket["count"].as_u64().unwrap()).sum();
    assert_eq!(counted, demo.count(&["flow=report"]));
    for bucket in buckets {
        let (from, to) = (bucket["from_ns"].as_u64().unwrap(), bucket["to_ns"].as_u64().unwrap());
        let query = [format!("took>={from}ns"), format!("took<{to}ns"), "flow=report".to_owned()];
        assert_eq!(demo.count(&query.each_ref().map(String::as_str)), bucket["count"].as_u64().unwrap());
    }
    let shown = demo.zerver(&["ls", "flow=report", "--histogram"]);
    assert_eq!(shown.out.lines().count(), buckets.len() + 1, "{shown:?}");

    let shown = demo.zerver(&["ls", "status:502", "--columns", "status,started,flow"]);
    let lines: Vec<Vec<_>> = shown.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["status", "started", "flow"]);
    assert_eq!((lines[1][0], lines[1][2]), ("502", "report"));

    let ran = demo.zerver(&["ls", "flow=report", "--ndjson", "-n", "3"]);
    let lines: Vec<Json> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.len() == 3 && lines.iter().all(|request| request["flow"] == "report"), "{ran:?}");
    let ran = demo.zerver(&["ls", "--group-by", "flow", "--ndjson"]);
    let first: Json = serde_json::from_str(ran.out.lines().next().unwrap()).unwrap();
    assert!(first["key"]["flow"].is_string() && first["count"].is_u64(), "{ran:?}");

    let newest = &demo.json(&["ls", "-n", "1"])["requests"][0]["started_at"];
    let newest = newest.as_str().unwrap();
    let (before, after) = (["--until", newest], ["--since", newest]);
    let count = |options: &[&str]| demo.count(options);
    assert_eq!(count(&before) + count(&after), count(&[]));
    assert!(count(&after) > 0);
}

#[test]
fn new_requests_are_followed() {
    let place = Place::new();
    let dev = place.dev();
    dev.get("/todos");
    place.wait_for(1);
    let mut command = place.command(&["ls", "--follow", "--json", "not", "flow=todo-show"]);
    let mut following = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut next = || -> Json { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(next()["path"], "/todos");
    let shown = dev.get("/todos/1");
    let answer = dev.get("/todos?limit=3");
    let line = next();
    assert_ne!(line["id"], shown.id());
    assert_eq!((&line["id"], &line["flow"]), (&Json::from(answer.id()), &Json::from("todos-list")));
    following.kill().unwrap();
    following.wait().unwrap();
    dev.stop();
}

#[test]
fn bash_completes_queries_and_requests_from_the_store() {
    let demo = DemoStore::unpack();
    let newest = demo.json(&["ls", "-n", "1"])["requests"][0]["id"].as_str().unwrap().to_owned();
    let complete = |line: &str| {
        let script = "source <(zerver completions bash); COMP_POINT=${#COMP_LINE} COMP_TYPE=9; \
                      _zerver_complete; printf '%s\n' \"${COMPREPLY[@]}\"";
        let zerver = demo.place.command(&[]).get_program().to_owned();
        let folder = std::path::Path::new(&zerver).parent().unwrap().to_owned();
        let path = std::env::join_paths(
            std::iter::once(folder).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
        );
        let mut bash = std::process::Command::new("bash");
        bash.args(["--norc", "-c", script]).env("PATH", path.unwrap()).env("COMP_LINE", line);
        let ran = Ran::of(bash.current_dir(demo.place.path()).output().unwrap());
        ran.out.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let with_store =
        |command: &str, rest: &str| complete(&format!("zerver {command} --store {} {rest}", demo.dir));
    assert_eq!(with_store("ls", "flow:repo"), ["report"]);
    assert_eq!(with_store("flows", "is:failed,clie"), ["failed,client_error"]);
    assert_eq!(with_store("ls", "'step:load_t"), ["load_todo"]);
    assert_eq!(with_store("trace", "@sl"), ["@slowest"]);
    let ids = with_store("trace", &newest[..4]);
    assert!(ids.iter().any(|id| newest.starts_with(id)), "{ids:?}");
    assert_eq!(complete("zerver repl"), ["replay"]);
    assert_eq!(complete("zerver ls --store /nothing flow:x"), [""]);
}

#[test]
fn several_requests_and_standard_input_are_traced() {
    let demo = DemoStore::unpack();
    let both = demo.json(&["trace", "@slowest", "@failed"]);
    let ids: Vec<_> = both["traces"].as_array().unwrap().iter().map(|trace| &trace["id"]).collect();
    assert!(ids.len() == 2 && ids[0] != ids[1], "{ids:?}");
    let shown = demo.zerver(&["trace", "@slowest", "@failed"]);
    assert_eq!(shown.out.matches("\ntotal ").count(), 2, "{shown:?}");
    let exported =
        demo.place.command(&["--store", &demo.dir, "export", "@slowest", "-o", "-"]).output().unwrap();
    let mut command = demo.place.command(&["trace", "-", "--json"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&exported.stdout).unwrap();
    let read: Json = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(&read["id"], ids[0]);
    let mut command = demo.place.command(&["trace", "-"]);
    let ran = Ran::of(command.stdin(Stdio::null()).output().unwrap());
    assert!(ran.code == Some(2) && ran.err.contains("zerver export <id> -o -"), "{ran:?}");
}

#[test]
fn a_request_is_sent_again_to_the_running_service() {
    let place = Place::new();
    let dev = place.dev();
    let todo = serde_json::json!({"title": "twice"});
    let first = dev.ask("POST", "/todos").json(todo).send();
    assert_eq!(first.status, 201, "{first:?}");
    let addr = dev.addr.clone();
    let resend = |more: &[&str]| {
        let words = ["resend", first.id(), "--addr", &addr];
        let mut command = place.command(&[&words, more].concat());
        Ran::of(command.stdin(Stdio::null()).output().unwrap())
    };
    place.wait_for(1);
    let asked = resend(&[]);
    assert!(asked.code == Some(2) && asked.err.contains("pass --yes"), "{asked:?}");
    let again = resend(&["--yes", "--json"]);
    assert_eq!(again.code, Some(0), "{again:?}");
    let again: Json = serde_json::from_str(&again.out).unwrap();
    assert_eq!((&again["status"], &again["resent"]), (&Json::from(201), &Json::from(first.id())));
    assert_ne!(again["id"], first.id());
    let edited = resend(&["-y", "--request-body", "not json"]);
    assert!(edited.out.starts_with("4") && edited.err.contains("zerver diff"), "{edited:?}");
    assert_eq!(place.wait_for(3).len(), 3);
    dev.stop();
    let gone = resend(&["--yes"]);
    assert!(gone.code == Some(2) && gone.err.contains("is the service running?"), "{gone:?}");
}

#[test]
fn manual_pages_are_written() {
    let place = Place::new();
    let ran = place.zerver(&["man", "--dir", place.path().join("man").to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let page = |name: &str| std::fs::read_to_string(place.path().join("man").join(name)).unwrap();
    assert!(page("zerver.1").contains(".SH SUBCOMMANDS"));
    assert!(page("zerver-replay.1").contains("virtual"));
    assert_eq!(place.zerver(&["man", "replay"]).out, page("zerver-replay.1"));
    let ran = place.zerver(&["man", "nothing"]);
    assert!(ran.code == Some(2) && ran.err.contains("there is no command nothing"), "{ran:?}");
}

#[test]
fn flows_are_compared() {
    let demo = DemoStore::unpack();
    let flows = demo.json(&["flows", "--vs", "flow:report took<1s"]);
    let flows = flows["flows"].as_array().unwrap();
    let (report, others) = flows.split_first().unwrap();
    assert_eq!((&report["flow"], &report["errors"]), (&Json::from("report"), &Json::from(1)));
    assert!(report["share"].as_f64().unwrap() > 0.5 && report["change"].is_number(), "{report}");
    assert!(report["p50_ns"].as_u64() <= report["p99_ns"].as_u64());
    assert!(others.iter().all(|flow| flow["change"].is_null()), "{others:?}");
    let requests: u64 = flows.iter().map(|flow| flow["requests"].as_u64().unwrap()).sum();
    assert_eq!(requests, demo.count(&[]));
    let shown = demo.zerver(&["flows", "--sort", "requests"]);
    assert!(
        shown.code == Some(0) && shown.out.contains("todos-item") && !shown.out.contains(" change "),
        "{shown:?}"
    );
}

#[test]
fn a_query_that_is_not_understood_is_an_error_with_a_suggestion() {
    let demo = DemoStore::unpack();
    for (query, message) in [
        ("statsu:500", "there is no field statsu; did you mean status?"),
        ("(flow:a", "this parenthesis is not closed"),
        ("took>soon", "is not a duration"),
    ] {
        for command in ["ls", "flows", "simulate"] {
            let ran = demo.zerver(&[command, query]);
            assert!(ran.code == Some(2) && ran.err.contains(message), "{command} {query}: {ran:?}");
        }
    }
    let ran = demo.zerver(&["flows", "--sort", "change"]);
    assert!(ran.code == Some(2) && ran.err.contains("add --vs QUERY"), "{ran:?}");
}
