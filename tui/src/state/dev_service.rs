//! The service that is developed here: what its build and it itself say. Only `zerver dev` has one.

use std::collections::VecDeque;

/// So many lines are kept.
const MAX_LINES: usize = 2_000;

/// Something that happened to the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceEvent {
    /// It is in another state.
    State(ServiceState),
    /// A line that Cargo or the service wrote, or that there is to say; it may hold anything.
    Output(String),
    /// A command that sends the service a request which it answers.
    ExampleRequest(String),
}

/// What is going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceState {
    /// It is being built.
    Building,
    /// It is starting.
    Starting,
    /// It serves at this address.
    Serving(String),
    /// The build failed; the last good one may still serve.
    BuildFailed {
        /// Whether it does.
        is_serving: bool,
    },
    /// It ended by itself, in these words.
    Ended(String),
    /// It finishes what it has.
    Stopping,
}

/// All that is known of it.
#[derive(Debug, Default)]
pub(crate) struct DevService {
    pub(crate) state: Option<ServiceState>,
    /// The command suggested for the first request.
    pub(crate) example_request: Option<String>,
    /// What was said, the oldest first; with terminal codes taken out.
    pub(crate) log_lines: VecDeque<String>,
    /// Whether the lines are shown: since somebody asked for it, or since a build failed.
    pub(crate) is_log_shown: bool,
    /// Whether the spinner turns, and how far it is.
    pub(crate) spinner_frame: usize,
}

impl DevService {
    pub(crate) fn apply(&mut self, news: &ServiceEvent) {
        match news {
            ServiceEvent::State(state) => {
                if matches!(state, ServiceState::Building) {
                    self.log_lines.clear();
                }
                match state {
                    ServiceState::BuildFailed { .. } | ServiceState::Ended(_) => self.is_log_shown = true,
                    ServiceState::Serving(_) => self.is_log_shown = false,
                    _ => {}
                }
                self.state = Some(state.clone());
            }
            ServiceEvent::ExampleRequest(command) => self.example_request = Some(command.clone()),
            ServiceEvent::Output(line) => {
                if self.log_lines.len() == MAX_LINES {
                    self.log_lines.pop_front();
                }
                self.log_lines.push_back(plain(line));
            }
        }
    }

    /// Whether something is going on that takes its time.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.state, Some(ServiceState::Building | ServiceState::Starting | ServiceState::Stopping))
    }
}

/// A line without the codes that colour it. What is dangerous in the rest is cleaned when it is drawn.
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' && chars.next_if_eq(&'[').is_some() {
            // A control sequence ends with its first byte from @ on (ECMA-48, 5.4).
            while chars.next().is_some_and(|c| !('@'..='~').contains(&c)) {}
        } else if c == '\t' {
            out.push_str("    ");
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_taken_out() {
        assert_eq!(plain("\u{1b}[1m\u{1b}[91merror\u{1b}[0m: no\t\u{1b}[38;2;1;2;3mx"), "error: no    x");
        assert_eq!(plain("\u{1b}]0;title\u{7}\u{1b}["), "\u{1b}]0;title\u{7}");
    }

    #[test]
    fn a_failed_build_shows_its_lines() {
        let mut service = DevService::default();
        service.apply(&ServiceEvent::State(ServiceState::Building));
        service.apply(&ServiceEvent::Output("error: one".into()));
        service.apply(&ServiceEvent::State(ServiceState::BuildFailed { is_serving: true }));
        assert!(service.is_log_shown && !service.is_busy());
        service.apply(&ServiceEvent::State(ServiceState::Serving("http://127.0.0.1:3000".into())));
        assert!(!service.is_log_shown && service.log_lines.len() == 1);
    }
}
