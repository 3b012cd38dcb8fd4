//! The subscriber layer that adds spans and events to the requests that they belong to.

use std::sync::{Arc, Mutex, PoisonError};

use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use zerver::layer::{EventText, log_level};
use zerver_otel::{AttributeValue, LiveSpan, Span};
use zerver_trace::value::Encoder;
use zerver_trace::{Answer, Name, Recordable, SharedValue, ValueError};

use super::current::{current, is_request_span, use_spans};
use super::fields::{MAX_TEXT, SpanFields};
use super::query::{Query, is_query};
use crate::exchange::Exchange;

/// Level of the queries of sqlx, unless they are slow.
const QUERY_LEVEL: Level = Level::DEBUG;

/// Returns a layer that adds spans and events to the requests that [`record`](crate::record) records.
///
/// ```
/// use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
///
/// let subscriber = tracing_subscriber::registry().with(zerver_tower::spans());
/// # drop(subscriber);
/// ```
///
/// A filter that is a layer of its own, such as `registry().with(EnvFilter::..)`, filters for this layer as well. Give it to the layer
/// that it is meant for instead: `fmt::layer().with_filter(EnvFilter::..)`.
///
/// Log lines get a span `request` with the id of the request, which `zerver trace` accepts.
pub fn spans() -> Spans {
    use_spans();
    Spans { max_level: Level::INFO }
}

/// A subscriber layer. See [`spans`].
#[derive(Debug, Clone)]
pub struct Spans {
    max_level: Level,
}

impl Spans {
    /// Sets the most detailed level of spans and events that is recorded. Default: [`Level::INFO`]. Queries of sqlx are recorded
    /// in any case.
    #[must_use]
    pub const fn max_level(mut self, level: Level) -> Self {
        self.max_level = level;
        self
    }

    fn is_recorded(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.max_level
    }
}

/// Place of a span within its request.
#[derive(Clone)]
struct Place {
    exchange: Arc<Exchange>,
    /// The call that the span is, or is a part of. `None` directly below the request.
    call: Option<u32>,
    /// Number of recorded spans from the request down to this one.
    depth: usize,
}

/// A span that is a call.
struct SpanCall {
    call: u32,
    span: Arc<SharedSpan>,
}

/// A span whose fields may still be added to. It is encoded when the request has ended.
struct SharedSpan(Mutex<LiveSpan>);

impl SharedSpan {
    fn with<T>(&self, f: impl FnOnce(&mut LiveSpan) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Recordable for SharedSpan {
    fn encode(&self, out: &mut Encoder) -> Result<(), ValueError> {
        self.with(|span| span.encode(out))
    }

    fn summary(&self) -> Option<String> {
        self.with(|span| span.summary())
    }
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Spans {
    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::from_level(self.max_level.max(QUERY_LEVEL)))
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let metadata = attributes.metadata();
        if is_request_span(metadata) {
            if let Some(exchange) = current() {
                span.extensions_mut().insert(Place { exchange, call: None, depth: 0 });
            }
            return;
        }
        let parent = span.parent().and_then(|parent| parent.extensions().get::<Place>().cloned());
        let Some(mut place) = parent.or_else(current_place) else { return };
        if self.is_recorded(metadata) {
            let mut span_data = Span { name: metadata.name().to_owned(), ..Span::default() };
            attributes.record(&mut SpanFields(&mut span_data));
            let text_bytes = text_bytes(&span_data);
            let live = LiveSpan { span: span_data, depth: place.depth + 1 };
            let kind = live.kind();
            let shared = Arc::new(SharedSpan(Mutex::new(live)));
            let args = Arc::clone(&shared) as SharedValue;
            if let Some(call) = place.exchange.begin_call(Name::from(kind), args, text_bytes) {
                place.call = Some(call);
                place.depth += 1;
                span.extensions_mut().insert(SpanCall { call, span: shared });
            }
        }
        span.extensions_mut().insert(place);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(call) = span.extensions().get::<SpanCall>()
        {
            call.span.with(|live| values.record(&mut SpanFields(&mut live.span)));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let metadata = event.metadata();
        let is_query = is_query(metadata);
        if !is_query && !self.is_recorded(metadata) {
            return;
        }
        let of_span = context.event_span(event).and_then(|span| span.extensions().get::<Place>().cloned());
        let Some(Place { exchange, call, depth }) = of_span.or_else(current_place) else { return };
        if is_query {
            let Query { span, took } = Query::of(event, depth + 1);
            let from_ns =
                exchange.now_ns().saturating_sub(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
            let answer = span.answer();
            let (kind, text_bytes) = (Name::from(span.kind()), text_bytes(&span.span));
            exchange.add_call(from_ns, kind, Arc::new(span), text_bytes, answer);
            return;
        }
        let mut text = EventText::default();
        event.record(&mut text);
        let mut line = text.into_line();
        line.truncate(line.floor_char_boundary(MAX_TEXT));
        exchange.log(call, log_level(*metadata.level()), Name::from(metadata.target()), line);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let mut extensions = span.extensions_mut();
        let (call, place) = (extensions.remove::<SpanCall>(), extensions.remove::<Place>());
        drop(extensions);
        if let (Some(SpanCall { call, span }), Some(Place { exchange, .. })) = (call, place) {
            let answer: Answer<SharedValue> = span.with(|live| live.answer());
            exchange.end_call(call, answer);
        }
    }
}

/// Returns the size of the texts of a span.
fn text_bytes(span: &Span) -> usize {
    let texts = span.attributes.0.iter().map(|(_, value)| match value {
        AttributeValue::Text(text) => text.len(),
        _ => 0,
    });
    span.name.len() + texts.sum::<usize>()
}

fn current_place() -> Option<Place> {
    current().map(|exchange| Place { exchange, call: None, depth: 0 })
}
