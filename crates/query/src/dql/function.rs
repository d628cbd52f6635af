use super::ast::{Argument, Attribute, Filter, Function, FunctionName, Name, Subject, Term, TermKind};
use super::cursor::{Cursor, Parsed};
use super::lexer::Kind;
use super::{SyntaxError, block};

/// Reads `eq(name, "x")`.
pub(super) fn function(cursor: &mut Cursor<'_>) -> Parsed<Function> {
    let at = cursor.at();
    let word = cursor.name("a function like `eq`")?;
    let Some(name) = FunctionName::from_name(&word.text) else {
        return Err(SyntaxError { at, message: format!("Function name: {} is not valid.", word.text) });
    };
    cursor.expect("(")?;
    let subject = subject(cursor, name)?;
    if subject != Subject::None && !cursor.is(")") {
        cursor.expect(",")?;
    }
    let args = cursor.comma_list(")", argument)?;
    Ok(Function { name, subject, args, at })
}

fn subject(cursor: &mut Cursor<'_>, function: FunctionName) -> Parsed<Subject> {
    if matches!(function, FunctionName::Uid | FunctionName::Type) {
        return Ok(Subject::None);
    }
    let is_call = *cursor.look(1) == Kind::Symbol("(");
    if is_call && cursor.is_word("val") {
        return Ok(Subject::Val(variable_call(cursor)?));
    }
    if is_call && cursor.is_word("len") {
        return Ok(Subject::Len(variable_call(cursor)?));
    }
    if is_call && cursor.is_word("count") {
        cursor.bump();
        cursor.expect("(")?;
        let counted = attribute(cursor)?;
        cursor.expect(")")?;
        return Ok(Subject::Count(counted));
    }
    Ok(Subject::Attribute(attribute(cursor)?))
}

/// Reads the variable in `val(x)`.
pub(super) fn variable_call(cursor: &mut Cursor<'_>) -> Parsed<Name> {
    cursor.bump();
    cursor.expect("(")?;
    let name = cursor.name("the name of a variable")?;
    cursor.expect(")")?;
    Ok(name)
}

/// Reads `~name@en:de`.
pub(super) fn attribute(cursor: &mut Cursor<'_>) -> Parsed<Attribute> {
    let at = cursor.at();
    let tilde = cursor.eat("~");
    let name = cursor.name("a predicate")?.text;
    // `<~friend>` names a reverse edge as `~friend` does.
    let (name, reverse) = match name.strip_prefix('~') {
        Some(bare) if !tilde => (bare.to_owned(), true),
        _ => (name, tilde),
    };
    let langs = if block::at_language(cursor) { languages(cursor)? } else { Vec::new() };
    Ok(Attribute { name, reverse, langs, at })
}

fn languages(cursor: &mut Cursor<'_>) -> Parsed<Vec<String>> {
    cursor.expect("@")?;
    let mut langs = Vec::new();
    loop {
        let lang = match cursor.peek() {
            Kind::Name(lang) => (*lang).to_owned(),
            Kind::Symbol(any @ ("." | "*")) => (*any).to_owned(),
            _ => return Err(cursor.unexpected("a language")),
        };
        langs.push(lang);
        cursor.bump();
        if !cursor.eat(":") {
            break;
        }
    }
    match langs.len() > 1 && langs.iter().any(|lang| lang == "*") {
        true => Err(cursor.error("`*` asks for every language and stands alone")),
        false => Ok(langs),
    }
}

/// Reads a literal, a list, `val(x)` or `uid(...)`.
pub(super) fn argument(cursor: &mut Cursor<'_>) -> Parsed<Argument> {
    if cursor.eat("[") {
        return cursor.nested(|cursor| cursor.comma_list("]", argument)).map(Argument::List);
    }
    let is_call = *cursor.look(1) == Kind::Symbol("(");
    if is_call && cursor.is_word("val") {
        return Ok(Argument::Val(variable_call(cursor)?));
    }
    if is_call && cursor.is_word("uid") {
        cursor.bump();
        cursor.expect("(")?;
        return Ok(Argument::Uid(cursor.comma_list(")", |cursor| cursor.term("a uid or a variable"))?));
    }
    Ok(Argument::Term(signed_term(cursor)?))
}

/// A term; infinities and the like carry their sign apart.
fn signed_term(cursor: &mut Cursor<'_>) -> Parsed<Term> {
    let at = cursor.at();
    let minus = cursor.eat("-");
    let term = cursor.term("a value")?;
    match (minus, &term.kind) {
        (false, _) => Ok(term),
        (true, TermKind::Bare) => Ok(Term { text: format!("-{}", term.text), at, ..term }),
        (true, _) => Err(SyntaxError { at, message: "`-` stands before a number only".to_owned() }),
    }
}

/// Reads `(a AND (b OR NOT c))`; `()` passes everything.
pub(super) fn filter_in_parentheses(cursor: &mut Cursor<'_>) -> Parsed<Filter> {
    cursor.expect("(")?;
    if cursor.eat(")") {
        return Ok(Filter::And(Vec::new()));
    }
    let filter = cursor.nested(any_of)?;
    cursor.expect(")")?;
    Ok(filter)
}

pub(super) fn parse_standalone_filter(text: &str) -> Parsed<Filter> {
    let mut cursor = Cursor::new(text)?;
    if *cursor.peek() == Kind::End {
        return Ok(Filter::And(Vec::new()));
    }
    let filter = any_of(&mut cursor)?;
    if *cursor.peek() == Kind::End { Ok(filter) } else { Err(cursor.unexpected("`AND`, `OR` or the end")) }
}

/// The weakest operator: `a OR b`.
fn any_of(cursor: &mut Cursor<'_>) -> Parsed<Filter> {
    let mut parts = vec![all_of(cursor)?];
    while cursor.eat_word("or") {
        parts.push(all_of(cursor)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::Or(parts) })
}

fn all_of(cursor: &mut Cursor<'_>) -> Parsed<Filter> {
    let mut parts = vec![not(cursor)?];
    while cursor.eat_word("and") {
        parts.push(not(cursor)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Filter::And(parts) })
}

fn not(cursor: &mut Cursor<'_>) -> Parsed<Filter> {
    if cursor.eat_word("not") {
        return Ok(Filter::Not(Box::new(cursor.nested(not)?)));
    }
    if cursor.is("(") { filter_in_parentheses(cursor) } else { Ok(Filter::Function(function(cursor)?)) }
}
