//! `upgrade`: a container is replaced by one of another image, or everything is put back.

mod job;
mod lock;
mod plan;
mod slot;
mod steps;
mod told;

use std::collections::BTreeSet;
use std::time::Duration;

use whaleware::paths::{DATA, LABEL_AGENT};
use whaleware::spelling::distance;

use self::job::Job;
use self::plan::{Goal, Wish};
use self::slot::{Found, Slot};
use self::steps::recipe;
use super::Context;
use super::act::counted;
use super::live::Live;
use super::outcome::{Outcome, conclude, report};
use crate::audit::Target;
use crate::cli::Upgrade;
use crate::engine::{Dependant, Engine, Inspected, Scope};
use crate::exit::{Exit, Failure};
use crate::fleet::{ContainerKey, Fleet, HostName, clean, stop_words};

/// Labels of those that have a keeper of their own.
const SWARM: &str = "com.docker.swarm.service.name";
/// So many images are named where one is not found.
const NEAR: usize = 3;

/// What is to be done with one place, found out before anything is touched.
struct Survey {
    slot: Slot,
    wish: Wish,
    /// What is said of it beforehand.
    words: Option<String>,
    /// Whether something is to be done at all.
    acts: bool,
    /// Those that would be cut off.
    dependants: Vec<Dependant>,
    /// Whether its data go with it, because nothing is mounted where they are.
    loses_data: bool,
    /// The container that is there.
    key: ContainerKey,
}

pub(super) async fn run(context: &Context, arguments: &Upgrade) -> Result<Exit, Failure> {
    context.may_change("upgrade")?;
    let selection = arguments.names.selection();
    let mut live = context.live(Scope::Agents, &selection).await?;
    let slots = Slot::pick(context, &selection, &live.fleet).await?;
    let running: Vec<ContainerKey> = slots
        .iter()
        .filter_map(|slot| key(slot, &live.fleet))
        .collect();
    live.introduced(&running).await?;
    let mut surveys = Vec::new();
    for slot in slots {
        let name = slot.name.clone();
        let surveyed = survey(context, arguments, slot, &live.fleet).await;
        surveys.push(surveyed.map_err(|failure| about(&name, failure))?);
    }
    find_dependants(context, &mut surveys).await?;
    ask(context, arguments, &mut live, &surveys).await?;
    let acting: Vec<Target> = surveys
        .iter()
        .filter(|one| one.acts)
        .map(Survey::target)
        .collect();
    let entry = (!acting.is_empty()).then(|| context.audit.begin("upgrade", acting));
    let mut outcomes: Vec<Outcome> = Vec::new();
    let mut failed: Option<(Exit, String)> = None;
    for survey in &surveys {
        if let Some((exit, name)) = &failed {
            outcomes.push(untouched(survey, *exit, name, &live.fleet));
            continue;
        }
        let wish = survey.wish.clone();
        let job = Job::new(context, &mut live, arguments, &survey.slot, wish);
        let outcome = job.run().await;
        if outcome.exit != Exit::Done {
            failed = Some((outcome.exit, survey.slot.name.clone()));
        }
        outcomes.push(outcome);
    }
    live.close().await;
    match entry {
        Some(entry) => conclude(context, "upgrade", entry, &outcomes),
        None => report(context, "upgrade", &outcomes),
    }
}

impl Survey {
    fn target(&self) -> Target {
        Target {
            id: Some(self.key.id.to_string()),
            ..Target::named(&self.key.host, &self.slot.name)
        }
    }
}

fn key(slot: &Slot, fleet: &Fleet) -> Option<ContainerKey> {
    let mut all = fleet.containers();
    all.find(|one| one.name == slot.name && one.key.host == slot.host)
        .map(|one| one.key.clone())
}

fn about(name: &str, failure: Failure) -> Failure {
    Failure {
        message: format!("cannot upgrade {name}: {}", failure.message),
        ..failure
    }
}

fn untouched(survey: &Survey, exit: Exit, failed: &str, fleet: &Fleet) -> Outcome {
    let reason = format!("not touched, because {failed} failed");
    Outcome::new(fleet, survey.key.clone(), exit, reason, Duration::ZERO).named(&survey.slot.name)
}

