//! Which of several media types a client wants.

use axum::http::{HeaderMap, header};

/// The offered type with the highest quality in `Accept`; of equals the first offered. `None` when none is
/// accepted. Without the header the first one is.
pub(super) fn choose<'a>(headers: &HeaderMap, offered: &[&'a str]) -> Option<&'a str> {
    let values: Vec<&str> =
        headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    if values.iter().all(|value| value.trim().is_empty()) {
        return offered.first().copied();
    }
    let ranges: Vec<(&str, f32)> =
        values.iter().flat_map(|value| value.split(',')).filter_map(range).collect();
    let mut best: Option<(&str, f32)> = None;
    for media in offered {
        let quality = quality(media, &ranges);
        if quality > best.map_or(0.0, |(_, quality)| quality) {
            best = Some((media, quality));
        }
    }
    best.map(|(media, _)| media)
}

/// A media range and its quality.
fn range(text: &str) -> Option<(&str, f32)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?;
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    Some((name, quality.map_or(1.0, |text| text.parse().unwrap_or(0.0))))
}

/// The quality of the most specific range that holds a type (RFC 9110, 12.5.1).
fn quality(media: &str, ranges: &[(&str, f32)]) -> f32 {
    let family = media.split('/').next().unwrap_or_default();
    let specificity = |name: &str| {
        if name.eq_ignore_ascii_case(media) {
            Some(2)
        } else if name == "*/*" {
            Some(0)
        } else {
            let (prefix, rest) = name.split_once('/')?;
            (rest == "*" && prefix.eq_ignore_ascii_case(family)).then_some(1)
        }
    };
    ranges
        .iter()
        .filter_map(|(name, quality)| Some((specificity(name)?, *quality)))
        .max_by_key(|(specificity, _)| *specificity)
        .map_or(0.0, |(_, quality)| quality)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn the_best_accepted_type_is_chosen() {
        let offered = ["application/json", "application/x-ndjson", "text/csv"];
        for (accept, chosen) in [
            ("", Some("application/json")),
            ("*/*", Some("application/json")),
            ("text/csv", Some("text/csv")),
            ("Text/*", Some("text/csv")),
            ("application/x-ndjson, application/json;q=0.5", Some("application/x-ndjson")),
            ("application/json;q=0, */*", Some("application/x-ndjson")),
            ("application/vnd.apache.arrow.stream", None),
            ("text/csv;q=0", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(choose(&headers, &offered), chosen, "{accept}");
        }
        assert_eq!(choose(&HeaderMap::new(), &offered), Some("application/json"));
    }
}
