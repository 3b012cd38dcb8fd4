//! Finding one trace by how a person names it: an id, a prefix of one, `@last`, `@slowest`, `@fastest`, `@failed`.

use std::ops::ControlFlow;

use thiserror::Error;
use zerver_trace::{IdPrefix, RequestId, Summary, Trace, TraceSelector};

use crate::head::{FlowCount, Head};
use crate::reader::{ReadError, Reader, View};

/// How many ids are offered instead of one that is not there, or not the only one.
const OFFERED: usize = 3;

/// Why no trace was found.
#[derive(Debug, Error)]
pub enum FindError {
    /// No trace has this id.
    #[error("no trace has the id {wanted}{}", offer("; the nearest are", nearest))]
    NotFound {
        /// What was asked for.
        wanted: String,
        /// The ids that share most digits with it, then those that are closest in time; at most three.
        nearest: Vec<RequestId>,
    },
    /// More than one trace has an id that begins so.
    #[error("more than one id begins with {wanted}; write more digits of it{}", offer(": ", candidates))]
    Ambiguous {
        /// What was asked for.
        wanted: String,
        /// Some of them, newest first.
        candidates: Vec<RequestId>,
    },
    /// No trace is there that could be meant.
    #[error("{wanted}: {}", nothing(wanted, flow.as_deref()))]
    Empty {
        /// What was asked for.
        wanted: String,
        /// The flow that was asked for, if one was.
        flow: Option<String>,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
}

fn offer(words: &str, ids: &[RequestId]) -> String {
    if ids.is_empty() {
        return String::new();
    }
    let ids: Vec<String> = ids.iter().map(RequestId::to_string).collect();
    format!("{words} {}", ids.join(", "))
}

fn nothing(wanted: &str, flow: Option<&str>) -> String {
    let is_ranked = wanted.starts_with("@slowest") || wanted.starts_with("@fastest");
    let what = if is_ranked { "request that succeeded" } else { "such request" };
    match flow {
        Some(flow) => format!("no {what} of flow {flow:?} has been recorded; `zerver ls` shows what has"),
        None => format!("no {what} has been recorded"),
    }
}

/// A trace found, and not loaded yet.
struct At {
    key: u64,
    position: usize,
    id: RequestId,
}

impl Reader {
    /// The trace that is meant.
    ///
    /// # Errors
    /// When there is none, or more than one, or when the store cannot be read.
    pub fn find(&self, what: &TraceSelector) -> Result<Trace, FindError> {
        let view = self.view()?;
        let empty = |flow: &Option<String>| FindError::Empty { wanted: what.to_string(), flow: flow.clone() };
        let at = match what {
            TraceSelector::Id(prefix) => by_prefix(&view, *prefix)?,
            TraceSelector::Last(flow) => {
                newest(&view, flow.as_deref(), |_| true, |_| true)?.ok_or_else(|| empty(flow))?
            }
            TraceSelector::Failed(flow) => {
                newest(&view, flow.as_deref(), |flow| flow.failed > 0, |summary| summary.is_failed)?
                    .ok_or_else(|| empty(flow))?
            }
            TraceSelector::Slowest(flow) => extreme(&view, flow.as_deref(), |flow| flow.slowest_ns, |ns| ns)?
                .ok_or_else(|| empty(flow))?,
            TraceSelector::Fastest(flow) => {
                extreme(&view, flow.as_deref(), |flow| flow.fastest_ns, |ns| u64::MAX - ns)?
                    .ok_or_else(|| empty(flow))?
            }
        };
        Ok(view.load_at(at.key, at.position, at.id)?)
    }
}

fn by_prefix(view: &View, prefix: IdPrefix) -> Result<At, FindError> {
    let mut blocks = Vec::new();
    let mut all: Vec<(u64, Head)> = Vec::new();
    view.heads(true, |key, head| {
        if head.min_id <= prefix.last() && prefix.first() <= head.max_id {
            blocks.push((key, head.count));
        }
        all.push((key, head));
        ControlFlow::Continue(())
    })?;
    let mut found: Vec<At> = Vec::new();
    for (key, count) in blocks {
        for (position, summary) in view.summaries(key, count)?.iter().enumerate().rev() {
            // The same request may be there twice, imported and recorded; that is not ambiguous.
            if prefix.matches(summary.id) && !found.iter().any(|at| at.id == summary.id) {
                found.push(At { key, position, id: summary.id });
            }
        }
        if found.len() > OFFERED {
            break;
        }
    }
    match (found.pop(), found.len()) {
        (Some(at), 0) => Ok(at),
        (Some(last), _) => {
            found.push(last);
            let candidates = found.iter().take(OFFERED).map(|at| at.id).collect();
            Err(FindError::Ambiguous { wanted: prefix.to_string(), candidates })
        }
        (None, _) => {
            Err(FindError::NotFound { wanted: prefix.to_string(), nearest: nearest(view, prefix, &all)? })
        }
    }
}

/// The ids that share most digits with one that is not there, then those closest in time.
fn nearest(view: &View, prefix: IdPrefix, heads: &[(u64, Head)]) -> Result<Vec<RequestId>, ReadError> {
    let wanted = prefix.first();
    let rank =
        |id: RequestId| (usize::MAX - id.shared_digits(wanted), id.as_u128().abs_diff(wanted.as_u128()));
    // Ids are ordered by time but for races: the blocks that could hold the closest are few.
    let closest = |head: &Head| wanted.clamp(head.min_id, head.max_id.max(head.min_id));
    let mut order: Vec<&(u64, Head)> = heads.iter().collect();
    order.sort_by_key(|(_, head)| rank(closest(head)));
    let mut ids: Vec<RequestId> = Vec::new();
    for (key, head) in order.into_iter().take(4) {
        ids.extend(view.summaries(*key, head.count)?.iter().map(|summary| summary.id));
    }
    ids.sort_by_key(|&id| rank(id));
    ids.dedup();
    ids.truncate(OFFERED);
    Ok(ids)
}

/// The newest trace of a flow that is wanted.
fn newest(
    view: &View,
    flow: Option<&str>,
    in_block: impl Fn(&FlowCount) -> bool,
    wanted: impl Fn(&Summary) -> bool,
) -> Result<Option<At>, ReadError> {
    let (mut found, mut failed) = (None, None);
    view.heads(true, |key, head| {
        if !head.of(flow).any(&in_block) {
            return ControlFlow::Continue(());
        }
        match view.summaries(key, head.count) {
            Ok(block) => {
                let position = block
                    .iter()
                    .rposition(|summary| flow.is_none_or(|flow| summary.flow == flow) && wanted(summary));
                found = position.map(|position| At { key, position, id: block[position].id });
            }
            Err(error) => failed = Some(error),
        }
        if found.is_some() || failed.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    failed.map_or(Ok(found), Err)
}

/// The trace of a flow with the greatest rank by its duration, of those that succeeded; the newest of those with the same.
fn extreme(
    view: &View,
    flow: Option<&str>,
    of_block: impl Fn(&FlowCount) -> u64,
    rank: impl Fn(u64) -> u64,
) -> Result<Option<At>, ReadError> {
    let mut best: Option<(u64, u64, u32)> = None;
    view.heads(true, |key, head| {
        if let Some(ranked) =
            head.of(flow).filter(|flow| flow.succeeded > 0).map(|flow| rank(of_block(flow))).max()
            && best.is_none_or(|(best, ..)| ranked > best)
        {
            best = Some((ranked, key, head.count));
        }
        ControlFlow::Continue(())
    })?;
    let Some((_, key, count)) = best else { return Ok(None) };
    let block = view.summaries(key, count)?;
    let of_flow = block
        .iter()
        .enumerate()
        .filter(|(_, summary)| summary.has_succeeded() && flow.is_none_or(|flow| summary.flow == flow));
    let best = of_flow.max_by_key(|(position, summary)| (rank(summary.duration_ns), *position));
    Ok(best.map(|(position, summary)| At { key, position, id: summary.id }))
}
