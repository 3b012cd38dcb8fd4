//! Payments: an effect kind of this service, and its interpreter.

use zerver::prelude::*;

use crate::discount::Total;

/// Charges a customer.
#[derive(Debug, Serialize, Deserialize)]
pub struct Charge {
    pub cents: u64,
}

/// Answer of the payment provider.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Charged {
    Paid { number: String },
    Declined,
}

/// Receipt of a payment.
#[slot]
#[derive(Debug, Clone, PartialEq)]
pub struct Receipt {
    pub number: String,
}

impl EffectKind for Charge {
    const KIND: &'static str = "payment";
    type Output = Charged;

    fn summary(&self) -> String {
        format!("charge {} cents", self.cents)
    }

    fn output_summary(charged: &Charged) -> String {
        match charged {
            Charged::Paid { number } => format!("paid, {number}"),
            Charged::Declined => "declined".to_owned(),
        }
    }
}

/// Charges the customer, unless the order is free.
#[step]
pub fn charge(total: &Total) -> Decision<Receipt> {
    if total.due_cents == 0 {
        return Continue(Receipt { number: "free".to_owned() });
    }
    let charge = effect(Charge { cents: total.due_cents }).try_map(|charged| match charged {
        Charged::Paid { number } => Ok(Receipt { number }),
        Charged::Declined => Err(Failure::forbidden("payment").message("the payment was declined")),
    });
    Need(charge)
}

/// Replaces a payment provider: declines charges of 1000 or more.
pub fn sandbox(charge: &Charge) -> impl Future<Output = Result<Charged, EffectError>> + use<> {
    let cents = charge.cents;
    async move {
        Ok(match cents {
            100_000.. => Charged::Declined,
            _ => Charged::Paid { number: format!("P-{cents}") },
        })
    }
}
