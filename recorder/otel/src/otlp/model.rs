//! Messages of OTLP that concern traces (opentelemetry-proto 1.x, `trace/v1/trace.proto`). Fields that neither export
//! nor import uses are left out.

/// The spans of one export: the body of a request to `/v1/traces`, and the content of a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SpanBatch {
    /// Spans by the service that they belong to.
    pub resources: Vec<ResourceSpans>,
}

impl SpanBatch {
    /// Adds the spans of another batch. Those of the same service at the same position join its spans.
    pub fn append(&mut self, more: Self) {
        for (at, resource) in more.resources.into_iter().enumerate() {
            match self.resources.get_mut(at).filter(|known| known.attributes == resource.attributes) {
                None => self.resources.push(resource),
                Some(known) => {
                    for (at, scope) in resource.scopes.into_iter().enumerate() {
                        match known.scopes.get_mut(at) {
                            Some(known) if (&known.name, &known.version) == (&scope.name, &scope.version) => {
                                known.spans.extend(scope.spans);
                            }
                            _ => known.scopes.push(scope),
                        }
                    }
                }
            }
        }
    }

    /// Returns the number of spans.
    pub fn span_count(&self) -> usize {
        self.resources.iter().flat_map(|resource| &resource.scopes).map(|scope| scope.spans.len()).sum()
    }
}

/// The spans of one service.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ResourceSpans {
    /// Attributes of the service, such as `service.name`.
    pub attributes: Attributes,
    /// Spans by the library that created them.
    pub scopes: Vec<ScopeSpans>,
}

/// The spans that one library created.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScopeSpans {
    /// Name of the library.
    pub name: String,
    /// Version of the library.
    pub version: String,
    /// Spans, in any order.
    pub spans: Vec<Span>,
}

/// A span: an operation with a start and an end.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Span {
    /// Id of the trace; 0 if it is missing.
    pub trace_id: u128,
    /// Id of the span; 0 if it is missing.
    pub span_id: u64,
    /// `tracestate` of the trace.
    pub trace_state: String,
    /// Id of the span that this one is a part of; 0 if there is none.
    pub parent_span_id: u64,
    /// Flags of the trace in bits 0 to 7. Bit 8 says that bit 9 is valid, and bit 9 that the parent is in another process.
    pub flags: u32,
    /// Name of the operation, of low cardinality.
    pub name: String,
    /// Relation to the parent.
    pub kind: SpanKind,
    /// Start, in nanoseconds since the Unix epoch; 0 if it is missing.
    pub start_unix_ns: u64,
    /// End, in nanoseconds since the Unix epoch; 0 if it is missing.
    pub end_unix_ns: u64,
    /// Attributes.
    pub attributes: Attributes,
    /// Things that happened during the span.
    pub events: Vec<SpanEvent>,
    /// Status.
    pub status: Status,
}

/// Relation of a span to its parent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SpanKind {
    /// Not stated.
    #[default]
    Unspecified,
    /// An operation within a service.
    Internal,
    /// A request that a service received.
    Server,
    /// A request that a service sent.
    Client,
    /// A message that a service sent.
    Producer,
    /// A message that a service received.
    Consumer,
}

impl SpanKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 6] =
        [Self::Unspecified, Self::Internal, Self::Server, Self::Client, Self::Producer, Self::Consumer];

    /// Returns the word for the kind, in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Internal => "internal",
            Self::Server => "server",
            Self::Client => "client",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
        }
    }
}

/// Something that happened during a span.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SpanEvent {
    /// Time, in nanoseconds since the Unix epoch.
    pub unix_ns: u64,
    /// Name.
    pub name: String,
    /// Attributes.
    pub attributes: Attributes,
}

/// Status of a span.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// Code.
    pub code: StatusCode,
    /// Description for a person; empty unless the code is an error.
    pub message: String,
}

/// Code of a status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StatusCode {
    /// Not stated, as for nearly all spans.
    #[default]
    Unset,
    /// Declared as a success by the service.
    Ok,
    /// An error.
    Error,
}

impl StatusCode {
    /// All codes, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Unset, Self::Ok, Self::Error];
}

/// Attributes, in the order in which they were added.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Attributes(pub Vec<(String, AttributeValue)>);

impl Attributes {
    /// Adds an attribute.
    pub fn add(&mut self, name: impl Into<String>, value: impl Into<AttributeValue>) {
        self.0.push((name.into(), value.into()));
    }

    /// Adds an attribute unless its text is empty.
    pub fn add_text(&mut self, name: &str, text: impl Into<String>) {
        let text = text.into();
        if !text.is_empty() {
            self.add(name, text);
        }
    }

    /// Adds an attribute if it has a value.
    pub fn add_some(&mut self, name: &str, value: Option<impl Into<AttributeValue>>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }

    /// Returns the first value with this name.
    pub fn get(&self, name: &str) -> Option<&AttributeValue> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Returns the first text with one of these names. Conventions have changed names over time, so the current one comes
    /// first.
    pub fn text(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| match self.get(name)? {
            AttributeValue::Text(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// Returns the first integer with one of these names, which may be written as text.
    pub fn integer(&self, names: &[&str]) -> Option<i64> {
        names.iter().find_map(|name| match self.get(name)? {
            AttributeValue::Int(number) => Some(*number),
            AttributeValue::Text(text) => text.parse().ok(),
            _ => None,
        })
    }
}

/// Value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeValue {
    /// Absent.
    Empty,
    /// Text.
    Text(String),
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A float.
    Float(f64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A list.
    List(Vec<Self>),
    /// A map.
    Map(Attributes),
}

impl From<String> for AttributeValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for AttributeValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<bool> for AttributeValue {
    fn from(is_true: bool) -> Self {
        Self::Bool(is_true)
    }
}

impl From<u64> for AttributeValue {
    fn from(number: u64) -> Self {
        Self::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<u32> for AttributeValue {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<u16> for AttributeValue {
    fn from(number: u16) -> Self {
        Self::Int(number.into())
    }
}

impl From<Vec<Self>> for AttributeValue {
    fn from(values: Vec<Self>) -> Self {
        Self::List(values)
    }
}
