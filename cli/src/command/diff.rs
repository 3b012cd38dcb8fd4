//! `zerver diff`: why one request took longer than another, and what differs first.

use zerver_analysis::{Diff, DiffJson, IgnoredHeaders, typical_pair};
use zerver_trace::{Query, RequestId, Trace};

use super::tui;
use crate::args::{self, Global, Target};
use crate::output::Output;
use crate::place;
use crate::trouble::{Done, Trouble};
use crate::view;
use crate::view::timeline::Look;

/// What is typical is told from at most so many requests of the flow, the newest.
const POPULATION: usize = 1_000;

pub(super) fn run(args: &args::Diff, global: &Global, output: &mut Output) -> Result<Done, Trouble> {
    let ((a, digits_a), (b, digits_b)) = match (&args.slow, &args.a, &args.b) {
        (Some(flow), ..) => chosen(flow, global, output)?,
        (None, Some(a), Some(b)) => (named(a, global)?, named(b, global)?),
        _ => return Err(Trouble::new("two requests are to be named").hint("or a flow, with --slow FLOW")),
    };
    let ignored = if args.all_headers { IgnoredHeaders::nothing() } else { IgnoredHeaders::default() };
    let diff = Diff::of(&a, &b, &ignored);
    let sameness = diff.sameness();
    if !args.no_tui && !args.all_headers && tui::is_possible(output) {
        tui::diff([a, b], &args.look, global)?;
    } else if output.is_json {
        output.json(&DiffJson::new(&diff))?;
    } else {
        let look = Look {
            columns: output.width(),
            folds: output.is_terminal(),
            digits: digits_a.max(digits_b).max(apart(a.id, b.id)),
            is_verbose: output.is_verbose,
        };
        output.print(&view::diff::diff(&a, &b, &diff, look))?;
    }
    Ok(sameness.into())
}

/// The number of digits that tell two ids apart. A portable file or another store may hold one of them, so the digits
/// that each needs in its own store are not enough.
fn apart(a: RequestId, b: RequestId) -> usize {
    if a == b { 0 } else { a.shared_digits(b) + 1 }
}

/// A trace, and how many digits of its id name it.
type Named = (Trace, usize);

/// The trace that is meant. Its reader is closed again: the other may be in the same store.
fn named(target: &Target, global: &Global) -> Result<Named, Trouble> {
    let loaded = place::load(global, target)?;
    let digits = loaded.digits();
    Ok((loaded.trace, digits))
}

/// A typical fast request of a flow, and a typical slow one.
fn chosen(flow: &str, global: &Global, output: &mut Output) -> Result<(Named, Named), Trouble> {
    let dir = place::store(global)?;
    let reader = place::reader(&dir)?;
    let unreadable = |error: &dyn std::error::Error| place::unreadable(&dir, error);
    let query = Query { flow: Some(flow.to_owned()), limit: Some(POPULATION), ..Query::default() };
    let requests = reader.list(&query).map_err(|error| unreadable(&error))?;
    let found = typical_pair(&requests).map_err(|error| {
        Trouble::new(format!("cannot choose two requests of {flow}"))
            .because(&error)
            .hint("send it more requests, or name two: `zerver diff <a> <b>`")
            .hint("`zerver catalog` lists the flows")
    })?;
    output.note(&format!(
        "of {} requests of {}: the median of all but the slowest tenth, and the median of that tenth",
        found.population,
        zerver_trace::text::clean(flow)
    ));
    let load =
        |id: RequestId| match reader.load(id) {
            Ok(Some(trace)) => Ok(trace),
            Ok(None) => Err(Trouble::new(format!("request {id} has just been dropped from the store"))
                .hint("try it again")),
            Err(error) => Err(unreadable(&error)),
        };
    let (fast, slow) = (load(found.fast)?, load(found.slow)?);
    let digits = place::digits(&reader, &[found.fast, found.slow]);
    Ok(((fast, digits), (slow, digits)))
}
