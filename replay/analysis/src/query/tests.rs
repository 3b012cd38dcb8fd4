//! Queries of all kinds, and errors in them.

use proptest::prelude::*;
use zerver_testkit::sample;
use zerver_trace::Trace;

use super::*;

/// 2026-11-29T15:00:00Z.
const NOW: u64 = 1_795_964_400_000_000_000;

fn parse(text: &str) -> Result<RequestQuery, QueryError> {
    RequestQuery::parse(text, &QueryClock::utc(NOW))
}

fn check(text: &str, trace: &Trace) -> bool {
    let query = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let by_trace = query.matches(trace);
    let by_summary = query.matches_summary(&trace.summary());
    assert!(by_summary.is_none_or(|holds| holds == by_trace), "{text}: {by_summary:?} {by_trace}");
    assert!(by_summary.is_some() || query.needs_traces(), "{text}");
    assert!(!by_trace || query.narrowed(&Query::default()).matches(&trace.summary()), "{text}");
    by_trace
}

#[test]
fn queries_select_requests() {
    let (slow, failed) = (Trace { worker: Some(1), ..sample::slow() }, sample::failed());
    for (text, is_slow, is_failed) in [
        ("", true, true),
        ("status:2xx", true, false),
        ("!status:2xx", false, true),
        ("not status:2xx", false, true),
        ("status!=2xx", false, true),
        ("status:200,404", true, true),
        ("status:3xx,404", false, true),
        ("status!=200,404", false, false),
        ("status>=400", false, true),
        ("flow:TODOS", true, true),
        ("flow=todos", false, false),
        ("flow=todos-item", true, true),
        ("took>1ms", true, false),
        ("took > 1ms", true, false),
        ("took<=900us", false, true),
        ("slower:1ms", true, false),
        ("faster:1ms", false, true),
        ("is:failed", false, true),
        ("is:client_error", false, true),
        ("is:succeeded", true, false),
        ("outcome:fail", false, true),
        ("class:interactive method:get", true, true),
        ("worker:1", true, false),
        ("!worker:1", false, true),
        ("id:019AA4C2-1f3b", true, true),
        ("id:019b", false, false),
        ("/V1/", true, true),
        ("todosx", false, false),
        ("path:\"/v1/todos\"", true, true),
        ("/v1/todos:x", false, false),
        ("slot.Claims.sub=user-123", true, true),
        ("slot.Claims.roles.0=admin", true, true),
        ("slot.Claims.roles.0!=admin", false, false),
        ("slot.Todo.id=456", true, false),
        ("slot.Todo.id>400", true, false),
        ("slot.Todo.id>456", false, false),
        ("slot.Todo.id:45", true, false),
        ("not slot.Todo.id=456", false, true),
        ("slot.Todo.done=false", true, false),
        ("slot.AuthHeader:\"\"", false, false),
        ("status:2xx or status:404", true, true),
        ("status:2xx or status:404 took>1ms", true, false),
        ("(status:2xx or status:404) took>1ms", true, false),
        ("(status:500 or is:failed) and flow:todos", false, true),
        ("not (status:2xx or status:404)", false, false),
        ("step:load_todo", true, true),
        ("since:30d", true, true),
        ("since:1d", false, false),
        ("since:\"2026-11-22 10:43\" until:2026-11-22T11:00", true, true),
        ("until:2026-11-22", false, false),
    ] {
        assert_eq!((check(text, &slow), check(text, &failed)), (is_slow, is_failed), "{text}");
    }
}

#[test]
fn a_store_is_asked_for_what_must_hold() {
    let query = parse("flow=report since:10m took>1s (status:500 or is:failed) since:5m until:now").unwrap();
    let necessary = query.narrowed(&Query::default());
    assert_eq!(necessary.flow.as_deref(), Some("report"));
    assert_eq!(necessary.since_unix_ns, Some(NOW - 300_000_000_000));
    assert_eq!(necessary.until_unix_ns, Some(NOW));
    assert_eq!(parse("flow=a or flow=b").unwrap().narrowed(&Query::default()), Query::default());
    assert_eq!(parse("not flow=a").unwrap().narrowed(&Query::default()), Query::default());
}

