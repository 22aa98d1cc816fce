//! The enrolment file that makes an edge out of a program: a connection string and the hub's CA in one text.
//!
//! Lines beginning with `#` are for people. The first other line is the connection string, the rest is PEM.

use crate::connection_string::ConnectionString;
use crate::error::IotError;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// What an enrolment file holds. Debug output hides the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// Where to connect, as whom, with which key.
    pub connection_string: ConnectionString,
    /// The authorities that the hub's certificate comes from, as PEM; `None` when the file has none.
    pub ca_pem: Option<String>,
}

impl Enrolment {
    /// Reads a file; a bare connection string is one without CA.
    ///
    /// # Errors
    /// As [`ConnectionString::parse`], and when a certificate begins and does not end.
    pub fn parse(text: &str) -> Result<Self, IotError> {
        let (head, pem) = match text.find(BEGIN).and_then(|at| text.split_at_checked(at)) {
            Some((head, pem)) => (head, Some(pem)),
            None => (text, None),
        };
        let mut lines = head.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let line =
            lines.next().ok_or_else(|| IotError::InvalidConnectionString("the file holds none".into()))?;
        if lines.next().is_some() {
            let why = "the file holds more than one line before the certificate";
            return Err(IotError::InvalidConnectionString(why.into()));
        }
        if pem.is_some_and(|pem| pem.matches(BEGIN).count() != pem.matches(END).count()) {
            let why = "the certificate behind it is cut off";
            return Err(IotError::InvalidConnectionString(why.into()));
        }
        Ok(Self {
            connection_string: ConnectionString::parse(line)?,
            ca_pem: pem.map(|pem| format!("{}\n", pem.trim_end())),
        })
    }

    /// The file's text, with its key: write it with mode 0600.
    pub fn to_text(&self) -> String {
        format!(
            "# Gemba enrolment: start the edge with --hub @<this file>. Keep it secret.\n{}\n{}",
            self.connection_string.to_text(),
            self.ca_pem.as_deref().unwrap_or_default()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRING: &str = "HostName=h;DeviceId=d;SharedAccessKey=AQEBAQEBAQEBAQEBAQEBAQ==";

    #[test]
    fn a_file_comes_back_and_a_bare_string_is_enough() -> Result<(), IotError> {
        let ca_pem = Some(format!("{BEGIN}\nAAAA\n{END}\n"));
        let enrolment = Enrolment { connection_string: ConnectionString::parse(STRING)?, ca_pem };
        assert_eq!(Enrolment::parse(&enrolment.to_text())?, enrolment);
        assert_eq!(Enrolment::parse(STRING)?.ca_pem, None);
        Ok(())
    }

    #[test]
    fn empty_cut_and_doubled_files_are_refused() {
        for text in [
            String::new(),
            "# nothing\n".into(),
            format!("{STRING}\n{STRING}\n"),
            format!("{STRING}\n{BEGIN}\nAAAA\n"),
        ] {
            assert!(Enrolment::parse(&text).is_err(), "{text}");
        }
    }
}
