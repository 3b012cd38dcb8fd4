//! The layers of what is set, and how they are laid over each other: again whenever the file is read again.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use zerver_engine::SettingError;
use zerver_engine::service_docs::{SettingDoc, SettingSource};
use zerver_recorder::regular_file;

use super::field::RawValue;
use super::file;
use super::key::{KEYS, Key, RULES};
use super::settings::Config;
use crate::StartError;
use crate::scheduler::ClassRule;

/// No file of settings is longer, in bytes.
const MAX_LEN: u64 = 1 << 20;

/// Where settings come from.
#[derive(Debug)]
pub(crate) struct Layers {
    /// What the program says.
    program: Config,
    file: Option<PathBuf>,
    environment: Vec<(Key, OsString)>,
}

/// What is set.
#[derive(Debug, Clone)]
pub(crate) struct LoadedSettings {
    pub(crate) config: Config,
    pub(crate) file: Option<PathBuf>,
    /// For each key that somebody has said something of: who, and where.
    sources: BTreeMap<&'static str, (SettingSource, Option<String>)>,
}

impl Layers {
    /// `file` is the one that was named, or was found.
    pub(crate) fn new(
        program: Config,
        file: Option<PathBuf>,
        get: impl Fn(&str) -> Option<OsString>,
    ) -> Self {
        let environment = KEYS.iter().filter_map(|key| Some((*key, get(&key.variable())?))).collect();
        Self { program, file, environment }
    }

    /// Lays them over each other.
    ///
    /// # Errors
    /// Names the first value that is wrong, where it was said, and what it may be.
    pub(crate) fn load(&self) -> Result<LoadedSettings, StartError> {
        let mut config = self.program.clone();
        let mut sources = self.program_sources();
        if let Some(path) = &self.file {
            self.lay_file(path, &mut config, &mut sources)?;
        }
        for (key, value) in &self.environment {
            let raw =
                value.to_str().map_or(RawValue::Many(Vec::new()), |text| RawValue::One(text.to_owned()));
            key.field(&mut config).set(&raw).map_err(|requirement| {
                match key.field(&mut config).is_secret() {
                    true => StartError::Setting {
                        place: key.variable(),
                        reason: format!("invalid {}: must be {requirement}", key.name),
                    },
                    false => StartError::Variable {
                        name: key.variable(),
                        value: value.to_string_lossy().into_owned(),
                        requirement: requirement.to_owned(),
                    },
                }
            })?;
            sources.insert(key.name, (SettingSource::Environment, Some(key.variable())));
        }
        check_features(&mut config, &sources)?;
        if let Err(error) = config.scheduling.check() {
            return Err(inconsistent(error, &mut config, &sources));
        }
        Ok(LoadedSettings { config, file: self.file.clone(), sources })
    }

    fn lay_file(
        &self,
        path: &Path,
        config: &mut Config,
        sources: &mut BTreeMap<&'static str, (SettingSource, Option<String>)>,
    ) -> Result<(), StartError> {
        let shown = path.display();
        let unreadable = |reason: String| StartError::ConfigFile { path: path.to_owned(), reason };
        let text = regular_file::read_text(path, MAX_LEN).map_err(|error| unreadable(error.to_string()))?;
        let invalid = |line, reason| StartError::Setting { place: format!("{shown}:{line}"), reason };
        let file = file::read(&text).map_err(|error| invalid(error.line, error.reason))?;
        for (key, line, raw) in file.values {
            key.field(config).set(&raw).map_err(|requirement| {
                invalid(line, format!("invalid {}: must be {requirement}", key.name))
            })?;
            sources.insert(key.name, (SettingSource::File, Some(format!("{shown}:{line}"))));
            // Beside the file that names it, wherever the service was started.
            if let ("recording.store", Some(store), Some(folder)) =
                (key.name, &mut config.recording.store, path.parent())
            {
                *store = folder.join(&*store);
            }
        }
        if let Some((line, rules)) = file.rules {
            config.rules = rules;
            sources.insert(RULES.name, (SettingSource::File, Some(format!("{shown}:{line}"))));
        }
        Ok(())
    }

