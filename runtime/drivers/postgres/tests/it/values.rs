//! Values: each type in both directions, and what does not fit.

use zerver::effects::sql::{self, Date, SqlValue, Time, Timestamp, Uuid};

use crate::harness::{Client, cause};

/// Sends a value as a parameter of this type and reads it back.
fn round_trip(client: &Client, ty: &str, value: &SqlValue) {
    let text = format!("select $1::{ty}");
    let read: SqlValue = client.run(sql::query(text).bind(value.clone()).one()).unwrap();
    assert_eq!(read, *value, "{ty}");
}

#[test]
fn values_of_all_types_are_sent_and_read_without_loss() {
    let client = Client::new();
    client.execute("create type mood as enum ('happy', 'it''s \"odd\"')");
    client.execute("create domain positive as int4 check (value > 0)");
    let text = |text: &str| SqlValue::Text(text.to_owned());
    let numeric = |text: &str| SqlValue::Numeric(text.to_owned());
    let json = |text: &str| SqlValue::Json(text.to_owned());
    let long = "9".repeat(100) + "." + &"1234567890".repeat(5);
    let cases = [
        ("bool", SqlValue::Bool(true)),
        ("bool", SqlValue::Bool(false)),
        ("int2", SqlValue::Int(i16::MIN.into())),
        ("int4", SqlValue::Int(i32::MAX.into())),
        ("int8", SqlValue::Int(i64::MIN)),
        ("oid", SqlValue::Int(u32::MAX.into())),
        ("float4", SqlValue::Float(0.1f32.into())),
        ("float8", SqlValue::Float(0.1)),
        ("float8", SqlValue::Float(-0.0)),
        ("float8", SqlValue::Float(f64::MIN_POSITIVE)),
        ("float8", SqlValue::Float(f64::NAN)),
        ("float4", SqlValue::Float(f64::NEG_INFINITY)),
        ("numeric", numeric("0")),
        ("numeric", numeric("-0.000100")),
        ("numeric", numeric("12345678.90")),
        ("numeric", numeric("100000000000000000000000000")),
        ("numeric", numeric(&long)),
        ("numeric", numeric("NaN")),
        ("numeric", numeric("-Infinity")),
        ("text", text("")),
        ("text", text("NULL, 'quoted', \"ä\", \\ and \u{1f600}")),
        ("varchar(3)", text("abc")),
        ("mood", text("it's \"odd\"")),
        ("positive", SqlValue::Int(7)),
        ("bytea", SqlValue::Bytes(vec![0, 255, 92, 39].into())),
        ("bytea", SqlValue::Bytes(vec![].into())),
        ("timestamptz", SqlValue::Timestamp(Timestamp(-1))),
        ("timestamptz", SqlValue::Timestamp(Timestamp(1_795_957_200_123_456))),
        ("timestamp", SqlValue::Timestamp("0001-01-01T00:00:00Z".parse().unwrap())),
        ("timestamptz", SqlValue::Timestamp("-0043-03-15T12:00:00.5Z".parse().unwrap())),
        ("timestamptz", SqlValue::Timestamp("12026-03-15T12:00:00Z".parse().unwrap())),
        ("timestamptz", SqlValue::Timestamp(Timestamp::INFINITY)),
        ("timestamp", SqlValue::Timestamp(Timestamp::NEG_INFINITY)),
        ("date", SqlValue::Date(Date::new(1969, 12, 31).unwrap())),
        ("date", SqlValue::Date(Date::new(0, 2, 29).unwrap())),
        ("date", SqlValue::Date(Date::INFINITY)),
        ("time", SqlValue::Time(Time(86_400_000_000))),
        ("time", SqlValue::Time(Time(1))),
        ("uuid", SqlValue::Uuid(Uuid([0xfe; 16]))),
        ("json", json("{\"b\" :1, \"a\": 1e400}")),
        ("jsonb", json("{\"a\": 123456789012345678901234567890.10}")),
        ("int4[]", SqlValue::Array(vec![SqlValue::Int(1), SqlValue::Null, SqlValue::Int(-2)])),
        ("int4[]", SqlValue::Array(vec![])),
        ("text[]", SqlValue::Array(vec![text("a,b"), text("NULL"), text("\\\""), text(""), SqlValue::Null])),
        (
            "float8[]",
            SqlValue::Array(vec![
                SqlValue::Array(vec![SqlValue::Float(0.5)]),
                SqlValue::Array(vec![SqlValue::Float(f64::NAN)]),
            ]),
        ),
        ("bytea[]", SqlValue::Array(vec![SqlValue::Bytes(vec![1, 2].into())])),
        ("jsonb[]", SqlValue::Array(vec![json("{\"a\": \"x\\\\y\"}")])),
        ("inet", text("10.0.0.1")),
        ("inet", text("2001:db8::1/64")),
        ("cidr", text("10.0.0.0/8")),
        ("macaddr", text("08:00:2b:01:02:03")),
        ("varbit", text("10110")),
        ("timetz", text("10:00:00.5+02:00")),
        ("xml", text("<a/>")),
    ];
    for (ty, value) in &cases {
        round_trip(&client, ty, value);
        let null: SqlValue =
            client.run(sql::query(format!("select $1::{ty}")).bind(SqlValue::Null).one()).unwrap();
        assert_eq!(null, SqlValue::Null, "{ty}");
    }
}

