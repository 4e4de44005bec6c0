//! Who is trusted, for what, and for which part of a log: keys that were given, those that root metadata names, and those
//! that took the place of one of them; less what was revoked.
//!
//! A log's order is the only clock: a signature of a statement is as old as its entry, one of a head as the head's last
//! entry. Who may say something of keys: the key itself, and enough custodians of the root that is in force at that entry.

use std::collections::BTreeMap;

use super::dsse::Envelope;
use super::key::Public;
use super::key_event::{KeyEvent, Revoked, Rotated};
use super::key_log::Entries;
use super::note::Note;
use super::root::{Role, Signed};

/// What trust rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// A key that was given.
    Key,
    /// A certificate of the root with this fingerprint.
    Chain(String),
    /// Root metadata with this fingerprint, and what its custodians and keys said since.
    Root(String),
}

impl By {
    /// As it is told.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            By::Key => "key".to_owned(),
            By::Chain(fingerprint) => format!("chain:{fingerprint}"),
            By::Root(fingerprint) => format!("root:{fingerprint}"),
        }
    }
}

/// Why a key is trusted no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was revoked.
    Revoked,
    /// Another one took its place.
    Replaced,
}

/// A key, and for which entries it is trusted.
#[derive(Clone, Debug)]
struct Member {
    key: Public,
    from: u64,
    until: u64,
    /// Why it ends, and which entry says so.
    ended: Option<(Ended, u64)>,
}

/// Keys of which some have to sign.
#[derive(Clone, Debug)]
struct Group {
    by: By,
    signs: bool,
    heads: bool,
    threshold: usize,
    /// Where trust in all of them ends, and which entry says so.
    until: u64,
    ended: Option<(Ended, u64)>,
    members: Vec<Member>,
}

/// All who are trusted.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    groups: Vec<Group>,
    /// The roots that are in force, each from an index on.
    roots: Vec<(u64, Signed)>,
    /// Keys that were revoked: since which index, and which entry says so.
    revoked: BTreeMap<String, (u64, u64)>,
}

/// What is to be said of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Judged {
    /// It is one of somebody who is trusted; the entry that ends this trust, where there is one.
    Good {
        /// The key.
        id: String,
        /// What trust rests on.
        by: By,
        /// The entry that ends it.
        end: Option<u64>,
    },
    /// It is not what the key would have made.
    Wrong(String),
    /// Its key was not trusted any more.
    Ended(String, Ended),
    /// Its key was not trusted yet.
    Early(String),
    /// Too few of those signed of whom several have to.
    Few(String),
    /// Nobody who is trusted signed.
    Unknown,
}

impl Trust {
    /// Trust in `keys`, in what `root` says and in the signer of a `chain`, as the entries of a log about keys change it.
    #[must_use]
    pub fn of(
        keys: &[Public],
        root: Option<&Signed>,
        chain: Option<&(Public, String)>,
        entries: &Entries,
    ) -> Trust {
        let mut trust = Trust::default();
        for key in keys {
            trust.add(By::Key, (true, true), 1, 0, u64::MAX, std::slice::from_ref(key));
        }
        if let Some((key, fingerprint)) = chain {
            let by = By::Chain(fingerprint.clone());
            trust.add(by, (true, true), 1, 0, u64::MAX, std::slice::from_ref(key));
        }
        if let Some(root) = root {
            trust.roots = in_force(root, entries);
            trust.add_roots(&root.fingerprint);
        }
        trust.revoke(entries);
        for (index, envelope) in entries {
            if let Some(KeyEvent::Rotated(rotated)) = KeyEvent::of(envelope) {
                trust.rotate(*index, envelope, &rotated);
            }
        }
        trust
    }

