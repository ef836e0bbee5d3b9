//! One group's backup, from its plan to its set.

use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::chosen::Chosen;
use super::done::{Done, Made};
use super::hold::{Released, hold, with_missing};
use super::manifest::{self, Outcome};
use super::plan::{Plan, plan, unread};
use super::progress::Progress;
use super::sealing::Unread;
use super::{Context, apart, stopped};
use crate::backup::feed::Feed;
use crate::backup::source::{Gauge, Noted, ReadReport, SourceError, Weight};
use crate::backup::vault::{Id, Incoming, Lock, Manifest, SealError, Vault, VaultError};
use crate::cli::Backup;
use crate::commands::restore::left::{Another, others};
use crate::engine::chain;
use crate::exit::{Exit, Failure};
use crate::fleet::clean;
use crate::units::{duration, size};

/// So many of what is missing are named.
const NAMED: usize = 5;

/// One group's backup.
pub(super) struct Job<'a> {
    pub(super) context: &'a Context,
    pub(super) arguments: &'a Backup,
    pub(super) chosen: &'a Chosen,
    /// A signal has come.
    pub(super) stop: CancellationToken,
}

/// The vault, with nobody else at this name.
struct Place {
    vault: Vault,
    lock: Lock,
}

impl<'a> Job<'a> {
    pub(super) const fn new(
        context: &'a Context,
        arguments: &'a Backup,
        chosen: &'a Chosen,
        stop: CancellationToken,
    ) -> Self {
        Self {
            context,
            arguments,
            chosen,
            stop,
        }
    }

    fn progress(&self) -> Progress {
        let name = self.context.name_of(&self.chosen.host, &self.chosen.name());
        Progress::new(self.context.output, self.context.clock, name)
    }

    /// Says what would be done.
    pub(super) async fn tell(&self) -> Done {
        let mut progress = self.progress();
        let done = Done::new(self.chosen);
        let work = plan(self.context, self.arguments, self.chosen, &mut progress);
        match Box::pin(work).await {
            Ok(plan) => {
                let words = plan.words(free(&plan.vault));
                self.say_bystanders(&mut progress);
                done.saying(Exit::Done, &format!("would back up {words}"))
            }
            Err(failure) => done.failed(failure),
        }
    }

    /// Does it. Everything is back when this returns, or it is said what is not.
    pub(super) async fn run(&self) -> Done {
        let mut progress = self.progress();
        let begun = self.context.clock.now().moment;
        let mut done = match self.make(&mut progress).await {
            Ok(done) => done,
            Err(failure) => Done::new(self.chosen).failed(failure),
        };
        done.took = self.context.clock.now().moment - begun;
        done
    }

    fn say_bystanders(&self, progress: &mut Progress) {
        let all = &self.chosen.group.bystanders;
        if !all.is_empty() {
            let names: Vec<String> = all.iter().map(|name| clean(name, 200)).collect();
            let names = names.join(", ");
            progress.say(&format!(
                "left alone, though a directory above the data is mounted there: {names}"
            ));
        }
    }

    async fn make(&self, progress: &mut Progress) -> Result<Done, Failure> {
        let work = Box::pin(plan(self.context, self.arguments, self.chosen, progress));
        let plan = self.stop.run_until_cancelled(work).await;
        let plan = plan.unwrap_or_else(|| Err(stopped()))?;
        self.is_not_restored().await?;
        let place = self.place(&plan.vault).await?;
        let free = has_room(&place.vault, &plan)?;
        progress.say(&plan.words(Some(free)));
        self.say_bystanders(progress);
        self.is_not_empty(
            plan.readings
                .first()
                .and_then(|one| one.measured)
                .map(|all| all.entries),
        )?;
        let at = self.context.clock.now().wall;
        let id = place.lock.id(at).map_err(|error| unkept(&error))?;
        let incoming = place.lock.incoming(&id);
        let incoming = incoming.map_err(|error| unkept(&error))?;
        let done = if plan.script().is_some() {
            Box::pin(self.by_script(&plan, incoming, &id, progress)).await
        } else {
            Box::pin(self.by_reading(&plan, incoming, &id, progress)).await
        };
        drop(place);
        done
    }

    /// Opens the vault, takes the lock, and removes what a call that was killed has left there.
    async fn place(&self, path: &Path) -> Result<Place, Failure> {
        let (path, name) = (path.to_owned(), self.chosen.group.name.clone());
        let opened = apart(move || {
            let vault = Vault::make(&path)?;
            let lock = vault.lock(&name)?;
            let swept = lock.sweep()?;
            Ok::<_, VaultError>((Place { vault, lock }, swept))
        });
        let (place, swept) = opened.await?.map_err(|error| unkept(&error))?;
        for one in swept {
            let words = format!(
                "removed {}, left by a call that was cut short",
                clean(&one, 500)
            );
            self.context.output.detail(&words);
        }
        Ok(place)
    }

