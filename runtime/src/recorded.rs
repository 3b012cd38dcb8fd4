//! Tests made from recordings: answers and expectations in the JSON that `zerver trace --json` prints. `zerver export
//! --test` writes such tests; they read well enough to be changed by hand.

use std::fmt;

use http::Method;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value as Json;
use zerver_engine::{EffectError, EffectErrorKind, RequestId};
use zerver_trace::{Event, Recorded, Value};

use crate::script::{Given, Run, Script, Wanted};

/// What a mask begins with, in the place of a secret: `<secret:3f9a2c71d0e4>`.
const MASK: &str = "<secret";

impl Script {
    /// A request of any method: `.send("GET", "/todos/7")`.
    ///
    /// # Panics
    /// When HTTP does not allow the method, or `target` is no path.
    pub fn send(self, method: &str, target: &str) -> Self {
        match Method::from_bytes(method.as_bytes()) {
            Ok(method) => self.request(method, target),
            Err(error) => panic!("{method:?} is no method: {error}"),
        }
    }

    /// With this id; one derived from the seed otherwise.
    ///
    /// # Panics
    /// When it is no whole id.
    pub fn id(self, id: &str) -> Self {
        let digits: String = id.chars().filter(|c| *c != '-').collect();
        match u128::from_str_radix(&digits, 16) {
            Ok(number) if digits.len() == 32 => self.with_id(RequestId::from_u128(number)),
            _ => panic!("{id:?} is no id: it has 32 hexadecimal digits"),
        }
    }

    /// What a call of this kind with these arguments gives, once; both are JSON, as `zerver trace --json` prints them.
    /// `<secret>` in a text stands for any text.
    ///
    /// # Panics
    /// When it is no JSON. When it runs, where this is not what an effect of this kind gives.
    pub fn answer_json(self, kind: &str, args: &str, output: &str) -> Self {
        let output = match Value::from_serialize(&Told(&json(output))) {
            Ok(output) => output,
            Err(error) => panic!("{output} is no value: {error}"),
        };
        self.given(Wanted::Json(kind.to_owned(), json(args)), Given::Value(output))
    }

    /// How a call of this kind with these arguments fails, once: `.fail_json("http", "..", "timeout", "after 1s")`.
    ///
    /// # Panics
    /// When it is no JSON, or there is no such error.
    pub fn fail_json(self, kind: &str, args: &str, error: &str, message: &str) -> Self {
        let sort: EffectErrorKind = match serde_json::from_value(Json::String(error.to_owned())) {
            Ok(sort) => sort,
            Err(error) => panic!("no such error: {error}"),
        };
        let error = EffectError::new(sort, message);
        self.given(Wanted::Json(kind.to_owned(), json(args)), Given::Performed(Err(error)))
    }
}

impl Run {
    /// Asserts which steps ran, and what each decided: `continue`, `need`, `yield`, `done`, `fail` or `panic`.
    ///
    /// # Panics
    /// Where others ran, or one decided otherwise.
    #[track_caller]
    pub fn assert_steps(&self, wanted: &[(&str, &str)]) {
        let ran = self.events.iter().filter_map(|event| match event {
            Event::StepRan { step, decision, .. } => {
                let name = self.info.steps.get(usize::from(*step)).map_or("", |step| step.name.as_str());
                Some((name, decision.as_str()))
            }
            _ => None,
        });
        let ran: Vec<_> = ran.collect();
        if ran == wanted {
            return;
        }
        let at = std::iter::zip(&ran, wanted).take_while(|(a, b)| a == b).count();
        let told = |steps: &[(&str, &str)]| match steps.get(at) {
            Some((name, decision)) => format!("{name}: {decision}"),
            None => "the end".to_owned(),
        };
        differs(&format!("step {}", at + 1), told(wanted), told(&ran), &self.ending());
    }

