//! `zerver fleet`: the database or the bucket of a fleet.

use std::time::Duration;

use serde::Serialize;
use zerver_fleet::{
    CompactOptions, CompactOutcome, FleetStatus, FleetUrl, InitOptions, NodeStatus, archive, compact, init,
    status, upgrade,
};
use zerver_trace::duration::HumanDuration;
use zerver_trace::text::clean;

use crate::args::{Fleet, FleetArchive, FleetCommand, FleetCompact, Global};
use crate::commands::fleet_key::{self, KeyJson};
use crate::error::{CommandError, CommandOutcome};
use crate::fleet_failure::failed;
use crate::output::Output;
use crate::store_place::StorePlace;
use crate::view::table::{Column, Table};
use crate::view::{bytes, count, style};

pub(super) fn run(
    args: &Fleet,
    global: &Global,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let url = || fleet_url(global);
    match &args.command {
        FleetCommand::Init(args) => run_init(&url()?, args.keep_days, output),
        FleetCommand::Upgrade => run_upgrade(&url()?, output),
        FleetCommand::Status => run_status(&url()?, output),
        FleetCommand::Compact(args) => run_compact(&url()?, args, output),
        FleetCommand::Archive(args) => run_archive(&url()?, args, output),
        FleetCommand::Key(args) => fleet_key::run(args, global, output),
    }
}

pub(super) fn fleet_url(global: &Global) -> Result<FleetUrl, CommandError> {
    let example = "name it with --store or ZERVER_STORE: --store 'postgres://user@host/database?ns=shop_prod' or \
                   's3://bucket/prefix?ns=shop_prod'";
    let Some(name) = &global.store else {
        return Err(CommandError::new("no fleet is named").with_hint(example));
    };
    match StorePlace::named(name)? {
        StorePlace::Fleet(url) => Ok(*url),
        StorePlace::Folder(dir) => {
            Err(CommandError::new(format!("{} is not a fleet", dir.display())).with_hint(example))
        }
    }
}

fn run_init(
    url: &FleetUrl,
    keep_days: Option<u32>,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let outcome = init(url, InitOptions { keep_days }).map_err(|error| failed(url, "initialize", &error))?;
    if output.is_json {
        output.json(&serde_json::json!({
            "namespace": url.namespace(),
            "created": outcome.is_new,
            "keep_days": outcome.keep_days,
            "roles": outcome.has_roles,
        }))?;
        return Ok(CommandOutcome::Success);
    }
    let namespace = url.namespace();
    let days = count(u64::from(outcome.keep_days), "day", "days");
    output.info(&if outcome.is_new {
        format!("created the namespace {namespace}, which keeps requests for {days}")
    } else {
        format!("the namespace {namespace} was there already; it keeps requests for {days}")
    });
    output.info(&if url.is_bucket() {
        "services need the right to list, read and write its objects, readers to list and read them; \
         `zerver fleet compact`, once an hour, also deletes"
            .to_owned()
    } else if outcome.has_roles {
        "grant zerver_ship to the users of services, and zerver_read to those of people".to_owned()
    } else {
        "this user may not create roles: the owner of the namespace ships and reads".to_owned()
    });
    output.info(&format!("services ship to it with ZERVER_FLEET_STORE='{}'", clean(&url.to_string())));
    Ok(CommandOutcome::Success)
}

fn run_upgrade(url: &FleetUrl, output: &mut Output) -> Result<CommandOutcome, CommandError> {
    let from = upgrade(url).map_err(|error| failed(url, "upgrade", &error))?;
    if output.is_json {
        output.json(&serde_json::json!({ "namespace": url.namespace(), "from": from }))?;
    } else {
        output.info(&format!("the namespace {} had version {from}, and is up to date", url.namespace()));
    }
    Ok(CommandOutcome::Success)
}

fn run_status(url: &FleetUrl, output: &mut Output) -> Result<CommandOutcome, CommandError> {
    let found = status(url).map_err(|error| failed(url, "read", &error))?;
    if output.is_json {
        output.json(&StatusJson::new(url, &found))?;
        return Ok(CommandOutcome::Success);
    }
    if !found.nodes.is_empty() {
        output.print(&nodes_table(&found.nodes, output.columns()))?;
    }
    let blocks = if url.is_bucket() { ["object", "objects"] } else { ["block", "blocks"] };
    output.info(&format!(
        "{} of {} and {}, in {} ({}), kept for {}",
        count(found.traces, "request", "requests"),
        count(found.nodes.len() as u64, "node", "nodes"),
        count(found.builds, "build", "builds"),
        count(found.blocks, blocks[0], blocks[1]),
        bytes(found.bytes),
        count(u64::from(found.keep_days), "day", "days"),
    ));
    for key in &found.keys {
        output.info(&fleet_key::describe(key));
    }
    if let Some(archive) = &found.archive {
        output.info(&format!("older days are in {}", clean(archive)));
    }
    if let Some(first) = found.foreign.first() {
        let foreign = count(found.foreign.len() as u64, "object is", "objects are");
        output.info(&format!("{foreign} not of zerver, and ignored: {}", clean(first)));
    }
    Ok(CommandOutcome::Success)
}

