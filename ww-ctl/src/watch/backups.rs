//! How old the last good backup of each container is, looked up in the vaults of this machine.
//!
//! A vault is a directory that may be on a network, and a container may write to it. So it is looked through on threads
//! that can be left behind: what does not answer in time is not known, and is not asked again before it has answered.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use crate::backup::vault::{Search, Sought};
use crate::clock::Clock;
use crate::engine::Engine;
use crate::environment;
use crate::fleet::{Backed, Listed, clean};

/// So many vaults are looked through at a time; so many may hang.
const AT_ONCE: usize = 4;
/// So many answers may wait to be taken.
const ANSWERS: usize = 64;
/// How long what was found so far may take to be told, once time is up.
const LAST: Duration = Duration::from_millis(250);
/// How long an Engine may take to say who it is.
const IDENTITY: Duration = Duration::from_secs(5);
/// The most characters of a path.
const TEXT: usize = 300;

/// What was found of containers, by id.
type Told = Vec<(Arc<str>, Backed)>;

/// Looks for backups. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Backups {
    /// Where they are where nothing else is said.
    usual: Option<PathBuf>,
    clock: Clock,
    through: Through,
    hung: Hung,
}

/// Looks through one vault.
type Through = fn(&Search<'_>, &Path) -> Told;

/// The vaults that were given up and have not answered yet, each with the Engine it was looked through for.
type Hung = Arc<Mutex<BTreeSet<(String, PathBuf)>>>;

/// Whose backups are looked for, and where.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    sought: Vec<(Sought, BTreeSet<PathBuf>)>,
}

impl Plan {
    /// Of those that are wanted and have data. Their vaults are what is mounted in them, or in those that have the same
    /// data: what a container can write to says nothing about others.
    pub(crate) fn new(listed: &[Listed], wanted: impl Fn(&Listed) -> bool) -> Self {
        let mut vaults: HashMap<&str, BTreeSet<&str>> = HashMap::new();
        for one in listed {
            for data in &one.keeping.data {
                let vault = one.keeping.vault.as_deref();
                vaults.entry(data).or_default().extend(vault);
            }
        }
        let keeping = listed.iter().filter(|one| !one.keeping.data.is_empty());
        let sought = keeping.filter(|one| wanted(one)).map(|one| {
            let data = one.keeping.data.iter();
            let mounted = data.filter_map(|data| vaults.get(data.as_str())).flatten();
            let sought = Sought {
                id: one.id.clone(),
                name: one.name.clone(),
            };
            (sought, mounted.map(PathBuf::from).collect())
        });
        Self {
            sought: sought.collect(),
        }
    }
}

/// A vault that is to be looked through, and for whom.
type Job = (PathBuf, Vec<Sought>);

/// What all threads of one look share.
struct Look {
    jobs: Vec<Job>,
    next: AtomicUsize,
    given_up: AtomicBool,
    engine: String,
    through: Through,
    now: Timestamp,
    /// Those that are being looked through.
    running: Mutex<BTreeSet<usize>>,
    hung: Hung,
}

impl Backups {
    /// `usual` is the vault where nothing else is said.
    pub(crate) fn new(usual: Option<PathBuf>, clock: Clock) -> Self {
        Self {
            usual,
            clock,
            through: |search, vault| search.through(vault),
            hung: Arc::default(),
        }
    }

    /// What is known of the backups of an Engine's containers after so long a time at most. Of those that are not told
    /// nothing new is known.
    pub(crate) async fn find(&self, engine: &Engine, plan: Plan, limit: Duration) -> Told {
        let is_local = engine.is_local();
        let mounted = |(_, mounted): &(_, BTreeSet<PathBuf>)| is_local && !mounted.is_empty();
        if plan.sought.is_empty() || (self.usual.is_none() && !plan.sought.iter().any(mounted)) {
            return Vec::new();
        }
        let Ok(Ok(identity)) = timeout(IDENTITY, engine.identity()).await else {
            return Vec::new();
        };
        // A socket of this machine may lead to another one, whose directories are not here.
        let is_here = is_local && identity.machine == environment::hostname();
        let jobs = self.jobs(plan, is_here);
        self.look(jobs, identity.id, limit).await
    }

