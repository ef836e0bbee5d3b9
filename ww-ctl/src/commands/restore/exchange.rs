//! The steps of a restore, and of the way back.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::aside::{Content, put_together};
use super::found::{Found, Tree, Users, find};
use super::told::Told;
use super::{Context, apart, of_area, shown, stopped, users};
use crate::backup::journal::{Entry, Exchange, Touched, UnderWay};
use crate::backup::restore::changes::{Changes, changes};
use crate::backup::restore::{Area, AreaError, Record};
use crate::backup::source::Gauge;
use crate::backup::vault::{Set, files};
use crate::cli::Restore;
use crate::commands::backup::progress::Progress;
use crate::engine::{Target, chain};
use crate::exit::{Exit, Failure};
use crate::fleet::clean;

/// One restore.
pub(super) struct Job<'a> {
    pub context: &'a Context,
    pub arguments: &'a Restore,
    pub found: &'a Found,
    pub stop: CancellationToken,
    pub progress: Progress,
}

/// A tree with its successor beside it.
struct Staged {
    area: Area,
    record: Record,
}

impl<'a> Job<'a> {
    pub(super) fn new(
        context: &'a Context,
        arguments: &'a Restore,
        found: &'a Found,
        stop: CancellationToken,
    ) -> Self {
        Self {
            context,
            arguments,
            found,
            stop,
            progress: Progress::new(context.output, context.clock, clean(&found.name, 200)),
        }
    }

    /// Puts the data of a backup where they were.
    pub(super) async fn restore(
        mut self,
        set: Set,
        only: Option<Vec<Vec<u8>>>,
    ) -> Result<Exit, Failure> {
        let reference = set.reference();
        let question = self.question(&reference, only.as_deref());
        if !self.context.can_confirm() && self.arguments.into.is_none() {
            self.context.confirm(&question).await?;
        }
        let trees = self.trees(&set).await?;
        let users = self.found.users(&trees)?;
        let mut all = self.stage(&trees, &reference, only.as_deref()).await?;
        let put = self.fill(&mut all, &set, only).await;
        if let Err(failure) = put {
            return Err(give_up(all, failure).await);
        }
        self.foretell(&trees, &users);
        if self.arguments.into.is_none()
            && let Err(failure) = self.confirm(&question).await
        {
            return Err(give_up(all, failure).await);
        }
        let words = format!("its data are those of {reference}");
        self.exchange(all, &trees, "restore", &reference, words)
            .await
    }

    /// Puts back what was there before the last one.
    pub(super) async fn undo(mut self) -> Result<Exit, Failure> {
        let (all, trees) = self.kept().await?;
        let users = self.found.users(&trees)?;
        let reference = all.first().map(|one| one.record.backup.clone());
        let reference = reference.unwrap_or_default();
        self.foretell(&trees, &users);
        let question = format!(
            "exchange the data of {} with those that the restore of {} has kept",
            clean(&self.found.name, 200),
            clean(&reference, 200)
        );
        self.confirm(&question).await?;
        let (all, begun) = apart(move || {
            let begun = all
                .iter()
                .try_for_each(|one| one.area.begin_undo(&one.record));
            (all, begun)
        })
        .await?;
        if let Err(error) = begun {
            return Err(give_up(all, of_area(error)).await);
        }
        let words = format!("its data are those from before the restore of {reference}");
        self.exchange(all, &trees, "restore --undo", &reference, words)
            .await
    }

