//! Tests of the classification of names.

use super::super::super::Rule;
use super::*;

#[test]
#[rustfmt::skip]
fn names_of_secrets_are_secret() {
    let rule = Rule::default();
    for name in [
        "password", "Password1", "password_confirmation", "passwordConfirm", "user.password", "passwords",
        "passwd", "PWD", "mysql_pwd", "db_pass", "pass", "pass_word", "pass-phrase", "passphrase",
        "passcode", "passkeys", "password_hash", "password_hint", "encryptedPassword", "dbpassword",
        "DB_PASSWORD", "new-password", "secret", "clientSecret", "secretKey", "secrets", "webhook_secret",
        "token", "tokens", "accessToken", "access_tokens", "accesstoken", "X-Auth-Token", "csrf_token",
        "csrfmiddlewaretoken", "authenticity_token", "_csrf", "XSRF-TOKEN", "id_token", "jwt", "JWTs",
        "user_jwt", "session", "user_session", "session_id", "sessionId", "X-Session-Id", "PHPSESSID",
        "JSESSIONID", "session-key", "sid", "connect.sid", "client_assertion", "SAMLResponse",
        "SAMLAssertion", "otp", "otp1", "totp_code", "one_time_code", "2fa_code", "twoFactorCode",
        "verificationCode", "recovery_codes", "pin", "userPIN", "pin_code", "cvv", "cvv2", "card_cvc",
        "ssn", "social_security_number", "DPoP", "dpop", "credential", "credentials", "aws_credentials",
        "apiKey", "api-key", "APIKEY", "X-Api-Key", "api_keys", "access_key", "AWSAccessKeyId",
        "aws_secret_access_key", "private_key", "privateKey", "auth_key", "authKey", "signing_key",
        "Ocp-Apim-Subscription-Key", "AccountKey", "SharedAccessKey", "license_key", "signature",
        "X-Amz-Signature", "x-hub-signature-256", "sig", "X-Amz-Security-Token", "authorization",
        "Proxy-Authorization", "X-Authorization", "authorization_code", "auth", "x-auth", "oauth",
        "oauth_verifier", "code_verifier", "cookie", "set-cookie", "cookies", "bearer", "hmac",
        "card_number", "cardNumber", "credit_card", "cc_number", "mnemonic", "seed_phrase",
        "Cf-Access-Jwt-Assertion", "X-Goog-Iap-Jwt-Assertion", "password_reset_url", "passwort", "user[pass]", "user[session][id]",
        "X-CSRF-Token",
    ] {
        assert_ne!(rule.name(name), Sensitivity::NotSecret, "{name}");
        assert!(rule.is_header(name), "{name}");
    }
    for name in ["X-Functions-Key", "x-vendor-key", "key-key"] {
        assert!(rule.is_header(name), "{name}");
    }
    for name in ["key", "code", "sig", "pass", "Key"] {
        assert!(rule.is_parameter("", name), "{name}");
    }
}

#[test]
#[rustfmt::skip]
fn names_of_other_things_are_not_secret() {
    let rule = Rule::default();
    for name in [
        "author", "authors", "authority", "authenticated", "authenticator_type", "passenger", "passengers",
        "compass", "passed", "boarding_pass", "tokenize", "tokenizer", "tokenization", "secretary",
        "secretariat", "page_token", "nextPageToken", "nextpagetoken", "next_token", "continuation_token",
        "sync-token", "max_tokens", "user[max_tokens]", "user.has_password", "token_count", "tokenCount", "token_type", "tokens_used",
        "prompt_tokens", "completionTokens", "total_tokens", "token_endpoint", "token_expires_at",
        "expires_in", "session_count", "sessions_count", "sessions", "session_name", "sessionTimeout",
        "session_started_at", "obsession", "password_policy", "password_length", "has_password",
        "password_changed_at", "password_strength", "passwordless", "is_secret", "secret_name",
        "cookie_policy", "cookie_consent", "key", "keys", "keyboard", "monkey", "primary_key",
        "foreign_key", "public_key", "publicKey", "object_key", "sort_key", "cache-key", "Cache-Key",
        "Surrogate-Key", "Idempotency-Key", "Sec-WebSocket-Key", "partition_key", "pinned", "pins", "spin",
        "opinion", "pinterest", "code", "country_code", "status_code", "postal_code", "encode", "design",
        "signal", "email_signature", "signature_algorithm", "Signature-Input", "card", "card_type",
        "discard", "account_number", "order_number", "side", "inside", "author_id", "rapid", "capital",
        "api", "api_version", "apiKeyName", "client_assertion_type", "accept", "accept-encoding",
        "user-agent", "host", "x-request-id", "etag", "content-digest", "access-control-allow-credentials",
        "access-control-allow-headers", "id", "name", "title", "social", "social_links", "base_url", "hash",
        "nonce", "hotpink", "shipping", "version", "basic", "phrase",
    ] {
        assert_eq!(rule.name(name), Sensitivity::NotSecret, "{name}");
        assert!(!rule.is_header(name), "{name}");
    }
    assert!(!rule.is_parameter("", "author"));
}

#[test]
fn a_name_is_split_into_words() {
    let check = |name: &str, wanted: &str| {
        let words = NameWords::split(name.as_bytes());
        let words: Vec<_> = words.all().iter().map(|word| String::from_utf8_lossy(word)).collect();
        assert_eq!(words.join(" "), wanted, "{name}");
    };
    check("userPassword", "user Password");
    check("HTTPServerKEY2", "HTTP Server KEY 2");
    check("api_key-id.x[y]", "api key id x y");
    check("JWTs", "JWTs");
    check("2fa_code", "2fa code");
    check("sha256hmac", "sha 256 hmac");
    check("__", "");
    check(&"a ".repeat(40), "a ".repeat(12).trim_end());
}
