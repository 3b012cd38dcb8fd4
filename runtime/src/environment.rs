//! What the environment of a service says. This is the only place that reads it.
//!
//! | variable | meaning |
//! |---|---|
//! | `ZERVER_ADDR` | where to listen: `HOST:PORT` |
//! | `LISTEN_FDS`, `LISTEN_FDS_FIRST_FD` | a socket handed over, which listens already |
//! | `NOTIFY_SOCKET` | whom to tell `READY=1` and `STOPPING=1` |
//! | `ZERVER_STORE` | the folder of the store; `.zerver` |
//! | `ZERVER_RECORD` | what to record: `all`, `tail` or `off`; `tail` |
//! | `ZERVER_RECORD_TOKEN` | requests that show it in `x-zerver-record` are recorded in any case |
//! | `ZERVER_WORKERS`, `ZERVER_BATCH_WORKERS` | how many threads serve requests, and how many batch ones; as the program says |
//! | `ZERVER_DEV` | `1` under `zerver dev` |
//! | `ZERVER_TWICE` | `1` to run each step twice and name those that are not the same then; as `ZERVER_DEV` |
//! | `ZERVER_CATALOG` | `1` to print the flows as JSON, and no more |
//! | `ZERVER_IPC` | a unix socket on which somebody asks for replays; it does that, and no more |

use std::ffi::OsString;
use std::path::PathBuf;

use crate::StartError;

/// What to record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Record {
    All,
    Tail,
    Off,
}

#[derive(Debug, Default)]
pub(crate) struct Environment {
    pub(crate) addr: Option<String>,
    pub(crate) store: Option<PathBuf>,
    pub(crate) record: Option<Record>,
    pub(crate) record_token: Option<String>,
    pub(crate) workers: Option<usize>,
    pub(crate) batch_workers: Option<usize>,
    pub(crate) dev: bool,
    pub(crate) twice: bool,
    pub(crate) catalog: bool,
    pub(crate) notify: Option<OsString>,
    pub(crate) ipc: Option<PathBuf>,
}

impl Environment {
    /// # Errors
    /// When a variable has a wrong value; the error names both.
    pub(crate) fn read() -> Result<Self, StartError> {
        Self::of(std::env::var_os)
    }

    fn of(get: impl Fn(&'static str) -> Option<OsString>) -> Result<Self, StartError> {
        let wrong = |name, value: &OsString, allowed| StartError::Variable {
            name,
            value: value.to_string_lossy().into_owned(),
            allowed,
        };
        let text = |name, allowed| match get(name) {
            Some(value) => match value.to_str() {
                Some(text) => Ok(Some(text.to_owned())),
                None => Err(wrong(name, &value, allowed)),
            },
            None => Ok(None),
        };
        let flag = |name| match get(name) {
            None => Ok(None),
            Some(value) if value == "1" => Ok(Some(true)),
            Some(value) if value == "0" => Ok(Some(false)),
            Some(value) => Err(wrong(name, &value, "it is 0 or 1")),
        };
        let count = |name, least, allowed| match get(name) {
            Some(value) => match value.to_str().and_then(|text| text.parse().ok()) {
                Some(count) if (least..=MAX_WORKERS).contains(&count) => Ok(Some(count)),
                _ => Err(wrong(name, &value, allowed)),
            },
            None => Ok(None),
        };
        let addr = text("ZERVER_ADDR", ADDRESS)?;
        if let Some(addr) = &addr
            && !addr
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        {
            return Err(wrong("ZERVER_ADDR", &addr.into(), ADDRESS));
        }
        let store = get("ZERVER_STORE");
        if let Some(store) = store.as_ref().filter(|store| store.is_empty()) {
            return Err(wrong("ZERVER_STORE", store, "it is the path of a folder"));
        }
        let record = match get("ZERVER_RECORD") {
            None => None,
            Some(value) if value == "all" => Some(Record::All),
            Some(value) if value == "tail" => Some(Record::Tail),
            Some(value) if value == "off" => Some(Record::Off),
            Some(value) => return Err(wrong("ZERVER_RECORD", &value, "it is all, tail or off")),
        };
        let dev = flag("ZERVER_DEV")?.unwrap_or_default();
        Ok(Self {
            addr,
            store: store.map(PathBuf::from),
            record,
            record_token: text("ZERVER_RECORD_TOKEN", "it is text")?.filter(|token| !token.is_empty()),
            workers: count("ZERVER_WORKERS", 1, "it is a number from 1 to 1024")?,
            batch_workers: count("ZERVER_BATCH_WORKERS", 0, "it is a number from 0 to 1024")?,
            dev,
            twice: flag("ZERVER_TWICE")?.unwrap_or(dev),
            catalog: flag("ZERVER_CATALOG")?.unwrap_or_default(),
            notify: get("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()),
            ipc: get("ZERVER_IPC").filter(|socket| !socket.is_empty()).map(PathBuf::from),
        })
    }
}

/// So many threads are a slip of the pen if they are more.
const MAX_WORKERS: usize = 1024;

const ADDRESS: &str = "it is HOST:PORT, such as 127.0.0.1:3000";

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &'static str, value: &str) -> Result<Environment, String> {
        Environment::of(|asked| (asked == name).then(|| value.into())).map_err(|error| error.to_string())
    }

    #[test]
    fn a_wrong_value_is_named_with_what_is_allowed() {
        let check = |name, value, message: &str| assert_eq!(of(name, value).err().as_deref(), Some(message));
        check(
            "ZERVER_ADDR",
            "here",
            "ZERVER_ADDR=\"here\" is wrong; it is HOST:PORT, such as 127.0.0.1:3000",
        );
        check(
            "ZERVER_ADDR",
            "a:99999",
            "ZERVER_ADDR=\"a:99999\" is wrong; it is HOST:PORT, such as 127.0.0.1:3000",
        );
        check("ZERVER_RECORD", "some", "ZERVER_RECORD=\"some\" is wrong; it is all, tail or off");
        check("ZERVER_WORKERS", "0", "ZERVER_WORKERS=\"0\" is wrong; it is a number from 1 to 1024");
        check(
            "ZERVER_BATCH_WORKERS",
            "-1",
            "ZERVER_BATCH_WORKERS=\"-1\" is wrong; it is a number from 0 to 1024",
        );
        check("ZERVER_DEV", "yes", "ZERVER_DEV=\"yes\" is wrong; it is 0 or 1");
        check("ZERVER_STORE", "", "ZERVER_STORE=\"\" is wrong; it is the path of a folder");
    }

    #[test]
    fn right_values_are_taken() {
        assert_eq!(of("ZERVER_ADDR", "[::1]:0").unwrap().addr.as_deref(), Some("[::1]:0"));
        assert_eq!(of("ZERVER_RECORD", "off").unwrap().record, Some(Record::Off));
        assert_eq!(of("ZERVER_BATCH_WORKERS", "0").unwrap().batch_workers, Some(0));
        assert!(of("ZERVER_DEV", "1").unwrap().dev && !of("ZERVER_DEV", "0").unwrap().dev);
        assert!(of("ZERVER_DEV", "1").unwrap().twice && of("ZERVER_TWICE", "1").unwrap().twice);
        assert!(!of("ZERVER_DEV", "0").unwrap().twice && !of("ZERVER_ADDR", "a:1").unwrap().twice);
    }
}
