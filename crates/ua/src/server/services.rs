//! The services: from a request to its answer.

pub(super) mod attribute;
mod call;
pub(super) mod history;
mod item;
mod session;
pub(super) mod subscription;
pub(super) mod view;

use super::application;
use super::session::{Session, Via};
use super::shared::{Shared, State};
use super::subscription::engine::Now;
use opcua::core::{Message, RequestMessage, ResponseMessage};
use opcua::types::{
    CancelResponse, FindServersRequest, FindServersResponse, GetEndpointsRequest, GetEndpointsResponse,
    RequestHeader, ResponseHeader, ServiceFault, StatusCode, profiles::TRANSPORT_PROFILE_URI_BINARY,
};

/// What becomes of a request.
pub(super) enum Reply {
    /// It is answered so.
    Message(Box<ResponseMessage>),
    /// It is answered when there is something to say.
    Later,
    /// It is answered without an end.
    Endless,
}

impl From<ResponseMessage> for Reply {
    fn from(message: ResponseMessage) -> Self {
        Self::Message(Box::new(message))
    }
}

/// A request of a session.
pub(super) struct Call<'a> {
    pub(super) shared: &'a Shared,
    pub(super) via: Via,
    pub(super) request: u32,
    pub(super) now: Now,
    /// The session's id.
    pub(super) session: u32,
}

/// A service's outcome; a fault is for the request as a whole.
type Outcome<T> = Result<T, StatusCode>;

/// The answer that says that a request failed as a whole.
pub(super) fn fault(handle: u32, status: StatusCode) -> ResponseMessage {
    let response_header = ResponseHeader::new_service_result(handle, status);
    ServiceFault { response_header }.into()
}

fn good(header: &RequestHeader) -> ResponseHeader {
    ResponseHeader::new_good(header)
}

/// Works on a request that came over an open channel.
pub(super) fn handle(shared: &Shared, via: Via, request: u32, message: RequestMessage) -> Reply {
    let handle = message.request_handle();
    let outcome = match message {
        RequestMessage::GetEndpoints(wanted) => Ok(endpoints(shared, &wanted).into()),
        RequestMessage::FindServers(wanted) => Ok(servers(shared, &wanted).into()),
        RequestMessage::CreateSession(wanted) => session::create(shared, via, *wanted).map(Reply::from),
        RequestMessage::ActivateSession(wanted) => session::activate(shared, via, &wanted).map(Reply::from),
        RequestMessage::CloseSession(wanted) => session::close(shared, via, &wanted).map(Reply::from),
        message => of_session(shared, via, request, message),
    };
    outcome.unwrap_or_else(|status| fault(handle, status).into())
}

