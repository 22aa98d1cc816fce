//! What every [`DocStore`] must do, whatever it stands on.

use gemba_api::docs::{Audit, Expect};
use gemba_api::{DocStore, Etag, StoreError, Write};
use serde_json::{Value, json};
use std::sync::Barrier;

const A: &str = "conformance-a";
const B: &str = "conformance-b";

/// Runs all facts against an empty store.
pub(crate) fn holds_for(store: &dyn DocStore) {
    what_is_put_is_found(store);
    versions_only_grow(store);
    conditions_hold_or_nothing_is_written(store);
    writes_of_a_transaction_see_each_other(store);
    lists_are_in_byte_order_and_bounded(store);
    of_many_writers_of_one_version_one_wins(store);
    keys_and_values_are_bounded(store);
}

fn put(key: &str, value: Value, expect: Expect) -> Write {
    Write::Put { collection: A, key: key.to_owned(), value, expect }
}

fn delete(key: &str, expect: Expect) -> Write {
    Write::Delete { collection: A, key: key.to_owned(), expect }
}

fn value(store: &dyn DocStore, collection: &'static str, key: &str) -> Option<Value> {
    store.get(collection, key).expect("reads").map(|document| document.value)
}

fn what_is_put_is_found(store: &dyn DocStore) {
    let content =
        json!({"text": "Grüße \u{0}", "big": u64::MAX, "small": i64::MIN, "half": 0.5, "none": null});
    let etags = store.write(vec![put("one", content.clone(), Expect::Any)], None).expect("writes");
    let found = store.get(A, "one").expect("reads").expect("is there");
    assert_eq!((found.key.as_str(), &found.value, vec![found.etag]), ("one", &content, etags));
    assert_eq!(value(store, B, "one"), None, "collections are apart");
    assert_eq!(value(store, A, "on"), None);
    store.write(vec![delete("one", Expect::Any), delete("one", Expect::Any)], None).expect("deletes twice");
    assert_eq!(value(store, A, "one"), None);
}

fn versions_only_grow(store: &dyn DocStore) {
    let write = |expect| store.write(vec![put("v", json!(1), expect)], None).expect("writes");
    let first = write(Expect::Absent);
    let second = write(Expect::Any);
    assert!(second > first);
    let gone = store.write(vec![delete("v", Expect::Version(second[0]))], None).expect("deletes");
    assert_eq!(gone, [Etag(0)]);
    assert!(write(Expect::Absent) > second, "a deleted document's versions do not come back");
    store.write(vec![delete("v", Expect::Any)], None).expect("deletes");
}

fn conditions_hold_or_nothing_is_written(store: &dyn DocStore) {
    let etag = store.write(vec![put("c", json!("old"), Expect::Absent)], None).expect("writes")[0];
    let stale = Etag(etag.0 + 1000);
    let refused = [
        put("c", json!("new"), Expect::Absent),
        put("c", json!("new"), Expect::Version(stale)),
        put("absent", json!("new"), Expect::Version(etag)),
        delete("c", Expect::Version(stale)),
        delete("c", Expect::Absent),
        delete("absent", Expect::Version(etag)),
    ];
    for last in refused {
        let writes = vec![put("side", json!(1), Expect::Any), last.clone()];
        let result = store.write(writes, Some(audit()));
        assert!(matches!(result, Err(StoreError::Conflict { collection: A, .. })), "{last:?}: {result:?}");
        assert_eq!(value(store, A, "side"), None, "{last:?} took nothing with it");
        assert_eq!(value(store, A, "c"), Some(json!("old")));
    }
    store.write(vec![delete("c", Expect::Version(etag))], Some(audit())).expect("deletes");
}

fn writes_of_a_transaction_see_each_other(store: &dyn DocStore) {
    let writes = vec![
        put("t", json!(1), Expect::Absent),
        delete("t", Expect::Any),
        put("t", json!(2), Expect::Absent),
        Write::Put { collection: B, key: "t".to_owned(), value: json!(3), expect: Expect::Absent },
    ];
    let etags = store.write(writes, None).expect("writes");
    assert_eq!(etags.len(), 4);
    assert!(etags[0] < etags[2] && etags[2] < etags[3]);
    assert_eq!((value(store, A, "t"), value(store, B, "t")), (Some(json!(2)), Some(json!(3))));
    store.write(vec![delete("t", Expect::Any)], None).expect("deletes");
}

fn lists_are_in_byte_order_and_bounded(store: &dyn DocStore) {
    let keys = ["a/1", "a/10", "a/2", "a/é", "a/\u{10FFFF}", "a0", "b", "A/1", "a_%"];
    let writes = keys.iter().map(|key| put(key, json!(key), Expect::Absent)).collect();
    store.write(writes, None).expect("writes");
    let list = |prefix: &str, after: Option<&str>, limit: usize| -> Vec<String> {
        store.list(A, prefix, after, limit).expect("lists").into_iter().map(|document| document.key).collect()
    };
    assert_eq!(list("a/", None, 100), ["a/1", "a/10", "a/2", "a/é", "a/\u{10FFFF}"]);
    assert_eq!(list("a/", Some("a/10"), 1), ["a/2"]);
    assert_eq!(list("a/", Some("a/15"), 1), ["a/2"], "the key to go on after need not exist");
    assert_eq!(list("a_", None, usize::MAX), ["a_%"], "no wildcards");
    assert_eq!(list("", None, 2), ["A/1", "a/1"]);
    assert_eq!(list("", None, 0), [""; 0]);
    assert_eq!(list("zzz", None, 9), [""; 0]);
    assert_eq!(list("a/", Some("b"), 9), [""; 0]);
    store.write(keys.iter().map(|key| delete(key, Expect::Any)).collect(), None).expect("deletes");
}

fn of_many_writers_of_one_version_one_wins(store: &dyn DocStore) {
    let rounds = 20;
    for _ in 0..rounds {
        let etag = store.write(vec![put("race", json!(0), Expect::Any)], None).expect("writes")[0];
        let barrier = Barrier::new(4);
        let winners: usize = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..4)
                .map(|n| {
                    let barrier = &barrier;
                    scope.spawn(move || {
                        barrier.wait();
                        let write = put("race", json!(n), Expect::Version(etag));
                        usize::from(store.write(vec![write], Some(audit())).is_ok())
                    })
                })
                .collect();
            tries.into_iter().map(|thread| thread.join().expect("no panic")).sum()
        });
        assert_eq!(winners, 1);
    }
}

fn keys_and_values_are_bounded(store: &dyn DocStore) {
    let longest = "k".repeat(512);
    store.write(vec![put(&longest, json!(1), Expect::Any)], None).expect("512 bytes fit");
    for key in ["k".repeat(513), String::new()] {
        let result = store.write(vec![put(&key, json!(1), Expect::Any)], None);
        assert!(matches!(result, Err(StoreError::Failed { .. })), "{} bytes", key.len());
    }
    let result = store.write(vec![put("huge", json!("x".repeat(2 << 20)), Expect::Any)], None);
    assert!(matches!(result, Err(StoreError::Failed { .. })));
    assert_eq!(value(store, A, "huge"), None);
}

fn audit() -> Audit {
    Audit { actor: "tester".to_owned(), action: "test.write", target: "it".to_owned() }
}
