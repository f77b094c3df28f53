//! [`Timeline`]: a trace as a picture, words from top to bottom, events from left to right.

use super::crash::Crash;
use super::event::{Event, EventKind};
use super::machine::Machine;
use super::unit::{LINE_WORDS, WORD};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Width of an event.
const STEP: usize = 14;
/// Height of a word's row.
const ROW: usize = 18;
/// Where the first event is.
const LEFT: usize = 110;
/// Where the first row is.
const TOP: usize = 46;
/// Events that are shown at most: a picture of more could not be read.
const MOST_EVENTS: usize = 400;

/// Draws the events. A bar is a store that a power failure could still lose; it ends at the fence that makes it
/// durable.
pub(super) fn draw(base: &Machine, events: &[Event], crash: Option<Crash>) -> String {
    let mut timeline = Timeline::new(&events[..events.len().min(MOST_EVENTS)]);
    timeline.head(events.len());
    timeline.bars(base);
    timeline.events();
    if let Some(crash) = crash {
        timeline.crash(crash);
    }
    timeline.out + "</svg>\n"
}

/// A picture that is being drawn.
struct Timeline<'a> {
    /// The events in it.
    events: &'a [Event],
    /// The words that are stored to, each with its row.
    rows: BTreeMap<usize, usize>,
    /// The picture so far.
    out: String,
}

impl<'a> Timeline<'a> {
    fn new(events: &'a [Event]) -> Self {
        let words = events.iter().filter_map(|event| match event.kind {
            EventKind::Store { word, .. } | EventKind::Stream { word, .. } => Some((word, 0)),
            _ => None,
        });
        let mut rows: BTreeMap<usize, usize> = words.collect();
        rows.values_mut().enumerate().for_each(|(row, place)| *place = row);
        Timeline { events, rows, out: String::new() }
    }

    /// Where an event is, from the left.
    fn x(event: usize) -> usize {
        LEFT + event * STEP
    }

    /// Where the middle of a row is, from the top.
    fn y(row: usize) -> usize {
        TOP + row * ROW + ROW / 2
    }

    /// Where the last row ends.
    fn bottom(&self) -> usize {
        TOP + self.rows.len() * ROW
    }

    /// The legend, and a line for each row; `all` is the number of events in the trace.
    fn head(&mut self, all: usize) {
        let shown = self.events.len();
        let width = LEFT + (shown + 2) * STEP;
        let _ = write!(
            self.out,
            concat!(
                r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w} {h}" role="img" "#,
                r#"aria-label="Timeline of {n} events on {r} words: stores, flushes, fences"><style>"#,
                "text{{font:11px sans-serif;fill:#333}}.b{{stroke:#c60;stroke-width:6}}.d{{stroke:#2a2;stroke-width:2}}",
                ".s{{fill:#c60}}.f{{fill:#06c}}.n{{stroke:#06c;stroke-width:1.5}}.a{{stroke:#888;stroke-dasharray:3}}",
                ".x{{stroke:#d00;stroke-width:3}}.l{{stroke:#8883}}",
                "@media(prefers-color-scheme:dark){{text{{fill:#ddd}}.f{{fill:#6af}}.n{{stroke:#6af}}.s{{fill:#fa4}}",
                ".b{{stroke:#fa4}}.d{{stroke:#5d5}}}}</style>",
                r#"<text x="4" y="16">offset</text><text x="{left}" y="16">● store · ▲ flush · │ fence · ┆ acknowledged · "#,
                r#"thick: a power failure can lose it, thin: durable</text>"#
            ),
            w = width,
            h = self.bottom() + 34,
            n = shown,
            r = self.rows.len(),
            left = LEFT,
        );
        if shown < all {
            let _ = write!(self.out, r#"<text x="4" y="32">the first {shown} of {all} events</text>"#);
        }
        for (word, row) in &self.rows {
            let (at, offset) = (Self::y(*row), word * WORD);
            let _ = write!(
                self.out,
                r#"<text x="4" y="{}">{offset:#x}</text><line class="l" x1="{LEFT}" x2="{width}" y1="{at}" y2="{at}"/>"#,
                at + 4,
            );
        }
    }

