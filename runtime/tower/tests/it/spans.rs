//! Spans and events of handlers. All tests share the subscriber of the process, because that is how programs use it.

use std::sync::Once;

use axum::Router;
use axum::routing::get;
use tracing::{Instrument as _, debug_span, error, info, info_span, warn};
use tracing_subscriber::layer::SubscriberExt as _;
use zerver_analysis::{EffectEnd, Timeline};
use zerver_trace::Trace;

use crate::harness::Served;

async fn serve(app: Router) -> Served {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        let subscriber = tracing_subscriber::registry().with(zerver_tower::spans());
        tracing::subscriber::set_global_default(subscriber).unwrap();
    });
    Served::start(app).await
}

/// Returns the calls of a trace with their ends, and the lines that they logged. The lines of the handler come first.
fn rows(trace: &Trace) -> Vec<String> {
    let timeline = Timeline::of(trace);
    let mut rows = Vec::new();
    for run in &timeline.runs {
        rows.extend(run.log_lines.iter().map(|line| format!("{}: {}", line.level, line.text())));
        for effect in &run.effects {
            rows.push(format!("{} = {}", effect.label(), effect.end));
            rows.extend(effect.log_lines.iter().map(|line| format!("  {}: {}", line.level, line.text())));
        }
    }
    rows
}

