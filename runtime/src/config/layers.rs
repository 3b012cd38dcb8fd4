//! Merges the layers of settings: the program, the file and the environment. They are merged again whenever the file is
//! reloaded.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use zerver_engine::service_docs::{SettingDoc, SettingSource};
use zerver_engine::{SettingError, TargetPolicy};
use zerver_recorder::regular_file;

use super::field::RawValue;
use super::file::{self, TargetValue};
use super::key::{KEYS, Key, RULES};
use super::settings::Config;
use super::target_keys::{self, TARGET_KEYS};
use crate::StartError;
use crate::scheduler::{ClassRule, TargetSettings};

/// Maximum length of a settings file, in bytes.
const MAX_LEN: u64 = 1 << 20;

/// Sources of settings, in ascending order of precedence.
#[derive(Debug)]
pub(crate) struct Layers {
    /// Settings made by the program.
    program: Config,
    file: Option<PathBuf>,
    environment: Vec<(Key, OsString)>,
}

/// Source of each setting that is not at its default, and the place within that source.
type Sources = BTreeMap<String, (SettingSource, Option<String>)>;

/// Merged settings.
#[derive(Debug, Clone)]
pub(crate) struct LoadedSettings {
    pub(crate) config: Config,
    pub(crate) file: Option<PathBuf>,
    sources: Sources,
}

impl Layers {
    /// Collects the sources. `file` is the settings file, whether it was named or found. `get` returns the value of an
    /// environment variable.
    pub(crate) fn new(
        program: Config,
        file: Option<PathBuf>,
        get: impl Fn(&str) -> Option<OsString>,
    ) -> Self {
        let environment = KEYS.iter().filter_map(|key| Some((*key, get(&key.variable())?))).collect();
        Self { program, file, environment }
    }

