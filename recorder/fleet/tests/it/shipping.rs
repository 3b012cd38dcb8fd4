//! Services that ship, and readers of what arrived.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use zerver_fleet::{FleetUrl, InitOptions, init, status};
use zerver_recorder::{Cursor, FindError, Reader};
use zerver_trace::{Capture, Query, TraceSelector};

use crate::harness::{
    PATIENCE, Shipping, execute, new_bucket, new_fleet, query_text, reader, recorder, unused_url, with_key,
};
use crate::sample_traces::{START_NS, capture, flow, id};

#[test]
fn requests_of_two_services_are_read_as_one_list_from_a_database() {
    read_two_services(&new_fleet());
}

#[test]
fn requests_of_two_services_are_read_as_one_list_from_a_bucket() {
    read_two_services(&new_bucket());
}

#[test]
fn a_namespace_may_be_called_like_a_word_of_sql() {
    let url = with_key(&unused_url().to_string().replace("ns=test", "ns=user&application_name=test"));
    assert_eq!(url.namespace(), "user");
    assert!(init(&url, InitOptions { keep_days: Some(100_000) }).unwrap().is_new);
    read_two_services(&url);
    assert_eq!(status(&url).unwrap().nodes.len(), 2);
}

fn read_two_services(url: &FleetUrl) {
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let services = dirs.each_ref().map(|dir| recorder(dir.path()));
    for n in 0..300 {
        services[n as usize % 2].sink().accept(Box::new(capture(n)));
    }
    services.iter().for_each(|service| service.declare(&[flow()]));
    let shippers = [0, 1].map(|n| Shipping::start(&services[n], url, ["pod-1", "pod-2"][n]));
    shippers.iter().for_each(|shipping| shipping.wait_until_shipped(150));
    let fleet = reader(url);
    let all = fleet.list(&Query::default()).unwrap();
    let ids: Vec<_> = all.iter().map(|summary| summary.id).collect();
    assert_eq!(ids, (0..300).rev().map(id).collect::<Vec<_>>(), "newest first, over both nodes");
    assert_eq!(fleet.list(&Query { limit: Some(7), ..Query::default() }).unwrap(), all[..7]);
    // The whole trace is the same as in the store of its node.
    let spools = dirs.each_ref().map(|dir| Reader::open(dir.path()).unwrap());
    for n in [0, 1, 150, 299] {
        let local = spools[n as usize % 2].load(id(n)).unwrap().unwrap();
        assert_eq!(fleet.load(id(n)).unwrap().unwrap(), local);
    }
    assert_eq!(fleet.load(id(9_999)).unwrap(), None);
    assert_eq!(fleet.find(&TraceSelector::Last(None)).unwrap().id, id(299));
    assert_eq!(fleet.flows().unwrap(), [(*flow()).clone()]);
    let digits = fleet.unique_digits(&[id(7), id(8)]).unwrap();
    assert_eq!(fleet.find(&id(7).short(digits).parse().unwrap()).unwrap().id, id(7));
    assert!(
        matches!(fleet.find(&"00".parse().unwrap()), Err(FindError::NotFound { nearest, .. }) if !nearest.is_empty())
    );
    let mut nodes = Vec::new();
    fleet
        .visit(&Query { limit: Some(2), ..Query::default() }, |request| {
            nodes.extend(request.node());
            ControlFlow::Continue(())
        })
        .unwrap();
    assert!(nodes.len() == 2 && nodes[0] != nodes[1], "{nodes:?}");
    // What stays after a stop is shipped by it.
    for (n, (service, shipping)) in services.into_iter().zip(shippers).enumerate() {
        service.sink().accept(Box::new(capture(1000 + n as u64)));
        service.close();
        assert_eq!(shipping.shipper.stop(PATIENCE).waiting, 0);
    }
    let status = status(url).unwrap();
    assert_eq!((status.traces, status.nodes.len()), (302, 2));
    for node in &status.nodes {
        assert_eq!((node.recorded, node.shipped, node.waiting, node.missing()), (151, 151, 0, 0), "{node:?}");
    }
    assert_eq!(fleet.counts().unwrap().recorded, 302);
}

#[test]
fn a_follower_of_a_database_sees_each_request_once_and_pages_lead_back_to_the_first() {
    follow(&new_fleet());
}

#[test]
fn a_follower_of_a_bucket_sees_each_request_once_and_pages_lead_back_to_the_first() {
    follow(&new_bucket());
}

/// Returns a capture that began just now.
fn recent(n: u64) -> Capture {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Capture { started_unix_ns: now.as_nanos() as u64, ..capture(n) }
}

