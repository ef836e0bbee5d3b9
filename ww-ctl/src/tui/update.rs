//! What a message does to the dashboard.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::confirm::{Challenge, Confirmation};
use super::filter::Filter;
use super::keymap::{self, Action, Context};
use super::model::{
    Access, FeedStatus, Flow, Focus, LOGS_AGE, Logs, Mode, Model, Scope, Still, Tab, Tone,
};
use super::msg::{Cmd, Event, Msg, Reply, Request, Verb};
use super::operation::{Operation, equivalent};
use super::view;
use crate::fleet::{Change, ContainerKey, Input, clean};

/// The longest filter that can be typed, in characters.
const FILTER: usize = 200;

/// The longest line of a log that is shown, in characters.
const LOG_LINE: usize = 1000;

/// Takes a message in and says what is to be done about it.
pub(crate) fn update(model: &mut Model, msg: Msg) -> Vec<Cmd> {
    model.now = msg.at;
    match msg.event {
        Event::Key(key) if key.kind == KeyEventKind::Release => Vec::new(),
        Event::Key(key) => {
            // What the key acts on is what is true now, not what was when the rows were sorted.
            settle(model);
            let mut commands = press(model, key);
            settle(model);
            commands.extend(logs_wanted(model));
            commands.push(Cmd::Draw);
            commands
        }
        Event::Paste(text) => {
            if let Mode::Filtering { draft } = &mut model.mode {
                draft.push_str(&clean(&text, FILTER));
                apply_draft(model);
            }
            vec![Cmd::Draw]
        }
        Event::Resize(width, height) => {
            model.size = (width, height);
            settle(model);
            vec![Cmd::Draw]
        }
        Event::Input(input) => hear(model, *input),
        Event::Reply(reply) => {
            replied(model, reply);
            vec![Cmd::Draw]
        }
        Event::Logs(key, lines) => {
            logs_read(model, key, lines);
            vec![Cmd::Draw]
        }
        Event::Frame => {
            settle(model);
            logs_wanted(model).into_iter().chain([Cmd::Draw]).collect()
        }
        Event::FeedEnded => {
            model.feed = FeedStatus::Ended(model.now.moment);
            vec![Cmd::Draw]
        }
    }
}

fn settle(model: &mut Model) {
    let height = view::table_rows(model);
    model.settle(height);
    drop_outdated_question(model);
    let furthest = view::details_overflow(model);
    match &mut model.focus {
        Focus::Pane { scroll } | Focus::Full { scroll } => *scroll = (*scroll).min(furthest),
        Focus::Table => {}
    }
    let furthest = view::help_overflow(model);
    if let Mode::Help { scroll } = &mut model.mode {
        *scroll = (*scroll).min(furthest);
    }
}

/// What is to be asked for so that the tab of the logs has something to show.
fn logs_wanted(model: &mut Model) -> Option<Cmd> {
    if model.tab != Tab::Logs || view::details_rows(model) == 0 {
        return None;
    }
    let now = model.now.moment;
    let wanted = model.selected()?.key.clone();
    match &mut model.logs {
        Logs::Asked { key } if *key == wanted => return None,
        Logs::Known { key, asked, .. } if *key == wanted => {
            if now - *asked < LOGS_AGE {
                return None;
            }
            *asked = now;
        }
        Logs::Unread | Logs::Asked { .. } | Logs::Known { .. } => {
            model.logs = Logs::Asked {
                key: wanted.clone(),
            };
        }
    }
    Some(Cmd::ReadLogs(wanted))
}

fn logs_read(model: &mut Model, of: ContainerKey, lines: Result<Vec<String>, String>) {
    match &model.logs {
        Logs::Asked { key } | Logs::Known { key, .. } if *key == of => {}
        // The cursor has moved on.
        Logs::Unread | Logs::Asked { .. } | Logs::Known { .. } => return,
    }
    let fit = |line: &String| clean(line, LOG_LINE);
    model.logs = Logs::Known {
        key: of,
        lines: lines
            .map(|lines| lines.iter().map(fit).collect())
            .map_err(|reason| clean(&reason, 256)),
        asked: model.now.moment,
    };
}

