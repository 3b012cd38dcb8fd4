//! Classes: which requests go first when there is more work than the cores can do.
//!
//! Reports run on threads of low priority; `curl localhost:3000/quick` stays fast while reports compute.

use zerver::ClassRule;
use zerver::prelude::*;

zerver::main!(app);

fn app() -> App {
    App::new()
        .flow(flow!("quick", GET "/quick", steps: [quick]).class(Class::Interactive))
        .flow(flow!("report", GET "/reports/{year}", steps: [sum]).class(Class::Batch))
        .flow(flow!("upload", POST "/uploads", steps: [measure]))
        // Rules override the class of a flow; the first that matches decides. Large uploads are batch work:
        .class_rule(ClassRule::body_over(256 * 1024, Class::Batch))
        // and an operator on this machine may choose with `x-class: interactive`.
        .class_rule(ClassRule::requested_in("x-class"))
}

#[step]
fn quick() -> Response {
    Response::text("ok\n")
}

/// About a second of arithmetic in an optimized build, in slices that end with a yield.
#[step]
fn sum(progress: Option<(u64, u64)>) -> Decision<Final, (u64, u64)> {
    let (slice, mut sum) = progress.unwrap_or_default();
    for n in 0..1_000_000 {
        sum = (sum ^ n).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    if slice == 1000 { Done(Response::text(format!("{sum}\n"))) } else { Yield((slice + 1, sum)) }
}

#[step]
fn measure(request: &Request) -> Response {
    Response::text(format!("{} bytes\n", request.body.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flow_has_its_class() {
        let flows = app().catalog().unwrap();
        let classes: Vec<_> = flows.iter().map(|flow| (flow.name.as_str(), flow.class)).collect();
        let expected = [("quick", Class::Interactive), ("report", Class::Batch), ("upload", Class::Default)];
        assert_eq!(classes, expected);
    }
}