    /// What differs from the defaults has been said by the program.
    fn program_sources(&self) -> BTreeMap<&'static str, (SettingSource, Option<String>)> {
        let (mut program, mut default) = (self.program.clone(), Config::default());
        let is_set = |key: &&Key| key.field(&mut program).show() != key.field(&mut default).show();
        let mut said: BTreeMap<_, _> =
            KEYS.iter().filter(is_set).map(|key| (key.name, (SettingSource::Program, None))).collect();
        if !self.program.rules.is_empty() {
            said.insert(RULES.name, (SettingSource::Program, None));
        }
        said
    }
}

/// Checks that no setting has a value that the program cannot act on because a Cargo feature is missing.
fn check_features(
    config: &mut Config,
    sources: &BTreeMap<&'static str, (SettingSource, Option<String>)>,
) -> Result<(), StartError> {
    let mut default = Config::default();
    for key in KEYS {
        let Some(feature) = key.missing_feature() else { continue };
        if key.field(config).show() == key.field(&mut default).show() {
            continue;
        }
        let place = sources.get(key.name).and_then(|(_, place)| place.clone());
        let setting = place.map_or_else(|| key.name.to_owned(), |place| format!("{place}: {}", key.name));
        return Err(StartError::MissingFeature { setting, feature });
    }
    Ok(())
}

/// Values that do not fit each other, told where one of them was said.
fn inconsistent(
    error: SettingError,
    config: &mut Config,
    sources: &BTreeMap<&'static str, (SettingSource, Option<String>)>,
) -> StartError {
    let (section, name) = error.key.split_once('.').unwrap_or(("", &error.key));
    let is_other = |key: &&Key| match (name, key.name.split_once('.')) {
        ("target", Some(of)) => of == (section, "interval"),
        ("times", Some(of)) => of == (section, "of"),
        (_, Some((_, of))) => of == name && section.is_empty(),
        (_, None) => false,
    };
    let of_it = KEYS.iter().filter(|key| key.name == error.key);
    let all: Vec<_> = of_it.chain(KEYS.iter().filter(is_other)).collect();
    let place = all.iter().find_map(|key| sources.get(key.name)?.1.clone());
    let value = |key: &&Key| match key.field(config).show() {
        Json::String(text) => format!("{} is {text}", key.name),
        other => format!("{} is {other}", key.name),
    };
    let values: Vec<_> = all.iter().map(value).collect();
    match place {
        Some(place) => StartError::Setting { place, reason: format!("{error}; {}", values.join(", ")) },
        None => StartError::Scheduling(error),
    }
}

impl LoadedSettings {
    /// Whether somebody has said something of a key.
    pub(crate) fn is_set_anywhere(&self, key: &str) -> bool {
        self.sources.contains_key(key)
    }

    /// All settings, and where they come from.
    pub(crate) fn document(&self) -> Vec<SettingDoc> {
        let mut config = self.config.clone();
        let mut one = |key: Key| {
            let value = match key {
                RULES => self.config.rules.iter().map(ClassRule::document).collect::<Vec<Json>>().into(),
                _ => key.field(&mut config).show(),
            };
            let (from, place) = self.sources.get(key.name).cloned().unwrap_or((SettingSource::Default, None));
            SettingDoc {
                key: key.name.to_owned(),
                value,
                source: from,
                location: place,
                is_reloadable: key.reloads,
            }
        };
        KEYS.iter().chain([&RULES]).map(|key| one(*key)).collect()
    }

    /// The keys whose values another loading changes: those that can change while the service runs, and the others.
    pub(crate) fn differences(&self, other: &Self) -> (Vec<String>, Vec<String>) {
        let differs = |(a, b): &(SettingDoc, SettingDoc)| a.value != b.value;
        let changed = std::iter::zip(self.document(), other.document()).filter(differs).map(|(told, _)| told);
        let (reloadable, fixed): (Vec<_>, Vec<_>) = changed.partition(|told| told.is_reloadable);
        let names = |all: Vec<SettingDoc>| all.into_iter().map(|told| told.key).collect();
        (names(reloadable), names(fixed))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use std::fs;

    use super::*;
    use crate::Limits;

    fn load(program: Config, file: &str, environment: &[(&str, &str)]) -> Result<LoadedSettings, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("zerver.toml");
        fs::write(&path, file).unwrap();
        let get = |name: &str| {
            environment.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        };
        let loaded = Layers::new(program, Some(path), get).load();
        loaded.map_err(|error| error.to_string().replace(&*folder.path().to_string_lossy(), ""))
    }

