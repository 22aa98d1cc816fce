//! A host of the test's own: a network namespace with one address, in which packets can be dropped.

use std::process::Command;

/// The namespace; it goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) name: String,
    /// Its address.
    pub(crate) address: String,
}

fn ip(arguments: &[&str]) -> bool {
    Command::new("ip").args(arguments).output().is_ok_and(|output| output.status.success())
}

impl Host {
    /// Makes one; `None` where that is not allowed.
    pub(crate) fn make() -> Option<Self> {
        let id = gemba_base::random::number32();
        let name = format!("gemba{id:08x}");
        let (outside, inside) = (format!("go{id:08x}"), format!("gi{id:08x}"));
        // 10.x.y.0/30 with two addresses; the numbers are random so that runs beside each other do not meet.
        let net = format!("10.{}.{}", 100 + (id & 0x3F), (id >> 8) & 0xFF);
        let (ours, theirs) = (format!("{net}.1/30"), format!("{net}.2/30"));
        let host = Self { name: name.clone(), address: format!("{net}.2") };
        let made = ip(&["netns", "add", &name])
            && ip(&["link", "add", &outside, "type", "veth", "peer", "name", &inside])
            && ip(&["link", "set", &inside, "netns", &name])
            && ip(&["addr", "add", &ours, "dev", &outside])
            && ip(&["link", "set", &outside, "up"])
            && ip(&["-n", &name, "addr", "add", &theirs, "dev", &inside])
            && ip(&["-n", &name, "link", "set", &inside, "up"])
            && ip(&["-n", &name, "link", "set", "lo", "up"])
            && ip(&["netns", "exec", &name, "iptables", "-L", "INPUT"]);
        made.then_some(host)
    }

    /// A command as it runs on the host of this name.
    pub(crate) fn command_on(name: &str, command: &Command) -> Command {
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", name]).arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(key, value),
                None => inside.env_remove(key),
            };
        }
        inside
    }

    /// Changes the rules for packets that come in.
    pub(crate) fn rule(&self, action: &str, rest: &[&str]) {
        let mut arguments = vec!["netns", "exec", &self.name, "iptables", action, "INPUT"];
        arguments.extend(rest);
        assert!(ip(&arguments), "iptables {action} {rest:?}");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        ip(&["netns", "del", &self.name]);
    }
}
