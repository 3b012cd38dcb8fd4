//! Rebuilds the inputs of a recorded request.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, Method, Uri, Version};
use zerver_engine::{Arrival, ReceivedBody, Request};
use zerver_trace::secret::Rule;
use zerver_trace::{Event, Header, Origin};

use crate::edits::edit_set::Edits;
use crate::missing_input::MissingInput;
use crate::recording::{Recording, Secrets};
use crate::replay_error::ReplayError;
use crate::report::{AppliedEdit, ReportedValue};

/// A request that can be run again.
pub(crate) struct ReplayInput {
    pub(crate) arrival: Arrival,
    pub(crate) received_ns: u64,
    /// Parts that are unknown, each with the reason. They are missing or incomplete in the request.
    pub(crate) unknown: Vec<MissingInput>,
    pub(crate) applied: Vec<AppliedEdit>,
}

impl ReplayInput {
    /// Leaves the body out, because an effect has read it.
    pub(crate) fn leave_out_body(&mut self) {
        self.unknown.retain(|missing| !matches!(missing, MissingInput::Body { .. }));
        let request = Arc::make_mut(&mut self.arrival.request);
        request.body.clear();
        request.received = Some(ReceivedBody::default());
    }
}

/// Reason why the request cannot be rebuilt.
pub(crate) enum InputError {
    Invalid(ReplayError),
    Unavailable(String),
    /// The flow no longer accepts such requests.
    RouteChanged,
}

/// Rebuilds the request. `route` adds its path parameters and returns false if the flow does not accept it.
pub(crate) fn input(
    recording: &Recording,
    edits: &Edits,
    route: &dyn Fn(&mut Request) -> bool,
    rule: &Rule,
) -> Result<ReplayInput, InputError> {
    let Recording { trace, secrets } = recording;
    let unavailable = |what: String| InputError::Unavailable(what);
    let mut unknown = Vec::new();
    let target = secrets.plain(&trace.target).map_err(|reason| unavailable(format!("the path: {reason}")))?;
    let target = target.root().as_bytes().unwrap_or_default().into_owned();
    let origin = match &trace.origin {
        Origin::Named(origin) => {
            let origin =
                secrets.plain(origin).map_err(|reason| unavailable(format!("the authority: {reason}")))?;
            origin.root().as_bytes().unwrap_or_default().into_owned()
        }
        Origin::Absent | Origin::NotRecorded => Vec::new(),
    };
    let mut request = Request {
        method: Method::from_bytes(trace.method.as_bytes())
            .map_err(|error| unavailable(format!("the method: {error}")))?,
        uri: uri(&origin, &target).map_err(|error| unavailable(format!("the path: {error}")))?,
        version: version(&trace.version),
        peer: trace.peer.parse().ok(),
        ..Request::default()
    };
    headers(&trace.request_headers, secrets, &mut request, &mut unknown);
    if trace.origin == Origin::NotRecorded
        && request.version == Version::HTTP_2
        && !request.headers.contains_key("host")
    {
        unknown.push(MissingInput::Authority { reason: "not recorded under an older schema".to_owned() });
    }
    let body = &trace.request_body;
    match secrets.plain(&body.bytes) {
        Ok(bytes) => {
            request.body = bytes.root().as_bytes().unwrap_or_default().into_owned().into();
            if body.kept_len < body.full_len {
                let reason = format!("{} of {} bytes were recorded", body.kept_len, body.full_len);
                unknown.push(MissingInput::Body { reason });
            }
        }
        Err(_) if body.full_len == 0 => {}
        Err(reason) => unknown.push(MissingInput::Body { reason: reason.to_string() }),
    }
    let applied = edit(&mut request, edits, &mut unknown, rule).map_err(InputError::Invalid)?;
    if !route(&mut request) {
        return Err(InputError::RouteChanged);
    }
    let received_ns = trace.events.iter().find_map(|event| match event {
        Event::BodyReceived { at_ns } => Some(*at_ns),
        _ => None,
    });
    let arrival = Arrival {
        request: Arc::new(request),
        id: trace.id,
        unix_ns: trace.started_unix_ns,
        seed: trace.seed,
    };
    Ok(ReplayInput { arrival, received_ns: received_ns.unwrap_or(0), unknown, applied })
}

