//! `zerver ls`: recorded requests.

use zerver_recorder::Reader;
use zerver_trace::text::clean;
use zerver_trace::{Query, Summary};

use crate::args::{Global, Ls};
use crate::clock::now_unix_ns;
use crate::error::{CommandError, CommandOutcome};
use crate::output::Output;
use crate::request_json::RequestsJson;
use crate::view::{count, request_list};
use crate::{locate, paths};

pub(super) fn run(args: &Ls, global: &Global, output: &mut Output) -> Result<CommandOutcome, CommandError> {
    let dir = locate::store_dir(global)?;
    // One request more shows whether the list is complete.
    let limit = args.limit.0.unwrap_or(usize::MAX);
    let query = args.filter.query(now_unix_ns(), Some(limit.saturating_add(1)));
    let reader = locate::open_reader(&dir)?;
    let mut requests = list(&reader, &query)?;
    let is_truncated = requests.len() > limit;
    requests.truncate(limit);
    if let Some(notice) = locate::dropped_notice(&reader) {
        output.info(&notice);
    }
    if let Some(end) = query.until_unix_ns {
        let later = Query { since_unix_ns: Some(end), until_unix_ns: None, limit: None, ..query };
        let later = list(&reader, &later)?.len() as u64;
        if later > 0 {
            let requests = count(later, "request", "requests");
            output.info(&format!("{requests} in the future left out: a clock was or is wrong"));
        }
    }
    if output.is_json {
        output.json(&RequestsJson::new(&requests))?;
        return Ok(CommandOutcome::Success);
    }
    if requests.is_empty() && !is_truncated {
        output.info(&format!("no matching requests in {}", paths::display(&dir)));
        let flow = args.filter.flow.as_deref();
        if let Some(hint) = flow.and_then(|flow| locate::unknown_flow_hint(&reader, flow)) {
            output.info(&clean(&hint));
        }
        return Ok(CommandOutcome::Success);
    }
    if requests.is_empty() {
        output.info("there are matching requests; -n N shows the newest N, -n all shows all");
        return Ok(CommandOutcome::Success);
    }
    let ids: Vec<_> = requests.iter().map(|request| request.id).collect();
    let digits = locate::unique_digits(&reader, &ids);
    output.print(&request_list::table(&requests, digits, now_unix_ns(), output.columns()))?;
    if is_truncated {
        output.info(&format!("showing the newest {limit}; -n N shows more, -n all shows all"));
    }
    Ok(CommandOutcome::Success)
}

fn list(reader: &Reader, query: &Query) -> Result<Vec<Summary>, CommandError> {
    reader.list(query).map_err(|error| locate::unreadable_store(reader.dir(), &error))
}
