//! What single servers do differently, as data.

use super::session::ServerStatus;

/// How to treat a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Quirks {
    /// Go on with the earlier session before a transfer. Such a server moves a subscription to the new session,
    /// but goes on answering the requests of the old one; taking up the old session first makes it work.
    pub reactivate: bool,
    /// It takes no more Publish requests than this, and does not say so in a way that can be learnt from.
    pub publish_requests_max: Option<usize>,
}

/// One row: the quirks of servers whose application URI, product URI or manufacturer contains the text.
struct Row {
    contains: &'static str,
    quirks: Quirks,
}

/// asyncua 2.1.0: the transfer rebinds the callback for answers, not the queue of requests.
const ASYNCUA: Quirks = Quirks { reactivate: true, publish_requests_max: None };

const TABLE: [Row; 2] = [
    // Its application URI, where nobody chose another one.
    Row { contains: "freeopcua:python", quirks: ASYNCUA },
    // Its product URI, which stays.
    Row { contains: "freeopcua.github.io:python", quirks: ASYNCUA },
];

impl Quirks {
    /// The row for a server, or no quirks at all.
    pub fn of(application_uri: &str, server: &ServerStatus) -> Self {
        let texts = [application_uri, &server.product_uri, &server.manufacturer_name, &server.product_name];
        let texts = texts.map(str::to_ascii_lowercase);
        TABLE
            .iter()
            .find(|row| texts.iter().any(|text| text.contains(row.contains)))
            .map_or_else(Self::default, |row| row.quirks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asyncua_is_known_by_its_application_uri_and_others_have_no_quirks() {
        let server = ServerStatus::default();
        assert!(Quirks::of("urn:freeopcua:python:server", &server).reactivate);
        assert_eq!(Quirks::of("urn:plc", &server), Quirks::default());
        let product_uri = "urn:freeopcua.github.io:python:server".to_owned();
        assert!(Quirks::of("urn:plc", &ServerStatus { product_uri, ..ServerStatus::default() }).reactivate);
    }
}
