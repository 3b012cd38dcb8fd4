//! Selectors of a single trace, as given on the command line.

use std::fmt;
use std::str::FromStr;

use crate::IdPrefix;

/// A selector of one trace, as given on the command line. The relative selectors take an optional flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TraceSelector {
    /// An id, or a unique prefix of one.
    Id(IdPrefix),
    /// `@last`: the newest request.
    Last(Option<String>),
    /// `@slowest`: the slowest request that succeeded.
    Slowest(Option<String>),
    /// `@fastest`: the fastest request that succeeded.
    Fastest(Option<String>),
    /// `@failed`: the newest request that failed.
    Failed(Option<String>),
}

impl FromStr for TraceSelector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(word) = text.strip_prefix('@') else {
            return text
                .parse()
                .map(Self::Id)
                .map_err(|error| format!("not a request id: {text:?}: {error}"));
        };
        let (word, flow) = match word.split_once(':') {
            Some((word, flow)) => (word, Some(flow.to_owned())),
            None => (word, None),
        };
        match word {
            "last" => Ok(Self::Last(flow)),
            "slowest" => Ok(Self::Slowest(flow)),
            "fastest" => Ok(Self::Fastest(flow)),
            "failed" => Ok(Self::Failed(flow)),
            _ => Err(format!(
                "unknown selector @{word}; use @last, @slowest, @fastest or @failed, each also as @last:FLOW"
            )),
        }
    }
}

impl fmt::Display for TraceSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, flow) = match self {
            Self::Id(prefix) => return fmt::Display::fmt(prefix, f),
            Self::Last(flow) => ("@last", flow),
            Self::Slowest(flow) => ("@slowest", flow),
            Self::Fastest(flow) => ("@fastest", flow),
            Self::Failed(flow) => ("@failed", flow),
        };
        f.write_str(word)?;
        flow.as_ref().map_or(Ok(()), |flow| write!(f, ":{flow}"))
    }
}
