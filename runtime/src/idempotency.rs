//! Idempotent requests: steps that `flow!(.., idempotent)` inserts before those of the flow. They answer a repeated request
//! with the response of the first, which the key-value store keeps. They perform ordinary effects, so that replays know
//! them.
//!
//! A client names a request with the header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07): a quoted
//! string, or the bare text. The documentation has a guide.

use std::any::TypeId;
use std::marker::PhantomData;
use std::time::Duration;

use ::http::StatusCode;
use serde::{Deserialize, Serialize};
use zerver_engine::Decision::{Continue, Done, Need};
use zerver_engine::{
    Decision, Effect, Failure, FailureKind, IntoDecision, ReadDesc, Request, RequestEnd, Response, Slot,
    SlotDesc, Step, StepDesc, StepInput,
};

use crate::effects::kv;

/// Time for which the response to a key is kept.
pub const KEEP: Duration = Duration::from_secs(24 * 60 * 60);

/// Time after which a request that has not ended counts as lost, so that its key can be used again.
pub const RUNNING_FOR: Duration = Duration::from_secs(5 * 60);

/// Maximum length of a body that is kept.
pub const MAX_BODY: usize = 1 << 20;

/// Maximum length of a key, in bytes.
pub const MAX_KEY_LEN: usize = 255;

const HEADER: &str = "idempotency-key";

/// Header of a response that was kept.
const REPLAYED: &str = "idempotency-replayed";

/// Headers that are not kept: they belong to the first client, or to one message.
const NOT_KEPT: [&str; 5] = ["set-cookie", "date", "connection", "transfer-encoding", "content-length"];

/// Entry of the store for a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    /// Hash of the method, the target and the body of the first request.
    fingerprint: String,
    /// `None` while the first request runs.
    kept: Option<Kept>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    status: u16,
    headers: Vec<(String, String)>,
    /// `None` if the body was too long.
    body: Option<Body>,
}

/// A body, as text if it is one, so that it can be read in a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Body {
    Text(String),
    Bytes(Vec<u8>),
}

/// The key of a request, and what the store knew about it. A slot of every idempotent flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdempotencyKey(Claim);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Claim {
    /// The request has no key.
    NoKey,
    /// The request is the first with its key.
    New,
    /// The key was used with another request.
    OtherRequest,
    /// The first request with this key is still running.
    Running,
    /// The first request with this key has ended.
    Known(Kept),
}

impl Slot for IdempotencyKey {
    const DESC: SlotDesc = SlotDesc {
        name: "IdempotencyKey",
        path: "zerver::idempotency::IdempotencyKey",
        is_secret: false,
        is_builtin: false,
        type_id: TypeId::of::<Self>,
    };
}

/// Whose keys are distinguished.
pub trait Scope: 'static {
    /// The slots that the scope reads.
    const READS: &'static [ReadDesc];
    /// Returns a text that is different for different owners of keys.
    ///
    /// # Errors
    /// If the slot cannot be serialized.
    fn owner(input: &StepInput<'_>) -> Result<String, Failure>;
}

/// All clients share their keys.
#[derive(Debug)]
pub enum Anyone {}

const REQUEST: ReadDesc = ReadDesc { slot: <Request as Slot>::DESC, is_optional: false };

impl Scope for Anyone {
    const READS: &'static [ReadDesc] = &[REQUEST];

    fn owner(_: &StepInput<'_>) -> Result<String, Failure> {
        Ok(String::new())
    }
}

/// Each value of a slot, such as the id of a user, has its own keys.
#[derive(Debug)]
pub struct BySlot<S>(PhantomData<S>);

impl<S: Slot + Serialize> Scope for BySlot<S> {
    const READS: &'static [ReadDesc] = &[REQUEST, ReadDesc { slot: S::DESC, is_optional: false }];

