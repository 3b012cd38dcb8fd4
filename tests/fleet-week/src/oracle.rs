//! The contents of a place, compared with what must be there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use memchr::memmem;
use zerver_fleet::{FleetUrl, NodeStatus, nodes};
use zerver_recorder::{NodeId, Reader};
use zerver_trace::{Query, StatusFilter, TraceView as _};

use crate::follower::open;
use crate::limits::Result;
use crate::pod::Pod;
use crate::seen::Seen;
use crate::servers::Place;
use crate::traffic::{MARKER, NEEDLE, Request, mix};

/// Maximum number of findings that are described.
const MAX_FINDINGS: usize = 20;
/// Number of traces that are decoded to look for secrets, and of queries whose results are counted.
const SAMPLE: usize = 300;
const QUERIES: u64 = 24;
const HOUR_NS: u64 = 3_600_000_000_000;

/// Contradictions to the model.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<String>);

impl Findings {
    pub(crate) fn check(&mut self, is_right: bool, what: impl FnOnce() -> String) {
        if !is_right && self.0.len() < MAX_FINDINGS {
            self.0.push(what());
        }
    }

    pub(crate) fn extend(&mut self, findings: Vec<String>) {
        findings.into_iter().for_each(|finding| self.check(false, || finding));
    }

    pub(crate) fn into_vec(self) -> Vec<String> {
        self.0
    }
}

/// Sums over the pods of a place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that were recorded.
    pub recorded: u64,
    /// Requests that arrived.
    pub shipped: u64,
    /// Requests that stay in the store of their node, because it recorded too many at once.
    pub unshipped: u64,
    /// Requests that a store dropped before they were shipped.
    pub missing: u64,
    /// Requests that were lost with the disk of their pod.
    pub lost_at_end: u64,
}

