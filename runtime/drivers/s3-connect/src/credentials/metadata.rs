//! The services that give a key to a container or to a virtual machine (IMDSv2). Both speak HTTP on the machine itself.

use std::fs;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::Full;
use jiff::Timestamp;
use rusty_s3::Credentials;
use serde::Deserialize;

use super::credentials;
use crate::connection::{HttpClient, chain};
use crate::response_body::read_body;

/// Address of the service of a virtual machine.
const MACHINE: &str = "http://169.254.169.254";
/// Address of the service of a container.
const CONTAINER: &str = "http://169.254.170.2";
/// Hosts that may be asked without TLS: this machine, and those services.
const LOCAL: [&str; 6] =
    ["127.0.0.1", "localhost", "[::1]", "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"];
/// Time limit of a request. A machine without the service does not answer at all.
const LIMIT: Duration = Duration::from_secs(2);
/// Largest answer.
const MAX_ANSWER: u64 = 64 << 10;
const TOKEN_HEADER: &str = "x-aws-ec2-metadata-token";
/// Path of the names of roles, and of their keys.
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

/// A service that gives keys.
pub(super) enum Metadata {
    Container(Container),
    /// URL of the service of a virtual machine, without a path.
    Machine(String),
}

/// The service of a container.
pub(super) struct Container {
    url: String,
    token: Option<String>,
    /// File with a token that is replaced now and then.
    token_file: Option<String>,
}

/// A key that expires.
pub(super) struct GivenKey {
    pub(super) credentials: Credentials,
    pub(super) expires: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
    expiration: Option<String>,
}

impl Container {
    /// Finds the service that the environment names.
    pub(super) fn find(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        let url = match variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            Some(path) if path.starts_with('/') => format!("{CONTAINER}{path}"),
            Some(_) => {
                return Err("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI has to begin with a slash".to_owned());
            }
            None => match variable("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
                Some(url) => url,
                None => return Ok(None),
            },
        };
        let parsed: Result<Uri, _> = url.parse();
        let is_allowed = parsed.is_ok_and(|url| {
            url.scheme_str() == Some("https")
                || (url.scheme_str() == Some("http") && url.host().is_some_and(|host| LOCAL.contains(&host)))
        });
        if !is_allowed {
            return Err(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI has to be a URL with https, or one of this machine"
                    .to_owned(),
            );
        }
        let token = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
        Ok(Some(Self { url, token, token_file: variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") }))
    }

    async fn fetch(&self, client: &HttpClient) -> Result<GivenKey, String> {
        let token = match &self.token_file {
            Some(path) => {
                let text =
                    fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))?;
                Some(text.trim().to_owned())
            }
            None => self.token.clone(),
        };
        let request = token
            .iter()
            .fold(Request::get(&self.url), |request, token| request.header("authorization", token));
        read(&send(client, request).await?)
    }
}

impl Metadata {
    pub(super) fn machine(endpoint: Option<String>) -> Self {
        let endpoint = endpoint.unwrap_or_else(|| MACHINE.to_owned());
        Self::Machine(endpoint.trim_end_matches('/').to_owned())
    }

    pub(super) async fn fetch(&self, client: &HttpClient) -> Result<GivenKey, String> {
        match self {
            Self::Container(container) => {
                container.fetch(client).await.map_err(|error| format!("the service of the container gave no key: {error}"))
            }
            Self::Machine(url) => fetch_from_machine(client, url).await.map_err(|error| {
                format!("there is no key in the environment or in a file, and the virtual machine gave none: {error}")
            }),
        }
    }
}

/// Asks for a token, the role, and its key.
async fn fetch_from_machine(client: &HttpClient, url: &str) -> Result<GivenKey, String> {
    let request = Request::builder().method(Method::PUT).uri(format!("{url}/latest/api/token"));
    let token = send(client, request.header("x-aws-ec2-metadata-token-ttl-seconds", "300")).await?;
    let token = str::from_utf8(&token).map_err(|_| "its token is no text".to_owned())?.trim().to_owned();
    let get = |path: &str| Request::get(format!("{url}{ROLES}{path}")).header(TOKEN_HEADER, &token);
    let roles = send(client, get("")).await?;
    let roles = String::from_utf8_lossy(&roles);
    let role = roles.lines().map(str::trim).find(|role| !role.is_empty()).ok_or("it has no role")?;
    read(&send(client, get(role)).await?)
}

async fn send(client: &HttpClient, request: http::request::Builder) -> Result<Bytes, String> {
    let request = request.body(Full::default()).map_err(|error| error.to_string())?;
    let exchange = async {
        let response = client.request(request).await.map_err(|error| chain(&error))?;
        let status = response.status();
        let body = read_body(response, MAX_ANSWER).await.map_err(|error| error.to_string())?;
        match status {
            StatusCode::OK => Ok(body),
            status => Err(format!("it answered {status}")),
        }
    };
    tokio::time::timeout(LIMIT, exchange).await.map_err(|_| "it did not answer within 2 s".to_owned())?
}

fn read(body: &[u8]) -> Result<GivenKey, String> {
    // What a document lacks is named; what it has may be a key.
    let document: Document = serde_json::from_slice(body).map_err(|error| {
        format!("its answer is no key (line {}, column {})", error.line(), error.column())
    })?;
    let Document { access_key_id, secret_access_key, token, expiration } = document;
    let expires = match expiration {
        Some(time) => Some(time.parse().map_err(|_| "its answer has no valid time".to_owned())?),
        None => None,
    };
    Ok(GivenKey { credentials: credentials(access_key_id, secret_access_key, token), expires })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_asked_only_on_this_machine_or_over_tls() {
        let find = |name: &'static str, value: &'static str| {
            Container::find(&move |asked| (asked == name).then(|| value.to_owned()))
        };
        let full = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
        for allowed in [
            "http://127.0.0.1:90/key",
            "http://169.254.170.23/v1",
            "http://[::1]/",
            "https://keys.internal/a",
        ] {
            assert_eq!(find(full, allowed).unwrap().unwrap().url, allowed);
        }
        for refused in ["http://keys.internal/a", "ftp://127.0.0.1/", "http://127.0.0.1.evil/", "nothing"] {
            assert!(find(full, refused).is_err(), "{refused}");
        }
        let relative = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
        assert_eq!(find(relative, "/v2/a").unwrap().unwrap().url, "http://169.254.170.2/v2/a");
        assert!(find(relative, ".evil/a").is_err() && find("OTHER", "x").unwrap().is_none());
    }

    #[test]
    fn answers_are_keys_or_errors_without_them() {
        let key = read(
            br#"{"Code": "Success", "AccessKeyId": "k", "SecretAccessKey": "s", "Token": "t", "Expiration": "2026-12-01T09:00:00Z"}"#,
        )
        .unwrap();
        assert_eq!((key.credentials.key(), key.credentials.token()), ("k", Some("t")));
        assert_eq!(key.expires.unwrap().to_string(), "2026-12-01T09:00:00Z");
        for wrong in [
            &br#"{"AccessKeyId": "k", "SecretAccessKey": 7}"#[..],
            br#"{"AccessKeyId": "hunter2"}"#,
            br#"{"AccessKeyId": "k", "SecretAccessKey": "hunter2", "Expiration": "hunter2"}"#,
            b"hunter2",
            b"",
        ] {
            let error = read(wrong).err().unwrap();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
