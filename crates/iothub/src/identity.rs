//! Who speaks: a device, or a module of it.

use crate::error::{IotError, shortened};
use gemba_model::DeviceId;
use std::fmt;

/// A device or a module of a device. Text form: `<device>` or `<device>/<module>`, which is also the MQTT
/// client id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// The device.
    pub device: DeviceId,
    /// The module of that device; `None` is the device itself. Module ids follow the rules of device ids.
    pub module: Option<DeviceId>,
}

impl Identity {
    /// A device itself.
    pub const fn device(device: DeviceId) -> Self {
        Self { device, module: None }
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// [`IotError::InvalidClientId`] when a part is not an id.
    pub fn parse(text: &str) -> Result<Self, IotError> {
        let (device, module) = match text.split_once('/') {
            Some((device, module)) => (device, Some(module)),
            None => (text, None),
        };
        let id = |part: &str| {
            part.parse::<DeviceId>()
                .map_err(|error| IotError::InvalidClientId(shortened(&error.to_string(), 300)))
        };
        Ok(Self { device: id(device)?, module: module.map(id).transpose()? })
    }

    /// The resource that a token of this identity signs, not yet encoded:
    /// `<host>/devices/<device>[/modules/<module>]`.
    pub fn resource(&self, host: &str) -> String {
        match &self.module {
            Some(module) => format!("{host}/devices/{}/modules/{module}", self.device),
            None => format!("{host}/devices/{}", self.device),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.module {
            Some(module) => write!(f, "{}/{module}", self.device),
            None => write!(f, "{}", self.device),
        }
    }
}
