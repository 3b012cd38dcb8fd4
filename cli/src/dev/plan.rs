//! Decisions of `dev`: a pure function from what happened to what to do next. It starts no process and reads no clock.
//!
//! Rules:
//! - The last good server stays while a build runs or fails.
//! - A change during a build restarts the build.
//! - A new server starts after the old one has ended, on the same socket.
//! - The first signal lets the server finish its requests; the second kills it.

use std::path::PathBuf;
use std::time::Duration;

/// Maximum time for a server to finish its requests.
pub(super) const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Input {
    /// Sources changed; without Cargo, the program itself.
    Changed,
    /// The build ended.
    Built(Build),
    /// The server reported that it serves.
    Ready,
    /// The server ended.
    Exited {
        /// Description, such as `exit code 101`.
        how: String,
        /// True for exit code 0.
        is_success: bool,
    },
    /// The server could not be started.
    NotStarted,
    /// The server did not end in time.
    Overdue,
    /// A signal requested our end.
    Signal,
}

/// Result of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Build {
    /// `is_fresh` is true if there was nothing to build.
    Done {
        exe: PathBuf,
        is_fresh: bool,
    },
    Failed,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    Build,
    CancelBuild,
    Start(PathBuf),
    /// Ask the server to end, and report [`Input::Overdue`] if that takes too long.
    Terminate,
    Kill,
    Notify(Notice),
    Exit(Ending),
}

/// A message for the user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Notice {
    Listening {
        is_first: bool,
    },
    /// The build failed. `is_serving` is true if a server still runs.
    BuildFailed {
        is_serving: bool,
    },
    /// The server ended unexpectedly.
    Ended {
        how: String,
        was_ready: bool,
    },
    /// Nothing runs until sources change.
    WaitingForChange,
    Restarting,
    Killing,
    Stopping,
}

