//! A reconnect is never silent: servers killed and back, connections reset, packets dropped; on other people's
//! servers and our own. Values flow again within three seconds of a server answering, and the outage is in the
//! ledger.

pub(crate) mod hosts;

use crate::support::chain::{FREE_PORTS, Gemba};
use crate::support::checker::{self, Series};
use crate::support::http::Rest;
use crate::support::peers::{CounterServer, Vendor};
use crate::support::{Folder, alone, wait_for};
use gemba_base::{Clock, SystemClock};
use gemba_model::DateTime;
use hosts::Host;
use std::time::Duration;

const TAGS: u32 = 5;
/// Between a server that answers again and the first count of after that.
const WITHIN: Duration = Duration::from_secs(3);

/// What happens to the host of the servers.
#[derive(Debug, Clone, Copy)]
enum Outage {
    Killed,
    Reset,
    BlackHole,
}

#[test]
fn values_flow_again_and_the_outage_is_in_the_ledger() {
    let _alone = alone();
    let folder = Folder::new("reconnect");
    let Some(host) = Host::make() else {
        gemba_testkit::peers::skip("network namespaces with iptables (root)");
        return;
    };
    let vendors = [Vendor::Asyncua, Vendor::NodeOpcua, Vendor::Gemba];
    let mut servers: Vec<CounterServer> = vendors
        .into_iter()
        .filter_map(|vendor| CounterServer::start_on(vendor, false, TAGS, folder.path(), Some(&host)))
        .collect();
    let entries: Vec<_> = servers.iter().map(|server| server.entry(false, TAGS, server.port)).collect();
    let file = folder.path().join("publishednodes.json");
    std::fs::write(&file, serde_json::to_string_pretty(&entries).expect("JSON"))
        .expect("the file can be written");
    let file = file.display().to_string();
    let mut arguments = vec!["--role", "platform,edge", "--published-nodes", &file];
    arguments.extend(FREE_PORTS);
    let mut gemba = Gemba::run("gemba", folder.path(), &folder.path().join("data"), &arguments);
    let rest = gemba.rest();
    let wanted = servers.len() * TAGS as usize;
    flowing(&rest, wanted, now());
    for outage in [Outage::Killed, Outage::Reset, Outage::BlackHole] {
        let began = now();
        let answering = inflict(outage, &host, &mut servers);
        flowing(&rest, wanted, answering.saturating_add(WITHIN));
        for series in checker::series(&rest) {
            check(&rest, &series, outage, began, answering);
        }
    }
    gemba.stop();
}

/// Inflicts an outage on all servers; returns when the last of them answered again.
fn inflict(outage: Outage, host: &Host, servers: &mut [CounterServer]) -> DateTime {
    match outage {
        Outage::Killed => {
            for server in &mut *servers {
                server.kill();
            }
            for server in servers {
                server.run();
            }
        }
        Outage::Reset => {
            host.rule("-A", &["-p", "tcp", "-j", "REJECT", "--reject-with", "tcp-reset"]);
            std::thread::sleep(Duration::from_secs(2));
            host.rule("-F", &[]);
        }
        Outage::BlackHole => {
            host.rule("-A", &["-j", "DROP"]);
            std::thread::sleep(Duration::from_secs(9));
            host.rule("-F", &[]);
        }
    }
    now()
}

fn check(rest: &Rest, series: &Series, outage: Outage, began: DateTime, answering: DateTime) {
    let vendor = Vendor::of_group(&series.group);
    let counts = checker::counts(rest, series.id);
    let clockwork = vendor.clockwork();
    let first =
        counts.iter().find(|count| count.ticks >= answering.ticks()).expect("counts of after the outage");
    let after = DateTime::from_ticks(first.ticks).since(answering);
    assert!(
        after <= WITHIN,
        "{series:?}: {outage:?}: the first count is of {after:?} after the server answered"
    );
    let gaps = wait_for(&format!("{outage:?} of {series:?} in the ledger"), Duration::from_secs(20), || {
        let gaps = checker::gaps(rest);
        let told = gaps.iter().filter(|gap| gap.series == series.id).any(|gap| {
            gap.to.is_none_or(|to| to >= began)
                && gap.from.is_none_or(|from| from <= answering.saturating_add(WITHIN))
        });
        told.then_some(gaps)
    });
    let holes = clockwork.check(series, &counts);
    clockwork.check_holes(series, &holes, &gaps);
}

fn now() -> DateTime {
    SystemClock::new().now()
}

/// Waits until every series has a count of after `after`.
fn flowing(rest: &Rest, wanted: usize, after: DateTime) {
    wait_for("counts of all series", Duration::from_secs(60), || {
        let all = checker::series(rest);
        let newest =
            |series: &Series| checker::counts(rest, series.id).last().map_or(i64::MIN, |count| count.ticks);
        (all.len() == wanted && all.iter().all(|series| newest(series) > after.ticks())).then_some(())
    });
}
