//! A recorded request as a Rust test: the request, the results of its effects, and the expected outcome.

use serde::Serialize;
use zerver_analysis::rfc3339;
use zerver_replay::{RecordedJson, Secrets};
use zerver_trace::text::clean;
use zerver_trace::{Answer, Event, Origin, Outcome, Recorded, Trace};

use super::effect_ends::{effect_ends, in_order};
use crate::args::Expect;
use crate::error::CommandError;

/// Maximum length of JSON on one line, in bytes.
const MAX_LINE: usize = 90;
/// Value of a secret header in the test; for a bearer token, after the scheme.
const PLACEHOLDER: &str = "placeholder";

/// Returns the source of the test. The decrypted `secrets` are written out only if `shows_secrets` is set.
pub(super) fn rust_test(
    trace: &Trace,
    secrets: &Secrets,
    shows_secrets: bool,
    expect: Expect,
) -> Result<String, CommandError> {
    let cannot =
        |why: &str| CommandError::new(format!("cannot export {} as a test", trace.id)).with_cause(why);
    match &trace.outcome {
        Outcome::Rejected { .. } => return Err(cannot("it was rejected before any step ran")),
        Outcome::ClientLeft { .. } => return Err(cannot("its client left before there was a response")),
        Outcome::TimedOut { .. } => return Err(cannot("its deadline passed, and a test has no time")),
        Outcome::Done if expect == Expect::Fixed && trace.status < 400 => {
            let error = cannot("it did not fail, so there is nothing to fix");
            return Err(error.with_hint("leave out --expect fixed to expect the recorded outcome"));
        }
        _ if !trace.is_complete() => return Err(cannot("its recording is incomplete")),
        _ => {}
    }
    let mut test = Test {
        trace,
        secrets,
        shows_secrets,
        expect,
        constants: Vec::new(),
        calls: Vec::new(),
        checks: Vec::new(),
    };
    test.request().map_err(|why| cannot(&why))?;
    test.answers().map_err(|why| cannot(&why))?;
    test.expectations();
    Ok(test.text())
}

struct Test<'t> {
    trace: &'t Trace,
    secrets: &'t Secrets,
    shows_secrets: bool,
    expect: Expect,
    /// Constants to fill in: the name, and a default that often suffices.
    constants: Vec<(String, String)>,
    /// Methods to call on the test request.
    calls: Vec<String>,
    /// Assertions on the response.
    checks: Vec<String>,
}

