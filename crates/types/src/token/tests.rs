#![expect(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::ValType;
use crate::value::Geo;

fn hex(token: &[u8]) -> String {
    token.iter().map(|b| format!("{b:02x}")).collect()
}

fn one(tokenizer: Tokenizer, value: &Value) -> String {
    let tokens = tokens(tokenizer, value, "").unwrap();
    assert_eq!(tokens.len(), 1, "{tokens:?}");
    hex(&tokens[0])
}

fn datetime(text: &str) -> Value {
    Value::parse(ValType::DateTime, text).unwrap()
}

/// The tokens as text without the id byte, which is checked.
fn words(tokenizer: Tokenizer, text: &str, lang: &str) -> Vec<String> {
    let tokens = tokens(tokenizer, &Value::String(text.into()), lang).unwrap();
    assert!(tokens.is_sorted_by(|a, b| a < b));
    let word = |token: &Vec<u8>| {
        assert_eq!(token[0], tokenizer.id());
        String::from_utf8(token[1..].to_vec()).unwrap()
    };
    tokens.iter().map(word).collect()
}

#[test]
fn numbers_have_the_tokens_of_dgraph() {
    for (tokenizer, value, token) in [
        (Tokenizer::Int, Value::Int(0), "06010000000000000000"),
        (Tokenizer::Int, Value::Int(258), "06010000000000000102"),
        (Tokenizer::Int, Value::Int(-1), "0600ffffffffffffffff"),
        (Tokenizer::Float, Value::Float(-0.5), "07010000000000000000"),
        (Tokenizer::Float, Value::Float(-0.0), "07010000000000000000"),
        (Tokenizer::Float, Value::Float(-1.5), "0700ffffffffffffffff"),
        (Tokenizer::Float, Value::Float(1e300), "07017fffffffffffffff"),
        (Tokenizer::Bool, Value::Bool(true), "09010000000000000001"),
        (Tokenizer::Bool, Value::Bool(false), "09010000000000000000"),
    ] {
        assert_eq!(one(tokenizer, &value), token, "{value:?}");
    }
}

#[test]
fn calendar_tokens_count_in_utc() {
    let at = datetime("2011-04-03T02:30:00+05:30");
    for (tokenizer, token) in [
        (Tokenizer::Year, "0407db"),
        (Tokenizer::Month, "4107db0004"),
        (Tokenizer::Day, "4207db00040002"),
        (Tokenizer::Hour, "4307db000400020015"),
    ] {
        assert_eq!(one(tokenizer, &at), token);
    }
}

#[test]
fn terms_are_distinct_normalised_words() {
    assert_eq!(words(Tokenizer::Term, "The cat, the HAT & a ﬁsh", ""), ["a", "cat", "fish", "hat", "the"]);
    assert_eq!(words(Tokenizer::Term, "", ""), [""]);
    assert_eq!(words(Tokenizer::Term, "!?", ""), [""; 0]);
    assert_eq!(words(Tokenizer::Term, "アン・リー", "ja"), ["アン・リー"]);
    assert_eq!(words(Tokenizer::Term, "アン・リー", ""), ["アン", "リー"]);
    assert_eq!(words(Tokenizer::Term, "Guten  Tag", "zh-Hant"), ["", "Guten", "Tag"]);
    assert_eq!(words(Tokenizer::Term, "Guten  Tag", "de-AT"), ["guten", "tag"]);
}

#[test]
fn full_text_drops_stop_words_and_then_stems() {
    assert_eq!(
        words(Tokenizer::FullText, "The quick foxes were running, and don't stop", ""),
        ["fox", "quick", "run", "stop"]
    );
    assert_eq!(words(Tokenizer::FullText, "The foxes", "en-US"), ["fox"]);
    assert_eq!(words(Tokenizer::FullText, "The foxes", "xx-unknown"), ["foxes", "the"]);
    assert_eq!(words(Tokenizer::FullText, "The foxes", "1"), ["fox"]);
    assert_eq!(words(Tokenizer::FullText, "Häuser", "de"), ["haus"]);
    assert_eq!(words(Tokenizer::FullText, "", ""), [""; 0]);
    assert_eq!(words(Tokenizer::FullText, "漢字か a 漢", "ja"), ["a", "字か", "漢", "漢字"]);
}

