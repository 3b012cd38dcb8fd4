//! Parses rules of chaos. An error names the character at which the rule is wrong.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use zerver_trace::duration::HumanDuration;
use zerver_trace::{EffectErrorKind, nearest_name};

use super::label_pattern::LabelPattern;
use super::rule::{ChaosFault, ChaosRule};

/// Words for faults. Those for errors without an argument are the kinds that drills need most.
const FAULTS: [&str; 6] = ["timeout", "unreachable", "malformed", "error", "status", "latency"];
/// Longest latency that a rule may add. A longer one is assumed to be a mistake.
const MAX_LATENCY: Duration = Duration::from_secs(3600);
/// Name of the kind whose calls have a status.
const HTTP: &str = "http";

/// Reason why a text is no rule of chaos.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChaosRuleError {
    rule: String,
    /// Number of the wrong character, from 1.
    character: usize,
    reason: String,
}

impl ChaosRuleError {
    /// Returns the number of the character at which the rule is wrong, from 1.
    pub const fn character(&self) -> usize {
        self.character
    }
}

/// Writes `"http=timout:5%", character 6: unknown fault timout; did you mean timeout?`.
impl fmt::Display for ChaosRuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, character, reason } = self;
        write!(f, "{rule:?}, character {character}: {reason}")
    }
}

impl std::error::Error for ChaosRuleError {}

impl FromStr for ChaosRule {
    type Err = ChaosRuleError;

    fn from_str(text: &str) -> Result<Self, ChaosRuleError> {
        parse(text).map_err(|(at, reason)| ChaosRuleError {
            rule: text.to_owned(),
            character: text[..at].chars().count() + 1,
            reason,
        })
    }
}

/// Offset of an error in bytes, and its reason.
type Error = (usize, String);

/// A part of the rule, with its offset in bytes.
type Part<'t> = (usize, &'t str);

fn parse(text: &str) -> Result<ChaosRule, Error> {
    // A summary may contain the sign: `GET a.internal/?ms=1`. A fault does not.
    let Some(equals) = text.rfind('=') else {
        return Err((text.len(), "write KIND=FAULT:PERCENT%, such as http=timeout:10%".to_owned()));
    };
    let (kind, summary, target) = selection(trimmed((0, &text[..equals])))?;
    let (fault, share) = fault((equals + 1, &text[equals + 1..]), kind)?;
    Ok(ChaosRule {
        text: text.trim().to_owned(),
        kind: (kind != "..").then(|| kind.to_owned()),
        summary: summary.map(LabelPattern::new),
        target: target.map(LabelPattern::new),
        fault,
        share,
    })
}

/// Parses the kind, and the patterns of the summary and the target.
fn selection<'t>((at, text): Part<'t>) -> Result<(&'t str, Option<&'t str>, Option<&'t str>), Error> {
    let (selected, target) = match text.rsplit_once('@') {
        // Other uses of the sign, as in an address, are within a word.
        Some((before, target)) if before.is_empty() || before.ends_with(char::is_whitespace) => {
            if target.is_empty() {
                let example = "write the target after @, such as @rates.example.com:443";
                return Err((at + text.len(), example.to_owned()));
            }
            (before.trim_end(), Some(target))
        }
        _ => (text, None),
    };
    let (kind, summary) = selected.split_once(char::is_whitespace).unwrap_or((selected, ""));
    if kind.is_empty() {
        return Err((at, "write the kind of effect first, such as http; .. selects every kind".to_owned()));
    }
    if kind.contains('…') || (kind.contains("..") && kind != "..") {
        return Err((at, format!("{kind} is not a kind of effect: write it in full, or .. for every kind")));
    }
    Ok((kind, Some(summary.trim()).filter(|summary| !summary.is_empty()), target))
}

