//! `zerver ls --follow`: prints requests as they are recorded.

use std::collections::HashSet;
use std::sync::mpsc;

use zerver_analysis::RequestQuery;
use zerver_recorder::{BlockTrace, Reader};
use zerver_trace::Summary;
use zerver_trace::text::clean;

use crate::args::Ls;
use crate::clock::now_unix_ns;
use crate::error::{CommandError, CommandOutcome};
use crate::locate;
use crate::output::Output;
use crate::requests::fleet_nodes::FleetNodes;
use crate::requests::json::RequestJson;
use crate::requests::selection::{self, Condition};
use crate::requests::store_follower::{News, StoreFollower};
use crate::store_place::StorePlace;
use crate::view::request_list;

/// Prints the newest requests, oldest first, and then new ones until the process is interrupted or its output closed.
pub(super) fn run(
    place: &StorePlace,
    args: &Ls,
    query: &RequestQuery,
    output: &mut Output,
) -> Result<CommandOutcome, CommandError> {
    let reader = locate::open_reader(place)?;
    let mut nodes = FleetNodes::find(place, args.node.as_deref())?;
    let stored = args.requests.filter.query(now_unix_ns(), args.limit.0);
    // A request that is recorded between these two reads is listed by both.
    let cursor = reader.end().map_err(|error| locate::unreadable_store(place, &error))?;
    let of_nodes = nodes.as_ref().map(|nodes| move |request: &BlockTrace<'_>| nodes.note(request));
    let condition = of_nodes.as_ref().map(|of_nodes| of_nodes as Condition<'_>);
    let mut requests = selection::select_where(&reader, stored.clone(), query, output, condition)?;
    requests.reverse();
    let ids: Vec<_> = requests.iter().map(|request| request.id).collect();
    let digits = locate::unique_digits(&reader, &ids);
    for request in &requests {
        print(request, nodes.as_ref(), digits, args, output)?;
    }
    let (sender, news) = mpsc::channel();
    let known: HashSet<_> = ids.into_iter().collect();
    let _follower = StoreFollower::resume(place.clone(), (reader, cursor), known, move |news| {
        // The receiver is gone when the command ends.
        let _ = sender.send(news);
    });
    let mut reader = None;
    for news in news {
        match news {
            News::Requests(requests, digits, of_requests) => {
                // A node may have begun to ship meanwhile.
                let is_known =
                    |nodes: &FleetNodes| of_requests.iter().all(|(id, node)| nodes.learn(*id, *node));
                if args.node.is_none() && !nodes.as_ref().is_none_or(is_known) {
                    nodes = FleetNodes::find(place, None)?;
                }
                for request in requests {
                    let node = of_requests.get(&request.id);
                    let is_of_node =
                        |nodes: &FleetNodes| node.is_some_and(|node| nodes.learn(request.id, *node));
                    let is_chosen = nodes.as_ref().is_none_or(is_of_node) || args.node.is_none();
                    if is_chosen && stored.matches(&request) && matches(query, &request, place, &mut reader) {
                        print(&request, nodes.as_ref(), digits, args, output)?;
                    }
                }
            }
            News::Unreadable(error) => return Err(locate::unreadable_store(place, &error)),
        }
    }
    Ok(CommandOutcome::Success)
}

/// Returns true if the request matches. A trace that was removed or cannot be read does not.
fn matches(query: &RequestQuery, request: &Summary, place: &StorePlace, reader: &mut Option<Reader>) -> bool {
    if let Some(is_match) = query.matches_summary(request) {
        return is_match;
    }
    if !reader.as_ref().is_some_and(Reader::is_in_place) {
        *reader = place.open().ok();
    }
    let trace = reader.as_ref().and_then(|reader| reader.load(request.id).ok().flatten());
    trace.is_some_and(|trace| query.matches(&trace))
}

fn print(
    request: &Summary,
    nodes: Option<&FleetNodes>,
    digits: usize,
    args: &Ls,
    output: &mut Output,
) -> Result<(), CommandError> {
    if output.is_json || args.ndjson {
        return output.json_line(&RequestJson::of_fleet(request, nodes));
    }
    let node = nodes.and_then(|nodes| nodes.of(request.id)).map(|node| format!("  on {}", clean(node)));
    output.print(&format!("{}{}\n", request_list::line(request, digits), node.unwrap_or_default()))
}
