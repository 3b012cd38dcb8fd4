use zerver_engine::Row;

#[derive(Row)]
enum Todo {
    Open,
}

fn main() {}
