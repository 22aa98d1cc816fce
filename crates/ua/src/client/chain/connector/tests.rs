//! The certificate of the session, and requests on their way.

use super::*;
use opcua::types::{CreateSessionRequest, CreateSessionResponse, ReadRequest, ResponseHeader, StatusCode};
use std::time::{Duration, Instant};

fn judged() -> Judged {
    let certificates = ["leaf", " and issuer"].map(|text| text.as_bytes().to_vec());
    Judged::new(b"leaf and issuer", &certificates)
}

fn guard() -> Guard {
    let inner = Inner {
        judged: judged(),
        opening: None,
        url: "opc.tcp://a:1/".to_owned(),
        host: "a".to_owned(),
        port: 1,
        verdict: Arc::new(Verdict::new("opc.tcp://a:1/")),
    };
    Guard { inner: Arc::new(inner) }
}

#[test]
fn the_session_must_have_the_judged_certificate_and_the_stack_gets_its_leaf() {
    let cases: [(Option<&str>, bool, Result<(), Fault>); 9] = [
        (Some("leaf"), true, Ok(())),
        (Some("leaf and issuer"), true, Ok(())),
        (Some("leaf and another"), true, Err(Fault::SessionCertificate)),
        (Some("leaf and iss"), true, Err(Fault::SessionCertificate)),
        (None, true, Err(Fault::SessionCertificate)),
        (Some("leaf"), false, Ok(())),
        (Some("leaf and issuer"), false, Ok(())),
        (Some("eve"), false, Err(Fault::SessionCertificate)),
        (None, false, Ok(())),
    ];
    for (sent, secured, wanted) in cases {
        let mut certificate = sent.map_or_else(stack::ByteString::null, |sent| sent.as_bytes().into());
        assert_eq!(settle(&judged(), secured, &mut certificate), wanted, "{sent:?} {secured}");
        if wanted.is_ok() {
            assert_eq!(certificate.as_ref(), b"leaf");
        }
    }
}

type Answer = oneshot::Receiver<Result<ResponseMessage, stack::Error>>;

fn message(request: RequestMessage) -> (OutgoingMessage, Answer) {
    let (callback, answer) = oneshot::channel();
    let deadline = Instant::now() + Duration::from_secs(60);
    (OutgoingMessage { request, callback: Some(callback), deadline, span: tracing::Span::none() }, answer)
}

fn created(certificate: &[u8], status: StatusCode) -> ResponseMessage {
    let response_header = ResponseHeader { service_result: status, ..ResponseHeader::default() };
    let server_certificate = certificate.into();
    CreateSessionResponse { response_header, server_certificate, ..CreateSessionResponse::default() }.into()
}

#[tokio::test]
async fn only_the_answer_that_creates_a_session_is_looked_at() {
    let guard = guard();
    let (requests, from) = mpsc::channel(4);
    let (to, mut stack) = mpsc::channel(4);
    let running = tokio::spawn(guard.clone().forward(from, to));
    for (certificate, status, wanted) in [
        ("leaf and issuer", StatusCode::Good, Some("leaf")),
        ("eve", StatusCode::BadTooManySessions, Some("eve")),
        ("eve", StatusCode::Good, None),
    ] {
        let (request, answer) = message(CreateSessionRequest::default().into());
        requests.send(request).await.expect("taken");
        let passed = stack.recv().await.expect("passed on");
        passed
            .callback
            .expect("a callback")
            .send(Ok(created(certificate.as_bytes(), status)))
            .expect("heard");
        match (answer.await.expect("an answer"), wanted) {
            (Ok(ResponseMessage::CreateSession(answer)), Some(wanted)) => {
                assert_eq!(answer.server_certificate.as_ref(), wanted.as_bytes());
            }
            (Err(error), None) => assert_eq!(error.status(), StatusCode::BadCertificateInvalid),
            (answer, wanted) => panic!("{wanted:?}: {answer:?}"),
        }
    }
    assert_eq!(guard.fault(), Some(Fault::SessionCertificate));
    let (request, answer) = message(ReadRequest::default().into());
    requests.send(request).await.expect("taken");
    let passed = stack.recv().await.expect("passed on");
    assert!(matches!(passed.request, RequestMessage::Read(_)));
    drop(passed);
    answer.await.expect_err("the stack dropped it, and whoever asked is told");
    // Either end ends it, and the other sees that.
    drop(stack);
    running.await.expect("ended");
    assert!(requests.is_closed());
}

#[tokio::test]
async fn a_closed_client_closes_the_way_to_the_stack() {
    let (requests, from) = mpsc::channel(4);
    let (to, mut stack) = mpsc::channel::<OutgoingMessage>(4);
    let running = tokio::spawn(guard().forward(from, to));
    drop(requests);
    assert!(stack.recv().await.is_none());
    running.await.expect("ended");
}
