use zerver_engine::Row;

#[derive(Row)]
struct Todo {
    #[row(flatten, rename = "owner")]
    owner: Owner,
}

struct Owner;

fn main() {}
