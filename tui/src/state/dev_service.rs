//! The service that `zerver dev` builds and runs, with its log.

use std::collections::VecDeque;

/// Maximum number of log lines kept.
const MAX_LINES: usize = 2_000;

/// Event of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceEvent {
    /// The state changed.
    State(ServiceState),
    /// Cargo, the service or `dev` itself printed a line, which may contain anything.
    Output(String),
    /// A shell command that sends the service a request.
    ExampleRequest(String),
}

/// State of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceState {
    /// Being built.
    Building,
    /// Starting.
    Starting,
    /// Serving at this address.
    Serving(String),
    /// The build failed.
    BuildFailed {
        /// True if the last good build still serves.
        is_serving: bool,
    },
    /// The service ended by itself; the text describes how.
    Ended(String),
    /// Finishing its requests.
    Stopping,
}

/// Service with its log.
#[derive(Debug, Default)]
pub(crate) struct DevService {
    pub(crate) state: Option<ServiceState>,
    /// Shell command suggested for the first request.
    pub(crate) example_request: Option<String>,
    /// Log, oldest line first, without terminal codes.
    pub(crate) log_lines: VecDeque<String>,
    /// True if the log is visible: by request of the user, or after a failed build.
    pub(crate) is_log_shown: bool,
    /// Current frame of the spinner.
    pub(crate) spinner_frame: usize,
}

impl DevService {
    pub(crate) fn apply(&mut self, event: &ServiceEvent) {
        match event {
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

    /// Returns true while the service is building, starting or stopping.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.state, Some(ServiceState::Building | ServiceState::Starting | ServiceState::Stopping))
    }
}

/// Removes colour codes from a line. Other dangerous characters are sanitised when the line is drawn.
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' && chars.next_if_eq(&'[').is_some() {
            // A control sequence ends with the first byte from `@` to `~` (ECMA-48, 5.4).
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
    fn colour_codes_are_removed() {
        assert_eq!(plain("\u{1b}[1m\u{1b}[91merror\u{1b}[0m: no\t\u{1b}[38;2;1;2;3mx"), "error: no    x");
        assert_eq!(plain("\u{1b}]0;title\u{7}\u{1b}["), "\u{1b}]0;title\u{7}");
    }

    #[test]
    fn a_failed_build_shows_its_log() {
        let mut service = DevService::default();
        service.apply(&ServiceEvent::State(ServiceState::Building));
        service.apply(&ServiceEvent::Output("error: one".into()));
        service.apply(&ServiceEvent::State(ServiceState::BuildFailed { is_serving: true }));
        assert!(service.is_log_shown && !service.is_busy());
        service.apply(&ServiceEvent::State(ServiceState::Serving("http://127.0.0.1:3000".into())));
        assert!(!service.is_log_shown && service.log_lines.len() == 1);
    }
}
