//! A value travels: from other people's servers through the whole path, each count stored once.

use crate::support::chain::{FREE_PORTS, Gemba};
use crate::support::checker::{Clockwork, counts, gaps, series};
use crate::support::peers::{CounterServer, Vendor};
use crate::support::{Folder, alone, wait_for};
use std::time::Duration;

const TAGS: u32 = 20;
/// Counts per series that must have arrived before the check.
const COUNTS: usize = 60;

#[test]
fn counters_of_other_peoples_servers_are_stored_once_in_order_to_the_tick() {
    let _alone = alone();
    let folder = Folder::new("path");
    let cases = [
        (Vendor::Asyncua, false),
        (Vendor::Asyncua, true),
        (Vendor::NodeOpcua, false),
        (Vendor::NodeOpcua, true),
    ];
    let servers: Vec<(CounterServer, bool)> = cases
        .into_iter()
        .filter_map(|(vendor, secure)| {
            Some((CounterServer::start(vendor, secure, TAGS, folder.path())?, secure))
        })
        .collect();
    if servers.is_empty() {
        return;
    }
    let entries: Vec<_> =
        servers.iter().map(|(server, secure)| server.entry(*secure, TAGS, server.port)).collect();
    let file = folder.path().join("publishednodes.json");
    std::fs::write(&file, serde_json::to_string_pretty(&entries).expect("JSON"))
        .expect("the file can be written");
    let file = file.display().to_string();
    let mut arguments = vec!["--role", "platform,edge", "--published-nodes", &file];
    arguments.extend(FREE_PORTS);
    let mut gemba = Gemba::run("gemba", folder.path(), &folder.path().join("data"), &arguments);
    let rest = gemba.rest();
    let wanted = servers.len() * TAGS as usize;
    let all = wait_for("all series with enough counts", Duration::from_secs(90), || {
        let all = series(&rest);
        let enough = all.len() == wanted && all.iter().all(|series| counts(&rest, series.id).len() >= COUNTS);
        enough.then_some(all)
    });
    let clockwork = Clockwork::of_peers();
    for series in &all {
        let holes = clockwork.check(series, &counts(&rest, series.id));
        assert_eq!(holes, [], "{series:?}: ledger {:?}", gaps(&rest));
    }
    gemba.stop();
}
