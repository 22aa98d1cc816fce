//! Entry points for fuzzing: any bytes may come in, no panic may come out, and what parses must print back.

use crate::bag::PropertyBag;
use crate::connection_string::ConnectionString;
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Inputs near the grammar reach deeper than plain noise.
    const SEEDS: [&str; 8] = [
        "SharedAccessSignature sr=h%2Fdevices%2Fd&sig=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA%3D&se=99",
        "d/m\nh/d/m/?api-version=2021-04-12&DeviceClientType=x%20y",
        "devices/d/modules/m/messages/events/%24.mid=1&a",
        "$iothub/methods/res/200/?$rid=1",
        "$iothub/twin/PATCH/properties/reported/?$rid=2",
        "%24.ct=application%2Fjson&a=b&a=c&&=",
        "HostName=h;DeviceId=d;SharedAccessKey=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
        "HostName=h;SharedAccessKeyName=x;SharedAccessKey=AQEBAQEBAQEBAQEBAQEBAQ==;GatewayHostName=[::1]:1",
    ];

    fn all(data: &[u8]) {
        for target in [sas, login, topic, bag, connection_string] {
            target(data);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn noise_is_survived(data in proptest::collection::vec(any::<u8>(), 0..300)) {
            all(&data);
        }

        #[test]
        fn mutated_texts_are_survived(
            seed in 0..SEEDS.len(), at in 0_usize..120, byte: u8, cut in 0_usize..120, repeat in 0_usize..3
        ) {
            let mut data = SEEDS[seed].as_bytes().repeat(repeat + 1);
            if let Some(place) = data.get_mut(at) {
                *place = byte;
            }
            data.truncate(data.len().saturating_sub(cut));
            all(&data);
        }
    }
}
