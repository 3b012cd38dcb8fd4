//! The pages, without a browser.

use zerver_replay::{FaultKind, SlotEdit};
use zerver_testkit::sample;

use crate::client::Site;
use crate::sample_service::{HOSTILE, SampleService, long};

/// Returns a page of every kind.
pub(crate) fn all_pages(service: &SampleService) -> Vec<String> {
    let [item, hostile, export] = ["/v1/todos", "/hostile", "/todos/export"].map(|path| service.id_of(path));
    let mut pages: Vec<String> = [
        "/",
        "/?sort=took&reverse=1",
        "/?q=is%3Afailed",
        "/?q=statsu%3A5",
        "/flows",
        "/flows?vs=since%3A1d",
        "/heat",
        "/sql",
        "/scheduler",
        "/catalog",
        "/keys",
    ]
    .map(str::to_owned)
    .into();
    for id in [item, hostile, export] {
        for page in [
            "",
            "?fold=1&phases=1&min=10",
            "?row=1",
            "/slots?at=3",
            "/why",
            "/value",
            "/value?of=response.status",
            "/value?of=slot.Nothing",
            "/replay",
            "/compare",
        ] {
            pages.push(format!("/requests/{id}{page}"));
        }
        pages.push(format!("/diff?a={item}&b={id}"));
    }
    let flow: String = form_urlencoded::Serializer::new(String::new()).append_pair("name", HOSTILE).finish();
    pages.push(format!("/flow?{flow}"));
    pages.push("/flow?name=report".to_owned());
    pages
}

/// Removes the names and values of inputs, which forms send back exactly and nothing shows.
fn without_names(page: &str) -> String {
    let mut rest = page;
    let mut out = String::new();
    while let Some(at) = [" name=\"", " value=\"", " data-fill=\"", " data-value=\""]
        .iter()
        .filter_map(|name| rest.find(name))
        .min()
    {
        let (before, attribute) = rest.split_at(at);
        out.push_str(before);
        let (_, value) = attribute.split_once('"').unwrap();
        rest = value.split_once('"').unwrap().1;
    }
    out + rest
}

#[test]
fn every_page_is_shown_and_hostile_text_is_inert() {
    let site = Site::start();
    for target in all_pages(&site.service) {
        let page = site.get(&target);
        assert_eq!(page.status, 200, "{target}");
        assert!(page.body.starts_with("<!DOCTYPE html>") && page.body.ends_with("</html>"), "{target}");
        assert_eq!(page.body.matches("<script").count(), 1, "{target}");
        let seen = without_names(&page.body);
        for harm in ["<img src=x", "</textarea></title>", "\u{202e}", "\u{1b}"] {
            assert!(!seen.contains(harm), "{target} contains {harm:?}");
        }
        assert!(!page.body.contains("the-secret-of-a-slot"), "{target} shows a secret");
        assert_eq!(page.body.matches("<h1").count(), 1, "{target}");
    }
}

#[test]
fn what_does_not_exist_is_said() {
    let site = Site::start();
    let cases = [
        ("/none", 404, "no such page"),
        ("/requests/zzz", 400, "not a request id"),
        ("/requests/00000000-0000-7000-8000-000000000001", 404, "no request 00000000"),
        ("/flow?name=nothing", 404, "no flow is called"),
        ("/diff?a=1", 400, "two requests"),
        ("/diff", 400, "two requests"),
    ];
    for (target, status, text) in cases {
        let page = site.get(target);
        assert_eq!(page.status, status, "{target}");
        assert!(page.body.contains(text), "{target}: {}", page.body);
    }
    let page = format!("/requests/{}/none", site.service.ids()[0]);
    assert_eq!(site.get(&page).status, 404);
}

#[test]
fn a_query_selects_and_its_mistakes_are_shown_beside_it() {
    let site = Site::start();
    let rows = |target: &str| site.get(target).body.matches("<tr data-row=").count();
    assert_eq!(rows("/"), 47);
    assert_eq!(rows("/?q=flow%3Areport+took%3E50ms"), 40 - (0..40).filter(|n| n * 7 % 90 <= 49).count());
    assert_eq!(rows("/?q=slot.Claims.sub%3Duser-123"), 4, "slots need the traces");
    assert_eq!(rows("/?q=path%3A%2Fnothing"), 0);
    let wrong = site.get("/?q=statsu%3A500");
    assert!(
        wrong.body.contains("did you mean status?") && wrong.body.contains("aria-invalid=\"true\""),
        "{}",
        wrong.body
    );
    assert!(wrong.body.contains("value=\"statsu:500\""), "what was typed stays");
    assert!(!wrong.body.contains("<tr data-row="));
}

