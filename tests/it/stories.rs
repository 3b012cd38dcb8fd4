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
    01a2038c  GET /reports/todos?latency_ms=250  200 OK  253 ms  report  batch
           at     took
      18.5 µs  15.1 µs   ✓ parse_report    wrote ReportParams                           ▏
      33.5 µs  29.9 µs   ✓ gather          needs http, kv                               ▏
      63.5 µs   253 ms     ↳ http GET figures.internal/fi…   200, 31 bytes, wrote Fig…  ███████████████▉
      63.5 µs  42.1 µs     ↳ kv list todo   1 entry                                     ▏
       253 ms  57.7 µs   ✓ render_report   done 200                                                    ▏
    I/O      http 253 ms (1 call)   kv 42.1 µs (1 call)
    total    253 ms = 253 ms effects + 103 µs CPU + 18.5 µs receiving
    verdict  100% http GET figures.internal/figures?..
    slots    ReportParams  {latency_ms: 250, fails: 0}
             Figures       {visitors: 4711}
             Tally         {open: 1, completed: 0}
    exit 0
    ");
    assert_snapshot!(trace("retry"), @r"
    01a2038c  GET /reports/todos?fails=1  200 OK  1.65 ms  report  batch
           at     took
      64.8 µs  47.3 µs   ✓ parse_report    wrote ReportParams                           ▍
       112 µs  64.8 µs   ✓ gather          needs 2 http, kv                              ▋
       177 µs   928 µs     ↳ http GET figures.internal/figures?..   503, 49 bytes        █████████▋
       177 µs  86.2 µs     ↳ kv list todo   1 entry                                      ▉
      1.10 ms   506 µs     ↳ http GET figures.internal/fi…   200, 29 bytes, wrote Fig…            █████▌
      1.61 ms  40.2 µs   ✓ render_report   done 200                                                    ▌
    I/O      http 1.43 ms (2 calls)   kv 86.2 µs (1 call)
    total    1.65 ms = 1.43 ms effects + 152 µs CPU + 64.8 µs receiving
    verdict  56% http GET figures.internal/figures?..
    slots    ReportParams  {latency_ms: 0, fails: 1}
             Figures       {visitors: 4711}
             Tally         {open: 1, completed: 0}
    exit 0
    ");
    assert_snapshot!(trace("not-found"), @r"
    01a22865  GET /todos/456  404 Not Found  187 µs  todo-show  interactive  worker 0
           at     took
      68.5 µs  48.7 µs   ✓ parse_id    wrote TodoId                              █████████▉
       117 µs  23.4 µs   ✗ load_todo   needs kv, not_found todo 456                       █████▎
       141 µs  46.2 µs     ↳ kv get todo:456   absent                                          █████████
    I/O      kv 46.2 µs (1 call)
    total    187 µs = 46.2 µs effects + 72.1 µs CPU + 68.5 µs receiving
    verdict  37% receiving
    slots    TodoId 456
    failed   not_found todo 456
    step     load_todo  examples/todos/src/public.rs:105
    exit 0
    ");
    assert_snapshot!(trace("unauthorized"), @r"
    01a22865  GET /v1/todos/1  401 Unauthorized  92.8 µs  todos-item  interactive  worker 0
           at     took
      55.2 µs  37.6 µs   ✗ parse_auth   unauthorized session                          ██████████████████
    total    92.8 µs = 37.6 µs CPU + 55.2 µs receiving
    verdict  59% receiving
    failed   unauthorized session
    step     parse_auth  examples/todos/src/auth.rs:35
    exit 0
    ");
    assert_snapshot!(trace("secret"), @r#"
    01a2038c  GET /v1/todos/1  200 OK  1.13 ms  todos-item  interactive
           at     took
      26.1 µs  18.4 µs   ✓ parse_auth        wrote AuthHeader                           ▍
      44.5 µs  24.8 µs   ✓ lookup_user       needs http                                 ▎
      69.2 µs   949 µs     ↳ http GET identity.internal/v…   200, 40 bytes, wrote Cla…  ██████████████▍
      1.02 ms  41.7 µs   ✓ verify_roles                                                               ▋
      1.06 ms  12.4 µs   ✓ count_request     needs kv                                                  ▏
      1.07 ms  17.2 µs     ↳ kv add 1 to requests:ann:29922598 f…   1, wrote RateLimit                 ▎
      1.09 ms  6.43 µs   ✓ limit_rate                                                                  ▏
      1.10 ms  3.24 µs   ✓ parse_id          wrote TodoId                                              ▏
      1.10 ms  4.56 µs   ✓ load_todo         needs kv                                                  ▏
      1.10 ms  5.47 µs     ↳ kv get todo:1   found, wrote Todo                                         ▏
      1.11 ms  20.8 µs   ✓ render_for_user   done 200                                                  ▍
    I/O      http 949 µs (1 call)   kv 22.7 µs (2 calls)
    total    1.13 ms = 972 µs effects + 132 µs CPU + 26.1 µs receiving
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
           at     took
         0 ns   903 µs   · request body   400,031 bytes               ██████████████▍
       903 µs  1.09 ms   ✓ parse_new_todo   wrote NewTodo                           █████████████████▋
      1.99 ms  31.9 µs   ✓ next_id          needs kv                                                 ▌
      2.02 ms  41.6 µs     ↳ kv add 1 to last-todo   2, wrote TodoId                                  ▊
      2.06 ms  15.6 µs   ✓ make_todo        wrote Todo                                                ▏
      2.08 ms  7.64 µs   ✓ store_todo       needs kv                                                   ▏
      2.09 ms  5.79 µs     ↳ kv put todo:2   stored                                                    ▏
      2.09 ms  41.5 µs   ✓ render_created   done 201                                                   ▊
    I/O      kv 47.4 µs (2 calls)
    total    2.13 ms = 47.4 µs effects + 1.18 ms CPU + 903 µs receiving
    verdict  51% CPU of parse_new_todo
    slots    NewTodo  {title: "Buy milk", order: none}
             TodoId   2
             Todo     {id: 2, title: "Buy milk", completed: false, order: 2}
    missing  334495 bytes of the request's body not recorded
    exit 0
    "#);
    assert_snapshot!(trace("panic"), @r#"
    01a2038c  POST /orders  500 Internal Server Error  188 ms  panicked  order-place  default
           at     took
      72.0 µs   252 µs   ✓ parse_order      wrote Order                                 ▏
       324 µs  30.6 µs   ✓ load_shelf       needs 2 kv                                  ▏
       355 µs  26.1 µs     ↳ kv get price:tea   found                                   ▏
       355 µs  35.3 µs     ↳ kv get stock:tea   found, wrote Shelf                      ▏
       390 µs  11.9 µs   ✓ check_stock                                                  ▏
       402 µs   188 ms   ✗ apply_discount   panicked: a discount is less than the pri…  ████████████████
    I/O      kv 35.3 µs (2 calls)
    total    188 ms = 35.3 µs effects + 188 ms CPU + 72.0 µs receiving
    verdict  100% CPU of apply_discount
    slots    Order  {lines: [{sku: "tea", count: 1}], coupon: "FIVER"}
             Shelf  [{cents: 450, stock: 1000}]
    failed   panicked: a discount is less than the price
    step     apply_discount  examples/orders/src/discount.rs:18
    exit 0
    "#);
    assert_snapshot!(trace("changed-code"), @r"
    01a2037b  GET /reports/todos?latency_ms=5  200 OK  69.5 ms  report  batch
           at     took
      73.1 µs  48.0 µs   ✓ parse_report    wrote ReportParams                           ▏
       121 µs  73.4 µs   ✓ gather          needs http, kv                               ▏
       195 µs  69.2 ms     ↳ http GET figures.internal/fi…   200, 29 bytes, wrote Fig…  ███████████████▉
       195 µs   106 µs     ↳ kv list todo   1 entry                                     ▏
      69.4 ms   105 µs   ✓ render_report   done 200                                                    ▏
    I/O      http 69.2 ms (1 call)   kv 106 µs (1 call)
    total    69.5 ms = 69.2 ms effects + 226 µs CPU + 73.1 µs receiving
    verdict  100% http GET figures.internal/figures?..
    slots    ReportParams {latency_ms: 5}   Figures {visitors: 4711}   Tally {open: 1, completed: 0}
    exit 0
    ");
    assert_snapshot!(tell("diff", &["fast-upstream", "slow-upstream"], None), @r#"
    a  01a2038c-d428  GET /reports/todos  200 OK  1.15 ms  report
    b  01a2038c-d42a  GET /reports/todos?latency_ms=250  200 OK  253 ms  report
    verdict  252 ms slower: 100% http GET figures.internal/figures?.. (1.03 -> 253 ms); first
             difference: request query latency_ms nothing -> 250
            a        b       b-a
      14.8 µs  15.1 µs   +250 ns  ≠ parse_report  ReportParams.latency_ms                      │
      42.3 µs  29.9 µs  -12.4 µs    gather                                                     │
      1.03 ms   253 ms   +252 ms  ≠   ↳ http GET figures.internal/…  argument, result          │████████
      63.7 µs  42.1 µs  -21.5 µs      ↳ kv list todo                                           │
      38.6 µs  57.7 µs  +19.1 µs    render_report                                              │
    total    +252 ms = 252 ms effects + 6.93 µs CPU - 8.75 µs receiving
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
