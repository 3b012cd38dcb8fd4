//! Discounts of coupons, in both versions of the service.

use zerver::prelude::*;

use crate::checkout::{Order, Shelf};

/// Amounts of an order, in cents.
#[slot]
#[derive(Debug, Clone, PartialEq)]
pub struct Total {
    pub list_cents: u64,
    pub discount_cents: u64,
    pub due_cents: u64,
}

/// Applies the coupon.
#[cfg(not(feature = "next"))]
#[step]
pub fn apply_discount(order: &Order, shelf: &Shelf) -> Result<Total, Failure> {
    let list_cents = list_price(order, shelf);
    let discount_cents = match order.coupon.as_deref() {
        None => 0,
        Some("TEN") => list_cents / 10,
        Some("FIVER") => 500,
        Some(other) => return Err(Failure::not_found("coupon", other)),
    };
    let due_cents = list_cents.checked_sub(discount_cents).expect("a discount is less than the price");
    Ok(Total { list_cents, discount_cents, due_cents })
}

/// Applies the coupon, rounded in favor of the customer, and up to the price.
#[cfg(feature = "next")]
#[step]
pub fn apply_discount(order: &Order, shelf: &Shelf) -> Result<Total, Failure> {
    let list_cents = list_price(order, shelf);
    let discount_cents = match order.coupon.as_deref() {
        None => 0,
        Some("TEN") => list_cents.div_ceil(10),
        Some("FIVER") => list_cents.min(500),
        Some(other) => return Err(Failure::not_found("coupon", other)),
    };
    Ok(Total { list_cents, discount_cents, due_cents: list_cents - discount_cents })
}

fn list_price(order: &Order, shelf: &Shelf) -> u64 {
    std::iter::zip(&order.lines, &shelf.0).map(|(line, item)| line.count.saturating_mul(item.cents)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkout::{Item, Line};

    fn total(count: u64, coupon: &str) -> Total {
        let lines = vec![Line { sku: "cup".into(), count }];
        let order = Order { lines, coupon: Some(coupon.into()) };
        apply_discount(&order, &Shelf(vec![Item { cents: 1_299, stock: 9 }])).unwrap()
    }

    #[test]
    fn the_coupon_ten_takes_a_tenth_off() {
        assert_eq!(total(10, "TEN"), Total { list_cents: 12_990, discount_cents: 1_299, due_cents: 11_691 });
        let odd = if cfg!(feature = "next") { 130 } else { 129 };
        assert_eq!(total(1, "TEN").discount_cents, odd);
    }
}