/// Finds out what is to be done, and whether it can be.
async fn survey(
    context: &Context,
    arguments: &Upgrade,
    slot: Slot,
    fleet: &Fleet,
) -> Result<Survey, Failure> {
    let engine = context.engine(&slot.host).await?;
    let image = match &arguments.image {
        Some(name) => Some(wanted(&engine, name).await?),
        None => None,
    };
    let found = slot.look(&engine).await?;
    let pending = found.after().is_some();
    let kept = found.seen.kept.is_some();
    let goal = match (&image, pending) {
        (Some(_), _) => Goal::Forward,
        (None, false) if kept => Goal::Back,
        (None, _) => Goal::Undo,
    };
    let wish = Wish {
        goal,
        image,
        fresh: None,
        proven: false,
        revived: false,
        keep: arguments.keep,
    };
    let id = found.before().or(found.after()).map(|one| one.id.as_str());
    let key = ContainerKey {
        host: slot.host.clone(),
        id: id.unwrap_or_default().into(),
    };
    let mut survey = Survey {
        slot,
        wish,
        words: None,
        acts: pending || goal == Goal::Back,
        dependants: Vec::new(),
        loses_data: false,
        key,
    };
    if pending {
        survey.words = Some(pending_words(&found));
    } else if goal == Goal::Back {
        survey.words = Some(back_words(&found));
    } else if let (Goal::Forward, Some(main)) = (goal, main(&found)) {
        begin(&mut survey, &engine, arguments, main, fleet).await?;
    }
    Ok(survey)
}

fn main(found: &Found) -> Option<&Inspected> {
    let main = found.seen.main.as_ref()?;
    found.get(&main.id)
}

fn pending_words(found: &Found) -> String {
    let image = |one: Option<&plan::One>| {
        one.and_then(|one| found.get(&one.id))
            .map_or_else(|| "?".to_owned(), Inspected::image)
    };
    format!(
        "an upgrade from {} to {} was interrupted",
        image(found.before()),
        image(found.after())
    )
}

fn back_words(found: &Found) -> String {
    let kept = found.seen.kept.as_ref();
    let kept = kept.and_then(|(one, _)| found.get(&one.id));
    let now = main(found).map_or_else(|| "?".to_owned(), Inspected::image);
    let kept = kept.map_or_else(|| "?".to_owned(), Inspected::image);
    format!("going back from {now} to {kept}, which was kept; the data stay as they are now")
}

/// What has to hold before one is begun.
async fn begin(
    survey: &mut Survey,
    engine: &Engine,
    arguments: &Upgrade,
    main: &Inspected,
    fleet: &Fleet,
) -> Result<(), Failure> {
    let image = arguments.image.as_deref().unwrap_or_default();
    if survey.wish.image.as_deref() == Some(main.image_id()) {
        return Ok(());
    }
    let name = &survey.slot.name;
    let refused = |message: &str, hint: String| {
        Err(Failure::new(Exit::Refused, message.to_owned()).hint(hint))
    };
    if main.goes_at_its_end() {
        return refused(
            "it was made with --rm, so Docker removes it as soon as it is stopped",
            "make it again without --rm".into(),
        );
    }
    if let Some(service) = main.label(SWARM) {
        let service = clean(service, 100);
        return refused(
            "Docker's swarm keeps it",
            format!("`docker service update --image {image} {service}` is what there is for it"),
        );
    }
    if main.is_paused() {
        return refused("it is paused", format!("`docker unpause {name}` first"));
    }
    if !arguments.start {
        if main.is_restarting() {
            return refused(
                "it does not come UP, Docker starts it again and again",
                "add --start to put a new one in its place all the same".into(),
            );
        }
        if !main.is_running() {
            return refused(
                "it does not run, so a new one would have to be started to be proven",
                format!("start it with `ww-ctl start {name}` first, or add --start"),
            );
        }
    }
    // All that could make it impossible is to come out before anything is touched.
    recipe(engine, main, image).await?;
    survey.acts = true;
    survey.loses_data = !main.has_mounted(DATA);
    let stop = fleet.get(&survey.key).and_then(stop_words);
    let down = match stop {
        Some(words) => format!("{words}; it is down from then until the new one is UP"),
        None if main.is_running() => "it is down from its stop until the new one is UP".into(),
        None => "it does not run; the new one will".into(),
    };
    survey.words = Some(format!("{} -> {image}; {down}", main.image()));
    Ok(())
}