    fn check(file: &str, message: &str) {
        assert_eq!(load(Config::default(), file, &[]).unwrap_err(), message, "{file}");
    }

    #[test]
    fn each_layer_wins_over_those_below() {
        let program = Config {
            deadline: Duration::from_secs(1),
            workers: Some(1),
            limits: Limits { body_bytes: 7, ..Limits::default() },
            ..Config::default()
        };
        let file = "workers = 2\ndeadline = \"2s\"\n[batch]\nworkers = 0\nquantum = \"7ms\"\n";
        let loaded = load(program, file, &[("ZERVER_WORKERS", "3")]).unwrap();
        let config = &loaded.config;
        assert_eq!((config.workers, config.batch_workers), (Some(3), Some(0)));
        assert_eq!((config.deadline, config.limits.body_bytes), (Duration::from_secs(2), 7));
        assert_eq!(config.scheduling.batch.quantum_ns, 7_000_000);
        let told = loaded.document();
        let from = |key: &str| {
            let told = told.iter().find(|told| told.key == key).unwrap();
            let line = told.location.as_deref().and_then(|place| place.rsplit(['/', ':']).next());
            (told.source, line.map(str::to_owned))
        };
        assert_eq!(from("workers"), (SettingSource::Environment, Some("ZERVER_WORKERS".to_owned())));
        assert_eq!(from("deadline"), (SettingSource::File, Some("2".to_owned())));
        assert_eq!(from("batch.quantum"), (SettingSource::File, Some("5".to_owned())));
        assert_eq!(from("limits.body_bytes"), (SettingSource::Program, None));
        assert_eq!(from("limits.head"), (SettingSource::Default, None));
    }

    #[test]
    fn a_wrong_file_is_told_with_its_line_and_what_would_be_right() {
        check("a = \n", "/zerver.toml:1: string values must be quoted, expected literal string");
        check("\nworker = 2", "/zerver.toml:2: unknown setting worker; did you mean workers?");
        check(
            "[batch]\nquantun = \"5ms\"",
            "/zerver.toml:2: unknown setting batch.quantun; did you mean batch.quantum?",
        );
        check("[bach]\nquantum = \"5ms\"", "/zerver.toml:1: unknown setting bach; did you mean batch?");
        check("batch = 3", "/zerver.toml:1: batch is a section, not a value: write [batch]");
        check(
            "deadline = 5",
            "/zerver.toml:1: invalid deadline: must be a duration such as 10ms, 1.5s, 5m or 2d",
        );
        check("workers = 0", "/zerver.toml:1: invalid workers: must be a number from 1 to 1024");
        check(
            "address = \"here\"",
            "/zerver.toml:1: invalid address: must be HOST:PORT, such as 127.0.0.1:3000",
        );
        check(
            "[recording]\nkeep = \"most\"",
            "/zerver.toml:2: invalid recording.keep: must be all, tail or off",
        );
        check(
            "[recording]\nsample = 2.0",
            "/zerver.toml:2: invalid recording.sample: must be a number from 0 to 1",
        );
        check("deadline = 2026-01-01", "/zerver.toml:1: invalid deadline: no setting is a date");
        check(
            "[batch]\ninterval = \"1s\"\ntarget = \"2s\"",
            "/zerver.toml:3: invalid batch.target: must be no longer than the interval of its class; batch.target is 2s, \
             batch.interval is 1s",
        );
        check(
            "[batch]\ninterval = \"1s\"",
            "/zerver.toml:2: invalid batch.target: must be no longer than the interval of its class; batch.target is 5s, \
             batch.interval is 1s",
        );
        check(
            "[overruns]\nof = 4",
            "/zerver.toml:2: invalid overruns.times: must be from 1 to 10000, and no more than overruns.of; \
             overruns.times is 8, overruns.of is 4",
        );
        check(
            "[default]\nshare = 990",
            "/zerver.toml:2: invalid share: must be at most 1000 thousandths for all classes together; \
             interactive.share is 0, default.share is 990, batch.share is 50",
        );
    }

