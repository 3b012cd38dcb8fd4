//! Folded stacks add up to the duration.

use zerver_otel::folded_stacks;
use zerver_testkit::sample;
use zerver_trace::Trace;

use crate::samples;

#[test]
fn the_stacks_of_a_request_add_up_to_its_duration() {
    insta::assert_snapshot!(folded_stacks([&samples::calls()]), @r"
    todos-item;(reading the body) 10000
    todos-item;load_todo 30000
    todos-item;load_todo;(waiting in the run queue) 20000
    todos-item;load_todo;sql * statements: insert into log (id) values ($*) 1000000
    todos-item;load_todo;sql select id from todos where owner = $* 950000
    todos-item;load_todo;sql select id from todos where owner = $*;(queued) 500000
    todos-item;lookup_user 20000
    todos-item;lookup_user;http GET idp.example.com/verify?.. 1180000
    todos-item;lookup_user;http GET idp.example.com/verify?..;(earlier attempts) 1200000
    todos-item;parse_auth 85000
    todos-item;parse_auth;(waiting in the run queue) 5000
    todos-item;render_todo 1000000
    ");
    for trace in [sample::slow(), sample::failed(), sample::held(), sample::late(), samples::calls()] {
        let weights = folded_stacks([&trace]);
        let sum: u64 =
            weights.lines().map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()).sum();
        assert_eq!(sum, trace.duration_ns, "{weights}");
    }
}

#[test]
fn stacks_that_are_alike_are_added_up_and_stay_on_one_line() {
    let one = folded_stacks([&sample::slow()]);
    let two = folded_stacks([&sample::slow(), &sample::slow()]);
    assert_eq!(one.lines().count(), two.lines().count());
    let mut hostile: Trace = sample::slow();
    std::sync::Arc::make_mut(&mut hostile.flow).steps[1].name = "a;b\nc 7".into();
    let stacks = folded_stacks([&hostile]);
    assert!(stacks.contains("todos-item;a b c 7 20000\n"), "{stacks}");
}