    fn owner(input: &StepInput<'_>) -> Result<String, Failure> {
        let text = serde_json::to_vec(input.read::<S>(1));
        // Hashed, because the key is recorded and the owner may be a secret.
        text.map(|text| blake3::hash(&text).to_hex()[..32].to_owned())
            .map_err(|error| Failure::internal(HEADER).because(&error))
    }
}

/// The step that claims the key of the request, and reads what is known about it.
#[derive(Debug)]
pub struct ClaimKey<S, const REQUIRED: bool>(PhantomData<S>);

impl<S: Scope, const REQUIRED: bool> Step for ClaimKey<S, REQUIRED> {
    const DESC: StepDesc = StepDesc {
        name: "claim_idempotency_key",
        doc: "Claims the key of the request, and reads what is known about it.",
        file: file!(),
        line: line!(),
        reads: S::READS,
        writes: <Decision<IdempotencyKey> as IntoDecision>::WRITES,
        is_final: false,
        run: |input| claim(input, S::owner, REQUIRED).into_decision(),
    };
}

/// The step that answers a request whose key is known.
#[derive(Debug)]
pub enum AnswerKnownKey {}

impl Step for AnswerKnownKey {
    const DESC: StepDesc = StepDesc {
        name: "answer_known_key",
        doc: "Answers a request whose idempotency key is known.",
        file: file!(),
        line: line!(),
        reads: &[ReadDesc { slot: IdempotencyKey::DESC, is_optional: false }],
        writes: <Decision<()> as IntoDecision>::WRITES,
        is_final: false,
        run: |input| answer(input.read::<IdempotencyKey>(0)).into_decision(),
    };
}

fn claim(
    input: &StepInput<'_>,
    owner: fn(&StepInput<'_>) -> Result<String, Failure>,
    is_required: bool,
) -> Result<Decision<IdempotencyKey>, Failure> {
    let request = input.read::<Request>(0);
    let Some(key) = key(request)? else {
        return match is_required {
            true => Err(Failure::invalid(HEADER).message("this request needs the header Idempotency-Key")),
            false => Ok(Continue(IdempotencyKey(Claim::NoKey))),
        };
    };
    let key = kv::Key::from("zerver-idempotency").with(owner(input)?).with(key);
    let fingerprint = fingerprint(request);
    let entry = Entry { fingerprint: fingerprint.clone(), kept: None };
    let claimed = kv::expires_in(RUNNING_FOR).put_if_absent(key.clone(), entry);
    Ok(Need(claimed.and_then(move |put| {
        match put {
            kv::Put::Stored => Effect::ready(IdempotencyKey(Claim::New))
                .conclude(move |_, end| conclude(&key, &fingerprint, end)),
            kv::Put::Existing(entry) => Effect::ready(IdempotencyKey(match entry.kept {
                _ if entry.fingerprint != fingerprint => Claim::OtherRequest,
                None => Claim::Running,
                Some(kept) => Claim::Known(kept),
            })),
        }
    })))
}

fn answer(key: &IdempotencyKey) -> Result<Decision<()>, Failure> {
    match &key.0 {
        Claim::NoKey | Claim::New => Ok(Continue(())),
        Claim::OtherRequest => {
            Err(Failure::unprocessable(HEADER).message("this key was used with another request"))
        }
        Claim::Running => Err(Failure::new(FailureKind::Conflict, HEADER)
            .message("the first request with this key is still running")
            .retry_after(1)),
        Claim::Known(kept) => Ok(Done(kept.response()?)),
    }
}

/// Keeps the response of the first request. A server error is not kept, so that the client can try again, unless the
/// request left something behind that it should have undone.
fn conclude(key: &kv::Key, fingerprint: &str, end: RequestEnd<'_>) -> Effect<()> {
    let kept = end.response.filter(|response| end.is_not_undone || response.status.as_u16() < 500);
    match kept {
        Some(response) => {
            let entry = Entry { fingerprint: fingerprint.to_owned(), kept: Some(Kept::new(response)) };
            kv::expires_in(KEEP).put(key.clone(), entry)
        }
        None => kv::delete(key.clone()).map(|_| ()),
    }
}

/// Returns the key of a request, if it has one.
fn key(request: &Request) -> Result<Option<String>, Failure> {
    let invalid = |why: &str| Failure::invalid(HEADER).message(why);
    let mut values = request.headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(invalid("there is more than one Idempotency-Key"));
    }
    let text = value.to_str().map_err(|_| invalid("the Idempotency-Key is not ASCII"))?.trim();
    let key = match text.strip_prefix('"') {
        Some(quoted) => {
            unquoted(quoted).ok_or_else(|| invalid("the Idempotency-Key is not a quoted string"))?
        }
        None => text.to_owned(),
    };
    if key.is_empty() || key.len() > MAX_KEY_LEN {
        return Err(invalid("an Idempotency-Key has 1 to 255 characters"));
    }
    Ok(Some(key))
}

