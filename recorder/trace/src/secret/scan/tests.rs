//! Tests of the search in texts of each format.

use std::ops::Range;

use super::target;
use crate::secret::{Author, Rule, replace_spans};

fn masked(rule: &Rule, text: &str, author: Author) -> String {
    let spans = super::text(rule, text.as_bytes(), author);
    assert!(spans.is_empty() || rule.may_be_in(text.as_bytes()), "{text}");
    replace_spans(text.as_bytes(), &spans, |_| "#".to_owned())
}

fn check(text: &str, wanted: &str) {
    assert_eq!(masked(&Rule::default(), text, Author::Client), wanted, "{text}");
}

/// Checks a text that the service wrote.
fn check_service(text: &str, wanted: &str) {
    assert_eq!(masked(&Rule::default(), text, Author::Service), wanted, "{text}");
}

#[test]
fn secrets_in_json_are_found() {
    check(r#"{"user":"ann","password":"hunter2"}"#, r##"{"user":"ann","password":"#"}"##);
    check(r#"{"accessToken" : "abc\"def", "n":1}"#, r##"{"accessToken" : "#", "n":1}"##);
    check(
        r#"{"refresh_token":{"value":["one","two"],"n":77},"x":"y"}"#,
        r##"{"refresh_token":{"value":["#","#"],"n":#},"x":"y"}"##,
    );
    check(
        r#"{"token":{"value":"abc","type":"bearer","expires_in":3600}}"#,
        r##"{"token":{"value":"#","type":"bearer","expires_in":3600}}"##,
    );
    check(
        r#"{"session":{"id":"abc","title":"Rust"},"x":1}"#,
        r##"{"session":{"id":"#","title":"Rust"},"x":1}"##,
    );
    check(r#"{"pin":1234,"otp": 123456,"max_tokens":4096}"#, r##"{"pin":#,"otp": #,"max_tokens":4096}"##);
    check(r#"{"password":"cut of"#, r##"{"password":"#"##);
    check(r#"{"password":null,"token":"","secret":true}"#, r#"{"password":null,"token":"","secret":true}"#);
    check(r#"{"name":"password","value":"x y"}"#, r##"{"name":"password","value":"#"}"##);
    check(r#"[["authorization","Bearer abc"]]"#, r#"[["authorization","Bearer abc"]]"#);
    check(r#"{"a":{"b":[{"c":{"db_password":"x"}}]}}"#, r##"{"a":{"b":[{"c":{"db_password":"#"}}]}}"##);
}

#[test]
fn secrets_in_nested_json_are_found() {
    check(
        r#"{"q":"{\"password\":\"a b\",\"x\":1}","y":2}"#,
        r##"{"q":"{\"password\":\"#\",\"x\":1}","y":2}"##,
    );
    check(
        r#"{"q":"{\"r\":\"{\\\"token\\\":\\\"abc\\\"}\",\"z\":1}"}"#,
        r##"{"q":"{\"r\":\"{\\\"token\\\":\\\"#\\\"}\",\"z\":1}"}"##,
    );
    check(r#"{\"password\":\"inner\",\"x\":1}"#, r##"{\"password\":\"#\",\"x\":1}"##);
}

#[test]
fn secrets_in_forms_are_found() {
    check("user=ann&password=hunter%2F22&next=1", "user=ann&password=#&next=1");
    check("password=a b, c;d&x=1", "password=#&x=1");
    check("user[name]=a&user[password]=b&x=1", "user[name]=a&user[password]=#&x=1");
    check("user%5Bpassword%5D=b&x=1", "user%5Bpassword%5D=#&x=1");
    check("user%5bapi%5Fkey%5d%5b%5d=b&x=1", "user%5bapi%5Fkey%5d%5b%5d=#&x=1");
    check("data=%7B%22password%22%3A%22x%22%7D&y=1", "data=#&y=1");
    check("next=https%3A%2F%2Fx.y%2F%3Ftoken%3Dabc", "next=#");
    check("dsn=postgres://u:p@h/d", "dsn=postgres://u:#@h/d");
    check("page_token=a&max_tokens=7&author=b", "page_token=a&max_tokens=7&author=b");
}

#[test]
fn secrets_in_multipart_bodies_are_found() {
    let part = |name: &str, value: &str| {
        format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let body = part("user", "ann") + &part("password", "a b\r\nc") + &part("user[pin]", "1") + "--B--\r\n";
    let wanted = part("user", "ann") + &part("password", "#") + &part("user[pin]", "#") + "--B--\r\n";
    check(&body, &wanted);
    check(
        "--B\r\nContent-Disposition: form-data; name=\"secret\"; filename=\"a\"\r\nContent-Type: x/y\r\n\r\nabc\r\n--B--",
        "--B\r\nContent-Disposition: form-data; name=\"secret\"; filename=\"a\"\r\nContent-Type: x/y\r\n\r\n#\r\n--B--",
    );
}

#[test]
fn secrets_in_xml_are_found() {
    check(
        "<login><user>a</user><password>b c</password></login>",
        "<login><user>a</user><password>#</password></login>",
    );
    check("<w:Password Type=\"t\">b</w:Password>", "<w:Password Type=\"t\">#</w:Password>");
    check("<a token=\"b\" x=\"c\"/>", "<a token=\"#\" x=\"c\"/>");
    check("<add key='ApiKey' value='b'/>", "<add key='ApiKey' value='#'/>");
    check("<secret><![CDATA[b]]></secret>", "<secret><![CDATA[#]]></secret>");
    check("<credentials><a>1</a></credentials><x>2</x>", "<credentials>#</credentials><x>2</x>");
    check(
        "<input type=\"text\" name=\"pin\" value=\"77\">",
        "<input type=\"text\" name=\"pin\" value=\"#\">",
    );
    check("<password/><x>1</x>", "<password/><x>1</x>");
}

#[test]
fn secrets_after_names_are_found() {
    check("x, password=b c, y", "x, password=# c, y");
    check("Authorization: Bearer abcdef\r\nhost: x", "Authorization: Bearer #\r\nhost: x");
    check("the client_secret='a b'", "the client_secret='#'");
    check(
        "see https://example.com/a?access_token=abc#part now",
        "see https://example.com/a?access_token=# now",
    );
    check(
        "Login { user: \"ann\", password: \"b\", pin: Some(\"c\"), otp: 77 }",
        "Login { user: \"ann\", password: \"#\", pin: Some(\"#\"), otp: # }",
    );
    check(
        "AuthHeader(\"a\") and Err(InvalidToken(\"b c\"))",
        "AuthHeader(\"a\") and Err(InvalidToken(\"#\"))",
    );
    check("{ password: correct horse, user: ann }", "{ password: #, user: ann }");
    check("mysql --password hunter2 -u x", "mysql --password # -u x");
    check("host=h password=b user=c", "host=h password=# user=c");
    check("Server=h;Password=b c;Uid=d", "Server=h;Password=#;Uid=d");
    check("the api key: abc", "the api key: #");
    check("{:password=>\"b\"}", "{:password=>\"#\"}");
    check_service("no session for token 3f9a2c71d0e4aa", "no session for token #");
    check_service("token refresh failed", "token refresh failed");
}

#[test]
fn secrets_without_names_are_found() {
    check("postgres://ann:b@c/d and amqp://e:f%40g@h", "postgres://ann:#@c/d and amqp://e:#@h");
    check(
        "https://3f9a2c71d0e4aa@sentry.io/1 ssh://git@host/x http://a@b",
        "https://#@sentry.io/1 ssh://git@host/x http://a@b",
    );
    check("root:b@c@tcp(127.0.0.1:3306)/d", "root:#@tcp(127.0.0.1:3306)/d");
    let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl";
    check(&format!("x {jwt}, y"), "x #, y");
    check(&format!("[\"{jwt}\"]"), "[\"#\"]");
    check("cursor eyJwYWdlIjoxMjM0NTY3ODl9", "cursor eyJwYWdlIjoxMjM0NTY3ODl9");
    check("a bEaReR abc123def456 b", "a bEaReR # b");
    check("BASIC dXNlcjpwYXNz", "BASIC #");
    check_service(
        "bearer token is missing, basic authentication too",
        "bearer token is missing, basic authentication too",
    );
    check(
        "k -----BEGIN RSA PRIVATE KEY-----\nMII\n-----END RSA PRIVATE KEY----- x",
        "k -----BEGIN RSA PRIVATE KEY-----#-----END RSA PRIVATE KEY----- x",
    );
    check(
        "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----",
    );
    check("use ghp_0123456789abcdefABCDEF01 now", "use # now");
}

#[test]
fn messages_and_programs_are_not_secret() {
    for text in [
        r#"{"errors":{"token":["is missing"],"password":["is too short (minimum is 8 characters)"]}}"#,
        r#"{"password":"can't be blank","token":"expired","session":"not found","pin":{"error":"too_short","count":8}}"#,
        r#"{"password":"This field is required.","usage":{"prompt_tokens":1200,"tokens":8000},"csrf":true}"#,
        "select id, password from users where token = $1 and password = crypt($2, salt) and a.token = b.token",
        "update users set password = :password, secret = ? where pin = {pin}",
        "invalid token: expected value at line 1",
        "password: is too short",
        "token=<secret:3f9a2c71d0e4> and <secret> were masked",
        "secret: ***",
        "www-authenticate: Basic realm=\"x\"",
    ] {
        check_service(text, text);
    }
    // From a client, the same texts are secrets.
    check(r#"{"password":"is too short"}"#, r##"{"password":"#"}"##);
    check("password=is+missing", "password=#");
    // Quoted text in a message can be a secret, and so can a phrase that is not a message.
    check_service(r#"{"password":"'hunter' is not valid"}"#, r##"{"password":"#"}"##);
    check_service(r#"{"password":"correct horse battery staple"}"#, r##"{"password":"#"}"##);
}

#[test]
fn secrets_in_targets_are_found() {
    let check = |flow: &str, pattern: &str, text: &str, wanted: &str| {
        let rule = Rule::new(&["tax id"], &[(Some("invite"), "code_word"), (None, "ref")]);
        let spans = target(&rule, flow, pattern, text.as_bytes());
        assert_eq!(replace_spans(text.as_bytes(), &spans, |_| "#".to_owned()), wanted, "{text}");
    };
    check("", "", "/a?token=b&page=2&key=c&page_token=d", "/a?token=#&page=2&key=#&page_token=d");
    check("", "", "/a?user%5Bpassword%5D=b;c&p%61ssword=d", "/a?user%5Bpassword%5D=#&p%61ssword=#");
    check("x", "/reset/{token}", "/reset/abc?x=1", "/reset/#?x=1");
    check("x", "/reset/{token}/{id}", "/reset/abc/7", "/reset/#/7");
    check("x", "/f/{*secret}", "/f/a/b", "/f/#");
    check("invite", "/i/{code_word}", "/i/abc?code_word=d&ref=e", "/i/#?code_word=#&ref=#");
    check("other", "/i/{code_word}", "/i/abc?code_word=d&ref=e", "/i/abc?code_word=d&ref=#");
    check("x", "/a/{id}", "/a/7;jsessionid=abc", "/a/7;jsessionid=#");
    check("x", "/r/{token}", "http://h:1/r/abc", "http://h:1/r/#");
    check("x", "/a/{id}", "/a/7?customerTaxId=1&next=%2Fb%3Ftoken%3Dc", "/a/7?customerTaxId=#&next=#");
}

#[test]
fn names_of_the_settings_are_secret() {
    let rule = Rule::new(&["tax_id", "plate"], &[]);
    let check = |text, wanted| assert_eq!(masked(&rule, text, Author::Client), wanted);
    check(
        r#"{"taxId":"b","plates":"c","license-plate":"d"}"#,
        r##"{"taxId":"#","plates":"#","license-plate":"#"}"##,
    );
    check("tax-id=b&tax=c", "tax-id=#&tax=c");
}

#[test]
fn malformed_texts_do_not_panic() {
    for text in [
        "password",
        "password=",
        "\"password\":",
        "\"password\":\"\\",
        "\"token\":[[[",
        "%",
        "token\\",
        "<token",
        "<token>",
        "<token><![CDATA[",
        "name=\"token\"\r\n\r\n",
        "user[token",
        "token%5B",
        "token[[]",
        "://",
        "a:@tcp(",
        "://@",
        "eyJ.",
        "-----BEGIN PRIVATE KEY-----",
        "basic ",
        "\"token\",",
        "token::",
        "token: ",
        "--token ",
        "token%3D",
    ] {
        for cut in 0..=text.len() {
            for author in [Author::Client, Author::Service] {
                let _ = masked(&Rule::default(), &text[..cut], author);
                let _ = masked(&Rule::default(), &text[cut..], author);
            }
        }
    }
    let deep = format!("{}{}", "{\"token\":", "[".repeat(100_000));
    assert!(!super::text(&Rule::default(), deep.as_bytes(), Author::Client).is_empty());
}

/// Texts that would take quadratic time if the scan went back.
#[test]
fn spans_are_sorted_in_a_text_of_repeated_beginnings() {
    for part in [
        "<token>",
        "<token></x>",
        "token: a1b2c3d4e5f6g7, ",
        "x@tcp(",
        "eyJ=",
        "ghp_",
        "bearer ",
        "\"token\",\"value",
        "token%5B",
        "name=\"token\"\r\n",
        "://",
        "token=(",
        "api key ",
        "\\\"token\\\":\\\"",
        "-----BEGIN x-----",
        "{\"session\":{\"a\":",
    ] {
        let text = part.repeat(32 * 1024 / part.len());
        for author in [Author::Client, Author::Service] {
            let spans = text_spans(&text, author);
            assert!(spans.windows(2).all(|two| two[0].end < two[1].start), "{part}");
            assert!(spans.iter().all(|span| span.start < span.end && span.end <= text.len()), "{part}");
        }
    }
}

fn text_spans(text: &str, author: Author) -> Vec<Range<usize>> {
    super::text(&Rule::default(), text.as_bytes(), author)
}
