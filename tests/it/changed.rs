//! Replays of requests of one version of a service by the next version: the changes are named.

use serde_json::json;

use crate::harness::{Place, Ran, programs};

/// Sets up a folder with an order that the first version created and displayed.
fn recorded() -> Place {
    let place = Place::new();
    let dev = place.dev_of(&programs().orders);
    let order = json!({ "lines": [{ "sku": "cup", "count": 1 }], "coupon": "TEN" });
    assert_eq!(dev.ask("POST", "/orders").json(order).send().status, 201);
    assert_eq!(dev.get("/orders/1").status, 200);
    // The discount exceeds the price.
    let order = json!({ "lines": [{ "sku": "tea", "count": 1 }], "coupon": "FIVER" });
    assert_eq!(dev.ask("POST", "/orders").json(order).send().status, 500);
    place.wait_for(3);
    assert_eq!(dev.stop().code(), Some(0));
    place
}

fn replay(place: &Place, id: &str, next: bool, more: &[&str]) -> Ran {
    let exe = if next { &programs().orders_next } else { &programs().orders };
    place.zerver(&[&["replay", id, "--exe", exe.to_str().unwrap()], more].concat())
}

#[test]
fn a_changed_step_is_named_with_its_line_and_the_field() {
    let place = recorded();
    let made = &place.json(&["ls", "--json"])["requests"][2]["id"];
    let made = made.as_str().unwrap();
    assert_eq!(replay(&place, made, false, &[]).code, Some(0));

    // The amount charged differs, so no recorded answer fits. The change in the step itself is named first.
    let ran = replay(&place, made, true, &["--json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let source =
        std::fs::read_to_string(crate::harness::root().join("examples/orders/src/discount.rs")).unwrap();
    let lines = source.lines().enumerate().filter(|(_, line)| line.starts_with("pub fn apply_discount"));
    let line = lines.last().unwrap().0 + 1;
    let first = &document["findings"][0];
    assert_eq!(
        first,
        &json!({ "class": "code_changed", "step": "apply_discount", "field": "Total.discount_cents",
                 "expected": 129, "got": 130, "source": format!("examples/orders/src/discount.rs:{line}") })
    );
    assert_eq!(document["findings"][1]["field"], "Total.due_cents");
    assert_eq!(document["coverage"]["effects_unanswered"], 1);
    let builds = &document["build"];
    assert!(builds["recorded"] != builds["replayed"], "{builds}");

    // With an answer to the new effect the whole flow runs, and all consequences of the change are reported.
    let answer = r#"payment charge 1169 cents={"Paid": {"number": "P-1170"}}"#;
    let ran = replay(&place, made, true, &["--answer", answer]);
    assert!(ran.out.contains("code_changed     apply_discount  Total.discount_cents"), "{ran:?}");
    assert!(ran.err.contains("recorded by build"), "{ran:?}");
}

#[test]
fn a_renamed_step_is_named_and_nothing_else() {
    let place = recorded();
    let ran = replay(&place, "@last:order-show", true, &["--json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let document: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let findings = document["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{findings:?}");
    let finding = &findings[0];
    assert_eq!((&finding["step"], &finding["field"]), (&json!("render_receipt"), &json!("step")));
    assert_eq!((&finding["expected"], &finding["got"]), (&json!("render_order"), &json!("render_receipt")));
    assert!(finding["source"].as_str().unwrap().starts_with("examples/orders/src/receipt.rs:"), "{finding}");
}

#[test]
fn a_fix_is_shown_to_help() {
    let place = recorded();
    let ran = replay(&place, "@failed", false, &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = replay(&place, "@failed", true, &[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let flat = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat.contains("panic → continue"), "{ran:?}");
}
