//! Programs that must not compile, with the messages that their authors get.

#[test]
fn wrong_flows_do_not_compile_and_the_message_says_why() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/compile_fail/right.rs");
    cases.compile_fail("tests/compile_fail/order_*.rs");
    cases.compile_fail("tests/compile_fail/step_*.rs");
    cases.compile_fail("tests/compile_fail/slot_*.rs");
    cases.compile_fail("tests/compile_fail/flow_*.rs");
}
