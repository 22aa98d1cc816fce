//! The field's report: each server with its state, and every cause when something is wrong.
//!
//! Live is a statement about data: a server from which nothing comes, or of whose items none is monitored, is
//! not live, whatever its connection does.

use crate::plan::SessionPlan;
use crate::sink::{ItemHealth, Refused};
use gemba_api::{Problem, SourceReport, SourceState, Stage, StageReport};
use gemba_model::DateTime;
use gemba_ua::client::{SessionState, SessionStatus};
use std::time::Duration;

/// Items that deliver nothing for so long after they were created have a problem: the standard owes the first
/// value with the first publishing.
pub(crate) const FIRST_VALUE: Duration = Duration::from_secs(30);
/// How long a refused delivery stays in front of people's eyes.
const REFUSED_SHOWN: Duration = Duration::from_secs(3600);

/// One session with all that is known of it.
pub(crate) struct Session<'a> {
    pub(crate) plan: &'a SessionPlan,
    pub(crate) status: SessionStatus,
    pub(crate) health: ItemHealth,
    pub(crate) refused: Option<Refused>,
    /// The first item that the server refuses, in words.
    pub(crate) first_rejected: Option<String>,
}

pub(crate) fn report<'a>(
    instance: &str,
    sessions: impl Iterator<Item = Session<'a>>,
    now: DateTime,
) -> StageReport {
    let mut report = StageReport::idle(Stage::Field, instance, now);
    for session in sessions {
        report.messages_in += session.status.counters.notifications;
        report.messages_out += session.status.counters.notifications;
        report.queue_messages += session.status.undurable as u64;
        let mut problems = problems(&session, now);
        problems.sort_by_key(|problem| std::cmp::Reverse(problem.urgency));
        let mut problems = problems.into_iter();
        report.sources.push(source(&session, problems.next(), now));
        report.problems.extend(problems);
    }
    report
}

/// Whether items that never delivered are late.
pub(crate) fn first_values_are_due(status: &SessionStatus, now: DateTime) -> bool {
    let since = status.since.map_or(now, |since| since);
    let limit = FIRST_VALUE.as_nanos() as i64 / 100;
    status.state == SessionState::Subscribed && now.ticks() - since.ticks() > limit
}

fn state(session: &Session<'_>) -> SourceState {
    let monitored: usize = session.status.subscriptions.iter().map(|part| part.monitored).sum();
    match session.status.state {
        SessionState::Connecting | SessionState::Connected => SourceState::Connecting,
        SessionState::Reconnecting => SourceState::Reconnecting,
        SessionState::Silent => SourceState::Silent,
        SessionState::Stopped { .. } => SourceState::Stopped,
        SessionState::Subscribed if monitored == 0 && session.plan.items() > 0 => SourceState::Silent,
        SessionState::Subscribed => SourceState::Live,
    }
}

fn source(session: &Session<'_>, problem: Option<Problem>, now: DateTime) -> SourceReport {
    let Session { plan, status, health, .. } = session;
    SourceReport {
        endpoint: plan.endpoint_url.clone(),
        group: plan.group.clone(),
        state: state(session),
        since: status.since.unwrap_or(now),
        last_data: status.last_data,
        items: plan.items() as u64,
        items_bad: status.rejected_items as u64 + health.bad + health.unheard,
        problem,
    }
}

fn problems(session: &Session<'_>, now: DateTime) -> Vec<Problem> {
    let since = session.status.since.unwrap_or(now);
    let place = session.plan.endpoint_url.as_str();
    let mut found = Vec::new();
    found.extend(connection(session, place, since));
    found.extend(items(session, place, since));
    found.extend(queues(session, place, since));
    let shown = |refused: &&Refused| {
        let ticks = u64::try_from(now.ticks() - refused.last.ticks()).unwrap_or(0);
        Duration::from_nanos(ticks.saturating_mul(100)) < REFUSED_SHOWN
    };
    if let Some(refused) = session.refused.as_ref().filter(shown) {
        found.push(Problem {
            code: "GMB-FLD-009".to_owned(),
            text: format!("{} values were refused for ever and dropped: {}.", refused.values, refused.reason),
            place: place.to_owned(),
            remedy: "The loss is in the ledger with the reason 'rejected', and newer values flow. Make what is too \
                     large smaller, as the reason says."
                .to_owned(),
            since: refused.since,
            urgency: 4,
        });
    }
    found
}

fn problem(code: &str, text: String, remedy: &str, place: &str, since: DateTime, urgency: u8) -> Problem {
    Problem {
        code: code.to_owned(),
        text,
        place: place.to_owned(),
        remedy: remedy.to_owned(),
        since,
        urgency,
    }
}

