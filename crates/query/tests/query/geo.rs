//! `near`, `within`, `contains` and `intersects`: at root by the index, in filters by value, with an index and without.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::node::Node;

const SCHEMA: &str = "loc: geo @index(geo) .\nplain: geo .\nplaces: [geo] @index(geo) .\nname: string .";

/// 1 is the middle of Berlin, 2 the middle of Potsdam some 26 km away, 3 a square around Berlin with a hole around its middle, 4 a square
/// around both towns.
const GRAPH: &str = r#"
<1> <loc> "{'type':'Point','coordinates':[13.405,52.52]}"^^<geo:geojson> .
<2> <loc> "{'type':'Point','coordinates':[13.06,52.40]}"^^<geo:geojson> .
<3> <loc> "{'type':'Polygon','coordinates':[[[13.2,52.3],[13.7,52.3],[13.7,52.7],[13.2,52.7],[13.2,52.3]],[[13.4,52.5],[13.41,52.5],[13.41,52.53],[13.4,52.53],[13.4,52.5]]]}"^^<geo:geojson> .
<4> <loc> "{'type':'Polygon','coordinates':[[[12,52],[14,52],[14,53],[12,53],[12,52]]]}"^^<geo:geojson> .
<5> <places> "{'type':'Point','coordinates':[0,0]}"^^<geo:geojson> .
<5> <places> "{'type':'Point','coordinates':[13.405,52.52]}"^^<geo:geojson> .
<6> <name> "nowhere" .
"#;

fn uids(answer: &serde_json::Value, block: &str) -> Vec<u64> {
    let hex = |node: &serde_json::Value| u64::from_str_radix(&node["uid"].as_str().unwrap()[2..], 16).unwrap();
    answer[block].as_array().unwrap().iter().map(hex).collect()
}

#[test]
fn shapes_are_found_by_how_they_lie() {
    let node = Node::with(SCHEMA, GRAPH);
    let around_berlin = "[[[13.3, 52.4], [13.5, 52.4], [13.5, 52.6], [13.3, 52.6], [13.3, 52.4]]]";
    let many = (1..=1000).map(|uid| uid.to_string()).collect::<Vec<_>>().join(",");
    let around_all = "[[[11, 51], [15, 51], [15, 54], [11, 54], [11, 51]]]";
    for (function, found) in [
        ("near(loc, [13.405, 52.52], 100)".to_owned(), vec![1, 4]),
        ("near(loc, [13.405, 52.52], 2000)".to_owned(), vec![1, 3, 4]),
        ("NEAR(loc, [13.405, 52.52], 30000.5)".to_owned(), vec![1, 2, 3, 4]),
        ("near(loc, [-13.405, -52.52], 30000)".to_owned(), vec![]),
        (format!("within(loc, {around_berlin})"), vec![1]),
        (format!("within(loc, {around_all})"), vec![1, 2, 3, 4]),
        (format!("intersects(loc, {around_berlin})"), vec![1, 3, 4]),
        ("contains(loc, [13.405, 52.52])".to_owned(), vec![4]),
        ("contains(loc, [13.3, 52.6])".to_owned(), vec![3, 4]),
        (format!("contains(loc, {around_berlin})"), vec![4]),
        (format!("contains(loc, {around_all})"), vec![]),
        ("near(places, [13.4, 52.5], 5000)".to_owned(), vec![5]),
        ("near(places, [0, 0.001], 5000)".to_owned(), vec![5]),
        ("near(places, [6, 26], 5000)".to_owned(), vec![]),
        ("near(nosuch, [6, 26], 5000)".to_owned(), vec![]),
    ] {
        let text = format!(
            "{{ r(func: {function}) {{ uid }} f(func: uid(1, 2, 3, 4, 5, 6)) @filter({function}) {{ uid }} m(func: uid({many})) @filter({function}) {{ uid }} }}"
        );
        let answer = node.query(&text);
        assert_eq!(uids(&answer, "r"), found, "{function} at root");
        assert_eq!(uids(&answer, "f"), found, "{function} in a filter");
        assert_eq!(uids(&answer, "m"), found, "{function} in a filter over many nodes, which asks the index");
    }
}

