//! The names of an MQTT CONNECT: client id and user name.

use crate::bag::PropertyBag;
use crate::error::IotError;
use crate::identity::Identity;
use crate::limits;

/// Who wants to connect where, as the client says; nothing is proven yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The hub's host as the client calls it, perhaps with a port.
    pub host: String,
    /// Device or module.
    pub identity: Identity,
    /// `api-version`; absent from old clients.
    pub api_version: Option<String>,
    /// `DeviceClientType`: the SDK and its version.
    pub client_type: Option<String>,
    /// `model-id` of plug and play.
    pub model_id: Option<String>,
}

impl Login {
    /// Reads client id and user name. The client id says the identity, and the user name must repeat it: ids
    /// may hold nearly any character, so the user name alone could be read in two ways.
    ///
    /// Accepted are `<host>/<client id>/?<query>`, the older `<host>/<client id>/<query>` and
    /// `<host>/<client id>` alone.
    ///
    /// # Errors
    /// [`IotError::InvalidClientId`] or [`IotError::InvalidUserName`].
    pub fn parse(client_id: &str, user_name: &str) -> Result<Self, IotError> {
        let identity = Identity::parse(client_id)?;
        if user_name.len() > limits::USER_NAME_BYTES_MAX {
            return Err(IotError::InvalidUserName("it is longer than 1024 bytes"));
        }
        let (host, rest) = user_name
            .split_once('/')
            .filter(|(host, _)| !host.is_empty())
            .ok_or(IotError::InvalidUserName("it has no host and device"))?;
        let query = match rest.strip_prefix(client_id) {
            Some("") => "",
            Some(tail) => tail
                .strip_prefix('/')
                // Else another id that begins with the same characters.
                .ok_or(IotError::InvalidUserName("it names another device than the client id"))?,
            None => return Err(IotError::InvalidUserName("it names another device than the client id")),
        };
        if !query.is_empty() && !query.starts_with('?') && !query.starts_with("api-version=") {
            return Err(IotError::InvalidUserName("it names a module that the client id does not name"));
        }
        let query = PropertyBag::parse(query)
            .map_err(|_| IotError::InvalidUserName("its query is not percent-encoded"))?;
        let value = |key| query.value(key).map(str::to_owned);
        Ok(Self {
            host: host.to_owned(),
            api_version: value("api-version"),
            client_type: value("DeviceClientType"),
            model_id: value("model-id"),
            identity,
        })
    }

    /// The user name of a client of ours.
    pub fn user_name(host: &str, identity: &Identity, client_type: &str) -> String {
        let client_type = crate::percent::encode(client_type);
        format!("{host}/{identity}/?api-version=2021-04-12&DeviceClientType={client_type}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(client_id: &str, user_name: &str, expect: &Expect) {
        expect.assert_eq(&match Login::parse(client_id, user_name) {
            Ok(login) => format!(
                "{} at {}, {:?}, {:?}, {:?}",
                login.identity, login.host, login.api_version, login.client_type, login.model_id
            ),
            Err(error) => format!("{} {error}", error.code()),
        });
    }

    #[test]
    fn user_names_of_the_sdks_are_read() {
        check(
            "dev1",
            "hub.local/dev1/?api-version=2019-10-01&DeviceClientType=azure-iot-device%2F2.14.0%20%28Linux%29",
            &expect![[
                r#"dev1 at hub.local, Some("2019-10-01"), Some("azure-iot-device/2.14.0 (Linux)"), None"#
            ]],
        );
        check(
            "dev1/m",
            "h:8883/dev1/m/?api-version=2020-09-30&model-id=dtmi%3Aa%3B1",
            &expect![[r#"dev1/m at h:8883, Some("2020-09-30"), None, Some("dtmi:a;1")"#]],
        );
        check("d", "h/d/api-version=2016-11-14", &expect![[r#"d at h, Some("2016-11-14"), None, None"#]]);
        check("d", "h/d", &expect!["d at h, None, None, None"]);
        check("a%20?b", "h/a%20?b/?api-version=1", &expect![[r#"a%20?b at h, Some("1"), None, None"#]]);
    }

    #[test]
    fn names_that_do_not_fit_each_other_are_refused() {
        let expected = "; expected '<host>/<device>[/<module>]/?api-version=<date>'";
        for (client_id, user_name, why) in [
            ("d", "", "it has no host and device"),
            ("d", "h", "it has no host and device"),
            ("d", "/d/?api-version=1", "it has no host and device"),
            ("d", "h/e/?api-version=1", "it names another device than the client id"),
            ("d", "h/d2/?api-version=1", "it names another device than the client id"),
            ("d", "h/d/m/?api-version=1", "it names a module that the client id does not name"),
            ("d/m", "h/d/?api-version=1", "it names another device than the client id"),
            ("d", "h/d/?api-version=%2", "its query is not percent-encoded"),
        ] {
            let text = Login::parse(client_id, user_name).map_err(|error| error.to_string());
            assert_eq!(text, Err(format!("the MQTT user name is invalid: {why}{expected}")), "{user_name}");
        }
        assert!(matches!(Login::parse("", "h/d"), Err(IotError::InvalidClientId(_))));
        assert!(matches!(Login::parse("d/m/x", "h/d/m/x"), Err(IotError::InvalidClientId(_))));
    }

    #[test]
    fn our_own_user_name_is_read() -> Result<(), IotError> {
        let identity = Identity::parse("edge-1")?;
        let login = Login::parse("edge-1", &Login::user_name("hub", &identity, "gemba/0.1 (edge)"))?;
        assert_eq!((login.identity, login.client_type.as_deref()), (identity, Some("gemba/0.1 (edge)")));
        Ok(())
    }
}
