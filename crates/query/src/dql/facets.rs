use super::ast::{FacetItem, FacetOrder, Facets, FacetsShown};
use super::cursor::{Cursor, Parsed};
use super::lexer::Kind;
use super::{MAX_BLOCKS, function};

/// Reads what stands behind the word `facets` and adds it to what the field already has.
pub(super) fn parse(cursor: &mut Cursor<'_>, into: &mut Facets) -> Parsed<()> {
    if !cursor.is("(") {
        return show(cursor, into, FacetsShown::All);
    }
    if is_filter(cursor) {
        if into.filter.is_some() {
            return Err(cursor.error("a field has one facet filter"));
        }
        into.filter = Some(function::filter_in_parentheses(cursor)?);
        return Ok(());
    }
    let at = cursor.error("a field has one list of facets");
    cursor.bump();
    let mut shown = Vec::new();
    cursor.comma_list(")", |cursor| item(cursor, into, &mut shown))?;
    if into.shown.is_some() {
        return Err(at);
    }
    into.shown = Some(FacetsShown::Named(shown));
    Ok(())
}

fn show(cursor: &Cursor<'_>, into: &mut Facets, shown: FacetsShown) -> Parsed<()> {
    if into.shown.is_some() {
        return Err(cursor.error("a field has one list of facets"));
    }
    into.shown = Some(shown);
    Ok(())
}

/// A filter begins with a function, `NOT` or a parenthesis.
fn is_filter(cursor: &Cursor<'_>) -> bool {
    match cursor.look(1) {
        Kind::Symbol("(") => true,
        Kind::Name(word) => {
            *cursor.look(2) == Kind::Symbol("(")
                || (word.eq_ignore_ascii_case("not") && matches!(cursor.look(2), Kind::Name(_)))
        }
        _ => false,
    }
}

fn item(cursor: &mut Cursor<'_>, into: &mut Facets, shown: &mut Vec<FacetItem>) -> Parsed<()> {
    let mut first = cursor.name("a facet")?;
    let mut variable = None;
    if cursor.eat_word("as") {
        variable = Some(first);
        first = cursor.name("a facet")?;
    }
    let mut item = FacetItem { key: first.text, alias: None, variable };
    if cursor.eat(":") {
        let key = cursor.name("a facet")?.text;
        if item.variable.is_none() && matches!(item.key.as_str(), "orderasc" | "orderdesc") {
            into.order.push(FacetOrder { key: key.clone(), descending: item.key == "orderdesc" });
            item.key = key;
        } else {
            item.alias = Some(std::mem::replace(&mut item.key, key));
        }
    }
    if shown.len() + into.order.len() > MAX_BLOCKS {
        return Err(cursor.error(format!("a field has at most {MAX_BLOCKS} facets")));
    }
    if !shown.iter().any(|known| known.key == item.key && known.alias == item.alias) {
        shown.push(item);
    }
    Ok(())
}
