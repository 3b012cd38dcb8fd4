//! Report of many replays, as text.

use std::time::Duration;

use zerver_analysis::{Corpus, CorpusCounts, FindingCause, FindingGroup};
use zerver_replay::FindingClass;
use zerver_trace::RequestId;
use zerver_trace::duration::show;
use zerver_trace::text::clean;

use super::change;
use crate::view::{count, fill, fold, paint, style};

/// Maximum number of groups to show unless the report is verbose.
const MAX_SHOWN: usize = 30;

pub(crate) struct CorpusView<'a> {
    pub(crate) corpus: &'a Corpus,
    pub(crate) took: Duration,
    /// True if the replay ended before all requests were replayed.
    pub(crate) is_partial: bool,
    /// Returns the name of a request.
    pub(crate) name: &'a dyn Fn(RequestId) -> String,
}

/// Returns the progress: `1,204 requests, 3 different, 5210/s`.
pub(crate) fn progress(tally: &CorpusCounts, took: Duration) -> String {
    let found = match tally.different {
        0 => String::new(),
        n => format!(", {n} different"),
    };
    format!("{}{found}, {}/s", count(tally.requests, "request", "requests"), rate(tally, took))
}

fn rate(tally: &CorpusCounts, took: Duration) -> u64 {
    (tally.requests as f64 / took.as_secs_f64().max(1e-3)) as u64
}

/// Returns the whole report. Values are truncated and rare groups left out unless it is verbose.
pub(crate) fn corpus(view: &CorpusView<'_>, columns: usize, is_verbose: bool) -> String {
    let room = if is_verbose { usize::MAX } else { columns };
    let most = if is_verbose { usize::MAX } else { MAX_SHOWN };
    let mut out = verdict(view);
    let findings = view.corpus.findings();
    for (cause, group) in findings.iter().take(most) {
        out += &one(cause, group, &(view.name)(group.example), room);
    }
    let left_out = findings.len().saturating_sub(most) as u64;
    if left_out > 0 {
        out += &format!(
            "and {}; use --verbose or --json to list all\n",
            count(left_out, "other cause", "other causes")
        );
    }
    if view.corpus.counts().ungrouped > 0 {
        let ungrouped = count(view.corpus.counts().ungrouped, "finding", "findings");
        out += &format!("and {ungrouped} with further causes, not grouped\n");
    }
    for (reason, requests) in view.corpus.not_replayed().iter().take(most) {
        out += &format!(
            "{}{} {}, such as {}\n",
            paint(style::NOTED, "not replayed"),
            fill("not replayed", 16),
            count(requests.requests, "request", "requests"),
            paint(style::ID, &(view.name)(requests.example)),
        );
        for line in fold(&clean(reason), room.saturating_sub(17)) {
            out += &format!("{}{line}\n", " ".repeat(17));
        }
    }
    out
}

fn verdict(view: &CorpusView<'_>) -> String {
    let t = view.corpus.counts();
    let sameness = view.corpus.sameness();
    let (word, style) = (sameness.as_str(), style::sameness(sameness));
    let mut parts = Vec::new();
    let counts = [
        (t.same, "same"),
        (t.different, "different"),
        (t.incomplete, "incomplete"),
        (t.not_replayed, "not replayed"),
    ];
    for (n, what) in counts {
        if n > 0 {
            parts.push(format!("{n} {what}"));
        }
    }
    let partial = if view.is_partial { " so far" } else { "" };
    let mut out = format!(
        "{}: {}{partial}, {}\n",
        paint(style, word),
        count(t.requests, "request", "requests"),
        parts.join(", "),
    );
    out += &format!(
        "{} of {} reproduced, {} from the recording, {}, {}/s\n",
        t.decisions_reproduced,
        count(t.decisions_recorded, "decision", "decisions"),
        count(t.effects_replayed, "effect", "effects"),
        show(view.took.as_nanos() as u64),
        rate(&t, view.took),
    );
    if t.partly_compared > 0 {
        let requests = count(t.partly_compared, "request has", "requests have");
        out += &format!("{requests} parts that were not compared, because they were not recorded\n");
    }
    out
}