    /// Asserts what was written into a slot, as JSON. `<secret>` in a text stands for any text.
    ///
    /// # Panics
    /// Where something else was written, or nothing.
    #[track_caller]
    pub fn assert_wrote(&self, slot: &str, wanted: &str) {
        let Some(at) = self.info.slots.iter().position(|info| info.name == slot) else {
            panic!("flow {} has no slot {slot}", self.info.name)
        };
        let written = self.events.iter().find_map(|event| match event {
            Event::SlotWritten { slot, value, .. } if usize::from(*slot) == at => Some(value),
            _ => None,
        });
        let Some(written) = written else { differs(slot, wanted, "nothing was written", &self.ending()) };
        match Value::from_recordable(&**written) {
            Ok(value) => assert_alike(slot, &json(wanted), &shown(&value)),
            Err(error) => panic!("{slot} cannot be compared: {error}"),
        }
    }

    /// Asserts a header of the answer.
    ///
    /// # Panics
    /// Where it is another, or none.
    #[track_caller]
    pub fn assert_header(&self, name: &str, wanted: &str) {
        let values = self.response.headers.get_all(name);
        let values: Vec<_> = values.iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        if !values.iter().any(|value| is_text(wanted, value)) {
            let got = if values.is_empty() { "not there".to_owned() } else { values.join("\n          ") };
            differs(&format!("header {name} of the answer"), wanted, got, "");
        }
    }

    /// Asserts the status of the answer.
    ///
    /// # Panics
    /// Where it is another.
    #[track_caller]
    pub fn assert_status(&self, status: u16) {
        if self.status() != status {
            let got = format!("{} {}", self.status(), self.text());
            differs("the status of the answer", status, got, &self.ending());
        }
    }

    /// Asserts that the request did not fail: its last step answered, with a status below 400.
    ///
    /// # Panics
    /// Where a step or an effect failed, a step panicked, or the status is 400 or above.
    #[track_caller]
    pub fn assert_success(&self) {
        let is_done = matches!(self.outcome, zerver_trace::Outcome::Done);
        if !is_done || self.status() >= 400 {
            let got = format!("{} {}", self.status(), self.text());
            differs("the answer", "a status below 400", got, &self.ending());
        }
    }

    /// Asserts the status and the body of the answer: JSON is compared as such, anything else as text.
    ///
    /// # Panics
    /// Where either is another.
    #[track_caller]
    pub fn assert_answer(&self, status: u16, body: &str) {
        self.assert_status(status);
        let text = self.text();
        match (serde_json::from_str(body), serde_json::from_str(&text)) {
            (Ok(wanted), Ok(got)) => assert_alike("answer", &wanted, &got),
            _ if is_text(body, &text) => {}
            _ => differs("the body of the answer", format!("{body:?}"), format!("{text:?}"), ""),
        }
    }

    fn ending(&self) -> String {
        match &self.outcome {
            zerver_trace::Outcome::Failed(info) => format!("\n  it failed: {info}"),
            zerver_trace::Outcome::Panicked { message, .. } => format!("\n  it panicked: {message}"),
            _ => String::new(),
        }
    }
}

/// Whether a call has these arguments.
pub(crate) fn is_asked(wanted: &Json, args: &Value) -> bool {
    first_difference(wanted, &shown(args), &mut String::new()).is_none()
}

fn shown(value: &Value) -> Json {
    let recorded = Recorded::Plain { value: value.clone(), summary: None };
    match serde_json::to_value(zerver_replay::RecordedJson::Value(recorded)) {
        Ok(json) => json,
        Err(error) => panic!("{value} cannot be shown as JSON: {error}"),
    }
}

#[track_caller]
fn json(text: &str) -> Json {
    match serde_json::from_str(text) {
        Ok(json) => json,
        Err(error) => panic!("{text:?} is no JSON: {error}"),
    }
}

#[track_caller]
fn assert_alike(what: &str, wanted: &Json, got: &Json) {
    let mut place = what.to_owned();
    if let Some(Difference { wanted, got }) = first_difference(wanted, got, &mut place) {
        differs(&place, Side(wanted), Side(got), "");
    }
}

