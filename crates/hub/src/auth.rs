//! Who may connect: the names of a CONNECT, the token, the identity.

use crate::identities::{DeviceIdentity, Identities};
use crate::reason::{End, EndReason};
use gemba_iothub::{DeviceTopic, HostNames, Identity, Login, SasToken, Scope, Topics};
use gemba_model::DateTime;
use gemba_net::mqtt::{Connect, Protocol, QoS};
use std::sync::Arc;

/// A connection that may go on.
#[derive(Debug, Clone)]
pub struct Admitted {
    /// What the client says about itself; the identity is proven.
    pub login: Login,
    /// When the token ends, and the connection with it.
    pub expires: DateTime,
}

/// Decides about connections.
#[derive(Debug, Clone)]
pub struct Authenticator {
    identities: Identities,
    hosts: Arc<HostNames>,
}

impl Authenticator {
    /// Decides by these identities; `hosts` are the names that this hub answers to.
    pub fn new(identities: Identities, hosts: HostNames) -> Self {
        Self { identities, hosts: Arc::new(hosts) }
    }

    /// Admits a CONNECT or says why not. Blocks on the store for a moment.
    ///
    /// # Errors
    /// The reason; its `return_code` is what CONNACK says.
    pub fn admit(&self, connect: &Connect, now: DateTime) -> Result<Admitted, End> {
        if connect.protocol != Protocol::default() {
            return Err(EndReason::OtherVersion.into());
        }
        let user_name = connect.username.as_deref().unwrap_or_default();
        let login = Login::parse(&connect.client_id, user_name)?;
        if !self.hosts.matches(&login.host) {
            let detail = format!("the user name says '{}', this hub is {}", login.host, self.hosts);
            return Err(End::new(EndReason::ForeignHost, detail));
        }
        let token = token(connect)?;
        let identity = self.enabled(&login.identity)?;
        let keys = (&identity.primary_key, Some(&identity.secondary_key));
        token.verify(&self.hosts, &Scope::Identity(&login.identity), keys, now)?;
        check_will(connect, &login.identity)?;
        Ok(Admitted { login, expires: token.expiry() })
    }

    pub(crate) const fn connections(&self) -> &crate::connections::Connections {
        self.identities.connections()
    }

    /// The identity, when it may connect; a module's device must be there and enabled too.
    fn enabled(&self, wanted: &Identity) -> Result<DeviceIdentity, End> {
        if wanted.module.is_some() {
            self.enabled(&Identity::device(wanted.device.clone()))?;
        }
        match self.identities.find(wanted) {
            Ok(Some(found)) if found.enabled => Ok(found),
            Ok(Some(_)) => Err(End::new(EndReason::DisabledIdentity, wanted.to_string())),
            Ok(None) => Err(End::new(EndReason::UnknownIdentity, wanted.to_string())),
            Err(error) => Err(End::new(EndReason::StoreUnavailable, error.to_string())),
        }
    }
}

fn token(connect: &Connect) -> Result<SasToken, End> {
    let password = connect.password.as_deref().ok_or_else(|| {
        End::new(EndReason::InvalidToken, "no password: certificates of devices are not accepted yet")
    })?;
    let text = std::str::from_utf8(password)
        .map_err(|_| End::new(EndReason::InvalidToken, "the password is not text"))?;
    Ok(SasToken::parse(text)?)
}

fn check_will(connect: &Connect, identity: &Identity) -> Result<(), End> {
    let Some(will) = &connect.last_will else { return Ok(()) };
    let own = matches!(Topics::of(identity).read(&will.topic), Ok(DeviceTopic::Event { .. }));
    if !own || will.qos == QoS::ExactlyOnce {
        let detail = "a last will must be for the identity's own events topic with QoS 0 or 1";
        return Err(End::new(EndReason::InvalidWill, detail));
    }
    Ok(())
}
