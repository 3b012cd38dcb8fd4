//! Plans in recordings: they are read after calls, and a change is visible.

use zerver::StartOptions;
use zerver::effects::sql;
use zerver::prelude::*;
use zerver_recorder::{Reader, Recorder, RecorderOptions};
use zerver_trace::{Event, PlanShape, Query, Trace};

use crate::harness::Client;
use crate::recordings::{get, replayed};

#[slot]
#[derive(Debug)]
struct Found(Option<i64>);

#[step]
fn find(request: &Request) -> Decision<Found> {
    let name = request.param_str("name").unwrap_or_default();
    let query = sql::query("select id from t where name = $1 and is_wanted(id)").bind(name);
    Need(query.named("by_name").optional().map(Found))
}

#[step]
fn render(found: &Found) -> Response {
    Response::json(&found.0)
}

fn flow() -> FlowDef {
    flow!("find", GET "/users/{name}", steps: [find, render])
}

/// Returns a client of a table whose rows take a while to look at, so that a scan of all of them is slow.
fn table() -> Client {
    let client = Client::new();
    client.execute("create table t (id int8, name text)");
    client.execute("insert into t select n, 'name' || n from generate_series(1, 2000) n");
    client.execute("create index t_name on t (name)");
    client.execute(
        "create function is_wanted(id int8) returns bool language plpgsql stable cost 0.0001 \
         as 'begin perform pg_sleep(0.0001); return true; end'",
    );
    client.execute("analyze t");
    client
}

/// Starts a service that records, and calls `requests` with its address and a function that returns the plan of the newest
/// recorded request. Returns the plans of all requests, oldest first.
fn recorded(
    client: &Client,
    requests: impl FnOnce(&str, &dyn Fn() -> Option<String>),
) -> Vec<Option<String>> {
    let dir = tempfile::tempdir().unwrap();
    let recorder = Recorder::open(RecorderOptions::new(dir.path())).unwrap();
    let app = App::new().flow(flow()).interpreter(client.postgres.clone());
    let options = StartOptions {
        addr: Some("127.0.0.1:0".to_owned()),
        sink: Some(recorder.sink()),
        ..StartOptions::default()
    };
    let server = app.start(options).unwrap();
    let newest = || {
        let reader = Reader::open(dir.path()).ok()?;
        let newest = reader.list(&Query { limit: Some(1), ..Query::default() }).unwrap();
        plan(&reader.load(newest.first()?.id).unwrap().unwrap())
    };
    requests(&server.addr().to_string(), &newest);
    server.stop();
    recorder.close();
    let traces = replayed(&Reader::open(dir.path()).unwrap(), &flow());
    traces.iter().rev().map(plan).collect()
}

fn plan(trace: &Trace) -> Option<String> {
    trace.events.iter().find_map(|event| match event {
        Event::EffectPoint { point, .. } => PlanShape::parse(point).map(|plan| plan.text.to_owned()),
        _ => None,
    })
}

#[test]
fn a_plan_that_changes_is_recorded_without_delaying_a_request() {
    let client = table();
    let plans = recorded(&client, |addr, newest| {
        let until = |wanted: &str| {
            for _ in 0..5000 {
                get(addr, "name7", "7");
                if newest().as_deref() == Some(wanted) {
                    return;
                }
            }
            panic!("no request has the plan {wanted}");
        };
        until("Index Scan using t_name on t");
        client.execute("drop index t_name");
        until("Seq Scan on t");
    });
    let mut different = plans.clone();
    different.dedup();
    let plan = |text: &str| Some(text.to_owned());
    // The slow call was not performed with the plan that was known.
    let expected = [None, plan("Index Scan using t_name on t"), None, plan("Seq Scan on t")];
    assert_eq!(different, expected, "{plans:?}");
    assert!(plans[..5].iter().all(Option::is_none), "{plans:?}");
}

#[test]
fn plans_are_not_recorded_if_that_is_turned_off() {
    let client = table();
    let off = Client::of(client.postgres.clone().record_plans(false), &client.url);
    let plans = recorded(&off, |addr, _| (0..20).for_each(|_| get(addr, "name7", "7")));
    assert_eq!(plans, vec![None; 20]);
}
