#![expect(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn datetime(text: &str) -> Value {
    Value::parse(ValType::DateTime, text).unwrap()
}

fn json(value: &Value) -> Option<String> {
    let mut out = String::new();
    let shown = value.write_json(&mut out);
    assert!(shown || out.is_empty(), "{value:?}");
    shown.then_some(out)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn values_have_the_bytes_of_dgraph() {
    for (value, bytes) in [
        (Value::Int(1), "0100000000000000"),
        (Value::Int(-2), "feffffffffffffff"),
        (Value::Float(-0.0), "0000000000000080"),
        (Value::Float(1.5), "000000000000f83f"),
        (Value::Bool(true), "01"),
        (Value::Bool(false), "00"),
        (Value::String("é".into()), "c3a9"),
        (datetime("2011-04-03T00:00:00Z"), "010000000ec529af8000000000ffff"),
        (datetime("2011-04-03T05:30:00+05:30"), "010000000ec529af8000000000014a"),
        (datetime("2011-04-03T00:00:00.000000001Z"), "010000000ec529af8000000001ffff"),
        (Value::Geo(Geo::Point([1.5, -2.0])), "0101000000000000000000f83f00000000000000c0"),
        (
            Value::Geo(Geo::MultiPolygon(vec![vec![vec![[1.5, -2.0]]]])),
            "01060000000100000001030000000100000001000000000000000000f83f00000000000000c0",
        ),
        (Value::VFloat(vec![1.0, 2.5]), "0000803f00002040"),
        (Value::BigFloat("-1.5".into()), "2d312e35"),
    ] {
        assert_eq!(hex(&value.to_bytes()), bytes, "{value:?}");
        assert_eq!(Value::from_bytes(value.val_type(), &value.to_bytes()), Ok(value));
    }
}

#[test]
fn an_offset_with_seconds_is_kept() {
    let mut bytes = datetime("1900-01-01").to_bytes();
    bytes[0] = 2;
    bytes[13..15].copy_from_slice(&19_i16.to_be_bytes());
    bytes.push(32);
    let value = Value::from_bytes(ValType::DateTime, &bytes).unwrap();
    assert_eq!(value.to_text().unwrap(), "1900-01-01T00:19:32+00:19");
    assert_eq!(value.to_bytes(), bytes);
}

#[test]
fn fingerprints_of_list_values_are_those_of_dgraph() {
    for (text, fingerprint) in [
        ("*", 2_270_315_820_862_831_959),
        ("Item", 9_177_600_271_458_468_370),
        ("Person", 8_498_944_609_011_199_654),
        ("Author", 4_542_523_605_181_949_732),
        ("dgraph.graphql", 8_370_363_035_058_642_481),
        ("dgraph.type.User", 16_739_325_470_569_836_854),
        ("dgraph.type.Group", 13_550_894_659_111_766_159),
        ("dgraph.graphql.history", 2_802_568_568_890_937_729),
    ] {
        assert_eq!(crate::fingerprint64(&Value::String(text.into()).to_bytes()), fingerprint, "{text}");
    }
}

#[test]
fn text_is_read_by_the_rules_of_mutations() {
    use ValType::{Bool, Float, Geo, Int, VFloat};
    for (to, text, value) in [
        (Int, "-9223372036854775808", Some(Value::Int(i64::MIN))),
        (Int, "+7", Some(Value::Int(7))),
        (Int, "9223372036854775808", None),
        (Int, "1.0", None),
        (Int, "1e3", None),
        (Int, " 1", None),
        (Int, "0x1", None),
        (Int, "", None),
        (Int, "1_000", None),
        (Float, "1_000.5", Some(Value::Float(1000.5))),
        (Float, "Inf", Some(Value::Float(f64::INFINITY))),
        (Float, "NaN", None),
        (Bool, "t", Some(Value::Bool(true))),
        (Bool, "False", Some(Value::Bool(false))),
        (Bool, "tRUE", None),
        (Bool, "yes", None),
        (Geo, "{'type':'Point','coordinates':[1,2.5]}", Some(Value::Geo(super::Geo::Point([1.0, 2.5])))),
        (Geo, "{\"coordinates\":[1,2.5],\"type\":\"Point\"}", Some(Value::Geo(super::Geo::Point([1.0, 2.5])))),
        (Geo, "{'type':'Point','coordinates':[1,2,3]}", None),
        (Geo, "{'type':'Point','coordinates':[1]}", None),
        (Geo, "{'type':'Circle','coordinates':[1,2]}", None),
        (Geo, "[1,2]", None),
        (VFloat, "[1, 2.5]", Some(Value::VFloat(vec![1.0, 2.5]))),
        (VFloat, "[1, x]", None),
    ] {
        assert_eq!(Value::parse(to, text).ok(), value, "{} {text}", to.name());
    }
    assert!(Value::parse(ValType::Uid, "0x1").is_err());
}

#[test]
fn values_become_other_types_by_the_rules_of_mutations() {
    let string = |text: &str| Some(Value::String(text.into()));
    for (from, to, value) in [
        (Value::Float(-2.9), ValType::Int, Some(Value::Int(-2))),
        (Value::Float(9.3e18), ValType::Int, None),
        (Value::Float(f64::NEG_INFINITY), ValType::Int, None),
        (Value::Bool(true), ValType::Int, Some(Value::Int(1))),
        (datetime("1970-01-01T00:01:00Z"), ValType::Int, Some(Value::Int(60))),
        (datetime("1969-12-31T23:59:59.5Z"), ValType::Float, Some(Value::Float(-0.5))),
        (Value::Int(3), ValType::Float, Some(Value::Float(3.0))),
        (Value::Bool(false), ValType::Float, Some(Value::Float(0.0))),
        (Value::Int(-1), ValType::Bool, Some(Value::Bool(true))),
        (Value::Float(-0.0), ValType::Bool, Some(Value::Bool(false))),
        (Value::Int(60), ValType::DateTime, Some(datetime("1970-01-01T00:01:00Z"))),
        (Value::Float(-0.5), ValType::DateTime, Some(datetime("1969-12-31T23:59:59.5Z"))),
        (Value::Int(i64::MAX), ValType::DateTime, None),
        (Value::Float(1.50), ValType::String, string("1.5")),
        (Value::Float(1e21), ValType::String, string("1E+21")),
        (Value::Int(-5), ValType::Default, Some(Value::Default("-5".into()))),
        (Value::Bool(true), ValType::String, string("true")),
        (datetime("2006"), ValType::String, string("2006-01-01T00:00:00Z")),
        (Value::Default("12".into()), ValType::Int, Some(Value::Int(12))),
        (Value::String("12".into()), ValType::Default, Some(Value::Default("12".into()))),
        (Value::Binary(b"1.5".to_vec()), ValType::Float, Some(Value::Float(1.5))),
        (Value::Binary(vec![0xff]), ValType::String, None),
        (Value::Geo(Geo::Point([1.0, 2.0])), ValType::String, string("{\"type\":\"Point\",\"coordinates\":[1,2]}")),
        (Value::Geo(Geo::Point([1.0, 2.0])), ValType::Int, None),
        (Value::Int(1), ValType::Geo, None),
        (Value::Bool(true), ValType::DateTime, None),
        (Value::Password("$2a$10$x".into()), ValType::Default, None),
        (Value::Password("$2a$10$x".into()), ValType::String, None),
    ] {
        assert_eq!(from.convert(to).ok(), value, "{from:?} to {}", to.name());
    }
}

#[test]
fn an_error_shows_the_beginning_of_the_value_and_what_is_accepted() {
    let long = "é".repeat(1000);
    let text = Value::parse(ValType::Int, &long).unwrap_err().to_string();
    assert!(
        text.starts_with(&format!("could not read \"{}…\" as int: give a decimal integer", "é".repeat(60))),
        "{text}"
    );
    let text = Value::Bool(true).convert(ValType::Geo).unwrap_err().to_string();
    assert!(text.starts_with("a value of type bool cannot become geo"), "{text}");
}

#[test]
fn results_are_the_json_of_dgraph() {
    for (value, text) in [
        (Value::Int(-7), Some("-7")),
        (Value::Float(1e6), Some("1e+06")),
        (Value::Float(-0.0), Some("-0")),
        (Value::Float(f64::INFINITY), None),
        (Value::Bool(true), Some("true")),
        (datetime("2031-01-02"), Some("\"2031-01-02T00:00:00Z\"")),
        (datetime("2031-01-02T03:04:05.120+05:30"), Some("\"2031-01-02T03:04:05.12+05:30\"")),
        (Value::Default("a\"b\\c".into()), Some("\"a\\\"b\\\\c\"")),
        (
            Value::String("<a> & \u{2028}\u{2029}\u{2027}é\u{1}\n\t\u{7f}".into()),
            Some("\"\\u003ca\\u003e \\u0026 \\u2028\\u2029\u{2027}é\\u0001\\n\\t\u{7f}\""),
        ),
        (Value::Binary(b"raw".to_vec()), Some("\"raw\"")),
        (Value::Password("$2a$10$abc".into()), None),
        (Value::Geo(Geo::Point([-122.42, 1e-7])), Some("{\"type\":\"Point\",\"coordinates\":[-122.42,1e-7]}")),
        (Value::Geo(Geo::Point([f64::NAN, 0.0])), None),
        (
            Value::Geo(Geo::Polygon(vec![vec![[0.0, 0.0], [1.0, 0.5]], vec![]])),
            Some("{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[1,0.5]],[]]}"),
        ),
        (Value::VFloat(vec![1.0, 2.5]), Some("[1E+00,2.5E+00]")),
        (Value::BigFloat("-1.23456789012345678901e+29".into()), Some("-1.23456789012345678901e+29")),
        (Value::BigFloat("],\"a\":[".into()), None),
    ] {
        assert_eq!(json(&value).as_deref(), text, "{value:?}");
    }
}

#[test]
fn values_of_one_type_are_ordered() {
    let sorted = [
        vec![Value::Int(i64::MIN), Value::Int(-1), Value::Int(0), Value::Int(7)],
        vec![Value::Float(f64::NEG_INFINITY), Value::Float(-0.5), Value::Int(0), Value::Float(0.5), Value::Int(1)],
        vec![Value::String("B".into()), Value::Default("a".into()), Value::String("é".into())],
        vec![datetime("2006-01-01T01:00:00+02:00"), datetime("2006"), datetime("2006-01-01T00:00:00.1Z")],
        vec![Value::BigFloat("-1e3".into()), Value::BigFloat("9".into()), Value::BigFloat("10".into())],
    ];
    for values in sorted {
        for pair in values.windows(2) {
            assert_eq!(pair[0].compare(&pair[1]), Some(Ordering::Less), "{pair:?}");
            assert_eq!(pair[1].compare(&pair[0]), Some(Ordering::Greater), "{pair:?}");
        }
    }
    assert_eq!(datetime("2006").compare(&datetime("2006-01-01T05:30:00+05:30")), Some(Ordering::Equal));
    assert_eq!(Value::Int(1).compare(&Value::String("1".into())), None);
    let shape = Value::Geo(Geo::Point([0.0, 0.0]));
    assert_eq!(shape.compare(&shape), None);
}

#[test]
fn passwords_are_hashed_as_dgraph_does_and_checked() {
    let hash = Value::parse(ValType::Password, "secret").unwrap();
    assert!(matches!(&hash, Value::Password(text) if text.starts_with("$2a$10$") && text.len() == 60));
    assert!(hash.check_password("secret") && !hash.check_password("Secret"));
    assert_ne!(hash, Value::hash_password("secret").unwrap(), "the salt must differ");
    assert!(!Value::Password("damaged".into()).check_password("damaged"));
    assert!(!Value::String("secret".into()).check_password("secret"));
    for refused in ["", "12345", &"x".repeat(73)] {
        let error = Value::hash_password(refused).unwrap_err().to_string();
        assert!(refused.is_empty() || !error.contains(refused), "{error}");
    }
}

#[test]
fn well_known_binary_of_either_byte_order_is_read_and_lies_are_refused() {
    let big = [&[0, 0, 0, 0, 1][..], &1.5_f64.to_be_bytes(), &2.0_f64.to_be_bytes()].concat();
    assert_eq!(Value::from_bytes(ValType::Geo, &big), Ok(Value::Geo(Geo::Point([1.5, 2.0]))));
    for lie in [
        &[1, 6, 0, 0, 0, 0xff, 0xff, 0xff, 0xff][..], // more polygons than bytes
        &[1, 3, 0, 0, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f], // more places than bytes
        &[1, 4, 0, 0, 0, 1, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0], // a line among points
        &[1, 7, 0, 0, 0, 0, 0, 0, 0],                 // a collection
        &[1, 1, 0, 0, 0x20, 0xe6, 0x10, 0, 0],        // a reference system
        &[2, 1, 0, 0, 0],
        &[],
    ] {
        assert!(Value::from_bytes(ValType::Geo, lie).is_err(), "{lie:?}");
    }
}

fn any_coord() -> impl Strategy<Value = Coord> {
    [-200.0..200.0, -100.0..100.0]
}

fn any_geo() -> impl Strategy<Value = Geo> {
    let coords = || prop::collection::vec(any_coord(), 0..5);
    let rings = move || prop::collection::vec(coords(), 0..3);
    prop_oneof![
        any_coord().prop_map(Geo::Point),
        coords().prop_map(Geo::MultiPoint),
        coords().prop_map(Geo::LineString),
        rings().prop_map(Geo::MultiLineString),
        rings().prop_map(Geo::Polygon),
        prop::collection::vec(rings(), 0..3).prop_map(Geo::MultiPolygon),
    ]
}

fn any_datetime() -> impl Strategy<Value = DateTime> {
    (any::<i64>(), 0..1_000_000_000_u32, any::<i16>(), any::<Option<i8>>()).prop_map(
        |(seconds, nanos, minutes, odd)| {
            let mut bytes = vec![if odd.is_some() { 2 } else { 1 }];
            bytes.extend(seconds.to_be_bytes());
            bytes.extend(nanos.to_be_bytes());
            bytes.extend(minutes.to_be_bytes());
            bytes.extend(odd.map(i8::cast_unsigned));
            DateTime::from_bytes(&bytes).unwrap()
        },
    )
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<String>().prop_map(Value::Default),
        any::<String>().prop_map(Value::String),
        any::<String>().prop_map(Value::Password),
        any::<Vec<u8>>().prop_map(Value::Binary),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_map(Value::Float),
        any::<bool>().prop_map(Value::Bool),
        any_datetime().prop_map(Value::DateTime),
        any_geo().prop_map(Value::Geo),
        "-?[0-9]{1,30}(\\.[0-9]{1,30})?(e[+-][0-9]{2})?".prop_map(Value::BigFloat),
        prop::collection::vec(any::<f32>(), 0..5).prop_map(Value::VFloat),
    ]
}