#[test]
fn errors_name_the_place_and_a_remedy() {
    for (text, place, message) in [
        ("statsu:500", "statsu", "there is no field statsu; did you mean status?"),
        ("slots.A=1", "slots.A", "there is no field slots.A"),
        ("status:9xx", "9xx", "\"9xx\" is not a status"),
        ("took>fast", "fast", "\"fast\" is not a duration"),
        ("took:1ms", "took", "a duration is compared by > or <, not by :"),
        ("flow>a", "flow", "a text is not compared by >: use : or ="),
        ("is:slow", "slow", "is: expected one of failed, succeeded, client_error, server_error"),
        ("worker:a", "a", "worker: expected a number"),
        ("since:soon", "soon", "\"soon\" is not a time"),
        ("size>big", "big", "size: expected a size, such as 800, 10kB or 2MiB"),
        ("(a or b", "(", "this parenthesis is not closed"),
        ("a)", ")", "this parenthesis closes nothing"),
        ("()", "(", "there is no condition in these parentheses"),
        ("a or", "", "`or` stands between two conditions"),
        ("or a", "a", "`or` stands between two conditions"),
        ("not", "", "a condition is missing after `not`"),
        ("status:", "", "a value is missing after status:"),
        ("status:200,", "", "a value is missing after status:"),
        (":x", ":", "a field or a word is expected here"),
        ("path:\"open", "\"open", "a text in quotes does not end"),
        ("slot.=1", "slot.", "write slot.NAME.FIELD"),
        ("step.load=1", "step.load", "write step:load, or step.load.took"),
    ] {
        let error = parse(text).unwrap_err();
        assert_eq!(&text[error.range()], place, "{text}: {error}");
        assert!(error.to_string().starts_with(message), "{text}: {error}");
    }
    assert!(parse(&"(".repeat(4000)).is_err());
    assert!(parse(&"not ".repeat(1000)).is_err());
    assert!(parse(&"x".repeat(5000)).is_err());
}

#[test]
fn keywords_can_be_words_and_fields() {
    let (slow, failed) = (sample::slow(), sample::failed());
    assert!(!check("\"or\"", &slow) && !check("\"not\"", &failed));
    assert!(check("query.or=1 or flow:todos", &slow));
}

#[test]
fn every_listed_field_can_be_used() {
    for name in field_names() {
        let name = name.replace("NAME.FIELD", "A.b").replace("NAME", "a");
        let name = name.split(',').next().unwrap_or_default().replace("KIND", "http");
        let fits = ["=500", "=1", ">1ms", ":1h", ":failed", "=1kB"]
            .into_iter()
            .filter(|rest| parse(&format!("{name}{rest}")).is_ok());
        assert_ne!(fits.count(), 0, "{name}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_query_or_an_error(text in ".{0,80}") {
        if let Err(error) = parse(&text) {
            prop_assert!(text.get(error.range()).is_some());
        }
    }

    #[test]
    fn any_words_of_the_language_are_a_query_or_an_error(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "flow", "took", "slot.A.b", "or", "and", "not", "!", "(", ")", ",", "\"", ":", "=", "!=", ">", "5xx", "1ms", "x", " ",
            ]),
            0..24,
        )
    ) {
        let text = words.concat();
        if let Ok(query) = parse(&text) {
            let trace = sample::slow();
            let by_trace = query.matches(&trace);
            prop_assert!(query.matches_summary(&trace.summary()).is_none_or(|holds| holds == by_trace));
        }
    }
}

#[test]
fn injected_faults_are_found_by_their_rules() {
    let mut drilled = sample::slow();
    assert!(!check("chaos:timeout", &drilled) && check("!chaos:timeout", &drilled));
    let rule = zerver_trace::Name::from("http GET idp..=timeout:10%");
    drilled.events.push(zerver_trace::Event::FaultInjected { call: 0, at_ns: 0, rule });
    for text in ["chaos:timeout", "chaos:=", "chaos:\"http GET idp..=timeout:10%\"", "!chaos:latency"] {
        assert!(check(text, &drilled), "{text}");
    }
}