#[test]
fn requests_are_sorted_and_split_into_pages() {
    let service = SampleService::of((0..250).map(sample::report).collect());
    let site = Site::with(service);
    let first_ms = |target: &str| {
        let body = site.get(target).body;
        let (_, row) = body.split_once("<tr data-row=").unwrap();
        let (_, took) =
            row.split_once("<td class=\"number\">").unwrap().1.split_once("<td class=\"number\">").unwrap();
        took.split('<').next().unwrap().to_owned()
    };
    assert_eq!(first_ms("/?sort=took"), "249 ms");
    assert_eq!(first_ms("/?sort=took&reverse=1"), "430 µs");
    let page = site.get("/?sort=took&from=100").body;
    assert!(
        page.contains("101–200 of 250") && page.contains("from=200") && page.contains("rel=\"prev\""),
        "{page}"
    );
    assert!(page.matches("<tr data-row=").count() == 100);
    let none = site.get("/?from=99999999").body;
    assert!(none.contains("201–250 of 250"), "a page beyond the end is the last one");
}

#[test]
fn a_long_request_is_shown_in_parts() {
    let service = SampleService::of(vec![long(10_000)]);
    let site = Site::with(service);
    let id = site.service.ids()[0];
    let page = site.get(&format!("/requests/{id}")).body;
    assert!(page.contains("rows 1–500 of 5002"));
    assert!(page.len() < 1 << 20, "{} bytes", page.len());
    let slots = site.get(&format!("/requests/{id}/slots?at=5000")).body;
    assert!(slots.contains("Event 5000 of 10002") && slots.len() < 1 << 18, "{} bytes", slots.len());
    let last = site.get(&format!("/requests/{id}?from=5000")).body;
    assert!(last.contains("rows 5001–5002 of 5002"));
    let found = site.get(&format!("/requests/{id}?find=GET%20todo")).body;
    assert!(found.contains("2,502 rows hidden") && found.contains("rows 1–500 of 2500"));
}

