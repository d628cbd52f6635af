use super::ast::{Aggregate, AggregateOf, Arguments, Attribute, Directives, Expand, Field, FieldKind, Name};
use super::block::{self, Place};
use super::cursor::{Cursor, Parsed};
use super::lexer::Kind;
use super::{function, math};

/// Reads `{ field field }`.
pub(super) fn fields(cursor: &mut Cursor<'_>) -> Parsed<Vec<Field>> {
    cursor.expect("{")?;
    let mut fields = Vec::new();
    while !cursor.eat("}") {
        fields.push(cursor.nested(field)?);
        cursor.eat(",");
    }
    Ok(fields)
}

fn field(cursor: &mut Cursor<'_>) -> Parsed<Field> {
    let at = cursor.at();
    if cursor.eat("...") {
        let name = cursor.name("the name of a fragment")?;
        return Ok(bare(FieldKind::Spread(name), at));
    }
    let (alias, variable) = labels(cursor)?;
    let mut inner = Directives::default();
    let kind = kind(cursor, &mut inner)?;
    let args = block::arguments(cursor)?;
    let mut directives = block::directives(cursor, Place::Field)?;
    if let Some(filter) = inner.filter {
        if directives.filter.is_some() {
            return Err(cursor.error("the directive `@filter` is given twice"));
        }
        directives.filter = Some(filter);
    }
    let fields = if cursor.is("{") { Some(fields(cursor)?) } else { None };
    Ok(Field { alias, variable, kind, args, directives, fields, at })
}

fn bare(kind: FieldKind, at: super::Position) -> Field {
    Field {
        alias: None,
        variable: None,
        kind,
        args: Arguments::default(),
        directives: Directives::default(),
        fields: None,
        at,
    }
}

/// Reads `alias :` and `x as` in either order.
fn labels(cursor: &mut Cursor<'_>) -> Parsed<(Option<String>, Option<Name>)> {
    let (mut alias, mut variable) = (None, None);
    loop {
        let is_alias = alias.is_none() && *cursor.look(1) == Kind::Symbol(":");
        let is_variable =
            variable.is_none() && matches!(cursor.look(1), Kind::Name(word) if word.eq_ignore_ascii_case("as"));
        if !is_alias && !is_variable {
            return Ok((alias, variable));
        }
        let name = cursor.name(if is_alias { "an alias" } else { "the name of a variable" })?;
        cursor.bump();
        if is_alias {
            alias = Some(name.text);
        } else {
            variable = Some(name);
        }
    }
}

fn kind(cursor: &mut Cursor<'_>, inner: &mut Directives) -> Parsed<FieldKind> {
    // `name(first: 1)` is an edge with arguments: a call's parenthesis holds no `key:`.
    let is_call = *cursor.look(1) == Kind::Symbol("(") && *cursor.look(3) != Kind::Symbol(":");
    let word = match cursor.peek() {
        Kind::Name(word) => word.to_ascii_lowercase(),
        _ => return Ok(FieldKind::Attribute(function::attribute(cursor)?)),
    };
    match word.as_str() {
        "uid" if !is_call => {
            cursor.bump();
            Ok(FieldKind::Uid)
        }
        "count" if is_call => count(cursor, inner),
        "val" if is_call => Ok(FieldKind::Val(function::variable_call(cursor)?)),
        "min" if is_call => aggregate(cursor, Aggregate::Min),
        "max" if is_call => aggregate(cursor, Aggregate::Max),
        "sum" if is_call => aggregate(cursor, Aggregate::Sum),
        "avg" if is_call => aggregate(cursor, Aggregate::Avg),
        "math" if is_call => {
            cursor.bump();
            Ok(FieldKind::Math(math::parse(cursor)?))
        }
        "expand" if is_call => expand(cursor),
        "checkpwd" if is_call => check_password(cursor),
        _ => Ok(FieldKind::Attribute(function::attribute(cursor)?)),
    }
}

fn count(cursor: &mut Cursor<'_>, inner: &mut Directives) -> Parsed<FieldKind> {
    cursor.bump();
    cursor.expect("(")?;
    if cursor.is_word("uid") {
        cursor.bump();
        cursor.expect(")")?;
        return Ok(FieldKind::CountUid);
    }
    let counted: Attribute = function::attribute(cursor)?;
    *inner = block::directives(cursor, Place::Field)?;
    cursor.expect(")")?;
    Ok(FieldKind::Count(counted))
}

fn aggregate(cursor: &mut Cursor<'_>, aggregate: Aggregate) -> Parsed<FieldKind> {
    cursor.bump();
    cursor.expect("(")?;
    let is_val = cursor.is_word("val") && *cursor.look(1) == Kind::Symbol("(");
    let of = if is_val {
        AggregateOf::Val(function::variable_call(cursor)?)
    } else {
        AggregateOf::Attribute(function::attribute(cursor)?)
    };
    cursor.expect(")")?;
    Ok(FieldKind::Aggregate(aggregate, of))
}

fn expand(cursor: &mut Cursor<'_>) -> Parsed<FieldKind> {
    cursor.bump();
    cursor.expect("(")?;
    if cursor.is_word("val") && *cursor.look(1) == Kind::Symbol("(") {
        let variable = function::variable_call(cursor)?;
        cursor.expect(")")?;
        return Ok(FieldKind::Expand(Expand::Val(variable)));
    }
    let names = cursor.comma_list(")", |cursor| cursor.name("`_all_` or a type"))?;
    if names.is_empty() {
        return Err(cursor.error("`expand` needs `_all_` or types"));
    }
    match names.iter().find(|name| matches!(name.text.as_str(), "_forward_" | "_reverse_")) {
        Some(refused) => Err(super::SyntaxError {
            at: refused.at,
            message: format!("`expand({})` is not known; use `_all_` or types", refused.text),
        }),
        None if names.iter().any(|name| name.text == "_all_") => Ok(FieldKind::Expand(Expand::All)),
        None => Ok(FieldKind::Expand(Expand::Types(names.into_iter().map(|name| name.text).collect()))),
    }
}

fn check_password(cursor: &mut Cursor<'_>) -> Parsed<FieldKind> {
    cursor.bump();
    cursor.expect("(")?;
    let attribute = function::attribute(cursor)?;
    cursor.expect(",")?;
    let password = cursor.term("a password in quotes")?;
    cursor.expect(")")?;
    Ok(FieldKind::CheckPassword(attribute, password))
}
