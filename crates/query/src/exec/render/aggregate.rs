use graphdb_types::Value;

use super::ArrayText;
use crate::dql::ast::Aggregate;
use crate::exec::graph::Graph;
use crate::exec::sink::{ObjectText, Sink as _};
use crate::exec::{QueryError, Result};
use crate::plan::{FieldKind, FieldPlan};

/// Writes one element for each aggregate of a block without nodes.
pub(super) fn elements(graph: &Graph<'_>, fields: &[FieldPlan], array: &mut ArrayText<'_>) -> Result<()> {
    for field in fields {
        if let FieldKind::Aggregate(aggregate, name) = &field.kind {
            let values: Vec<&Value> = graph.values(name).map(|values| values.values().collect()).unwrap_or_default();
            let value = of(*aggregate, &values)?;
            array.element(|out| {
                let mut object = ObjectText::open(out);
                object.member(&field.key, |out| match &value {
                    Some(value) => value.write_json(out),
                    None => {
                        out.push_str("null");
                        true
                    }
                });
                Ok(object.close())
            })?;
        }
    }
    Ok(())
}

/// One value made of many; `None` of nothing.
pub(super) fn of(aggregate: Aggregate, values: &[&Value]) -> Result<Option<Value>> {
    let (Some(first), wanted) = (
        values.first(),
        match aggregate {
            Aggregate::Min => std::cmp::Ordering::Less,
            Aggregate::Max => std::cmp::Ordering::Greater,
            Aggregate::Sum => return sum(values),
            Aggregate::Avg => return average(values),
        },
    ) else {
        return Ok(None);
    };
    let best = values.iter().fold(first, |best, value| if value.compare(best) == Some(wanted) { value } else { best });
    Ok(Some((*best).clone()))
}

fn average(values: &[&Value]) -> Result<Option<Value>> {
    let sum = values.iter().map(|value| number(value)).sum::<Result<f64>>()?;
    Ok((!values.is_empty()).then(|| Value::Float(sum / values.len() as f64)))
}

/// A sum of ints is an int.
fn sum(values: &[&Value]) -> Result<Option<Value>> {
    let ints: Option<Vec<i64>> =
        values.iter().map(|value| if let Value::Int(n) = value { Some(*n) } else { None }).collect();
    match (values.is_empty(), ints) {
        (true, _) => Ok(None),
        (false, Some(ints)) => match ints.into_iter().try_fold(0i64, i64::checked_add) {
            Some(sum) => Ok(Some(Value::Int(sum))),
            None => Err(QueryError::Invalid("a sum is beyond 64 bits".to_owned())),
        },
        (false, None) => Ok(Some(Value::Float(values.iter().map(|value| number(value)).sum::<Result<f64>>()?))),
    }
}

fn number(value: &Value) -> Result<f64> {
    match value {
        Value::Int(n) => Ok(*n as f64),
        Value::Float(n) => Ok(*n),
        other => Err(QueryError::Invalid(format!("sum and avg take numbers, found {}", other.val_type().name()))),
    }
}