    #[test]
    fn rules_are_read_and_wrong_ones_named() {
        let file = "[[rules]]\npath = \"/r/\"\nclass = \"batch\"\n\n[[rules]]\nrequested_in = \"x-class\"\ntoken = \"t\"\n\n\
             [[rules]]\nheader = \"x-api-key\"\nvalue = \"k\"\nclass = \"interactive\"\n";
        let loaded = load(Config::default(), file, &[]).unwrap();
        let rules = loaded.document().pop().unwrap();
        let told = serde_json::json!([
            { "path": "/r/", "class": "batch" },
            { "requested_in": "x-class", "token": "●●●●" },
            { "header": "x-api-key", "value": "●●●●", "class": "interactive" },
        ]);
        assert_eq!(rules.value, told);
        check("rules = 3", "/zerver.toml:1: invalid rules: must be a list; write each rule under [[rules]]");
        check("[[rules]]\npaht = \"/\"", "/zerver.toml:2: unknown key paht in a rule; did you mean path?");
        check(
            "[[rules]]\npath = \"/\"\nclass = \"slow\"",
            "/zerver.toml:3: invalid rules.class: must be interactive, default or batch",
        );
        check(
            "[[rules]]\nheader = \"a b\"\nvalue = \"c\"\nclass = \"batch\"",
            "/zerver.toml:2: invalid rules.header: must be the name of a header",
        );
        let keys = "a rule has the keys path and class; or header, value and class; or body_over and class; or requested_in, \
                    with or without token";
        check("[[rules]]\npath = \"/\"", &format!("/zerver.toml:1: {keys}"));
    }

    #[test]
    fn a_wrong_variable_is_named_with_what_is_allowed() {
        let check = |name, value, message: &str| {
            assert_eq!(load(Config::default(), "", &[(name, value)]).unwrap_err(), message);
        };
        check(
            "ZERVER_ADDR",
            "here",
            "invalid ZERVER_ADDR=\"here\": must be HOST:PORT, such as 127.0.0.1:3000",
        );
        check(
            "ZERVER_ADDR",
            "a:99999",
            "invalid ZERVER_ADDR=\"a:99999\": must be HOST:PORT, such as 127.0.0.1:3000",
        );
        check("ZERVER_RECORD", "some", "invalid ZERVER_RECORD=\"some\": must be all, tail or off");
        check("ZERVER_WORKERS", "0", "invalid ZERVER_WORKERS=\"0\": must be a number from 1 to 1024");
        check(
            "ZERVER_BATCH_WORKERS",
            "-1",
            "invalid ZERVER_BATCH_WORKERS=\"-1\": must be a number from 0 to 1024",
        );
        check("ZERVER_STORE", "", "invalid ZERVER_STORE=\"\": must be the path of a directory");
    }

    #[test]
    #[cfg(not(feature = "metrics"))]
    fn a_setting_without_its_feature_is_rejected() {
        let reason = "metrics.path needs the Cargo feature metrics, which this program is built without";
        check("\n[metrics]\npath = \"/m\"", &format!("/zerver.toml:3: {reason}"));
        let error = load(Config::default(), "", &[("ZERVER_METRICS_PATH", "/m")]).unwrap_err();
        assert_eq!(error, format!("ZERVER_METRICS_PATH: {reason}"));
        assert!(load(Config::default(), "[metrics]\npath = \"off\"", &[]).is_ok());
    }

    #[test]
    fn no_host_can_be_said_by_the_environment_too() {
        let loaded = load(Config::default(), "hosts = [\"a\"]", &[("ZERVER_HOSTS", "")]).unwrap();
        assert!(loaded.config.hosts.is_empty());
    }

    #[test]
    fn a_wrong_secret_is_not_told() {
        let value = std::os::unix::ffi::OsStringExt::from_vec(b"c4n4ry\xff".to_vec());
        let get = |name: &str| (name == "ZERVER_RECORD_TOKEN").then(|| OsString::clone(&value));
        let error = Layers::new(Config::default(), None, get).load().unwrap_err().to_string();
        assert_eq!(error, "ZERVER_RECORD_TOKEN: invalid recording.token: must be text");
    }

    #[test]
    fn what_differs_is_told_by_whether_it_can_change() {
        let load = |file| load(Config::default(), file, &[]).unwrap();
        let (before, after) = (load("workers = 2"), load("workers = 3\ndeadline = \"1s\"\nrules = []"));
        let expected = (vec!["deadline".to_owned()], vec!["workers".to_owned()]);
        assert_eq!(before.differences(&after), expected);
    }
}
