use zerver_engine::Row;

#[derive(Row)]
struct Todo {
    #[row(column = "title")]
    name: String,
}

fn main() {}
