//! Spans of a file by their parents. Ids may be missing, repeated, or form cycles.

use std::collections::BTreeMap;

use crate::otlp::{Attributes, Span, SpanBatch};

/// Spans by their parents.
pub(super) struct SpanTree<'s> {
    nodes: Vec<SpanNode<'s>>,
    /// Children of each span, by their starts.
    children: Vec<Vec<usize>>,
    roots: Vec<usize>,
}

/// A span with the service that it belongs to.
#[derive(Clone, Copy)]
pub(super) struct SpanNode<'s> {
    pub(super) span: &'s Span,
    pub(super) service: &'s str,
    pub(super) resource: &'s Attributes,
    /// True if zerver has exported the span.
    pub(super) is_own: bool,
    /// True if the span belongs to the process that records it.
    pub(super) is_live: bool,
}

impl<'s> SpanTree<'s> {
    pub(super) fn new(batch: &'s SpanBatch) -> Self {
        let mut nodes: Vec<SpanNode<'s>> = Vec::new();
        for resource in &batch.resources {
            let service = resource.attributes.text(&["service.name"]).unwrap_or_default();
            for scope in &resource.scopes {
                let is_own = scope.name == "zerver";
                let node =
                    |span| SpanNode { span, service, resource: &resource.attributes, is_own, is_live: false };
                nodes.extend(scope.spans.iter().map(node));
            }
        }
        // Of spans with the same id, the first one counts as a parent.
        let mut by_id: BTreeMap<(u128, u64), usize> = BTreeMap::new();
        for (at, node) in nodes.iter().enumerate().filter(|(_, node)| node.span.span_id != 0) {
            by_id.entry((node.span.trace_id, node.span.span_id)).or_insert(at);
        }
        let parent = |at: usize| {
            let span = nodes[at].span;
            let parent = by_id.get(&(span.trace_id, span.parent_span_id)).copied();
            parent.filter(|parent| span.parent_span_id != 0 && *parent != at)
        };
        let parents: Vec<Option<usize>> = (0..nodes.len()).map(parent).collect();
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
        let mut roots = Vec::new();
        for (at, parent) in parents.iter().enumerate() {
            match parent {
                Some(parent) => children[*parent].push(at),
                None => roots.push(at),
            }
        }
        roots.extend(cycle_heads(&parents));
        for list in &mut children {
            list.sort_by_key(|at| (nodes[*at].span.start_unix_ns, *at));
        }
        Self { nodes, children, roots }
    }

    /// Returns the spans without a parent, and one of each cycle.
    pub(super) fn roots(&self) -> impl Iterator<Item = usize> {
        self.roots.iter().copied()
    }

    pub(super) fn node(&self, at: usize) -> SpanNode<'s> {
        self.nodes[at]
    }

    /// Visits the spans below a root in the order of the tree, each with its depth from 1: first when it starts, then when it
    /// ends.
    pub(super) fn walk(&self, root: usize, mut visit: impl FnMut(Visit, usize)) {
        // Nothing recurses, because the tree may be deep. A cycle ends at its root.
        let mut pending: Vec<(usize, usize)> = vec![(root, 0)];
        while let Some((at, next)) = pending.last_mut() {
            let at = *at;
            let child = self.children[at].get(*next).copied();
            *next += 1;
            match child {
                Some(child) if child == root => {}
                Some(child) => {
                    pending.push((child, 0));
                    visit(Visit::Start { depth: pending.len() - 1 }, child);
                }
                None => {
                    pending.pop();
                    if at != root {
                        visit(Visit::End, at);
                    }
                }
            }
        }
    }
}

/// Event of a walk over a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visit {
    /// A span, before those below it.
    Start {
        /// Number of spans above it.
        depth: usize,
    },
    /// A span, after those below it.
    End,
}

/// Returns one span of each cycle of parents.
fn cycle_heads(parents: &[Option<usize>]) -> Vec<usize> {
    // The number of the search that has come by, from 1.
    let mut seen_in = vec![0; parents.len()];
    let mut heads = Vec::new();
    for start in 0..parents.len() {
        let (search, mut at) = (start + 1, start);
        loop {
            if seen_in[at] != 0 {
                if seen_in[at] == search {
                    heads.push(at);
                }
                break;
            }
            seen_in[at] = search;
            match parents[at] {
                Some(parent) => at = parent,
                None => break,
            }
        }
    }
    heads
}
