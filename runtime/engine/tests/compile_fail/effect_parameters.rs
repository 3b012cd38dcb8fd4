use zerver_engine::effect;

struct Bank;

#[effect]
async fn takes_self(&self, cents: u64) -> u64 {
    cents
}

#[effect]
async fn modifies(cents: &mut u64) {
    *cents += 1;
}

#[effect]
async fn owns_its_resource(#[resource] bank: Bank, cents: u64) -> u64 {
    cents
}

#[effect]
async fn has_a_pattern((first, second): (u64, u64)) -> u64 {
    first + second
}

#[effect]
async fn has_another_attribute(#[secret] cents: u64) -> u64 {
    cents
}

#[effect(temporary = is_busy)]
async fn cannot_fail(cents: u64) -> u64 {
    cents
}

fn main() {}
