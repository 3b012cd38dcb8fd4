//! A service that takes money: what a repeated request gets after a crash, replays of idempotent requests, and what
//! remains of an order that fails.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value as Json, json};
use zerver_local_server::Postgres;

use crate::harness::{Answer, Asking, Dev, Place, programs};

/// A database, and a folder for the store.
struct Bank {
    database: Postgres,
    place: Place,
}

impl Bank {
    fn open() -> Self {
        let database = Postgres::start().unwrap_or_else(|error| panic!("{error}"));
        Self { database, place: Place::new() }
    }

    /// Starts the service.
    fn serve(&self, settings: &[(&str, &str)]) -> Dev {
        let mut command = self.place.service_of(&programs().payments);
        command.env("DATABASE_URL", self.database.url()).envs(settings.iter().copied());
        let service = Dev::start(command);
        // It listens before its database is ready.
        while service.get("/payments/count").status == 503 {
            std::thread::yield_now();
        }
        service
    }

    fn exe(&self) -> &'static str {
        programs().payments.to_str().unwrap()
    }
}

fn pay<'a>(service: &'a Dev, key: &str, amount: u32) -> Asking<'a> {
    service.ask("POST", "/payments").header("idempotency-key", key).json(json!(amount))
}

fn shown(answer: &Answer) -> (u16, &str, bool) {
    (answer.status, &answer.body, answer.header("idempotency-replayed").is_some())
}

/// Sends the first request with a key, which waits at this point. Its client stays.
fn pay_and_hold(service: &mut Dev, key: &str, point: &str) -> TcpStream {
    let mut client = TcpStream::connect(&service.addr).unwrap();
    let head = format!(
        "POST /payments HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: 1\r\nidempotency-key: {key}\r\nhold: {point}\r\n\r\n1"
    );
    client.write_all(head.as_bytes()).unwrap();
    service.wait_for_line(&format!("holding {point}"));
    client
}

fn kill(mut service: Dev) {
    service.signal("-KILL");
    service.wait();
}

#[test]
fn a_request_whose_process_is_killed_keeps_its_key_for_the_lease() {
    let bank = Bank::open();
    for point in ["before", "after"] {
        let mut service = bank.serve(&[]);
        let client = pay_and_hold(&mut service, point, point);
        kill(service);
        drop(client);
        let service = bank.serve(&[]);
        let refused = pay(&service, point, 1).send();
        assert_eq!((refused.status, refused.header("retry-after")), (409, Some("1")), "{refused:?}");
        // Another request with the key is refused for that reason, and other keys are free.
        assert_eq!(pay(&service, point, 2).send().status, 422);
        assert_eq!(pay(&service, &format!("other-{point}"), 1).send().status, 201);
    }
}

#[test]
fn after_the_lease_of_a_killed_process_the_request_runs_again() {
    let bank = Bank::open();
    // The lease is over before another process has started.
    let lease = [("ZERVER_IDEMPOTENCY_LEASE", "1ms")];
    for (point, payments) in [("before", "1"), ("after", "3")] {
        let mut service = bank.serve(&lease);
        let client = pay_and_hold(&mut service, point, point);
        kill(service);
        drop(client);
        let service = bank.serve(&[]);
        let answer = pay(&service, point, 1).send();
        assert_eq!((answer.status, shown(&answer).2), (201, false));
        // A payment that was made before the process died is made again: nothing else is known of it.
        assert_eq!(service.get("/payments/count").body, payments, "{point}");
        assert_eq!(shown(&pay(&service, point, 1).send()), (201, &*answer.body, true));
        assert_eq!(service.get("/payments/count").body, payments, "{point}");
    }
}

#[test]
fn the_time_for_which_responses_are_kept_can_change_while_the_service_runs() {
    let bank = Bank::open();
    let set = |keep: &str| {
        let text = format!("[idempotency]\nkeep = \"{keep}\"\n");
        std::fs::write(bank.place.path().join("zerver.toml"), text).unwrap();
    };
    set("1h");
    let mut service = bank.serve(&[]);
    assert_eq!(shown(&pay(&service, "a", 1).send()), (201, "payment 1", false));
    set("1ms");
    service.signal("-HUP");
    service.wait_for_line("changed idempotency.keep");
    // What was kept before stays.
    assert_eq!(shown(&pay(&service, "a", 1).send()), (201, "payment 1", true));
    assert_eq!(shown(&pay(&service, "b", 1).send()), (201, "payment 2", false));
    // The millisecond passes.
    while shown(&pay(&service, "b", 1).send()).2 {
        std::thread::yield_now();
    }
    let shown = bank.place.zerver(&["config", "--exe", bank.exe()]);
    assert!(shown.out.contains("idempotency.keep"), "{shown:?}");
}

