use super::SyntaxError;
use super::ast::{Math, Name, Term, TermKind};
use super::cursor::{Cursor, Parsed};
use super::lexer::Kind;

/// Names of the functions and how many operands each has.
const FUNCTIONS: [(&str, usize); 11] = [
    ("pow", 2),
    ("logbase", 2),
    ("exp", 1),
    ("ln", 1),
    ("sqrt", 1),
    ("floor", 1),
    ("ceil", 1),
    ("min", 2),
    ("max", 2),
    ("since", 1),
    ("cond", 3),
];

/// Operators from the weakest to the strongest; those of one row are read from the left.
const OPERATORS: [&[&str]; 4] = [&["==", "!="], &["<", ">", "<=", ">="], &["+", "-"], &["*", "/", "%"]];

/// Reads `(a + b * 2)`.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Math> {
    cursor.expect("(")?;
    let expression = cursor.nested(|cursor| binary(cursor, 0))?;
    cursor.expect(")")?;
    Ok(expression)
}

fn binary(cursor: &mut Cursor<'_>, strength: usize) -> Parsed<Math> {
    let Some(operators) = OPERATORS.get(strength) else {
        return operand(cursor);
    };
    let mut left = binary(cursor, strength + 1)?;
    // A chain nests to the left as deep as it is long, and is walked by recursion: it counts as depth.
    let mut length = 0;
    while let Some(operator) = operators.iter().find(|operator| cursor.is(operator)) {
        length += 1;
        if length > super::MAX_DEPTH {
            return Err(cursor.error(format!("more than {} operators in a row", super::MAX_DEPTH)));
        }
        cursor.bump();
        let right = binary(cursor, strength + 1)?;
        left = Math::Call((*operator).to_owned(), vec![left, right]);
    }
    Ok(left)
}

fn operand(cursor: &mut Cursor<'_>) -> Parsed<Math> {
    if cursor.is("(") {
        return parse(cursor);
    }
    if cursor.eat("-") {
        return Ok(Math::Call("-".to_owned(), vec![cursor.nested(operand)?]));
    }
    let at = cursor.at();
    match *cursor.peek() {
        Kind::Number(text) => {
            cursor.bump();
            Ok(Math::Number(Term { text: text.to_owned(), kind: TermKind::Bare, at }))
        }
        Kind::Name(word) => {
            cursor.bump();
            if cursor.is("(") {
                call(cursor, &Name { text: word.to_owned(), at })
            } else {
                Ok(Math::Variable(Name { text: word.to_owned(), at }))
            }
        }
        _ => Err(cursor.unexpected("a number, a variable or a function")),
    }
}

fn call(cursor: &mut Cursor<'_>, name: &Name) -> Parsed<Math> {
    let word = name.text.to_ascii_lowercase();
    if word == "val" {
        cursor.expect("(")?;
        let variable = cursor.name("the name of a variable")?;
        cursor.expect(")")?;
        return Ok(Math::Variable(variable));
    }
    let Some((_, arity)) = FUNCTIONS.iter().find(|(known, _)| *known == word) else {
        return Err(SyntaxError { at: name.at, message: format!("unknown function `{}` in math", name.text) });
    };
    cursor.expect("(")?;
    let operands = cursor.nested(|cursor| cursor.comma_list(")", |cursor| binary(cursor, 0)))?;
    match operands.len() == *arity {
        true => Ok(Math::Call(word, operands)),
        false => Err(SyntaxError {
            at: name.at,
            message: format!("`{word}` takes {arity} operands, found {}", operands.len()),
        }),
    }
}