#[test]
fn exact_hash_trigram_and_sha256_take_the_bytes_as_they_are() {
    assert_eq!(words(Tokenizer::Exact, "Ann Lee", ""), ["Ann Lee"]);
    assert_eq!(words(Tokenizer::Exact, "", ""), [""]);
    assert_eq!(tokens(Tokenizer::Exact, &Value::String("x".into()), "de-AT").unwrap(), [b"\x03de\x1fx"]);
    assert_eq!(
        one(Tokenizer::Hash, &Value::String("abc".into())),
        "0bbddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"
    );
    assert_eq!(words(Tokenizer::Trigram, "ananas", ""), ["ana", "nan", "nas"]);
    assert_eq!(words(Tokenizer::Trigram, "an", ""), [""; 0]);
    let tokens = tokens(Tokenizer::Trigram, &Value::String("é!?".into()), "").unwrap();
    assert_eq!(tokens, [b"\x0a\xa9!?".to_vec(), b"\x0a\xc3\xa9!".to_vec()]);
    let digest = "0123456789abcdef".repeat(4);
    assert_eq!(words(Tokenizer::Sha256, &format!("{digest}rest"), ""), [digest]);
    assert_eq!(words(Tokenizer::Sha256, "short", ""), [""; 0]);
}

#[test]
fn a_search_for_nothing_finds_nothing() {
    assert!(query_tokens(Tokenizer::Term, "", "").is_empty());
    assert_eq!(query_tokens(Tokenizer::Term, "b A b", ""), [b"\x01a", b"\x01b"]);
}

#[test]
fn text_is_converted_to_what_the_index_holds_and_nonsense_is_refused() {
    assert_eq!(one(Tokenizer::Int, &Value::Default("258".into())), "06010000000000000102");
    assert_eq!(one(Tokenizer::Year, &Value::String("2011".into())), "0407db");
    assert_eq!(words(Tokenizer::Term, "a", ""), ["a"]);
    assert_eq!(tokens(Tokenizer::Term, &Value::Default("a".into()), "").unwrap(), [b"\x01a"]);
    let error = tokens(Tokenizer::Int, &Value::String("x".into()), "").unwrap_err();
    assert_eq!(error.to_string(), "could not index a value with int");
    assert!(tokens(Tokenizer::Geo, &Value::Int(1), "").is_err());
}

#[test]
fn ranges_begin_where_their_tokens_do() {
    for (tokenizer, value, lang) in [
        (Tokenizer::Exact, Value::String("x".into()), ""),
        (Tokenizer::Exact, Value::String("x".into()), "de"),
        (Tokenizer::Int, Value::Int(-1), ""),
        (Tokenizer::Day, datetime("2006"), ""),
    ] {
        assert!(tokens(tokenizer, &value, lang).unwrap()[0].starts_with(&range_prefix(tokenizer, lang)));
    }
}

fn geo_words(shape: Geo) -> Vec<String> {
    let tokens = tokens(Tokenizer::Geo, &Value::Geo(shape), "").unwrap();
    tokens.iter().map(|t| String::from_utf8(t[1..].to_vec()).unwrap()).collect()
}

fn square([west, south]: [f64; 2], degrees: f64) -> Vec<[f64; 2]> {
    let (east, north) = (west + degrees, south + degrees);
    vec![[west, south], [east, south], [east, north], [west, north], [west, south]]
}

#[test]
fn a_point_stands_under_its_cell_and_every_ancestor() {
    let words = geo_words(Geo::Point([-122.082_506, 37.424_951_8]));
    assert_eq!(words.len(), 13, "{words:?}");
    assert_eq!(words[0], "c/808fb9f81");
    for parent in ["p/808c", "p/808f", "p/808fb9f81"] {
        assert!(words.contains(&parent.to_owned()), "{parent}: {words:?}");
    }
}

