//! A public suite of JSON texts as the bodies of requests; see `fixtures/suites/README.md`.

use std::collections::BTreeMap;

use zerver::prelude::*;

#[step]
fn echo(Json(value): Json<serde_json::Value>) -> Response {
    Response::json(&value)
}

/// Sends a body, and returns the status of the response.
fn status(body: Vec<u8>) -> u16 {
    let app = App::new().flow(flow!("echo", POST "/echo", steps: [echo]));
    let request = app.test("echo").request("POST", "/echo").header("content-type", "application/json");
    request.body(body).run().status()
}

#[test]
fn the_texts_of_the_json_test_suite() {
    let texts: BTreeMap<String, String> =
        serde_json::from_str(include_str!("../../../fixtures/suites/json.json")).unwrap();
    let mut cases: Vec<(String, Vec<u8>)> = texts
        .into_iter()
        .map(|(name, text)| (name, text.chars().map(|char| u8::try_from(u32::from(char)).unwrap()).collect()))
        .collect();
    assert_eq!(cases.len(), 316);
    cases.push(("n_structure_100000_opening_arrays".to_owned(), b"[".repeat(100_000)));
    cases.push((
        "n_structure_open_array_object".to_owned(),
        [b"[{\"\":".repeat(50_000), b"\n".to_vec()].concat(),
    ));
    let wrong: Vec<_> = cases
        .into_iter()
        .map(|(name, body)| (status(body), name))
        .filter(|(status, name)| match name.as_bytes()[0] {
            b'y' => *status != 200,
            b'n' => *status != 400,
            _ => !matches!(status, 200 | 400),
        })
        .collect();
    assert_eq!(wrong, []);
}
