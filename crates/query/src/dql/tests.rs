#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::ast::{Expand, FacetsShown, FieldKind, Filter, FunctionName, Math, OrderKey, Subject, TermKind};
use super::*;

fn block(text: &str) -> ast::Block {
    parse(text).unwrap().blocks.remove(0)
}

fn first_field(text: &str) -> ast::Field {
    block(&format!("{{ q(func: uid(1)) {{ {text} }} }}")).fields.remove(0)
}

fn filter(text: &str) -> String {
    fn show(filter: &Filter) -> String {
        match filter {
            Filter::And(parts) => format!("({})", parts.iter().map(show).collect::<Vec<_>>().join(" & ")),
            Filter::Or(parts) => format!("({})", parts.iter().map(show).collect::<Vec<_>>().join(" | ")),
            Filter::Not(part) => format!("!{}", show(part)),
            Filter::Function(function) => match &function.subject {
                Subject::Attribute(attribute) => attribute.display(),
                other => format!("{other:?}"),
            },
        }
    }
    show(block(&format!("{{ q(func: uid(1)) @filter({text}) {{ uid }} }}")).directives.filter.as_ref().unwrap())
}

#[test]
fn not_binds_tighter_than_and_and_and_tighter_than_or() {
    for (text, shown) in [
        ("has(a) OR has(b) AND has(c)", "(a | (b & c))"),
        ("(has(a) or has(b)) and has(c)", "((a | b) & c)"),
        ("NOT has(a) AND has(b)", "(!a & b)"),
        ("not (has(a) AND has(b)) OR has(c)", "(!(a & b) | c)"),
        ("NOT NOT has(a)", "!!a"),
        ("", "()"),
    ] {
        assert_eq!(filter(text), shown, "{text}");
    }
}

#[test]
fn a_header_names_types_and_defaults_of_variables() {
    let document = parse("query t($a: string = \"x\", $b: int!, $c : bool) { q(func: eq(name, $a)) { uid } }").unwrap();
    let declared: Vec<_> =
        document.variables.iter().map(|v| (v.name.as_str(), v.required, v.default.as_deref())).collect();
    assert_eq!(declared, [("$a", false, Some("x")), ("$b", true, None), ("$c", false, None)]);
    let func = document.blocks[0].func.as_ref().unwrap();
    assert!(
        matches!(&func.args[..], [ast::Argument::Term(term)] if term.kind == TermKind::Variable && term.text == "$a")
    );
}

#[test]
fn fields_are_told_apart() {
    for (text, expected) in [
        ("uid", "Uid"),
        ("count(uid)", "CountUid"),
        ("count(friend)", "Count"),
        ("count(~friend @filter(has(name)))", "Count"),
        ("val(x)", "Val"),
        ("min(val(x))", "Aggregate"),
        ("m: math(a-b/2)", "Math"),
        ("expand(_all_)", "Expand"),
        ("checkpwd(pass, \"x\")", "CheckPassword"),
        ("name", "Attribute"),
        ("count", "Attribute"),
        ("min", "Attribute"),
        ("count (first: 1) { uid }", "Attribute"),
        ("<a b>", ""),
        ("<http://x.y/z>", "Attribute"),
    ] {
        let parsed = parse(&format!("{{ q(func: uid(1)) {{ {text} }} }}"));
        match parsed {
            Ok(document) => assert!(
                format!("{:?}", document.blocks[0].fields[0].kind).starts_with(expected) && !expected.is_empty(),
                "{text}"
            ),
            Err(error) => assert!(expected.is_empty(), "{text}: {error}"),
        }
    }
}

