//! A trace as a picture: words from top to bottom, events from left to right.

use super::machine::{Machine, WORD};
use super::recorder::{Event, EventKind};
use super::report::Crash;
use std::collections::BTreeMap;
use std::fmt::Write;

const STEP: usize = 14;
const ROW: usize = 18;
const LEFT: usize = 110;
const TOP: usize = 46;
/// More than this is no picture.
const MOST_EVENTS: usize = 400;

/// Draws the events. A bar is a store that a power failure could still lose; it ends at the fence that makes
/// it durable.
pub(super) fn timeline(base: &Machine, events: &[Event], crash: Option<Crash>) -> String {
    let shown = &events[..events.len().min(MOST_EVENTS)];
    let mut rows: BTreeMap<usize, usize> = BTreeMap::new();
    for event in shown {
        if let EventKind::Store { word, .. } | EventKind::Stream { word, .. } = event.kind {
            rows.insert(word, 0);
        }
    }
    rows.values_mut().enumerate().for_each(|(row, place)| *place = row);
    let width = LEFT + (shown.len() + 2) * STEP;
    let height = TOP + rows.len() * ROW + 34;
    let bottom = TOP + rows.len() * ROW;
    let x = |event: usize| LEFT + event * STEP;
    let y = |row: usize| TOP + row * ROW + ROW / 2;
    let mut out = String::new();
    let _ = write!(
        out,
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
        h = height,
        n = shown.len(),
        r = rows.len(),
        left = LEFT,
    );
    if shown.len() < events.len() {
        let (shown, all) = (shown.len(), events.len());
        let _ = write!(out, r#"<text x="4" y="32">the first {shown} of {all} events</text>"#);
    }
    for (word, row) in &rows {
        let at = y(*row);
        let _ = write!(
            out,
            r#"<text x="4" y="{}">{:#x}</text><line class="l" x1="{LEFT}" x2="{width}" y1="{at}" y2="{at}"/>"#,
            at + 4,
            word * WORD,
        );
    }
    out.push_str(&bars(base, shown, &rows, x, y));
    for (index, event) in shown.iter().enumerate() {
        let at = x(index);
        let _ = match event.kind {
            EventKind::Store { word, .. } | EventKind::Stream { word, .. } => {
                let title = place(event);
                write!(out, r#"<circle class="s" cx="{at}" cy="{}" r="4">{title}</circle>"#, y(rows[&word]))
            }
            EventKind::Flush { line } => rows.range(line * 8..line * 8 + 8).try_for_each(|(_, row)| {
                let y = y(*row);
                write!(out, r#"<path class="f" d="M{at} {}l-4 8h8z"/>"#, y - 4)
            }),
            EventKind::Fence => {
                let (top, title) = (TOP - 10, place(event));
                write!(out, r#"<line class="n" x1="{at}" x2="{at}" y1="{top}" y2="{bottom}">{title}</line>"#)
            }
            EventKind::Acknowledge(number) => write!(
                out,
                r#"<line class="a" x1="{at}" x2="{at}" y1="{}" y2="{}"/><text x="{at}" y="{}">{number}</text>"#,
                TOP - 10,
                bottom + 8,
                bottom + 20
            ),
            _ => Ok(()),
        };
    }
    if let Some(crash) = crash.filter(|crash| crash.event() <= shown.len()) {
        let at = x(crash.event()) as f64 - STEP as f64 / 2.0;
        let _ = write!(
            out,
            r#"<line class="x" x1="{at}" x2="{at}" y1="{}" y2="{}"/><text x="{}" y="{}">crash</text>"#,
            TOP - 16,
            bottom + 8,
            at + 4.0,
            TOP - 12
        );
    }
    out.push_str("</svg>\n");
    out
}

/// What a browser shows where the pointer is: the line of the program.
fn place(event: &Event) -> String {
    let file = event.origin.file().replace('&', "&amp;").replace('<', "&lt;");
    format!("<title>{file}:{}</title>", event.origin.line())
}

/// For each store, how long a power failure could lose it.
fn bars(
    base: &Machine,
    events: &[Event],
    rows: &BTreeMap<usize, usize>,
    x: impl Fn(usize) -> usize,
    y: impl Fn(usize) -> usize,
) -> String {
    let mut out = String::new();
    let mut machine = base.clone();
    let mut since: BTreeMap<usize, usize> = BTreeMap::new();
    let mut durable_since: BTreeMap<usize, usize> = BTreeMap::new();
    let mut line = |class: &str, word: usize, from: usize, to: usize| {
        let y = y(rows[&word]);
        let _ = write!(out, r#"<line class="{class}" x1="{}" x2="{}" y1="{y}" y2="{y}"/>"#, x(from), x(to));
    };
    for (index, event) in events.iter().enumerate() {
        super::explore::apply(&mut machine, event, false, None);
        match event.kind {
            EventKind::Store { word, .. } | EventKind::Stream { word, .. } => {
                if let Some(from) = durable_since.remove(&word) {
                    line("d", word, from, index);
                }
                since.entry(word).or_insert(index);
            }
            EventKind::Fence | EventKind::Sync => {
                let failed = machine.power_failure();
                let durable: Vec<usize> =
                    since.keys().copied().filter(|&word| failed.undecided(word).is_none()).collect();
                for word in durable {
                    line("b", word, since.remove(&word).unwrap_or(index), index);
                    durable_since.insert(word, index);
                }
            }
            _ => {}
        }
    }
    since.into_iter().for_each(|(word, from)| line("b", word, from, events.len()));
    durable_since.into_iter().for_each(|(word, from)| line("d", word, from, events.len()));
    out
}
