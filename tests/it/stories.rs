//! Stories: typical requests, recorded once and kept forever in `fixtures/stories`. Every later version must show them
//! as they were, and replay them with the current example services.
//!
//! `ZERVER_WRITE_STORIES=1 cargo test -p zerver-tests --test it stories` records those that are missing. One of them
//! can no longer be recorded: `changed-code`, a report from before `gather` requested two effects. `panic` is from before
//! failures were problem documents.

use std::path::Path;

use insta::assert_snapshot;
use serde_json::json;

use crate::harness::{Dev, Place, programs};

/// Sends a request, and returns its id.
type Ask = fn(&Dev) -> String;

/// Requests of the stories.
const STORIES: [(&str, Ask); 7] = [
    ("fast-upstream", |dev| dev.get("/reports/todos").id().to_owned()),
    ("slow-upstream", |dev| dev.get("/reports/todos?latency_ms=250").id().to_owned()),
    ("retry", |dev| dev.get("/reports/todos?fails=1").id().to_owned()),
    ("not-found", |dev| dev.get("/todos/456").id().to_owned()),
    ("unauthorized", |dev| dev.get("/v1/todos/1").id().to_owned()),
    ("secret", |dev| dev.ask("GET", "/v1/todos/1").bearer("ann-token").send().id().to_owned()),
    ("big-body", |dev| {
        let big = json!({ "title": "Buy milk", "notes": "x".repeat(400_000) });
        dev.ask("POST", "/todos").json(big).send().id().to_owned()
    }),
];