fn lookups(shape: Geo) -> Vec<String> {
    let tokens = geo_query_tokens(&shape).unwrap();
    tokens.iter().map(|t| String::from_utf8(t[1..].to_vec()).unwrap()).collect()
}

/// Whether a search around the place finds a shape with these tokens, and a search for the shape the place.
fn meet(words: &[String], place: [f64; 2]) -> bool {
    lookups(Geo::Point(place)).iter().any(|word| words.contains(word))
}

#[test]
fn a_polygon_is_covered_whatever_its_direction_and_nothing_else_is() {
    let ring = square([10.0, 50.0], 0.5);
    let words = geo_words(Geo::Polygon(vec![ring.clone()]));
    let back: Vec<_> = ring.into_iter().rev().collect();
    assert_eq!(words, geo_words(Geo::Polygon(vec![back])));
    assert!(words.iter().filter(|w| w.starts_with("c/")).count() <= MAX_TEST_CELLS, "{words:?}");
    for inside in [[10.0, 50.0], [10.25, 50.25], [10.49, 50.01]] {
        assert!(meet(&words, inside), "{inside:?}");
    }
    for outside in [[12.0, 50.25], [10.25, 53.0], [-170.0, -50.0], [10.25, -50.25]] {
        assert!(!meet(&words, outside), "{outside:?}");
    }
    let two = geo_words(Geo::MultiPolygon(vec![vec![square([10.0, 50.0], 0.5)], vec![square([-60.0, -10.0], 0.5)]]));
    assert!(words.iter().all(|word| two.contains(word)));
    assert!(meet(&two, [-59.9, -9.9]));
}

const MAX_TEST_CELLS: usize = 18;

#[test]
fn a_search_finds_what_lies_in_a_shape_and_what_covers_it() {
    let land = geo_words(Geo::Polygon(vec![square([10.0, 50.0], 5.0)]));
    let field = Geo::Polygon(vec![square([12.0, 52.0], 0.01)]);
    let finds = |lookups: &[String], words: &[String]| lookups.iter().any(|word| words.contains(word));
    assert!(finds(&lookups(field.clone()), &land));
    assert!(finds(&lookups(Geo::Polygon(vec![square([10.0, 50.0], 5.0)])), &geo_words(field.clone())));
    assert!(!finds(&lookups(Geo::Polygon(vec![square([30.0, 50.0], 0.5)])), &geo_words(field)));
}

#[test]
fn a_search_around_a_place_finds_what_is_near() {
    let berlin = [13.405, 52.52];
    let near = |meters| geo_near_tokens(berlin, meters).unwrap();
    let finds = |meters, place| {
        let tokens = tokens(Tokenizer::Geo, &Value::Geo(Geo::Point(place)), "").unwrap();
        near(meters).iter().any(|token| tokens.contains(token))
    };
    let potsdam = [13.0645, 52.3906]; // 27 km away
    assert!(finds(30_000.0, potsdam) && !finds(5_000.0, potsdam));
    assert!(finds(0.0, berlin) && finds(1e9, [-170.0, -50.0]));
    assert!(geo_near_tokens(berlin, -1.0).is_err() && geo_near_tokens(berlin, f64::NAN).is_err());
}

