//! What is on the disk, what a program sees, and what lies between.

use crate::rng::Rng;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// Blocks of this size reach the platter or not, each by itself.
const BLOCK_BYTES: usize = 512;
const VOLUME_BYTES: u64 = 1 << 40;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    Folder,
    File(u64),
}

/// One atomic change of directory entries: what each path is afterwards.
#[derive(Debug, Clone)]
pub(super) struct FolderChange {
    folder: PathBuf,
    entries: Vec<(PathBuf, Option<Entry>)>,
}

impl FolderChange {
    fn create(path: &Path, entry: Entry) -> Self {
        Self { folder: parent(path), entries: vec![(path.to_owned(), Some(entry))] }
    }

    pub(super) fn remove(path: &Path) -> Self {
        Self { folder: parent(path), entries: vec![(path.to_owned(), None)] }
    }

    pub(super) fn rename(from: &Path, to: &Path, entry: Entry) -> Self {
        Self { folder: parent(to), entries: vec![(from.to_owned(), None), (to.to_owned(), Some(entry))] }
    }

    fn apply(&self, entries: &mut BTreeMap<PathBuf, Entry>) {
        for (path, entry) in &self.entries {
            match entry {
                Some(entry) => entries.insert(path.clone(), *entry),
                None => entries.remove(path),
            };
        }
    }
}

fn parent(path: &Path) -> PathBuf {
    path.parent().map(Path::to_path_buf).unwrap_or_default()
}

#[derive(Debug, Clone)]
pub(super) enum FileChange {
    Write { position: u64, bytes: Vec<u8> },
    SetLen(u64),
}

impl FileChange {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::SetLen(length) => content.resize(index(*length), 0),
            Self::Write { position, bytes } => put(content, index(*position), bytes),
        }
    }
}

fn index(position: u64) -> usize {
    usize::try_from(position).expect("files of tests fit in memory")
}

fn put(content: &mut Vec<u8>, start: usize, bytes: &[u8]) {
    let end = start + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    if let Some(target) = content.get_mut(start..end) {
        target.copy_from_slice(bytes);
    }
}

#[derive(Debug, Default)]
struct Node {
    /// What a program reads.
    live: Vec<u8>,
    /// What survives any power cut.
    durable: Vec<u8>,
    /// In order, what a sync would make durable.
    unsynced: Vec<FileChange>,
}

impl Node {
    fn settled(content: Vec<u8>) -> Self {
        Self { live: content.clone(), durable: content, unsynced: Vec::new() }
    }

    /// The durable bytes and any part of the unsynced changes.
    fn torn(&self, rng: &mut Rng) -> Vec<u8> {
        let mut content = self.durable.clone();
        match rng.below(4) {
            0 => {}
            1 => self.unsynced.iter().for_each(|change| change.apply(&mut content)),
            2 => self.apply_prefix(&mut content, rng),
            _ => self.unsynced.iter().for_each(|change| apply_some_blocks(change, &mut content, rng)),
        }
        content
    }

    /// The first changes in full, one of them torn at any byte, the rest not at all.
    fn apply_prefix(&self, content: &mut Vec<u8>, rng: &mut Rng) {
        let whole = index(rng.below(self.unsynced.len() as u64 + 1));
        for change in self.unsynced.iter().take(whole) {
            change.apply(content);
        }
        if let Some(FileChange::Write { position, bytes }) = self.unsynced.get(whole) {
            let kept = index(rng.below(bytes.len() as u64 + 1));
            put(content, index(*position), bytes.get(..kept).unwrap_or(bytes));
        }
    }
}

/// Any subset of the blocks; a lost block inside the new length reads as zeros or, rarely, as garbage.
fn apply_some_blocks(change: &FileChange, content: &mut Vec<u8>, rng: &mut Rng) {
    let FileChange::Write { position, bytes } = change else {
        if rng.one_in(2) {
            change.apply(content);
        }
        return;
    };
    let old_length = content.len();
    let odds = 2 + rng.below(6);
    let mut start = index(*position);
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let (block, after) = rest.split_at(rest.len().min(BLOCK_BYTES - start % BLOCK_BYTES));
        if !rng.one_in(odds) {
            put(content, start, block);
        } else if start >= old_length && rng.one_in(4) {
            put(content, start, &rng.bytes(block.len()));
        } else if rng.one_in(2) && content.len() < start + block.len() {
            content.resize(start + block.len(), 0);
        }
        start += block.len();
        rest = after;
    }
}