#[tokio::test]
async fn spans_are_calls_and_events_are_their_lines() {
    let app = Router::new().route(
        "/",
        get(|| async {
            info!(user = "ada", "asked");
            let load = info_span!("load_cart", cart = 7, otel.kind = "client");
            async {
                tokio::task::yield_now().await;
                warn!("slow");
                let inner = info_span!("price");
                inner.in_scope(|| error!(code = 3, "no price"));
                debug_span!("too detailed").in_scope(|| info!("within the parent"));
            }
            .instrument(load)
            .await;
            "done"
        }),
    );
    let served = serve(app).await;
    served.get("/", "").await;
    let trace = served.only_trace().await;
    let expected = [
        "info: asked user=\"ada\"",
        "client load_cart = ok",
        "  warn: slow",
        "  info: within the parent",
        "span · price = ok",
        "  error: no price code=3",
    ];
    assert_eq!(rows(&trace), expected);
    let timeline = Timeline::of(&trace);
    let [run] = &timeline.runs[..] else { panic!("{:?}", timeline.runs) };
    assert_eq!((run.step.name.as_str(), run.decision), ("handler", None));
    let [load, price] = &run.effects[..] else { panic!("{:?}", run.effects) };
    assert!(load.start_ns <= price.start_ns);
    assert!(price.start_ns + price.duration_ns <= load.start_ns + load.duration_ns);
    assert!(!timeline.gaps.iter().any(|gap| gap.to_string().contains("without")), "{:?}", timeline.gaps);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn spans_of_concurrent_requests_on_other_threads_find_their_request() {
    let app = Router::new().route(
        "/{n}",
        get(|axum::extract::Path(n): axum::extract::Path<u32>| async move {
            let span = info_span!("outer", n);
            let task = tokio::spawn(
                async move {
                    for _ in 0..20 {
                        tokio::task::yield_now().await;
                    }
                    info!("from a task: {n}");
                    let current = tracing::Span::current();
                    let thread = std::thread::spawn(move || {
                        let _entered = current.enter();
                        info_span!("thread", n).in_scope(|| info!("from a thread: {n}"));
                    });
                    thread.join().unwrap();
                }
                .instrument(span),
            );
            // Without an own span, the span of the request goes along.
            let bare = tokio::spawn(async move { info!("bare {n}") }.in_current_span());
            let _ = tokio::join!(task, bare);
        }),
    );
    let served = serve(app).await;
    let requests = (0..16).map(|n| {
        let target = format!("/{n}");
        let served = &served;
        async move { served.get(&target, "").await }
    });
    futures_util::future::join_all(requests).await;
    let traces = served.stop().await;
    assert_eq!(traces.len(), 16);
    for trace in traces {
        let n = trace.path.trim_start_matches('/');
        let expected = [
            format!("info: bare {n}"),
            "span outer = ok".to_owned(),
            format!("  info: from a task: {n}"),
            "span · thread = ok".to_owned(),
            format!("  info: from a thread: {n}"),
        ];
        assert_eq!(rows(&trace), expected);
    }
}

#[tokio::test]
async fn a_query_of_sqlx_is_an_sql_call_with_its_text_rows_and_time() {
    let app = Router::new().route(
        "/",
        get(|| async {
            let statement = "\n\nSELECT id, name FROM users WHERE id = $1\n";
            tracing::debug!(
                target: "sqlx::query",
                summary = "SELECT id, name FROM …",
                db.statement = statement,
                rows_affected = 0_u64,
                rows_returned = 3_u64,
                elapsed_secs = 0.000_001_f64,
            );
            tracing::debug!(
                target: "sqlx::query",
                summary = "DELETE FROM carts",
                db.statement = "",
                rows_affected = 1_u64,
                rows_returned = 0_u64,
                elapsed_secs = 0.000_001_f64,
            );
        }),
    );
    let served = serve(app).await;
    served.get("/", "").await;
    let trace = served.only_trace().await;
    let expected = ["sql SELECT id, name FROM users WHERE id = $1 = 3 rows", "sql DELETE FROM carts = 1 row"];
    assert_eq!(rows(&trace), expected);
    let timeline = Timeline::of(&trace);
    assert_eq!(timeline.totals.io["sql"].calls, 2);
    assert!(timeline.runs[0].effects.iter().all(|effect| effect.duration_ns >= 1_000), "{timeline:?}");
}

#[tokio::test]
async fn fields_that_are_known_later_and_failures_are_recorded_and_secrets_are_not() {
    let app = Router::new().route(
        "/",
        get(|| async {
            let span = info_span!(
                "call",
                otel.kind = "client",
                http.request.method = "GET",
                url.full = "http://billing:8080/invoices/7",
                http.response.status_code = tracing::field::Empty,
                password = "hunter2-hunter2",
            );
            span.record("http.response.status_code", 503);
            drop(span);
            let failed = info_span!(
                "job",
                otel.status_code = tracing::field::Empty,
                otel.status_message = "out of paper"
            );
            failed.record("otel.status_code", "ERROR");
        }),
    );
    let served = serve(app).await;
    served.get("/", "").await;
    let trace = served.only_trace().await;
    let timeline = Timeline::of(&trace);
    let effects: Vec<_> = timeline.runs.iter().flat_map(|run| &run.effects).collect();
    assert_eq!(effects[0].label(), "http GET billing:8080/invoices/7");
    assert_eq!(effects[0].end.to_string(), "503");
    assert!(
        matches!(&effects[1].end, EffectEnd::Err(error) if error.message == "out of paper"),
        "{:?}",
        effects[1]
    );
    assert!(!format!("{trace:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_span_that_outlives_its_request_has_no_end() {
    let (sender, receiver) = tokio::sync::oneshot::channel::<()>();
    let receiver = std::sync::Arc::new(std::sync::Mutex::new(Some(receiver)));
    let app = Router::new().route(
        "/",
        get(move || async move {
            let receiver = receiver.lock().unwrap().take().unwrap();
            tokio::spawn(async move { drop(receiver.await) }.instrument(info_span!("background")));
        }),
    );
    let served = serve(app).await;
    served.get("/", "").await;
    let trace = served.only_trace().await;
    drop(sender);
    assert_eq!(rows(&trace), ["span background = no answer"]);
}

#[tokio::test]
async fn what_happens_outside_of_requests_is_recorded_nowhere() {
    let served = serve(Router::new().route("/", get(|| async {}))).await;
    info!("no request");
    info_span!("no request either").in_scope(|| info!("nor here"));
    served.get("/", "").await;
    assert_eq!(rows(&served.only_trace().await), [""; 0]);
}

#[tokio::test]
async fn spans_and_lines_without_end_are_bounded_and_counted() {
    let app = Router::new()
        .route(
            "/many",
            get(|| async {
                for n in 0..15_000 {
                    info_span!("span", n).in_scope(|| info!("line"));
                }
            }),
        )
        .route(
            "/long",
            get(|| async {
                let text = "x".repeat(1 << 20);
                for _ in 0..300 {
                    info!("{text}");
                }
            }),
        );
    let served = serve(app).await;
    served.get("/many", "").await;
    served.get("/long", "").await;
    let traces = served.stop().await;
    let [many, long] = &traces[..] else { panic!("{} traces", traces.len()) };
    assert!((19_900..=20_000).contains(&many.events.len()), "{}", many.events.len());
    assert!(many.events_dropped > 8_000, "{}", many.events_dropped);
    let timeline = Timeline::of(many);
    assert!(timeline.runs[0].effects.iter().all(|effect| matches!(effect.end, EffectEnd::Ok { .. })));
    // Each line is cut at 16 KiB, and the trace has room for 2 MiB of them.
    assert_eq!((long.events.len(), long.events_dropped), (128, 172));
}
