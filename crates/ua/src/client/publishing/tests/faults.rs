//! Servers that count wrongly, keep one value, or answer what nobody asked.

use super::*;

#[test]
fn numbers_that_jump_back_are_noticed_and_the_subscription_is_made_anew() {
    let mut rig = Rig::running();
    for number in 1..=20 {
        rig.message(number);
        rig.acts();
        rig.durable(number as usize);
        rig.acts();
    }
    // The server counts from one again: five messages look like repetitions.
    for number in 1..=4 {
        rig.message(number);
    }
    assert!(!rig.acts().contains("create"), "a few repetitions are harmless");
    rig.message(5);
    rig.check(expect![[r#"
        create, deleting Some(7)
    "#]]);
    rig.machine.on_created(rig.now(), PART, &made(8));
    assert!(rig.acts().contains("after a gap (sequence-gap, since 20, None)"));
    let counters = rig.machine.counters();
    assert_eq!((counters.renumberings, counters.duplicates), (1, 5));
}

#[test]
fn repetitions_between_new_messages_are_no_new_counting() {
    let mut rig = Rig::running();
    for number in 1..=20 {
        rig.message(number);
        rig.message(number);
        rig.acts();
        rig.durable(number as usize);
        rig.acts();
    }
    assert_eq!(rig.machine.counters().renumberings, 0);
}

#[test]
fn a_queue_of_one_is_a_gap_of_what_changed_while_we_were_away() {
    let mut rig = Rig::running();
    rig.message(1);
    rig.acts();
    rig.cut();
    rig.connect(START);
    rig.acts();
    // Message 2 was sent before the requests ran out; of 1 and 5 the server keeps one value only.
    rig.machine.on_transferred(rig.now(), PART, StatusCode::GOOD, &[1, 2], vec![1, 5]);
    rig.acts();
    rig.republished(2, true);
    rig.message(3);
    rig.message(4);
    rig.check(expect![[r#"
        deliver [2] of 7 up to 2
        deliver [3] of 7 up to 3 after a gap (overflow, since -1, Some([1]))
        Recovered { part: PartId(0), since: 1601-01-01T00:01:40.1000000Z, republished: 1, missing: 0 }
        deliver [4] of 7 up to 4
        publish x 2
    "#]]);
}

#[test]
fn numbers_far_ahead_are_bounded_by_the_window() {
    let mut rig = Rig::running();
    for step in 1..200_u32 {
        if rig.out.is_empty() {
            break;
        }
        rig.message(step.wrapping_mul(7919) % 900 + 2);
        rig.acts();
    }
    assert!(rig.machine.undurable() <= 8, "{}", rig.machine.undurable());
    assert!(rig.out.is_empty(), "nothing more is asked for until the holes are settled");
}

#[test]
fn a_silent_subscription_that_is_removed_is_no_reason_any_more() {
    let mut rig = Rig::running();
    rig.after(3100);
    assert!(rig.acts().contains("suspect"));
    rig.machine.remove(rig.now(), PART);
    assert!(rig.acts().contains("heard"));
}

#[test]
fn a_server_that_answers_for_the_sake_of_answering_is_slowed_down() {
    let mut rig = Rig::running();
    let mut answers = 0;
    while !rig.out.is_empty() && answers < 5000 {
        rig.keep_alive(1);
        rig.acts();
        answers += 1;
    }
    assert!((1000..1010).contains(&answers), "{answers}");
    assert!(rig.machine.next_deadline().is_some_and(|due| due <= rig.monotonic + Duration::from_secs(1)));
    rig.after(1000);
    rig.check(expect![[r#"
        publish x 4
    "#]]);
}