impl Test<'_> {
    fn request(&mut self) -> Result<(), String> {
        let trace = self.trace;
        let target = self.wire(&trace.target).ok_or("its path was not recorded")?;
        let origin = match &trace.origin {
            Origin::Named(origin) if self.shows_secrets || !origin.is_secret() => self.wire(origin),
            _ => None,
        };
        let target = origin.unwrap_or_default() + &target;
        self.calls.push(format!("request({}, {})", literal(&trace.method), literal(&target)));
        for header in &trace.request_headers {
            let value = match self.wire(&header.value) {
                Some(value) if !header.value.is_secret() || self.shows_secrets => literal(&value),
                _ => self.constant(&header.name, &header.value),
            };
            self.calls.push(format!("header({}, {value})", literal(&header.name)));
        }
        let body = &trace.request_body;
        if body.full_len > 0 {
            if body.kept_len < body.full_len {
                return Err("its body was too long to be recorded in full".to_owned());
            }
            let text = self.wire(&body.bytes).ok_or("its body is not text, or was not recorded")?;
            self.calls.push(format!("body({})", raw(&text)));
        }
        self.calls.push(format!("id({})", literal(&trace.id.to_string())));
        self.calls.push(format!("at(UNIX_EPOCH + Duration::from_nanos({}))", grouped(trace.started_unix_ns)));
        self.calls.push(format!("seed({})", grouped(trace.seed)));
        Ok(())
    }

    /// Adds a constant for a secret header, and returns its name.
    fn constant(&mut self, header: &str, recorded: &Recorded) -> String {
        let name: String = header
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
            .collect();
        let is_bearer = self
            .decrypted(recorded)
            .is_none_or(|value| value.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer ")));
        let scheme = if header == "authorization" && is_bearer { "Bearer " } else { "" };
        if !self.constants.iter().any(|(known, _)| *known == name) {
            self.constants.push((name.clone(), format!("{scheme}{PLACEHOLDER}")));
        }
        name
    }

    /// Plans the results of the effects, in the order in which they ended. Of several alike, the test answers the first one
    /// first, so these keep the order of their requests.
    fn answers(&mut self) -> Result<(), String> {
        let trace = self.trace;
        let ends = effect_ends(trace);
        let mut planned = Vec::new();
        for event in &trace.events {
            let Event::EffectRequested { call: number, kind, args, .. } = event else { continue };
            let end = ends.get(number).copied().unwrap_or_default();
            let unknown = || format!("the arguments of a {} effect were not recorded", clean(kind));
            let args = self.json(args).ok_or_else(unknown)?;
            let (kind, args) = (literal(kind), raw(&args));
            let key = (kind.clone(), args.clone());
            let answer = match end.answer {
                Some(Answer::Ok(output)) => {
                    let unknown = || format!("the result of a {} effect was not recorded", clean(&kind));
                    let output = raw(&self.json(output).ok_or_else(unknown)?);
                    call("        ", "answer_json", &[kind, args, output])
                }
                Some(Answer::Err(error)) => {
                    let (sort, message) = (literal(error.kind.as_str()), literal(&error.message));
                    call("        ", "fail_json", &[kind, args, sort, message])
                }
                Some(Answer::Canceled) | None => call("        ", "no_answer_json", &[kind, args]),
            };
            planned.push((end.position(), key, answer, end.decision));
        }
        self.calls.extend(in_order(planned));
        Ok(())
    }

    fn expectations(&mut self) {
        let trace = self.trace;
        if self.expect == Expect::Fixed {
            self.checks.push("assert_success()".to_owned());
            return;
        }
        let step = |step: &u16| trace.flow.steps.get(usize::from(*step)).map_or("", |step| &step.name);
        let steps = trace.events.iter().filter_map(|event| match event {
            Event::StepRan { step: at, decision, .. } => {
                Some(format!("\n        ({}, {}),", literal(step(at)), literal(decision.as_str())))
            }
            _ => None,
        });
        let steps: String = steps.collect();
        self.checks.push(format!("assert_steps(&[{steps}\n    ])"));
        for event in &trace.events {
            let Event::SlotWritten { slot, value, .. } = event else { continue };
            let Some(info) = trace.flow.slots.get(usize::from(*slot)) else { continue };
            if info.is_secret && !self.shows_secrets {
                continue;
            }
            if let Some(value) = self.json(value) {
                self.checks.push(call("    ", "assert_slot", &[literal(&info.name), raw(&value)]));
            }
        }
        for header in &trace.response_headers {
            if let Some(value) = self.wire(&header.value) {
                self.checks.push(format!("assert_header({}, {})", literal(&header.name), literal(&value)));
            }
        }
        let body = &trace.response_body;
        let text = if body.full_len == 0 { Some(String::new()) } else { self.wire(&body.bytes) };
        match text.filter(|_| body.kept_len == body.full_len) {
            Some(text) => {
                let (status, body) = (trace.status.to_string(), raw(&pretty(&text)));
                self.checks.push(call("    ", "assert_response", &[status, body]));
            }
            None => self.checks.push(format!("assert_status({})", trace.status)),
        }
    }

    /// Returns a recorded value, with secrets masked unless they may be shown.
    fn visible(&self, recorded: &Recorded) -> Option<Recorded> {
        let hash = match recorded {
            Recorded::Sealed { hash, .. } | Recorded::Hashed { hash, .. } => hash,
            Recorded::Plain { .. } => return Some(recorded.clone()),
            Recorded::Missing(_) => return None,
        };
        let plain = self.secrets.0.get(hash).filter(|_| self.shows_secrets);
        match plain {
            Some(value) => Some(Recorded::Plain { value: value.clone(), summary: None }),
            None => recorded.value().map(|_| recorded.clone()),
        }
    }

    /// Returns the decrypted text of a header, even if it may not be shown.
    fn decrypted(&self, recorded: &Recorded) -> Option<String> {
        let Recorded::Sealed { hash, .. } = recorded else { return None };
        let bytes = self.secrets.0.get(hash)?.root().as_bytes()?.into_owned();
        String::from_utf8(bytes).ok()
    }

    /// Returns bytes from the wire if they are text.
    fn wire(&self, recorded: &Recorded) -> Option<String> {
        let seen = self.visible(recorded)?;
        String::from_utf8(seen.value()?.root().as_bytes()?.into_owned()).ok()
    }

    fn json(&self, recorded: &Recorded) -> Option<String> {
        document(&RecordedJson::Value(self.visible(recorded)?), false)
    }

    /// Returns the name of the test: the flow and the status.
    fn name(&self) -> String {
        let flow = self.trace.flow.name.chars();
        let flow: String =
            flow.map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
        let first = if flow.starts_with(|c: char| c.is_ascii_alphabetic()) { "" } else { "flow_" };
        let last = if self.expect == Expect::Fixed { "_fixed" } else { "" };
        format!("{first}{flow}_{}{last}", self.trace.status)
    }

    fn text(&self) -> String {
        let trace = self.trace;
        let flow = &trace.flow.name;
        let ended = match self.expect {
            Expect::Recorded => format!("status {}", trace.status),
            Expect::Fixed => format!("which failed with status {} and should succeed", trace.status),
        };
        let mut out = format!(
            "//! {} {}, {ended}, recorded at {}.\n//!\n",
            clean(&trace.method),
            clean(&trace.path),
            rfc3339(trace.started_unix_ns),
        );
        out += "//! Generated by `zerver export --test`; edit it as you like. It belongs in the crate that has the function `app`: save\n";
        out += "//! it next to main.rs or lib.rs and declare it there with `#[cfg(test)] mod ";
        out += &format!("{};`. In tests/, replace\n//! `crate` by the name of your crate.\n\n", self.name());
        out += "use std::time::{Duration, UNIX_EPOCH};\n\nuse crate::app;\n";
        if !self.constants.is_empty() {
            out += "\n// Secrets are not exported. If a step inspects one of these, replace it by a value that the step accepts.\n";
            for (name, value) in &self.constants {
                out += &format!("const {name}: &str = {};\n", literal(value));
            }
        }
        out += &format!("\n#[test]\nfn {}() {{\n    let run = app()\n", self.name());
        out += &format!("        .test({})\n", literal(flow));
        for call in &self.calls {
            out += &format!("        .{call}\n");
        }
        out += "        .run();\n";
        for check in &self.checks {
            out += &format!("    run.{check};\n");
        }
        out + "}\n"
    }
}

