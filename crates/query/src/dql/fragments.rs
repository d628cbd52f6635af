use std::collections::HashMap;

use super::ast::{Document, Field, FieldKind, Fragment};
use super::{MAX_DEPTH, SyntaxError};

/// The most fields a query may have once its fragments are put in place: a few fragments that name each other twice
/// would otherwise grow without bound.
const MAX_FIELDS: usize = 100_000;

/// Puts the fields of every fragment where its name stands.
pub(super) fn resolve(mut document: Document) -> Result<Document, SyntaxError> {
    let mut fragments = HashMap::new();
    for fragment in std::mem::take(&mut document.fragments) {
        if let Some(twice) = fragments.insert(fragment.name.clone(), fragment) {
            return Err(SyntaxError {
                at: twice.at,
                message: format!("the fragment `{}` is defined twice", twice.name),
            });
        }
    }
    let mut resolver = Resolver { fragments, fields: 0 };
    for block in &mut document.blocks {
        block.fields = resolver.fields(std::mem::take(&mut block.fields), 0)?;
    }
    Ok(document)
}

struct Resolver {
    fragments: HashMap<String, Fragment>,
    fields: usize,
}

impl Resolver {
    fn fields(&mut self, fields: Vec<Field>, depth: usize) -> Result<Vec<Field>, SyntaxError> {
        let mut resolved = Vec::with_capacity(fields.len());
        for mut field in fields {
            self.count(&field, depth)?;
            if let FieldKind::Spread(name) = &field.kind {
                let Some(fragment) = self.fragments.get(&name.text) else {
                    return Err(SyntaxError {
                        at: name.at,
                        message: format!("the fragment `{}` is not defined", name.text),
                    });
                };
                let inner = fragment.fields.clone();
                resolved.extend(self.fields(inner, depth + 1)?);
                continue;
            }
            if let Some(inner) = field.fields.take() {
                field.fields = Some(self.fields(inner, depth + 1)?);
            }
            resolved.push(field);
        }
        Ok(resolved)
    }

    /// Refuses fragments that name themselves, by depth, and those that multiply, by number.
    fn count(&mut self, field: &Field, depth: usize) -> Result<(), SyntaxError> {
        self.fields += 1;
        let message = if depth > MAX_DEPTH {
            format!("the query nests deeper than {MAX_DEPTH} levels with its fragments; does one name itself?")
        } else if self.fields > MAX_FIELDS {
            format!("the query has more than {MAX_FIELDS} fields with its fragments")
        } else {
            return Ok(());
        };
        Err(SyntaxError { at: field.at, message })
    }
}
