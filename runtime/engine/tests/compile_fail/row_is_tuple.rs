use zerver_engine::Row;

#[derive(Row)]
struct Todo(i64, String);

fn main() {}
