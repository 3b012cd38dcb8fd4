use zerver_engine::Row;

#[derive(Row)]
struct Todo<'a> {
    title: &'a str,
}

fn main() {}