/// Who would be cut off, asked of each host once.
async fn find_dependants(context: &Context, surveys: &mut [Survey]) -> Result<(), Failure> {
    let hosts: BTreeSet<HostName> = surveys.iter().map(|one| one.key.host.clone()).collect();
    for host in hosts {
        let mut here: Vec<&mut Survey> = surveys
            .iter_mut()
            .filter(|one| one.acts && one.key.host == host)
            .collect();
        if here.is_empty() {
            continue;
        }
        let ids: Vec<&str> = here.iter().map(|one| &*one.key.id).collect();
        let found = context.engine(&host).await?.dependants(&ids).await?;
        for (survey, dependants) in here.iter_mut().zip(found) {
            survey.dependants = dependants;
        }
    }
    Ok(())
}

/// The id of the image to come.
async fn wanted(engine: &Engine, name: &str) -> Result<String, Failure> {
    let Some(image) = engine.image(name).await? else {
        let all = engine
            .labelled_images(LABEL_AGENT)
            .await
            .unwrap_or_default();
        let near = near(name, &all);
        let hint = match near.as_slice() {
            [] => format!("`docker pull {name}` first"),
            [..] => format!(
                "did you mean {}? or `docker pull {name}` first",
                near.join(" or ")
            ),
        };
        let message = format!("there is no image `{name}` on its host");
        return Err(Failure::new(Exit::Failed, message).hint(hint));
    };
    if !image.labels.contains_key(LABEL_AGENT) {
        let message = format!("`{name}` has no agent: the image lacks the label {LABEL_AGENT}");
        let hint = format!("`ww-ctl image build --base {name} -t TAG` puts the agent on it");
        return Err(Failure::new(Exit::Refused, message).hint(hint));
    }
    Ok(image.id)
}

/// Images whose names are like this one: another tag of the same, or a few letters off.
fn near(name: &str, all: &[String]) -> Vec<String> {
    let repository = |name: &str| {
        let tag = name.rfind(':').filter(|at| !name[*at..].contains('/'));
        name[..tag.unwrap_or(name.len())].to_owned()
    };
    let own = repository(name);
    let mut near: Vec<(usize, &String)> = all
        .iter()
        .map(|known| (distance(known, name), known))
        .filter(|(distance, known)| {
            repository(known) == own || *distance <= name.chars().count().div_ceil(4)
        })
        .collect();
    near.sort_unstable();
    near.truncate(NEAR);
    near.into_iter()
        .map(|(_, known)| format!("`{}`", clean(known, 200)))
        .collect()
}

/// Says what is going to happen, and asks where it takes more than was named.
async fn ask(
    context: &Context,
    arguments: &Upgrade,
    live: &mut Live,
    surveys: &[Survey],
) -> Result<(), Failure> {
    let acting: Vec<&Survey> = surveys.iter().filter(|one| one.acts).collect();
    let explicit = arguments.names.selection().is_explicit();
    let asks = acting.len() > 1
        || !explicit
        || acting
            .iter()
            .any(|one| !one.dependants.is_empty() || one.loses_data || one.wish.goal == Goal::Back);
    if acting.is_empty() {
        return Ok(());
    }
    if !asks || context.can_confirm() {
        for one in &acting {
            if let Some(words) = &one.words {
                context.output.say(&format!("{}: {words}", one.slot.name));
            }
        }
    }
    for one in acting.iter().filter(|one| one.loses_data) {
        context.output.warn(&format!(
            "{} has its {DATA} in itself, in no volume and no directory: the new one begins without \
             what is in there, and it goes with the old one",
            one.slot.name
        ));
    }
    for one in &acting {
        for Dependant { name, what } in &one.dependants {
            let of = &one.slot.name;
            let text =
                format!("{name} has the {what} of {of}, and is cut off until it is made again");
            context.output.warn(&text);
        }
    }
    if !asks {
        return Ok(());
    }
    let names: Vec<&str> = acting.iter().map(|one| one.slot.name.as_str()).collect();
    let question = match &arguments.image {
        Some(image) => format!("upgrade {} (to {image})", counted(&names)),
        None => format!("undo the upgrade of {}", counted(&names)),
    };
    live.during(context.confirm(&question)).await?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_is_not_there_brings_those_to_mind_that_are() {
        let all = ["shop:1", "shop:3", "host:5000/shop:1", "other:2", "shpo:2"];
        let all: Vec<String> = all.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(near("shop:2", &all), ["`shop:1`", "`shop:3`", "`shpo:2`"]);
        assert_eq!(near("host:5000/shop", &all), ["`host:5000/shop:1`"]);
        assert!(near("nothing", &all).is_empty());
    }
}