#[test]
fn query_variables_hold_shapes_and_distances() {
    let node = Node::with(SCHEMA, GRAPH);
    let given: BTreeMap<String, String> = [
        ("$place", "[13.405, 52.52]"),
        ("$longitude", "13.405"),
        ("$meters", "100"),
        ("$area", "[[[13.3, 52.4], [13.5, 52.4], [13.5, 52.6], [13.3, 52.6], [13.3, 52.4]]]"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let text = "query t($place: string, $longitude: float, $meters: int, $area: string) {
        a(func: near(loc, $place, $meters)) { uid }
        b(func: near(loc, [$longitude, 52.52], $meters)) { uid }
        c(func: within(loc, $area)) { uid }
    }";
    let answer = node.run(text, &given, false).unwrap().data;
    assert_eq!(answer, r#"{"a":[{"uid":"0x1"},{"uid":"0x4"}],"b":[{"uid":"0x1"},{"uid":"0x4"}],"c":[{"uid":"0x1"}]}"#);
}

/// A point, or a square of so many degrees; at whole degrees, and so near to the equator that the ground is as good as flat.
#[derive(Clone, Copy, Debug)]
struct Square {
    west: f64,
    south: f64,
    degrees: f64,
}

impl Square {
    fn ring(&self) -> String {
        let (east, north) = (self.west + self.degrees, self.south + self.degrees);
        let (west, south) = (self.west, self.south);
        format!("[[[{west},{south}],[{east},{south}],[{east},{north}],[{west},{north}],[{west},{south}]]]")
    }

    fn geojson(&self) -> String {
        match self.degrees > 0.0 {
            true => format!("{{'type':'Polygon','coordinates':{}}}", self.ring()),
            false => format!("{{'type':'Point','coordinates':[{},{}]}}", self.west, self.south),
        }
    }

    fn holds(&self, other: &Square) -> bool {
        self.degrees > 0.0
            && self.west < other.west
            && self.south < other.south
            && self.west + self.degrees > other.west + other.degrees
            && self.south + self.degrees > other.south + other.degrees
    }

    fn meets(&self, other: &Square) -> bool {
        self.west < other.west + other.degrees
            && self.south < other.south + other.degrees
            && self.west + self.degrees > other.west
            && self.south + self.degrees > other.south
    }

    /// In degrees.
    fn distance(&self, x: f64, y: f64) -> f64 {
        let outside = |at: f64, from: f64| at - at.clamp(from, from + self.degrees);
        outside(x, self.west).hypot(outside(y, self.south))
    }
}

fn square() -> impl Strategy<Value = Square> {
    (-6i32..7, -6i32..7, prop_oneof![Just(0), 1i32..6]).prop_map(|(west, south, degrees)| Square {
        west: west.into(),
        south: south.into(),
        degrees: degrees.into(),
    })
}

/// A function on a predicate `P`, and whether a square passes it.
type Question = (String, Box<dyn Fn(&Square) -> bool>);

const METERS_PER_DEGREE: f64 = 111_194.9;

/// Every question with how a square answers it. What is asked for lies off the whole degrees by a quarter or a half, so that nothing only
/// touches, and no distance is close to a radius.
fn questions(asked: &Square) -> Vec<Question> {
    let asked = Square { west: asked.west + 0.25, south: asked.south + 0.25, ..*asked };
    let (x, y) = (asked.west + 0.25, asked.south + 0.25);
    let point = Square { west: x, south: y, degrees: 0.0 };
    let mut questions: Vec<Question> =
        vec![("contains(P, [X, Y])".to_owned(), Box::new(move |square| square.holds(&point)))];
    for degrees in [0.3, 1.3, 1.94] {
        let meters = degrees * METERS_PER_DEGREE;
        questions.push((format!("near(P, [X, Y], {meters})"), Box::new(move |square| square.distance(x, y) < degrees)));
    }
    if asked.degrees > 0.0 {
        let ring = asked.ring();
        questions.push((format!("within(P, {ring})"), Box::new(move |square| asked.holds(square))));
        questions.push((format!("contains(P, {ring})"), Box::new(move |square| square.holds(&asked))));
        questions.push((format!("intersects(P, {ring})"), Box::new(move |square| square.meets(&asked))));
    }
    let with_place = |text: String| text.replace('X', &x.to_string()).replace('Y', &y.to_string());
    questions.into_iter().map(|(text, passes)| (with_place(text), passes)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn geo_functions_answer_what_looking_at_each_shape_gives(
        squares in proptest::collection::vec(square(), 16),
        asked in proptest::collection::vec(square(), 8),
    ) {
        let line = |(uid, square): (usize, &Square)| {
            let shape = square.geojson();
            format!("<{uid}> <loc> \"{shape}\"^^<geo:geojson> .\n<{uid}> <plain> \"{shape}\"^^<geo:geojson> .\n")
        };
        let node = Node::with(SCHEMA, &(1..).zip(&squares).map(line).collect::<String>());
        for (function, passes) in asked.iter().flat_map(questions) {
            let found: Vec<u64> = (1..).zip(&squares).filter(|(_, square)| passes(square)).map(|(uid, _)| uid).collect();
            let (by_index, by_value) = (function.replace('P', "loc"), function.replace('P', "plain"));
            let answer = node.query(&format!(
                "{{ r(func: {by_index}) {{ uid }} f(func: has(loc)) @filter({by_index}) {{ uid }} v(func: has(loc)) @filter({by_value}) {{ uid }} }}"
            ));
            for block in ["r", "f", "v"] {
                prop_assert_eq!(uids(&answer, block), found.clone(), "{} in block {}", function, block);
            }
        }
    }
}