fn of_session(shared: &Shared, via: Via, request: u32, message: RequestMessage) -> Outcome<Reply> {
    let now = shared.now();
    let token = &message.request_header().authentication_token;
    let session = shared.state().sessions.active(token, via, now.monotonic)?.id;
    let call = Call { shared, via, request, now, session };
    use RequestMessage as R;
    let answer: ResponseMessage = match message {
        R::Publish(wanted) => return subscription::publish(&call, *wanted).map(|()| Reply::Later),
        R::Read(wanted) => {
            if attribute::never_ends(&call, &wanted) {
                return Ok(Reply::Endless);
            }
            attribute::read(&call, &wanted)?.into()
        }
        R::Write(wanted) => attribute::write(&call, &wanted)?.into(),
        R::HistoryRead(wanted) => history::read(&call, &wanted)?.into(),
        R::Browse(wanted) => view::browse(&call, &wanted)?.into(),
        R::BrowseNext(wanted) => view::browse_next(&call, &wanted)?.into(),
        R::TranslateBrowsePathsToNodeIds(wanted) => view::translate(&call, &wanted)?.into(),
        R::RegisterNodes(wanted) => view::register(&call, *wanted)?.into(),
        R::UnregisterNodes(wanted) => view::unregister(&call, &wanted)?.into(),
        R::Call(wanted) => call::call(&call, &wanted)?.into(),
        R::CreateSubscription(wanted) => subscription::create(&call, &wanted)?.into(),
        R::ModifySubscription(wanted) => subscription::modify(&call, &wanted)?.into(),
        R::DeleteSubscriptions(wanted) => subscription::delete(&call, &wanted)?.into(),
        R::SetPublishingMode(wanted) => subscription::set_mode(&call, &wanted)?.into(),
        R::TransferSubscriptions(wanted) => subscription::transfer(&call, &wanted)?.into(),
        R::Republish(wanted) => subscription::republish(&call, &wanted)?.into(),
        R::CreateMonitoredItems(wanted) => item::create(&call, *wanted)?.into(),
        R::ModifyMonitoredItems(wanted) => item::modify(&call, *wanted)?.into(),
        R::SetMonitoringMode(wanted) => item::set_mode(&call, &wanted)?.into(),
        R::DeleteMonitoredItems(wanted) => item::delete(&call, &wanted)?.into(),
        // Requests are answered in order, so that there is never one to cancel but a publish request.
        R::Cancel(wanted) => {
            CancelResponse { response_header: good(&wanted.request_header), cancel_count: 0 }.into()
        }
        _ => return Err(StatusCode::BadServiceUnsupported),
    };
    Ok(answer.into())
}

impl Call<'_> {
    /// Does something with the session, which was there a moment ago.
    fn with_session<T>(&self, act: impl FnOnce(&mut Session) -> T) -> Outcome<T> {
        let mut state = self.shared.state();
        state.sessions.by_id(self.session).map(act).ok_or(StatusCode::BadSessionIdInvalid)
    }

    /// As `with_state`, for what may fail as a whole.
    fn try_state<T>(&self, act: impl FnOnce(&mut State) -> Outcome<T>) -> Outcome<T> {
        self.with_state(act)
    }

    /// Does something with the state, and sends what came of it.
    fn with_state<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.shared.state();
        let outcome = act(&mut state);
        self.shared.dispatch(&mut state);
        drop(state);
        self.shared.wake.notify_one();
        outcome
    }
}

/// The list of a request: neither empty nor longer than the limit.
fn bounded<T>(list: Option<&Vec<T>>, limit: usize) -> Outcome<&[T]> {
    let list = list.map(Vec::as_slice).unwrap_or_default();
    if list.is_empty() {
        return Err(StatusCode::BadNothingToDo);
    }
    if list.len() > limit { Err(StatusCode::BadTooManyOperations) } else { Ok(list) }
}

/// A server that lies leaves the last result of several out.
fn perhaps_short<T>(shared: &Shared, mut results: Vec<T>) -> Option<Vec<T>> {
    if shared.options.behaviour.lies && results.len() > 1 {
        results.pop();
    }
    Some(results)
}

fn endpoints(shared: &Shared, request: &GetEndpointsRequest) -> ResponseMessage {
    let profiles = request.profile_uris.as_deref().unwrap_or_default();
    let wanted =
        profiles.is_empty() || profiles.iter().any(|uri| uri.as_ref() == TRANSPORT_PROFILE_URI_BINARY);
    let application = shared.application();
    let endpoints =
        if wanted { application::endpoints(&shared.options, &application, &shared.url) } else { Vec::new() };
    GetEndpointsResponse { response_header: good(&request.request_header), endpoints: Some(endpoints) }.into()
}

fn servers(shared: &Shared, request: &FindServersRequest) -> ResponseMessage {
    let own = application::description(&shared.options, &shared.url);
    let uris = request.server_uris.as_deref().unwrap_or_default();
    let wanted = uris.is_empty() || uris.contains(&own.application_uri);
    let servers = if wanted { vec![own] } else { Vec::new() };
    FindServersResponse { response_header: good(&request.request_header), servers: Some(servers) }.into()
}
