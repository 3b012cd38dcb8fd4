//! Finds a trace by the name that a user gives: an id, a prefix of an id, `@last`, `@slowest`, `@fastest` or `@failed`.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::rc::Rc;

use thiserror::Error;
use zerver_trace::{IdPrefix, Query, RequestId, Summary, Trace, TraceSelector};

use crate::block::block_index::{BlockIndex, FlowStats};
use crate::read::blocks::Wanted;
use crate::read::newest_first::visit_merged;
use crate::read::read_error::ReadError;
use crate::read::reader::Reader;
use crate::read::store_view::StoreView;

/// Maximum number of ids to suggest if an id is unknown or ambiguous.
const MAX_SUGGESTIONS: usize = 3;

/// The reason why no trace was found.
#[derive(Debug, Error)]
pub enum FindError {
    /// No trace has this id.
    #[error("no trace has the id {wanted}{}", suggest("; the nearest are", nearest))]
    NotFound {
        /// The id or prefix.
        wanted: String,
        /// Up to three ids: those with the longest common prefix, then those that are closest in time.
        nearest: Vec<RequestId>,
    },
    /// More than one id begins with this prefix.
    #[error("id {wanted} is ambiguous; add more digits{}", suggest(": ", candidates))]
    Ambiguous {
        /// The prefix.
        wanted: String,
        /// Up to three of the matching ids, newest first.
        candidates: Vec<RequestId>,
    },
    /// The store contains no such trace.
    #[error("{wanted}: {}", nothing_found(wanted, flow.as_deref()))]
    Empty {
        /// The name.
        wanted: String,
        /// Flow to which the search was restricted.
        flow: Option<String>,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

fn suggest(words: &str, ids: &[RequestId]) -> String {
    if ids.is_empty() {
        return String::new();
    }
    let ids: Vec<String> = ids.iter().map(RequestId::to_string).collect();
    format!("{words} {}", ids.join(", "))
}

fn nothing_found(wanted: &str, flow: Option<&str>) -> String {
    let is_ranked = wanted.starts_with("@slowest") || wanted.starts_with("@fastest");
    let what = if is_ranked { "request that succeeded" } else { "such request" };
    match flow {
        Some(flow) => format!("no {what} of flow {flow:?} has been recorded; `zerver ls` shows what has"),
        None => format!("no {what} has been recorded"),
    }
}

/// Location of a trace that is not loaded yet.
struct TraceLocation {
    key: u64,
    position: usize,
    id: RequestId,
}

impl Reader {
    /// Finds and loads a trace.
    ///
    /// # Errors
    /// If no trace or more than one matches, or the store cannot be read.
    pub fn find(&self, what: &TraceSelector) -> Result<Trace, FindError> {
        let view = Rc::new(self.view()?);
        let newest = |flow: &Option<String>, only_failed| {
            find_newest(&view, &Query { flow: flow.clone(), only_failed, limit: Some(1), ..Query::default() })
        };
        let empty = |flow: &Option<String>| FindError::Empty { wanted: what.to_string(), flow: flow.clone() };
        let at = match what {
            TraceSelector::Id(prefix) => find_by_prefix(&view, *prefix)?,
            TraceSelector::Last(flow) => newest(flow, false)?.ok_or_else(|| empty(flow))?,
            TraceSelector::Failed(flow) => newest(flow, true)?.ok_or_else(|| empty(flow))?,
            TraceSelector::Slowest(flow) => {
                find_extreme(&view, &Wanted::Slowest(flow.as_deref()), |flow| flow.slowest_ns, |ns| ns)?
                    .ok_or_else(|| empty(flow))?
            }
            TraceSelector::Fastest(flow) => find_extreme(
                &view,
                &Wanted::Fastest(flow.as_deref()),
                |flow| flow.fastest_ns,
                |ns| u64::MAX - ns,
            )?
            .ok_or_else(|| empty(flow))?,
        };
        Ok(view.load_at(at.key, at.position, at.id)?)
    }
}

fn find_by_prefix(view: &StoreView, prefix: IdPrefix) -> Result<TraceLocation, FindError> {
    let mut blocks = Vec::new();
    let may_contain = |index: &BlockIndex| index.min_id <= prefix.last() && prefix.first() <= index.max_id;
    view.for_each_wanted(&Wanted::Ids(prefix.first(), prefix.last()), may_contain, |key, index| {
        if may_contain(&index) {
            blocks.push((key, index.count));
        }
        ControlFlow::Continue(())
    })?;
    let mut found: Vec<TraceLocation> = Vec::new();
    for (key, count) in blocks {
        for (position, summary) in view.summaries(key, count)?.iter().enumerate().rev() {
            // A request that was both recorded and imported is there twice, which is not ambiguous.
            if prefix.matches(summary.id) && !found.iter().any(|at| at.id == summary.id) {
                found.push(TraceLocation { key, position, id: summary.id });
            }
        }
        if found.len() > MAX_SUGGESTIONS {
            break;
        }
    }
    match (found.pop(), found.len()) {
        (Some(at), 0) => Ok(at),
        (Some(last), _) => {
            found.push(last);
            let candidates = found.iter().take(MAX_SUGGESTIONS).map(|at| at.id).collect();
            Err(FindError::Ambiguous { wanted: prefix.to_string(), candidates })
        }
        (None, _) => {
            Err(FindError::NotFound { wanted: prefix.to_string(), nearest: nearest_ids(view, prefix)? })
        }
    }
}

/// Returns the ids with the longest common prefix with a missing one, then those that are closest in time.
fn nearest_ids(view: &StoreView, prefix: IdPrefix) -> Result<Vec<RequestId>, ReadError> {
    let mut indexes: Vec<(u64, BlockIndex)> = Vec::new();
    view.for_each_wanted(
        &Wanted::Around(&[prefix.first()]),
        |_| true,
        |key, index| {
            indexes.push((key, index));
            ControlFlow::Continue(())
        },
    )?;
    let wanted = prefix.first();
    let rank =
        |id: RequestId| (usize::MAX - id.shared_digits(wanted), id.as_u128().abs_diff(wanted.as_u128()));
    // Ids are almost in the order of time, so only a few blocks can contain the closest ones.
    let closest = |index: &BlockIndex| wanted.clamp(index.min_id, index.max_id.max(index.min_id));
    let mut order: Vec<&(u64, BlockIndex)> = indexes.iter().collect();
    order.sort_by_key(|(_, index)| rank(closest(index)));
    let mut ids: Vec<RequestId> = Vec::new();
    for (key, index) in order.into_iter().take(4) {
        ids.extend(view.summaries(*key, index.count)?.iter().map(|summary| summary.id));
    }
    ids.sort_by_key(|&id| rank(id));
    ids.dedup();
    ids.truncate(MAX_SUGGESTIONS);
    Ok(ids)
}

/// Finds the newest trace of a flow, or the newest one that failed.
fn find_newest(view: &Rc<StoreView>, query: &Query) -> Result<Option<TraceLocation>, ReadError> {
    let (mut found, mut failed) = (None, None);
    if view.blocks.is_merged() {
        visit_merged(view, query, &mut |request| {
            let (key, position) = request.place();
            found = Some(TraceLocation { key, position, id: request.summary().id });
            ControlFlow::Break(())
        })?;
        return Ok(found);
    }
    let flow = query.flow.as_deref();
    let wanted = |summary: &Summary| !query.only_failed || summary.is_failed;
    let in_block = |flow: &FlowStats| !query.only_failed || flow.failed > 0;
    let may_contain = |index: &BlockIndex| index.flows_named(flow).any(&in_block);
    view.for_each_wanted(&Wanted::Matching(query), may_contain, |key, index| {
        if !may_contain(&index) {
            return ControlFlow::Continue(());
        }
        match view.summaries(key, index.count) {
            Ok(block) => {
                let position = block
                    .iter()
                    .rposition(|summary| flow.is_none_or(|flow| summary.flow == flow) && wanted(summary));
                found = position.map(|position| TraceLocation { key, position, id: block[position].id });
            }
            Err(error) => failed = Some(error),
        }
        if found.is_some() || failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    failed.map_or(Ok(found), Err)
}

/// Finds the successful trace of a flow whose duration has the greatest rank. Among equal ones, the newest.
fn find_extreme(
    view: &StoreView,
    wanted: &Wanted<'_>,
    of_block: impl Fn(&FlowStats) -> u64,
    rank: impl Fn(u64) -> u64,
) -> Result<Option<TraceLocation>, ReadError> {
    let flow = match wanted {
        Wanted::Slowest(flow) | Wanted::Fastest(flow) => *flow,
        _ => None,
    };
    let best: Cell<Option<(u64, u64, u32)>> = Cell::new(None);
    // Returns the greatest rank of the flow, if it exceeds that of the newer blocks.
    let better = |index: &BlockIndex| {
        let ranks =
            index.flows_named(flow).filter(|flow| flow.succeeded > 0).map(|flow| rank(of_block(flow)));
        ranks.max().filter(|ranked| best.get().is_none_or(|(best, ..)| *ranked > best))
    };
    let may_contain = |index: &BlockIndex| better(index).is_some();
    view.for_each_wanted(wanted, may_contain, |key, index| {
        if let Some(ranked) = better(&index) {
            best.set(Some((ranked, key, index.count)));
        }
        ControlFlow::Continue(())
    })?;
    let Some((_, key, count)) = best.get() else { return Ok(None) };
    let block = view.summaries(key, count)?;
    let of_flow = block
        .iter()
        .enumerate()
        .filter(|(_, summary)| summary.has_succeeded() && flow.is_none_or(|flow| summary.flow == flow));
    let best = of_flow.max_by_key(|(position, summary)| (rank(summary.duration_ns), *position));
    Ok(best.map(|(position, summary)| TraceLocation { key, position, id: summary.id }))
}
