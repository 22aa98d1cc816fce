//! The field's report: each server with its state, and the cause when something is wrong.

use crate::plan::SessionPlan;
use gemba_api::{Problem, SourceReport, SourceState, Stage, StageReport};
use gemba_model::{DateTime, StatusCode};
use gemba_ua::client::{SessionState, SessionStatus};

pub(crate) fn report<'a>(
    instance: &str,
    sessions: impl Iterator<Item = (&'a SessionPlan, SessionStatus)>,
    now: DateTime,
) -> StageReport {
    let mut report = StageReport::idle(Stage::Field, instance, now);
    for (plan, status) in sessions {
        report.messages_in += status.counters.notifications;
        report.messages_out += status.counters.notifications;
        report.queue_messages += status.undurable as u64;
        report.sources.push(source(plan, &status, now));
    }
    report
}

fn source(plan: &SessionPlan, status: &SessionStatus, now: DateTime) -> SourceReport {
    let since = status.since.unwrap_or(now);
    let rejected = status.rejected.len() as u64;
    let problem = |code: &str, text: String, remedy: &str, urgency| {
        Some(Problem {
            code: code.to_owned(),
            text,
            place: plan.endpoint_url.clone(),
            remedy: remedy.to_owned(),
            since,
            urgency,
        })
    };
    let reason = status.error.clone().unwrap_or_else(|| "no reason is known".to_owned());
    let (state, trouble) = match &status.state {
        SessionState::Connecting if status.error.is_none() => (SourceState::Connecting, None),
        SessionState::Connecting => (
            SourceState::Connecting,
            problem(
                "GMB-FLD-006",
                format!("The server cannot be reached: {reason}."),
                "Gemba goes on trying. Check that the server runs, its address and the network.",
                3,
            ),
        ),
        SessionState::Connected => (SourceState::Connecting, None),
        SessionState::Reconnecting => (
            SourceState::Reconnecting,
            problem(
                "GMB-FLD-006",
                format!("The connection is lost: {reason}."),
                "Gemba goes on trying and fetches what the server keeps. Check that the server runs and the network.",
                3,
            ),
        ),
        SessionState::Stopped { .. } => (
            SourceState::Stopped,
            problem(
                "GMB-FLD-007",
                format!("The server refuses the log-in: {reason}."),
                "Gemba does not try again, so that no account is locked. Correct user and password in publishednodes.json.",
                3,
            ),
        ),
        SessionState::Subscribed if rejected > 0 => (
            SourceState::Live,
            problem(
                "GMB-FLD-008",
                rejected_text(status),
                "Correct the node ids in publishednodes.json; refused items are tried again by themselves.",
                2,
            ),
        ),
        SessionState::Subscribed => (SourceState::Live, None),
    };
    SourceReport {
        endpoint: plan.endpoint_url.clone(),
        group: plan.group.clone(),
        state,
        since,
        last_data: status.last_data,
        items: plan.items() as u64,
        items_bad: rejected,
        problem: trouble,
    }
}

fn rejected_text(status: &SessionStatus) -> String {
    let first = status.rejected.first().map_or(StatusCode::GOOD, |item| item.status);
    format!("The server refuses {} of the items, the first with {first}.", status.rejected.len())
}