#[test]
fn the_server_parses_text_for_types_without_a_value() {
    let client = Client::new();
    let cell = |text: &'static str, bound: &str| -> String {
        client.run(sql::query(text).bind(bound).one()).unwrap()
    };
    assert_eq!(cell("select $1::interval", "1 year -2 days 00:00:01.5"), "P1Y-2DT1.5S");
    assert_eq!(cell("select $1::interval", "-90 minutes"), "PT-1H-30M");
    assert_eq!(cell("select $1::interval", "0"), "PT0S");
    assert_eq!(cell("select ($1::int4range)::text", "[1,5)"), "[1,5)");
    assert_eq!(cell("select ($1::int4 + 1)::text", "41"), "42");
    assert_eq!(cell("select $1", "untyped"), "untyped");
}

#[derive(Debug, PartialEq, sql::Row)]
struct Article {
    id: i64,
    r#type: String,
    #[row(rename = "published_at")]
    published: Option<Timestamp>,
    tags: Vec<String>,
    meta: sql::Json<Vec<u8>>,
}

#[test]
fn rows_are_read_as_types_of_the_service() {
    let client = Client::new();
    let query = sql::query(
        "select 7::int2 as id, 'news' as type, null::timestamptz as published_at, array['a'] as tags, \
         '[1, 2]'::jsonb as meta, 'ignored' as other",
    );
    let article = Article {
        id: 7,
        r#type: "news".to_owned(),
        published: None,
        tags: vec!["a".to_owned()],
        meta: sql::Json(vec![1, 2]),
    };
    assert_eq!(client.run(query.one::<Article>()).unwrap(), article);
    // The sum of bigints is numeric.
    assert_eq!(
        client.run(sql::query("select sum(n) from generate_series(1, 4::int8) n").one::<i64>()).unwrap(),
        10
    );
    let pairs =
        client.run(sql::query("select n, n % 2 = 0 from generate_series(1, 2) n").all::<(u32, bool)>());
    assert_eq!(pairs.unwrap(), [(1, false), (2, true)]);
    let duplicates = client.run(sql::query("select 1 as a, 2 as a").one::<(i32, i32)>()).unwrap();
    assert_eq!(duplicates, (1, 2));
    assert_eq!(client.run(sql::query("select null::text").one::<Option<String>>()).unwrap(), None);
}

#[test]
fn a_value_that_does_not_fit_is_an_error_that_names_it() {
    let client = Client::new();
    let error = |query: sql::Query| cause(client.run(query.one::<(i16,)>()));
    assert_eq!(
        error(sql::query("select 70000 as size")),
        "column size (int4) of row 1 is 70000: it does not fit i16"
    );
    assert_eq!(
        error(sql::query("select null::int2 as size")),
        "column size (int2) of row 1 is null: expected an integer; a field of type Option accepts NULL"
    );
    assert_eq!(
        error(sql::query("select 1, 2")),
        "the result has 2 columns, but 1 are read: name the columns to select"
    );
    assert_eq!(
        error(sql::query("select 'a & b'::tsvector as words")),
        "malformed: column words: values of type tsvector cannot be read: select it as text, with column::text"
    );
    let invalid = [
        (
            error(sql::query("select $1::int2").bind(70_000)),
            "invalid: parameter $1, for which the server expects int2, is 70000: it is out of range",
        ),
        (
            error(sql::query("select 1 where 'a' = $1").bind(5)),
            "invalid: parameter $1, for which the server expects text, is 5: bind another type, or convert in the \
             statement: $n::int",
        ),
        (
            error(sql::query("select $1::text").bind("a\0b")),
            "invalid: parameter $1, for which the server expects text, is \"a\\0b\": it contains NUL, which text of \
             PostgreSQL cannot: bind bytes to a bytea",
        ),
        (
            error(sql::query("select $1::int4[]").bind(vec!["x"]).bind(1)),
            "invalid: the statement has 1 parameters, but 2 are bound",
        ),
    ];
    for (error, expected) in invalid {
        assert_eq!(error, expected);
    }
    let refused = client.run(sql::query("select $1::int4").bind("x").one::<i32>());
    assert!(cause(refused).contains("error 22P02: invalid input syntax for type integer: \"x\""));
    #[derive(Debug, sql::Row)]
    struct Absent {
        #[expect(dead_code, reason = "the row is not read")]
        title: String,
    }
    assert_eq!(
        cause(client.run(sql::query("select 1 as id, 2 as size").one::<Absent>())),
        "the result has no column title; it has id, size"
    );
}
