//! What stands for the content of an image, so that one that is there already is not built again.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};

use crate::engine::Known;
use crate::image::context::Context;
use crate::image::tree::CarriedFile;

/// The label that holds it. No protection against anybody: it only tells versions apart.
pub(super) const LABEL: &str = "io.whaleware.demo.content";

/// Of a whole context, its files read.
///
/// # Errors
/// When a file cannot be read.
pub(super) async fn of_context(context: Context) -> io::Result<(Context, String)> {
    let hashed = tokio::task::spawn_blocking(move || {
        let Hashing(hasher) = context.write(Hashing(DefaultHasher::new()))?;
        Ok((context, text(&hasher)))
    });
    hashed.await.map_err(io::Error::other)?
}

/// Of a tree on a base, as this version of the program builds it.
pub(super) fn of_tree(base: &str, files: &[CarriedFile]) -> String {
    let mut hasher = DefaultHasher::new();
    (env!("CARGO_PKG_VERSION"), base).hash(&mut hasher);
    for file in files {
        (file.path, file.mode, file.text).hash(&mut hasher);
    }
    text(&hasher)
}

/// Whether an image has this content.
pub(super) fn is(image: &Known, content: &str) -> bool {
    image
        .labels
        .get(LABEL)
        .is_some_and(|known| known == content)
}

fn text(hasher: &DefaultHasher) -> String {
    format!("{:016x}", hasher.finish())
}

struct Hashing(DefaultHasher);

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_the_same_and_every_difference_is_one() {
        let file = |path, mode, text| CarriedFile { path, mode, text };
        let one = of_tree("base", &[file("usr/boot", 0o755, "#!/bin/sh\n")]);
        assert_eq!(
            one,
            of_tree("base", &[file("usr/boot", 0o755, "#!/bin/sh\n")])
        );
        for other in [
            of_tree("another", &[file("usr/boot", 0o755, "#!/bin/sh\n")]),
            of_tree("base", &[file("usr/svcup", 0o755, "#!/bin/sh\n")]),
            of_tree("base", &[file("usr/boot", 0o644, "#!/bin/sh\n")]),
            of_tree("base", &[file("usr/boot", 0o755, "#!/bin/sh\n\n")]),
            of_tree("base", &[]),
        ] {
            assert_ne!(one, other);
        }
    }
}
