//! The commands there are, by the tool's own help: a new one is in no list that was forgotten.

/// The words of every command that can be run, such as `ls` or `image build`. `help` gives the help
/// of one.
pub(crate) fn all(help: &dyn Fn(&[&str]) -> String) -> Vec<String> {
    let mut found = Vec::new();
    add(&[], help, &mut found);
    found
}

fn add(above: &[&str], help: &dyn Fn(&[&str]) -> String, found: &mut Vec<String>) {
    let text = help(above);
    let Some((_, list)) = text.split_once("\nCommands:\n") else {
        found.push(above.join(" "));
        return;
    };
    let names = list
        .lines()
        .take_while(|line| !line.is_empty())
        // What is indented further goes on with what the line before says.
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next());
    for name in names {
        add(&[above, &[name]].concat(), help, found);
    }
}
