//! Connection strings: `HostName=<host>;DeviceId=<id>;SharedAccessKey=<key>`.

use crate::error::{IotError, shortened};
use crate::host::HostPort;
use crate::identity::Identity;
use crate::key::SymmetricKey;
use crate::limits;
use gemba_model::DeviceId;
use std::fmt;

/// A parsed connection string. Debug output hides the key; [`ConnectionString::to_text`] reveals it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectionString {
    /// The hub; tokens and the MQTT user name carry this text as it stands here.
    pub host_name: String,
    /// Where to connect instead of the hub, when a gateway stands between.
    pub gateway_host_name: Option<String>,
    /// The device; absent in a service's connection string.
    pub device_id: Option<DeviceId>,
    /// The module of the device.
    pub module_id: Option<DeviceId>,
    /// The policy; present in a service's connection string.
    pub shared_access_key_name: Option<String>,
    /// The key; absent with X.509.
    pub shared_access_key: Option<SymmetricKey>,
    /// Whether the device proves itself with a certificate.
    pub x509: bool,
    /// Names of keys that were not understood, in order. They are tolerated, and worth a warning.
    pub unknown_keys: Vec<String>,
}

impl ConnectionString {
    /// The connection string of an identity with a key.
    pub fn of(host_name: impl Into<String>, identity: Identity, key: SymmetricKey) -> Self {
        Self {
            host_name: host_name.into(),
            gateway_host_name: None,
            device_id: Some(identity.device),
            module_id: identity.module,
            shared_access_key_name: None,
            shared_access_key: Some(key),
            x509: false,
            unknown_keys: Vec::new(),
        }
    }

    /// Reads a connection string. Keys are compared without regard to case; the order is free.
    ///
    /// # Errors
    /// [`IotError::InvalidConnectionString`] or [`IotError::InvalidKey`].
    pub fn parse(text: &str) -> Result<Self, IotError> {
        let invalid = |why: String| IotError::InvalidConnectionString(why);
        if text.len() > limits::CONNECTION_STRING_BYTES_MAX {
            return Err(invalid("it is longer than 4096 bytes".into()));
        }
        let mut fields = Fields::default();
        for part in text.trim().split(';').filter(|part| !part.trim().is_empty()) {
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| invalid(format!("'{}' has no value", shortened(part.trim(), 40))))?;
            fields.put(name.trim(), value.trim())?;
        }
        fields.finish()
    }

    /// The device or module that connects with this string.
    ///
    /// # Errors
    /// [`IotError::InvalidConnectionString`] for a service's string.
    pub fn identity(&self) -> Result<Identity, IotError> {
        let device = self.device_id.clone().ok_or_else(|| {
            IotError::InvalidConnectionString("it has no DeviceId, so it is a service's string".into())
        })?;
        Ok(Identity { device, module: self.module_id.clone() })
    }

    /// Where to connect: the gateway when there is one, else the hub; `default_port` when none is given.
    pub fn target(&self, default_port: u16) -> (String, u16) {
        let HostPort { host, port } =
            HostPort::parse(self.gateway_host_name.as_deref().unwrap_or(&self.host_name));
        (host, port.unwrap_or(default_port))
    }

    /// The text with its key, for the person or file it is meant for. Unknown keys are left out.
    pub fn to_text(&self) -> String {
        let mut text = format!("HostName={}", self.host_name);
        let mut put = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                text.push_str(&format!(";{name}={value}"));
            }
        };
        put("DeviceId", self.device_id.as_ref().map(DeviceId::as_str));
        put("ModuleId", self.module_id.as_ref().map(DeviceId::as_str));
        put("SharedAccessKeyName", self.shared_access_key_name.as_deref());
        put("SharedAccessKey", self.shared_access_key.as_ref().map(SymmetricKey::to_base64).as_deref());
        put("x509", self.x509.then_some("true"));
        put("GatewayHostName", self.gateway_host_name.as_deref());
        text
    }
}

/// The text without its key, for logs.
impl fmt::Display for ConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.to_text();
        match &self.shared_access_key {
            Some(key) => f.write_str(&text.replace(&key.to_base64(), "***")),
            None => f.write_str(&text),
        }
    }
}

#[derive(Default)]
struct Fields {
    host_name: Option<String>,
    gateway_host_name: Option<String>,
    device_id: Option<String>,
    module_id: Option<String>,
    key_name: Option<String>,
    key: Option<String>,
    x509: Option<String>,
    unknown: Vec<String>,
}

impl Fields {
    fn put(&mut self, name: &str, value: &str) -> Result<(), IotError> {
        let slot = match name.to_ascii_lowercase().as_str() {
            "hostname" => &mut self.host_name,
            "gatewayhostname" => &mut self.gateway_host_name,
            "deviceid" => &mut self.device_id,
            "moduleid" => &mut self.module_id,
            "sharedaccesskeyname" => &mut self.key_name,
            "sharedaccesskey" => &mut self.key,
            "x509" => &mut self.x509,
            _ => {
                self.unknown.push(shortened(name, 40));
                return Ok(());
            }
        };
        if slot.replace(value.to_owned()).is_some() {
            return Err(IotError::InvalidConnectionString(format!("{name} is given twice")));
        }
        Ok(())
    }

