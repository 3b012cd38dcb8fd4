//! Slices of values: what is a source, what only decides, what was ruled out, and what remains unknown.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use zerver_engine::ArrivalTime;
use zerver_trace::{Answer, Event, MissingReason};

fn slice_of(trace: &Trace, def: &FlowDef, target: &str) -> Result<ValueSlice, ReplayError> {
    slice_with(trace, def, target, Vec::new(), Vec::new())
}

fn slice_with(
    trace: &Trace,
    def: &FlowDef,
    target: &str,
    seen: Vec<(String, Vec<Value>)>,
    skipped: Vec<u32>,
) -> Result<ValueSlice, ReplayError> {
    let recording = Recording { trace: trace.clone(), secrets: Secrets::default() };
    let (edits, context) = (Edits::default(), ReplayContext::default());
    let replay =
        Replay { recording: &recording, flow: &ready(def), route: &|_| true, edits: &edits, context };
    let mut trials = Vec::new();
    let request = SliceRequest { target: target.parse()?, seen, skipped };
    let slice = replay.slice(&request, &mut |trial| trials.push(trial));
    assert!(trials.is_sorted(), "{trials:?}");
    slice
}

/// Returns a slice in lines.
fn shown(slice: &ValueSlice) -> String {
    let mut out = format!("{} = {}", slice.target, slice.value.as_ref().unwrap());
    for InputInfluence { input, relation, shown_by, through_slots, through_effects } in &slice.sources {
        let ChangedInput { from, to, value } = shown_by;
        out += &format!("\n{} {input}: {from} -> {to}: {value}", relation.words());
        out += &format!(" {through_slots:?} {through_effects:?}");
    }
    for slot in &slice.slots {
        out += &format!("\n{} {} of {}", slot.relation.words(), slot.slot, slot.written_by);
    }
    let steps: Vec<&str> = slice.steps.iter().map(|step| step.step.as_str()).collect();
    let calls: Vec<u32> = slice.effects.iter().map(|effect| effect.call).collect();
    out += &format!("\nsteps {steps:?}, effects {calls:?}");
    let names: Vec<&str> = slice.ruled_out.iter().map(|of| of.input.as_str()).collect();
    out += &format!("\nnot {}", names.join(", "));
    for Undecided { input, reason } in &slice.undecided {
        out += &format!("\nunknown {input}: {reason}");
    }
    out
}

