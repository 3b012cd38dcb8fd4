//! Values of settings: parsing, validation and formatting.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value as Json;
use zerver_engine::{ChaosRule, ChaosRuleError, Places};
use zerver_trace::duration::HumanDuration;

use super::egress::Destination;
use super::idempotency::KeyStore;
use super::list_syntax::{Wildcard, is_header_name, is_origin};
use super::mask::MASK;
use super::recording::Keep;
use super::settings::cores;
use crate::time::nanos;

/// Maximum number of threads. A larger number is assumed to be a mistake.
const MAX_WORKERS: usize = 1024;
/// Default directory of the store.
pub(crate) const STORE: &str = ".zerver";

/// A value as it is written in its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RawValue {
    One(String),
    Many(Vec<String>),
}

/// Reference to the value of a setting. The variant determines its syntax.
pub(super) enum Field<'c> {
    Address(&'c mut String),
    Hosts(&'c mut Vec<String>),
    /// Names of secrets.
    Names(&'c mut Vec<String>),
    /// Number of threads, and its minimum. `None` means one per core.
    Threads(&'c mut Option<usize>, usize),
    /// Number that is at least 1.
    Count(&'c mut usize),
    /// Maximum number; 0 means no limit.
    Max(&'c mut usize),
    /// Maximum number for each of several names.
    MaxPerName(&'c mut BTreeMap<String, usize>),
    Count16(&'c mut u16),
    Count32(&'c mut u32),
    /// Number; 0 turns a rule off.
    Max32(&'c mut u32),
    /// Number per second; 0 means no limit.
    Rate(&'c mut f64),
    Places(&'c mut Places),
    /// Hosts and address ranges.
    Destinations(&'c mut Vec<String>),
    Count64(&'c mut u64),
    /// In nanoseconds.
    Ns(&'c mut u64),
    Time(&'c mut Duration),
    OptionalTime(&'c mut Option<Duration>),
    /// In bytes.
    Size(&'c mut usize),
    OptionalSize(&'c mut Option<u64>),
    /// In thousandths.
    Share(&'c mut u16),
    Fraction(&'c mut f64),
    Path(&'c mut Option<String>),
    Flag(&'c mut bool),
    Keep(&'c mut Keep),
    KeyStore(&'c mut KeyStore),
    Directory(&'c mut Option<PathBuf>),
    File(&'c mut Option<PathBuf>),
    Secret(&'c mut Option<String>),
    ChaosRules(&'c mut Vec<ChaosRule>),
    /// Servers by the variables with their URLs.
    DevServers(&'c mut BTreeMap<String, String>),
    /// `None` for a random number.
    Seed(&'c mut Option<u64>),
    Files(&'c mut Vec<PathBuf>),
    Origins(&'c mut Vec<String>, Wildcard),
    HeaderNames(&'c mut Vec<String>, Wildcard),
    /// Value of a header.
    HeaderText(&'c mut Option<String>),
}

const ADDRESS: &str = "HOST:PORT, such as 127.0.0.1:3000";
const COUNT: &str = "a number, at least 1";
const COUNTS: &str = "a number for each name, such as http=64";
const TIME: &str = "a duration such as 10ms, 1.5s, 5m or 2d";
const OPTIONAL_TIME: &str = "a duration such as 36h or 7d, or off";
const RATE: &str = "a number of calls per second from 0.001 to 1000000; 0 means no limit";
const PLACES: &str = "a number (0 means no limit), auto, or shared";
const DESTINATIONS: &str =
    "a list of hosts and address ranges, such as *.example.com, api.example.com:443 or 10.0.0.0/8";
const CHAOS_RULES: &str = "a list of rules such as \"http GET rates..=timeout:10%\"";
/// Servers that `zerver dev` can start.
const SERVERS: [&str; 2] = ["postgres", "redis"];
const DEV_SERVERS: &str =
    "a server, postgres or redis, for each variable that gets its URL, such as DATABASE_URL = \"postgres\"";
const RANDOM: &str = "random";
const SIZE: &str = "a number of bytes, such as 65536, 64KiB or 1MiB";
const OPTIONAL_SIZE: &str = "a number of bytes, such as 512MiB or 1GiB, or off";

impl RawValue {
    fn one(&self) -> Option<&str> {
        match self {
            Self::One(text) => Some(text),
            Self::Many(_) => None,
        }
    }

    /// Items of a list, which may be separated by commas.
    fn list(&self) -> Vec<String> {
        match self {
            Self::Many(items) => items.clone(),
            Self::One(text) if text.trim().is_empty() => Vec::new(),
            Self::One(text) => text.split(',').map(|item| item.trim().to_owned()).collect(),
        }
    }

    /// Items of a list that contain commas. Each is on a line of its own.
    fn lines(&self) -> impl Iterator<Item = &str> {
        let (one, many) = match self {
            Self::One(text) => (Some(text), &[][..]),
            Self::Many(items) => (None, items.as_slice()),
        };
        let lines = one.into_iter().flat_map(|text| text.lines()).filter(|line| !line.trim().is_empty());
        lines.chain(many.iter().map(String::as_str))
    }

    #[cfg(test)]
    pub(super) fn from_json(json: &Json) -> Option<Self> {
        match json {
            Json::Null => None,
            Json::String(text) => Some(Self::One(text.clone())),
            Json::Array(items) => {
                Some(Self::Many(items.iter().filter_map(|item| Some(item.as_str()?.to_owned())).collect()))
            }
            other => Some(Self::One(other.to_string())),
        }
    }
}

impl Field<'_> {
    /// Sets the value.
    ///
    /// # Errors
    /// A description of valid values, which follows "must be".
    pub(super) fn set(self, raw: &RawValue) -> Result<(), Cow<'static, str>> {
        if let Self::ChaosRules(rules) = self {
            let parsed: Result<_, _> = raw.lines().map(str::parse).collect();
            *rules = parsed.map_err(|error: ChaosRuleError| format!("{CHAOS_RULES}; {error}"))?;
            return Ok(());
        }
        if let Self::Names(names) = self {
            *names = raw.list();
            let is_invalid = |name: &String| name.bytes().filter(u8::is_ascii_alphanumeric).count() < 3;
            let requirement = "a list of names with at least three letters or digits each";
            return if names.iter().any(is_invalid) { Err(requirement.into()) } else { Ok(()) };
        }
        if let Self::Hosts(hosts) = self {
            *hosts = raw.list();
            let is_invalid = |name: &String| name.is_empty() || name.contains([' ', '/']);
            return if hosts.iter().any(is_invalid) { Err("a list of host names".into()) } else { Ok(()) };
        }
        if let Self::Files(files) = self {
            *files = raw.list().into_iter().map(PathBuf::from).collect();
            let is_named = files.iter().all(|file| !file.as_os_str().is_empty());
            return if is_named { Ok(()) } else { Err("the path of a file, or a list of them".into()) };
        }
        if let Self::Origins(origins, wildcard) = self {
            *origins = raw.list();
            let is_valid = origins.iter().all(|item| is_origin(item, wildcard));
            return if is_valid { Ok(()) } else { Err(wildcard.origins().into()) };
        }
        if let Self::HeaderNames(names, wildcard) = self {
            *names = raw.list();
            let is_valid = names.iter().all(|item| is_header_name(item, wildcard));
            return if is_valid { Ok(()) } else { Err(wildcard.header_names().into()) };
        }
        if let Self::MaxPerName(counts) = self {
            let items: Vec<&str> = match raw {
                RawValue::Many(items) => items.iter().map(String::as_str).collect(),
                RawValue::One(text) => text.split(',').filter(|item| !item.trim().is_empty()).collect(),
            };
            let entry = |text: &str| {
                let (name, count) = text.split_once('=')?;
                Some((
                    Some(name.trim()).filter(|name| !name.is_empty())?.to_owned(),
                    count.trim().parse().ok()?,
                ))
            };
            *counts = items.into_iter().map(entry).collect::<Option<_>>().ok_or(COUNTS)?;
            return Ok(());
        }
        if let Self::DevServers(servers) = self {
            let items = raw.list();
            let entry = |text: &String| {
                let (name, server) = text.split_once('=')?;
                let (name, server) = (name.trim(), server.trim());
                let is_variable = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                    && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                let is_known = is_variable && SERVERS.contains(&server);
                is_known.then(|| (name.to_owned(), server.to_owned()))
            };
            *servers = items.iter().map(entry).collect::<Option<_>>().ok_or(DEV_SERVERS)?;
            return Ok(());
        }
        if let Self::Destinations(destinations) = self {
            *destinations = raw.list();
            let is_valid = |text: &String| Destination::parse(text).is_some();
            return if destinations.iter().all(is_valid) { Ok(()) } else { Err(DESTINATIONS.into()) };
        }
        let text = raw.one().map(str::trim);
        let is_off = matches!(text, Some("off" | "false"));
        let number = |requirement| text.and_then(|text| text.parse::<u64>().ok()).ok_or(requirement);
        let time = |requirement| {
            let span = text.and_then(|text| text.parse::<HumanDuration>().ok());
            span.filter(|span| span.ns > 0).map(|span| span.ns).ok_or(requirement)
        };
        match self {
            Self::Address(addr) => {
                let text = text.filter(|text| is_address(text)).ok_or(ADDRESS)?;
                text.clone_into(addr);
            }
            Self::Hosts(_)
            | Self::Names(_)
            | Self::MaxPerName(_)
            | Self::Destinations(_)
            | Self::ChaosRules(_)
            | Self::DevServers(_)
            | Self::Files(_)
            | Self::Origins(..)
            | Self::HeaderNames(..) => {}
            Self::HeaderText(value) if is_off => *value = None,
            Self::HeaderText(value) => {
                let is_value = |text: &&str| !text.is_empty() && http::HeaderValue::try_from(*text).is_ok();
                *value = Some(text.filter(is_value).ok_or("the value of a header, or off")?.to_owned());
            }
            Self::Seed(seed) if text == Some(RANDOM) => *seed = None,
            Self::Seed(seed) => *seed = Some(number("a number, or random")?),
            Self::Threads(threads, min) => {
                let requirement =
                    if min == 0 { "a number from 0 to 1024" } else { "a number from 1 to 1024" };
                let count = usize::try_from(number(requirement)?).map_err(|_| requirement)?;
                *threads = Some(count).filter(|count| (min..=MAX_WORKERS).contains(count));
                threads.ok_or(requirement)?;
            }
            Self::Count(count) => *count = at_least_1(usize::try_from(number(COUNT)?).ok())?,
            Self::Max(count) => {
                let requirement = "a number; 0 means no limit";
                *count = usize::try_from(number(requirement)?).map_err(|_| requirement)?;
            }
            Self::Count16(count) => *count = at_least_1(u16::try_from(number(COUNT)?).ok())?,
            Self::Max32(count) => {
                let requirement = "a number; 0 turns the rule off";
                *count = u32::try_from(number(requirement)?).map_err(|_| requirement)?;
            }
            Self::Rate(rate) => {
                let number = text.and_then(|text| text.parse::<f64>().ok());
                let is_rate = |rate: &f64| *rate == 0.0 || (0.001..=1e6).contains(rate);
                *rate = number.filter(is_rate).ok_or(RATE)?;
            }
            Self::Places(places) => {
                *places = match text {
                    Some("shared") => Places::Shared,
                    Some("auto") => Places::Auto,
                    _ => Places::Max(usize::try_from(number(PLACES)?).map_err(|_| PLACES)?),
                };
            }
            Self::Count32(count) => *count = at_least_1(u32::try_from(number(COUNT)?).ok())?,
            Self::Count64(count) => *count = at_least_1(Some(number(COUNT)?))?,
            Self::Ns(ns) => *ns = time(TIME)?,
            Self::Time(duration) => *duration = Duration::from_nanos(time(TIME)?),
            Self::OptionalTime(duration) if is_off => *duration = None,
            Self::OptionalTime(duration) => *duration = Some(Duration::from_nanos(time(OPTIONAL_TIME)?)),
            Self::Size(bytes) => {
                let size = text.and_then(size).and_then(|size| usize::try_from(size).ok());
                *bytes = size.ok_or(SIZE)?;
            }
            Self::OptionalSize(bytes) if is_off => *bytes = None,
            Self::OptionalSize(bytes) => *bytes = Some(text.and_then(size).ok_or(OPTIONAL_SIZE)?),
            Self::Share(share) => {
                let requirement = "a number of thousandths from 0 to 1000";
                let number = number(requirement)?;
                *share = u16::try_from(number).ok().filter(|share| *share <= 1000).ok_or(requirement)?;
            }
            Self::Fraction(fraction) => {
                let number = text.and_then(|text| text.parse::<f64>().ok());
                *fraction = number.filter(|n| (0.0..=1.0).contains(n)).ok_or("a number from 0 to 1")?;
            }
            Self::Path(path) if is_off => *path = None,
            Self::Path(path) => {
                let is_path = |text: &&str| text.starts_with('/') && !text.contains(['?', '#', ' ']);
                *path = Some(text.filter(is_path).ok_or("a path such as /healthz, or off")?.to_owned());
            }
            Self::Flag(flag) => {
                *flag = match text {
                    Some("true" | "1") => true,
                    Some("false" | "0") => false,
                    _ => return Err("true or false".into()),
                };
            }
            Self::Keep(keep) => {
                *keep = match text {
                    Some("all") => Keep::All,
                    Some("tail") => Keep::Tail,
                    Some("off" | "false") => Keep::Off,
                    _ => return Err("all, tail or off".into()),
                };
            }
            Self::KeyStore(store) => {
                *store = match text {
                    Some("kv") => KeyStore::Kv,
                    Some("sql") => KeyStore::Sql,
                    _ => return Err("kv or sql".into()),
                };
            }
            Self::Directory(folder) => {
                let text = text.filter(|text| !text.is_empty()).ok_or("the path of a directory")?;
                *folder = Some(PathBuf::from(text));
            }
            Self::File(file) => {
                let text = text.filter(|text| !text.is_empty()).ok_or("the path of a file")?;
                *file = Some(PathBuf::from(text));
            }
            Self::Secret(secret) => {
                *secret = Some(text.ok_or("text")?.to_owned()).filter(|secret| !secret.is_empty());
            }
        }
        Ok(())
    }

    /// Formats the value as it can be written in a settings file. Null if it has none.
    pub(super) fn show(self) -> Json {
        let off = || Json::from("off");
        let time = |duration: Duration| Json::from(HumanDuration { ns: nanos(duration) }.to_string());
        match self {
            Self::Address(addr) => addr.clone().into(),
            Self::Hosts(list)
            | Self::Names(list)
            | Self::Destinations(list)
            | Self::Origins(list, _)
            | Self::HeaderNames(list, _) => list.clone().into(),
            Self::Files(files) => files.iter().map(|file| Json::from(file.to_string_lossy())).collect(),
            Self::ChaosRules(rules) => rules.iter().map(|rule| Json::from(rule.as_str())).collect(),
            Self::DevServers(servers) => {
                servers.iter().map(|(name, server)| Json::from(format!("{name}={server}"))).collect()
            }
            Self::Seed(seed) => seed.map_or_else(|| RANDOM.into(), Json::from),
            Self::Threads(threads, _) => threads.unwrap_or_else(cores).into(),
            Self::Count(count) | Self::Max(count) => (*count).into(),
            Self::MaxPerName(counts) => {
                counts.iter().map(|(name, count)| Json::from(format!("{name}={count}"))).collect()
            }
            Self::Count16(count) => (*count).into(),
            Self::Count32(count) | Self::Max32(count) => (*count).into(),
            Self::Rate(rate) => (*rate).into(),
            Self::Places(Places::Shared) => "shared".into(),
            Self::Places(Places::Auto) => "auto".into(),
            Self::Places(Places::Max(places)) => (*places).into(),
            Self::Count64(count) => (*count).into(),
            Self::Ns(ns) => HumanDuration { ns: *ns }.to_string().into(),
            Self::Time(duration) => time(*duration),
            Self::OptionalTime(duration) => duration.map_or_else(off, time),
            Self::Size(bytes) => shown_size(*bytes as u64).into(),
            Self::OptionalSize(bytes) => bytes.map_or_else(off, |bytes| shown_size(bytes).into()),
            Self::Share(share) => (*share).into(),
            Self::Fraction(fraction) => (*fraction).into(),
            Self::Path(text) | Self::HeaderText(text) => text.clone().map_or_else(off, Json::from),
            Self::Flag(flag) => (*flag).into(),
            Self::Keep(Keep::All) => "all".into(),
            Self::Keep(Keep::Tail) => "tail".into(),
            Self::Keep(Keep::Off) => off(),
            Self::KeyStore(store) => store.to_string().into(),
            Self::Directory(folder) => {
                folder.as_ref().map_or_else(|| STORE.into(), |folder| folder.to_string_lossy().into())
            }
            Self::File(file) => file.as_ref().map_or(Json::Null, |file| file.to_string_lossy().into()),
            Self::Secret(secret) => secret.as_ref().map_or(Json::Null, |_| MASK.into()),
        }
    }

    /// Returns true if the value must not be shown.
    pub(super) const fn is_secret(&self) -> bool {
        matches!(self, Self::Secret(_))
    }

    /// Address of the value, which is different for each setting.
    #[cfg(test)]
    pub(super) fn address(self) -> usize {
        match self {
            Self::Address(at) => std::ptr::from_mut(at).addr(),
            Self::Hosts(at)
            | Self::Names(at)
            | Self::Destinations(at)
            | Self::Origins(at, _)
            | Self::HeaderNames(at, _) => std::ptr::from_mut(at).addr(),
            Self::Files(at) => std::ptr::from_mut(at).addr(),
            Self::Threads(at, _) => std::ptr::from_mut(at).addr(),
            Self::ChaosRules(at) => std::ptr::from_mut(at).addr(),
            Self::DevServers(at) => std::ptr::from_mut(at).addr(),
            Self::Seed(at) => std::ptr::from_mut(at).addr(),
            Self::Count(at) | Self::Max(at) | Self::Size(at) => std::ptr::from_mut(at).addr(),
            Self::MaxPerName(at) => std::ptr::from_mut(at).addr(),
            Self::Count16(at) => std::ptr::from_mut(at).addr(),
            Self::Count32(at) | Self::Max32(at) => std::ptr::from_mut(at).addr(),
            Self::Places(at) => std::ptr::from_mut(at).addr(),
            Self::Count64(at) | Self::Ns(at) => std::ptr::from_mut(at).addr(),
            Self::Time(at) => std::ptr::from_mut(at).addr(),
            Self::OptionalTime(at) => std::ptr::from_mut(at).addr(),
            Self::OptionalSize(at) => std::ptr::from_mut(at).addr(),
            Self::Share(at) => std::ptr::from_mut(at).addr(),
            Self::Fraction(at) | Self::Rate(at) => std::ptr::from_mut(at).addr(),
            Self::Path(at) | Self::Secret(at) | Self::HeaderText(at) => std::ptr::from_mut(at).addr(),
            Self::Flag(at) => std::ptr::from_mut(at).addr(),
            Self::Keep(at) => std::ptr::from_mut(at).addr(),
            Self::KeyStore(at) => std::ptr::from_mut(at).addr(),
            Self::Directory(at) | Self::File(at) => std::ptr::from_mut(at).addr(),
        }
    }
}

fn is_address(text: &str) -> bool {
    let parts = text.rsplit_once(':');
    parts.is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
}

fn at_least_1<T: PartialEq + Default>(count: Option<T>) -> Result<T, &'static str> {
    count.filter(|count| *count != T::default()).ok_or(COUNT)
}

const SIZES: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];

/// Parses a number of bytes with an optional unit. It must be at least 1.
pub(super) fn size(text: &str) -> Option<u64> {
    let unit = SIZES.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
    let (number, bytes) = unit.unwrap_or((text, 1));
    number.trim_end().parse::<u64>().ok()?.checked_mul(bytes).filter(|size| *size > 0)
}

fn shown_size(bytes: u64) -> String {
    match SIZES.iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit)) {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None => bytes.to_string(),
    }
}