    /// Reads the file and merges the layers.
    ///
    /// # Errors
    /// The first invalid value, with its place and the valid values.
    pub(crate) fn load(&self) -> Result<LoadedSettings, StartError> {
        let mut config = self.program.clone();
        let mut sources = self.program_sources();
        let targets = match &self.file {
            Some(path) => self.apply_file(path, &mut config, &mut sources)?,
            None => Vec::new(),
        };
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
                        requirement: requirement.into_owned(),
                    },
                }
            })?;
            sources.insert(key.name.to_owned(), (SettingSource::Environment, Some(key.variable())));
        }
        // Last, because a target has the settings of all others unless its own differ.
        self.apply_targets(targets, &mut config, &mut sources)?;
        check_features(&mut config, &sources)?;
        if let Err(error) = config.scheduling.check() {
            return Err(inconsistent(error, &mut config, &sources));
        }
        Ok(LoadedSettings { config, file: self.file.clone(), sources })
    }

    /// Applies the file, except for the settings of single targets, which it returns.
    fn apply_file(
        &self,
        path: &Path,
        config: &mut Config,
        sources: &mut Sources,
    ) -> Result<Vec<TargetValue>, StartError> {
        let shown = path.display();
        let unreadable = |reason: String| StartError::ConfigFile { path: path.to_owned(), reason };
        let text = regular_file::read_text(path, MAX_LEN).map_err(|error| unreadable(error.to_string()))?;
        let invalid = |line, reason| StartError::Setting { place: format!("{shown}:{line}"), reason };
        let file = file::read(&text).map_err(|error| invalid(error.line, error.reason))?;
        for (key, line, raw) in file.values {
            key.field(config).set(&raw).map_err(|requirement| {
                invalid(line, format!("invalid {}: must be {requirement}", key.name))
            })?;
            sources.insert(key.name.to_owned(), (SettingSource::File, Some(format!("{shown}:{line}"))));
            // A relative path is relative to the settings file, not to the working directory.
            let Some(folder) = path.parent() else { continue };
            match (key.name, &mut config.recording.store) {
                ("recording.store", Some(store)) => *store = folder.join(&*store),
                ("tls.cert", _) => config.tls.cert.iter_mut().for_each(|file| *file = folder.join(&*file)),
                ("tls.key", _) => config.tls.key.iter_mut().for_each(|file| *file = folder.join(&*file)),
                _ => {}
            }
        }
        if let Some((line, rules)) = file.rules {
            config.rules = rules;
            sources.insert(RULES.name.to_owned(), (SettingSource::File, Some(format!("{shown}:{line}"))));
        }
        Ok(file.targets)
    }

    fn apply_targets(
        &self,
        values: Vec<TargetValue>,
        config: &mut Config,
        sources: &mut Sources,
    ) -> Result<(), StartError> {
        let TargetSettings { default, named } = &mut config.targets;
        for TargetValue { target, name, line, raw } in values {
            let shown = self.file.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
            let key = target_keys::full_key(&target, name);
            let policy = named.entry(target).or_insert_with(|| default.clone());
            target_keys::field(name, policy).set(&raw).map_err(|requirement| StartError::Setting {
                place: format!("{shown}:{line}"),
                reason: format!("invalid {key}: must be {requirement}"),
            })?;
            sources.insert(key, (SettingSource::File, Some(format!("{shown}:{line}"))));
        }
        Ok(())
    }

    /// Sources of the settings of the program, which are those that differ from their defaults.
    fn program_sources(&self) -> Sources {
        let (mut program, mut default) = (self.program.clone(), Config::default());
        let is_set = |key: &&Key| key.field(&mut program).show() != key.field(&mut default).show();
        let mut sources: Sources = KEYS
            .iter()
            .filter(is_set)
            .map(|key| (key.name.to_owned(), (SettingSource::Program, None)))
            .collect();
        if !self.program.rules.is_empty() {
            sources.insert(RULES.name.to_owned(), (SettingSource::Program, None));
        }
        let mut default = TargetPolicy::default();
        for (target, policy) in &mut program.targets.named {
            for name in TARGET_KEYS {
                if target_keys::field(name, policy).show() != target_keys::field(name, &mut default).show() {
                    sources.insert(target_keys::full_key(target, name), (SettingSource::Program, None));
                }
            }
        }
        sources
    }
}