fn headers(
    recorded: &[Header<zerver_trace::Recorded>],
    secrets: &Secrets,
    request: &mut Request,
    unknown: &mut Vec<MissingInput>,
) {
    for Header { name, value } in recorded {
        let known = secrets.plain(value).map_err(|reason| reason.to_string()).and_then(|value| {
            let root = value.root();
            let bytes = root.as_bytes().unwrap_or_default();
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?;
            let value = HeaderValue::from_bytes(&bytes).map_err(|error| error.to_string())?;
            Ok((name, value))
        });
        match known {
            Ok((name, value)) => drop(request.headers.append(name, value)),
            Err(reason) => unknown.push(MissingInput::Header { name: name.clone(), reason }),
        }
    }
}

fn edit(
    request: &mut Request,
    edits: &Edits,
    unknown: &mut Vec<MissingInput>,
    rule: &Rule,
) -> Result<Vec<AppliedEdit>, ReplayError> {
    let mut applied = Vec::new();
    let mut note = |what: String, from: Option<&[u8]>, to: &[u8], secret: bool| {
        let side = |bytes: &[u8]| match secret {
            true => ReportedValue::Secret,
            false => ReportedValue::text(String::from_utf8_lossy(bytes)),
        };
        let from = from.map_or(ReportedValue::Absent, side);
        applied.push(AppliedEdit { target: what, step: String::new(), from, to: side(to) });
    };
    for (name, value) in &edits.headers {
        let wrong = |error: &dyn std::fmt::Display| {
            ReplayError::new(format!("{name}={value} is no header")).because(error.to_string())
        };
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| wrong(&error))?;
        let value = HeaderValue::from_str(value).map_err(|error| wrong(&error))?;
        let authority = request.uri.authority().filter(|_| name == "host").map(|it| it.as_str().as_bytes());
        let before = authority.or_else(|| request.headers.get(&name).map(HeaderValue::as_bytes));
        note(format!("request header {name}"), before, value.as_bytes(), rule.is_header(name.as_str()));
        unknown.retain(|missing| !missing.is_header(name.as_str()));
        if name == "host" {
            unknown.retain(|missing| !matches!(missing, MissingInput::Authority { .. }));
            if request.uri.authority().is_some() {
                request.uri = with_authority(&request.uri, &value).map_err(|error| wrong(&*error))?;
                // HTTP/2 sends the authority once.
                if !request.headers.contains_key("host") {
                    continue;
                }
            }
        }
        request.headers.insert(name, value);
    }
    if let Some(body) = &edits.body {
        note("request body".to_owned(), Some(&request.body), body, false);
        unknown.retain(|missing| !matches!(missing, MissingInput::Body { .. }));
        request.body = body.clone().into();
        if request.headers.contains_key("content-length") {
            request.headers.insert("content-length", HeaderValue::from(body.len()));
        }
    }
    Ok(applied)
}

/// Returns the target as it arrived: a path, or a path with its origin.
fn uri(origin: &[u8], target: &[u8]) -> Result<Uri, Box<dyn std::error::Error>> {
    if origin.is_empty() {
        return Ok(target.try_into()?);
    }
    let mut parts = Uri::try_from(origin)?.into_parts();
    parts.path_and_query = Some(target.try_into()?);
    Ok(Uri::from_parts(parts)?)
}

/// Returns the target with another authority.
fn with_authority(uri: &Uri, authority: &HeaderValue) -> Result<Uri, Box<dyn std::error::Error>> {
    let mut parts = uri.clone().into_parts();
    parts.authority = Some(authority.as_bytes().try_into()?);
    Ok(Uri::from_parts(parts)?)
}

fn version(text: &str) -> Version {
    match text {
        "HTTP/0.9" => Version::HTTP_09,
        "HTTP/1.0" => Version::HTTP_10,
        "HTTP/2.0" => Version::HTTP_2,
        _ => Version::HTTP_11,
    }
}