/// End of `dev`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Fine,
    /// No server runs, and none will be started.
    NoServer,
    /// A second signal came.
    Forced,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Building {
    No,
    Yes,
    /// Canceled; the next build starts when this one has ended.
    Again,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Server {
    None,
    Starting,
    Serving,
    /// Asked to end; holds the program to start after that.
    Ending(Option<PathBuf>),
}

/// State of `dev`.
#[derive(Debug)]
pub(super) struct Plan {
    /// The program, if Cargo does not build it.
    exe: Option<PathBuf>,
    is_watching: bool,
    building: Building,
    server: Server,
    was_ready: bool,
    is_ending: bool,
}

impl Plan {
    /// Returns a plan, and what to do first.
    pub(super) fn new(exe: Option<PathBuf>, is_watching: bool) -> (Self, Vec<Action>) {
        let mut plan = Self {
            exe,
            is_watching,
            building: Building::No,
            server: Server::None,
            was_ready: false,
            is_ending: false,
        };
        let first = plan.changed();
        (plan, first)
    }

    /// Returns what to do after something happened.
    pub(super) fn handle(&mut self, input: Input) -> Vec<Action> {
        match input {
            Input::Signal => self.signal(),
            Input::Overdue => match self.server {
                Server::Ending(_) => vec![Action::Notify(Notice::Killing), Action::Kill],
                _ => Vec::new(),
            },
            Input::Exited { how, is_success } => self.exited(how, is_success),
            // Nothing starts while we are ending.
            _ if self.is_ending => Vec::new(),
            Input::Changed => self.changed(),
            Input::Built(build) => self.built(build),
            Input::Ready => self.ready(),
            Input::NotStarted => {
                self.server = Server::None;
                self.without_server(Ending::NoServer)
            }
        }
    }

    fn changed(&mut self) -> Vec<Action> {
        if let Some(exe) = self.exe.clone() {
            return self.replace(exe);
        }
        match self.building {
            Building::No => {
                self.building = Building::Yes;
                vec![Action::Build]
            }
            Building::Yes => {
                self.building = Building::Again;
                vec![Action::CancelBuild]
            }
            Building::Again => Vec::new(),
        }
    }

    fn built(&mut self, build: Build) -> Vec<Action> {
        if self.building == Building::Again {
            self.building = Building::Yes;
            return vec![Action::Build];
        }
        self.building = Building::No;
        match build {
            Build::Failed => {
                let is_serving = matches!(self.server, Server::Starting | Server::Serving);
                let mut actions = vec![Action::Notify(Notice::BuildFailed { is_serving })];
                if self.server == Server::None {
                    actions.extend(self.without_server(Ending::NoServer));
                }
                actions
            }
            Build::Done { is_fresh: true, .. }
                if matches!(self.server, Server::Starting | Server::Serving) =>
            {
                Vec::new()
            }
            Build::Done { exe, .. } => self.replace(exe),
        }
    }

    /// Starts a program after the last one has ended.
    fn replace(&mut self, exe: PathBuf) -> Vec<Action> {
        match &mut self.server {
            Server::None => {
                self.server = Server::Starting;
                vec![Action::Start(exe)]
            }
            Server::Starting | Server::Serving => {
                self.server = Server::Ending(Some(exe));
                vec![Action::Notify(Notice::Restarting), Action::Terminate]
            }
            Server::Ending(next) => {
                *next = Some(exe);
                Vec::new()
            }
        }
    }

    fn ready(&mut self) -> Vec<Action> {
        if self.server != Server::Starting {
            return Vec::new();
        }
        self.server = Server::Serving;
        let is_first = !std::mem::replace(&mut self.was_ready, true);
        vec![Action::Notify(Notice::Listening { is_first })]
    }

    fn exited(&mut self, how: String, is_success: bool) -> Vec<Action> {
        let before = std::mem::replace(&mut self.server, Server::None);
        if self.is_ending {
            return vec![Action::Exit(Ending::Fine)];
        }
        match before {
            Server::Ending(Some(exe)) => self.replace(exe),
            Server::Ending(None) | Server::None => Vec::new(),
            Server::Starting | Server::Serving => {
                let was_ready = before == Server::Serving;
                let mut actions = vec![Action::Notify(Notice::Ended { how, was_ready })];
                let ending = if is_success && was_ready { Ending::Fine } else { Ending::NoServer };
                if self.building == Building::No {
                    actions.extend(self.without_server(ending));
                }
                actions
            }
        }
    }

    /// Called when neither a server nor a build runs.
    fn without_server(&self, ending: Ending) -> Vec<Action> {
        if self.is_watching {
            vec![Action::Notify(Notice::WaitingForChange)]
        } else {
            vec![Action::Exit(ending)]
        }
    }

    fn signal(&mut self) -> Vec<Action> {
        if std::mem::replace(&mut self.is_ending, true) {
            return vec![Action::Kill, Action::Exit(Ending::Forced)];
        }
        let mut actions = Vec::new();
        if self.building != Building::No {
            actions.push(Action::CancelBuild);
        }
        match &mut self.server {
            Server::None => actions.push(Action::Exit(Ending::Fine)),
            Server::Ending(next) => *next = None,
            Server::Starting | Server::Serving => {
                self.server = Server::Ending(None);
                actions.extend([Action::Notify(Notice::Stopping), Action::Terminate]);
            }
        }
        actions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(exe: &str) -> Input {
        Input::Built(Build::Done { exe: exe.into(), is_fresh: false })
    }

    fn exited(code: i32) -> Input {
        Input::Exited { how: format!("exit code {code}"), is_success: code == 0 }
    }

    /// Feeds inputs to a plan with Cargo, and lists the actions after each.
    fn play(is_watching: bool, inputs: &[Input]) -> String {
        let (mut plan, first) = Plan::new(None, is_watching);
        let mut out = format!("start: {first:?}\n");
        for input in inputs {
            let name = format!("{input:?}");
            let name = name.split([' ', '(']).next().unwrap_or_default();
            out += &format!("{name}: {:?}\n", plan.handle(input.clone()));
        }
        out
    }

    #[test]
    fn a_change_restarts_the_server_on_the_same_socket() {
        let inputs = [done("a"), Input::Ready, Input::Changed, done("b"), exited(0), Input::Ready];
        insta::assert_snapshot!(play(true, &inputs), @r#"
        start: [Build]
        Built: [Start("a")]
        Ready: [Notify(Listening { is_first: true })]
        Changed: [Build]
        Built: [Notify(Restarting), Terminate]
        Exited: [Start("b")]
        Ready: [Notify(Listening { is_first: false })]
        "#);
    }

    #[test]
    fn a_failed_build_leaves_the_last_good_server() {
        let failed = Input::Built(Build::Failed);
        let inputs = [done("a"), Input::Ready, Input::Changed, failed.clone(), Input::Changed, failed];
        insta::assert_snapshot!(play(true, &inputs), @r#"
        start: [Build]
        Built: [Start("a")]
        Ready: [Notify(Listening { is_first: true })]
        Changed: [Build]
        Built: [Notify(BuildFailed { is_serving: true })]
        Changed: [Build]
        Built: [Notify(BuildFailed { is_serving: true })]
        "#);
    }

    #[test]
    fn a_burst_of_changes_runs_one_build_at_a_time() {
        let changes = || std::iter::repeat_n(Input::Changed, 100);
        let mut inputs = vec![done("a"), Input::Ready];
        inputs.extend(changes());
        inputs.push(Input::Built(Build::Failed));
        inputs.extend(changes());
        inputs.push(done("b"));
        let (mut plan, _) = Plan::new(None, true);
        let (mut running, mut most) = (1, 1);
        for input in inputs {
            running -= i32::from(matches!(input, Input::Built(_)));
            let actions = plan.handle(input);
            running += actions.iter().filter(|action| **action == Action::Build).count() as i32;
            most = most.max(running);
            assert!(!actions.contains(&Action::Terminate), "the good server is left alone");
        }
        assert_eq!((running, most), (1, 1));
        assert_eq!(plan.handle(done("c")), [Action::Notify(Notice::Restarting), Action::Terminate]);
    }

    #[test]
    fn a_build_with_nothing_to_do_restarts_nothing() {
        let fresh = Input::Built(Build::Done { exe: "a".into(), is_fresh: true });
        let inputs =
            [done("a"), Input::Ready, Input::Changed, fresh.clone(), exited(1), Input::Changed, fresh];
        insta::assert_snapshot!(play(true, &inputs), @r#"
        start: [Build]
        Built: [Start("a")]
        Ready: [Notify(Listening { is_first: true })]
        Changed: [Build]
        Built: []
        Exited: [Notify(Ended { how: "exit code 1", was_ready: true }), Notify(WaitingForChange)]
        Changed: [Build]
        Built: [Start("a")]
        "#);
    }

    #[test]
    fn after_a_crash_dev_waits_for_a_change_or_ends() {
        insta::assert_snapshot!(play(true, &[done("a"), exited(101), Input::Changed, done("b")]), @r#"
        start: [Build]
        Built: [Start("a")]
        Exited: [Notify(Ended { how: "exit code 101", was_ready: false }), Notify(WaitingForChange)]
        Changed: [Build]
        Built: [Start("b")]
        "#);
        insta::assert_snapshot!(play(false, &[done("a"), Input::Ready, exited(101)]), @r#"
        start: [Build]
        Built: [Start("a")]
        Ready: [Notify(Listening { is_first: true })]
        Exited: [Notify(Ended { how: "exit code 101", was_ready: true }), Exit(NoServer)]
        "#);
        insta::assert_snapshot!(play(false, &[Input::Built(Build::Failed)]), @r"
        start: [Build]
        Built: [Notify(BuildFailed { is_serving: false }), Exit(NoServer)]
        ");
        insta::assert_snapshot!(play(false, &[done("a"), Input::NotStarted]), @r#"
        start: [Build]
        Built: [Start("a")]
        NotStarted: [Exit(NoServer)]
        "#);
    }

    #[test]
    fn the_first_signal_drains_and_the_second_kills() {
        insta::assert_snapshot!(play(true, &[done("a"), Input::Ready, Input::Signal, exited(0)]), @r#"
        start: [Build]
        Built: [Start("a")]
        Ready: [Notify(Listening { is_first: true })]
        Signal: [Notify(Stopping), Terminate]
        Exited: [Exit(Fine)]
        "#);
        insta::assert_snapshot!(play(true, &[done("a"), Input::Ready, Input::Signal, Input::Overdue, Input::Signal]), @r#"
        start: [Build]
        Built: [Start("a")]
        Ready: [Notify(Listening { is_first: true })]
        Signal: [Notify(Stopping), Terminate]
        Overdue: [Notify(Killing), Kill]
        Signal: [Kill, Exit(Forced)]
        "#);
        insta::assert_snapshot!(play(true, &[Input::Signal]), @r"
        start: [Build]
        Signal: [CancelBuild, Exit(Fine)]
        ");
        // A signal during a restart keeps the next server from starting.
        insta::assert_snapshot!(play(true, &[done("a"), Input::Ready, Input::Changed, done("b"), Input::Signal, exited(0)]), @r#"
        start: [Build]
        Built: [Start("a")]
        Ready: [Notify(Listening { is_first: true })]
        Changed: [Build]
        Built: [Notify(Restarting), Terminate]
        Signal: []
        Exited: [Exit(Fine)]
        "#);
    }

    #[test]
    fn a_program_that_cargo_does_not_build_is_restarted_when_it_changes() {
        let (mut plan, first) = Plan::new(Some("/x".into()), true);
        assert_eq!(first, [Action::Start("/x".into())]);
        plan.handle(Input::Ready);
        assert_eq!(plan.handle(Input::Changed), [Action::Notify(Notice::Restarting), Action::Terminate]);
        assert_eq!(plan.handle(Input::Changed), []);
        assert_eq!(plan.handle(exited(0)), [Action::Start("/x".into())]);
    }
}