#[test]
fn the_edits_of_the_form_reach_the_replay() {
    let site = Site::start();
    let id = site.service.id_of("/v1/todos/456");
    let form: String = form_urlencoded::Serializer::new(String::new())
        .append_pair("slot:Todo", ".title=\"x\"")
        .append_pair("at", "render_todo")
        .append_pair("answer:kv get todo:456", "null")
        .append_pair("fault:http GET idp.example.com/verify", "timeout")
        .append_pair("latency:kv get todo:456", "250ms")
        .append_pair("header:host", "example.com")
        .append_pair("header:authorization", "Bearer 1")
        .append_pair("body:", "a\r\nb")
        .append_pair("nonsense", "1")
        .finish();
    let page = site.post(&format!("/requests/{id}/replay"), &form).body;
    let (of, edits) = site.service.replays.lock().unwrap().pop().unwrap();
    assert_eq!(of, id);
    assert_eq!(edits.slots, ["Todo.title=\"x\"".parse::<SlotEdit>().unwrap()]);
    assert_eq!(edits.at.as_deref(), Some("render_todo"));
    assert_eq!(edits.answers, ["kv get todo:456=null".parse().unwrap()]);
    let faults: Vec<_> = edits.faults.iter().map(|fault| (fault.effect.as_str(), &fault.kind)).collect();
    assert!(faults.contains(&("http GET idp.example.com/verify", &FaultKind::Timeout)), "{faults:?}");
    assert!(faults.contains(&("kv get todo:456", &FaultKind::Latency { ns: 250_000_000 })), "{faults:?}");
    assert_eq!(edits.body.as_deref(), Some(&b"a\nb"[..]));
    assert!(edits.headers.contains(&("host".into(), "example.com".into())));
    assert!(edits.live.is_empty(), "nothing is performed for real");
    for shown in [
        "Result: ",
        "different",
        "2 of 3 decisions reproduced",
        "input edited",
        "●●●● (secret)",
        "403 Forbidden",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    assert!(page.contains(">.title=&quot;x&quot;</textarea>"), "what was typed stays");
    let (_, link) = page.split_once("/replay?").unwrap();
    let (link, _) = link.split_once('"').unwrap();
    let again = site.get(&format!("/requests/{id}/replay?{}", link.replace("&amp;", "&"))).body;
    assert!(again.contains(">.title=&quot;x&quot;</textarea>"), "the link fills in the form");
    assert!(!link.contains("Bearer"), "{link}");
    assert!(!page.contains("Bearer 1"), "a secret that was typed does not come back");
}

#[test]
fn mistakes_in_the_form_and_failed_replays_are_explained() {
    let site = Site::start();
    let target = format!("/requests/{}/replay", site.service.id_of("/v1/todos/456"));
    for (form, text) in [
        ("slot%3ATodo=%7B", "Todo: not JSON"),
        ("answer%3Akv+get+todo%3A456=nope", "not JSON"),
        ("latency%3Akv+get+todo%3A456=soon", "is not a duration"),
        ("fault%3Akv+get+todo%3A456=explode", "there is no fault called"),
    ] {
        let page = site.post(&target, form);
        assert!(page.body.contains(text), "{form}: {text}");
    }
    assert!(site.service.replays.lock().unwrap().is_empty());
    let page = site.post(&target, "at=refuse");
    assert!(page.body.contains("cannot build the service") && page.body.contains("fix the error"));
    assert!(!page.body.contains("<img src=x"));
}

#[test]
fn a_value_leads_to_its_sources() {
    let site = Site::start();
    let id = site.service.id_of("/v1/todos/456");
    let page = site.get(&format!("/requests/{id}")).body;
    for of in ["response.status", "response.body", "effect.1.args", "slot.Todo"] {
        assert!(
            page.contains(&format!(
                "/requests/{id}/value?of={of}\">from where?<span class=\"visually-hidden\"> {of}<"
            )),
            "{of}"
        );
    }
    let all = site.get(&format!("/requests/{id}/value")).body;
    assert!(all.contains("value?of=slot.Todo.title") && !all.contains("sources-form"), "{all}");

    // A GET reads the declarations only.
    let narrowed = site.get(&format!("/requests/{id}/value?of=slot.Todo.title")).body;
    assert!(
        narrowed.contains("Made by")
            && narrowed.contains("load_todo")
            && narrowed.contains("Cannot have an influence")
    );
    let wrong = site.get(&format!("/requests/{id}/value?of=slot.Tod")).body;
    assert!(wrong.contains("did you mean Todo?") && wrong.contains("aria-invalid=\"true\""), "{wrong}");
    assert!(site.service.asked_values.lock().unwrap().is_empty());

    let found = site.post(&format!("/requests/{id}/value"), "of=slot.Todo.title").body;
    assert_eq!(*site.service.asked_values.lock().unwrap(), ["slot.Todo.title"]);
    for shown in
        ["Sources of slot.Todo.title", "Flows into it", "makes it", "query.full", "param.id", "412 runs"]
    {
        assert!(found.contains(shown), "{shown}: {found}");
    }
    assert!(!without_names(&found).contains("<img src=x"));
    let wrong = site.post(&format!("/requests/{id}/value"), "of=nonsense").body;
    assert!(
        wrong.contains("names no value") && site.service.asked_values.lock().unwrap().len() == 1,
        "{wrong}"
    );
}

#[test]
fn statements_that_a_step_repeats_are_named() {
    let page = Site::start().get("/sql").body;
    assert!(page.contains("select title from todos where id = $1"));
    assert!(page.contains("Repeated within a request") && page.contains("load_each"));
}

#[test]
fn a_diff_shows_parts_that_add_up() {
    let site = Site::start();
    let ids = site.service.ids();
    let page = site.get(&format!("/diff?a={}&b={}", ids[0], ids[5])).body;
    let (_, table) = page.split_once("<table class=\"causes\">").unwrap();
    let (table, _) = table.split_once("</table>").unwrap();
    let cells = table
        .split("<td class=\"number")
        .skip(1)
        .map(|cell| cell.split('>').nth(1).unwrap().split('<').next().unwrap());
    let numbers: Vec<f64> = cells
        .map(|cell| {
            let (number, unit) = cell.split_once(' ').unwrap();
            let scale = if unit == "µs" { 0.001 } else { 1.0 };
            number.parse::<f64>().unwrap() * scale
        })
        .collect();
    let (total, parts) = numbers.split_last().unwrap();
    let sum: f64 = parts.iter().filter(|part| part.abs() >= 0.005).sum();
    assert!((sum - total).abs() < 0.001, "{numbers:?}");
}

#[test]
fn what_flows_say_about_themselves_is_shown() {
    let site = Site::start();
    let flows = site.get("/flows").body;
    assert!(flows.contains("checkout") && flows.contains("p95 1.00 ms, errors 0.1%: "), "{flows}");
    let catalog = site.get("/catalog").body;
    for part in
        ["version 2", "owner checkout", "deprecated since 2026-12-01", "until 2027-03-01", "0123456789abcdef"]
    {
        assert!(catalog.contains(part), "no {part:?}");
    }
}