/// Everything that is in a place.
#[derive(Debug, Default)]
pub(crate) struct Content {
    pub(crate) seen: Seen,
    /// Number of requests by flow, status and hour.
    counts: BTreeMap<(&'static str, u16, u64), u64>,
    /// Requests by day, counted from 1970.
    pub(crate) days: BTreeMap<u64, u64>,
    /// Hours with requests, counted from 1970.
    pub(crate) hours: BTreeMap<u64, u64>,
}

/// Reads everything that is in a place, and checks each request.
pub(crate) fn content(
    url: &FleetUrl,
    nodes: &BTreeMap<u16, NodeId>,
    findings: &mut Findings,
) -> Result<Content> {
    let mut content = Content::default();
    open(url)?.visit(&Query::default(), |found| {
        let summary = found.summary();
        let Some(request) = Request::of(summary.id) else {
            findings.check(false, || format!("{} was never recorded", summary.id));
            return ControlFlow::Continue(());
        };
        let is_new = content.seen.add(request);
        findings.check(is_new, || format!("{} is there twice", summary.id));
        findings.check(request.is_described_by(&summary), || {
            format!("{} is not as recorded: {summary:?}", summary.id)
        });
        let node = nodes.get(&request.pod);
        findings
            .check(found.node().as_ref() == node, || format!("{} is of node {:?}", summary.id, found.node()));
        let (facts, hour) = (request.facts(), request.started_unix_ns() / HOUR_NS);
        *content.counts.entry((facts.flow, facts.status, hour)).or_default() += 1;
        *content.days.entry(hour / 24).or_default() += 1;
        *content.hours.entry(hour).or_default() += 1;
        ControlFlow::Continue(())
    })?;
    Ok(content)
}

/// Checks each pod: what arrived, what it still has, and that the counts add up.
pub(crate) fn check_pods(
    place: Place,
    url: &FleetUrl,
    pods: &[Pod],
    content: &Content,
    findings: &mut Findings,
) -> Result<Counts> {
    let reports: BTreeMap<NodeId, NodeStatus> =
        nodes(url)?.into_iter().map(|report| (report.node, report)).collect();
    let mut counts = Counts::default();
    for pod in pods {
        let accepted = u64::from(pod.accepted);
        let (found, end) = content.seen.of_pod(pod.number);
        counts.recorded += accepted;
        findings
            .check(end <= pod.accepted, || format!("pod {} never recorded request {}", pod.number, end - 1));
        let Some(report) = reports.get(&pod.node) else {
            findings.check(found == 0, || format!("{}: no report of pod {}", place.name(), pod.number));
            findings.check(pod.is_lost(), || format!("{}: pod {} never shipped", place.name(), pod.number));
            counts.lost_at_end += accepted;
            continue;
        };
        let about = |what: &str| {
            format!("{}: pod {}: {what}: {report:?}, {found} of {accepted}", place.name(), pod.number)
        };
        counts.shipped += report.shipped;
        counts.unshipped += report.unshipped;
        findings.check(report.shipped == found, || about("what arrived is not what is there"));
        findings.check(pod.acknowledged(place) <= found, || about("more was acknowledged than is there"));
        findings.check(!report.has_too_many(), || about("too many"));
        if pod.is_lost() {
            counts.lost_at_end += accepted.saturating_sub(report.shipped + report.unshipped);
            findings.check(report.recorded <= accepted, || about("more than was recorded"));
            continue;
        }
        counts.missing += report.missing();
        findings.check(report.recorded == accepted && report.waiting == 0, || {
            about("not everything was shipped")
        });
        findings.check(report.missing() == 0 || pod.has_small_disk, || about("requests are missing"));
        let law = report.shipped + report.unshipped + report.waiting + report.missing();
        findings.check(law == accepted, || about("the counts do not add up"));
        let elsewhere = found_nowhere(pod, content)?;
        // A small disk also loses what was left on it for good.
        let left = if pod.has_small_disk { report.unshipped } else { 0 };
        let is_right = (report.missing()..=report.missing() + left).contains(&elsewhere);
        findings.check(is_right, || {
            about(&format!("{elsewhere} requests are neither there nor in the store of the pod"))
        });
    }
    let Counts { recorded, shipped, unshipped, missing, lost_at_end } = counts;
    findings.check(recorded == shipped + unshipped + missing + lost_at_end, || {
        format!("{}: the counts of the fleet do not add up: {counts:?}", place.name())
    });
    Ok(counts)
}

/// Returns the number of requests of a pod that neither the place nor its own store has.
fn found_nowhere(pod: &Pod, content: &Content) -> Result<u64> {
    let dir = pod.dir().ok_or("the pod is lost")?;
    let local = Reader::open(dir)?.list(&Query::default())?;
    let local: BTreeSet<u32> = local.iter().filter_map(|summary| Some(Request::of(summary.id)?.n)).collect();
    let is_nowhere = |n: &u32| !content.seen.contains(pod.number, *n) && !local.contains(n);
    Ok((0..pod.accepted).filter(is_nowhere).count() as u64)
}

/// Compares the results of queries with counts by flow, status and hour.
pub(crate) fn check_queries(url: &FleetUrl, content: &Content, findings: &mut Findings) -> Result<()> {
    let reader = open(url)?;
    let all: Vec<_> = content.counts.keys().copied().collect();
    if all.is_empty() {
        return Ok(());
    }
    for n in 0..QUERIES {
        let random = mix(n);
        let (flow, status, hour) = all[random as usize % all.len()];
        let hours = hour..hour + 1 + random / 7 % 30;
        let status = if n % 2 == 0 { StatusFilter::Code(status) } else { StatusFilter::Class(status / 100) };
        let query = Query {
            flow: (n % 3 > 0).then(|| flow.to_owned()),
            status: Some(status),
            since_unix_ns: Some(hours.start * HOUR_NS),
            until_unix_ns: Some(hours.end * HOUR_NS),
            ..Query::default()
        };
        let is_counted = |&(&(of, code, at), _): &(&(&str, u16, u64), &u64)| {
            query.flow.as_deref().is_none_or(|flow| flow == of) && status.matches(code) && hours.contains(&at)
        };
        let wanted: u64 = content.counts.iter().filter(is_counted).map(|(_, count)| count).sum();
        let found = reader.list(&query)?.len() as u64;
        findings.check(found == wanted, || format!("{found} in place of {wanted} requests for {query:?}"));
    }
    Ok(())
}

/// Decodes some traces, and checks that secrets are sealed in them and everything else is not.
pub(crate) fn check_secrets(url: &FleetUrl, findings: &mut Findings) -> Result<()> {
    let mut left = SAMPLE;
    open(url)?.visit(&Query::default(), |found| {
        left -= 1;
        match found.load() {
            Ok(trace) => {
                let text = format!("{trace:?}");
                findings.check(!text.contains(NEEDLE), || format!("a secret of {} is not sealed", trace.id));
                findings.check(text.contains(MARKER), || format!("{} lacks what is not secret", trace.id));
            }
            Err(error) => findings.check(false, || format!("a trace cannot be read: {error}")),
        }
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(())
}

/// Returns the number of files below a folder that contain a secret, and the number of all.
pub(crate) fn files_with_secrets(folder: &Path) -> Result<(u64, u64)> {
    let (mut found, mut all) = (0, 0);
    let mut folders = vec![folder.to_owned()];
    let hexadecimal: String = NEEDLE.bytes().map(|byte| format!("{byte:02x}")).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                // A file may be removed while the folder is read.
                let Ok(content) = fs::read(entry.path()) else { continue };
                all += 1;
                let has = |text: &str| memmem::find(&content, text.as_bytes()).is_some();
                found += u64::from(has(NEEDLE) || has(&hexadecimal));
            }
        }
    }
    Ok((found, all))
}