fn document(value: &impl Serialize, is_pretty: bool) -> Option<String> {
    let text = String::from_utf8(crate::safe_json::document(value, is_pretty).ok()?).ok()?;
    let text = text.trim_end().to_owned();
    if is_pretty || text.len() <= MAX_LINE { Some(text) } else { document(value, true) }
}

/// Indents long JSON; leaves other text unchanged.
fn pretty(text: &str) -> String {
    let json = serde_json::from_str::<serde_json::Value>(text).ok();
    let json = json.filter(|_| text.len() > MAX_LINE).and_then(|json| document(&json, true));
    json.unwrap_or_else(|| text.to_owned())
}

/// Returns a call, with one argument per line if they do not fit on one.
fn call(indent: &str, name: &str, args: &[String]) -> String {
    let line = format!("{name}({})", args.join(", "));
    if line.len() + indent.len() <= MAX_LINE && !line.contains('\n') {
        return line;
    }
    let args: String = args.iter().map(|arg| format!("\n{indent}    {arg},")).collect();
    format!("{name}({args}\n{indent})")
}

/// Returns a string literal on one line.
fn literal(text: &str) -> String {
    format!("{text:?}")
}

/// Returns a raw string literal if the text needs one and allows it.
fn raw(text: &str) -> String {
    let is_plain = text.chars().all(|c| c == '\n' || !zerver_trace::text::is_dangerous(c));
    if !is_plain || !text.contains(['"', '\\', '\n']) {
        return literal(text);
    }
    // One more than follow any quote in the text.
    let longest =
        text.split('"').skip(1).map(|after| after.bytes().take_while(|b| *b == b'#').count() + 1).max();
    let fence = "#".repeat(longest.unwrap_or(0));
    format!("r{fence}\"{text}\"{fence}")
}

