//! `zerver doctor`: the health of the store.

use serde::Serialize;
use zerver_analysis::rfc3339;
use zerver_recorder::{Counts, Report, examine_with, repair};
use zerver_trace::duration::HumanDuration;
use zerver_trace::text::clean;

use crate::args::{Doctor, Global};
use crate::output::Output;
use crate::place::{self, shown};
use crate::trouble::{Done, Trouble};
use crate::view::timeline::field;
use crate::view::{count, paint, style};

/// By so much clocks may differ, in nanoseconds.
const MINUTE_NS: u64 = 60_000_000_000;
/// So many damaged blocks are named one by one.
const NAMED: usize = 10;

pub(super) fn run(args: &Doctor, global: &Global, output: &mut Output) -> Result<Done, Trouble> {
    let dir = place::store(global)?;
    let report = if args.repair {
        repair(&dir).map_err(|error| {
            Trouble::new(format!("cannot repair the store in {}", dir.display())).because(&error)
        })?
    } else {
        examine_with(&dir, &mut |read, of| {
            if read % 64 == 63 {
                output.progress(&format!("checking block {read} of {of}"));
            }
        })
    };
    output.no_progress();
    let findings = findings(&report);
    if output.is_json {
        output.json(&Document::of(&report, &findings))?;
    } else {
        output.print(&text(&report, &findings))?;
    }
    if findings.is_empty() {
        return Ok(Done::Fine);
    }
    if report.repairable && !output.is_json {
        let command = format!("zerver doctor --repair --store {}", shown(&report.dir));
        output.note(&format!("{} this can be repaired: {command}", paint(style::HINT, "hint:")));
    }
    Ok(Done::Finding)
}

/// What is wrong, each in a line.
fn findings(report: &Report) -> Vec<String> {
    let mut findings: Vec<String> = report.problem.iter().cloned().collect();
    let damaged =
        report.damaged.iter().map(|damage| format!("block {} is damaged: {}", damage.block, damage.why));
    findings.extend(damaged.take(NAMED));
    if report.damaged.len() > NAMED {
        findings.push(format!("and {} more damaged blocks", report.damaged.len() - NAMED));
    }
    let odd = report.odd.iter();
    findings.extend(odd.map(|(path, why)| format!("{} cannot be used: {why}", path.display())));
    if report.secrets_lost > 0 {
        let secrets = count(report.secrets_lost, "secret", "secrets");
        findings.push(match report.has_key {
            true => format!(
                "{secrets} of {} were sealed under another key than the one beside it",
                report.secrets
            ),
            false => format!("the key of its secrets is not there: {secrets} cannot be read any more"),
        });
    }
    findings.extend(dropped(report));
    let exposed = report.exposed.iter();
    findings.extend(exposed.map(|path| format!("others may read {}; chmod go= {0}", path.display())));
    findings
}

/// What is to be said where so many requests were dropped that what is here does not show what there was.
fn dropped(report: &Report) -> Option<String> {
    let Counts { recorded, overflowed, .. } = report.counts;
    let all = recorded.saturating_add(overflowed);
    let percent = (overflowed as f64 / all.max(1) as f64 * 100.0).round();
    (percent >= 1.0).then(|| {
        format!(
            "{percent} % of the requests that were to be recorded were not, {overflowed} of {all}: more came than could \
             be written; ZERVER_RECORD=tail keeps fewer"
        )
    })
}

/// How far the newest request is from now, where it began later than that.
fn clock(report: &Report, now_unix_ns: u64) -> Option<String> {
    let ahead_ns = report.newest_unix_ns?.checked_sub(now_unix_ns)?;
    let ahead = HumanDuration { ns: ahead_ns / MINUTE_NS * MINUTE_NS };
    (ahead.ns > 0).then(|| {
        format!("{ahead} behind the newest request, or that was recorded with a clock that was ahead")
    })
}

