//! Built-in slots, as implementations of [`Slot`]: those that every request has from the start, and the failure.

use std::any::TypeId;

use zerver_trace::RequestId;

use super::builtins::{ArrivalTime, Random};
use super::description::{FAILURE_PATH, Slot, SlotDesc};
use super::step_input::StepInput;
use crate::failure::Failure;
use crate::message::Request;

macro_rules! builtin {
    ($type:ty, $name:literal, $field:ident) => {
        impl Slot for $type {
            const DESC: SlotDesc = SlotDesc {
                name: $name,
                path: concat!("zerver::", $name),
                is_secret: false,
                is_indexed: false,
                is_builtin: true,
                type_id: TypeId::of::<$type>,
            };

            fn find<'a>(input: &StepInput<'a>, _at: usize) -> Option<&'a Self> {
                Some(&input.builtins.$field)
            }
        }
    };
}

builtin!(Request, "Request", request);
builtin!(RequestId, "RequestId", id);
builtin!(ArrivalTime, "ArrivalTime", arrival);
builtin!(Random, "Random", random);

/// Written when the request fails, for the recovery step. It is an ordinary value of the request, so that it is recorded
/// and compared like one.
impl Slot for Failure {
    const DESC: SlotDesc = SlotDesc {
        name: "Failure",
        path: FAILURE_PATH,
        is_secret: false,
        is_indexed: false,
        is_builtin: true,
        type_id: TypeId::of::<Self>,
    };
}
