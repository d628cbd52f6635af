use std::cmp::Ordering;

use super::{QueryAnswer, QueryError, Result};
use crate::dql::ast::{Argument, Filter, Function, FunctionName, Subject};
use crate::dql::{self, SyntaxError};

/// Whether the condition of an upsert, `@if(...)` or `@filter(...)` with or without the directive's name, holds after its query was
/// answered. Conditions look at how many nodes a variable holds: `eq(len(v), 0) AND NOT gt(len(w), 1)`; an empty one holds.
///
/// # Errors
/// Text that is no condition, other functions than comparisons of `len`, and variables that the query does not have.
pub fn condition_holds(condition: &str, answer: &QueryAnswer) -> Result<bool> {
    let text = condition.trim();
    let inner = ["@if", "@filter"].into_iter().find_map(|name| text.strip_prefix(name)).unwrap_or(text);
    holds(&dql::parse_filter(inner)?, answer)
}

fn holds(filter: &Filter, answer: &QueryAnswer) -> Result<bool> {
    match filter {
        Filter::And(parts) => parts.iter().try_fold(true, |all, part| Ok(all & holds(part, answer)?)),
        Filter::Or(parts) => parts.iter().try_fold(false, |any, part| Ok(any | holds(part, answer)?)),
        Filter::Not(part) => Ok(!holds(part, answer)?),
        Filter::Function(function) => compare(function, answer),
    }
}

fn compare(function: &Function, answer: &QueryAnswer) -> Result<bool> {
    let refuse = |message: String| Err(QueryError::Syntax(SyntaxError { at: function.at, message }));
    let Subject::Len(name) = &function.subject else {
        return refuse("a condition compares len(x) of a variable, as in gt(len(x), 0)".to_owned());
    };
    let Some(nodes) = answer.uid_variables.get(&name.text) else {
        return refuse(format!("the query has no variable `{}`", name.text));
    };
    let [Argument::Term(term)] = &function.args[..] else {
        return refuse(format!("{} compares len({}) with one number", function.name.name(), name.text));
    };
    let Ok(number) = term.text.parse::<i64>() else {
        return refuse(format!(
            "{} compares len({}) with a whole number, found {:?}",
            function.name.name(),
            name.text,
            term.text
        ));
    };
    let order = i64::try_from(nodes.len()).unwrap_or(i64::MAX).cmp(&number);
    match function.name {
        FunctionName::Eq => Ok(order == Ordering::Equal),
        FunctionName::Le => Ok(order != Ordering::Greater),
        FunctionName::Lt => Ok(order == Ordering::Less),
        FunctionName::Ge => Ok(order != Ordering::Less),
        FunctionName::Gt => Ok(order == Ordering::Greater),
        _ => refuse(format!("{} does not compare len({})", function.name.name(), name.text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_look_at_how_many_nodes_a_variable_holds() {
        let mut answer = QueryAnswer::default();
        answer.uid_variables.insert("v".to_owned(), vec![1, 2]);
        answer.uid_variables.insert("w".to_owned(), Vec::new());
        for (text, expected) in [
            ("@if(gt(len(v), 0))", true),
            ("@if(eq(len(v), 2) AND eq(len(w), 0))", true),
            ("@filter(eq(len(w), 1) OR NOT le(len(v), 1))", true),
            ("@if( lt(len(v), 2) )", false),
            ("", true),
            ("@if()", true),
        ] {
            assert_eq!(condition_holds(text, &answer).expect(text), expected, "{text}");
        }
        for wrong in [
            "@if(eq(len(x), 0))",
            "@if(has(name))",
            "@if(eq(len(v), a))",
            "@if(eq(len(v), 0)",
            "@if(between(len(v), 0, 1))",
        ] {
            assert!(condition_holds(wrong, &answer).is_err(), "{wrong}");
        }
    }
}
