//! Programs that must not compile, with the messages that their authors get.

#[test]
fn an_invalid_program_does_not_compile_and_the_message_names_the_mistake() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/compile_fail/valid.rs");
    cases.compile_fail("tests/compile_fail/order_*.rs");
    cases.compile_fail("tests/compile_fail/step_*.rs");
    cases.compile_fail("tests/compile_fail/slot_*.rs");
    cases.compile_fail("tests/compile_fail/flow_*.rs");
    cases.compile_fail("tests/compile_fail/effect_*.rs");
    cases.compile_fail("tests/compile_fail/row_*.rs");
}
