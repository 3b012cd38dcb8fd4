//! Keys of blocks: what they cover, their limits, and blocks that have none.

use std::sync::Arc;

use zerver_trace::{Event, FlowInfo, Query, Recorded, SlotCondition, Trace, Value};

use crate::block::block_builder::BlockBuilder;
use crate::block::block_index::BlockIndex;
use crate::format::codec;
use crate::sample_traces;

/// Returns a trace that wrote these texts to the slot `Claims`, which has an index if `is_indexed`.
fn trace(n: u64, is_indexed: bool, texts: &[String]) -> Trace {
    let mut trace = sample_traces::trace(n);
    let mut flow = FlowInfo::clone(&trace.flow);
    flow.slots[1].is_indexed = is_indexed;
    trace.flow = Arc::new(flow);
    let write = |text: &String| Event::SlotWritten {
        step: 0,
        slot: 1,
        at_ns: 1,
        value: Recorded::Plain { value: Value::from_serialize(text).unwrap(), summary: None },
    };
    trace.events = texts.iter().map(write).collect();
    trace
}

fn query(slot: &str, value: &str) -> Query {
    let (slot, values) = (slot.to_owned(), vec![value.to_owned()]);
    Query { slots: vec![SlotCondition { slot, path: Vec::new(), values }], ..Query::default() }
}

/// Builds a block, and returns its index as a reader decodes it.
fn index(builder: &mut BlockBuilder) -> BlockIndex {
    BlockIndex::read(1, &builder.build_records(1).index).unwrap()
}

#[test]
fn a_block_excludes_values_that_it_does_not_have() {
    let mut builder = BlockBuilder::default();
    for n in 0..20 {
        builder.push_trace(&trace(n, true, &[format!("user-{n}")])).unwrap();
    }
    let found = index(&mut builder);
    for (slot, value, may_match) in [
        ("Claims", "user-7", true),
        ("todos::Claims", "user-19", true),
        ("Claims", "user-20", false),
        ("Todo", "user-7", false),
        ("slot#9", "user-20", true),
        ("Claims", "[1]", true),
    ] {
        assert_eq!(found.may_match(&query(slot, value)), may_match, "{slot}={value}");
    }
    assert_eq!(found.slot_keys().count(), 20);
    assert_eq!(found.certain_matches(&query("Claims", "user-7")), 0);
    // The next block has keys from its first trace on, whichever flow it is of.
    builder.clear();
    builder.push_trace(&trace(1, false, &["user-1".to_owned()])).unwrap();
    let found = index(&mut builder);
    assert!(found.may_match(&query("Claims", "user-99")) && !found.may_match(&query("Todo", "1")));
}

#[test]
fn a_block_in_which_indexing_began_excludes_nothing() {
    let mut builder = BlockBuilder::default();
    builder.push_trace(&trace(1, false, &["user-1".to_owned()])).unwrap();
    assert!(index(&mut builder).may_match(&query("Todo", "1")), "nothing is indexed");
    builder.push_trace(&trace(2, true, &["user-2".to_owned()])).unwrap();
    let found = index(&mut builder);
    assert!(found.may_match(&query("Claims", "user-1")) && found.slot_keys().eq([0]));
}

#[test]
fn a_block_with_too_many_values_excludes_nothing() {
    let mut builder = BlockBuilder::default();
    for n in 0..50 {
        let texts: Vec<String> = (0..50).map(|at| format!("{n}-{at}")).collect();
        builder.push_trace(&trace(n, true, &texts)).unwrap();
        let keys = index(&mut builder).slot_keys().count();
        assert!(keys as u64 == (n + 1) * 50 || (keys == 1 && n >= 40), "{n} {keys}");
    }
    assert!(index(&mut builder).may_match(&query("Claims", "other")));
}

#[test]
fn a_value_whose_piece_has_the_number_of_a_removed_one_has_a_key() {
    let mut builder = BlockBuilder::default();
    builder.push_trace(&trace(1, true, &["user-1".to_owned()])).unwrap();
    let mark = builder.piece_count();
    let stored = |builder: &mut BlockBuilder, text: &str| {
        let value = Recorded::Plain { value: Value::from_serialize(text).unwrap(), summary: None };
        builder.add_piece(|out| codec::encode_into(&value, out))
    };
    let flow = trace(1, true, &[]).flow;
    let number = builder.flow_index(&flow);
    for text in ["removed", "kept"] {
        builder.truncate_pieces(mark);
        let value = stored(&mut builder, text);
        builder.add_slots(number, &[Event::SlotWritten { step: 0, slot: 1, at_ns: 1, value }]);
    }
    assert!(index(&mut builder).may_match(&query("Claims", "kept")));
}

#[test]
fn an_index_of_an_earlier_schema_excludes_nothing() {
    let mut builder = BlockBuilder::default();
    builder.push_trace(&trace(1, true, &["user-1".to_owned()])).unwrap();
    let with_keys = index(&mut builder);
    let encoded = codec::encode(&BlockIndex { slots: Default::default(), ..with_keys.clone() });
    let old: BlockIndex = codec::decode(&encoded[..encoded.len() - 1]).unwrap();
    assert!(old.may_match(&query("Claims", "user-2")) && !with_keys.may_match(&query("Claims", "user-2")));
    assert!(old.slot_keys().eq([0]));
    // The index of a group has no keys.
    let mut group = with_keys.clone();
    group.merge(&with_keys);
    assert!(group.may_match(&query("Claims", "user-2")));
}