/// Parses `FAULT[:ARG]:PERCENT%`.
fn fault((at, text): Part<'_>, kind: &str) -> Result<(ChaosFault, f64), Error> {
    let mut next = at;
    let mut parts = text.split(':').map(|part| {
        let found = (next, part);
        next += part.len() + 1;
        trimmed(found)
    });
    let (word_at, word) = parts.next().unwrap_or((at, ""));
    let end = at + text.len();
    let mut argument = |what: &str| match parts.next() {
        Some(part) if !part.1.is_empty() && !part.1.ends_with('%') => Ok(part),
        Some((at, _)) => Err((at, what.to_owned())),
        None => Err((end, what.to_owned())),
    };
    let fault = match word {
        "timeout" => ChaosFault::Timeout,
        "unreachable" => ChaosFault::Error(EffectErrorKind::Unreachable),
        "malformed" => ChaosFault::Error(EffectErrorKind::Malformed),
        "error" => ChaosFault::Error(error_kind(argument(&error_kinds("error needs a kind"))?)?),
        "status" => {
            let part = argument("status needs a number, such as status:503")?;
            if kind != HTTP {
                return Err((word_at, format!("only calls of kind http have a status, not {kind}")));
            }
            status(part)?
        }
        "latency" => latency(argument("latency needs a duration, such as latency:250ms")?)?,
        "" => return Err((word_at, format!("write a fault: {}", FAULTS.join(", ")))),
        other => {
            let hint = match nearest_name(other, FAULTS) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("write {}", FAULTS.join(", ")),
            };
            return Err((word_at, format!("unknown fault {other}; {hint}")));
        }
    };
    let Some(percent) = parts.next() else {
        let written = text.trim();
        return Err((end, format!("write the share of calls after the fault, such as {written}:10%")));
    };
    let share = share(percent)?;
    match parts.next() {
        Some((at, rest)) => Err((at, format!("unexpected {rest:?} after the share of calls"))),
        None => Ok((fault, share)),
    }
}

fn error_kind((at, word): Part<'_>) -> Result<EffectErrorKind, Error> {
    let known = EffectErrorKind::ALL.into_iter().find(|kind| kind.as_str() == word);
    known.ok_or_else(|| {
        let names = EffectErrorKind::ALL.map(EffectErrorKind::as_str);
        match nearest_name(word, names) {
            Some(near) => (at, format!("unknown kind of error {word}; did you mean {near}?")),
            None => (at, error_kinds(&format!("unknown kind of error {word}"))),
        }
    })
}

/// Returns the sentence with the list of all kinds of errors.
fn error_kinds(what: &str) -> String {
    format!("{what}: {}", EffectErrorKind::ALL.map(EffectErrorKind::as_str).join(", "))
}

fn status((at, word): Part<'_>) -> Result<ChaosFault, Error> {
    let status = word.parse().ok().filter(|status| (200..=599).contains(status));
    status.map(ChaosFault::Status).ok_or_else(|| (at, format!("{word} is no status from 200 to 599")))
}

fn latency((at, word): Part<'_>) -> Result<ChaosFault, Error> {
    let HumanDuration { ns } = word.parse().map_err(|reason| (at, reason))?;
    let latency = Duration::from_nanos(ns);
    match latency {
        Duration::ZERO => Err((at, "a latency of 0 changes nothing".to_owned())),
        latency if latency > MAX_LATENCY => Err((at, format!("{word} is longer than 1h"))),
        latency => Ok(ChaosFault::Latency(latency)),
    }
}

fn share((at, word): Part<'_>) -> Result<f64, Error> {
    let percent = word.strip_suffix('%').and_then(|number| number.trim_end().parse::<f64>().ok());
    let percent = percent.filter(|percent| *percent > 0.0 && *percent <= 100.0);
    percent.map(|percent| percent / 100.0).ok_or_else(|| {
        (
            at,
            format!(
                "{word:?} is no share of calls: write a number above 0 and up to 100 with %, such as 10%"
            ),
        )
    })
}

