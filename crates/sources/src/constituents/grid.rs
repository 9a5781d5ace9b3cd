//! A table of a page as rows of plain cells.

use std::collections::BTreeMap;
use std::rc::Rc;

use scraper::ElementRef;
use scraper::node::Node;

/// A table has so many columns at most; what stands further right is not read.
const WIDEST: usize = 64;
/// A cell stretches over so many rows at most.
const TALLEST: usize = 1000;
/// More rows than any index has members.
const MOST_ROWS: usize = 5000;
/// A longer text of a cell is cut, in bytes.
const LONGEST_CELL: usize = 1000;

/// By column: the text of a cell above that stretches down, and over how many more rows.
type Hanging = BTreeMap<usize, (Rc<str>, usize)>;

/// The rows of a table, cells of tables within it left out. A cell that stretches over columns or rows stands in each of
/// them.
pub(super) fn grid(table: ElementRef<'_>) -> Vec<Vec<Rc<str>>> {
    let mut grid = Vec::new();
    let mut hanging = Hanging::new();
    for row in rows(table).take(MOST_ROWS) {
        let (mut cells, mut next) = (Vec::new(), Hanging::new());
        for cell in row.child_elements().filter(|cell| matches!(cell.value().name(), "td" | "th")) {
            hang(&hanging, &mut cells, &mut next);
            let text: Rc<str> = text_of(cell).into();
            let n_rows = span(cell, "rowspan", TALLEST);
            for _ in 0..span(cell, "colspan", WIDEST) {
                put(&text, n_rows, &mut cells, &mut next);
            }
        }
        hang(&hanging, &mut cells, &mut next);
        hanging = next;
        grid.push(cells);
    }
    grid
}

/// Puts the cells that stretch down from above where they come next.
fn hang(above: &Hanging, cells: &mut Vec<Rc<str>>, next: &mut Hanging) {
    while let Some((text, n_rows)) = above.get(&cells.len()) {
        put(text, *n_rows, cells, next);
    }
}

/// Puts a cell that stretches over `n_rows`, this one among them.
fn put(text: &Rc<str>, n_rows: usize, cells: &mut Vec<Rc<str>>, next: &mut Hanging) {
    if cells.len() == WIDEST {
        return;
    }
    if n_rows > 1 {
        next.insert(cells.len(), (Rc::clone(text), n_rows - 1));
    }
    cells.push(Rc::clone(text));
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
        if text.len() > LONGEST_CELL {
            break;
        }
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
    text.truncate(text.floor_char_boundary(LONGEST_CELL));
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
