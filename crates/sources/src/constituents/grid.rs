//! A table of a page as rows of plain cells.

use std::collections::BTreeMap;

use scraper::ElementRef;
use scraper::node::Node;

/// A cell stretches over so many columns at most.
const WIDEST: usize = 64;
/// A cell stretches over so many rows at most.
const TALLEST: usize = 1000;
/// More rows than any index has members.
const MOST_ROWS: usize = 20_000;

/// The rows of a table, cells of tables within it left out. A cell that stretches over columns or rows stands in each of
/// them.
pub(super) fn grid(table: ElementRef<'_>) -> Vec<Vec<String>> {
    let mut grid = Vec::new();
    // By column: the text of a cell above that stretches down, and over how many more rows.
    let mut hanging: BTreeMap<usize, (String, usize)> = BTreeMap::new();
    for row in rows(table).take(MOST_ROWS) {
        let mut cells: Vec<String> = Vec::new();
        let mut next = BTreeMap::new();
        let fill = |cells: &mut Vec<String>, next: &mut BTreeMap<usize, (String, usize)>| {
            while let Some((text, n_rows)) = hanging.get(&cells.len()) {
                if *n_rows > 1 {
                    next.insert(cells.len(), (text.clone(), n_rows - 1));
                }
                cells.push(text.clone());
            }
        };
        for cell in row.child_elements().filter(|cell| matches!(cell.value().name(), "td" | "th")) {
            fill(&mut cells, &mut next);
            let text = text_of(cell);
            let n_columns = span(cell, "colspan", WIDEST);
            let n_rows = span(cell, "rowspan", TALLEST);
            for _ in 0..n_columns {
                if n_rows > 1 {
                    next.insert(cells.len(), (text.clone(), n_rows - 1));
                }
                cells.push(text.clone());
            }
        }
        fill(&mut cells, &mut next);
        hanging = next;
        grid.push(cells);
    }
    grid
}

/// The rows that are a table's own.
fn rows(table: ElementRef<'_>) -> impl Iterator<Item = ElementRef<'_>> {
    let is = |element: &ElementRef<'_>, names: &[&str]| names.contains(&element.value().name());
    let sections = table.child_elements().filter(move |child| is(child, &["thead", "tbody", "tfoot"]));
    sections.flat_map(|section| section.child_elements()).filter(move |row| is(row, &["tr"]))
}

fn span(cell: ElementRef<'_>, name: &str, most: usize) -> usize {
    cell.attr(name).and_then(|text| text.trim().parse().ok()).unwrap_or(1).clamp(1, most)
}

/// What a cell shows: one line, without references to notes.
fn text_of(cell: ElementRef<'_>) -> String {
    let mut text = String::new();
    for node in cell.descendants() {
        let Node::Text(part) = node.value() else { continue };
        let is_shown = node.ancestors().take_while(|above| above.id() != cell.id()).all(|above| {
            above.value().as_element().is_none_or(|element| {
                let is_note = element.name() == "sup" && element.attr("class").is_some_and(|c| c.contains("reference"));
                !(is_note || matches!(element.name(), "style" | "script" | "template"))
            })
        });
        if is_shown {
            text.extend(part.chars().filter(|c| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{feff}')));
        }
    }
    without_notes(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Without the `[1]` or `[a]` that may stand at the end.
fn without_notes(text: &str) -> String {
    let mut text = text.trim_end();
    while let Some((before, note)) = text.strip_suffix(']').and_then(|text| text.rsplit_once('[')) {
        let is_note = (1..=3).contains(&note.len()) || note.starts_with("note");
        if !is_note {
            break;
        }
        text = before.trim_end();
    }
    text.to_owned()
}
