//! One series, and how it was announced.

use gemba_model::DataSetMetaData;
use std::sync::Arc;

/// Ways to the same node that are remembered; beyond, the second oldest goes.
const ALIASES_MAX: usize = 16;

/// A writer of a server through a device. Its series share it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Way {
    pub(crate) endpoint_url: Box<str>,
    pub(crate) application_uri: Box<str>,
    pub(crate) device: Box<str>,
    pub(crate) writer_group: Box<str>,
    pub(crate) writer: Box<str>,
}

impl Way {
    pub(super) fn of(device: &str, metadata: &DataSetMetaData) -> Self {
        let endpoint_url = match metadata.source.endpoint_url.as_str() {
            "" => format!("device:{device}").into(),
            url => url.into(),
        };
        Self {
            endpoint_url,
            application_uri: metadata.source.application_uri.as_str().into(),
            device: device.into(),
            writer_group: metadata.writer_group_name.as_str().into(),
            writer: metadata.writer_name.as_str().into(),
        }
    }

    fn texts(&self) -> [&str; 5] {
        [&self.endpoint_url, &self.application_uri, &self.device, &self.writer_group, &self.writer]
    }
}

/// One way by which a series was announced.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Alias {
    pub(crate) way: Arc<Way>,
    pub(crate) field: Box<str>,
}

/// One series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeriesEntry {
    pub(crate) id: u64,
    /// The node in `nsu=` form; for publishers that do not tell nodes, `field:<group>/<writer>/<name>`.
    pub(crate) node: Arc<str>,
    pub(crate) attribute: u32,
    pub(crate) unit: Box<str>,
    /// Oldest first; the last is the one in use.
    pub(crate) aliases: Vec<Alias>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kinship {
    /// Same endpoint URL, and nothing says that another server answers there.
    Same,
    /// The server moved to another URL or was given another name, if nobody publishes the old one any more.
    Successor,
    None,
}

impl SeriesEntry {
    pub(super) fn memory(&self) -> usize {
        let aliases: usize = self.aliases.iter().map(|alias| size_of::<Alias>() + alias.field.len()).sum();
        size_of::<Self>() + self.node.len() + size_of::<(Arc<str>, u64)>() + self.unit.len() + aliases
    }

    pub(crate) fn current(&self) -> Option<&Alias> {
        self.aliases.last()
    }

    /// Whether an announcement is of this very series, or could be: see [`super::SeriesDictionary::plan`].
    pub(super) fn kinship(&self, endpoint_url: &str, application_uri: &str) -> Kinship {
        let ways = || self.aliases.iter().map(|alias| &*alias.way);
        let same_uri = |way: &Way| !application_uri.is_empty() && *way.application_uri == *application_uri;
        let at_url = || ways().filter(|way| *way.endpoint_url == *endpoint_url);
        let uri_known = at_url().any(|way| !way.application_uri.is_empty());
        if at_url().next().is_some() {
            if application_uri.is_empty() || !uri_known || at_url().any(same_uri) {
                return Kinship::Same;
            }
            return Kinship::Successor;
        }
        if ways().any(same_uri) { Kinship::Successor } else { Kinship::None }
    }

    pub(super) fn learn(&mut self, alias: Alias, unit: &str) -> bool {
        let mut changed = false;
        if self.aliases.last() != Some(&alias) {
            self.aliases.retain(|known| *known != alias);
            // Nearly all series have one.
            self.aliases.reserve_exact(1);
            self.aliases.push(alias);
            if self.aliases.len() > ALIASES_MAX {
                self.aliases.remove(1);
            }
            changed = true;
        }
        if *self.unit != *unit {
            self.unit = unit.into();
            changed = true;
        }
        changed
    }
}

/// Words of a search, in lower case. Keeps what it needs for the next series.
pub(crate) struct Words {
    words: Vec<String>,
    text: String,
    /// The way that was looked at last, and which words are in it.
    way: Option<(Arc<Way>, Vec<bool>)>,
}

impl Words {
    pub(crate) fn new(search: &str) -> Self {
        let words = search.split_whitespace().map(str::to_lowercase).collect();
        Self { words, text: String::new(), way: None }
    }

    /// Whether each word is somewhere in what is known of a series.
    pub(crate) fn match_series(&mut self, entry: &SeriesEntry) -> bool {
        if self.words.is_empty() {
            return true;
        }
        self.text.clear();
        put_lower(&entry.node, &mut self.text);
        for alias in &entry.aliases {
            self.text.push('\n');
            put_lower(&alias.field, &mut self.text);
        }
        let Self { words, text, way } = self;
        words.iter().enumerate().all(|(index, word)| {
            text.contains(word.as_str())
                || entry.aliases.iter().any(|alias| is_in_way(way, words, &alias.way, index))
        })
    }
}

/// Whether a word is in a way; `known` is of the way that was asked for last.
fn is_in_way(
    known: &mut Option<(Arc<Way>, Vec<bool>)>,
    words: &[String],
    way: &Arc<Way>,
    index: usize,
) -> bool {
    if let Some((last, found)) = known
        && Arc::ptr_eq(last, way)
    {
        return found.get(index).copied().unwrap_or(false);
    }
    let texts = way.texts().map(str::to_lowercase);
    let found: Vec<bool> =
        words.iter().map(|word| texts.iter().any(|text| text.contains(word.as_str()))).collect();
    let answer = found.get(index).copied().unwrap_or(false);
    *known = Some((Arc::clone(way), found));
    answer
}

fn put_lower(text: &str, out: &mut String) {
    if text.is_ascii() {
        let start = out.len();
        out.push_str(text);
        if let Some(added) = out.get_mut(start..) {
            added.make_ascii_lowercase();
        }
    } else {
        out.push_str(&text.to_lowercase());
    }
}
