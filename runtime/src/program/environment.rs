//! Reads the environment of a service. No other module does. Settings such as `ZERVER_ADDR` are passed to `config`, in which
//! they override `zerver.toml`.
//!
//! | variable | meaning |
//! |---|---|
//! | `LISTEN_FDS`, `LISTEN_FDS_FIRST_FD` | inherited socket that already listens |
//! | `NOTIFY_SOCKET` | socket of the service manager, which receives `READY=1` and `STOPPING=1` |
//! | `ZERVER_CONFIG` | settings file; by default `zerver.toml` in the directory of the package or in the working directory |
//! | `CARGO_MANIFEST_DIR` | directory of the package, set by Cargo and `zerver dev` |
//! | `ZERVER_DEV` | `1` under `zerver dev` |
//! | `ZERVER_DEV_STARTED` | names of the variables whose servers `zerver dev` has started, for the service to read |
//! | `ZERVER_PURITY_CHECK` | `1` to run each step twice and report differences; by default the value of `ZERVER_DEV` |
//! | `ZERVER_CATALOG` | `1` to print the flows as JSON and exit |
//! | `ZERVER_OPENAPI` | `1` to print the OpenAPI document and exit |
//! | `ZERVER_SETTINGS` | `1` to print the settings as JSON and exit |
//! | `ZERVER_IPC` | Unix socket on which replays are requested; the program performs them and then exits |
//!
//! Any other variable that starts with `ZERVER_` is reported as unknown.

use std::ffi::OsString;
use std::path::PathBuf;

use zerver_recorder::StoreOrigin;
use zerver_trace::nearest_name;

use crate::StartError;
use crate::config::{Config, Layers, variables};

/// Prefix of all variables of zerver.
const PREFIX: &str = "ZERVER_";
/// Variables that are not settings, without the prefix. The theme belongs to the terminal UI.
const NON_SETTINGS: [&str; 9] =
    ["CONFIG", "DEV", "DEV_STARTED", "PURITY_CHECK", "CATALOG", "OPENAPI", "SETTINGS", "IPC", "THEME"];
/// Start of the variables of tests and benchmarks, without the prefix.
const TEST_PREFIXES: [&str; 2] = ["TEST_", "BENCH_"];

/// Name of the settings file if `ZERVER_CONFIG` is absent.
const DEFAULT_FILE: &str = "zerver.toml";

#[derive(Debug, Default)]
pub(crate) struct Environment {
    pub(crate) dev: bool,
    #[cfg(feature = "replay")]
    pub(crate) purity_check: bool,
    pub(crate) catalog: bool,
    pub(crate) openapi: bool,
    pub(crate) settings: bool,
    pub(crate) notify: Option<OsString>,
    pub(crate) ipc: Option<PathBuf>,
    /// Settings file from `ZERVER_CONFIG`.
    config: Option<PathBuf>,
    /// Folders that are searched for a settings file.
    folders: Vec<PathBuf>,
}

impl Environment {
    /// Reads the variables that are not settings.
    ///
    /// # Errors
    /// If a variable has an invalid value. The error names both.
    pub(crate) fn read() -> Result<Self, StartError> {
        Self::of(|name| std::env::var_os(name))
    }

    /// Returns true if the program was started by `zerver` itself, and not to serve.
    pub(crate) const fn is_asked(&self) -> bool {
        self.catalog || self.openapi || self.settings || self.ipc.is_some()
    }

    /// Returns the layers of settings, with those of the program at the bottom.
    pub(crate) fn layers(&self, program: Config) -> Layers {
        // A dangling link counts as present, so that reading it fails with an error that names it.
        let is_present = |file: &PathBuf| std::fs::symlink_metadata(file).is_ok();
        let found = || self.folders.iter().map(|folder| folder.join(DEFAULT_FILE)).find(is_present);
        Layers::new(program, self.config.clone().or_else(found), |name| std::env::var_os(name))
    }

    /// Returns a message for each unknown variable of zerver, with the variable that was probably meant.
    pub(crate) fn unknown_variables() -> Vec<String> {
        let names = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
        let mut messages: Vec<_> = names.filter_map(|name| unknown_variable(&name)).collect();
        messages.sort_unstable();
        messages
    }

    /// Returns the package and the program of this service.
    pub(crate) fn origin(&self) -> StoreOrigin {
        let package = self.folders.first().filter(|folder| folder.is_absolute()).cloned();
        StoreOrigin { package, program: std::env::current_exe().ok() }
    }

