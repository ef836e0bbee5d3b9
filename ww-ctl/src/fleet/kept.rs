//! The names that an upgrade gives to containers while it puts one in another's place.

/// What stands between the name and the role.
const MARK: &str = ".ww-";

/// The name a container had, or will have, that bears a name of an upgrade now; none where it bears
/// an ordinary one. `shop.ww-old` is the one before, `shop.ww-new` the one to come, `shop.ww-undo` one that
/// is taken back, `shop.ww-kept` one that was kept on purpose; the first and the last may have the word
/// for a restart policy behind them: `shop.ww-old-always`. None of them is to run.
pub(crate) fn kept_for(name: &str) -> Option<&str> {
    let (base, role) = name.rsplit_once(MARK)?;
    let kind = role.split('-').next().unwrap_or(role);
    let known = matches!(role, "new" | "undo") || matches!(kind, "old" | "kept");
    (known && !base.is_empty()).then_some(base)
}

/// The name for a role: `shop.ww-old`.
pub(crate) fn kept_name(base: &str, role: &str) -> String {
    format!("{base}{MARK}{role}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_names_of_an_upgrade_are_taken_for_such() {
        for (name, base) in [
            ("shop.ww-old", Some("shop")),
            ("shop.ww-new", Some("shop")),
            ("shop.ww-kept", Some("shop")),
            ("shop.ww-undo", Some("shop")),
            ("shop.ww-old-on-failure-3", Some("shop")),
            ("shop.ww-undo-always", None),
            ("a.b.ww-old", Some("a.b")),
            ("shop", None),
            ("shop.ww-", None),
            ("shop.ww-older", None),
            (".ww-old", None),
        ] {
            assert_eq!(kept_for(name), base, "{name}");
        }
        assert_eq!(kept_for(&kept_name("shop", "old")), Some("shop"));
    }
}
