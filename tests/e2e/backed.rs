//! How old the last good backup is, wherever a container is looked at.

use std::path::Path;

use serde_json::Value;

use crate::lab::{Lab, ww_ctl, ww_ctl_path};
use crate::pty::Terminal;

/// What `ls` says of each by name, and the line of the table.
fn listed(lab: &Lab, name: &str) -> (Value, String) {
    let filter = format!("name={}", lab.named("*"));
    let listed = ww_ctl(["ls", "--filter", &filter, "-o", "json"]).expect(0);
    let document: Value = serde_json::from_str(&listed.stdout).expect("JSON");
    let mut all = document["containers"].as_array().expect("a list").iter();
    let found = all.find(|one| one["name"] == name).expect("it is listed");
    let table = ww_ctl(["ls", "--filter", &filter, "-o", "wide"]).expect(0);
    let mut lines = table.stdout.lines();
    let heading = lines.next().expect("a heading");
    let line = lines
        .find(|line| line.starts_with(name))
        .expect("it is in the table");
    // The column is set to the right.
    let end = heading.find("BACKUP").expect("a column") + "BACKUP".len();
    let cells: String = line.chars().take(end).collect();
    let cell = cells.rsplit(' ').next().expect("a cell").to_owned();
    (found["last_backup"].clone(), cell)
}

fn shown(name: &str, words: &str) {
    let shown = ww_ctl(["show", name, "-o", "wide"]).expect(0).stdout;
    assert!(shown.contains(words), "{words}: {shown}");
}

fn spoil(set: &Path) {
    let payload = set.join("data.tar.zst");
    let mut bytes = std::fs::read(&payload).expect("a payload");
    let last = bytes.last_mut().expect("some bytes");
    *last ^= 1;
    std::fs::write(&payload, bytes).expect("a payload");
}

#[test]
fn the_age_of_the_last_good_backup_is_where_one_looks() {
    let lab = Lab::new("backed");
    let tree = lab.tree("app");
    tree.all_scripts();
    let image = lab.image(&tree);
    let vault = lab.directory("vault");
    let at_backup = format!("{}:/backup", vault.display());
    let app = lab.start("app", &image, &["-v", &at_backup], &[]);
    // One that has the same data, one that nobody has backed up, and one that has none to be backed up.
    let with = format!("{}:/data", app.data.display());
    let beside = lab.start_bare("beside", &image, &["-v", &with], &[]);
    let other = lab.start("other", &image, &[], &[]);
    let bare = lab.start_bare("bare", &image, &["-v", &at_backup], &[]);
    for guest in [&app, &beside, &other, &bare] {
        guest.reaches("UP");
    }
    assert_eq!(listed(&lab, &app.name), (Value::Null, "none".into()));
    assert_eq!(listed(&lab, &other.name), (Value::Null, "–".into()));
    assert_eq!(listed(&lab, &bare.name), (Value::Null, "–".into()));

    ww_ctl(["backup", &app.name]).expect(0);
    for guest in [&app, &beside] {
        let (last, cell) = listed(&lab, &guest.name);
        assert_eq!(
            (
                &last["name"],
                &last["vault"],
                &last["consistency"],
                &last["verified"]
            ),
            (
                &app.name.as_str().into(),
                &vault.display().to_string().into(),
                &"svcdown".into(),
                &false.into()
            ),
        );
        assert!(last["age_ms"].as_u64().is_some(), "{last}");
        assert!(cell.ends_with('s') && cell != "none", "{cell}");
    }
    assert_eq!(listed(&lab, &other.name).0, Value::Null);

    let from = vault.to_string_lossy();
    ww_ctl(["backups", "verify", &app.name, "--from", &from]).expect(0);
    let (last, _) = listed(&lab, &app.name);
    assert_eq!(last["verified"], true);
    let id = last["id"].as_str().expect("an id");
    let reference = format!("verified: {}/{id} in {from}", app.name);
    for guest in [&app, &beside] {
        shown(&guest.name, &reference);
    }
    in_the_dashboard(&app.name, &reference);

    spoil(&vault.join(&app.name).join(id));
    ww_ctl(["backups", "verify", &app.name, "--from", &from]).expect(9);
    assert_eq!(listed(&lab, &app.name), (Value::Null, "none".into()));
    let words = format!("none that is good in {from}");
    shown(&app.name, &words);
}

fn in_the_dashboard(name: &str, reference: &str) {
    let shell = format!("{} top {name}", ww_ctl_path().display());
    let mut terminal = Terminal::new(&shell, 45, 200);
    terminal.shows("the column", |screen| screen.contains("BACKUP"));
    let row = |screen: &str| {
        let mut lines = screen.lines();
        lines.any(|line| line.contains(name) && line.contains(" 0m "))
    };
    terminal.shows("how old it is", row);
    terminal.shows("which it is", |screen| screen.contains(reference));
    terminal.keys("q");
}
