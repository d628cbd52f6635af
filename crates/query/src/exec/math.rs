use std::cmp::Ordering;

use graphdb_types::Value;

use super::graph::Graph;
use super::{QueryError, Result};
use crate::dql::ast::Math;

/// The value of an expression for a node. `None` if no variable in it has a value for the node, if an operand is no number, and if the
/// result is no number or beyond 64 bits.
///
/// # Errors
/// Division by zero.
pub(super) fn value(graph: &Graph<'_>, expression: &Math, uid: u64) -> Result<Option<Value>> {
    if !has_operand(graph, expression, uid) {
        return Ok(None);
    }
    let value = evaluate(graph, expression, uid)?;
    Ok(value.filter(|value| !matches!(value, Value::Float(number) if !number.is_finite())))
}

fn has_operand(graph: &Graph<'_>, expression: &Math, uid: u64) -> bool {
    match expression {
        Math::Number(_) => false,
        Math::Variable(name) => graph.values(&name.text).is_some_and(|values| values.contains_key(&uid)),
        Math::Call(_, operands) => operands.iter().any(|operand| has_operand(graph, operand, uid)),
    }
}

fn evaluate(graph: &Graph<'_>, expression: &Math, uid: u64) -> Result<Option<Value>> {
    let (name, operands) = match expression {
        Math::Number(term) => return Ok(number(&term.text)),
        Math::Variable(name) => return Ok(graph.values(&name.text).and_then(|values| values.get(&uid)).cloned()),
        Math::Call(name, operands) => (name.as_str(), operands),
    };
    let operand = |at: usize| evaluate(graph, &operands[at], uid);
    match (name, operands.len()) {
        ("cond", _) => match operand(0)? {
            Some(Value::Bool(true)) => operand(1),
            Some(Value::Bool(false)) => operand(2),
            _ => Ok(None),
        },
        (_, 1) => Ok(operand(0)?.and_then(|value| unary(name, &value))),
        // What a node lacks is 0 where that makes sense.
        ("+" | "-" | "*", _) => {
            Ok(arithmetic(name, &operand(0)?.unwrap_or(Value::Int(0)), &operand(1)?.unwrap_or(Value::Int(0))))
        }
        ("/" | "%", _) => match operand(1)? {
            Some(divisor) => divide(name, &operand(0)?.unwrap_or(Value::Int(0)), &divisor),
            None => Ok(None),
        },
        _ => match (operand(0)?, operand(1)?) {
            (Some(a), Some(b)) => Ok(binary(name, &a, &b)),
            _ => Ok(None),
        },
    }
}

fn number(text: &str) -> Option<Value> {
    text.parse().map(Value::Int).or_else(|_| text.parse().map(Value::Float)).ok()
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Int(n) => Some(*n as f64),
        Value::Float(n) => Some(*n),
        _ => None,
    }
}

fn unary(name: &str, value: &Value) -> Option<Value> {
    match (name, value) {
        ("-", Value::Int(n)) => n.checked_neg().map(Value::Int),
        ("floor" | "ceil", Value::Int(n)) => Some(Value::Int(*n)),
        _ => {
            let n = float(value)?;
            let result = match name {
                "-" => -n,
                "floor" => n.floor(),
                "ceil" => n.ceil(),
                "sqrt" => n.sqrt(),
                "exp" => n.exp(),
                "ln" => n.ln(),
                _ => return None,
            };
            Some(Value::Float(result))
        }
    }
}

/// Of two ints an int, else a float.
fn arithmetic(name: &str, a: &Value, b: &Value) -> Option<Value> {
    if let (Value::Int(a), Value::Int(b)) = (a, b) {
        let result = match name {
            "+" => a.checked_add(*b),
            "-" => a.checked_sub(*b),
            _ => a.checked_mul(*b),
        };
        return result.map(Value::Int);
    }
    let (a, b) = (float(a)?, float(b)?);
    Some(Value::Float(match name {
        "+" => a + b,
        "-" => a - b,
        _ => a * b,
    }))
}

fn divide(name: &str, a: &Value, b: &Value) -> Result<Option<Value>> {
    if float(b) == Some(0.0) {
        return Err(QueryError::Invalid(
            "division by zero in math; leave such nodes out with cond or a filter".to_owned(),
        ));
    }
    Ok(match (a, b) {
        (Value::Int(a), Value::Int(b)) if name == "/" => a.checked_div(*b).map(Value::Int),
        (Value::Int(a), Value::Int(b)) => a.checked_rem(*b).map(Value::Int),
        _ => float(a).zip(float(b)).map(|(a, b)| Value::Float(if name == "/" { a / b } else { a % b })),
    })
}

fn binary(name: &str, a: &Value, b: &Value) -> Option<Value> {
    let order = a.compare(b);
    let is = |wanted: &[Ordering]| order.map(|order| Value::Bool(wanted.contains(&order)));
    match name {
        "==" => is(&[Ordering::Equal]),
        "!=" => is(&[Ordering::Less, Ordering::Greater]),
        "<" => is(&[Ordering::Less]),
        ">" => is(&[Ordering::Greater]),
        "<=" => is(&[Ordering::Less, Ordering::Equal]),
        ">=" => is(&[Ordering::Greater, Ordering::Equal]),
        "min" => order.map(|order| if order.is_le() { a.clone() } else { b.clone() }),
        "max" => order.map(|order| if order.is_ge() { a.clone() } else { b.clone() }),
        "pow" => Some(Value::Float(float(a)?.powf(float(b)?))),
        "logbase" => Some(Value::Float(float(a)?.ln() / float(b)?.ln())),
        _ => None,
    }
}