/// Fails the test, with both sides one above the other.
#[track_caller]
fn differs(what: &str, wanted: impl fmt::Display, got: impl fmt::Display, ending: &str) -> ! {
    panic!("{what} differs\n  wanted  {wanted}\n  got     {got}{ending}")
}

struct Difference<'j> {
    wanted: Option<&'j Json>,
    got: Option<&'j Json>,
}

struct Side<'j>(Option<&'j Json>);

impl fmt::Display for Side<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(json) => fmt::Display::fmt(json, f),
            None => f.write_str("not there"),
        }
    }
}

/// Where the two differ first; `place` leads there then.
fn first_difference<'j>(wanted: &'j Json, got: &'j Json, place: &mut String) -> Option<Difference<'j>> {
    let here = place.len();
    let mut go = |name: &str, wanted: Option<&'j Json>, got: Option<&'j Json>| {
        place.push('.');
        place.push_str(name);
        let found = match (wanted, got) {
            (Some(wanted), Some(got)) => first_difference(wanted, got, place),
            (wanted, got) => Some(Difference { wanted, got }),
        };
        if found.is_none() {
            place.truncate(here);
        }
        found
    };
    match (wanted, got) {
        (Json::Object(a), Json::Object(b)) => {
            let mut names = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name)));
            names.find_map(|name| go(name, a.get(name), b.get(name)))
        }
        (Json::Array(a), Json::Array(b)) => {
            (0..a.len().max(b.len())).find_map(|at| go(&at.to_string(), a.get(at), b.get(at)))
        }
        (Json::String(a), Json::String(b)) if is_text(a, b) => None,
        // As they are written, for -0.0 is not 0.0.
        (Json::Number(a), Json::Number(b)) if a.to_string() == b.to_string() => None,
        (Json::Number(_), Json::Number(_)) => Some(Difference { wanted: Some(wanted), got: Some(got) }),
        (a, b) if a == b => None,
        (a, b) => Some(Difference { wanted: Some(a), got: Some(b) }),
    }
}

/// Whether a text is what is wanted, where a mask stands for any text.
fn is_text(wanted: &str, got: &str) -> bool {
    let Some((before, rest)) = wanted.split_once(MASK) else { return wanted == got };
    let Some(got) = got.strip_prefix(before) else { return false };
    let after = rest.split_once('>').map_or("", |(_, after)| after);
    let mut ends = got.char_indices().map(|(at, _)| at).chain([got.len()]);
    ends.any(|at| is_text(after, &got[at..]))
}

/// JSON as the value that it tells of: the forms with a telling key become what they stand for.
struct Told<'j>(&'j Json);

impl Serialize for Told<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Json::Array(items) => serializer.collect_seq(items.iter().map(Told)),
            Json::Object(entries) => match (entries.len(), entries.iter().next()) {
                (1, Some((key, Json::String(text)))) if key == "bytes" => match unhex(text) {
                    Some(bytes) => serializer.serialize_bytes(&bytes),
                    None => serializer.collect_map([(key, text)]),
                },
                (1, Some((key, Json::String(text)))) if key == "number" => number(text, serializer),
                (1, Some((key, Json::Array(pairs)))) if key == "map" => {
                    let mut map = serializer.serialize_map(Some(pairs.len()))?;
                    for pair in pairs {
                        map.serialize_entry(&Told(&pair[0]), &Told(&pair[1]))?;
                    }
                    map.end()
                }
                _ => serializer.collect_map(entries.iter().map(|(key, value)| (key, Told(value)))),
            },
            plain => plain.serialize(serializer),
        }
    }
}

fn number<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    if let Ok(number) = text.parse() {
        return serializer.serialize_u128(number);
    }
    if let Ok(number) = text.parse() {
        return serializer.serialize_i128(number);
    }
    match text.parse() {
        Ok(number) => serializer.serialize_f64(number),
        Err(_) => serializer.collect_map([("number", text)]),
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok().filter(|_| pair.len() == 2))
        .collect()
}