    fn add(
        &mut self,
        by: By,
        (signs, heads): (bool, bool),
        threshold: u64,
        from: u64,
        until: u64,
        keys: &[Public],
    ) {
        // The next root, if there is one, begins behind the entry that it is.
        let ended = (until != u64::MAX).then(|| (Ended::Replaced, until.saturating_sub(1)));
        let members = keys.iter().map(|key| Member { key: key.clone(), from, until, ended });
        let members = members.collect();
        let threshold = usize::try_from(threshold).unwrap_or(usize::MAX);
        self.groups.push(Group { by, signs, heads, threshold, until, ended, members });
    }

    fn add_roots(&mut self, fingerprint: &str) {
        let roots = self.roots.clone();
        for (at, (from, signed)) in roots.iter().enumerate() {
            let until = roots.get(at + 1).map_or(u64::MAX, |(next, _)| *next);
            let (root, by) = (&signed.root, By::Root(fingerprint.to_owned()));
            let mut add = |role: &Role, what| {
                self.add(by.clone(), what, role.threshold, *from, until, &root.keys_of(role));
            };
            add(&root.roles.signer, (true, false));
            add(&root.roles.log, (false, true));
        }
    }

    /// Whether the custodians that are in force at an entry signed it.
    fn by_root(&self, index: u64, envelope: &Envelope) -> bool {
        let root = self.roots.iter().rev().find(|(from, _)| *from <= index);
        root.is_some_and(|(_, signed)| signed.root.signed(envelope))
    }

    /// Takes from all keys what was revoked, whenever that was said.
    fn revoke(&mut self, entries: &Entries) {
        let events: Vec<_> =
            entries.iter().filter_map(|(at, it)| Some((*at, it, KeyEvent::of(it)?))).collect();
        // Keys that are known only since another one was replaced by them can be revoked too.
        let mut known: Vec<Public> = self
            .groups
            .iter()
            .flat_map(|group| group.members.iter().map(|member| member.key.clone()))
            .collect();
        for (_, _, event) in &events {
            if let KeyEvent::Rotated(rotated) = event {
                known.extend(Public::parse(&rotated.public));
            }
        }
        let mut since: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for (index, envelope, event) in &events {
            let KeyEvent::Revoked(Revoked { keyid, since: from, .. }) = event else { continue };
            let itself = envelope.signers(&known).contains(keyid);
            if itself || self.by_root(*index, envelope) {
                let from = from.unwrap_or(*index).min(*index);
                let earliest = since.entry(keyid.clone()).or_insert((from, *index));
                if from < earliest.0 {
                    *earliest = (from, *index);
                }
            }
        }
        self.revoked = since;
        let revoked = self.revoked.clone();
        for member in self.groups.iter_mut().flat_map(|group| &mut group.members) {
            member.end(&revoked);
        }
    }

    /// Hands the trust in a key on to the one that took its place.
    fn rotate(&mut self, index: u64, envelope: &Envelope, rotated: &Rotated) {
        let behind = index.saturating_add(1);
        let from = rotated.from.unwrap_or(behind).min(behind);
        let by_root = self.by_root(index, envelope);
        let Some(key) = Public::parse(&rotated.public) else { return };
        let revoked = self.revoked.clone();
        for group in &mut self.groups {
            let mut heirs = Vec::new();
            for old in &mut group.members {
                let itself = || !envelope.signers(std::slice::from_ref(&old.key)).is_empty();
                let trusted = (old.from..old.until).contains(&index);
                if old.key.id() != rotated.old || !trusted || !(by_root || itself()) {
                    continue;
                }
                let mut heir = Member { key: key.clone(), from, until: group.until, ended: group.ended };
                heir.end(&revoked);
                heirs.push(heir);
                (old.until, old.ended) = (from, Some((Ended::Replaced, index)));
            }
            group.members.extend(heirs);
        }
    }

    /// The last root that is in force.
    #[must_use]
    pub fn root(&self) -> Option<&Signed> {
        self.roots.last().map(|(_, signed)| signed)
    }

