//! `zerver ls`: recorded requests.

use serde::Serialize;
use zerver_trace::Query;
use zerver_trace::text::clean;

use crate::args::{Global, Ls};
use crate::clock::now_unix_ns;
use crate::error::{Done, Trouble};
use crate::locate;
use crate::output::Output;
use crate::request_json::Request;
use crate::view::{count, request_list};

pub(super) fn run(args: &Ls, global: &Global, output: &mut Output) -> Result<Done, Trouble> {
    let dir = locate::store(global)?;
    // One more tells whether there are more.
    let limit = args.limit.0.unwrap_or(usize::MAX);
    let query = args.filter.query(now_unix_ns(), Some(limit.saturating_add(1)));
    let reader = locate::reader(&dir)?;
    let mut requests = reader.list(&query).map_err(|error| locate::unreadable(&dir, &error))?;
    let is_cut = requests.len() > limit;
    requests.truncate(limit);
    if let Some(dropped) = locate::dropped(&reader) {
        output.note(&dropped);
    }
    // The query that has an end has nothing that began later.
    if let Some(end) = query.until_unix_ns {
        let later = Query { since_unix_ns: Some(end), until_unix_ns: None, limit: None, ..query };
        let later = reader.list(&later).map_err(|error| locate::unreadable(&dir, &error))?.len() as u64;
        if later > 0 {
            let requests = count(later, "request that begins", "requests that begin");
            output.note(&format!("without {requests} later than now: their clock or this one is wrong"));
        }
    }
    if output.is_json {
        output.json(&Document { requests: requests.iter().map(Request::of).collect() })?;
        return Ok(Done::Fine);
    }
    if requests.is_empty() && !is_cut {
        output.note(&format!("no such requests in {}", locate::shown(&dir)));
        if let Some(other) = args.filter.flow.as_deref().and_then(|flow| locate::other_flow(&reader, flow)) {
            output.note(&clean(&other));
        }
        return Ok(Done::Fine);
    }
    if requests.is_empty() {
        output.note("there are such requests; -n N shows the newest N, -n all shows all");
        return Ok(Done::Fine);
    }
    let ids: Vec<_> = requests.iter().map(|request| request.id).collect();
    let digits = locate::digits(&reader, &ids);
    output.print(&request_list::table(&requests, digits, now_unix_ns(), output.columns()))?;
    if is_cut {
        output.note(&format!("showing the newest {limit}; -n N shows more, -n all shows all"));
    }
    Ok(Done::Fine)
}

/// `{"requests": [..]}`.
#[derive(Serialize)]
struct Document<'a> {
    requests: Vec<Request<'a>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn the_document_has_the_promised_fields() {
        let summary = sample::failed().summary();
        let document = Document { requests: vec![Request::of(&summary)] };
        insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap(), @r#"
        {
          "requests": [
            {
              "id": "019aa4c2-1f3b-7abc-8def-0123456789ab",
              "flow": "todos-item",
              "method": "GET",
              "path": "/v1/todos/456",
              "status": 404,
              "duration_ns": 900000,
              "class": "interactive",
              "started_at": "2026-11-22T10:43:01.123456789Z",
              "outcome": "failed",
              "failed": true
            }
          ]
        }
        "#);
    }
}