/// Checks that no setting has a value that the program cannot act on because a Cargo feature is missing.
fn check_features(config: &mut Config, sources: &Sources) -> Result<(), StartError> {
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

/// Error for values that are inconsistent with each other. Contains all of these values, and the place of one of them.
fn inconsistent(error: SettingError, config: &mut Config, sources: &Sources) -> StartError {
    let (section, name) = error.key.split_once('.').unwrap_or(("", &error.key));
    let is_related = |key: &&Key| match (name, key.name.split_once('.')) {
        ("target", Some(related)) => related == (section, "interval"),
        ("times", Some(related)) => related == (section, "of"),
        (_, Some((_, related))) => related == name && section.is_empty(),
        (_, None) => false,
    };
    let reported = KEYS.iter().filter(|key| key.name == error.key);
    let keys: Vec<_> = reported.chain(KEYS.iter().filter(is_related)).collect();
    let place = keys.iter().find_map(|key| sources.get(key.name)?.1.clone());
    let value = |key: &&Key| match key.field(config).show() {
        Json::String(text) => format!("{} is {text}", key.name),
        other => format!("{} is {other}", key.name),
    };
    let values: Vec<_> = keys.iter().map(value).collect();
    match place {
        Some(place) => StartError::Setting { place, reason: format!("{error}; {}", values.join(", ")) },
        None => StartError::Scheduling(error),
    }
}

impl LoadedSettings {
    /// Returns the place of the value of this key: file and line, or the variable.
    pub(crate) fn place(&self, key: &str) -> Option<&str> {
        self.sources.get(key)?.1.as_deref()
    }

    /// Returns true if any source sets this key.
    pub(crate) fn is_set_anywhere(&self, key: &str) -> bool {
        self.sources.contains_key(key)
    }

    /// Lists all settings with their values and sources.
    pub(crate) fn document(&self) -> Vec<SettingDoc> {
        let mut config = self.config.clone();
        let mut document = |key: Key| {
            let value = match key {
                RULES => self.config.rules.iter().map(ClassRule::document).collect::<Vec<Json>>().into(),
                _ => key.field(&mut config).show(),
            };
            let (source, location) =
                self.sources.get(key.name).cloned().unwrap_or((SettingSource::Default, None));
            SettingDoc { key: key.name.to_owned(), value, source, location, is_reloadable: key.is_reloadable }
        };
        let mut documents: Vec<_> = KEYS.iter().chain([&RULES]).map(|key| document(*key)).collect();
        documents.extend(self.target_documents());
        documents
    }

    /// Lists what the settings of single targets say.
    fn target_documents(&self) -> Vec<SettingDoc> {
        let mut targets = self.config.targets.clone();
        let of_target = |(target, policy): (&String, &mut TargetPolicy)| {
            let document = |name: &&str| {
                let key = target_keys::full_key(target, name);
                let (source, location) = self.sources.get(&key)?.clone();
                let value = target_keys::field(name, policy).show();
                Some(SettingDoc { key, value, source, location, is_reloadable: true })
            };
            TARGET_KEYS.iter().filter_map(document).collect::<Vec<_>>()
        };
        targets.named.iter_mut().flat_map(of_target).collect()
    }

    /// Returns the keys whose values differ in `other`: first those that can change while the service runs, then the
    /// rest.
    pub(crate) fn differences(&self, other: &Self) -> (Vec<String>, Vec<String>) {
        let mut others: BTreeMap<String, SettingDoc> =
            other.document().into_iter().map(|doc| (doc.key.clone(), doc)).collect();
        let mut changed = self.document();
        changed.retain(|doc| others.remove(&doc.key).is_none_or(|other| other.value != doc.value));
        // A target that only the other settings name.
        changed.extend(others.into_values());
        let (reloadable, fixed): (Vec<_>, Vec<_>) = changed.into_iter().partition(|doc| doc.is_reloadable);
        let names = |docs: Vec<SettingDoc>| docs.into_iter().map(|doc| doc.key).collect();
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
    fn each_layer_overrides_the_layers_below() {
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
        let document = loaded.document();
        let source = |key: &str| {
            let doc = document.iter().find(|doc| doc.key == key).unwrap();
            let line = doc.location.as_deref().and_then(|place| place.rsplit(['/', ':']).next());
            (doc.source, line.map(str::to_owned))
        };
        assert_eq!(source("workers"), (SettingSource::Environment, Some("ZERVER_WORKERS".to_owned())));
        assert_eq!(source("deadline"), (SettingSource::File, Some("2".to_owned())));
        assert_eq!(source("batch.quantum"), (SettingSource::File, Some("5".to_owned())));
        assert_eq!(source("limits.body_bytes"), (SettingSource::Program, None));
        assert_eq!(source("limits.head"), (SettingSource::Default, None));
    }

    #[test]
    fn paths_in_the_file_are_relative_to_it() {
        let file =
            "[tls]\ncert = [\"a.crt\", \"/etc/b.crt\"]\nkey = \"keys/a.key\"\n[recording]\nstore = \"s\"\n";
        let loaded = load(Config::default(), file, &[]).unwrap();
        let folder = loaded.file.as_deref().and_then(Path::parent).unwrap();
        let (tls, recording) = (&loaded.config.tls, &loaded.config.recording);
        assert_eq!(tls.cert, [folder.join("a.crt"), Path::new("/etc/b.crt").to_owned()]);
        assert_eq!(
            (tls.key.as_slice(), recording.store.clone()),
            (&[folder.join("keys/a.key")][..], Some(folder.join("s")))
        );
        let variable = load(Config::default(), "", &[("ZERVER_TLS_CERT", "a.crt")]).unwrap();
        assert_eq!(variable.config.tls.cert, [Path::new("a.crt")], "to the working directory");
    }

    #[test]
    fn a_target_has_the_settings_of_all_others_unless_its_own_differ() {
        let mut program = Config::default();
        let own = TargetPolicy { attempts: 7, failures: 9, ..TargetPolicy::default() };
        program.targets.named.insert("code:1".to_owned(), own);
        let file = "[targets.\"a.example.com:443\"]\nattempts = 3\nplaces = \"auto\"\n[targets.default]\n\
                    timeout = \"2s\"\nrate = 1.5\n[targets.\"code:1\"]\nattempts = 2\n";
        let loaded = load(program.clone(), file, &[("ZERVER_TARGETS_DEFAULT_BURST", "4")]).unwrap();
        let targets = &loaded.config.targets;
        let default = TargetPolicy {
            timeout: Some(Duration::from_secs(2)),
            rate: 1.5,
            burst: 4,
            ..TargetPolicy::default()
        };
        assert_eq!(targets.default, default);
        assert_eq!(
            *targets.policy("a.example.com:443"),
            TargetPolicy { attempts: 3, places: zerver_engine::Places::Auto, ..default.clone() }
        );
        let code = targets.policy("code:1");
        assert_eq!(
            (code.attempts, code.failures, code.burst),
            (2, 9, 1),
            "the program named all of its settings"
        );
        assert_eq!(*targets.policy("other:1"), default);
        let document = loaded.document();
        let of = |key: &str| {
            let doc = document.iter().find(|doc| doc.key == key);
            doc.map(|doc| (doc.value.to_string(), doc.source, doc.is_reloadable))
        };
        let of_target = of("targets.\"a.example.com:443\".places").unwrap();
        assert_eq!(of_target, ("\"auto\"".to_owned(), SettingSource::File, true));
        assert_eq!(
            of("targets.\"a.example.com:443\".rate"),
            None,
            "only what a target says itself is listed"
        );
        assert_eq!(of("targets.\"code:1\".failures").unwrap().1, SettingSource::Program);
        assert_eq!(of("targets.default.rate").unwrap().0, "1.5");
        // A reload names what changes, also if a section comes or goes.
        let without =
            load(program, "[targets.default]\ntimeout = \"2s\"\nrate = 1.5\nburst = 4\n", &[]).unwrap();
        let changed = ["targets.\"a.example.com:443\".attempts", "targets.\"a.example.com:443\".places"];
        let (reloadable, fixed) = without.differences(&loaded);
        assert_eq!((reloadable[1..].to_vec(), fixed), (changed.map(str::to_owned).to_vec(), Vec::new()));
    }

    #[test]
    fn an_invalid_setting_of_a_target_is_reported_with_its_line() {
        check(
            "[targets.\"a.com:1\"]\ntimeot = 1",
            "/zerver.toml:2: unknown setting targets.\"a.com:1\".timeot; did you mean timeout?",
        );
        check(
            "\n[targets.\"a.com:1\"]\nplaces = \"many\"",
            "/zerver.toml:3: invalid targets.\"a.com:1\".places: must be a number (0 means no limit), auto, or shared",
        );
        for name in ["a.com", "A.com:1", "", "a b:1", "http://a.com:1"] {
            let rule = "must be a host and port in lower case, such as \"rates.example.com:443\"";
            check(
                &format!("[targets.\"{name}\"]\nattempts = 1"),
                &format!("/zerver.toml:1: invalid target {name}: {rule}"),
            );
        }
        for (setting, rule) in [
            (
                "rate = -1",
                "rate: must be a number of calls per second from 0.001 to 1000000; 0 means no limit",
            ),
            ("attempts = 0", "attempts: must be a number, at least 1"),
            ("retry_budget = 2", "retry_budget: must be a number from 0 to 1"),
            ("failures = true", "failures: must be a number; 0 turns the rule off"),
            ("open = \"0s\"", "open: must be a duration such as 10ms, 1.5s, 5m or 2d"),
        ] {
            check(
                &format!("[targets.default]\n{setting}"),
                &format!("/zerver.toml:2: invalid targets.default.{rule}"),
            );
        }
        check(
            "[egress]\nallow = [\"10.0.0.0/40\"]",
            "/zerver.toml:2: invalid egress.allow: must be a list of hosts and address ranges, such as \
             *.example.com, api.example.com:443 or 10.0.0.0/8",
        );
        check("targets = 3", "/zerver.toml:1: targets is a section, not a value: write [targets]");
    }

    #[test]
    fn an_invalid_file_is_reported_with_its_line_and_the_valid_values() {
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
        check(
            "deadline = 2026-01-01",
            "/zerver.toml:1: invalid deadline: must be text, a number, true or false, not a date",
        );
        check(
            "[batch]\ninterval = \"1s\"\ntarget = \"2s\"",
            "/zerver.toml:3: invalid batch.target: must be no longer than batch.interval; batch.target is 2s, \
             batch.interval is 1s",
        );
        check(
            "[batch]\ninterval = \"1s\"",
            "/zerver.toml:2: invalid batch.target: must be no longer than batch.interval; batch.target is 5s, \
             batch.interval is 1s",
        );
        check(
            "[overruns]\nof = 4",
            "/zerver.toml:2: invalid overruns.times: must be from 1 to 10000, and at most overruns.of; \
             overruns.times is 8, overruns.of is 4",
        );
        check(
            "[default]\nshare = 990",
            "/zerver.toml:2: invalid share: must be at most 1000 thousandths for interactive, default and batch together; \
             interactive.share is 0, default.share is 990, batch.share is 50",
        );
    }

    #[test]
    fn rules_are_read_and_invalid_ones_reported() {
        let file = "[[rules]]\npath = \"/r/\"\nclass = \"batch\"\n\n[[rules]]\nrequested_in = \"x-class\"\ntoken = \"t\"\n\n\
             [[rules]]\nheader = \"x-api-key\"\nvalue = \"k\"\nclass = \"interactive\"\n";
        let loaded = load(Config::default(), file, &[]).unwrap();
        let rules = loaded.document().pop().unwrap();
        let expected = serde_json::json!([
            { "path": "/r/", "class": "batch" },
            { "requested_in": "x-class", "token": "●●●●" },
            { "header": "x-api-key", "value": "●●●●", "class": "interactive" },
        ]);
        assert_eq!(rules.value, expected);
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
    fn an_invalid_variable_is_reported_with_the_valid_values() {
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
    fn an_empty_variable_clears_a_list() {
        let loaded = load(Config::default(), "hosts = [\"a\"]", &[("ZERVER_HOSTS", "")]).unwrap();
        assert!(loaded.config.hosts.is_empty());
    }

    #[test]
    fn an_invalid_secret_is_not_shown() {
        let value = std::os::unix::ffi::OsStringExt::from_vec(b"c4n4ry\xff".to_vec());
        let get = |name: &str| (name == "ZERVER_RECORD_TOKEN").then(|| OsString::clone(&value));
        let error = Layers::new(Config::default(), None, get).load().unwrap_err().to_string();
        assert_eq!(error, "ZERVER_RECORD_TOKEN: invalid recording.token: must be text");
    }

    #[test]
    fn differences_are_split_into_reloadable_and_fixed_keys() {
        let load = |file| load(Config::default(), file, &[]).unwrap();
        let (before, after) = (load("workers = 2"), load("workers = 3\ndeadline = \"1s\"\nrules = []"));
        let expected = (vec!["deadline".to_owned()], vec!["workers".to_owned()]);
        assert_eq!(before.differences(&after), expected);
    }
}