#[test]
fn a_server_of_dgraph_wrote_the_same_tokens() {
    let square = Geo::Polygon(vec![vec![[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0], [0.0, 0.0]]]);
    let cover = "c/055555555 c/0ffd7 c/0ffdc c/0ffe4 c/0fffd c/0ffff c/1004 c/1aa83 c/1aa9d c/1aa9f c/1aaa4 c/1aaac \
                 p/0554 p/0555 p/05554 p/05555 p/055554 p/055555 p/0555554 p/0555555 p/05555554 p/05555555 p/055555554 \
                 p/055555555 p/0ffc p/0ffd p/0ffd4 p/0ffd7 p/0ffdc p/0ffe4 p/0fff p/0fffc p/0fffd p/0ffff p/1004 p/1aa83 \
                 p/1aa84 p/1aa9 p/1aa9c p/1aa9d p/1aa9f p/1aaa4 p/1aaac p/1aab p/1aac";
    assert_eq!(geo_words(square).join(" "), cover);
    let triangle = |corner: f64| {
        let end = corner + 1.0;
        vec![vec![[corner, corner], [end, corner], [end, end], [corner, corner]]]
    };
    let cover = "c/10551 c/10553c c/10555 c/105564 c/10556c c/10ff8c c/10ff94 c/10ffbf c/10ffd c/10fff c/11001 c/110024 \
                 c/11003c c/110044 c/11005d4 c/11007 c/11560c c/11565c c/11567 c/11569 c/1156a4 c/1156b1 c/1156b7 c/1156bc \
                 c/1156d c/1156f c/11571f c/115724 c/11572c c/115734 c/11573b c/11aaa7ffc c/11aaac";
    let found = geo_words(Geo::MultiPolygon(vec![triangle(10.0), triangle(20.0)])).join(" ");
    assert_eq!(found.split(" p/").next(), Some(cover));
    for (text, lang, terms, stems) in [
        ("Tokyo running ran runs", "", "ran running runs tokyo", "ran run tokyo"),
        ("far away", "", "away far", "awai far"),
        ("Isles", "", "isles", "isl"),
        ("アン・リー", "ja", "アン・リー", "アン リー"),
    ] {
        assert_eq!(words(Tokenizer::Term, text, lang).join(" "), terms);
        assert_eq!(words(Tokenizer::FullText, text, lang).join(" "), stems);
    }
}

#[test]
fn shapes_that_cannot_be_indexed_say_why() {
    let open = vec![[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]];
    for (shape, why) in [
        (
            Geo::LineString(open.clone()),
            "could not index a LineString: the geo index takes Point, Polygon and MultiPolygon",
        ),
        (Geo::Polygon(vec![open.clone()]), "could not index a Polygon: a ring must end where it begins"),
        (
            Geo::Polygon(vec![open[..3].to_vec()]),
            "could not index a Polygon: a ring needs four places, the last of which is the first",
        ),
        (Geo::Polygon(vec![]), "could not index a Polygon: a polygon needs a ring"),
        (Geo::Point([f64::NAN, 0.0]), "could not index a Point: coordinates must be finite numbers"),
    ] {
        let error = tokens(Tokenizer::Geo, &Value::Geo(shape), "").unwrap_err();
        assert_eq!(error.to_string(), why);
    }
}

