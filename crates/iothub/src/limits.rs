//! The sizes that the service documents, and those that it leaves open, in bytes.

/// Body plus names and values of all properties of a message from a device.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// A message to a device.
pub const CLOUD_TO_DEVICE_BYTES_MAX: usize = 64 * 1024;

/// The payload of a direct method.
pub const METHOD_PAYLOAD_BYTES_MAX: usize = 128 * 1024;

/// A property bag as it stands in the topic; an MQTT topic cannot be longer.
pub const BAG_BYTES_MAX: usize = 65_535;

/// Properties of one message. The service documents no number; without one, a topic of ampersands would
/// cost a thousand times its size in memory.
pub const PROPERTIES_MAX: usize = 512;

/// A SAS token. Real ones are under 500 bytes.
pub const TOKEN_BYTES_MAX: usize = 4_096;

/// A connection string. Real ones are under 300 bytes.
pub const CONNECTION_STRING_BYTES_MAX: usize = 4_096;

/// An MQTT user name.
pub const USER_NAME_BYTES_MAX: usize = 1_024;
