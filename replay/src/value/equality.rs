//! Equality of recorded values.
//!
//! Numbers are equal if they have the same value, whatever their width: that is up to the program's types. Floats are
//! equal if they have the same bits, except that all NaNs are equal, because a program cannot choose which NaN it gets.

use zerver_trace::Node;

use crate::value::decimal::Decimal;

/// Returns true if two nodes are equal. The order of map entries and struct fields matters.
pub fn is_same(a: &Node<'_>, b: &Node<'_>) -> bool {
    match (a, b) {
        (Node::Some(a), Node::Some(b)) => is_same(a, b),
        (Node::Seq(a), Node::Seq(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b)),
        (Node::Map(a), Node::Map(b)) => {
            let mut pairs = a.iter().zip(b);
            a.len() == b.len() && pairs.all(|((key_a, a), (key_b, b))| is_same(key_a, key_b) && is_same(a, b))
        }
        (Node::Struct(a), Node::Struct(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((x, a), (y, b))| x == y && is_same(a, b))
        }
        (Node::Variant(x, Some(a)), Node::Variant(y, Some(b))) => x == y && is_same(a, b),
        (Node::Number(a), Node::Number(b)) => Decimal::of(a) == Decimal::of(b),
        _ => match (float(a), float(b), whole(a), whole(b)) {
            (Some(a), Some(b), ..) => a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()),
            (.., Some(a), Some(b)) => a == b,
            _ => a == b,
        },
    }
}

/// Returns a float as 64 bits, which hold floats of either width.
fn float(node: &Node<'_>) -> Option<f64> {
    match node {
        Node::F32(n) => Some((*n).into()),
        Node::F64(n) => Some(*n),
        _ => None,
    }
}

/// Returns an integer as its sign and magnitude.
fn whole(node: &Node<'_>) -> Option<(bool, u128)> {
    Some(match *node {
        Node::Uint(n) => (false, n.into()),
        Node::U128(n) => (false, n),
        Node::Int(n) => (n < 0, n.unsigned_abs().into()),
        Node::I128(n) => (n < 0, n.unsigned_abs()),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_equal_by_value_and_floats_by_bits() {
        let nan = |bits| Node::F64(f64::from_bits(bits));
        let same = [
            (Node::Uint(1), Node::Int(1)),
            (Node::U128(1), Node::I128(1)),
            (Node::F32(1.5), Node::F64(1.5)),
            (nan(0x7ff8_0000_0000_0000), nan(0xfff8_0000_0000_0001)),
            (Node::F32(f32::NAN), Node::F64(f64::NAN)),
            (Node::Seq(vec![Node::Uint(1)]), Node::Seq(vec![Node::Int(1)])),
        ];
        for (a, b) in &same {
            assert!(is_same(a, b) && is_same(b, a), "{a:?} {b:?}");
        }
        let differ = [
            (Node::F64(0.0), Node::F64(-0.0)),
            (Node::F32(0.0), Node::F32(-0.0)),
            (Node::F32(0.1), Node::F64(0.1)),
            (Node::Uint(1), Node::F64(1.0)),
            (Node::Uint(1), Node::Str("1")),
            (Node::Uint(1), Node::Some(Box::new(Node::Uint(1)))),
            (Node::None, Node::Some(Box::new(Node::None))),
            (Node::Number("1e400"), Node::F64(f64::INFINITY)),
            (Node::Seq(vec![Node::F64(0.0)]), Node::Seq(vec![Node::F64(-0.0)])),
        ];
        for (a, b) in &differ {
            assert!(!is_same(a, b) && !is_same(b, a), "{a:?} {b:?}");
        }
    }
}