    fn finish(self) -> Result<ConnectionString, IotError> {
        let invalid = IotError::InvalidConnectionString;
        let id = |text: Option<String>| {
            text.map(|text| text.parse::<DeviceId>().map_err(|error| invalid(error.to_string()))).transpose()
        };
        let host_name = self
            .host_name
            .filter(|host| !host.is_empty() && !host.contains(['/', ' ']))
            .ok_or_else(|| invalid("HostName is missing or not a host name".into()))?;
        let x509 = match self.x509.as_deref().map(str::to_ascii_lowercase).as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(invalid("x509 is neither true nor false".into())),
        };
        let string = ConnectionString {
            host_name,
            gateway_host_name: self.gateway_host_name.filter(|host| !host.is_empty()),
            device_id: id(self.device_id)?,
            module_id: id(self.module_id)?,
            shared_access_key_name: self.key_name,
            shared_access_key: self.key.as_deref().map(SymmetricKey::from_base64).transpose()?,
            x509,
            unknown_keys: self.unknown,
        };
        if string.device_id.is_none() && string.shared_access_key_name.is_none() {
            return Err(invalid("it has neither DeviceId nor SharedAccessKeyName".into()));
        }
        if string.module_id.is_some() && string.device_id.is_none() {
            return Err(invalid("it has a ModuleId and no DeviceId".into()));
        }
        if string.shared_access_key.is_none() && !x509 {
            return Err(invalid("it has neither SharedAccessKey nor x509=true".into()));
        }
        Ok(string)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

    fn check(text: &str, expect: &Expect) {
        expect.assert_eq(&match ConnectionString::parse(&text.replace("KEY", KEY)) {
            Ok(string) => format!("{string} -> {:?} unknown {:?}", string.target(8883), string.unknown_keys),
            Err(error) => format!("{} {error}", error.code()),
        });
    }

    #[test]
    fn device_module_gateway_and_service_strings_are_read() {
        check(
            "HostName=h;DeviceId=d;SharedAccessKey=KEY",
            &expect![[r#"HostName=h;DeviceId=d;SharedAccessKey=*** -> ("h", 8883) unknown []"#]],
        );
        check(
            " SharedAccessKey=KEY ; deviceid=d;ModuleId=m;GatewayHostName=gw:18883;HostName=h;",
            &expect![[
                r#"HostName=h;DeviceId=d;ModuleId=m;SharedAccessKey=***;GatewayHostName=gw:18883 -> ("gw", 18883) unknown []"#
            ]],
        );
        check(
            "HostName=h:1;SharedAccessKeyName=service;SharedAccessKey=KEY;ModelId=x",
            &expect![[
                r#"HostName=h:1;SharedAccessKeyName=service;SharedAccessKey=*** -> ("h", 1) unknown ["ModelId"]"#
            ]],
        );
        check(
            "HostName=h;DeviceId=d;x509=True",
            &expect![[r#"HostName=h;DeviceId=d;x509=true -> ("h", 8883) unknown []"#]],
        );
    }

    #[test]
    fn the_text_with_its_key_parses_back() -> Result<(), IotError> {
        let text = format!("HostName=h:2;DeviceId=d;ModuleId=m;SharedAccessKey={KEY}");
        let string = ConnectionString::parse(&text)?;
        assert_eq!(string.to_text(), text);
        assert!(!format!("{string:?}{string}").contains(KEY));
        Ok(())
    }

    #[test]
    fn what_is_missing_is_named() {
        for (text, expect) in [
            (
                "",
                expect![
                    "GMB-IOT-006 the connection string is invalid: HostName is missing or not a host name; expected 'HostName=<host>;DeviceId=<id>;SharedAccessKey=<key>'"
                ],
            ),
            (
                "HostName=h;SharedAccessKey=KEY",
                expect![
                    "GMB-IOT-006 the connection string is invalid: it has neither DeviceId nor SharedAccessKeyName; expected 'HostName=<host>;DeviceId=<id>;SharedAccessKey=<key>'"
                ],
            ),
            (
                "HostName=h;DeviceId=d",
                expect![
                    "GMB-IOT-006 the connection string is invalid: it has neither SharedAccessKey nor x509=true; expected 'HostName=<host>;DeviceId=<id>;SharedAccessKey=<key>'"
                ],
            ),
            (
                "HostName=h;DeviceId=d;SharedAccessKey=secret",
                expect![
                    "GMB-IOT-005 the shared access key is not Base64 of 16 to 64 bytes; copy it again, with every '=' at its end"
                ],
            ),
            (
                "HostName=h;HostName=h;DeviceId=d",
                expect![
                    "GMB-IOT-006 the connection string is invalid: HostName is given twice; expected 'HostName=<host>;DeviceId=<id>;SharedAccessKey=<key>'"
                ],
            ),
            (
                "HostName=h;DeviceId=a/b;SharedAccessKey=KEY",
                expect![
                    "GMB-IOT-006 the connection string is invalid: the device id 'a/b' contains '/'; allowed are ASCII letters, digits and -:.+%_#*?!(),=@$'; expected 'HostName=<host>;DeviceId=<id>;SharedAccessKey=<key>'"
                ],
            ),
            (
                "HostName=h;x",
                expect![
                    "GMB-IOT-006 the connection string is invalid: 'x' has no value; expected 'HostName=<host>;DeviceId=<id>;SharedAccessKey=<key>'"
                ],
            ),
        ] {
            check(text, &expect);
        }
    }
}
