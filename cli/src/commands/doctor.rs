//! `zerver doctor`: the health of the store, and its repair.

use serde::Serialize;
use zerver_analysis::rfc3339;
use zerver_recorder::{StoreCounts, StoreReport, examine_with, repair};
use zerver_trace::duration::HumanDuration;
use zerver_trace::text::clean;

use crate::args::{Doctor, Global};
use crate::clock::now_unix_ns;
use crate::commands::fleet_health;
use crate::error::{CommandError, CommandOutcome};
use crate::locate;
use crate::output::Output;
use crate::paths;
use crate::store_place::StorePlace;
use crate::view::layout::field;
use crate::view::{bytes, count, paint, style};

/// Smallest difference between clocks that is reported, in nanoseconds.
const MINUTE_NS: u64 = 60_000_000_000;
/// Maximum number of damaged blocks to list.
const MAX_LISTED: usize = 10;

pub(super) fn run(
    args: &Doctor,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let dir = match locate::store_place(global)? {
        StorePlace::Folder(dir) => dir,
        StorePlace::Fleet(url) if args.repair => return Err(locate::needs_folder(&url, "repair")),
        StorePlace::Fleet(url) => return fleet_health::run(&url, output),
    };
    let report = if args.repair {
        repair(&dir).map_err(|error| {
            CommandError::new(format!("cannot repair the store in {}", dir.display())).caused_by(&error)
        })?
    } else {
        examine_with(&dir, &mut |read, of| {
            if read % 64 == 63 {
                output.progress(&format!("checking block {read} of {of}"));
            }
        })
    };
    output.clear_progress();
    let findings = findings(&report);
    if output.is_json {
        output.json(&Document::of(&report, &findings))?;
    } else {
        output.print(&text(&report, &findings))?;
    }
    if findings.is_empty() {
        return Ok(CommandOutcome::Success);
    }
    if report.repairable && !output.is_json {
        let command = format!("zerver doctor --repair --store {}", paths::display(&report.dir));
        output.info(&format!("{} repair it with: {command}", paint(style::HINT, "hint:")));
    }
    Ok(CommandOutcome::Finding)
}

/// Returns the findings, each on one line.
fn findings(report: &StoreReport) -> Vec<String> {
    let mut findings: Vec<String> = report.problem.iter().cloned().collect();
    let damaged =
        report.damaged.iter().map(|damage| format!("block {} is damaged: {}", damage.key, damage.reason));
    findings.extend(damaged.take(MAX_LISTED));
    if report.damaged.len() > MAX_LISTED {
        findings.push(format!("and {} more damaged blocks", report.damaged.len() - MAX_LISTED));
    }
    let invalid = report.invalid_files.iter();
    findings.extend(invalid.map(|(path, why)| format!("cannot use {}: {why}", path.display())));
    if report.unreadable_secrets > 0 {
        let secrets = count(report.unreadable_secrets, "secret", "secrets");
        findings.push(match report.has_key {
            true => format!(
                "cannot decrypt {secrets} of {}: they were encrypted with another key than the store's",
                report.secrets
            ),
            false => format!("cannot decrypt {secrets}: the store's key is missing"),
        });
    }
    findings.extend(dropped(report));
    let exposed = report.exposed.iter();
    findings
        .extend(exposed.map(|path| format!("other users can read {}; run chmod go= {0}", path.display())));
    findings
}

/// Returns a finding if dropped requests make the store unrepresentative.
fn dropped(report: &StoreReport) -> Option<String> {
    let StoreCounts { recorded, dropped, .. } = report.counts;
    let all = recorded.saturating_add(dropped);
    let percent = (dropped as f64 / all.max(1) as f64 * 100.0).round();
    (percent >= 1.0).then(|| {
        format!(
            "{percent}% of the requests to record were dropped, {dropped} of {all}: the recorder could not keep up; \
             ZERVER_RECORD=tail records fewer"
        )
    })
}

/// Returns a message if the newest request began in the future.
fn clock(report: &StoreReport, now_unix_ns: u64) -> Option<String> {
    let ahead_ns = report.newest_unix_ns?.checked_sub(now_unix_ns)?;
    let ahead = HumanDuration { ns: ahead_ns / MINUTE_NS * MINUTE_NS };
    (ahead.ns > 0)
        .then(|| format!("{ahead} behind the newest request, unless the clock that recorded it was ahead"))
}

