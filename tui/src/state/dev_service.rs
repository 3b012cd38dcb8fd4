//! The service that `zerver dev` builds and runs, with its log.

use std::collections::VecDeque;

use zerver_trace::text::clean;

/// Maximum number of log lines kept.
const MAX_LINES: usize = 2_000;

/// Event of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceEvent {
    /// The state changed.
    State(ServiceState),
    /// Cargo, the service or `dev` itself printed a line, which may contain anything.
    Output(String),
    /// The build made progress.
    BuildProgress(BuildProgress),
    /// Shell commands that send the service requests.
    ExampleRequests(Vec<String>),
    /// `dev` serves the web UI at this URL.
    WebUi(String),
}

/// Progress of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildProgress {
    /// Number of units (crates and build scripts) built.
    pub done: u32,
    /// Number of units to build.
    pub total: u32,
    /// Name of a crate that is being built; empty if there is none.
    pub current: String,
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
    /// Progress of the build, once known.
    pub(crate) build_progress: Option<BuildProgress>,
    /// Time at which the build started, in nanoseconds since the Unix epoch.
    pub(crate) build_started_unix_ns: u64,
    /// Shell commands suggested for the first requests.
    pub(crate) example_requests: Vec<String>,
    /// URL of the web UI; `None` if it is off.
    pub(crate) web_url: Option<String>,
    /// Log, oldest line first, without terminal codes.
    pub(crate) log_lines: VecDeque<String>,
    /// True if the log is visible: by request of the user, or after a failed build.
    pub(crate) is_log_shown: bool,
    /// Current frame of the spinner.
    pub(crate) spinner_frame: usize,
}

impl DevService {
    pub(crate) fn apply(&mut self, event: &ServiceEvent, now_unix_ns: u64) {
        match event {
            ServiceEvent::State(state) => {
                if matches!(state, ServiceState::Building) {
                    self.log_lines.clear();
                    self.build_progress = None;
                    self.build_started_unix_ns = now_unix_ns;
                }
                match state {
                    ServiceState::BuildFailed { .. } | ServiceState::Ended(_) => self.is_log_shown = true,
                    ServiceState::Serving(_) => self.is_log_shown = false,
                    _ => {}
                }
                self.state = Some(state.clone());
            }
            ServiceEvent::BuildProgress(progress) => self.build_progress = Some(progress.clone()),
            ServiceEvent::ExampleRequests(commands) => self.example_requests.clone_from(commands),
            ServiceEvent::WebUi(url) => self.web_url = Some(url.clone()),
            ServiceEvent::Output(line) => {
                if self.log_lines.len() == MAX_LINES {
                    self.log_lines.pop_front();
                }
                self.log_lines.push_back(plain(line));
            }
        }
    }

    /// Returns the description of a running build: `building 87/214 · 1m 20s · rustls`, with this separator.
    pub(crate) fn build_text(&self, now_unix_ns: u64, separator: &str) -> String {
        let (counts, current) = match &self.build_progress {
            Some(BuildProgress { done, total, current }) => (format!(" {done}/{total}"), current.as_str()),
            None => Default::default(),
        };
        let seconds = now_unix_ns.saturating_sub(self.build_started_unix_ns) / 1_000_000_000;
        let elapsed = match seconds {
            0..60 => format!("{seconds}s"),
            _ => format!("{}m {}s", seconds / 60, seconds % 60),
        };
        let current =
            if current.is_empty() { String::new() } else { format!(" {separator} {}", clean(current)) };
        format!("building{counts} {separator} {elapsed}{current}")
    }

    /// Returns true while the service is building, starting or stopping.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.state, Some(ServiceState::Building | ServiceState::Starting | ServiceState::Stopping))
    }
}

/// Removes color codes from a line. Other dangerous characters are sanitized when the line is drawn.
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
    fn color_codes_are_removed() {
        assert_eq!(plain("\u{1b}[1m\u{1b}[91merror\u{1b}[0m: no\t\u{1b}[38;2;1;2;3mx"), "error: no    x");
        assert_eq!(plain("\u{1b}]0;title\u{7}\u{1b}["), "\u{1b}]0;title\u{7}");
    }

    #[test]
    fn a_failed_build_shows_its_log() {
        let mut service = DevService::default();
        service.apply(&ServiceEvent::State(ServiceState::Building), 0);
        service.apply(&ServiceEvent::Output("error: one".into()), 0);
        service.apply(&ServiceEvent::State(ServiceState::BuildFailed { is_serving: true }), 0);
        assert!(service.is_log_shown && !service.is_busy());
        service.apply(&ServiceEvent::State(ServiceState::Serving("http://127.0.0.1:3000".into())), 0);
        assert!(!service.is_log_shown && service.log_lines.len() == 1);
    }

    #[test]
    fn a_build_shows_its_progress_and_duration() {
        let mut service = DevService::default();
        let second = 1_000_000_000;
        service.apply(&ServiceEvent::State(ServiceState::Building), 5 * second);
        assert_eq!(service.build_text(12 * second, "-"), "building - 7s");
        let progress = BuildProgress { done: 87, total: 214, current: "rustls\u{1b}".into() };
        service.apply(&ServiceEvent::BuildProgress(progress), 0);
        assert_eq!(service.build_text(85 * second, "-"), "building 87/214 - 1m 20s - rustls\\u{1b}");
        service.apply(&ServiceEvent::State(ServiceState::Building), 90 * second);
        assert_eq!(service.build_text(90 * second, "-"), "building - 0s");
    }
}