    fn jobs(&self, plan: Plan, is_here: bool) -> Vec<Job> {
        let mut jobs: BTreeMap<PathBuf, Vec<Sought>> = BTreeMap::new();
        for (sought, mut vaults) in plan.sought {
            if !is_here {
                vaults.clear();
            }
            vaults.extend(self.usual.clone());
            for vault in vaults {
                jobs.entry(vault).or_default().push(sought.clone());
            }
        }
        jobs.into_iter().collect()
    }

    async fn look(&self, jobs: Vec<Job>, engine: String, limit: Duration) -> Told {
        let until = Instant::now() + limit;
        let mut waiting: BTreeSet<usize> = (0..jobs.len()).collect();
        let look = Arc::new(Look {
            jobs,
            next: AtomicUsize::new(0),
            given_up: AtomicBool::new(false),
            engine,
            through: self.through,
            now: self.clock.now().wall,
            running: Mutex::default(),
            hung: self.hung.clone(),
        });
        let (told, mut answers) = mpsc::channel(ANSWERS);
        let hang = lock(&self.hung).len();
        for _ in 0..AT_ONCE.saturating_sub(hang).min(look.jobs.len()) {
            let (look, told) = (look.clone(), told.clone());
            tokio::task::spawn_blocking(move || look.work(&told));
        }
        drop(told);
        let mut found: BTreeMap<Arc<str>, Backed> = BTreeMap::new();
        for until in [until, until + LAST] {
            while let Ok(Some((place, told))) = timeout_at(until, answers.recv()).await {
                waiting.remove(&place);
                merge(&mut found, told);
            }
            look.given_up.store(true, Ordering::Relaxed);
        }
        look.leave_behind();
        for (vault, sought) in waiting.into_iter().filter_map(|place| look.jobs.get(place)) {
            let silent = silent(vault);
            merge(
                &mut found,
                sought.iter().map(|one| (one.id.clone(), silent.clone())),
            );
        }
        found.into_iter().collect()
    }
}

impl Look {
    /// Does what is to be done next until there is nothing more. What still hangs from before is not begun again.
    fn work(&self, told: &mpsc::Sender<(usize, Told)>) {
        loop {
            let place = self.next.fetch_add(1, Ordering::Relaxed);
            let Some((vault, sought)) = self.jobs.get(place) else {
                return;
            };
            if self.given_up.load(Ordering::Relaxed) {
                return;
            }
            let key = (self.engine.clone(), vault.clone());
            if lock(&self.hung).contains(&key) {
                continue;
            }
            lock(&self.running).insert(place);
            let search = Search {
                sought,
                engine: &self.engine,
                now: self.now,
                given_up: &self.given_up,
            };
            let found = (self.through)(&search, vault);
            self.answered(place, &key);
            if told.blocking_send((place, found)).is_err() {
                return;
            }
        }
    }
}

impl Look {
    fn answered(&self, place: usize, key: &(String, PathBuf)) {
        let mut hung = lock(&self.hung);
        lock(&self.running).remove(&place);
        hung.remove(key);
    }

    /// What has not answered by now hangs.
    fn leave_behind(&self) {
        let mut hung = lock(&self.hung);
        let running = lock(&self.running);
        let jobs = running.iter().filter_map(|place| self.jobs.get(*place));
        hung.extend(jobs.map(|(vault, _)| (self.engine.clone(), vault.clone())));
    }
}

fn merge(
    found: &mut BTreeMap<Arc<str>, Backed>,
    told: impl IntoIterator<Item = (Arc<str>, Backed)>,
) {
    for (id, backed) in told {
        let backed = match found.remove(&id) {
            Some(known) => known.or(backed),
            None => backed,
        };
        found.insert(id, backed);
    }
}

