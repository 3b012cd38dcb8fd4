use zerver_engine::effect;

#[effect]
fn charge(cents: u64) -> u64 {
    cents
}

fn main() {}
