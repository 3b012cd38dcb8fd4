//! A recorded request as a Rust test: the request, the answers of its effects, and what came of it.

use serde::Serialize;
use zerver_analysis::rfc3339;
use zerver_replay::{RecordedJson, Secrets};
use zerver_trace::text::clean;
use zerver_trace::{Answer, Event, Origin, Outcome, Recorded, Trace};

use crate::args::Expect;
use crate::trouble::Trouble;

/// Longer JSON is broken into lines.
const LINE: usize = 90;
/// What stands in for a secret header; a bearer token has the word before it.
const PLACEHOLDER: &str = "placeholder";

/// Writes the test. `secrets` are what is behind the seals; they are written out only where it `is_open`.
pub(super) fn test(
    trace: &Trace,
    secrets: &Secrets,
    is_open: bool,
    expect: Expect,
) -> Result<String, Trouble> {
    let cannot = |why: &str| {
        Trouble::new(format!("{} cannot be made a test", trace.id))
            .because(&std::io::Error::other(why.to_owned()))
    };
    match &trace.outcome {
        Outcome::Rejected { .. } => return Err(cannot("it was answered before any step ran")),
        Outcome::Gone { .. } => return Err(cannot("its client went away before there was an answer")),
        Outcome::TimedOut { .. } => return Err(cannot("its deadline passed, and in a test no time does")),
        Outcome::Done if expect == Expect::Fixed && trace.status < 400 => {
            let trouble = cannot("it did not fail, so there is nothing to be fixed");
            return Err(trouble.hint("leave --expect fixed out to expect what was recorded"));
        }
        _ if !trace.is_complete() => return Err(cannot("not all that happened was recorded")),
        _ => {}
    }
    let mut test = Test {
        trace,
        secrets,
        is_open,
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
    is_open: bool,
    expect: Expect,
    /// What a person fills in: a name, and a value that will often do.
    constants: Vec<(String, String)>,
    /// What is called on the script,
    calls: Vec<String>,
    /// and what is asserted.
    checks: Vec<String>,
}

impl Test<'_> {
    fn request(&mut self) -> Result<(), String> {
        let trace = self.trace;
        let target = self.wire(&trace.target).ok_or("its path is not known")?;
        let origin = match &trace.origin {
            Origin::Named(origin) if self.is_open || !origin.is_secret() => self.wire(origin),
            _ => None,
        };
        let target = origin.unwrap_or_default() + &target;
        self.calls.push(format!("send({}, {})", literal(&trace.method), literal(&target)));
        for header in &trace.request_headers {
            let value = match self.wire(&header.value) {
                Some(value) if !header.value.is_secret() || self.is_open => literal(&value),
                _ => self.constant(&header.name, &header.value),
            };
            self.calls.push(format!("header({}, {value})", literal(&header.name)));
        }
        let body = &trace.request_body;
        if body.full_len > 0 {
            if body.kept_len < body.full_len {
                return Err("its body was too long to be recorded whole".to_owned());
            }
            let text = self.wire(&body.bytes).ok_or("its body is no text, or not known")?;
            self.calls.push(format!("body({})", raw(&text)));
        }
        self.calls.push(format!("id({})", literal(&trace.id.to_string())));
        self.calls.push(format!("at(UNIX_EPOCH + Duration::from_nanos({}))", grouped(trace.started_unix_ns)));
        self.calls.push(format!("seed({})", grouped(trace.seed)));
        Ok(())
    }

    /// A constant for a header that is a secret.
    fn constant(&mut self, header: &str, recorded: &Recorded) -> String {
        let name: String = header
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
            .collect();
        let is_bearer = self
            .plain(recorded)
            .is_none_or(|value| value.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer ")));
        let scheme = if header == "authorization" && is_bearer { "Bearer " } else { "" };
        if !self.constants.iter().any(|(known, _)| *known == name) {
            self.constants.push((name.clone(), format!("{scheme}{PLACEHOLDER}")));
        }
        name
    }

    fn answers(&mut self) -> Result<(), String> {
        let trace = self.trace;
        for event in &trace.events {
            let Event::EffectRequested { call, kind, args, .. } = event else { continue };
            let answer = trace.events.iter().find_map(|event| match event {
                Event::EffectCompleted { call: of, answer, .. } if of == call => Some(answer),
                _ => None,
            });
            let unknown = || format!("the arguments of a {} effect are not known", clean(kind));
            let args = self.json(args).ok_or_else(unknown)?;
            let (kind, args) = (literal(kind), raw(&args));
            self.calls.push(match answer {
                Some(Answer::Ok(output)) => {
                    let unknown = || format!("what a {} effect gave is not known", clean(&kind));
                    let output = raw(&self.json(output).ok_or_else(unknown)?);
                    lines("        ", "answer_json", &[kind, args, output])
                }
                Some(Answer::Err(error)) => {
                    let (sort, message) = (literal(error.kind.as_str()), literal(&error.message));
                    lines("        ", "fail_json", &[kind, args, sort, message])
                }
                Some(Answer::Cancelled) | None => {
                    return Err(format!("a {} effect had not ended", clean(&kind)));
                }
            });
        }
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
            if info.is_secret && !self.is_open {
                continue;
            }
            if let Some(value) = self.json(value) {
                self.checks.push(lines("    ", "assert_wrote", &[literal(&info.name), raw(&value)]));
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
                self.checks.push(lines("    ", "assert_answer", &[status, body]));
            }
            None => self.checks.push(format!("assert_status({})", trace.status)),
        }
    }

    /// What is recorded, with masks in the place of secrets unless it may be said.
    fn seen(&self, recorded: &Recorded) -> Option<Recorded> {
        let hash = match recorded {
            Recorded::Sealed { hash, .. } | Recorded::Hashed { hash, .. } => hash,
            Recorded::Plain { .. } => return Some(recorded.clone()),
            Recorded::Missing(_) => return None,
        };
        let plain = self.secrets.0.get(hash).filter(|_| self.is_open);
        match plain {
            Some(value) => Some(Recorded::Plain { value: value.clone(), summary: None }),
            None => recorded.value().map(|_| recorded.clone()),
        }
    }

    /// The text behind a header, said or not.
    fn plain(&self, recorded: &Recorded) -> Option<String> {
        let Recorded::Sealed { hash, .. } = recorded else { return None };
        let bytes = self.secrets.0.get(hash)?.root().as_bytes()?.into_owned();
        String::from_utf8(bytes).ok()
    }

    /// Bytes that came over the wire, if they are text.
    fn wire(&self, recorded: &Recorded) -> Option<String> {
        let seen = self.seen(recorded)?;
        String::from_utf8(seen.value()?.root().as_bytes()?.into_owned()).ok()
    }

    fn json(&self, recorded: &Recorded) -> Option<String> {
        document(&RecordedJson::Value(self.seen(recorded)?), false)
    }

    /// The name of the test: that of the flow, with the status.
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
            Expect::Recorded => format!("answered with {}", trace.status),
            Expect::Fixed => format!("which failed with {} and should not", trace.status),
        };
        let mut out = format!(
            "//! {} {}, {ended}, as it was recorded at {}.\n//!\n",
            clean(&trace.method),
            clean(&trace.path),
            rfc3339(trace.started_unix_ns),
        );
        out += "//! Written by `zerver export --test`, and yours to change. It belongs into the crate with the function `app`: save it\n";
        out += "//! beside main.rs or lib.rs, and name it there: `#[cfg(test)] mod ";
        out += &format!(
            "{};`. For a file in tests/, write your\n//! crate's name for `crate`.\n\n",
            self.name()
        );
        out += "use std::time::{Duration, UNIX_EPOCH};\n\nuse crate::app;\n";
        if !self.constants.is_empty() {
            out += "\n// Secrets are not exported. These do where no step looks into them; if one does, write what it wants to see.\n";
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
    let text = String::from_utf8(crate::json::document(value, is_pretty).ok()?).ok()?;
    let text = text.trim_end().to_owned();
    if is_pretty || text.len() <= LINE { Some(text) } else { document(value, true) }
}

