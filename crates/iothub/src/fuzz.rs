//! Entry points for fuzzing: any bytes may come in, no panic may come out, and what parses must print back.

use crate::bag::PropertyBag;
use crate::connection_string::ConnectionString;
use crate::enrolment::Enrolment;
use crate::host::HostNames;
use crate::identity::Identity;
use crate::key::SymmetricKey;
use crate::login::Login;
use crate::properties::MessageProperties;
use crate::sas::{SasToken, Scope};
use crate::topic::Topics;
use gemba_model::DateTime;

/// A SAS token from the network. No bytes open a device whose key they were not made with.
pub fn sas(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(token) = SasToken::parse(&text) else { return };
    let (Ok(key), Ok(identity)) = (SymmetricKey::from_bytes(&[0x5a; 32]), Identity::parse("d")) else {
        return;
    };
    let hosts = HostNames::new(["h"]);
    let opened = token.verify(&hosts, &Scope::Identity(&identity), (&key, None), DateTime::MIN);
    assert!(opened.is_err(), "a token was accepted without the key");
}

/// Client id and user name, separated by a line feed.
pub fn login(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (client_id, user_name) = text.split_once('\n').unwrap_or((&text, ""));
    if let Ok(login) = Login::parse(client_id, user_name) {
        assert_eq!(login.identity.to_string(), client_id);
    }
}

/// A topic, read by a device and by a module.
pub fn topic(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for name in ["d", "d/m"] {
        let Ok(identity) = Identity::parse(name) else { return };
        let topics = Topics::of(&identity);
        drop(topics.read(&text));
        topics.filter(&text);
    }
}

/// A property bag. What was read prints to a bag that reads the same.
pub fn bag(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(bag) = PropertyBag::parse(&text) {
        // Encoding may lengthen a bag beyond the limit; then there is nothing to compare.
        if let Ok(again) = PropertyBag::parse(&bag.encode()) {
            assert_eq!(again, bag);
        }
    }
    if let Ok(properties) = MessageProperties::from_device(&text) {
        properties.bytes();
    }
}

/// A connection string. What was read prints to a string that reads the same.
pub fn connection_string(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(string) = ConnectionString::parse(&text) {
        let again = ConnectionString::parse(&string.to_text());
        let known = ConnectionString { unknown_keys: Vec::new(), ..string };
        assert_eq!(again, Ok(known));
    }
}

/// An enrolment file. What was read prints to a file that reads the same.
pub fn enrolment(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(enrolment) = Enrolment::parse(&text) {
        let again = Enrolment::parse(&enrolment.to_text()).map(|again| again.to_text());
        assert_eq!(again, Ok(enrolment.to_text()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gemba_testkit::fuzz::Target;

    const WORDS: [&str; 18] = [
        "SharedAccessSignature ",
        "sr=",
        "&sig=",
        "&se=",
        "&skn=",
        "%2F",
        "%00",
        "%",
        "api-version=2021-04-12",
        "HostName=",
        "DeviceId=",
        "ModuleId=",
        "SharedAccessKey=",
        "GatewayHostName=",
        "$iothub/",
        "$rid=",
        "%24.mid=",
        "devices/d/modules/m/",
    ];

    #[test]
    fn fuzz_sas() {
        Target::new("iothub-sas", sas).words(WORDS).run();
    }

    #[test]
    fn fuzz_login() {
        Target::new("iothub-login", login).words(WORDS).run();
    }

    #[test]
    fn fuzz_topic() {
        Target::new("iothub-topic", topic).words(WORDS).run();
    }

    #[test]
    fn fuzz_bag() {
        Target::new("iothub-bag", bag).words(WORDS).run();
    }

    #[test]
    fn fuzz_connection_string() {
        Target::new("iothub-connection-string", connection_string).words(WORDS).run();
    }

    #[test]
    fn fuzz_enrolment() {
        Target::new("iothub-enrolment", enrolment)
            .words(WORDS)
            .words(["-----BEGIN CERTIFICATE-----\n", "# "])
            .run();
    }
}
