use super::*;
use gemba_model::NodeId;

fn spec(handles: &[u32]) -> PartSpec {
    let item = |handle: u32| {
        Arc::new(ItemSpec {
            handle,
            node: NodeId::numeric(2, handle).into(),
            attribute: 13,
            sampling_interval: Duration::ZERO,
            queue_size: 10,
            discard_oldest: true,
        })
    };
    PartSpec {
        name: "s".into(),
        index: 0,
        publishing_interval: Duration::from_millis(100),
        items: handles.iter().map(|handle| (*handle, item(*handle))).collect(),
    }
}

fn wanted_item(spec: &mut PartSpec, handle: u32) -> &mut ItemSpec {
    Arc::make_mut(spec.items.get_mut(&handle).expect("an item"))
}

fn good(id: u32) -> ItemCreated {
    ItemCreated { status: StatusCode::GOOD, id, sampling_interval: Duration::ZERO, queue_size: 10 }
}

fn bad(name: &str) -> ItemCreated {
    ItemCreated { status: StatusCode::from_name(name).expect(name), ..good(0) }
}

const NOW: Duration = Duration::from_secs(1000);

/// The next call in short.
fn next(items: &mut Items, now: Duration) -> String {
    let mut news = Vec::new();
    match items.next_job(now, &[], &mut news) {
        None => "nothing".into(),
        Some(Job::Create(requests)) => format!("create {:?}", handles(requests.iter())),
        Some(Job::Modify(changes)) => format!("modify {:?}", handles(changes.iter().map(|change| &change.1))),
        Some(Job::Delete(ids)) => format!("delete {ids:?}"),
        Some(Job::List) => "list".into(),
        Some(Job::Recreate) => "recreate".into(),
    }
}

fn handles<'a>(requests: impl Iterator<Item = &'a ItemRequest>) -> Vec<u32> {
    requests.map(|request| request.handle).collect()
}

/// Items 1, 2 and 3 with the ids 11, 12 and 13.
fn active() -> Items {
    let mut items = Items::new(&spec(&[1, 2, 3]), false);
    assert_eq!(next(&mut items, NOW), "create [1, 2, 3]");
    items.on_created(&[good(11), good(12), good(13)], NOW, &mut Vec::new());
    assert_eq!(next(&mut items, NOW), "nothing");
    items
}

#[test]
fn a_difference_deletes_changes_and_creates_only_what_differs() {
    let mut items = active();
    let mut wanted = spec(&[2, 3, 4]);
    wanted_item(&mut wanted, 3).queue_size = 99;
    items.want(&wanted);
    assert!(!items.is_settled());
    assert_eq!(next(&mut items, NOW), "delete [11]");
    items.on_deleted();
    assert_eq!(next(&mut items, NOW), "modify [3]");
    items.on_modified(&[good(13)], &mut Vec::new());
    assert_eq!(next(&mut items, NOW), "create [4]");
    items.on_created(&[good(14)], NOW, &mut Vec::new());
    assert_eq!(next(&mut items, NOW), "nothing");
    assert!(items.is_settled());
    assert_eq!(items.counts(), (3, 3));
}

#[test]
fn a_handle_with_another_node_is_deleted_before_it_is_created() {
    let mut items = active();
    let mut wanted = spec(&[1, 2, 3]);
    wanted_item(&mut wanted, 2).node = NodeId::numeric(2, 99).into();
    items.want(&wanted);
    assert_eq!(next(&mut items, NOW), "delete [12]");
    items.on_deleted();
    assert_eq!(next(&mut items, NOW), "create [2]");
}

#[test]
fn a_rejected_item_is_tried_again_later_and_later_and_the_rest_is_left_alone() {
    let mut items = Items::new(&spec(&[1, 2]), false);
    next(&mut items, NOW);
    let mut news = Vec::new();
    items.on_created(&[bad("BadNodeIdUnknown"), good(12)], NOW, &mut news);
    let status = StatusCode::from_name("BadNodeIdUnknown").expect("known");
    assert_eq!(news, [ItemNews::Rejected { handle: 1, status, retry_after: Duration::from_secs(30) }]);
    assert_eq!(items.next_retry(), Some(NOW + Duration::from_secs(30)));
    assert_eq!(next(&mut items, NOW + Duration::from_secs(29)), "nothing");
    let mut now = NOW + Duration::from_secs(30);
    let mut delays = Vec::new();
    for _ in 0..8 {
        assert_eq!(next(&mut items, now), "create [1]");
        items.on_created(&[bad("BadNodeIdUnknown")], now, &mut Vec::new());
        let due = items.next_retry().expect("due");
        delays.push((due - now).as_secs());
        now = due;
    }
    assert_eq!(delays, [60, 120, 240, 480, 960, 1800, 1800, 1800]);
    next(&mut items, now);
    news.clear();
    items.on_created(&[good(11)], now, &mut news);
    assert_eq!(news, [ItemNews::Accepted { handle: 1 }]);
}

#[test]
fn a_shorter_queue_is_said_with_what_it_covers() {
    let mut items = Items::new(&spec(&[1]), false);
    next(&mut items, NOW);
    let mut news = Vec::new();
    items.on_created(&[ItemCreated { queue_size: 4, ..good(11) }], NOW, &mut news);
    assert_eq!(news, [ItemNews::ShortQueue { covers: Duration::from_millis(400), queue_size: 4 }]);
    assert_eq!(items.queue_covers(), Some(Duration::from_millis(400)));
}

