//! The lines that are kept: several outputs in one by time, bounded, and still while somebody reads.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use super::search::Search;
use crate::fleet::ContainerKey;
use crate::tui::msg::Said;

/// The most lines kept up to where somebody reads, and after it.
pub(crate) const LINES: usize = 2000;
/// The most bytes of either.
pub(crate) const BYTES: usize = 512 << 10;
/// What a line takes beside its text.
const COST: usize = 144;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Which one it is, whatever is put before it.
    pub id: u64,
    /// Whose it is.
    pub key: ContainerKey,
    /// When it was printed, by the Engine's clock; none where it keeps no times, and for what is no
    /// output.
    pub at: Option<Timestamp>,
    /// What it says, clean.
    pub said: Said,
    /// Whether what is searched for is in it.
    pub is_found: bool,
    /// What it is ordered by: never before the one that the same container printed before.
    order: Timestamp,
}

impl Line {
    /// What was printed; none where the line tells something about the reading.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.said {
            Said::Line(text) => Some(text),
            Said::LeftOut(_) | Said::Word(_) | Said::Failed(_) => None,
        }
    }

    fn cost(&self) -> usize {
        let text = match &self.said {
            Said::Line(text) | Said::Word(text) | Said::Failed(text) => text.len(),
            Said::LeftOut(_) => 0,
        };
        text + COST
    }

    /// For how many lines of the container it stands.
    const fn counts(&self) -> u64 {
        match &self.said {
            Said::Line(_) => 1,
            Said::LeftOut(lines) => *lines,
            Said::Word(_) | Said::Failed(_) => 0,
        }
    }
}

/// Lines in order.
#[derive(Debug, Clone, Default)]
struct Part {
    lines: VecDeque<Line>,
    bytes: usize,
}

impl Part {
    fn push(&mut self, line: Line) {
        self.bytes += line.cost();
        self.lines.push_back(line);
    }

    fn pop(&mut self) -> Option<Line> {
        let line = self.lines.pop_front()?;
        self.bytes -= line.cost();
        Some(line)
    }

    /// Puts lines, which are in order, where they belong: at the end, but for what comes late.
    fn put(&mut self, batch: Vec<Line>) {
        let Some(first) = batch.first() else {
            return;
        };
        let after = self.lines.partition_point(|one| one.order <= first.order);
        let later = self.lines.split_off(after);
        self.bytes -= later.iter().map(Line::cost).sum::<usize>();
        let (mut later, mut batch) = (later.into_iter().peekable(), batch.into_iter().peekable());
        loop {
            let next = match (later.peek(), batch.peek()) {
                (Some(one), Some(other)) if other.order < one.order => batch.next(),
                (Some(_), _) => later.next(),
                (None, _) => batch.next(),
            };
            match next {
                Some(line) => self.push(line),
                None => return,
            }
        }
    }

    /// The first line where there are more than are kept.
    fn spill(&mut self) -> Option<Line> {
        (self.lines.len() > LINES || self.bytes > BYTES).then(|| self.pop())?
    }

    fn forget(&mut self, is_over: impl Fn(&ContainerKey) -> bool) {
        self.lines.retain(|line| !is_over(&line.key));
        self.bytes = self.lines.iter().map(Line::cost).sum();
    }
}

/// All lines. Those up to where somebody reads are held while others come; of these the first go
/// where there are too many, and how many went is told between the two.
#[derive(Debug, Clone, Default)]
pub(crate) struct Store {
    held: Part,
    gap: Option<Line>,
    fresh: Part,
    is_still: bool,
    /// How many lines have come since.
    news: u64,
    next: u64,
    newest: BTreeMap<ContainerKey, Timestamp>,
}

impl Store {
    /// Takes in what a container has printed. `now` is the time of what nothing is known of.
    pub(super) fn put(
        &mut self,
        key: &ContainerKey,
        lines: impl Iterator<Item = (Option<Timestamp>, Said)>,
        search: Option<&Search>,
        now: Timestamp,
    ) {
        let mut newest = self.newest.get(key).copied();
        let mut batch = Vec::new();
        for (at, said) in lines {
            let order = at.max(newest).unwrap_or(now);
            newest = Some(order);
            let mut line = Line {
                id: self.next,
                key: key.clone(),
                at,
                said,
                is_found: false,
                order,
            };
            line.is_found = search.is_some_and(|search| search.finds(&line));
            self.next += 1;
            batch.push(line);
        }
        if let Some(newest) = newest {
            self.newest.insert(key.clone(), newest);
        }
        if self.is_still {
            self.news += batch.iter().map(Line::counts).sum::<u64>();
            self.fresh.put(batch);
            while let Some(line) = self.fresh.spill() {
                self.miss(line);
            }
        } else {
            self.held.put(batch);
            while self.held.spill().is_some() {}
        }
    }

    fn miss(&mut self, line: Line) {
        let known = self.gap.as_ref().map_or(0, Line::counts);
        self.gap = Some(Line {
            at: None,
            said: Said::LeftOut(known + line.counts()),
            is_found: false,
            ..line
        });
    }

    /// From now on what there is stays.
    pub(super) const fn hold(&mut self) {
        self.is_still = true;
    }

    /// From now on the first lines go when others come.
    pub(super) fn flow(&mut self) {
        self.absorb(usize::MAX);
        self.is_still = false;
        self.news = 0;
    }

    /// Somebody reads up to this line now; so many are held.
    pub(super) fn absorb(&mut self, lines: usize) {
        let more = lines.saturating_sub(self.held.lines.len());
        for _ in 0..more {
            let Some(line) = self.gap.take().or_else(|| self.fresh.pop()) else {
                break;
            };
            self.news = self.news.saturating_sub(line.counts());
            self.held.push(line);
        }
        while self.held.spill().is_some() {}
    }

    /// Lets go of what containers have printed.
    pub(super) fn forget(&mut self, is_over: impl Fn(&ContainerKey) -> bool) {
        self.held.forget(&is_over);
        self.fresh.forget(&is_over);
        self.gap.take_if(|gap| is_over(&gap.key));
        self.newest.retain(|key, _| !is_over(key));
    }

    /// Looks for something in all lines, or for nothing any more.
    pub(super) fn look_for(&mut self, search: Option<&Search>) {
        let lines = self.held.lines.iter_mut().chain(&mut self.fresh.lines);
        for line in lines {
            line.is_found = search.is_some_and(|search| search.finds(line));
        }
    }

    /// How many lines have come since the others were held.
    pub(crate) const fn news(&self) -> u64 {
        self.news
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.held.lines.len() + usize::from(self.gap.is_some()) + self.fresh.lines.len()
    }

    /// All of them.
    pub(crate) fn lines(&self) -> impl DoubleEndedIterator<Item = &Line> {
        let held = self.held.lines.iter();
        held.chain(&self.gap).chain(&self.fresh.lines)
    }

    /// Those that do not move.
    pub(crate) fn held(&self) -> impl DoubleEndedIterator<Item = &Line> {
        self.held.lines.iter()
    }

    /// The place of a line.
    pub(super) fn place(&self, id: u64) -> Option<usize> {
        self.lines().position(|line| line.id == id)
    }

    /// The line at a place.
    pub(super) fn id(&self, place: usize) -> Option<u64> {
        self.lines().nth(place).map(|line| line.id)
    }

    /// What the lines take, in bytes.
    #[cfg(test)]
    pub(crate) const fn bytes(&self) -> usize {
        self.held.bytes + self.fresh.bytes
    }
}
