//! Assertions on a test response. Expected values are the JSON that `zerver trace --json` prints, so that a test which was
//! exported from a recording can be read and changed by hand.

use std::fmt;

use serde_json::Value as Json;
use zerver_trace::{Event, Outcome, Value};

use super::json_comparison::{Difference, Side, first_difference, is_text};
use super::recorded_json::{parse, to_json};
use super::test_response::TestResponse;

impl TestResponse {
    /// Asserts which steps ran, and the decision of each: `continue`, `need`, `yield`, `done`, `fail` or `panic`.
    ///
    /// # Panics
    /// If other steps ran, or a step decided differently.
    #[track_caller]
    pub fn assert_steps(&self, expected: &[(&str, &str)]) {
        let ran = self.events.iter().filter_map(|event| match event {
            Event::StepRan { step, decision, .. } => {
                let name = self.info.steps.get(usize::from(*step)).map_or("", |step| step.name.as_str());
                Some((name, decision.as_str()))
            }
            _ => None,
        });
        let ran: Vec<_> = ran.collect();
        if ran == expected {
            return;
        }
        let at = std::iter::zip(&ran, expected).take_while(|(a, b)| a == b).count();
        let shown = |steps: &[(&str, &str)]| match steps.get(at) {
            Some((name, decision)) => format!("{name}: {decision}"),
            None => "the end".to_owned(),
        };
        differs(&format!("step {}", at + 1), shown(expected), shown(&ran), &self.ending());
    }

    /// Asserts the value that was written into a slot, as JSON. `<secret>` in a text matches any text.
    ///
    /// # Panics
    /// If another value was written, or none.
    #[track_caller]
    pub fn assert_slot(&self, slot: &str, expected: &str) {
        let Some(at) = self.info.slots.iter().position(|info| info.name == slot) else {
            panic!("flow {} has no slot {slot}", self.info.name)
        };
        let written = self.events.iter().find_map(|event| match event {
            Event::SlotWritten { slot, value, .. } if usize::from(*slot) == at => Some(value),
            _ => None,
        });
        let Some(written) = written else { differs(slot, expected, "not written", &self.ending()) };
        match Value::from_recordable(&**written) {
            Ok(value) => assert_same(slot, &parse(expected), &to_json(&value)),
            Err(error) => panic!("{slot} cannot be compared: {error}"),
        }
    }

    /// Asserts that a header of the response has this value, or one of its values if there are several.
    ///
    /// # Panics
    /// If the header has other values, or is absent.
    #[track_caller]
    pub fn assert_header(&self, name: &str, expected: &str) {
        let values = self.response.headers.get_all(name);
        let values: Vec<_> = values.iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        if !values.iter().any(|value| is_text(expected, value)) {
            let got = if values.is_empty() { "absent".to_owned() } else { values.join("\n            ") };
            differs(&format!("response header {name}"), expected, got, "");
        }
    }

    /// Asserts the status of the response.
    ///
    /// # Panics
    /// If the status is another.
    #[track_caller]
    pub fn assert_status(&self, status: u16) {
        if self.status() != status {
            let got = format!("{} {}", self.status(), self.text());
            differs("response status", status, got, &self.ending());
        }
    }

    /// Asserts that the request succeeded: its last step responded, with a status below 400.
    ///
    /// # Panics
    /// If a step or an effect failed, a step panicked, or the status is 400 or above.
    #[track_caller]
    pub fn assert_success(&self) {
        let is_done = matches!(self.outcome, Outcome::Done);
        if !is_done || self.status() >= 400 {
            let got = format!("{} {}", self.status(), self.text());
            differs("response status", "a status below 400", got, &self.ending());
        }
    }

    /// Asserts the status and the body of the response. The body is compared as JSON if both sides are JSON, and as text
    /// if not.
    ///
    /// # Panics
    /// If the status or the body is another.
    #[track_caller]
    pub fn assert_response(&self, status: u16, body: &str) {
        self.assert_status(status);
        let text = self.text();
        match (serde_json::from_str(body), serde_json::from_str(&text)) {
            (Ok(expected), Ok(got)) => assert_same("body", &expected, &got),
            _ if is_text(body, &text) => {}
            _ => differs("response body", format!("{body:?}"), format!("{text:?}"), ""),
        }
    }

    /// Describes how the request ended, for messages; empty if it was done.
    fn ending(&self) -> String {
        match &self.outcome {
            Outcome::Failed(info) => format!("\n  the request failed: {info}"),
            Outcome::Panicked { message, .. } => format!("\n  a step panicked: {message}"),
            _ => String::new(),
        }
    }
}

#[track_caller]
fn assert_same(name: &str, expected: &Json, got: &Json) {
    let mut path = name.to_owned();
    if let Some(Difference { expected, got }) = first_difference(expected, got, &mut path) {
        differs(&path, Side(expected), Side(got), "");
    }
}

/// Fails the test. The message shows both sides, one above the other.
#[track_caller]
fn differs(path: &str, expected: impl fmt::Display, got: impl fmt::Display, ending: &str) -> ! {
    panic!("{path} differs\n  expected  {expected}\n  got       {got}{ending}")
}