    /// What is to be said of a statement that is entry `index` of the log.
    #[must_use]
    pub fn of_statement(&self, envelope: &Envelope, index: u64) -> Judged {
        let groups = self.groups.iter().filter(|group| group.signs);
        let signed = |key: &Public| envelope.signed_with(key);
        judge(groups, &signed, &|member| (member.from <= index, index < member.until))
    }

    /// What is to be said of a head.
    #[must_use]
    pub fn of_head(&self, note: &Note) -> Judged {
        let size = note.head.size;
        let groups = self.groups.iter().filter(|group| group.heads);
        let signed = |key: &Public| note.signed_by(std::slice::from_ref(key));
        judge(groups, &signed, &|member| (member.from <= size, size <= member.until))
    }

    /// What is to be said of a signature outside of any log, of which nobody knows how old it is: its key must be trusted
    /// for ever.
    #[must_use]
    pub fn of_file(&self, keyid: &str, signed: &dyn Fn(&Public) -> bool) -> Judged {
        let groups = self.groups.iter().filter(|group| group.signs);
        let signed = |key: &Public| (key.id() == keyid).then(|| signed(key));
        judge(groups, &signed, &|member| (true, member.until == u64::MAX))
    }
}

impl Member {
    /// Ends it where it was revoked, if that is earlier.
    fn end(&mut self, revoked: &BTreeMap<String, (u64, u64)>) {
        if let Some((since, by)) = revoked.get(&self.key.id())
            && *since < self.until
        {
            (self.until, self.ended) = (*since, Some((Ended::Revoked, *by)));
        }
    }
}

/// The roots that follow the given one by entries of a log, each from the index behind its own on.
fn in_force(root: &Signed, entries: &Entries) -> Vec<(u64, Signed)> {
    let mut roots = vec![(0, root.clone())];
    for (index, envelope) in entries {
        let Some((_, last)) = roots.last() else { break };
        let Ok(next) = Signed::of(envelope.clone()) else { continue };
        if last.followed_by(&next).is_ok() {
            roots.push((index.saturating_add(1), next));
        }
    }
    roots
}

/// Whether a key is trusted for ever in one of these groups.
fn lasts(groups: &[&Group], id: &str) -> bool {
    let mut members = groups.iter().flat_map(|group| &group.members);
    members.any(|member| member.until == u64::MAX && member.key.id() == id)
}

/// Judges a signature: `signed` says whether a key made it, none if it is not by this key; `within` whether a key is
/// trusted already, and still.
fn judge<'a>(
    groups: impl Iterator<Item = &'a Group>,
    signed: &dyn Fn(&Public) -> Option<bool>,
    within: &dyn Fn(&Member) -> (bool, bool),
) -> Judged {
    let groups: Vec<&Group> = groups.collect();
    let mut said = Judged::Unknown;
    let mut good = None;
    for group in &groups {
        let mut ids: Vec<String> = Vec::new();
        let mut end = None;
        for member in &group.members {
            let Some(right) = signed(&member.key) else { continue };
            let id = member.key.id();
            if !right {
                return Judged::Wrong(id);
            }
            match within(member) {
                (true, true) if ids.contains(&id) => {}
                (true, true) => {
                    ids.push(id);
                    end = end.or(member.ended.map(|(_, by)| by));
                }
                (false, _) => said.unless_known(Judged::Early(id)),
                (_, false) => {
                    let why = member.ended.map_or(Ended::Replaced, |(why, _)| why);
                    said.unless_known(Judged::Ended(id, why));
                }
            }
        }
        let Some(id) = ids.first().cloned() else { continue };
        if ids.len() >= group.threshold {
            let end = end.filter(|_| !lasts(&groups, &id));
            good = good.or(Some(Judged::Good { id, by: group.by.clone(), end }));
        } else {
            said.unless_known(Judged::Few(id));
        }
    }
    good.unwrap_or(said)
}

impl Judged {
    fn unless_known(&mut self, other: Judged) {
        if *self == Judged::Unknown {
            *self = other;
        }
    }
}
