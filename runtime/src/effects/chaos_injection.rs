//! Injects the faults of a drill into a call, in place of its interpreter. Whatever surrounds the call, such as its time
//! limit and the policy of its target, treats them like real ones.

use std::future::pending;
use std::time::Duration;

use zerver_engine::{Call, CallResult, ChaosFault, EffectError, EffectErrorKind, Injection};

use super::effect_points::report_injected;
use super::interpreter::{CallNumbers, EffectContext, Interpreters, Started};

/// Starts a call into which something is injected. The trace names the rules.
#[cold]
pub(super) fn start(
    interpreters: &Interpreters,
    call: &Call,
    context: &EffectContext,
    numbers: CallNumbers,
    injection: Injection,
) -> Started<CallResult> {
    let Injection { latency, fault, rules } = injection;
    rules.into_iter().for_each(report_injected);
    let result = match &fault {
        Some((ChaosFault::Error(kind), rule)) => Some(Err(failed(*kind, rule))),
        Some((ChaosFault::Status(status), rule)) => Some(answered(call, *status, rule)),
        // A latency is never the fault instead of a call.
        Some((ChaosFault::Timeout | ChaosFault::Latency(_), _)) | None => None,
    };
    if let (Some(result), Duration::ZERO) = (&result, latency) {
        return Started::Ready(result.clone());
    }
    let (interpreters, call, context) = (interpreters.clone(), call.clone(), context.clone());
    Started::Pending(Box::pin(async move {
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        match (result, fault) {
            (Some(result), _) => result,
            (None, Some(_)) => pending().await,
            (None, None) => match interpreters.start_without_chaos(&call, &context, numbers) {
                Started::Ready(result) => result,
                Started::Pending(future) => future.await,
            },
        }
    }))
}

fn failed(kind: EffectErrorKind, rule: &str) -> EffectError {
    EffectError::new(kind, format!("injected by chaos rule {rule}"))
}

/// Returns an answer of the other service that the rule makes up.
#[cfg(feature = "http-client")]
fn answered(call: &Call, status: u16, rule: &str) -> CallResult {
    use super::http::{Header, Reply, Request};

    if call.args::<Request>().is_none() {
        return Err(failed(EffectErrorKind::Invalid, rule));
    }
    let headers = [Header::new("content-type", "text/plain; charset=utf-8")].into();
    let body = format!("injected by chaos rule {rule}").into();
    Ok(Call::output::<Request>(Reply { status, headers, body }))
}

#[cfg(not(feature = "http-client"))]
fn answered(_: &Call, _: u16, rule: &str) -> CallResult {
    Err(failed(EffectErrorKind::Invalid, rule))
}
