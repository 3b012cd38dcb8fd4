//! Fixes the encoding of every recorded enum. Bincode encodes a variant by its position, so a variant that moves makes
//! every stored trace read as something else. New variants go at the end of their enum, and at the end of its list
//! here.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};

use bincode::Encode;
use zerver_trace::*;

/// Name of an enum, and the names and discriminants of its variants in the order of this file.
type Listed = (&'static str, Vec<(String, u8)>);

fn list<T: Encode + Debug>(name: &'static str, variants: &[T]) -> Listed {
    let variant = |value: &T| {
        let text = format!("{value:?}");
        let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
        let bytes = bincode::encode_to_vec(value, bincode::config::standard()).unwrap();
        (text[..end].to_owned(), bytes[0])
    };
    (name, variants.iter().map(variant).collect())
}

fn listed() -> Vec<Listed> {
    let (name, text) = (|| Name::from("x"), || "x".to_owned());
    let value = || Value::from_serialize(&1u8).unwrap();
    let failure = FailureInfo {
        kind: FailureKind::Invalid,
        what: name(),
        key: text(),
        message: text(),
        step: None,
        call: None,
        causes: Vec::new(),
    };
    vec![
        list(
            "Event",
            &[
                Event::BodyReceived { at_ns: 1 },
                Event::StepRan { step: 1, ready_ns: 1, at_ns: 1, cpu_ns: 1, decision: Decision::Done },
                Event::StepYielded { step: 1, progress: 1u8 },
                Event::SlotWritten { step: 1, slot: 1, at_ns: 1, value: 1 },
                Event::EffectRequested {
                    call: 1,
                    step: 1,
                    at_ns: 1,
                    kind: name(),
                    args: 1,
                    attempt: 1,
                    timeout_ns: None,
                },
                Event::EffectCompleted { call: 1, at_ns: 1, answer: Answer::Canceled },
                Event::Reclassified { at_ns: 1, from: Class::Default, to: Class::Batch, reason: name() },
                Event::EffectQueued { call: 1, at_ns: 1, reason: QueueReason::Kind },
                Event::EffectStarted { call: 1, at_ns: 1 },
                Event::Migrated { at_ns: 1, to: Thread::Worker(1) },
                Event::QuantumExceeded { step: 1, at_ns: 1, quantum_ns: 1 },
                Event::CompletionDelayed {
                    call: 1,
                    ready_ns: 1,
                    at_ns: 1,
                    thread: None,
                    flow: name(),
                    step: name(),
                },
                Event::ReadDelayed {
                    part: RequestPart::Head,
                    unread_ns: 1,
                    ran_ns: 1,
                    flow: name(),
                    step: name(),
                },
                Event::StepPanicked { step: 1, at_ns: 1, file: name(), line: 1, column: 1 },
                Event::EffectPoint { call: 1, at_ns: 1, point: name() },
                Event::PolicyDecided {
                    call: 1,
                    at_ns: 1,
                    decision: PolicyDecision::BreakerRefused,
                    wait_ns: 1,
                },
                Event::UndoRegistered { undo: 1, call: Some(1), step: 1, at_ns: 1 },
                Event::UndoStarted { undo: 1, at_ns: 1 },
                Event::UndoEnded { undo: 1, at_ns: 1, failure: None },
                Event::FaultInjected { call: 1, at_ns: 1, rule: name() },
                Event::Logged { call: 1, at_ns: 1, level: LogLevel::Info, target: name(), line: 1 },
                Event::StepLogged { step: 1, at_ns: 1, level: LogLevel::Info, target: name(), line: 1 },
            ],
        ),
        list(
            "LogLevel",
            &[LogLevel::Error, LogLevel::Warn, LogLevel::Info, LogLevel::Debug, LogLevel::Trace],
        ),
        list("RequestPart", &[RequestPart::Head, RequestPart::Body]),
        list("Thread", &[Thread::Worker(1), Thread::BatchWorker(1)]),
        list(
            "QueueReason",
            &[
                QueueReason::RetryDelay,
                QueueReason::Request,
                QueueReason::Target,
                QueueReason::Kind,
                QueueReason::Rate,
                QueueReason::Hedge,
            ],
        ),
        list("PolicyDecision", &PolicyDecision::ALL),
        list(
            "Decision",
            &[
                Decision::Continue,
                Decision::Need,
                Decision::Yield,
                Decision::Done,
                Decision::Fail,
                Decision::Panic,
            ],
        ),
        list(
            "Answer",
            &[Answer::Ok(1u8), Answer::Err(EffectError::new(EffectErrorKind::Timeout, "")), Answer::Canceled],
        ),
        list(
            "EffectErrorKind",
            &[
                EffectErrorKind::Timeout,
                EffectErrorKind::Unreachable,
                EffectErrorKind::Malformed,
                EffectErrorKind::TooLarge,
                EffectErrorKind::Invalid,
                EffectErrorKind::NoInterpreter,
                EffectErrorKind::Internal,
                EffectErrorKind::Failed,
                EffectErrorKind::Refused,
                EffectErrorKind::UnknownOutcome,
            ],
        ),
        list("Class", &[Class::Interactive, Class::Default, Class::Batch]),
        list(
            "FailureKind",
            &[
                FailureKind::Invalid,
                FailureKind::Unauthorized,
                FailureKind::Forbidden,
                FailureKind::NotFound,
                FailureKind::Conflict,
                FailureKind::TooLarge,
                FailureKind::Limited,
                FailureKind::Internal,
                FailureKind::BadUpstream,
                FailureKind::Unavailable,
                FailureKind::Timeout,
                FailureKind::PaymentRequired,
                FailureKind::MethodNotAllowed,
                FailureKind::NotAcceptable,
                FailureKind::Gone,
                FailureKind::PreconditionFailed,
                FailureKind::UnsupportedMediaType,
                FailureKind::RangeNotSatisfiable,
                FailureKind::Unprocessable,
                FailureKind::Locked,
                FailureKind::PreconditionRequired,
                FailureKind::LegalReasons,
                FailureKind::NotImplemented,
            ],
        ),
        list("Kept", &[Kept::All, Kept::Failed, Kept::Slow, Kept::Requested, Kept::Sampled, Kept::Imported]),
        list(
            "Outcome",
            &[
                Outcome::Done,
                Outcome::Failed(failure),
                Outcome::Panicked { step: 1, message: text() },
                Outcome::TimedOut { step: 1 },
                Outcome::ClientLeft { step: 1 },
                Outcome::Rejected { reason: text() },
            ],
        ),
        list(
            "Recorded",
            &[
                Recorded::Plain { value: value(), summary: None },
                Recorded::Sealed { hash: [1; 16], sealed: vec![1], masked: None },
                Recorded::Hashed { hash: [1; 16], masked: None },
                Recorded::Missing(MissingReason::TooLarge),
            ],
        ),
        list(
            "MissingReason",
            &[MissingReason::TooLarge, MissingReason::Failed(text()), MissingReason::NotImported],
        ),
        list("RecordedBy", &[RecordedBy::Runtime, RecordedBy::Layer]),
        list("Origin", &[Origin::NotRecorded, Origin::Absent, Origin::Named(1u8)]),
        list(
            "TextPlace",
            &[
                TextPlace::What,
                TextPlace::Key,
                TextPlace::Message,
                TextPlace::Cause(1),
                TextPlace::Causes,
                TextPlace::EffectError(1),
                TextPlace::ReclassificationReason,
            ],
        ),
    ]
}

#[test]
fn variants_keep_their_encoded_discriminants() {
    for (name, variants) in listed() {
        for (wanted, (variant, discriminant)) in variants.iter().enumerate() {
            assert_eq!(
                usize::from(*discriminant),
                wanted,
                "{name}::{variant} has moved: stored traces contain it as {wanted}. Add new variants at the end"
            );
        }
    }
}

#[test]
fn every_encoded_enum_and_each_of_its_variants_is_listed() {
    let listed: BTreeMap<_, _> = listed().into_iter().collect();
    let mut declared = BTreeMap::new();
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in rust_files(&src) {
        declared.extend(encoded_enums(&fs::read_to_string(file).unwrap()));
    }
    assert!(!declared.is_empty(), "no enums found in {}", src.display());
    for (name, variants) in &declared {
        let listed = listed.get(name.as_str()).unwrap_or_else(|| panic!("{name} is encoded: list it here"));
        let listed: Vec<_> = listed.iter().map(|(variant, _)| variant).collect();
        assert_eq!(listed, variants.iter().collect::<Vec<_>>(), "{name}: list all variants, in order");
    }
    assert_eq!(declared.len(), listed.len(), "an enum is listed that is no longer encoded");
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => rust_files(&path),
            false => vec![path],
        })
        .collect()
}

/// Names and variants of the enums in formatted source text that derive `Encode`.
fn encoded_enums(source: &str) -> Vec<(String, Vec<String>)> {
    // Items are separated by empty lines.
    let items = source.split("\n\n").filter(|item| {
        let is_encoded =
            |derives: &str| derives.split(')').next().is_some_and(|list| list.contains("Encode"));
        item.split("#[derive(").skip(1).any(is_encoded)
    });
    let mut enums = Vec::new();
    for item in items {
        let mut lines = item.lines();
        let declaration = |line: &str| {
            let line = line.strip_prefix("pub(crate) ").or_else(|| line.strip_prefix("pub ")).unwrap_or(line);
            line.strip_prefix("enum ").map(identifier)
        };
        let Some(name) = lines.by_ref().find_map(declaration) else { continue };
        let variants = lines.filter_map(|line| line.strip_prefix("    ")).map(identifier);
        enums.push((name, variants.filter(|name| name.starts_with(char::is_uppercase)).collect()));
    }
    enums
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}
