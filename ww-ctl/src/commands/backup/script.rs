//! A backup by the image's own `backup` script: it writes, with the services up, and what it wrote is kept.

use whaleware::lifecycle::Moment;
use whaleware::protocol::{FromAgent, HookAnswer};

use super::back::is_up;
use super::done::Done;
use super::hold::{Released, journal, write_down};
use super::job::{Job, Tally, unkept};
use super::manifest::{self, Outcome, consistency};
use super::plan::{Plan, Treated};
use super::progress::Progress;
use super::sweep::remove_written;
use crate::agent::{Reach, Session, StepError};
use crate::backup::journal::Entry;
use crate::backup::source::{Gauge, ReadReport, Source};
use crate::backup::vault::{BackingKind, BackingOf, Id, Incoming, Part, PartKind, Sealed};
use crate::exit::{Exit, Failure};
use crate::fleet::clean;
use crate::units::duration;

impl Job<'_> {
    /// Runs the script, reads what it wrote, and has its directory removed.
    pub(super) async fn by_script(
        &self,
        plan: &Plan,
        incoming: Incoming,
        id: &Id,
        progress: &mut Progress,
    ) -> Result<Done, Failure> {
        let Some(one) = plan.script() else {
            return Err(Failure::new(Exit::Failed, "there is no script"));
        };
        let begun = self.context.clock.now();
        let mut entry = write_down(self.context, self.chosen, plan.touched())?;
        let ran = self.run_script(one, begun.moment, progress).await;
        let (mut session, directory) = match ran {
            Ok((session, Some(directory))) => (session, directory),
            Ok((_, None)) => {
                end(entry, progress);
                let words = "nothing to do, says its `backup` script";
                return Ok(Done::new(self.chosen).saying(Exit::Done, words));
            }
            Err(failure) => {
                self.bring_back(entry, progress).await;
                return Err(failure);
            }
        };
        for touched in &mut entry.under_way.touched {
            touched.directory = Some(directory.clone());
        }
        if let Err(error) = entry.rewrite() {
            progress.warn(&crate::engine::chain(&error));
        }
        let read = self.read_script(one, &directory, &incoming, progress).await;
        // Whatever came of it: the directory is of no more use.
        match session.clean(&directory, &self.context.by).await {
            Ok(()) => end(entry, progress),
            Err(error) => progress.warn(&format!("{directory} is still there: {error}")),
        }
        let (raw, report, source) = read?;
        let mut tally = Tally::default();
        tally.add(&report);
        let sealed = self.sealed_tree(incoming, raw, report.bytes, progress);
        let (incoming, sealed) = sealed.await?;
        let (consistency, reason) = consistency(plan, &[]);
        let outcome = Outcome {
            id: id.clone(),
            begun: begun.wall,
            consistency,
            reason,
            outage: None,
            complete: tally.is_complete(),
        };
        let parts = vec![part(&directory, &source, &report, sealed)];
        let manifest = manifest::manifest(self, plan, &outcome, parts).await?;
        let released = Released::default();
        self.publish(plan, incoming, manifest, &released, tally)
            .await
    }

    /// Runs it; the directory it has filled, if it had something to do.
    async fn run_script(
        &self,
        one: &Treated,
        begun: Moment,
        progress: &mut Progress,
    ) -> Result<(Session, Option<String>), Failure> {
        let mut session = self.session(one).await?;
        let answer = self.answer(one, &mut session, progress).await?;
        let directory = self.written(one, &answer, begun, progress)?;
        Ok((session, directory))
    }

    /// A container that was killed meanwhile is started again, and nothing stays of what its script has written.
    async fn bring_back(&self, entry: Entry, progress: &mut Progress) {
        let engine = &self.chosen.engine;
        for touched in &entry.under_way.touched {
            let name = clean(&touched.name, 200);
            let coming = is_up(engine, touched, self.arguments.timeout);
            let coming = self.stop.run_until_cancelled(coming);
            let what = format!("{name} is looked after");
            if let Some(Err(why)) = progress.during(&what, None, coming).await {
                progress.warn(&format!("{name} is not UP: {why}"));
            }
            if self.is_alone() {
                remove_written(self.context, engine, touched).await;
            }
        }
        end(entry, progress);
    }

    /// Whether no other backup is under way from this machine.
    fn is_alone(&self) -> bool {
        let left = journal(self.context)
            .ok()
            .and_then(|journal| journal.left().ok());
        // This one is.
        left.is_some_and(|left| left.under_way <= 1)
    }

    async fn session(&self, one: &Treated) -> Result<Session, Failure> {
        let name = clean(one.one.name(), 200);
        let reach = Reach::new(self.chosen.engine.clone());
        reach.connect(one.one.id()).await.map_err(|error| {
            Failure::new(
                Exit::Failed,
                format!("cannot reach the agent of {name}: {error}"),
            )
        })
    }

    async fn answer(
        &self,
        one: &Treated,
        session: &mut Session,
        progress: &mut Progress,
    ) -> Result<HookAnswer, Failure> {
        let name = clean(one.one.name(), 200);
        let mut told = |_: &FromAgent| {};
        let work = session.hook(std::time::Duration::MAX, &self.context.by, &mut told);
        let work = self.stop.run_until_cancelled(work);
        let answer = progress
            .during("its `backup` script runs", None, work)
            .await;
        let answer = answer.ok_or_else(super::stopped)?;
        answer.map_err(|error| {
            let exit = if matches!(error, StepError::Busy(_)) {
                Exit::Locked
            } else {
                Exit::Failed
            };
            let message = format!("the `backup` script of {name} was not run to its end: {error}");
            Failure::new(exit, message)
                .hint("nothing else is done instead; `ww-ctl logs` has what it said")
        })
    }

    /// The directory it has filled; none where it had nothing to do.
    fn written(
        &self,
        one: &Treated,
        answer: &HookAnswer,
        begun: Moment,
        progress: &mut Progress,
    ) -> Result<Option<String>, Failure> {
        if answer.exit == Some(HookAnswer::NOTHING_TO_DO) {
            return Ok(None);
        }
        let name = clean(one.one.name(), 200);
        let failed = |why: &str| {
            let message = format!("the `backup` script of {name} failed: {why}");
            Err(Failure::new(Exit::Failed, message).hint(format!(
                "nothing else is done instead; `ww-ctl logs {name}` has what it said"
            )))
        };
        match (answer.exit, &answer.directory) {
            (Some(0), Some(directory)) if answer.written => {
                let took = self.context.clock.now().moment - begun;
                progress.say(&format!("its `backup` script took {}", duration(took)));
                Ok(Some(directory.clone()))
            }
            (Some(0), _) => failed("it has written nothing"),
            (Some(code), _) => {
                let detail = answer.detail.as_deref().map(|detail| clean(detail, 500));
                failed(&detail.unwrap_or_else(|| format!("exit {code}")))
            }
            (None, _) => failed("its agent says that there is none"),
        }
    }

    async fn read_script(
        &self,
        one: &Treated,
        directory: &str,
        incoming: &Incoming,
        progress: &mut Progress,
    ) -> Result<(std::fs::File, ReadReport, Source), Failure> {
        let source = Source::within(&self.chosen.engine, one.one.id(), directory);
        let raw = incoming.spool().map_err(|error| unkept(&error))?;
        let into = raw.try_clone().map_err(|error| {
            Failure::new(Exit::Failed, format!("cannot write to the vault: {error}"))
        })?;
        let gauge = Gauge::new();
        let work = self.stoppable(&gauge, source.read(&[], into, gauge.clone()));
        let what = "reading what it wrote";
        let report = progress.during(what, Some((&gauge, None)), work).await;
        let report = report.map_err(|error| self.not_read(&error))?;
        Ok((raw, report, source))
    }
}

fn end(entry: Entry, progress: &mut Progress) {
    if let Err(error) = entry.end() {
        progress.warn(&crate::engine::chain(&error));
    }
}

fn part(directory: &str, source: &Source, report: &ReadReport, sealed: Sealed) -> Part {
    Part {
        kind: PartKind::Hook,
        place: clean(directory, 1024),
        backing: BackingOf {
            kind: BackingKind::Directory,
            source: clean(directory, 1024),
        },
        source: source.name().to_owned(),
        loses: source
            .loses()
            .iter()
            .map(|word| (*word).to_owned())
            .collect(),
        excluded: Vec::new(),
        below: Vec::new(),
        payload: sealed.payload,
        files: sealed.files,
        counts: sealed.counts,
        problems: manifest::problems(report),
    }
}
