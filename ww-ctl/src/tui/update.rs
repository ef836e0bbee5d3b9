//! What a message does to the dashboard.

use crossterm::event::{KeyEvent, KeyEventKind};
use whaleware::protocol::FromAgent;

use super::columns::Columns;
use super::filter::Filter;
use super::history::Lesson;
use super::keymap::{self, Action, Context};
use super::lanes::{Body, Standing};
use super::model::{FeedStatus, Flow, Focus, Keeping, Mode, Model, Scope, Still, Tab, Tone};
use super::msg::{Cmd, Event, Msg, Reply, Verb};
use super::rows::{copy, mark, mark_all, range, trouble};
use super::typing::{self, Typed};
use super::{asking, configuration, logs, measured, palette, pointer, value, view, winding};
use crate::fleet::{Change, ContainerKey, Input, clean};

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
            commands.extend(wanted(model));
            commands.push(Cmd::Draw);
            commands
        }
        Event::Mouse(mouse) => {
            settle(model);
            let mut commands = pointer::point(model, mouse);
            if !commands.is_empty() {
                settle(model);
                commands.extend(wanted(model));
            }
            commands
        }
        Event::Paste(text) => {
            if let Mode::Filtering { draft } | Mode::Searching { draft, .. } = &mut model.mode {
                typing::paste(draft, &text);
                apply_draft(model);
                logs::look_for(model);
            } else if let Mode::Calling(palette) = &mut model.mode {
                palette::paste(palette, &text);
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
        Event::Printed(printed) => logs::heard(model, printed),
        Event::Configuration(key, settings) => {
            configuration::read(model, &key, settings);
            vec![Cmd::Draw]
        }
        // It is seen with the next frame, and is no reason for one.
        Event::Own(own) => {
            model.own = Some(own);
            Vec::new()
        }
        Event::Frame => {
            settle(model);
            let measured = measured::wanted(model);
            wanted(model).chain(measured).chain([Cmd::Draw]).collect()
        }
        Event::FeedEnded => {
            model.feed = FeedStatus::Ended(model.now.moment);
            vec![Cmd::Draw]
        }
        Event::Telling(telling) => {
            winding::told(model, telling);
            vec![Cmd::Draw]
        }
        Event::Rewound => {
            winding::rewound(model);
            vec![Cmd::Draw]
        }
        Event::NotRecorded(reason) => {
            model.keeping = Keeping::Stopped;
            model.say(Tone::Wrong, format!("recording has stopped: {reason}"));
            vec![Cmd::Draw]
        }
    }
}

/// What is to be found out so that the open tab has something to show.
fn wanted(model: &mut Model) -> impl Iterator<Item = Cmd> + use<> {
    let logs = logs::wanted(model);
    logs.into_iter().chain(configuration::wanted(model))
}

fn settle(model: &mut Model) {
    // First what is over: on a small screen a message has its line from the rows.
    asking::drop_outdated(model);
    model.expire();
    model.arrange(view::table_rows(model));
    let furthest = view::details_overflow(model);
    value::settle(model);
    match &mut model.focus {
        Focus::Pane { scroll } | Focus::Full { scroll } => *scroll = (*scroll).min(furthest),
        Focus::Table => {}
    }
    let furthest = view::help_overflow(model);
    if let Mode::Help { scroll } = &mut model.mode {
        *scroll = (*scroll).min(furthest);
    }
}

fn hear(model: &mut Model, input: Input) -> Vec<Cmd> {
    let routine = is_routine(model, &input);
    let lesson = Lesson::of(model, &input);
    let changes = model.fleet.apply(input, model.now);
    let told_all = lesson.as_ref().is_some_and(Lesson::is_all);
    if let Some(lesson) = lesson {
        lesson.learn(model);
    }
    stand(model, &changes, told_all);
    for change in &changes {
        if let Change::Gone(container) = change {
            model.history.forget(&container.key);
        }
        let Some(key) = subject(change) else {
            continue;
        };
        if let Some(operation) = model.operations.get_mut(key) {
            operation.observe(change, model.fleet.get(key), model.now.moment);
        }
    }
    match (changes.is_empty(), routine) {
        (true, _) => Vec::new(),
        (false, true) => vec![Cmd::Refresh],
        (false, false) => vec![Cmd::Draw],
    }
}

