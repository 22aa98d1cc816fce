//! Host names with and without a port, and the names that one hub answers to.

use std::fmt;

/// A host and perhaps a port, as they stand in `HostName=`. IPv6 addresses with a port are in brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPort {
    /// The name or address, without brackets.
    pub host: String,
    /// The port, when one is given.
    pub port: Option<u16>,
}

impl HostPort {
    /// Splits a text. What is not a port behind a single colon belongs to the host.
    pub fn parse(text: &str) -> Self {
        if let Some((host, rest)) = text.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
            let port = rest.strip_prefix(':').and_then(|digits| digits.parse().ok());
            return Self { host: host.to_owned(), port };
        }
        match text.split_once(':') {
            Some((host, digits)) if !digits.contains(':') => match digits.parse() {
                Ok(port) => Self { host: host.to_owned(), port: Some(port) },
                Err(_) => Self { host: text.to_owned(), port: None },
            },
            _ => Self { host: text.to_owned(), port: None },
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) if self.host.contains(':') => write!(f, "[{}]:{port}", self.host),
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

/// The names under which a hub is known: compared without regard to ASCII case and to the port.
///
/// Clients keep `:port` in tokens when their connection string had one, and keep the hub's own name when
/// they reach it through a gateway, so both must match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostNames(Vec<String>);

impl HostNames {
    /// Takes the hub's name and its aliases; ports are dropped.
    pub fn new<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Self {
        Self(names.into_iter().map(|name| HostPort::parse(name.as_ref()).host).collect())
    }

    /// Whether a host, with or without a port, is one of the names.
    pub fn matches(&self, host: &str) -> bool {
        let host = HostPort::parse(host).host;
        self.0.iter().any(|name| name.eq_ignore_ascii_case(&host))
    }

    /// The first name, which the hub gives in connection strings.
    pub fn first(&self) -> Option<&str> {
        self.0.first().map(String::as_str)
    }
}

impl fmt::Display for HostNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_without_regard_to_case_and_port() {
        let names = HostNames::new(["Plant.example", "127.0.0.1:8883", "::1"]);
        for host in
            ["plant.EXAMPLE", "plant.example:18883", "127.0.0.1", "127.0.0.1:1", "[::1]:8883", "[::1]", "::1"]
        {
            assert!(names.matches(host), "{host}");
        }
        for host in ["", "plant", "plant.example.org", "plant.example:port", "127.0.0.2"] {
            assert!(!names.matches(host), "{host}");
        }
    }

    #[test]
    fn addresses_with_ports_print_back() {
        for text in ["hub", "hub:8883", "[::1]:8883", "::1", "10.0.0.1:1"] {
            assert_eq!(HostPort::parse(text).to_string(), text);
        }
    }
}
