use super::*;
use expect_test::{Expect, expect};
use proptest::prelude::*;

fn key(byte: u8) -> SymmetricKey {
    SymmetricKey::from_bytes(&[byte; 32]).expect("is a key")
}

fn at(seconds: i64) -> DateTime {
    DateTime::from_unix_millis(seconds * 1000)
}

fn identity(text: &str) -> Identity {
    Identity::parse(text).expect("is an identity")
}

/// Verifies for `who` on the hosts `hub.local` and `127.0.0.1` with the keys 1 and 2 at second 1000.
fn check(token: &str, who: &str, expect: &Expect) {
    let hosts = HostNames::new(["hub.local", "127.0.0.1"]);
    let who = identity(who);
    let outcome = SasToken::parse(token)
        .and_then(|token| token.verify(&hosts, &Scope::Identity(&who), (&key(1), Some(&key(2))), at(1000)));
    expect.assert_eq(&match outcome {
        Ok(with) => format!("{with:?}"),
        Err(error) => format!("{} {error}", error.code()),
    });
}

fn token(resource: &str, byte: u8, expiry: i64) -> String {
    SasToken::generate(resource, &key(byte), at(expiry), None)
}

#[test]
fn a_generated_token_has_the_documented_form() {
    expect![
        "SharedAccessSignature sr=hub.local%2Fdevices%2Fdev1&sig=G6gYi1b6HwTFv5C4V3DNQfhNXEmoI2FCyO2s0ifPvR8%3D&se=2000"
    ]
    .assert_eq(&token("hub.local/devices/dev1", 1, 2000));
}

#[test]
fn either_key_opens_and_no_other() {
    check(&token("hub.local/devices/dev1", 1, 2000), "dev1", &expect!["Primary"]);
    check(&token("hub.local/devices/dev1", 2, 2000), "dev1", &expect!["Secondary"]);
    check(
        &token("hub.local/devices/dev1", 3, 2000),
        "dev1",
        &expect![
            "GMB-IOT-003 the SAS signature was made with neither the primary nor the secondary key; copy the connection string again"
        ],
    );
}

#[test]
fn a_token_ends_at_its_second() {
    check(&token("hub.local/devices/dev1", 1, 1001), "dev1", &expect!["Primary"]);
    check(
        &token("hub.local/devices/dev1", 1, 1000),
        "dev1",
        &expect![
            "GMB-IOT-002 the SAS token expired at 1970-01-01T00:16:40.0000000Z and it is 1970-01-01T00:16:40.0000000Z; sign a new one, or set the device's clock right"
        ],
    );
}

#[test]
fn the_resource_must_be_the_one_that_connects() {
    for resource in ["HUB.Local/devices/dev1", "hub.local:18883/devices/dev1", "127.0.0.1/devices/dev1/"] {
        check(&token(resource, 1, 2000), "dev1", &expect!["Primary"]);
    }
    check(&token("hub.local/devices/dev1/modules/m", 1, 2000), "dev1/m", &expect!["Primary"]);
    for (resource, who) in [
        ("other/devices/dev1", "dev1"),
        ("hub.local/devices/dev2", "dev1"),
        ("hub.local/devices/DEV1", "dev1"),
        ("hub.local/devices/dev1/modules/m", "dev1"),
        ("hub.local/devices/dev1", "dev1/m"),
        ("hub.local", "dev1"),
        ("hub.local/devices", "dev1"),
    ] {
        let hosts = HostNames::new(["hub.local"]);
        let parsed = SasToken::parse(&token(resource, 1, 2000)).expect("parses");
        let outcome = parsed.verify(&hosts, &Scope::Identity(&identity(who)), (&key(1), None), at(1000));
        assert!(matches!(outcome, Err(IotError::WrongResource { .. })), "{resource} {who}: {outcome:?}");
    }
}

#[test]
fn ids_with_percent_signs_match_encoded_once_or_twice() {
    check(&token("hub.local/devices/a%20b", 1, 2000), "a%20b", &expect!["Primary"]);
    check(&token("hub.local/devices/a%2520b", 1, 2000), "a%20b", &expect!["Primary"]);
}

#[test]
fn fields_come_in_any_order_and_case_of_escapes() {
    // The signature is over the text as sent, so a lower-case escape needs its own signature.
    let sr = "hub.local%2fdevices%2fdev1";
    let sig = percent::encode(&base64(&key(1).sign(&format!("{sr}\n2000"))));
    check(&format!("SharedAccessSignature se=2000&x=y&sig={sig}&sr={sr}"), "dev1", &expect!["Primary"]);
}

#[test]
fn a_policy_token_opens_the_hub_and_no_device() {
    let text = SasToken::generate("hub.local", &key(1), at(2000), Some("service"));
    let parsed = SasToken::parse(&text).expect("parses");
    assert_eq!(parsed.policy(), Some("service"));
    let hosts = HostNames::new(["hub.local"]);
    assert_eq!(parsed.verify(&hosts, &Scope::Hub, (&key(1), None), at(1)), Ok(SignedWith::Primary));
}

#[test]
fn malformed_tokens_say_what_is_missing() {
    let good_sig = percent::encode(&base64(&[0; 32]));
    for (text, why) in [
        (String::new(), "it does not begin with 'SharedAccessSignature '"),
        ("Bearer abc".to_owned(), "it does not begin with 'SharedAccessSignature '"),
        ("SharedAccessSignature sr".to_owned(), "a field has no value"),
        (format!("SharedAccessSignature sig={good_sig}&se=1"), "the field sr is missing"),
        ("SharedAccessSignature sr=a&se=1".to_owned(), "the field sig is missing"),
        (format!("SharedAccessSignature sr=a&sig={good_sig}"), "the field se is missing"),
        (format!("SharedAccessSignature sr=a&sr=b&sig={good_sig}&se=1"), "a field is given twice"),
        (format!("SharedAccessSignature sr=%zz&sig={good_sig}&se=1"), "a field is not percent-encoded UTF-8"),
        ("SharedAccessSignature sr=a&sig=AAAA&se=1".to_owned(), "the field sig is not Base64 of 32 bytes"),
        (
            format!("SharedAccessSignature sr=a&sig={good_sig}&se=-1"),
            "the field se is not a number of seconds",
        ),
        ("x".repeat(5000), "it is longer than 4096 bytes"),
    ] {
        assert_eq!(SasToken::parse(&text), Err(IotError::MalformedToken(why)), "{text}");
    }
}

#[test]
fn debug_output_has_no_signature() {
    let parsed = SasToken::parse(&token("hub.local/devices/d", 1, 2000)).expect("parses");
    assert!(!format!("{parsed:?}").contains("sig"), "{parsed:?}");
}

proptest! {
    #[test]
    fn every_generated_token_verifies(
        device in "[A-Za-z0-9:.+%_#*?!(),=@$'-]{1,40}", expiry in 1001_i64..4_000_000_000, secret: [u8; 32]
    ) {
        let key = SymmetricKey::from_bytes(&secret).expect("is a key");
        let who = identity(&device);
        let token = SasToken::parse(&SasToken::generate(&who.resource("h:1"), &key, at(expiry), None))?;
        let hosts = HostNames::new(["h"]);
        let verified = token.verify(&hosts, &Scope::Identity(&who), (&key, None), at(1000));
        prop_assert_eq!(verified, Ok(SignedWith::Primary));
        prop_assert_eq!(token.expiry(), at(expiry));
    }
}
