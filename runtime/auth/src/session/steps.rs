//! The steps that load the session of a request.

use std::marker::PhantomData;

use zerver::engine::{IntoDecision, Step, StepDesc, StepInput};
use zerver::prelude::*;

use super::data::{SessionData, SessionId};
use super::operation::{Answer, Op};
use crate::step_desc::{ARRIVAL, REQUEST};

/// Maximum length of a cookie, in bytes. Those of this service are much shorter.
const MAX_LEN: usize = 256;

/// The step that loads the session of the request. It fails with 401 if there is none, and with 403 if another site has made the
/// browser send a request that may change something.
#[derive(Debug)]
pub struct RequireSession<S>(PhantomData<S>);

impl<S: SessionData> Step for RequireSession<S> {
    const DESC: StepDesc = StepDesc {
        inputs: &[],
        name: "require_session",
        doc: "Loads the session of the request.",
        file: file!(),
        line: line!(),
        reads: &[REQUEST, ARRIVAL],
        writes: <Decision<(S, SessionId)> as IntoDecision>::WRITES,
        is_final: false,
        protects: true,
        run: |input| require::<S>(input).into_decision(),
    };
}

/// The step that loads the session of the request, if it has one. A cookie that is not valid counts as none, because browsers
/// keep them for longer than sessions last.
#[derive(Debug)]
pub struct SessionIfAny<S>(PhantomData<S>);

impl<S: SessionData> Step for SessionIfAny<S> {
    const DESC: StepDesc = StepDesc {
        inputs: &[],
        name: "session_if_any",
        doc: "Loads the session of the request, if it has one.",
        file: file!(),
        line: line!(),
        reads: &[REQUEST, ARRIVAL],
        writes: <Decision<Found<S>> as IntoDecision>::WRITES,
        is_final: false,
        protects: false,
        run: |input| accept::<S>(input).into_decision(),
    };
}

fn require<S: SessionData>(input: &StepInput<'_>) -> Result<Decision<(S, SessionId)>, Failure> {
    let (request, arrival) = (input.read::<Request>(0), *input.read::<ArrivalTime>(1));
    let Some(cookie) = cookie(request, S::COOKIE)? else {
        return Err(unauthorized("this request needs a session"));
    };
    Ok(Need(load::<S>(cookie, arrival).try_map(|loaded| loaded.map_err(unauthorized))))
}

/// A session, if there is one.
type Found<S> = (Option<S>, Option<SessionId>);

fn accept<S: SessionData>(input: &StepInput<'_>) -> Result<Decision<Found<S>>, Failure> {
    let (request, arrival) = (input.read::<Request>(0), *input.read::<ArrivalTime>(1));
    Ok(match cookie(request, S::COOKIE)? {
        Some(cookie) => Need(load::<S>(cookie, arrival).map(|loaded| loaded.ok().unzip())),
        None => Continue((None, None)),
    })
}

/// Loads the session of a cookie. The reason why there is none is for the client.
fn load<S: SessionData>(
    cookie: String,
    arrival: ArrivalTime,
) -> Effect<Result<(S, SessionId), &'static str>> {
    effect(Op::Verify { cookie, now_s: arrival.unix_s() }).and_then(|answer| match answer {
        Answer::Valid { key } => {
            S::load(&key).map(|found| found.map(|data| (data, SessionId(key))).ok_or("the session has ended"))
        }
        Answer::Invalid(problem) => Effect::ready(Err(problem.text())),
        Answer::Issued { .. } => Effect::ready(Err("the session has ended")),
    })
}

fn unauthorized(why: &'static str) -> Failure {
    Failure::unauthorized("session").message(why).header("www-authenticate", "Session")
}

/// Returns the cookie of this name, which may be there only once: of two, either could be the wrong one.
fn cookie(request: &Request, name: &str) -> Result<Option<String>, Failure> {
    let headers = request.headers.get_all("cookie").iter();
    let invalid = |why: &'static str| Failure::invalid("cookie").message(why);
    let mut found = None;
    for header in headers {
        // Other cookies may contain anything.
        for pair in header.as_bytes().split(|byte| *byte == b';') {
            let value =
                pair.trim_ascii().strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
            let Some(value) = value else { continue };
            if found.is_some() {
                return Err(invalid("there is more than one session cookie"));
            }
            if value.len() > MAX_LEN {
                return Err(invalid("the session cookie is longer than any that this service sets"));
            }
            let value = str::from_utf8(value).map_err(|_| invalid("the session cookie is not text"))?;
            found = Some(value.to_owned());
        }
    }
    if found.is_some() && !request.method.is_safe() && request.is_cross_origin() {
        let why = "a page of another origin has made the browser send this request";
        return Err(Failure::forbidden("origin").message(why));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cookies: &[&str]) -> Result<Option<String>, String> {
        let add = |request: Request, value: &&str| request.with_header("cookie", value);
        cookie(&cookies.iter().fold(Request::get("/"), add), "__Host-session")
            .map_err(|failure| failure.message_text().to_owned())
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&["a=1; __Host-session=x.1.y; b"]), Ok(Some("x.1.y".to_owned())));
        assert_eq!(read(&["a=1", "__Host-session=x"]), Ok(Some("x".to_owned())), "HTTP/2 splits the header");
        assert_eq!(read(&["__Host-session2=x; x__Host-session=y; __host-session=z"]), Ok(None));
        assert_eq!(
            read(&["__Host-session=x; __Host-session=y"]),
            Err("there is more than one session cookie".to_owned())
        );
        let long = format!("a={}; __Host-session={}", "b".repeat(8_000), "c".repeat(8_000));
        assert!(read(&[&long]).unwrap_err().contains("longer than any"));
    }

    #[test]
    fn other_sites_cannot_use_a_session_to_change_something() {
        let request = |method: Method, site: &str| Request {
            method,
            ..Request::get("/").with_header("cookie", "__Host-session=x").with_header("sec-fetch-site", site)
        };
        let status = |request: &Request| {
            cookie(request, "__Host-session").map_or_else(|failure| failure.status(), |_| 200)
        };
        assert_eq!(status(&request(Method::POST, "cross-site")), 403);
        assert_eq!(status(&request(Method::POST, "same-site")), 403);
        assert_eq!(status(&request(Method::POST, "same-origin")), 200);
        assert_eq!(status(&request(Method::GET, "cross-site")), 200);
    }
}