    /// What would be changed.
    pub(super) async fn forecast(
        mut self,
        set: Set,
        only: Option<Vec<Vec<u8>>>,
    ) -> Result<Exit, Failure> {
        let trees = self.trees(&set).await?;
        let users = self.found.users(&trees)?;
        let mut all: Vec<Changes> = Vec::new();
        for (part, tree) in trees.iter().enumerate() {
            let (set, path, only) = (set.clone(), tree.path.clone(), only.clone());
            let identity = self.arguments.identity.clone();
            let gauge = Gauge::new();
            let own = gauge.clone();
            let work = move || {
                let root = std::fs::File::open(&path).map_err(|error| {
                    Failure::new(
                        Exit::Failed,
                        format!("cannot open {}: {error}", shown(&path)),
                    )
                })?;
                let mut list = files(&set, part, identity.as_deref())?;
                let root = std::os::fd::AsFd::as_fd(&root);
                changes(&mut list, root, only.as_deref(), &own).map_err(|error| {
                    let words = format!("cannot compare {} with the backup: {error}", shown(&path));
                    Failure::new(Exit::Failed, words)
                })
            };
            all.push(self.watched("comparing", &gauge, None, work).await??);
        }
        let names: Vec<String> = users
            .running
            .iter()
            .map(|one| clean(&one.name, 200))
            .collect();
        let count = |of: fn(&Changes) -> u64| all.iter().map(of).sum::<u64>();
        let words = format!(
            "{} would be added, {} removed, {} changed; {} would stay as they are; to be stopped: {}",
            count(|one| one.added.count),
            count(|one| one.removed.count),
            count(|one| one.changed.count),
            count(|one| one.same),
            if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            },
        );
        let told = Told {
            action: "restore --dry-run",
            host: &self.found.host,
            name: &self.found.name,
            backup: &set.reference(),
            words,
            users: names,
            missing: Vec::new(),
        };
        told.print(self.context, Some(&all))?;
        Ok(Exit::Done)
    }

    fn question(&self, reference: &str, only: Option<&[Vec<u8>]>) -> String {
        let name = clean(&self.found.name, 200);
        match only {
            None => format!("replace the data of {name} by those of {reference}"),
            Some(only) => {
                let paths: Vec<String> = only
                    .iter()
                    .map(|path| clean(&String::from_utf8_lossy(path), 200))
                    .collect();
                format!(
                    "replace {} of {name} by those of {reference}",
                    paths.join(", ")
                )
            }
        }
    }

    /// The directories that the parts of a backup belong to, each once.
    async fn trees(&self, set: &Set) -> Result<Vec<Tree>, Failure> {
        let mut trees: Vec<Tree> = Vec::new();
        for part in &set.manifest.parts {
            let tree = self.found.tree(&part.place).await?;
            if let Some(other) = trees.iter().find(|other| other.path == tree.path) {
                let message = format!(
                    "cannot restore both {} and {}: the same directory is mounted there now",
                    clean(&other.placed.place, 200),
                    clean(&tree.placed.place, 200)
                );
                return Err(Failure::new(Exit::Refused, message));
            }
            trees.push(tree);
        }
        Ok(trees)
    }

    /// Places beside them, with nobody else at them and nothing left in them.
    async fn stage(
        &self,
        trees: &[Tree],
        reference: &str,
        only: Option<&[Vec<u8>]>,
    ) -> Result<Vec<Staged>, Failure> {
        let now = self.context.clock.now().wall;
        let record = Record::new(reference, now, &self.context.by, only.unwrap_or_default());
        let paths: Vec<_> = trees.iter().map(|tree| tree.path.clone()).collect();
        let staged = apart(move || {
            let mut all = Vec::new();
            for path in paths {
                let area = Area::beside(&path)?;
                area.settle(None)?;
                let record = record.clone();
                all.push(Staged { area, record });
            }
            Ok::<_, AreaError>(all)
        });
        staged.await?.map_err(of_area)
    }

    /// What was kept by the last restore.
    async fn kept(&self) -> Result<(Vec<Staged>, Vec<Tree>), Failure> {
        let mut places = self.found.places();
        places.dedup();
        let mut trees = Vec::new();
        for place in &places {
            if let Ok(tree) = self.found.tree(place).await {
                trees.push(tree);
            }
        }
        let (now, by) = (self.context.clock.now().wall, self.context.by.clone());
        let found = apart(move || {
            let mut all = Vec::new();
            for tree in trees {
                let area = Area::beside(&tree.path)?;
                area.settle(None)?;
                match area.kept()? {
                    Some(kept) => all.push((area, kept, tree)),
                    None => area.leave(),
                }
            }
            Ok::<_, AreaError>(all)
        });
        let found = found.await?.map_err(of_area)?;
        let last = found.iter().map(|(_, kept, _)| kept.at).max();
        let of_last = found
            .into_iter()
            .filter(|(_, kept, _)| Some(kept.at) == last);
        let (all, trees): (Vec<_>, Vec<_>) = of_last
            .map(|(area, kept, tree)| {
                let record = kept.undo(now, &by);
                (Staged { area, record }, tree)
            })
            .unzip();
        if all.is_empty() {
            let name = clean(&self.found.name, 200);
            let message = format!("cannot undo a restore of {name}: nothing is kept of one");
            return Err(Failure::new(Exit::Refused, message)
                .hint("only the last restore of a container can be undone"));
        }
        Ok((all, trees))
    }

    /// Puts the successors together, and compares them with what is listed.
    async fn fill(
        &mut self,
        all: &mut Vec<Staged>,
        set: &Set,
        only: Option<Vec<Vec<u8>>>,
    ) -> Result<(), Failure> {
        for part in 0..all.len() {
            let gauge = Gauge::new();
            let bytes = set.manifest.parts.get(part).map(|part| part.counts.bytes);
            let content = Content {
                set: set.clone(),
                part,
                identity: self.arguments.identity.clone(),
                only: only.clone(),
                devices: self.arguments.devices,
            };
            let own = gauge.clone();
            let Staged { area, record } = all.remove(part);
            let work = move || {
                let done = area
                    .begin(&record)
                    .map_err(of_area)
                    .and_then(|root| Ok(put_together(&content, &root, &own)?));
                (Staged { area, record }, done)
            };
            // Once to write it, once to compare it.
            let twice = bytes.map(|bytes| bytes.saturating_mul(2));
            let (staged, done) = self.watched("extracting", &gauge, twice, work).await?;
            all.insert(part, staged);
            for words in done? {
                self.progress.warn(&words);
            }
        }
        Ok(())
    }

    /// Says what is going to happen.
    fn foretell(&mut self, trees: &[Tree], users: &Users) {
        let paths: Vec<String> = trees.iter().map(|tree| shown(&tree.path)).collect();
        let names: Vec<String> = users
            .running
            .iter()
            .map(|one| clean(&one.name, 200))
            .collect();
        let stops = if names.is_empty() {
            "nothing that uses them runs".to_owned()
        } else {
            format!("stopped meanwhile: {}", names.join(", "))
        };
        self.progress.say(&format!(
            "{} will be exchanged, what is there now is kept; {stops}",
            paths.join(", ")
        ));
        for name in &users.bystanders {
            self.progress.warn(&format!(
                "{name} has a directory above the data mounted and goes on meanwhile"
            ));
        }
    }

    async fn confirm(&self, question: &str) -> Result<(), Failure> {
        let asked = self
            .stop
            .run_until_cancelled(self.context.confirm(question));
        asked.await.unwrap_or_else(|| Err(stopped()))
    }

    /// Stops those that use the data, exchanges, and brings the same back.
    async fn exchange(
        &mut self,
        mut all: Vec<Staged>,
        trees: &[Tree],
        action: &'static str,
        reference: &str,
        words: String,
    ) -> Result<Exit, Failure> {
        let audit = self.context.audit.begin(action, vec![self.found.target()]);
        // Somebody may have been started or removed since.
        let users = match find(self.context, &self.found.name).await {
            Ok(found) => found.users(trees),
            Err(failure) => Err(failure),
        };
        let users = match users {
            Ok(users) => users.running,
            Err(failure) => return Err(give_up(all, failure).await),
        };
        let mut entry = match self.write_down(trees, &users) {
            Ok(entry) => entry,
            Err(failure) => return Err(give_up(all, failure).await),
        };
        let target = self.context.target(&self.found.host)?;
        if let Err(failure) = self.swap(&mut all, &mut entry, target, &users, trees).await {
            return Err(self.back(all, entry, target, &users, failure).await);
        }
        let missing = self.start(target, &users).await;
        if let Err(error) = entry.end() {
            self.progress.warn(&chain(&error));
        }
        let tidied = apart(move || all.iter().try_for_each(|one| one.area.tidy())).await?;
        if let Err(error) = tidied {
            self.progress.warn(&chain(&error));
        }
        let names = users.iter().map(|one| clean(&one.name, 200)).collect();
        let exit = if missing.is_empty() {
            Exit::Done
        } else {
            Exit::Down
        };
        audit.end(exit, &words);
        Told {
            action,
            host: &self.found.host,
            name: &self.found.name,
            backup: reference,
            words: words.clone(),
            users: names,
            missing: missing.clone(),
        }
        .print(self.context, None)?;
        if missing.is_empty() {
            return Ok(Exit::Done);
        }
        let name = self.context.name_of(&self.found.host, &self.found.name);
        Err(Failure::new(
            Exit::Down,
            format!("{name}: {words}, and not back: {}", missing.join("; ")),
        )
        .hint(format!(
            "`ww-ctl restore --undo {name}` goes back to what was there before"
        )))
    }

    /// Until this is done all can be taken back.
    async fn swap(
        &mut self,
        all: &mut Vec<Staged>,
        entry: &mut Entry,
        target: &Target,
        users: &[Touched],
        trees: &[Tree],
    ) -> Result<(), Failure> {
        users::stop_all(self.context, target, &self.found.engine, users).await?;
        if self.stop.is_cancelled() {
            return Err(stopped());
        }
        // Whoever was started meanwhile would go on seeing the old ones.
        let again = find(self.context, &self.found.name).await?.users(trees)?;
        if let Some(one) = again.running.first() {
            let name = clean(&one.name, 200);
            let message =
                format!("cannot exchange the data: somebody has started {name} meanwhile");
            return Err(Failure::new(Exit::Refused, message).hint("the same call again"));
        }
        let mut own = std::mem::take(all);
        let (own, done) = apart(move || {
            let done = own
                .iter_mut()
                .try_for_each(|one| one.area.exchange(&mut one.record));
            (own, done)
        })
        .await?;
        *all = own;
        done.map_err(of_area)?;
        if let Some(exchange) = &mut entry.under_way.exchange {
            exchange.done = true;
        }
        if let Err(error) = entry.rewrite() {
            if let Some(exchange) = &mut entry.under_way.exchange {
                exchange.done = false;
            }
            return Err(Failure::new(Exit::Failed, clean(&chain(&error), 1000)));
        }
        let own = std::mem::take(all);
        let (own, kept) = apart(move || {
            let kept = own.iter().try_for_each(|one| one.area.keep());
            (own, kept)
        })
        .await?;
        *all = own;
        if let Err(error) = kept {
            // They are in use all the same; the next call puts that in order.
            self.progress.warn(&chain(&error));
        }
        Ok(())
    }

    /// Takes back what was exchanged, and starts what was stopped.
    async fn back(
        &mut self,
        all: Vec<Staged>,
        entry: Entry,
        target: &Target,
        users: &[Touched],
        failure: Failure,
    ) -> Failure {
        let failure = give_up(all, failure).await;
        let missing = self.start(target, users).await;
        if let Err(error) = entry.end() {
            self.progress.warn(&chain(&error));
        }
        if missing.is_empty() {
            return failure;
        }
        let message = format!("{}; and not back: {}", failure.message, missing.join("; "));
        Failure { message, ..failure }
    }

    async fn start(&mut self, target: &Target, users: &[Touched]) -> Vec<String> {
        let limit = self.arguments.timeout;
        users::start_all(self.context, target, &self.found.engine, users, limit).await
    }

    fn write_down(&self, trees: &[Tree], users: &[Touched]) -> Result<Entry, Failure> {
        let journal = super::left::journal(self.context)?;
        let now = self.context.clock.now().wall;
        let (by, engine) = (&self.context.by, &self.found.identity.id);
        let mut under_way = UnderWay::new(now, by, engine, &self.found.host, &self.found.name);
        under_way.touched = users.to_vec();
        under_way.exchange = Some(Exchange {
            trees: trees.iter().map(|tree| tree.path.clone()).collect(),
            done: false,
        });
        journal.begin(under_way).map_err(|error| {
            let words = clean(&chain(&error), 1000);
            let message = format!("cannot write down what is about to be stopped: {words}");
            Failure::new(Exit::Failed, message)
                .hint("nothing was stopped; WW_AUDIT_FILE names a file in another directory")
        })
    }

    /// Does work that a signal stops, and shows how far it is.
    pub(super) async fn watched<T: Send + 'static>(
        &mut self,
        what: &str,
        gauge: &Arc<Gauge>,
        bytes: Option<u64>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let (stop, own) = (self.stop.clone(), gauge.clone());
        let mut work = Box::pin(apart(work));
        let stoppable = async move {
            tokio::select! {
                done = &mut work => return done,
                () = stop.cancelled() => own.stop(),
            }
            work.await
        };
        self.progress
            .during(what, Some((gauge, bytes)), stoppable)
            .await
    }
}

/// Puts everything back to where it was beside the data.
async fn give_up(mut all: Vec<Staged>, failure: Failure) -> Failure {
    let given_up = apart(move || {
        let mut done = Ok(());
        while let Some(Staged { area, .. }) = all.pop() {
            let own = area.settle(Some(false)).and_then(|_| area.tidy());
            area.leave();
            done = done.and(own);
        }
        done
    });
    match given_up.await {
        Ok(Ok(())) => failure,
        Ok(Err(error)) => {
            let message = format!("{}; and {}", failure.message, chain(&error));
            Failure { message, ..failure }
        }
        Err(other) => Failure {
            message: format!("{}; and {}", failure.message, other.message),
            ..failure
        },
    }
}