/// The code with which an error of the session begins.
fn code_of(error: &str) -> &str {
    error.split_once(' ').map_or("", |(code, _)| code)
}

fn connection(session: &Session<'_>, place: &str, since: DateTime) -> Option<Problem> {
    let status = &session.status;
    let reason = status.error.as_deref().unwrap_or("no reason is known");
    let certificate = code_of(reason).starts_with("GMB-UA-02") || code_of(reason).starts_with("GMB-UA-03");
    let about = |code, text, remedy| Some(problem(code, text, remedy, place, since, 3));
    match status.state {
        SessionState::Connecting | SessionState::Connected | SessionState::Subscribed
            if status.error.is_none() =>
        {
            None
        }
        SessionState::Connecting | SessionState::Reconnecting if certificate => about(
            code_of(reason),
            format!("There is no trust: {reason}."),
            "Gemba looks at the trust lists every second and connects as soon as they allow it.",
        ),
        SessionState::Connecting => about(
            "GMB-FLD-006",
            format!("The server cannot be reached: {reason}."),
            "Gemba goes on trying. Check that the server runs, its address and the network.",
        ),
        SessionState::Reconnecting => about(
            "GMB-FLD-006",
            format!("The connection is lost: {reason}."),
            "Gemba goes on trying and fetches what the server keeps. Check that the server runs and the network.",
        ),
        SessionState::Silent => about(
            "GMB-FLD-010",
            "Nothing is heard of the server, though its connection stands.".to_owned(),
            "Gemba opens a second connection beside it and goes on with the one that answers; nothing is lost by that.",
        ),
        SessionState::Stopped { .. } => about(
            "GMB-FLD-007",
            format!("The server refuses the log-in: {reason}."),
            "Gemba does not try again, so that no account is locked. Correct user and password in publishednodes.json.",
        ),
        SessionState::Connected | SessionState::Subscribed => about(
            "GMB-FLD-013",
            format!("The server does not give all that is asked of it: {reason}."),
            "Gemba asks again by itself. Raise the server's limits, or publish less of it.",
        ),
    }
}

fn items(session: &Session<'_>, place: &str, since: DateTime) -> Vec<Problem> {
    let Session { plan, status, health, first_rejected, .. } = session;
    let mut found = Vec::new();
    if status.state != SessionState::Subscribed {
        return found;
    }
    if let Some(first) = status.rejected.first() {
        let node = first_rejected.as_deref().unwrap_or("an unknown one");
        let (count, all) = (status.rejected_items, plan.items());
        found.push(problem(
            "GMB-FLD-008",
            format!("The server refuses {count} of {all} items; the first is {node} with {}.", first.status),
            "Correct the node ids in publishednodes.json; refused items are tried again by themselves.",
            place,
            since,
            2,
        ));
    }
    if let Some((node, bad)) = &health.first_bad {
        found.push(problem(
            "GMB-FLD-011",
            format!("{} items deliver Bad values; the first is {node} with {bad}.", health.bad),
            "The server says so itself: look at the machine behind it. The values are stored with their status.",
            place,
            since,
            1,
        ));
    }
    if let Some(node) = &health.first_unheard {
        found.push(problem(
            "GMB-FLD-011",
            format!("{} items have not delivered a first value; the first is {node}.", health.unheard),
            "A server owes it at once. Check that the nodes have a value, and the server's own diagnostics.",
            place,
            since,
            2,
        ));
    }
    found
}

fn queues(session: &Session<'_>, place: &str, since: DateTime) -> Option<Problem> {
    let parts = &session.status.subscriptions;
    let short: usize = parts.iter().map(|part| part.short_queues).sum();
    let silent: usize = parts.iter().map(|part| part.queues_of_one).sum();
    if short == 0 && silent == 0 {
        return None;
    }
    let covers = parts.iter().filter_map(|part| part.queue_covers).min().unwrap_or_default();
    if silent > 0 {
        return Some(problem(
            "GMB-FLD-012",
            format!(
                "The server keeps one value only of {silent} items: what changes more than once between two sendings is lost, and the server does not say so."
            ),
            "Set OpcPublishingInterval as short as OpcSamplingInterval, or raise the server's queue size.",
            place,
            since,
            2,
        ));
    }
    Some(problem(
        "GMB-FLD-012",
        format!(
            "The server keeps fewer values of {short} items than was asked for: an absence of more than {covers:?} loses values."
        ),
        "Raise the server's queue size, or ask for less with QueueSize in publishednodes.json.",
        place,
        since,
        1,
    ))
}

#[cfg(test)]
mod tests;
