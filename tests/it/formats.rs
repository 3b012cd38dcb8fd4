//! Encoded enums: `recorder/trace/tests/variant_order.rs` fixes those that are stored. Elsewhere only the frames
//! between the command line and a service are encoded, whose version both sides check.

use std::fs;

use crate::sources::{crates, files, relative};

#[test]
fn enums_are_encoded_only_where_their_order_is_checked() {
    for path in crates().iter().flat_map(|src| files(src, &["rs"])) {
        let name = relative(&path);
        if ["recorder/trace/", "replay/src/"].iter().any(|folder| name.starts_with(folder)) {
            continue;
        }
        // Items are separated by empty lines.
        for item in fs::read_to_string(&path).unwrap().split("\n\n") {
            let mut derives = item.split("#[derive(").skip(1);
            let is_encoded =
                derives.any(|list| list.split(')').next().is_some_and(|list| list.contains("Encode")));
            let is_enum = item.lines().any(|line| line.split("enum ").count() > 1 && line.ends_with('{'));
            assert!(
                !(is_encoded && is_enum),
                "{name}: move the enum to zerver-trace, and list it in variant_order.rs:\n{item}"
            );
        }
    }
}
