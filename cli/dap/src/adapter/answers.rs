//! Answers from the loaded request: frames, scopes, variables and breakpoints.

use std::path::Path;

use serde_json::{Value, json};
use zerver_analysis::display::request_line;
use zerver_analysis::shell_word;
use zerver_trace::text::clean;

use super::answer::Answer;
use super::conversation::{Conversation, Debugged, THREAD};
use crate::breakpoints::{Placed, step_lines};
use crate::protocol::arguments::{
    BreakpointLocations, Evaluate, NamedVariable, OfFrame, SetBreakpoints, SetDataBreakpoints,
    SetExceptionBreakpoints, SetFunctionBreakpoints, StackTrace, Variables,
};
use crate::request::variables::Variable;
use crate::source_files::resolved;

/// Maximum number of breakpoints in one request.
const MAX_BREAKPOINTS: usize = 10_000;

impl Conversation<'_> {
    pub(super) fn threads(&mut self) -> Result<Answer, String> {
        let debugged = self.debugged()?;
        let name = request_line(&debugged.request.trace);
        Ok(Answer::of(json!({ "threads": [{ "id": THREAD, "name": name }] })))
    }

    pub(super) fn stack_trace(&mut self, arguments: &StackTrace) -> Result<Answer, String> {
        self.debugged()?;
        let Self { debugged: Some(debugged), sources, recordings, .. } = self else {
            return Ok(Answer::nothing());
        };
        let rows = debugged.request.frame_rows(debugged.row);
        let levels = if arguments.levels == 0 { usize::MAX } else { arguments.levels };
        let wanted = rows.iter().skip(arguments.start_frame).take(levels);
        let frames: Vec<_> =
            wanted.map(|row| debugged.request.frame(*row, debugged.row, sources, *recordings)).collect();
        let column = self.first_column;
        let frames: Vec<Value> = frames
            .into_iter()
            .map(|frame| {
                let mut shown = json!({ "id": frame.row + 1, "name": frame.name, "line": 0, "column": 0 });
                if let Some(place) = &frame.place {
                    shown["source"] = self.source(&place.path);
                    shown["line"] = json!(self.line_for_client(*place.lines.start()));
                    shown["column"] = json!(column);
                }
                let hint = if frame.place.is_none() || frame.is_past { "subtle" } else { "normal" };
                shown["presentationHint"] = json!(hint);
                shown["canRestart"] = json!(true);
                shown
            })
            .collect();
        Ok(Answer::of(json!({ "stackFrames": frames, "totalFrames": rows.len() })))
    }

    pub(super) fn scopes(&mut self, arguments: &OfFrame) -> Result<Answer, String> {
        let debugged = self.debugged()?;
        let row = debugged.row_of_frame(arguments.frame_id)?;
        let Debugged { variables, request, .. } = debugged;
        let scopes = variables.scopes(row, || request.scopes(row));
        let scopes: Vec<Value> = scopes
            .iter()
            .enumerate()
            .map(|(at, scope)| {
                json!({
                    "name": scope.name,
                    "variablesReference": scope.reference,
                    "namedVariables": scope.variables,
                    "expensive": at > 1,
                })
            })
            .collect();
        Ok(Answer::of(json!({ "scopes": scopes })))
    }

    pub(super) fn variables(&mut self, arguments: &Variables) -> Result<Answer, String> {
        let debugged = self.debugged()?;
        let reference = arguments.variables_reference;
        let all = debugged.variables.get(reference);
        let all = all.ok_or_else(|| format!("there are no variables {reference} at this stop"))?;
        let is_list = all.first().is_some_and(|first| first.name == "0");
        let is_wanted = match arguments.filter.as_str() {
            "indexed" => is_list,
            "named" => !is_list,
            _ => true,
        };
        let count = if arguments.count == 0 { usize::MAX } else { arguments.count };
        let wanted = all.iter().filter(|_| is_wanted).skip(arguments.start).take(count);
        Ok(Answer::of(json!({ "variables": wanted.map(shown).collect::<Vec<_>>() })))
    }

    pub(super) fn evaluate(&mut self, arguments: &Evaluate) -> Result<Answer, String> {
        let debugged = self.debugged()?;
        let row = match arguments.frame_id {
            Some(frame) => debugged.row_of_frame(frame)?,
            None => debugged.row,
        };
        let Debugged { variables, request, .. } = debugged;
        let found =
            variables.evaluated(row, &arguments.expression, || request.evaluate(&arguments.expression, row));
        let found = found.ok_or_else(|| {
            format!(
                "{} names nothing here; write a slot, slot.NAME.PATH, effect.NUMBER.args.PATH, effect.NUMBER.output, \
                 request.body.PATH or response.body.PATH",
                clean(&arguments.expression)
            )
        })?;
        let mut body = shown(&found);
        body["result"] = body["value"].take();
        Ok(Answer::of(body))
    }

    /// Refuses: what happened cannot be changed. Names the command that tries it.
    pub(super) fn set_variable(&mut self, arguments: &NamedVariable) -> Result<Answer, String> {
        let debugged = self.debugged()?;
        let group = debugged.variables.get(arguments.variables_reference).unwrap_or_default();
        let path = group.iter().find(|variable| variable.name == arguments.name);
        let path = path.and_then(|variable| variable.path.as_deref()).unwrap_or_default();
        let edit = match path.split_once('.') {
            Some(("slot", slot)) => {
                format!("--set {}", shell_word(format!("{slot}={}", arguments.value).as_bytes()))
            }
            Some(("request", rest)) if rest.starts_with("header.") => {
                let name = rest.trim_start_matches("header.");
                format!("--request-header {}", shell_word(format!("{name}={}", arguments.value).as_bytes()))
            }
            _ => "--edit".to_owned(),
        };
        Err(format!(
            "a recording cannot be changed; to run today's code with another value: zerver replay {} {}",
            debugged.name,
            clean(&edit)
        ))
    }

    pub(super) fn set_breakpoints(&mut self, arguments: &SetBreakpoints) -> Result<Answer, String> {
        self.debugged()?;
        check_number(arguments.breakpoints.len())?;
        let wanted: Vec<u32> =
            arguments.breakpoints.iter().map(|wanted| self.line_from_client(wanted.line)).collect();
        let file = resolved(Path::new(&arguments.source.path));
        let Self { debugged: Some(debugged), sources, recordings, breakpoints, .. } = self else {
            return Ok(Answer::nothing());
        };
        let placed = breakpoints.set_lines(file, &wanted, &debugged.request, sources, *recordings);
        Ok(self.placed(&placed))
    }

    pub(super) fn set_function_breakpoints(
        &mut self,
        arguments: SetFunctionBreakpoints,
    ) -> Result<Answer, String> {
        self.debugged()?;
        check_number(arguments.breakpoints.len())?;
        let names = arguments.breakpoints.into_iter().map(|wanted| wanted.name.trim().to_owned()).collect();
        let Self { debugged: Some(debugged), breakpoints, .. } = self else { return Ok(Answer::nothing()) };
        let placed = breakpoints.set_functions(names, &debugged.request);
        Ok(self.placed(&placed))
    }

    pub(super) fn set_exception_breakpoints(
        &mut self,
        arguments: &SetExceptionBreakpoints,
    ) -> Result<Answer, String> {
        check_number(arguments.filters.len() + arguments.filter_options.len())?;
        let plain = arguments.filters.iter().map(|filter| (filter.clone(), String::new()));
        let options = arguments.filter_options.iter();
        let options = options.map(|option| (option.filter_id.clone(), option.condition.clone()));
        let filters: Vec<_> = plain.chain(options).collect();
        let answers: Vec<Value> = self
            .breakpoints
            .set_filters(&filters)
            .into_iter()
            .map(|why_not| match why_not {
                None => json!({ "verified": true }),
                Some(why) => json!({ "verified": false, "message": why }),
            })
            .collect();
        Ok(Answer::of(json!({ "breakpoints": answers })))
    }

    pub(super) fn data_breakpoint_info(&mut self, arguments: &NamedVariable) -> Result<Answer, String> {
        let debugged = self.debugged()?;
        let group = debugged.variables.get(arguments.variables_reference).unwrap_or_default();
        let path = group.iter().find(|variable| variable.name == arguments.name);
        let path = path.and_then(|variable| variable.path.as_deref()).unwrap_or(&arguments.name);
        let slot = path.strip_prefix("slot.").unwrap_or(path).split('.').next().unwrap_or_default();
        let is_known = debugged.request.trace.flow.slots.iter().any(|known| known.name == slot);
        Ok(Answer::of(match is_known {
            true => json!({
                "dataId": slot,
                "description": format!("writes of {}", clean(slot)),
                "accessTypes": ["write"],
            }),
            false => json!({ "dataId": null, "description": "only slots can be watched" }),
        }))
    }

    pub(super) fn set_data_breakpoints(&mut self, arguments: SetDataBreakpoints) -> Result<Answer, String> {
        self.debugged()?;
        check_number(arguments.breakpoints.len())?;
        let names = arguments.breakpoints.into_iter().map(|wanted| wanted.data_id).collect();
        let Self { debugged: Some(debugged), breakpoints, .. } = self else { return Ok(Answer::nothing()) };
        let placed = breakpoints.set_slots(names, &debugged.request);
        Ok(self.placed(&placed))
    }

    pub(super) fn breakpoint_locations(&mut self, arguments: &BreakpointLocations) -> Result<Answer, String> {
        self.debugged()?;
        let first = self.line_from_client(arguments.line);
        let last = arguments.end_line.map_or(first, |line| self.line_from_client(line));
        let file = resolved(Path::new(&arguments.source.path));
        let Self { debugged: Some(debugged), sources, recordings, .. } = self else {
            return Ok(Answer::nothing());
        };
        let steps = step_lines(&file, &debugged.request, sources, *recordings);
        let touched = steps.iter().filter(|(_, lines)| *lines.start() <= last && first <= *lines.end());
        let lines: Vec<Value> =
            touched.map(|(_, lines)| json!({ "line": self.line_for_client(*lines.start()) })).collect();
        Ok(Answer::of(json!({ "breakpoints": lines })))
    }

    pub(super) fn exception_info(&mut self) -> Result<Answer, String> {
        let debugged = self.debugged()?;
        let hit = debugged.hit.as_ref().filter(|hit| hit.reason == "exception");
        let hit = hit.ok_or("the request has not stopped at a failure")?;
        let failure = debugged.request.timeline.failure.as_ref();
        let failure = failure.filter(|_| debugged.request.rows[debugged.row].state.is_failure());
        let causes = failure.map(|failure| failure.causes.as_slice()).unwrap_or_default();
        let inner: Vec<Value> = causes.iter().map(|cause| json!({ "message": clean(cause) })).collect();
        Ok(Answer::of(json!({
            "exceptionId": failure.map_or_else(|| hit.description.clone(), |failure| clean(&failure.kind).into_owned()),
            "description": failure.map(|failure| clean(&failure.to_string()).into_owned()),
            "breakMode": "always",
            "details": { "message": hit.description, "innerException": inner },
        })))
    }

    fn placed(&self, placed: &[Placed]) -> Answer {
        let placed: Vec<Value> = placed
            .iter()
            .map(|placed| {
                let mut answer = json!({ "id": placed.id, "verified": placed.why_not.is_none() });
                if let Some(line) = placed.line {
                    answer["line"] = json!(self.line_for_client(line));
                }
                if let Some(why) = &placed.why_not {
                    answer["message"] = json!(why);
                }
                answer
            })
            .collect();
        Answer::of(json!({ "breakpoints": placed }))
    }
}

fn check_number(number: usize) -> Result<(), String> {
    match number {
        0..=MAX_BREAKPOINTS => Ok(()),
        _ => Err(format!("{number} breakpoints are too many: the maximum is {MAX_BREAKPOINTS}")),
    }
}

/// Describes a variable to the client.
fn shown(variable: &Variable) -> Value {
    let parts = if variable.is_list { "indexedVariables" } else { "namedVariables" };
    let mut shown = json!({
        "name": variable.name,
        "value": variable.text,
        "variablesReference": variable.reference,
    });
    if variable.parts > 0 {
        shown[parts] = json!(variable.parts);
    }
    if let Some(path) = &variable.path {
        shown["evaluateName"] = json!(path);
    }
    shown
}