/// Removes white space around a part.
fn trimmed((at, text): Part<'_>) -> Part<'_> {
    let trimmed = text.trim_start();
    (at + text.len() - trimmed.len(), trimmed.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> ChaosRule {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    fn fault_of(text: &str) -> (ChaosFault, f64) {
        let rule = parsed(text);
        (rule.fault, rule.share)
    }

    #[test]
    fn a_rule_has_a_selection_a_fault_and_a_share() {
        let rule = parsed(" http GET rates.internal/?day=1.. @rates.internal:443 = timeout : 12.5% ");
        assert_eq!(rule.as_str(), "http GET rates.internal/?day=1.. @rates.internal:443 = timeout : 12.5%");
        assert_eq!(rule.kind(), Some("http"));
        assert_eq!(rule.summary, Some(LabelPattern::new("GET rates.internal/?day=1..")));
        assert_eq!(rule.target, Some(LabelPattern::new("rates.internal:443")));
        assert_eq!((rule.fault, rule.share), (ChaosFault::Timeout, 0.125));
        let every = parsed("..=unreachable:100%");
        assert_eq!((every.kind(), &every.summary, &every.target), (None, &None, &None));
        let mail = parsed("mail to ann@example.com=unreachable:1%");
        assert_eq!((&mail.summary, &mail.target), (&Some(LabelPattern::new("to ann@example.com")), &None));
        let of_target = parsed("sql @db:5432=timeout:1%");
        assert_eq!((&of_target.summary, &of_target.target), (&None, &Some(LabelPattern::new("db:5432"))));
    }

    #[test]
    fn each_fault_has_its_word() {
        assert_eq!(fault_of("kv=timeout:1%"), (ChaosFault::Timeout, 0.01));
        assert_eq!(fault_of("kv=unreachable:1%").0, ChaosFault::Error(EffectErrorKind::Unreachable));
        assert_eq!(fault_of("kv=malformed:1%").0, ChaosFault::Error(EffectErrorKind::Malformed));
        assert_eq!(fault_of("http=status:503:1%").0, ChaosFault::Status(503));
        let latency = ChaosFault::Latency(Duration::from_millis(1500));
        assert_eq!(fault_of("kv=latency:1.5s:100%"), (latency, 1.0));
        for kind in EffectErrorKind::ALL {
            assert_eq!(fault_of(&format!("kv=error:{kind}:0.1%")).0, ChaosFault::Error(kind));
        }
    }

    #[test]
    fn a_mistake_is_reported_with_its_position() {
        let check = |text: &str, expected: &str| {
            let error = text.parse::<ChaosRule>().unwrap_err().to_string();
            assert_eq!(error.strip_prefix(&format!("{text:?}, character ")), Some(expected), "{error}");
        };
        check("http", "5: write KIND=FAULT:PERCENT%, such as http=timeout:10%");
        check("=timeout:1%", "1: write the kind of effect first, such as http; .. selects every kind");
        check("@db=timeout:1%", "1: write the kind of effect first, such as http; .. selects every kind");
        check("ht..=timeout:1%", "1: ht.. is not a kind of effect: write it in full, or .. for every kind");
        check("http @=timeout:1%", "7: write the target after @, such as @rates.example.com:443");
        check("http é=timout:1%", "8: unknown fault timout; did you mean timeout?");
        check(
            "http=explode:1%",
            "6: unknown fault explode; write timeout, unreachable, malformed, error, status, latency",
        );
        check("http=", "6: write a fault: timeout, unreachable, malformed, error, status, latency");
        check("http=timeout", "13: write the share of calls after the fault, such as timeout:10%");
        check("http=latency:2s", "16: write the share of calls after the fault, such as latency:2s:10%");
        check(
            "http=timeout:10",
            "14: \"10\" is no share of calls: write a number above 0 and up to 100 with %, such as 10%",
        );
        check(
            "http=timeout:101%",
            "14: \"101%\" is no share of calls: write a number above 0 and up to 100 with %, such as 10%",
        );
        check("http=latency:10%", "14: latency needs a duration, such as latency:250ms");
        check(
            "http=latency:soon:10%",
            "14: \"soon\" is not a duration; write one like 10ms, 1.5s, 5m, 1h30m or 2d",
        );
        check("http=latency:0s:10%", "14: a latency of 0 changes nothing");
        check("http=latency:2h:10%", "14: 2h is longer than 1h");
        check("http=status:99:10%", "13: 99 is no status from 200 to 599");
        check("sql=status:503:10%", "5: only calls of kind http have a status, not sql");
        check("http=error:refusd:10%", "12: unknown kind of error refusd; did you mean refused?");
        check(
            "http=error:10%",
            "12: error needs a kind: timeout, unreachable, malformed, too_large, invalid, no_interpreter, internal, \
             failed, refused, unknown_outcome",
        );
        check("http=timeout:10%:x", "18: unexpected \"x\" after the share of calls");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_rule_or_has_a_position(text in ".{0,40}|[a-z .@…:=%0-9]{0,40}") {
            match text.parse::<ChaosRule>() {
                Ok(rule) => proptest::prop_assert_eq!(rule.as_str(), text.trim()),
                Err(error) => {
                    let len = text.chars().count();
                    proptest::prop_assert!((1..=len + 1).contains(&error.character()), "{error}");
                }
            }
        }
    }
}
