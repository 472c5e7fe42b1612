//! Who holds what, who waits for what, and who is in whose way.

use std::collections::{HashMap, HashSet};

use crate::storage::RowId;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Resource {
    Table(i32),
    /// A row of a table by its place.
    Row(i32, RowId),
    /// A key of one of a table's unique indexes, by its hash.
    Key(i32, usize, u64),
    /// `sp_getapplock`: database and name.
    Application(i32, String),
}

impl Resource {
    /// The table that a row or key lies in.
    fn table_of_row(&self) -> Option<i32> {
        match self {
            Self::Row(table, _) | Self::Key(table, ..) => Some(*table),
            Self::Table(_) | Self::Application(..) => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    Shared,
    Update,
    Exclusive,
}

/// When a lock goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    Transaction,
    Session,
}

#[derive(Debug, Clone, Copy)]
struct Grant {
    session: u16,
    mode: Mode,
    span: Span,
    count: u32,
}

/// What a session waits for.
#[derive(Debug, Clone)]
pub(super) enum Wanted {
    Lock(Resource, Mode),
    /// That a table can be scanned: the sessions that held rows of it when the scan began, each with the number
    /// of its transaction then.
    Scan(i32, Mode, Vec<(u16, u64)>),
}

#[derive(Debug, Default)]
pub(super) struct State {
    granted: HashMap<Resource, Vec<Grant>>,
    /// What each session holds.
    held: HashMap<u16, HashSet<Resource>>,
    /// How many rows and keys of a table each session holds.
    rows: HashMap<i32, HashMap<u16, usize>>,
    /// How many transactions of a session have ended.
    ended: HashMap<u16, u64>,
    pub(super) waiting: HashMap<u16, Wanted>,
}

fn compatible(held: Mode, wanted: Mode) -> bool {
    matches!(
        (held, wanted),
        (Mode::Shared, Mode::Shared | Mode::Update) | (Mode::Update, Mode::Shared)
    )
}

impl State {
    /// Other sessions' grants of a resource that do not go with the mode.
    fn conflicts(&self, session: u16, resource: &Resource, mode: Mode) -> Vec<u16> {
        let grants = self.granted.get(resource).map_or(&[][..], Vec::as_slice);
        grants
            .iter()
            .filter(|grant| grant.session != session && !compatible(grant.mode, mode))
            .map(|grant| grant.session)
            .collect()
    }

    /// Other sessions that hold rows of a table.
    pub(super) fn row_holders(&self, session: u16, table: i32) -> Vec<u16> {
        let holders = self.rows.get(&table).into_iter().flat_map(HashMap::keys);
        holders.copied().filter(|other| *other != session).collect()
    }

    pub(super) fn ended(&self, session: u16) -> u64 {
        self.ended.get(&session).copied().unwrap_or(0)
    }

    pub(super) fn blockers(&self, session: u16, wanted: &Wanted) -> Vec<u16> {
        match wanted {
            Wanted::Lock(resource, mode) => {
                let mut blockers = self.conflicts(session, resource, *mode);
                match resource {
                    Resource::Table(table) => blockers.extend(self.row_holders(session, *table)),
                    Resource::Row(table, _) | Resource::Key(table, ..) => {
                        let table = Resource::Table(*table);
                        blockers.extend(self.conflicts(session, &table, *mode));
                    }
                    Resource::Application(..) => {}
                }
                blockers
            }
            Wanted::Scan(table, mode, since) => {
                let mut blockers = self.conflicts(session, &Resource::Table(*table), *mode);
                let holders = self.row_holders(session, *table);
                blockers.extend(
                    since
                        .iter()
                        .filter(|(other, then)| {
                            holders.contains(other) && self.ended(*other) == *then
                        })
                        .map(|(other, _)| *other),
                );
                blockers
            }
        }
    }

    /// Whether what `session` wants is held by one that waits, directly or not, for `session`.
    pub(super) fn closes_cycle(&self, session: u16, wanted: &Wanted) -> bool {
        let mut pending = self.blockers(session, wanted);
        let mut seen = Vec::new();
        while let Some(blocker) = pending.pop() {
            if blocker == session {
                return true;
            }
            if seen.contains(&blocker) {
                continue;
            }
            seen.push(blocker);
            if let Some(wanted) = self.waiting.get(&blocker) {
                pending.extend(self.blockers(blocker, wanted));
            }
        }
        false
    }

    pub(super) fn grant(&mut self, session: u16, resource: Resource, mode: Mode, span: Span) {
        if self
            .held
            .entry(session)
            .or_default()
            .insert(resource.clone())
            && let Some(table) = resource.table_of_row()
        {
            *self
                .rows
                .entry(table)
                .or_default()
                .entry(session)
                .or_default() += 1;
        }
        let grants = self.granted.entry(resource).or_default();
        match grants
            .iter_mut()
            .find(|grant| grant.session == session && grant.span == span)
        {
            Some(grant) => {
                grant.mode = grant.mode.max(mode);
                grant.count += 1;
            }
            None => grants.push(Grant {
                session,
                mode,
                span,
                count: 1,
            }),
        }
    }

    /// The strongest mode in which a session holds a resource.
    pub(super) fn held(&self, session: u16, resource: &Resource) -> Option<Mode> {
        let grants = self.granted.get(resource)?.iter();
        let own = grants.filter(|grant| grant.session == session);
        own.map(|grant| grant.mode).max()
    }

    /// Gives one grant back; whether there was one. What was asked for twice is held until it is given back twice.
    pub(super) fn give_back(&mut self, session: u16, resource: &Resource, span: Span) -> bool {
        let Some(grant) = self.granted.get_mut(resource).and_then(|grants| {
            grants
                .iter_mut()
                .find(|grant| grant.session == session && grant.span == span)
        }) else {
            return false;
        };
        grant.count -= 1;
        if grant.count == 0 {
            self.take(session, resource, |grant| grant.span == span);
        }
        true
    }

    /// Takes grants of one session on one resource away.
    fn take(&mut self, session: u16, resource: &Resource, gone: impl Fn(&Grant) -> bool) {
        let mut holds = false;
        if let Some(grants) = self.granted.get_mut(resource) {
            grants.retain(|grant| grant.session != session || !gone(grant));
            holds = grants.iter().any(|grant| grant.session == session);
            if grants.is_empty() {
                self.granted.remove(resource);
            }
        }
        if holds {
            return;
        }
        if let Some(held) = self.held.get_mut(&session) {
            held.remove(resource);
        }
        if let Some(table) = resource.table_of_row()
            && let Some(holders) = self.rows.get_mut(&table)
            && let Some(count) = holders.get_mut(&session)
        {
            *count -= 1;
            if *count == 0 {
                holders.remove(&session);
            }
            if holders.is_empty() {
                self.rows.remove(&table);
            }
        }
    }

    /// Takes away what a session holds, or what its transaction does.
    pub(super) fn release(&mut self, session: u16, span: Option<Span>) {
        let held = self.held.remove(&session).unwrap_or_default();
        let mut kept = HashSet::new();
        for resource in held {
            self.take(session, &resource, |grant| {
                span.is_none_or(|span| grant.span == span)
            });
            let holds = self
                .granted
                .get(&resource)
                .is_some_and(|grants| grants.iter().any(|grant| grant.session == session));
            if holds {
                kept.insert(resource);
            }
        }
        if !kept.is_empty() {
            self.held.insert(session, kept);
        }
        *self.ended.entry(session).or_default() += 1;
    }
}
