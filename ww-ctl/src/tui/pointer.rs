//! What the mouse does: a click on a row, a heading or a tab, the wheel.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::model::{Focus, Mode, Model};
use super::msg::Cmd;
use super::palette;
use super::update::{open, shift, turn};
use super::view::{self, Spot};

/// How many lines a step of the wheel is.
const STEP: isize = 3;

/// Does what the mouse wants; nothing is to be drawn where it means nothing.
pub(super) fn point(model: &mut Model, mouse: MouseEvent) -> Vec<Cmd> {
    if !model.mouse {
        return Vec::new();
    }
    let done = match mouse.kind {
        MouseEventKind::ScrollDown => wheel(model, STEP),
        MouseEventKind::ScrollUp => wheel(model, -STEP),
        MouseEventKind::Down(MouseButton::Left) => click(model, mouse.column, mouse.row),
        MouseEventKind::Down(MouseButton::Right | MouseButton::Middle)
        | MouseEventKind::Up(_)
        | MouseEventKind::Drag(_)
        | MouseEventKind::Moved
        | MouseEventKind::ScrollLeft
        | MouseEventKind::ScrollRight => false,
    };
    if done { vec![Cmd::Draw] } else { Vec::new() }
}

fn wheel(model: &mut Model, by: isize) -> bool {
    match model.mode {
        Mode::Normal | Mode::Help { .. } | Mode::Choosing { .. } => {
            shift(model, by);
            true
        }
        Mode::Calling(_) => {
            palette::shift(model, by);
            true
        }
        // A question is answered by keys only.
        Mode::Filtering { .. } | Mode::Searching { .. } | Mode::Confirming(_) => false,
    }
}

fn click(model: &mut Model, x: u16, y: u16) -> bool {
    if model.mode != Mode::Normal {
        return false;
    }
    match view::spot(model, x, y) {
        Some(Spot::Row(place)) => {
            // A second click on the same row opens it.
            if model.place() == Some(place) && model.focus == Focus::Table {
                open(model);
            } else {
                model.focus = Focus::Table;
                model.go_to(place);
            }
        }
        Some(Spot::Heading(sort)) => {
            if model.sort == sort {
                model.direction = model.direction.turned();
            } else {
                model.sort = sort;
            }
        }
        Some(Spot::Tab(tab)) => turn(model, tab),
        Some(Spot::Details) => {
            if model.focus == Focus::Table && model.selected().is_some() {
                model.pin();
                model.focus = Focus::Pane { scroll: 0 };
            }
        }
        None => return false,
    }
    true
}
