//! Calls with changed text, of a kind that declares an identity.

use super::*;

/// A statement, identified by its name and its parameters.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Statement {
    name: String,
    text: String,
    parameters: Vec<u64>,
    limit: u32,
}

impl EffectKind for Statement {
    const KIND: &'static str = "sql";
    type Output = u64;

    fn summary(&self) -> String {
        self.name.clone()
    }

    fn identity(&self) -> Option<Value> {
        Value::from_serialize(&(&self.name, &self.parameters)).ok()
    }

    fn is_idempotent(&self) -> bool {
        true
    }
}

fn sql(name: &str, text: &str, parameters: &[u64]) -> Effect<u64> {
    effect(Statement { name: name.into(), text: text.into(), parameters: parameters.into(), limit: 1 })
}

macro_rules! query {
    ($plan:expr) => {{
        #[step]
        fn query() -> Decision<Sum> {
            let plan: Effect<u64> = $plan;
            Need(plan.map(|of| Sum { of, sort: None }))
        }
        flow!("queries", GET "/", steps: [query, tell_sum])
    }};
}

#[step]
fn tell_sum(sum: &Sum) -> Response {
    Response::json(&sum.of)
}

fn recorded(def: &FlowDef) -> Trace {
    record_by(def, Request::get("/"), false, usize::MAX, &mut |call| {
        let statement = call.args::<Statement>().unwrap();
        Ok(Call::output::<Statement>(statement.text.len() as u64))
    })
}

fn summary_of(then: &FlowDef, now: &FlowDef) -> String {
    summary(&again(recorded(then), now, &Edits::default()).unwrap())
}

#[test]
fn a_changed_text_is_one_finding_and_does_not_end_the_replay() {
    let one = || query!(sql("by id", "select a from t where id = $1", &[7]));
    insta::assert_snapshot!(summary_of(&one(), &query!(sql("by id", "select a\n  from t where id = $1", &[7]))), @r#"
    different: 2 of 2, 1 replayed, 0 unanswered
    reworded_effect query sql by id arguments.text: "select a from t where id = $1" -> "select a\n  from t where id = $1"
    "#);
    // Every difference is named.
    let other = || {
        query!(effect(Statement {
            name: "by id".into(),
            text: "select b".into(),
            parameters: vec![7],
            limit: 2
        }))
    };
    insta::assert_snapshot!(summary_of(&one(), &other()), @r#"
    different: 2 of 2, 1 replayed, 0 unanswered
    reworded_effect query sql by id arguments.text, limit: "select a from t where id = $1" -> "select b"
    "#);
    assert_eq!(summary_of(&one(), &one()), "same: 2 of 2, 1 replayed, 0 unanswered");
    // Another parameter makes it another call.
    insta::assert_snapshot!(summary_of(&one(), &query!(sql("by id", "select a from t where id = $1", &[8]))), @r"
    different: 1 of 2, 0 replayed, 1 unanswered
    code_changed query sql by id arguments.parameters.0: 7 -> 8
    unanswered query sql by id: an answer -> it was not recorded with these arguments
    ");
}

fn two(first: &str, second: &str) -> Effect<u64> {
    all((sql("x", first, &[1]), sql("x", second, &[1]))).map(|(a, b)| a * 1000 + b)
}

#[test]
fn each_of_several_calls_gets_its_own_answer() {
    let then = query!(two("a", "bbb"));
    // The second text is unchanged and keeps its answer, rather than getting the first one's.
    let now = query!(two("aa", "bbb"));
    insta::assert_snapshot!(summary_of(&then, &now), @r#"
    different: 2 of 2, 2 replayed, 0 unanswered
    reworded_effect query sql x arguments.text: "a" -> "aa"
    "#);
    let report = summary_of(&then, &query!(two("bbb", "a")));
    assert!(report.contains("reordered_effect query sql x: requested first -> requested later"), "{report}");
    assert!(report.contains("code_changed query Sum.of: 1003 -> 3001"), "{report}");
    assert!(!report.contains("reworded"), "{report}");
    // A call at another position could be either of the two.
    let third = query!(
        all((sql("y", "a", &[2]), all((sql("y", "b", &[2]), sql("x", "c", &[1])))))
            .map(|(a, (b, c))| a + b + c)
    );
    let report = summary_of(&then, &third);
    assert!(report.contains("unanswered query sql y"), "{report}");
    let chained = query!(sql("x", "zz", &[1]).and_then(|a| sql("x", "bbb", &[1]).map(move |b| a * 1000 + b)));
    let report = summary_of(&then, &chained);
    assert!(report.contains("reworded_effect") && report.contains("0 unanswered"), "{report}");
}

fn tried(text: &str) -> Effect<u64> {
    sql("x", text, &[1]).retry(zerver_engine::Retry::attempts(3))
}

#[test]
fn attempts_are_reworded_in_order() {
    let (then, now) = (query!(tried("a")), query!(tried("b")));
    let mut tries = 0;
    let trace = record_by(&then, Request::get("/"), false, usize::MAX, &mut |_| {
        tries += 1;
        match tries {
            1 => Err(zerver_trace::EffectError::new(zerver_trace::EffectErrorKind::Timeout, "late")),
            _ => Ok(Call::output::<Statement>(5)),
        }
    });
    insta::assert_snapshot!(summary(&again(trace, &now, &Edits::default()).unwrap()), @r#"
    different: 2 of 2, 2 replayed, 0 unanswered
    reworded_effect query sql x arguments.text: "a" -> "b"
    reworded_effect query sql x arguments.text: "a" -> "b"
    "#);
}

#[test]
fn a_secret_in_a_changed_text_is_masked() {
    let one = || query!(sql("by id", "select 'canary-7'", &[7]));
    let mut trace = recorded(&one());
    trace.request_headers.push(Header {
        name: "authorization".into(),
        value: Recorded::Sealed { hash: [3; 16], sealed: vec![], masked: None },
    });
    let secrets = Secrets([([3; 16], Value::from_bytes(b"canary-7").unwrap())].into());
    let now = query!(sql("by id", "select 'canary-7' ", &[7]));
    let (recording, flow) = (Recording { trace, secrets }, ready(&now));
    let (edits, context) = (&Edits::default(), ReplayContext::default());
    let report =
        Replay { recording: &recording, flow: &flow, route: &|_| true, edits, context }.run(&mut |_| {});
    let report = format!("{:?}", report.unwrap());
    assert!(report.contains("RewordedEffect") && !report.contains("canary"), "{report}");
}
