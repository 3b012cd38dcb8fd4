//! HTTP archives, checked against the rules of the specification (HAR 1.2).

use serde_json::Value;
use zerver_otel::har;
use zerver_testkit::sample;

use crate::samples;

fn check(archive: &Value) {
    let log = &archive["log"];
    assert_eq!(log["version"], "1.2");
    assert!(log["creator"]["name"].is_string() && log["creator"]["version"].is_string());
    let pages: Vec<_> = log["pages"].as_array().unwrap().iter().map(|page| &page["id"]).collect();
    for entry in log["entries"].as_array().unwrap() {
        assert!(pages.contains(&&entry["pageref"]), "{entry}");
        assert!(entry["startedDateTime"].as_str().unwrap().ends_with('Z') && entry["cache"].is_object());
        let timings = entry["timings"].as_object().unwrap();
        for required in ["send", "wait", "receive"] {
            assert!(timings[required].as_f64().unwrap() >= -1.0, "{entry}");
        }
        let known = timings.values().map(|part| part.as_f64().unwrap()).filter(|part| *part >= 0.0);
        assert!((known.sum::<f64>() - entry["time"].as_f64().unwrap()).abs() < 1e-6, "{entry}");
        for message in [&entry["request"], &entry["response"]] {
            assert!(message["httpVersion"].is_string() && message["cookies"].is_array(), "{entry}");
            for header in message["headers"].as_array().unwrap() {
                assert!(header["name"].is_string() && header["value"].is_string(), "{entry}");
            }
            assert!(message["headersSize"].is_i64() && message["bodySize"].is_number(), "{entry}");
        }
        let url = entry["request"]["url"].as_str().unwrap();
        assert!(url.contains("://") || url == "about:blank", "{entry}");
        assert!(entry["request"]["queryString"].is_array());
        assert!(entry["response"]["status"].is_u64() && entry["response"]["redirectURL"].is_string());
        assert!(entry["response"]["content"]["size"].is_number());
    }
}

#[test]
fn every_sample_is_a_valid_archive() {
    let all = [
        sample::slow(),
        sample::failed(),
        sample::held(),
        sample::report(7),
        samples::calls(),
        samples::bodies(),
    ];
    all.iter().for_each(|trace| check(&har([trace])));
    check(&har(&all));
}

#[test]
fn the_times_of_calls_come_from_their_points_and_are_unknown_without() {
    let archive = har([&samples::calls()]);
    let calls: Vec<_> = archive["log"]["entries"].as_array().unwrap()[1..]
        .iter()
        .map(|entry| {
            format!("{} {} {}\n", entry["request"]["url"], entry["response"]["status"], entry["timings"])
        })
        .collect();
    insta::assert_snapshot!(calls.concat(), @r#"
        "https://idp.example.com/verify?user=ann" 0 {"blocked":-1,"connect":0.38,"dns":-1,"receive":-1,"send":-1,"ssl":-1,"wait":0.62}
        "https://idp.example.com/verify?user=ann" 200 {"blocked":-1,"connect":-1,"dns":-1,"receive":0.1,"send":-1,"ssl":-1,"wait":1.08}
        "http://audit.internal:8080/log" 503 {"blocked":-1,"connect":-1,"dns":-1,"receive":0.1,"send":-1,"ssl":-1,"wait":1.88}
        "#);
}

#[test]
fn bodies_are_texts_or_base64_and_secrets_are_masked() {
    let archive = har([&samples::bodies()]);
    let entry = &archive["log"]["entries"][0];
    assert_eq!(entry["request"]["url"], "http://localhost:3000/v1/todos/456?full=1");
    assert_eq!(entry["request"]["postData"]["text"], "{\"a\": 1}");
    assert_eq!(entry["request"]["postData"]["mimeType"], "application/json");
    assert_eq!(entry["request"]["queryString"][0]["value"], "1");
    assert_eq!(entry["request"]["headers"][1]["value"], "<secret>");
    let content = &entry["response"]["content"];
    assert_eq!((&content["text"], &content["encoding"]), (&"/wA=".into(), &"base64".into()));
    assert_eq!(content["size"], 9_000);
    assert!(!har([&samples::calls()]).to_string().contains("hunter2"));
}
