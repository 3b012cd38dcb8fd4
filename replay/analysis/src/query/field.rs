//! Fields of requests that queries name.

use zerver_trace::nearest_name;

/// A field of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Field {
    /// Path or flow: a word without a field.
    Word,
    Flow,
    Status,
    Method,
    Path,
    Host,
    Outcome,
    Class,
    Worker,
    Id,
    /// Time from the arrival of the head to the response.
    Took,
    Is,
    Since,
    Until,
    Build,
    Client,
    /// Time in run queues.
    Queued,
    /// Size of the response body.
    Size,
    RequestSize,
    Body,
    RequestBody,
    Header(String),
    ResponseHeader(String),
    /// Parameter of the query string.
    Query(String),
    /// Parameter of the path.
    Param(String),
    Slot {
        name: String,
        path: Vec<String>,
    },
    /// Name of a step that ran.
    Step,
    /// Run time of a step.
    StepTook(String),
    /// Kind of an effect that was requested.
    Effect,
    /// Summary of an effect of a kind.
    EffectText(String),
    EffectTook(String),
    EffectCount(String),
    /// Rule of chaos that injected a fault into an effect.
    Chaos,
}

/// Type of the values of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueType {
    Text,
    /// A number or a text.
    Any,
    Number,
    Duration,
    Time,
    Bytes,
    Status,
    State,
}

/// Fields with fixed names.
const FIXED: [(&str, Field); 24] = [
    ("flow", Field::Flow),
    ("status", Field::Status),
    ("method", Field::Method),
    ("path", Field::Path),
    ("host", Field::Host),
    ("outcome", Field::Outcome),
    ("class", Field::Class),
    ("worker", Field::Worker),
    ("id", Field::Id),
    ("took", Field::Took),
    ("is", Field::Is),
    ("since", Field::Since),
    ("until", Field::Until),
    ("build", Field::Build),
    ("client", Field::Client),
    ("queued", Field::Queued),
    ("size", Field::Size),
    ("request.size", Field::RequestSize),
    ("body", Field::Body),
    ("request.body", Field::RequestBody),
    ("step", Field::Step),
    ("effect", Field::Effect),
    ("chaos", Field::Chaos),
    ("word", Field::Word),
];

/// Beginnings of the names of fields that the request or the program names, with what follows.
const OPEN: [(&str, &str); 7] = [
    ("slot.", "NAME.FIELD"),
    ("header.", "NAME"),
    ("response.header.", "NAME"),
    ("query.", "NAME"),
    ("param.", "NAME"),
    ("step.", "NAME.took"),
    ("effect.", "KIND, effect.KIND.took or effect.KIND.count"),
];

/// Returns the names of the fields, as completion and documentation list them.
pub fn field_names() -> Vec<String> {
    let fixed = FIXED.iter().map(|(name, _)| (*name).to_owned());
    fixed.chain(OPEN.iter().map(|(start, rest)| format!("{start}{rest}"))).collect()
}

/// Returns the beginnings of terms: each field with the operator that is used most with it.
pub(super) fn field_starts() -> Vec<String> {
    let operator = |field: &Field| match field.value_type() {
        ValueType::Duration | ValueType::Bytes => '>',
        _ => ':',
    };
    let fixed = FIXED.iter().map(|(name, field)| format!("{name}{}", operator(field)));
    fixed.chain(OPEN.iter().map(|(start, _)| (*start).to_owned())).collect()
}

impl Field {
    /// Returns the field of this name.
    ///
    /// # Errors
    /// That there is none, with a suggestion.
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        if let Some((_, field)) = FIXED.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            return Ok(field.clone());
        }
        let open = OPEN.iter().find(|(start, _)| {
            name.get(..start.len()).is_some_and(|given| given.eq_ignore_ascii_case(start))
        });
        let Some((start, rest)) = open else {
            let names = FIXED
                .iter()
                .map(|(known, _)| *known)
                .chain(OPEN.iter().map(|(start, _)| start.trim_end_matches('.')));
            return Err(match nearest_name(name, names) {
                Some(near) => format!("there is no field {name}; did you mean {near}?"),
                None => format!("there is no field {name}; the fields are {}", field_names().join(" ")),
            });
        };
        let own = &name[start.len()..];
        if own.is_empty() {
            return Err(format!("write {start}{rest}"));
        }
        Ok(match *start {
            "slot." => {
                let mut parts = own.split('.').map(str::to_owned);
                let name = parts.next().unwrap_or_default();
                Self::Slot { name, path: parts.collect() }
            }
            "header." => Self::Header(own.to_owned()),
            "response.header." => Self::ResponseHeader(own.to_owned()),
            "query." => Self::Query(own.to_owned()),
            "param." => Self::Param(own.to_owned()),
            "step." => match own.strip_suffix(".took") {
                Some(step) => Self::StepTook(step.to_owned()),
                None => return Err(format!("write step:{own}, or step.{own}.took")),
            },
            _ => match (own.strip_suffix(".took"), own.strip_suffix(".count")) {
                (Some(kind), _) => Self::EffectTook(kind.to_owned()),
                (_, Some(kind)) => Self::EffectCount(kind.to_owned()),
                _ => Self::EffectText(own.to_owned()),
            },
        })
    }

    /// Returns true if a summary has the field.
    pub(super) const fn is_in_summary(&self) -> bool {
        matches!(
            self,
            Self::Word
                | Self::Flow
                | Self::Status
                | Self::Method
                | Self::Path
                | Self::Host
                | Self::Outcome
                | Self::Class
                | Self::Worker
                | Self::Id
                | Self::Took
                | Self::Is
                | Self::Since
                | Self::Until
        )
    }

    pub(super) const fn value_type(&self) -> ValueType {
        match self {
            Self::Status => ValueType::Status,
            Self::Worker | Self::EffectCount(_) => ValueType::Number,
            Self::Took | Self::Queued | Self::StepTook(_) | Self::EffectTook(_) => ValueType::Duration,
            Self::Since | Self::Until => ValueType::Time,
            Self::Size | Self::RequestSize => ValueType::Bytes,
            Self::Is => ValueType::State,
            Self::Header(_)
            | Self::ResponseHeader(_)
            | Self::Query(_)
            | Self::Param(_)
            | Self::Slot { .. } => ValueType::Any,
            _ => ValueType::Text,
        }
    }
}