/// A question that is about a life that is over is not to be answered.
fn drop_outdated_question(model: &mut Model) {
    let Mode::Confirming(confirmation) = &model.mode else {
        return;
    };
    let outdated = confirmation.outdated(&model.fleet);
    if outdated.is_empty() {
        return;
    }
    let text = format!(
        "nothing was done: {} is not what it was when asked (started anew, stopped or removed)",
        outdated.join(", ")
    );
    model.mode = Mode::Normal;
    model.say(Tone::Wrong, text);
}

fn hear(model: &mut Model, input: Input) -> Vec<Cmd> {
    let changes = model.fleet.apply(input, model.now);
    for change in &changes {
        let Some(key) = subject(change) else {
            continue;
        };
        if let Some(operation) = model.operations.get_mut(key) {
            operation.observe(change, model.fleet.get(key), model.now.moment);
        }
    }
    if changes.is_empty() {
        Vec::new()
    } else {
        vec![Cmd::Draw]
    }
}

const fn subject(change: &Change) -> Option<&ContainerKey> {
    match change {
        Change::Appeared(key)
        | Change::State(key, _)
        | Change::Docker(key, _)
        | Change::Health(key, _)
        | Change::Note(key, _)
        | Change::Link(key)
        | Change::Details(key) => Some(key),
        Change::Gone(container) => Some(&container.key),
        Change::HostLive(_) | Change::HostLost(_) => None,
    }
}

fn replied(model: &mut Model, reply: Reply) {
    let now = model.now.moment;
    let failed = match model.operations.get_mut(&reply.key) {
        Some(operation) if operation.verb == reply.verb => {
            let failed = reply.result.as_ref().err().map(|reason| clean(reason, 256));
            operation.replied(reply.result.map_err(|reason| clean(&reason, 256)), now);
            failed
        }
        Some(_) | None => None,
    };
    if let Some(reason) = failed {
        let name = model
            .fleet
            .get(&reply.key)
            .map_or("?", |container| container.name.as_str());
        let text = format!("cannot {} {name}: {reason}", reply.verb.name());
        model.say(Tone::Wrong, text);
    }
}

fn press(model: &mut Model, key: KeyEvent) -> Vec<Cmd> {
    // Leaving must work everywhere.
    if keymap::Key::Ctrl('c').is(key) {
        return vec![Cmd::Quit];
    }
    if let Some(context) = Context::of(model) {
        return match keymap::action(key, context) {
            Some(action) => act(model, action),
            None => Vec::new(),
        };
    }
    match &model.mode {
        Mode::Filtering { .. } => type_filter(model, key),
        Mode::Confirming(_) => return answer(model, key),
        Mode::Normal | Mode::Help { .. } => {}
    }
    Vec::new()
}

fn act(model: &mut Model, action: Action) -> Vec<Cmd> {
    match action {
        Action::Down => shift(model, 1),
        Action::Up => shift(model, -1),
        Action::PageDown => shift(model, page(model)),
        Action::PageUp => shift(model, -page(model)),
        Action::First => shift(model, isize::MIN),
        Action::Last => shift(model, isize::MAX),
        Action::Open => open(model),
        Action::Back => back(model),
        Action::OtherPane => other_pane(model),
        Action::NextTab => turn(model, model.tab.turned(1)),
        Action::PreviousTab => turn(model, model.tab.turned(Tab::ALL.len() - 1)),
        Action::Tab(number) => {
            if let Some(tab) = Tab::ALL.get(number) {
                turn(model, *tab);
            }
        }
        Action::Filter => {
            let draft = model.filter.text().to_owned();
            model.mode = Mode::Filtering { draft };
        }
        Action::Sort => model.sort = model.sort.next(),
        Action::Reverse => model.direction = model.direction.turned(),
        Action::Mark => mark(model),
        Action::MarkAll => mark_all(model),
        Action::Freeze => freeze(model),
        Action::Scope => {
            model.scope = match model.scope {
                Scope::Active => Scope::All,
                Scope::All => Scope::Active,
            };
        }
        Action::Restart => ask(model, Verb::Restart),
        Action::Stop => ask(model, Verb::Stop),
        Action::Help => {
            model.mode = match model.mode {
                Mode::Help { .. } => Mode::Normal,
                Mode::Normal | Mode::Filtering { .. } | Mode::Confirming(_) => {
                    Mode::Help { scroll: 0 }
                }
            };
        }
        Action::Suspend => return vec![Cmd::Suspend],
        Action::Quit => return vec![Cmd::Quit],
    }
    Vec::new()
}

