//! The adapter: answers the requests of a client, one after another.
//!
//! `conversation` holds what has been agreed and loaded, and sends. `answers` has what is answered from the loaded request.

mod answer;
mod answers;
mod conversation;

use std::io::{self, Write};
use std::ops::ControlFlow;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use zerver_trace::text::clean;

use self::answer::Answer;
use self::conversation::Conversation;
use crate::breakpoints::{CLIENT_ERROR, FAILED, SLOW};
use crate::movement::Movement;
use crate::protocol::arguments::{Initialize, Launch};
use crate::protocol::framing::send;
use crate::recordings::Recordings;

/// Answers the requests of one client.
pub(crate) struct Adapter<'r, W> {
    output: W,
    sent: u64,
    conversation: Conversation<'r>,
}

impl<'r, W: Write> Adapter<'r, W> {
    pub(crate) fn new(output: W, recordings: &'r dyn Recordings) -> Self {
        Self { output, sent: 0, conversation: Conversation::new(recordings) }
    }

    /// Handles a message. Breaks when the client has disconnected.
    ///
    /// # Errors
    /// If the answer cannot be sent.
    pub(crate) fn handle(&mut self, message: Value) -> io::Result<ControlFlow<()>> {
        if message["type"] != "request" {
            // We ask for nothing, so there is nothing to be answered.
            self.complain("a message that is no request was ignored")?;
            return Ok(ControlFlow::Continue(()));
        }
        let (seq, command) = (message["seq"].clone(), message["command"].as_str().unwrap_or_default());
        let arguments = message.get("arguments").cloned().unwrap_or(Value::Null);
        let head = json!({ "type": "response", "request_seq": seq, "command": clean(command) });
        let (mut response, events, is_last) = match self.conversation.answer(command, arguments) {
            Ok(answer) => {
                let mut response = head;
                response["success"] = json!(true);
                if !answer.body.is_null() {
                    response["body"] = answer.body;
                }
                (response, answer.events, answer.is_last)
            }
            Err(why) => {
                let mut response = head;
                response["success"] = json!(false);
                response["message"] = json!(why);
                // Clients show this text, and treat braces in it as the names of variables.
                let error =
                    json!({ "id": 1, "format": "{why}", "variables": { "why": why }, "showUser": true });
                response["body"] = json!({ "error": error });
                (response, Vec::new(), false)
            }
        };
        self.stamp(&mut response)?;
        for (event, body) in events {
            self.event(event, body)?;
        }
        Ok(if is_last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    /// Shows a message to the user.
    ///
    /// # Errors
    /// If it cannot be sent.
    pub(crate) fn complain(&mut self, text: &str) -> io::Result<()> {
        self.event("output", json!({ "category": "stderr", "output": format!("{}\n", clean(text)) }))
    }

    fn event(&mut self, event: &str, body: Value) -> io::Result<()> {
        self.stamp(&mut json!({ "type": "event", "event": event, "body": body }))
    }

    /// Numbers a message and sends it.
    fn stamp(&mut self, message: &mut Value) -> io::Result<()> {
        self.sent += 1;
        message["seq"] = json!(self.sent);
        send(&mut self.output, message)
    }
}

impl Conversation<'_> {
    /// Answers a request, or says why not.
    fn answer(&mut self, command: &str, arguments: Value) -> Result<Answer, String> {
        if command != "initialize" && !self.is_initialized {
            return Err(format!("the first request must be initialize, and this is {}", clean(command)));
        }
        match command {
            "initialize" => self.initialize(&read(arguments)?),
            "launch" | "attach" => self.launch(&read::<Launch>(arguments)?),
            "configurationDone" => self.configured(),
            "disconnect" => Ok(Answer { is_last: true, ..Answer::nothing() }),
            "terminate" => Ok(Answer::nothing().then("terminated", json!({}))),
            "threads" => self.threads(),
            "stackTrace" => self.stack_trace(&read(arguments)?),
            "scopes" => self.scopes(&read(arguments)?),
            "variables" => self.variables(&read(arguments)?),
            "evaluate" => self.evaluate(&read(arguments)?),
            "setVariable" => self.set_variable(&read(arguments)?),
            "setBreakpoints" => self.set_breakpoints(&read(arguments)?),
            "setFunctionBreakpoints" => self.set_function_breakpoints(read(arguments)?),
            "setExceptionBreakpoints" => self.set_exception_breakpoints(&read(arguments)?),
            "dataBreakpointInfo" => self.data_breakpoint_info(&read(arguments)?),
            "setDataBreakpoints" => self.set_data_breakpoints(read(arguments)?),
            "breakpointLocations" => self.breakpoint_locations(&read(arguments)?),
            "exceptionInfo" => self.exception_info(),
            "continue" => self.go(Movement::Continue),
            "reverseContinue" => self.go(Movement::ReverseContinue),
            "next" => self.go(Movement::Next),
            "stepIn" => self.go(Movement::StepIn),
            "stepOut" => self.go(Movement::StepOut),
            "stepBack" => self.go(Movement::StepBack),
            "restartFrame" => self.restart_frame(&read(arguments)?),
            "pause" => self.pause(),
            "source" => Err("the source of this step is not on this machine".to_owned()),
            _ => Err(format!("zerver dap has no request {}", clean(command))),
        }
    }

    fn initialize(&mut self, client: &Initialize) -> Result<Answer, String> {
        if client.path_format != "path" {
            return Err(format!("zerver dap names files by paths, not by {}", clean(&client.path_format)));
        }
        (self.is_initialized, self.first_line) = (true, i64::from(client.lines_start_at_1));
        self.first_column = i64::from(client.columns_start_at_1);
        let filter = |filter: &str, label: &str, is_default: bool| json!({ "filter": filter, "label": label, "default": is_default });
        let mut slow = filter(SLOW, "Slower than", false);
        slow["supportsCondition"] = json!(true);
        slow["conditionDescription"] = json!("a duration, such as 10ms");
        Ok(Answer::of(json!({
            "supportsConfigurationDoneRequest": true,
            "supportsStepBack": true,
            "supportsRestartFrame": true,
            "supportsFunctionBreakpoints": true,
            "supportsDataBreakpoints": true,
            "supportsBreakpointLocationsRequest": true,
            "supportsExceptionFilterOptions": true,
            "supportsExceptionInfoRequest": true,
            "supportsEvaluateForHovers": true,
            "supportsSetVariable": true,
            "supportsDelayedStackTraceLoading": true,
            "supportsTerminateRequest": true,
            "exceptionBreakpointFilters": [
                filter(FAILED, "Failed steps and effects", true),
                filter(CLIENT_ERROR, "Responses of 4xx", false),
                slow,
            ],
        })))
    }
}

/// Reads the arguments of a request.
fn read<T: DeserializeOwned>(arguments: Value) -> Result<T, String> {
    // Many requests have no required arguments, and clients leave them out or send null.
    let arguments = if arguments.is_null() { json!({}) } else { arguments };
    serde_json::from_value(arguments)
        .map_err(|error| format!("wrong arguments: {}", clean(&error.to_string())))
}