fn any_type() -> impl Strategy<Value = ValType> {
    prop::sample::select(ValType::ALL.to_vec())
}

proptest! {
    #[test]
    fn every_value_comes_back_from_its_bytes(value in any_value()) {
        let bytes = value.to_bytes();
        let back = Value::from_bytes(value.val_type(), &bytes).unwrap();
        prop_assert_eq!(back.to_bytes(), bytes);
        prop_assert!(back == value || json(&value).is_none(), "{:?} {:?}", back, value);
    }

    #[test]
    fn arbitrary_bytes_never_panic(of in any_type(), bytes in any::<Vec<u8>>()) {
        if let Ok(value) = Value::from_bytes(of, &bytes) {
            let _ = (json(&value), value.to_text());
        }
    }

    #[test]
    fn arbitrary_geo_bytes_never_panic(kind in 0..8_u8, order in 0..2_u8, bytes in prop::collection::vec(0..4_u8, 0..60)) {
        let bytes = [&[order][..], &if order == 1 { [kind, 0, 0, 0] } else { [0, 0, 0, kind] }, &bytes].concat();
        if let Ok(value) = Value::from_bytes(ValType::Geo, &bytes) {
            prop_assert_eq!(Value::from_bytes(ValType::Geo, &value.to_bytes()).unwrap().to_bytes(), value.to_bytes());
        }
    }

    #[test]
    fn arbitrary_text_never_panics(to in any_type(), text in any::<String>()) {
        if to != ValType::Password {
            let _ = Value::parse(to, &text);
        }
    }

    #[test]
    fn every_value_converts_or_says_why(value in any_value(), to in any_type()) {
        if to != ValType::Password {
            match value.convert(to) {
                Ok(converted) => prop_assert_eq!(converted.val_type(), to),
                Err(error) => prop_assert!(error.to_string().len() < 600),
            }
        }
    }

    #[test]
    fn results_are_json_and_numbers_survive_it(value in any_value()) {
        if let Some(text) = json(&value) {
            let read: serde_json::Value = match serde_json::from_str(&text) {
                Ok(read) => read,
                Err(error) => return Err(TestCaseError::fail(format!("{text}: {error}"))),
            };
            match &value {
                Value::Float(n) => prop_assert_eq!(read.as_f64(), Some(*n)),
                Value::Int(n) => prop_assert_eq!(read.as_i64(), Some(*n)),
                Value::String(s) | Value::Default(s) => prop_assert_eq!(read.as_str(), Some(s.as_str())),
                Value::Geo(geo) => prop_assert_eq!(&Geo::from_json(&read).unwrap(), geo),
                _ => {}
            }
        }
    }

    #[test]
    fn values_come_back_from_their_text(value in any_value()) {
        let of = value.val_type();
        if let Some(text) = value.to_text()
            && matches!(of, ValType::Int | ValType::Float | ValType::Bool | ValType::Geo | ValType::BigFloat)
            && json(&value).is_some()
        {
            prop_assert_eq!(Value::parse(of, &text).unwrap(), value);
        }
    }

    #[test]
    fn datetimes_of_four_digit_years_come_back_from_their_text(unix in -62_167_219_200..253_402_300_799_i64, nanos in 0..1_000_000_000_u32) {
        let at = DateTime::from_unix(unix, nanos).unwrap();
        prop_assert_eq!(DateTime::parse(&at.to_string()), Some(at));
    }
}
