//! Catalogs of a few flows, and their differences as text.

use zerver_trace::{
    AliasInfo, FlowDeclaration, FlowInfo, InputInfo, ReadInfo, SloInfo, SlotInfo, StepInfo, WriteInfo,
};

use super::*;

fn flow(name: &str, pattern: &str, steps: &[&str]) -> CatalogFlow {
    let step = |name: &&str| StepInfo {
        name: (*name).to_owned(),
        doc: String::new(),
        file: "src/main.rs".to_owned(),
        line: 1,
        reads: vec![ReadInfo { slot: 0, is_optional: false }],
        writes: vec![WriteInfo { slot: 1, is_optional: true }],
    };
    let slot =
        |name: &str| SlotInfo { name: name.to_owned(), path: format!("app::{name}"), ..SlotInfo::default() };
    let info = FlowInfo {
        name: name.to_owned(),
        method: "GET".to_owned(),
        pattern: pattern.to_owned(),
        slots: vec![slot("Request"), slot("Order")],
        steps: steps.iter().map(step).collect(),
        ..FlowInfo::default()
    };
    let declaration = FlowDeclaration {
        version: 1,
        slot_shapes: vec![String::new(), "Order { id: u64 }".to_owned()],
        plan_hash: "1".to_owned(),
        ..FlowDeclaration::default()
    };
    CatalogFlow::new(info, Some(declaration))
}

fn with(mut flow: CatalogFlow, change: impl FnOnce(&mut FlowDeclaration)) -> CatalogFlow {
    change(flow.declaration.as_mut().unwrap());
    flow
}

fn alias(pattern: &str, until: Option<&str>) -> AliasInfo {
    AliasInfo {
        pattern: pattern.to_owned(),
        redirect: false,
        deprecated: until.map(|_| "2026-12-01".to_owned()),
        until: until.map(str::to_owned),
    }
}

/// Compares a flow with a later version of it.
fn diff_of(old: &CatalogFlow, new: &CatalogFlow) -> Vec<String> {
    diff(std::slice::from_ref(old), std::slice::from_ref(new))
}

/// Returns one line for each change: `!` breaks clients, `?` may.
fn diff(old: &[CatalogFlow], new: &[CatalogFlow]) -> Vec<String> {
    let mark = |breaking| match breaking {
        Breaking::No => ' ',
        Breaking::Maybe => '?',
        Breaking::Yes => '!',
    };
    let line = |change: &CatalogChange| {
        let [old, new] = [&change.old, &change.new].map(|side| side.as_deref().unwrap_or("-").to_owned());
        let note = change.note.iter().map(|note| format!(" ({note})")).collect::<String>();
        format!("{} {} {}: {old} => {new}{note}", mark(change.breaking), change.flow, change.subject)
    };
    CatalogDiff::of(old, new, "2027-01-15").changes.iter().map(line).collect()
}

#[test]
fn the_same_catalogs_have_no_difference() {
    let flows = [flow("a", "/a", &["one"]), flow("b", "/b", &["two"])];
    assert!(diff(&flows, &flows).is_empty());
    assert_eq!(CatalogDiff::default().breaking(), Breaking::No);
}

#[test]
fn flows_are_added_and_removed() {
    let old = [flow("a", "/a/{id}", &["one"]), flow("b", "/b", &["two"])];
    assert_eq!(diff(&old, &old[..1]), ["! b flow: GET /b => -"]);
    assert_eq!(diff(&old[..1], &old), ["  b flow: - => GET /b"]);
    // Another flow, or an alias of one, may take over the requests.
    let renamed = [
        flow("c", "/a/{x}", &["one"]),
        with(flow("d", "/d", &["two"]), |d| d.aliases = vec![alias("/b", None)]),
    ];
    assert_eq!(
        diff(&old, &renamed),
        [
            "  a flow: GET /a/{id} => - (flow c has its route)",
            "  b flow: GET /b => - (flow d has its route)",
            "  c flow: - => GET /a/{x}",
            "  d flow: - => GET /d",
        ]
    );
}

#[test]
fn a_route_that_moves_breaks_clients_unless_it_stays_as_an_alias() {
    let (old, moved) = (flow("a", "/a/{id}", &["one"]), flow("a", "/v2/a/{id}", &["one"]));
    assert_eq!(diff_of(&old, &moved), ["! a route: GET /a/{id} => GET /v2/a/{id} (the version is still v1)"]);
    let kept = with(moved, |d| (d.version, d.aliases) = (2, vec![alias("/a/{id}", Some("2027-03-01"))]));
    assert_eq!(
        diff(&[old], &[kept]),
        [
            "  a route: GET /a/{id} => GET /v2/a/{id}",
            "  a alias: - => /a/{id}, deprecated 2026-12-01, until 2027-03-01",
            "  a version: v1 => v2",
        ]
    );
}

#[test]
fn an_alias_may_go_once_its_time_is_over() {
    let old = |until| with(flow("a", "/a", &["one"]), |d| d.aliases = vec![alias("/old", until)]);
    let new = || [with(flow("a", "/a", &["one"]), |d| d.version = 2)];
    let first = |until| diff(&[old(until)], &new())[0].clone();
    assert_eq!(first(None), "! a alias: /old => -");
    assert_eq!(first(Some("2027-01-15")), "  a alias: /old, deprecated 2026-12-01, until 2027-01-15 => -");
    assert_eq!(
        first(Some("2027-01-16")),
        "! a alias: /old, deprecated 2026-12-01, until 2027-01-16 => - (it was to stay until 2027-01-16)"
    );
}

#[test]
fn steps_slots_and_inputs_are_compared() {
    let old = flow("a", "/a", &["one", "two"]);
    let mut new = flow("a", "/a", &["one", "three"]);
    new.flow.steps[0].reads[0].is_optional = true;
    new.flow.slots[1].is_secret = true;
    let new = with(new, |d| {
        d.slot_shapes[1] = "Order { id: u64, note: text }".to_owned();
        d.inputs =
            vec![InputInfo { step: 0, part: "query".to_owned(), shape: "Filter { limit: u32 }".to_owned() }];
        d.owner = Some("checkout".to_owned());
        d.deadline_ns = Some(2_000_000_000);
        d.slo = Some(SloInfo { p95_ns: Some(50_000_000), p99_ns: None, errors_ppm: Some(1_000) });
        d.plan_hash = "2".to_owned();
    });
    assert_eq!(
        diff_of(&old, &new),
        [
            "  a steps: one, two => one, three",
            "  a step one: reads Request; writes Order? => reads Request?; writes Order?",
            "  a slot Order: not secret => secret",
            "  a slot Order: Order { id: u64 } => Order { id: u64, note: text }",
            "? a input: - => query Filter { limit: u32 } (the version is still v1)",
            "  a owner: - => checkout",
            "  a deadline: - => 2.00 s",
            "  a slo: - => p95 50.0 ms, errors 0.1%",
        ]
    );
    // Something that the catalog does not list.
    assert_eq!(diff_of(&old, &with(old.clone(), |d| d.plan_hash = "2".to_owned())), ["  a plan: 1 => 2"]);
}
