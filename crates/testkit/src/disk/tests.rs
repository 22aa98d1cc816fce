//! The faulty disk loses what it should and nothing else.

use super::*;
use crate::Rng;

fn file_with(disk: &FaultyDisk, bytes: &[u8]) -> Box<dyn DiskFile> {
    disk.create_folder(Path::new("/a/b")).expect("folder");
    disk.sync_folder(Path::new("/")).expect("sync");
    disk.sync_folder(Path::new("/a")).expect("sync");
    let file = disk.open(Path::new("/a/b/f"), true).expect("file");
    file.write_all_at(bytes, 0).expect("write");
    file.sync().expect("sync");
    disk.sync_folder(Path::new("/a/b")).expect("sync");
    file
}

fn after(disk: &FaultyDisk) -> Option<Vec<u8>> {
    disk.contents(Path::new("/a/b/f"))
}

#[test]
fn synced_bytes_and_entries_survive_every_crash() {
    for seed in 0..200 {
        let disk = FaultyDisk::new(seed);
        let file = file_with(&disk, b"kept");
        file.write_all_at(b" perhaps", 4).expect("write");
        let content = after(&disk.crash(seed)).expect("the entry was synced");
        assert_eq!(content.get(..4), Some(&b"kept"[..]));
        assert!(file.sync().is_err(), "the old disk is without power");
    }
}

#[test]
fn a_crash_is_the_same_for_the_same_seed_and_different_for_others() {
    let outcome = |seed| {
        let disk = FaultyDisk::new(0);
        let file = file_with(&disk, b"kept");
        file.write_all_at(&Rng::new(7).bytes(5_000), 4).expect("write");
        after(&disk.crash(seed))
    };
    let outcomes: std::collections::BTreeSet<_> = (0..50).map(outcome).collect();
    assert!(outcomes.len() > 10, "{} outcomes", outcomes.len());
    assert!((0..50).all(|seed| outcome(seed) == outcome(seed)));
}

#[test]
fn a_file_without_a_synced_folder_is_gone_after_a_power_cut() {
    let disk = FaultyDisk::new(0);
    file_with(&disk, b"kept");
    let new = disk.open(Path::new("/a/b/new"), true).expect("file");
    new.write_all_at(b"x", 0).expect("write");
    new.sync().expect("sync");
    disk.remove(Path::new("/a/b/f")).expect("remove");
    let disk = disk.power_cut();
    assert_eq!(disk.paths(), [PathBuf::from("/a/b/f")], "the removal was not synced either");
}

#[test]
fn after_a_failed_sync_a_good_one_saves_nothing_of_before() {
    let lost = (0..20).any(|seed| {
        let disk = FaultyDisk::new(seed);
        let file = file_with(&disk, b"kept");
        file.write_all_at(b"1234", 4).expect("write");
        disk.fail_next_sync();
        assert!(file.sync().is_err());
        assert_eq!(after(&disk).as_deref(), Some(&b"kept1234"[..]), "it can still be read");
        file.sync().expect("the second sync says that all is well");
        after(&disk.power_cut()).as_deref() == Some(&b"kept"[..])
    });
    assert!(lost);
}

#[test]
fn a_full_volume_takes_what_fits() {
    let disk = FaultyDisk::new(0);
    let file = file_with(&disk, b"kept");
    disk.set_volume_bytes(6);
    let error = file.write_all_at(b"1234", 4).expect_err("no room");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(after(&disk).as_deref(), Some(&b"kept12"[..]));
    assert_eq!(disk.free_bytes(Path::new("/")).expect("free"), 0);
}

#[test]
fn one_opener_holds_a_lock() {
    let disk = FaultyDisk::new(0);
    let held = disk.lock(Path::new("/lock")).expect("lock");
    let refused = disk.lock(Path::new("/lock")).expect_err("held");
    assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    drop(held);
    disk.lock(Path::new("/lock")).expect("free again");
}