#[test]
fn a_value_comes_from_answers_and_from_what_was_asked() {
    let of = |target: &str| shown(&slice_of(&recorded(4), &sums(), target).unwrap());
    insta::assert_snapshot!(["response.body.0", "effect.1.args", "response.body.1"].map(of).join("\n\n"), @r#"
    response.body.0 = 90
    flows into effect.0.output: 40 -> 41: 91 ["slot.Sum"] []
    flows into effect.1.output: 50 -> 51: 91 ["slot.Sum"] []
    asks query.n: "4" -> "5": 90 ["slot.Start"] [0, 1]
    asks slot.Start of parse
    flows into slot.Sum.of of ask
    steps ["parse", "ask", "render"], effects [0, 1]
    not header.authorization, request.arrival_time, request.random, request.id, slot.Token, slot.Sum.sort
    unknown slot.Sort: there is nothing else of its type to try

    effect.1.args = 5
    flows into query.n: "4" -> "5": 6 ["slot.Start"] []
    flows into slot.Start of parse
    steps ["parse", "ask"], effects []
    not header.authorization, request.arrival_time, request.random, request.id, effect.0.output, effect.1.output, slot.Token, slot.Sum, slot.Sort

    response.body.1 = "Even"
    flows into effect.0.output: 40 -> 41: {"Odd": {"by": 1}} [] []
    asks query.n: "4" -> "5": "Even" ["slot.Start"] [0]
    asks slot.Start of parse
    steps ["parse", "ask", "render"], effects [0]
    not header.authorization, request.arrival_time, request.random, request.id, effect.1.output, slot.Token, slot.Sum.of, slot.Sum.sort
    unknown slot.Sort: there is nothing else of its type to try
    "#);
}

#[test]
fn a_failure_decides_about_the_status() {
    let slice = slice_of(&recorded(4), &sums(), "response.status").unwrap();
    let deciding: Vec<&str> = slice.sources.iter().map(|source| source.input.as_str()).collect();
    // The sum may be too large, and a query that is no number is rejected.
    assert_eq!(deciding, ["query.n", "effect.0.output", "effect.1.output"]);
    assert!(slice.sources.iter().all(|source| source.relation == Relation::Decides));
}

#[test]
fn secrets_are_not_shown() {
    #[step]
    fn greet(token: &Token) -> Response {
        Response::text(format!("hello {}", token.0.len()))
    }
    let def = flow!("sums", GET "/", steps: [parse, greet]);
    let request = Request::get("/?n=1").with_header("authorization", "Bearer canary-7");
    let trace = record(&def, request, false, usize::MAX);
    let slice = slice_of(&trace, &def, "response.body").unwrap();
    assert_eq!(slice.sources[0].input, "header.authorization");
    assert_eq!(slice.sources[0].shown_by.from, ReportedValue::Secret);
    assert_eq!(slice.slots[0].slot, "slot.Token");
    assert!(!format!("{slice:?}").contains("canar"), "{slice:?}");
}

#[test]
fn what_cannot_be_tried_is_unknown() {
    let mut trace = recorded(4);
    for event in &mut trace.events {
        if let Event::EffectCompleted { call: 1, answer, .. } = event {
            *answer = Answer::Ok(Recorded::Missing(MissingReason::TooLarge));
        }
    }
    let error = slice_of(&trace, &sums(), "response.body.0").unwrap_err();
    assert!(error.causes[0].contains("no answer to echo"), "{error:?}");
    // The first answer was recorded, and is all that the slot before needs.
    let slice = slice_of(&trace, &sums(), "slot.Start").unwrap();
    assert_eq!(slice.sources.len(), 1);
    assert!(slice.undecided.iter().any(|of| of.input == "effect.1.output"), "{slice:?}");

    // Trials that end the program are left out.
    let all: Vec<u32> = (0..10_000).collect();
    let slice = slice_with(&recorded(4), &sums(), "response.body.0", Vec::new(), all).unwrap();
    assert!(slice.sources.is_empty() && slice.undecided.len() > 3, "{slice:?}");
    assert!(slice.undecided[0].reason.contains("does not end"), "{slice:?}");
}

#[derive(Debug, Clone, Slot, Serialize, Deserialize)]
struct Plan {
    level: Level,
    limit: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Level {
    Free,
    Paid,
}

#[step]
fn choose(request: &Request) -> Result<Plan, Failure> {
    let level = if request.query("level").as_deref() == Some("paid") { Level::Paid } else { Level::Free };
    Ok(Plan { level, limit: None })
}

#[step]
fn price(plan: &Plan) -> Response {
    Response::json(&(if plan.level == Level::Free { 0 } else { 10 }, plan.limit.unwrap_or(5)))
}

#[test]
fn values_of_other_requests_are_tried() {
    let def = flow!("prices", GET "/", steps: [choose, price]);
    let trace = record(&def, Request::get("/?level=free"), false, usize::MAX);
    let alone = slice_of(&trace, &def, "response.body.0").unwrap();
    assert!(alone.sources.is_empty(), "no text but one changes the level: {alone:?}");
    let level = alone.undecided.iter().find(|of| of.input == "slot.Plan.level").unwrap();
    assert_eq!(level.reason, "there is nothing else of its type to try");

    let other = record(&def, Request::get("/?level=paid"), false, usize::MAX);
    let other = Recording { trace: other, secrets: Secrets::default() };
    let seen = recorded_inputs(&other).into_iter().map(|(name, value)| (name, vec![value])).collect();
    let slice = slice_with(&trace, &def, "response.body.0", seen, Vec::new()).unwrap();
    assert_eq!(slice.sources[0].input, "query.level");
    assert_eq!(slice.slots[0].slot, "slot.Plan.level");
    // An absent value is tried as a present one.
    let limit = slice_of(&trace, &def, "response.body.1").unwrap();
    assert_eq!(limit.slots[0].slot, "slot.Plan.limit");
}

#[step]
fn sum_of_body(request: &Request) -> Result<Response, Failure> {
    let numbers: Vec<u64> = request.json()?;
    Ok(Response::json(&(numbers[700] + numbers[3], numbers.len())))
}

#[test]
fn many_inputs_are_tried_in_groups() {
    let def = flow!("many", POST "/", steps: [sum_of_body]);
    let body = serde_json::to_string(&(0..2_000).collect::<Vec<u64>>()).unwrap();
    let request = Request { method: http::Method::POST, ..Request::get("/") }.with_body(body);
    let trace = record_by(&def, request, false, usize::MAX, &mut echo);
    let mut trace = trace;
    // The recorder of these tests cuts bodies.
    let whole = serde_json::to_string(&(0..2_000).collect::<Vec<u64>>()).unwrap();
    trace.request_body.bytes =
        Recorded::Plain { value: Value::from_bytes(whole.as_bytes()).unwrap(), summary: None };
    trace.request_body.full_len = whole.len() as u64;
    trace.request_body.kept_len = whole.len() as u64;
    let slice = slice_of(&trace, &def, "response.body.0").unwrap();
    let names: Vec<&str> = slice.sources.iter().map(|source| source.input.as_str()).collect();
    assert_eq!(names, ["request.body.3", "request.body.700"]);
    assert!(slice.runs < 400, "{}", slice.runs);
    assert!(slice.ruled_out.iter().any(|of| of.input.contains("more parts")), "{:?}", slice.ruled_out);
    // No item has an influence on their number.
    let slice = slice_of(&trace, &def, "response.body.1").unwrap();
    let names: Vec<&str> = slice.sources.iter().map(|source| source.input.as_str()).collect();
    assert_eq!(names, ["request.body"]);
}

#[test]
fn built_in_slots_are_inputs() {
    #[step]
    fn tell(arrival: &ArrivalTime, id: &RequestId, random: &zerver_engine::Random) -> Response {
        Response::json(&(arrival.unix_ns, id.to_string(), random.u64(3)))
    }
    let def = flow!("built-in", GET "/", steps: [tell]);
    let trace = record(&def, Request::get("/?a=1"), false, usize::MAX);
    for (at, name) in ["request.arrival_time", "request.id", "request.random"].into_iter().enumerate() {
        let slice = slice_of(&trace, &def, &format!("response.body.{at}")).unwrap();
        let names: Vec<&str> = slice.sources.iter().map(|source| source.input.as_str()).collect();
        assert_eq!(names, [name]);
        let unread = slice.ruled_out.iter().find(|of| of.input == "query.a").unwrap();
        assert_eq!((unread.tried, unread.reason.as_str()), (0, "no step read it before"));
    }
}

#[test]
fn a_value_that_does_not_exist_is_an_error() {
    let refused = |target: &str| {
        let error = slice_of(&recorded(4), &sums(), target).unwrap_err();
        [vec![error.message], error.causes, error.hints].concat().join("\n")
    };
    insta::assert_snapshot!(["slot.Summ.of", "effect.7.args", "response.body.5"].map(refused).join("\n\n"), @r#"
    no step of this request wrote slot Summ
    `zerver trace -v <id>` shows the values of a request
    did you mean Sum?

    this request has no effect 7
    `zerver trace -v <id>` shows the values of a request

    response.body.5 does not exist: there is no "5"
    did you mean 0?
    "#);
    #[step]
    fn impure(start: &Start) -> Response {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        Response::json(&(start.0, RUNS.fetch_add(1, Ordering::Relaxed)))
    }
    let def = flow!("sums", GET "/", steps: [parse, impure]);
    let trace = record(&def, Request::get("/?n=1"), false, usize::MAX);
    let error = slice_of(&trace, &def, "response.body.1").unwrap_err();
    assert!(error.message.contains("differ"), "{error:?}");
    // The other value is the same each time.
    assert_eq!(slice_of(&trace, &def, "response.body.0").unwrap().sources.len(), 1);
}

#[test]
fn declarations_narrow_the_sources_without_a_run() {
    let narrowed = |target: &str| static_slice(&recorded(4), &target.parse().unwrap()).unwrap();
    let body = narrowed("response.body.0");
    assert_eq!(body.may_flow_into, ["request", "slot.Start", "slot.Sum", "slot.Sort"]);
    assert_eq!(body.effects.len(), 2);
    assert_eq!(body.steps, ["parse", "ask", "render"]);
    let start = narrowed("slot.Start");
    assert_eq!((start.may_flow_into, start.step.as_str()), (vec!["request".to_owned()], "parse"));
    assert!(
        start.ruled_out.contains(&"slot.Sum".to_owned()) && start.ruled_out.contains(&"effect.1".to_owned())
    );
}