/// Keeps how containers stand from now on.
fn stand(model: &mut Model, changes: &[Change], told_all: bool) {
    for change in changes {
        let keys: Vec<ContainerKey> = match change {
            Change::HostLive(host) | Change::HostLost(host) => {
                let all = model.fleet.containers_of(host);
                all.map(|one| one.key.clone()).collect()
            }
            Change::Gone(_) => continue,
            Change::Appeared(_)
            | Change::State(..)
            | Change::Docker(..)
            | Change::Health(..)
            | Change::Service(..)
            | Change::Stopping(..)
            | Change::Note(..)
            | Change::Link(_)
            | Change::Details(_) => subject(change).cloned().into_iter().collect(),
        };
        for key in keys {
            if let Some(container) = model.fleet.get(&key) {
                let standing = Standing::of(container, &model.fleet);
                let lane = model.history.lane(&key);
                if let Some(agent) = container.agent.as_ref().filter(|_| told_all) {
                    lane.fill(agent);
                }
                lane.push(model.now.moment, standing);
            }
        }
    }
}

/// Whether this is what every agent says all the time: what it uses, and that a check went as the
/// one before. Drawn one by one these would cost more than they are worth.
fn is_routine(model: &Model, input: &Input) -> bool {
    let Input::Frame { key, frame } = input else {
        return matches!(input, Input::Used { .. });
    };
    let known = || {
        model
            .fleet
            .get(key)
            .and_then(|container| container.agent.as_ref())
    };
    match &**frame {
        FromAgent::Resources(_) | FromAgent::Monitor(_) => true,
        FromAgent::Health(report) => known().is_some_and(|agent| {
            (agent.health.status, agent.health.failures) == (report.status, report.failures)
        }),
        FromAgent::Hello(_)
        | FromAgent::Snapshot(_)
        | FromAgent::State(_)
        | FromAgent::Hook(_)
        | FromAgent::Service(_)
        | FromAgent::Stopping(_)
        | FromAgent::Quiesced(_)
        | FromAgent::Answer(_)
        | FromAgent::Note(_)
        | FromAgent::Unknown => false,
    }
}

