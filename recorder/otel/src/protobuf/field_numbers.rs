//! Numbers of the fields of each message, as `trace.proto`, `common.proto` and `resource.proto` define them.

/// Fields of `TracesData` and `ExportTraceServiceRequest`.
pub(super) mod batch {
    pub(in crate::protobuf) const RESOURCE_SPANS: u32 = 1;
}

/// Fields of `ExportTraceServiceResponse` and `ExportTracePartialSuccess`.
pub(super) mod response {
    pub(in crate::protobuf) const PARTIAL_SUCCESS: u32 = 1;
    pub(in crate::protobuf) const REJECTED_SPANS: u32 = 1;
    pub(in crate::protobuf) const ERROR_MESSAGE: u32 = 2;
}

/// Fields of `ResourceSpans`.
pub(super) mod resource_spans {
    pub(in crate::protobuf) const RESOURCE: u32 = 1;
    pub(in crate::protobuf) const SCOPE_SPANS: u32 = 2;
    /// The scope spans of OTLP before 0.15, by which some tools still write them.
    pub(in crate::protobuf) const LIBRARY_SPANS: u32 = 1000;
}

/// Fields of `Resource`.
pub(super) mod resource {
    pub(in crate::protobuf) const ATTRIBUTES: u32 = 1;
}

/// Fields of `ScopeSpans`.
pub(super) mod scope_spans {
    pub(in crate::protobuf) const SCOPE: u32 = 1;
    pub(in crate::protobuf) const SPANS: u32 = 2;
}

/// Fields of `InstrumentationScope`.
pub(super) mod scope {
    pub(in crate::protobuf) const NAME: u32 = 1;
    pub(in crate::protobuf) const VERSION: u32 = 2;
}

/// Fields of `Span`.
pub(super) mod span {
    pub(in crate::protobuf) const TRACE_ID: u32 = 1;
    pub(in crate::protobuf) const SPAN_ID: u32 = 2;
    pub(in crate::protobuf) const TRACE_STATE: u32 = 3;
    pub(in crate::protobuf) const PARENT_SPAN_ID: u32 = 4;
    pub(in crate::protobuf) const NAME: u32 = 5;
    pub(in crate::protobuf) const KIND: u32 = 6;
    pub(in crate::protobuf) const START: u32 = 7;
    pub(in crate::protobuf) const END: u32 = 8;
    pub(in crate::protobuf) const ATTRIBUTES: u32 = 9;
    pub(in crate::protobuf) const EVENTS: u32 = 11;
    pub(in crate::protobuf) const STATUS: u32 = 15;
    pub(in crate::protobuf) const FLAGS: u32 = 16;
}

/// Fields of `Span.Event`.
pub(super) mod event {
    pub(in crate::protobuf) const TIME: u32 = 1;
    pub(in crate::protobuf) const NAME: u32 = 2;
    pub(in crate::protobuf) const ATTRIBUTES: u32 = 3;
}

/// Fields of `Status`.
pub(super) mod status {
    pub(in crate::protobuf) const MESSAGE: u32 = 2;
    pub(in crate::protobuf) const CODE: u32 = 3;
}

/// Fields of `KeyValue`.
pub(super) mod key_value {
    pub(in crate::protobuf) const KEY: u32 = 1;
    pub(in crate::protobuf) const VALUE: u32 = 2;
}

/// Fields of `AnyValue`.
pub(super) mod any_value {
    pub(in crate::protobuf) const TEXT: u32 = 1;
    pub(in crate::protobuf) const BOOL: u32 = 2;
    pub(in crate::protobuf) const INT: u32 = 3;
    pub(in crate::protobuf) const FLOAT: u32 = 4;
    pub(in crate::protobuf) const LIST: u32 = 5;
    pub(in crate::protobuf) const MAP: u32 = 6;
    pub(in crate::protobuf) const BYTES: u32 = 7;
}

/// The only field of `ArrayValue` and `KeyValueList`.
pub(super) const VALUES: u32 = 1;