fn silent(vault: &Path) -> Backed {
    let vault = clean(&vault.to_string_lossy(), TEXT);
    Backed::Unknown {
        reason: Some(format!("{vault} could not be looked through in time")),
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::EngineState;
    use crate::fleet::scene;

    fn listed(id: &str, data: &[&str], vault: Option<&str>) -> Listed {
        let mut listed = scene::listed(id, EngineState::Running);
        listed.keeping.data = data.iter().map(|&path| path.into()).collect();
        listed.keeping.vault = vault.map(Into::into);
        listed
    }

    fn backups(usual: Option<&Path>) -> Backups {
        Backups::new(usual.map(Path::to_owned), Clock::start())
    }

    #[test]
    fn a_vault_is_that_of_a_container_and_of_those_that_have_its_data_and_of_nobody_else() {
        let all = [
            listed("a", &["/srv/a"], Some("/backup/a")),
            listed("b", &["/srv/a", "/srv/b"], None),
            listed("c", &["/srv/c"], Some("/backup/a")),
            listed("d", &["/srv/d"], None),
            // Without data there is nothing to be backed up.
            listed("e", &[], Some("/backup/a")),
        ];
        let told = |backups: &Backups, is_here| {
            let jobs = backups.jobs(Plan::new(&all, |_| true), is_here).into_iter();
            jobs.map(|(vault, sought)| {
                let names: Vec<&str> = sought.iter().map(|one| &*one.id).collect();
                format!("{}: {}", vault.display(), names.join(" "))
            })
            .collect::<Vec<String>>()
        };
        assert_eq!(told(&backups(None), true), ["/backup/a: a b c"]);
        let usual = backups(Some(Path::new("/vault")));
        assert_eq!(told(&usual, true), ["/backup/a: a b c", "/vault: a b c d"]);
        assert_eq!(told(&usual, false), ["/vault: a b c d"]);
    }

    fn jobs(directory: &Path, names: &[&str]) -> Vec<Job> {
        let sought = |name: &str| Sought {
            id: name.into(),
            name: name.into(),
        };
        let job = |name: &&str| (directory.join(name), vec![sought(name)]);
        names.iter().map(job).collect()
    }

    fn words(told: Told) -> Vec<String> {
        let word = |backed| match backed {
            Backed::Never { .. } => "never",
            Backed::Unknown { .. } => "unknown",
            Backed::Last(_) => "last",
        };
        let told = told.into_iter();
        told.map(|(id, backed)| format!("{id} {}", word(backed)))
            .collect()
    }

    /// Hangs in a vault with this name until there is something else beside it.
    fn hanging(search: &Search<'_>, vault: &Path) -> Told {
        while vault.ends_with("hangs") && !vault.with_file_name("answers").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        search.through(vault)
    }

    #[tokio::test]
    async fn one_that_hangs_is_not_known_and_not_asked_again_before_it_has_answered() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        let mut backups = backups(None);
        backups.through = hanging;
        for name in ["a", "hangs"] {
            std::fs::create_dir(directory.join(name)).unwrap();
        }
        let look = |limit| backups.look(jobs(directory, &["a", "hangs"]), "e".into(), limit);
        let short = Duration::from_millis(500);
        assert_eq!(words(look(short).await), ["a never", "hangs unknown"]);
        assert_eq!(lock(&backups.hung).len(), 1);
        // However long one would wait: it is not begun.
        let long = Duration::from_secs(3600);
        assert_eq!(words(look(long).await), ["a never", "hangs unknown"]);
        std::fs::create_dir(directory.join("answers")).unwrap();
        while !lock(&backups.hung).is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(words(look(long).await), ["a never", "hangs never"]);
        // With as many as there may be hanging nothing is begun, and nobody waits.
        let others = (0..AT_ONCE).map(|number| (String::new(), PathBuf::from(number.to_string())));
        lock(&backups.hung).extend(others);
        assert_eq!(words(look(long).await), ["a unknown", "hangs unknown"]);
    }
}
