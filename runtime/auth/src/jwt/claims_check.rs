//! The claims that decide whether a token is for this service, now (RFC 7519, section 4.1).

use serde_json::{Map, Value as Json};

use super::verification::TokenProblem;

/// Rules for the claims of a token.
#[derive(Debug, Clone)]
pub(super) struct ClaimRules {
    /// The issuer. `None` accepts any, also none.
    pub(super) issuer: Option<String>,
    /// The audiences, of which the token must be for one. `None` accepts any, also none.
    pub(super) audiences: Option<Vec<String>>,
    /// Largest difference between the clocks of issuer and service, in seconds.
    pub(super) leeway_s: u32,
}

/// Checks issuer, audience and times. `now_s` is the time of arrival, in seconds since the Unix epoch.
pub(super) fn check(claims: &Map<String, Json>, rules: &ClaimRules, now_s: u64) -> Result<(), TokenProblem> {
    if let Some(issuer) = &rules.issuer
        && claims.get("iss").and_then(Json::as_str) != Some(issuer.as_str())
    {
        return Err(TokenProblem::Issuer);
    }
    if let Some(audiences) = &rules.audiences {
        let is_ours = |audience: &str| audiences.iter().any(|ours| ours == audience);
        let is_for_us = match claims.get("aud") {
            Some(Json::String(audience)) => is_ours(audience),
            Some(Json::Array(list)) => list.iter().filter_map(Json::as_str).any(is_ours),
            _ => false,
        };
        if !is_for_us {
            return Err(TokenProblem::Audience);
        }
    }
    // Seconds since the epoch are exact in a double.
    let (now, leeway) = (now_s as f64, f64::from(rules.leeway_s));
    match date(claims, "exp")? {
        Some(expires) if now < expires + leeway => {}
        Some(_) => return Err(TokenProblem::Expired),
        None => return Err(TokenProblem::NoExpiry),
    }
    match date(claims, "nbf")? {
        Some(begins) if begins > now + leeway => Err(TokenProblem::NotYetValid),
        _ => Ok(()),
    }
}

/// Returns a `NumericDate`, in seconds, which may have a fraction.
fn date(claims: &Map<String, Json>, name: &str) -> Result<Option<f64>, TokenProblem> {
    match claims.get(name) {
        None => Ok(None),
        Some(value) => {
            value.as_f64().filter(|date| date.is_finite()).map(Some).ok_or(TokenProblem::Malformed)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn checked(claims: Json) -> Result<(), TokenProblem> {
        let rules = ClaimRules {
            issuer: Some("https://idp.example".to_owned()),
            audiences: Some(vec!["shop".to_owned(), "shop-admin".to_owned()]),
            leeway_s: 60,
        };
        let Json::Object(mut claims) = claims else { panic!("not an object") };
        for (name, value) in
            [("iss", json!("https://idp.example")), ("aud", json!("shop")), ("exp", json!(NOW + 1))]
        {
            claims.entry(name).or_insert(value);
        }
        claims.retain(|_, value| !value.is_null());
        check(&claims, &rules, NOW)
    }

    #[test]
    fn times_are_compared_with_leeway() {
        assert_eq!(checked(json!({"exp": NOW - 59})), Ok(()));
        assert_eq!(checked(json!({"exp": NOW - 60})), Err(TokenProblem::Expired), "at the end it is over");
        assert_eq!(checked(json!({"nbf": NOW + 60})), Ok(()));
        assert_eq!(checked(json!({"nbf": NOW + 61})), Err(TokenProblem::NotYetValid));
        assert_eq!(checked(json!({"exp": NOW as f64 + 0.5})), Ok(()));
        assert_eq!(checked(json!({"exp": u64::MAX})), Ok(()));
        assert_eq!(checked(json!({"exp": -1})), Err(TokenProblem::Expired));
        assert_eq!(checked(json!({"exp": null})), Err(TokenProblem::NoExpiry));
        for malformed in [json!({"exp": "2030-01-01"}), json!({"nbf": []}), json!({"exp": true})] {
            assert_eq!(checked(malformed), Err(TokenProblem::Malformed));
        }
    }

    #[test]
    fn a_token_is_from_the_issuer_and_for_an_audience() {
        assert_eq!(checked(json!({"aud": ["other", "shop-admin"]})), Ok(()));
        for other in [
            json!("shop "),
            json!("SHOP"),
            json!([]),
            json!(["a"]),
            json!([["shop"]]),
            json!({}),
            json!(null),
        ] {
            assert_eq!(checked(json!({"aud": other})), Err(TokenProblem::Audience), "{other}");
        }
        for other in [json!("https://idp.example/"), json!(["https://idp.example"]), json!(null)] {
            assert_eq!(checked(json!({"iss": other})), Err(TokenProblem::Issuer), "{other}");
        }
    }
}
