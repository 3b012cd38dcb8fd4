//! Servers that `dev` starts for a service: those of `dev.servers` in its settings. They live as long as `dev`, so that data
//! survive each rebuild, and are removed with it, even if it is killed.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::thread::JoinHandle;

use zerver_local_server::{Postgres, Redis, ServerError};
use zerver_replay::SettingDoc;

use crate::error::CommandError;
use crate::service::query::{self, ask};

/// Name of the setting.
const SETTING: &str = "dev.servers";
/// Variable with the names of all variables whose servers we have started.
const STARTED: &str = "ZERVER_DEV_STARTED";

/// A server of one of the kinds that can be started. It ends when this is dropped.
enum LocalServer {
    Postgres(Postgres),
    Redis(Redis),
}

/// Servers that have started, each with the variable that gets its URL.
#[derive(Default)]
pub(super) struct LocalServers(Vec<(String, LocalServer)>);

/// State of the servers that a service needs.
pub(super) enum LocalServersState {
    /// Not started yet, or not with success.
    Unknown,
    /// They are being started on this thread, and this program waits for them.
    Starting(JoinHandle<()>, Option<PathBuf>),
    Started(LocalServers),
}

impl LocalServersState {
    /// Returns the variables for a program. If its servers have not started, returns `None`: the program then waits, and
    /// `started` is called on another thread.
    pub(super) fn variables_for(
        &mut self,
        exe: &Path,
        folder: &Path,
        started: impl FnOnce(Result<LocalServers, CommandError>) + Send + 'static,
    ) -> Option<Vec<(String, OsString)>> {
        match self {
            Self::Started(servers) => return Some(servers.variables()),
            Self::Starting(_, waiting) => *waiting = Some(exe.to_owned()),
            Self::Unknown => {
                let thread = start(exe.to_owned(), folder.to_owned(), started);
                *self = Self::Starting(thread, Some(exe.to_owned()));
            }
        }
        None
    }

    /// Returns the program that waits. It does so no more.
    pub(super) const fn take_waiting(&mut self) -> Option<PathBuf> {
        match self {
            Self::Starting(_, waiting) => waiting.take(),
            Self::Unknown | Self::Started(_) => None,
        }
    }

    /// Waits until no server is being started any more, so that what was begun is removed.
    pub(super) fn finish(&mut self) {
        if let Self::Starting(thread, _) = std::mem::replace(self, Self::Unknown) {
            // A panic has been reported.
            let _ = thread.join();
        }
    }
}

impl LocalServers {
    /// Returns the variables for the service.
    pub(super) fn variables(&self) -> Vec<(String, OsString)> {
        let url = |(name, server): &(String, LocalServer)| (name.clone(), OsString::from(server.url()));
        let names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        let started = (!names.is_empty()).then(|| (STARTED.to_owned(), names.join(",").into()));
        self.0.iter().map(url).chain(started).collect()
    }

    /// Describes each server for the user.
    pub(super) fn describe(&self) -> impl Iterator<Item = String> {
        let line = |(name, server): &(String, LocalServer)| {
            format!("{name} is {server} in a temporary folder, which ends with zerver dev")
        };
        self.0.iter().map(line)
    }
}

impl LocalServer {
    fn start(name: &str) -> Result<Self, ServerError> {
        Ok(match name {
            "redis" => Self::Redis(Redis::start()?),
            _ => Self::Postgres(Postgres::start()?),
        })
    }

    fn url(&self) -> String {
        match self {
            Self::Postgres(server) => server.url(),
            Self::Redis(server) => server.url(),
        }
    }
}

impl fmt::Display for LocalServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres(_) => "PostgreSQL",
            Self::Redis(_) => "Redis",
        })
    }
}

/// Reads the settings of a program, and starts the servers that it needs and that the environment does not name. Calls
/// `started` on another thread.
fn start(
    exe: PathBuf,
    folder: PathBuf,
    started: impl FnOnce(Result<LocalServers, CommandError>) + Send + 'static,
) -> JoinHandle<()> {
    thread::spawn(move || {
        // A program whose settings are invalid says so when it serves.
        let settings: Vec<SettingDoc> =
            ask(&exe, &folder, query::SETTINGS, Stdio::null()).unwrap_or_default();
        let is_absent = |(name, _): &(String, String)| env::var_os(name).is_none();
        started(start_all(wanted(&settings).into_iter().filter(is_absent)));
    })
}

/// Returns the variables of the setting, each with the name of its server.
fn wanted(settings: &[SettingDoc]) -> Vec<(String, String)> {
    let value = settings.iter().find(|setting| setting.key == SETTING).map(|setting| &setting.value);
    let items = value.and_then(|value| value.as_array()).into_iter().flatten();
    let pair = |item: &str| item.split_once('=').map(|(name, server)| (name.to_owned(), server.to_owned()));
    items.filter_map(|item| item.as_str()).filter_map(pair).collect()
}

fn start_all(wanted: impl Iterator<Item = (String, String)>) -> Result<LocalServers, CommandError> {
    let one = |(variable, name): (String, String)| match LocalServer::start(&name) {
        Ok(server) => Ok((variable, server)),
        Err(error) => Err(CommandError::new(format!("cannot start the server for {variable}"))
            .caused_by(&error)
            .with_hint(format!("or set {variable} to the URL of a server that runs"))),
    };
    wanted.map(one).collect::<Result<_, _>>().map(LocalServers)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use zerver_replay::SettingSource;

    use super::*;

    fn setting(key: &str, value: serde_json::Value) -> SettingDoc {
        let source = SettingSource::File;
        SettingDoc { key: key.to_owned(), value, source, location: None, is_reloadable: false }
    }

    #[test]
    fn the_setting_lists_variables_and_servers() {
        let settings = [
            setting("hosts", json!(["a=b"])),
            setting(SETTING, json!(["DATABASE_URL=postgres", "REDIS_URL=redis"])),
        ];
        let pair = |name: &str, server: &str| (name.to_owned(), server.to_owned());
        assert_eq!(wanted(&settings), [pair("DATABASE_URL", "postgres"), pair("REDIS_URL", "redis")]);
        assert_eq!(wanted(&settings[..1]), []);
    }

    #[test]
    fn servers_get_variables_and_end_when_they_are_dropped() {
        let wanted = [("A_URL", "redis"), ("B_URL", "redis")];
        let pairs = wanted.map(|(name, server)| (name.to_owned(), server.to_owned()));
        let servers = start_all(pairs.into_iter()).unwrap();
        let variables = servers.variables();
        let names: Vec<_> = variables.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["A_URL", "B_URL", STARTED]);
        assert_eq!(variables[2].1, "A_URL,B_URL");
        let socket = variables[0].1.to_str().unwrap().strip_prefix("unix://").unwrap().to_owned();
        assert!(std::os::unix::net::UnixStream::connect(&socket).is_ok());
        drop(servers);
        assert!(!Path::new(&socket).exists());
        assert_eq!(LocalServers::default().variables(), []);
    }
}