const fn subject(change: &Change) -> Option<&ContainerKey> {
    match change {
        Change::Appeared(key)
        | Change::State(key, _)
        | Change::Docker(key, _)
        | Change::Health(key, _)
        | Change::Service(key, _)
        | Change::Stopping(key, _)
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
            let told = reply.result.as_ref().ok().map(|told| clean(told, 256));
            operation.replied(reply.result.map_err(|reason| clean(&reason, 256)), now);
            if let Some(told) = told.filter(|told| !told.is_empty()) {
                model.say(Tone::Calm, told);
            }
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
        return match model.keymap.action(key, context) {
            Some(action) => act(model, action),
            None => Vec::new(),
        };
    }
    match &model.mode {
        Mode::Filtering { .. } => type_filter(model, key),
        Mode::Searching { .. } => type_search(model, key),
        Mode::Confirming(_) => return asking::answer(model, key),
        Mode::Calling(_) => {
            return match palette::press(model, key) {
                Some(action) => act(model, action),
                None => Vec::new(),
            };
        }
        Mode::Normal | Mode::Help { .. } | Mode::Choosing { .. } => {}
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
        Action::Back | Action::Done => back(model),
        Action::OtherPane => other_pane(model),
        Action::NextTab => turn(model, model.tab.turned(1)),
        Action::PreviousTab => turn(model, model.tab.turned(Tab::ALL.len() - 1)),
        Action::Tab(number) => {
            if let Some(tab) = Tab::ALL.get(number) {
                turn(model, *tab);
            }
        }
        Action::Why => {
            turn(model, Tab::Why);
            open(model);
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
        Action::Restart => asking::ask(model, Verb::Restart),
        Action::Stop => asking::ask(model, Verb::Stop),
        Action::Column => value::column(model),
        Action::SortValue => value::sort(model),
        Action::FilterValue => value::filter(model),
        Action::Choose => model.mode = Mode::Choosing { place: 0 },
        Action::Toggle => toggle(model),
        Action::Earlier => shift_column(model, -1),
        Action::Later => shift_column(model, 1),
        Action::Reset => model.columns = Columns::default(),
        Action::Lanes => {
            model.body = match model.body {
                Body::Table => Body::Lanes,
                Body::Lanes => Body::Table,
            };
        }
        Action::Nearer => model.zoom = model.zoom.nearer(),
        Action::Farther => model.zoom = model.zoom.farther(),
        Action::Mouse => {
            model.mouse = !model.mouse;
            let text = if model.mouse {
                "the mouse is listened to; most terminals select text with Shift"
            } else {
                "the mouse is left to the terminal"
            };
            model.say(Tone::Calm, text);
            return vec![Cmd::Mouse(model.mouse)];
        }
        Action::Search => logs::search(model),
        Action::NextFound => logs::turn(model, true),
        Action::PreviousFound => logs::turn(model, false),
        Action::Follow => model.logs.follow(),
        Action::Times => model.logs.has_times = !model.logs.has_times,
        Action::Right => logs::aside(model, true),
        Action::Left => logs::aside(model, false),
        Action::Start => asking::ask(model, Verb::Start),
        Action::Kill => asking::ask(model, Verb::Kill),
        Action::Backup => asking::ask(model, Verb::Backup),
        Action::Shell => return asking::shell(model),
        Action::Copy => return copy(model),
        Action::Range => range(model),
        Action::NextTrouble => trouble(model, true),
        Action::PreviousTrouble => trouble(model, false),
        Action::Palette => palette::open(model),
        Action::Help => {
            model.mode = match model.mode {
                Mode::Help { .. } => Mode::Normal,
                Mode::Normal
                | Mode::Filtering { .. }
                | Mode::Searching { .. }
                | Mode::Confirming(_)
                | Mode::Calling(_)
                | Mode::Choosing { .. } => Mode::Help { scroll: 0 },
            };
        }
        Action::Wind(how) => return winding::wind(model, how),
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

pub(super) fn shift(model: &mut Model, by: isize) {
    let moved = |scroll: u16| {
        let moved = isize::try_from(scroll)
            .unwrap_or(0)
            .saturating_add(by)
            .max(0);
        u16::try_from(moved).unwrap_or(u16::MAX)
    };
    if logs::shift(model, by) || model.mode == Mode::Normal && value::shift(model, by) {
        return;
    }
    match (&mut model.mode, &mut model.focus) {
        (Mode::Choosing { place }, _) => {
            let last = model.columns.choice().len().saturating_sub(1);
            *place = place.saturating_add_signed(by).min(last);
        }
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

pub(super) fn open(model: &mut Model) {
    if model.selected().is_some() {
        model.pin();
        model.focus = Focus::Full { scroll: 0 };
    }
}

fn back(model: &mut Model) {
    if matches!(model.mode, Mode::Help { .. } | Mode::Choosing { .. }) {
        model.mode = Mode::Normal;
    } else if logs::has_keys(model) && logs::drop_search(model) {
        // The next step back is out of it.
    } else if model.focus != Focus::Table {
        model.focus = Focus::Table;
    } else if model.range.take().is_some() {
        model.say(Tone::Calm, "no range any more");
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
            model.pin();
            if view::has_pane(model) {
                Focus::Pane { scroll: 0 }
            } else {
                Focus::Full { scroll: 0 }
            }
        }
        Focus::Pane { .. } | Focus::Full { .. } => Focus::Table,
    };
}

pub(super) fn turn(model: &mut Model, tab: Tab) {
    if model.tab != tab {
        model.logs.follow();
    }
    model.tab = tab;
    match &mut model.focus {
        Focus::Pane { scroll } | Focus::Full { scroll } => *scroll = 0,
        Focus::Table => {}
    }
}

fn toggle(model: &mut Model) {
    let Mode::Choosing { place } = &model.mode else {
        return;
    };
    let Some(column) = model.columns.choice().into_iter().nth(*place) else {
        return;
    };
    match model.columns.toggle(&column) {
        // The cursor goes with it, so that the same key undoes it.
        Ok(_) => {
            let at = model.columns.choice().iter().position(|one| *one == column);
            model.mode = Mode::Choosing {
                place: at.unwrap_or(0),
            };
        }
        Err(error) => model.say(Tone::Wrong, error.to_string()),
    }
}

fn shift_column(model: &mut Model, by: isize) {
    if let Mode::Choosing { place } = &mut model.mode {
        *place = model.columns.shift(*place, by);
    }
}

fn freeze(model: &mut Model) {
    model.flow = match &model.flow {
        Flow::Live => Flow::Frozen(Box::new(Still {
            fleet: model.fleet.clone(),
            history: model.history.clone(),
            at: model.now,
        })),
        Flow::Frozen(_) => Flow::Live,
    };
    logs::freeze(model, matches!(model.flow, Flow::Frozen(_)));
}

fn type_filter(model: &mut Model, key: KeyEvent) {
    let Mode::Filtering { draft } = &mut model.mode else {
        return;
    };
    match typing::press(draft, key) {
        Typed::Changed => apply_draft(model),
        Typed::Kept => model.mode = Mode::Normal,
        Typed::Dropped => {
            model.filter = Filter::default();
            model.mode = Mode::Normal;
        }
        Typed::Up => shift(model, -1),
        Typed::Down => shift(model, 1),
        Typed::Nothing => {}
    }
}

fn type_search(model: &mut Model, key: KeyEvent) {
    let Mode::Searching { draft, .. } = &mut model.mode else {
        return;
    };
    match typing::press(draft, key) {
        Typed::Changed => logs::look_for(model),
        Typed::Kept => model.mode = Mode::Normal,
        Typed::Dropped => logs::give_up(model),
        Typed::Up => logs::turn(model, false),
        Typed::Down => logs::turn(model, true),
        Typed::Nothing => {}
    }
}

fn apply_draft(model: &mut Model) {
    if let Mode::Filtering { draft } = &model.mode {
        model.filter = Filter::parse(draft);
    }
}