/// Returns the content of a string of RFC 8941, section 3.3.3, without its first quote.
fn unquoted(text: &str) -> Option<String> {
    let mut content = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return chars.as_str().is_empty().then_some(content),
            '\\' => content.push(chars.next().filter(|escaped| matches!(escaped, '"' | '\\'))?),
            char => content.push(char),
        }
    }
}

fn fingerprint(request: &Request) -> String {
    let mut hasher = blake3::Hasher::new();
    let target = request.uri.path_and_query().map_or("/", |target| target.as_str());
    for part in [request.method.as_str().as_bytes(), target.as_bytes(), &request.body[..]] {
        // The lengths keep the parts apart.
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

impl Kept {
    fn new(response: &Response) -> Self {
        let headers = response.headers.iter().filter(|(name, _)| !NOT_KEPT.contains(&name.as_str()));
        let header = |(name, value): (&::http::HeaderName, &::http::HeaderValue)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        let body = (response.body.len() <= MAX_BODY).then(|| match str::from_utf8(&response.body) {
            Ok(text) => Body::Text(text.to_owned()),
            Err(_) => Body::Bytes(response.body.to_vec()),
        });
        Self { status: response.status.as_u16(), headers: headers.filter_map(header).collect(), body }
    }

    fn response(&self) -> Result<Response, Failure> {
        let Some(body) = &self.body else {
            let message =
                "the first request with this key has ended, but its response was too long to be kept";
            return Err(Failure::new(FailureKind::Conflict, HEADER).message(message));
        };
        let status = StatusCode::from_u16(self.status);
        let mut response = Response::new(status.map_err(|error| Failure::internal(HEADER).because(&error))?);
        for (name, value) in &self.headers {
            response = response.header(name, value);
        }
        response.body = match body {
            Body::Text(text) => text.clone().into(),
            Body::Bytes(bytes) => bytes.clone().into(),
        };
        Ok(response.header(REPLAYED, "true"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(value: &str) -> Result<Option<String>, String> {
        key(&Request::get("/").with_header(HEADER, value))
            .map_err(|failure| failure.message_text().to_owned())
    }

    #[test]
    fn a_key_is_a_quoted_string_or_bare() {
        for (value, key) in [
            (r#""8e03978e-40d5""#, "8e03978e-40d5"),
            ("8e03978e-40d5", "8e03978e-40d5"),
            (r#" "a \"b\" \\ c" "#, r#"a "b" \ c"#),
        ] {
            assert_eq!(key_of(value), Ok(Some(key.to_owned())), "{value}");
        }
        for value in [r#""open"#, r#""a" b"#, r#""a\x""#, r#""""#, "", &"k".repeat(256)] {
            assert!(key_of(value).is_err(), "{value}");
        }
        assert_eq!(key(&Request::get("/")), Ok(None));
    }

    #[test]
    fn requests_that_differ_have_different_fingerprints() {
        let mut request = Request::get("/a?b");
        let first = fingerprint(&request);
        request.body = "c".into();
        let second = fingerprint(&request);
        assert!(first != second && second != fingerprint(&Request::get("/a?bc")) && first.len() == 32);
    }
}
