//! The state of a conversation: what has been agreed, the loaded request, and the place where it is stopped.

use std::path::Path;

use serde_json::{Value, json};
use zerver_analysis::display::request_line;
use zerver_trace::duration::show;
use zerver_trace::text::clean;

use super::answer::Answer;
use crate::breakpoints::{Breakpoints, Hit};
use crate::movement::Movement;
use crate::protocol::arguments::{Launch, OfFrame};
use crate::recordings::Recordings;
use crate::request::loaded::LoadedRequest;
use crate::request::variables::Variables;
use crate::source_files::SourceFiles;

/// Number of the only thread: the request.
pub(super) const THREAD: u64 = 1;

pub(crate) struct Conversation<'r> {
    pub(super) recordings: &'r dyn Recordings,
    pub(super) is_initialized: bool,
    /// Number of the first line and column, as the client counts.
    pub(super) first_line: i64,
    pub(super) first_column: i64,
    pub(super) sources: SourceFiles,
    pub(super) breakpoints: Breakpoints,
    pub(super) debugged: Option<Debugged>,
}

/// A request that is being debugged.
pub(super) struct Debugged {
    pub(super) request: LoadedRequest,
    /// Current row.
    pub(super) row: usize,
    pub(super) hit: Option<Hit>,
    pub(super) variables: Variables,
    /// Id of the request.
    pub(super) name: String,
    stops_on_entry: bool,
    has_begun: bool,
}

impl<'r> Conversation<'r> {
    pub(super) fn new(recordings: &'r dyn Recordings) -> Self {
        Self {
            recordings,
            is_initialized: false,
            first_line: 1,
            first_column: 1,
            sources: SourceFiles::default(),
            breakpoints: Breakpoints::default(),
            debugged: None,
        }
    }
}

impl Conversation<'_> {
    pub(super) fn debugged(&mut self) -> Result<&mut Debugged, String> {
        self.debugged.as_mut().ok_or_else(|| "no request is loaded: launch one first".to_owned())
    }

    pub(super) fn launch(&mut self, arguments: &Launch) -> Result<Answer, String> {
        if self.debugged.is_some() {
            return Err("a request is loaded already".to_owned());
        }
        let trace = self.recordings.load(&arguments.id, arguments.store.as_deref())?;
        let request = LoadedRequest::new(trace);
        let said = summary(&request);
        self.debugged = Some(Debugged {
            row: 0,
            hit: None,
            variables: Variables::default(),
            name: request.trace.id.to_string(),
            stops_on_entry: arguments.stop_on_entry,
            has_begun: false,
            request,
        });
        let output = json!({ "category": "console", "output": said });
        Ok(Answer::nothing().then("output", output).then("initialized", json!({})))
    }

    /// Begins, once the client has set its breakpoints.
    pub(super) fn configured(&mut self) -> Result<Answer, String> {
        let debugged = self.debugged()?;
        if std::mem::replace(&mut debugged.has_begun, true) {
            return Ok(Answer::nothing());
        }
        if debugged.stops_on_entry {
            return Ok(Answer::nothing().then("stopped", debugged.stopped("entry")));
        }
        self.go(Movement::Continue).map(|answer| Answer { body: Value::Null, ..answer })
    }

    /// Moves to another row.
    pub(super) fn go(&mut self, movement: Movement) -> Result<Answer, String> {
        let Self { breakpoints, debugged, .. } = self;
        let debugged = debugged.as_mut().ok_or("no request is loaded: launch one first")?;
        let moved = Answer::of(json!({ "allThreadsContinued": true }));
        let request = &debugged.request;
        let is_over = debugged.row == request.last();
        if is_over && !matches!(movement, Movement::StepBack | Movement::ReverseContinue) {
            return Ok(moved.then("terminated", json!({})));
        }
        let arrival = movement.from(request, debugged.row, &|row| breakpoints.hit(request, row).is_some());
        debugged.hit = breakpoints.hit(request, arrival.row).filter(|_| arrival.is_hit);
        debugged.row = arrival.row;
        debugged.variables = Variables::default();
        Ok(moved.then("stopped", debugged.stopped("step")))
    }

    /// Moves back, or forwards, to the beginning of a frame.
    pub(super) fn restart_frame(&mut self, arguments: &OfFrame) -> Result<Answer, String> {
        let debugged = self.debugged()?;
        let row = debugged.row_of_frame(arguments.frame_id)?;
        (debugged.row, debugged.hit, debugged.variables) = (row, None, Variables::default());
        Ok(Answer::nothing().then("stopped", debugged.stopped("restart")))
    }

    /// Nothing ever runs, so that the request has stopped already.
    pub(super) fn pause(&mut self) -> Result<Answer, String> {
        let debugged = self.debugged()?;
        Ok(Answer::nothing().then("stopped", debugged.stopped("pause")))
    }

    /// Returns the line, from 1, that the client means by a number.
    pub(super) fn line_from_client(&self, line: i64) -> u32 {
        u32::try_from(line.saturating_add(1 - self.first_line)).unwrap_or(0)
    }

    /// Returns the number by which the client knows a line, counted from 1.
    pub(super) fn line_for_client(&self, line: u32) -> i64 {
        i64::from(line) - 1 + self.first_line
    }

    pub(super) fn source(&self, path: &Path) -> Value {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        json!({ "name": name, "path": path.to_string_lossy() })
    }
}

impl Debugged {
    /// Returns the row of a frame that the client names.
    pub(super) fn row_of_frame(&self, frame: i64) -> Result<usize, String> {
        let row = usize::try_from(frame).ok().and_then(|frame| frame.checked_sub(1));
        row.filter(|row| *row < self.request.rows.len()).ok_or_else(|| format!("there is no frame {frame}"))
    }

    /// Returns the body of the event for a stop at the current row. `reason` is that of a stop without a breakpoint.
    fn stopped(&self, reason: &str) -> Value {
        let mut body = json!({ "threadId": THREAD, "allThreadsStopped": true });
        match &self.hit {
            Some(hit) => {
                (body["reason"], body["description"]) = (json!(hit.reason), json!(hit.description));
                body["hitBreakpointIds"] = json!(hit.ids);
                if hit.reason == "exception" {
                    body["text"] = json!(hit.description);
                }
            }
            None => {
                body["reason"] = json!(reason);
                body["description"] = match self.row {
                    0 => json!("at the beginning of the request"),
                    row if row == self.request.last() => json!("at the end of the request"),
                    row => json!(clean(&self.request.rows[row].name)),
                };
            }
        }
        body
    }
}

/// Describes a request in a few lines.
fn summary(request: &LoadedRequest) -> String {
    let (trace, timeline) = (&request.trace, &request.timeline);
    let mut lines = vec![format!(
        "{} of flow {}: {} in {}, {} steps",
        request_line(trace),
        clean(&trace.flow.name),
        if trace.status == 0 { trace.outcome.as_str().to_owned() } else { trace.status.to_string() },
        show(trace.duration_ns),
        timeline.runs.len(),
    )];
    lines.extend(timeline.failure.iter().map(|failure| format!("failed: {}", clean(&failure.to_string()))));
    lines.extend(
        timeline.gaps.iter().map(|gap| format!("the recording is incomplete: {}", clean(&gap.to_string()))),
    );
    lines.push("This is a recording: steps go forwards and backwards, and nothing runs.\n".to_owned());
    lines.join("\n")
}
