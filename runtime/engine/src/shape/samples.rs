//! Samples: values that a type is offered until it accepts one.

/// Format of a text, as far as the type accepts no text of another format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShapeFormat {
    /// Any text, or one of an unknown format.
    Plain,
    /// A UUID.
    Uuid,
    /// A point in time, such as `2026-01-01T00:00:00Z`.
    DateTime,
    /// A day, such as `2026-01-01`.
    Date,
    /// A time of day, such as `00:00:00`.
    Time,
    /// A duration, such as `PT1S`.
    Duration,
    /// A URI.
    Uri,
    /// An email address.
    Email,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
}

/// Texts to try, in order. The first ones are accepted by nearly every type that takes any text.
pub(super) const TEXTS: [(&str, ShapeFormat); 14] = [
    ("", ShapeFormat::Plain),
    ("a", ShapeFormat::Plain),
    ("1", ShapeFormat::Plain),
    ("00000000-0000-4000-8000-000000000000", ShapeFormat::Uuid),
    ("2026-01-01T00:00:00Z", ShapeFormat::DateTime),
    ("2026-01-01", ShapeFormat::Date),
    ("00:00:00", ShapeFormat::Time),
    ("PT1S", ShapeFormat::Duration),
    ("https://example.com/", ShapeFormat::Uri),
    ("a@example.com", ShapeFormat::Email),
    ("127.0.0.1", ShapeFormat::Ipv4),
    ("::1", ShapeFormat::Ipv6),
    ("127.0.0.1:80", ShapeFormat::Plain),
    ("abcdefgh", ShapeFormat::Plain),
];

/// Whole numbers to try, in order.
pub(super) const INTEGERS: [u8; 4] = [0, 1, 10, 100];
