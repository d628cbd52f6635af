use super::ast::{Argument, Arguments, Block, Directives, Function, Name, Order, OrderKey, Recurse};
use super::cursor::{Cursor, Parsed};
use super::lexer::Kind;
use super::{SyntaxError, facets, field, function};

/// Reads `x as name(func: ...) @directives { fields }`.
pub(super) fn parse(cursor: &mut Cursor<'_>) -> Parsed<Block> {
    let at = cursor.at();
    let mut name = cursor.name("the name of a block")?;
    let mut variable = None;
    if cursor.eat_word("as") {
        variable = Some(name);
        name = cursor.name("the name of a block")?;
    }
    let mut header = Header { is_shortest: name.text == "shortest", ..Header::default() };
    if cursor.eat("(") {
        cursor.comma_list(")", |cursor| header.argument(cursor))?;
    } else {
        return Err(cursor.unexpected(&format!("`(` behind the block's name `{}`", name.text)));
    }
    let directives = directives(cursor, Place::Root)?;
    let fields = if cursor.is("{") { field::fields(cursor)? } else { Vec::new() };
    let Header { func, args, path, .. } = header;
    Ok(Block { name: name.text, variable, func, args, path, directives, fields, at })
}

#[derive(Default)]
struct Header {
    is_shortest: bool,
    func: Option<Function>,
    args: Arguments,
    path: Vec<(Name, Argument)>,
}

impl Header {
    fn argument(&mut self, cursor: &mut Cursor<'_>) -> Parsed<()> {
        let key = cursor.name("an argument like `func`")?;
        cursor.expect(":")?;
        match key.text.as_str() {
            "func" if self.func.is_some() => Err(repeated(&key)),
            "func" => {
                self.func = Some(function::function(cursor)?);
                Ok(())
            }
            "from" | "to" | "numpaths" | "minweight" | "maxweight" | "depth" if self.is_shortest => {
                if self.path.iter().any(|(name, _)| name.text == key.text) {
                    return Err(repeated(&key));
                }
                let argument = function::argument(cursor)?;
                self.path.push((key, argument));
                Ok(())
            }
            _ => paging(cursor, &key, &mut self.args),
        }
    }
}

fn repeated(key: &Name) -> SyntaxError {
    SyntaxError { at: key.at, message: format!("the argument `{}` is given twice", key.text) }
}

/// Reads `(first: 2, orderasc: name)`.
pub(super) fn arguments(cursor: &mut Cursor<'_>) -> Parsed<Arguments> {
    let mut args = Arguments::default();
    if cursor.eat("(") {
        cursor.comma_list(")", |cursor| {
            let key = cursor.name("an argument like `first`")?;
            cursor.expect(":")?;
            paging(cursor, &key, &mut args)
        })?;
    }
    Ok(args)
}

fn paging(cursor: &mut Cursor<'_>, key: &Name, args: &mut Arguments) -> Parsed<()> {
    let slot = match key.text.as_str() {
        "orderasc" | "orderdesc" => {
            args.order.push(order(cursor, key)?);
            return Ok(());
        }
        "first" => &mut args.first,
        "offset" => &mut args.offset,
        "after" => &mut args.after,
        _ => return Err(SyntaxError { at: key.at, message: format!("unknown argument `{}`", key.text) }),
    };
    if slot.is_some() {
        return Err(repeated(key));
    }
    *slot = Some(cursor.term("a number")?);
    Ok(())
}

fn order(cursor: &mut Cursor<'_>, key: &Name) -> Parsed<Order> {
    let is_val = cursor.is_word("val") && *cursor.look(1) == Kind::Symbol("(");
    let by = if is_val {
        OrderKey::Val(function::variable_call(cursor)?)
    } else {
        OrderKey::Attribute(function::attribute(cursor)?)
    };
    Ok(Order { by, descending: key.text == "orderdesc", at: key.at })
}

/// Where directives stand.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Root,
    Field,
}