fn one(cause: &FindingCause, group: &FindingGroup, example: &str, room: usize) -> String {
    let class = cause.class.as_str();
    let source =
        group.source.as_ref().map_or(String::new(), |source| format!("  {}", clean(&source.to_string())));
    let style = if cause.class == FindingClass::Died { style::BAD } else { style::WARN };
    let names = [&cause.flow, &cause.step].into_iter().filter(|name| !name.is_empty());
    let names: Vec<_> = names.map(|name| clean(name).into_owned()).collect();
    let follows = match group.first_in {
        0 => ", after another finding",
        n if n < group.requests => ", also after other findings",
        _ => "",
    };
    let indent = " ".repeat(17);
    format!(
        "{}{} {}  {}{}\n{indent}{}{follows}, such as {}\n{indent}{}\n",
        paint(style, class),
        fill(class, 16),
        names.join("  "),
        paint(style::STRONG, &clean(&cause.field)),
        paint(style::FAINT, &source),
        count(group.requests, "request", "requests"),
        paint(style::ID, example),
        change(&group.expected, &group.got, room.saturating_sub(17)),
    )
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;
    use zerver_replay::{Coverage, Finding, MissingInput, Report, ReportedValue, SourceLocation};

    use super::*;

    #[test]
    fn findings_are_grouped_by_cause() {
        let mut corpus = Corpus::default();
        let coverage = Coverage {
            decisions_reproduced: 2,
            decisions_recorded: 3,
            effects_replayed: 1,
            ..Coverage::default()
        };
        let finding = |step: &str, field: &str, class| Finding {
            class,
            step: step.into(),
            field: field.into(),
            expected: ReportedValue::text("x".repeat(100)),
            got: ReportedValue::text("b\u{1b}"),
            source: Some(SourceLocation { file: "src/a.rs".into(), line: 7 }),
        };
        let id = |n: u128| RequestId::from_u128(n << 96);
        for n in 0..3 {
            let findings = vec![
                finding("render", &format!("kv get todo:{n}"), FindingClass::MissingEffect),
                finding("", "response.body.title", FindingClass::CodeChanged),
            ];
            corpus.add(id(n), "todo-show", &Report { coverage, findings, ..Report::default() });
        }
        corpus.add(id(3), "report", &Report::from(finding("gather", "process", FindingClass::Died)));
        let not_compared = vec!["x".to_owned()];
        corpus.add(id(4), "todo-show", &Report { coverage, not_compared, ..Report::default() });
        let missing_inputs = vec![MissingInput::Header {
            name: "authorization".into(),
            reason: "only a hash of it is here".into(),
        }];
        corpus.add(id(5), "todo-show", &Report { missing_inputs, ..Report::default() });
        let view = CorpusView {
            corpus: &corpus,
            took: Duration::from_millis(1500),
            is_partial: false,
            name: &|id| id.short(8),
        };
        insta::assert_snapshot!(strip_str(&super::corpus(&view, 60, false)).to_string(), @r"
        different: 6 requests, 4 different, 1 incomplete, 1 not replayed
        8 of 12 decisions reproduced, 4 effects from the recording, 1.50 s, 4/s
        1 request has parts that were not compared, because they were not recorded
        missing_effect   todo-show  render  kv get todo:*  src/a.rs:7
                         3 requests, such as 00000000
                         xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx… → b\u{1b}
        died             report  gather  process  src/a.rs:7
                         1 request, such as 00000003
                         xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx… → b\u{1b}
        code_changed     todo-show  response.body.title  src/a.rs:7
                         3 requests, after another finding, such as 00000000
                         xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx… → b\u{1b}
        not replayed     1 request, such as 00000005
                         the request's header authorization: only a
                         hash of it is here
        ");
        assert_eq!(progress(&corpus.counts(), Duration::from_secs(2)), "6 requests, 4 different, 3/s");
    }
}