fn follow(url: &FleetUrl) {
    let dir = tempfile::tempdir().unwrap();
    let service = recorder(dir.path());
    let shipping = Shipping::start(&service, url, "pod-1");
    let fleet = reader(url);
    let (mut cursor, mut seen) = (Reader::start(), Vec::new());
    for n in 0..40 {
        service.sink().accept(Box::new(recent(n)));
        if n % 10 == 9 {
            shipping.wait_until_shipped(n + 1);
            let until = Instant::now() + PATIENCE;
            while seen.len() as u64 <= n {
                assert!(Instant::now() < until, "{seen:?}");
                let (news, reached) = fleet.list_since(cursor).unwrap();
                seen.extend(news.into_iter().map(|summary| summary.id));
                cursor = reached;
            }
        }
    }
    assert_eq!(seen, (0..40).map(id).collect::<Vec<_>>());
    assert!(fleet.list_since(cursor).unwrap().0.is_empty());
    assert!(fleet.list_since(fleet.end().unwrap()).unwrap().0.is_empty());
    let (mut pages, mut before) = (Vec::new(), Some(fleet.end().unwrap()));
    while let Some(cursor) = before {
        let (page, rest) = fleet.list_before(cursor, 5).unwrap();
        pages.extend(page.into_iter().map(|summary| summary.id));
        before = rest;
    }
    assert_eq!(pages, (0..40).rev().map(id).collect::<Vec<_>>());
    assert_eq!(fleet.list_before(Cursor { block: 0, seen: 0 }, 5).unwrap(), (Vec::new(), None));
}

#[test]
fn a_service_that_starts_again_ships_what_it_had_left_and_nothing_twice() {
    for url in [new_fleet(), new_bucket()] {
        start_again(&url);
    }
}

fn start_again(url: &FleetUrl) {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..3 {
        let service = recorder(dir.path());
        (0..20).for_each(|n| service.sink().accept(Box::new(capture(round * 20 + n))));
        if round == 0 {
            service.close();
            continue;
        }
        let shipping = Shipping::start(&service, url, "pod-1");
        service.close();
        shipping.shipper.stop(PATIENCE);
    }
    let ids: Vec<_> =
        reader(url).list(&Query::default()).unwrap().into_iter().map(|summary| summary.id).collect();
    assert_eq!(ids, (0..60).rev().map(id).collect::<Vec<_>>());
    let status = status(url).unwrap();
    assert_eq!((status.nodes.len(), status.nodes[0].shipped, status.nodes[0].missing()), (1, 60, 0));
    assert!(status.nodes[0].seen < Duration::from_secs(600));
}

#[test]
fn what_is_sent_twice_arrives_once() {
    let url = new_fleet();
    let dir = tempfile::tempdir().unwrap();
    let service = recorder(dir.path());
    (0..150).for_each(|n| service.sink().accept(Box::new(capture(n))));
    let first = Shipping::start(&service, &url, "pod-1");
    first.wait_until_shipped(150);
    drop(first);
    let before = reader(&url).list(&Query::default()).unwrap();
    // As if the answers to all shipments had been lost.
    execute(&format!("update {}.node set next_seq = 0", url.namespace()));
    let second = Shipping::start(&service, &url, "pod-1");
    service.sink().accept(Box::new(capture(150)));
    second.wait_until_shipped(151);
    service.close();
    second.shipper.stop(PATIENCE);
    let after = reader(&url).list(&Query::default()).unwrap();
    assert_eq!((after.len(), &after[1..]), (151, &before[..]));
    let status = status(&url).unwrap();
    assert_eq!((status.nodes[0].recorded, status.nodes[0].shipped, status.nodes[0].missing()), (151, 151, 0));
}

#[test]
fn old_blocks_are_dropped_with_their_day_and_new_ones_have_a_partition() {
    let url = new_fleet();
    let dir = tempfile::tempdir().unwrap();
    let service = recorder(dir.path());
    service.sink().accept(Box::new(capture(1)));
    let mut recent = capture(2);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    recent.started_unix_ns = now.as_nanos() as u64;
    let shipping = Shipping::start(&service, &url, "pod-1");
    shipping.wait_until_shipped(1);
    service.sink().accept(Box::new(recent));
    shipping.wait_until_shipped(2);
    let ns = url.namespace();
    execute(&format!(
        "do $$ begin if (select count(*) from {ns}.block_default) <> 1 then raise 'no partition'; end if; end $$"
    ));
    init(&url, InitOptions { keep_days: Some(7) }).unwrap();
    execute(&format!("select {ns}.maintain()"));
    let left = reader(&url).list(&Query::default()).unwrap();
    assert_eq!(left.iter().map(|summary| summary.id).collect::<Vec<_>>(), [id(2)]);
    assert!(reader(&url).load(id(1)).unwrap().is_none());
}

#[test]
fn a_view_counts_the_requests_of_each_flow_for_tools_that_speak_sql() {
    let url = new_fleet();
    let dir = tempfile::tempdir().unwrap();
    let service = recorder(dir.path());
    for n in 0..30 {
        let mut request = capture(n);
        if n < 3 {
            request.status = 503;
        }
        service.sink().accept(Box::new(request));
    }
    let shipping = Shipping::start(&service, &url, "pod-1");
    shipping.wait_until_shipped(30);
    let ns = url.namespace();
    let found = query_text(&format!(
        "select concat_ws(' ', min(day), min(node), flow, sum(requests), sum(failed), min(fastest_ms), max(slowest_ms), \
         max(longest_ms), extract(epoch from max(last_started) - min(first_started))::float8) from {ns}.traces group by flow"
    ));
    let day =
        jiff::Timestamp::from_nanosecond(i128::from(START_NS)).unwrap().strftime("%Y-%m-%d").to_string();
    assert_eq!(found, format!("{day} pod-1 todos-item 30 3 1.000021 1.000203 1.000203 0.029"));
    execute(&format!(
        "do $body$ begin create role analyst_{ns} login in role zerver_read; set local role analyst_{ns}; perform * from \
         {ns}.traces; end $body$"
    ));
}