/// A page, less one line to keep one's bearings.
fn page(model: &Model) -> isize {
    let height = match (&model.mode, model.focus) {
        (Mode::Help { .. }, _) => model.size.1.saturating_sub(2),
        (_, Focus::Table) => view::table_rows(model),
        (_, Focus::Pane { .. } | Focus::Full { .. }) => view::details_rows(model),
    };
    isize::try_from(height.saturating_sub(1).max(1)).unwrap_or(1)
}

fn shift(model: &mut Model, by: isize) {
    // What is scrolled away of logs is counted from their end.
    let lines = if model.tab == Tab::Logs && model.mode == Mode::Normal {
        by.saturating_neg()
    } else {
        by
    };
    let moved = |scroll: u16| {
        let moved = isize::try_from(scroll)
            .unwrap_or(0)
            .saturating_add(lines)
            .max(0);
        u16::try_from(moved).unwrap_or(u16::MAX)
    };
    match (&mut model.mode, &mut model.focus) {
        (Mode::Help { scroll }, _) | (_, Focus::Pane { scroll } | Focus::Full { scroll }) => {
            *scroll = moved(*scroll);
        }
        (_, Focus::Table) => {
            if let Some(place) = model.place() {
                model.go_to(place.saturating_add_signed(by));
            }
        }
    }
}

/// From here on the cursor is meant to be where it is.
fn pin(model: &mut Model) {
    if let Some(place) = model.place() {
        model.go_to(place);
    }
}

fn open(model: &mut Model) {
    if model.selected().is_some() {
        pin(model);
        model.focus = Focus::Full { scroll: 0 };
    }
}

fn back(model: &mut Model) {
    if matches!(model.mode, Mode::Help { .. }) {
        model.mode = Mode::Normal;
    } else if model.focus != Focus::Table {
        model.focus = Focus::Table;
    } else if !model.filter.is_empty() {
        model.filter = Filter::default();
    } else if !model.marks.is_empty() {
        model.marks.clear();
    } else {
        model.notice = None;
    }
}

fn other_pane(model: &mut Model) {
    model.focus = match model.focus {
        Focus::Table if model.selected().is_none() => Focus::Table,
        Focus::Table => {
            pin(model);
            if view::has_pane(model) {
                Focus::Pane { scroll: 0 }
            } else {
                Focus::Full { scroll: 0 }
            }
        }
        Focus::Pane { .. } | Focus::Full { .. } => Focus::Table,
    };
}

fn turn(model: &mut Model, tab: Tab) {
    model.tab = tab;
    match &mut model.focus {
        Focus::Pane { scroll } | Focus::Full { scroll } => *scroll = 0,
        Focus::Table => {}
    }
}

fn mark(model: &mut Model) {
    let Some(place) = model.place() else {
        return;
    };
    let key = model.rows()[place].clone();
    if !model.marks.remove(&key) {
        model.marks.insert(key);
    }
    model.go_to(place + 1);
}

fn mark_all(model: &mut Model) {
    if model.rows().iter().all(|key| model.marks.contains(key)) {
        for key in model.rows().to_vec() {
            model.marks.remove(&key);
        }
    } else {
        model.marks.extend(model.rows().to_vec());
    }
}

fn freeze(model: &mut Model) {
    model.flow = match &model.flow {
        Flow::Live => Flow::Frozen(Box::new(Still {
            fleet: model.fleet.clone(),
            at: model.now,
        })),
        Flow::Frozen(_) => Flow::Live,
    };
}