    /// Data that a restore exchanges, or has exchanged in part, are of no moment.
    async fn is_not_restored(&self) -> Result<(), Failure> {
        let all = others(self.context, &self.chosen.identity.id).await?;
        let members = &self.chosen.group.members;
        let is_own = |another: &&Another| {
            let mut members = members.iter();
            members.any(|one| {
                one.name == another.name || another.touched.iter().any(|other| other.id == one.id)
            })
        };
        let Some(another) = all.iter().find(is_own) else {
            return Ok(());
        };
        let name = clean(&another.name, 200);
        Err(if another.is_over {
            let message = format!("cannot back up what a restore of {name} has left half-done");
            Failure::new(Exit::Refused, message).hint("its data have to be in order first")
        } else {
            let message = format!("cannot back up what a restore of {name} exchanges just now");
            Failure::new(Exit::Locked, message).hint("wait until that has ended")
        })
    }

    /// Data that are empty are more often not mounted than meant to be so.
    fn is_not_empty(&self, entries: Option<u64>) -> Result<(), Failure> {
        if self.arguments.allow_empty || entries.is_none_or(|entries| entries > 1) {
            return Ok(());
        }
        let place = self.chosen.group.places.first();
        let place = place.map_or_else(String::new, |one| clean(&one.place, 500));
        let message = format!("refused to back up nothing: {place} is empty");
        Err(Failure::new(Exit::Refused, message)
            .hint("is it mounted? --allow-empty if that is how it should be"))
    }

    async fn by_reading(
        &self,
        plan: &Plan,
        incoming: Incoming,
        id: &Id,
        progress: &mut Progress,
    ) -> Result<Done, Failure> {
        let (context, arguments) = (self.context, self.arguments);
        let begun = context.clock.now().wall;
        let (feeds, sealing) = self.begin_sealing(plan, incoming)?;
        let work = hold(context, arguments, self.chosen, plan, &self.stop, progress);
        let mut held = match Box::pin(work).await {
            Ok(held) => held,
            Err(failure) => {
                drop(feeds);
                sealing.give_up().await;
                return Err(failure);
            }
        };
        let read = {
            let mut work = Box::pin(self.read(plan, feeds, progress));
            tokio::select! {
                biased;
                read = &mut work => read,
                words = held.ended() => {
                    let words = format!("{}: services are up again: {words}", self.chosen.name());
                    context.output.warn(&words);
                    work.await
                }
            }
        };
        // Whatever came of it, and whatever is still to be compressed.
        let released = held.release(context, arguments, &self.stop, progress).await;
        say_back(&released, progress);
        let read = match read {
            Ok(read) => read,
            Err(unread) => {
                let failure = self.give_up_sealing(sealing, unread).await;
                return Err(with_missing(failure, &released.missing));
            }
        };
        let mut tally = Tally::default();
        for report in &read {
            tally.add(report);
        }
        let (consistency, reason) = manifest::consistency(plan, &released.lapsed);
        let outcome = Outcome {
            id: id.clone(),
            begun,
            consistency,
            reason,
            outage: released.outage,
            complete: tally.is_complete(),
        };
        let sealed = self.end_sealing(sealing, tally.bytes, progress).await;
        let (incoming, sealed) =
            sealed.map_err(|failure| with_missing(failure, &released.missing))?;
        let parts = plan.readings.iter().zip(&read).zip(sealed);
        let parts =
            parts.map(|((reading, report), sealed)| manifest::part(reading, report, sealed));
        let parts = parts.collect();
        let manifest = manifest::manifest(self, plan, &outcome, parts).await;
        let manifest = manifest.map_err(|failure| with_missing(failure, &released.missing))?;
        self.publish(plan, incoming, manifest, &released, tally)
            .await
    }

    /// Reads everything, one after the other, while the group stands still.
    async fn read(
        &self,
        plan: &Plan,
        feeds: Vec<Feed>,
        progress: &mut Progress,
    ) -> Result<Vec<ReadReport>, Unread> {
        let mut all = Vec::new();
        for (reading, feed) in plan.readings.iter().zip(feeds) {
            let what = format!("reading {}", clean(&reading.placed.place, 500));
            let gauge = Gauge::new();
            let total = reading.measured.map(|one| one.bytes);
            let work = reading.source.read(&reading.exclude, feed, gauge.clone());
            let work = self.stoppable(&gauge, work);
            let report = progress.during(&what, Some((&gauge, total)), work).await;
            let report = report.map_err(|error| self.unread(&error))?;
            if all.is_empty() {
                self.is_not_empty(Some(report.entries))?;
            }
            all.push(report);
        }
        Ok(all)
    }

    fn unread(&self, error: &SourceError) -> Unread {
        if error.is_untaken() {
            Unread::Untaken
        } else {
            Unread::Failed(self.not_read(error))
        }
    }

    pub(super) fn not_read(&self, error: &SourceError) -> Failure {
        if self.stop.is_cancelled() {
            return stopped();
        }
        full(unread(&self.chosen.name(), error))
    }

