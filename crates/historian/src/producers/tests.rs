use super::*;

#[test]
fn each_number_counts_once_and_holes_can_be_filled() {
    let key = ProducerKey { device: "d".into(), producer: "p".into(), epoch: 1 };
    let mut producers = Producers::default();
    let mut take = |sequence| {
        let arrival = producers.classify(&key, sequence);
        producers.mark(&key, 0, sequence, arrival);
        arrival
    };
    use Arrival::{AfterHole, Due, Duplicate, Late};
    let arrivals: Vec<Arrival> = [0, 1, 1, 5, 3, 3, 0, 6].into_iter().map(&mut take).collect();
    assert_eq!(arrivals, [Due, Due, Duplicate, AfterHole(3), Late, Duplicate, Duplicate, Due]);
    let account = producers.of(&key);
    assert_eq!((account.messages, account.duplicates, account.missing), (5, 3, 2));
    assert_eq!(account.holes, [(2, 3), (4, 5)]);
}

#[test]
fn a_hole_is_settled_once_every_number_of_it_came_or_is_explained() {
    let told = Told { at: 1, partition: 0, offset: 9 };
    let mut producer = Producer { next: 10, ..Producer::default() };
    producer.reveal(20, told);
    producer.holes.push((10, 20));
    producer.next = 21;
    assert_eq!(producer.came(&[(8, 12)]), Came::Some, "8 and 9 came");
    producer.explain(&[(10, 15)], None);
    assert!(producer.take_settled().is_empty(), "five are unexplained");
    assert_eq!((producer.has(12), producer.has(17), producer.has(20)), (false, false, true));
    assert_eq!((producer.hole_of(12), producer.hole_of(9)), (Some(told), None));
    assert!(producer.holes_among(&[(0, 15)]).is_empty());
    assert_eq!(producer.holes_among(&[(0, 16)]), [told]);
    producer.explain(&[(8, 20)], None);
    assert_eq!(producer.take_settled(), [told]);
    assert_eq!((producer.holes.len(), &producer.explained[..]), (0, &[(10, 20)][..]));
    assert_eq!(producer.came(&[(10, 20)]), Came::Nothing);
    assert_eq!(producer.came(&[(3, 10), (20, 21)]), Came::All);
}

#[test]
fn an_account_that_began_in_the_middle_cannot_say_what_came_before() {
    let key = ProducerKey { device: "d".into(), producer: "p".into(), epoch: 1 };
    let mut producers = Producers::default();
    producers.begin(&key, 10);
    producers.mark(&key, 0, 10, Arrival::Due);
    assert_eq!(producers.of(&key).came(&[(3, 5)]), Came::Some);
    assert!(!producers.of(&key).has(9) && producers.of(&key).has(10));
    producers.of(&key).resync = true;
    let arrival = producers.classify(&key, 20);
    producers.mark(&key, 0, 20, arrival);
    assert!(!producers.of(&key).has(15) && producers.of(&key).has(20));
    assert_eq!(producers.of(&key).came(&[(30, 40)]), Came::Nothing, "these are to come yet");
}

#[test]
fn a_number_that_another_life_gave_begins_a_new_account() {
    let key = ProducerKey { device: "d".into(), producer: "p".into(), epoch: 1 };
    let again = ProducerKey { epoch: 9, ..key.clone() };
    let mut producers = Producers::default();
    for sequence in 0..10 {
        producers.mark(&key, 0, sequence, Arrival::Due);
        producers.note_life(&key, sequence, if sequence < 5 { 7 } else { 8 });
    }
    let resolve =
        |producers: &Producers, sequence, life| producers.resolve(key.clone(), sequence, Some(life));
    assert_eq!(resolve(&producers, 4, 7), key, "sent again");
    assert_eq!(resolve(&producers, 10, 9), key, "a restart");
    assert_eq!(resolve(&producers, 6, 9), again, "given anew");
    producers.branch(&key, &again, 6);
    for sequence in 6..12 {
        producers.mark(&again, 0, sequence, Arrival::Due);
        producers.note_life(&again, sequence, 9);
    }
    assert_eq!(resolve(&producers, 10, 9), again, "and so on");
    assert_eq!(resolve(&producers, 8, 8), key, "sent again, late");
    assert_eq!(producers.resolve(key.clone(), 6, None), key);
}

#[test]
fn a_restart_after_a_producer_was_put_back_goes_on_with_the_newest_account() {
    let key = ProducerKey { device: "d".into(), producer: "p".into(), epoch: 1 };
    let named = |epoch| ProducerKey { epoch, ..key.clone() };
    let mut producers = Producers::default();
    let mut give = |from: u64, to: u64, life: u64| {
        let account = producers.resolve(key.clone(), from, Some(life));
        if !producers.knows(&account) && account != key {
            producers.branch(&key, &account, from);
        }
        for sequence in from..to {
            let arrival = producers.classify(&account, sequence);
            producers.mark(&account, 0, sequence, arrival);
            producers.note_life(&account, sequence, life);
        }
        account
    };
    assert_eq!(give(0, 10, 7), key);
    assert_eq!(give(5, 100, 8), named(8), "put back to 5");
    assert_eq!(give(100, 120, 9), named(8), "a restart, and no hole from 10 to 100");
    assert_eq!(give(50, 60, 10), named(10), "put back to 50");
    assert_eq!(give(60, 70, 11), named(10));
    assert_eq!(give(3, 30, 12), named(12), "put back to what came before the first time");
    assert_eq!(give(5, 6, 8), named(8), "late");
    assert!(producers.completeness().iter().all(|account| account.missing == 0));
}

#[test]
fn a_first_message_above_zero_follows_a_hole() {
    let key = ProducerKey { device: "d".into(), producer: "p".into(), epoch: 1 };
    assert_eq!(Producers::default().classify(&key, 7), Arrival::AfterHole(7));
}

#[test]
fn numbers_that_are_given_up_and_had_come_from_another_start_show_that_the_producer_was_put_back() {
    let key = ProducerKey { device: "d".into(), producer: "p".into(), epoch: 1 };
    let mut producers = Producers::default();
    for (sequence, life) in (0..10).map(|sequence| (sequence, 7)).chain([(40, 8)]) {
        let arrival = producers.classify(&key, sequence);
        producers.mark(&key, 0, sequence, arrival);
        producers.note_life(&key, sequence, life);
    }
    let producer = producers.of(&key);
    let start = |life, first| ProducerStart { life, first };
    assert!(!producer.shows_put_back(&[start(7, 5), start(8, 12)], &[(5, 30)]), "each came from its own");
    assert!(!producer.shows_put_back(&[start(8, 12)], &[(12, 30)]), "none of these came");
    assert!(producer.shows_put_back(&[start(9, 5), start(8, 12)], &[(3, 30)]), "5 to 9 came from another");
    assert!(!producer.shows_put_back(&[start(9, 5)], &[(3, 30)]), "that is known");
}
