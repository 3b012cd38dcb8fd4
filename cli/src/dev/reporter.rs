//! Reports of `dev`: to the terminal UI if it is open, and to standard output and standard error otherwise.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use zerver_trace::Summary;
use zerver_trace::text::clean;
use zerver_tui::ServiceState;

use super::messages;
use super::plan::Notice;
use super::screen::DevScreen;
use super::web::DevWeb;
use crate::error::CommandError;
use crate::output::Output;
use crate::requests::json::RequestJson;
use crate::service::build_progress::parse_progress;
use crate::service::output_lines::Relay;
use crate::view::request_list;

/// Initial number of digits of the ids of passing requests: their time, to the millisecond.
const DIGITS: usize = 12;

pub(super) struct Reporter<'a> {
    pub(super) output: &'a mut Output,
    /// The terminal UI, while it has the terminal.
    screen: Option<DevScreen>,
    /// The web UI, unless it is off.
    web: Option<DevWeb>,
    url: String,
    store: PathBuf,
    digits: usize,
    has_listened: bool,
    /// Requests to suggest as soon as the service listens.
    suggestions: Vec<String>,
}

impl<'a> Reporter<'a> {
    pub(super) fn new(
        output: &'a mut Output,
        screen: Option<DevScreen>,
        web: Option<DevWeb>,
        url: String,
        store: PathBuf,
    ) -> Self {
        if let Some(screen) = &screen {
            let handle = screen.handle.clone();
            output.redirect_messages(Some(Box::new(move |text| handle.line(text))));
        }
        if let (Some(screen), Some(web)) = (&screen, &web) {
            screen.handle.web_ui(web.url());
        }
        let (digits, has_listened) = (DIGITS, false);
        Self { output, screen, web, url, store, digits, has_listened, suggestions: Vec::new() }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn has_screen(&self) -> bool {
        self.screen.is_some()
    }

    /// Sets the program that replays use; `None` if it is unknown, because sources have changed or are not watched.
    pub(super) fn set_current_program(&self, exe: Option<PathBuf>) {
        if let Some(screen) = &self.screen {
            screen.current.set(exe.clone());
        }
        if let Some(web) = &self.web {
            web.current.set(exe);
        }
    }

    /// Reopens the store: a service that starts may have replaced it.
    pub(super) fn reopen_store(&self) {
        if let Some(screen) = &self.screen {
            screen.reopen_store();
        }
        if let Some(web) = &self.web {
            web.source.reopen();
        }
    }

    /// Shows a state in the terminal UI.
    pub(super) fn show_state(&self, state: ServiceState) {
        if let Some(screen) = &self.screen {
            screen.handle.state(state);
        }
    }

    /// Suggests requests to send, as soon as the service listens.
    pub(super) fn suggest(&mut self, commands: Vec<String>) {
        match &self.screen {
            Some(screen) => screen.handle.examples(commands),
            None if self.has_listened => {
                for command in commands {
                    self.output.info(&format!("try: {}", clean(&command)));
                }
            }
            None => self.suggestions = commands,
        }
    }

    /// Passes on the output of Cargo or the service, line by line.
    pub(super) fn relay(&self, from: Option<impl Read + Send + 'static>) -> Option<Relay> {
        let handle = self.screen.as_ref().map(|screen| screen.handle.clone());
        Some(Relay::start(from?, move |line| match &handle {
            Some(handle) => handle.relayed(line),
            // An error cannot be reported anywhere.
            None => drop(writeln!(io::stderr(), "{line}")),
        }))
    }

    /// Passes on the standard error of a build, if it is piped: progress and lines.
    pub(super) fn relay_build(&self, stderr: Option<impl Read + Send + 'static>) {
        let (Some(screen), Some(stderr)) = (&self.screen, stderr) else { return };
        let handle = screen.handle.clone();
        let mut current = String::new();
        // The relay ends with Cargo; nothing waits for it.
        drop(Relay::start_split(stderr, b"\r\n", move |line| match parse_progress(line, &current) {
            Some(progress) => {
                current.clone_from(&progress.current);
                handle.progress(progress);
            }
            None => handle.relayed(line),
        }));
    }

    /// Closes the terminal UI: messages are printed from now on.
    pub(super) fn close_screen(&mut self) {
        self.output.redirect_messages(None);
        if let Some(mut screen) = self.screen.take()
            && let Err(error) = screen.close()
        {
            self.output.warn(&format!("cannot use the terminal: {error}"));
        }
    }

    pub(super) fn notify(&mut self, notice: &Notice) {
        if let Some(state) = messages::state(notice, &self.url) {
            self.show_state(state);
        }
        let text =
            messages::text(notice, &self.url, &self.store, self.web.as_ref().map(DevWeb::url).as_deref());
        match notice {
            // Printed even with --quiet.
            Notice::Listening { .. }
            | Notice::BuildFailed { .. }
            | Notice::Ended { .. }
            | Notice::Killing => self.output.notice(&text),
            Notice::WaitingForChange | Notice::Restarting | Notice::Stopping => self.output.info(&text),
        }
        if let Notice::Listening { .. } = notice {
            self.has_listened = true;
            let suggestions = std::mem::take(&mut self.suggestions);
            if !suggestions.is_empty() {
                self.suggest(suggestions);
            }
        }
    }

    /// Prints requests, one line each, unless the terminal UI shows them.
    pub(super) fn print(&mut self, requests: &[Summary], digits: usize) -> Result<(), CommandError> {
        if self.output.is_quiet || self.screen.is_some() {
            return Ok(());
        }
        // The number never decreases, so that the columns stay aligned.
        self.digits = self.digits.max(digits);
        for request in requests {
            if self.output.is_json {
                self.output.json_line(&RequestJson::new(request))?;
            } else {
                let line = request_list::line(request, self.digits);
                self.output.print(&(line + "\n"))?;
            }
        }
        Ok(())
    }
}