    fn of(get: impl Fn(&str) -> Option<OsString>) -> Result<Self, StartError> {
        let flag = |name: &str| match get(name) {
            None => Ok(None),
            Some(value) if value == "1" => Ok(Some(true)),
            Some(value) if value == "0" => Ok(Some(false)),
            Some(value) => Err(StartError::Variable {
                name: name.to_owned(),
                value: value.to_string_lossy().into_owned(),
                requirement: "0 or 1".to_owned(),
            }),
        };
        let path = |name| get(name).filter(|path| !path.is_empty()).map(PathBuf::from);
        let dev = flag("ZERVER_DEV")?.unwrap_or_default();
        let (purity_check, ipc) = (flag("ZERVER_PURITY_CHECK")?, path("ZERVER_IPC"));
        let needs_replay =
            [("ZERVER_PURITY_CHECK", purity_check == Some(true)), ("ZERVER_IPC", ipc.is_some())];
        if let Some((name, _)) = needs_replay.iter().find(|(_, is_set)| *is_set && !cfg!(feature = "replay"))
        {
            return Err(StartError::MissingFeature { setting: (*name).to_owned(), feature: "replay" });
        }
        Ok(Self {
            dev,
            #[cfg(feature = "replay")]
            purity_check: purity_check.unwrap_or(dev),
            catalog: flag("ZERVER_CATALOG")?.unwrap_or_default(),
            openapi: flag("ZERVER_OPENAPI")?.unwrap_or_default(),
            settings: flag("ZERVER_SETTINGS")?.unwrap_or_default(),
            notify: get("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()),
            ipc,
            config: path("ZERVER_CONFIG"),
            folders: path("CARGO_MANIFEST_DIR").into_iter().chain([PathBuf::new()]).collect(),
        })
    }
}

/// Returns a message if zerver does not read the variable.
fn unknown_variable(name: &str) -> Option<String> {
    let own = name.strip_prefix(PREFIX)?;
    if TEST_PREFIXES.iter().any(|prefix| own.starts_with(prefix)) {
        return None;
    }
    let non_settings = NON_SETTINGS.map(|name| format!("{PREFIX}{name}"));
    let known: Vec<_> = variables().chain(non_settings.map(|name| (name.clone(), name))).collect();
    if known.iter().any(|(_, variable)| variable == name) {
        return None;
    }
    // Compared without the prefix, which all variables share.
    let near = nearest_name(own, known.iter().filter_map(|(written, _)| written.strip_prefix(PREFIX)));
    let is_near = |(written, _): &&(String, String)| written.strip_prefix(PREFIX) == near;
    Some(match known.iter().find(is_near) {
        Some((_, variable)) => format!("unknown variable {name}; did you mean {variable}?"),
        None => format!("unknown variable {name}; `zerver config` lists all settings"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &'static str, value: &str) -> Result<Environment, String> {
        Environment::of(|requested| (requested == name).then(|| value.into()))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn an_unknown_variable_is_reported_with_a_suggestion() {
        let check =
            |name: &str, message: Option<&str>| assert_eq!(unknown_variable(name).as_deref(), message);
        check("ZERVER_WORKRES", Some("unknown variable ZERVER_WORKRES; did you mean ZERVER_WORKERS?"));
        check("ZERVER_ADRESS", Some("unknown variable ZERVER_ADRESS; did you mean ZERVER_ADDR?"));
        check(
            "ZERVER_RECORDING_KEEP",
            Some("unknown variable ZERVER_RECORDING_KEEP; did you mean ZERVER_RECORD?"),
        );
        check(
            "ZERVER_ENTIRELY_ELSE",
            Some("unknown variable ZERVER_ENTIRELY_ELSE; `zerver config` lists all settings"),
        );
        for known in ["ZERVER_STORE", "ZERVER_IPC", "ZERVER_THEME", "ZERVER_TEST_KV", "ZERVERS", "PATH"] {
            check(known, None);
        }
    }

    #[test]
    fn flags_are_0_or_1() {
        assert_eq!(of("ZERVER_DEV", "yes").unwrap_err(), "invalid ZERVER_DEV=\"yes\": must be 0 or 1");
        assert!(of("ZERVER_DEV", "1").unwrap().dev && !of("ZERVER_DEV", "0").unwrap().dev);
    }

    #[test]
    #[cfg(feature = "replay")]
    fn the_purity_check_is_on_in_development() {
        assert!(
            of("ZERVER_DEV", "1").unwrap().purity_check
                && of("ZERVER_PURITY_CHECK", "1").unwrap().purity_check
        );
        assert!(
            !of("ZERVER_DEV", "0").unwrap().purity_check && !of("ZERVER_ADDR", "a:1").unwrap().purity_check
        );
    }
    #[test]
    #[cfg(not(feature = "replay"))]
    fn a_request_for_a_missing_feature_is_rejected() {
        let reason = "needs the Cargo feature replay, which this program is built without";
        assert_eq!(of("ZERVER_IPC", "/tmp/s").unwrap_err(), format!("ZERVER_IPC {reason}"));
        assert_eq!(of("ZERVER_PURITY_CHECK", "1").unwrap_err(), format!("ZERVER_PURITY_CHECK {reason}"));
        assert!(of("ZERVER_DEV", "1").is_ok() && of("ZERVER_PURITY_CHECK", "0").is_ok());
    }
}