#[test]
fn odd_rings_are_covered_too() {
    for ring in [
        vec![[1.0, 1.0]; 4],                                                             // one place
        vec![[1.0, 1.0], [2.0, 2.0], [1.0, 1.0], [1.0, 1.0]],                            // a line
        vec![[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [0.0, 0.0]],                            // along the equator
        vec![[0.0, 0.0], [2.0, 2.0], [2.0, 0.0], [0.0, 2.0], [0.0, 0.0]],                // crossing itself
        vec![[179.0, -1.0], [-179.0, -1.0], [-179.0, 1.0], [179.0, 1.0], [179.0, -1.0]], // over the date line
        vec![[0.0, 80.0], [120.0, 80.0], [-120.0, 80.0], [0.0, 80.0]],                   // around a pole
        vec![[0.0, 0.0], [180.0, 0.0], [90.0, 90.0], [0.0, 0.0]],                        // antipodes
        vec![[500.0, 200.0], [501.0, 200.0], [501.0, 201.0], [500.0, 200.0]],            // out of range
    ] {
        let words = geo_words(Geo::Polygon(vec![ring.clone()]));
        assert!(words.iter().any(|word| word.starts_with("c/")), "{ring:?}");
        assert!(meet(&words, ring[0]), "{ring:?}");
    }
    let pole = geo_words(Geo::Polygon(vec![vec![[0.0, 80.0], [120.0, 80.0], [-120.0, 80.0], [0.0, 80.0]]]));
    assert!(meet(&pole, [17.0, 89.0]));
    assert!(!meet(&pole, [17.0, 0.0]));
}

proptest! {
    #[test]
    fn the_order_of_int_tokens_is_the_order_of_ints(a: i64, b: i64) {
        let token = |n| tokens(Tokenizer::Int, &Value::Int(n), "").unwrap();
        prop_assert_eq!(token(a).cmp(&token(b)), a.cmp(&b));
    }

    #[test]
    fn the_order_of_float_tokens_never_contradicts_the_order_of_floats(a in -1e20..1e20_f64, b in -5.0..5.0_f64) {
        let token = |n| tokens(Tokenizer::Float, &Value::Float(n), "").unwrap();
        let in_order = if a < b { token(a) <= token(b) } else { token(a) >= token(b) };
        prop_assert!(in_order);
    }

    #[test]
    fn the_order_of_calendar_tokens_never_contradicts_time(a in 0..4_000_000_000_i64, b in 0..4_000_000_000_i64) {
        let at = |unix| Value::DateTime(crate::value::DateTime::from_unix(unix, 0).unwrap());
        for tokenizer in [Tokenizer::Year, Tokenizer::Month, Tokenizer::Day, Tokenizer::Hour] {
            let token = |unix| tokens(tokenizer, &at(unix), "").unwrap();
            let in_order = if a < b { token(a) <= token(b) } else { token(a) >= token(b) };
        prop_assert!(in_order);
        }
    }

    #[test]
    fn any_text_in_any_language_is_tokenized(text: String, lang in prop::sample::select(vec!["", "en", "de", "ja", "ko", "ar", "tr", "x"])) {
        for tokenizer in Tokenizer::ALL.into_iter().filter(|t| t.value_type() == ValType::String) {
            let tokens = tokens(tokenizer, &Value::String(text.clone()), lang).unwrap();
            prop_assert!(tokens.is_sorted_by(|a, b| a < b));
        }
    }

    #[test]
    fn a_point_in_a_square_meets_its_cover(
        west in -179.0..178.0_f64, south in -80.0..79.0_f64, size in 0.0001..1.0_f64, x in 0.01..0.99_f64, y in 0.1..0.8_f64,
    ) {
        let words = geo_words(Geo::Polygon(vec![square([west, south], size)]));
        // A parallel bends away from the great circle between its ends; a point well inside is inside both.
        prop_assert!(meet(&words, [west + size * x, south + size * y]));
    }
}

#[test]
fn ngrams_are_runs_of_one_to_four_stems_and_long_ones_are_hashed() {
    let runs = words(Tokenizer::NGram, "The quick foxes jumped high", "");
    assert_eq!(
        runs,
        [
            "fox",
            "fox jump",
            "fox jump high",
            "high",
            "jump",
            "jump high",
            "quick",
            "quick fox",
            "quick fox jump",
            "quick fox jump high"
        ]
    );
    let tokens =
        tokens(Tokenizer::NGram, &Value::String("internationalization extraordinarily incomprehensible".into()), "")
            .unwrap();
    let hashed = tokens.iter().filter(|token| token.len() == 1 + 32).count();
    assert_eq!((tokens.len(), hashed), (6, 1), "only all three together have 30 bytes: {tokens:?}");
    assert!(words(Tokenizer::NGram, "", "").is_empty());
}

#[test]
fn bigfloats_are_indexed_by_their_whole_part_up_to_the_limits_of_int64() {
    for (text, whole) in [
        ("-1.5", -1),
        ("0.99", 0),
        ("12345.678e2", 1_234_567),
        ("12345.678e-2", 123),
        ("1.23456789012345678901234567890125e+29", i64::MAX),
        ("-1e999999999999999999999", i64::MIN),
        ("1e-999999999999999999999", 0),
        ("9223372036854775807", i64::MAX),
        ("-9223372036854775808.9", i64::MIN),
        ("0000000000000000000000000000000012", 12),
    ] {
        let token = &tokens(Tokenizer::BigFloat, &Value::BigFloat(text.into()), "").unwrap()[0];
        assert_eq!(token[..2], [0x0d, u8::from(whole >= 0)], "{text}");
        assert_eq!(token[2..], whole.to_be_bytes(), "{text}");
    }
}