/// JSON in lines where it is long; anything else as it is.
fn pretty(text: &str) -> String {
    let json = serde_json::from_str::<serde_json::Value>(text).ok();
    let json = json.filter(|_| text.len() > LINE).and_then(|json| document(&json, true));
    json.unwrap_or_else(|| text.to_owned())
}

/// A call, with a line for each argument where they do not fit on one.
fn lines(indent: &str, name: &str, args: &[String]) -> String {
    let line = format!("{name}({})", args.join(", "));
    if line.len() + indent.len() <= LINE && !line.contains('\n') {
        return line;
    }
    let args: String = args.iter().map(|arg| format!("\n{indent}    {arg},")).collect();
    format!("{name}({args}\n{indent})")
}

/// A literal of one line.
fn literal(text: &str) -> String {
    format!("{text:?}")
}

/// A literal that needs no escapes, where there is one.
fn raw(text: &str) -> String {
    let is_plain = text.chars().all(|c| c == '\n' || !zerver_trace::text::is_dangerous(c));
    if !is_plain || !text.contains(['"', '\\', '\n']) {
        return literal(text);
    }
    // As many as no quote in the text is followed by.
    let longest =
        text.split('"').skip(1).map(|after| after.bytes().take_while(|b| *b == b'#').count() + 1).max();
    let fence = "#".repeat(longest.unwrap_or(0));
    format!("r{fence}\"{text}\"{fence}")
}

/// A number as Rust groups it.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join("_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn literals_are_what_rust_reads() {
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
    fn no_secret_is_in_a_test_and_none_is_made_of_what_has_no_answer() {
        let test = |trace: &Trace| test(trace, &Secrets::default(), false, Expect::Recorded);
        let text = test(&sample::slow()).unwrap();
        assert!(text.contains("fn todos_item_200()") && text.contains("assert_answer(200"), "{text}");
        let mut gone = sample::slow();
        gone.outcome = Outcome::Gone { step: 0 };
        assert!(test(&gone).unwrap_err().causes[0].contains("client"));
    }

    #[test]
    fn a_failure_can_be_expected_to_be_fixed() {
        let test = |trace: &Trace| test(trace, &Secrets::default(), false, Expect::Fixed);
        let text = test(&sample::failed()).unwrap();
        assert!(
            text.contains("fn todos_item_404_fixed()") && text.contains("run.assert_success();"),
            "{text}"
        );
        assert!(!text.contains("assert_steps") && !text.contains("assert_answer"), "{text}");
        assert!(test(&sample::slow()).unwrap_err().causes[0].contains("did not fail"));
    }
}
