use zerver_engine::effect;

#[effect(retries = 3)]
async fn charge(cents: u64) -> u64 {
    cents
}

#[effect(kind = "two words")]
async fn refund(cents: u64) -> u64 {
    cents
}

fn main() {}
