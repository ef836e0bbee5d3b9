//! What is there already: the image, containers whose volumes are wanted, the name.

use whaleware::paths;
use whaleware::spelling::distance;

use super::describe::{DataSource, Described};
use super::shown;
use crate::engine::{Backing, Engine, Known, directory};
use crate::exit::{Exit, Failure};

/// So many names are suggested.
const NEAR: usize = 3;

/// The image, which has an agent.
pub(super) async fn image(engine: &Engine, name: &str) -> Result<Known, Failure> {
    let Some(image) = engine.image(name).await? else {
        let mut near = near(name, &engine.image_names().await?);
        near.truncate(NEAR);
        let there = match near.as_slice() {
            [] => String::new(),
            [..] => format!("did you mean {}? ", near.join(" or ")),
        };
        return Err(Failure::new(
            Exit::Failed,
            format!("there is no image `{}` on that host", shown(name)),
        )
        .hint(format!(
            "{there}ww-ctl pulls nothing: `docker pull` or `ww-ctl image build` first"
        )));
    };
    if !image.labels.contains_key(paths::LABEL_AGENT) {
        return Err(Failure::new(
            Exit::Failed,
            format!(
                "the image `{}` has no agent (it lacks the label {})",
                shown(name),
                paths::LABEL_AGENT
            ),
        )
        .hint(format!(
            "`docker run` is for it as it is; `ww-ctl image build --base {}` puts an agent into it",
            shown(name)
        )));
    }
    Ok(image)
}

/// The names that may have been meant, the nearest first, each in quotes.
fn near(wanted: &str, known: &[String]) -> Vec<String> {
    let base = |name: &str| name.split(':').next().unwrap_or_default().to_owned();
    let mut near: Vec<(usize, &String)> = known
        .iter()
        .map(|name| (distance(name, wanted), name))
        .filter(|(far, name)| {
            *far <= wanted.chars().count().div_ceil(4)
                || base(name) == base(wanted)
                || distance(&base(name), &base(wanted)) <= 1
        })
        .collect();
    near.sort_unstable();
    near.dedup();
    let quoted = near
        .into_iter()
        .map(|(_, name)| format!("`{}`", shown(name)));
    quoted.collect()
}

/// What becomes `/data`, as far as it can be written to, and whether it is there to be used.
pub(super) async fn backings(
    engine: &Engine,
    described: &Described,
) -> Result<Vec<Backing>, Failure> {
    let data = described.data();
    let mut found = match &data {
        Some(DataSource::Directory(path)) => vec![Backing::Directory(directory(path))],
        Some(DataSource::Volume(name)) => vec![Backing::Volume(name.clone())],
        Some(DataSource::Containers(_)) | None => Vec::new(),
    };
    for from in &described.creation.volumes_from {
        let (name, options) = from.split_once(':').unwrap_or((from, ""));
        let Some(container) = engine.present(name).await? else {
            let near = near(name, &engine.container_names().await?);
            let failure = Failure::new(
                Exit::Absent,
                format!(
                    "there is no container `{}` whose volumes could be mounted",
                    shown(name)
                ),
            );
            return Err(match near.first() {
                Some(meant) => failure.hint(format!("did you mean {meant}?")),
                None => failure.hint(
                    "`ww-ctl ls -a` shows what there is; a directory has a slash in it: --data ./DIR",
                ),
            });
        };
        let place = container
            .mounts
            .into_iter()
            .find(|(place, _)| directory(place) == paths::DATA);
        match (place, described.is_data(from)) {
            (None, true) => {
                return Err(Failure::new(
                    Exit::Failed,
                    format!("the container `{}` exports no {}", shown(name), paths::DATA),
                )
                .hint(format!(
                    "`docker inspect {name}` shows its mounts; --volumes-from mounts whatever it has"
                )));
            }
            (Some((_, backing)), _)
                if matches!(data, Some(DataSource::Containers(_))) && options != "ro" =>
            {
                found.push(backing);
            }
            (Some(_) | None, _) => {}
        }
    }
    Ok(found)
}

/// Whether the name is free.
pub(super) async fn free(engine: &Engine, name: &str) -> Result<(), Failure> {
    // An Engine takes the beginning of an id for a name.
    let taken = engine.present(name).await?;
    let Some(taken) = taken.filter(|taken| taken.name == name) else {
        return Ok(());
    };
    let failure = Failure::new(
        Exit::Refused,
        format!("cannot run {name}: there is a container of that name"),
    );
    Err(failure.hint(if taken.fresh {
        format!(
            "it was made and never started: `ww-ctl start {name}` starts it, `docker rm {name}` removes it"
        )
    } else if taken.running {
        format!(
            "it runs: `ww-ctl upgrade {name} --image IMAGE` replaces it by one of another image; or take another name"
        )
    } else {
        format!(
            "it does not run: `ww-ctl start {name}` starts it, `docker rm {name}` removes it; or take another name"
        )
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant_is_the_same_under_another_tag_or_nearly_the_same() {
        let known = ["shop:1", "shop:2", "db:1", "registry:5000/shop:1"].map(str::to_owned);
        assert_eq!(near("shop:3", &known), ["`shop:1`", "`shop:2`"]);
        assert_eq!(near("shpo:1", &known)[0], "`shop:1`");
        assert_eq!(near("unheard-of", &known), [""; 0]);
    }
}
