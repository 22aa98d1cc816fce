//! .NET's TimeSpan text: `[d.]hh:mm:ss[.fffffff]`.

use std::time::Duration;

/// The duration, or `None` when the text is anything else or negative.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let (days, clock) = match text.split_once(':')?.0.split_once('.') {
        Some((days, _)) => (days.parse::<u64>().ok()?, text.split_once('.')?.1),
        None => (0, text),
    };
    let mut parts = clock.split(':');
    let hours: u64 = parts.next()?.parse().ok()?;
    let minutes: u64 = parts.next()?.parse().ok()?;
    let seconds: f64 = parts.next()?.parse().ok()?;
    if parts.next().is_some()
        || hours > 23
        || minutes > 59
        || !(0.0..60.0).contains(&seconds)
        || days > 10_000
    {
        return None;
    }
    Some(Duration::from_secs((days * 24 + hours) * 3600 + minutes * 60) + Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotnet_forms_are_read() {
        assert_eq!(parse("00:00:00.1000000"), Some(Duration::from_millis(100)));
        assert_eq!(parse("1.02:03:04"), Some(Duration::from_secs(93_784)));
        assert_eq!(parse("00:01"), None);
        assert_eq!(parse("-00:00:01"), None);
        assert_eq!(parse("00:61:00"), None);
    }
}