    /// Some work with a gauge, which ends as soon as a signal comes.
    pub(super) fn stoppable<'w, T>(
        &'w self,
        gauge: &'w Arc<Gauge>,
        work: impl Future<Output = T> + 'w,
    ) -> impl Future<Output = T> + 'w {
        let mut work = Box::pin(work);
        async move {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = self.stop.cancelled() => gauge.stop(),
            }
            work.await
        }
    }

    /// Gives the set its name, and says what it is worth.
    pub(super) async fn publish(
        &self,
        plan: &Plan,
        incoming: Incoming,
        manifest: Manifest,
        released: &Released,
        told: Tally,
    ) -> Result<Done, Failure> {
        let consistency = manifest.consistency.word();
        let lapsed = !released.lapsed.is_empty();
        let set = apart(move || incoming.publish(&manifest)).await?;
        let set = set.map_err(|error| with_missing(unkept(&error), &released.missing))?;
        let mut done = Done::new(self.chosen);
        done.outage = released.outage;
        done.made = Some(Made {
            id: set.id.to_string(),
            path: plan
                .vault
                .join(&self.chosen.group.name)
                .join(set.id.to_string()),
            consistency,
            bytes: told.bytes,
            entries: told.entries,
            kept: set.bytes(),
            lost: told.lost,
            changed: told.changed,
        });
        if told.lost > 0 {
            let words = format!(
                "incomplete, {} are missing: {}",
                told.lost,
                told.named.join(", ")
            );
            done = done
                .saying(Exit::Incomplete, &words)
                .hinting("manifest.json lists what is missing and why");
        }
        if lapsed {
            let words = format!("not still all the time: {}", released.lapsed.join("; "));
            done = done.saying(Exit::Incomplete, &words);
        }
        if !released.missing.is_empty() {
            let words = format!(
                "the backup is good, but not back: {}",
                released.missing.join("; ")
            );
            done = done
                .saying(Exit::Down, &words)
                .hinting("`ww-ctl show NAME` tells what it is at; `ww-ctl start NAME` starts it");
        }
        Ok(done)
    }
}

/// What there is to be said of what was read.
#[derive(Debug, Default)]
pub(super) struct Tally {
    bytes: u64,
    entries: u64,
    lost: u64,
    changed: u64,
    is_incomplete: bool,
    named: Vec<String>,
}

impl Tally {
    /// Whether nothing is missing.
    pub(super) const fn is_complete(&self) -> bool {
        !self.is_incomplete
    }

    /// One more was read.
    pub(super) fn add(&mut self, report: &ReadReport) {
        self.bytes = self.bytes.saturating_add(report.bytes);
        self.entries = self.entries.saturating_add(report.entries);
        self.lost += report.problems.count(Weight::Lost);
        self.changed += report.problems.count(Weight::Changed);
        self.is_incomplete |= report.problems.is_incomplete();
        let lost = report.problems.listed.iter();
        let lost = lost.filter(|one| Weight::of(one.kind) == Weight::Lost);
        let words = |one: &Noted| format!("{} ({})", one.path, one.text);
        let room = NAMED.saturating_sub(self.named.len());
        self.named.extend(lost.take(room).map(words));
    }
}

/// What is free; enough to hold what is going to be read.
fn has_room(vault: &Vault, plan: &Plan) -> Result<u64, Failure> {
    let free = vault.free().map_err(|error| unkept(&error))?;
    let needs = plan.needs();
    if free.bytes >= needs {
        return Ok(free.bytes);
    }
    let path = clean(&plan.vault.to_string_lossy(), 500);
    let (needs, free) = (size(needs), size(free.bytes));
    let message = format!("{path} has {free} free, and what is read takes {needs} there");
    Err(Failure::new(Exit::Failed, message)
        .hint("nothing was stopped; `ww-ctl backups prune` makes room, --to names another vault"))
}

fn say_back(released: &Released, progress: &mut Progress) {
    if let Some(outage) = released.outage.filter(|_| released.missing.is_empty()) {
        progress.say(&format!("UP again after {}", duration(outage)));
    }
    for one in &released.lapsed {
        progress.warn(&format!("not still all the time: {one}"));
    }
    for one in &released.missing {
        progress.warn(&format!("not back: {one}"));
    }
}

/// What is free where a vault is or will be; none where that cannot be told.
fn free(path: &Path) -> Option<u64> {
    let vault = Vault::open(path).ok()?;
    vault.free().ok().map(|space| space.bytes)
}

/// An error of the vault.
pub(super) fn unkept(error: &VaultError) -> Failure {
    let words = clean(&chain(error), 1000);
    if let VaultError::Locked { .. } = error {
        return Failure::new(Exit::Locked, words).hint("wait until that has ended");
    }
    full(Failure::new(Exit::Failed, words))
}

/// What was read cannot be kept.
pub(super) fn unsealed(error: &SealError) -> Failure {
    let words = clean(&chain(error), 1000);
    full(Failure::new(
        Exit::Failed,
        format!("cannot keep what was read: {words}"),
    ))
}

/// A disk that is full has a way out.
fn full(failure: Failure) -> Failure {
    if failure.message.contains("No space left") {
        return failure.hint(
            "nothing of this set is kept, and all others are as they were; `ww-ctl backups prune` \
             makes room, --to names another vault",
        );
    }
    failure
}