#[test]
fn idempotent_requests_are_the_same_in_a_replay_without_a_database() {
    let mut bank = Bank::open();
    let mut service = bank.serve(&[]);
    let mut held = pay_and_hold(&mut service, "a", "after");
    assert_eq!(pay(&service, "a", 1).send().status, 409);
    service.ask("POST", "/release").send();
    let mut first = String::new();
    held.read_to_string(&mut first).unwrap();
    assert!(first.starts_with("HTTP/1.1 201") && first.ends_with("payment 1"), "{first}");
    assert_eq!(shown(&pay(&service, "b", 1).send()), (201, "payment 2", false));
    assert_eq!(shown(&pay(&service, "b", 1).send()), (201, "payment 2", true));
    assert_eq!(pay(&service, "b", 2).send().status, 422);
    assert_eq!(service.ask("POST", "/payments").json(json!(1)).send().status, 400);
    service.stop();
    bank.database.stop();
    let arguments = ["replay", "--all", "--flow", "pay", "--exe", bank.exe(), "--json"];
    let document = bank.place.json(&arguments);
    let of = |name: &str| document[name].clone();
    assert_eq!(
        (of("verdict"), of("requests"), of("same")),
        (json!("same"), json!(6), json!(6)),
        "{document}"
    );
    assert_eq!(of("findings"), json!([]));
    // The policy and the claim of each request with a key, the payments, the held one, and what became of both keys.
    assert_eq!(of("effects_replayed"), json!(5 * 2 + 2 + 1 + 2), "{document}");
}

/// Returns the row for a fault in an effect, and the states of the effects that were there before.
fn consequences<'d>(document: &'d Json, effect: &str, fault: &str) -> (&'d Json, Vec<(String, String)>) {
    let rows = document["faults"].as_array().unwrap();
    let is_wanted = |row: &&Json| row["effect"] == effect && row["fault"] == fault;
    let row = rows.iter().find(is_wanted).unwrap_or_else(|| panic!("no row {effect} {fault}: {document}"));
    let state = |of: &Json| {
        let text = |name: &str| of[name].as_str().unwrap().to_owned();
        (text("effect"), text("state"))
    };
    (row, row["consequences"].as_array().unwrap().iter().map(state).collect())
}

#[test]
fn faults_show_whether_money_is_left_taken() {
    let mut bank = Bank::open();
    let service = bank.serve(&[]);
    assert_eq!(service.ask("POST", "/orders").send().body, "payment 1, parcel 1");
    assert_eq!(service.ask("POST", "/careless-orders").send().body, "payment 2, parcel 2");
    service.stop();
    bank.database.stop();
    let faults = |flow: &str, more: &[&str]| {
        let id = format!("@last:{flow}");
        bank.place.zerver(&[&["replay", &id, "--faults", "--exe", bank.exe()], more].concat())
    };
    let document = |flow: &str| -> Json { serde_json::from_str(&faults(flow, &["--json"]).out).unwrap() };
    let pair = |effect: &str, state: &str| (effect.to_owned(), state.to_owned());

    let careful = document("order");
    let (row, states) = consequences(&careful, "sql ship", "error");
    assert_eq!((&row["status"], &row["outcome"]), (&json!(503), &json!("failed")));
    assert_eq!(states, [pair("sql charge", "undone"), pair("sql pack", "kept")]);
    let (_, states) = consequences(&careful, "sql pack", "error");
    assert_eq!(states, [pair("sql charge", "undone")]);

    let careless = document("order-without-undo");
    let (_, states) = consequences(&careless, "sql ship", "error");
    assert_eq!(states, [pair("sql charge", "kept"), pair("sql pack", "kept")]);
    let (_, states) = consequences(&careless, "sql ship", "timeout");
    assert!(states.contains(&pair("sql ship", "unknown")), "{states:?}");

    let table = faults("order", &[]).out;
    let heading = table.lines().find(|line| line.starts_with("effect")).unwrap();
    assert!(heading.ends_with("what was done"), "{table}");
    let row = |effect: &str| table.lines().find(|line| line.starts_with(effect)).unwrap().to_owned();
    assert!(row("sql pack").ends_with("sql charge: undone"), "{table}");
    assert!(table.contains("sql pack: kept; sql charge: undone"), "{table}");
    assert!(faults("order-without-undo", &[]).out.contains("sql charge, sql pack: kept"));
}

#[test]
fn repeated_statements_are_tried_as_one() {
    let bank = Bank::open();
    let service = bank.serve(&[]);
    assert_eq!(service.get("/payments/sum").body, "10");
    bank.place.wait_for(2);
    service.stop();
    let shown = bank.place.zerver(&["trace", "@last:sum"]);
    assert!(shown.out.contains("`zerver replay --batched` tries"), "{shown:?}");
    let trace = bank.place.json(&["trace", "@last:sum", "--json"]);
    let replay = ["replay", "@last:sum", "--batched", "--exe", bank.exe()];
    let ran = bank.place.zerver(&replay);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let batched = bank.place.json(&[&replay[..], &["--json"]].concat());
    let outcome = &batched["edited_outcome"];
    let (before, after) = (outcome["recorded_duration_ns"].as_u64(), outcome["duration_ns"].as_u64());
    assert_eq!(before, trace["duration_ns"].as_u64(), "{outcome}");
    // One of ten runs is left, of which each took at least 8 ms.
    let saved = before.unwrap() - after.unwrap();
    assert!(saved >= 9 * 8_000_000, "{outcome}");
    let ran = bank.place.zerver(&["replay", "@last:count", "--batched", "--exe", bank.exe()]);
    assert!(ran.code == Some(2) && ran.err.contains("repeats an SQL statement"), "{ran:?}");
}
