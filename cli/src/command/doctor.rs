//! `zerver doctor`: the health of the store.

use serde::Serialize;
use zerver_recorder::{Report, examine, repair};
use zerver_replay::rfc3339;
use zerver_trace::text::clean;

use crate::args::{Doctor, Global};
use crate::output::Output;
use crate::place::{self, shown};
use crate::trouble::{Done, Trouble};
use crate::view::timeline::field;
use crate::view::{count, paint, style};

/// So many damaged blocks are named one by one.
const NAMED: usize = 10;

pub(super) fn run(args: &Doctor, global: &Global, output: &mut Output) -> Result<Done, Trouble> {
    let dir = place::store(global)?;
    let report = if args.repair {
        repair(&dir).map_err(|error| {
            Trouble::new(format!("cannot repair the store in {}", dir.display())).because(&error)
        })?
    } else {
        examine(&dir)
    };
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
    if report.traces > 0 && !report.has_key {
        findings.push("the key of its secrets is not there: they cannot be read any more".to_owned());
    }
    let exposed = report.exposed.iter();
    findings.extend(exposed.map(|path| format!("others may read {}; chmod go= {0}", path.display())));
    findings
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
    out += &field("size", &[format!("{}, {} on the disk", bytes(report.bytes), bytes(report.bytes_on_disk))]);
    let counts = report.counts;
    let mut seen = format!("{} recorded since it was made", counts.recorded);
    if counts.not_kept > 0 {
        seen += &format!(", {} not kept by the policy", counts.not_kept);
    }
    if counts.overflowed > 0 {
        seen += &format!(", {} lost because too many waited to be written", counts.overflowed);
    }
    out += &field("seen", &[seen]);
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