/// Whether `word` behind an `@` of a field is a directive; else it is a language.
fn is_directive(word: &str) -> bool {
    ["filter", "facets", "cascade", "normalize", "ignorereflex", "groupby"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(word))
}

/// Reads every `@directive` that follows. At a field, the first word that is none is left: it is a language.
pub(super) fn directives(cursor: &mut Cursor<'_>, place: Place) -> Parsed<Directives> {
    let mut directives = Directives::default();
    while cursor.is("@") {
        match cursor.look(1) {
            Kind::Name(word) if place == Place::Root || is_directive(word) => {
                let word = word.to_ascii_lowercase();
                cursor.bump();
                directive(cursor, &word, place, &mut directives)?;
            }
            _ => {
                return Err(cursor.error(
                    "expected a directive like `@filter` behind `@`; languages stand directly behind a predicate",
                ));
            }
        }
    }
    Ok(directives)
}

/// Whether the next tokens are a language list and not a directive.
pub(super) fn at_language(cursor: &Cursor<'_>) -> bool {
    match (cursor.is("@"), cursor.look(1)) {
        (true, Kind::Name(word)) => !is_directive(word),
        (true, Kind::Symbol("." | "*")) => true,
        _ => false,
    }
}

fn directive(cursor: &mut Cursor<'_>, word: &str, place: Place, into: &mut Directives) -> Parsed<()> {
    let twice = match word {
        "filter" => into.filter.is_some(),
        "cascade" => into.cascade.is_some(),
        "normalize" => into.normalize,
        "ignorereflex" => into.ignore_reflex,
        "groupby" => into.group_by.is_some(),
        "recurse" => into.recurse.is_some(),
        _ => false,
    };
    if twice {
        return Err(cursor.error(format!("the directive `@{word}` is given twice")));
    }
    let at_word = cursor.error(format!("Unknown directive [{word}]"));
    cursor.bump();
    match word {
        "filter" => into.filter = Some(function::filter_in_parentheses(cursor)?),
        "facets" if place == Place::Field => facets::parse(cursor, &mut into.facets)?,
        "cascade" => into.cascade = Some(cascade_names(cursor)?),
        "normalize" => into.normalize = true,
        "ignorereflex" => into.ignore_reflex = true,
        "groupby" => into.group_by = Some(group_keys(cursor)?),
        "recurse" if place == Place::Root => into.recurse = Some(recurse(cursor)?),
        _ => return Err(at_word),
    }
    Ok(())
}

fn cascade_names(cursor: &mut Cursor<'_>) -> Parsed<Vec<String>> {
    if !cursor.eat("(") {
        return Ok(Vec::new());
    }
    cursor.comma_list(")", |cursor| Ok(function::attribute(cursor)?.display()))
}

fn group_keys(cursor: &mut Cursor<'_>) -> Parsed<Vec<(Option<String>, super::ast::Attribute)>> {
    cursor.expect("(")?;
    cursor.comma_list(")", |cursor| {
        let alias = match cursor.look(1) {
            Kind::Symbol(":") => Some(cursor.name("an alias")?.text),
            _ => None,
        };
        if alias.is_some() {
            cursor.expect(":")?;
        }
        Ok((alias, function::attribute(cursor)?))
    })
}

fn recurse(cursor: &mut Cursor<'_>) -> Parsed<Recurse> {
    let mut recurse = Recurse::default();
    if cursor.eat("(") {
        cursor.comma_list(")", |cursor| {
            let key = cursor.name("`depth` or `loop`")?;
            cursor.expect(":")?;
            let slot = match key.text.as_str() {
                "depth" => &mut recurse.depth,
                "loop" => &mut recurse.allow_loop,
                _ => {
                    return Err(SyntaxError {
                        at: key.at,
                        message: format!("unknown argument `{}` of @recurse", key.text),
                    });
                }
            };
            *slot = Some(cursor.term("a value")?);
            Ok(())
        })?;
    }
    Ok(recurse)
}