#[test]
fn languages_aliases_and_variables_stand_around_a_predicate() {
    let field = first_field("who: name@en:de:.");
    assert_eq!(field.alias.as_deref(), Some("who"));
    let FieldKind::Attribute(attribute) = field.kind else { panic!("not a predicate") };
    assert_eq!(attribute.display(), "name@en:de:.");

    let fields = block("{ q(func: uid(1)) { name@. name@* n: x as age, <~friend> {uid} } }").fields;
    let shown: Vec<String> = fields
        .iter()
        .map(|field| match &field.kind {
            FieldKind::Attribute(attribute) => attribute.display(),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(shown, ["name@.", "name@*", "age", "~friend"]);
    assert_eq!(
        (fields[2].alias.as_deref(), fields[2].variable.as_ref().map(|v| v.text.as_str())),
        (Some("n"), Some("x"))
    );
}

#[test]
fn arguments_and_order_are_read() {
    let block = block(
        "{ q(func: has(name), first: -2, offset: 1, after: 0x2, orderasc: age, orderdesc: name@en, orderasc: val(v)) { uid } }",
    );
    assert_eq!(block.args.first.unwrap().text, "-2");
    assert_eq!((block.args.offset.unwrap().text.as_str(), block.args.after.unwrap().text.as_str()), ("1", "0x2"));
    let order: Vec<bool> = block.args.order.iter().map(|order| order.descending).collect();
    assert_eq!(order, [false, true, false]);
    assert!(matches!(&block.args.order[2].by, OrderKey::Val(name) if name.text == "v"));
}

#[test]
fn every_form_of_facets_is_read() {
    let facets = first_field("friend @facets @facets(eq(close, true) AND NOT has(x)) { uid }").directives.facets;
    assert_eq!(facets.shown, Some(FacetsShown::All));
    assert!(matches!(facets.filter, Some(Filter::And(parts)) if parts.len() == 2));
    let facets = first_field("friend @facets(orderdesc: since, c: close, w as weight)").directives.facets;
    assert!(facets.order[0].descending && facets.order[0].key == "since");
    let Some(FacetsShown::Named(items)) = facets.shown else { panic!("no names") };
    let items: Vec<_> = items.iter().map(|i| (i.key.as_str(), i.alias.as_deref(), i.variable.is_some())).collect();
    assert_eq!(items, [("since", None, false), ("close", Some("c"), false), ("weight", None, true)]);
}

#[test]
fn texts_are_unescaped_and_regular_expressions_are_not() {
    let function = block(r#"{ q(func: eq(name, "a\" \\ \u0041\u00e9\n\x21\ud83d\ude00")) { uid } }"#).func.unwrap();
    assert!(matches!(&function.args[0], ast::Argument::Term(term) if term.text == "a\" \\ Aé\n!😀"));
    let function = block(r"{ q(func: regexp(name, /^a\/b\d+$/i)) { uid } }").func.unwrap();
    let ast::Argument::Term(term) = &function.args[0] else { panic!("not a term") };
    assert_eq!((term.text.as_str(), &term.kind), (r"^a/b\d+$", &TermKind::Regex { flags: "i".into() }));
}

#[test]
fn arithmetic_has_the_usual_strengths() {
    fn show(math: &Math) -> String {
        match math {
            Math::Number(term) => term.text.clone(),
            Math::Variable(name) => name.text.clone(),
            Math::Call(name, operands) => {
                format!("({name} {})", operands.iter().map(show).collect::<Vec<_>>().join(" "))
            }
        }
    }
    for (text, shown) in [
        ("a - b - 2", "(- (- a b) 2)"),
        ("a-b", "(- a b)"),
        ("1 + 2 * 3 < 4", "(< (+ 1 (* 2 3)) 4)"),
        ("cond(a == 1, -b, pow(a, 0.5))", "(cond (== a 1) (- b) (pow a 0.5))"),
    ] {
        let FieldKind::Math(math) = first_field(&format!("m: math({text})")).kind else { panic!("not math") };
        assert_eq!(show(&math), shown, "{text}");
    }
}

#[test]
fn fragments_are_put_in_place_and_may_nest() {
    let block = block("fragment g { age } { q(func: uid(1)) { ...f } } fragment f { name friend { ...g } }");
    assert_eq!(block.fields.len(), 2);
    assert_eq!(block.fields[1].fields.as_ref().unwrap().len(), 1);
}

#[test]
fn schema_questions_have_four_forms() {
    for (text, predicates, types, members) in [
        ("schema {}", 0, 0, 0),
        ("schema { type, index tokenizer }", 0, 0, 3),
        ("schema(pred: [name, friend]) { type }", 2, 0, 1),
        ("schema(pred: name) {}", 1, 0, 0),
        ("schema(type: [A, B]) {}", 0, 2, 0),
        ("schema(pred: []) {}", 0, 0, 0),
    ] {
        let schema = parse(text).unwrap().schema.unwrap();
        assert_eq!(
            (schema.predicates.len(), schema.types.len(), schema.members.len()),
            (predicates, types, members),
            "{text}"
        );
    }
}

#[test]
fn comments_and_commas_may_stand_anywhere() {
    let block = block("# first\n{ q(func: has(name)) { # second\n name, age , } # third\n}");
    assert_eq!(block.fields.len(), 2);
    assert!(matches!(first_field("expand(A, B)").kind, FieldKind::Expand(Expand::Types(types)) if types == ["A", "B"]));
}

#[test]
fn function_names_are_matched_without_case() {
    let function = block("{ q(func: AllOfTerms(name@en, \"x\")) { uid } }").func.unwrap();
    assert_eq!(function.name, FunctionName::AllOfTerms);
}

#[test]
fn errors_say_where_and_what() {
    for (text, line, column, part) in [
        ("", 1, 1, "empty request"),
        ("{ q(func: has(name)) { name ", 1, 29, "the end of the query"),
        ("{ q(func: nope(name)) { name } }", 1, 11, "Function name: nope is not valid."),
        ("{\n  q(func: eq(name \"x\")) { name } }", 2, 19, "`,`"),
        ("{ q(func: eq(name, \"x)) { name } }", 1, 20, "not closed"),
        ("{ q(func: eq(name, \"\\q\")) { name } }", 1, 20, "unknown escape"),
        ("{ q(func: has(a)) { a } q(func: has(b)) { b } }", 1, 25, "Duplicate aliases not allowed: q"),
        ("{ q(func: has(a), frist: 1) { a } }", 1, 19, "unknown argument `frist`"),
        ("{ q(func: has(a), first: 1, first: 2) { a } }", 1, 29, "given twice"),
        ("{ q(func: has(a)) @fliter(has(b)) { a } }", 1, 20, "Unknown directive [fliter]"),
        ("{ q(func: has(a)) @filter(has(b)) @filter(has(c)) { a } }", 1, 36, "given twice"),
        ("{ q(func: has(a)) { ...f } }", 1, 24, "`f` is not defined"),
        ("{ q(func: has(a)) { ...f } } fragment f { ...f }", 1, 43, "does one name itself?"),
        ("{ set { <1> <a> \"b\" . } }", 1, 3, "/mutate"),
        ("{ q(func: has(ä)) { ä ; } }", 1, 23, "unexpected character ';'"),
        ("query t($a: date) { q(func: uid($a)) { uid } }", 1, 13, "string, int, float or bool"),
        ("{ q(func: regexp(a, /x)) { uid } }", 1, 21, "not closed"),
    ] {
        let error = parse(text).expect_err(text);
        assert_eq!(error.at, Position { line, column }, "{text}: {error}");
        assert!(error.message.contains(part), "{text}: {error}");
    }
}

#[test]
fn ten_thousand_levels_are_refused_in_every_construct() {
    let deep = 10_000;
    for (open, middle, close) in [
        ("{ q(func: uid(1)) { ".to_owned() + &"friend { ".repeat(deep), "uid", "}".repeat(deep + 2)),
        ("{ q(func: uid(1)) @filter(".to_owned() + &"(".repeat(deep), "has(a)", ")".repeat(deep) + ") { uid } }"),
        ("{ q(func: uid(1)) @filter(".to_owned() + &"NOT ".repeat(deep), "has(a)", ") { uid } }".to_owned()),
        ("{ q(func: near(loc, ".to_owned() + &"[".repeat(deep), "1", "]".repeat(deep) + ")) { uid } }"),
        ("{ q(func: uid(1)) { m: math(".to_owned() + &"(".repeat(deep), "a", ")".repeat(deep) + ") } }"),
        ("{ q(func: uid(1)) { m: math(".to_owned() + &"-".repeat(deep), "a", ") } }".to_owned()),
        ("{ q(func: uid(1)) { m: math(a".to_owned(), &"+a".repeat(deep), ") } }".to_owned()),
    ] {
        let error = parse(&format!("{open}{middle}{close}")).expect_err("too deep");
        assert!(error.message.contains("deeper than") || error.message.contains("in a row"), "{error}");
    }
}

#[test]
fn a_text_above_the_limit_is_refused_before_it_is_read() {
    let error = parse(&" ".repeat(MAX_QUERY_BYTES + 1)).expect_err("too long");
    assert!(error.message.contains("more than the limit"), "{error}");
}

#[test]
fn more_blocks_and_facets_than_the_limit_are_refused() {
    let blocks: String = (0..=MAX_BLOCKS).map(|n| format!("b{n}(func: uid(1)) {{ uid }} ")).collect();
    let facets: Vec<String> = (0..MAX_BLOCKS + 2).map(|n| format!("f{n}")).collect();
    for text in [
        format!("{{ {blocks} }}"),
        format!("{{ q(func: uid(1)) {{ friend @facets({}) {{ uid }} }} }}", facets.join(", ")),
    ] {
        assert!(parse(&text).expect_err("too many").message.contains("at most 1000"));
    }
}

#[test]
fn fragments_that_multiply_are_refused() {
    let mut text = "{ q(func: uid(1)) { ...f0 } } ".to_owned();
    for n in 0..40 {
        text += &format!("fragment f{n} {{ ...f{m} ...f{m} }} ", m = n + 1);
    }
    text += "fragment f40 { name }";
    assert!(parse(&text).expect_err("2^40 fields").message.contains("fields"));
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn arbitrary_words_of_the_language_never_panic(words in proptest::collection::vec(proptest::sample::select(vec![
        "{", "}", "(", ")", "[", "]", ":", ",", "@", "*", ".", "...", "~", "-", "\"x\"", "\"", "\\", "/", "/a/i", "$a", "0x1", "1.5", "<p>", "<",
        "q", "func", "query", "fragment", "schema", "as", "eq", "has", "uid", "count", "val", "math", "expand", "filter", "facets", "first",
        "orderasc", "AND", "OR", "NOT", "cascade", "en", "name", "#", "\n",
    ]), 0..60)) {
        let _ = parse(&words.join(" "));
        let _ = parse(&format!("{{ q(func: has(name)) {{ {} }} }}", words.join(" ")));
    }
}
