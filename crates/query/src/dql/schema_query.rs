use super::ast::SchemaQuery;
use super::cursor::{Cursor, Parsed};
use super::lexer::Kind;

/// Reads what stands behind the word `schema`.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Parsed<SchemaQuery> {
    let mut query = SchemaQuery::default();
    if cursor.eat("(") {
        restriction(cursor, &mut query)?;
        cursor.expect(")")?;
    }
    cursor.expect("{")?;
    while !cursor.eat("}") {
        query.members.push(cursor.name("a member like `type` or `index`")?.text);
        cursor.eat(",");
    }
    Ok(query)
}

fn restriction(cursor: &mut Cursor<'_>, query: &mut SchemaQuery) -> Parsed<()> {
    let names = match cursor.peek() {
        Kind::Name("pred") => &mut query.predicates,
        Kind::Name("type") => &mut query.types,
        _ => return Err(cursor.unexpected("`pred` or `type`")),
    };
    cursor.bump();
    cursor.expect(":")?;
    if cursor.eat("[") {
        *names = cursor.comma_list("]", |cursor| Ok(cursor.name("a name")?.text))?;
    } else {
        names.push(cursor.name("a name or a list of names")?.text);
    }
    Ok(())
}