fn text(report: &Report, findings: &[String]) -> String {
    let mut out = field("store", &[shown(&report.dir)]);
    if let Some(schema) = report.schema {
        out += &field("schema", &[schema.to_string()]);
    }
    let mut holds = count(report.traces, "request", "requests");
    if let (Some(oldest), Some(newest)) = (report.oldest_unix_ns, report.newest_unix_ns) {
        holds += &format!(", from {} to {}", second(oldest), second(newest));
    }
    out += &field("holds", &[holds]);
    out += &field(
        "size",
        &[format!(
            "{}, {} on the disk, {} of it in use",
            bytes(report.bytes),
            bytes(report.bytes_on_disk),
            bytes(report.bytes_used)
        )],
    );
    let counts = report.counts;
    let mut seen = format!("{} recorded or imported since it was made", counts.recorded);
    if counts.not_kept > 0 {
        seen += &format!(", {} not kept by the policy", counts.not_kept);
    }
    if counts.overflowed > 0 {
        seen += &format!(", {} lost because too many waited to be written", counts.overflowed);
    }
    out += &field("seen", &[seen]);
    if let Some(clock) = clock(report, super::ls::now_unix_ns()) {
        out += &field("clock", &[clock]);
    }
    if let Some(holder) = &report.holder {
        out += &field(
            "writer",
            &[holder.pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))],
        );
    }
    if let Some(path) = &report.set_aside {
        let saved = count(report.salvaged, "request", "requests");
        out += &field("repaired", &[format!("{saved} saved; the damaged file is now {}", shown(path))]);
    }
    let findings: Vec<String> = findings.iter().map(|finding| clean(finding).into_owned()).collect();
    if findings.is_empty() {
        out + &field("health", &[paint(style::GOOD, "good")])
    } else {
        let painted: Vec<String> = findings.iter().map(|finding| paint(style::BAD, finding)).collect();
        out + &field("findings", &painted)
    }
}

/// A time, to the second.
fn second(unix_ns: u64) -> String {
    rfc3339(unix_ns).split('.').next().map(|time| format!("{time}Z")).unwrap_or_default()
}

fn bytes(n: u64) -> String {
    match n {
        0..1_024 => format!("{n} B"),
        1_024..1_048_576 => format!("{:.1} KiB", n as f64 / 1_024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", n as f64 / 1_048_576.0),
        _ => format!("{:.2} GiB", n as f64 / 1_073_741_824.0),
    }
}

#[derive(Serialize)]
struct Document<'a> {
    store: String,
    healthy: bool,
    findings: &'a [String],
    repairable: bool,
    schema: Option<u16>,
    traces: u64,
    bytes: u64,
    bytes_on_disk: u64,
    bytes_used: u64,
    secrets: u64,
    secrets_lost: u64,
    oldest: Option<String>,
    newest: Option<String>,
    recorded: u64,
    not_kept: u64,
    overflowed: u64,
    set_aside: Option<String>,
    salvaged: u64,
}

impl<'a> Document<'a> {
    fn of(report: &Report, findings: &'a [String]) -> Self {
        Self {
            store: report.dir.display().to_string(),
            healthy: findings.is_empty(),
            findings,
            repairable: report.repairable,
            schema: report.schema,
            traces: report.traces,
            bytes: report.bytes,
            bytes_on_disk: report.bytes_on_disk,
            bytes_used: report.bytes_used,
            secrets: report.secrets,
            secrets_lost: report.secrets_lost,
            oldest: report.oldest_unix_ns.map(rfc3339),
            newest: report.newest_unix_ns.map(rfc3339),
            recorded: report.counts.recorded,
            not_kept: report.counts.not_kept,
            overflowed: report.counts.overflowed,
            set_aside: report.set_aside.as_ref().map(|path| path.display().to_string()),
            salvaged: report.salvaged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(recorded: u64, overflowed: u64) -> Report {
        let counts = Counts { recorded, overflowed, ..Counts::default() };
        Report { traces: recorded, counts, ..Report::default() }
    }

    #[test]
    fn what_is_imported_has_no_secrets_and_needs_no_key() {
        assert!(findings(&counted(5, 0)).is_empty());
        let sealed = Report { secrets: 3, secrets_lost: 3, ..counted(5, 0) };
        assert_eq!(
            findings(&sealed),
            ["the key of its secrets is not there: 3 secrets cannot be read any more"]
        );
        let other = Report { has_key: true, secrets: 9, ..sealed };
        assert_eq!(findings(&other), ["3 secrets of 9 were sealed under another key than the one beside it"]);
    }

    #[test]
    fn a_store_that_lacks_many_requests_is_not_good() {
        let half = &findings(&counted(600, 600))[0];
        assert!(
            half.starts_with("50 % of the requests that were to be recorded were not, 600 of 1200:"),
            "{half}"
        );
        assert!(!text(&counted(600, 600), &findings(&counted(600, 600))).contains("good"));
        // A few of many are counted, and are no finding.
        assert!(findings(&counted(100_000, 7)).is_empty());
        assert!(text(&counted(100_000, 7), &[]).contains("7 lost because too many waited"));
        assert_eq!(findings(&counted(0, 10)).len(), 1);
    }

    #[test]
    fn a_request_from_the_future_is_told() {
        let report = Report { newest_unix_ns: Some(90 * MINUTE_NS), ..Report::default() };
        assert!(clock(&report, 30 * MINUTE_NS).unwrap().starts_with("1h behind the newest request"));
        assert_eq!(clock(&report, 90 * MINUTE_NS - 1), None);
        assert_eq!(clock(&report, 91 * MINUTE_NS), None);
    }
}