/// Returns a number with its digits grouped by underscores.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join("_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerver_testkit::sample;
    use zerver_trace::PolicyDecision;

    #[test]
    fn literals_are_valid_rust() {
        assert_eq!(raw("plain"), r#""plain""#);
        assert_eq!(raw(r#"{"a":"b"}"#), r##"r#"{"a":"b"}"#"##);
        assert_eq!(raw(r###"a"##b"c"###), r#####"r###"a"##b"c"###"#####);
        assert_eq!(raw("\u{1b}\"\u{202e}"), r#""\u{1b}\"\u{202e}""#);
        assert_eq!(
            (grouped(0), grouped(999), grouped(1_234_567)),
            ("0".into(), "999".into(), "1_234_567".into())
        );
    }

    #[test]
    fn a_test_holds_no_secret_and_needs_a_response() {
        let test = |trace: &Trace| rust_test(trace, &Secrets::default(), false, Expect::Recorded);
        let text = test(&sample::slow()).unwrap();
        assert!(text.contains("fn todos_item_200()") && text.contains("assert_response(200"), "{text}");
        let mut unanswered = sample::slow();
        unanswered.outcome = Outcome::ClientLeft { step: 0 };
        assert!(test(&unanswered).unwrap_err().causes[0].contains("client"));
    }

    #[test]
    fn a_failure_can_be_expected_to_succeed() {
        let test = |trace: &Trace| rust_test(trace, &Secrets::default(), false, Expect::Fixed);
        let text = test(&sample::failed()).unwrap();
        assert!(
            text.contains("fn todos_item_404_fixed()") && text.contains("run.assert_success();"),
            "{text}"
        );
        assert!(!text.contains("assert_steps") && !text.contains("assert_response"), "{text}");
        assert!(test(&sample::slow()).unwrap_err().causes[0].contains("did not fail"));
    }

    fn effects_of(events: Vec<Event<Recorded>>) -> String {
        let steps: [(_, &[u16], &[u16]); 1] = [("ask", &[], &[])];
        let trace = sample::trace(sample::flow(&[], &steps), 1_000, events);
        let text = rust_test(&trace, &Secrets::default(), false, Expect::Recorded).unwrap();
        let is_planned = |line: &&str| ["_json(", "repeated()"].iter().any(|call| line.contains(call));
        text.lines().filter(is_planned).map(|line| format!("{}\n", line.trim())).collect()
    }

    fn asked(call: u32, args: &str, attempt: u16) -> Event<Recorded> {
        sample::asked(call, 0, 1, "sql", sample::plain(args), attempt)
    }

    fn answered(call: u32, output: &str) -> Event<Recorded> {
        sample::answered(call, 2, Answer::Ok(sample::plain(output)))
    }

    fn canceled(call: u32) -> Event<Recorded> {
        sample::answered(call, 2, Answer::Canceled)
    }

    #[test]
    fn calls_that_another_answer_has_canceled_are_planned_without_an_answer() {
        // Two members of a group of which the second answered first.
        let any = vec![asked(0, "a", 1), asked(1, "b", 1), answered(1, "B"), canceled(0)];
        insta::assert_snapshot!(effects_of(any), @r##"
        .answer_json("sql", r#""b""#, r#""B""#)
        .no_answer_json("sql", r#""a""#)
        "##);
        // Two calls of a hedge, which are alike: the first keeps the first place, whichever has won.
        let second = vec![asked(0, "a", 1), asked(1, "a", 1), answered(1, "A"), canceled(0)];
        insta::assert_snapshot!(effects_of(second), @r##"
        .no_answer_json("sql", r#""a""#)
        .answer_json("sql", r#""a""#, r#""A""#)
        "##);
        let first = vec![asked(0, "a", 1), asked(1, "a", 1), answered(0, "A"), canceled(1)];
        insta::assert_snapshot!(effects_of(first), @r##"
        .answer_json("sql", r#""a""#, r#""A""#)
        .no_answer_json("sql", r#""a""#)
        "##);
    }

    #[test]
    fn results_are_planned_in_the_order_in_which_they_came() {
        let all = vec![asked(0, "a", 1), asked(1, "b", 1), answered(1, "B"), answered(0, "A")];
        insta::assert_snapshot!(effects_of(all), @r##"
        .answer_json("sql", r#""b""#, r#""B""#)
        .answer_json("sql", r#""a""#, r#""A""#)
        "##);
    }

    #[test]
    fn what_a_policy_has_decided_about_another_attempt_is_planned() {
        let decided = |call, decision| Event::PolicyDecided { call, at_ns: 2, decision, wait_ns: 0 };
        let events = vec![
            asked(0, "a", 1),
            answered(0, "busy"),
            decided(0, PolicyDecision::Retried),
            asked(1, "a", 2),
            answered(1, "busy"),
            decided(1, PolicyDecision::BudgetExhausted),
        ];
        insta::assert_snapshot!(effects_of(events), @r##"
        .answer_json("sql", r#""a""#, r#""busy""#)
        .repeated()
        .answer_json("sql", r#""a""#, r#""busy""#)
        .not_repeated()
        "##);
    }
}
