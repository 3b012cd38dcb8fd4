//! What `dev` tells: on the terminal UI if that is open, else on its outputs.

use std::io::{self, Read, Write};
use std::path::PathBuf;

use zerver_trace::Summary;
use zerver_trace::text::clean;
use zerver_tui::State;

use super::plan::Note;
use super::service_output::Relay;
use super::{event_loop::Loop, messages};
use crate::error::Trouble;
use crate::request_json::Request;
use crate::view::request_list;

impl Loop<'_> {
    /// Which program is up to date; none if nobody knows: sources have changed, or are not watched.
    pub(super) fn know(&self, exe: Option<&PathBuf>) {
        if let Some(screen) = &self.screen {
            screen.current.set(exe.cloned());
        }
    }

    /// Tells the terminal UI, if there is one.
    pub(super) fn state(&self, state: impl FnOnce(&Self) -> State) {
        if let Some(screen) = &self.screen {
            screen.voice.state(state(self));
        }
    }

    /// Suggests a first request, as soon as the service listens.
    pub(super) fn example(&mut self, command: String) {
        match &self.screen {
            Some(screen) => screen.voice.example(command),
            None if self.has_listened => self.output.note(&format!("try: {}", clean(&command))),
            None => self.example = Some(command),
        }
    }

    /// Tells what Cargo or the service prints: on the terminal UI, or on the standard error.
    pub(super) fn relay(&self, from: Option<impl Read + Send + 'static>) -> Option<Relay> {
        let voice = self.screen.as_ref().map(|screen| screen.voice.clone());
        Some(Relay::start(from?, move |line| match &voice {
            Some(voice) => voice.relayed(line),
            // There is nobody to tell that it failed.
            None => drop(writeln!(io::stderr(), "{line}")),
        }))
    }

    /// Gives the terminal back; what is said from now on is printed.
    pub(super) fn close_screen(&mut self) {
        self.output.divert(None);
        if let Some(mut screen) = self.screen.take()
            && let Err(error) = screen.close()
        {
            self.output.warn(&format!("the terminal could not be used: {error}"));
        }
    }

    pub(super) fn say(&mut self, note: &Note) {
        if let Some(state) = messages::state(note, &self.url()) {
            self.state(|_| state);
        }
        let text = messages::text(note, &self.url(), &self.store);
        match note {
            // Not to be missed, however quiet it is to be.
            Note::Listening { .. } | Note::BuildFailed { .. } | Note::Ended { .. } | Note::Killing => {
                self.output.say(&text);
            }
            _ => self.output.note(&text),
        }
        if let Note::Listening { .. } = note {
            self.has_listened = true;
            self.example.take().into_iter().for_each(|command| self.example(command));
        }
    }

    pub(super) fn print(&mut self, requests: &[Summary], digits: usize) -> Result<(), Trouble> {
        if self.output.is_quiet || self.screen.is_some() {
            return Ok(());
        }
        // They never get shorter, so that the columns stay where they are.
        self.digits = self.digits.max(digits);
        for request in requests {
            if self.output.is_json {
                self.output.json_line(&Request::of(request))?;
            } else {
                let line = request_list::line(request, self.digits);
                self.output.print(&(line + "\n"))?;
            }
        }
        Ok(())
    }
}