    /// For each store, how long a power failure could lose it, and from when on it was durable.
    fn bars(&mut self, base: &Machine) {
        let mut machine = base.clone();
        let mut since: BTreeMap<usize, usize> = BTreeMap::new();
        let mut durable_since: BTreeMap<usize, usize> = BTreeMap::new();
        for (index, event) in self.events.iter().enumerate() {
            event.apply(&mut machine, false);
            match event.kind {
                EventKind::Store { word, .. } | EventKind::Stream { word, .. } => {
                    if let Some(from) = durable_since.remove(&word) {
                        self.bar("d", word, from, index);
                    }
                    since.entry(word).or_insert(index);
                }
                EventKind::Fence | EventKind::Sync => {
                    let failed = machine.power_failure();
                    let durable: Vec<usize> =
                        since.keys().copied().filter(|&word| failed.undecided(word).is_none()).collect();
                    for word in durable {
                        self.bar("b", word, since.remove(&word).unwrap_or(index), index);
                        durable_since.insert(word, index);
                    }
                }
                _ => {}
            }
        }
        let end = self.events.len();
        since.into_iter().for_each(|(word, from)| self.bar("b", word, from, end));
        durable_since.into_iter().for_each(|(word, from)| self.bar("d", word, from, end));
    }

    /// A bar in the row of a word, between two events.
    fn bar(&mut self, class: &str, word: usize, from: usize, to: usize) {
        let (y, from, to) = (Self::y(self.rows[&word]), Self::x(from), Self::x(to));
        let _ = write!(self.out, r#"<line class="{class}" x1="{from}" x2="{to}" y1="{y}" y2="{y}"/>"#);
    }

    /// The events themselves.
    fn events(&mut self) {
        let (top, bottom) = (TOP - 10, self.bottom());
        let Timeline { events, rows, out } = self;
        for (index, event) in events.iter().enumerate() {
            let x = Self::x(index);
            let _ = match event.kind {
                EventKind::Store { word, .. } | EventKind::Stream { word, .. } => {
                    let (y, title) = (Self::y(rows[&word]), title(event));
                    write!(out, r#"<circle class="s" cx="{x}" cy="{y}" r="4">{title}</circle>"#)
                }
                EventKind::Flush { line } => {
                    let mut words = rows.range(line * LINE_WORDS..(line + 1) * LINE_WORDS);
                    words.try_for_each(|(_, row)| {
                        let y = Self::y(*row) - 4;
                        write!(out, r#"<path class="f" d="M{x} {y}l-4 8h8z"/>"#)
                    })
                }
                EventKind::Fence => {
                    let title = title(event);
                    write!(
                        out,
                        r#"<line class="n" x1="{x}" x2="{x}" y1="{top}" y2="{bottom}">{title}</line>"#
                    )
                }
                EventKind::Acknowledge(number) => write!(
                    out,
                    r#"<line class="a" x1="{x}" x2="{x}" y1="{top}" y2="{}"/><text x="{x}" y="{}">{number}</text>"#,
                    bottom + 8,
                    bottom + 20
                ),
                _ => Ok(()),
            };
        }
    }

    /// The crash of a failure, if it is in the picture.
    fn crash(&mut self, crash: Crash) {
        if crash.event() > self.events.len() {
            return;
        }
        let x = Self::x(crash.event()) as f64 - STEP as f64 / 2.0;
        let _ = write!(
            self.out,
            r#"<line class="x" x1="{x}" x2="{x}" y1="{}" y2="{}"/><text x="{}" y="{}">crash</text>"#,
            TOP - 16,
            self.bottom() + 8,
            x + 4.0,
            TOP - 12
        );
    }
}

/// What a browser shows where the pointer is: the line of the program.
fn title(event: &Event) -> String {
    let file = event.origin.file().replace('&', "&amp;").replace('<', "&lt;");
    format!("<title>{file}:{}</title>", event.origin.line())
}