fn record() {
    let place = Place::new();
    let save = |id: &str, name: &str| {
        let file = zerver_fixtures::story(name);
        assert!(!file.exists(), "a story is never recorded again: {}", file.display());
        let ran = place.zerver(&["export", id, "--output", file.to_str().unwrap()]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    };
    let dev = place.dev();
    dev.ask("POST", "/todos").json(json!({ "title": "Buy milk" })).send();
    let missing = STORIES.iter().filter(|(name, _)| !zerver_fixtures::story(name).exists());
    let ids: Vec<_> = missing.map(|(name, ask)| (ask(&dev), *name)).collect();
    place.wait_for(1 + ids.len());
    ids.iter().for_each(|(id, name)| save(id, name));
    dev.stop();
    if !zerver_fixtures::story("panic").exists() {
        let dev = place.dev_of(&programs().orders);
        let order = json!({ "lines": [{ "sku": "tea", "count": 1 }], "coupon": "FIVER" });
        let id = dev.ask("POST", "/orders").json(order).send().id().to_owned();
        place.wait_for(2 + ids.len());
        save(&id, "panic");
    }
}

/// Runs a command on a story, in a folder without a store.
fn tell(command: &str, names: &[&str], exe: Option<&Path>) -> String {
    let place = Place::new();
    let files: Vec<_> = names.iter().map(|name| zerver_fixtures::story(name)).collect();
    let mut arguments = vec![command];
    arguments.extend(files.iter().map(|file| file.to_str().unwrap()));
    if let Some(exe) = exe {
        arguments.extend(["--exe", exe.to_str().unwrap()]);
    }
    let ran = place.zerver(&arguments);
    // The build differs each time, and the path on each machine.
    let root = crate::harness::root().display().to_string();
    let notes: String =
        ran.err.lines().filter(|line| !line.contains("by build")).map(|l| format!("{l}\n")).collect();
    format!("{}{}exit {}", ran.out, notes.replace(&root, "."), ran.code.unwrap())
}

fn trace(name: &str) -> String {
    tell("trace", &[name], None)
}

fn replay(name: &str) -> String {
    replay_with(name, &programs().todos)
}

/// Removes the line numbers of the current steps, which change.
fn replay_with(name: &str, exe: &Path) -> String {
    let told = tell("replay", &[name], Some(exe));
    let line = |line: &str| match line.rsplit_once(".rs:") {
        Some((before, number)) if number.parse::<u32>().is_ok() => format!("{before}.rs"),
        _ => line.to_owned(),
    };
    told.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_story_is_shown_as_it_was() {
    if std::env::var_os("ZERVER_WRITE_STORIES").is_some() {
        record();
    }
    assert_snapshot!(trace("slow-upstream"), @r"
    01a2038c  GET /reports/todos  200 OK  253.14 ms  report  batch
       at ms    took
        0.02    0.02   ✓ parse_report    wrote ReportParams                             ▏
        0.03    0.03   ✓ gather          needs http, kv                                 ▏
        0.06  253.02     ↳ http GET figures.internal/fig…   200, 31 bytes, wrote Figu…  ███████████████▉
        0.06    0.04     ↳ kv list todo   1 entry                                       ▏
      253.09    0.06   ✓ render_report   done 200                                                      ▏
    I/O      http 253.02 (1 call)   kv 0.04 (1 call)
    total    253.14 ms = 253.02 effects + 0.10 CPU + 0.02 receiving
    verdict  100% http GET figures.internal/figures?..
    slots    ReportParams  {latency_ms: 250, fails: 0}
             Figures       {visitors: 4711}
             Tally         {open: 1, completed: 0}
    exit 0
    ");
    assert_snapshot!(trace("retry"), @r"
    01a2038c  GET /reports/todos  200 OK  1.65 ms  report  batch
      at ms  took
       0.06  0.05   ✓ parse_report    wrote ReportParams                                ▍
       0.11  0.06   ✓ gather          needs 2 http, kv                                   ▋
       0.18  0.93     ↳ http GET figures.internal/figures?..   503, 49 bytes             █████████▋
       0.18  0.09     ↳ kv list todo   1 entry                                           ▉
       1.10  0.51     ↳ http GET figures.internal/figu…   200, 29 bytes, wrote Figure…            █████▌
       1.61  0.04   ✓ render_report   done 200                                                         ▌
    I/O      http 1.43 (2 calls)   kv 0.09 (1 call)
    total    1.65 ms = 1.43 effects + 0.15 CPU + 0.07 receiving
    verdict  56% http GET figures.internal/figures?..
    slots    ReportParams  {latency_ms: 0, fails: 1}
             Figures       {visitors: 4711}
             Tally         {open: 1, completed: 0}
    exit 0
    ");
    assert_snapshot!(trace("not-found"), @r"
    01a22865  GET /todos/456  404 Not Found  186.8 µs  failed  todo-show  interactive  worker 0
      at µs  took
       68.5  48.7   ✓ parse_id    wrote TodoId                                ███████████
      117.2  23.4   ✗ load_todo   needs kv, not_found todo 456                           █████
      140.6  46.2     ↳ kv get todo:456   absent                                              ██████████
    I/O      kv 46.2 (1 call)
    total    186.8 µs = 46.2 effects + 72.1 CPU + 68.5 receiving
    verdict  37% receiving
    slots    TodoId 456
    failed   not_found todo 456
    step     load_todo  examples/todos/src/public.rs:105
    exit 0
    ");
    assert_snapshot!(trace("unauthorized"), @r"
    01a22865  GET /v1/todos/1  401 Unauthorized  92.8 µs  failed  todos-item  interactive  worker 0
      at µs  took
       55.2  37.6   ✗ parse_auth   unauthorized session                             ████████████████████
    total    92.8 µs = 37.6 CPU + 55.2 receiving
    verdict  59% receiving
    failed   unauthorized session
    step     parse_auth  examples/todos/src/auth.rs:35
    exit 0
    ");
    assert_snapshot!(trace("secret"), @r#"
    01a2038c  GET /v1/todos/1  200 OK  1.13 ms  todos-item  interactive
      at ms  took
       0.03  0.02   ✓ parse_auth        wrote AuthHeader                                ▍
       0.04  0.02   ✓ lookup_user       needs http                                      ▎
       0.07  0.95     ↳ http GET identity.internal/veri…   200, 40 bytes, wrote Claims  ██████████████▍
       1.02  0.04   ✓ verify_roles                                                                    ▋
       1.06  0.01   ✓ count_request     needs kv                                                       ▏
       1.07  0.02     ↳ kv add 1 to requests:ann:29922598 for 12…   1, wrote RateLimit                 ▎
       1.09  0.01   ✓ limit_rate                                                                       ▏
       1.10  0.00   ✓ parse_id          wrote TodoId                                                   ▏
       1.10  0.00   ✓ load_todo         needs kv                                                       ▏
       1.10  0.01     ↳ kv get todo:1   found, wrote Todo                                              ▏
       1.11  0.02   ✓ render_for_user   done 200                                                       ▍
    I/O      http 0.95 (1 call)   kv 0.02 (2 calls)
    total    1.13 ms = 0.97 effects + 0.13 CPU + 0.03 receiving
    verdict  84% http GET identity.internal/verify
    slots    AuthHeader  ●●●● (secret)
             Claims      {sub: "ann", roles: ["admin", "writer"]}
             RateLimit   {used: 1, window_ends_in_s: 50}
             TodoId      1
             Todo        {id: 1, title: "Buy milk", completed: false, order: 1}
    exit 0
    "#);
    assert_snapshot!(trace("big-body"), @r#"
    01a2038c  POST /todos  201 Created  2.13 ms  todos-create  default
      at ms  took
       0.00  0.90   · request body   400,031 bytes               ████████████████▌
       0.90  1.09   ✓ parse_new_todo   wrote NewTodo                             ████████████████████▎
       1.99  0.03   ✓ next_id          needs kv                                                      ▋
       2.02  0.04     ↳ kv add 1 to last-todo   2, wrote TodoId                                      ▊
       2.06  0.02   ✓ make_todo        wrote Todo                                                     ▎
       2.08  0.01   ✓ store_todo       needs kv                                                       ▎
       2.09  0.01     ↳ kv put todo:2   stored                                                         ▏
       2.09  0.04   ✓ render_created   done 201                                                        ▉
    I/O      kv 0.05 (2 calls)
    total    2.13 ms = 0.05 effects + 1.18 CPU + 0.90 receiving
    verdict  51% CPU of parse_new_todo
    slots    NewTodo  {title: "Buy milk", order: none}
             TodoId   2
             Todo     {id: 2, title: "Buy milk", completed: false, order: 2}
    missing  334495 bytes of the request's body not recorded
    exit 0
    "#);
    assert_snapshot!(trace("panic"), @r#"
    01a2038c  POST /orders  500 Internal Server Error  187.92 ms  panicked  order-place  default
      at ms    took
       0.07    0.25   ✓ parse_order      wrote Order                                  ▏
       0.32    0.03   ✓ load_shelf       needs 2 kv                                   ▏
       0.35    0.03     ↳ kv get price:tea   found                                    ▏
       0.35    0.04     ↳ kv get stock:tea   found, wrote Shelf                       ▏
       0.39    0.01   ✓ check_stock                                                   ▏
       0.40  187.52   ✗ apply_discount   panicked: a discount is less than the price  ██████████████████
    I/O      kv 0.04 (2 calls)
    total    187.92 ms = 0.04 effects + 187.81 CPU + 0.07 receiving
    verdict  100% CPU of apply_discount
    slots    Order  {lines: [{sku: "tea", count: 1}], coupon: "FIVER"}
             Shelf  [{cents: 450, stock: 1000}]
    failed   panicked: a discount is less than the price
    step     apply_discount  examples/orders/src/discount.rs:18
    exit 0
    "#);
    assert_snapshot!(trace("changed-code"), @r"
    01a2037b  GET /reports/todos  200 OK  69.49 ms  report  batch
      at ms   took
       0.07   0.05   ✓ parse_report    wrote ReportParams                               ▏
       0.12   0.07   ✓ gather          needs http, kv                                   ▏
       0.19  69.19     ↳ http GET figures.internal/figu…   200, 29 bytes, wrote Figur…  ███████████████▉
       0.19   0.11     ↳ kv list todo   1 entry                                         ▏
      69.38   0.10   ✓ render_report   done 200                                                        ▏
    I/O      http 69.19 (1 call)   kv 0.11 (1 call)
    total    69.49 ms = 69.19 effects + 0.23 CPU + 0.07 receiving
    verdict  100% http GET figures.internal/figures?..
    slots    ReportParams {latency_ms: 5}   Figures {visitors: 4711}   Tally {open: 1, completed: 0}
    exit 0
    ");
    assert_snapshot!(tell("diff", &["fast-upstream", "slow-upstream"], None), @r#"
    a  01a2038c-d428  GET /reports/todos  200 OK  1.15 ms  report
    b  01a2038c-d42a  GET /reports/todos?latency_ms=250  200 OK  253.14 ms  report
    verdict  251.99 ms slower: 100% http GET figures.internal/figures?.. (1.03 -> 253.02 ms); first
             difference: request query latency_ms nothing -> 250
      a ms    b ms      b-a
      0.01    0.02     0.00  ≠ parse_report  ReportParams.latency_ms                           │
      0.04    0.03    -0.01    gather                                                          │
      1.03  253.02  +251.99  ≠   ↳ http GET figures.internal/figur…  argument, result          │████████
      0.06    0.04    -0.02      ↳ kv list todo                                                │
      0.04    0.06    +0.02    render_report                                                   │
    total    +251.99 ms = 251.99 effects + 6.9 µs CPU - 8.8 µs receiving
    request  query latency_ms  nothing -> 250
    effects  http GET figures.internal/figures?..  argument url
               - http://figures.internal/figures?latency_ms=0&fails=0
               + http://figures.internal/figures?latency_ms=250&fails=0
             http GET figures.internal/figures?..  result headers.content-length  "29" -> "31"
             http GET figures.internal/figures?..  result body.took_ms  0 -> 250
    slots    ReportParams.latency_ms  0 -> 250
    ignored  x-request-id (headers; --all-headers)
    exit 1
    "#);
}

#[test]
fn the_current_services_replay_every_story() {
    for name in ["fast-upstream", "slow-upstream", "retry", "not-found", "unauthorized"] {
        let told = replay(name);
        assert!(told.starts_with("same: ") && told.ends_with("exit 0"), "{name}: {told}");
    }
    assert_snapshot!(replay("retry"), @r#"
    same: 3 of 3 decisions reproduced, 3 effects from the recording, 0 live
    response 200 OK
             {"visitors":4711,"todos":{"open":1,"completed":0}}
    exit 0
    "#);
    assert_snapshot!(replay("secret"), @r"
    error: cannot replay 01a2038c as it was recorded
      because the request's header authorization: only a hash is available; --request-header authorization=..
    hint: the store that recorded it has its secrets: run `zerver replay 01a2038c-d531-76d2-a4f0-0f2274ba611d` on that store
    exit 2
    ");
    assert_snapshot!(replay("big-body"), @r"
    error: cannot replay 01a2038c as it was recorded
      because the request's body: 65536 of 400031 bytes were recorded; --request-body TEXT
    exit 2
    ");
    assert_snapshot!(replay("changed-code"), @r#"
    different: 2 of 3 decisions reproduced, 0 effects from the recording, 0 live, 1 unanswered
    code_changed     parse_report  ReportParams.fails  examples/todos/src/reports.rs
                     nothing → 0
    code_changed     gather  http GET figures.internal/figures?.. arguments.url  examples/todos/src/reports.rs
                     ….internal/figures?latency_ms=5" → ….internal/figures?latency_ms=5&fails=0"
    code_changed     gather  http GET figures.internal/figures?.. arguments.headers.0.name  examples/todos/src/reports.rs
                     "accept" → "x-attempt"
    code_changed     gather  http GET figures.internal/figures?.. arguments.headers.0.value  examples/todos/src/reports.rs
                     "application/json" → "1"
    code_changed     gather  http GET figures.internal/figures?.. arguments.headers.1  examples/todos/src/reports.rs
                     nothing → {name: "accept", value: "application/json"}
    unanswered       gather  http GET figures.internal/figures?..  examples/todos/src/reports.rs
                     an answer → it was not recorded with these arguments
    note     the recording does not show whether the target named an authority
             the replay ended at http GET figures.internal/figures?..; supply an answer with --answer 'http GET figures.internal/figures?..=JSON', or perform it with --live http
    exit 1
    "#);
    assert_snapshot!(replay_with("panic", &programs().orders), @r#"
    different: 4 of 4 decisions reproduced, 2 effects from the recording, 0 live
    code_changed     response.headers.content-type
                     application/json → application/problem+json
    code_changed     response.body.error
                     {"kind": "internal", "what": "step"} → nothing
    code_changed     response.body.type
                     nothing → "about:blank"
    code_changed     response.body.title
                     nothing → "Internal Server Error"
    code_changed     response.body.status
                     nothing → 500
    code_changed     response.body.kind
                     nothing → "internal"
    code_changed     response.body.what
                     nothing → "step"
    note     the recording does not show whether the target named an authority
    response 500 Internal Server Error
             {"type":"about:blank","title":"Internal Server Error","status":500,"kind":"internal","what…
    exit 1
    "#);
    assert_snapshot!(replay_with("panic", &programs().orders_next), @r"
    different: 3 of 4 decisions reproduced, 2 effects from the recording, 0 live, 1 unanswered
    code_changed     apply_discount  decision  examples/orders/src/discount.rs
                     panic → continue
    code_changed     apply_discount  Total  examples/orders/src/discount.rs
                     not written → {list_cents: 450, discount_cents: 450, due_cents: 0}
    extra_effect     store_order  kv add 1 to last-order  examples/orders/src/checkout.rs
                     nothing → requested
    unanswered       store_order  kv add 1 to last-order  examples/orders/src/checkout.rs
                     an answer → it was not recorded with these arguments
    note     the recording does not show whether the target named an authority
             the replay ended at kv add 1 to last-order; supply an answer with --answer 'kv add 1 to last-order=JSON', or perform it with --live kv
    exit 1
    ");
}
