//! The data of sessions, and how steps begin and end one.

use std::time::Duration;

use serde::de::DeserializeOwned;
use zerver::effects::kv;
use zerver::prelude::*;

use super::operation::{Answer, Op};

/// A slot whose value is the data of a session, such as the id of a user.
///
/// The data are kept in the store of the effect [`kv`](zerver::effects::kv), unless the type has other functions for that, such as
/// ones with the effects of `zerver-redis`.
///
/// ```
/// use zerver::prelude::*;
/// use zerver_auth::session::{self, NewSession, RequireSession, SessionData, SessionId};
///
/// #[slot]
/// #[derive(Debug, Clone)]
/// struct User { id: u64 }
///
/// impl SessionData for User {}
///
/// #[step]
/// fn check_password(Form(login): Form<std::collections::HashMap<String, String>>) -> Result<User, Failure> {
///     match login.get("password").map(String::as_str) {
///         Some("correct horse") => Ok(User { id: 1 }),
///         _ => Err(Failure::unauthorized("password").message("is wrong")),
///     }
/// }
///
/// #[step]
/// fn begin(user: &User, arrival: &ArrivalTime) -> Decision<NewSession> {
///     Need(session::log_in(None, user.clone(), *arrival))
/// }
///
/// #[step]
/// fn welcome(new: &NewSession) -> Response {
///     Response::see_other("/").cookie(new.cookie::<User>())
/// }
///
/// #[step]
/// fn greet(user: &User) -> Response {
///     Response::text(format!("hello, user {}", user.id))
/// }
///
/// const SIGNED_IN: Chain = chain![RequireSession<User>];
///
/// fn app() -> App {
///     App::new()
///         .flow(flow!("login", POST "/login", public, steps: [check_password, begin, welcome]))
///         .flow(flow!("home", GET "/", before: SIGNED_IN, steps: [greet]))
/// }
/// # let _ = app;
/// ```
pub trait SessionData: Slot + Serialize + DeserializeOwned + Clone {
    /// Name of the cookie. With this prefix, browsers accept it only over TLS and from this host, so that no subdomain can set
    /// another.
    const COOKIE: &'static str = "__Host-session";

    /// Time after which a session ends.
    const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

    /// Loads the data of a session. `None` if it has ended.
    fn load(key: &str) -> Effect<Option<Self>> {
        kv::get(("zerver-session", key))
    }

    /// Saves the data of a session, for this time.
    fn save(self, key: &str, lifetime: Duration) -> Effect<()> {
        kv::expires_in(lifetime).put(("zerver-session", key), self)
    }

    /// Deletes the data of a session.
    fn delete(key: &str) -> Effect<()> {
        kv::delete(("zerver-session", key)).map(|_| ())
    }
}

/// The session of the request. A slot of flows with [`RequireSession`](super::RequireSession). It names the data in the store, and
/// does not reveal the cookie.
#[slot]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionId(pub(super) String);

/// A session that has begun. A slot, so that the step which responds can set its cookie.
#[slot(secret)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSession {
    cookie: String,
}

impl NewSession {
    /// Returns the cookie for the response. Browsers keep it as long as the session lasts.
    pub fn cookie<S: SessionData>(&self) -> Cookie {
        Cookie::new(S::COOKIE, &self.cookie).max_age_s(S::LIFETIME.as_secs())
    }
}

/// Begins a session with these data. It always has a new id, and the session with which the request came ends: an attacker who
/// has made a browser use a known session learns nothing from it.
pub fn log_in<S: SessionData>(old: Option<&SessionId>, data: S, arrival: ArrivalTime) -> Effect<NewSession> {
    let issue = Op::Issue { now_s: arrival.unix_s(), lifetime_s: S::LIFETIME.as_secs() };
    let delete = old.map_or_else(|| Effect::ready(()), |old| S::delete(&old.0));
    effect(issue).and_then(move |answer| match answer {
        Answer::Issued { key, cookie } => {
            all((data.save(&key, S::LIFETIME), delete)).map(|_| NewSession { cookie })
        }
        other => {
            Effect::fail(Failure::internal(Op::KIND).message(format_args!("unexpected answer: {other:?}")))
        }
    })
}

/// Replaces the data of a session. It ends no later than before, because its cookie does.
pub fn update<S: SessionData>(session: &SessionId, data: S) -> Effect<()> {
    data.save(&session.0, S::LIFETIME)
}

/// Ends a session. The response should remove the cookie with [`removal`].
pub fn end<S: SessionData>(session: &SessionId) -> Effect<()> {
    S::delete(&session.0)
}

/// Returns the cookie that makes a browser forget the session.
pub fn removal<S: SessionData>() -> Cookie {
    Cookie::removal(S::COOKIE)
}