fn run_compact(
    url: &FleetUrl,
    args: &FleetCompact,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let options = CompactOptions {
        settle: Duration::from_nanos(args.settle.ns),
        grace: Duration::from_nanos(args.grace.ns),
    };
    let done = compact(url, options).map_err(|error| failed(url, "compact", &error))?;
    let CompactOutcome { packed, packs, replaced, expired, damaged } = &done;
    if output.is_json {
        output.json(&serde_json::json!({
            "packed": packed,
            "packs": packs,
            "replaced": replaced,
            "expired": expired,
            "damaged": damaged,
        }))?;
    } else {
        output.info(&format!(
            "packed {} into {}; deleted {} that were packed before, and {} that were too old",
            count(*packed, "segment", "segments"),
            count(*packs, "object", "objects"),
            count(*replaced, "segment", "segments"),
            count(*expired, "object", "objects"),
        ));
        for object in damaged {
            output.info(&format!("left alone: {}", clean(object)));
        }
    }
    Ok(if damaged.is_empty() { CommandOutcome::Success } else { CommandOutcome::Finding })
}

fn run_archive(
    url: &FleetUrl,
    args: &FleetArchive,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let to: FleetUrl = args
        .to
        .parse()
        .map_err(|error| CommandError::new("cannot use the URL of the archive").caused_by(&error))?;
    let days = u32::try_from(args.older_than.ns / (24 * 60 * 60 * 1_000_000_000)).unwrap_or(u32::MAX);
    let result = archive(url, &to, days, &mut |day| output.progress(&format!("moving day {day} since 1970")));
    output.clear_progress();
    let done = result.map_err(|error| failed(url, "archive", &error))?;
    if output.is_json {
        output.json(&serde_json::json!({
            "days": done.days,
            "blocks": done.blocks,
            "packs": done.packs,
            "bytes": done.bytes,
        }))?;
    } else {
        output.info(&format!(
            "moved {} with {} to {} ({})",
            count(done.days, "day", "days"),
            count(done.blocks, "block", "blocks"),
            count(done.packs, "object", "objects"),
            bytes(done.bytes),
        ));
    }
    Ok(CommandOutcome::Success)
}

fn nodes_table(nodes: &[NodeStatus], columns: Option<usize>) -> String {
    use Column::{Left, Right, Shrinks};
    let mut table = Table::new(&[
        Shrinks("name"),
        Left("node"),
        Left("build"),
        Right("seen"),
        Right("shipped"),
        Right("waiting"),
        Right("behind"),
        Right("unshipped"),
        Right("missing"),
    ]);
    table.optional("build", 12);
    table.optional("node", 12);
    for node in nodes {
        let seen = HumanDuration { ns: node.seen.as_secs().saturating_mul(1_000_000_000) };
        let missing = node.missing();
        table.row(vec![
            (style::PLAIN, clean(&node.name).into_owned()),
            (style::FAINT, node.node.to_string()),
            (style::FAINT, clean(&node.build).into_owned()),
            (style::PLAIN, format!("{seen} ago")),
            (style::PLAIN, node.shipped.to_string()),
            (style::PLAIN, node.waiting.to_string()),
            (style::PLAIN, bytes(node.behind_bytes)),
            (style::PLAIN, node.unshipped.to_string()),
            (if missing > 0 { style::BAD } else { style::FAINT }, missing.to_string()),
        ]);
    }
    table.draw(columns)
}

#[derive(Serialize)]
struct StatusJson<'s> {
    fleet: String,
    namespace: &'s str,
    version: i32,
    keep_days: u32,
    traces: u64,
    blocks: u64,
    bytes: u64,
    builds: u64,
    nodes: Vec<NodeJson<'s>>,
    keys: Vec<KeyJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    archive: Option<&'s str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    foreign: &'s [String],
}

#[derive(Serialize)]
struct NodeJson<'s> {
    node: String,
    name: &'s str,
    build: &'s str,
    seen_s: u64,
    recorded: u64,
    shipped: u64,
    waiting: u64,
    behind_bytes: u64,
    unshipped: u64,
    missing: u64,
}

impl<'s> StatusJson<'s> {
    fn new(url: &'s FleetUrl, status: &'s FleetStatus) -> Self {
        let nodes = status.nodes.iter().map(|node| NodeJson {
            node: node.node.to_string(),
            name: &node.name,
            build: &node.build,
            seen_s: node.seen.as_secs(),
            recorded: node.recorded,
            shipped: node.shipped,
            waiting: node.waiting,
            behind_bytes: node.behind_bytes,
            unshipped: node.unshipped,
            missing: node.missing(),
        });
        let FleetStatus {
            version, keep_days, traces, blocks, bytes, builds, ref archive, ref foreign, ..
        } = *status;
        let (fleet, namespace) = (url.to_string(), url.namespace());
        let nodes = nodes.collect();
        Self {
            fleet,
            namespace,
            version,
            keep_days,
            traces,
            blocks,
            bytes,
            builds,
            nodes,
            keys: status.keys.iter().map(KeyJson::from).collect(),
            archive: archive.as_deref(),
            foreign,
        }
    }
}