fn ask(model: &mut Model, verb: Verb) {
    if model.access == Access::ReadOnly {
        let text = format!(
            "cannot {}: the dashboard is read-only (--read-only)",
            verb.name()
        );
        model.say(Tone::Wrong, text);
        return;
    }
    if !view::can_ask(model) {
        model.say(Tone::Wrong, "the terminal is too small to ask");
        return;
    }
    pin(model);
    let busy = |key: &ContainerKey| model.operations.get(key).is_some_and(Operation::is_open);
    let targets = model.targets();
    if targets.is_empty() {
        return;
    }
    match Confirmation::new(verb, &model.fleet, targets, busy) {
        Ok(confirmation) => model.mode = Mode::Confirming(confirmation),
        Err(left_out) => {
            let text = match left_out.as_slice() {
                [(name, reason)] => format!("cannot {} {name}: {reason}", verb.name()),
                several => {
                    let reason = several.first().map_or("", |(_, reason)| reason);
                    format!("cannot {} any of {}: {reason}", verb.name(), several.len())
                }
            };
            model.say(Tone::Wrong, text);
        }
    }
}

fn answer(model: &mut Model, key: KeyEvent) -> Vec<Cmd> {
    let Mode::Confirming(confirmation) = &mut model.mode else {
        return Vec::new();
    };
    let plain = (key.modifiers - KeyModifiers::SHIFT).is_empty();
    let count = confirmation.targets.len().to_string();
    match (&mut confirmation.challenge, key.code) {
        (Challenge::Yes, KeyCode::Char('y')) if plain => return go_ahead(model),
        (Challenge::Count { typed }, KeyCode::Char(digit)) if plain && digit.is_ascii_digit() => {
            if typed.len() < 6 {
                typed.push(digit);
            }
        }
        (Challenge::Count { typed }, KeyCode::Backspace) => {
            typed.pop();
        }
        (Challenge::Count { typed }, KeyCode::Enter) if *typed == count => return go_ahead(model),
        (Challenge::Count { typed }, KeyCode::Enter) => typed.clear(),
        _ => {
            let verb = confirmation.verb.name();
            model.mode = Mode::Normal;
            model.say(Tone::Calm, format!("{verb} cancelled, nothing was done"));
        }
    }
    Vec::new()
}

fn go_ahead(model: &mut Model) -> Vec<Cmd> {
    let Mode::Confirming(confirmation) = std::mem::replace(&mut model.mode, Mode::Normal) else {
        return Vec::new();
    };
    let containers: Vec<_> = confirmation
        .targets
        .iter()
        .filter_map(|target| model.fleet.get(&target.key))
        .collect();
    let line = equivalent(confirmation.verb, containers.iter().copied());
    let now = model.now.moment;
    let verb = confirmation.verb;
    let commands = containers
        .iter()
        .map(|&container| {
            let container = Box::new(container.clone());
            Cmd::Act(Request { verb, container })
        })
        .collect();
    let operations: Vec<_> = containers
        .into_iter()
        .map(|container| (container.key.clone(), Operation::new(verb, container, now)))
        .collect();
    model.operations.extend(operations);
    model.marks.clear();
    model.say(Tone::Calm, format!("$ {line}"));
    commands
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "of all the keys there are only these edit a line"
)]
fn type_filter(model: &mut Model, key: KeyEvent) {
    let Mode::Filtering { draft } = &mut model.mode else {
        return;
    };
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Esc => {
            model.filter = Filter::default();
            model.mode = Mode::Normal;
            return;
        }
        KeyCode::Enter => {
            model.mode = Mode::Normal;
            return;
        }
        KeyCode::Backspace => {
            draft.pop();
        }
        KeyCode::Char('u') if control => draft.clear(),
        KeyCode::Char('w') if control => {
            let kept = draft.trim_end().rfind(' ').map_or(0, |space| space + 1);
            draft.truncate(kept);
        }
        KeyCode::Char(c) if !control && draft.chars().count() < FILTER => {
            draft.push_str(&clean(c.encode_utf8(&mut [0; 4]), 1));
        }
        KeyCode::Down => return shift(model, 1),
        KeyCode::Up => return shift(model, -1),
        _ => return,
    }
    apply_draft(model);
}

fn apply_draft(model: &mut Model) {
    if let Mode::Filtering { draft } = &mut model.mode {
        if draft.chars().count() > FILTER {
            *draft = draft.chars().take(FILTER).collect();
        }
        model.filter = Filter::parse(draft);
    }
}