fn text(report: &StoreReport, findings: &[String]) -> String {
    let mut out = field("store", &[paths::display(&report.dir)]);
    if let Some(schema) = report.schema {
        out += &field("schema", &[schema.to_string()]);
    }
    let mut holds = count(report.traces, "request", "requests");
    if let (Some(oldest), Some(newest)) = (report.oldest_unix_ns, report.newest_unix_ns) {
        holds += &format!(", from {} to {}", to_the_second(oldest), to_the_second(newest));
    }
    out += &field("holds", &[holds]);
    out += &field(
        "size",
        &[format!(
            "{}, {} on disk, {} of it in use",
            bytes(report.bytes),
            bytes(report.bytes_on_disk),
            bytes(report.bytes_used)
        )],
    );
    let counts = report.counts;
    let mut seen = format!("{} recorded or imported since the store was created", counts.recorded);
    if counts.not_kept > 0 {
        seen += &format!(", {} not kept by policy", counts.not_kept);
    }
    if counts.dropped > 0 {
        seen += &format!(", {} dropped because the recorder could not keep up", counts.dropped);
    }
    out += &field("seen", &[seen]);
    if let Some(clock) = clock(report, now_unix_ns()) {
        out += &field("clock", &[clock]);
    }
    if let Some(holder) = &report.holder {
        out += &field(
            "writer",
            &[holder.pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))],
        );
    }
    if let Some(path) = &report.moved_to {
        let saved = count(report.salvaged, "request", "requests");
        out += &field(
            "repaired",
            &[format!("{saved} recovered; the damaged file is now {}", paths::display(path))],
        );
    }
    let findings: Vec<String> = findings.iter().map(|finding| clean(finding).into_owned()).collect();
    if findings.is_empty() {
        out + &field("health", &[paint(style::GOOD, "good")])
    } else {
        let painted: Vec<String> = findings.iter().map(|finding| paint(style::BAD, finding)).collect();
        out + &field("findings", &painted)
    }
}

/// Formats a time to the second.
fn to_the_second(unix_ns: u64) -> String {
    rfc3339(unix_ns).split('.').next().map(|time| format!("{time}Z")).unwrap_or_default()
}

#[derive(Serialize)]
struct Document<'a> {
    store: String,
    healthy: bool,
    findings: &'a [String],
    repairable: bool,
    schema: Option<String>,
    traces: u64,
    bytes: u64,
    bytes_on_disk: u64,
    bytes_used: u64,
    secrets: u64,
    unreadable_secrets: u64,
    oldest: Option<String>,
    newest: Option<String>,
    recorded: u64,
    not_kept: u64,
    dropped: u64,
    moved_to: Option<String>,
    salvaged: u64,
}

impl<'a> Document<'a> {
    fn of(report: &StoreReport, findings: &'a [String]) -> Self {
        Self {
            store: report.dir.display().to_string(),
            healthy: findings.is_empty(),
            findings,
            repairable: report.repairable,
            schema: report.schema.map(|schema| schema.to_string()),
            traces: report.traces,
            bytes: report.bytes,
            bytes_on_disk: report.bytes_on_disk,
            bytes_used: report.bytes_used,
            secrets: report.secrets,
            unreadable_secrets: report.unreadable_secrets,
            oldest: report.oldest_unix_ns.map(rfc3339),
            newest: report.newest_unix_ns.map(rfc3339),
            recorded: report.counts.recorded,
            not_kept: report.counts.not_kept,
            dropped: report.counts.dropped,
            moved_to: report.moved_to.as_ref().map(|path| path.display().to_string()),
            salvaged: report.salvaged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(recorded: u64, dropped: u64) -> StoreReport {
        let counts = StoreCounts { recorded, dropped, ..StoreCounts::default() };
        StoreReport { traces: recorded, counts, ..StoreReport::default() }
    }

    #[test]
    fn imported_requests_have_no_secrets_and_need_no_key() {
        assert!(findings(&counted(5, 0)).is_empty());
        let sealed = StoreReport { secrets: 3, unreadable_secrets: 3, ..counted(5, 0) };
        assert_eq!(findings(&sealed), ["cannot decrypt 3 secrets: the store's key is missing"]);
        let other = StoreReport { has_key: true, secrets: 9, ..sealed };
        assert_eq!(
            findings(&other),
            ["cannot decrypt 3 secrets of 9: they were encrypted with another key than the store's"]
        );
    }

    #[test]
    fn a_store_that_lacks_many_requests_is_not_healthy() {
        let half = &findings(&counted(600, 600))[0];
        assert!(half.starts_with("50% of the requests to record were dropped, 600 of 1200:"), "{half}");
        assert!(!text(&counted(600, 600), &findings(&counted(600, 600))).contains("good"));
        // A few of many are counted, but are not findings.
        assert!(findings(&counted(100_000, 7)).is_empty());
        assert!(text(&counted(100_000, 7), &[]).contains("7 dropped because the recorder could not keep up"));
        assert_eq!(findings(&counted(0, 10)).len(), 1);
    }

    #[test]
    fn a_request_from_the_future_is_reported() {
        let report = StoreReport { newest_unix_ns: Some(90 * MINUTE_NS), ..StoreReport::default() };
        assert!(clock(&report, 30 * MINUTE_NS).unwrap().starts_with("1h behind the newest request"));
        assert_eq!(clock(&report, 90 * MINUTE_NS - 1), None);
        assert_eq!(clock(&report, 91 * MINUTE_NS), None);
    }
}
