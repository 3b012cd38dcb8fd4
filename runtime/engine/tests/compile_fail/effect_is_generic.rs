use zerver_engine::effect;

#[effect]
async fn load<T>(key: T) -> T {
    key
}

fn main() {}
