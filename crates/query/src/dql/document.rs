use std::collections::HashSet;

use super::ast::{Document, Fragment, VariableDeclaration, VariableType};
use super::cursor::{Cursor, Parsed};
use super::lexer::Kind;
use super::{MAX_BLOCKS, SyntaxError, block, field, schema_query};

/// Reads `query name(...) { ... }`, `{ ... }` or `schema ...`, with fragments before and after.
pub(super) fn parse(text: &str) -> Parsed<Document> {
    let mut cursor = Cursor::new(text)?;
    let mut document = Document::default();
    let mut has_blocks = false;
    while *cursor.peek() != Kind::End {
        if cursor.eat_word("fragment") {
            document.fragments.push(fragment(&mut cursor)?);
        } else if cursor.is_word("schema") && !has_blocks && document.schema.is_none() {
            cursor.bump();
            document.schema = Some(schema_query::parse(&mut cursor)?);
        } else if has_blocks || document.schema.is_some() {
            return Err(
                cursor.error(format!("a request is one query or one schema query; {} is too much", cursor.peek()))
            );
        } else {
            has_blocks = true;
            if cursor.eat_word("query") {
                document.variables = header(&mut cursor)?;
            }
            blocks(&mut cursor, &mut document)?;
        }
    }
    if !has_blocks && document.schema.is_none() {
        return Err(cursor.error("empty request"));
    }
    refuse_repeated_names(&document)?;
    Ok(document)
}

fn fragment(cursor: &mut Cursor<'_>) -> Parsed<Fragment> {
    let name = cursor.name("the name of a fragment")?;
    let fields = field::fields(cursor)?;
    Ok(Fragment { name: name.text, fields, at: name.at })
}

fn blocks(cursor: &mut Cursor<'_>, document: &mut Document) -> Parsed<()> {
    cursor.expect("{")?;
    while !cursor.eat("}") {
        if ["set", "delete", "mutation", "upsert"].into_iter().any(|word| cursor.is_word(word))
            && *cursor.look(1) == Kind::Symbol("{")
        {
            return Err(cursor.error("a mutation does not belong in a query; send it to /mutate"));
        }
        if document.blocks.len() == MAX_BLOCKS {
            return Err(cursor.error(format!("a query has at most {MAX_BLOCKS} blocks")));
        }
        document.blocks.push(block::parse(cursor)?);
        cursor.eat(",");
    }
    Ok(())
}

fn header(cursor: &mut Cursor<'_>) -> Parsed<Vec<VariableDeclaration>> {
    if !cursor.is("{") && !cursor.is("(") {
        cursor.name("the name of the query, `(` or `{`")?;
    }
    if !cursor.eat("(") {
        return Ok(Vec::new());
    }
    let declarations = cursor.comma_list(")", declaration)?;
    let mut seen = HashSet::new();
    match declarations.iter().find(|declared| !seen.insert(declared.name.as_str())) {
        Some(twice) => {
            Err(SyntaxError { at: twice.at, message: format!("the query variable `{}` is declared twice", twice.name) })
        }
        None => Ok(declarations),
    }
}

fn declaration(cursor: &mut Cursor<'_>) -> Parsed<VariableDeclaration> {
    let at = cursor.at();
    let Kind::Variable(name) = *cursor.peek() else {
        return Err(cursor.unexpected("a query variable like `$name`"));
    };
    cursor.bump();
    cursor.expect(":")?;
    let value_type = variable_type(cursor)?;
    let required = cursor.eat("!");
    let default = if cursor.eat("=") { Some(cursor.term("a default value")?.text) } else { None };
    Ok(VariableDeclaration { name: name.to_owned(), required, value_type, default, at })
}

fn variable_type(cursor: &mut Cursor<'_>) -> Parsed<VariableType> {
    const TYPES: [(&str, VariableType); 4] = [
        ("string", VariableType::String),
        ("int", VariableType::Int),
        ("float", VariableType::Float),
        ("bool", VariableType::Bool),
    ];
    match TYPES.into_iter().find(|(name, _)| cursor.is_word(name)) {
        Some((_, value_type)) => {
            cursor.bump();
            Ok(value_type)
        }
        None => Err(cursor.unexpected("a type: string, int, float or bool")),
    }
}

fn refuse_repeated_names(document: &Document) -> Parsed<()> {
    let mut seen = HashSet::new();
    for block in document.blocks.iter().filter(|block| !block.is_var() && block.name != "shortest") {
        if !seen.insert(block.name.as_str()) {
            return Err(SyntaxError {
                at: block.at,
                message: format!("Duplicate aliases not allowed: {}", block.name),
            });
        }
    }
    Ok(())
}