/// Failures that wait for their occasion.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) sync: bool,
    pub(super) folder_sync: bool,
    pub(super) set_len: bool,
    pub(super) remove: bool,
    pub(super) read: bool,
    pub(super) write_after: Option<u64>,
    pub(super) power_after_syncs: Option<u64>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) live: BTreeMap<PathBuf, Entry>,
    pub(super) locks: BTreeSet<PathBuf>,
    pub(super) faults: Faults,
    pub(super) volume_bytes: u64,
    pub(super) bytes_of_others: u64,
    pub(super) hide_shortage: bool,
    pub(super) dead: bool,
    pub(super) hold_syncs: bool,
    pub(super) held_syncs: u64,
    pub(super) released_syncs: u64,
    pub(super) syncs: u64,
    pub(super) bytes_read: u64,
    durable: BTreeMap<PathBuf, Entry>,
    unsynced: Vec<FolderChange>,
    nodes: BTreeMap<u64, Node>,
    next_inode: u64,
    rng: Rng,
}

impl State {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            live: BTreeMap::new(),
            locks: BTreeSet::new(),
            faults: Faults::default(),
            volume_bytes: VOLUME_BYTES,
            bytes_of_others: 0,
            hide_shortage: false,
            dead: false,
            hold_syncs: false,
            held_syncs: 0,
            released_syncs: 0,
            syncs: 0,
            bytes_read: 0,
            durable: BTreeMap::new(),
            unsynced: Vec::new(),
            nodes: BTreeMap::new(),
            next_inode: 1,
            rng: Rng::new(seed),
        }
    }

    pub(super) fn alive(&self) -> io::Result<()> {
        if self.dead { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }

    fn folder_exists(&self, folder: &Path) -> bool {
        folder.parent().is_none()
            || folder.as_os_str().is_empty()
            || self.live.get(folder) == Some(&Entry::Folder)
    }

    pub(super) fn open(&mut self, path: &Path, create: bool) -> io::Result<u64> {
        self.alive()?;
        match self.live.get(path) {
            Some(Entry::File(inode)) => Ok(*inode),
            Some(Entry::Folder) => Err(io::Error::from(io::ErrorKind::IsADirectory)),
            None if create && self.folder_exists(&parent(path)) => {
                let inode = self.new_node(Node::default());
                self.change_folder(FolderChange::create(path, Entry::File(inode)));
                Ok(inode)
            }
            None => Err(io::Error::from(io::ErrorKind::NotFound)),
        }
    }

    fn new_node(&mut self, node: Node) -> u64 {
        let inode = self.next_inode;
        self.next_inode += 1;
        self.nodes.insert(inode, node);
        inode
    }

    pub(super) fn change_folder(&mut self, change: FolderChange) {
        change.apply(&mut self.live);
        self.unsynced.push(change);
    }

    pub(super) fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        self.alive()?;
        if !self.folder_exists(folder) {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        Ok(self.live.keys().filter(|path| path.parent() == Some(folder)).cloned().collect())
    }

    pub(super) fn create_folder(&mut self, folder: &Path) -> io::Result<()> {
        self.alive()?;
        let mut ancestors: Vec<&Path> = folder.ancestors().collect();
        ancestors.reverse();
        for ancestor in ancestors {
            if !self.folder_exists(ancestor) {
                self.change_folder(FolderChange::create(ancestor, Entry::Folder));
            }
        }
        Ok(())
    }

    pub(super) fn sync_folder(&mut self, folder: &Path) -> io::Result<()> {
        if !self.folder_exists(folder) {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        let durable = &mut self.durable;
        self.unsynced.retain(|change| {
            let here = change.folder == folder;
            if here {
                change.apply(durable);
            }
            !here
        });
        Ok(())
    }

    pub(super) fn free_bytes(&self) -> u64 {
        let used: u64 = self.live_files().map(|(_, node)| node.live.len() as u64).sum();
        self.volume_bytes.saturating_sub(self.bytes_of_others).saturating_sub(used)
    }

    fn live_files(&self) -> impl Iterator<Item = (&PathBuf, &Node)> {
        self.live.iter().filter_map(|(path, entry)| match entry {
            Entry::File(inode) => self.nodes.get(inode).map(|node| (path, node)),
            Entry::Folder => None,
        })
    }

    pub(super) fn len(&self, inode: u64) -> u64 {
        self.nodes.get(&inode).map_or(0, |node| node.live.len() as u64)
    }

    pub(super) fn read(&self, inode: u64, buffer: &mut [u8], position: u64) -> usize {
        let content = self.nodes.get(&inode).map_or(&[][..], |node| &node.live);
        let Some(rest) = usize::try_from(position).ok().and_then(|start| content.get(start..)) else {
            return 0;
        };
        buffer.iter_mut().zip(rest).map(|(target, byte)| *target = *byte).count()
    }

    pub(super) fn change_file(&mut self, inode: u64, change: FileChange) {
        if let Some(node) = self.nodes.get_mut(&inode) {
            change.apply(&mut node.live);
            node.unsynced.push(change);
        }
    }

    pub(super) fn sync(&mut self, inode: u64) {
        self.syncs += 1;
        if let Some(node) = self.nodes.get_mut(&inode) {
            for change in std::mem::take(&mut node.unsynced) {
                change.apply(&mut node.durable);
            }
        }
    }

    /// What a failed sync does: an unknown part became durable, and nothing will ever save the rest.
    pub(super) fn forget_changes(&mut self, inode: u64) {
        if let Some(node) = self.nodes.get_mut(&inode) {
            node.durable = node.torn(&mut self.rng);
            node.unsynced.clear();
        }
    }

    pub(super) fn crash(&self, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let mut entries = self.durable.clone();
        let (prefix, subset) = (rng.below(self.unsynced.len() as u64 + 1), rng.one_in(2));
        for (i, change) in (0_u64..).zip(&self.unsynced) {
            let survives = if subset { rng.one_in(2) } else { i < prefix };
            if survives {
                change.apply(&mut entries);
            }
        }
        self.restart(entries, seed, |node| node.torn(&mut rng))
    }

    pub(super) fn power_cut(&self) -> Self {
        self.restart(self.durable.clone(), 0, |node| node.durable.clone())
    }

    pub(super) fn snapshot(&self) -> Self {
        self.restart(self.live.clone(), 0, |node| node.live.clone())
    }

    fn restart(
        &self,
        mut entries: BTreeMap<PathBuf, Entry>,
        seed: u64,
        mut content: impl FnMut(&Node) -> Vec<u8>,
    ) -> Self {
        let folders = entries.clone();
        let reachable = |path: &Path| {
            path.ancestors().skip(1).all(|folder| {
                folder.parent().is_none()
                    || folder.as_os_str().is_empty()
                    || folders.get(folder) == Some(&Entry::Folder)
            })
        };
        entries.retain(|path, _| reachable(path));
        let mut next = Self::new(seed);
        next.volume_bytes = self.volume_bytes;
        next.bytes_of_others = self.bytes_of_others;
        next.next_inode = self.next_inode;
        for entry in entries.values() {
            if let Entry::File(inode) = entry
                && let Some(node) = self.nodes.get(inode)
            {
                next.nodes.insert(*inode, Node::settled(content(node)));
            }
        }
        next.live = entries.clone();
        next.durable = entries;
        next
    }

    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.live_files().map(|(path, _)| path.clone()).collect()
    }

    pub(super) fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        match self.live.get(path) {
            Some(Entry::File(inode)) => self.nodes.get(inode).map(|node| node.live.clone()),
            _ => None,
        }
    }

    pub(super) fn install(&mut self, path: &Path, bytes: &[u8]) {
        for folder in path.ancestors().skip(1).filter(|folder| folder.parent().is_some()) {
            self.live.insert(folder.to_owned(), Entry::Folder);
            self.durable.insert(folder.to_owned(), Entry::Folder);
        }
        let inode = self.new_node(Node::settled(bytes.to_vec()));
        self.live.insert(path.to_owned(), Entry::File(inode));
        self.durable.insert(path.to_owned(), Entry::File(inode));
    }

    pub(super) fn uninstall(&mut self, path: &Path) {
        self.live.remove(path);
        self.durable.remove(path);
    }

    pub(super) fn flip(&mut self, path: &Path, position: usize, bits: u8) {
        if let Some(Entry::File(inode)) = self.live.get(path)
            && let Some(node) = self.nodes.get_mut(inode)
        {
            for content in [&mut node.live, &mut node.durable] {
                if let Some(byte) = content.get_mut(position) {
                    *byte ^= bits;
                }
            }
        }
    }
}