#[test]
fn after_a_restart_the_server_is_asked_and_what_it_lacks_is_created() {
    let mut items = Items::new(&spec(&[1, 2, 3]), true);
    assert_eq!(next(&mut items, NOW), "list");
    items.on_listed(Some(vec![(1, 11), (3, 13), (8, 18)]));
    assert_eq!(next(&mut items, NOW), "delete [18]", "nobody wants it");
    items.on_deleted();
    assert_eq!(next(&mut items, NOW), "create [2]");
}

#[test]
fn a_server_without_a_list_is_believed_after_a_restart_and_recreated_for_a_change() {
    let mut items = Items::new(&spec(&[1, 2]), true);
    assert_eq!(next(&mut items, NOW), "list");
    items.on_listed(None);
    assert_eq!(next(&mut items, NOW), "nothing");
    items.want(&spec(&[1]));
    assert_eq!(next(&mut items, NOW), "recreate");
    items.reset();
    assert_eq!(next(&mut items, NOW), "create [1]");
}

#[test]
fn a_lost_answer_is_looked_up_before_anything_is_created_twice() {
    let mut items = Items::new(&spec(&[1, 2]), false);
    assert_eq!(next(&mut items, NOW), "create [1, 2]");
    items.disconnected();
    assert_eq!(next(&mut items, NOW), "list");
    items.on_listed(Some(vec![(1, 11), (2, 12)]));
    assert_eq!(next(&mut items, NOW), "nothing");
    let mut items = Items::new(&spec(&[1, 2]), false);
    next(&mut items, NOW);
    items.disconnected();
    next(&mut items, NOW);
    items.on_listed(None);
    assert_eq!(next(&mut items, NOW), "recreate", "an item that is there twice would deliver twice");
}

#[test]
fn a_change_that_the_server_refuses_is_made_by_a_new_item() {
    let mut items = active();
    let mut wanted = spec(&[1, 2, 3]);
    wanted_item(&mut wanted, 1).queue_size = 99;
    items.want(&wanted);
    assert_eq!(next(&mut items, NOW), "modify [1]");
    items.on_modified(&[bad("BadMonitoredItemFilterUnsupported")], &mut Vec::new());
    assert_eq!(next(&mut items, NOW), "delete [11]");
    items.on_deleted();
    assert_eq!(next(&mut items, NOW), "create [1]");
}

#[test]
fn a_call_that_fails_as_a_whole_rejects_its_items_for_a_while() {
    let mut items = Items::new(&spec(&[1, 2]), false);
    next(&mut items, NOW);
    let mut news = Vec::new();
    items.on_failed(StatusCode::BAD_NO_DATA, false, NOW, &mut news);
    assert_eq!(news.len(), 2);
    assert_eq!(next(&mut items, NOW), "nothing");
}

#[test]
fn an_unknown_namespace_rejects_its_items_without_a_call() {
    let mut wanted = spec(&[1]);
    wanted_item(&mut wanted, 1).node = "nsu=urn:nobody;i=1".parse().expect("parses");
    let mut items = Items::new(&wanted, false);
    let mut news = Vec::new();
    assert_eq!(items.next_job(NOW, &["http://opcfoundation.org/UA/".into()], &mut news), None);
    assert_eq!(news.len(), 1);
    assert_eq!(items.rejected().count(), 1);
}

#[test]
fn a_call_whose_outcome_is_open_is_looked_up_before_it_is_repeated() {
    let mut items = Items::new(&spec(&[1, 2]), false);
    next(&mut items, NOW);
    let mut news = Vec::new();
    items.on_failed(StatusCode::BAD_NO_DATA, true, NOW, &mut news);
    assert_eq!(news, []);
    assert_eq!(next(&mut items, NOW), "list");
    items.on_listed(Some(vec![(1, 11)]));
    assert_eq!(next(&mut items, NOW), "create [2]", "1 was made, 2 was not");
}

#[test]
fn items_for_which_there_is_no_room_are_let_go_when_others_were_taken() {
    let mut items = Items::new(&spec(&[1, 2, 3]), false);
    next(&mut items, NOW);
    let full = bad("BadTooManyMonitoredItems");
    items.on_created(&[good(11), full, full], NOW, &mut Vec::new());
    assert_eq!(items.take_surplus(), Some((1, vec![2, 3])));
    assert_eq!((items.counts(), items.rejected().count()), ((1, 1), 0));
    let mut items = Items::new(&spec(&[1]), false);
    next(&mut items, NOW);
    items.on_created(&[full], NOW, &mut Vec::new());
    assert_eq!(items.take_surplus(), None, "a server that takes nothing is not asked for more subscriptions");
    assert_eq!(items.rejected().count(), 1);
}

#[test]
fn queues_are_known_as_the_server_made_them() {
    let mut items = Items::new(&spec(&[1, 2]), false);
    next(&mut items, NOW);
    let mut news = Vec::new();
    let one = ItemCreated { queue_size: 1, ..good(12) };
    items.on_created(&[good(11), one], NOW, &mut news);
    assert_eq!(news, [ItemNews::ShortQueue { covers: Duration::from_millis(100), queue_size: 1 }]);
    assert_eq!(items.short_queues(), (1, 1));
    assert_eq!(items.overwritten_in(Duration::from_secs(1)), [2]);
    assert!(items.overwritten_in(Duration::ZERO).is_empty());
    assert!(!items.is_resumed() && Items::new(&spec(&[1]), true).is_resumed());
}
